import numpy as np
import pytest

from metarl.runs.memory import peak_memory_mib


def test_the_peak_grows_by_what_is_taken_and_stays():
    before = peak_memory_mib()
    if before is None:
        pytest.skip("this platform doesn't tell")
    taken = np.ones(int(before + 64) * 2**17)  # 8 bytes each: more than there was
    during = peak_memory_mib()
    assert during > before + 60
    del taken
    assert peak_memory_mib() >= during
