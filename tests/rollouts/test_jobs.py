import pytest

from metarl.rollouts.jobs import Job, chunks
from metarl.seeding import Stream
from stub_envs import stub_task


def jobs(families: str) -> list[Job]:
    return [Job(stub_task(family), {}, Stream(0), 1) for family in families]


def sizes(families: str, largest: int, num_workers: int) -> list[int]:
    stretches = list(chunks(jobs(families), largest, num_workers))
    ends = [0, *(stop for _, stop in stretches)]
    assert [start for start, _ in stretches] == ends[:-1]
    assert ends[-1] == len(families)
    return [stop - start for start, stop in stretches]


@pytest.mark.parametrize("num_workers", [1, 2, 3, 8])
@pytest.mark.parametrize("largest", [1, 4, 10, 64])
@pytest.mark.parametrize(
    "families", ["", "a", "aabbccddeeffgghhiijj", "abcdefg", "aaaaaaaaabbbbbb"]
)
def test_stretches_cover_all_jobs_and_none_is_too_large(families, largest, num_workers):
    assert all(1 <= size <= largest for size in sizes(families, largest, num_workers))


def test_stretches_get_smaller_towards_the_end():
    assert sizes("abcdefghijklmnopqrst", 10, 2) == [5, 4, 3, 2, 2, 1, 1, 1, 1]


def test_a_single_worker_gets_the_largest():
    assert sizes("abcdefghijkl", 5, 1) == [5, 5, 2]


def test_a_family_stays_together_where_that_keeps_stretches_small():
    assert sizes("aabbccddeeffgghhiijj", 10, 2) == [6, 4, 4, 2, 2, 2]
    assert sizes("aaaaaaaaaaaaaaaaaaaa", 10, 2) == [5, 4, 3, 2, 2, 1, 1, 2]
    assert sizes("aaaaaaaaaa", 4, 2) == [3, 2, 2, 1, 2]
