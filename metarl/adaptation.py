"""The inner loop: from a task's experience to adapted parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor, nn

from metarl.policies import Policy
from metarl.seeding import Stream
from metarl.spaces import clip_actions, flatten_observations, is_single
from metarl.types import Params, Trajectories


class Adapter(nn.Module, ABC):
    """One inner-loop update rule.

    Its own parameters (``nn.Parameter``: learned rates, curvature, ...) are meta-parameters,
    learned by the outer loop beside the policy's initialisation. A rule without any has none.
    """

    @abstractmethod
    def adapt(
        self, params: Params, support: Trajectories, *, step: int = 0, create_graph: bool = False
    ) -> Params:
        """Takes one adaptation step; pure.

        Args:
            params: Policy parameters before the step.
            support: One task's experience, with advantages where the inner loss needs them.
            step: How many adaptation steps came before this one.
            create_graph: Whether the result is to be differentiated with respect to ``params``
                and the adapter's own parameters.

        Returns:
            Policy parameters after the step, under the same names.
        """

    def forward(self, *args: Any, **kwargs: Any) -> Params:
        """Calls :meth:`adapt`, so that ``torch.func.functional_call`` reaches it."""
        return self.adapt(*args, **kwargs)


class MetaLearner(nn.Module):
    """A policy and the rule that adapts it: together, everything the outer loop learns.

    Meta-parameters are named ``policy.*`` (the initialisation) and ``adapter.*``.
    """

    def __init__(self, policy: Policy, adapter: Adapter) -> None:
        super().__init__()
        self.policy = policy
        self.adapter = adapter

    def meta_params(self) -> Params:
        """All meta-parameters, detached and cloned."""
        return {name: value.detach().clone() for name, value in self.named_parameters()}

    def initial_params(self, meta_params: Params) -> Params:
        """The policy parameters from which adaptation starts."""
        return _below("policy.", meta_params)

    def adapt_step(
        self,
        meta_params: Params,
        params: Params,
        support: Trajectories,
        *,
        step: int = 0,
        create_graph: bool = False,
    ) -> Params:
        """Takes one adaptation step from ``params`` on one task's experience."""
        adapted: Params = torch.func.functional_call(
            self.adapter,
            _below("adapter.", meta_params),
            (params, support),
            {"step": step, "create_graph": create_graph},
        )
        return adapted

    def adapt(
        self, meta_params: Params, supports: Sequence[Trajectories], *, create_graph: bool = False
    ) -> Params:
        """Takes one step per support set, from the initialisation on."""
        params = self.initial_params(meta_params)
        for step, support in enumerate(supports):
            params = self.adapt_step(
                meta_params, params, support, step=step, create_graph=create_graph
            )
        return params


class AdaptedPolicy:
    """A policy under fixed parameters, ready to act.

    ``predict`` has Stable-Baselines3's signature, so that
    ``stable_baselines3.common.evaluation.evaluate_policy`` takes this as it is.

    Args:
        policy: Structure of the policy.
        params: Its parameters.
        num_steps: Adaptation steps that led to them.
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
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        stream: Stream,
    ) -> None:
        self.policy = policy
        self.params = {name: value.detach() for name, value in params.items()}
        self.num_steps = num_steps
        self.observation_space = observation_space
        self.action_space = action_space
        self._rng = stream.numpy()

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
        batch = np.asarray(observation)[None] if single else observation
        rows = torch.tensor(flatten_observations(self.observation_space, batch))
        with torch.inference_mode():
            memory = (
                self.policy.initial_state(len(rows)) if state is None else torch.tensor(state[0])
            )
            dist_params, memory = self.policy.with_params(self.params, rows, memory)
        noise = None if deterministic else self.policy.noise(self._rng, (len(rows),))
        actions = clip_actions(self.action_space, self.policy.select(dist_params.numpy(), noise))
        next_state = None if memory is None else (memory.numpy(),)
        return (actions[0] if single else actions), next_state


def gradient_step(
    params: Params, loss: Tensor, rates: dict[str, Tensor | float], *, create_graph: bool
) -> Params:
    """One step of gradient descent that can itself be differentiated.

    ``params - rate * d loss / d params`` (Finn et al. 2017, equation 1). Parameters that are
    missing from ``rates``, or that the loss doesn't depend on, stay as they are.
    """
    names = [name for name in params if name in rates]
    gradients = torch.autograd.grad(
        loss,
        [params[name] for name in names],
        create_graph=create_graph,
        allow_unused=True,
    )
    adapted = dict(params)
    for name, gradient in zip(names, gradients, strict=True):
        if gradient is not None:
            adapted[name] = params[name] - rates[name] * gradient
    return adapted


def _below(prefix: str, params: Params) -> Params:
    return {
        name.removeprefix(prefix): value
        for name, value in params.items()
        if name.startswith(prefix)
    }
