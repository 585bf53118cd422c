"""A flight in Python, ended from inside: `python_flight_ends.py HOW FRAME PYTHON python_flight.py ...`.

In front of the command, as a tracer is. HOW says what happens behind the FRAMEth frame.
"""

from __future__ import annotations

import os
import signal
import sys

import python_flight

STATUS = 3  # of sys_exit and os_exit


def fall_over() -> None:
    raise RuntimeError("a defect of the flight program")


WAYS = {"raise": fall_over, "sys_exit": lambda: sys.exit(STATUS),
        "sigterm": lambda: os.kill(os.getpid(), signal.SIGTERM), "os_exit": lambda: os._exit(STATUS),
        "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL)}


def main() -> int:
    how, frame = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:5]
    frames = 0

    def on_frame(_slot: int) -> None:
        nonlocal frames
        frames += 1
        if frames == frame:
            WAYS[how]()

    return python_flight.main(on_frame)


if __name__ == "__main__":
    sys.exit(main())
