import pytest
import torch
from torch import nn

from metarl.adaptation import AdaptationState, Adapter
from metarl.agents.adapters.gradient import GradientAdapter
from metarl.policies import GaussianMLPPolicy
from metarl.testing import check_adapter


class Rule(Adapter):
    """Gradient descent with a learned rate, to be spoilt in one place each."""

    def __init__(self, policy) -> None:
        super().__init__(policy)
        self.rate = nn.Parameter(torch.tensor(0.1))

    def update(self, state, support, *, create_graph):
        loss = self.loss(self.policy, state.params, support)
        gradients = torch.autograd.grad(loss, list(state.params.values()), create_graph=True)
        return state.after(
            {
                name: value - self.rate * gradient
                for (name, value), gradient in zip(state.params.items(), gradients, strict=True)
            }
        )


class OtherNames(Rule):
    def update(self, state, support, *, create_graph):
        after = super().update(state, support, create_graph=create_graph)
        return state.after({f"x.{name}": value for name, value in after.params.items()})


class ForgetsTheStep(Rule):
    def update(self, state, support, *, create_graph):
        after = super().update(state, support, create_graph=create_graph)
        return AdaptationState(after.params, state.step)


class Noisy(Rule):
    def update(self, state, support, *, create_graph):
        after = super().update(state, support, create_graph=create_graph)
        return state.after({n: v + torch.randn(()) for n, v in after.params.items()})


class ChangesItself(Rule):
    def update(self, state, support, *, create_graph):
        with torch.no_grad():
            self.rate *= 0.9
        return super().update(state, support, create_graph=create_graph)


class DoesNothing(Rule):
    def update(self, state, support, *, create_graph):
        return state.after({n: v + 0 * self.rate for n, v in state.params.items()})


class BlindToRewards(Rule):
    def update(self, state, support, *, create_graph):
        return state.after({n: v * (1 + self.rate) for n, v in state.params.items()})


class CountsPadding(Rule):
    def update(self, state, support, *, create_graph):
        after = super().update(state, support, create_graph=create_graph)
        extra = self.rate * support.advantages.mean()
        return state.after({n: v + extra for n, v in after.params.items()})


class CutsTheGraph(Rule):
    def update(self, state, support, *, create_graph):
        return super().update(state, support, create_graph=create_graph).detached()


class TreatsTheGradientAsConstant(Rule):
    def update(self, state, support, *, create_graph):
        loss = self.loss(self.policy, state.params, support)
        gradients = torch.autograd.grad(loss, list(state.params.values()))
        return state.after(
            {
                name: value - self.rate * gradient
                for (name, value), gradient in zip(state.params.items(), gradients, strict=True)
            }
        )


class DetachesItsRate(Rule):
    def update(self, state, support, *, create_graph):
        rate = self.rate
        self.rate = nn.Parameter(rate.detach())
        try:
            return super().update(state, support, create_graph=create_graph)
        finally:
            self.rate = rate


class AlwaysDouble(Rule):
    def update(self, state, support, *, create_graph):
        after = super().update(state, support, create_graph=create_graph)
        return state.after({n: v.double() for n, v in after.params.items()})


class Raises(Rule):
    def update(self, state, support, *, create_graph):
        raise RuntimeError("not today")


def test_the_rule_itself_and_the_packages_own_are_in_order():
    assert check_adapter(Rule).faults == []
    assert check_adapter(lambda policy: GradientAdapter(policy, 0.1)).faults == []


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        (OtherNames, "names, shapes and dtypes stay"),
        (ForgetsTheStep, "names, shapes and dtypes stay"),
        (Noisy, "pure and repeatable"),
        (ChangesItself, "pure and repeatable"),
        (DoesNothing, "depends on the experience"),
        (BlindToRewards, "depends on the experience"),
        (CountsPadding, "padding doesn't count"),
        (CutsTheGraph, "leaves a graph when asked, and only then"),
        (TreatsTheGradientAsConstant, "the meta-gradient is the true one"),
        (DetachesItsRate, "the meta-gradient is the true one"),
        (AlwaysDouble, "works in single precision"),
        (Raises, "pure and repeatable"),
    ],
)
def test_what_is_wrong_is_found_by_its_own_check(rule, check):
    report = check_adapter(rule)
    assert not report.ok
    assert report.checks[check], str(report)
    assert f"failed: {check}" in str(report)


def test_a_first_order_rule_says_so():
    def make(policy):
        return GradientAdapter(policy, 0.1, first_order=True)

    (name,) = {fault.partition(":")[0] for fault in check_adapter(make).faults}
    assert name == "the meta-gradient is the true one"
    assert check_adapter(make, first_order=True).ok


def test_another_policy_can_be_given():
    seen = []

    def make(policy):
        seen.append(policy)
        return Rule(policy)

    assert check_adapter(make, make_policy=lambda: GaussianMLPPolicy(6, 3, (4,))).ok
    (policy,) = seen
    assert policy.action_dim == 3
