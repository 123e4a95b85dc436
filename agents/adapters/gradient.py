"""Plain gradient descent on the inner loss: the adapter of MAML (Finn et al. 2017)."""

from __future__ import annotations

from metarl.adaptation import Adapter, gradient_step
from metarl.losses import Loss, ratio_loss
from metarl.policies import Policy
from metarl.types import Params, Trajectories


class GradientAdapter(Adapter):
    """``params - inner_lr * gradient``, for every parameter of the policy.

    Args:
        policy: Structure of the policy.
        inner_lr: Step size of the inner loop.
        loss: Inner loss.
        first_order: Whether to treat the inner gradient as a constant (FOMAML): the outer gradient
            then lacks the term with the inner loss's Hessian.
        trained_steps: Steps that the outer loop trains; from there on, steps are ``later_scale``
            as long.
        later_scale: See ``trained_steps``. Finn et al. (2017, appendix A.2) halve the rate of
            steps beyond the first.
    """

    def __init__(
        self,
        policy: Policy,
        inner_lr: float,
        *,
        loss: Loss = ratio_loss,
        first_order: bool = False,
        trained_steps: int = 1,
        later_scale: float = 1.0,
    ) -> None:
        super().__init__()
        # Not a submodule: the policy's parameters are the meta-learner's, not the adapter's.
        object.__setattr__(self, "policy", policy)
        self.policy: Policy
        self.inner_lr = inner_lr
        self.loss = loss
        self.first_order = first_order
        self.trained_steps = trained_steps
        self.later_scale = later_scale

    def adapt(
        self, params: Params, support: Trajectories, *, step: int = 0, create_graph: bool = False
    ) -> Params:
        """Takes one gradient step."""
        rate = self.inner_lr * (1.0 if step < self.trained_steps else self.later_scale)
        second_order = create_graph and not self.first_order
        if not create_graph:
            params = {name: value.detach().requires_grad_() for name, value in params.items()}
        loss = self.loss(self.policy, params, support)
        adapted = gradient_step(
            params, loss, dict.fromkeys(params, rate), create_graph=second_order
        )
        if not create_graph:
            adapted = {name: value.detach() for name, value in adapted.items()}
        return adapted
