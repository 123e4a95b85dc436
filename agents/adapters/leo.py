"""LEO: adaptation in a small latent space that decodes to parameters (Rusu et al. 2019).

Algorithm 1 of the paper, one task: encode the support set to a latent ``z``, move ``z`` down the
inner loss of the parameters that it decodes to, then fine-tune those parameters themselves.
Made for classification, it needs some choices in reinforcement learning:

* The decoded parameters are the policy's head, as the paper's are its classifier's last layer; but
  the body below is meta-learned here too, not pre-trained.
* The policy has to act before there is anything to encode. ``z = 0`` is the prior, and the decoder
  is linear, as in the authors' code, with the policy's own initial head as its constant:
  ``head = head_0 + D z``. So experience before adaptation is that of an ordinary policy, and since
  ``D z`` is linear, only the change of ``z`` in a step matters: no latent has to be carried from
  step to step.
* The support set is encoded in the first step only. Later steps descend from where it led.
* The relation network compares all pairs of examples; with thousands of steps it is a mean of
  features over steps, each seen with its advantage.
* Encoder and decoder give their means instead of samples: exploration is the policy's. With that
  the KL term of the latent has no meaning and is left out; so are the other penalties (encoder
  mismatch, orthogonal decoder). What holds the update back is the trust region of the outer step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from metarl.adaptation import AdaptationState, Adapter, gradient_step, inner_gradient
from metarl.losses import advantages_of
from metarl.policies import Policy
from metarl.types import Params, Trajectories

from .by_parameter import ByParameter


class LEOAdapter(Adapter):
    """Encode, descend in latent space, decode, fine-tune; see the module.

    All of encoder, decoder and rates (one for the latent, one for each fine-tuned parameter) are
    meta-parameters.

    Args:
        policy: Structure of the policy, one with ``head_names``.
        observation_dim: ``O``, flattened.
        action_dim: ``A``, flattened (one-hot for discrete actions).
        latent_size: ``L``, size of the latent.
        latent_lr: Initial step size in latent space.
        latent_steps: Gradient steps in latent space, on one support set.
        finetuning_lr: Initial step size in parameter space.
        encoder_size: Units of the encoder's layers.
        generator: Source of the initial weights.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.

    Raises:
        ConfigError: If the policy doesn't tell head from body.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        observation_dim: int,
        action_dim: int,
        latent_size: int = 16,
        latent_lr: float = 0.1,
        latent_steps: int = 1,
        finetuning_lr: float = 0.1,
        encoder_size: int = 32,
        generator: torch.Generator | None = None,
        **common: Any,
    ) -> None:
        super().__init__(policy, **common)
        self.latent_steps = latent_steps
        self.encoder = StepEncoder(
            observation_dim, action_dim, encoder_size, latent_size, generator
        )
        head = {name: v for name, v in policy.params().items() if name in policy.head_names}
        # Variance 1/L: a step in the latent is, on average, as long as one in the head itself.
        self.decoder = ByParameter(
            {
                name: latent_size**-0.5
                * torch.randn(*value.shape, latent_size, generator=generator).to(value)
                for name, value in head.items()
            }
        )
        self.latent_lr = nn.Parameter(torch.tensor(latent_lr))
        self.rates = ByParameter({n: torch.full_like(v, finetuning_lr) for n, v in head.items()})

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one step: first in latent space, then in parameter space."""
        scale = self.scale(state.step)
        latent = self.encoder(support)
        if state.step > 0:
            latent = torch.zeros_like(latent)
        if not latent.requires_grad:
            latent = latent.detach().requires_grad_()
        for _ in range(self.latent_steps):
            loss = self.loss(self.policy, self.decode(state.params, latent), support)
            slope = inner_gradient({"z": latent}, loss, ["z"], create_graph=create_graph)
            latent = latent - scale * self.latent_lr * slope["z"]
        params = self.decode(state.params, latent)
        rates = {name: scale * rate for name, rate in self.rates.named().items()}
        loss = self.loss(self.policy, params, support)
        return state.after(gradient_step(params, loss, rates, create_graph=create_graph))

    def decode(self, params: Params, latent: Tensor) -> Params:
        """Adds to the head what a latent ``[L]`` stands for."""
        decoder = self.decoder.named()
        return params | {name: params[name] + D @ latent for name, D in decoder.items()}


class StepEncoder(nn.Module):
    """Summary of a support set: ``z = W mean_t h(s_t, a_t, A_t)``, ``h`` a tanh network.

    It doesn't depend on the order of steps and episodes. ``W`` starts at zero, so that training
    starts from latent gradient descent alone.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        hidden_size: int,
        latent_size: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.action_dim = action_dim
        self.features = nn.Sequential(
            nn.Linear(observation_dim + action_dim + 1, hidden_size),
            nn.Tanh(),
            nn.Linear(hidden_size, hidden_size),
            nn.Tanh(),
        )
        self.latent = nn.Linear(hidden_size, latent_size, bias=False)
        for layer in self.features:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.latent.weight)

    def forward(self, support: Trajectories) -> Tensor:
        """Returns the latent, ``[L]``."""
        actions = support.actions
        if actions.ndim == support.mask.ndim:  # discrete
            actions = one_hot(actions.long(), self.action_dim)
        steps = torch.cat(
            [support.observations, actions, advantages_of(support).unsqueeze(-1)], dim=-1
        )
        features = self.features(steps)
        weights = support.mask.unsqueeze(-1)
        mean = (features * weights).sum(dim=(0, 1, 2)) / weights.sum()
        latent: Tensor = self.latent(mean)
        return latent
