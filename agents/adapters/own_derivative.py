"""Values whose derivative autograd is told, instead of recording how they were computed.

What a long inner loop leads to has a derivative that can be had without its graph. Here a tensor is
attached to the tensors that it is a function of by two linear maps: the Jacobian's transpose, which
gives gradients, and the Jacobian, which gives Gauss-Newton products (the Fisher product of TRPO).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class Jacobian(ABC):
    """The derivative ``J`` of one tensor in several, where they stand."""

    @abstractmethod
    def pullback(self, u: Tensor) -> tuple[Tensor, ...]:
        """``J^T u``: one tensor for each input, in its shape."""

    @abstractmethod
    def pushforward(self, *v: Tensor) -> Tensor:
        """``J v``, for a direction in each input."""


def with_jacobian(value: Tensor, inputs: tuple[Tensor, ...], jacobian: Jacobian) -> Tensor:
    """Returns ``value`` as a function of ``inputs`` whose derivative is ``jacobian``.

    The gradient can itself be differentiated in the direction that it pulls back, as a
    Gauss-Newton product does. The derivative of ``J`` in the inputs is left out, so that a second
    derivative is right only where what follows ``value`` has no slope, as a KL divergence hasn't
    at the old parameters.
    """
    attached: Tensor = _Value.apply(jacobian, value.detach(), *inputs)  # type: ignore[no-untyped-call]
    return attached


class _Value(Function):
    @staticmethod
    def forward(ctx: Any, jacobian: Jacobian, value: Tensor, *_: Tensor) -> Tensor:
        ctx.jacobian = jacobian
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (u,) = grad_outputs
        pulled = _Pullback.apply(ctx.jacobian, u)  # type: ignore[no-untyped-call]
        return None, None, *pulled


class _Pullback(Function):
    @staticmethod
    def forward(ctx: Any, jacobian: Jacobian, u: Tensor) -> tuple[Tensor, ...]:
        ctx.jacobian = jacobian
        return jacobian.pullback(u)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - by the decorator
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        return None, ctx.jacobian.pushforward(*grad_outputs)
