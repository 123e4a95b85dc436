"""Does an adapter keep the contract of the inner loop?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from metarl.adaptation import AdaptationState, Adapter, MetaLearner
from metarl.errors import ConfigError
from metarl.policies import CategoricalMLPPolicy, GaussianMLPPolicy, Policy
from metarl.testing.conformance import Conformance, run_checks
from metarl.types import Params, Trajectories

_EPISODES, _STEPS, _OBSERVATION = 3, 7, 4
_DIFFERENCE = 1e-5
_TOLERANCE = 1e-4
_DIRECTIONS = 4


def check_adapter(
    make_adapter: Callable[[Policy], Adapter],
    *,
    make_policy: Callable[[], Policy] | None = None,
    first_order: bool = False,
    seed: int = 0,
) -> Conformance:
    """Checks an adapter on small made-up experience, in double precision.

    That it is pure and repeatable, keeps names, shapes and dtypes, depends on the experience,
    leaves no graph unless asked, and that its meta-gradient is the true one: finite differences
    along random directions of all meta-parameters, through two steps.

    Args:
        make_adapter: Builds the adapter for a policy. It must adapt: a rate of zero is a fault.
        make_policy: Builds the policy; by default small ones, with a Gaussian and with a
            categorical distribution.
        first_order: Whether the adapter leaves out second derivatives on purpose; the meta-gradient
            isn't checked then.
        seed: Seed of the made-up experience.

    Returns:
        What was checked and the faults found.

    Example:
        >>> from metarl.agents.adapters import GradientAdapter
        >>> check_adapter(lambda policy: GradientAdapter(policy, 0.1)).ok
        True
    """
    makers = [_gaussian, _categorical] if make_policy is None else [make_policy]
    report = Conformance()
    for maker in makers:
        policy = maker().double()
        trial = _Trial(policy, make_adapter(policy).double(), seed, first_order)
        found = run_checks(trial, _CHECKS)
        for name, faults in found.checks.items():
            told = [f"{type(policy).__name__}: {fault}" for fault in faults]
            report.checks.setdefault(name, []).extend(told)
    return report


def _gaussian() -> Policy:
    return GaussianMLPPolicy(_OBSERVATION, 2, (5,), generator=torch.Generator().manual_seed(1))


def _categorical() -> Policy:
    return CategoricalMLPPolicy(_OBSERVATION, 3, (5,), generator=torch.Generator().manual_seed(1))


@dataclass
class _Trial:
    """An adapter, a policy, and experience of one task."""

    policy: Policy
    adapter: Adapter
    seed: int
    first_order: bool

    @cached_property
    def learner(self) -> MetaLearner:
        return MetaLearner(self.policy, self.adapter)

    @cached_property
    def supports(self) -> list[Trajectories]:
        generator = torch.Generator().manual_seed(self.seed)
        return [_experience(self.policy, generator) for _ in range(2)]

    def start(self) -> AdaptationState:
        return self.learner.start(self.learner.meta_params())

    def step(self, support: Trajectories | None = None) -> AdaptationState:
        return self.adapter.adapt(self.start(), self.supports[0] if support is None else support)


def _experience(policy: Policy, generator: torch.Generator) -> Trajectories:
    """One task's episodes under the policy as it is; the last episode ends early."""
    shape = (1, _EPISODES, _STEPS)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(*shape, *sizes, generator=generator, dtype=torch.float64)

    observations = normal(_observation_width(policy))
    with torch.no_grad():
        dist_params, _ = policy(observations, policy.initial_state(_EPISODES))
    # torch.distributions samples from the global generator only.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        actions = policy.distribution(dist_params).sample()
    mask = torch.ones(shape, dtype=torch.bool)
    mask[0, -1, -2:] = False
    ended = torch.zeros(shape[:2], dtype=torch.bool)
    return Trajectories(
        observations=observations,
        actions=actions,
        rewards=normal() * mask,
        log_probs=policy.log_prob(dist_params, actions) * mask,
        dist_params=dist_params,
        mask=mask,
        terminated=ended,
        truncated=~ended,
        last_observations=observations[:, :, -1],
        success=None,
        unstable=ended,
        advantages=normal() * mask,
    )


def _observation_width(policy: Policy) -> int:
    for module in policy.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
    raise ConfigError("make_policy: the policy has no linear layer to tell its input's width.")


def _check_names(trial: _Trial) -> list[str]:
    before, after = trial.start(), trial.step()
    faults = []
    if after.params.keys() != before.params.keys():
        odd = ", ".join(sorted(after.params.keys() ^ before.params.keys()))
        return [f"the adapted parameters have other names than the policy's: {odd}"]
    for name, value in before.params.items():
        found = after.params[name]
        if (found.shape, found.dtype) != (value.shape, value.dtype):
            faults.append(
                f"{name} is {tuple(found.shape)} {found.dtype}; "
                f"the policy's is {tuple(value.shape)} {value.dtype}"
            )
        elif not torch.isfinite(found).all():
            faults.append(f"{name} isn't finite after one step")
    if after.step != before.step + 1:
        faults.append(f"the state counts {after.step} steps after one; use state.after(...)")
    return faults


def _check_purity(trial: _Trial) -> list[str]:
    support = trial.supports[0]
    watched: dict[str, Callable[[], list[Tensor | None]]] = {
        "the policy's parameters": lambda: list(trial.policy.parameters()),
        "its own parameters": lambda: list(trial.adapter.parameters()),
        "its own buffers": lambda: list(trial.adapter.buffers()),
        "the support set": lambda: [support.observations, support.actions, support.advantages],
        "the global random state": lambda: [torch.get_rng_state()],
    }
    before = {name: [_copy(one) for one in read()] for name, read in watched.items()}
    state = trial.start()
    given = {name: value.clone() for name, value in state.params.items()}
    first = trial.adapter.adapt(state, support)
    faults = [
        f"{name} changed"
        for name, read in watched.items()
        if not all(torch.equal(a, _copy(b)) for a, b in zip(before[name], read(), strict=True))
    ]
    if not _same(given, state.params):
        faults.append("the parameters given to it changed in place")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)
        again = trial.adapter.adapt(trial.start(), support)
    if not _same(first.params, again.params):
        faults.append("the same arguments give other parameters the second time")
    return faults


def _check_dependence(trial: _Trial) -> list[str]:
    support, after = trial.supports[0], trial.step()
    if _same(after.params, trial.start().params):
        return ["the parameters after a step are those before"]
    assert support.advantages is not None
    other = trial.step(replace(support, advantages=-support.advantages, rewards=-support.rewards))
    if _same(after.params, other.params):
        return ["better and worse actions exchanged, it gives the same parameters"]
    return []


def _check_padding(trial: _Trial) -> list[str]:
    support = trial.supports[0]
    assert support.advantages is not None
    outside = ~support.mask
    spoilt = replace(
        support,
        rewards=support.rewards + 1e3 * outside,
        advantages=support.advantages + 1e3 * outside,
        observations=support.observations + outside.unsqueeze(-1),
    )
    if _close(trial.step().params, trial.step(spoilt).params):
        return []
    return ["what stands outside the mask changes the result"]


def _check_empty(trial: _Trial) -> list[str]:
    support = trial.supports[0]
    try:
        trial.step(replace(support, mask=torch.zeros_like(support.mask)))
    except ConfigError:
        return []
    return ["a support set without any step isn't refused with a ConfigError"]


def _check_graph(trial: _Trial) -> list[str]:
    faults = []
    detached = trial.step()
    if any(value.requires_grad for value in detached.params.values()):
        faults.append("without create_graph the result still has a graph")
    meta_params = _leaves(trial.learner.meta_params())
    graphed = trial.learner.adapt(meta_params, trial.supports[:1], create_graph=True)
    if not any(value.requires_grad for value in graphed.params.values()):
        faults.append("with create_graph the result has no graph")
    if not _close(detached.params, graphed.params):
        faults.append("create_graph changes the values")
    return faults


def _check_meta_gradient(trial: _Trial) -> list[str]:
    """Directional derivatives against central differences, through two steps."""
    if trial.first_order:
        return []
    generator = torch.Generator().manual_seed(trial.seed + 1)
    meta_params = _leaves(trial.learner.meta_params())

    def objective(params: Params, *, create_graph: bool = False) -> Tensor:
        adapted = trial.learner.adapt(params, trial.supports, create_graph=create_graph)
        return torch.stack([value.sin().sum() for value in adapted.params.values()]).sum()

    value = objective(meta_params, create_graph=True)
    gradients: dict[str, Tensor | None] = dict(
        zip(
            meta_params,
            torch.autograd.grad(value, list(meta_params.values()), allow_unused=True),
            strict=True,
        )
    )
    faults = [
        f"{name} has no part in the result"
        for name, gradient in gradients.items()
        if gradient is None and name.startswith("adapter.")
    ]
    own = [name for name in meta_params if name.startswith("adapter.")]
    groups = {"policy": [n for n in meta_params if n not in own], "adapter": own}
    for group, names in groups.items():
        for _ in range(_DIRECTIONS if names else 0):
            direction = {
                name: torch.randn(meta_params[name].shape, generator=generator, dtype=torch.float64)
                for name in names
            }
            told = sum(
                float((gradient * direction[name]).sum())
                for name in names
                if (gradient := gradients[name]) is not None
            )
            ends = [
                objective(_moved(meta_params, direction, sign * _DIFFERENCE)).item()
                for sign in (1, -1)
            ]
            true = (ends[0] - ends[1]) / (2 * _DIFFERENCE)
            if abs(told - true) > _TOLERANCE * max(1.0, abs(true)):
                faults.append(
                    f"the meta-gradient of its {group} parameters says {told:.6g}, "
                    f"finite differences {true:.6g}"
                )
                break
    return faults


def _check_single_precision(trial: _Trial) -> list[str]:
    learner = trial.learner
    try:
        learner.float()
        support = trial.supports[0].to(dtype=torch.float32)
        after = trial.adapter.adapt(trial.start(), support)
        wrong = [n for n, value in after.params.items() if value.dtype != torch.float32]
    finally:
        learner.double()
    return [f"in single precision {name} comes out in another" for name in wrong]


_CHECKS = {
    "names, shapes and dtypes stay": _check_names,
    "pure and repeatable": _check_purity,
    "depends on the experience": _check_dependence,
    "padding doesn't count": _check_padding,
    "an empty support set is refused": _check_empty,
    "leaves a graph when asked, and only then": _check_graph,
    "the meta-gradient is the true one": _check_meta_gradient,
    "works in single precision": _check_single_precision,
}


def _leaves(params: Params) -> Params:
    return {name: value.detach().requires_grad_() for name, value in params.items()}


def _moved(params: Params, direction: Params, length: float) -> Params:
    return {
        name: value.detach() + length * direction[name] if name in direction else value.detach()
        for name, value in params.items()
    }


def _copy(tensor: Tensor | None) -> Tensor:
    return torch.zeros(0) if tensor is None else tensor.detach().clone()


def _same(left: Params, right: Params) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left)


def _close(left: Params, right: Params) -> bool:
    return all(torch.allclose(left[n], right[n], rtol=1e-9, atol=1e-12) for n in left)
