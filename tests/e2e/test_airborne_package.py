"""The airborne package: it flies, and holds nothing that could build an engine."""

import json
import shutil
import subprocess

import pytest
from PIL import Image

import airborne_package as package
import programs

COMPILER = programs.BUILD / "lib" / "libskua_compiler_pytorch_fp16.so"
COMPILE_BRIDGE = programs.BUILD / "lib" / "libskua_torch_compile.so"


@pytest.fixture(scope="module", name="pristine")
def installed_once(tmp_path_factory):
    return package.install("airborne", tmp_path_factory.mktemp("package") / "skua")


@pytest.fixture(name="prefix")
def copied_package(pristine, tmp_path):
    """The package, for this test to change."""
    return shutil.copytree(pristine, tmp_path / "skua", symlinks=True)


@pytest.fixture(name="config")
def configuration_without_engines(tmp_path):
    """A configuration that is right but for the sets, of which there are none."""
    for name in ("state", "sets", "frames", "map"):
        (tmp_path / name).mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "frames" / "f0.png")
    Image.new("L", (8, 8)).save(tmp_path / "map" / "t0.png")
    (tmp_path / "map" / "map.json").write_text(json.dumps({
        "schema_version": 1, "tile_width": 8, "tile_height": 8, "tiles": [{"file": "t0.png", "x": 0, "y": 0}]}))
    (tmp_path / "config.yaml").write_text(
        "components:\n  c2_vpr: {}\n  c2_5_rerank: {}\n  c3_matcher: {}\n"
        "  c7_inference:\n    runtime: pytorch_fp16\n    log_sink: none\n"
        f"    flight_sets_dir: {tmp_path}/sets\n    state_dir: {tmp_path}/state\n"
        "flight: {frames: frames, map: map}\n")
    return tmp_path / "config.yaml"


def findings(prefix):
    """The findings of a package that the checker must refuse."""
    status, _, found = package.check(prefix)
    assert status == 1 and found, found
    return "\n".join(found)


def test_the_package_holds_nothing_that_builds(pristine):
    status, lines, found = package.check(pristine)
    assert (status, found) == (0, []), found
    assert len(lines) == len(package.files(pristine)) + 1, "one line a file, and the verdict"
    assert any(line.startswith("good  bin/skua-flight: needs") for line in lines), lines


def test_the_package_is_what_flies_and_the_rest_is_ground(pristine, tmp_path):
    airborne = package.files(pristine)
    ground = package.files(package.install("ground", tmp_path / "ground"))
    assert {"bin/skua-flight", "lib/libskua.so.0", package.TORCH_RUNTIME, "lib/libskua_torch_run.so",
            "lib/systemd/system/skua-flight.service", "share/skua/airborne.yaml"} <= airborne
    assert {"bin/skua", "bin/skua-build", "lib/libskua.so", "lib/libskua_compiler_pytorch_fp16.so",
            "lib/libskua_bench_pytorch_fp16.so", "lib/libskua_torch_compile.so", "include/skua/result.h"} <= ground
    assert not airborne & ground
    assert not [name for name in airborne if "onnx_trt_ep" in name], "ONNX Runtime is for research"


@pytest.mark.parametrize("name", ["lib/libskua_compiler_pytorch_fp16.so", "lib/libskua_runtime_x.so",
                                  "lib/libskua_runtime_tensorrt.so", package.TORCH_RUNTIME, "bin/skua-flight"])
def test_control_a_compiler_module_is_found_under_any_name(prefix, name):
    shutil.copy(COMPILER, prefix / name)
    told = findings(prefix)
    assert f"{name}: text skua_compiler_module" in told and f"{name}: exports ['skua_compiler_module']" in told, told


def test_control_a_stripped_compiler_module_is_found(prefix):
    name = "lib/libskua_runtime_tensorrt.so"
    subprocess.run(["strip", "-o", prefix / name, COMPILER], check=True)
    told = findings(prefix)
    assert f"{name}: exports ['skua_compiler_module']" in told and f"{name}: symbol skua::compile::" not in told, told


def test_control_libtorchs_compile_half_is_found(prefix):
    shutil.copy(COMPILE_BRIDGE, prefix / "lib" / "libskua_torch_run.so")
    told = findings(prefix)
    assert "lib/libskua_torch_run.so: exports ['skua_torch_compile_bridge']" in told, told


def test_control_a_parser_is_found_by_its_library_and_its_symbol(prefix, tmp_path):
    """A library that calls TensorRT's ONNX parser, and seeks it where no package lies."""
    parser, caller = tmp_path / "libnvonnxparser.so.10", tmp_path / "caller.c"
    source = tmp_path / "parser.c"
    source.write_text("void createNvOnnxParser_INTERNAL(void) {}\n")
    caller.write_text("void createNvOnnxParser_INTERNAL(void);\nvoid skua_torch_run_bridge(void) "
                      "{ createNvOnnxParser_INTERNAL(); }\n")
    name = "lib/libskua_torch_run.so"
    for command in (["-o", parser, "-Wl,-soname,libnvonnxparser.so.10", source],
                    ["-o", prefix / name, caller, parser, f"-Wl,-rpath,{tmp_path}"]):
        subprocess.run(["cc", "-shared", "-fPIC", *command], check=True)
    told = findings(prefix)
    for finding in ("needs libnvonnxparser.so.10", "symbol createNvOnnxParser_INTERNAL",
                    f"seeks libraries in '{tmp_path}'"):
        assert f"{name}: {finding}" in told, told


@pytest.mark.parametrize("name", ["bin/skua", "bin/skua-build", "bin/other", "lib/libnvonnxparser.so.10"])
def test_control_a_file_that_does_not_fly_is_found(prefix, name):
    (prefix / name).write_text("anything")
    assert f"{name}: no file of an airborne package" in findings(prefix)


def test_control_a_link_out_of_the_package_is_found(prefix):
    library = prefix / package.TORCH_RUNTIME
    library.unlink()
    library.symlink_to(COMPILER)
    assert f"{package.TORCH_RUNTIME}: a link out of the package" in findings(prefix)


def test_control_an_empty_folder_proves_nothing(tmp_path):
    assert "nothing is proven" in findings(tmp_path)


def test_the_installed_program_runs(pristine, home):
    result = package.run(pristine, home, "--version")
    assert result.returncode == programs.DONE, result.stderr
    assert result.stdout.startswith("0."), result.stdout


def test_without_its_runtime_it_refuses_to_start(prefix, home, config):
    (prefix / package.TORCH_RUNTIME).unlink()
    result = package.run(prefix, home, "--config", config)
    assert result.returncode == programs.NO_RUNTIME, result.stderr
    assert result.stderr.startswith("airborne_bootstrap: "), result.stderr
    for words in ("[module_missing]", "libskua_runtime_pytorch_fp16.so", "c7_inference"):
        assert words in result.stderr, result.stderr


def test_control_with_its_runtime_it_comes_to_the_sets(prefix, home, config):
    result = package.run(prefix, home, "--config", config)
    assert result.returncode not in (programs.DONE, programs.NO_RUNTIME), result.stderr
    assert "CURRENT" in result.stderr, result.stderr


def test_onnxruntime_never_flies(prefix, home, config):
    config.write_text(config.read_text().replace("pytorch_fp16", "onnx_trt_ep"))
    result = package.run(prefix, home, "--config", config)
    assert result.returncode == programs.NO_RUNTIME, result.stderr
    assert result.stderr.startswith("airborne_bootstrap: "), result.stderr
