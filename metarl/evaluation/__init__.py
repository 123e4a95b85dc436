"""The evaluation harness: a protocol without bias, raw rows, and what is computed from them."""

from metarl.evaluation.protocol import evaluate
from metarl.evaluation.result import Estimate, Evaluation, EvaluationRow, StepSummary

__all__ = ["Estimate", "Evaluation", "EvaluationRow", "StepSummary", "evaluate"]
