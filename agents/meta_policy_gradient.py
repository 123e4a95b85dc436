"""The training loop of gradient-based meta-RL (Finn, Abbeel and Levine 2017, algorithm 3).

Each iteration: sample tasks; collect support episodes under the initial parameters; adapt by one
or more steps per task; collect query episodes under each task's adapted parameters; move the
meta-parameters by one outer step on the query objective. What adapts, what the outer step is and
what the objective adds to the query surrogate is each algorithm's own; the smallest one is
:mod:`metarl.agents.maml`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Self

from metarl.adaptation import AdaptationState, MetaLearner
from metarl.adapted_policy import AdaptedPolicy
from metarl.agent import Callback
from metarl.errors import NonFiniteError
from metarl.objective import MetaObjective
from metarl.seeding import Purpose
from metarl.tasks import Task
from metarl.threads import map_in_threads, threads_for
from metarl.trace import TraceStep, trace_step
from metarl.types import Params, Trajectories

from .experience import Counts, StopRequested, usable_tasks
from .figures import inner_figures, summary
from .from_settings import meta_objective
from .gradient_agent import ConfigT, GradientAgent
from .sb3.callbacks import AnyCallback, started
from .skipping import check_adapted, check_update, indexed_by


class MetaPolicyGradient(GradientAgent[ConfigT]):
    """Base class of the gradient-based agents: everything but what sets them apart.

    A subclass names its ``algorithm`` and ``config_type`` and writes :meth:`make_adapter`; where
    it departs further it overrides :meth:`make_policy`, :meth:`make_outer`,
    :meth:`make_objective` or :meth:`sample_tasks`. The arguments are those of
    :class:`~metarl.agents.gradient_agent.GradientAgent`.
    """

    def make_objective(
        self, learner: MetaLearner, supports: Sequence[Trajectories], query: Trajectories
    ) -> MetaObjective:
        """What the outer step improves."""
        return meta_objective(self.config, learner, supports, query, num_threads=self._threads)

    def sample_tasks(self) -> Sequence[Task]:
        """The tasks of this iteration."""
        return self.benchmark.train.sample(
            self.config.meta_batch_size, self._now(Purpose.TASKS).numpy()
        )

    def figures(
        self, tasks: Sequence[Task], supports: Sequence[Trajectories], query: Trajectories
    ) -> dict[str, float]:
        """What experience in these tasks says of the agent, before and after adaptation."""
        del tasks
        return {**summary("pre", supports[0]), **summary("post", query)}

    @property
    def timesteps_per_iteration(self) -> int:
        """Environment steps of one iteration, if no episode ends early."""
        config = self.config
        episodes = config.meta_batch_size * config.episodes_per_task
        horizon = self.benchmark.train.max_episode_steps
        return episodes * horizon * (config.num_inner_steps + 1)

    def learn(
        self,
        total_timesteps: int,
        callback: AnyCallback | Sequence[AnyCallback] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Trains until ``total_timesteps`` environment steps have been taken in all.

        Args:
            total_timesteps: Counts the steps of earlier calls and of a loaded agent too; the last
                iteration is taken whole.
            callback: Called after each iteration with the agent and its figures; returning False
                ends learning. Stable-Baselines3's callbacks are taken too, see
                :class:`metarl.agents.sb3.SB3Callback`.
            progress_bar: Whether to show a live display in the terminal.
        """
        with started(callback, self, total_timesteps) as callbacks:
            if progress_bar:
                from metarl.display import LiveDisplay

                with LiveDisplay(total_timesteps, self.num_timesteps) as display:
                    self._learn(total_timesteps, [*callbacks, display])
            else:
                self._learn(total_timesteps, callbacks)
        return self

    def _learn(self, total_timesteps: int, callbacks: list[Callback]) -> None:
        try:
            self._learn_until_stopped(total_timesteps, callbacks)
        except StopRequested:
            self.close()  # workers are in the middle of what nobody will ask for
        finally:
            self.stop_requested = False

    def _learn_until_stopped(self, total_timesteps: int, callbacks: list[Callback]) -> None:
        while self.num_timesteps < total_timesteps and not self.stop_requested:
            figures = self.train_iteration()
            # Every callback is called, also when an earlier one asks to stop.
            answers = [callback(self, figures) for callback in callbacks]
            if any(answer is False for answer in answers):
                break

    def train_iteration(self) -> dict[str, float]:
        """Takes one iteration and returns its figures.

        Where a number isn't finite the update is skipped: parameters stay, to the bit, and the
        next iteration draws other tasks and noise.

        Raises:
            NonFiniteError: If ``max_skipped_updates`` in a row were skipped.
        """
        began = time.perf_counter()
        self._experience.counts = counts = Counts()
        tasks = self.sample_tasks()
        outer_state = self._outer.state()
        try:
            self.meta_params, figures = self._update(tasks)
            self._skipped.note_update()
        except NonFiniteError as error:
            self._outer.load_state(outer_state)
            self._skipped.note_skip(error, tasks)
            figures = {}
        seconds = time.perf_counter() - began
        self.iteration += 1
        self.num_timesteps += counts.num_steps
        return {
            "iteration": self.iteration,
            "timesteps": self.num_timesteps,
            **figures,
            "faults/skipped_updates": self._skipped.total,
            "faults/unstable_episodes": counts.num_unstable,
            "time/iteration_s": seconds,
            "time/collection_s": counts.seconds,
            "time/fps": counts.num_steps / seconds,
        }

    def _update(self, tasks: Sequence[Task]) -> tuple[Params, dict[str, float]]:
        """The next meta-parameters, and figures that say how the iteration went."""
        states = before = [self._learner.start(self.meta_params)] * len(tasks)
        supports: list[Trajectories] = []
        places = list(range(len(tasks)))  # in the whole batch, of the tasks still in play
        for step in range(self.config.num_inner_steps):
            stream = self._now(Purpose.SUPPORT).child(step)
            supports.append(self._experience.collect(tasks, states, stream))
            if len(usable := usable_tasks(supports[step])) < len(tasks):
                tasks, states = [tasks[i] for i in usable], [states[i] for i in usable]
                supports = [support.tasks(usable) for support in supports]
                places = [places[i] for i in usable]
            with indexed_by(places):
                before, states = states, self._adapt(states, supports[step])
                check_adapted(state.params for state in states)
        inner = self._trace(before[0], states[0], supports[-1].task(0))
        query = self._experience.collect(tasks, states, self._now(Purpose.QUERY))
        if len(usable := usable_tasks(query)) < len(tasks):
            supports, query = [support.tasks(usable) for support in supports], query.tasks(usable)
            tasks, places = [tasks[i] for i in usable], [places[i] for i in usable]
        objective = self.make_objective(self._learner, supports, query)
        with indexed_by(places):
            meta_params, outer = self._outer.step(self.meta_params, objective)
        check_update(meta_params, outer)
        return meta_params, {
            **self.figures(tasks, supports, query),
            **inner_figures(inner),
            **{f"outer/{name}": value for name, value in outer.items()},
        }

    def unadapted(self) -> AdaptedPolicy:
        """The policy under the meta-learned initial parameters."""
        return self._as_policy(self._learner.start(self.meta_params))

    def adapt_step(self, policy: AdaptedPolicy, support: Trajectories) -> AdaptedPolicy:
        """Takes one step of the inner loop on the task's experience.

        Episodes whose simulation diverged are left out, as in training; of nothing else, the step
        counts and moves no parameter.
        """
        state, support = policy.adaptation.to(self.device), support.without_unstable()
        if not support.mask.any():
            return self._as_policy(state.after(state.params, state.memory))
        after = self._test_learner.adapt_step(
            self.meta_params, state, self._experience.with_advantages(support)
        )
        return self._as_policy(after)

    def trace_step(
        self, before: AdaptedPolicy, after: AdaptedPolicy, support: Trajectories
    ) -> TraceStep:
        """Describes the step of the inner loop that led from one policy to another."""
        return self._trace(
            before.adaptation.to(self.device),
            after.adaptation.to(self.device),
            self._experience.with_advantages(support.without_unstable()),
        )

    def _adapt(
        self, states: Sequence[AdaptationState], support: Trajectories
    ) -> list[AdaptationState]:
        """Takes one adaptation step of every task."""

        def work(learner: MetaLearner, task: int) -> AdaptationState:
            return learner.adapt_step(self.meta_params, states[task], support.task(task))

        learners = [
            self._learner,
            *(copy.deepcopy(self._learner) for _ in range(self._threads - 1)),
        ]
        return map_in_threads(work, learners, range(len(states)))

    def _trace(
        self, before: AdaptationState, after: AdaptationState, support: Trajectories
    ) -> TraceStep:
        return trace_step(
            self._learner.policy,
            self._inner_loss,
            support,
            step=after.step,
            start=self._learner.start(self.meta_params).params,
            before=before.params,
            after=after.params,
        )

    @property
    def _threads(self) -> int:
        rows = self.config.episodes_per_task * self.benchmark.train.max_episode_steps
        return threads_for(rows, self.config.hidden_sizes)

    def _as_policy(self, state: AdaptationState) -> AdaptedPolicy:
        state = state.to("cpu")
        return AdaptedPolicy(
            self._acting_policy,
            state.params,
            num_steps=state.step,
            memory=state.memory,
            observation_space=self.benchmark.train.observation_space,
            action_space=self.benchmark.train.action_space,
            stream=self._stream.child(Purpose.ADAPTATION, state.step),
        )
