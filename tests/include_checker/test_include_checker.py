"""scripts/check_includes.py against small trees: fixtures/<rule>.<case>/ breaks exactly that rule, good/ none."""

import pathlib
import subprocess
import sys

import check_includes
import pytest

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = sorted(path for path in (HERE / "fixtures").iterdir() if path.is_dir())
BROKEN = [path for path in FIXTURES if path.name != "good"]
RULES = {"direction", "sdk-header", "third-party", "public-internal", "build-flag"}


@pytest.mark.parametrize("tree", BROKEN, ids=lambda path: path.name)
def test_rule_rejects_its_fixture(tree):
    found = {rule for _, _, rule, _ in check_includes.check_tree(tree)}
    assert found == {tree.name.split(".")[0]}


def test_every_rule_has_a_fixture():
    assert {path.name.split(".")[0] for path in BROKEN} == RULES


def test_good_tree_passes():
    assert check_includes.check_tree(HERE / "fixtures" / "good") == []


def run(tree):
    script = HERE.parents[1] / "scripts" / "check_includes.py"
    return subprocess.run([sys.executable, script, tree], capture_output=True, text=True, check=False)


def test_program_reports_place_and_rule():
    done = run(HERE / "fixtures" / "direction.siblings")
    assert done.returncode == 1
    assert done.stdout.startswith("src/cache/store.cpp:1: [direction] cache may not include telemetry/poller.h")


def test_program_is_silent_on_a_good_tree_and_refuses_an_empty_one(tmp_path):
    done = run(HERE / "fixtures" / "good")
    assert (done.returncode, done.stdout) == (0, "")
    assert run(tmp_path).returncode != 0


def test_inference_may_include_its_siblings_below_but_not_itself_from_below():
    assert check_includes.check_source_include("inference/base.cpp", '"', "cache/store.h") is None
    assert check_includes.check_source_include("cache/store.cpp", '"', "inference/base.h")[0] == "direction"


def test_runtimes_alone_stand_on_what_compile_halves_share():
    above = {
        layer for layer in check_includes.BELOW
        if check_includes.check_source_include(f"{layer}/x/y.cpp", '"', "compile/steps.h") is None
    }
    assert above == {"compile", "runtimes"}


def test_reading_onnx_stands_on_core_alone():
    assert check_includes.check_source_include("onnx/x.cpp", '"', "core/text.h") is None
    assert check_includes.check_source_include("onnx/x.cpp", '"', "inference/strategy.h")[0] == "direction"
    assert check_includes.check_source_include("compile/x.cpp", '"', "onnx/onnx_model.h") is None
    assert check_includes.check_source_include("inference/x.cpp", '"', "onnx/onnx_model.h")[0] == "direction"
