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


NO_HANDLES = {"none": None, "number": 3, "text": "add_relu", "list": [], "class": skua.EngineHandle}


@pytest.mark.parametrize("name", NO_HANDLES)
def test_what_is_no_handle_or_lane_is_refused_by_name(runtime, flight_set, name):
    engine, lane, wrong = flight_set["add_relu"], runtime.create_lane("test"), NO_HANDLES[name]
    calls = {"handle": [lambda: runtime.infer(wrong, {"x": X}), lambda: runtime.bind(wrong, lane),
                        lambda: runtime.info(wrong), lambda: runtime.release_engine(wrong),
                        lambda: runtime.infer(lane, {"x": X})],
             "lane": [lambda: runtime.bind(engine, wrong), lambda: runtime.bind(engine, engine)],
             "runtime": [lambda: skua.LightGlueRuntime.create(wrong, engine, [lane])],
             "engine": [lambda: skua.LightGlueRuntime.create(runtime, wrong, [lane])],
             "lanes": [lambda: skua.LightGlueRuntime.create(runtime, engine, [wrong])]}
    if wrong is not None:  # no lane is the default lane
        calls["lane"].append(lambda: runtime.infer(engine, {"x": X}, lane=wrong))
    for field, refused in calls.items():
        for call in refused:
            with pytest.raises(skua.InvalidArgumentError, match=f"^{field}: expected a") as error:
                call()
            assert error.value.reason == "invalid_argument"
    assert runtime.infer(engine, {"x": X}, lane=lane)


def test_frames_and_deadlines_are_whole_numbers(runtime, flight_set, bound):
    engine = flight_set["add_relu"]
    for name, wrong in (("frame", (-1, 2**64, 1.5, "7", True, [])),
                        ("deadline_ns", (2**63, -(2**63) - 1, 1.5, "7", True, []))):
        for value in wrong:
            for call in (lambda: runtime.infer(engine, {"x": X}, **{name: value}), lambda: bound.run(**{name: value})):
                with pytest.raises(skua.InvalidArgumentError, match=f"^{name}: expected a whole number") as error:
                    call()
                assert error.value.reason == "invalid_argument"
    for frame in (0, 2**64 - 1, np.uint64(7), np.int32(7), None):
        assert runtime.infer(engine, {"x": X}, frame=frame, deadline_ns=2**63 - 1)
        bound.run(frame, deadline_ns=np.int64(2**63 - 1))


def test_elsewhere_a_wrong_type_is_pythons_own(runtime, bound, flight_set):
    for call in (lambda: runtime.create_lane(3), lambda: runtime.drain_events("soon"), lambda: bound.copy_into(3, X),
                 lambda: bound.set_shape(3, (1, 8)), lambda: runtime.infer(flight_set["add_relu"], {"x": X}, copy=[])):
        with pytest.raises(TypeError):
            call()
