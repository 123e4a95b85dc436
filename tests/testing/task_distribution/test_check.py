import json
import time

import numpy as np
import pytest

from broken_envs import (
    OTHERS,
    TWELVE,
    Buoys,
    LeakedTask,
    RegisteredOnce,
    SlowStep,
    SparseReward,
    Winds,
)
from broken_envs.sound import HORIZON
from metarl.envs import make_benchmark
from metarl.errors import ConfigError, UnknownNameError
from metarl.tasks import Benchmark
from metarl.testing import KINDS, check_benchmark, check_task_distribution


@pytest.mark.parametrize("broken", [*TWELVE, *OTHERS], ids=lambda broken: broken.__name__)
def test_each_fault_is_named_and_nothing_else_is(broken):
    seconds = 60 if broken is RegisteredOnce else 4  # starting a process may take some
    with np.errstate():  # one of them changes it
        report = check_task_distribution(broken(), seconds=seconds, call_seconds=0.5)
    assert report.codes == [{**TWELVE, **OTHERS}[broken]]
    assert not report.ok
    assert "failed" in report.checks.values()


def test_every_kind_of_fault_has_an_environment_here_and_says_why_and_what_to_do():
    assert {*TWELVE.values(), *OTHERS.values()} == set(KINDS)
    for kind in KINDS.values():
        assert kind.severity in ("error", "warning")
        assert kind.why.endswith(".")
        assert kind.fix.endswith(".")


def test_rows_that_end_at_different_times_are_sound():
    report = check_task_distribution(Buoys())
    assert report.ok, "\n".join(map(str, report.findings))


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_family_passes_every_check(seed):
    report = check_task_distribution(Winds(), seed=seed)
    assert report.ok, "\n".join(map(str, report.findings))
    assert set(report.checks.values()) == {"passed"}
    assert report.figures["share of episodes with a reward difference"] == 1.0
    assert report.figures["R2 of wind from reset observations"] < 0.1
    per_step, per_reset = (report.figures[f"milliseconds per {what}"] for what in ("step", "reset"))
    assert report.figures["steps per second"] == pytest.approx(1e3 / per_step)
    minutes = 400 * (HORIZON * per_step + per_reset) / 60e3
    assert report.figures["minutes per iteration of 20 tasks x 10 episodes"] == pytest.approx(
        minutes
    )


def test_families_of_our_own_pass():
    for report in check_benchmark(make_benchmark("navigation", max_episode_steps=20)).values():
        assert report.ok, "\n".join(map(str, report.findings))


def test_findings_say_where_with_numbers():
    report = check_task_distribution(LeakedTask())
    (finding,) = report.findings
    assert finding.severity == "warning"
    assert finding.what.startswith("wind (R2 1.00): predicted from the reset observations of 128")
    assert str(finding) == (
        f"warning: task-leak: {finding.what}\n"
        f"  why: {KINDS['task-leak'].why}\n  fix: {KINDS['task-leak'].fix}"
    )
    assert json.loads(json.dumps(report.to_json()))["findings"] == [
        {
            "code": "task-leak",
            "what": finding.what,
            "severity": "warning",
            "why": finding.why,
            "fix": finding.fix,
        }
    ]


def test_what_a_distribution_shows_on_purpose_is_no_leak():
    shown = LeakedTask()
    shown.observable_parameters = ("wind",)
    assert check_task_distribution(shown).ok
    shown.observable_parameters = ("win",)
    assert check_task_distribution(shown).codes == ["task-leak"]


def test_a_kind_of_fault_can_be_accepted():
    assert check_task_distribution(SparseReward(), ignore=["no-reward-difference"]).ok
    report = check_task_distribution(SparseReward(), ignore=["task-leak"])
    assert report.codes == ["no-reward-difference"]
    with pytest.raises(UnknownNameError, match="ignore: unknown name 'task-leek'; did you mean"):
        check_task_distribution(Winds(), ignore=["task-leek"])


def test_the_time_given_is_kept_and_what_did_not_fit_is_said():
    began = time.monotonic()
    report = check_task_distribution(SlowStep(), seconds=0.5)
    assert time.monotonic() - began < 10  # generous: a busy machine must not fail a test
    assert report.codes == ["slow-step"]
    assert "not checked" in report.checks.values()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seconds": 0}, "seconds: got 0; must be above 0"),
        ({"call_seconds": -1}, "call_seconds: got -1; must be above 0"),
        ({"seed": -1}, "seed: got -1; must be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        check_task_distribution(Winds(), **settings)


def test_a_benchmark_reports_each_fault_once_and_sides_that_do_not_fit():
    leaked = Benchmark("leaked", LeakedTask(), LeakedTask(), seed=0, settings={})
    reports = check_benchmark(leaked)
    assert reports["train"].codes == ["task-leak"]
    assert reports["test"].ok
    longer = Winds()
    longer.max_episode_steps = HORIZON - 5
    uneven = Benchmark("uneven", Winds(), longer, seed=0, settings={})
    assert check_benchmark(uneven)["test"].codes == ["endless-episode", "spaces-differ"]
    alone = Benchmark("alone", Winds(), None, seed=0, settings={})
    assert check_benchmark(alone).keys() == {"train"}
