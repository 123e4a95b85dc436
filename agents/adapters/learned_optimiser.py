"""Learning to learn by gradient descent by gradient descent (Andrychowicz et al. 2016).

The inner step is the output of an LSTM that sees the inner gradient. Departures from the paper:

* The initial parameters are meta-learned with the optimiser; the paper draws them at random.
* A step sees new experience, that of the policy it has led to, and the meta-loss is that of the
  last step alone; the paper sums over steps on a fixed function.
* Second derivatives of the inner loss are kept. The paper drops them ("the gradients of the
  optimizee do not depend on the optimizer parameters", section 2); ``first_order`` does too.
* A fixed multiple of the gradient may be added to the LSTM's output, for training to start from a
  rule that descends. With ``gradient_lr = 0`` the rule is the paper's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from metarl.adaptation import AdaptationState, Adapter
from metarl.parameter_vectors import joined, separated
from metarl.policies import Policy
from metarl.types import Params, Trajectories

from .as_vector import joined_gradient
from .coordinate_wise import linear, lstm_cell, preprocessed


class LearnedOptimiserAdapter(Adapter):
    """``theta' = theta + g``, ``[g, h'] = m(gradient, h; phi)`` (equation 3), for each coordinate.

    ``m`` is a stack of LSTM cells over the preprocessed gradient (appendix A), the same for all
    coordinates, and a linear layer. The hidden states ``h`` pass from step to step as the
    adaptation's memory.

    Args:
        policy: Structure of the policy.
        hidden_size: Units of each LSTM cell.
        num_layers: LSTM cells in the stack.
        output_scale: Factor on the linear layer's output; the paper rescales it likewise.
        gradient_lr: Rate of the gradient that is added to it.
        preprocessing: ``p`` of appendix A.
        first_order: Whether to treat the inner gradient as a constant.
        generator: Source of the initial weights.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        hidden_size: int = 20,
        num_layers: int = 2,
        output_scale: float = 0.1,
        gradient_lr: float = 0.0,
        preprocessing: float = 10.0,
        first_order: bool = False,
        generator: torch.Generator | None = None,
        **common: Any,
    ) -> None:
        super().__init__(policy, **common)
        self.hidden_size = hidden_size
        self.output_scale = output_scale
        self.gradient_lr = gradient_lr
        self.preprocessing = preprocessing
        self.first_order = first_order
        self.cells = nn.ModuleList(
            lstm_cell(hidden_size if layer else 2, hidden_size, generator)
            for layer in range(num_layers)
        )
        self.output = linear(hidden_size, 1, generator)

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one step of the learned optimiser."""
        loss = self.loss(self.policy, state.params, support)
        second_order = create_graph and not self.first_order
        gradient = joined_gradient(state.params, loss, create_graph=second_order)
        with torch.set_grad_enabled(create_graph):
            output, memory = self.network(preprocessed(gradient, self.preprocessing), state.memory)
            move = self.output_scale * output - self.gradient_lr * gradient
            moved = joined(state.params) + self.scale(state.step) * move
            return state.after(separated(moved, state.params), memory)

    def network(self, inputs: Tensor, memory: Params) -> tuple[Tensor, Params]:
        """The LSTM stack: inputs ``[n, 2]`` to outputs ``[n]`` and the next hidden states."""
        after: Params = {}
        zeros = inputs.new_zeros(len(inputs), self.hidden_size)
        for layer, cell in enumerate(self.cells):
            before = (memory.get(f"h{layer}", zeros), memory.get(f"c{layer}", zeros))
            after[f"h{layer}"], after[f"c{layer}"] = cell(inputs, before)
            inputs = after[f"h{layer}"]
        return self.output(inputs).squeeze(-1), after
