"""Families of environments that we didn't write, as a user would make them."""

import gymnasium

from metarl.envs.gymnasium import HeldOutRegion, LogUniform, TaskFamily, Uniform

pendulums = TaskFamily(
    "Pendulum-v1",
    attributes={"m": Uniform(0.5, 2.0), "l": Uniform(0.5, 1.5)},
    split=HeldOutRegion({"m": (1.5, 2.0)}),
)


def set_damping(env, parameters):
    env.unwrapped.model.dof_damping[:2] = parameters["damping"]


reachers = TaskFamily(
    "Reacher-v5",
    parameters={"damping": LogUniform(0.2, 5.0)},
    apply=set_damping,
    reuse=True,  # it sets the damping, whatever was there
)


def robotics_id(name):
    import gymnasium_robotics  # prints a notice, so only where it is needed

    gymnasium.register_envs(gymnasium_robotics)
    return gymnasium.make(name)


def set_friction(env, parameters):
    model = env.unwrapped.model
    model.geom_friction[model.geom("object0").id, 0] = parameters["friction"]


pucks = TaskFamily(
    robotics_id,
    fixed={"name": "FetchPushDense-v4"},
    parameters={"friction": LogUniform(0.1, 3.0)},
    apply=set_friction,
    reuse=True,
    max_episode_steps=50,
    name="pucks",
)


def set_ball_damping(env, parameters):
    env.unwrapped.point_env.model.dof_damping[:] = parameters["damping"]


mazes = TaskFamily(
    robotics_id,
    fixed={"name": "PointMaze_UMazeDense-v3"},
    parameters={"damping": LogUniform(0.1, 10.0)},
    apply=set_ball_damping,
    reuse=True,
    max_episode_steps=60,
    name="mazes",
)
