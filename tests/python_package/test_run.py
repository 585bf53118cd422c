"""The shortest way through the package: load a set, run a network, bind it."""

import numpy as np
import pytest
from conftest import X

import skua


def test_infer_and_a_bound_run_agree(runtime, flight_set, bound):
    answer = runtime.infer(flight_set["add_relu"], {"x": X})["y"]
    bound.inputs["x"][:] = X
    bound.run()
    assert answer.dtype == np.float32 and answer.shape == (1, 8) and answer.any()
    assert np.array_equal(bound.outputs["y"], answer)


def test_an_unsigned_set_is_refused_without_leave(runtime, place):
    with pytest.raises(skua.ManifestError) as refused:
        runtime.load_flight_set(place.current(), skua.GatePolicy())
    assert refused.value.code == refused.value.reason == "unsigned_set"


def test_what_a_set_and_its_engines_say_of_themselves(runtime, flight_set):
    assert [item.model for item in flight_set.engines][0] == "add_relu"
    assert flight_set.find("nothing") is None and flight_set.signer is None and flight_set.release_sequence == 1
    with pytest.raises(KeyError, match="add_relu"):
        flight_set["nothing"]
    info = runtime.info(flight_set["dynamic"])
    assert info.runtime_label == runtime.current_runtime_label() == "onnx_trt_ep"
    assert info.inputs == (skua.TensorSpec(name="x", dtype=skua.DType.FLOAT32, shape=(-1, 8), max_shape=(4, 8)),)
    assert info.profiles == (skua.OptimizationProfile(input_name="x", min=(1, 8), opt=(2, 8), max=(4, 8)),)
    assert info.precision is skua.Precision.FP32 and info.device == "cpu" and info.arithmetic == "fp32"


def test_the_deadline_is_of_the_monotonic_clock(bound):
    import time

    bound.inputs["x"][:] = X
    bound.run(frame=7, deadline_ns=time.monotonic_ns() + 60_000_000_000)
    with pytest.raises(skua.InferenceError) as missed:
        bound.run(frame=8, deadline_ns=time.monotonic_ns() - 1)
    assert missed.value.reason == "deadline_missed" and "add_relu" in missed.value.message


def test_after_the_seal_only_what_was_declared_is_handed_out(make_runtime, place):
    from conftest import load

    runtime = make_runtime(lanes=(skua.LaneDeclaration("declared"),))
    engine = load(runtime, place)["add_relu"]
    early = runtime.create_lane("early")
    runtime.seal()
    runtime.bind(engine, runtime.create_lane("declared")).run()
    for refused in (lambda: runtime.create_lane("late"), lambda: runtime.bind(engine, early)):
        with pytest.raises(skua.InvalidArgumentError) as error:
            refused()
        assert error.value.reason == "lane_not_declared"


def test_a_lane_says_whose_it_is(runtime):
    assert runtime.create_lane("c2_vpr").consumer == "c2_vpr"
    with pytest.raises(skua.InvalidArgumentError):
        runtime.create_lane("")


def test_the_thermal_state_always_answers(runtime, tmp_path):
    state = runtime.thermal_state()
    assert not state.is_telemetry_available and not state.thermal_throttle_active
    assert np.isnan(state.gpu_temp_c) and state.measured_at == state.measured_at_ns == 0
    bare = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground",
                                        thermal_root=tmp_path)
    with pytest.raises(skua.TelemetryUnavailableError):
        bare.start_telemetry()
    assert not bare.thermal_state().is_telemetry_available


def test_the_thermal_state_comes_from_the_configured_source(make_runtime, tmp_path):
    import time

    import flights

    recording = tmp_path / "readings.jsonl"
    recording.write_text(flights.throttled_replay())
    runtime = make_runtime(thermal_source="replay", thermal_replay=recording, thermal_poll_hz=10)
    runtime.start_telemetry()
    end = time.monotonic() + 20
    while not runtime.thermal_state().thermal_throttle_active and time.monotonic() < end:
        time.sleep(0.01)
    state = runtime.thermal_state()
    assert state.is_telemetry_available and state.thermal_throttle_active
    assert 0 < state.measured_at <= time.monotonic_ns()
