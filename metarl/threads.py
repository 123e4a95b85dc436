"""Where PyTorch computes: the device, and threads set by the size of the work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch

from metarl.errors import ConfigError

FLOPS_WORTH_SHARING = 2e8
"""Operations of one matrix product below which a second thread costs more than it gains."""


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Runs the block with ``count`` intra-operation threads, then restores the number before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_for(num_rows: int, hidden_sizes: tuple[int, ...]) -> int:
    """How many threads pay off for a network of these layers over ``num_rows`` samples."""
    widest = max((a * b for a, b in pairwise(hidden_sizes)), default=0)
    return (os.cpu_count() or 1) if 2.0 * num_rows * widest >= FLOPS_WORTH_SHARING else 1


def torch_device(name: str) -> torch.device:
    """The device of that name, after a look whether it is there.

    Raises:
        ConfigError: If PyTorch doesn't know the name, or can't use the device on this machine.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: PyTorch without CUDA
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device: got {name!r}; can't be used here ({reason}).") from None
    return device
