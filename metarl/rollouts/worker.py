"""A worker process: jobs in, results or an exception out, until the pipe closes.

What comes through the pipe is unpickled. It comes from the process that started this one, and from
nowhere else: the pipe is a pair of sockets without a name.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection

from metarl.errors import RolloutError
from metarl.rollouts.collector import Collector
from metarl.rollouts.vitals import Vitals


def main() -> None:
    """Runs a worker; the arguments are the descriptors that it was started with."""
    connection, lifeline, vitals = (int(argument) for argument in sys.argv[1:4])
    # Signals to the whole group (Ctrl-C, a scheduler's SIGTERM) are the main process's to handle.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    _die_with(lifeline)
    work(Connection(connection), Vitals(vitals))


def work(connection: Connection, vitals: Vitals) -> None:
    """A worker's main loop. First comes what the jobs need: distribution and policy, pickled."""
    vitals.keep_tracebacks()
    collector: Collector | None = None
    payload: bytes | None = None
    try:
        while True:
            try:
                if payload is None:
                    payload = connection.recv_bytes()
                jobs = connection.recv()
            except (EOFError, OSError):
                return
            vitals.beat(-1)
            try:
                if collector is None:
                    distribution, policy = pickle.loads(payload)  # noqa: S301 - from our parent
                    collector = Collector(distribution, policy, on_step=vitals.beat)
                reply: object = collector.run(jobs)
            except Exception as error:  # noqa: BLE001 - goes to the main process whole
                reply = portable(error)
            try:
                connection.send(reply)
            except OSError:
                return
    finally:
        if collector is not None:
            collector.close()


def portable(error: Exception) -> Exception:
    """What to send of an exception: itself if it survives pickling; its traceback is a note."""
    error.add_note("in a worker process:\n" + traceback.format_exc())
    try:
        copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just written
        if type(copied) is type(error) and getattr(copied, "__notes__", None):
            return error
    except Exception:  # noqa: BLE001, S110 - any failure means: not portable
        pass
    sent = RolloutError(f"{type(error).__name__}: {error}")
    for note in getattr(error, "__notes__", []):
        sent.add_note(note)
    return sent


def _die_with(lifeline: int) -> None:
    """Ends this process when the main one does, whatever either of them is doing.

    The main process holds the other end of this pipe, and the system closes it when that process
    ends. On Linux the kernel then kills this one, even where it hangs or has been stopped;
    elsewhere a thread does, where it gets to run.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)
        if select.select([lifeline], [], [], 0)[0]:
            os._exit(1)  # it has ended already
    else:
        threading.Thread(target=_wait_and_die, args=(lifeline,), daemon=True).start()


def _wait_and_die(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
