from pathlib import Path

import pytest

from metarl.cli.metrics import read_metrics
from metarl.errors import CheckpointError


def test_metrics_are_columns_of_numbers(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == {}
    (tmp_path / "metrics.csv").write_text("timesteps,post/return\n100,-2.5\n200,\n")
    found = read_metrics(tmp_path)
    assert found["timesteps"] == [100.0, 200.0]
    assert found["post/return"][0] == -2.5
    assert found["post/return"][1] != found["post/return"][1]
    for damaged in ("timesteps\n100,1,2\n", "timesteps\n" + "1" * 200_000 + "\n"):
        (tmp_path / "metrics.csv").write_text(damaged)
        with pytest.raises(CheckpointError):
            read_metrics(tmp_path)
