from dataclasses import FrozenInstanceError, fields

import pytest
import torch

from metarl.types import Trajectories

# Two tasks of two episodes; lengths by row: full, one step, three steps, none.
MASK = torch.tensor([[[1, 1, 1, 1], [1, 0, 0, 0]], [[1, 1, 1, 0], [0, 0, 0, 0]]]).bool()
SUCCESS = torch.tensor([[[0, 1, 0, 0], [1, 0, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 0]]]).bool()


def trajectories(**changes) -> Trajectories:
    values = {
        "observations": torch.arange(2 * 2 * 4 * 3).reshape(2, 2, 4, 3).float(),
        "actions": torch.zeros(2, 2, 4, dtype=torch.int64),
        "rewards": torch.tensor(
            [[[1.0, 2, 3, 4], [5, 0, 0, 0]], [[0.5, 0.5, -2, 0], [0, 0, 0, 0]]]
        ),
        "log_probs": torch.zeros(2, 2, 4),
        "dist_params": torch.zeros(2, 2, 4, 5),
        "mask": MASK,
        "terminated": torch.tensor([[False, True], [True, False]]),
        "truncated": torch.tensor([[True, False], [False, False]]),
        "last_observations": torch.zeros(2, 2, 3),
        "success": SUCCESS,
        "unstable": torch.zeros(2, 2, dtype=torch.bool),
    }
    return Trajectories(**{**values, **changes})


def test_counts_of_ragged_episodes():
    batch = trajectories()
    assert batch.num_tasks == 2
    assert batch.num_steps == 8
    assert batch.lengths.tolist() == [[4, 1], [3, 0]]


def test_returns_leave_the_padding_out():
    batch = trajectories()
    assert batch.returns.tolist() == [[10.0, 5.0], [-1.0, 0.0]]
    padded = torch.where(MASK, batch.rewards, torch.tensor(99.0))
    assert trajectories(rewards=padded).returns.tolist() == batch.returns.tolist()


def test_success_at_any_step_and_at_the_last_one():
    batch = trajectories()
    assert batch.success_any.tolist() == [[True, True], [True, False]]
    assert batch.success_final.tolist() == [[False, True], [True, False]]


def test_success_flags_in_the_padding_do_not_count():
    batch = trajectories(success=~MASK)
    assert not batch.success_any.any()
    assert not batch.success_final.any()


def test_no_success_flags_is_not_no_success():
    batch = trajectories(success=None)
    assert batch.success_any is None
    assert batch.success_final is None


def test_one_task_keeps_the_task_axis():
    batch = trajectories(advantages=torch.arange(16.0).reshape(2, 2, 4))
    one = batch.task(1)
    assert one.num_tasks == 1
    assert one.initial_state is None
    for field in fields(batch):
        whole = getattr(batch, field.name)
        if whole is not None:
            assert torch.equal(getattr(one, field.name), whole[1:2]), field.name


def test_to_converts_floating_point_fields_only():
    batch = trajectories()
    double = batch.to(dtype=torch.float64)
    for field in fields(batch):
        before, after = getattr(batch, field.name), getattr(double, field.name)
        if before is None:
            assert after is None
            continue
        expected = torch.float64 if before.is_floating_point() else before.dtype
        assert after.dtype == expected, field.name
        assert torch.equal(after.to(before.dtype), before), field.name


def test_to_moves_every_field_to_the_device():
    moved = trajectories().to("meta")
    tensors = [getattr(moved, field.name) for field in fields(moved)]
    assert all(tensor is None or tensor.device.type == "meta" for tensor in tensors)
    assert moved.rewards.dtype == torch.float32


def test_advantages_are_attached_to_a_copy():
    batch, advantages = trajectories(), torch.ones(2, 2, 4)
    copy = batch.with_advantages(advantages)
    assert copy.advantages is advantages
    assert copy.rewards is batch.rewards
    assert batch.advantages is None


def test_records_are_frozen():
    with pytest.raises(FrozenInstanceError):
        trajectories().rewards = torch.zeros(1)


def test_every_nth_step_is_taken_from_all_that_has_steps():
    batch = trajectories(advantages=torch.rand(2, 2, 4))
    second = batch.every(2)
    for field in fields(batch):
        value, taken = getattr(batch, field.name), getattr(second, field.name)
        if value is not None and value.ndim > 2 and field.name != "last_observations":
            assert torch.equal(taken, value[:, :, [0, 2]]), field.name
        else:
            assert taken is value, field.name
    assert batch.every(1) is batch


def test_a_recurrent_policy_s_steps_are_all_kept():
    batch = trajectories(initial_state=torch.zeros(2, 2, 3))
    assert batch.every(2) is batch


def test_unstable_episodes_are_counted_and_can_be_left_out():
    batch = trajectories(unstable=torch.tensor([[False, True], [False, False]]))
    assert batch.num_unstable == 1
    stable = batch.without_unstable()
    assert stable.counted.tolist() == [[True, False], [True, False]]
    assert stable.returns.tolist() == [[10.0, 0.0], [-1.0, 0.0]]
    assert stable.num_steps == 7
    assert stable.observations is batch.observations


def test_some_tasks_of_many():
    chosen = trajectories().tasks([1])
    assert chosen.num_tasks == 1
    assert torch.equal(chosen.mask, MASK[1:])
    assert chosen.returns.tolist() == [[-1.0, 0.0]]
