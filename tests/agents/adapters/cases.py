"""Every adapter in float64, small, with all that it learns away from where it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from metarl.adaptation import Adapter, MetaLearner
from metarl.agents.adapters import (
    ANILAdapter,
    BOILAdapter,
    CAVIAAdapter,
    ContextPolicy,
    GradientAdapter,
    HypergradientAdapter,
    IMAMLAdapter,
    LearnedOptimiserAdapter,
    LEOAdapter,
    LSTMMetaLearnerAdapter,
    MetaCurvatureAdapter,
    MetaSGDAdapter,
    MetaWeightNetAdapter,
)
from metarl.policies import CategoricalMLPPolicy, GaussianMLPPolicy, Policy
from metarl.types import Trajectories
from tests.synthetic import POLICIES, experience, small_policy

SUPPORT_LENGTHS = torch.tensor([[4, 1, 3], [2, 4, 4]])
QUERY_LENGTHS = torch.tensor([[3, 4, 2], [1, 1, 4]])


@dataclass(frozen=True)
class Case:
    """One adapter under test.

    Attributes:
        name: Its name in the tests' ids.
        build: Makes it, with a policy over two observations as its ``policy``, from a kind of
            policy and the arguments that every adapter takes.
        kinds: The kinds of policy that it takes.
        exact: Whether its meta-gradient is the true one, as finite differences see it; one that
            isn't is tested against its own definition.
    """

    name: str
    build: Callable[..., Adapter]
    kinds: tuple[str, ...] = POLICIES
    exact: bool = True

    def learner(self, kind: str, **common: Any) -> MetaLearner:
        """Policy and adapter as one."""
        adapter = self.build(kind, **common)
        return MetaLearner(adapter.policy, adapter)


def scattered(module: nn.Module, scale: float = 0.3, *, seed: int = 7) -> Any:
    """The module in float64, its parameters moved at random so that no derivative vanishes."""
    module.double()
    generator = torch.Generator().manual_seed(seed)
    for value in module.parameters():
        value.data += scale * torch.randn(value.shape, generator=generator, dtype=torch.float64)
    return module


def gradient(kind: str, **common: Any) -> Adapter:
    return GradientAdapter(small_policy(kind), 0.4, **common)


def first_order(kind: str, **common: Any) -> Adapter:
    return GradientAdapter(small_policy(kind), 0.4, first_order=True, **common)


def anil(kind: str, **common: Any) -> Adapter:
    return ANILAdapter(small_policy(kind), 0.4, **common)


def boil(kind: str, **common: Any) -> Adapter:
    return BOILAdapter(small_policy(kind), 0.4, **common)


def meta_sgd(kind: str, **common: Any) -> Adapter:
    generator = torch.Generator().manual_seed(0)
    return scattered(MetaSGDAdapter(small_policy(kind), 0.4, generator=generator, **common))


def meta_curvature(kind: str, **common: Any) -> Adapter:
    return scattered(MetaCurvatureAdapter(small_policy(kind), 0.4, **common))


def cavia(kind: str, **common: Any) -> Adapter:
    generator = torch.Generator().manual_seed(0)
    network: Policy = (
        GaussianMLPPolicy(4, 2, (3,), generator=generator)
        if kind == "gaussian"
        else CategoricalMLPPolicy(4, 3, (3,), generator=generator)
    )
    return CAVIAAdapter(ContextPolicy(scattered(network), 2).double(), 0.4, **common)


def leo(kind: str, **common: Any) -> Adapter:
    adapter = LEOAdapter(
        small_policy(kind, hidden_sizes=(2,)),
        observation_dim=2,
        action_dim=2 if kind == "gaussian" else 3,
        latent_size=2,
        latent_lr=0.1,
        latent_steps=2,
        finetuning_lr=0.2,
        encoder_size=2,
        generator=torch.Generator().manual_seed(0),
        **common,
    )
    return scattered(adapter, 0.2)


def learned_optimiser(kind: str, **common: Any) -> Adapter:
    adapter = LearnedOptimiserAdapter(
        small_policy(kind, hidden_sizes=(2,)),
        hidden_size=2,
        output_scale=0.3,
        gradient_lr=0.2,
        generator=torch.Generator().manual_seed(0),
        **common,
    )
    return scattered(adapter)


def lstm_meta_learner(kind: str, **common: Any) -> Adapter:
    adapter = LSTMMetaLearnerAdapter(
        small_policy(kind, hidden_sizes=(2,)),
        0.3,
        initial_forget=0.9,
        hidden_size=2,
        generator=torch.Generator().manual_seed(0),
        **common,
    )
    return scattered(adapter)


def meta_weight_net(kind: str, **common: Any) -> Adapter:
    generator = torch.Generator().manual_seed(0)
    adapter = MetaWeightNetAdapter(
        small_policy(kind), 0.8, hidden_size=3, generator=generator, **common
    )
    return scattered(adapter)


def hypergradient(kind: str, **common: Any) -> Adapter:
    adapter = HypergradientAdapter(
        small_policy(kind, hidden_sizes=(2,)), 0.04, num_gradient_steps=3, momentum=0.6, **common
    )
    return scattered(adapter)


def forward_hypergradient(kind: str, **common: Any) -> Adapter:
    adapter = HypergradientAdapter(
        small_policy(kind, hidden_sizes=(2,)),
        0.04,
        num_gradient_steps=3,
        momentum=0.6,
        mode="forward",
        **common,
    )
    return scattered(adapter)


def imaml(kind: str, **common: Any) -> Adapter:
    adapter = IMAMLAdapter(
        small_policy(kind, hidden_sizes=(2,)),
        150.0,
        num_gradient_steps=14,
        cg_iterations=14,
        learn_strength=True,
        **common,
    )
    return scattered(adapter)


CASES = [
    Case("maml", gradient),
    Case("fomaml", first_order, exact=False),
    Case("anil", anil),
    Case("boil", boil),
    Case("meta-sgd", meta_sgd),
    Case("meta-curvature", meta_curvature),
    Case("cavia", cavia),
    Case("leo", leo),
    Case("learned-optimiser", learned_optimiser),
    Case("lstm-meta-learner", lstm_meta_learner),
    Case("meta-weight-net", meta_weight_net),
    Case("hypergradient", hypergradient),
    Case("hypergradient-forward", forward_hypergradient, exact=False),
    Case("imaml", imaml),
]


class Problem:
    """A meta-learner and one iteration's data, sampled as the algorithm samples it.

    Support set ``k`` stems from each task's parameters after ``k`` steps, the query set from those
    after the last.
    """

    def __init__(self, case: Case, kind: str, num_steps: int = 1, **common: Any) -> None:
        self.learner = case.learner(kind, **common)
        self.policy = self.learner.policy
        self.meta_params = self.learner.meta_params()
        self.supports: list[Trajectories] = []
        for step in range(num_steps + 1):
            params = [
                self.learner.adapt(self.meta_params, [s.task(i) for s in self.supports]).params
                for i in range(2)
            ]
            lengths = SUPPORT_LENGTHS if step < num_steps else QUERY_LENGTHS
            self.supports.append(experience(self.policy, params, lengths=lengths, seed=step))
        self.query = self.supports.pop()
