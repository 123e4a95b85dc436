"""Adapters: one inner-loop update rule per file."""

from .anil import ANILAdapter
from .boil import BOILAdapter
from .cavia import CAVIAAdapter, ContextPolicy
from .gradient import GradientAdapter
from .hypergradient import HypergradientAdapter
from .imaml import IMAMLAdapter
from .learned_optimiser import LearnedOptimiserAdapter
from .leo import LEOAdapter
from .lstm_meta_learner import LSTMMetaLearnerAdapter
from .meta_curvature import MetaCurvatureAdapter
from .meta_sgd import MetaSGDAdapter
from .meta_weight_net import MetaWeightNetAdapter

__all__ = [
    "ANILAdapter",
    "BOILAdapter",
    "CAVIAAdapter",
    "ContextPolicy",
    "GradientAdapter",
    "HypergradientAdapter",
    "IMAMLAdapter",
    "LEOAdapter",
    "LSTMMetaLearnerAdapter",
    "LearnedOptimiserAdapter",
    "MetaCurvatureAdapter",
    "MetaSGDAdapter",
    "MetaWeightNetAdapter",
]
