"""No program opens a socket, starts threads that nobody asked for, or writes anywhere but in the folders named to it.

Each program runs under strace with CI unset and an empty $HOME; the same reader judges a program that does all three
forbidden things, and must find them.

Threads, beside the first one of each process:

| program | threads | why |
|---|---|---|
| compile, provision, inspect, verify | 0 | ONNX Runtime's one intra-op thread is the caller's own |
| doctor, thermal | 2 | one that reads the sensors, and one that a hung driver does not hold up |
| skua-build | 0 | the same; it is one process per model |
| run from an engine cache | 0 | one engine: nothing to do beside it |
| run from a flight set | one per core but the first, at most three and no more than there are engines but one | engines are loaded at once |
| whatever reads an engine of 8 MiB and more alone | + 1 per reading | a reader beside the hasher |
"""

import os
import sys

import numpy as np
import pytest

import programs
import tiny_models
import tracing
import trees
from places import CPU

NO_TRACE = tracing.can_trace()
FORBIDDEN = NO_TRACE is not None and "PTRACE" in NO_TRACE.upper() and "permitted" in NO_TRACE
pytestmark = pytest.mark.skipif(FORBIDDEN, reason=f"ptrace is forbidden here: {NO_TRACE}")
SENSORS = 2  # reader and poller
# Work on engines of a set of three beside the program's own: to prove them, and then to warm them up.
SET_READER = 2 * (min(len(os.sched_getaffinity(0)), 3) - 1)


@pytest.fixture(name="trace")
def traced_program(home, tmp_path):
    """Runs a command line traced; answers the report."""
    assert NO_TRACE is None, f"strace cannot trace: {NO_TRACE}"

    def run(*command):
        environment = programs.environment(home)
        assert "CI" not in environment
        return tracing.run(command, tmp_path / "trace.log", env=environment, cwd=tmp_path)
    return run


def judge(report, allowed, home, status=programs.DONE, threads=0):
    """A quiet run: right status, no network, nothing outside `allowed`, an empty home, and as many threads as stated
    in `skua` itself, none in other processes."""
    assert report.status == status, report.stderr
    assert report.network == []
    assert report.changed_outside(["/dev/null", *allowed]) == []
    assert report.memory_files == []
    assert [started for name, started in report.threads() if name == "skua"] == [threads], report.threads()
    assert [started for name, started in report.threads() if name != "skua"] in ([], [0]), report.threads()
    assert list(home.iterdir()) == []


def names(report):
    return [program for program, _ in report.threads()]


def test_doctor(trace, home):
    report = trace(programs.SKUA, "doctor", "--json")
    judge(report, [], home, threads=SENSORS)
    assert names(report) == ["skua"] and report.changed == set()


def test_thermal(trace, home, tmp_path):
    report = trace(programs.SKUA, "thermal", "--root", tmp_path, "--json")
    judge(report, [], home, status=8, threads=SENSORS)  # no sensor there
    assert names(report) == ["skua"] and report.changed == set()


def test_compile(trace, home, place):
    """The build process included, with external weights, which some SDKs would map or copy."""
    model = tiny_models.external(place.models / "ext.onnx")
    report = trace(programs.SKUA, "compile", model, "--out", place.cache, "--precision", "fp32", *CPU)
    judge(report, [place.cache], home)
    assert names(report) == ["skua", "skua-build"]
    assert any("ext__" in path for path in report.changed)


def test_provision_twice(trace, home, flight):
    tiny_models.add_relu(flight.models / "add_relu.onnx", seed=70)
    command = (programs.SKUA, *flight.provision_arguments(flight.yaml))
    report = trace(*command)
    judge(report, [flight.sets, flight.cache], home)
    assert names(report) == ["skua", "skua-build"]
    assert str(flight.sets / "CURRENT") in report.changed
    report = trace(*command)  # nothing to do: nothing done but to remember the models' digests
    judge(report, [flight.cache], home)
    assert all("source.digests" in path or "/.tmp-" in path for path in report.changed), report.changed
    assert names(report) == ["skua"]


def test_verify_and_inspect(trace, home, flight):
    for subcommand, arguments in (("verify", (flight.sets, *programs.UNSIGNED)), ("inspect", (flight.current(),)),
                                  ("inspect", (flight.cache,))):
        report = trace(programs.SKUA, subcommand, *arguments)
        judge(report, [], home)
        assert report.changed == set() and names(report) == ["skua"]


def test_verify_of_a_damaged_set(trace, home, flight):
    current = flight.sets / "CURRENT"
    current.write_text("nobody\n")
    report = trace(programs.SKUA, "verify", flight.sets, *programs.UNSIGNED)
    judge(report, [], home, status=programs.REFUSED)
    assert report.changed == set()


def test_run(trace, home, flight, inputs):
    report = trace(programs.SKUA, "run", flight.sets, "add_relu", *inputs, *programs.UNSIGNED)
    judge(report, [flight.folder / "out"], home, threads=SET_READER)
    assert names(report) == ["skua"] and str(flight.folder / "out" / "y.npy") in report.changed


def test_run_that_lasts(trace, home, flight, inputs, skua):
    """Long enough for a reporting thread that waits before it speaks."""
    seconds = programs.repeats("e2e_quiet_seconds")
    model = tiny_models.slow(flight.models / "slow.onnx")
    skua.ok("compile", model, "--runtime", "onnx_trt_ep", "--precision", "fp32", "--workspace-mb", "64",
            "--set", "execution_provider=cpu", "--out", flight.cache, "--json")
    run = ("run", flight.cache, "slow", *inputs, "--json")
    once = skua.ok(*run, "--repeat", "200")["latency"]["p50_us"]
    report = trace(programs.SKUA, *run, "--repeat", max(1, int(seconds * 1e6 / once)))
    judge(report, [flight.folder / "out"], home)


def test_large_engine_has_a_reader_beside_the_hasher(trace, home, flight):
    model = tiny_models.external(flight.models / "large.onnx", rows=(9 << 20) // (4 * tiny_models.WIDTH))
    yaml = flight.set_yaml([{"name": "large", "onnx": model, "precision": "fp32"}])
    report = trace(programs.SKUA, *flight.provision_arguments(yaml))
    assert report.status == programs.DONE and report.network == [], report.stderr
    report = trace(programs.SKUA, "verify", flight.sets, *programs.UNSIGNED)
    judge(report, [], home)  # one file worth a worker: the program's own thread
    np.save(flight.folder / "x.npy", np.zeros((1, (9 << 20) // (4 * tiny_models.WIDTH)), np.float32))
    report = trace(programs.SKUA, "run", flight.sets, "large", "--input", f"x={flight.folder}/x.npy",
                   "--output-dir", flight.folder / "out", *programs.UNSIGNED)
    judge(report, [flight.folder / "out"], home, threads=1)  # which reads while the program's own hashes


def test_threads_that_were_asked_for_are_counted(trace, home, flight):
    """Control of the thread count: an engine compiled for three threads starts two more at load."""
    model = flight.models / "add_relu.onnx"
    more = (*CPU, "--set", "intra_op_threads=3")
    trace(programs.SKUA, "compile", model, "--out", flight.cache, "--precision", "fp32", *more)
    np.save(flight.folder / "x.npy", np.zeros((1, 8), np.float32))
    report = trace(programs.SKUA, "run", flight.cache, "add_relu", "--input", f"x={flight.folder}/x.npy",
                   "--output-dir", flight.folder / "out")
    assert report.status == programs.DONE, report.stderr
    assert report.threads() == [("skua", 2)]
    assert report.network == [] and report.changed_outside([flight.folder / "out"]) == [] and not list(home.iterdir())


# ---- negative control ------------------------------------------------------------------------------------------------

LOUD = """
import os, pathlib, socket, subprocess, threading
home = pathlib.Path(os.environ["HOME"])
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
(home / ".cache").mkdir()
(home / ".cache" / "deviceid").write_text("me")
os.rename(home / ".cache" / "deviceid", home / ".cache" / "other")
threading.Thread(target=lambda: None).start()
os.chdir(home)
folder = os.open(home, os.O_RDONLY)
os.mkdir("relative", dir_fd=folder)
subprocess.run(["/bin/sh", "-c", ": > from_a_child"])
"""


@pytest.mark.parametrize("part", ["network", "files", "threads"])
def test_control_a_program_that_is_not_quiet(trace, home, part):
    report = trace(sys.executable, "-I", "-c", LOUD)
    assert report.status == 0, report.stderr
    with pytest.raises(AssertionError):
        judge_part(report, part)
    written = {str(home / name) for name in (".cache", ".cache/deviceid", ".cache/other", "relative", "from_a_child")}
    assert written <= set(report.changed_outside(["/dev/null"]))
    assert any("AF_INET" in call for call in report.network)
    assert dict(report.threads())[names(report)[0]] == 1
    assert trees.tree(home)
    for name in ("from_a_child", ".cache/other"):
        (home / name).unlink()
    for name in ("relative", ".cache"):
        (home / name).rmdir()


def judge_part(report, part):
    if part == "network":
        assert report.network == []
    elif part == "files":
        assert report.changed_outside(["/dev/null"]) == []
    else:
        assert all(threads == 0 for _, threads in report.threads())


def test_control_a_quiet_program(trace, home):
    report = trace(sys.executable, "-I", "-B", "-c", "print(1)")
    assert (report.network, report.changed_outside(["/dev/null"])) == ([], [])
    assert [threads for _, threads in report.threads()] == [0] and not list(home.iterdir())
