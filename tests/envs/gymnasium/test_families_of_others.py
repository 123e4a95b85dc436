"""As a new user would: check and meta-train environments that we didn't write."""

import pytest

from metarl import cli
from metarl.testing import check_task_distribution

FAMILIES = ["pendulums", "reachers", "mazes"]


@pytest.mark.parametrize("name", FAMILIES)
def test_it_passes_every_check(name, capfd):
    import families_of_others

    benchmark = getattr(families_of_others, name).benchmark(max_episode_steps=20)
    report = check_task_distribution(benchmark.train, seconds=250)
    assert report.ok, "\n".join(map(str, report.findings))
    assert set(report.checks.values()) == {"passed"}


@pytest.mark.parametrize("name", FAMILIES)
def test_it_trains_and_is_evaluated_from_the_command_line(name, tmp_path, capfd):
    arguments = f"train maml --benchmark families_of_others:{name} --max-episode-steps 10"
    arguments += " --meta-batch-size 2 --episodes-per-task 2 --total-timesteps 161 --num-workers 0"
    assert cli.main([*arguments.split(), "--run", str(tmp_path / "run")]) == 0
    arguments = "--num-tasks 2 --adaptation-episodes 2 --num-adaptation-steps 1 --num-workers 0"
    assert cli.main(["evaluate", str(tmp_path / "run"), *arguments.split()]) == 0
    assert "iteration 3" in capfd.readouterr().out


@pytest.mark.slow
def test_a_puck_whose_friction_varies_passes_too(capfd):
    from families_of_others import pucks

    report = check_task_distribution(pucks.benchmark().train, seconds=250)
    assert report.ok, "\n".join(map(str, report.findings))
