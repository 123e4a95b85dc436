"""Parameters as one vector, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.types import Params


def joined(params: Params) -> Tensor:
    """All parameters as one vector, ``[n]``."""
    return torch.cat([value.reshape(-1) for value in params.values()])


def separated(vector: Tensor, like: Params) -> Params:
    """The parts of a vector ``[n]`` under the names and in the shapes of ``like``."""
    parts = torch.split(vector, [value.numel() for value in like.values()])
    return {
        name: part.view_as(value) for (name, value), part in zip(like.items(), parts, strict=True)
    }
