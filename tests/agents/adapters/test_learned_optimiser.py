from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from metarl.adaptation import AdaptationState, Adapter
from metarl.agents.adapters import (
    GradientAdapter,
    LearnedOptimiserAdapter,
    LSTMMetaLearnerAdapter,
)
from metarl.agents.adapters.coordinate_wise import preprocessed
from metarl.losses import ratio_loss
from metarl.types import Params, Trajectories
from tests.agents.adapters.cases import scattered
from tests.synthetic import experience, flat, small_policy

RULES: dict[str, Any] = {
    "learned-optimiser": lambda **settings: LearnedOptimiserAdapter(
        small_policy("gaussian"), hidden_size=4, **{"output_scale": 1.0, **settings}
    ),
    "lstm-meta-learner": lambda **settings: LSTMMetaLearnerAdapter(
        small_policy("gaussian"), 0.2, hidden_size=4, initial_forget=0.9, **settings
    ),
}


def a_rule(name: str, **settings: Any) -> Any:
    return scattered(RULES[name](generator=torch.Generator().manual_seed(0), **settings))


def supports_of(adapter: Adapter, count: int = 2) -> list[Trajectories]:
    start = adapter.policy.params()
    return [experience(adapter.policy, start, num_tasks=1, seed=seed) for seed in range(count)]


def gradient_at(adapter: Adapter, params: Params, support: Trajectories) -> tuple[Tensor, Tensor]:
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    loss = ratio_loss(adapter.policy, leaves, support)
    slopes = torch.autograd.grad(loss, list(leaves.values()))
    return flat(dict(enumerate(slopes))), loss.detach()


def test_two_steps_of_the_learned_optimiser_are_those_of_pytorch_s_stacked_lstm() -> None:
    adapter = a_rule("learned-optimiser", output_scale=0.3, gradient_lr=0.1)
    lstm = nn.LSTM(2, 4, num_layers=2).double()
    for layer, cell in enumerate(adapter.cells):
        for name, value in cell.named_parameters():
            lstm.get_parameter(f"{name}_l{layer}").data.copy_(value)
    state, inputs = AdaptationState(adapter.policy.params()), []
    for support in supports_of(adapter):
        gradient, _ = gradient_at(adapter, state.params, support)
        inputs.append(preprocessed(gradient, 10.0))
        hidden, _ = lstm(torch.stack(inputs))
        move = 0.3 * adapter.output(hidden[-1]).squeeze(-1) - 0.1 * gradient
        expected = flat(state.params) + move
        state = adapter.adapt(state, support)
        torch.testing.assert_close(flat(state.params), expected.detach())


def test_two_steps_of_the_lstm_meta_learner_are_the_paper_s_equations() -> None:
    adapter = a_rule("lstm-meta-learner")
    state = AdaptationState(adapter.policy.params())
    theta = flat(state.params)
    hidden = cell = torch.zeros(len(theta), 4, dtype=torch.float64)
    forget = rate = torch.zeros_like(theta)
    for support in supports_of(adapter):
        gradient, loss = gradient_at(adapter, state.params, support)
        x = torch.cat(
            [
                preprocessed(gradient, 10.0),
                preprocessed(loss.reshape(1), 10.0).expand(len(theta), 2),
            ],
            dim=1,
        )
        hidden, cell = adapter.cell(x, (hidden, cell))
        weight, bias = adapter.input_gate.weight[0], adapter.input_gate.bias
        rate = torch.sigmoid(hidden @ weight[:4] + theta * weight[4] + rate * weight[5] + bias)
        weight, bias = adapter.forget_gate.weight[0], adapter.forget_gate.bias
        forget = torch.sigmoid(hidden @ weight[:4] + theta * weight[4] + forget * weight[5] + bias)
        theta = (forget * theta - rate * gradient).detach()
        state = adapter.adapt(state, support)
        torch.testing.assert_close(flat(state.params), theta)


@pytest.mark.parametrize("name", RULES)
def test_coordinates_keep_states_of_their_own_from_step_to_step(name: str) -> None:
    adapter = a_rule(name)
    first, second = supports_of(adapter)
    state = adapter.adapt(AdaptationState(adapter.policy.params()), first)
    assert {len(value) for value in state.memory.values()} == {len(flat(state.params))}
    without = AdaptationState(state.params, state.step)
    remembered = adapter.adapt(state, second).params
    assert not torch.allclose(flat(remembered), flat(adapter.adapt(without, second).params))


@pytest.mark.parametrize("name", RULES)
def test_first_order_takes_the_inner_gradient_for_a_constant(name: str) -> None:
    slopes = {}
    for first_order in (False, True):
        adapter = a_rule(name, first_order=first_order)
        leaves = {n: value.requires_grad_() for n, value in adapter.policy.params().items()}
        (support,) = supports_of(adapter, 1)
        end = adapter.adapt(AdaptationState(leaves), support, create_graph=True).params
        total = torch.autograd.grad(flat(end).sum(), list(leaves.values()))
        slopes[first_order] = flat(dict(enumerate(total)))
    assert not torch.allclose(slopes[True], slopes[False], rtol=1e-4)
    if name == "learned-optimiser":  # theta' = theta + a constant
        torch.testing.assert_close(slopes[True], torch.ones_like(slopes[True]))


def test_the_lstm_meta_learner_starts_next_to_gradient_descent() -> None:
    policy = small_policy("gaussian")
    rule = LSTMMetaLearnerAdapter(policy, 0.2, generator=torch.Generator().manual_seed(0)).double()
    (support,) = supports_of(rule, 1)
    state = AdaptationState(policy.params())
    move, plain = (
        flat(adapter.adapt(state, support).params) - flat(state.params)
        for adapter in (rule, GradientAdapter(policy, 0.2))
    )
    assert (move - plain).norm() < 0.05 * plain.norm()
