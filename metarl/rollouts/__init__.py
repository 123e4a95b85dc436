"""The rollout engine: whole episodes, collected anywhere, the same bits everywhere."""

from metarl.rollouts.engine import RolloutEngine
from metarl.rollouts.executors import (
    DEFAULT_WORKER_TIMEOUT,
    Executor,
    ProcessExecutor,
    SerialExecutor,
)
from metarl.rollouts.jobs import Job, JobResult

__all__ = [
    "DEFAULT_WORKER_TIMEOUT",
    "Executor",
    "Job",
    "JobResult",
    "ProcessExecutor",
    "RolloutEngine",
    "SerialExecutor",
]
