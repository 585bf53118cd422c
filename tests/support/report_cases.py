"""Hand-made recordings, flight reports, frame lines and logs for the tests of python/skua/report, and ways to start it.

The package is loaded from the source tree under another name: importing `skua` itself would need the compiled extension."""

import html.parser
import importlib.util
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import recorder_files  # noqa: E402  (tests/e2e is not a package)

NAME = "report_under_test"
SOURCE = ROOT / "python" / "skua" / "report"
BOOT_A, BOOT_B = bytes(range(16)), bytes(range(1, 17))
SET = "set-1-abc"
TIMES = ("net_a verify=1.5 deserialize=2.5 warm_up=30.0 golden=4.0 ms; net_b verify=0.5 deserialize=1.0 "
         "warm_up=10.0 golden=2.0 ms")
# What the tests start instead of `python -m skua.report`, with the same arguments.
STARTER = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location({NAME!r}, {str(SOURCE / '__init__.py')!r},
                                              submodule_search_locations=[{str(SOURCE)!r}])
package = importlib.util.module_from_spec(spec)
sys.modules[{NAME!r}] = package
spec.loader.exec_module(package)
from {NAME}.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def load():
    """The package, for tests that call its functions."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(NAME, SOURCE / "__init__.py",
                                                      submodule_search_locations=[str(SOURCE)])
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[NAME])
    return sys.modules[NAME]


def module(name):
    load()
    return importlib.import_module(f"{NAME}.{name}")


def start(*arguments, env=None):
    return subprocess.run([sys.executable, "-c", STARTER, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120,
                          check=False, stdin=subprocess.DEVNULL, env=env)


def ts_of(seconds):
    """The wall clock that goes with a monotonic clock of so many seconds."""
    whole, micro = divmod(round(seconds * 1e6), 1_000_000)
    return f"2026-03-01T12:{whole // 60:02}:{whole % 60:02}.{micro:06}Z"


def record(seconds, kind, **payload):
    return json.dumps({"schema": 1, "producer": "c7_inference", "ts": ts_of(seconds), "mono_ns": round(seconds * 1e9),
                       "kind": kind,
                       "payload": payload}, separators=(",", ":"))


def ready(seconds, set_id=SET, total_ns=41_000_000, source="replay"):
    return record(seconds, "c7.engines_ready", runtime="pytorch_fp16", engines="net_a@fp16, net_b@fp16", set_id=set_id,
                  signer="ab" * 32, total_ns=total_ns, engine_times=TIMES, thermal_source=source)


def begun(seconds, set_id=SET, phase="F2", start_count=1):
    return record(seconds, "c7.flight_begun", set_id=set_id, runtime="pytorch_fp16", phase=phase, start_count=start_count)


def ended(seconds, frames, without=0, late=0, missed=0, set_id=SET, cause="frames"):
    return record(seconds, "c7.flight_ended", set_id=set_id, cause=cause, frame_count=frames, no_result_count=without,
                  late_count=late, missed_count=missed)


def failed(seconds, frame, backbone="net_a", reason="deadline_missed", kind="c7.inference_failed"):
    return record(seconds, kind, backbone=backbone, reason=reason, native_code=0, frame_id=frame)


def dropped(seconds, frame, stage="features", reason="deadline_missed"):
    return record(seconds, "log", level="WARN", log_kind="c7.frame_dropped", frame_id=frame,
                  msg=f"C7 frame dropped; frame={frame}",
                  kv=json.dumps({"stage": stage, "reason": reason}), exc="null")


def transition(seconds, previous, state, gpu=80.0, cpu=70.0, clock=510):
    return record(seconds, "c7.thermal_transition", previous_state=previous, new_state=state, gpu_temp_c=gpu,
                  cpu_temp_c=cpu,
                  measured_clock_mhz=clock, measured_at_ns=round(seconds * 1e9))


def refused(seconds, file="net_a__sm0_jp0_trt0_fp16.pt", error="EngineHashMismatchError", reason="sidecar_hash_mismatch"):
    return record(seconds, "c7.engine_refused", file=file, error=error, reason=reason)


def folder_of(path, *segments):
    """A recorder's folder; each segment is (boot id, records) or the bytes of its file."""
    path.mkdir(parents=True, exist_ok=True)
    for number, segment in enumerate(segments, 1):
        content = segment
        if not isinstance(segment, bytes):
            content = recorder_files.segment(segment[1], number=number, boot=segment[0])
        (path / recorder_files.name(number)).write_bytes(content)
    return path


FRAMES = 12
DROPPED = {5: ("features", "deadline_missed"), 9: ("solve", "no_position")}
MISSED = {7}


def frame_ms(number):
    """Latencies of one frame, all different."""
    return {"vpr": 10.0 + number, "features": 100.0 + 3.0 * (number % 5) + number / 7, "rerank": 5.5,
            "match": 2.0 + number / 10,
            "adhop": 0.0, "solve": 0.1, "own": 1.0, "frame": 130.0 + 4.0 * number, "acquire": 0.5}


def frame_lines(frames=FRAMES):
    lines = []
    for number in range(frames):
        if number in MISSED:
            continue
        line = {"frame": number, "picture": f"f{number}.jpg", "k": 3, "throttled": 4 <= number < 8}
        if number in DROPPED:
            line["stage"], line["reason"] = DROPPED[number]
        else:
            line |= {"tile": "r0.png", "x": 1.0, "y": 2.0, "covariance": "marginals", "matches": 50, "inliers": 40,
                     "refined": False}
        times = frame_ms(number)
        lines.append(json.dumps(line | {"after_due_ms": times["frame"] + 0.1, "ms": times}))
    return "".join(line + "\n" for line in lines)


def flown_records(at=0.0):
    """A refused set, then a flight at 3 Hz with a throttle and two frames without a result."""
    first = at + 2.0
    reason = {"error": "EngineHashMismatchError", "reason": "sidecar_hash_mismatch"}
    return [refused(at), record(at + 0.1, "c7.takeoff_refused", **reason),
            ready(at + 1.0), begun(first), transition(first + 4 / 3, "normal", "throttled"),
            failed(first + 5 / 3 + 0.1, 5), failed(first + 5 / 3 + 0.11, 5, backbone="net_b"),
            dropped(first + 5 / 3 + 0.12, 5),
            transition(first + 8 / 3, "throttled", "normal", gpu=79.0), dropped(first + 3.1, 9, "solve", "no_position"),
            ended(first + 4.0, FRAMES - 1, without=2, late=1, missed=1)]


def report_document(load_ms=41.0):
    figures = {"count": FRAMES - 1, "mean_ms": 1.0, "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "max_ms": 4.0}
    names = ("vpr", "features", "rerank", "match", "solve", "own", "frame", "acquire")
    stages = {name: dict(figures) for name in names}
    for name, backbone in (("vpr", "net_a"), ("features", "net_b"), ("rerank", "net_b"), ("match", "net_b")):
        stages[name]["backbone"] = backbone
    engine = {"size_bytes": 1000, "verify_ms": 1.5, "deserialize_ms": 2.5, "warm_up_ms": 30.0, "golden_ms": 4.0}
    return {"schema_version": 1, "set_id": SET, "runtime": "pytorch_fp16", "signer": "ab" * 32, "phase": "F2",
            "start_count": 1,
            "cause": "frames", "rate_hz": 3.0, "flown_s": 4.0, "ready_ms": 900.0, "load_ms": load_ms,
            "engines": [{"model": "net_a", **engine}, {"model": "net_b", **engine}], "matcher": {}, "frames": FRAMES - 1,
            "positions": FRAMES - 3, "no_result": {"deadline_missed": 1, "no_position": 1}, "late": 1, "missed": 1,
            "frame_lines_lost": 0, "throttled": 3, "refined": 0, "stages": stages, "memory": {}}


def manifest_document(set_id=SET, arithmetic="fp16 weights, fp32 arithmetic"):
    engines = [{"name": name, "criticality": 0, "accuracy": [], "engine": {
        "file": f"{name}__sm0_jp0_trt0_fp16.pt", "model": name, "precision": "fp16", "arithmetic": arithmetic,
        "engine_sha256": "cd" * 32, "options": {"device": "cpu", "sdk_version": "2.13.0"}}} for name in ("net_a", "net_b")]
    return {"kind": "skua.flight-manifest", "schema": 1, "set_id": set_id, "release_sequence": 7,
            "created": "2026-02-03T04:05:06Z",
            "runtime_label": "pytorch_fp16", "builder": "skua-0.1.0 test", "host": {"sm": 0, "cpu_arch": "x86_64"},
            "artifacts": engines}


def log_line(seconds, kind, msg="", frame=None, **kv):
    return json.dumps({"ts": ts_of(seconds), "level": "INFO", "component": "c7_inference", "frame_id": frame,
                       "kind": kind, "msg": msg,
                       "kv": kv, "exc": None}) + "\n"


def bench_document():
    ratio = {"group": "call", "name": "net_a: skua bound run / raw run", "unit": "ratio", "value": 1.004, "lower": 0.99,
             "upper": 1.02,
             "is_bounded": True, "count": 51, "asked": "<= 1.01", "verdict": "not reached",
             "note": "pytorch_fp16 2.13.0, device cpu"}
    return {"schema_version": 1, "machine": {"cpu": "test cpu", "cores_usable": 2}, "figures": [
        ratio, ratio | {"name": "net_a: skua bound run", "unit": "us", "value": 17.5, "verdict": "reached", "note": ""}]}


class Given:
    """One of everything, in files; what a test does not want it takes out or writes over."""

    def __init__(self, folder):
        self.folder = folder
        self.recorder = folder_of(folder / "recorder", (BOOT_A, flown_records()))
        self.report, self.frame_lines, self.manifest, self.log, self.bench = (
            folder / name for name in ("report.json", "frames.jsonl", "flight-manifest.json", "flight.log", "bench.json"))
        self.page, self.picture = folder / "page.html", folder / "page.png"
        self.report.write_text(json.dumps(report_document()))
        self.frame_lines.write_text(frame_lines())
        self.manifest.write_text(json.dumps(manifest_document()))
        self.bench.write_text(json.dumps(bench_document()))
        self.log.write_text(log_line(0.0, "c7.engine_refused", msg="engine net_a: expected SHA-256 aa, found bb") + "".join(
            log_line(0.9, "c7.engine_deserialized", model=name, engine_sha256="cd" * 32, device="cpu",
                     arithmetic="fp16 weights, fp32 arithmetic", verify_ns=1, deserialize_ns=2)
                     for name in ("net_a", "net_b")))

    def arguments(self, *names):
        """--flight-report and so on for these files; the page's options are the test's."""
        options = {"report": ("--flight-report", self.report), "frame_lines": ("--frame-lines", self.frame_lines),
                   "manifest": ("--manifest", self.manifest), "log": ("--log", self.log), "bench": (self.bench,)}
        return [self.recorder, *(word for name in names for word in options[name])]

    def all(self):
        return self.arguments("bench", "report", "frame_lines", "manifest", "log")


class Page(html.parser.HTMLParser):
    """What a browser makes of the page: texts of sections, figures, and every tag with its attributes."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.figures, self.texts, self.scripts, self.tables = [], {}, {}, [], {}
        self.section, self.data_for, self.in_script, self.in_cell = "", None, False, False
        self.feed(content.decode("utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "section":
            self.section = attributes["id"]
        elif tag == "script":
            self.in_script, self.data_for = True, attributes.get("data-for")
        elif tag == "tr":
            self.tables.setdefault(self.section, []).append([])
        elif tag in ("td", "th") and self.section:
            self.in_cell = True
            self.tables[self.section][-1].append("")

    def handle_endtag(self, tag):
        self.in_script = self.in_script and tag != "script"
        self.in_cell = self.in_cell and tag not in ("td", "th")
        if tag == "section":
            self.section = ""

    def handle_data(self, data):
        if self.in_script and self.data_for:
            self.figures[self.data_for] = json.loads(data)
        elif self.in_script:
            self.scripts.append(data)
        else:
            self.texts[self.section] = self.texts.get(self.section, "") + data
            if self.in_cell:
                self.tables[self.section][-1][-1] += data

    def traces(self, figure):
        return {trace["name"]: trace for trace in self.figures[figure]["data"] if "name" in trace}


def paths_of(given, *names):
    known = {"report": given.report, "frame_lines": given.frame_lines, "manifest": given.manifest, "bench": given.bench}
    return module("content").Paths(given.recorder, **{name: known[name] for name in names if name in known},
                            logs=(given.log,) if "log" in names else ())


def made(given, *names):
    return Page(module("page").page_of(module("content").gather(paths_of(given, *names))))


def made_of(recorder):
    return Page(module("page").page_of(module("content").gather(module("content").Paths(recorder))))


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</script><!--%{x}<a href='javascript:alert(3)'>"


def hostile_records():
    return [refused(0.0, file=HOSTILE, error=HOSTILE, reason=HOSTILE), record(0.5, HOSTILE, **{HOSTILE: HOSTILE}),
            record(0.6, "log", level=HOSTILE, log_kind=HOSTILE, frame_id=None, msg=HOSTILE, kv="{}", exc="null"),
            ready(1.0, set_id=HOSTILE, source=HOSTILE), begun(2.0, set_id=HOSTILE, phase=HOSTILE),
            failed(3.0, 1, backbone=HOSTILE, reason=HOSTILE),
            dropped(3.1, 1, stage=HOSTILE, reason=HOSTILE), transition(3.2, HOSTILE, HOSTILE),
            ended(4.0, 11, 2, 1, 1, set_id=HOSTILE, cause=HOSTILE)]


def hostile(given):
    """Every text of every file is markup."""
    given.recorder = folder_of(given.folder / "hostile", (BOOT_A, hostile_records()))
    report = report_document() | {"set_id": HOSTILE, "runtime": HOSTILE, "cause": HOSTILE,
                                               "no_result": {HOSTILE: 2}}
    report["stages"][HOSTILE] = report["stages"]["vpr"] | {"backbone": HOSTILE}
    report["stages"]["vpr"]["backbone"] = HOSTILE
    given.report.write_text(json.dumps(report))
    given.frame_lines.write_text(frame_lines().replace("deadline_missed", json.dumps(HOSTILE)[1:-1]))
    quoted = json.dumps(HOSTILE)[1:-1]
    manifest = manifest_document(set_id=HOSTILE, arithmetic=HOSTILE)
    given.manifest.write_text(json.dumps(manifest).replace("net_a", quoted))
    given.bench.write_text(json.dumps(bench_document()).replace("net_a", quoted))
    given.log.write_text(log_line(0.0, "c7.engine_refused", msg=HOSTILE))
    return given
