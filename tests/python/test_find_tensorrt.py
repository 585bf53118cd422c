"""Where cmake/FindSkuaTensorRT.cmake looks, and what it says when something is absent. The trees here hold empty
files under the SDK's names: only the search is tested, nothing is compiled or linked."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROJECT = """cmake_minimum_required(VERSION 3.22)
project(search CXX)
set(BUILD_ONNX_TRT_EP_RUNTIME ON)
include(%s/cmake/FindSkuaTensorRT.cmake)
get_target_property(libraries skua_tensorrt_sdk INTERFACE_LINK_LIBRARIES)
message(STATUS "libraries: ${libraries}")
message(STATUS "run path: ${SkuaTensorRT_RUN_PATH}")
"""

VERSION_HEADER = """#define NV_TENSORRT_MAJOR {} //!< major
#define NV_TENSORRT_MINOR {} //!< minor
#define NV_TENSORRT_PATCH 0
"""


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def tensorrt_tree(root, version=(10, 3)):
    put(root / "include/NvInfer.h")
    put(root / "include/NvOnnxParser.h")
    put(root / "include/NvInferVersion.h", VERSION_HEADER.format(*version))
    put(root / "lib/libnvinfer.so")
    put(root / "lib/libnvonnxparser.so")
    return root


@pytest.fixture
def cuda(tmp_path):
    put(tmp_path / "cuda/include/cuda_runtime_api.h")
    put(tmp_path / "cuda/lib64/libcudart.so")
    return tmp_path / "cuda"


@pytest.fixture
def configure(tmp_path, cuda):
    """configure(root, option...): (whether it succeeded, what cmake printed), in one build folder."""
    put(tmp_path / "project/CMakeLists.txt", PROJECT % ROOT)

    def run(root, *options):
        command = ["cmake", "-S", tmp_path / "project", "-B", tmp_path / "build", f"-DTENSORRT_ROOT={root}"]
        done = subprocess.run([*command, f"-DCUDA_ROOT={cuda}", *options], capture_output=True, text=True, timeout=120)
        return done.returncode == 0, " ".join((done.stdout + done.stderr).split())

    return run


def test_a_whole_tree_is_found(configure, tmp_path, cuda):
    root = tensorrt_tree(tmp_path / "sdk")
    found, said = configure(root)
    assert found, said
    assert "TensorRT: 10.3.0" in said
    assert f"run path: {root}/lib;{cuda}/lib64" in said


def test_another_root_gives_the_libraries_of_that_root(configure, tmp_path):
    old, new = tensorrt_tree(tmp_path / "old"), tensorrt_tree(tmp_path / "new", (10, 16))
    assert f"libraries: {old}/lib/libnvinfer.so" in configure(old)[1]
    found, said = configure(new)
    assert found, said
    assert "TensorRT: 10.16.0" in said
    assert f"libraries: {new}/lib/libnvinfer.so" in said
    assert str(old) not in said


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        ("sdk/include/NvInfer.h", "NvInfer.h and NvOnnxParser.h not found"),
        ("sdk/include/NvOnnxParser.h", "NvInfer.h and NvOnnxParser.h not found"),
        ("sdk/lib/libnvinfer.so", "libnvinfer.so and libnvonnxparser.so not found"),
        ("sdk/lib/libnvonnxparser.so", "libnvinfer.so and libnvonnxparser.so not found"),
        ("cuda/include/cuda_runtime_api.h", "cuda_runtime_api.h and libcudart.so not found"),
        ("cuda/lib64/libcudart.so", "cuda_runtime_api.h and libcudart.so not found"),
    ],
)
def test_what_is_absent_is_named_with_a_remedy(configure, tmp_path, absent, named):
    root = tensorrt_tree(tmp_path / "sdk")
    (tmp_path / absent).unlink()
    found, said = configure(root)
    assert not found
    assert named in said
    assert ("set CUDA_ROOT" if absent.startswith("cuda") else f"TENSORRT_ROOT={root} must hold") in said


def test_an_older_release_is_refused(configure, tmp_path):
    found, said = configure(tensorrt_tree(tmp_path / "sdk", (10, 2)))
    assert not found
    assert "'10.2.0', expected 10.3 or newer" in said


def test_without_a_root_the_packages_are_named(configure):
    if pathlib.Path("/usr/include/NvInfer.h").exists() or shutil.which("trtexec"):
        pytest.skip("TensorRT is installed here")
    found, said = configure("")
    assert not found
    assert "install TensorRT's development packages (libnvinfer-dev, libnvonnxparsers-dev)" in said


def test_the_software_in_the_loop_sdk_is_for_test_builds(configure):
    found, said = configure("", "-DSKUA_TENSORRT_SIL=ON")
    assert not found
    assert "the software-in-the-loop SDK is for tests" in said
