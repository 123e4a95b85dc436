import pytest

import metarl
from metarl import evaluate
from metarl.cli.loading import load_evaluation
from metarl.errors import RunExistsError, UnknownNameError
from metarl.recipes import copy_pretrained, pretrained_names
from metarl.recipes.pretrained import pretrained_folder

SMALL = 200_000  # bytes of a policy with all that belongs to it


@pytest.mark.parametrize("name", pretrained_names())
def test_a_pretrained_policy_does_what_its_evaluation_says(name):
    agent = metarl.load_pretrained(name)
    kept = load_evaluation(pretrained_folder(name))
    assert kept.header.subject["iteration"] == agent.iteration
    digests = [kept.tasks[0].digest, kept.tasks[-1].digest]
    protocol = kept.protocol.model_copy(update={"num_adaptation_steps": 0, "num_tasks": None})
    if agent.benchmark.test.tasks is not None:
        found = evaluate(agent, protocol=protocol.model_copy(update={"tasks": tuple(digests)}))
        for field in ("episode_return",):
            assert found.per_task(field, 0) is not None
    size = sum(p.stat().st_size for p in pretrained_folder(name).rglob("*") if p.is_file())
    assert size < SMALL


def test_a_copy_is_a_run_of_ones_own(tmp_path):
    name = pretrained_names()[0]
    run = copy_pretrained(name, tmp_path / "mine")
    assert metarl.load_run(run.path).iteration == metarl.load_pretrained(name).iteration
    with pytest.raises(RunExistsError, match="mine"):
        copy_pretrained(name, tmp_path / "mine")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match=pretrained_names()[0]):
        metarl.load_pretrained(pretrained_names()[0] + "x")
