"""Changed models against what MuJoCo's compiler makes of a changed file."""

import gymnasium
import mujoco
import numpy as np
import pytest

from metarl.envs.physics import QUANTITIES, ModelEditor, assign_model, element_names, models_equal
from metarl.errors import ConfigError, TaskError, UnknownNameError

ARM = """
<mujoco>
  <option gravity="0 0 {gravity}"/>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 .1" friction="1 .005 .0001"/>
    <body name="upper" pos="0 0 1">
      <joint name="shoulder" axis="0 1 0" damping="{damping}" armature="{armature}"
        stiffness="{stiffness}" frictionloss="{loss}"/>
      {inertial}
      <geom name="bone" type="capsule" fromto="0 0 0 .3 0 0" size="{radius}" friction="{friction}"/>
      <geom type="box" size=".1 .02 .03" pos=".1 0 .1"/>
      <body name="lower" pos=".3 0 0">
        <joint name="elbow" axis="0 1 0" damping=".2"/>
        <geom name="tip" type="sphere" size=".05"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="push" joint="shoulder" gear="3"/>
    <position name="hold" joint="elbow" kp="{kp}" forcerange="-{limit} {limit}"/>
  </actuator>
</mujoco>
"""
PLAIN = {
    "gravity": -9.81,
    "damping": 0.5,
    "armature": 0.1,
    "stiffness": 2.0,
    "loss": 0.25,
    "inertial": "",
    "radius": 0.04,
    "friction": ".8 .01 .002",
    "kp": 4.0,
    "limit": 3.0,
}


def inertial(mass, diagonal):
    return f'<inertial pos=".1 0 0" mass="{mass}" diaginertia="{diagonal}"/>'


def editor(tmp_path, **values):
    path = tmp_path / "arm.xml"
    path.write_text(ARM.format(**PLAIN | values))
    return ModelEditor(mujoco.MjModel.from_xml_path(str(path)), path)


def compiled(**values):
    return mujoco.MjModel.from_xml_string(ARM.format(**PLAIN | values))


def change(quantity, kind, **values):
    return {"quantity": quantity, "kind": kind, "values": values}


@pytest.mark.parametrize(
    ("one", "before", "after"),
    [
        (change("gravity", "scale", world=2.0), {}, {"gravity": -19.62}),
        (change("gravity", "absolute", world=1.5), {}, {"gravity": -1.5}),
        (change("dof_damping", "scale", shoulder=2.0), {}, {"damping": 1.0}),
        (change("dof_damping", "absolute", shoulder=0.75), {}, {"damping": 0.75}),
        (change("dof_armature", "scale", shoulder=4.0), {}, {"armature": 0.4}),
        (change("joint_stiffness", "scale", shoulder=0.5), {}, {"stiffness": 1.0}),
        (change("dof_frictionloss", "scale", shoulder=2.0), {}, {"loss": 0.5}),
        (change("geom_size", "scale", bone=[0.5, 1.0, 1.0]), {}, {"radius": 0.02}),
        (change("geom_friction", "scale", bone=0.5), {}, {"friction": ".4 .005 .001"}),
        (change("geom_friction", "scale", bone=[0.5, 2, 1]), {}, {"friction": ".4 .02 .002"}),
        (change("geom_sliding_friction", "absolute", bone=2.0), {}, {"friction": "2 .01 .002"}),
        (change("actuator_strength", "scale", hold=2.0), {}, {"kp": 8.0, "limit": 6.0}),
        (
            change("body_mass", "scale", upper=2.0),
            {"inertial": inertial(1.5, ".1 .2 .25")},
            {"inertial": inertial(3.0, ".1 .2 .25")},
        ),
        (
            change("body_mass", "absolute", upper=0.5),
            {"inertial": inertial(1.5, ".1 .2 .25")},
            {"inertial": inertial(0.5, ".1 .2 .25")},
        ),
        (
            change("body_inertia", "scale", upper=[2.0, 1.0, 1.0]),
            {"inertial": inertial(1.5, ".1 .2 .25")},
            {"inertial": inertial(1.5, ".2 .2 .25")},
        ),
        (
            change("body_density", "scale", upper=2.0),
            {"inertial": inertial(1.5, ".1 .2 .25")},
            {"inertial": inertial(3.0, ".2 .4 .5")},
        ),
    ],
)
def test_a_change_gives_the_model_that_the_changed_file_compiles_to(tmp_path, one, before, after):
    """All of it, derived fields too: subtree masses, inverse weights, statistics, bounds."""
    changed = editor(tmp_path, **before).edited([one])
    expected = compiled(**before | after)
    assert not models_equal(changed, compiled(**before))
    for name in dir(expected):
        wanted = getattr(expected, name, None)
        if isinstance(wanted, np.ndarray) and not name.startswith("_"):
            got = getattr(changed, name)
            assert np.allclose(got, wanted, rtol=1e-12, atol=1e-300), name
    assert np.allclose(changed.opt.gravity, expected.opt.gravity, rtol=1e-15)
    for name in ("meaninertia", "meanmass", "meansize", "extent"):
        assert getattr(changed.stat, name) == pytest.approx(getattr(expected.stat, name), rel=1e-12)


def test_every_quantity_is_compared_with_the_compiler_above():
    marks = test_a_change_gives_the_model_that_the_changed_file_compiles_to.pytestmark
    cases = next(mark for mark in marks if mark.name == "parametrize").args[1]
    assert {case[0]["quantity"] for case in cases} == set(QUANTITIES)


def test_derived_fields_follow_masses(tmp_path):
    model = editor(tmp_path).edited([change("body_mass", "scale", upper=3.0, lower=2.0)])
    assert model.body_subtreemass[1] == pytest.approx(model.body_mass[1:].sum())
    before = compiled()
    assert (model.dof_invweight0 < before.dof_invweight0).all()
    assert model.stat.meanmass > before.stat.meanmass


@pytest.mark.parametrize(
    "env_id", ["Reacher-v5", "Hopper-v5", "Walker2d-v5", "HalfCheetah-v5", "Ant-v5", "Humanoid-v5"]
)
def test_factors_of_one_change_nothing_and_assigning_the_original_restores_all(env_id):
    simulation = gymnasium.make(env_id).unwrapped
    own = ModelEditor(simulation.model, simulation.fullpath)
    for quantity in QUANTITIES:
        names = element_names(simulation.model, quantity)
        ones = change(quantity, "scale", **dict.fromkeys(names, 1.0))
        assert models_equal(own.edited([ones]), own.original), quantity
        other = own.edited([change(quantity, "scale", **dict.fromkeys(names, 1.25))])
        assign_model(simulation.model, other)
        assert models_equal(simulation.model, other)
    assert not models_equal(simulation.model, own.original)
    assign_model(simulation.model, own.original)
    assert models_equal(simulation.model, own.original)


def test_a_free_joint_and_unnamed_things_have_their_rows():
    ant = gymnasium.make("Ant-v5").unwrapped
    own = ModelEditor(ant.model, ant.fullpath)
    model = own.edited([change("dof_damping", "absolute", root=0.5)])
    assert model.dof_damping[:6].tolist() == [0.5] * 6
    assert np.array_equal(model.dof_damping[6:], ant.model.dof_damping[6:])
    assert list(element_names(ant.model, "actuator_strength")) == [
        f"#{number}" for number in range(8)
    ]
    assert "world" not in element_names(ant.model, "body_mass")
    assert "floor" not in element_names(ant.model, "geom_size")
    assert "floor" in element_names(ant.model, "geom_friction")


@pytest.mark.parametrize(
    ("one", "error", "message"),
    [
        (change("body_mas", "scale", upper=2.0), UnknownNameError, "did you mean body_mass"),
        (change("body_mass", "scale", uper=2.0), UnknownNameError, "did you mean upper"),
        (change("body_mass", "times", upper=2.0), TaskError, "kind: got 'times'"),
        ({"quantity": "body_mass"}, TaskError, "needs quantity, kind and values"),
        (change("body_inertia", "scale", upper=[1.0, 2.0]), TaskError, "got 2 numbers; must be 1 "),
    ],
)
def test_malformed_changes_are_refused(tmp_path, one, error, message):
    with pytest.raises(error, match=message):
        editor(tmp_path).edited([one])


def test_muscles_have_no_strength_to_scale():
    xml = ARM.format(**PLAIN).replace(
        '<motor name="push" joint="shoulder" gear="3"/>',
        '<muscle name="push" joint="shoulder" lengthrange="0.1 1"/>',
    )
    own = ModelEditor(mujoco.MjModel.from_xml_string(xml))
    with pytest.raises(ConfigError, match="'push' is a muscle"):
        own.edited([change("actuator_strength", "scale", push=2.0)])


def test_sizes_need_the_file_that_the_model_is_from(tmp_path):
    size = change("geom_size", "scale", bone=2.0)
    with pytest.raises(ConfigError, match="file isn't known"):
        ModelEditor(compiled()).edited([size])
    stale = editor(tmp_path)
    stale.original.body_mass[1] *= 2
    with pytest.raises(ConfigError, match="compiles to another model"):
        stale.edited([size])
