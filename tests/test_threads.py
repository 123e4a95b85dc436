import os

import pytest
import torch

from metarl.threads import FLOPS_WORTH_SHARING, threads_for, torch_threads


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
