"""CMakePresets.json: what is shipped is never over the software-in-the-loop SDK, and every lane of CI that is has it.

A lane that lost it would lose the tests of runtime tensorrt, and stay green.
"""

import json
import pathlib

import pytest

FILE = pathlib.Path(__file__).resolve().parents[2] / "CMakePresets.json"
PRESETS = json.loads(FILE.read_text("ascii"))["configurePresets"]


def variables(name):
    preset = next(preset for preset in PRESETS if preset["name"] == name)
    inherited = variables(preset["inherits"]) if "inherits" in preset else {}
    return inherited | preset.get("cacheVariables", {})


@pytest.mark.parametrize("name", ["sil", "gcc11", "asan-ubsan", "tsan"])
def test_a_lane_runs_tensorrt_over_the_stand_in(name):
    found = variables(name)
    assert (found.get("BUILD_TENSORRT_RUNTIME"), found.get("SKUA_TENSORRT_SIL")) == ("ON", "ON")


@pytest.mark.parametrize("name", ["dev", "release", "bench"])
def test_nothing_else_has_it(name):
    assert "SKUA_TENSORRT_SIL" not in variables(name)
