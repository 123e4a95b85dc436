from pathlib import Path

import pytest
import yaml

from metarl.agents import ALGORITHMS
from metarl.errors import CheckpointError, UnknownNameError
from metarl.evaluation.cards import read_card
from metarl.recipes import Recipe, load_recipe, recipe_names
from metarl.recipes.recipe import CATALOGUE
from metarl.recipes.settings import written_settings

TEXT = {"title": "t", "source": "s", "why": "w", "time": "1 s", "memory": "1 GiB"}
RUN = {"benchmark": "navigation", "total_timesteps": 100, "agent": {"meta_batch_size": 3}}
VARIANTS = {
    "MAML": {"algorithm": "maml", "agent": {"inner_lr": 0.2}},
    "control": {"algorithm": "maml", "agent": {"inner_lr": 0.0, "adaptation_lr": 0.2}},
}
CONTROLLED = [name for name in recipe_names() if "control" in load_recipe(name).variants]


def recipe(**changes) -> Recipe:
    return Recipe(**{"name": "mine", **TEXT, "run": RUN, "variants": VARIANTS, **changes})


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_catalogue_makes_settings_of_every_variant(name):
    found = load_recipe(name)
    for variant, way in found.variants.items():
        agent_type, settings = found.settings(variant, seed=7)
        assert agent_type is ALGORITHMS[way.algorithm]
        assert settings.seed == 7
        for setting, value in {**found.run.get("agent", {}), **way.agent}.items():
            assert written_settings(agent_type, settings)["agent"][setting] == value
    # A typing error in the name of a field would be refused; an unused file would be too.
    assert set(yaml.safe_load((CATALOGUE / f"{name}.yaml").read_text())) <= set(Recipe.model_fields)


OWN_RATES = {"navigation-family": 0.5}
"""Where the control has the step size that suits it best, as members have tuned ones."""


def test_a_control_with_a_step_size_of_its_own_has_the_one_that_was_found_for_it():
    card = read_card(Path(__file__).parents[2] / "results" / "navigation.json")
    (own,) = [extra for extra in card["extra"] if "adaptation_lrs" in extra["protocol"]]
    chosen = own["variants"]["control"]["adaptation_lrs"]
    assert set(chosen) == {OWN_RATES["navigation-family"]}


@pytest.mark.parametrize(
    "name", [n for n in recipe_names() if "control" in load_recipe(n).variants]
)
def test_the_control_is_the_main_variant_but_for_the_inner_rate(name):
    found = load_recipe(name)
    agents = []
    for variant in ("MAML", "control"):
        agent_type, settings = found.settings(variant)
        written = written_settings(agent_type, settings)
        agents.append({"total_timesteps": written["total_timesteps"], **written["agent"]})
    main, control = agents
    assert control.pop("inner_lr") == 0
    main_rate = main.pop("inner_lr")
    assert control.pop("adaptation_lr") == OWN_RATES.get(name, main_rate)
    main.pop("adaptation_lr")
    assert control == main


def test_a_variant_may_be_trained_for_longer_than_the_others():
    longer = {**VARIANTS["MAML"], "total_timesteps": 300}
    found = recipe(variants={"MAML": longer, "control": VARIANTS["control"]})
    assert [found.settings(name)[1].total_timesteps for name in found.variants] == [300, 100]
    assert found.settings("MAML", total_timesteps=7)[1].total_timesteps == 7


def test_the_problems_that_people_ask_for_are_there():
    problems = {load_recipe(name).run["benchmark"] for name in recipe_names()}
    asked = {"navigation", "halfcheetah-dir", "halfcheetah-vel", "ml10", "ml25", "ml45"}
    families = ("reach", "push", "pick-place", "door-open", "window-open")
    assert problems >= asked | {f"ml1/{family}-v3" for family in families}


def test_variants_go_before_common_settings_and_changes_before_all():
    agent_type, settings = recipe().settings("control", seed=3, total_timesteps=5)
    assert agent_type is ALGORITHMS["maml"]
    assert (settings.seed, settings.total_timesteps) == (3, 5)
    assert (settings.agent.meta_batch_size, settings.agent.inner_lr) == (3, 0.0)
    assert recipe().settings()[1].agent.inner_lr == 0.2  # the first variant
    assert recipe().settings("maml")[1].agent.inner_lr == 0.2  # whatever the case


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": {**RUN, "benchmark": "navigaton"}}, "navigation"),
        ({"variants": {"MAML": {"algorithm": "mamml"}}}, "mamml"),
        ({"variants": {"MAML": {"algorithm": "maml", "agent": {"inner_rate": 1}}}}, "inner_lr"),
    ],
)
def test_faulty_settings_are_refused_when_a_recipe_is_read(changes, message):
    with pytest.raises(CheckpointError, match=message):
        recipe(**changes)


def test_unknown_names_get_the_nearest():
    with pytest.raises(UnknownNameError, match="ml1-reach"):
        load_recipe("ml1-reech")
    with pytest.raises(UnknownNameError, match="control"):
        recipe().settings("contrl")


def test_a_run_is_of_a_recipe_whatever_its_seed_and_length():
    config = written_settings(*recipe().settings("MAML", seed=5, total_timesteps=7, num_workers=1))
    assert recipe().agrees_with(config, "MAML")
    assert not recipe().agrees_with(config, "control")
    config["agent"]["gamma"] = 0.5
    assert not recipe().agrees_with(config, "MAML")
