import importlib.util
import signal

from metarl.rollouts import vitals


def test_rollouts_can_be_imported_where_there_is_no_such_signal(monkeypatch):
    monkeypatch.delattr(signal, "SIGUSR1")
    spec = importlib.util.spec_from_file_location("vitals_elsewhere", vitals.__file__)
    elsewhere = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(elsewhere)
    assert elsewhere.DUMP_SIGNAL is None
