"""What the programs do when the SDK below `tensorrt` fails: in the build process, while loading, in a run.

The software-in-the-loop SDK obeys the variable SKUA_SIL_FAULTS of its process (tests/sil/README.md). Every test has its
control: the same command without orders, or with harmless ones.
"""

import re
import subprocess

import numpy as np
import pytest

import programs
import sil_build
import tiny_models
from places import Place
from sil_build import ILLEGAL_ADDRESS, LATER_THAN_LOADING

RUNS = 5000


@pytest.fixture(scope="module", name="compiled")
def place_with_a_plan(sil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    (folder / "home").mkdir()
    place = Place(folder)
    programs.Programs(folder / "home").ok(*compile_command(place))
    np.save(folder / "x.npy", np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8))
    return place


def compile_command(place, *more):
    return ("compile", tiny_models.add_relu(place.models / "add_relu.onnx"), "--runtime", "tensorrt", "--precision", "fp32",
            "--out", place.cache, *more)


def run_command(compiled, out, *more):
    return ("run", compiled.cache, "add_relu", "--input", f"x={compiled.folder / 'x.npy'}", "--output-dir", out, "--json",
            *more)


def test_doctor_says_sil(trt):
    """Nobody takes this build for one that flies: version, provider, device and library say what they are."""
    document = trt.ok("doctor", "--json")
    (runtime,) = [each for each in document["runtimes"] if each["label"] == "tensorrt"]
    assert runtime["sdk"]["version"].endswith(" sil")
    assert runtime["sdk"]["providers"][0] == "sil" and "no GPU" in runtime["sdk"]["providers"][1]
    assert "libskua_sil_" in runtime["sdk"]["library"]
    assert re.search(r"^  tensorrt: .* sil at ", trt.ok("doctor").stdout, re.MULTILINE)


def test_doctor_says_that_there_is_no_driver(trt):
    document = trt.ok("doctor", "--json", prefix=sil_build.failing("no_driver"))
    (runtime,) = [each for each in document["runtimes"] if each["label"] == "tensorrt"]
    assert any("driver" in text for text in [runtime["reason"], *runtime["sdk"]["providers"]])


def test_a_handle_and_a_plan_say_sil(trt, compiled, tmp_path):
    engine = trt.ok(*run_command(compiled, tmp_path / "out"))["engine"]
    assert engine["provider"] == "sil" and engine["sdk_version"].endswith(" sil") and "sil" in engine["arithmetic"]
    (plan,) = compiled.cache.glob("*.engine")
    # The four bytes of the release in a plan's header; no release is 0.0.0.0, and TensorRT refuses another than its own.
    told = trt.ok("inspect", plan).stdout
    assert "0.0.0.0" in told, told


# ---- the build process -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("orders, more, status, reason", [
    ("crash_builder", (), programs.BUILD_FAILED, "builder_crashed"),
    ("hang:cudaStreamCreateWithFlags:1", ("--timeout", "2"), programs.BUILD_FAILED, "builder_timeout"),
    ("corrupt_plans", (), programs.BUILD_FAILED, None),
    ("no_driver", (), programs.NO_RUNTIME, "provider_not_available"),
    ("fail:cudaStreamCreateWithFlags:0:2", (), programs.OUT_OF_MEMORY, "out_of_memory"),
    ("memory:100", (), programs.OUT_OF_MEMORY, "out_of_memory"),
])
def test_what_fails_in_the_build_process_is_an_error_of_the_caller(sil, place, home, tmp_path, orders, more, status,
                                                                   reason):
    folder = tmp_path / "program"
    folder.mkdir()
    refused = sil_build.ProgramsWithBuilder(home, folder, orders)(*compile_command(place, *more), "--json")
    programs.error_of(refused, status, reason)
    assert not list(place.cache.glob("*.engine*")), "a failed build published something"


def test_control_the_same_program_without_orders_builds(sil, place, home, tmp_path):
    folder = tmp_path / "program"
    folder.mkdir()
    harmless = sil_build.ProgramsWithBuilder(home, folder, "flood_log:10")
    harmless.ok(*compile_command(place))
    assert list(place.cache.glob("*.engine"))


# ---- loading -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("orders, status, reason", [
    ("no_driver", programs.NO_RUNTIME, "provider_not_available"),
    ("memory:100", programs.OUT_OF_MEMORY, "out_of_memory"),
    (f"fail:cudaStreamCreateWithFlags:1:{ILLEGAL_ADDRESS}:sticky", programs.DEVICE_LOST, "device_lost"),
])
def test_a_failure_while_loading_is_typed_and_gives_no_output(trt, compiled, tmp_path, orders, status, reason):
    refused = trt(*run_command(compiled, tmp_path / "out"), prefix=sil_build.failing(orders))
    programs.error_of(refused, status, reason)
    assert not list((tmp_path / "out").glob("*.npy"))


# ---- runs --------------------------------------------------------------------------------------------------------

def test_a_lost_device_ends_the_runs(trt, compiled, tmp_path):
    orders = f"fail:cudaEventRecord:{LATER_THAN_LOADING}:{ILLEGAL_ADDRESS}:sticky"
    refused = trt(*run_command(compiled, tmp_path / "out", "--repeat", RUNS), prefix=sil_build.failing(orders))
    error = programs.error_of(refused, programs.DEVICE_LOST, "device_lost")
    assert error["native_code"] == ILLEGAL_ADDRESS


def test_control_the_same_call_failing_once_ends_no_device(trt, compiled, tmp_path):
    """Not sticky: one run without a result, and the command, which counts results, says so; nothing is lost."""
    orders = f"fail:cudaEventRecord:{LATER_THAN_LOADING}:1"
    refused = trt(*run_command(compiled, tmp_path / "out", "--repeat", RUNS), prefix=sil_build.failing(orders))
    programs.error_of(refused, programs.INFERENCE, "execution_failed")


def test_control_an_order_beyond_the_last_call_changes_nothing(trt, compiled, tmp_path):
    orders = f"fail:cudaEventRecord:{RUNS * 100}:{ILLEGAL_ADDRESS}:sticky"
    report = trt.ok(*run_command(compiled, tmp_path / "out", "--repeat", RUNS), prefix=sil_build.failing(orders))
    assert report["latency"]["count"] == RUNS


def test_an_order_that_nobody_understands_ends_the_program(trt, compiled, tmp_path):
    """Else a misspelt fault would pass for a survived one."""
    result = trt(*run_command(compiled, tmp_path / "out"), prefix=sil_build.failing("explode:cudaMalloc:1"))
    assert result.returncode != programs.DONE and "explode" in result.stderr


@pytest.mark.parametrize("component", [(), ("--component", "airborne"), ("--component", "ground")], ids=" ".join)
def test_such_a_build_cannot_be_installed(sil, tmp_path, component):
    cache = (programs.BUILD / "CMakeCache.txt").read_text("utf-8")
    cmake = re.search(r"^CMAKE_COMMAND:INTERNAL=(.*)$", cache, re.MULTILINE).group(1)
    result = subprocess.run([cmake, "--install", programs.BUILD, "--prefix", tmp_path / "prefix", *component],
                            capture_output=True, text=True, check=False)
    assert result.returncode != 0 and "software-in-the-loop" in result.stderr
    assert not (tmp_path / "prefix").exists()
