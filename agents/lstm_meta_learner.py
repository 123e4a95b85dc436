"""LSTM meta-learner (Ravi and Larochelle 2017): see :mod:`.adapters.lstm_meta_learner`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.lstm_meta_learner import LSTMMetaLearnerAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import MetaPolicyGradientConfig


class LSTMMetaLearnerConfig(MetaPolicyGradientConfig):
    """Settings of the LSTM meta-learner."""

    inner_lr: float = Field(default=0.1, gt=0, lt=1, description="Input gate at the start.")
    initial_forget: float = Field(
        default=0.9999, gt=0, lt=1, description="Forget gate at the start; below 1 weights decay."
    )
    hidden_size: int = Field(default=20, ge=1, description="Units of the LSTM.")
    first_order: bool = Field(
        default=False, description="Drop second derivatives, as the paper does."
    )


class LSTMMetaLearner(MetaPolicyGradient[LSTMMetaLearnerConfig]):
    """LSTM meta-learner, gates learned for gradient descent (Ravi and Larochelle 2017)."""

    algorithm = "lstm-meta-learner"
    config_type = LSTMMetaLearnerConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """The same learned rule in training and after it."""
        del testing
        return LSTMMetaLearnerAdapter(
            policy,
            self.config.inner_lr,
            initial_forget=self.config.initial_forget,
            hidden_size=self.config.hidden_size,
            first_order=self.config.first_order,
            generator=self._adapter_generator(),
            **common,
        )
