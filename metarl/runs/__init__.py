"""The run folder: everything about one training run, in one place, whatever happens to the run."""

from metarl.runs.folder import RunFolder
from metarl.runs.recorder import OnDiskError, RunRecorder
from metarl.runs.resuming import resume
from metarl.runs.retention import BestBy, Retention
from metarl.runs.versions import PACKAGES

__all__ = [
    "PACKAGES",
    "BestBy",
    "OnDiskError",
    "Retention",
    "RunFolder",
    "RunRecorder",
    "resume",
]
