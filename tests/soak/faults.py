"""How each kind of fault is brought about, and ended: by files, signals, a full disk, orders to the SDK."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable

from .craft import Craft, Gone, gone_if_ended
from .frozen_thread import FrozenThread
from .world import World

COOLING = "/sys/class/thermal/cooling_device"
ALERT = "gpu-throttle-alert"
ILLEGAL_ADDRESS = 700  # of CUDA: sticky
NO_MEMORY, INVALID = 2, 1
# A network that has lost its graph to a launch that failed enqueues from then on: the next order meets another one.
ORDERS = {
    "wait_error": f"fail:cudaEventQuery:1:{INVALID}",
    "launch_error": f"fail:cudaGraphLaunch:1:{INVALID}",
    "out_of_memory": f"fail:cudaEventRecord:1:{NO_MEMORY}",
    "device_lost": f"fail:cudaEventRecord:1:{ILLEGAL_ADDRESS}:sticky",
}
HANG = "hang_work:cudaGraphLaunch:1"


class Faults:
    """Begins and ends the faults of one life. Of a process that has ended meanwhile nothing is wanted: its status tells."""

    def __init__(self, world: World, craft: Craft) -> None:
        self.world, self.craft = world, craft
        self._frozen: FrozenThread | None = None
        self._saved: dict[str, str] = {}

    def begin(self, kind: str) -> None:
        with contextlib.suppress(Gone), gone_if_ended(self.craft.process):
            if kind in ORDERS:
                self.craft.order(ORDERS[kind])
            else:
                self._action("begin", kind)()

    def end(self, kind: str) -> None:
        with contextlib.suppress(Gone), gone_if_ended(self.craft.process):
            if kind not in ORDERS:
                self._action("end", kind)()

    def let_go(self) -> None:
        """Of what would keep the process from ending, whatever was going on."""
        self._end_telemetry_hang()

    def _action(self, what: str, kind: str) -> Callable[[], None]:
        """Lost pictures are in the list of slots from the start: nothing is done for them."""
        return getattr(self, f"_{what}_{kind}", lambda: None)

    def _begin_stall(self) -> None:
        self.craft.send(signal.SIGSTOP)

    def _end_stall(self) -> None:
        self.craft.send(signal.SIGCONT)

    def _begin_hang(self) -> None:
        self.craft.order(HANG)

    def _end_hang(self) -> None:
        self.craft.order("release")

    def _begin_throttle(self) -> None:
        self.world.tree.set(self.world.sensor(COOLING, ALERT, "cur_state"), "1\n")

    def _end_throttle(self) -> None:
        self.world.tree.set(self.world.sensor(COOLING, ALERT, "cur_state"), "0\n")

    def _begin_telemetry_gone(self) -> None:
        """Every file on its own: what a folder holds that is renamed stays alive, which sysfs never does."""
        for path in self._sensors("type", "temp", "cur_state"):
            self.world.tree.remove(path)

    def _end_telemetry_gone(self) -> None:
        self._restore()

    def _sensors(self, *names: str) -> list[str]:
        """Their files; what they say now comes back at the end."""
        folder = self.world.tree.path("/sys/class/thermal")
        files = [entry / name for entry in sorted(folder.iterdir()) for name in names if (entry / name).is_file()]
        self._saved = {f"/sys/class/thermal/{file.parent.name}/{file.name}": file.read_text("ascii") for file in files}
        return list(self._saved)

    def _restore(self) -> None:
        for path, text in self._saved.items():
            self.world.tree.set(path, text)
        self._saved.clear()

    def _begin_telemetry_garbage(self) -> None:
        for path in self._sensors("temp", "cur_state"):
            self.world.tree.set(path, "eleventy\n")

    def _end_telemetry_garbage(self) -> None:
        self._restore()

    def _begin_telemetry_hang(self) -> None:
        self._frozen = FrozenThread(self.craft.pid, "skua-sensors")

    def _end_telemetry_hang(self) -> None:
        frozen, self._frozen = self._frozen, None
        if frozen is not None:
            frozen.release()

    def _begin_disk_full(self) -> None:
        filler = os.open(self.world.recorder / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            while True:
                os.write(filler, bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        finally:
            os.close(filler)

    def _end_disk_full(self) -> None:
        (self.world.recorder / "filler").unlink()

    def _begin_log_stalled(self) -> None:
        self.craft.read_log(False)

    def _end_log_stalled(self) -> None:
        self.craft.read_log(True)

    # ---- endings ----

    def _begin_kill(self) -> None:
        self.craft.send(signal.SIGKILL)

    def _begin_restart(self) -> None:
        self.craft.send(signal.SIGTERM)
