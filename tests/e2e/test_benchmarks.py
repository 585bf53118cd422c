"""The benchmark programs, on small sets and for a moment: that each runs, says what it should, and can fail.

The figures themselves are of no worth here; docs/reference/bench.md has those of a whole run.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import time

import pytest

import programs

BENCHMARKS = programs.BUILD / "benchmarks"
RUN = programs.ROOT / "benchmarks" / "run.py"
PATIENCE_S = 900  # of minutes of work on a machine that others use, too
GROUPS = {"control", "call", "count", "lanes", "throughput", "tools", "verify", "session", "memory", "growth", "trust", "data set",
          "first result", "telemetry", "events", "lightglue", "takeoff", "python"}
pytestmark = [pytest.mark.alone,  # the harness measures itself
              pytest.mark.skipif(not os.access(BENCHMARKS / "bench_control", os.X_OK),
                                 reason="built without SKUA_BUILD_BENCHMARKS")]


def benchmarks(build, out, *more):
    command = [sys.executable, RUN, "--build", build, "--out", out, "--quick", *more]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=environment,
                          timeout=PATIENCE_S)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="OPENSSL_ia32cap is of x86")
@pytest.mark.parametrize("instructions, message", [("", None), ("0:0", "SHA-256 was done in software")])
def test_a_gate_that_hashes_in_software_fails_its_benchmark(tmp_path, instructions, message):
    command = [sys.executable, programs.ROOT / "benchmarks" / "load.py", "--build", programs.BUILD, "--out", tmp_path, "--depth",
               "quick", "--only", "trust"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | ({"OPENSSL_ia32cap": instructions} if instructions else {})
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=environment,
                          timeout=PATIENCE_S)
    assert (done.returncode == 0) == (message is None), done.stderr[-2000:]
    assert message is None or message in done.stderr


@pytest.mark.parametrize("tool, message", [("sha256sum", None), ("sha1sum", "different digests of the same files")])
def test_a_tool_that_does_other_work_is_no_reference_for_hashing_a_data_set(tmp_path, tool, message):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        (data / f"{number}.npz").write_bytes(bytes([number]) * 5000)
    done = subprocess.run([BENCHMARKS / "load_data_set", "--data-set", data, "--out", tmp_path / "out", "--rounds", "6", "--skua",
                           programs.SKUA, "--sha256sum", f"/usr/bin/{tool}"], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S)
    assert (done.returncode == 0) == (message is None) == (tmp_path / "out.json").exists(), done.stderr
    assert message is None or message in done.stderr


@pytest.fixture(name="signed")
def signed_set(skua, flight, tmp_path):
    """A set, and the key that it is signed with."""
    skua.ok("keygen", tmp_path / "key")
    skua.ok("sign", flight.current(), "--key", tmp_path / "key.key")
    return flight.current(), tmp_path / "key.pub"


@pytest.mark.parametrize("option, tool, message", [
    ("--sha256sum", "/usr/bin/sha1sum", "sha256sum prints other digests"),
    ("--openssl", "/bin/echo", "openssl dgst -sha256 prints other digests")])
def test_a_tool_that_does_other_work_is_no_reference_for_the_gate(signed, tmp_path, option, tool, message):
    """The tools that do their work are measured below, by one command."""
    set_dir, key = signed
    command = [BENCHMARKS / "load_tools", "--set-dir", set_dir, "--trust", key, "--out", tmp_path / "out", "--skua", programs.SKUA,
               "--python", sys.executable, option, tool]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 1 and message in done.stderr and not (tmp_path / "out.json").exists()


def test_the_gate_beside_tools_needs_a_signed_set(flight, tmp_path):
    command = [BENCHMARKS / "load_tools", "--set-dir", flight.current(), "--out", tmp_path / "out", "--skua", programs.SKUA,
               "--python", sys.executable]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 1 and "is not signed" in done.stderr and not (tmp_path / "out.json").exists()


def test_lanes_at_work_are_counted_run_by_run(flight, tmp_path):
    """Each cell has the time of every run; its rate is no more than what its median run allows."""
    command = [BENCHMARKS / "bench_throughput", "--set-dir", flight.current(), "--model", "several", "--out", tmp_path / "out",
               "--rounds", "1000", "--budget", "0.001", "--slice", "0.005"]
    subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=PATIENCE_S)
    figures = json.loads((tmp_path / "out.json").read_text("utf-8"))["figures"]
    assert len(figures) == 6 * 6
    ratios = [figure for figure in figures if figure["unit"] == "ratio"]
    assert {figure["count"] for figure in ratios} == {6}, "a budget that is over leaves the rounds that bounds need"
    for lanes in ("1 lane,", "2 lanes,", "4 lanes,"):
        for situation in ("quiet", "one core busy"):
            cell = [figure for figure in figures if f"{lanes} {situation}," in figure["name"]]
            sides = named(cell, "time per run")["sides"]
            for side, who in ((sides["subject"], ", skua"), (sides["reference"], ", raw")):
                (rate,) = [figure["value"] for figure in cell if figure["name"].endswith(situation + who)]
                assert side["count"] > 6 * int(lanes[0]) and 0 < side["p50_us"] <= side["p99_us"] <= side["max_us"]
                # Were runs counted that did not take place, a lane would do more of them than their times allow.
                assert rate * side["p50_us"] / 1e6 <= 3 * int(lanes[0])


def named(figures, *words):
    """The one figure whose name has all words."""
    found = [figure for figure in figures if all(word in figure["name"] for word in words)]
    assert len(found) == 1, (words, [figure["name"] for figure in found])
    return found[0]


def test_one_command_takes_every_kind_of_figure(tmp_path):
    done = benchmarks(programs.BUILD, tmp_path)
    if done.returncode == 1 and "no figure of this run can be trusted" in done.stderr:
        done = benchmarks(programs.BUILD, tmp_path)  # a busy moment: the control is right to say so, once
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    figures = report["figures"]
    assert {figure["group"] for figure in figures} == GROUPS and done.stdout == (tmp_path / "report.md").read_text("utf-8")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "figures.md").is_file()
    assert set(report["budgets"]) == {"networks", "control", "call", "precision", "python", "torch", "lanes", "load", "telemetry",
                                      "lightglue", "takeoff"}
    assert report["left_out"] == [], "a build of preset dev has all of it"
    assert "bench: all" in done.stderr and "readme_table.py" in done.stderr
    for precision in ("fp16", "int8"):
        assert named(figures, f"demo_matcher_{precision}: skua bound run / raw io_binding")["is_bounded"]
    for name in ("demo_matcher: ", "demo_matcher (pytorch_fp16): "):
        for cell in ("1 lane, quiet", "4 lanes, one core busy"):
            assert named(figures, name + cell, "p99 of a round, skua / raw")["sides"]
    for tool in ("sha256sum", "openssl dgst -sha256", "model_signing verify"):
        assert named(figures, f"skua verify --trust / {tool}")["sides"]["reference"]["name"] == tool
    assert sum(figure["group"] == "tools" and figure["unit"] == "GB/s" for figure in figures) == 5
    start = named(figures, "model_signing --help / model_signing verify")["sides"]  # a start is a part of what is started
    assert 0 < start["subject"]["p50_us"] < start["reference"]["p50_us"] and start["subject"]["name"] == "model_signing --help"
    set_size = named(figures, "size of the set")
    assert set_size["unit"] == "GB" and f"{set_size['value']:.2f}" in set_size["note"] and "one core, model_signing a pool" in set_size["note"]
    sdk = report["machine"]["sdk"]
    assert "onnx_trt_ep 1." in sdk and "pytorch_fp16 2." in sdk and report["machine"]["commit"]

    controls = [figure for figure in figures if figure["group"] == "control"]
    assert [figure["verdict"] for figure in controls] == ["reached"] * 4
    assert {figure["note"].split(",")[0] for figure in controls} == {"thread CPU time", "wall clock"}
    assert named(figures, "one_node: skua bound run / raw io_binding")["note"].split(",")[0] in sdk
    assert named(figures, "one_node (pytorch_fp16): skua bound run / raw interpreter")["note"].split(",")[0] in sdk
    assert named(figures, "start to first result", "3 warm-up runs")["asked"] == "<= 1.1"

    for name in ("one_node", "demo_matcher"):  # counts do not depend on how busy the machine is
        copies = named(figures, f"{name}: copies of bound")
        assert copies["value"] == 0 and copies["verdict"] == "reached", copies
        assert "a copier fills" in copies["note"] and "infer() copies" in copies["note"]
        assert named(figures, f"{name}: allocations per bound run beyond")["verdict"] == "reached"

    for figure in figures:
        assert figure["verdict"] != "reached" or figure["is_bounded"] or figure["group"] == "count", figure
    for use in ("verifying", "loading"):
        for axis in ("number of engines", "engine size"):
            assert named(figures, use, f"by {axis}, last step")["asked"] == "<= 1.05"
    cold = [figure for figure in figures if "cold private memory" in figure["name"] and figure["unit"] == "ratio"
            and "CPU" not in figure["name"]]
    assert [figure["asked"] for figure in cold] == ["<= 1.10", "<= 1.25"]
    assert named(figures, "skua inspect / sha256sum")["asked"] == "<= 0.50"
    p99 = named(figures, "building the runtime object, p99")
    assert p99["is_bounded"] and p99["lower"] <= p99["value"] < p99["upper"]


def test_without_its_control_no_group_is_measured(tmp_path):
    build = tmp_path / "build"
    (build / "benchmarks").mkdir(parents=True)
    for name in ("bin", "lib"):
        (build / name).symlink_to(programs.BUILD / name)
    started = tmp_path / "started"
    for program in BENCHMARKS.iterdir():
        stub = build / "benchmarks" / program.name
        stub.write_text(f"#!/bin/sh\necho {program.name} >> {started}\nexit 1\n", "ascii")
        stub.chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.json").write_text("{}", "ascii")
    for group in ("call", "load"):
        done = benchmarks(build, out, "--only", group)
        assert done.returncode == 1 and "bench_control" in done.stderr
        assert started.read_text("ascii").split() == ["bench_control"]
        assert not list(out.glob("report.*")) and not list(out.glob("figures.*")), "an older report would be taken for this run's"
        started.unlink()


@pytest.mark.parametrize("program", ["bench_lanes", "bench_call"])
def test_ctrl_c_leaves_no_report(flight, tmp_path, program):
    command = [BENCHMARKS / program, "--set-dir", flight.current(), "--out", tmp_path / "out", "--rounds", "10000"]
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1 and "cancelled" in said
    assert not list(tmp_path.glob("out.*"))
