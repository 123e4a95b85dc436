"""Is a task distribution one that meta-learning can use?"""

from metarl.testing.task_distribution.check import check_benchmark, check_task_distribution
from metarl.testing.task_distribution.findings import KINDS, Finding, Report

__all__ = ["KINDS", "Finding", "Report", "check_benchmark", "check_task_distribution"]
