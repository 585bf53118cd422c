"""BUILD.json and SET.yaml with one thing wrong: status 2, the file and the place named, nothing written."""

import json

import pytest

import programs
import trees
from places import CPU, RUNTIME
from programs import BUILD_FAILED, REFUSED, USAGE

GOOD_BUILD = {"precision": "fp32", "workspace_mb": 64, "optimization_profiles": [], "keep_fp32": [],
              "max_output_shapes": {}, "build_route": "builder", "model_name": "add_relu",
              "tolerances": {"y": {"absolute": 1e-5, "relative": 1e-5, "as_set": False, "max_mismatch_fraction": 0.0}}}
PROFILE = {"input": "x", "min": [1, 8], "opt": [1, 8], "max": [1, 8]}


def compile_with(skua, place, text):
    build = place.folder / "BUILD.json"
    build.write_bytes(text if isinstance(text, bytes) else json.dumps(text).encode())
    return skua("compile", place.models / "add_relu.onnx", "--out", place.cache, "--config", build, *CPU, "--json")


BUILD_FIELDS = {
    "precision": ["fp64", 16, None, ["fp32"], "int8"],
    "workspace_mb": [0, -1, 1.5, "64", 2**40],
    "optimization_profiles": [
        {}, [1], [{**PROFILE, "extra": 1}], [{"input": "x"}], [{**PROFILE, "min": [2, 8]}],
        [{**PROFILE, "max": [1, 8, 1]}], [{**PROFILE, "min": [0, 8]}], [{**PROFILE, "min": [-1, 8]}],
        [{**PROFILE, "input": ""}], [PROFILE, PROFILE], [{**PROFILE, "max": [1] * 9}], [{**PROFILE, "opt": "1x8"}],
        [{**PROFILE, "max": [2**62, 2**62]}]],
    "model_name": ["Bad", "a__b", "", 5, "x" * 65],
    "keep_fp32": ["a", [1], [""], ["a", "a"]],
    "max_output_shapes": [[], {"y": "1x8"}, {"y": [0]}, {"": [1]}, {"y": [2**62, 2**62]}],
    "build_route": ["magic", 1],
    "golden": [{}, {"file": "g"}, {"file": "", "origin": "o"}, {"file": "g", "origin": ""}, "g",
               {"file": 1, "origin": "o"}],
    "tolerances": [[], {"y": {}}, {"y": {**GOOD_BUILD["tolerances"]["y"], "absolute": -1}},
                   {"y": {**GOOD_BUILD["tolerances"]["y"], "max_mismatch_fraction": 2}},
                   {"y": {**GOOD_BUILD["tolerances"]["y"], "as_set": 1}}],
    "calibration_dataset": [5, ""],
    "fp32_source": [5, "", "x"],
    "accuracy_dataset": [5, "", "x"],
    "accuracy": [{"y": 1}, {"relative_l2": 0.5}, {"agreement": 0.95}, []],
    "calibration_algorithm": [5, "kl", "minmax"],
    "calibration_cache": [5, "", "x"],
    "allow_cpu_ranges": [1, True],
    "colour": ["blue"],
}


@pytest.mark.parametrize("field", BUILD_FIELDS)
def test_build_json_field(skua, flight, field):
    before = trees.tree(flight.cache)
    for value in BUILD_FIELDS[field]:
        if value is None:
            continue
        result = compile_with(skua, flight, {**GOOD_BUILD, field: value})
        programs.error_of(result, USAGE, ("malformed", "invalid_argument"))
        message = programs.document(result)["error"]["message"]
        assert field.rstrip("s").replace("_", " ") in message.replace("_", " "), (value, message)
    assert trees.tree(flight.cache) == before


def test_control_the_good_build_json(skua, flight):
    result = compile_with(skua, flight, GOOD_BUILD)
    assert result.returncode == programs.DONE, result.stderr


BUILD_TEXTS = [b"", b"{", b"[]", b"null", b'"fp32"', b'{"precision": "fp32", "precision": "fp32"}',
               b"precision: fp32\n",
               b'{"precision": "fp32"} x', b"\xff\xfe{}", b"{" * 100000, b'{"precision": "fp32",}', b" " * (2 << 20)]


def test_build_json_that_is_none(skua, flight):
    before = trees.tree(flight.cache)
    for text in BUILD_TEXTS:
        error = programs.error_of(compile_with(skua, flight, text), USAGE, ("malformed", "too_large"), "BUILD.json")
        assert error["message"].strip()
    result = skua("compile", flight.models / "add_relu.onnx", "--out", flight.cache, "--config", flight.folder / "none",
                  *CPU, "--json")
    programs.error_of(result, USAGE, "not_found", flight.folder / "none")
    result = skua("compile", flight.models / "add_relu.onnx", "--out", flight.cache, "--config", flight.folder, *CPU,
                  "--json")
    programs.error_of(result, USAGE, None, flight.folder)
    assert trees.tree(flight.cache) == before


def test_what_the_model_contradicts(skua, flight):
    """Well formed, but not this network's: known only once the model is read."""
    before = trees.tree(flight.cache)
    for field, value in (("optimization_profiles", [{**PROFILE, "input": "z"}]),
                         ("optimization_profiles", [{**PROFILE, "min": [2, 8], "opt": [2, 8], "max": [2, 8]}]),
                         ("max_output_shapes", {"z": [1, 8]}),
                         ("tolerances", {"z": GOOD_BUILD["tolerances"]["y"]})):
        result = compile_with(skua, flight, {**GOOD_BUILD, field: value})
        assert result.returncode in (USAGE, BUILD_FAILED), (field, value, result.stdout)
        assert programs.document(result)["error"]["reason"] in ("profile_mismatch", "unknown_name", "invalid_argument",
                                                                "shape_mismatch"), (field, result.stdout)
    assert trees.tree(flight.cache) == before


# ---- SET.yaml --------------------------------------------------------------------------------------------------------

SET_TOP = {
    "runtime": ["nobody", ["onnx_trt_ep"], {}],
    "execution_provider": ["magic", 5, ["cpu"]],
    "set_id": ["../up", "", "UPPER", ".hidden", "x" * 101, "a/b", ["a"]],
    "release_sequence": [0, -1, "two", 1.5, 2**64],
    "networks": [[], {}, "add_relu", 5, [5]],
    "options": [{"colour": "blue"}, {"intra_op_threads": 0}, {"intra_op_threads": "many"}, [1],
                {"engine_cache_dir": "/tmp"}],
    "not_after": ["2020-01-01T00:00:00Z"],
    "calibration": [{"data_set": "x"}],
    "accuracy": [{"y": 1}, {"relative_l2": 0.5}, {"relative_l2": "x"}, [], 1],
    "colour": ["blue"],
}
SET_NETWORK = {
    "name": ["Bad", "a__b", "", 5.5, None],
    "onnx": ["", ["a"]],
    "precision": ["fp64", "", None, ["fp32"]],
    "workspace_mb": [0, -1, "much"],
    "profiles": [[{"input": "x"}], [{"input": "x", "min": "1x8", "opt": "1x8", "max": "0x8"}], "x",
                 [{"input": "x", "min": "1x8", "opt": "1x8", "max": "1x8", "other": 1}]],
    "max_output_shapes": [{"y": "axb"}, {"y": "-1x2"}, ["y"]],
    "keep_fp32": [5, [""]],
    "golden": [{"file": "g"}, "g", {"origin": "o"}],
    "tolerances": [{"y": {"absolute": "x"}}, {"y": {"absolute": -1}}, {"y": {"relatve": 1}}, ["y"]],
    "criticality": [-1, "first"],
    "calibration_dataset": ["x"],
    "calibration": [{}, {"dataset": "x"}, {"data_set": "x"}, "x"],
    "accuracy": [{"y": 1}, {"relative_l2": 0.5}, {"agreement": 0.95}],
    "colour": ["blue"],
}
LATER = {"not_after": "set_expired"}


def provision(skua, place, document):
    place.yaml.write_text(json.dumps(document, default=str))
    return skua(*place.provision_arguments(place.yaml), "--json")


def good_set(place):
    return {"runtime": RUNTIME, "execution_provider": "cpu",
            "networks": [{"name": "add_relu", "onnx": str(place.models / "add_relu.onnx"), "precision": "fp32"}]}


def refuse_set(skua, place, document, field, value):
    before = trees.tree(place.sets), trees.tree(place.cache)
    result = provision(skua, place, document)
    told = f"{field}: {value!r}: status {result.returncode} {result.stdout} {result.stderr}"
    status = programs.NO_RUNTIME if value == "nobody" else USAGE
    assert result.returncode == status, told
    error = programs.error_of(result, status)
    # "profiles" is found in "optimization profile of ..." as well: what a validator says of the value itself.
    assert field.rstrip("s").replace("_", " ") in error["message"].replace("_", " ") or value == "nobody", told
    assert "SET.yaml:" in error["message"] or value == "nobody", told
    if field in LATER:
        assert error["reason"] == LATER[field], told
    assert (trees.tree(place.sets), trees.tree(place.cache)) == before


@pytest.mark.parametrize("field", SET_TOP)
def test_set_yaml_field(skua, flight, field):
    for value in SET_TOP[field]:
        refuse_set(skua, flight, {**good_set(flight), field: value}, field, value)


@pytest.mark.parametrize("field", SET_NETWORK)
def test_set_yaml_network_field(skua, flight, field):
    for value in SET_NETWORK[field]:
        document = good_set(flight)
        document["networks"][0][field] = value
        refuse_set(skua, flight, document, field, value)


def test_control_the_good_set_yaml(skua, flight):
    result = provision(skua, flight, good_set(flight))
    assert result.returncode == programs.DONE, result.stderr


def test_set_yaml_fields_left_out_or_twice(skua, flight):
    document = good_set(flight)
    del document["networks"]
    refuse_set(skua, flight, document, "networks", None)
    document = good_set(flight)
    del document["runtime"]  # the default runtime takes another kind of file
    before = trees.tree(flight.sets), trees.tree(flight.cache)
    programs.error_of(provision(skua, flight, document), USAGE, "invalid_argument", "SET.yaml", "pytorch_fp16", "pt:")
    assert (trees.tree(flight.sets), trees.tree(flight.cache)) == before
    for field in ("name", "onnx", "precision"):
        document = good_set(flight)
        del document["networks"][0][field]
        refuse_set(skua, flight, document, field, None)
    document = good_set(flight)
    document["networks"] *= 2
    refuse_set(skua, flight, document, "add_relu", None)


SET_TEXTS = [b"", b"---\n", b"networks", b"[]", b"{", b"a: b: c\n", b"runtime: onnx_trt_ep\nruntime: onnx_trt_ep\n",
             b"%YAML 9.9\n\x00", b"a: 1\n---\nb: 2\n", b"&a [*a, *a]\n", b"\xff\xfe\xfd", b"[" * 50000,
             b"#" * (2 << 20)]


def test_set_yaml_that_is_none(skua, flight):
    before = trees.tree(flight.sets), trees.tree(flight.cache)
    for text in SET_TEXTS:
        flight.yaml.write_bytes(text)
        result = skua(*flight.provision_arguments(flight.yaml), "--json")
        assert result.returncode == USAGE, (text[:40], result.returncode, result.stderr[:500])
        assert "SET.yaml" in programs.document(result)["error"]["message"], text[:40]
    flight.yaml.unlink()
    programs.error_of(skua(*flight.provision_arguments(flight.yaml), "--json"), USAGE, "not_found", "SET.yaml")
    flight.yaml.mkdir()
    programs.error_of(skua(*flight.provision_arguments(flight.yaml), "--json"), USAGE, None, "SET.yaml")
    assert (trees.tree(flight.sets), trees.tree(flight.cache)) == before


def test_set_that_is_larger_than_the_limit(skua, flight):
    """Unchanged sets are not judged by their size; a new one is, before it can be seen."""
    flight.yaml.write_text(json.dumps(good_set(flight)))
    before = trees.tree(flight.sets)
    result = skua(*flight.provision_arguments(flight.yaml), "--json", "--set", "flight_set_limit_bytes=100")
    programs.error_of(result, BUILD_FAILED, "set_too_large", "100")
    assert trees.tree(flight.sets) == before
    skua.ok(*flight.provision_arguments(flight.yaml))


def test_set_that_is_larger_than_the_limit_of_the_reader(skua, flight, inputs):
    for command in (("verify", flight.sets), ("run", flight.sets, "add_relu", *inputs)):
        command = (*command, *programs.UNSIGNED, "--json")
        result = skua(*command, "--set", "flight_set_limit_bytes=100")
        programs.error_of(result, REFUSED, "set_too_large", "100")
        skua.ok(*command, "--set", "flight_set_limit_bytes=100000000")  # control


def test_calibration_dataset_for_a_precision_that_does_not_calibrate(skua, flight):
    before = trees.tree(flight.cache)
    result = compile_with(skua, flight, {**GOOD_BUILD, "calibration_dataset": "data"})
    programs.error_of(result, USAGE, "invalid_argument", "calibration_dataset", "int8 and mixed")
    assert trees.tree(flight.cache) == before
