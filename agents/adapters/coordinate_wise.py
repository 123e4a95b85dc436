"""What rules share that move every coordinate of the policy by one small network.

The network is the same for all coordinates, with a state of its own for each: ``n`` coordinates are
``n`` rows of its batch (Andrychowicz et al. 2016, section 2.1).
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def preprocessed(values: Tensor, p: float) -> Tensor:
    """Numbers of any magnitude as two of about one (Andrychowicz et al. 2016, appendix A).

    ``(log|x| / p, sgn x)`` where ``|x| >= exp(-p)``, else ``(-1, exp(p) x)``.

    Args:
        values: ``[n]``.
        p: How many powers of e below one still count.

    Returns:
        ``[n, 2]``.
    """
    large = values.abs() >= math.exp(-p)
    # Both branches of where are differentiated: the one not taken must not see log 0.
    magnitude = torch.where(large, values.abs(), torch.ones_like(values)).log() / p
    return torch.stack(
        [
            torch.where(large, magnitude, -torch.ones_like(values)),
            torch.where(large, values.sign(), math.exp(p) * values),
        ],
        dim=-1,
    )


def lstm_cell(num_inputs: int, hidden_size: int, generator: torch.Generator | None) -> nn.LSTMCell:
    """An LSTM cell with PyTorch's usual initial weights, drawn from ``generator``."""
    cell = uninitialised(nn.LSTMCell, num_inputs, hidden_size)
    for value in cell.parameters():
        nn.init.uniform_(value, -(hidden_size**-0.5), hidden_size**-0.5, generator=generator)
    return cell


def linear(num_inputs: int, num_outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """A linear layer with PyTorch's usual initial weights, drawn from ``generator``."""
    layer = uninitialised(nn.Linear, num_inputs, num_outputs)
    for value in layer.parameters():
        nn.init.uniform_(value, -(num_inputs**-0.5), num_inputs**-0.5, generator=generator)
    return layer


def uninitialised(kind: type[ModuleT], num_inputs: int, num_outputs: int) -> ModuleT:
    """A module that hasn't drawn its weights from the global generator, nor from anywhere else."""
    module: ModuleT = nn.utils.skip_init(  # type: ignore[no-untyped-call]
        kind, num_inputs, num_outputs
    )
    return module
