"""Handles that were released, that belong to another runtime, or that outlive theirs."""

import gc

import numpy as np
import pytest
from conftest import X, load

import skua


def foreign(call):
    with pytest.raises(skua.InvalidArgumentError) as refused:
        call()
    assert refused.value.reason == "foreign_handle", refused.value
    return refused.value.message


def test_a_released_handle_names_nothing(runtime, flight_set, bound):
    engine, copy = flight_set["add_relu"], flight_set["add_relu"]
    assert engine and engine == copy and engine != flight_set["several"] and engine != 3
    runtime.release_engine(engine)
    runtime.release_engine(engine)
    assert not engine
    for call in (lambda: runtime.info(engine), lambda: runtime.infer(engine, {"x": X}),
                 lambda: runtime.bind(engine, runtime.create_lane("other"))):
        assert "released" in foreign(call)
    with pytest.raises(skua.InferenceError) as released:
        bound.run()
    assert released.value.reason == "engine_released"
    assert runtime.infer(flight_set["several"], {name: np.zeros((2, 8), np.float32) for name in ("left", "right")})


def test_a_handle_of_another_runtime_is_refused(runtime, flight_set, make_runtime, place):
    other = make_runtime()
    engine, lane = flight_set["add_relu"], runtime.create_lane("test")
    own = load(other, place)["add_relu"]
    for call in (lambda: other.info(engine), lambda: other.infer(engine, {"x": X}), lambda: other.bind(engine, lane),
                 lambda: other.bind(own, lane), lambda: other.infer(own, {"x": X}, lane=lane)):
        assert "another runtime" in foreign(call)
    assert "another runtime" in foreign(lambda: other.release_engine(engine))  # not this one's to release
    assert engine and runtime.infer(engine, {"x": X}) and own != engine


def test_a_handle_outlives_the_runtimes_name(place, make_runtime):
    runtime = make_runtime()
    engines = load(runtime, place)
    bound = runtime.bind(engines["add_relu"], runtime.create_lane("test"))
    lane, engine = runtime.create_lane("other"), engines["several"]
    del runtime, engines
    gc.collect()
    bound.run()
    assert lane.consumer == "other" and engine


def test_a_handle_is_no_key(flight_set):
    with pytest.raises(TypeError):
        hash(flight_set["add_relu"])


def test_classes_of_handles_cannot_be_made(runtime):
    for made in (skua.EngineHandle, skua.Lane, skua.InferenceRuntime, skua.BoundInference, skua.BoundOutputs,
                 skua.LightGlueRuntime, skua.FlightState):
        with pytest.raises(TypeError):
            made()
    for wrong in (None, 3, "add_relu", runtime):
        with pytest.raises(TypeError):
            runtime.info(wrong)
