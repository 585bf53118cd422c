"""The lines skua_runtime of CMakeLists.txt: an extension or a label that another runtime has is refused when Skua is configured,
and the table that code reads is what the lines say."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES = "".join(re.findall(r"^skua_runtime\(.*\)\n", (ROOT / "CMakeLists.txt").read_text("ascii"), re.MULTILINE))
TOY = "skua_runtime(BUILD_TOY_RUNTIME OFF FOLDER toy LABEL {label} MODEL affine ENGINE {engine})\n"


def configure(tmp_path, lines):
    script = tmp_path / "runtimes.cmake"
    off = re.sub(r"_RUNTIME ON ", "_RUNTIME OFF ", lines)
    script.write_text(f"include({ROOT}/cmake/SkuaRuntimes.cmake)\nset(SKUA_GENERATED_DIR {tmp_path})\n{off}skua_finish_runtimes()\n")
    return subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=False)


def test_the_table_has_a_row_for_each_line(tmp_path):
    assert LINES.count("skua_runtime(") == 3
    done = configure(tmp_path, LINES + TOY.format(label="toy", engine="toy"))
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "skua_runtimes.h").read_text("ascii")
    assert '"tensorrt, pytorch_fp16, onnx_trt_ep or toy"' in table and '"engine, onnx, pt or toy"' in table
    assert 'KnownRuntime{"pytorch_fp16", "pt", "pt", "device,arithmetic"}' in table
    assert 'KnownRuntime{"toy", "affine", "toy", ""}' in table
    assert "#define BUILD_TOY_RUNTIME 0" in (tmp_path / "skua_build_flags.h").read_text("ascii")


@pytest.mark.parametrize(("label", "engine", "what"), [
    ("toy", "onnx", "the extension 'onnx' is that of other files"), ("toy", "json", "the extension 'json' is that of other files"),
    ("toy", "sha256", "the extension 'sha256' is that of other files"), ("toy", "toy.gz", "must be a-z and 0-9"),
    ("tensorrt", "toy", "the label 'tensorrt' must be"), ("To-y", "toy", "the label 'To-y' must be")])
def test_names_that_are_taken_or_no_names_are_refused(tmp_path, label, engine, what):
    done = configure(tmp_path, LINES + TOY.format(label=label, engine=engine))
    assert done.returncode != 0 and what in " ".join(done.stderr.split()), done.stderr


def test_a_line_that_is_not_understood_is_refused(tmp_path):
    done = configure(tmp_path, LINES + "skua_runtime(BUILD_TOY_RUNTIME OFF FOLDER toy LABEL toy ENGINE toy)\n")
    assert done.returncode != 0 and "not understood" in done.stderr
