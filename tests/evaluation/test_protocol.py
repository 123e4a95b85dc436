import pytest

from metarl.errors import ConfigError, UnknownNameError
from metarl.evaluation import PRESETS, EvaluationProtocol
from metarl.evaluation.protocol import resolve_protocol


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_tasks", 0),
        ("num_adaptation_steps", -1),
        ("adaptation_episodes", 0),
        ("evaluation_episodes", 0),
        ("max_episode_steps", 0),
        ("seed", -1),
        ("evaluation_actions", "greedy"),
        ("tasks", ()),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigError) as caught:
        EvaluationProtocol(**{field: value})
    assert str(caught.value).startswith(f"{field}: got {value!r}; ")


def test_a_misspelt_setting_gets_the_nearest_name():
    with pytest.raises(
        ConfigError, match=r"evaluation_episode: .* did you mean evaluation_episodes"
    ):
        EvaluationProtocol(evaluation_episode=3)


def test_tasks_are_named_or_drawn_not_both():
    with pytest.raises(ConfigError, match="tasks and num_tasks: give one of the two"):
        EvaluationProtocol(tasks=("reach-v3",), num_tasks=2)


def test_metaworlds_protocol():
    protocol = EvaluationProtocol.preset("metaworld")
    assert protocol == EvaluationProtocol(
        num_adaptation_steps=1, adaptation_episodes=10, evaluation_episodes=3
    )
    assert protocol.num_tasks is None
    assert protocol.evaluation_actions == "mean"


def test_finns_protocol():
    assert EvaluationProtocol.preset("finn2017") == EvaluationProtocol(
        num_tasks=40,
        num_adaptation_steps=3,
        adaptation_episodes=20,
        evaluation_episodes=20,
        evaluation_actions="sampled",
    )


def test_a_setting_replaces_the_presets():
    protocol = EvaluationProtocol.preset("quick", num_adaptation_steps=4)
    assert (protocol.num_tasks, protocol.num_adaptation_steps) == (10, 4)


def test_named_tasks_replace_a_presets_number_of_tasks():
    assert EvaluationProtocol.preset("quick", tasks=("reach-v3",)).num_tasks is None


def test_an_unknown_preset_is_refused():
    with pytest.raises(
        UnknownNameError, match="preset: unknown name 'metawold'; did you mean meta"
    ):
        EvaluationProtocol.preset("metawold")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json(name):
    protocol = EvaluationProtocol.preset(name)
    assert EvaluationProtocol(**protocol.model_dump(mode="json")) == protocol


def test_a_whole_protocol_takes_no_settings_beside_it():
    whole = EvaluationProtocol(seed=3)
    assert resolve_protocol(whole) is whole
    with pytest.raises(ConfigError, match="protocol: got a whole one and num_tasks beside it"):
        resolve_protocol(whole, num_tasks=3)
