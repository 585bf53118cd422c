"""scripts/jetson_acceptance.sh: refuses where no Jetson is, and rehearsed over the software-in-the-loop SDK, whose report
claims nothing and fails where it should."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

import programs

pytestmark = pytest.mark.alone  # it flies

SCRIPT = programs.ROOT / "scripts" / "jetson_acceptance.sh"
REPORT = programs.ROOT / "scripts" / "jetson_report.py"
NETWORKS = ("lightglue",)  # dynamic, with outputs that depend on data
NO_JETSON = 3


def start(*arguments, **environment):
    return subprocess.run([SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=1800,
                          env={"PATH": f"{pathlib.Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin", **environment},
                          stdin=subprocess.DEVNULL)


def test_where_no_jetson_is_nothing_is_claimed(tmp_path):
    if pathlib.Path("/etc/nv_tegra_release").exists():
        pytest.skip("this is a Jetson")
    result = start("--models", tmp_path, "--out", tmp_path / "out")
    assert result.returncode == NO_JETSON and "this is no Jetson" in result.stderr
    assert result.stdout == "" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [("--minutes", "soon"), ("--models",), ("--sill",)])
def test_wrong_arguments(arguments):
    assert start(*arguments).returncode == 2


def test_a_rehearsal_needs_the_software_in_the_loop_sdk(tmp_path):
    (tmp_path / "CMakeCache.txt").write_text("SKUA_TENSORRT_SIL:BOOL=OFF\n")
    result = start("--models", tmp_path, "--out", tmp_path / "out", "--sil", SKUA_BUILD_DIR=str(tmp_path))
    assert result.returncode == 2 and "SKUA_TENSORRT_SIL" in result.stderr


@pytest.fixture(scope="module", name="rehearsed")
def rehearsal(sil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("acceptance")
    subprocess.run([sys.executable, programs.ROOT / "scripts" / "jetson_models.py", "--out", folder / "models", "--scale",
                    "nano", "--only", *NETWORKS], check=True, capture_output=True)
    result = start("--models", folder / "models", "--out", folder / "out", "--minutes", "0.1", "--sil",
                   SKUA_BUILD_DIR=str(programs.BUILD))
    return folder / "out", result


def lines_of(out):
    return json.loads((out / "report.json").read_text())["lines"]


def judged(out, *more):
    """The report made again. Returns the exit status and the verdicts by name."""
    result = subprocess.run([sys.executable, REPORT, out, "--minutes", "0.1", *more], capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    return result.returncode, {line["name"]: line for line in lines_of(out)}


@pytest.fixture(name="out")
def copy_of_what_was_left(rehearsed, tmp_path):
    return pathlib.Path(shutil.copytree(rehearsed[0], tmp_path / "out"))


def test_a_rehearsal_runs_to_its_end_and_passes_nothing_of_a_device(rehearsed):
    out, result = rehearsed
    failed = [line for line in lines_of(out) if line["verdict"] == "FAIL"]
    assert result.returncode == 0 and not failed, f"{failed}\n{result.stderr[-3000:]}"
    assert [line["name"] for line in lines_of(out) if line["verdict"] == "pass"] == ["doctor shows the provider sil"]
    assert json.loads((out / "report.json").read_text())["sdk"] == "sil, not TensorRT"
    page = (out / "report.md").read_text()
    assert page.startswith("# Rehearsal: sil, not TensorRT\n") and "| pass | sil" not in page


def test_everything_was_measured(rehearsed):
    """Nothing is 'not shown' for want of a step, but for what says so."""
    names = {line["name"]: line["detail"] for line in lines_of(rehearsed[0])}
    for network in ("demo_vpr", "demo_features", "demo_matcher", *NETWORKS):
        for pair in ("graph against enqueue", "mapped against copied"):
            assert "p50" in names[f"{network}: {pair}"], names
    tensor = names["lightglue: matches copied, the others mapped"]
    assert "p50" in tensor and names["size asked for a data-dependent output"].startswith("sil, not TensorRT: the ")
    for code in (2, 400, 900):
        assert f"by code: [{code}]" in names[f"context made anew after CUDA error {code}"], names
    silent = {name for name, detail in names.items() if not detail.startswith("sil, not TensorRT")}
    assert silent <= {"doctor shows the provider sil", "unit tests", "conformance tests of tensorrt", "unit_tensorrt",
                      "the same model gives the same bytes", "a plan of another model of device is refused",
                      "UltraVPR, stand-ins: p95 <= 60 ms", "DISK and LightGlue, stand-ins: p95 <= 180 ms",
                      "building the runtime object 1000 times: p99 < 200 ms", "the same for 8 hours",
                      "throttle visible within 1 s", "errors that TensorRT itself reports; a device that is really lost"}


def test_control_a_rehearsal_does_not_pass_for_the_real_thing(out):
    status, lines = judged(out)  # without --sil
    assert status == 1 and lines["doctor shows the provider tensorrt"]["verdict"] == "FAIL"
    assert lines["Jetson Orin Nano 8 GB"]["verdict"] == "FAIL"


@pytest.mark.parametrize("step, name", [
    ("provision.flight", "set flight compiled, proven and published"), ("flight", "flew to its end"),
    ("contexts", "three contexts of one engine with one profile"), ("bench.flight.graph", "flight.graph"),
    ("start.1", "killed and started again: ready <= 30 s, no engine fails"), ("error.400", "context made anew after CUDA error 400")])
def test_control_a_failed_step_fails_the_report(out, step, name):
    assert judged(out, "--sil")[0] == 0
    (out / "steps" / f"{step}.status").write_text("6\n")
    status, lines = judged(out, "--sil")
    assert status == 1 and lines[name]["verdict"] == "FAIL"


def slow_frames(out):
    trace = out / "flight.trace.jsonl"
    slow = [json.loads(line) for line in trace.read_text().splitlines()]
    for line in slow:
        line["frame"] += 1000  # after the warm-up
        line["ms"]["frame"] = 401.0
    trace.write_text("".join(json.dumps(line) + "\n" for line in slow))


def dropped_frames(out):
    report = out / "flight.report.json"
    document = json.loads(report.read_text())
    document["no_result"] = {"deadline_missed": document["frames"]}
    report.write_text(json.dumps(document))


def used_swap(out):
    with (out / "memory.txt").open("a") as file:
        file.write("MemTotal: 7900000 MemAvailable: 4000000 SwapTotal: 1000 SwapFree: 900 \n")


def slow_start(out):
    report = out / "start.1.report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"ready_ms": 30_001.0}))


def taken_memory(out):
    with (out / "steps" / "flight.out").open("a") as file:
        file.write('{"kind":"c7.memory_after_seal","kv":{"memory":"device","size_bytes":4096}}\n')


@pytest.mark.parametrize("change, name", [
    (slow_frames, "frame: p95 <= 400 ms"), (dropped_frames, "frames dropped: <= 10 %"),
    (used_swap, "whole computer: memory <= 8 GB, swap 0"),
    (slow_start, "killed and started again: ready <= 30 s, no engine fails"),
    (taken_memory, "no memory of the GPU taken after the load")])
def test_control_a_broken_budget_fails_the_report(out, change, name):
    change(out)
    for more in ((), ("--sil",)):  # a rehearsal may fail, it cannot pass
        if change is slow_frames and more:
            continue  # it has no warm-up to leave out
        status, lines = judged(out, *more)
        assert status == 1 and lines[name]["verdict"] == "FAIL", lines[name]
