"""Flights: skua-flight, or a flight program in Python, on the demo set over a map, with what it tells."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np

import flight_programs
import programs
import trees

ROOT = programs.ROOT
FLIGHT = flight_programs.SKUA_FLIGHT
DEMO = ("demo_features", "demo_matcher", "demo_vpr")
sys.path.insert(0, str(ROOT / "models"))
import parity_table  # noqa: E402  (models/ is no package)

FRAMES = 20
PART = 10  # tiles of the map that most tests fly over: the ten candidates; frame n shows tile n
SMALL = 2  # of the map of tests that start often, and for which a frame is a frame


def generate(folder):
    """Demo networks, map and frames, and the flight set of the default runtime."""
    for script, out, more in (("make_demo.py", "models", ()), ("make_flight.py", "flight", ("--frames", FRAMES))):
        subprocess.run([sys.executable, ROOT / "models" / script, "--out", folder / out, *map(str, more)], check=True,
                       capture_output=True)
    for name, count in (("part", PART), ("small", SMALL)):
        part_of_map(folder / "flight" / "map", folder / "flight" / name, count)


def make_key(skua, folder, name):
    """A throw-away key pair. Returns the options that sign with it; its public half is FOLDER/NAME.pub."""
    skua.ok("keygen", folder / name)
    return "--sign", folder / f"{name}.key"


def part_of_map(whole, folder, count):
    """The map's first tiles alone: every start describes all of its map, which takes a tenth of a second a tile."""
    shutil.copytree(whole, folder)
    document = json.loads((folder / "map.json").read_text())
    document["tiles"] = document["tiles"][:count]
    (folder / "map.json").write_text(json.dumps(document))


def demo_networks(models):
    """The networks of SET.yaml as the demo has them."""
    return [parity_table.set_entry(name, models) for name in DEMO]


class Flown:
    """What a flight left: exit status, log records, stderr, report and frame lines."""

    def __init__(self, status, stdout, stderr, place):
        self.status, self.stdout, self.stderr = status, stdout, stderr
        self.log = [json.loads(line) for line in stdout.splitlines()]
        self.report = json.loads(place.report.read_text()) if place.report.exists() else None
        text = place.frame_lines.read_text() if place.frame_lines.exists() else ""
        self.lines = [json.loads(line) for line in text.splitlines()]

    def told(self, kind):
        return [record for record in self.log if record["kind"] == kind]

    def explain(self):
        return f"status {self.status}\n{self.stderr}\n" + "\n".join(map(str, self.log[-20:]))


class FlightPlace:
    """One test's state, recorder and configuration, over sets, map and frames that tests share unless they copy them."""

    def __init__(self, folder, shared, home, program=flight_programs.CPP):
        self.folder, self.home = pathlib.Path(folder), home
        self.sets, self.frames = shared / "sets", shared / "flight" / "frames"
        self.map, self.whole_map = shared / "flight" / "part", shared / "flight" / "map"
        self.small_map = shared / "flight" / "small"
        self.truth = {entry["picture"]: entry for entry in json.loads((shared / "flight" / "truth.json").read_text())}
        self.state, self.recorder = self.folder / "state", self.folder / "recorder"
        self.state.mkdir(exist_ok=True)
        self.recorder.mkdir(exist_ok=True)
        self.report, self.frame_lines = self.folder / "report.json", self.folder / "frames.jsonl"
        self.flight_block = {"map": self.map, "frames": self.frames, "vpr_model": "demo_vpr",
                             "features_model": "demo_features",
                             "deadline_ms": 5000}  # what is judged is the answer, also on a busy machine
        self.components = {"c7_inference": {
            "flight_sets_dir": self.sets, "state_dir": self.state, "recorder_dir": self.recorder,
            "trusted_key": shared / "flight.pub", "lightglue_model": "demo_matcher", "thermal_source": "auto"},
            "c2_vpr": {}, "c2_5_rerank": {}, "c3_matcher": {}}
        self.mode = "live"
        self.is_python = program == flight_programs.PYTHON
        self.interpreter, self.program = flight_programs.command(program)
        self.package = programs.BUILD / "python"  # that a flight in Python imports

    @property
    def c7(self):
        return self.components["c7_inference"]

    def current(self):
        """The folder of the set that CURRENT names."""
        return self.sets / (self.sets / "CURRENT").read_text("ascii").strip()

    def own_sets(self):
        """A copy of the sets, for this test to damage, which it flies from then on. Returns its folder."""
        self.sets = trees.copy(self.sets, self.folder / "sets")
        self.c7["flight_sets_dir"] = self.sets
        return self.sets

    def config(self):
        """Writes the configuration as it is now (JSON, which YAML contains)."""
        path = self.folder / "flight.yaml"
        document = {"mode": self.mode, "components": self.components, "flight": self.flight_block}
        path.write_text(json.dumps(document, default=str, indent=1) + "\n", "ascii")
        return path

    def command(self, *args):
        return [*self.interpreter, str(self.program), "--config", str(self.config()), "--report", str(self.report),
                "--frame-lines", str(self.frame_lines), *map(str, args)]

    def environment(self, more=None):
        own = flight_programs.python_environment(self.package) if self.is_python else {}
        return {**programs.environment(self.home), **own, **(more or {})}

    def start(self, *args, prefix=(), env=None):
        for old in (self.report, self.frame_lines):
            old.unlink(missing_ok=True)
        return subprocess.Popen([*map(str, prefix), *self.command(*args)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment(env), stdin=subprocess.DEVNULL)

    def end(self, process, timeout=programs.TIMEOUT_S):
        stdout, stderr = process.communicate(timeout=timeout)
        return Flown(process.returncode, stdout, stderr, self)

    def fly(self, *args, prefix=(), env=None, timeout=programs.TIMEOUT_S):
        return self.end(self.start(*args, prefix=prefix, env=env), timeout)

    def ok(self, *args, **options):
        flown = self.fly(*args, **options)
        assert flown.status == programs.DONE, flown.explain()
        return flown

    def refused(self, status, reason, *words, **options):
        """The program does not fly: this status, and on stderr one line with the prefix, the reason and the words."""
        flown = self.fly(**options)
        assert flown.status == status, flown.explain()
        assert flown.stderr.startswith("airborne_bootstrap: ") and f"[{reason}]" in flown.stderr, flown.explain()
        for word in words:
            assert str(word) in flown.stderr, f"expected {word!r}: {flown.explain()}"
        assert flown.report is None and not flown.told("c7.flight_begun"), flown.explain()
        return flown

    def begun(self, flown):
        """What the program said when it began to fly: skua-flight in its log, Python in its report."""
        if not self.is_python:
            return flown.told("c7.flight_begun")[0]["kv"]
        return {key: flown.report[key] for key in ("set_id", "runtime", "phase", "start_count")}

    def errors(self, lines):
        """Of every frame with a position: whether the tile is right, and how far the position is off, in pixels."""
        found = [line for line in lines if "tile" in line]
        right = [line["tile"] == self.truth[line["picture"]]["tile"] for line in found]
        off = [float(np.hypot(line["x"] - self.truth[line["picture"]]["x"],
                              line["y"] - self.truth[line["picture"]]["y"])) for line in found]
        return np.array(right, bool), np.array(off)


def throttled_replay(readings=10_000):
    """A recording (docs/formats/thermal-reading.md) of a clock that is held down; for every poll of a test's flight."""
    fields = {key: {"status": "unsupported"} for key in (
        "cpu_temp_c", "gpu_temp_c", "hottest_temp_c", "passive_trip_c", "critical_trip_c", "limit_reached",
        "throttle_events", "over_current_events", "gpu_clock_mhz", "gpu_clock_max_mhz", "cpu_clock_mhz")}
    fields["throttle"] = {"status": "value", "value": 1, "origin": "test"}
    lines = ({"schema": 1, "source": "replay", "measured_at_ns": n * 1_000_000_000, "fields": fields,
              "throttle_causes": ["test"]} for n in range(readings))
    return "".join(json.dumps(line) + "\n" for line in lines)


def wait_for(condition, what, process=None, limit_s=60.0):
    """Waits until `condition()`; fails when it does not come, or when the process ends."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"waited {limit_s} s for {what}"
        assert process is None or process.poll() is None, f"ended before {what}: {process.communicate()}"
        time.sleep(0.005)


def in_flight(place):
    return (place.state / "in_flight.json").exists()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        stream.close()
