import os
import threading

import pytest
import torch

from metarl.errors import ConfigError
from metarl.threads import (
    FLOPS_WORTH_SHARING,
    map_in_threads,
    threads_for,
    torch_device,
    torch_threads,
)


@pytest.fixture(autouse=True)
def two_threads_before():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_block_runs_with_its_threads_and_the_number_before_comes_back():
    with torch_threads(1):
        assert torch.get_num_threads() == 1
        with torch_threads(3):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_the_number_before_comes_back_after_an_exception():
    with pytest.raises(ValueError, match="inside"), torch_threads(1):
        raise ValueError("inside")
    assert torch.get_num_threads() == 2


def test_small_work_gets_one_thread_and_large_work_all(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    rows_at_the_limit = int(FLOPS_WORTH_SHARING / (2 * 64 * 64))
    assert threads_for(rows_at_the_limit // 2, (64, 64)) == 1
    assert threads_for(rows_at_the_limit + 1, (64, 64)) == 6
    assert threads_for(rows_at_the_limit + 1, (8, 64, 64, 2)) == 6


def test_a_network_without_hidden_products_gets_one_thread():
    assert threads_for(10**9, ()) == 1
    assert threads_for(10**9, (64,)) == 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_come_in_order_whatever_the_number_of_workers(count):
    workers = [[] for _ in range(count)]

    def work(own, item):
        own.append(item)
        return item * item

    assert map_in_threads(work, workers, range(20)) == [item * item for item in range(20)]
    assert sorted(item for own in workers for item in own) == list(range(20))


def test_calls_run_side_by_side_each_with_a_worker_of_its_own_and_one_torch_thread():
    barrier = threading.Barrier(2, timeout=10)  # passed only if two calls are under way at once

    def work(worker, item):
        assert worker.acquire(blocking=False)
        barrier.wait()
        worker.release()
        return torch.get_num_threads()

    assert map_in_threads(work, [threading.Lock(), threading.Lock()], range(4)) == [1] * 4
    assert torch.get_num_threads() == 2


def test_an_exception_of_one_call_is_raised():
    def work(_, item):
        if item == 3:
            raise ValueError("three")

    for count in (1, 2):
        with pytest.raises(ValueError, match="three"):
            map_in_threads(work, [None] * count, range(6))


def test_a_device_is_found_or_refused():
    assert torch_device("cpu") == torch.device("cpu")
    for name in ("gpu", "cuda:99", "", "meta"):
        with pytest.raises(ConfigError, match=f"device: got '{name}'; can't be used here"):
            torch_device(name)
