"""The cards in `results/` are those that the recipes would give, as far as they can tell."""

from pathlib import Path

import pytest

from metarl.evaluation.cards import read_card
from metarl.recipes import load_recipe, recipe_names

RESULTS = Path(__file__).parents[2] / "results"
WITH_CARD = [name for name in recipe_names() if load_recipe(name).card is not None]


@pytest.mark.parametrize("name", WITH_CARD)
def test_a_card_has_its_recipes_variants_seeds_lengths_and_step_sizes(name):
    recipe = load_recipe(name)
    card = read_card(RESULTS / f"{recipe.card}.json")
    assert set(card["variants"]) == set(recipe.variants)
    for label, way in recipe.variants.items():
        content = card["variants"][label]
        assert content["seeds"] == list(way.seeds or recipe.seeds)
        _, settings = recipe.settings(label)
        asked, agent = settings.total_timesteps, settings.agent
        horizon = card["protocol"]["max_episode_steps"]
        iteration = 2 * agent.meta_batch_size * agent.episodes_per_task * horizon
        # Training ends with the iteration that reaches the steps asked for.
        assert asked <= content["training_steps"] < asked + iteration
    offered = [
        extra["protocol"]["adaptation_lrs"]
        for extra in card["extra"]
        if extra.get("protocol", {}).get("adaptation_lrs")
    ]
    assert offered == ([] if recipe.adaptation_lrs is None else [list(recipe.adaptation_lrs)])
