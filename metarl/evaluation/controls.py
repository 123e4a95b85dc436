"""What meta-learning was worth, said against controls.

A policy that improves with adaptation need not owe that to meta-learning: one trained on all tasks
together, with no adaptation in training, often adapts nearly as well. So an evaluation stands
beside controls on the same tasks, under the same protocol and randomness:

* ``none``: no adaptation; step 0 of the same rows.
* ``untrained``: the same network at random initialisation, adapted the same way.
* ``pretrained``: the same network trained on all tasks without meta-learning (inner learning rate
  0), as long or as near to it as its checkpoints allow, and adapted the same way. The difference to
  it is what meta-learning was worth.
* ``expert``: a controller that sees the goal.
* ``oracle``: a policy trained by Stable-Baselines3 that sees the goal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from metarl.evaluation.comparison import PairedLine, compare
from metarl.evaluation.result import Evaluation
from metarl.evaluation.tables import FIELD_NAMES, count, number, percent

Control: TypeAlias = Literal["untrained", "pretrained", "expert", "oracle"]

UNKNOWN = (
    "What adaptation gains is not yet what meta-learning was worth: a policy trained without it "
    "may adapt as well. `metarl evaluate RUN --controls pretrained` tells."
)


def stands_beside(control: Evaluation, own: Evaluation) -> bool:
    """Whether a control is of the same tasks, adapted the same way if it is adapted at all."""
    protocols = [one.protocol.model_dump(exclude={"seed"}) for one in (control, own)]
    return control.tasks == own.tasks and (control.steps == [0] or protocols[0] == protocols[1])


def worth_lines(evaluation: Evaluation, controls: Mapping[str, Evaluation]) -> list[str]:
    """What meta-learning was worth, in return and final success, per adaptation step.

    Args:
        evaluation: Of the meta-trained agent.
        controls: By name; what matters is ``"pretrained"``.

    Raises:
        EvaluationError: If the control's protocol differs.
        ManifestMismatchError: If its tasks differ.
    """
    control = controls.get("pretrained")
    if control is None:
        return [UNKNOWN] if evaluation.steps[1:] else []
    comparison = compare([evaluation], [control], ("this run", "pretrained"))
    sentences = []
    for step in evaluation.steps[1:]:
        for field in ("episode_return", "success_final"):
            before, line = comparison.line(field, 0), comparison.line(field, step)
            if before is not None and line is not None:
                sentences.append(_worth(before, line))
    return sentences


def _worth(before: PairedLine, line: PairedLine) -> str:
    show = number if line.field == "episode_return" else percent
    if line.difference.ends is None:
        verdict = "without an interval it is undecided what meta-learning was worth"
    elif not line.decided:
        verdict = "no advantage of meta-learning is shown"
    elif line.difference.mean > 0:
        verdict = "meta-learning was worth that much"
    else:
        verdict = "meta-learning did harm"
    gain, control_gain = line.a.mean - before.a.mean, line.b.mean - before.b.mean
    share = (
        f"; the control gains {100 * control_gain / gain:.0f} % of what this run gains by adapting"
        if gain > 0
        else ""
    )
    return (
        f"after {count(line.adaptation_step, 'step')}, {FIELD_NAMES[line.field]}: "
        f"{show(line.difference, sign=True)} against the pretrained control adapted the same way: "
        f"{verdict}{share}"
    )
