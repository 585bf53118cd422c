"""What a process maps, opens, writes and starts: libtorch where it is configured and only there, engines from verified
memory and never from a path, and as quiet as every other program (see test_quiet.py)."""

import re
import time

import numpy as np
import pytest

import programs
import tiny_torchscripts as tiny
import tracing
from test_quiet import SET_READER, judge, names, pytestmark, traced_program  # the same skip, fixture and judge
from torch_places import engine, row

__all__ = ["pytestmark", "traced_program"]  # used by pytest
OPENS = ("open", "openat", "openat2")
TORCH, ORT = re.compile(r"lib(torch|c10|skua_torch)\w*\.so"), re.compile(r"libonnxruntime\.so")
COMMAND = ("--output-dir", "out", *programs.UNSIGNED)


def opened(report):
    """Every path that was opened, in order; failed tries left out."""
    paths = []
    for call in OPENS:
        for _process, rest in report.calls.get(call, []):
            if not rest.rpartition(" = ")[2].lstrip().startswith("-1"):
                paths.append(tracing.paths(call, rest.rpartition(" = ")[0])[0])
    return paths


def libraries(report, pattern):
    return {path for path in opened(report) if pattern.search(path)}


@pytest.fixture(name="x_file")
def input_file(tmp_path):
    np.save(tmp_path / "x.npy", row())
    return tmp_path / "x.npy"


def test_only_the_configured_runtime_is_opened(trace, flight, torch_original, x_file):
    """A library that is never opened cannot be mapped: the loader knows no other way."""
    report = trace(programs.SKUA, "run", flight.sets, "add_relu", "--input", f"x={x_file}", *COMMAND)
    assert report.status == programs.DONE, report.stderr
    assert libraries(report, TORCH) == set() and libraries(report, ORT)
    report = trace(programs.SKUA, "run", torch_original.sets, "matmul_relu", "--input", f"x={x_file}", *COMMAND)
    assert report.status == programs.DONE, report.stderr  # control, and the other way round
    assert libraries(report, ORT) == set() and len(libraries(report, TORCH)) >= 3
    assert any("libskua_torch_run.so" in path for path in opened(report))
    assert not any("libskua_torch_compile.so" in path for path in opened(report))


def mapped_while_running(skua, wanted, *command):
    """What /proc says that a process of many seconds maps: all until half a second after `wanted` is there."""
    process = skua.start(*command)
    found, until = set(), time.monotonic() + 60
    try:
        while process.poll() is None and time.monotonic() < until:
            with open(f"/proc/{process.pid}/maps", encoding="ascii", errors="replace") as maps:
                now = {line.split()[-1] for line in maps if "/" in line}
            is_new = any(map(wanted.search, now)) and not any(map(wanted.search, found))
            until = time.monotonic() + 0.5 if is_new else until
            found |= now
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()
        return found
    finally:
        process.kill()
        process.communicate()


def test_maps_of_running_processes(skua, flight, torch_original, x_file):
    """The same, as the kernel tells it."""
    for folder, model, has, has_not in ((flight.sets, "add_relu", ORT, TORCH),
                                        (torch_original.sets, "matmul_relu", TORCH, ORT)):
        maps = mapped_while_running(skua, has, "run", folder, model, "--input", f"x={x_file}", "--output-dir",
                                    flight.folder / "out", *programs.UNSIGNED, "--repeat", "5000000")
        assert any(has.search(path) for path in maps), model
        assert not any(has_not.search(path) for path in maps), model


def test_an_engine_is_opened_once_and_by_nobody_else(trace, torch_flight, x_file, home):
    """libtorch gets the bytes that were verified, and no path that somebody could change in between."""
    for folder in (torch_flight.cache, torch_flight.sets):
        report = trace(programs.SKUA, "run", folder, "matmul_relu", "--input", f"x={x_file}", *COMMAND)
        assert report.status == programs.DONE, report.stderr
        artifact = engine(torch_flight.current() if folder == torch_flight.sets else folder)
        assert [path for path in opened(report) if path.endswith(".pt") and "matmul_relu" in path] == [str(artifact)]
    assert not list(home.iterdir())


def test_an_engine_that_is_refused_never_gets_as_far(trace, torch_flight, x_file):
    """A flipped bit: libtorch is opened, for the runtime is built first, and sees nothing of the engine."""
    path = engine(torch_flight.cache)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    report = trace(programs.SKUA, "run", torch_flight.cache, "matmul_relu", "--input", f"x={x_file}", *COMMAND)
    assert report.status == programs.REFUSED and "sidecar_hash_mismatch" in report.stderr
    assert not any(path.endswith("y.npy") for path in report.changed)


# ---- quiet ---------------------------------------------------------------------------------------------------------

def test_compile_is_quiet(trace, home, place):
    model = tiny.matmul_relu(place.models / "net.pt")
    report = trace(programs.SKUA, "compile", model, "--out", place.cache, "--precision", "fp16")
    judge(report, [place.cache], home)
    assert names(report) == ["skua", "skua-build"]
    assert any("net__" in path for path in report.changed)


def test_refused_compile_is_quiet(trace, home, place):
    model = place.models / "net.pt"
    model.write_bytes(b"no network")
    report = trace(programs.SKUA, "compile", model, "--out", place.cache, "--precision", "fp16")
    judge(report, [place.cache], home, status=programs.BUILD_FAILED)
    assert not any("net__" in path and ".tmp-" not in path for path in report.changed)


def test_provision_verify_and_inspect_are_quiet(trace, home, torch_flight):
    tiny.matmul_relu(torch_flight.models / "matmul_relu.pt", seed=70)
    command = (programs.SKUA, *torch_flight.provision_arguments(torch_flight.yaml))
    report = trace(*command)
    judge(report, [torch_flight.sets, torch_flight.cache], home)
    assert str(torch_flight.sets / "CURRENT") in report.changed
    assert names(trace(*command)) == ["skua"]  # nothing to do
    for arguments in (("verify", torch_flight.sets, *programs.UNSIGNED), ("inspect", torch_flight.current())):
        report = trace(programs.SKUA, *arguments)
        judge(report, [], home)
        assert report.changed == set() and libraries(report, TORCH) == set()


def test_run_is_quiet(trace, home, torch_flight, x_file):
    run = ("run", torch_flight.sets, "matmul_relu", "--input", f"x={x_file}", *COMMAND)
    for more in ((), ("--repeat", "1000")):
        report = trace(programs.SKUA, *run, *more)
        judge(report, [torch_flight.folder / "out"], home, threads=SET_READER)
        assert names(report) == ["skua"] and str(torch_flight.folder / "out" / "y.npy") in report.changed


def test_run_from_the_cache_is_quiet(trace, home, torch_flight, x_file):
    run = ("run", torch_flight.cache, "matmul_relu", "--input", f"x={x_file}", *COMMAND)
    judge(trace(programs.SKUA, *run), [torch_flight.folder / "out"], home)


def test_control_the_tracer_works_here(trace, home, flight, x_file):
    """The other runtime by the same judge."""
    report = trace(programs.SKUA, "run", flight.cache, "add_relu", "--input", f"x={x_file}", *COMMAND)
    judge(report, [flight.folder / "out"], home)
