"""Learned numbers that belong to one parameter of the policy each."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from metarl.types import Params


class ByParameter(nn.Module):
    """Meta-parameters under the names of the policy's parameters.

    PyTorch takes no dots in the name of a parameter; here ``network.0.weight`` is registered as
    ``network/0/weight``.

    Args:
        values: Initial values by name of the policy's parameter.
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._registered = {name: name.replace(".", "/") for name in values}
        for name, value in values.items():
            self.register_parameter(self._registered[name], nn.Parameter(value.detach().clone()))

    def named(self) -> Params:
        """The values by name of the policy's parameter."""
        return {name: getattr(self, own) for name, own in self._registered.items()}
