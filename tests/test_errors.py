import inspect
import pickle

import pytest

from metarl import errors
from metarl.errors import (
    CheckpointError,
    ConfigError,
    DiskError,
    EvaluationError,
    InvalidActionError,
    ManifestMismatchError,
    MetarlError,
    NonFiniteError,
    RenderingError,
    RolloutError,
    RunBusyError,
    RunChangedError,
    RunExistsError,
    SplitError,
    TaskError,
    UnknownNameError,
    WorkerDiedError,
)

BUILTIN_BASES = {
    CheckpointError: Exception,
    ConfigError: Exception,
    DiskError: OSError,
    EvaluationError: Exception,
    InvalidActionError: ValueError,
    ManifestMismatchError: Exception,
    NonFiniteError: ArithmeticError,
    RenderingError: RuntimeError,
    RolloutError: RuntimeError,
    RunBusyError: Exception,
    RunChangedError: Exception,
    RunExistsError: FileExistsError,
    SplitError: ValueError,
    TaskError: ValueError,
    UnknownNameError: ConfigError,
    WorkerDiedError: RuntimeError,
}


def test_every_error_of_the_module_is_known_here():
    classes = {
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if cls.__module__ == errors.__name__
    }
    assert classes == {MetarlError, *BUILTIN_BASES}


@pytest.mark.parametrize(("error", "builtin"), BUILTIN_BASES.items())
def test_errors_have_the_common_base_and_keep_the_builtin_one(error, builtin):
    assert issubclass(error, MetarlError)
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", [*BUILTIN_BASES, MetarlError])
def test_errors_travel_between_processes_with_their_notes(error):
    arguments = ("env", "reech", ["reach"]) if error is UnknownNameError else ("what went wrong",)
    original = error(*arguments)
    original.add_note("where")
    copy = pickle.loads(pickle.dumps(original))
    assert type(copy) is error
    assert str(copy) == str(original)
    assert copy.__notes__ == ["where"]


def test_unknown_name_suggests_the_nearest_known_ones():
    message = str(UnknownNameError("benchmark", "ml1/reech-v3", ["ml1/reach-v3", "navigation"]))
    assert message == "benchmark: unknown name 'ml1/reech-v3'; did you mean ml1/reach-v3?"


def test_unknown_name_lists_all_known_ones_where_none_is_near():
    message = str(UnknownNameError("benchmark", "zzz", iter(["navigation", "ml10"])))
    assert message == "benchmark: unknown name 'zzz'; known: ml10, navigation."
