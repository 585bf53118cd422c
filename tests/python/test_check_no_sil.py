"""scripts/check_no_sil.py on small trees: one finding each, and none in a tree that is as it should be."""

import pathlib
import shutil
import subprocess
import sys

import pytest

CHECKER = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check_no_sil.py"
pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("cc", "ar", "nm", "readelf"))),
                                reason="needs a C compiler and binutils")


def check(tree):
    run = subprocess.run([sys.executable, CHECKER, tree], capture_output=True, text=True, check=False)
    return run.returncode, run.stderr


def build(tree, name, source):
    """A shared library, or a static one by its name."""
    (tree / "source.c").write_text(source)
    if name.endswith(".a"):
        subprocess.run(["cc", "-c", tree / "source.c", "-o", tree / "member.o"], check=True)
        subprocess.run(["ar", "rcs", tree / name, tree / "member.o"], check=True)
        (tree / "member.o").unlink()
    else:
        subprocess.run(["cc", "-shared", "-fPIC", tree / "source.c", "-o", tree / name], check=True)
    (tree / "source.c").unlink()


@pytest.fixture
def tree(tmp_path):
    build(tmp_path, "libgood.so", "int cudaMalloc(void); int good(void) { return cudaMalloc(); }")
    return tmp_path


def test_a_tree_that_calls_cuda_is_good(tree):
    assert check(tree) == (0, "")


@pytest.mark.parametrize("name", ["cudaMalloc", "createInferBuilder_INTERNAL", "createInferRuntime_INTERNAL",
                                  "createNvOnnxParser_INTERNAL"])
@pytest.mark.parametrize("visibility", ["", "static __attribute__((used))"])
def test_who_defines_an_entry_point_is_found(tree, name, visibility):
    build(tree, "libstand_in.so", f"{visibility} int {name}(void) {{ return 0; }}")
    status, text = check(tree)
    assert status == 1 and f"libstand_in.so: defines {name}" in text


def test_a_header_is_found(tree):
    (tree / "NvInferRuntime.h").write_text("")
    status, text = check(tree)
    assert status == 1 and "NvInferRuntime.h: a header of TensorRT" in text


@pytest.mark.parametrize("source, finding", [
    ("int cudaMalloc(void) { return 0; }", "member defines cudaMalloc"),
    ("int _ZN3sil5resetEv(void) { return 0; }", "member symbol sil::reset()"),
    ('const char* name(void) { return "libskua_sil_cudart.so"; }', "member text libskua_sil_cudart.so")])
def test_what_is_in_a_static_library_is_found(tree, source, finding):
    build(tree, "libparts.a", source)
    status, text = check(tree)
    assert status == 1 and f"libparts.a: {finding}" in text


def test_a_static_library_of_others_is_good(tree):
    build(tree, "libparts.a", "int good(void) { return 0; }")
    assert check(tree) == (0, "")
