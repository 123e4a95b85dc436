"""Adapters: one inner-loop update rule per file."""

from .gradient import GradientAdapter

__all__ = ["GradientAdapter"]
