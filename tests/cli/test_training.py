"""`metarl train`: what it leaves, and the settings that it refuses."""

import csv
import json
import re

import pytest
import yaml

from metarl.agents import MAMLConfig
from metarl.cli import load_run, training
from metarl.runs import RunFolder

from .commands import ITERATION, TINY, run_main


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
    assert [int(row["iteration"]) for row in rows] == [1, 2]
    assert [int(row["timesteps"]) for row in rows] == [ITERATION, 2 * ITERATION]
    assert {path.name for path in (trained / "checkpoints").iterdir()} == {
        "iteration-000000",
        "iteration-000001",
        "iteration-000002",
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
    assert following == f"next: metarl evaluate '{run}'"
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


def test_an_unknown_benchmark_is_refused_with_the_nearest_names(refused):
    message = refused("train", "maml", "--benchmark", "ml1/reech-v3")
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
def test_a_value_out_of_range_is_refused_by_name(refused, tmp_path, flag, value, allowed):
    message = refused(*TINY, "--run", tmp_path / "run", flag, value)
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
def test_two_faults_at_once_are_both_named(refused, flags, messages):
    text = refused(*TINY, *flags)
    assert all(message in text for message in messages)


def test_a_misspelt_flag_is_refused_with_the_right_one(refused):
    message = refused(*TINY, "--iner-lr", "0.1")
    assert "--iner-lr" in message
    assert "--inner-lr FLOAT" in message


def test_a_meta_batch_larger_than_the_set_of_tasks_is_refused(refused, tmp_path):
    arguments = ("train", "maml", "--benchmark", "ml1/reach-v3", "--meta-batch-size", 51)
    message = refused(*arguments, "--run", tmp_path / "run")
    assert "meta_batch_size" in message
    assert "got 51" in message
    assert "at most 50" in message
    assert not (tmp_path / "run").exists()


def test_a_horizon_beyond_meta_worlds_is_refused(refused, tmp_path):
    arguments = ("train", "maml", "--benchmark", "ml1/reach-v3", "--max-episode-steps", 501)
    message = refused(*arguments, "--run", tmp_path / "run")
    assert "max_episode_steps: got 501; allowed: 1 to 500" in message
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_exists_is_refused_and_left_alone(refused, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    message = refused(*TINY, "--run", run)
    assert f"RunExistsError run: {run} exists and isn't empty; choose another name" in message
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_another_process_began_meanwhile_is_left_alone(refused, tmp_path, monkeypatch):
    path, real = tmp_path / "run", training.make_agent

    def slow(*arguments):
        RunFolder.create(path, {"algorithm": "other"}, {"digest": "other"})
        return real(*arguments)

    monkeypatch.setattr(training, "make_agent", slow)
    assert "RunExistsError" in refused(*TINY, "--run", path)
    assert RunFolder(path).config() == {"algorithm": "other"}
    assert RunFolder(path).checkpoints() == []


def test_a_folder_in_which_another_process_is_about_to_train_stays_empty(refused, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    with RunFolder(path).lock():
        assert "RunBusyError" in refused(*TINY, "--run", path)
    assert list(path.iterdir()) == []
