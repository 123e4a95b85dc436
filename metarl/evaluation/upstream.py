"""Meta-World's own evaluation, bias and all, so that old numbers can be compared.

``metaworld.evaluation.metalearning_evaluation`` is called as it is; :class:`UpstreamAgent` makes an
:class:`~metarl.agent.Agent` into what it expects.

How it differs from :func:`metarl.evaluation.evaluate`: its evaluation episodes end at success, and
it counts the first ``evaluation_episodes`` that end *per family*, whichever of the family's
environments they come from. A success at step 50 is counted, and its environment plays on, while a
failure is counted at step 500 only: by then successes have filled the family's quota. The more
environments share a family, the stronger the bias (rainx0r/metaworld-algorithms#10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from metarl.adapted_policy import AdaptedPolicy
from metarl.agent import Agent
from metarl.errors import ConfigError
from metarl.seeding import Purpose, Stream
from metarl.spaces import clip_actions, flatten_observations
from metarl.types import Trajectories

BIAS = (
    "metaworld.evaluation ends an episode at success and counts the first {episodes} episodes that "
    "end per family, whichever environment they come from. Quick successes fill that quota before "
    "slow failures have ended, so its rate reads too high wherever several environments share a "
    "family ({per_family} here). Ours counts every (task, episode) once."
)


@dataclass(frozen=True)
class UpstreamResult:
    """What ``metaworld.evaluation.metalearning_evaluation`` returned, and how it was asked.

    Attributes:
        success_rate: Mean over families and rounds of its success rate, in [0, 1].
        mean_return: Mean return of the episodes it counted, which end at success.
        success_per_family: Its success rate per family.
        num_evals: Rounds, each with tasks and adaptation of its own.
        adaptation_steps: Adaptation steps.
        adaptation_episodes: Episodes per environment before each step.
        evaluation_episodes: Quota of counted episodes per family and round.
        envs_per_family: Environments that share a quota.
    """

    success_rate: float
    mean_return: float
    success_per_family: dict[str, float]
    num_evals: int
    adaptation_steps: int
    adaptation_episodes: int
    evaluation_episodes: int
    envs_per_family: int

    @property
    def explanation(self) -> str:
        """Why this number isn't the unbiased one, in words."""
        return BIAS.format(episodes=self.evaluation_episodes, per_family=self.envs_per_family)


def evaluate_as_upstream(
    agent: Agent,
    envs: Any,
    *,
    num_evals: int = 10,
    adaptation_steps: int = 1,
    adaptation_episodes: int = 10,
    evaluation_episodes: int = 3,
    seed: int = 0,
) -> UpstreamResult:
    """Runs ``metaworld.evaluation.metalearning_evaluation`` on an agent.

    Args:
        agent: The agent; it isn't changed.
        envs: A vector environment as that function wants one: Meta-World's, or
            ``metarl/ML10-test-v0`` and its like.
        num_evals: Rounds.
        adaptation_steps: Adaptation steps.
        adaptation_episodes: Episodes per environment before each step.
        evaluation_episodes: Counted episodes per family and round.
        seed: Of the sampled actions.

    Raises:
        ConfigError: If a number is out of range.
    """
    import metaworld.evaluation

    for name, value in (
        ("num_evals", num_evals),
        ("adaptation_steps", adaptation_steps),
        ("adaptation_episodes", adaptation_episodes),
        ("evaluation_episodes", evaluation_episodes),
    ):
        if value < 1:
            raise ConfigError(f"{name}: got {value}; must be at least 1.")
    rate, mean_return, families = metaworld.evaluation.metalearning_evaluation(
        UpstreamAgent(agent, envs.num_envs, adaptation_episodes, seed=seed),
        envs,
        num_evals=num_evals,
        adaptation_steps=adaptation_steps,
        adaptation_episodes=adaptation_episodes,
        evaluation_episodes=evaluation_episodes,
    )
    return UpstreamResult(
        success_rate=float(rate),
        mean_return=float(mean_return),
        success_per_family={name: float(value) for name, value in sorted(families.items())},
        num_evals=num_evals,
        adaptation_steps=adaptation_steps,
        adaptation_episodes=adaptation_episodes,
        evaluation_episodes=evaluation_episodes,
        envs_per_family=envs.num_envs // len(families),
    )


class UpstreamAgent:
    """An agent as ``metaworld.evaluation.MetaLearningAgent`` describes one.

    Each environment has a policy of its own, adapted to what that environment returned. Meta-World
    doesn't hand over the observation that ends an episode: the one before it takes its place where
    an advantage needs the value of the state that an episode was cut off in.

    Args:
        agent: The agent; it isn't changed.
        num_envs: Environments that are stepped together.
        adaptation_episodes: Episodes that an adaptation step learns from; later ones are left out.
        seed: Of the sampled actions.
    """

    def __init__(
        self, agent: Agent, num_envs: int, adaptation_episodes: int, *, seed: int = 0
    ) -> None:
        self.agent = agent
        self.num_envs = num_envs
        self.adaptation_episodes = adaptation_episodes
        self._stream = Stream(seed).child(Purpose.EVALUATION)
        self._round = 0
        self._policies: list[AdaptedPolicy] = []
        self._states: list[torch.Tensor | None] = [None] * num_envs
        self._steps: list[tuple[Any, dict[str, npt.NDArray[Any]]]] = []

    def init(self) -> None:
        """Begins a round: no environment's policy is adapted."""
        self._policies = [self.agent.unadapted()] * self.num_envs
        self._rngs = [self._stream.child(self._round, row).numpy() for row in range(self.num_envs)]
        self._round += 1
        self._steps = []
        self.reset(np.ones(self.num_envs, dtype=np.bool_))

    def reset(self, env_mask: npt.NDArray[np.bool_]) -> None:
        """Begins an episode in some environments."""
        fresh = self._policies[0].policy.initial_state(1)
        self._states = [
            fresh if begins else state for begins, state in zip(env_mask, self._states, strict=True)
        ]

    def adapt_action(
        self, observations: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
        """Samples actions, and says what they were sampled from."""
        dist_params = self._dist_params(observations)
        policy = self._policies[0].policy
        unclipped = np.concatenate(
            [
                policy.select(own[None], policy.noise(rng, (1,)))
                for own, rng in zip(dist_params, self._rngs, strict=True)
            ]
        )
        actions = clip_actions(self._policies[0].action_space, unclipped)
        return actions, {"dist_params": dist_params, "actions": unclipped}

    def eval_action(self, observations: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        """Mean actions."""
        policy = self._policies[0]
        actions = policy.policy.select(self._dist_params(observations), None)
        return clip_actions(policy.action_space, actions)

    def step(self, timestep: Any) -> None:
        """Records what every environment answered."""
        self._steps.append((timestep, timestep.aux_policy_outputs))
        self.reset(np.logical_or(timestep.terminated, timestep.truncated))

    def adapt(self) -> None:
        """Adapts each environment's policy to its own experience."""
        self._policies = [
            self.agent.adapt_step(policy, self._support(row))
            for row, policy in enumerate(self._policies)
        ]
        self._steps = []
        self.reset(np.ones(self.num_envs, dtype=np.bool_))

    def _dist_params(self, observations: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        rows = torch.tensor(flatten_observations(self._policies[0].observation_space, observations))
        found = []
        with torch.inference_mode():
            for row, policy in enumerate(self._policies):
                own, self._states[row] = policy.policy.with_params(
                    policy.params, rows[row : row + 1], self._states[row]
                )
                found.append(own)
        result: npt.NDArray[np.float32] = torch.cat(found).numpy()
        return result

    def _support(self, row: int) -> Trajectories:
        """One environment's first episodes, ``[1, E, S, ...]``, padded to the longest."""
        done = np.array([step.terminated[row] or step.truncated[row] for step, _ in self._steps])
        ends = np.flatnonzero(done)[: self.adaptation_episodes] + 1
        starts = np.concatenate([[0], ends[:-1]])
        longest = int((ends - starts).max())
        mask = torch.zeros(1, len(ends), longest, dtype=torch.bool)

        def padded(values: list[Any], dtype: torch.dtype = torch.float32) -> torch.Tensor:
            tensor = torch.as_tensor(np.stack(values)).to(dtype)
            block = torch.zeros(1, len(ends), longest, *tensor.shape[1:], dtype=dtype)
            for episode, (start, end) in enumerate(zip(starts, ends, strict=True)):
                block[0, episode, : end - start] = tensor[start:end]
            return block

        for episode, (start, end) in enumerate(zip(starts, ends, strict=True)):
            mask[0, episode, : end - start] = True
        adapted = self._policies[row]
        space = adapted.observation_space
        observations = padded(
            [
                flatten_observations(space, step.observation[row : row + 1])[0]
                for step, _ in self._steps
            ]
        )
        actions = [aux["actions"][row] for _, aux in self._steps]
        action_dtype = torch.as_tensor(actions[0]).dtype
        dist_params = padded([aux["dist_params"][row] for _, aux in self._steps])
        chosen = padded(actions, action_dtype)
        last = [self._steps[end - 1][0] for end in ends]
        terminated = torch.tensor([[bool(step.terminated[row]) for step in last]])
        return Trajectories(
            observations=observations,
            actions=chosen,
            rewards=padded([step.reward[row] for step, _ in self._steps]),
            log_probs=adapted.policy.log_prob(dist_params, chosen) * mask,
            dist_params=dist_params,
            mask=mask,
            terminated=terminated,
            truncated=~terminated,
            last_observations=observations[
                :, torch.arange(len(ends)), torch.as_tensor(ends - starts) - 1
            ],
            success=None,
            unstable=torch.zeros_like(terminated),
        )
