"""Values: the configuration beside the C++ library's, equality, printing, and what is refused of them."""

import dataclasses
import pickle

import package
import pytest

import skua
import skua._skua
import skua.types


def header(name):
    return (package.ROOT / "include" / "skua" / name).read_text("ascii")


def members(text, struct):
    """Names of the members of a struct of a header, in order."""
    import re

    body = re.search(rf"^struct {struct} {{\n(.*?)^}};", text, re.MULTILINE | re.DOTALL).group(1)
    body = re.sub(r"//[^\n]*|{[^{}]*}", "", body)
    names = []
    for statement in body.split(";"):
        if "(" in statement.split("=")[0] or "struct " in statement or "friend" in statement or "public:" in statement:
            continue
        declared = re.sub(r"<[^<>]*>|<[^<>]*<[^<>]*>[^<>]*>", "", statement)
        declared = re.sub(r"=[^,;]*", "", declared)
        names += re.findall(r"(\w+)\s*(?:,|$)", declared.strip())
    return names


@pytest.mark.parametrize("struct, file", [
    ("BuildConfig", "build_config.h"), ("OptimizationProfile", "build_config.h"), ("Tolerance", "build_config.h"),
    ("AccuracyLimits", "build_config.h"), ("GoldenSource", "build_config.h"), ("HostTuple", "host_tuple.h"),
    ("EngineCacheEntry", "engine_cache_entry.h"), ("CalibrationProvenance", "engine_cache_entry.h"),
    ("EngineInfo", "engine_set.h"), ("GatePolicy", "engine_set.h"), ("EngineLoadTimes", "engine_set.h"),
    ("ThermalState", "thermal_state.h"), ("TensorSpec", "tensor.h"), ("EngineFilenameSchema", "engine_filename.h"),
    ("RuntimeConfig", "runtime_config.h"), ("LaneDeclaration", "runtime_config.h"),
    ("KeypointSet", "lightglue.h"), ("AirborneConfig", "airborne_bootstrap.h"), ("RuntimeEntry", "runtime_factory.h")])
def test_every_field_of_the_library_is_there(struct, file):
    fields = [field.name for field in dataclasses.fields(getattr(skua, struct))]
    assert sorted(fields) == sorted(members(header(file), struct)), struct


def test_the_defaults_are_the_librarys():
    config = skua.read_config(b"/dev/null" if False else _empty_file(), environment={})
    assert config == skua.RuntimeConfig()


def _empty_file():
    import os
    import tempfile

    descriptor, path = tempfile.mkstemp(suffix=".yaml")
    os.write(descriptor, b"{}\n")
    os.close(descriptor)
    return path


def test_enumerations_are_the_librarys():
    import re

    for enum, file in ((skua.Precision, "host_tuple.h"), (skua.DType, "tensor.h"), (skua.BuildRoute, "build_config.h"),
                       (skua.ExpiryRule, "engine_set.h"), (skua.Role, "runtime_config.h"),
                       (skua.FlightMode, "airborne_bootstrap.h")):
        body = re.search(rf"enum class {enum.__name__}[^{{]*{{(.*?)}};", header(file), re.DOTALL).group(1)
        names = re.findall(r"\bk(\w+)", re.sub(r"//[^\n]*", "", body))
        assert {name.upper() for name in names} == {member.name.replace("_", "") for member in enum}, enum


def test_values_compare_print_and_travel():
    one = skua.OptimizationProfile(input_name="x", min=(1, 8), opt=(2, 8), max=(4, 8))
    same = skua.OptimizationProfile(input_name="x", min=(1, 8), opt=(2, 8), max=(4, 8))
    assert one == same and hash(one) == hash(same) and one != dataclasses.replace(one, max=(5, 8))
    assert repr(one) == "OptimizationProfile(input_name='x', min=(1, 8), opt=(2, 8), max=(4, 8))"
    for value in (one, skua.BuildConfig(optimization_profiles=(one,)), skua.RuntimeConfig(), skua.probe_host(),
                  skua.GatePolicy(), skua.Precision.INT8):
        assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.min = (2, 8)
    with pytest.raises(TypeError):
        skua.BuildConfig("fp16")  # fields are named


CONFIGS = {
    "unknown key": ({"runtimes": "tensorrt"}, "runtimes"),
    "unknown runtime": ({"runtime": "torch"}, "runtime"),
    "text for a number": ({"intra_op_threads": "many"}, "intra_op_threads"),
    "real for a whole number": ({"intra_op_threads": 1.5}, "intra_op_threads"),
    "out of range": ({"intra_op_threads": 0}, "intra_op_threads"),
    "number for a text": ({"execution_provider": 3}, "execution_provider"),
    "relative path": ({"engine_cache_dir": "cache"}, "engine_cache_dir"),
    "an object": ({"engine_cache_dir": object()}, "engine_cache_dir"),
    "fallback": ({"ort_disallow_cpu_fallback": False}, "execution_provider: cpu"),
    "lanes of text": ({"lanes": "c2_vpr"}, "lanes"),
    "a lane of text": ({"lanes": ["c2_vpr"]}, "lanes"),
    "a lane twice": ({"lanes": [skua.LaneDeclaration("a"), skua.LaneDeclaration("a")]}, "twice"),
    "a key that is no text": ({3: "x"}, "configuration key"),
    "replay without a file": ({"thermal_source": "replay"}, "thermal_replay"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_that_is_wrong_is_refused_by_its_field(name):
    fields, word = CONFIGS[name]
    with pytest.raises(skua.InvalidArgumentError) as refused:
        skua.build_inference_runtime({**package.CPU, **fields}, role="ground")
    assert word in refused.value.message, refused.value


def test_a_configuration_is_a_file_too(tmp_path):
    file = tmp_path / "skua.yaml"
    file.write_text("components:\n  c7_inference:\n    runtime: onnx_trt_ep\n    execution_provider: cpu\n"
                    "    lanes: [c2_vpr, {consumer: c3_matcher, engine: disk}]\n")
    config = skua.read_config(file, environment={"SKUA_C7_LOG_LEVEL": "DEBUG", "OTHER": "x"})
    assert config.runtime == "onnx_trt_ep" and config.log_level == "DEBUG"
    assert config.lanes == (skua.LaneDeclaration("c2_vpr"), skua.LaneDeclaration("c3_matcher", "disk"))
    assert skua.build_inference_runtime(file, role=skua.Role.GROUND).current_runtime_label() == "onnx_trt_ep"
    assert skua.build_inference_runtime(config, role="ground").current_runtime_label() == "onnx_trt_ep"
    with pytest.raises(skua.InvalidArgumentError, match="SKUA_C7_LOG_LEVEL"):
        skua.read_config(file, environment={"SKUA_C7_LOG_LEVEL": "LOUD"})
    file.write_text("components: {c7_inference: {runtimes: x}}\n")
    with pytest.raises(skua.InvalidArgumentError, match="skua.yaml:1"):
        skua.read_config(file)


def test_the_environment_is_the_processs_own_where_none_is_given(tmp_path, monkeypatch):
    file = tmp_path / "skua.yaml"
    file.write_text("{}\n")
    monkeypatch.setenv("SKUA_C7_LOG_LEVEL", "WARN")
    assert skua.read_config(file).log_level == "WARN"
    assert skua.read_config(file, environment={}).log_level == "INFO"


def test_a_runtime_is_exactly_the_configured_one():
    for fields, reason in (({"runtime": "tensorrt"}, "runtime_not_built"),
                           ({"runtime": "onnx_trt_ep", "onnxruntime_library": "/nowhere.so"}, "sdk_missing"),
                           ({"runtime": "onnx_trt_ep", "execution_provider": "cuda"}, "provider_not_available")):
        entry = {entry.label: entry for entry in skua.runtime_registry()}[fields["runtime"]]
        if reason == "runtime_not_built" and entry.is_built:
            continue  # over the software-in-the-loop SDK
        with pytest.raises(skua.RuntimeNotAvailableError) as refused:
            skua.build_inference_runtime(fields, role="ground")
        assert refused.value.reason == reason, refused.value
    with pytest.raises(skua.InvalidArgumentError, match="role"):
        skua.build_inference_runtime(package.CPU, role="pilot")


def test_the_registry_names_every_runtime():
    entries = skua.runtime_registry()
    assert [entry.label for entry in entries] == ["tensorrt", "pytorch_fp16", "onnx_trt_ep"]
    assert all(entry.is_built == (entry.reason == "") for entry in entries)
    assert {entry.build_flag for entry in entries} == {"BUILD_TENSORRT_RUNTIME", "BUILD_PYTORCH_FP16_RUNTIME",
                                                       "BUILD_ONNX_TRT_EP_RUNTIME"}


def test_the_airborne_constants_are_the_stacks():
    assert skua.C7_AIRBORNE_BUILD_FLAGS == (("tensorrt", "BUILD_TENSORRT_RUNTIME"),
                                            ("pytorch_fp16", "BUILD_PYTORCH_FP16_RUNTIME"))
    both = ("c7_inference", "c3_lightglue_runtime")
    assert skua.AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS == {
        "c2_vpr": ("c7_inference",), "c2_5_rerank": both, "c3_matcher": both, "c3_5_adhop": both}


def test_all_names_are_there():
    assert sorted(skua.__all__) == list(skua.__all__) and all(hasattr(skua, name) for name in skua.__all__)
