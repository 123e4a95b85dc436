from __future__ import annotations

from typing import Any

import pytest

from metarl.agents import FollowTheMetaLeader
from metarl.envs.navigation import navigation
from metarl.errors import ConfigError
from metarl.seeding import Purpose

SMALL: dict[str, Any] = {"hidden_sizes": (4,), "meta_batch_size": 4, "episodes_per_task": 2}


def an_agent(**settings: Any) -> FollowTheMetaLeader:
    return FollowTheMetaLeader(navigation(max_episode_steps=5), **{**SMALL, **settings})


def test_the_newest_task_comes_first_and_the_rest_has_arrived_before() -> None:
    agent = an_agent()
    arrivals = []
    for agent.iteration in range(12):
        newest, *drawn = agent.sample_tasks()
        arrivals.append(newest)
        assert set(drawn) <= set(arrivals)
    assert len(set(arrivals)) == 12
    assert len(set(drawn)) > 1


def test_what_has_arrived_depends_on_seed_and_iteration_alone() -> None:
    agent, other, stranger = an_agent(), an_agent(), an_agent(seed=1)
    for one in (agent, other, stranger):
        one.iteration = 7
    agent.arrival(3)
    assert agent.sample_tasks() == other.sample_tasks()
    assert agent.sample_tasks()[0] == other.arrival(7)
    assert agent.arrival(0) != stranger.arrival(0)


def test_a_task_stays_the_newest_for_as_many_iterations_as_asked_for() -> None:
    agent = an_agent(iterations_per_task=3)
    newest = []
    for agent.iteration in range(7):
        newest.append(agent.sample_tasks()[0])
    assert newest == [agent.arrival(number) for number in (0, 0, 0, 1, 1, 1, 2)]


def test_figures_tell_the_newest_task_from_the_rest() -> None:
    agent = an_agent(iterations_per_task=2)
    with agent:
        figures = [agent.train_iteration() for _ in range(3)]
    for one in figures:
        rest = one["newest_post/return"] + one["newest/shortfall"]
        mean = (one["newest_post/return"] + 3 * rest) / 4
        assert one["post/return"] == pytest.approx(mean, rel=1e-5)
        assert one["newest_pre/return"] < 0
    assert [one["newest/updates"] for one in figures] == [0.0, 1.0, 0.0]
    assert [one["newest/tasks_seen"] for one in figures] == [1.0, 1.0, 2.0]


def test_a_batch_without_room_for_earlier_tasks_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"meta_batch_size: got 1; .*greater than or equal to 2"):
        an_agent(meta_batch_size=1)


def test_figures_of_the_newest_task_are_left_out_where_its_episodes_do_not_count() -> None:
    agent = an_agent()
    with agent:
        tasks = agent.sample_tasks()
        query = agent._experience.collect(
            tasks, [agent._learner.start(agent.meta_params)] * 4, agent._now(Purpose.QUERY)
        )
    assert "newest/shortfall" in agent.figures(tasks, [query], query)
    agent.iteration = 1  # another task is the newest now
    assert agent.figures(tasks, [query], query).keys() == {
        *("pre/return", "pre/success_any", "pre/success_final"),
        *("post/return", "post/success_any", "post/success_final"),
    }
