from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy import stats
from torch import Tensor, nn
from torch.distributions import Categorical, MultivariateNormal

from metarl.errors import ConfigError
from metarl.policies import CategoricalMLPPolicy, GaussianMLPPolicy, Policy, make_mlp_policy
from tests.synthetic import POLICIES, perturbed, small_policy

BOX = spaces.Box(-1, 1, (3,), np.float32)


def observations(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_gaussian_scores_whole_action_vectors() -> None:
    policy = small_policy("gaussian")
    dist_params, _ = policy(observations(4, 5, 2))
    mean, log_std = dist_params.chunk(2, dim=-1)
    actions = observations(4, 5, 2) * 3
    expected = MultivariateNormal(mean, torch.diag_embed(log_std.exp() ** 2)).log_prob(actions)
    scores = policy.log_prob(dist_params, actions)
    assert scores.shape == (4, 5)
    torch.testing.assert_close(scores, expected)


def test_categorical_scores_actions() -> None:
    policy = small_policy("categorical")
    logits, _ = policy(observations(4, 5, 2))
    actions = torch.arange(20).reshape(4, 5) % 3
    scores = policy.log_prob(logits, actions)
    assert scores.shape == (4, 5)
    torch.testing.assert_close(scores, Categorical(logits=logits).log_prob(actions))


def test_gaussian_select_samples_the_distribution() -> None:
    policy = small_policy("gaussian")
    dist_params = policy(observations(1, 2))[0].detach()
    rows = dist_params.float().expand(20_000, -1).numpy()
    actions = policy.select(rows, policy.noise(np.random.default_rng(0), (20_000,)))
    assert actions.shape == (20_000, 2)
    assert actions.dtype == np.float32
    mean, std = rows[0, :2], np.exp(rows[0, 2:])
    for dimension in range(2):
        cdf = stats.norm(mean[dimension], std[dimension]).cdf
        assert stats.kstest(actions[:, dimension], cdf).pvalue > 1e-3
    assert abs(np.corrcoef(actions.T)[0, 1]) < 0.03


def test_categorical_select_samples_the_distribution() -> None:
    policy = small_policy("categorical")
    logits = policy(observations(1, 2))[0].detach()
    rows = logits.float().expand(20_000, -1).numpy()
    actions = policy.select(rows, policy.noise(np.random.default_rng(0), (20_000,)))
    expected = 20_000 * policy.distribution(logits[0]).probs.numpy()
    assert np.ptp(expected) > 1000  # or a uniform sampler would pass
    assert stats.chisquare(np.bincount(actions, minlength=3), expected).pvalue > 1e-3


@pytest.mark.parametrize("kind", POLICIES)
def test_select_without_noise_takes_the_mode(kind: str) -> None:
    policy = small_policy(kind)
    dist_params = policy(observations(50, 2))[0].detach().float()
    actions = policy.select(dist_params.numpy(), None)
    np.testing.assert_array_equal(actions, policy.distribution(dist_params).mode.numpy())


def test_selected_actions_do_not_share_memory_with_the_distribution() -> None:
    rows = np.zeros((2, 4), dtype=np.float32)
    actions = small_policy("gaussian").select(rows, None)
    actions += 1
    assert not rows.any()


@pytest.mark.parametrize("kind", POLICIES)
def test_noise_is_a_function_of_the_generator(kind: str) -> None:
    policy = small_policy(kind)
    one, same, other = (policy.noise(np.random.default_rng(seed), (7, 4)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32
    assert one.shape[:2] == (7, 4)


@pytest.mark.parametrize("kind", POLICIES)
def test_with_own_params_equals_forward(kind: str) -> None:
    policy = small_policy(kind)
    rows = observations(4, 5, 2)
    expected, state = policy(rows)
    result, next_state = policy.with_params(policy.params(), rows)
    assert torch.equal(result, expected)
    assert state is next_state is None
    assert result.shape == (4, 5, policy.num_dist_params)


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("num_rows", [1, 10])
def test_acting_has_the_bits_of_forward(kind: str, num_rows: int) -> None:
    policy = small_policy(kind)
    with torch.inference_mode():
        if kind == "gaussian":
            policy.log_std[0] = -100.0  # below the bound
        actor = policy.actor(num_rows)
        for seed in (1, 2):
            rows = observations(num_rows, 2) + seed
            result, state = actor(rows, None)
            assert torch.equal(result, policy(rows)[0])
            assert state is None


@pytest.mark.parametrize("kind", POLICIES)
def test_acting_takes_the_forward_that_a_subclass_writes(kind: str) -> None:
    class Shifted(type(small_policy(kind))):
        def forward(self, observations, state=None):
            return super().forward(observations)[0] + 1, state

    plain = small_policy(kind)
    shifted = copy.deepcopy(plain)
    shifted.__class__ = Shifted
    rows = observations(3, 2)
    assert torch.equal(shifted.actor(3)(rows, None)[0], plain(rows)[0] + 1)


@pytest.mark.parametrize("kind", POLICIES)
def test_with_other_params_equals_a_policy_that_holds_them(kind: str) -> None:
    policy, other = small_policy(kind), small_policy(kind, seed=5)
    before = policy.params()
    result, _ = policy.with_params(other.params(), observations(6, 2))
    assert torch.equal(result, other(observations(6, 2))[0])
    assert all(torch.equal(value, policy.params()[name]) for name, value in before.items())


@pytest.mark.parametrize("kind", POLICIES)
def test_with_params_can_be_differentiated_in_every_parameter(kind: str) -> None:
    policy = small_policy(kind)
    params = {name: value.requires_grad_() for name, value in policy.params().items()}
    policy.with_params(params, observations(6, 2))[0].square().sum().backward()
    assert all(value.grad.abs().sum() > 0 for value in params.values())


@pytest.mark.parametrize("kind", POLICIES)
def test_params_are_a_detached_copy(kind: str) -> None:
    policy = small_policy(kind)
    params = policy.params()
    for name, value in policy.named_parameters():
        assert not params[name].requires_grad
        params[name] += 1.0
        assert not torch.equal(params[name], value)


def test_standard_deviation_has_a_lower_bound() -> None:
    policy = GaussianMLPPolicy(2, 2, (), min_std=0.1)
    params = policy.params()
    params["log_std"] = torch.tensor([-50.0, 0.3])
    dist_params, _ = policy.with_params(params, torch.zeros(1, 2))
    std = policy.distribution(dist_params).stddev
    torch.testing.assert_close(std, torch.tensor([[0.1, math.exp(0.3)]]))


def test_initial_standard_deviation_is_as_asked() -> None:
    policy = GaussianMLPPolicy(2, 3, (4,), init_std=0.5)
    dist_params, _ = policy(torch.zeros(1, 2))
    torch.testing.assert_close(policy.distribution(dist_params).stddev, torch.full((1, 3), 0.5))


@pytest.mark.parametrize("action_space", [BOX, spaces.Discrete(4)], ids=["box", "discrete"])
def test_equal_generators_give_equal_weights(action_space: spaces.Space) -> None:
    def build(seed: int) -> Policy:
        generator = torch.Generator().manual_seed(seed)
        return make_mlp_policy(BOX, action_space, (5, 6), generator=generator)

    torch.manual_seed(0)
    one = build(3).params()
    torch.manual_seed(1)
    same, other = build(3).params(), build(4).params()
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


def test_weights_start_by_glorot_s_rule_and_biases_at_zero() -> None:
    policy = GaussianMLPPolicy(30, 20, (50,), generator=torch.Generator().manual_seed(0))
    for layer, bound in zip(
        [part for part in policy.network if isinstance(part, nn.Linear)],
        [math.sqrt(6 / 80), math.sqrt(6 / 70)],
        strict=True,
    ):
        assert 0.98 * bound < layer.weight.abs().max() <= bound
        assert not layer.bias.any()


def test_layers_are_as_asked_with_tanh_between() -> None:
    policy = CategoricalMLPPolicy(3, 4, (5, 6))
    kinds = [type(layer) for layer in policy.network]
    assert kinds == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    shapes = [tuple(layer.weight.shape) for layer in policy.network if hasattr(layer, "weight")]
    assert shapes == [(5, 3), (6, 5), (4, 6)]


def test_spaces_decide_the_policy() -> None:
    gaussian = make_mlp_policy(BOX, spaces.Box(-1, 1, (2,)), init_std=0.7)
    assert isinstance(gaussian, GaussianMLPPolicy)
    assert gaussian.num_dist_params == 4
    torch.testing.assert_close(gaussian.log_std.exp(), torch.full((2,), 0.7))
    categorical = make_mlp_policy(
        spaces.Dict({"a": BOX, "b": spaces.Discrete(2)}), spaces.Discrete(4)
    )
    assert isinstance(categorical, CategoricalMLPPolicy)
    assert categorical.num_dist_params == 4
    assert categorical.network[0].in_features == 5


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(2),
        spaces.Box(-1, 1, (2, 2)),
        spaces.Box(-1, 1, ()),
        spaces.Dict({"a": spaces.Discrete(2)}),
    ],
    ids=str,
)
def test_other_action_spaces_are_refused(space: spaces.Space) -> None:
    with pytest.raises(ConfigError, match="action_space") as caught:
        make_mlp_policy(BOX, space)
    assert str(space) in str(caught.value)


@pytest.mark.parametrize("sizes", [(0,), (64, -1)])
def test_layers_without_units_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"hidden_sizes: got .* at least 1"):
        make_mlp_policy(BOX, BOX, sizes)


@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_without_memory_has_no_state(kind: str) -> None:
    assert small_policy(kind).initial_state(3) is None


@pytest.mark.parametrize("kind", POLICIES)
def test_divergence_between_equal_distributions_is_zero_and_else_positive(kind: str) -> None:
    policy = small_policy(kind)
    here, _ = policy(observations(4, 2))
    there, _ = policy.with_params(perturbed(policy.params(), 0.5), observations(4, 2))
    p, q = policy.distribution(here), policy.distribution(there)
    assert torch.distributions.kl_divergence(p, p).abs().max() < 1e-12
    divergence = torch.distributions.kl_divergence(p, q)
    assert divergence.shape == (4,)
    assert (divergence > 0).all()


@pytest.mark.parametrize("hidden_sizes", [(3,), (3, 4)])
def test_the_head_of_a_gaussian_is_its_last_layer_and_its_deviation(
    hidden_sizes: tuple[int, ...],
) -> None:
    last = f"network.{2 * len(hidden_sizes)}"
    policy = GaussianMLPPolicy(2, 2, hidden_sizes)
    assert policy.head_names == {f"{last}.weight", f"{last}.bias", "log_std"}
    assert policy.head_names < policy.params().keys()
    assert CategoricalMLPPolicy(2, 3, hidden_sizes).head_names == {f"{last}.weight", f"{last}.bias"}


def test_a_policy_may_leave_open_what_its_head_is() -> None:
    class Headless(GaussianMLPPolicy):
        head_names = Policy.head_names

    with pytest.raises(ConfigError, match=r"policy: Headless doesn't say .* head; allowed: "):
        _ = Headless(2, 2).head_names
