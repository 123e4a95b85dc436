import signal
import threading
import time

import pytest

from metarl.testing.deadline import TookTooLongError, time_limit

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")


@pytest.fixture(autouse=True)
def alarm_as_before():
    """The timer may be in use by whoever runs the tests."""
    timer = signal.getitimer(signal.ITIMER_REAL)
    handler = signal.getsignal(signal.SIGALRM)
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, *timer)


def loop():
    while True:
        pass


@pytest.mark.parametrize("wait", [lambda: time.sleep(60), loop], ids=["asleep", "busy"])
def test_what_takes_too_long_is_interrupted(wait):
    with pytest.raises(TookTooLongError), time_limit(0.05):
        wait()


def swallow():
    while True:
        try:
            time.sleep(60)
        except Exception:  # noqa: BLE001 - as environments do
            continue


def test_code_that_swallows_exceptions_is_interrupted_all_the_same():
    with pytest.raises(TookTooLongError), time_limit(0.05):
        swallow()


def test_a_timer_set_before_goes_on_afterwards():
    signal.setitimer(signal.ITIMER_REAL, 200)
    with time_limit(30):
        pass
    assert 30 < signal.getitimer(signal.ITIMER_REAL)[0] <= 200


def test_a_timer_that_ran_out_meanwhile_rings_afterwards():
    rang = []
    signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with time_limit(30):
        time.sleep(0.1)
    deadline = time.monotonic() + 20
    while not rang and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rang == [True]


def test_in_another_thread_there_is_no_limit():
    finished = []

    def work():
        with time_limit(0.001):
            time.sleep(0.05)
        finished.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert finished == [True]
