"""Controls of a run: what they are, where they lie, and how they come to be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from metarl.agents import MetaPolicyGradient
from metarl.cli.output import say
from metarl.cli.resuming import resume_run
from metarl.cli.training import make_agent, train_from_settings
from metarl.errors import CheckpointError, ConfigError, ManifestMismatchError, RunChangedError
from metarl.recipes.loading import load_run
from metarl.recipes.settings import read_settings, settings_of
from metarl.runs import RunFolder
from metarl.runs.folder import iteration_of
from metarl.storage import read_checkpoint, read_json, write_json

LINKS = "controls.json"


def untrained(agent: MetaPolicyGradient[Any]) -> MetaPolicyGradient[Any]:
    """The same agent before any training: the network as its seed initialises it."""
    return type(agent)(
        agent.benchmark, seed=agent.seed, device=str(agent.device), **agent.config.model_dump()
    )


def linked_control(run: Path) -> Path | None:
    """The run that is recorded as the pretrained control of this one; None if there is none.

    Raises:
        CheckpointError: If the record is damaged.
    """
    if not (run / LINKS).exists():
        return None
    links = read_json(run / LINKS)
    if not isinstance(links, dict) or not isinstance(links.get("pretrained", ""), str):
        raise CheckpointError(f"{run / LINKS}: holds no record of controls")
    return (run / links["pretrained"]).resolve() if "pretrained" in links else None


def pretrained_control(
    run: Path, agent: MetaPolicyGradient[Any], given: Path | None, num_workers: int
) -> MetaPolicyGradient[Any]:
    """The pretrained control of a run: the one given, the one recorded, or a new one.

    A new one is trained beside the run, on the same tasks, with the same seed and number of steps,
    and with the settings that the agent gives for it: its own at inner learning rate 0, or MAML's
    where that would learn nothing; its folder is recorded in ``RUN/controls.json``. An
    interrupted one goes on from its last checkpoint.

    Of one that has more training than the run's agent the checkpoint of as much is taken, or that
    of the least beyond it, with a note.

    Args:
        run: The run's folder.
        agent: The run's agent.
        given: Folder of a control, if there is one.
        num_workers: Processes for its training.

    Raises:
        ConfigError: If the run given isn't such a control, or the algorithm has no inner rate that
            could be 0.
        ManifestMismatchError: If it was trained on other tasks.
        RunBusyError: If another process trains it.
        RunChangedError: If it can't go on, because other versions are installed.
        KeyboardInterrupt: If its training was interrupted.
    """
    home = run.resolve()  # a run may be called `.` or `..`, or by a link that lies elsewhere
    path = given or linked_control(run) or home.with_name(f"{home.name}-pretrained")
    folder = RunFolder(path)
    if given is None and not (path / "config.yaml").exists():
        _begin(run, agent, path, num_workers)
        control = load_run(path, num_workers=num_workers)
    elif folder.checkpoints():
        which = _as_trained(folder, agent.num_timesteps)
        control = load_run(path, checkpoint=which, num_workers=num_workers)
    else:  # it was killed before its first checkpoint
        control = make_agent(*settings_of(folder))
    _check(path, agent, control)
    if control.num_timesteps < agent.num_timesteps:
        if given is not None:
            raise ConfigError(
                f"pretrained: {path} has {control.num_timesteps:,} steps of training; the run has "
                f"{agent.num_timesteps:,}, and a control needs as many."
            )
        _check_can_go_on(folder)
        say(f"the pretrained control goes on to {agent.num_timesteps:,} steps: {path}")
        _done(resume_run(path, num_workers=num_workers, total_timesteps=agent.num_timesteps))
        control = load_run(path, num_workers=num_workers)
    if control.num_timesteps > agent.num_timesteps:
        say(
            f"note: the pretrained control has {control.num_timesteps:,} steps of training, the "
            f"run {agent.num_timesteps:,}; the control has no checkpoint of as many"
        )
    theirs = path.resolve()
    write_json(run / LINKS, {"pretrained": os.path.relpath(theirs, home)})
    write_json(path / LINKS, {"control_of": os.path.relpath(home, theirs)})
    return control


def _begin(run: Path, agent: MetaPolicyGradient[Any], path: Path, num_workers: int) -> None:
    """Trains a new control."""
    found = agent.control_settings()
    if found is None:
        raise ConfigError(
            f"controls: {agent.algorithm} has no inner_lr that could be 0; train a control with "
            "`metarl train maml --inner-lr 0 --adaptation-lr ...` and give it: --pretrained RUN."
        )
    if agent.config.model_dump().get("inner_lr") == 0:
        raise ConfigError(
            f"controls: {run} was trained at inner_lr 0, without meta-learning: it is a control "
            "itself, and has none."
        )
    algorithm, settings = found
    config = {
        **RunFolder(run).config(),
        "algorithm": algorithm,
        "agent": settings,
        "total_timesteps": agent.num_timesteps,
        "num_workers": num_workers,
        "run": path,
    }
    say(f"training the pretrained control for {agent.num_timesteps:,} steps: {path}")
    _done(train_from_settings(*read_settings(config, path / "config.yaml")))


def _as_trained(folder: RunFolder, num_timesteps: int) -> str:
    """The checkpoint with the fewest steps of training that has at least these; else the latest."""
    for path in folder.checkpoints():
        try:
            _, state = read_checkpoint(path)
        except CheckpointError:
            continue  # one that is damaged doesn't hinder that another is taken
        steps = state.get("num_timesteps")
        if isinstance(steps, int) and steps >= num_timesteps:
            return str(iteration_of(path))
    return "latest"


def _check_can_go_on(folder: RunFolder) -> None:
    """Refuses what the control's training couldn't go on with."""
    with folder.lock():
        changes = folder.version_changes() if folder.checkpoints() else []
    if changes:
        raise RunChangedError(
            f"pretrained: {folder.path} was begun with other versions, and can't go on; remove it "
            "to train another:\n" + "\n".join(changes)
        )


def _done(code: int) -> None:
    """Leaves as training was told to."""
    if code:
        raise KeyboardInterrupt


def _check(path: Path, agent: MetaPolicyGradient[Any], control: MetaPolicyGradient[Any]) -> None:
    """Refuses a control that isn't one, and says what else is different."""
    ours, theirs = (
        {"algorithm": one.algorithm, **one.config.model_dump(mode="json")}
        for one in (agent, control)
    )
    if theirs.get("inner_lr") != 0:
        raise ConfigError(
            f"pretrained: {path} was trained with inner_lr {theirs.get('inner_lr')}; "
            "a control needs 0."
        )
    if agent.benchmark.manifest()["digest"] != control.benchmark.manifest()["digest"]:
        raise ManifestMismatchError(f"pretrained: {path} was trained on other tasks than the run.")
    if "inner_lr" in ours:
        ours["adaptation_lr"] = ours.get("adaptation_lr") or ours["inner_lr"]
    differing = [
        f"{name} {theirs[name]!r}, not {value!r}"
        for name, value in ours.items()
        if name in theirs and name != "inner_lr" and theirs[name] != value
    ]
    if differing:
        say(f"note: the pretrained control has {'; '.join(differing)}")
