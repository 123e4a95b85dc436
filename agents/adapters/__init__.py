"""Adapters: one inner-loop update rule per file."""

from .anil import ANILAdapter
from .boil import BOILAdapter
from .cavia import CAVIAAdapter, ContextPolicy
from .gradient import GradientAdapter
from .leo import LEOAdapter
from .meta_curvature import MetaCurvatureAdapter
from .meta_sgd import MetaSGDAdapter

__all__ = [
    "ANILAdapter",
    "BOILAdapter",
    "CAVIAAdapter",
    "ContextPolicy",
    "GradientAdapter",
    "LEOAdapter",
    "MetaCurvatureAdapter",
    "MetaSGDAdapter",
]
