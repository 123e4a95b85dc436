import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from metarl.config import Config, check, checks_put_off
from metarl.errors import ConfigError


class Inner(Config):
    step_size: float = Field(0.1, gt=0)
    num_steps: int = Field(1, ge=0)
    device: str = "cpu"

    @field_validator("device")
    @classmethod
    def device_is_there(cls, name):
        if name == "tpu":
            raise ValueError(f"device: got {name!r}; isn't there")
        return name

    @model_validator(mode="after")
    def long_steps_are_few(self):
        if self.step_size > 1 and self.num_steps > 2:
            raise ValueError(f"num_steps: got {self.num_steps}; must be at most 2 with long steps")
        return self


class Settings(Config):
    inner_lr: float = Field(gt=0)
    meta_batch_size: int = Field(20, ge=1)
    hidden_sizes: tuple[int, ...] = (64, 64)
    inner: Inner = Inner()
    several: tuple[Inner, ...] = ()

    @model_validator(mode="after")
    def batch_fits(self):
        if self.meta_batch_size == 13:
            raise ValueError("meta_batch_size and inner_lr don't go together")
        return self


def faults(**values) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Settings(**values)
    return str(caught.value).splitlines()


def test_good_settings_are_built():
    settings = Settings(inner_lr=0.1, inner={"num_steps": 3})
    assert settings == Settings(inner_lr=0.1, inner=Inner(num_steps=3))


def test_all_faults_are_told_at_once_with_field_value_and_what_is_allowed():
    lines = faults(inner_lr=-0.5, meta_batch_size=0, hidden_sizes="wide", inner={"num_steps": -1})
    assert len(lines) == 4
    assert lines[0].startswith("inner_lr: got -0.5; ")
    assert "greater than 0" in lines[0]
    assert lines[1].startswith("meta_batch_size: got 0; ")
    assert "greater than or equal to 1" in lines[1]
    assert lines[2].startswith("hidden_sizes: got 'wide'; ")
    assert lines[3].startswith("inner.num_steps: got -1; ")


def test_a_misspelt_setting_gets_the_nearest_known_one():
    assert faults(inner_lr=1, meta_batchsize=4) == [
        "meta_batchsize: no such setting; did you mean meta_batch_size?"
    ]


def test_an_unknown_setting_far_from_all_gets_the_list():
    assert faults(inner_lr=1, zzz=4) == [
        "zzz: no such setting; known: inner_lr, meta_batch_size, hidden_sizes, inner, several."
    ]


def test_a_misspelt_setting_inside_another_gets_the_nearest_one_there():
    assert faults(inner_lr=1, inner={"stepsize": 4}) == [
        "inner.stepsize: no such setting; did you mean step_size?"
    ]


def test_a_misspelt_setting_inside_a_list_is_named():
    assert faults(inner_lr=1, several=[{"stepsize": 4}]) == ["several.0.stepsize: no such setting."]


def test_a_missing_setting_is_called_missing():
    assert faults(meta_batch_size=4) == ["inner_lr: is missing."]


def test_a_fault_between_settings_is_told_without_a_field():
    assert faults(inner_lr=1, meta_batch_size=13) == [
        "meta_batch_size and inner_lr don't go together"
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value):
    (line,) = faults(inner_lr=value)
    assert line.startswith(f"inner_lr: got {value}; ")


@pytest.mark.parametrize("kind", [dict, Inner.model_construct])
def test_a_fault_between_nested_settings_is_told_without_all_of_them(kind):
    assert faults(inner_lr=1, inner=kind(step_size=3.0, num_steps=5)) == [
        "inner.num_steps: got 5; must be at most 2 with long steps"
    ]


def test_a_message_that_names_its_field_is_not_given_it_again():
    assert faults(inner_lr=1, inner={"device": "tpu"}) == ["inner.device: got 'tpu'; isn't there"]


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Settings(inner_lr=1).inner_lr = 2


def test_settings_made_while_checks_were_put_off_tell_all_faults_in_the_end():
    with checks_put_off():
        inner = Inner(num_steps=-1)
        settings = Settings(inner_lr=-0.5, meta_batch_size=0, inner=inner)
    with pytest.raises(ConfigError) as caught:
        check(settings)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "inner_lr",
        "meta_batch_size",
        "inner.num_steps",
    ]
    with pytest.raises(ConfigError, match="num_steps: got -1"):
        Inner(num_steps=-1)


def test_what_is_missing_is_told_when_checks_were_put_off_too():
    with checks_put_off():
        settings = Settings()
    with pytest.raises(ConfigError, match="inner_lr: is missing"):
        check(settings)


def test_settings_in_order_come_out_of_a_check_as_they_are():
    with checks_put_off():
        settings = Settings(inner_lr=1, inner=Inner(num_steps=3))
    assert check(settings) == Settings(inner_lr=1, inner=Inner(num_steps=3))


def test_values_that_fill_the_screen_are_cut():
    (line,) = faults(inner_lr="x" * 10_000)
    assert len(line) < 400
