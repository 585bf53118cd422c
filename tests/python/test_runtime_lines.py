"""The lines skua_runtime of CMakeLists.txt: an extension or a label that another runtime has is refused when Skua is configured,
and the table that code reads is what the lines say."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES = "".join(re.findall(r"^skua_runtime\(.*\)\n", (ROOT / "CMakeLists.txt").read_text("ascii"), re.MULTILINE))
TOY = "skua_runtime({option} OFF FOLDER toy LABEL {label} MODEL {model} ENGINE {engine})\n"


def toy(label="toy", engine="toy", option="BUILD_TOY_RUNTIME", model="affine"):
    return TOY.format(option=option, label=label, model=model, engine=engine)


def configure(tmp_path, lines):
    script = tmp_path / "runtimes.cmake"
    off = re.sub(r"_RUNTIME ON ", "_RUNTIME OFF ", lines)
    script.write_text(f"include({ROOT}/cmake/SkuaRuntimes.cmake)\nset(SKUA_GENERATED_DIR {tmp_path})\n{off}skua_finish_runtimes()\n")
    return subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=False)


def test_the_table_has_a_row_for_each_line(tmp_path):
    assert LINES.count("skua_runtime(") == 3
    done = configure(tmp_path, LINES + toy())
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
    done = configure(tmp_path, LINES + toy(label, engine))
    assert done.returncode != 0 and what in " ".join(done.stderr.split()), done.stderr


@pytest.mark.parametrize("model", ["name", "golden", "precision", "accuracy"])
def test_a_model_key_that_a_network_has_already_is_refused(tmp_path, model):
    done = configure(tmp_path, LINES + toy(model=model))
    assert done.returncode != 0 and f"MODEL '{model}' is another key of a network" in " ".join(done.stderr.split()), done.stderr


def test_the_keys_of_a_network_are_those_that_the_code_reads():
    (listed,) = re.findall(r"set\(SKUA_NETWORK_KEYS\s([^)]*)\)", (ROOT / "cmake/SkuaRuntimes.cmake").read_text("ascii"))
    source = (ROOT / "src/bootstrap/set_yaml_network.cpp").read_text("ascii")
    read = re.findall(r"\bfields\.\w+\(\"(\w+)\"", source)  # what is read of `entry` stands a level below
    assert set(listed.split()) == set(read) and len(set(read)) > 10


@pytest.mark.parametrize("option", ["TOY", "BUILD_TOY", "BUILD_toy_RUNTIME", "WITH_TOY_RUNTIME", "BUILD_TOY_RUNTIME2"])
def test_an_option_of_another_form_is_refused(tmp_path, option):
    done = configure(tmp_path, LINES + toy(option=option))
    assert done.returncode != 0 and f"{option}: the option must be BUILD_" in " ".join(done.stderr.split()), done.stderr


def test_a_line_that_is_not_understood_is_refused(tmp_path):
    done = configure(tmp_path, LINES + "skua_runtime(BUILD_TOY_RUNTIME OFF FOLDER toy LABEL toy ENGINE toy)\n")
    assert done.returncode != 0 and "not understood" in done.stderr
