"""Results to compare with."""

import pytest

from metarl.rollouts import JobResult, SerialExecutor
from stub_envs import StubTasks
from tests.rollouts.stub_jobs import JOBS, POLICY


@pytest.fixture(scope="session")
def expected() -> list[JobResult]:
    """Each job run alone, in an executor of its own."""
    results = []
    for job in JOBS:
        with SerialExecutor(StubTasks(), POLICY) as executor:
            results += executor.run([job])
    return results
