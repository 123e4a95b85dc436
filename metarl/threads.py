"""Where PyTorch computes: the device, and threads set by the size of the work."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

import torch

from metarl.errors import ConfigError

Worker = TypeVar("Worker")
Item = TypeVar("Item")
Result = TypeVar("Result")

FLOPS_WORTH_SHARING = 1e7
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


def map_in_threads(
    work: Callable[[Worker, Item], Result], workers: Sequence[Worker], items: Sequence[Item]
) -> list[Result]:
    """Applies ``work`` to every item, in as many threads as there are workers.

    Each call computes in one thread, with a worker that no other call uses meanwhile, so that its
    bits don't depend on how many there are; and threads that don't wait for each other lose little
    where the cores are shared.

    Args:
        work: Called with a worker and an item.
        workers: What calls can't share, such as a module that runs under other parameters.
        items: The items.

    Returns:
        The results, in the order of the items.
    """
    if len(workers) == 1:
        with torch_threads(1):
            return [work(workers[0], item) for item in items]
    free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        free.put(worker)

    def call(item: Item) -> Result:
        worker = free.get()
        try:
            return work(worker, item)
        finally:
            free.put(worker)

    # The number of threads is set in each thread anew: it isn't inherited.
    with (
        ThreadPoolExecutor(len(workers), initializer=torch.set_num_threads, initargs=(1,)) as pool,
        torch_threads(1),
    ):
        return list(pool.map(call, items))


def torch_device(name: str) -> torch.device:
    """The device of that name, after a look whether it is there.

    Raises:
        ConfigError: If PyTorch doesn't know the name, or can't use the device on this machine.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device).cpu()  # "meta" has no values that could be copied
    except (RuntimeError, AssertionError) as error:  # AssertionError: PyTorch without CUDA
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device: got {name!r}; can't be used here ({reason}).") from None
    return device
