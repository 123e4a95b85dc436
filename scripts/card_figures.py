"""Numbers of result cards as text: what prose about results takes them from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from metarl.evaluation import Estimate
from metarl.evaluation.cards.fields import FIELDS, fields_of
from metarl.evaluation.cards.members import CONTROLS, WITHOUT_META_LEARNING, is_family
from metarl.evaluation.cards.training import level
from metarl.evaluation.tables import count, number, percent, rate_shown

OWN_RATE = "Each run adapted at the step size that suits it best"
"""Title of the further evaluation in which step sizes are chosen on training tasks."""


class CardFigures:
    """Cards by name. Every method says what there is instead when asked for what isn't there.

    Names in all methods: ``card``, the name of a file in `results/` without its ending, or that of
    one of its further evaluations as :meth:`further` gives it; ``label``,
    a method on it; ``step``, a number of adaptation steps (-1 for the last); ``field``, a quantity
    (``"success_final"``, ``"success_any"``, ``"episode_return"``).
    """

    def __init__(self, cards: Mapping[str, Mapping[str, Any]]) -> None:
        self.cards = cards
        self._further = {
            self.further(card, extra["title"]): extra
            for card, data in cards.items()
            for extra in data["extra"]
            if "variants" in extra
        }

    def further(self, card: str, title: str) -> str:
        """The name of a card's further evaluation."""
        return f"{card}: {title}"

    def has(self, card: str, *labels: str) -> bool:
        """Whether there is such a card, with such methods on it."""
        known = card in self.cards or card in self._further
        return known and set(labels) <= set(self.card(card)["variants"])

    def has_upstream(self, card: str, *labels: str) -> bool:
        """Whether there is such a card, with Meta-World's own rates of such methods on it."""
        extras = self.cards[card]["extra"] if card in self.cards else ()
        rated = {row["label"] for extra in extras for row in extra.get("rates", ())}
        return card in self.cards and set(labels) <= rated

    def rate(self, card: str, label: str, step: int, field: str = "success_final") -> str:
        """A success rate with its interval: ``83 % [77, 89]``."""
        return percent(self.estimate(card, label, step, field))

    def ret(self, card: str, label: str, step: int) -> str:
        """A return with its interval: ``-7.2 [-8.0, -6.5]``."""
        return number(self.estimate(card, label, step, "episode_return"))

    def gain(self, card: str, label: str, step: int = -1) -> str:
        """What a step has added to the return before adaptation, with its interval."""
        gain = _item(self.variant(card, label)["gain"], step, f"{card}, {label}: gain")
        if gain is None:
            raise LookupError(f"{card}, {label}: knows no gain after step {step}")
        return number(Estimate(**gain), sign=True)

    def difference(
        self, card: str, label: str, other: str, step: int, field: str = "success_final"
    ) -> str:
        """What one method is better by than another, with its interval.

        In points of a hundred for successes (``+20 points [12, 28]``).
        """
        found = self._difference(card, label, other, step, field)
        if found is None:
            raise LookupError(f"{card}: doesn't compare {label} with {other} in {field}")
        if field == "episode_return":
            return number(found, sign=True)
        return percent(found, sign=True).replace(" %", " points")

    def outcome(
        self, card: str, label: str, other: str, step: int, field: str = "success_final"
    ) -> str:
        """``"better"``, ``"worse"`` or ``"undecided"``: where the difference's interval lies.

        Where a card compares the two nowhere: whether their own intervals overlap.
        """
        found = self._difference(card, label, other, step, field)
        if found is None:
            own, its = (self.estimate(card, one, step, field) for one in (label, other))
            if own.ends is None or its.ends is None:
                return "undecided"
            ends = own.ends[0] - its.ends[1], own.ends[1] - its.ends[0]
            found = Estimate(own.mean - its.mean, *ends)
        if found.ends is None:
            return "undecided"
        low, high = found.ends
        return "better" if low > 0 else "worse" if high < 0 else "undecided"

    def overall(self, card: str, label: str, other: str, step: int) -> str:
        """The :meth:`outcome` that all quantities agree on, or ``"undecided"``.

        ``"mixed"`` where the method is better in one and worse in another.
        """
        fields = fields_of(self.card(card))
        found = {self.outcome(card, label, other, step, field) for field in fields}
        if {"better", "worse"} <= found:
            return "mixed"
        return found.pop() if len(found) == 1 else "undecided"

    def apart(
        self,
        card: str,
        label: str,
        other: str,
        step: int,
        field: str = "success_final",
        other_step: int | None = None,
    ) -> bool:
        """Whether the two intervals don't overlap, the first being the higher.

        With ``other_step`` the other's is that after as many steps, such as before adaptation.
        """
        own = self.estimate(card, label, step, field)
        its = self.estimate(card, other, step if other_step is None else other_step, field)
        return own.ends is not None and its.ends is not None and own.ends[0] > its.ends[1]

    def verdicts(self, *, own_rate: bool, short: bool = False) -> dict[str, list[str]]:
        """Problems by what MAML's return after the last step is beside its control's.

        Args:
            own_rate: With each run adapted at the step size that suits it best.
            short: Names alone, without how many seeds there are.

        Returns:
            Names by ``"better"``, ``"worse"`` and ``"undecided"``, in the order of the cards.
        """
        found: dict[str, list[str]] = {"better": [], "worse": [], "undecided": []}
        for name, data in self.cards.items():
            run = self.further(name, OWN_RATE) if own_rate else name
            if is_family(data) or not self.has(run, "MAML", "control"):
                continue
            problem = self.problem(name)
            single = self.seeds(run, "MAML") == self.seeds(run, "control") == "1 seed"
            verdict = self.outcome(run, "MAML", "control", -1, "episode_return")
            found[verdict].append(f"{problem} (one seed)" if single and not short else problem)
        return found

    def problem(self, card: str) -> str:
        """A card's problem as prose names it: ``push`` for ``ml1-push``, ``ML10``."""
        family = card.removeprefix("ml1-")
        if family != card:
            return family
        return card.replace("ml", "ML").replace("halfcheetah-vel", "HalfCheetah velocity")

    def per_seed(self, card: str, label: str, step: int, field: str = "success_final") -> str:
        """Each seed's mean: ``82, 88 and 80 %``."""
        *most, last = (FIELDS[field].show(value) for value in self._seeds(card, label, step, field))
        unit = "" if field == "episode_return" else " %"
        return f"{', '.join(most)} and {last}{unit}" if most else f"{last}{unit}"

    def lowest(self, card: str, label: str, step: int, field: str = "success_final") -> str:
        """The lowest seed's mean."""
        unit = "" if field == "episode_return" else " %"
        return f"{FIELDS[field].show(min(self._seeds(card, label, step, field)))}{unit}"

    def seeds(self, card: str, label: str) -> str:
        """How many: ``3 seeds``."""
        return count(len(self.variant(card, label)["seeds"]), "seed")

    def env_steps(self, card: str, label: str) -> str:
        """Environment steps of training, per seed: ``1.26 million``."""
        return f"{self.variant(card, label)['training_steps'] / 1e6:.3g} million"

    def seconds(self, card: str, label: str) -> str:
        """Median seconds of an iteration: ``3.8 s``."""
        median = self.variant(card, label)["median_seconds_per_iteration"]
        if median is None:
            raise LookupError(f"{card}, {label}: knows no time per iteration")
        return f"{median:.1f} s"

    def memory(self, card: str, label: str) -> str:
        """Largest memory that a process of training took: ``2,500 MiB``."""
        peak = self.variant(card, label)["peak_memory_mib"]
        if peak is None:
            raise LookupError(f"{card}, {label}: knows no memory")
        return f"{peak:,.0f} MiB"

    def training_gain(self, card: str, label: str, share: float) -> str:
        """Return after adaptation less that before, on training tasks, mean over seeds.

        Args:
            card: Name of the card.
            label: A method on it.
            share: Of training that was done by then, in (0, 1]; the mean is over the tenth before.
        """
        before, after = (
            self._training_level(card, label, phase, share) for phase in ("before", "after")
        )
        return f"{after - before:+.0f}"

    def training_level(self, card: str, label: str, share: float) -> str:
        """Return after adaptation on training tasks, as :meth:`training_gain` takes it."""
        return f"{self._training_level(card, label, 'after', share):.0f}"

    def upstream(self, card: str, label: str, steps: int) -> str:
        """The rate that metaworld.evaluation gives after so many steps, mean over seeds."""
        rates = [
            row["rate"]
            for extra in self.card(card)["extra"]
            for row in extra.get("rates", ())
            if (row["label"], row["adaptation_steps"]) == (label, steps)
        ]
        if not rates:
            raise LookupError(f"{card}, {label}: has no rate of Meta-World's own after {steps}")
        return f"{100 * fmean(rates):.0f} %"

    def of_family(self, card: str, family: str, label: str, step: int) -> str:
        """Success at the last step on one family of a card's tasks, with its interval."""
        families = self.variant(card, label)["families"]
        if family not in families:
            raise LookupError(f"{card}, {label}: got {family!r}; it has {', '.join(families)}")
        values = families[family]["success_final"]
        return percent(Estimate(**_item(values, step, f"{card}, {label}, {family}")))

    def chosen(self, card: str, label: str) -> list[str]:
        """The step sizes that a method's seeds chose, each once: ``0 (left as it is)``."""
        return [
            rate_shown(rate) for rate in sorted(set(self.variant(card, label)["adaptation_lrs"]))
        ]

    def tasks(self, card: str) -> str:
        """How many it was evaluated on: ``50 tasks``."""
        return count(self.card(card)["protocol"]["num_tasks"], "task")

    def methods(self, card: str) -> list[str]:
        """Labels without controls."""
        return [label for label in self.card(card)["variants"] if label not in CONTROLS]

    def beaten(self, card: str, control: str, step: int) -> list[str]:
        """Labels of the methods that are better than a control in what the card is judged by."""
        field = self.main_field(card)
        methods = self.methods(card)
        return [one for one in methods if self.outcome(card, one, control, step, field) == "better"]

    def controls(self, card: str) -> list[str]:
        """Labels of the controls that tell what meta-learning was worth."""
        return [label for label in self.card(card)["variants"] if label in WITHOUT_META_LEARNING]

    def main_field(self, card: str) -> str:
        """What a card is judged by: success at the last step, or return where there is none.

        On navigation too it is return, which is what others publish.
        """
        data = self.card(card)
        by_return = data["benchmark"] == "navigation" or "success_final" not in fields_of(data)
        return "episode_return" if by_return else "success_final"

    def shown(self, card: str, label: str, step: int, field: str) -> str:
        """A quantity with its interval."""
        found = self.estimate(card, label, step, field)
        return number(found) if field == "episode_return" else percent(found)

    def card(self, card: str) -> Mapping[str, Any]:
        """A card's data."""
        known: dict[str, Mapping[str, Any]] = {**self.cards, **self._further}
        if card not in known:
            raise LookupError(f"card: got {card!r}; there are {', '.join(sorted(known))}")
        return known[card]

    def variant(self, card: str, label: str) -> Mapping[str, Any]:
        """A method's data."""
        variants = self.card(card)["variants"]
        if label not in variants:
            raise LookupError(f"{card}: got {label!r}; it has {', '.join(variants)}")
        found: Mapping[str, Any] = variants[label]
        return found

    def estimate(self, card: str, label: str, step: int, field: str) -> Estimate:
        """A quantity after a number of steps."""
        content = self.variant(card, label).get(field)
        if content is None:
            raise LookupError(f"{card}, {label}: has no {field}")
        return Estimate(**_item(content["all"], step, f"{card}, {label}"))

    def _training_level(self, card: str, label: str, phase: str, share: float) -> float:
        curves = self.variant(card, label)["training"]
        if not curves:
            raise LookupError(f"{card}, {label}: has no learning curve")
        levels = [level(curve, phase, share) for curve in curves]
        known = [one for one in levels if one is not None]
        if len(known) < len(levels):
            raise LookupError(f"{card}, {label}: its learning curve lacks a return")
        return fmean(known)

    def _seeds(self, card: str, label: str, step: int, field: str) -> list[float]:
        self.estimate(card, label, step, field)  # says what is missing
        return [means[step] for means in self.variant(card, label)[field]["per_seed"]]

    def _difference(
        self, card: str, label: str, other: str, step: int, field: str
    ) -> Estimate | None:
        for one in (label, other):
            self.estimate(card, one, step, field)  # says what is missing
        last = self.card(card)["protocol"]["num_adaptation_steps"]
        for comparison in self.card(card)["comparisons"]:
            if set(comparison["labels"]) != {label, other}:
                continue
            for line in comparison["lines"]:
                if (line["field"], line["adaptation_step"]) == (field, step % (last + 1)):
                    found = Estimate(**line["difference"])
                    if comparison["labels"][0] == label:
                        return found
                    return Estimate(-found.mean, *(-end for end in (found.ends or ())[::-1]))
        return None


def _item(values: Sequence[Any], step: int, where: str) -> Any:
    if not -len(values) <= step < len(values):
        raise LookupError(f"{where}: got step {step}; it has {len(values)} (0 is before)")
    return values[step]
