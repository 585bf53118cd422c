"""What a soak flies on: a signed set over the software-in-the-loop SDK, a map, pictures good and bad, a machine's sysfs,
the recorder's small disk. Mounts things: only in a mount namespace of its own (scripts/soak.sh makes one)."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import small_networks
from .plan import Life, Pace

ROOT = Path(__file__).resolve().parents[2]
for beside in ("tests/e2e", "tests/support"):
    sys.path.insert(0, str(ROOT / beside))
import places  # noqa: E402  (folders of tests are no packages)
import programs  # noqa: E402
import sysfs_tree  # noqa: E402

MODELS = ("demo_features", "demo_matcher", "demo_vpr")
TILES = 6
RECORDER_LIMIT, RECORDER_DISK = 1 << 20, 6 << 20
MACHINE = "jetson_orin_nano_jp6"
FLIGHT = programs.BUILD / "bin" / "skua-flight"
FRAME_LINES = "--frame-lines"  # the option of skua-flight that writes one JSON line a frame


@dataclass(frozen=True)
class Slot:
    """What a slot of the schedule gets: the picture's name as the list has it, and where it was taken; or what is bad."""

    name: str
    position: tuple[float, float] | None
    lost: str | None = None


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def digests(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.rglob("*")) if file.is_file()}


class World:
    """`made` has what takes long to make and never changes, `out`/run everything of one soak."""

    def __init__(self, made: Path, out: Path) -> None:
        self.made, self.run = made, out / "run"
        for part in (self.made, self.made / "home"):
            part.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)
        for part in ("state", "recorder", "lost"):
            (self.run / part).mkdir(parents=True)
        self.skua = programs.Programs(self.made / "home")
        self._make_networks()
        self._make_set()
        self._make_map()
        self._make_lost_pictures()
        self._make_machine()
        mount("-t", "tmpfs", "-o", f"size={RECORDER_DISK},mode=700", "none", self.recorder)

    state = property(lambda self: self.run / "state")
    recorder = property(lambda self: self.run / "recorder")
    sets = property(lambda self: self.run / "sets")

    def _make_networks(self) -> None:
        script = Path(small_networks.__file__)
        subprocess.run([sys.executable, str(script), str(self.made), str(ROOT)], check=True)

    def _make_set(self) -> None:
        """Compiled and signed where it stays, flown from a copy that a control may damage."""
        key = self.made / "flight.key"
        if not key.exists():
            self.skua.ok("keygen", self.made / "flight")
        networks = [{"name": name, "onnx": self.made / "models" / f"{name}.onnx", "precision": "fp16"} for name in MODELS]
        place = places.Place(self.made)
        yaml = place.set_yaml(networks, runtime="tensorrt", execution_provider=None)
        self.skua.ok(*place.provision_arguments(yaml), "--sign", key, timeout=600)
        shutil.copytree(place.sets, self.sets)
        self.flown = self.sets / (self.sets / "CURRENT").read_text("ascii").strip()  # an older build's set may lie beside it
        self.manifest = json.loads((self.flown / "flight-manifest.json").read_text("ascii"))

    def _make_map(self) -> None:
        """The map's first tiles, and the frames that show them, no two of them of one place."""
        whole, self.map = self.made / "flight" / "map", self.run / "map"
        shutil.copytree(whole, self.map)
        document = json.loads((whole / "map.json").read_text("ascii"))
        document["tiles"] = document["tiles"][:TILES]
        (self.map / "map.json").write_text(json.dumps(document), "ascii")
        tiles = {tile["file"] for tile in document["tiles"]}
        self.truth = [entry for entry in json.loads((self.made / "flight" / "truth.json").read_text("ascii"))
                      if entry["tile"] in tiles]
        shutil.copytree(self.made / "flight" / "frames", self.run / "frames")

    def _make_lost_pictures(self) -> None:
        from PIL import Image

        first = (self.run / "frames" / self.truth[0]["picture"]).read_bytes()
        lost = self.run / "lost"
        (lost / "picture_cut.jpg").write_bytes(first[:len(first) // 2])
        (lost / "picture_garbage.jpg").write_bytes(random.Random(1).randbytes(len(first)))
        Image.new("L", (64, 48), 128).save(lost / "picture_size.jpg")

    def _make_machine(self) -> None:
        """A Jetson's /sys in place of this machine's, with what libraries want to know of the processors."""
        self.tree = sysfs_tree.SysfsTree(MACHINE, self.run / "machine")
        real, copied = Path("/sys/devices/system/cpu"), self.tree.path("/sys/devices/system/cpu")
        copied.mkdir(parents=True, exist_ok=True)
        for name in ("possible", "present", "online", "kernel_max"):
            if (real / name).exists():
                (copied / name).write_text((real / name).read_text("ascii"), "ascii")
        mount("--bind", self.run / "machine" / "sys", "/sys")

    def slots(self, life: Life, pace: Pace) -> list[Slot]:
        """Of a whole life, and a minute more: the program is ended by us and never by the end of its pictures."""
        chosen = []
        for number in range(int((life.end_s + 60) * pace.rate_hz)):
            lost = life.loses_picture(number / pace.rate_hz)
            if lost:
                chosen.append(Slot(f"lost/{lost}.jpg", None, lost))
                continue
            entry = self.truth[number % len(self.truth)]
            chosen.append(Slot(f"frames/{entry['picture']}", (entry["x"], entry["y"])))
        return chosen

    def configuration(self, pace: Pace, slots: list[Slot]) -> Path:
        (self.run / "slots.txt").write_text("".join(slot.name + "\n" for slot in slots), "ascii")
        c7 = {"runtime": "tensorrt", "flight_sets_dir": self.sets, "state_dir": self.state, "recorder_dir": self.recorder,
              "recorder_limit_bytes": RECORDER_LIMIT, "trusted_key": self.made / "flight.pub",
              "lightglue_model": "demo_matcher", "thermal_poll_hz": pace.poll_hz}
        flight = {"map": self.map, "frames": self.run / "slots.txt", "vpr_model": "demo_vpr",
                  "features_model": "demo_features", "rate_hz": pace.rate_hz, "deadline_ms": pace.deadline_ms}
        document = {"mode": "live", "flight": flight,
                    "components": {"c7_inference": c7, "c2_vpr": {}, "c2_5_rerank": {}, "c3_matcher": {}}}
        path = self.run / "flight.yaml"
        path.write_text(json.dumps(document, default=str, indent=1) + "\n", "ascii")
        return path

    def exchange_pictures(self) -> None:
        """Two frames under each other's names: an old picture that a camera delivers for a new one."""
        first, second = (self.run / "frames" / entry["picture"] for entry in self.truth[:2])
        spare = first.with_name("spare")
        for old, new in ((first, spare), (second, first), (spare, second)):
            old.rename(new)

    def environment(self) -> dict[str, str]:
        return programs.environment(self.made / "home")

    def accepted_sequence(self) -> int | None:
        return self.skua.ok("ratchet", self.state, "--json")["accepted"]

    def sensor(self, folders: str, kind: str, file: str) -> str:
        """The file of the zone or cooling device of this type."""
        for index in range(64):
            told = self.tree.path(f"{folders}{index}/type")
            if told.exists() and told.read_text("ascii").strip() == kind:
                return f"{folders}{index}/{file}"
        raise LookupError(f"{kind} is not in the tree of {MACHINE}")


def is_own_namespace() -> bool:
    """Whether what is mounted here is nobody else's to see: neither our parent's nor the machine's first process's. Of a
    process that a user namespace shuts out nothing is told; its mounts are its own."""
    return not any(shares_mounts(process) for process in (os.getppid(), 1))


def shares_mounts(process: int) -> bool:
    try:
        return os.readlink(f"/proc/{process}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except (PermissionError, FileNotFoundError):  # of another user namespace, or of another process namespace
        return False
