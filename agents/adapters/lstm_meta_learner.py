"""The LSTM meta-learner (Ravi and Larochelle 2017): gradient descent as an LSTM's cell state.

Departures from the paper:

* The support set of each step is new experience, that of the policy the last step has led to; the
  paper goes over one training set in batches.
* Second derivatives of the inner loss are kept. The paper drops them (section 3.4, "gradient
  independence assumption"); ``first_order`` does too.
* The gates start where the update is ``theta - inner_lr * gradient`` but for a little decay. The
  paper starts the input gate "small" for the same reason, without giving a rate to reinforcement
  learning.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from metarl.adaptation import AdaptationState, Adapter
from metarl.parameter_vectors import joined, separated
from metarl.policies import Policy
from metarl.types import Trajectories

from .as_vector import joined_gradient
from .coordinate_wise import lstm_cell, preprocessed, uninitialised


class LSTMMetaLearnerAdapter(Adapter):
    """``theta_t = f_t * theta_{t-1} - i_t * gradient_t``, for each coordinate (equation 2).

    ``i_t = sigmoid(W_I [x_t, theta_{t-1}, i_{t-1}] + b_I)`` and
    ``f_t = sigmoid(W_F [x_t, theta_{t-1}, f_{t-1}] + b_F)`` (section 3.1), where ``x_t`` is the
    output of an LSTM over the preprocessed gradient and loss (section 3.2). All weights are shared
    between coordinates. Gates and hidden state pass from step to step as the adaptation's memory;
    before the first step they are zero.

    Args:
        policy: Structure of the policy.
        inner_lr: Input gate at the start, in (0, 1).
        initial_forget: Forget gate at the start, in (0, 1).
        hidden_size: Units of the LSTM.
        preprocessing: ``p`` of :func:`~.coordinate_wise.preprocessed`.
        first_order: Whether to treat inner gradient and loss as constants.
        generator: Source of the initial weights.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.
    """

    def __init__(
        self,
        policy: Policy,
        inner_lr: float,
        *,
        initial_forget: float = 0.9999,
        hidden_size: int = 20,
        preprocessing: float = 10.0,
        first_order: bool = False,
        generator: torch.Generator | None = None,
        **common: Any,
    ) -> None:
        super().__init__(policy, **common)
        self.hidden_size = hidden_size
        self.preprocessing = preprocessing
        self.first_order = first_order
        self.cell = lstm_cell(4, hidden_size, generator)
        self.input_gate = _gate(hidden_size + 2, inner_lr, generator)
        self.forget_gate = _gate(hidden_size + 2, initial_forget, generator)

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one step of the meta-learner."""
        loss = self.loss(self.policy, state.params, support)
        second_order = create_graph and not self.first_order
        gradient = joined_gradient(state.params, loss, create_graph=second_order)
        if not second_order:
            loss = loss.detach()
        with torch.set_grad_enabled(create_graph):
            theta = joined(state.params)
            hidden, cell = self.cell(self.features(gradient, loss), self._hidden(state, theta))
            forget, rate = (
                torch.sigmoid(gate(_columns(hidden, theta, state.memory.get(name)))).squeeze(-1)
                for name, gate in (("forget", self.forget_gate), ("input", self.input_gate))
            )
            moved = forget * theta - rate * gradient
            moved = theta + self.scale(state.step) * (moved - theta)
            memory = {"hidden": hidden, "cell": cell, "forget": forget, "input": rate}
            return state.after(separated(moved, state.params), memory)

    def features(self, gradient: Tensor, loss: Tensor) -> Tensor:
        """Preprocessed gradient ``[n]`` and loss, ``[n, 4]``."""
        own = preprocessed(gradient, self.preprocessing)
        common = preprocessed(loss.reshape(1), self.preprocessing)
        return torch.cat([own, common.expand_as(own)], dim=-1)

    def _hidden(self, state: AdaptationState, theta: Tensor) -> tuple[Tensor, Tensor]:
        zeros = theta.new_zeros(len(theta), self.hidden_size)
        return state.memory.get("hidden", zeros), state.memory.get("cell", zeros)


def _gate(num_inputs: int, start: float, generator: torch.Generator | None) -> nn.Linear:
    """A layer whose sigmoid starts near ``start``; small weights, as in the paper's code."""
    layer = uninitialised(nn.Linear, num_inputs, 1)
    nn.init.uniform_(layer.weight, -0.01, 0.01, generator=generator)
    nn.init.constant_(layer.bias, math.log(start / (1.0 - start)))
    return layer


def _columns(hidden: Tensor, theta: Tensor, gate: Tensor | None) -> Tensor:
    last = torch.zeros_like(theta) if gate is None else gate
    return torch.cat([hidden, theta.unsqueeze(-1), last.unsqueeze(-1)], dim=-1)
