"""LEO, latent embedding optimisation (Rusu et al. 2019); its form here: :mod:`.adapters.leo`."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.leo import LEOAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import MetaPolicyGradientConfig


class LEOConfig(MetaPolicyGradientConfig):
    """Settings of LEO."""

    latent_size: int = Field(default=16, ge=1, description="Size of the latent.")
    latent_lr: float = Field(
        default=0.1, ge=0, description="Initial step size in latent space; learned."
    )
    latent_steps: int = Field(
        default=1, ge=1, description="Gradient steps in latent space on each support set."
    )
    finetuning_lr: float = Field(
        default=0.1, ge=0, description="Initial step size in parameter space; learned."
    )
    encoder_size: int = Field(default=32, ge=1, description="Units of the encoder's layers.")


class LEO(MetaPolicyGradient[LEOConfig]):
    """LEO, latent embedding optimisation (Rusu et al. 2019)."""

    algorithm = "leo"
    config_type = LEOConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Encode, descend in latent space, decode, fine-tune; in training and after it."""
        del testing  # learned rates are those of training
        train, config = self.benchmark.train, self.config
        return LEOAdapter(
            policy,
            observation_dim=spaces.flatdim(train.observation_space),
            action_dim=spaces.flatdim(train.action_space),
            latent_size=config.latent_size,
            latent_lr=config.latent_lr,
            latent_steps=config.latent_steps,
            finetuning_lr=config.finetuning_lr,
            encoder_size=config.encoder_size,
            generator=self._adapter_generator(),
            **common,
        )
