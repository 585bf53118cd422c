"""scripts/jetson_report.py: every verdict of the report, over what scripts/jetson_acceptance.sh leaves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import jetson_out
import jetson_report

REPORT = Path(jetson_report.__file__)
PASS, FAIL, FIGURE, NOT_SHOWN = "pass", "FAIL", "figure", "not shown"
NEVER_SHOWN = {"unit_tensorrt", "frame: p95 <= 400 ms", "frames dropped: <= 10 %", "throttle visible within 1 s",
               "the same for 8 hours",
               "errors that TensorRT itself reports; a device that is really lost"}


@pytest.fixture(name="left")
def a_good_run(tmp_path):
    return jetson_out.good(tmp_path / "out")


def judged(left, is_sil=False, minutes=5.0):
    lines = jetson_report.judge(left.out, minutes, jetson_out.WARM_UP_S, is_sil)
    assert len({line.name for line in lines}) == len(lines), "two lines of one name"
    return {line.name: line for line in lines}


def test_where_all_is_well_nothing_fails(left):
    lines = judged(left)
    of = {verdict: {name for name, line in lines.items() if line.verdict == verdict}
          for verdict in (PASS, FAIL, NOT_SHOWN)}
    assert not of[FAIL] and of[NOT_SHOWN] == NEVER_SHOWN, of
    assert {"JetPack 6.2", "power mode 25W", "survived CUDA error 400, context made anew", "disk y",
            "UltraVPR, stand-ins: p95 <= 60 ms"} <= of[PASS]
    assert lines["disk: mapped against copied"].verdict == lines["disk: graph against enqueue"].verdict == FIGURE


def test_eight_hours_say_that_they_were_flown(left):
    assert "the same for 8 hours" not in judged(left, minutes=480)


def platform(*change):
    return lambda left: left.step("platform", 0, jetson_out.PLATFORM.replace(*change))


def answer(name, document):
    return lambda left: left.answer(name, document)


MEMORY = "whole computer: memory left, no swap taken"
READY = "killed and started again: ready <= 30 s"
RESIDENT = "every network resident at once: <= 4 GiB"
OBJECT = "building the runtime object 1000 times: p99 < 200 ms"
FOREIGN = "a plan of another model of device is refused"
SPENT = json.dumps({"kind": "c7.memory_after_seal", "kv": {"memory": "device"}}) + "\n"
CASES = [
    ("the second int8 build took the first one's calibration cache", FAIL,
     lambda left: jetson_out.judged(left, ranges="samples")),
    ("int8: read back from the plan", FAIL, lambda left: jetson_out.judged(left, int8_layers="0")),
    ("int8 is near float32 on photographs", FAIL, lambda left: left.refused("int8.first", "accuracy_too_low")),
    ("int8 and mixed", NOT_SHOWN, lambda left: (left.out / "steps" / "int8.first.status").unlink()),
    ("Jetson Orin Nano 8 GB", FAIL, platform("Orin Nano", "AGX Orin")),
    ("Jetson Orin Nano 8 GB", FAIL, platform("7802080", "3900000")),
    ("JetPack 6.2", FAIL, platform("REVISION: 4.3", "REVISION: 3.0")),
    ("JetPack 6.2", FAIL, platform("R36", "R35")),
    ("JetPack 6.2", NOT_SHOWN, platform("REVISION: 4.3", "REVISION: 4.4")),
    ("JetPack 6.2", NOT_SHOWN, platform("REVISION: 4.3", "REVISION: 4.7")),
    ("TensorRT 10.3", FAIL, platform("10.3.0.30", "10.7.0.23")),
    ("TensorRT 10.3", FAIL, answer("doctor", {"runtimes": [{"label": "tensorrt", "sdk": {"version": "10.7.0"}}]})),
    ("doctor shows the provider tensorrt", FAIL, answer("doctor", {"runtimes": []})),
    ("power mode 25W", FAIL, platform("25W 1", "15W 0")),
    ("power mode 25W", FAIL, platform("NV Power Mode: 25W 1", "nvpmodel: command not found")),
    ("GPU clock fixed (jetson_clocks)", FAIL, platform("min_freq:918000000", "min_freq:306000000")),
    ("GPU clock fixed (jetson_clocks)", FAIL, platform("17000000.gpu", "17000000.other")),
    ("disk y", FAIL, lambda left: unproven(left, "golden.max_abs.y")),
    ("disk: precision read back from the plan", FAIL, lambda left: unproven(left, "layers.fp16")),
    ("disk: CUDA graph, or the reason why not", FAIL, lambda left: unproven(left, "cuda_graph")),
    ("size asked for a data-dependent output", PASS, lambda left: left.refused("provision.asked", "output_overflow")),
    ("size asked for a data-dependent output", FAIL, lambda left: left.refused("provision.asked", "model_unsupported")),
    ("the second build was given the first one's timing cache", FAIL,
     answer("again.second", {"engine": {"proof": {"timing_cache": "none"}}})),
    (FOREIGN, FAIL, lambda left: left.refused("foreign", "file_missing")),
    (FOREIGN, PASS, lambda left: left.refused("foreign", "host_mismatch")),
    (FOREIGN, FAIL, lambda left: left.step("foreign")),
    (FOREIGN, NOT_SHOWN, lambda left: (left.out / "steps" / "foreign.status").unlink()),
    ("UltraVPR, stand-ins: p95 <= 60 ms", FAIL, lambda left: slow(left, "ultravpr", 60.1)),
    ("DISK and LightGlue of a frame, stand-ins: p95 <= 180 ms", FAIL, lambda left: slow(left, "lightglue", 10.8)),
    ("networks of a whole frame, stand-ins: p95 <= 400 ms", FAIL, lambda left: slow(left, "adhop", 236.1)),
    ("networks of a whole frame, stand-ins: p95 <= 400 ms", PASS, lambda left: slow(left, "adhop", 235.9)),
    ("networks of a whole frame, stand-ins: p95 <= 400 ms", NOT_SHOWN,
     lambda left: (left.out / "steps" / "bench.adhop.graph.out").write_text("{}")),
    (OBJECT, FAIL, lambda left: left.object_built(200.0)),
    (OBJECT, FAIL, lambda left: (left.out / "runtime_object.json").unlink()),
    ("frame: p95 <= 400 ms", FAIL, lambda left: left.frame_lines(frame_ms=401.0)),
    ("frames dropped: <= 10 %", FAIL, lambda left: left.frame_lines(without=range(90, 112))),
    ("frames dropped: <= 10 %", NOT_SHOWN, lambda left: left.frame_lines(without=range(0, 111))),  # 21 after the warm-up
    ("report of the flight", FAIL, lambda left: (left.out / "flight.report.json").unlink()),
    ("frames after the warm-up", FAIL, lambda left: (left.out / "flight.frames.jsonl").unlink()),
    (RESIDENT, FAIL, lambda left: left.flight(resident_bytes=700 << 20)),
    (RESIDENT, FAIL, lambda left: left.flight(models=jetson_out.DEMO)),
    (MEMORY, FAIL, lambda left: left.memory((4_000_000, 3_900_000), (300_000, 3_900_000))),
    (MEMORY, FAIL, lambda left: left.memory((4_000_000, 3_900_000), (4_000_000, 3_899_900))),
    (MEMORY, PASS, lambda left: left.memory((4_000_000, 3_000_000), (4_000_000, 3_000_000))),  # swapped before
    (MEMORY, NOT_SHOWN, lambda left: left.memory()),
    ("no memory of the GPU taken after the load", FAIL, lambda left: left.flight(log=SPENT)),
    (READY, FAIL, lambda left: left.start(2, ready_ms=30_001.0)),
    (READY, FAIL, lambda left: left.step("killed.1", 1)),
    ("survived CUDA error 2", PASS, lambda left: left.error(2, renewed="", dropped=2)),
    ("survived CUDA error 2", FAIL, lambda left: left.error(2, renewed="", dropped=3)),
    ("survived CUDA error 2", FAIL, lambda left: left.error(2, failures=[], renewed="")),
    ("survived CUDA error 400, context made anew", NOT_SHOWN, lambda left: left.error(400, renewed="device")),
    ("survived CUDA error 900, context made anew", FAIL, lambda left: left.error(900, failures=[900, 900])),
]


def unproven(left, key):
    engine = jetson_out.engine("disk")
    engine["proof"].pop(key)
    left.answer("inspect.disk", {"content": {"artifacts": [{"engine": engine}]}})


def slow(left, model, p95_ms):
    left.answer(f"bench.{model}.graph", {"engines": [{"model": model, "subjects": [jetson_out.figures(p95_ms)]}]})


@pytest.mark.parametrize("name, verdict, change", CASES)
def test_a_line_says_what_was_found(left, name, verdict, change):
    change(left)
    assert judged(left)[name].verdict == verdict, judged(left)[name]


@pytest.mark.parametrize("name, verdict, change", [case for case in CASES if case[1] == FAIL])
def test_a_rehearsal_fails_for_no_figure(left, name, verdict, change):
    """The file that is not there and the steps that failed are no figures."""
    change(left)
    failed = {line.name for line in judged(left, is_sil=True).values() if line.verdict == FAIL}
    is_step = name in ("report of the flight", "size asked for a data-dependent output", "int8 is near float32 on photographs")
    assert failed <= {"doctor shows the provider sil", "killed.1: no engine fails"} | ({name} if is_step else set())


def test_a_rehearsal_passes_nothing_of_a_device(left):
    passed = {line.name for line in judged(left, is_sil=True).values() if line.verdict in (PASS, FIGURE)}
    assert passed == set()


STEPS = ("platform", *jetson_out.DONE_STEPS, "doctor", "flight", "killed.1", "start.2", "again.first", "inspect.disk",
         "provision.disk", "provision.stack", "bench.disk.enqueue", "error.400")


NOT_REHEARSED = ("platform", "configure", "build", "install", "no_sil")


@pytest.mark.parametrize("step, is_sil", [(step, False) for step in STEPS] +
                         [(step, True) for step in STEPS if step not in NOT_REHEARSED])
def test_a_failed_step_fails_the_report(left, step, is_sil):
    before = {name for name, line in judged(left, is_sil).items() if line.verdict == FAIL}
    left.step(step, 124)
    lines = judged(left, is_sil).values()
    failed = [line for line in lines if line.verdict == FAIL and line.name not in before]
    assert any("(its time limit)" in line.detail for line in failed), failed


@pytest.mark.parametrize("step", sorted(set(STEPS) - {"killed.1", "start.2"}))
def test_a_step_that_was_not_run_says_so(left, step):
    for kind in ("out", "err", "status"):
        (left.out / "steps" / f"{step}.{kind}").unlink()
    assert any(line.verdict == NOT_SHOWN and line.detail == "was not run" for line in judged(left).values())


def test_a_run_that_was_interrupted_says_where(left):
    (left.out / "steps" / "flight.status").unlink()
    assert judged(left)["flew to its end"].detail == "was begun and interrupted"


def test_nothing_is_claimed_where_nothing_was_left(tmp_path):
    (tmp_path / "steps").mkdir()
    lines = jetson_report.judge(tmp_path, 5.0, 30.0, False)
    assert lines and {line.verdict for line in lines} == {NOT_SHOWN}


@pytest.mark.parametrize("status, verdict", [(0, 0), (1, 1)])
def test_the_exit_status_and_both_pages(left, status, verdict):
    left.step("tests_unit", status)
    result = subprocess.run([sys.executable, REPORT, left.out], capture_output=True, text=True, check=False)
    assert result.returncode == verdict, result.stderr
    assert ("FAIL Build and tests: unit tests" in result.stdout) == bool(status)
    document = json.loads((left.out / "report.json").read_text())
    page = (left.out / "report.md").read_text("utf-8")
    assert document["sdk"] == "TensorRT" and page.startswith("# The runtime tensorrt on a Jetson\n")
    assert all(f"| {line['name']} | {line['verdict']} |" in page for line in document["lines"])
