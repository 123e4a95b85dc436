import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarl.envs.physics import Vary
from metarl.errors import ConfigError, UnknownNameError

MODEL = gymnasium.make("Hopper-v5").unwrapped.model
BODIES = ["torso", "thigh", "leg", "foot"]


def drawn(vary, *, held_out=False, seed=0):
    return vary.sample(MODEL, np.random.default_rng(seed), held_out=held_out)["values"]


def test_names_are_matched_by_pattern_in_the_models_order():
    assert Vary("body_mass", scale=(1, 2)).elements(MODEL) == BODIES
    assert Vary("body_mass", "t*", scale=(1, 2)).elements(MODEL) == ["torso", "thigh"]
    assert Vary("body_mass", ("foot", "t?rso"), scale=(1, 2)).elements(MODEL) == ["torso", "foot"]


def test_each_together_and_components():
    each = drawn(Vary("geom_friction", scale=(0.5, 2)))
    assert len(set(each.values())) == len(each) == 5
    together = drawn(Vary("geom_friction", scale=(0.5, 2), draw="together"))
    assert len(set(together.values())) == 1
    assert together.keys() == each.keys()
    components = drawn(Vary("geom_friction", scale=(0.5, 2), draw="components"))
    assert all(len(set(values)) == 3 for values in components.values())


@given(
    low=st.floats(0.01, 1),
    width=st.floats(0.01, 5),
    gap=st.floats(0, 2),
    seed=st.integers(0, 2**32),
    distribution=st.sampled_from(["uniform", "log-uniform"]),
)
def test_train_and_held_out_draws_stay_in_their_ranges(low, width, gap, seed, distribution):
    high = low + width
    above = (high + gap, high + gap + 1)
    below = (low / 4, low / 2)
    vary = Vary("body_mass", scale=(low, high), distribution=distribution, held_out=(above, below))
    tiny = 1 + 1e-9
    assert all(low / tiny <= value <= high * tiny for value in drawn(vary, seed=seed).values())
    for value in drawn(vary, held_out=True, seed=seed).values():
        assert any(a / tiny <= value <= b * tiny for a, b in (above, below))


def test_distributions_are_what_they_are_called():
    wide = (0.01, 100.0)
    medians = {}
    for distribution in ("uniform", "log-uniform"):
        vary = Vary("body_mass", scale=wide, distribution=distribution)
        rng = np.random.default_rng(0)
        values = [v for _ in range(500) for v in vary.sample(MODEL, rng)["values"].values()]
        medians[distribution] = np.median(values)
    assert medians["uniform"] == pytest.approx(50, rel=0.1)
    assert medians["log-uniform"] == pytest.approx(1, rel=0.4)


def test_both_held_out_ranges_are_drawn_from_by_their_width():
    vary = Vary("body_mass", scale=(1.0, 2.0), held_out=((0.5, 1.0), (2.0, 3.5)))
    rng = np.random.default_rng(0)
    values = [
        value
        for _ in range(500)
        for value in vary.sample(MODEL, rng, held_out=True)["values"].values()
    ]
    assert np.mean(np.array(values) < 1) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": (2, 2)}, r"body_mass: got range \(2, 2\), which is empty"),
        ({"scale": (3, 2)}, "empty"),
        ({"scale": (1, np.inf)}, "infinite"),
        ({"scale": (np.nan, 2)}, "empty or infinite"),
        ({"scale": (0, 2)}, "must be above 0"),
        ({"quantity": "gravity", "scale": (-1, 2)}, "must be at least 0"),
        ({"quantity": "gravity", "scale": (0, 2), "distribution": "log-uniform"}, "above 0"),
        (
            {"quantity": "actuator_strength", "scale": (1, 2), "draw": "components"},
            "draw: got 'components' for actuator_strength; allowed: each, together",
        ),
        ({}, "give either scale or absolute"),
        ({"scale": (1, 2), "absolute": (1, 2)}, "give either scale or absolute"),
        ({"quantity": "geom_size", "absolute": (1, 2)}, "geom_size: absolute isn't defined"),
        ({"scale": (1, 2), "distribution": "normal"}, "distribution: got 'normal'; allowed: uni"),
        ({"scale": (1, 2), "draw": "some"}, "draw: got 'some'; allowed: each, together"),
        ({"scale": (1, 2), "held_out": ((1.5, 3),)}, r"ranges \(1, 2\) and \(1.5, 3\)"),
        ({"scale": (1, 2), "held_out": ((0.5, 3),)}, "overlap"),
        ({"scale": (1, 2), "held_out": ((3, 4), (3.5, 5))}, "overlap"),
        ({"scale": (1, 2), "held_out": ((4, 3),)}, "empty"),
    ],
)
def test_bad_ranges_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Vary(**{"quantity": "body_mass", **arguments})


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"quantity: unknown name 'mass'.*body_mass"):
        Vary("mass", scale=(1, 2))
    with pytest.raises(UnknownNameError, match=r"names of body_mass: .*'tigh'; did you mean thigh"):
        Vary("body_mass", "tigh", scale=(1, 2)).elements(MODEL)


def test_scaling_what_is_zero_is_refused_and_setting_it_is_not():
    with pytest.raises(ConfigError, match="scale changes nothing, as it is 0 for rootx"):
        Vary("dof_damping", "root*", scale=(1, 2)).elements(MODEL)
    assert Vary("dof_damping", scale=(1, 2)).elements(MODEL)[0] == "thigh_joint"
    assert len(Vary("dof_damping", "root*", absolute=(1, 2)).elements(MODEL)) == 3


def test_gravity_is_not_set_where_there_is_none_to_take_the_direction_from():
    weightless = gymnasium.make("Pusher-v5").unwrapped.model
    assert not weightless.opt.gravity.any()
    with pytest.raises(ConfigError, match="gravity: the model has none"):
        Vary("gravity", absolute=(1, 2)).elements(weightless)
    assert Vary("gravity", absolute=(1, 2)).elements(MODEL) == ["world"]
