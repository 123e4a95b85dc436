"""The distribution works in a process that has imported nothing, as workers have."""

from __future__ import annotations

import subprocess
import sys

import cloudpickle

from metarl.testing.task_distribution.context import Context, SkippedError
from metarl.testing.task_distribution.findings import Finding
from metarl.testing.task_distribution.player import OutOfTimeError

# As rollouts start their workers: the same path, and nothing imported.
_START = """
import pickle, sys
sys.path[:] = {path!r}
distribution, task = pickle.load(sys.stdin.buffer)
distribution.make_env(task).close()
"""


def check_new_process(context: Context) -> list[Finding]:
    """A copy of the distribution makes an environment in a new process.

    What the parent's own modules did on import (registering an id, filling a table) isn't there.
    """
    if any(finding.severity == "error" for finding in context.report.findings):
        raise SkippedError  # starting a process takes seconds
    seconds = context.player.seconds_left
    if seconds <= 0:
        raise OutOfTimeError
    try:
        ended = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", _START.format(path=sys.path)],
            input=cloudpickle.dumps((context.distribution, context.tasks[0])),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OutOfTimeError from None
    if ended.returncode == 0:
        return []
    lines = ended.stderr.decode(errors="replace").strip().splitlines() or [
        f"exit status {ended.returncode}"
    ]
    what = f"in a new process, make_env({context.tasks[0]!r}) fails: {lines[-1]}"
    return [Finding("lost-in-worker", what)]
