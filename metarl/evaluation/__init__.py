"""The evaluation harness: a protocol without bias, raw rows, and what is computed from them."""

from metarl.evaluation.evaluator import evaluate
from metarl.evaluation.protocol import PRESETS, EvaluationProtocol
from metarl.evaluation.result import Evaluation, EvaluationHeader
from metarl.evaluation.rows import EvaluationRow
from metarl.evaluation.statistics import Estimate
from metarl.evaluation.summary import StepSummary, summarise

__all__ = [
    "PRESETS",
    "Estimate",
    "Evaluation",
    "EvaluationHeader",
    "EvaluationProtocol",
    "EvaluationRow",
    "StepSummary",
    "evaluate",
    "summarise",
]
