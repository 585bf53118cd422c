"""Recorders as a stack may come to have them: one that raises, and three that are slow. For test_python_flight.py."""

from __future__ import annotations

import ctypes
import pathlib
import time
from typing import Any

from c13_fdr import FlightDataRecorder

LIMIT_S = 60.0
TARDY_S = 0.05
HELD_US = 1_000_000
ENOUGH = 3  # frames that show that flying goes on


class Raising:
    """Never takes a record."""

    def enqueue(self, record: Any) -> None:
        raise ValueError(f"no room for {record.kind}")


class Tardy(FlightDataRecorder):
    """Takes its time for every record: what is behind when the program ends has to be waited for."""

    def enqueue(self, record: Any) -> None:
        time.sleep(TARDY_S)
        super().enqueue(record)


class _Slow(FlightDataRecorder):
    """Stands still in its first record of a failed frame, and writes how many frames were flown meanwhile."""

    def __init__(self, file: str, lines: str, told: str) -> None:
        super().__init__(file)
        self._lines, self._told = pathlib.Path(lines), pathlib.Path(told)
        self._is_told = False

    def _frames(self) -> int:
        return self._lines.read_text("ascii").count("\n")

    def enqueue(self, record: Any) -> None:
        super().enqueue(record)
        if record.kind != "c7.inference_failed" or self._is_told:
            return
        self._is_told = True
        before = self._frames()
        self.stand_still(before)
        self._told.write_text(str(self._frames() - before), "ascii")

    def stand_still(self, before: int) -> None:
        raise NotImplementedError


class Blocking(_Slow):
    """Waits as a recorder does whose disk is slow: for frames here, which would never come if they waited for it."""

    def stand_still(self, before: int) -> None:
        end = time.monotonic() + LIMIT_S
        while self._frames() < before + ENOUGH and time.monotonic() < end:
            time.sleep(0.01)


class Holding(_Slow):
    """Waits without letting the interpreter go, as a bad extension module does: then nobody's Python runs."""

    def stand_still(self, before: int) -> None:
        ctypes.PyDLL(None).usleep(HELD_US)
