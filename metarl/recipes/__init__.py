"""Settings that work, by name; runs and pretrained policies to load.

``metarl recipes`` lists the recipes, ``metarl train --recipe NAME`` trains one.
"""

from metarl.recipes.loading import benchmark_of, load_run
from metarl.recipes.pretrained import copy_pretrained, load_pretrained, pretrained_names
from metarl.recipes.recipe import Recipe, Variant, load_recipe, recipe_names

__all__ = [
    "Recipe",
    "Variant",
    "benchmark_of",
    "copy_pretrained",
    "load_pretrained",
    "load_recipe",
    "load_run",
    "pretrained_names",
    "recipe_names",
]
