"""What a check can find wrong with a task distribution, why it matters and what usually helps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning"]
Status = Literal["passed", "failed", "not checked"]


class Kind(NamedTuple):
    """A kind of fault: how grave, why it matters for meta-learning, what usually helps."""

    severity: Severity
    why: str
    fix: str


KINDS: dict[str, Kind] = {
    "raising-sample": Kind(
        "error",
        "Every iteration draws tasks; training stops here.",
        "Make sample(num_tasks, rng) work for any num_tasks from 1.",
    ),
    "wrong-sample": Kind(
        "error",
        "The meta-batch is made of these tasks.",
        "Return a list of exactly num_tasks metarl.Task.",
    ),
    "unseeded-sampling": Kind(
        "error",
        "A run can't be repeated or resumed if its tasks come out different.",
        "Draw every random number of sample from the rng it is given.",
    ),
    "unpicklable-task": Kind(
        "error",
        "Tasks travel to worker processes by pickle and into manifests as JSON.",
        "Use metarl.Task itself with numbers, strings and lists as parameters; keep functions, "
        "locks and open handles out of it.",
    ),
    "equal-tasks": Kind(
        "error",
        "With one task there is nothing to adapt to: meta-learning becomes ordinary training.",
        "Put what varies into the task's parameters, drawn from rng.",
    ),
    "unpicklable-distribution": Kind(
        "error",
        "Workers get a copy of the distribution; without one all runs in a single process.",
        "Keep environments, models, locks and open files out of the distribution's attributes; "
        "build them in make_env.",
    ),
    "lost-in-worker": Kind(
        "error",
        "Workers import the modules of what they are sent, and nothing else of your program.",
        "Put what make_env needs into the distribution, or import the module that provides it (an "
        "id's registration, a table) in the module that defines the distribution.",
    ),
    "raising-make-env": Kind(
        "error",
        "Experience can't be collected for this task.",
        "Call make_env on each sampled task and mend what it raises.",
    ),
    "raising-reset": Kind(
        "error",
        "Every episode begins with a reset; one that fails ends the whole run.",
        "Make reset(seed=..., options=...) work for every task and at any time.",
    ),
    "raising-step": Kind(
        "error",
        "Exploration plays random actions for whole episodes; one failure ends the run.",
        "Make step work for every action in the action space.",
    ),
    "hangs": Kind(
        "error",
        "A worker that never answers holds up all others, and the run with them.",
        "Bound every loop and wait in the environment, and fail instead.",
    ),
    "unsupported-space": Kind(
        "error",
        "The policy has no head, or no input, for such a space.",
        "Actions: Box or Discrete. Observations: Box, Discrete, or a Dict or Tuple of such.",
    ),
    "spaces-differ": Kind(
        "error",
        "One policy serves all tasks: it is built for the distribution's spaces.",
        "Give every task the same spaces, those that the distribution declares.",
    ),
    "wrong-result": Kind(
        "error",
        "Rollouts unpack what reset and step return, and mask by the two flags.",
        "Return (observation, info) from reset and (observation, float reward, bool terminated, "
        "bool truncated, info) from step.",
    ),
    "wrong-shape": Kind(
        "error",
        "Observations are stacked over episodes and tasks, so all must have the declared shape.",
        "Declare the space of what is returned, or return what is declared.",
    ),
    "wrong-dtype": Kind(
        "error",
        "Batches take the declared type: values are cast silently, and may lose their fraction.",
        "Cast the observation to the space's dtype before it is returned.",
    ),
    "outside-space": Kind(
        "error",
        "Whatever is scaled or clipped by the declared bounds distorts such observations.",
        "Declare the true bounds (infinite ones are fine), or clip.",
    ),
    "observation-not-finite": Kind(
        "error",
        "One such number makes the adapted parameters, and then all parameters, not a number.",
        "End the episode where the simulation diverges, before the observation is returned.",
    ),
    "reward-not-finite": Kind(
        "error",
        "One such reward makes the meta-gradient not a number, and every parameter with it.",
        "Look for divisions by zero, logarithms and roots in the reward.",
    ),
    "no-horizon": Kind(
        "error",
        "Rollouts allocate and cut episodes by max_episode_steps.",
        "Set max_episode_steps to a whole number of at least 1.",
    ),
    "endless-episode": Kind(
        "error",
        "Adaptation counts whole episodes; evaluated by anyone else, this one never ends.",
        "Wrap the environment in gymnasium.wrappers.TimeLimit(env, max_episode_steps).",
    ),
    "early-truncation": Kind(
        "warning",
        "Advantages and timestep counts assume the declared horizon; here episodes are shorter.",
        "Declare as max_episode_steps what the environment truncates at.",
    ),
    "time-limit-as-end": Kind(
        "warning",
        "A terminal state is worth nothing from there on, a time limit isn't: bootstrapping and "
        "the inner gradient are biased.",
        "At the time limit return truncated=True and leave terminated to true ends.",
    ),
    "unseeded-reset": Kind(
        "error",
        "Results then depend on the worker and the order; no run can be repeated, no difference "
        "between before and after adaptation trusted.",
        "Call super().reset(seed=seed) and draw from self.np_random only.",
    ),
    "unseeded-step": Kind(
        "error",
        "Results then depend on the worker and the order; no run can be repeated.",
        "Draw the noise of step from self.np_random, which reset seeds.",
    ),
    "unseeded-constructor": Kind(
        "error",
        "Each episode of a task may run in another environment, so these are different tasks.",
        "Draw nothing in the constructor: what varies is a task parameter, the rest belongs into "
        "reset.",
    ),
    "stale-state": Kind(
        "error",
        "Environments are kept between episodes and tasks, so what one does would change the "
        "next, and with it the result of any other number of workers.",
        "Set everything that step changes back in reset.",
    ),
    "global-state": Kind(
        "error",
        "Whatever else runs in the process (other environments, the policy, your script) changes "
        "with it, so results depend on what shares the process.",
        "Keep state on self, and randomness in self.np_random.",
    ),
    "task-not-restored": Kind(
        "error",
        "The task seen depends on the tasks before it: the agent adapts to something that drifts.",
        "Set parameters from their original values (keep a copy), never scale what is there; give "
        "each environment its own model.",
    ),
    "shared-state": Kind(
        "error",
        "Several tasks live side by side in one process; here one overwrites the other.",
        "Give each environment its own copy of the model and keep state on self.",
    ),
    "vector-differs": Kind(
        "error",
        "Training steps make_vec, single environments are what is shown and tested: they must be "
        "the same MDP.",
        "Compare make_vec with make_env row by row, seeds and actions equal; mind the order of "
        "rows (task-major) and set_tasks.",
    ),
    "task-without-effect": Kind(
        "error",
        "There is nothing to adapt to if all tasks behave the same.",
        "Check that the parameters reach the dynamics or the reward: an attribute may have been "
        "read before it was set, or be overwritten by reset.",
    ),
    "no-reward-difference": Kind(
        "warning",
        "The inner gradient comes from rewards: if exploration meets the same ones in every task, "
        "adaptation has nothing to learn from.",
        "Shape the reward, widen the goals' reach, or lengthen episodes until random actions meet "
        "a difference.",
    ),
    "task-leak": Kind(
        "warning",
        "A policy that reads the task from its first observation needs no adaptation, and what is "
        "measured is multi-task learning.",
        "Leave the task out of the observation, or name its parameters in observable_parameters "
        "if it belongs there.",
    ),
    "slow-step": Kind(
        "warning",
        "Meta-learning takes tens of thousands of steps an iteration.",
        "Drop rendering and logging from step, take a coarser simulation, or override make_vec.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        code: Its kind, a key of :data:`KINDS`.
        what: What was seen, with task, step and numbers.
    """

    code: str
    what: str

    @property
    def severity(self) -> Severity:
        """Whether training on it can't be right (error), or may be meant so (warning)."""
        return KINDS[self.code].severity

    @property
    def why(self) -> str:
        """Why it matters for meta-learning."""
        return KINDS[self.code].why

    @property
    def fix(self) -> str:
        """What usually helps."""
        return KINDS[self.code].fix

    def __str__(self) -> str:
        return f"{self.severity}: {self.code}: {self.what}\n  why: {self.why}\n  fix: {self.fix}"


@dataclass
class Report:
    """What checking a task distribution brought to light.

    Attributes:
        findings: The faults, in the order they were found.
        checks: What was checked and how it went.
        figures: Steps per second and the like; names carry their units.
    """

    findings: list[Finding] = field(default_factory=list)
    checks: dict[str, Status] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def codes(self) -> list[str]:
        """The kinds of fault that were found."""
        return [finding.code for finding in self.findings]

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON data."""
        findings = [
            {**asdict(one), "severity": one.severity, "why": one.why, "fix": one.fix}
            for one in self.findings
        ]
        return {
            "ok": self.ok,
            "findings": findings,
            "checks": dict(self.checks),
            "figures": dict(self.figures),
        }
