"""`metarl recipes` and `metarl pretrained`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import tyro
import yaml
from rich.markup import escape
from rich.table import Table

from metarl.cli.loading import load_evaluation
from metarl.cli.output import OUT, say
from metarl.evaluation.summary import StepSummary
from metarl.recipes import Recipe, copy_pretrained, load_recipe, pretrained_names, recipe_names
from metarl.recipes.pretrained import pretrained_folder


def show_recipes(name: Annotated[str | None, tyro.conf.Positional] = None) -> int:
    """List the recipes: settings, what they take, their result card; with a name, all about one.

    `metarl train --recipe NAME` trains its main variant, `--variant control` another one; every
    flag of `metarl train` may follow, such as `--seed 1`. Cards are files of metarl's repository,
    where `python scripts/result_card.py NAME` makes them again.

    Args:
        name: Of the recipe to tell about.
    """
    if name is not None:
        _tell(load_recipe(name))
        return 0
    table = Table(title="Recipes", show_lines=True)
    table.add_column("--recipe", no_wrap=True)
    table.add_column("what; --variant; time; result card")
    for each in map(load_recipe, recipe_names()):
        table.add_row(escape(each.name), escape(each.title) + f"\n[dim]{escape(_facts(each))}[/]")
    OUT.print(table)
    return 0


def show_pretrained(
    name: Annotated[str | None, tyro.conf.Positional] = None, run: Path | None = None
) -> int:
    """List the policies that come with the package; with a name, copy one into a run folder.

    In Python: metarl.load_pretrained("ml1-reach-maml").

    Args:
        name: Of the policy.
        run: Where to; by default named in runs/.
    """
    if name is not None:
        folder = copy_pretrained(name, run or Path("runs") / name)
        say(f"run folder: {folder.path}")
        say(f"next: metarl evaluate {shlex.quote(str(folder.path))}")
        return 0
    table = Table(
        title="Pretrained policies, on held-out tasks by the mean action", show_lines=True
    )
    table.add_column("name", no_wrap=True)
    for heading in ("benchmark", "steps of training", "before", "adapted"):
        table.add_column(heading)
    for each in pretrained_names():
        evaluation = load_evaluation(pretrained_folder(each))
        lines = evaluation.summary()
        steps = f"{evaluation.header.subject['num_timesteps']:,}"
        table.add_row(each, evaluation.header.benchmark, steps, _level(lines[0]), _level(lines[-1]))
    OUT.print(table)
    return 0


def _level(line: StepSummary) -> str:
    """What is reached after some steps."""
    reached = f"return {line.episode_return.mean:.1f}"
    rate = line.success_final
    return reached if rate is None else f"{reached}, success {100 * rate.mean:.0f} %"


def _facts(recipe: Recipe) -> str:
    variants = list(recipe.variants)
    more = f" and {len(variants) - 4} more" if variants[4:] else ""
    return f"{', '.join(variants[:4])}{more}; {recipe.time}; {_card(recipe)}"


def _card(recipe: Recipe) -> str:
    return f"results/{recipe.card}.md" if recipe.card else "not run to its end"


def _tell(recipe: Recipe) -> None:
    say(f"{recipe.title}\n")
    for heading, text in (
        ("settings from", recipe.source),
        ("why", recipe.why),
        ("time", recipe.time),
        ("memory", recipe.memory),
        ("result card", _card(recipe)),
        ("seeds", ", ".join(map(str, recipe.seeds))),
        ("note", recipe.note),
    ):
        if not text:
            continue
        OUT.print(f"[bold]{heading}[/]: {escape(text)}", highlight=False)
    for heading, data in (
        ("settings", recipe.run),
        ("evaluation", recipe.evaluation.model_dump(mode="json", exclude_defaults=True)),
        ("further evaluations", _further(recipe)),
        (
            "variants",
            {
                name: way.model_dump(mode="json", exclude_defaults=True)
                for name, way in recipe.variants.items()
            },
        ),
    ):
        if data:
            OUT.print(f"[bold]{heading}[/]:")
            say(yaml.safe_dump(data, sort_keys=False, default_flow_style=None).rstrip())
    say(f"\nmetarl train --recipe {recipe.name} --seed {recipe.seeds[0]}")
    say(f"all runs and the card, in a clone: python scripts/result_card.py {recipe.name}")


def _further(recipe: Recipe) -> dict[str, object]:
    """What the card has besides its evaluation on test tasks."""
    found = {
        "splits": list(recipe.extra),
        "num_tasks": recipe.num_extra_tasks,
        "metaworld.evaluation after steps": list(recipe.upstream_steps),
        "adaptation_lrs": list(recipe.adaptation_lrs or ()),
    }
    return {name: value for name, value in found.items() if value}
