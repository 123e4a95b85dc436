"""A policy that a task's experience has adapted, ready to act."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces

from metarl.adaptation import AdaptationState
from metarl.policies import Policy
from metarl.seeding import Stream
from metarl.spaces import check_shape, clip_actions, flatten_observations, is_single
from metarl.trace import TraceStep
from metarl.types import Params


class AdaptedPolicy:
    """A policy under fixed parameters, ready to act.

    ``predict`` has Stable-Baselines3's signature, so that
    ``stable_baselines3.common.evaluation.evaluate_policy`` takes this as it is. ``trace`` describes
    the adaptation steps that led here, if they were to be traced.

    Args:
        policy: Structure of the policy.
        params: Its parameters.
        num_steps: Adaptation steps that led to them.
        memory: What the adaptation rule remembers of those steps; see :class:`AdaptationState`.
        observation_space: Space of one observation.
        action_space: Space of one action; what ``predict`` returns lies in it.
        stream: Source of the randomness of sampled actions.
    """

    def __init__(
        self,
        policy: Policy,
        params: Params,
        *,
        num_steps: int,
        memory: Params | None = None,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        stream: Stream,
    ) -> None:
        self.policy = policy
        self.trace: tuple[TraceStep, ...] = ()
        self.adaptation = AdaptationState(params, num_steps, memory or {}).detached()
        self.observation_space = observation_space
        self.action_space = action_space
        self._rng = stream.numpy()

    @property
    def params(self) -> Params:
        """The policy's parameters."""
        return self.adaptation.params

    @property
    def num_steps(self) -> int:
        """Adaptation steps that led to them."""
        return self.adaptation.step

    def acting_by(self, stream: Stream) -> Self:
        """The same policy with another source of the randomness of sampled actions."""
        policy = copy.copy(self)
        policy._rng = stream.numpy()
        return policy

    def predict(
        self,
        observation: npt.NDArray[Any],
        state: tuple[npt.NDArray[Any], ...] | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], tuple[npt.NDArray[Any], ...] | None]:
        """Chooses actions.

        Args:
            observation: One observation, or a batch of ``N`` with a leading axis.
            state: State of a recurrent policy, as returned before; ``None`` at the start.
            episode_start: Accepted for compatibility; a trial's state outlives its episodes.
            deterministic: Whether to take the distribution's mode rather than sample.

        Returns:
            One action or ``N`` of them, and the next state.

        Raises:
            ConfigError: If the observation has the wrong shape.
        """
        del episode_start
        single = is_single(self.observation_space, observation)
        rows = torch.tensor(self._flattened(observation, single=single))
        with torch.inference_mode():
            memory = (
                self.policy.initial_state(len(rows)) if state is None else torch.tensor(state[0])
            )
            dist_params, memory = self.policy.with_params(self.params, rows, memory)
        noise = None if deterministic else self.policy.noise(self._rng, (len(rows),))
        actions = clip_actions(self.action_space, self.policy.select(dist_params.numpy(), noise))
        next_state = None if memory is None else (memory.numpy(),)
        return (actions[0] if single else actions), next_state

    def _flattened(self, observation: Any, *, single: bool) -> npt.NDArray[np.float32]:
        space = self.observation_space
        if not single:
            return flatten_observations(space, observation)
        if space.shape is not None:
            return flatten_observations(space, np.asarray(observation)[None])
        # A dictionary or tuple has no batch axis to be added.
        check_shape(space, observation)
        return np.asarray(spaces.flatten(space, observation), dtype=np.float32)[None]
