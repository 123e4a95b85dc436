"""The small policies as ordinary modules, for other libraries; written without the package."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal

from metarl.types import Params, Trajectories


class ReferencePolicy(nn.Module):
    """The network of ``tests.synthetic.small_policy``, under its parameters' names."""

    def __init__(self, kind: str, meta_params: Params) -> None:
        super().__init__()
        self.gaussian = kind == "gaussian"
        self.hidden = nn.Linear(2, 3).double()
        self.output = nn.Linear(3, 2 if self.gaussian else 3).double()
        copies = {
            "network.0.weight": self.hidden.weight,
            "network.0.bias": self.hidden.bias,
            "network.2.weight": self.output.weight,
            "network.2.bias": self.output.bias,
        }
        if self.gaussian:
            self.log_std = nn.Parameter(torch.zeros(2, dtype=torch.float64))
            copies["log_std"] = self.log_std
        for name, parameter in copies.items():
            parameter.data.copy_(meta_params[f"policy.{name}"])
        self.by_name = {f"policy.{name}": parameter for name, parameter in copies.items()}

    def log_prob(self, observation: Tensor, action: Tensor) -> Tensor:
        output = self.output(torch.tanh(self.hidden(observation)))
        if self.gaussian:
            return Normal(output, self.log_std.exp()).log_prob(action).sum()
        return Categorical(logits=output).log_prob(action)

    def forward(self, data: Trajectories, task: int, lengths: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for episode, length in enumerate(lengths[task].tolist()):
            for step in range(length):
                at = (task, episode, step)
                ratio = torch.exp(
                    self.log_prob(data.observations[at], data.actions[at]) - data.log_probs[at]
                )
                total = total - ratio * data.advantages[at]
        return total / lengths[task].sum()
