"""Meta-World's own evaluation and its bias, on environments whose rate of success is known."""

import gymnasium
import metaworld.evaluation
import numpy as np
import pytest
import torch
from metaworld.evaluation import Timestep

from metarl.errors import ConfigError
from metarl.evaluation import evaluate
from metarl.evaluation.upstream import UpstreamAgent, evaluate_as_upstream
from metarl.spaces import clip_actions
from tests.evaluation.stubs import EchoTasks, LuckTasks, LuckUpstreamEnv, StubAgent

LAYOUTS = [(5, 1), (5, 4), (1, 10), (1, 20)]
SETTINGS = {"num_evals": 4, "adaptation_steps": 1, "adaptation_episodes": 1}


class DirectAgent:
    """Written against ``metaworld.evaluation`` alone: always the same action."""

    def init(self):
        self.num_adaptations = 0

    def adapt_action(self, observations):
        return np.zeros((len(observations), 1)), {}

    def eval_action(self, observations):
        return np.zeros((len(observations), 1))

    def step(self, timestep):
        pass

    def adapt(self):
        self.num_adaptations += 1

    def reset(self, env_mask):
        pass


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_the_number_is_that_of_metaworlds_own_function_on_the_same_streams(layout, probability):
    agent = StubAgent(EchoTasks([{"offset": 0.0}]))
    found = evaluate_as_upstream(
        agent, LuckUpstreamEnv(*layout, probability, seed=3), evaluation_episodes=3, **SETTINGS
    )
    rate, mean_return, families = metaworld.evaluation.metalearning_evaluation(
        DirectAgent(),
        LuckUpstreamEnv(*layout, probability, seed=3),
        evaluation_episodes=3,
        **SETTINGS,
    )
    assert (found.success_rate, found.mean_return) == (rate, mean_return)
    assert found.success_per_family == {name: float(value) for name, value in families.items()}
    assert found.envs_per_family == layout[1]


def test_quick_successes_are_counted_first():
    """A true rate of 0.3 reads 0.84 on ten environments of one name; alone it reads right."""

    def read(names: int, per_name: int) -> float:
        agent = StubAgent(EchoTasks([{"offset": 0.0}]))
        envs = LuckUpstreamEnv(names, per_name, 0.3, seed=0)
        settings = {**SETTINGS, "num_evals": 40}
        return evaluate_as_upstream(agent, envs, **settings).success_rate

    assert read(1, 10) == pytest.approx(0.84, abs=0.06)
    assert read(5, 4) == pytest.approx(0.44, abs=0.06)
    assert read(5, 1) == pytest.approx(0.3, abs=0.06)


def repeat(layout: tuple[int, int], probability: float, times: int) -> tuple[float, float, float]:
    """Share of our intervals that hold the truth; mean of our rate; mean of upstream's."""
    agent = StubAgent(LuckTasks(*layout, probability))
    covered, ours, theirs = 0, [], []
    for seed in range(times):
        evaluation = evaluate(agent, num_adaptation_steps=0, evaluation_episodes=3, seed=seed)
        found = evaluation.summary()[0].success_any
        covered += found.low <= probability <= found.high
        ours.append(found.mean)
        envs = LuckUpstreamEnv(*layout, probability, seed=seed)
        settings = {**SETTINGS, "num_evals": 1}
        theirs.append(evaluate_as_upstream(agent, envs, **settings).success_rate)
    return covered / times, float(np.mean(ours)), float(np.mean(theirs))


@pytest.mark.parametrize("layout", [(5, 4), (1, 10)])
def test_ours_is_without_bias_through_the_whole_stack(layout):
    covered, ours, theirs = repeat(layout, 0.3, times=12)
    assert covered >= 11 / 12
    assert ours == pytest.approx(0.3, abs=0.06)
    assert theirs > 0.45


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
def test_ours_covers_the_truth_in_200_repetitions_of_every_layout(layout, probability):
    covered, ours, theirs = repeat(layout, probability, times=200)
    assert covered >= 0.93
    assert ours == pytest.approx(probability, abs=0.04)
    if layout[1] == 1:
        assert theirs == pytest.approx(probability, abs=0.05)
    else:
        assert theirs > 1.25 * probability


def test_adaptation_gets_what_each_environment_answered():
    """Two environments, episodes of 3 and 2 steps, then one episode too many for the first."""
    agent = StubAgent(EchoTasks([{"offset": 0.0}]))
    adapter = UpstreamAgent(agent, num_envs=2, adaptation_episodes=2)
    adapter.init()
    sent, returned = [], []
    for step in range(6):
        actions, aux = adapter.adapt_action(np.full((2, 1), step / 10))
        assert np.array_equal(actions, clip_actions(agent.unadapted().action_space, aux["actions"]))
        rewards = actions[:, 0] + [0.5, -2.0]
        ends = np.array([step in (0, 2, 4), step in (2, 5)])
        nothing = np.zeros(2, dtype=bool)
        observed = np.full((2, 1), step / 10)
        adapter.step(Timestep(observed, actions, rewards, nothing, ends, aux))
        sent.append(aux["actions"][:, 0])
        returned.append(rewards)
    adapter.adapt()
    first, second = agent.supports
    assert first.mask.tolist() == [[[True, False], [True, True]]]
    assert second.mask.tolist() == [[[True] * 3, [True] * 3]]
    assert first.rewards[0, 1].tolist() == pytest.approx([returned[1][0], returned[2][0]])
    assert second.actions[0, 1, :, 0].tolist() == pytest.approx([own[1] for own in sent[3:]])
    assert second.observations[0, 1, :, 0].tolist() == pytest.approx([0.3, 0.4, 0.5])
    assert first.truncated.tolist() == [[True, True]]
    policy = agent.unadapted().policy
    expected = policy.log_prob(second.dist_params, second.actions)
    assert torch.equal(second.log_probs, expected)
    actions = adapter.eval_action(np.zeros((2, 1)))
    assert actions[:, 0].tolist() == pytest.approx([0.5, -2.0], abs=1e-5)


def test_sampled_actions_depend_on_seed_and_round():
    agent = StubAgent(EchoTasks([{"offset": 0.0}]))

    def first_actions(seed: int, rounds: int) -> list[float]:
        adapter = UpstreamAgent(agent, num_envs=3, adaptation_episodes=1, seed=seed)
        for _ in range(rounds):
            adapter.init()
        return adapter.adapt_action(np.zeros((3, 1)))[0][:, 0].tolist()

    assert first_actions(0, 1) == first_actions(0, 1)
    assert len({*first_actions(0, 1), *first_actions(1, 1), *first_actions(0, 2)}) == 9


@pytest.mark.parametrize(
    "name", ["num_evals", "adaptation_steps", "adaptation_episodes", "evaluation_episodes"]
)
def test_numbers_out_of_range_are_refused(name):
    agent = StubAgent(EchoTasks([{"offset": 0.0}]))
    with pytest.raises(ConfigError, match=f"{name}: got 0; must be at least 1"):
        evaluate_as_upstream(agent, LuckUpstreamEnv(1, 2, 0.5, seed=0), **{name: 0})


def test_the_difference_is_explained_in_words():
    agent = StubAgent(EchoTasks([{"offset": 0.0}]))
    envs = LuckUpstreamEnv(1, 10, 0.5, seed=0)
    result = evaluate_as_upstream(agent, envs, **{**SETTINGS, "num_evals": 1})
    assert "counts the first 3 episodes that end per family" in result.explanation
    assert "share a family (10 here)" in result.explanation


def test_on_ml1_our_environments_and_metaworlds_give_the_same_number():
    from metarl.agents import MAML
    from metarl.envs.metaworld import ML1
    from tests.envs.metaworld.dropin.rollouts import quietly

    agent = MAML(ML1("reach-v3", seed=10, max_episode_steps=12), inner_lr=0.05)

    def result(env_id: str):
        envs = quietly(
            gymnasium.make_vec,
            env_id,
            env_name="reach-v3",
            seed=10,
            meta_batch_size=4,
            total_tasks_per_cls=40,
            max_episode_steps=12,
        )
        found = evaluate_as_upstream(
            agent, envs, num_evals=2, adaptation_steps=2, adaptation_episodes=2
        )
        envs.close()
        return found

    found = result("metarl/ML1-test-v0")
    assert found == result("Meta-World/ML1-test")
    assert found.mean_return > 0
