from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from metarl.agents.saved_state import join_params, split_params
from metarl.errors import CheckpointError, ConfigError
from metarl.outer import GradientDescent
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.types import Params


class Bowl:
    """``|x - target|^2 / 2``, and how often its gradient was asked for."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.target = {
            "policy.a": torch.randn(3, 2, generator=generator),
            "adapter.b": torch.randn(4, generator=generator),
        }
        self.start = {name: torch.zeros_like(value) for name, value in self.target.items()}
        self.asked = 0

    def evaluate(self, meta_params: Params) -> tuple[float, float]:
        loss = sum(
            0.5 * (meta_params[name] - value).square().sum().item()
            for name, value in self.target.items()
        )
        return loss, 0.125

    def gradient(self, meta_params: Params) -> tuple[float, Params]:
        self.asked += 1
        slope = {name: meta_params[name].detach() - value for name, value in self.target.items()}
        return self.evaluate(meta_params)[0], slope

    def fisher_product(self, meta_params: Params) -> Callable[[Params], Params]:
        raise NotImplementedError


def by_hand(optimiser: str, steps: int, lr: float, **settings: Any) -> list[Tensor]:
    bowl = Bowl()
    leaves = [value.clone().requires_grad_() for value in bowl.start.values()]
    reference = getattr(torch.optim, optimiser)(leaves, lr=lr, **settings)
    for _ in range(steps):
        for leaf, target in zip(leaves, bowl.target.values(), strict=True):
            leaf.grad = leaf.detach() - target
        reference.step()
    return [leaf.detach() for leaf in leaves]


OPTIMISERS = [("Adam", {}), ("SGD", {"momentum": 0.9}), ("RMSprop", {}), ("AdamW", {})]
USABLE = (
    *("ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax"),
    *("NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
)


@pytest.mark.parametrize(("optimiser", "settings"), OPTIMISERS)
@pytest.mark.parametrize("num_epochs", [1, 3])
def test_steps_are_those_of_the_optimiser(
    optimiser: str, settings: dict[str, Any], num_epochs: int
) -> None:
    bowl = Bowl()
    step = GradientDescent(optimiser, lr=0.1, num_epochs=num_epochs, **settings)
    meta_params = bowl.start
    for _ in range(2):
        meta_params, _ = step.step(meta_params, bowl)
    assert bowl.asked == 2 * num_epochs
    expected = by_hand(optimiser, 2 * num_epochs, 0.1, **settings)
    assert list(meta_params) == list(bowl.start)
    for found, reference in zip(meta_params.values(), expected, strict=True):
        assert torch.equal(found, reference)
        assert not found.requires_grad


def test_what_was_given_stays_as_it_was() -> None:
    bowl = Bowl()
    GradientDescent(lr=0.1).step(bowl.start, bowl)
    assert not any(value.any() for value in bowl.start.values())


def test_figures_say_how_the_step_went() -> None:
    bowl = Bowl()
    after, figures = GradientDescent("SGD", lr=0.1, num_epochs=2).step(bowl.start, bowl)
    assert figures["loss_before"] == bowl.evaluate(bowl.start)[0]
    assert figures["loss_after"] == bowl.evaluate(after)[0] < figures["loss_before"]
    assert figures["kl"] == 0.125
    norm = torch.cat([value.flatten() for value in bowl.target.values()]).norm().item()
    assert figures["gradient_norm"] == pytest.approx(norm)


def test_long_gradients_are_cut() -> None:
    bowl = Bowl()
    after, figures = GradientDescent("SGD", lr=1.0, max_grad_norm=0.5).step(bowl.start, bowl)
    moved = torch.cat([value.flatten() for value in after.values()])
    assert moved.norm().item() == pytest.approx(0.5, rel=1e-4)
    assert figures["gradient_norm"] > 1


@pytest.mark.parametrize(("optimiser", "settings"), OPTIMISERS)
def test_going_on_from_a_saved_state_changes_no_bit(
    tmp_path: Path, optimiser: str, settings: dict[str, Any]
) -> None:
    bowl = Bowl()
    step = GradientDescent(optimiser, lr=0.1, **settings)
    half, _ = step.step(*(bowl.start, bowl))
    write_checkpoint(tmp_path / "step", step.state(), {})
    whole, _ = step.step(half, bowl)
    other = GradientDescent(optimiser, lr=0.1, **settings)
    other.load_state(read_checkpoint(tmp_path / "step")[0])
    assert other.state().keys() == step.state().keys()
    resumed, _ = other.step(half, bowl)
    forgetful, _ = GradientDescent(optimiser, lr=0.1, **settings).step(half, bowl)
    for name, value in whole.items():
        assert torch.equal(resumed[name], value)
        assert not torch.equal(forgetful[name], value)


@pytest.mark.parametrize("optimiser", USABLE)
def test_every_optimiser_that_is_taken_can_be_saved_and_gone_on_with(optimiser: str) -> None:
    bowl, step, other = Bowl(), GradientDescent(optimiser), GradientDescent(optimiser)
    half, _ = step.step(bowl.start, bowl)
    other.load_state(split_params({**half, **join_params({}, step.state())}, half, Path())[1])
    (whole, _), (resumed, _) = step.step(half, bowl), other.step(half, bowl)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_moments_are_named_by_parameter() -> None:
    step = GradientDescent("SGD", momentum=0.9)
    step.step(Bowl().start, Bowl())
    assert list(step.state()) == ["policy.a:momentum_buffer", "adapter.b:momentum_buffer"]


def adam(name: str) -> Params:
    """Moments as Adam has them, of a parameter of two entries."""
    moments = {"step": torch.ones(()), "exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2)}
    return {f"{name}:{key}": value for key, value in moments.items()}


def test_moments_of_unknown_parameters_are_refused() -> None:
    bowl = Bowl()
    step = GradientDescent()
    step.load_state(adam("policy.other"))
    with pytest.raises(CheckpointError, match=r"unknown parameter: policy\.other:"):
        step.step(bowl.start, bowl)


def test_moments_of_some_parameters_only_are_refused() -> None:
    bowl, step, other = Bowl(), GradientDescent(), GradientDescent()
    step.step(bowl.start, bowl)
    other.load_state({n: v for n, v in step.state().items() if n.startswith("policy.")})
    with pytest.raises(CheckpointError, match=r"no moments of adapter\.b"):
        other.step(bowl.start, bowl)


@pytest.mark.parametrize(
    ("optimiser", "message"),
    [
        ("RMSprop", r"of policy\.a: got exp_avg, exp_avg_sq, step; RMSprop has .*square_avg"),
        ("SGD", r"of policy\.a: got .*; SGD has none"),
    ],
)
def test_moments_of_another_optimiser_are_refused(optimiser: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        GradientDescent(optimiser).load_state(adam("policy.a"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "Adamm"}, "optimizer: got 'Adamm'; known: .*Adam, "),
        ({"optimizer": "LBFGS"}, "optimizer: got 'LBFGS'"),
        ({"optimizer": "Optimizer"}, "optimizer: got 'Optimizer'"),
        ({"optimizer": "lr_scheduler"}, "optimizer: got 'lr_scheduler'; known"),
        ({"optimizer": "Adam", "lr": -1.0}, "optimizer: Adam: Invalid learning rate"),
        ({"optimizer": "Adam", "momentum": 0.9}, "optimizer: Adam: .*momentum"),
        ({"optimizer": "SparseAdam"}, "optimizer: SparseAdam: .*dense gradients"),
        ({"optimizer": "Muon"}, "optimizer: .*Muon"),
        ({"optimizer": "Adafactor"}, r"optimizer: Adafactor: its row_var is \(2, 1\) for a param"),
    ],
)
def test_an_optimiser_that_can_not_be_made_is_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        GradientDescent(**arguments)
