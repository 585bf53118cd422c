"""Objects that only look like skua's own values, as consumers of the stack have them; and what an error ends a program
with."""

import types

import numpy as np
import package
import pytest
import tiny_models
from conftest import X
from networks import DESCRIPTOR, KEYPOINTS

import skua


@pytest.fixture(name="ground")
def runtime_with_a_cache_of_its_own(make_runtime, tmp_path):
    (tmp_path / "cache").mkdir()
    return make_runtime(engine_cache_dir=tmp_path / "cache")


def alike(**attributes):
    return types.SimpleNamespace(**attributes)


def test_a_build_of_four_fields_and_an_entry_of_four(ground, tmp_path):
    build = alike(precision="fp32", workspace_mb=64, calibration_dataset=None,
                  optimization_profiles=[("x", (1, 8), (2, 8), (4, 8))])
    entry = ground.compile_engine(tiny_models.dynamic_batch(tmp_path / "dynamic.onnx"), build)
    given = alike(engine_path=entry.engine_path, model=entry.model, precision="fp32", engine_sha256=entry.engine_sha256)
    engine = ground.deserialize_engine(given)
    (profile,) = ground.info(engine).profiles
    assert (profile.min, profile.opt, profile.max) == ((1, 8), (2, 8), (4, 8))
    assert ground.infer(engine, {"x": X})["y"].shape == (1, 8)
    profile = alike(input_name="x", min=(1, 8), opt=(1, 8), max=(3, 8))
    entry = ground.compile_engine(tmp_path / "dynamic.onnx", alike(precision="fp32", optimization_profiles=[profile]))
    assert entry.inputs[0].max_shape == (3, 8)


def test_what_is_missing_is_named(ground, tmp_path):
    model = tiny_models.add_relu(tmp_path / "add_relu.onnx")
    without_max = alike(input_name="x", min=(1, 8), opt=(1, 8))
    for call, words in (
            (lambda: ground.compile_engine(model, {"precision": "fp32"}), ("build_config", "'precision'", "a dict")),
            (lambda: ground.compile_engine(model, 3), ("build_config", "'precision'", "a int")),
            (lambda: ground.compile_engine(model, alike(precision="fp32", optimization_profiles=[without_max])),
             ("optimization_profiles", "'max'", "skua.OptimizationProfile")),
            (lambda: ground.deserialize_engine(alike(model="x", engine_path="/x", precision="fp32")),
             ("entry", "'engine_sha256'", "skua.EngineCacheEntry"))):
        with pytest.raises(skua.InvalidArgumentError) as refused:
            call()
        for word in words:
            assert word in refused.value.message, refused.value


def test_an_attribute_that_raises_is_not_missing(ground, tmp_path):
    class Build:
        precision = "fp32"

        @property
        def workspace_mb(self):
            raise RuntimeError("no workspace")

    with pytest.raises(RuntimeError, match="no workspace"):
        ground.compile_engine(tiny_models.add_relu(tmp_path / "add_relu.onnx"), Build())


def test_keypoints_of_the_stacks_own(runtime, flight_set):
    matcher = skua.LightGlueRuntime.create(runtime, flight_set["matcher"], [runtime.create_lane("c3")])
    points = alike(keypoints=np.zeros((KEYPOINTS, 2), np.float32), image_size=(4, 3),
                   descriptors=np.eye(KEYPOINTS, DESCRIPTOR, dtype=np.float32))
    found = matcher.match(points, points)
    assert found.indices[:4].tolist() == [[n, n] for n in range(4)]
    del points.descriptors
    with pytest.raises(skua.InvalidArgumentError, match="keypoints: expected the attribute 'descriptors'"):
        matcher.match(points, points)


def test_a_set_of_engines_is_asked_by_name(flight_set):
    assert "add_relu" in flight_set and "absent" not in flight_set and 3 not in flight_set
    assert list(flight_set) == [item.model for item in flight_set.engines] and len(flight_set) == len(list(flight_set))
    assert all(flight_set[name] for name in flight_set)


@pytest.mark.parametrize("field, value", [
    ("gpu_memory_budget_bytes", np.int64(1 << 30)), ("gpu_memory_budget_bytes", np.uint64(1 << 30)),
    ("thermal_poll_hz", np.float64(2.5)), ("thermal_poll_hz", np.float32(2.5)), ("thermal_poll_hz", np.int32(2)),
    ("intra_op_threads", np.int8(1))])
def test_numbers_of_numpy_are_numbers(field, value):
    assert skua.build_inference_runtime({**package.CPU, field: value}, role="ground")


def test_a_value_that_is_interrupted_goes_on():
    class Interrupted:
        def __index__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        skua.build_inference_runtime({**package.CPU, "intra_op_threads": Interrupted()}, role="ground")


@pytest.mark.parametrize("value", [10**5000, -(10**5000), 2**64], ids=["long", "negative", "65 bits"])
def test_a_number_beyond_all_bounds_is_told_of_its_field(value):
    with pytest.raises(skua.InvalidArgumentError, match="intra_op_threads"):
        skua.build_inference_runtime({**package.CPU, "intra_op_threads": value}, role="ground")


class OnlyLooksAlike:
    __slots__ = ()
    runtime, execution_provider = "onnx_trt_ep", "cpu"


@pytest.mark.parametrize("config", [None, 3, OnlyLooksAlike(), types.SimpleNamespace(**package.CPU)])
def test_a_configuration_is_one_and_nothing_alike(config):
    """What an object keeps in its class would be left out, and another runtime built."""
    with pytest.raises(skua.InvalidArgumentError, match="config: expected a skua.RuntimeConfig"):
        skua.build_inference_runtime(config, role="ground")
    with pytest.raises(skua.InvalidArgumentError, match="inference: expected a skua.RuntimeConfig"):
        skua.build_pre_constructed(skua.AirborneConfig(inference=config))


@pytest.mark.parametrize("field, value, expected", [
    ("intra_op_threads", None, "a whole number"), ("thermal_poll_hz", None, "a number"),
    ("per_frame_debug_log", None, "True or False"), ("engine_cache_dir", None, "a text or a path"),
    ("engine_cache_dir", [], "a text or a path"), ("intra_op_threads", np.zeros(2, np.int64), "a whole number"),
    ("intra_op_threads", np.float64(1.5), ""), ("unknown_field", None, "")])
def test_what_is_no_value_is_told_in_the_fields_own_words(field, value, expected):
    with pytest.raises(skua.InvalidArgumentError) as refused:
        skua.build_inference_runtime({**package.CPU, field: value}, role="ground")
    assert field in refused.value.message and expected in refused.value.message, refused.value
    assert "a path, found" not in refused.value.message or expected == "a text or a path"


def test_what_an_operator_reads():
    cause = skua.RuntimeNotAvailableError("cannot open libtorch.so", reason="sdk_missing", native_code=2)
    error = skua.AirborneBootstrapError("no c7_inference", reason="sdk_missing")
    error.__cause__ = cause
    text = skua.operator_text(error)
    assert text.startswith("airborne_bootstrap: no c7_inference [sdk_missing]; caused by RuntimeNotAvailableError: ")
    assert "cannot open libtorch.so" in text and "\n" not in text
    assert "caused by" not in skua.operator_text(cause)
    with pytest.raises(skua.InvalidArgumentError, match="skua.SkuaError"):
        skua.operator_text(ValueError("not ours"))


def test_causes_that_have_no_end_are_told_so_far():
    first, second = skua.EngineBuildError("first"), skua.IoError("second")
    first.__cause__, second.__cause__ = second, first
    text = skua.operator_text(first)
    assert text.startswith("airborne_bootstrap: first") and "second" in text and len(text) < 2000
    assert skua.exit_status_of(first) == 3


def test_errors_of_whatever_make():
    class Bare(skua.InferenceError):
        def __init__(self):
            pass

    class NoClass:
        @property
        def __class__(self):
            raise RuntimeError("no class")

    large = skua.InferenceError("large", reason="device_lost", native_code=2**40)
    assert skua.exit_status_of(Bare()) == 6 and skua.exit_status_of(large) == 10
    assert "[none]" in skua.operator_text(Bare()) and "large [device_lost]" in skua.operator_text(large)
    for call in (skua.operator_text, skua.exit_status_of):
        with pytest.raises(RuntimeError, match="no class"):
            call(NoClass())


def test_what_a_program_ends_with():
    class Own(skua.EngineHashMismatchError):
        pass

    for error, status in (
            (skua.InvalidArgumentError("x"), 2), (skua.IoError("x"), 2), (skua.EngineBuildError("x"), 3),
            (skua.CalibrationCacheError("x"), 4), (skua.EngineDeserializeError("x"), 5), (skua.ManifestError("x"), 5),
            (Own("x"), 5), (skua.InferenceError("x", reason="deadline_missed"), 6), (skua.OutOfMemoryError("x"), 7),
            (skua.TelemetryUnavailableError("x"), 8), (skua.AirborneBootstrapError("x"), 9),
            (skua.InferenceError("x", reason="device_lost"), 10), (skua.InternalError("x"), 1),
            (skua.SkuaError("x", reason="no reason of Skua's"), 1)):
        assert skua.exit_status_of(error) == status, error
