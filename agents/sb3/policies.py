"""Policies from Stable-Baselines3 and to it: the same numbers under other names.

Stable-Baselines3's ``MlpPolicy`` with tanh layers is, but for its value network, the policy of
:mod:`metarl.policies`: hidden layers ``mlp_extractor.policy_net``, output layer ``action_net``, and
a log standard deviation per action dimension. What one side learned, the other can go on from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.distributions import (
    CategoricalDistribution,
    DiagGaussianDistribution,
)
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.type_aliases import GymEnv
from torch import Tensor, nn

from metarl.adapted_policy import AdaptedPolicy
from metarl.errors import ConfigError
from metarl.policies import CategoricalMLPPolicy, GaussianMLPPolicy, Policy
from metarl.types import Params

_FIXED = {"activation_fn", "features_extractor_class", "use_sde", "squash_output"}
"""What of ``policy_kwargs`` the adapted policy decides."""


def import_params(model: OnPolicyAlgorithm) -> Params:
    """Reads the parameters of a policy trained with Stable-Baselines3.

    They fit an agent whose ``hidden_sizes`` are the model's: ``net_arch``, (64, 64) by default.

    Args:
        model: A PPO, A2C or other actor-critic with ``MlpPolicy`` and tanh layers. Its value
            network is left behind.

    Returns:
        Parameters under the names of :class:`metarl.policies.GaussianMLPPolicy` (or of the
        categorical one).

    Raises:
        ConfigError: If the model's policy is of another kind; names what differs.

    Example:
        >>> from stable_baselines3 import PPO
        >>> from metarl.agents import MAML
        >>> model = PPO("MlpPolicy", env).learn(100_000)  # doctest: +SKIP
        >>> agent = MAML(benchmark)  # doctest: +SKIP
        >>> agent.set_initial_params(import_params(model))  # doctest: +SKIP
    """
    policy = model.policy
    if not isinstance(policy, ActorCriticPolicy):
        raise ConfigError(
            f"model: got {type(model).__name__} with {type(policy).__name__}; must be an "
            "actor-critic with MlpPolicy, such as PPO or A2C."
        )
    _check_kind(policy)
    params = {}
    for index, layer in enumerate(_actor_layers(policy)):
        params[f"network.{2 * index}.weight"] = layer.weight
        params[f"network.{2 * index}.bias"] = layer.bias
    if isinstance(policy.action_dist, DiagGaussianDistribution):
        params["log_std"] = policy.log_std
    return {name: value.detach().cpu().clone() for name, value in params.items()}


def export_ppo(policy: AdaptedPolicy, env: GymEnv, **settings: Any) -> PPO:
    """Makes a Stable-Baselines3 PPO that acts by an adapted policy and can go on learning.

    Before its first ``learn()`` its deterministic actions are the policy's, to the bit. Its value
    network is new, so the first updates rest on a poor baseline: with PPO's usual step size the
    policy may lose some of its return before it gains.

    Args:
        policy: What ``agent.adapt`` returned.
        env: Where PPO is to learn: an environment of the task, or a ``VecEnv``.
        **settings: Further arguments of PPO. ``policy_kwargs`` may hold anything but the policy
            network's shape; ``net_arch={"vf": [...]}`` gives the value network's.

    Raises:
        ConfigError: If Stable-Baselines3 has no such policy or observation, or the environment's
            spaces aren't the policy's.
    """
    source = policy.policy
    if not isinstance(source, GaussianMLPPolicy | CategoricalMLPPolicy):
        raise ConfigError(
            f"policy: got {type(source).__name__}; PPO's MlpPolicy can take over an MLP policy."
        )
    hidden = [layer.out_features for layer in _linear_layers(source.network)[:-1]]
    policy_kwargs = dict(settings.pop("policy_kwargs", None) or {})
    net_arch = policy_kwargs.pop("net_arch", {})
    fixed = sorted(_FIXED & policy_kwargs.keys())
    if fixed or not isinstance(net_arch, Mapping) or net_arch.keys() - {"vf"}:
        raise ConfigError(
            f"policy_kwargs: got {', '.join(fixed) or f'net_arch={net_arch}'}; the network is the "
            "adapted policy's, and only net_arch={'vf': [...]} can be chosen."
        )
    for name, ours, theirs in (
        ("observation_space", policy.observation_space, env.observation_space),
        ("action_space", policy.action_space, env.action_space),
    ):
        if ours != theirs:
            raise ConfigError(f"env: {name} is {theirs}; the policy's is {ours}.")
    _check_spaces(policy)
    model = PPO(
        "MlpPolicy",
        env,
        policy_kwargs={
            **policy_kwargs,
            "net_arch": {"pi": hidden, "vf": list(net_arch.get("vf", hidden))},
            "activation_fn": nn.Tanh,
        },
        **{"device": "cpu", **settings},
    )
    _copy_into(model.policy, source, policy.params)
    return model


def _check_kind(policy: ActorCriticPolicy) -> None:
    if not isinstance(policy.action_dist, DiagGaussianDistribution | CategoricalDistribution):
        raise ConfigError(
            f"model: its action distribution is {type(policy.action_dist).__name__}; must be a "
            "diagonal Gaussian or a categorical one."
        )
    extractor = policy.features_extractor
    if not isinstance(extractor, FlattenExtractor) or is_image_space(policy.observation_space):
        raise ConfigError(
            f"model: its features come from {type(extractor).__name__} on "
            f"{policy.observation_space}; must be flattened observations (MlpPolicy)."
        )
    kinds = {type(layer) for layer in policy.mlp_extractor.policy_net}
    if kinds - {nn.Linear, nn.Tanh}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds - {nn.Linear}))
        raise ConfigError(
            f"model: its policy network has {found}; must be tanh "
            "(policy_kwargs={'activation_fn': torch.nn.Tanh}, PPO's default)."
        )


def _check_spaces(policy: AdaptedPolicy) -> None:
    observations, actions = policy.observation_space, policy.action_space
    flat = isinstance(observations, spaces.Box) and not is_image_space(observations)
    if not flat and not (isinstance(observations, spaces.Discrete) and observations.start == 0):
        raise ConfigError(
            f"observation_space: got {observations}; MlpPolicy reads vectors (Box), or Discrete "
            "from 0, as ours does."
        )
    if isinstance(actions, spaces.Discrete) and actions.start != 0:
        raise ConfigError(f"action_space: got {actions}; Stable-Baselines3 counts actions from 0.")


def _copy_into(target: ActorCriticPolicy, source: Policy, params: Params) -> None:
    with torch.no_grad():
        for index, layer in enumerate(_actor_layers(target)):
            layer.weight.copy_(params[f"network.{2 * index}.weight"])
            layer.bias.copy_(params[f"network.{2 * index}.bias"])
        if isinstance(source, GaussianMLPPolicy):
            log_std: Tensor = params["log_std"].clamp(min=source.min_log_std)
            target.log_std.copy_(log_std)


def _actor_layers(policy: ActorCriticPolicy) -> list[nn.Linear]:
    """The layers from observation to action; ours are numbered in the same order."""
    assert isinstance(policy.action_net, nn.Linear)
    return [*_linear_layers(policy.mlp_extractor.policy_net), policy.action_net]


def _linear_layers(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.children() if isinstance(layer, nn.Linear)]
