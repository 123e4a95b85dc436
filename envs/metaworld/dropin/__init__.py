"""Meta-World's Gymnasium ids on the batched engine: the same numbers, several times as fast.

Importing :mod:`metarl.envs` registers, through ``gymnasium.make_vec``, ``metarl/ML1-train-v0``,
``-test-v0`` and the same for ML10, ML25 and ML45, ``metarl/MT1-v0``, ``MT10``, ``MT25``, ``MT50``,
``metarl/custom-ml-envs-v0`` and ``metarl/custom-mt-envs-v0``; through ``gymnasium.make``
``metarl/MT1-v0``, ``metarl/ML1-train-v0`` and ``metarl/ML1-test-v0``. They take the arguments of
the ``Meta-World/...`` ids, all vector environments among them:

* ``num_envs``: ignored, as by Meta-World, but for MT1; benchmark and ``meta_batch_size`` decide.
* ``vector_strategy``: checked and ignored; the rows are stepped together either way.
* ``autoreset_mode``: an ``AutoresetMode`` or its value; ``SAME_STEP`` unless told.
* the fields of :class:`.settings.Settings`. A ``render_mode`` or ``reward_function_version="v1"``
  is served by Meta-World's own environments, at their own speed.
* ``num_workers``, which Meta-World hasn't: processes to spread the rows over; 0 for this one.

``call``, ``get_attr`` and ``set_attr`` reach what :class:`.sub_environment.SubEnvironment` has.

Where the numbers differ from Meta-World's on purpose:

* ``ML1-train`` serves the training tasks (Meta-World's serves the test tasks).
* A simulation that diverges ends the episode (Meta-World's goes on from MuJoCo's default state),
  and an action that is not finite is an error.
* ``observation_space`` is one that observations lie in (Meta-World's has the goal at zero).
* Info arrays are float64 (Gymnasium rounds all rows to the type of the first row's value).
* Rows of one class load their own checkpoints (Meta-World gives all of them the first one's).
"""

from .registration import register_envs

__all__ = ["register_envs"]
