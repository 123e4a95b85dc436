"""CAVIA, fast context adaptation via meta-learning (Zintgraf et al. 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy, make_mlp_policy

from .adapters.cavia import CAVIAAdapter, ContextPolicy
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class CAVIAConfig(GradientInnerConfig):
    """Settings of CAVIA."""

    inner_lr: float = Field(
        default=1.0, ge=0, description="Step size in the context; 0 trains without adaptation."
    )
    context_size: int = Field(default=5, ge=1, description="Number of context parameters.")


class CAVIA(MetaPolicyGradient[CAVIAConfig]):
    """CAVIA, MAML that adapts only a context vector (Zintgraf et al. 2019)."""

    algorithm = "cavia"
    config_type = CAVIAConfig

    def make_policy(self, generator: torch.Generator) -> Policy:
        """An MLP over observation and context."""
        train, config = self.benchmark.train, self.config
        size = spaces.flatdim(train.observation_space) + config.context_size
        network = make_mlp_policy(
            spaces.Box(-np.inf, np.inf, (size,)),
            train.action_space,
            config.hidden_sizes,
            init_std=config.init_std,
            generator=generator,
        )
        return ContextPolicy(network, config.context_size)

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Gradient descent in the context."""
        return CAVIAAdapter(policy, self.config.rate(testing=testing), **common)
