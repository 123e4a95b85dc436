import numpy as np
import pytest

import metarl
from metarl import evaluate
from metarl.cli.loading import load_evaluation
from metarl.errors import RunExistsError, UnknownNameError
from metarl.recipes import copy_pretrained, load_recipe, pretrained_names, recipe_names
from metarl.recipes.pretrained import pretrained_folder
from metarl.runs import RunFolder

LARGEST = 400_000  # bytes of a policy with all that belongs to it


@pytest.mark.parametrize("name", pretrained_names())
def test_a_pretrained_policy_does_what_its_evaluation_says(name):
    """Before adaptation, by the mean action, nothing is drawn but where an episode starts.

    Meta-World's tasks say where; elsewhere that is drawn by a task's place among all.
    """
    agent = metarl.load_pretrained(name)
    kept = load_evaluation(pretrained_folder(name))
    assert kept.header.subject["iteration"] == agent.iteration
    assert kept.header.split == "test"
    chosen = [0, len(kept.tasks) - 1]
    changes: dict = {"num_adaptation_steps": 0}
    if agent.benchmark.name.startswith("ml"):
        changes |= {"tasks": tuple(kept.tasks[index].digest for index in chosen)}
    found = evaluate(agent, protocol=kept.protocol.model_copy(update=changes))
    places = [kept.tasks.index(task) for task in found.tasks]
    assert set(chosen) <= set(places)
    expected = kept.per_task("episode_return", 0)[places]
    np.testing.assert_allclose(found.per_task("episode_return", 0), expected, rtol=1e-5)


@pytest.mark.parametrize("name", pretrained_names())
def test_a_pretrained_policy_is_small_and_of_a_recipe(name):
    files = [path for path in pretrained_folder(name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LARGEST
    config = RunFolder(pretrained_folder(name)).config()
    recipe = max((r for r in recipe_names() if name.startswith(f"{r}-")), key=len)
    assert load_recipe(recipe).agrees_with(config, name.removeprefix(f"{recipe}-"))


def test_reach_is_there():
    assert {"ml1-reach-maml", "navigation-maml"} <= set(pretrained_names())


def test_a_copy_is_a_run_of_ones_own(tmp_path):
    run = copy_pretrained("navigation-maml", tmp_path / "mine")
    agent = metarl.load_run(run.path)
    assert agent.iteration == metarl.load_pretrained("navigation-maml").iteration
    with pytest.raises(RunExistsError, match="mine"):
        copy_pretrained("navigation-maml", tmp_path / "mine")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="ml1-reach-maml"):
        metarl.load_pretrained("ml1-reach-mamml")
