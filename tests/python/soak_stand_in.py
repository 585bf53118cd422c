"""A process in the place of skua-flight, which does to the soak what a flight that is broken would do; and the world it flies
in. As a program: soak_stand_in.py --config FILE --frame-lines FILE --duration S. Of a flight it shows nothing: what is tested
with it is the soak."""

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
SET_NAME, PR_SET_NAME = b"skua-sensors", 15
EACH_S = 0.05  # a frame


def sensors():
    ctypes.CDLL(None).prctl(PR_SET_NAME, SET_NAME, 0, 0, 0)
    threading.Event().wait()


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.sendto(text, os.environ["NOTIFY_SOCKET"])


def tell(kind, frame_id=None, **kv):
    print(json.dumps({"ts": "", "level": "", "component": "", "frame_id": frame_id, "kind": kind, "msg": "", "kv": kv,
                      "exc": None}), flush=True)


def load(how):
    """What a start must not do, a short time before it is ready."""
    if how == "child":
        subprocess.run(["sleep", "0.3"], check=True)
    elif how == "socket":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            opened.bind(("127.0.0.1", 0))
            time.sleep(0.3)


def fly(how, file):
    """Frames until the signal. `mute_s`: from then on no position; `leak_s`: from then on one descriptor more."""
    frames = lost = 0
    start, kept = time.monotonic(), []
    while not fly.is_over:
        since = time.monotonic() - start
        line = {"frame": frames, "picture": "frames/a.jpg", "k": 3, "throttled": False, "after_due_ms": 1.0, "ms": {"frame": 1.0}}
        if since >= how.get("mute_s", 1e9):
            lost += 1
            line |= {"reason": "no_position", "stage": "solve"}
            if not how.get("is_silent"):
                tell("c7.frame_dropped", frames, stage="solve", reason="no_position")
        else:
            line |= {"tile": "a", "x": 1.0, "y": 1.0}
        if since >= how.get("leak_s", 1e9) and not kept:
            kept.append(os.open("/dev/null", os.O_RDONLY))
        print(json.dumps(line), file=file, flush=True)
        frames += 1
        if not 0.2 < since < how.get("mute_signs_s", 0.0):
            notify(b"WATCHDOG=1")
        time.sleep(EACH_S)
    if not how.get("is_silent"):
        tell("c7.flight_ended", cause="signal", frame_count=frames, no_result_count=lost, missed_count=0)


def main():
    how = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text("ascii"))
    fly.is_over = False
    signal.signal(signal.SIGTERM, lambda *_: setattr(fly, "is_over", True))
    if not how.get("is_deaf"):
        os.open(os.environ["SKUA_SIL_ORDERS"], os.O_RDONLY | os.O_NONBLOCK)
        threading.Thread(target=sensors, daemon=True).start()
    load(how.get("load"))
    notify(b"READY=1")
    with open(sys.argv[sys.argv.index("--frame-lines") + 1], "w", encoding="ascii") as file:
        fly(how, file)


class StandInWorld:
    """What soak.world.World is to a life, with a disk and sensors that nothing happens to."""

    def __init__(self, folder, **how):
        sys.path.insert(0, str(ROOT / "tests"))
        from soak import craft, world

        self.run, self.how, self.slot = folder, how, world.Slot("frames/a.jpg", (1.0, 1.0))
        self.recorder = folder / "recorder"
        self.recorder.mkdir(exist_ok=True)
        self.recorded = []
        self.flight = folder / "flight"
        self.flight.write_text(f"#!/bin/sh\nexec {sys.executable} {__file__} \"$@\"\n", "ascii")
        self.flight.chmod(0o700)
        craft.FLIGHT = self.flight  # a fixture puts it back

    def slots(self, life, pace):
        return [self.slot]

    def configuration(self, pace, slots):
        (self.run / "how.json").write_text(json.dumps(self.how), "ascii")
        return self.run / "how.json"

    def environment(self):
        return dict(os.environ)

    def skua(self, *_):
        """The recorder's content."""
        told = json.dumps({"damage": [], "records": self.recorded})
        return types.SimpleNamespace(returncode=0, stdout=told, stderr="")


if __name__ == "__main__":
    main()
