"""Stops one thread of a child and lets it go: what a read that hangs in a driver looks like from outside. Linux."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # of waitpid: threads, too

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def thread_named(pid: int, name: str) -> int:
    """The thread's number; LookupError where the process has none of this name."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found = (task / "comm").read_text("ascii").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue  # that one has just ended
        if found == name:
            return int(task.name)
    raise LookupError(f"process {pid} has no thread {name}")


class FrozenThread:
    """Stopped from construction to `release`. Both belong to one thread of ours."""

    def __init__(self, pid: int, name: str) -> None:
        self.tid = thread_named(pid, name)
        self._ask(SEIZE)
        with contextlib.suppress(ProcessLookupError):
            self._ask(INTERRUPT)
        self._await()

    def _ask(self, request: int) -> None:
        if libc.ptrace(request, self.tid, None, None) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"ptrace {request:#x} of thread {self.tid}: {os.strerror(error)}")

    def _await(self) -> None:
        """That it has stopped, or ended. A process whose traced thread has ended does, too, only when we have seen that."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.tid, WALL)

    def release(self) -> None:
        try:
            self._ask(DETACH)
        except ProcessLookupError:
            self._await()
