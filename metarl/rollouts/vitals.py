"""Signs of life of a worker process: its last step, and what it was doing when it came to grief.

They lie in a piece of shared memory without a name, which ends with the processes that hold it.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
import struct
import tempfile
import time

_SIZE = mmap.PAGESIZE
_TRACEBACK_BYTES = 2**16
_BEAT = struct.Struct("qq")

DUMP_SIGNAL: int | None = getattr(signal, "SIGUSR1", None)
"""Makes a worker write down what it is doing, even where it is stuck inside C code.

None where there is no such signal, and so no worker, but rollouts in the process itself.
"""


class Vitals:
    """What a worker shows of itself. Made by the parent; the worker attaches to its descriptor.

    Args:
        descriptor: That of the shared memory; ``None`` makes a new one.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _anonymous_file() if descriptor is None else descriptor
        self._map = mmap.mmap(self.descriptor, _SIZE)
        self._beats = 0

    def beat(self, step: int) -> None:
        """Says: alive, and about to take this step (-1 while environments are made and reset)."""
        self._beats += 1
        _BEAT.pack_into(self._map, 0, self._beats, step)

    def read(self) -> tuple[int, int]:
        """Number of beats so far, and the step of the last one."""
        beats, step = _BEAT.unpack_from(self._map, 0)
        return beats, step

    def keep_tracebacks(self) -> None:
        """From now on, the traceback of a crash or of ``DUMP_SIGNAL`` is kept here."""
        os.lseek(self.descriptor, _SIZE, os.SEEK_SET)
        faulthandler.enable(self.descriptor)
        if DUMP_SIGNAL is not None:
            faulthandler.register(DUMP_SIGNAL, self.descriptor)

    def traceback(self, wait_s: float = 0.0) -> str:
        """What has been kept, after at most ``wait_s`` seconds; empty if nothing has."""
        deadline = time.monotonic() + wait_s
        while True:
            text = os.pread(self.descriptor, _TRACEBACK_BYTES, _SIZE).decode(errors="replace")
            if text.endswith("\n") or time.monotonic() >= deadline:
                return text.strip()
            time.sleep(0.02)

    def close(self) -> None:
        """Gives the memory back."""
        self._map.close()
        os.close(self.descriptor)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("metarl-vitals")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _SIZE)
    return descriptor
