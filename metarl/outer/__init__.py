"""Outer steps: how the meta-parameters move, given an objective."""

from metarl.outer.step import Objective, OuterStep
from metarl.outer.trpo import TRPO

__all__ = ["TRPO", "Objective", "OuterStep"]
