"""Runs jobs: whole episodes, environment and policy side by side in one process.

Several jobs may be stepped together in one vector environment, where that is fast; the policy runs
job by job all the same, because a matrix product's bits depend on the number of its rows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.rollouts.faults import check_finite, check_finite_rewards
from metarl.rollouts.jobs import Job, JobResult, episode_seeds
from metarl.spaces import clip_actions, flatten_observations
from metarl.tasks import TaskDistribution
from metarl.threads import torch_threads
from metarl.vector import DeferredVectorEnv

_KEPT_SHAPES = 3
"""Vector environments kept by shape: adaptation, evaluation, and the rest of a division."""

_STEPS_PER_SETTLEMENT = 25
"""Steps whose rewards are computed together, where an environment offers that."""


class Collector:
    """Runs jobs on one task distribution, keeping its environments from job to job.

    Args:
        distribution: Where environments come from.
        policy: Structure of the policy; a private copy is made per job that runs side by side.
        on_step: Called with the number of each step before it is taken.
    """

    def __init__(
        self,
        distribution: TaskDistribution,
        policy: Policy,
        on_step: Callable[[int], None] | None = None,
    ) -> None:
        self.distribution = distribution
        self._policy = policy
        self._on_step = on_step
        self._copies: list[_PolicyCopy] = []
        self._vecs: dict[tuple[int, int], gymnasium.vector.VectorEnv[Any, Any, Any]] = {}

    def run(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Runs jobs side by side; all must have the same number of episodes.

        Raises:
            Exception: Whatever an environment raises, with a note that says which task, seed and
                step it happened at.
        """
        if not jobs:
            return []
        with torch_threads(1), torch.inference_mode():
            try:
                return self._run_together(jobs)
            except BaseException:
                self.close()  # environments stopped half-way are of no further use
                raise

    def close(self) -> None:
        """Closes the environments."""
        while self._vecs:
            self._vecs.popitem()[1].close()

    def _run_together(self, jobs: Sequence[Job]) -> list[JobResult]:
        episodes = jobs[0].num_episodes
        horizon = self.distribution.max_episode_steps
        vec = self._vec_for(jobs)
        copies = self._copies_for(len(jobs))
        runs = [
            _Run(job, copy, horizon, self.distribution)
            for job, copy in zip(jobs, copies, strict=False)
        ]
        record = _Record(len(jobs), episodes, horizon)
        stepper = _DeferredSteps if isinstance(vec, DeferredVectorEnv) else _Steps
        steps = stepper(vec, horizon)
        seeds: Any = [seed for run in runs for seed in run.seeds]  # Gymnasium's type says one int
        observations, _ = vec.reset(seed=seeds)
        for step in range(horizon):
            if self._on_step is not None:
                self._on_step(step)
            rows = flatten_observations(vec.single_observation_space, observations)
            check_finite("observation", rows, ~steps.active, jobs, seeds, step)
            blocks = rows.reshape(len(jobs), episodes, -1)
            under_way = steps.active.reshape(len(jobs), episodes)
            acts = [run.act(step, *own) for run, *own in zip(runs, blocks, under_way, strict=True)]
            dist_params, actions = (np.concatenate(parts) for parts in zip(*acts, strict=True))
            check_finite("action", actions, ~steps.active, jobs, seeds, step)
            record.add(step, rows, dist_params, actions)
            clipped = clip_actions(vec.single_action_space, actions)
            try:
                observations = steps.take(step, clipped)
            except Exception as error:
                families = sorted({job.task.family for job in jobs})
                error.add_note(f"in a rollout of {', '.join(families)}, step {step}")
                raise
            if not steps.active.any():
                break
        last = flatten_observations(vec.single_observation_space, observations)
        taken = int(steps.mask.any(axis=1).sum())
        check_finite("observation", last, steps.unstable, jobs, seeds, taken)
        last_blocks = last.reshape(len(jobs), episodes, -1)
        return [
            run.result(record, index, steps, block)
            for index, (run, block) in enumerate(zip(runs, last_blocks, strict=True))
        ]

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
            _check_waiting(vec)
        else:
            try:
                move(tasks)
            except BaseException:
                vec.close()
                raise
        self._vecs[shape] = vec  # last in the order of use
        while len(self._vecs) > _KEPT_SHAPES:
            self._vecs.pop(next(iter(self._vecs))).close()
        return vec

    def _copies_for(self, count: int) -> list[_PolicyCopy]:
        while len(self._copies) < count:
            self._copies.append(_PolicyCopy(copy.deepcopy(self._policy)))
        return self._copies


def _check_waiting(vec: gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
    mode = (vec.metadata or {}).get("autoreset_mode", AutoresetMode.DISABLED)
    if mode != AutoresetMode.DISABLED:
        vec.close()
        raise ConfigError(
            f"make_vec: got autoreset mode {mode}; must be DISABLED: rows whose episode has ended "
            "wait for the next reset."
        )


class _PolicyCopy:
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
            shape = tuple(self._named[name].shape)
            if value.shape != shape:
                raise ConfigError(
                    f"params: {name} has shape {value.shape}; the policy's has {shape}."
                )
            self._named[name].data.copy_(torch.from_numpy(value))


class _Run:
    """One job under way: its randomness and its policy."""

    def __init__(
        self, job: Job, copy: _PolicyCopy, horizon: int, distribution: TaskDistribution
    ) -> None:
        copy.load(job)
        self.policy = copy.policy
        self.job = job
        episodes = job.num_episodes
        rng = job.stream.numpy()
        self.seeds = episode_seeds(rng, episodes)
        self.noise = None if job.deterministic else self.policy.noise(rng, (horizon, episodes))
        self.initial_state = (
            self.policy.initial_state(episodes) if job.state is None else torch.tensor(job.state)
        )
        self.state = self.initial_state
        self.actor = self.policy.actor(episodes)
        self.rows = torch.empty(episodes, gymnasium.spaces.flatdim(distribution.observation_space))
        self.rows_as_array = self.rows.numpy()

    def act(
        self, step: int, observations: np.ndarray[Any, Any], active: np.ndarray[Any, Any]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Returns distribution parameters (until the next call) and actions."""
        self.rows_as_array[...] = observations
        dist_params, state = self.actor(self.rows, self.state)
        if self.state is not None and state is not None:
            # An episode that has ended keeps the state after its last step.
            state = torch.where(torch.from_numpy(active).unsqueeze(-1), state, self.state)
        self.state = state
        parameters = dist_params.numpy()
        noise = None if self.noise is None else self.noise[step]
        return parameters, self.policy.select(parameters, noise)

    def result(
        self, record: _Record, index: int, steps: _Steps, last_observations: np.ndarray[Any, Any]
    ) -> JobResult:
        episodes = self.job.num_episodes
        rows = slice(index * episodes, (index + 1) * episodes)
        mask = np.ascontiguousarray(steps.mask[:, rows].T)
        observations = record.observations[index]
        dist_params = record.dist_params[index]
        actions = record.actions[index]
        if not mask.all():
            for padded in (observations, dist_params, actions):
                padded[~mask] = 0
        log_probs = self.policy.log_prob(
            torch.from_numpy(dist_params), torch.from_numpy(actions)
        ).numpy()
        success = np.ascontiguousarray(steps.success[:, rows].T) & mask
        rewards = np.where(mask, steps.rewards[:, rows].T, np.float32(0))
        check_finite_rewards(rewards, steps.unstable[rows], self.job, self.seeds)
        return JobResult(
            observations=observations,
            actions=actions,
            rewards=rewards,
            log_probs=np.where(mask, log_probs, np.float32(0)),
            dist_params=dist_params,
            mask=mask,
            terminated=steps.terminated[rows].copy(),
            truncated=steps.truncated[rows].copy(),
            last_observations=last_observations.copy(),
            success=success if steps.reports_success[rows].any() else None,
            unstable=steps.unstable[rows].copy(),
            initial_state=_array(self.initial_state),
            final_state=_array(self.state),
        )


class _Record:
    """What the policies saw and did, for all jobs together: ``[job, episode, step, ...]``."""

    def __init__(self, num_jobs: int, episodes: int, horizon: int) -> None:
        self.shape = (num_jobs, episodes, horizon)

    def add(self, step: int, *fields: np.ndarray[Any, Any]) -> None:
        """Adds a step of all rows: observations, distribution parameters and actions."""
        if step == 0:
            self.observations, self.dist_params, self.actions = (
                np.zeros((*self.shape, *field.shape[1:]), dtype=field.dtype) for field in fields
            )
        storage = (self.observations, self.dist_params, self.actions)
        for stored, field in zip(storage, fields, strict=True):
            stored[:, :, step] = field.reshape(*self.shape[:2], *field.shape[1:])


class _Steps:
    """Steps a vector environment and records what it answers, for all rows together."""

    def __init__(self, vec: gymnasium.vector.VectorEnv[Any, Any, Any], horizon: int) -> None:
        self.vec: Any = vec
        self.active = np.ones(vec.num_envs, dtype=np.bool_)
        self.mask = np.zeros((horizon, vec.num_envs), dtype=np.bool_)
        self.rewards = np.zeros((horizon, vec.num_envs), dtype=np.float32)
        self.success = np.zeros((horizon, vec.num_envs), dtype=np.bool_)
        self.reports_success = np.zeros(vec.num_envs, dtype=np.bool_)
        self.terminated = np.zeros(vec.num_envs, dtype=np.bool_)
        self.truncated = np.zeros(vec.num_envs, dtype=np.bool_)
        self.unstable = np.zeros(vec.num_envs, dtype=np.bool_)

    def take(self, step: int, actions: np.ndarray[Any, Any]) -> Any:
        """Takes one step and returns the observations."""
        observations, rewards, terminated, truncated, infos = self.vec.step(actions)
        self.rewards[step] = rewards
        if "success" in infos:
            self.success[step] = np.asarray(infos["success"], dtype=np.bool_)
            # By Gymnasium's custom, `_success` says which rows have the flag.
            self.reports_success |= infos.get("_success", True)
        self._record_ends(step, terminated, truncated, infos.get("sim_unstable", False))
        return observations

    def _record_ends(self, step: int, terminated: Any, truncated: Any, unstable: Any) -> None:
        self.mask[step] = self.active
        unstable = np.asarray(unstable, dtype=np.bool_)
        truncated = truncated | unstable | (step == len(self.mask) - 1)
        self.terminated |= self.active & terminated
        self.truncated |= self.active & truncated & ~terminated
        self.unstable |= self.active & unstable
        self.active = self.active & ~(terminated | truncated)


class _DeferredSteps(_Steps):
    """The same where rewards may be asked for later, many steps' at once."""

    _settled = 0

    def take(self, step: int, actions: np.ndarray[Any, Any]) -> Any:
        observations, terminated, truncated, unstable = self.vec.advance(actions)
        self._record_ends(step, terminated, truncated, unstable)
        if not self.active.any() or step + 1 - self._settled == _STEPS_PER_SETTLEMENT:
            rewards, success = self.vec.settle()
            self.rewards[self._settled : step + 1] = rewards
            self.success[self._settled : step + 1] = success
            self.reports_success[:] = True
            self._settled = step + 1
        return observations


def _array(tensor: torch.Tensor | None) -> np.ndarray[Any, Any] | None:
    return None if tensor is None else tensor.numpy().copy()
