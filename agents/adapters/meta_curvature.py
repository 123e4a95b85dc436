"""Meta-Curvature: learned matrices that transform the gradient (Park and Oliva 2019)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from metarl.adaptation import AdaptationState, Adapter, inner_gradient
from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.types import Trajectories

from .by_parameter import ByParameter


class MetaCurvatureAdapter(Adapter):
    """``params - inner_lr * MC(gradient)`` (Park and Oliva 2019, section 3).

    For a weight ``[out, in]`` with gradient ``G``, ``MC(G) = M_out G M_in``: the curvature of the
    whole layer is the Kronecker product of two small matrices. Biases and the log standard
    deviation get a vector: ``MC(g) = m * g``, as biases do in published code (learn2learn). All
    start at the identity, so that training starts as MAML. The paper's third matrix, ``M_f``, acts
    on the filters of convolutions and has no place in the layers here.

    Args:
        policy: Structure of the policy, its parameters vectors and matrices.
        inner_lr: Step size of the inner loop; not learned.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.

    Raises:
        ConfigError: If a parameter of the policy has more than two axes.
    """

    def __init__(self, policy: Policy, inner_lr: float, **common: Any) -> None:
        super().__init__(policy, **common)
        self.inner_lr = inner_lr
        params = policy.params()
        for name, value in params.items():
            if value.ndim > 2:
                raise ConfigError(
                    f"policy: {name} has shape {tuple(value.shape)}; "
                    "Meta-Curvature takes policies whose parameters are vectors and matrices."
                )
        matrices = {name: value for name, value in params.items() if value.ndim == 2}
        vectors = {name: value for name, value in params.items() if value.ndim < 2}
        self.M_out = ByParameter({n: torch.eye(len(v)).to(v) for n, v in matrices.items()})
        self.M_in = ByParameter({n: torch.eye(v.shape[1]).to(v) for n, v in matrices.items()})
        self.scales = ByParameter({n: torch.ones_like(v) for n, v in vectors.items()})

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one step along the transformed gradient."""
        params = state.params
        rate = self.inner_lr * self.scale(state.step)
        loss = self.loss(self.policy, params, support)
        gradient = inner_gradient(params, loss, params, create_graph=create_graph)
        M_out, M_in, scales = self.M_out.named(), self.M_in.named(), self.scales.named()

        def transformed(name: str, G: Tensor) -> Tensor:
            return scales[name] * G if name in scales else M_out[name] @ G @ M_in[name]

        return state.after(
            params
            | {name: params[name] - rate * transformed(name, G) for name, G in gradient.items()}
        )
