"""Broken configurations: never a traceback from inside, always a message that names the field."""

import random
import re

import pytest
import yaml

from metarl.agents import ALGORITHMS
from metarl.cli import main
from metarl.recipes.settings import config_type

COUNT = 300

VALUES = [
    *(None, True, -1, 0, 10**30, -(10**30), 0.5, -0.5, 1e400, float("nan"), "", "x", "1e", "é☃"),
    *([], [1], [-1], [[]], {}, {"a": 1}, {"agent": {}}, "../../etc", "x" * 10_000, b"bytes"),
]


def good(algorithm: str, rng: random.Random) -> dict:
    settings = config_type(ALGORITHMS[algorithm])(benchmark="navigation", seed=rng.randrange(9))
    return {"algorithm": algorithm, **settings.model_dump(mode="json", exclude={"run"})}


def misspelt(name: str, rng: random.Random) -> str:
    place = rng.randrange(len(name))
    return name[:place] + rng.choice(["", "z", name[place] * 2]) + name[place + 1 :]


def spoil(config: dict, rng: random.Random) -> set[str]:
    """Breaks one to three things, and says which fields."""
    touched = set()
    for _ in range(rng.randint(1, 3)):
        inside = rng.random() < 0.5 and isinstance(config.get("agent"), dict) and config["agent"]
        place = config["agent"] if inside else config
        name = rng.choice(sorted(set(place) - touched) or ["benchmark"])
        what = rng.choice(["value", "value", "value", "misspell", "remove"])
        if what == "value":
            place[name] = rng.choice(VALUES)
        elif what == "misspell":
            wrong = misspelt(name, rng)
            place[wrong] = place.pop(name, None)
            touched.add(wrong)
        else:
            place.pop(name, None)
        touched.add(name)
    return touched


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """Configurations that don't pass, each with the fields that were touched."""
    rng, found = random.Random(0), []
    while len(found) < COUNT:
        algorithm = rng.choice(sorted(ALGORITHMS))
        config = good(algorithm, rng)
        touched = spoil(config, rng)
        try:
            if config["algorithm"] in ALGORITHMS:
                rest = {name: value for name, value in config.items() if name != "algorithm"}
                config_type(ALGORITHMS[config["algorithm"]])(**rest)
                continue  # still in order
        except Exception:  # noqa: BLE001 - which error it is, is what the test looks at
            pass
        found.append((config, touched))
    return found


def run_main(*arguments: object) -> object:
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        return leaving.code


@pytest.mark.parametrize("command", ["config", "resume"])
def test_broken_configurations_are_refused_by_field(trials, tmp_path, capsys, command):
    for config, touched in trials:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        given = path if command == "config" else tmp_path
        assert run_main("train", f"--{command}", given) == 2, config
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Traceback" not in captured.err
        first, where, *faults = captured.err.splitlines()
        assert first == "error: CheckpointError"
        assert where == f"{path}:"
        assert faults
        named = {re.split(r"[:.]", fault.removeprefix("agent."))[0] for fault in faults}
        assert named & touched, (config, captured.err)
        for fault in faults:
            assert re.match(r"[^\s:]+: (got |no such setting|is missing)", fault), fault
        assert [entry.name for entry in tmp_path.iterdir()] == ["config.yaml"]


def test_faults_of_run_and_algorithm_are_told_together_by_file_and_by_flags(tmp_path, capsys):
    flags = ["--benchmark", "navgation", "--seed", "-3", "--inner-lr", "-1", "--gamma", "7"]
    assert run_main("train", "maml", *flags) == 2
    by_flags = capsys.readouterr().err.splitlines()[1:]
    config = {"algorithm": "maml", "benchmark": "navgation", "seed": -3}
    config["agent"] = {"inner_lr": -1.0, "gamma": 7.0}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert run_main("train", "--config", tmp_path / "config.yaml") == 2
    by_file = capsys.readouterr().err.splitlines()[2:]
    assert sorted(by_flags) == sorted(by_file)
    assert [fault.partition(":")[0] for fault in sorted(by_file)] == [
        "agent.gamma",
        "agent.inner_lr",
        "benchmark",
        "seed",
    ]
    assert "did you mean navigation" in "\n".join(by_file)


def test_flags_go_before_the_file_and_are_checked_with_it(tmp_path, capsys):
    config = good("maml", random.Random(0))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    flags = ("--seed", -1, "--inner-lr", -2)
    assert run_main("train", "--config", tmp_path / "config.yaml", *flags) == 2
    faults = capsys.readouterr().err
    assert "seed: got -1" in faults
    assert "agent.inner_lr: got -2.0" in faults


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"- a",
        b"a: [",
        b"\xff\xfe",
        b"1: 2",
        b"!!python/object/apply:os.system [x]",
        b"&a [*a]",
    ],
)
@pytest.mark.parametrize("command", ["config", "resume"])
def test_files_that_are_no_settings_are_refused(tmp_path, capsys, content, command):
    (tmp_path / "config.yaml").write_bytes(content)
    given = tmp_path / "config.yaml" if command == "config" else tmp_path
    assert run_main("train", f"--{command}", given) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'config.yaml'}" in error
    assert "Traceback" not in error
    for arguments in (("--config",), ("--config", tmp_path / "nothing"), ("--config", tmp_path)):
        assert run_main("train", *arguments) == 2
        assert "Traceback" not in capsys.readouterr().err
