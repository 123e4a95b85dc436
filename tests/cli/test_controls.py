import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from metarl.agents import MAML
from metarl.cli import load_run, main
from metarl.cli.controls import linked_control, untrained
from metarl.errors import CheckpointError
from metarl.evaluation import Evaluation, evaluate
from metarl.runs import RunFolder
from metarl.storage import read_checkpoint, write_checkpoint

from .commands import ITERATION, TINY, newest_checkpoint, plain, run_main
from .conftest import QUICK, train
from .conftest import evaluate as evaluate_run


def test_the_untrained_control_is_the_network_that_training_began_from(run):
    agent = load_run(run)
    control = untrained(agent)
    assert (control.iteration, control.num_timesteps) == (0, 0)
    assert control.config == agent.config
    fresh = MAML(agent.benchmark, seed=agent.seed, **agent.config.model_dump())
    for name, value in fresh.meta_params.items():
        assert torch.equal(control.meta_params[name], value)
    assert any(not torch.equal(agent.meta_params[n], v) for n, v in fresh.meta_params.items())


def test_controls_are_evaluated_on_the_same_tasks_and_kept_beside_the_run(evaluated):
    folder = evaluated / "evaluation" / "test"
    own = Evaluation.load(folder)
    for name in ("untrained", "pretrained"):
        control = Evaluation.load(folder / "controls" / name)
        assert control.tasks == own.tasks
        assert control.protocol == own.protocol
        assert control.rows != own.rows
    assert Evaluation.load(folder / "controls" / "untrained").header.subject["iteration"] == 0


def test_the_pretrained_control_is_trained_alike_but_at_inner_rate_0(evaluated):
    control = evaluated.with_name("run-pretrained")
    ours, theirs = (
        yaml.safe_load((path / "config.yaml").read_text()) for path in (evaluated, control)
    )
    assert theirs["agent"].pop("inner_lr") == 0
    assert theirs["agent"].pop("adaptation_lr") == ours["agent"].pop("inner_lr")
    del ours["agent"]["adaptation_lr"]
    assert theirs == {**ours, "total_timesteps": 144}
    assert load_run(control).num_timesteps == load_run(evaluated).num_timesteps == 144
    own, his = (json.loads((path / "manifest.json").read_text()) for path in (evaluated, control))
    assert own == his


def test_the_control_of_reptile_learns_and_what_differs_is_said(tmp_path, capsys):
    run, control = tmp_path / "run", tmp_path / "run-pretrained"
    total = ("--total-timesteps", ITERATION)
    assert run_main("train", "reptile", *TINY[2:], *total, "--run", run) == 0
    evaluate_run(run, "--controls", "pretrained")
    said = plain(capsys.readouterr().out)
    assert "note: the pretrained control has algorithm 'maml', not 'reptile'; outer 'trpo'" in said
    assert yaml.safe_load((control / "config.yaml").read_text())["algorithm"] == "maml"
    trained = load_run(control)
    assert (trained.config.inner_lr, trained.config.adaptation_lr) == (0, 0.3)
    fresh = untrained(trained)
    assert all(not torch.equal(fresh.meta_params[n], v) for n, v in trained.meta_params.items())


@pytest.fixture
def unmeasured(monkeypatch):
    """Evaluating fails."""
    monkeypatch.setattr("metarl.cli.evaluating.evaluate", lambda *_, **__: pytest.fail("measured"))


def test_what_is_no_run_is_refused_as_a_control_before_anything_runs(
    run, tmp_path, refused, unmeasured
):
    message = refused("evaluate", run, *QUICK, "--pretrained", tmp_path / "nothing")
    assert f"{tmp_path / 'nothing'}: is no run folder" in message


def test_what_lies_where_the_control_is_to_be_is_left_alone(run, refused, unmeasured):
    (path := run.with_name("run-pretrained")).mkdir()
    (path / "thesis.tex").touch()
    assert "RunExistsError" in refused("evaluate", run, *QUICK, "--controls", "pretrained")


def test_an_evaluation_is_kept_when_the_control_s_training_is_interrupted(run, monkeypatch):
    monkeypatch.setattr("metarl.cli.controls.train_from_settings", lambda *_: 130)
    assert run_main("evaluate", run, *QUICK, "--controls", "untrained", "pretrained") == 130
    folder = run / "evaluation" / "test"
    assert Evaluation.load(folder).header.subject["iteration"] == 2
    assert [path.name for path in (folder / "controls").iterdir()] == ["untrained"]
    assert (folder / "adaptation.png").exists()
    assert not (run / "controls.json").exists()


def test_where_no_inner_rate_could_be_0_it_is_said_what_to_do(tmp_path, refused, unmeasured):
    run, total = tmp_path / "run", ("--total-timesteps", 1)
    assert run_main("train", "meta-sgd", *TINY[2:], *total, "--run", run) == 0
    message = refused("evaluate", run, *QUICK, "--controls", "pretrained")
    assert "controls: meta-sgd has no inner_lr that could be 0; train a control with" in message


def test_a_control_has_no_control(evaluated, tmp_path, refused):
    control = shutil.copytree(evaluated.with_name("run-pretrained"), tmp_path / "control")
    message = refused("evaluate", control, *QUICK, "--controls", "pretrained")
    assert f"controls: {control} was trained at inner_lr 0" in message


def test_each_run_records_the_other(evaluated):
    control = evaluated.with_name("run-pretrained")
    assert json.loads((evaluated / "controls.json").read_text()) == {
        "pretrained": "../run-pretrained"
    }
    assert json.loads((control / "controls.json").read_text()) == {"control_of": "../run"}
    assert linked_control(evaluated).samefile(control)
    assert linked_control(control) is None


@pytest.mark.parametrize(
    ("here", "name"), [("run", "."), ("run/checkpoints", ".."), ("elsewhere", "link")]
)
def test_the_control_lies_beside_the_run_whatever_that_is_called(
    evaluated, run, monkeypatch, here, name
):
    control = run.with_name("run-pretrained")
    shutil.copytree(evaluated.with_name("run-pretrained"), control)
    (control / "controls.json").unlink()
    there = run.parent / "elsewhere"
    there.mkdir()
    (there / "link").symlink_to(run)
    monkeypatch.chdir(run.parent / here)
    evaluate_run(Path(name), "--controls", "pretrained")
    links = [json.loads((one / "controls.json").read_text()) for one in (run, control)]
    assert links == [{"pretrained": "../run-pretrained"}, {"control_of": "../run"}]
    assert {one.name for one in run.parent.iterdir()} == {"run", "run-pretrained", "elsewhere"}


def test_a_recorded_control_is_evaluated_without_asking_and_not_trained_again(
    evaluated, tmp_path, capsys
):
    for name in ("run", "run-pretrained"):
        shutil.copytree(evaluated.with_name(name), tmp_path / name)
    capsys.readouterr()
    evaluate_run(tmp_path / "run")
    output = capsys.readouterr().out
    assert "training the pretrained control" not in output
    assert "against the pretrained control adapted the same way" in output


def test_an_interrupted_control_goes_on_from_its_checkpoint(evaluated, run, capsys):
    path = train(run.with_name("run-pretrained"), "--inner-lr", 0, "--adaptation-lr", 0.1)
    (newest,) = [one for one in (path / "checkpoints").iterdir() if one.name.endswith("2")]
    whole = load_run(path).meta_params
    shutil.rmtree(newest)
    config = (path / "config.yaml").read_text()
    (path / "config.yaml").write_text(config.replace("steps: 144", "steps: 72"))
    evaluate_run(run, "--controls", "pretrained")
    assert "training the pretrained control to 144 steps" in capsys.readouterr().out
    events = [entry["event"] for entry in RunFolder(path).history.entries()]
    assert events == ["begun", "done", "resumed", "done"]
    assert (path / "config.yaml").read_text() == config
    assert all(torch.equal(whole[n], v) for n, v in load_run(path).meta_params.items())


def test_a_control_that_another_process_trains_is_left_to_it(
    evaluated, tmp_path, refused, unmeasured
):
    for name in ("run", "run-pretrained"):
        shutil.copytree(evaluated.with_name(name), tmp_path / name)
    run, folder = tmp_path / "run", RunFolder(tmp_path / "run-pretrained")
    shutil.rmtree(newest_checkpoint(folder.path))
    with folder.lock():
        message = refused("evaluate", run, *QUICK)
    assert "RunBusyError run: another process is training in" in message


def test_a_control_of_other_versions_is_not_gone_on_with(evaluated, tmp_path, refused, unmeasured):
    for name in ("run", "run-pretrained"):
        shutil.copytree(evaluated.with_name(name), tmp_path / name)
    path = tmp_path / "run-pretrained"
    shutil.rmtree(newest_checkpoint(path))
    versions = json.loads((path / "versions.json").read_text())
    versions["packages"]["torch"] = "1.0"
    (path / "versions.json").write_text(json.dumps(versions))
    message = refused("evaluate", tmp_path / "run", *QUICK)
    assert "RunChangedError" in message
    assert "torch: saved 1.0, now" in message


def test_a_control_killed_before_its_first_checkpoint_is_begun_again(evaluated, run):
    path = Path(
        shutil.copytree(evaluated.with_name("run-pretrained"), run.with_name("run-pretrained"))
    )
    whole = load_run(path).meta_params
    shutil.rmtree(path / "checkpoints")
    (path / "metrics.csv").unlink()
    evaluate_run(run, "--controls", "pretrained")
    assert all(torch.equal(whole[n], v) for n, v in load_run(path).meta_params.items())


def test_a_control_can_be_given(run, tmp_path, capsys):
    control = train(tmp_path / "mine", "--inner-lr", 0, "--adaptation-lr", 0.3, "--seed", 4)
    evaluate_run(run, "--pretrained", control)
    assert "note: the pretrained control has adaptation_lr 0.3, not 0.1" in capsys.readouterr().out
    assert linked_control(run).samefile(control)
    found = Evaluation.load(run / "evaluation" / "test" / "controls" / "pretrained")
    assert found.rows == evaluate(load_run(control), protocol="quick").rows


def test_a_run_that_is_no_control_is_refused(run, trained, refused):
    message = refused("evaluate", run, *QUICK, "--pretrained", trained)
    assert f"pretrained: {trained} was trained with inner_lr 0.1; a control needs 0" in message


def test_a_control_of_other_tasks_is_refused(run, tmp_path, refused):
    control = train(
        tmp_path / "mine", "--inner-lr", 0, "--adaptation-lr", 0.1, "--benchmark-seed", 3
    )
    message = refused("evaluate", run, *QUICK, "--pretrained", control)
    assert "ManifestMismatchError" in message
    assert "was trained on other tasks than the run" in message


def test_a_control_with_less_training_is_refused(run, tmp_path, refused):
    arguments = ("--inner-lr", 0, "--adaptation-lr", 0.1, "--total-timesteps", 72)
    control = train(tmp_path / "mine", *arguments)
    message = refused("evaluate", run, *QUICK, "--pretrained", control)
    assert "72 steps of training; the run has 144, and a control needs as many" in message


def test_an_adaptation_rate_of_0_is_one_and_not_the_inner_rate(tmp_path, capsys):
    run = train(tmp_path / "left-alone", "--adaptation-lr", 0)
    evaluate_run(run, "--controls", "pretrained")
    assert "note: the pretrained control has" not in capsys.readouterr().out


def test_of_a_control_with_more_training_the_checkpoint_of_as_much_is_taken(
    evaluated, tmp_path, capsys
):
    for name in ("run", "run-pretrained"):
        shutil.copytree(evaluated.with_name(name), tmp_path / name)
    run, control = tmp_path / "run", tmp_path / "run-pretrained"

    def steps() -> object:
        found = Evaluation.load(run / "evaluation" / "test" / "controls" / "pretrained")
        return found.header.subject["num_timesteps"]

    evaluate_run(run, "--checkpoint", 1)
    assert steps() == 72
    assert "note" not in capsys.readouterr().out
    assert run_main("report", run) == 0
    assert "on the same tasks for as many steps, but without" in (run / "report.html").read_text()
    shutil.rmtree(control / "checkpoints" / "iteration-000001")
    evaluate_run(run, "--checkpoint", 1)
    assert steps() == 144
    said = plain(capsys.readouterr().out)
    assert "note: the pretrained control has 144 steps of training, the run 72" in said
    assert run_main("report", run) == 0
    assert "for 144 environment steps (MAML: 72), but" in (run / "report.html").read_text()


def test_a_damaged_record_is_refused(run):
    (run / "controls.json").write_text("[]")
    with pytest.raises(CheckpointError, match="holds no record of controls"):
        linked_control(run)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--controls", "expert"), "there is no scripted one of infinitely many tasks"),
        (("--as-upstream",), "as_upstream: got benchmark 'navigation'; Meta-World's evaluation"),
        (("--tasks", "reach-v3"), "of infinitely many tasks none can be named"),
    ],
)
def test_what_a_benchmark_does_not_have_is_refused_before_anything_runs(
    run, refused, flags, message
):
    assert message in refused("evaluate", run, "--num-workers", 0, *flags)
    assert not (run / "evaluation").exists()


def test_an_unknown_control_is_refused(run, refused):
    said = refused("evaluate", run, "--controls", "magician")
    assert "magician" in said
    assert "oracle" in said  # what is allowed
    assert not (run / "evaluation").exists()


def test_the_oracle_is_trained_once_and_is_the_command_s(run, capsys):
    evaluate_run(run, "--controls", "oracle", "--card", "--checkpoint", 1)
    printed = capsys.readouterr().out
    assert "training PPO for 144 steps, the goal in sight" in printed
    folder = run / "evaluation" / "test"
    own, oracle = Evaluation.load(folder), Evaluation.load(folder / "controls" / "oracle")
    assert (oracle.tasks, oracle.steps) == (own.tasks, [0])
    assert oracle.header.subject["algorithm"] == "ppo, goal observed"
    assert sum(line.split()[:1] == ["oracle"] for line in printed.splitlines()) == 1
    steps = oracle.header.subject["num_timesteps"]
    card = (run / "card.md").read_text()
    assert f"    metarl oracle {run} --total-timesteps {steps}\n" in card
    assert "\n| oracle | " in card
    evaluate_run(run, "--controls", "oracle")
    assert main(["oracle", str(run), "--num-workers", "0"]) == 0
    assert "training" not in capsys.readouterr().out
    again = Evaluation.load(folder / "controls" / "oracle")
    assert (again.rows, again.header.tasks) == (oracle.rows, oracle.header.tasks)


def test_the_oracle_has_the_evaluation_s_horizon(run):
    evaluate_run(run, "--controls", "oracle", "--max-episode-steps", 4)
    oracle = Evaluation.load(run / "evaluation" / "test" / "controls" / "oracle")
    assert oracle.header.max_episode_steps == 4
    assert {row.length for row in oracle.rows} == {4}


def test_an_oracle_of_less_training_is_refused_before_anything_runs(run, refused):
    evaluate_run(run, "--controls", "oracle")
    shutil.rmtree(run / "evaluation")
    state = run / "oracle-ppo" / "state.json"
    content = json.loads(state.read_text())
    params, _ = read_checkpoint(run / "oracle-ppo")
    shutil.rmtree(run / "oracle-ppo")
    write_checkpoint(run / "oracle-ppo", params, {**content, "num_timesteps": 100})
    message = refused("evaluate", run, *QUICK, "--controls", "oracle")
    assert "holds an oracle of 100 steps, asked for 144; remove it to train another" in message
    assert not (run / "evaluation").exists()


def test_a_card_leaves_out_controls_of_another_evaluation(run, capsys):
    evaluate_run(run, "--controls", "oracle", "untrained")
    evaluate_run(run, "--num-tasks", 4, "--card")
    assert "| 0 |" in (card := (run / "card.md").read_text())
    assert "oracle |" not in card
    assert "untrained |" not in card
    controls = run / "evaluation" / "test" / "controls"
    assert f"left out: {controls / 'oracle'}, which is of other tasks" in capsys.readouterr().out
