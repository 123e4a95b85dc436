"""Controls of a run: what they are, where they lie, and how they come to be."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from metarl.agents.settings import MetaPolicyGradientConfig
from metarl.cli.output import say
from metarl.cli.resuming import resume_run
from metarl.cli.training import make_agent, train_from_settings
from metarl.cli.writable import check_writable
from metarl.errors import CheckpointError, ConfigError, ManifestMismatchError, RunChangedError
from metarl.recipes.loading import load_run
from metarl.recipes.settings import AnyAgent, read_settings, settings_of
from metarl.runs import RunFolder
from metarl.runs.folder import iteration_of
from metarl.storage import read_checkpoint, read_json, write_json

LINKS = "controls.json"

ELSEWHERE = "`--output DIR` writes elsewhere"


def untrained(agent: AnyAgent) -> AnyAgent:
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


@dataclass(frozen=True)
class PretrainedControl:
    """The pretrained control of a run, found and checked; it may have to be trained yet.

    Attributes:
        run: The run's folder.
        num_timesteps: Environment steps of the run's training.
        path: The control's folder.
        num_workers: Processes that collect experience.
        saved: The control, where it has had its training.
        training: What trains it otherwise, and gives an exit code.
        recorded: Whether the run and the control record each other.
    """

    run: Path
    num_timesteps: int
    path: Path
    num_workers: int
    saved: AnyAgent | None = None
    training: Callable[[], int] | None = None
    recorded: bool = True

    def agent(self) -> AnyAgent:
        """The control, trained now if need be.

        Raises:
            RunBusyError: If another process has begun to train it.
            KeyboardInterrupt: If its training was interrupted.
        """
        if self.training is not None:
            say(f"training the pretrained control to {self.num_timesteps:,} steps: {self.path}")
            if self.training():
                raise KeyboardInterrupt
        control = self.saved or load_run(self.path, num_workers=self.num_workers)
        if control.num_timesteps > self.num_timesteps:
            say(
                f"note: the pretrained control has {control.num_timesteps:,} steps of training, "
                f"the run {self.num_timesteps:,}; the control has no checkpoint of as many"
            )
        if self.recorded:
            ours, theirs = self.run.resolve(), self.path.resolve()
            write_json(ours / LINKS, {"pretrained": os.path.relpath(theirs, ours)})
            with suppress(OSError):  # a control of somebody else's
                write_json(theirs / LINKS, {"control_of": os.path.relpath(ours, theirs)})
        return control


def find_pretrained(
    run: Path, agent: AnyAgent, given: Path | None, num_workers: int, output: Path | None = None
) -> PretrainedControl:
    """The pretrained control of a run: the one given, the one recorded, or one to be trained.

    A new one is to be trained beside the run, on the same tasks, with the same seed and number of
    steps, and with the settings that the agent gives for it: its own at inner learning rate 0, or
    MAML's where that would learn nothing; its folder is recorded in ``RUN/controls.json``. An
    interrupted one goes on from its last checkpoint.

    Of one that has more training than the run's agent the checkpoint of as much is taken, or that
    of the least beyond it, with a note.

    Args:
        run: The run's folder.
        agent: The run's agent.
        given: Folder of a control, if there is one.
        num_workers: Processes for its training.
        output: Where the evaluation goes, if not into the run: then a new control is to be trained
            beside it, and nothing is recorded.

    Raises:
        CheckpointError: If the folder given or recorded isn't a run's.
        DiskError: If it has to be trained, and its folder can't be written.
        ConfigError: If it isn't such a control, or has less training and isn't to be trained; or if
            the algorithm has no inner rate that could be 0.
        ManifestMismatchError: If it was trained on other tasks.
        RunBusyError: If it has to be trained, and another process trains it.
        RunChangedError: If it has to go on, and other versions are installed.
        RunExistsError: If something else lies where it is to be trained.
    """
    # A run may be called `.` or `..`, or by a link that lies elsewhere.
    home = (output or run).resolve()
    path = given or linked_control(run) or home.with_name(f"{home.name}-pretrained")
    folder, steps = RunFolder(path), agent.num_timesteps
    found = partial(PretrainedControl, run, steps, path, num_workers, recorded=output is None)
    if given is None and not (path / "config.yaml").exists():
        folder.check_free()
        check_writable(path, ELSEWHERE)
        settings = _settings_of_new(run, agent, path, num_workers)
        return found(training=partial(train_from_settings, *settings))
    if folder.checkpoints():
        which = _as_trained(folder, steps)
        control = load_run(path, checkpoint=which, num_workers=num_workers)
    else:  # it was killed before its first checkpoint
        control = make_agent(*settings_of(folder))
    _check(path, agent, control)
    if control.num_timesteps >= steps:
        return found(saved=control)
    if given is not None:
        raise ConfigError(
            f"pretrained: {path} has {control.num_timesteps:,} steps of training; the run has "
            f"{steps:,}, and a control needs as many."
        )
    check_writable(path, "a control can be given: --pretrained RUN")
    _check_can_go_on(folder)
    going_on = partial(resume_run, path, num_workers=num_workers, total_timesteps=steps)
    return found(training=going_on)


def _settings_of_new(
    run: Path, agent: AnyAgent, path: Path, num_workers: int
) -> tuple[type[AnyAgent], Any]:
    """Algorithm and settings of a control that is to be trained."""
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
    agent_type, checked = read_settings(config, path / "config.yaml")
    _note_differences(agent, algorithm, checked.agent)
    return agent_type, checked


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


def _check(path: Path, agent: AnyAgent, control: AnyAgent) -> None:
    """Refuses a control that isn't one, and says what else is different."""
    rate = control.config.model_dump().get("inner_lr")
    if rate != 0:
        raise ConfigError(
            f"pretrained: {path} was trained with inner_lr {rate}; a control needs 0."
        )
    if agent.benchmark.manifest()["digest"] != control.benchmark.manifest()["digest"]:
        raise ManifestMismatchError(f"pretrained: {path} was trained on other tasks than the run.")
    _note_differences(agent, control.algorithm, control.config)


def _note_differences(agent: AnyAgent, algorithm: str, config: MetaPolicyGradientConfig) -> None:
    """Says what is different in a control beside its inner rate."""
    ours = {"algorithm": agent.algorithm, **agent.config.model_dump(mode="json")}
    theirs = {"algorithm": algorithm, **config.model_dump(mode="json")}
    if "inner_lr" in ours and ours.get("adaptation_lr") is None:  # 0 is a rate
        ours["adaptation_lr"] = ours["inner_lr"]
    differing = [
        f"{name} {theirs[name]!r}, not {value!r}"
        for name, value in ours.items()
        if name in theirs and name != "inner_lr" and theirs[name] != value
    ]
    if differing:
        say(f"note: the pretrained control has {'; '.join(differing)}")
