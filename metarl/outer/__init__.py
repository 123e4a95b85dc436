"""Outer steps: how the meta-parameters move, given an objective."""

from metarl.outer.gradient import GradientDescent
from metarl.outer.reptile import Reptile
from metarl.outer.step import Objective, OuterStep
from metarl.outer.trpo import TRPO

__all__ = ["TRPO", "GradientDescent", "Objective", "OuterStep", "Reptile"]
