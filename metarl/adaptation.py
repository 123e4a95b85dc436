"""The inner loop: from a task's experience to adapted parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from metarl.errors import ConfigError
from metarl.losses import Loss, ratio_loss
from metarl.policies import Policy
from metarl.types import Params, Trajectories


@dataclass(frozen=True)
class AdaptationState:
    """A policy on its way through the inner loop.

    Attributes:
        params: Policy parameters.
        step: How many adaptation steps led to them.
        memory: What the rule carries from step to step (the hidden state of a learned optimiser,
            momentum); empty for a rule without, and before the first step.
    """

    params: Params
    step: int = 0
    memory: Params = field(default_factory=dict)

    def after(self, params: Params, memory: Params | None = None) -> AdaptationState:
        """The state one step later."""
        return AdaptationState(params, self.step + 1, {} if memory is None else memory)

    def map(self, function: Callable[[Tensor], Tensor]) -> AdaptationState:
        """The same with the function applied to every tensor."""
        return AdaptationState(
            {name: function(value) for name, value in self.params.items()},
            self.step,
            {name: function(value) for name, value in self.memory.items()},
        )

    def to(self, device: torch.device | str) -> AdaptationState:
        """The same on another device."""
        return self.map(lambda value: value.to(device))

    def attached(self) -> AdaptationState:
        """The same with every policy parameter differentiable; those without a history are leaves.

        A parameter that isn't learned (CAVIA's context) is adapted like any other.
        """
        params = {
            name: value if value.requires_grad else value.detach().requires_grad_()
            for name, value in self.params.items()
        }
        return AdaptationState(params, self.step, self.memory)

    def detached(self, *, requires_grad: bool = False) -> AdaptationState:
        """The same without history; ``requires_grad`` makes the policy parameters leaves."""
        params = {name: value.detach() for name, value in self.params.items()}
        if requires_grad:
            params = {name: value.requires_grad_() for name, value in params.items()}
        memory = {name: value.detach() for name, value in self.memory.items()}
        return AdaptationState(params, self.step, memory)


class Adapter(nn.Module, ABC):
    """One inner-loop update rule.

    Its own parameters (``nn.Parameter``: learned rates, curvature, ...) are meta-parameters,
    learned by the outer loop beside the policy's initialisation. A rule without any has none.

    Args:
        policy: Structure of the policy.
        loss: Inner loss.
        trained_steps: Steps that the outer loop trains; from there on, steps are ``later_scale``
            as long.
        later_scale: See ``trained_steps``. Finn et al. (2017, appendix A.2) halve the rate of
            steps beyond the first.
    """

    def __init__(
        self,
        policy: Policy,
        loss: Loss = ratio_loss,
        *,
        trained_steps: int = 1,
        later_scale: float = 1.0,
    ) -> None:
        super().__init__()
        # Not a submodule: the policy's parameters are the meta-learner's, not the adapter's.
        object.__setattr__(self, "policy", policy)
        self.policy: Policy
        self.loss = loss
        self.trained_steps = trained_steps
        self.later_scale = later_scale

    def adapt(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool = False
    ) -> AdaptationState:
        """Takes one adaptation step; pure, and the same under ``no_grad`` and ``inference_mode``.

        Args:
            state: Policy parameters before the step, and how the adaptation came there.
            support: One task's experience, with advantages where the inner loss needs them.
            create_graph: Whether the result is to be differentiated with respect to
                ``state.params`` and the adapter's own parameters.

        Returns:
            The state after the step, with parameters under the same names.

        Raises:
            ConfigError: If the support set holds no step.
        """
        if not support.mask.any():
            raise ConfigError("support: holds no steps; adaptation needs at least one.")
        # The inner loop takes gradients, whoever calls.
        with torch.inference_mode(False), torch.enable_grad():
            state = state.map(_outside_inference)
            support = replace(
                support,
                **{
                    name: _outside_inference(value)
                    for name, value in vars(support).items()
                    if value is not None
                },
            )
            if create_graph:
                return self.update(state.attached(), support, create_graph=True)
            leaves = state.detached(requires_grad=True)
            return self.update(leaves, support, create_graph=False).detached()

    @abstractmethod
    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """The rule itself: :meth:`adapt` on parameters that can be differentiated."""

    def scale(self, step: int) -> float:
        """Length of a step, relative to those that the outer loop trains."""
        return 1.0 if step < self.trained_steps else self.later_scale

    def forward(self, *args: Any, **kwargs: Any) -> AdaptationState:
        """Calls :meth:`adapt`, so that ``torch.func.functional_call`` reaches it."""
        return self.adapt(*args, **kwargs)


class MetaLearner(nn.Module):
    """A policy and the rule that adapts it: together, everything the outer loop learns.

    Meta-parameters are named ``policy.*`` (the initialisation) and ``adapter.*``. A policy
    parameter that doesn't require a gradient is none of them: each adaptation starts from its value
    at rest (CAVIA's context).
    """

    def __init__(self, policy: Policy, adapter: Adapter) -> None:
        super().__init__()
        self.policy = policy
        self.adapter = adapter

    def meta_params(self) -> Params:
        """All meta-parameters, detached and cloned."""
        return {
            name: value.detach().clone()
            for name, value in self.named_parameters()
            if value.requires_grad
        }

    def start(self, meta_params: Params) -> AdaptationState:
        """Where adaptation begins."""
        learned = _below("policy.", meta_params)
        return AdaptationState(
            {
                name: learned[name] if name in learned else value.detach()
                for name, value in self.policy.named_parameters()
            }
        )

    def adapt_step(
        self,
        meta_params: Params,
        state: AdaptationState,
        support: Trajectories,
        *,
        create_graph: bool = False,
    ) -> AdaptationState:
        """Takes one adaptation step on one task's experience."""
        with torch.inference_mode(False):
            own = {
                name: _outside_inference(value)
                for name, value in _below("adapter.", meta_params).items()
            }
            adapted: AdaptationState = torch.func.functional_call(
                self.adapter, own, (state, support), {"create_graph": create_graph}
            )
        return adapted

    def adapt(
        self, meta_params: Params, supports: Sequence[Trajectories], *, create_graph: bool = False
    ) -> AdaptationState:
        """Takes one step per support set, from the initialisation on."""
        state = self.start(meta_params)
        for support in supports:
            state = self.adapt_step(meta_params, state, support, create_graph=create_graph)
        return state


def gradient_step(
    params: Params, loss: Tensor, rates: Mapping[str, Tensor | float], *, create_graph: bool
) -> Params:
    """One step of gradient descent that can itself be differentiated.

    ``params - rate * d loss / d params`` (Finn et al. 2017, section 2.2). Parameters that are
    missing from ``rates``, or that the loss doesn't depend on, stay as they are.
    """
    gradients = inner_gradient(params, loss, rates, create_graph=create_graph)
    return params | {
        name: params[name] - rates[name] * gradient for name, gradient in gradients.items()
    }


def inner_gradient(
    params: Params, loss: Tensor, names: Iterable[str], *, create_graph: bool
) -> Params:
    """Gradient of the inner loss in the parameters of these names that it depends on."""
    chosen = set(names)
    inputs = {name: value for name, value in params.items() if name in chosen}
    if not inputs:
        return {}
    gradients = torch.autograd.grad(
        loss, list(inputs.values()), create_graph=create_graph, allow_unused=True
    )
    return {
        name: gradient
        for name, gradient in zip(inputs, gradients, strict=True)
        if gradient is not None
    }


def _outside_inference(value: Tensor) -> Tensor:
    """The same, or a copy that gradients can be taken of if it was made in inference mode."""
    return value.clone() if value.is_inference() else value


def _below(prefix: str, params: Params) -> Params:
    return {
        name.removeprefix(prefix): value
        for name, value in params.items()
        if name.startswith(prefix)
    }
