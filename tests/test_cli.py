import csv
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from metarl import cli
from metarl.agents import MAML, MAMLConfig
from metarl.cli import config_type, load_run, main
from metarl.envs import BENCHMARKS
from metarl.evaluation import Evaluation, EvaluationProtocol
from metarl.evaluation.controls import UNKNOWN
from metarl.evaluation.tables import number

TINY = [
    *("train", "maml", "--benchmark", "navigation", "--max-episode-steps", "6"),
    *("--meta-batch-size", "3", "--episodes-per-task", "2", "--hidden-sizes", "4"),
    *("--num-workers", "0"),
]
ITERATION = 3 * 2 * 6 * 2
"""Environment steps of one iteration with these settings."""


def run_main(*arguments: object) -> object:
    """The exit code, whether returned or raised."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        return leaving.code


def plain(text: str) -> str:
    """Text without frames and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─•]", " ", text).split())


def refused(capsys, *arguments: object) -> str:
    """What a command that is refused says; its exit code must be 2."""
    assert run_main(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return plain(captured.err)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of three iterations; don't change it."""
    path = tmp_path_factory.mktemp("runs") / "run"
    assert run_main(*TINY, "--total-timesteps", 3 * ITERATION, "--run", path) == 0
    return path


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def change_config(run: Path, **changes: object) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | changes))


def newest_checkpoint(run: Path) -> Path:
    return max((run / "checkpoints").iterdir())


def test_version(capsys):
    assert run_main("--version") == 0
    assert capsys.readouterr().out == f"metarl {version('metarl')}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["train", "evaluate", "tasks", "held-out tasks"]),
        (["train", "--help"], ["maml", "Meta-train a policy with MAML-TRPO"]),
        (["train", "maml", "--help"], ["--benchmark", "--run", "Ctrl-C", "Example: metarl train"]),
        (
            ["evaluate", "--help"],
            ["PATH", "--num-adaptation-steps", "--preset", "--controls", "rows.csv"],
        ),
        (["tasks", "--help"], ["List the benchmarks"]),
    ],
)
def test_help_is_there_at_every_level(capsys, arguments, words):
    assert run_main(*arguments) == 0
    text = plain(capsys.readouterr().out)
    assert all(word in text for word in words)


def test_help_of_training_shows_every_setting_with_its_description(capsys):
    assert run_main("train", "maml", "--help") == 0
    text = plain(capsys.readouterr().out)
    fields = {**config_type(MAML).model_fields, **MAMLConfig.model_fields}
    fields.pop("agent")
    assert len(fields) > 20
    for name, field in fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert field.description, name
        assert field.description in text, name


@pytest.mark.parametrize("name", ["evaluate", "compare", "card"])
def test_help_describes_every_option(capsys, name):
    assert run_main(name, "--help") == 0
    text = plain(capsys.readouterr().out)
    command = cli.COMMANDS[name]
    arguments = (inspect.getdoc(command) or "").partition("Args:\n")[2]
    described = [plain(one) for one in re.split(r"^    (?=\w)", arguments, flags=re.MULTILINE)[1:]]
    names = [one.partition(": ")[0] for one in described]
    assert names == list(inspect.signature(command).parameters)
    for one in described:
        assert one.partition(": ")[2] in text, one


def test_tasks_lists_every_benchmark_and_family(capsys):
    assert run_main("tasks") == 0
    text = capsys.readouterr().out
    for entry in BENCHMARKS:
        assert entry.name in text
        assert all(family in text for family in entry.families)
    assert "one of 50:" in text


def test_training_leaves_a_whole_run_folder(trained):
    assert {path.name for path in trained.iterdir()} == {
        "config.yaml",
        "manifest.json",
        "versions.json",
        "metrics.csv",
        "history.jsonl",
        "checkpoints.json",
        "tensorboard",
        "checkpoints",
    }
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["benchmark"] == "navigation"
    assert config["max_episode_steps"] == 6
    assert config["agent"]["meta_batch_size"] == 3
    assert MAMLConfig(**config["agent"]).hidden_sizes == (4,)
    assert json.loads((trained / "manifest.json").read_text())["benchmark"] == "navigation"
    with (trained / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["iteration"]) for row in rows] == [1, 2, 3]
    assert [int(row["timesteps"]) for row in rows] == [ITERATION, 2 * ITERATION, 3 * ITERATION]
    assert {path.name for path in (trained / "checkpoints").iterdir()} == {
        "iteration-000001",
        "iteration-000002",
        "iteration-000003",
    }
    assert list((trained / "tensorboard").iterdir())


def test_training_says_what_it_does_in_lines_that_can_be_copied(capsys, tmp_path):
    run = tmp_path / "a folder with a [bold]long[/] name, longer than a line of a terminal is"
    assert run_main(*TINY, "--total-timesteps", 1, "--run", run) == 0
    captured = capsys.readouterr()
    forecast, folder, done, following = captured.out.splitlines()
    assert re.match(r"1 iterations of 72 steps: about 0 s of simulation", forecast)
    assert folder == f"run folder: {run}"
    assert done == f"done: 72 steps; checkpoint: {run / 'checkpoints' / 'iteration-000001'}"
    assert following == f"next: metarl evaluate {run}"
    assert re.match(r"iteration 1, 72 steps, return -\d", captured.err)


def test_a_run_is_named_after_benchmark_algorithm_and_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_main(*TINY, "--total-timesteps", 1, "--seed", 7) == 0
    assert (tmp_path / "runs" / "navigation-maml-seed7" / "config.yaml").exists()


def test_settings_of_the_command_line_reach_the_agent(tmp_path):
    settings = {"inner_lr": 0.25, "num_inner_steps": 2, "inner_loss": "log_prob", "gamma": 0.5}
    flags = [text for k, v in settings.items() for text in (f"--{k.replace('_', '-')}", str(v))]
    run = tmp_path / "run"
    arguments = [*TINY, "--total-timesteps", 1, "--run", run, "--seed", 3, "--first-order"]
    assert run_main(*arguments, *flags) == 0
    agent = load_run(run)
    assert agent.seed == 3
    assert agent.config == MAMLConfig(
        meta_batch_size=3, episodes_per_task=2, hidden_sizes=(4,), first_order=True, **settings
    )


def test_evaluation_follows_training(run, capsys):
    arguments = ("--num-adaptation-steps", 2, "--num-tasks", 5, "--num-workers", 0)
    assert run_main("evaluate", run, *arguments, "--adaptation-episodes", 2) == 0
    output = capsys.readouterr().out
    folder = run / "evaluation" / "test"
    assert "navigation, test tasks, iteration 3" in output
    assert output.splitlines()[-1] == f"rows, summary and figure: {folder}"
    assert {path.name for path in folder.iterdir()} == {
        "rows.csv",
        "evaluation.json",
        "summary.json",
        "adaptation.png",
        "adaptation.svg",
    }
    evaluation = Evaluation.load(folder)
    assert [row.adaptation_step for row in evaluation.rows] == [0] * 5 + [1] * 5 + [2] * 5
    assert evaluation.protocol == EvaluationProtocol(num_tasks=5, adaptation_episodes=2)
    assert (evaluation.header.benchmark, evaluation.header.max_episode_steps) == ("navigation", 6)
    manifest = json.loads((run / "manifest.json").read_text())
    assert evaluation.header.manifest == manifest["digest"]
    for line in evaluation.summary():
        assert number(line.episode_return) in output
    assert "by the mean action; mean over tasks [95 % interval]" in output
    assert UNKNOWN in output


def test_a_preset_and_settings_that_replace_its_own(run):
    arguments = ("--preset", "quick", "--evaluation-episodes", 2, "--max-episode-steps", 9)
    assert run_main("evaluate", run, *arguments, "--num-workers", 0) == 0
    evaluation = Evaluation.load(run / "evaluation" / "test")
    assert evaluation.protocol == EvaluationProtocol.preset(
        "quick", evaluation_episodes=2, max_episode_steps=9
    )
    assert evaluation.header.max_episode_steps == 9
    assert {row.length for row in evaluation.rows} == {9}


def test_each_split_is_evaluated_into_its_own_folder(run):
    for split in ("train", "test"):
        arguments = ("--split", split, "--num-adaptation-steps", 0, "--num-tasks", 2)
        assert run_main("evaluate", run, *arguments, "--num-workers", 0) == 0
    assert {path.name for path in (run / "evaluation").iterdir()} == {"train", "test"}


def test_an_unknown_benchmark_is_refused_with_the_nearest_names(capsys):
    message = refused(capsys, "train", "maml", "--benchmark", "ml1/reech-v3")
    assert "benchmark: got 'ml1/reech-v3'; unknown name; did you mean" in message
    assert "ml1/reach-v3" in message


@pytest.mark.parametrize(
    ("flag", "value", "allowed"),
    [
        ("--inner-lr", "-1", "inner_lr: got -1.0; Input should be greater than or equal to 0"),
        ("--gamma", "1.5", "gamma: got 1.5; Input should be less than or equal to 1"),
        ("--max-kl", "0", "max_kl: got 0.0; Input should be greater than 0"),
        ("--max-kl", "inf", "max_kl: got inf; Input should be a finite number"),
        ("--meta-batch-size", "0", "meta_batch_size: got 0; Input should be greater than or equa"),
        ("--seed", "-1", "seed: got -1; Input should be greater than or equal to 0"),
        ("--num-workers", "-1", "num_workers: got -1; Input should be greater than or equal to 0"),
        ("--max-episode-steps", "0", "max_episode_steps: got 0; Input should be greater than or"),
        ("--total-timesteps", "0", "total_timesteps: got 0; Input should be greater than or equal"),
        ("--inner-loss", "mse", "--inner-loss"),
        ("--inner-lr", "fast", "--inner-lr: could not convert string to float: 'fast'"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(capsys, tmp_path, flag, value, allowed):
    message = refused(capsys, *TINY, "--run", tmp_path / "run", flag, value)
    assert allowed in message
    assert value in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "messages"),
    [
        (
            ["--inner-lr", -1, "--cg-iterations", 0],
            ["inner_lr: got -1.0; Input should be", "cg_iterations: got 0; Input should be"],
        ),
        (
            ["--seed", -3, "--checkpoint-every", 0],
            ["seed: got -3; Input should be", "checkpoint_every: got 0; Input should be"],
        ),
    ],
)
def test_two_faults_at_once_are_both_named(capsys, flags, messages):
    text = refused(capsys, *TINY, *flags)
    assert all(message in text for message in messages)


def test_a_misspelt_flag_is_refused_with_the_right_one(capsys):
    message = refused(capsys, *TINY, "--iner-lr", "0.1")
    assert "--iner-lr" in message
    assert "--inner-lr FLOAT" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["train", "evaluate", "tasks"]),
        (["evalute"], ["evalute", "evaluate"]),
        (["train"], ["maml"]),
        (["train", "mamml"], ["mamml", "maml"]),
        (["train", "maml"], ["--benchmark"]),
        (["evaluate"], ["PATH"]),
    ],
)
def test_an_incomplete_or_misspelt_command_is_refused_with_what_there_is(capsys, arguments, words):
    message = refused(capsys, *arguments)
    assert all(word in message for word in words)


def test_a_meta_batch_larger_than_the_set_of_tasks_is_refused(capsys, tmp_path):
    arguments = ("train", "maml", "--benchmark", "ml1/reach-v3", "--meta-batch-size", 51)
    message = refused(capsys, *arguments, "--run", tmp_path / "run")
    assert "meta_batch_size" in message
    assert "got 51" in message
    assert "at most 50" in message
    assert not (tmp_path / "run").exists()


def test_a_horizon_beyond_meta_worlds_is_refused(capsys, tmp_path):
    arguments = ("train", "maml", "--benchmark", "ml1/reach-v3", "--max-episode-steps", 501)
    message = refused(capsys, *arguments, "--run", tmp_path / "run")
    assert "max_episode_steps: got 501; allowed: 1 to 500" in message
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_exists_is_refused_and_left_alone(capsys, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    message = refused(capsys, *TINY, "--run", run)
    assert f"RunExistsError run: {run} exists and isn't empty; choose another name" in message
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_evaluating_what_is_no_run_is_refused(capsys, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        message = refused(capsys, "evaluate", path)
        assert f"CheckpointError {path}: is no run folder (it lacks config.yaml)" in message


def test_evaluating_a_run_without_checkpoint_is_refused(capsys, run):
    shutil.rmtree(run / "checkpoints")
    assert f"CheckpointError {run}: holds no checkpoint" in refused(capsys, "evaluate", run)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"benchmark_seed": 5}, "seed: saved 0, now 5"),
        ({"max_episode_steps": 8}, "train.max_episode_steps: saved 6, now 8"),
        ({"max_episode_steps": None}, "test.max_episode_steps: saved 6, now 100"),
        ({"benchmark": "ml1/reach-v3"}, "benchmark: saved 'navigation', now 'ml1/reach-v3'"),
    ],
)
def test_a_checkpoint_of_another_benchmark_is_refused_with_what_differs(
    capsys, run, changes, difference
):
    change_config(run, **changes)
    message = refused(capsys, "evaluate", run)
    assert "ManifestMismatchError saved run and benchmark differ:" in message
    assert difference in message


def test_a_config_with_a_missing_entry_is_refused_by_its_name(capsys, run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["benchmark"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    message = refused(capsys, "evaluate", run)
    assert f"CheckpointError {run / 'config.yaml'}: benchmark: is missing" in message


@pytest.mark.parametrize("name", ["params.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(capsys, run, name):
    path = newest_checkpoint(run) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    few = ("--num-tasks", 2, "--num-adaptation-steps", 0, "--num-workers", 0)
    assert run_main("evaluate", run, *few) == 0
    captured = capsys.readouterr()
    assert "going back to iteration-000002: " in captured.err
    assert f"{newest_checkpoint(run)}: {name} is damaged" in captured.err
    assert "navigation, test tasks, iteration 2" in captured.out


def test_without_any_whole_checkpoint_all_faults_are_told(capsys, run):
    for checkpoint in (run / "checkpoints").iterdir():
        (checkpoint / "params.safetensors").unlink()
    message = refused(capsys, "evaluate", run)
    for checkpoint in (run / "checkpoints").iterdir():
        assert f"{checkpoint}: lacks params.safetensors" in message


def test_the_checkpoint_to_evaluate_can_be_chosen(capsys, run):
    few = ("--num-tasks", 2, "--num-adaptation-steps", 0, "--num-workers", 0)
    assert run_main("evaluate", run, *few, "--checkpoint", 2) == 0
    assert "iteration 2" in capsys.readouterr().out
    best = json.loads((run / "checkpoints.json").read_text())["best"]["iteration"]
    assert run_main("evaluate", run, *few, "--checkpoint", "best") == 0
    assert f"iteration {best}" in capsys.readouterr().out
    message = refused(capsys, "evaluate", run, "--checkpoint", "7")
    assert "holds no checkpoint '7'; allowed: latest, best, 1, 2, 3" in message


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--num-tasks", 0, "num_tasks: got 0; Input should be greater than or equal to 1"),
        (
            "--num-adaptation-steps",
            -1,
            "num_adaptation_steps: got -1; Input should be greater than or equal to 0",
        ),
        (
            "--adaptation-episodes",
            0,
            "adaptation_episodes: got 0; Input should be greater than or equal to 1",
        ),
        (
            "--evaluation-episodes",
            0,
            "evaluation_episodes: got 0; Input should be greater than or equal to 1",
        ),
        ("--seed", -1, "seed: got -1; Input should be greater than or equal to 0"),
        ("--preset", "metawrld", "metawrld"),
        ("--num-workers", -1, "num_workers: got -1; must be at least 0"),
        ("--split", "validation", "validation"),
    ],
)
def test_numbers_of_an_evaluation_out_of_range_are_refused(capsys, trained, flag, value, message):
    assert message in refused(capsys, "evaluate", trained, flag, value)
    assert not (trained / "evaluation").exists()


def test_the_callers_signal_handlers_are_back_after_training(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run_main(*TINY, "--total-timesteps", 1, "--run", tmp_path / "run") == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def processes_of_group(group: int) -> list[str]:
    """Names of the live processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, process_group = rest.split()[:3]
        if int(process_group) == group and state != "Z":
            found.append(name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_with_a_checkpoint_and_no_process_left(tmp_path, number):
    run = tmp_path / "run"
    arguments = [*TINY[:-1], "2", "--total-timesteps", str(10**9), "--run", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "metarl.cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        said = [process.stderr.readline()]
        assert said[0].startswith("iteration 1, "), said[0] + process.stderr.read()
        assert len(processes_of_group(process.pid)) >= 3, "the command and its two workers"
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 128 + number
        deadline = time.monotonic() + 20
        while (left := processes_of_group(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == []
    finally:
        if processes_of_group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
    assert "finishing the job at hand, then saving" in rest
    assert "Traceback" not in rest
    agent = load_run(run)
    assert rest.splitlines()[-2:] == [
        f"stopped after iteration {agent.iteration}; checkpoint: {newest_checkpoint(run)}",
        f"to go on: metarl train --resume {run}",
    ]
    with (run / "metrics.csv").open(newline="") as file:
        assert [int(row["iteration"]) for row in csv.DictReader(file)] == list(
            range(1, agent.iteration + 1)
        )


def test_evaluation_on_tasks_that_were_trained_on_says_so(tmp_path, capsys):
    run = tmp_path / "run"
    small = ("--max-episode-steps", 3, "--hidden-sizes", 4, "--num-workers", 0)
    few = ("--meta-batch-size", 2, "--episodes-per-task", 2, "--total-timesteps", 1)
    assert (
        run_main("train", "maml", "--benchmark", "halfcheetah-dir", *small, *few, "--run", run) == 0
    )
    assert run_main("evaluate", run, "--num-adaptation-steps", 0, "--num-workers", 0) == 0
    assert "not held out: this benchmark's test tasks are among" in capsys.readouterr().out
