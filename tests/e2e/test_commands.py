"""What the programs print: doctor, verify, inspect, usage errors, and the table of exit statuses."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import programs
import tiny_models
import trees
from places import CPU
from damage import beside, engine, golden
from programs import BUILD_FAILED, DONE, NO_RUNTIME, USAGE


def test_doctor(skua):
    report = skua.ok("doctor", "--json")
    assert {"sm", "jetpack", "tensorrt", "cpu_arch", "cpu_features", "l4t"} <= set(report["host"])
    runtimes = {entry["label"]: entry for entry in report["runtimes"]}
    assert set(runtimes) == {"tensorrt", "pytorch_fp16", "onnx_trt_ep"}
    ready = runtimes["onnx_trt_ep"]
    assert ready["is_built"] and ready["is_loadable"] and "CPUExecutionProvider" in ready["sdk"]["providers"]
    assert ready["sdk"]["version"].startswith("1.") and ready["sdk"]["library"].startswith("/")
    for label in ("tensorrt", "pytorch_fp16"):
        if not runtimes[label]["is_built"]:
            assert runtimes[label]["reason"] and runtimes[label]["build_flag"].startswith("BUILD_")
    fields = {entry["field"]: entry for entry in report["configuration"]}
    assert fields["gpu_memory_budget_bytes"]["value"] == "4294967296"
    assert {entry["source"] for entry in report["configuration"]} == {"default"}


def test_doctor_shows_which_sdk_is_expected_and_where(skua, place):
    """Whether it is there or not; the configuration's path wins over the build's."""
    report = skua.ok("doctor", "--json")
    for entry in report["runtimes"]:
        assert ("expects" in entry) == entry["is_built"]
        if entry["is_loadable"] and entry["label"] != "tensorrt":  # which is linked
            expects, sdk = entry["expects"], entry["sdk"]
            assert expects["library"] == sdk["library"] and expects["is_shipped"] is False
            assert sdk["version"].startswith(expects["version"].removesuffix(".x"))
    config = place.folder / "config.yaml"
    config.write_text("components:\n  c7_inference:\n    onnxruntime_library: /nowhere/libonnxruntime.so\n")
    entry = next(entry for entry in skua.ok("doctor", "--config", config, "--json")["runtimes"]
                 if entry["label"] == "onnx_trt_ep")
    assert not entry["is_loadable"] and entry["expects"]["library"] == "/nowhere/libonnxruntime.so"
    told = skua.ok("doctor", "--config", config).stdout
    assert f"expects ONNX Runtime {entry['expects']['version']} at /nowhere/libonnxruntime.so, not shipped" in told


def test_doctor_shows_where_a_value_comes_from(skua, place):
    config = place.folder / "config.yaml"
    config.write_text("components:\n  c7_inference:\n    runtime: onnx_trt_ep\n    execution_provider: cpu\n"
                      "  c4_pose:\n    anything: 1\n")
    fields = {entry["field"]: entry for entry in skua.ok("doctor", "--config", config, "--json")["configuration"]}
    assert (fields["runtime"]["value"], fields["runtime"]["source"]) == ("onnx_trt_ep", f"{config}:3")
    assert fields["intra_op_threads"]["source"] == "default"
    environment = ("env", "SKUA_C7_INTRA_OP_THREADS=3", "SKUA_C7_RUNTIME=pytorch_fp16", "SKUA_C7_LANES=c2_vpr:ultravpr")
    fields = {entry["field"]: entry for entry in skua.ok("doctor", "--config", config, "--json",
                                                         prefix=environment)["configuration"]}
    assert (fields["intra_op_threads"]["value"], fields["intra_op_threads"]["source"]) == ("3", "SKUA_C7_INTRA_OP_THREADS")
    assert (fields["runtime"]["value"], fields["runtime"]["source"]) == ("pytorch_fp16", "SKUA_C7_RUNTIME")
    assert (fields["lanes"]["value"], fields["lanes"]["source"]) == ("c2_vpr:ultravpr", "SKUA_C7_LANES")
    assert fields["execution_provider"]["source"] == f"{config}:4"
    config.write_text("components:\n  c7_inference:\n    ort_disallow_cpu_fallback: false\n")
    result = skua("doctor", "--config", config, "--json")
    programs.error_of(result, USAGE, "invalid_argument", "execution_provider: cpu", "config.yaml:3")


@pytest.mark.parametrize("command", ["doctor", "thermal"])
def test_a_variable_that_is_unknown_or_wrong_is_named(skua, command):
    wrong = skua(command, "--json", prefix=("env", "SKUA_C7_RUNTIMES=tensorrt"))
    programs.error_of(wrong, USAGE, "invalid_argument", "'SKUA_C7_RUNTIMES' is unknown", "SKUA_C7_RUNTIME,")
    wrong = skua(command, "--json", prefix=("env", "SKUA_C7_THERMAL_NICE=20"))
    programs.error_of(wrong, USAGE, "invalid_argument", "environment variable SKUA_C7_THERMAL_NICE", "from 0 to 19")
    fine = skua(command, "--json", prefix=("env", "SKUA_C8_RUNTIME=x", "SKUA_C7_THERMAL_NICE=19"))
    assert "SKUA_C7" not in fine.stderr


def test_verify_names_every_file(skua, flight):
    report = skua.ok("verify", flight.sets, *programs.UNSIGNED, "--json")
    assert report["set_id"] == flight.current().name and report["is_signed"] is False
    there = {str(path.relative_to(flight.current())) for path in flight.current().rglob("*") if path.is_file()}
    assert {entry["file"] for entry in report["files"]} == there - {"flight-manifest.json"}
    assert sum(entry["kind"] == "engine" for entry in report["files"]) == 3
    assert report["bytes_hashed"] == sum(entry["size_bytes"] for entry in report["files"]) > 0
    assert report["elapsed_ns"] > 0


# ---- inspect ---------------------------------------------------------------------------------------------------------

INSPECTED = {
    "engine": lambda place: engine(place.cache),
    "sidecar": lambda place: beside(".sha256")(place.cache),
    "build record": lambda place: beside(".json")(place.cache),
    "golden vectors": lambda place: golden(place.current()),
    "flight set manifest": lambda place: place.current() / "flight-manifest.json",
    "engine cache": lambda place: place.cache,
    "ONNX model": lambda place: place.models / "several.onnx",
}


@pytest.mark.parametrize("kind", INSPECTED)
def test_inspect(skua, flight, kind):
    path = INSPECTED[kind](flight)
    before = trees.tree(flight.folder)
    report = skua.ok("inspect", path, "--json")
    assert (report["kind"], report["path"]) == (kind, str(path)) and report["content"]
    text = skua.ok("inspect", path).stdout
    assert text.startswith(kind) and len(text.splitlines()) > 1
    assert trees.tree(flight.folder) == before


def test_inspect_folders_and_foreign_files(skua, flight):
    for folder in (flight.sets, flight.current()):
        assert skua.ok("inspect", folder, "--json")["content"]["set_id"] == flight.current().name
    (flight.folder / "notes.txt").write_text("x")
    programs.error_of(skua("inspect", flight.folder / "notes.txt", "--json"), USAGE, None, "notes.txt")
    programs.error_of(skua("inspect", flight.folder / "nowhere", "--json"), USAGE, "not_found", "nowhere")
    programs.error_of(skua("inspect", flight.models, "--json"), USAGE, None, flight.models)


def test_inspect_tells_a_broken_engine(skua, flight):
    path = engine(flight.cache)
    assert skua.ok("inspect", path, "--json")["content"]["sidecar"] == {"payload_matches": True}
    path.write_bytes(path.read_bytes() + b"x")
    assert skua.ok("inspect", path, "--json")["content"]["sidecar"] == {"payload_matches": False}


# ---- usage -----------------------------------------------------------------------------------------------------------

def test_ambiguous_name_lists_the_candidates(skua, flight, inputs):
    half = tiny_models.half(flight.models / "half.onnx")
    compile_half = ("compile", half, "--out", flight.cache, *CPU, "--name", "add_relu", "--json")
    skua.ok(*compile_half, "--precision", "fp16")
    files = sorted(path.name for path in flight.cache.glob("add_relu__*.onnx"))
    assert len(files) == 2
    result = skua("run", flight.cache, "add_relu", *inputs, "--json")
    programs.error_of(result, USAGE, "invalid_argument", "ambiguous", *files)
    assert skua("run", flight.cache, "add_relu", *inputs, "--precision", "fp32").returncode == DONE
    result = skua("run", flight.cache, "nobody", *inputs, "--json")
    programs.error_of(result, USAGE, None, "nobody", "several")
    result = skua("run", flight.sets, "nobody", *inputs, *programs.UNSIGNED, "--json")
    programs.error_of(result, USAGE, "unknown_name", "nobody", "several")


def test_unproven_is_refused_where_engines_are_proven(skua, flight):
    before = trees.tree(flight.cache)
    result = skua("compile", flight.models / "add_relu.onnx", "--out", flight.cache, "--precision", "fp32", *CPU,
                  "--unproven", "--json")
    programs.error_of(result, USAGE, "unproven_not_supported", "--unproven")
    assert trees.tree(flight.cache) == before


def statuses(place, inputs):
    """Commands and the status that design section 8 gives them. 4, 8 and 10 belong to later releases."""
    model = place.models / "add_relu.onnx"
    compile_it = ("compile", model, "--out", place.folder / "fresh")
    return [
        (DONE, "none", ("doctor",)),
        (DONE, "none", (*compile_it, "--precision", "fp32", *CPU)),
        (USAGE, "invalid_argument", ("frobnicate",)),
        (USAGE, "invalid_argument", ("compile",)),
        (USAGE, "invalid_argument", (*compile_it, *CPU)),
        (USAGE, "invalid_argument", (*compile_it, "--precision", "fp64", *CPU)),
        (USAGE, "invalid_argument", (*compile_it, "--precision", "int8", *CPU)),
        (USAGE, "invalid_argument", (*compile_it, "--precision", "fp32", "--workspace-mb", "0", *CPU)),
        (USAGE, "invalid_argument", (*compile_it, "--precision", "fp32", *CPU, "--set", "colour=blue")),
        (USAGE, "invalid_argument", (*compile_it, "--precision", "fp32", *CPU, "--set", "novalue")),
        (USAGE, "invalid_argument", (*compile_it, "--precision", "fp32", *CPU, "--profile", "x:1")),
        (USAGE, "not_found", (*place.provision_arguments(place.yaml), "--sign", place.folder / "none.key")),
        (USAGE, "not_found", ("verify", place.sets, "--trust", place.folder / "none.pub")),
        (BUILD_FAILED, "precision_not_supported", (*compile_it, "--precision", "fp16", *CPU)),
        (BUILD_FAILED, "precision_not_supported", (*compile_it, "--precision", "fp16", *CPU)),
        (USAGE, "profile_mismatch", (*compile_it, "--precision", "fp32", "--profile", "z:1:1:1", *CPU)),
        (BUILD_FAILED, "model_missing", ("compile", "nowhere.onnx", "--out", place.folder / "fresh", "--precision",
                                         "fp32", *CPU)),
        (programs.REFUSED, "unsigned_set", ("verify", place.sets)),
        (programs.OUT_OF_MEMORY, "memory_budget_exceeded",
         ("run", place.cache, "add_relu", *inputs, "--set", "gpu_memory_budget_bytes=1")),
        (NO_RUNTIME, "runtime_not_built", ("compile", model, "--out", place.folder / "fresh", "--runtime", "tensorrt",
                                           "--precision", "fp16")),
        (NO_RUNTIME, "runtime_unknown", ("compile", model, "--out", place.folder / "fresh", "--runtime", "nobody",
                                         "--precision", "fp16")),
        (NO_RUNTIME, "sdk_missing", ("run", place.cache, "add_relu", *inputs, "--set",
                                     "onnxruntime_library=/nowhere/libonnxruntime.so")),
    ]


def test_table_of_exit_statuses(skua, flight, inputs):
    for status, reason, command in statuses(flight, inputs):
        result = skua(*command, "--json")
        if status == DONE:
            assert result.returncode == DONE and "error" not in programs.document(result), (command, result.stderr)
        else:
            programs.error_of(result, status, reason)


def test_a_provider_that_is_not_here_is_an_error_not_a_fallback(skua, flight):
    for provider in ("cuda", "tensorrt"):
        result = skua("compile", flight.models / "add_relu.onnx", "--out", flight.folder / "fresh", "--runtime",
                      "onnx_trt_ep", "--set", f"execution_provider={provider}", "--precision", "fp32", "--json")
        assert result.returncode in (BUILD_FAILED, NO_RUNTIME)
        assert programs.document(result)["error"]["reason"] == "provider_not_available"
        assert not [name for name in trees.tree(flight.folder / "fresh") if not name.startswith(".")]


def test_help_and_version(skua):
    for command in ((), ("compile",), ("provision",), ("verify",), ("inspect",), ("run",), ("doctor",)):
        assert "Usage" in skua.ok(*command, "--help").stdout
    assert skua.ok("--version").stdout.strip()


def test_the_build_executable_is_not_for_hands(skua, flight):
    """Started by hand, without a parent that waits for it, it does nothing."""
    build = programs.SKUA.with_name("skua-build")
    environment = programs.environment(skua.home)
    bare = subprocess.run([build], capture_output=True, text=True, env=environment, check=False)
    assert bare.returncode == USAGE and "usage" in bare.stderr
    before = trees.tree(flight.folder)
    orphan = subprocess.run([build, flight.folder / "in.json", flight.folder / "out.json", "1"], env=environment,
                            capture_output=True, text=True, check=False)
    assert orphan.returncode == programs.DEFECT and trees.tree(flight.folder) == before


def test_results_go_to_stdout_and_messages_to_stderr(skua, flight):
    """In a pipe there is no progress: a good run writes nothing to stderr but the warning about the unsigned set."""
    result = skua.ok("compile", flight.models / "add_relu.onnx", "--out", flight.folder / "fresh", "--precision",
                     "fp32", *CPU)
    assert result.stderr == "" and "add_relu__sm0_jp0_trt0_fp32.onnx" in result.stdout
    refused = skua("compile", flight.folder / "nowhere.onnx", "--out", flight.cache, "--precision", "fp32", *CPU)
    assert refused.stdout == "" and "model_missing" in refused.stderr
    assert "\x1b" not in result.stderr + refused.stderr


def test_control_characters_in_names_do_not_reach_the_terminal(skua, flight):
    path = flight.folder / "bad\x1b[31m\nname.onnx"
    shutil.copy(flight.models / "add_relu.onnx", path)
    result = skua("compile", path, "--out", flight.cache, "--precision", "fp32", *CPU)
    assert result.returncode == USAGE and "\x1b" not in result.stdout + result.stderr
    logged = skua("verify", flight.sets, *programs.UNSIGNED, "--json", "--log")
    assert logged.returncode == DONE
    records = [json.loads(line) for line in logged.stderr.splitlines() if line.startswith("{")]
    assert all(list(record)[:3] == ["ts", "level", "component"] for record in records)


# ---- input files -----------------------------------------------------------------------------------------------------

def npy(header, data=bytes(32), version=b"\x01\x00"):
    text = header.encode("latin-1")
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + data


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8), }\n"
NPY = {
    "empty": (b"", "malformed"),
    "magic_only": (b"\x93NUMPY", "malformed"),
    "text": (b"1 2 3 4 5 6 7 8\n", "malformed"),
    "short": (npy(GOOD, bytes(31)), "malformed"),
    "long": (npy(GOOD, bytes(33)), "malformed"),
    "header_beyond_the_file": (b"\x93NUMPY\x01\x00\xff\xff{", "malformed"),
    "version_3": (npy(GOOD, version=b"\x03\x00"), "malformed"),
    "fortran": (npy(GOOD.replace("False", "True")), "malformed"),
    "big_endian": (npy(GOOD.replace("<f4", ">f4")), "dtype_mismatch"),
    "objects": (npy(GOOD.replace("<f4", "|O")), "dtype_mismatch"),
    "other_type": (npy(GOOD.replace("<f4", "<f8"), bytes(64)), "dtype_mismatch"),
    "negative_dimension": (npy(GOOD.replace("(1, 8)", "(-1, -8)")), "malformed"),
    "huge_dimension": (npy(GOOD.replace("(1, 8)", f"({2**62}, {2**62})")), "malformed"),
    "no_dictionary": (npy("__import__('os').abort()\n"), "malformed"),
    "field_twice": (npy(GOOD.replace("{", "{'descr': '<f8', ")), "malformed"),
    "other_shape": (npy(GOOD.replace("(1, 8)", "(8,)")), "shape_mismatch"),
}


@pytest.mark.parametrize("kind", NPY)
def test_malformed_npy(skua, flight, kind):
    content, reason = NPY[kind]
    path = flight.folder / "x.npy"
    path.write_bytes(content)
    result = skua("run", flight.cache, "add_relu", "--input", f"x={path}", "--output-dir", flight.folder / "out",
                  "--json")
    programs.error_of(result, USAGE, reason, "x")
    assert not list((flight.folder / "out").iterdir())


def test_control_npy_written_by_hand(skua, flight):
    path = flight.folder / "x.npy"
    path.write_bytes(npy(GOOD))
    skua.ok("run", flight.cache, "add_relu", "--input", f"x={path}", "--output-dir", flight.folder / "out")
    assert np.load(flight.folder / "out" / "y.npy").shape == (1, 8)


def test_inputs_missing_unknown_unequal_or_unreadable(skua, flight):
    def refuse(reason, *arguments):
        result = skua("run", flight.cache, "several", "--output-dir", flight.folder / "out", "--json", *arguments)
        return programs.error_of(result, USAGE, reason)
    np.save(flight.folder / "left.npy", np.zeros((2, 8), np.float32))
    left, right = f"left={flight.folder}/left.npy", f"right={flight.folder}/left.npy"
    refuse("missing_input", "--input", left)
    refuse("unknown_name", "--input", left, "--input", right, "--input", f"third={flight.folder}/left.npy")
    refuse("missing_input", "--input", left, "--input", left, "--input", right)
    refuse("not_found", "--input", left, "--input", "right=nowhere.npy")
    refuse(None, "--input", left, "--input", f"right={flight.folder}")
    refuse("invalid_argument", "--input", "left")
    assert not list((flight.folder / "out").glob("*"))
