"""CMakePresets.json: what is shipped is never over the software-in-the-loop SDK, and every lane of CI that is has it.

A lane that lost it would lose the tests of runtime tensorrt, and stay green. So would one that leaves unit tests to
another preset, which does not have them.
"""

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "CMakePresets.json").read_text("ascii"))
PRESETS = FILE["configurePresets"]
STARTS_A_THREAD = re.compile(r"std::(j?thread\b(?!::)|async)|for_each_index")


def variables(name):
    preset = next(preset for preset in PRESETS if preset["name"] == name)
    inherited = variables(preset["inherits"]) if "inherits" in preset else {}
    return inherited | preset.get("cacheVariables", {})


@pytest.mark.parametrize("name", ["sil", "asan-ubsan", "tsan"])
def test_a_lane_runs_tensorrt_over_the_stand_in(name):
    found = variables(name)
    assert (found.get("BUILD_TENSORRT_RUNTIME"), found.get("SKUA_TENSORRT_SIL")) == ("ON", "ON")


@pytest.mark.parametrize("name", ["dev", "release", "package", "bench"])
def test_nothing_else_has_it(name):
    assert "SKUA_TENSORRT_SIL" not in variables(name)


@pytest.mark.parametrize("name", ["dev", "sil", "bench"])
def test_what_was_switched_off_once_is_on_again(name):
    """A build folder remembers options. Left to its memory, one `-D...=OFF` would take the tests, or the figures, of a runtime away
    from every later run, and all would stay green."""
    found = variables(name)
    assert found.get("BUILD_PYTORCH_FP16_RUNTIME") == found.get("BUILD_ONNX_TRT_EP_RUNTIME") == "ON"
    assert name == "sil" or found.get("SKUA_BUILD_PYTHON") == found.get("SKUA_BUILD_BENCHMARKS") == "ON"


def left_to_others(name):
    return variables(name).get("SKUA_UNIT_TESTS_ELSEWHERE", "").split(";")


def test_ci_builds_its_tests_by_the_oldest_compiler():
    steps = [line for line in (ROOT / ".ci/run").read_text("ascii").splitlines() if re.search("step make (test|sil)", line)]
    assert len(steps) == 2 and all(line.startswith("CXX=g++-11 ") for line in steps)
    assert "CMAKE_CXX_COMPILER" not in variables("dev") | variables("sil")  # it would win over CXX


def starts_threads(folder):
    sources = [*folder.glob("*.cpp"), *folder.glob("*.h")]
    assert sources, folder
    return any(STARTS_A_THREAD.search(source.read_text("utf-8")) for source in sources)


def test_the_thread_sanitizer_leaves_out_only_what_has_no_threads():
    assert starts_threads(ROOT / "src" / "telemetry")  # the control
    for folder in set(left_to_others("tsan")) - {"counts"}:  # which is the tests' own
        assert not starts_threads(ROOT / "src" / folder), folder


@pytest.mark.parametrize("name", ["dev", "sil", "asan-ubsan"])
def test_nobody_else_leaves_anything_out(name):
    assert left_to_others(name) == [""]
