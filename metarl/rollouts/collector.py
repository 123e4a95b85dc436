"""Runs jobs: whole episodes, environment and policy side by side in one process.

Several jobs may be stepped together in one vector environment, where that is fast; the policy runs
job by job all the same, because a matrix product's bits depend on the number of its rows.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch

from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.rollouts.jobs import Job, JobResult
from metarl.spaces import clip_actions, flatten_observations
from metarl.tasks import TaskDistribution
from metarl.threads import torch_threads

_KEPT_SHAPES = 3
"""Vector environments kept by shape: adaptation, evaluation, and the rest of a division."""


class Collector:
    """Runs jobs on one task distribution, keeping its environments from job to job.

    Args:
        distribution: Where environments come from.
        policy: Structure of the policy; a private copy is made per job that runs side by side.
    """

    def __init__(self, distribution: TaskDistribution, policy: Policy) -> None:
        self.distribution = distribution
        self._policy = policy
        self._actors: list[_Actor] = []
        self._vecs: dict[tuple[int, int], gymnasium.vector.VectorEnv[Any, Any, Any]] = {}

    def run(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Runs jobs side by side; all must have the same number of episodes.

        Raises:
            Exception: Whatever an environment raises, with a note that says which task, seed and
                step it happened at.
        """
        with torch_threads(1), torch.inference_mode():
            return self._run_together(jobs)

    def close(self) -> None:
        """Closes the environments."""
        while self._vecs:
            self._vecs.popitem()[1].close()

    def _run_together(self, jobs: Sequence[Job]) -> list[JobResult]:
        episodes = jobs[0].num_episodes
        horizon = self.distribution.max_episode_steps
        vec = self._vec_for(jobs)
        runs = [
            _Run(job, actor, horizon, self.distribution)
            for job, actor in zip(jobs, self._actors_for(len(jobs)), strict=False)
        ]
        seeds: Any = [seed for run in runs for seed in run.seeds]  # Gymnasium's type says one int
        observations, _ = vec.reset(seed=seeds)
        active = np.ones(vec.num_envs, dtype=np.bool_)
        for step in range(horizon):
            rows = flatten_observations(vec.single_observation_space, observations)
            blocks = rows.reshape(len(jobs), episodes, -1)
            actions = np.concatenate(
                [run.act(step, block) for run, block in zip(runs, blocks, strict=True)]
            )
            clipped = clip_actions(vec.single_action_space, actions)
            try:
                observations, rewards, terminated, truncated, infos = vec.step(clipped)
            except Exception as error:
                families = sorted({job.task.family for job in jobs})
                error.add_note(f"in a rollout of {', '.join(families)}, step {step}")
                raise
            truncated = truncated | (step == horizon - 1)
            success = infos.get("success")
            unstable = infos.get("sim_unstable")
            for index, run in enumerate(runs):
                block = slice(index * episodes, (index + 1) * episodes)
                run.record(
                    step,
                    active=active[block],
                    rewards=rewards[block],
                    terminated=terminated[block],
                    truncated=truncated[block],
                    success=None if success is None else success[block],
                    unstable=None if unstable is None else unstable[block],
                )
            active &= ~(terminated | truncated)
            if not active.any():
                break
        last = flatten_observations(vec.single_observation_space, observations)
        last_blocks = last.reshape(len(jobs), episodes, -1)
        return [run.result(block) for run, block in zip(runs, last_blocks, strict=True)]

    def _vec_for(self, jobs: Sequence[Job]) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        tasks = [job.task for job in jobs]
        shape = (len(jobs), jobs[0].num_episodes)
        if any(job.num_episodes != shape[1] for job in jobs):
            raise ConfigError("jobs: all jobs of one call must have the same num_episodes.")
        vec = self._vecs.pop(shape, None)
        move = getattr(vec, "set_tasks", None)
        if vec is None or move is None:
            if vec is not None:
                vec.close()
            vec = self.distribution.make_vec(tasks, shape[1])
        else:
            move(tasks)
        self._vecs[shape] = vec  # last in the order of use
        while len(self._vecs) > _KEPT_SHAPES:
            self._vecs.pop(next(iter(self._vecs))).close()
        return vec

    def _actors_for(self, count: int) -> list[_Actor]:
        while len(self._actors) < count:
            self._actors.append(_Actor(copy.deepcopy(self._policy)))
        return self._actors


class _Actor:
    """A private copy of the policy that holds one job's parameters.

    Parameters are copied into memory that PyTorch allocated, and observations too: the bits of a
    matrix product can depend on the alignment of its operands, which arrays from elsewhere don't
    guarantee.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._named = dict(policy.named_parameters())

    def load(self, job: Job) -> None:
        if job.params.keys() != self._named.keys():
            odd = sorted(job.params.keys() ^ self._named.keys())
            raise ConfigError(f"params: names differ from the policy's: {', '.join(odd)}.")
        for name, value in job.params.items():
            self._named[name].data.copy_(torch.from_numpy(value))


class _Run:
    """One job under way: its randomness, its policy and what has been recorded."""

    def __init__(
        self, job: Job, actor: _Actor, horizon: int, distribution: TaskDistribution
    ) -> None:
        actor.load(job)
        self.policy = actor.policy
        self.job = job
        episodes = job.num_episodes
        rng = job.stream.numpy()
        self.seeds = [int(seed) for seed in rng.integers(2**31, size=episodes)]
        self.noise = None if job.deterministic else self.policy.noise(rng, (horizon, episodes))
        self.initial_state = (
            self.policy.initial_state(episodes) if job.state is None else torch.tensor(job.state)
        )
        self.state = self.initial_state
        size = gymnasium.spaces.flatdim(distribution.observation_space)
        self.rows = torch.empty(episodes, size)
        self.observations = np.zeros((horizon, episodes, size), dtype=np.float32)
        self.dist_params = np.zeros(
            (horizon, episodes, self.policy.num_dist_params), dtype=np.float32
        )
        self.actions: list[Any] = []
        self.rewards = np.zeros((episodes, horizon), dtype=np.float32)
        self.mask = np.zeros((episodes, horizon), dtype=np.bool_)
        self.success: Any = None
        self.terminated = np.zeros(episodes, dtype=np.bool_)
        self.truncated = np.zeros(episodes, dtype=np.bool_)
        self.unstable = np.zeros(episodes, dtype=np.bool_)

    def act(self, step: int, observations: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.rows.copy_(torch.from_numpy(observations))
        dist_params, self.state = self.policy(self.rows, self.state)
        self.observations[step] = observations
        self.dist_params[step] = dist_params.numpy()
        noise = None if self.noise is None else self.noise[step]
        actions = self.policy.select(self.dist_params[step], noise)
        self.actions.append(actions)
        return actions

    def record(
        self,
        step: int,
        *,
        active: np.ndarray[Any, Any],
        rewards: np.ndarray[Any, Any],
        terminated: np.ndarray[Any, Any],
        truncated: np.ndarray[Any, Any],
        success: np.ndarray[Any, Any] | None,
        unstable: np.ndarray[Any, Any] | None,
    ) -> None:
        self.mask[:, step] = active
        self.rewards[:, step] = np.where(active, rewards, 0.0)
        self.terminated |= active & terminated
        self.truncated |= active & truncated & ~terminated
        if success is not None:
            if self.success is None:
                self.success = np.zeros_like(self.mask)
            self.success[:, step] = active & np.asarray(success, dtype=np.bool_)
        if unstable is not None:
            self.unstable |= active & np.asarray(unstable, dtype=np.bool_)

    def result(self, last_observations: np.ndarray[Any, Any]) -> JobResult:
        horizon = self.mask.shape[1]
        filled = len(self.actions)
        padding = [np.zeros_like(self.actions[0])] * (horizon - filled)
        actions = _episode_major(np.stack(self.actions + padding))
        actions[~self.mask] = 0
        dist_params = _episode_major(self.dist_params)
        log_probs = self.policy.log_prob(
            torch.from_numpy(dist_params), torch.from_numpy(actions)
        ).numpy()
        return JobResult(
            observations=_episode_major(self.observations) * self.mask[..., None],
            actions=actions,
            rewards=self.rewards,
            log_probs=np.where(self.mask, log_probs, np.float32(0)),
            dist_params=dist_params * self.mask[..., None],
            mask=self.mask,
            terminated=self.terminated,
            truncated=self.truncated,
            last_observations=last_observations.copy(),
            success=self.success,
            unstable=self.unstable,
            initial_state=_array(self.initial_state),
            final_state=_array(self.state),
        )


def _episode_major(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(np.swapaxes(array, 0, 1))


def _array(tensor: torch.Tensor | None) -> np.ndarray[Any, Any] | None:
    return None if tensor is None else tensor.numpy().copy()
