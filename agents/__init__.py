"""Meta-RL agents: one algorithm per file."""

from typing import Any

from .anil import ANIL, ANILConfig
from .boil import BOIL, BOILConfig
from .cavia import CAVIA, CAVIAConfig
from .emaml import EMAML, EMAMLConfig
from .follow_the_meta_leader import FollowTheMetaLeader, FollowTheMetaLeaderConfig
from .fomaml import FOMAML, FOMAMLConfig
from .hypergradient import Hypergradient, HypergradientConfig
from .imaml import IMAML, IMAMLConfig
from .learned_optimiser import LearnedOptimiser, LearnedOptimiserConfig
from .leo import LEO, LEOConfig
from .lstm_meta_learner import LSTMMetaLearner, LSTMMetaLearnerConfig
from .maml import MAML, MAMLConfig
from .meta_curvature import MetaCurvature, MetaCurvatureConfig
from .meta_policy_gradient import MetaPolicyGradient
from .meta_sgd import MetaSGD, MetaSGDConfig
from .meta_weight_net import MetaWeightNet, MetaWeightNetConfig
from .promp import ProMP, ProMPConfig
from .reptile import Reptile, ReptileConfig

ALGORITHMS: dict[str, type[MetaPolicyGradient[Any]]] = {
    agent.algorithm: agent
    for agent in (
        MAML,
        FOMAML,
        Reptile,
        ProMP,
        EMAML,
        ANIL,
        BOIL,
        MetaSGD,
        MetaCurvature,
        CAVIA,
        LEO,
        LSTMMetaLearner,
        LearnedOptimiser,
        MetaWeightNet,
        Hypergradient,
        IMAML,
        FollowTheMetaLeader,
    )
}
"""Every agent by its name on the command line and in checkpoints."""

__all__ = [
    "ALGORITHMS",
    "ANIL",
    "BOIL",
    "CAVIA",
    "EMAML",
    "FOMAML",
    "IMAML",
    "LEO",
    "MAML",
    "ANILConfig",
    "BOILConfig",
    "CAVIAConfig",
    "EMAMLConfig",
    "FOMAMLConfig",
    "FollowTheMetaLeader",
    "FollowTheMetaLeaderConfig",
    "Hypergradient",
    "HypergradientConfig",
    "IMAMLConfig",
    "LEOConfig",
    "LSTMMetaLearner",
    "LSTMMetaLearnerConfig",
    "LearnedOptimiser",
    "LearnedOptimiserConfig",
    "MAMLConfig",
    "MetaCurvature",
    "MetaCurvatureConfig",
    "MetaPolicyGradient",
    "MetaSGD",
    "MetaSGDConfig",
    "MetaWeightNet",
    "MetaWeightNetConfig",
    "ProMP",
    "ProMPConfig",
    "Reptile",
    "ReptileConfig",
]
