"""Outputs and bound arrays: whose memory they are, how long they live, and what is refused of them."""

import gc
import sys
import weakref

import numpy as np
import pytest
from conftest import X, load

import skua


def owners(array):
    """The chain of bases."""
    chain = []
    while (array := getattr(array, "base", None) or getattr(array, "obj", None)) is not None:
        chain.append(type(array).__name__)
    return chain


# ---- infer -----------------------------------------------------------------------------------------------------------

def test_an_answer_is_the_callers(runtime, flight_set):
    engine = flight_set["add_relu"]
    first = runtime.infer(engine, {"x": X})["y"]
    kept = first.copy()
    assert first.flags.writeable and first.flags.c_contiguous and first.flags.aligned
    runtime.infer(engine, {"x": -X})
    assert np.array_equal(first, kept)
    first[:] = 0  # and nobody else's
    assert np.array_equal(runtime.infer(engine, {"x": X})["y"], kept)


def test_an_answer_outlives_everything(place, make_runtime):
    runtime = make_runtime()
    engine = load(runtime, place)["add_relu"]
    answer = runtime.infer(engine, {"x": X})["y"]
    kept = answer.copy()
    runtime.release_engine(engine)
    del engine, runtime
    gc.collect()
    np.full(1 << 20, 7.0)  # memory that was given back would be used again
    assert np.array_equal(answer, kept)


def test_every_answer_lives_by_itself(runtime, flight_set):
    x = np.ones((2, 8), np.float32)
    answers = runtime.infer(flight_set["several"], {"left": x, "right": x})
    total = answers["total"]
    gone = weakref.ref(answers["product"])
    del answers
    gc.collect()
    assert gone() is None and (total == 2).all()


def test_an_answer_is_an_exporter(runtime, flight_set):
    answer = runtime.infer(flight_set["add_relu"], {"x": X})["y"]
    again = np.from_dlpack(answer)
    assert np.shares_memory(again, answer) and memoryview(answer).format == "f"


def test_bound_outputs_are_exporters_to_who_takes_read_only_memory(bound):
    bound.run()
    output = bound.outputs["y"]
    again = np.from_dlpack(output)
    assert np.shares_memory(again, output) and not again.flags.writeable
    with pytest.raises(BufferError):  # what an older consumer asks could not say that nobody may write
        output.__dlpack__()


def test_a_data_dependent_answer_has_the_shape_of_its_run(runtime, flight_set):
    for count in (0, 1, 16):
        x = np.zeros(16, np.float32)
        x[:count] = 1
        where = runtime.infer(flight_set["non_zero"], {"x": x})["where"]
        assert where.shape == (1, count) and where.dtype == np.int64 and where.tolist() == [list(range(count))]


def test_no_call_keeps_anything(runtime, flight_set):
    engine, x = flight_set["add_relu"], X.copy()
    inputs = {"x": x}
    watched = (runtime, engine, inputs, x, "x", skua.EngineInfo, np.ndarray)
    before = [sys.getrefcount(thing) for thing in watched]
    for _ in range(200):
        runtime.infer(engine, inputs)
        runtime.info(engine)
        with pytest.raises(skua.InvalidArgumentError):
            runtime.infer(engine, {"x": 3})
    gc.collect()
    after = [sys.getrefcount(thing) for thing in watched]
    assert all(late - early <= 3 for early, late in zip(before, after)), (before, after)


# ---- bound -----------------------------------------------------------------------------------------------------------

def test_bound_arrays_are_the_lanes_own(bound):
    inputs, outputs = bound.inputs, bound.outputs
    assert inputs["x"].flags.writeable and inputs["x"] is bound.inputs["x"]
    inputs["x"][:] = X
    bound.run()
    assert not outputs["y"].flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        outputs["y"][:] = 0
    first = outputs["y"]
    inputs["x"][:] = 2
    bound.run()
    assert outputs["y"] is first  # the same memory, with the new result


def test_an_input_is_filled_and_not_replaced(bound):
    with pytest.raises(TypeError):
        bound.inputs["x"] = X
    with pytest.raises(AttributeError):
        bound.inputs = {"x": X}


def test_outputs_are_a_mapping(bound):
    from collections.abc import Mapping

    bound.run()
    outputs = bound.outputs
    assert isinstance(outputs, Mapping) and list(outputs) == list(outputs.keys()) == ["y"] and len(outputs) == 1
    assert "y" in outputs and "z" not in outputs and 3 not in outputs
    assert dict(outputs)["y"] is dict(outputs.items())["y"] is list(outputs.values())[0] is outputs.get("y")
    assert outputs.get("z") is None and outputs.get("z", 3) == 3 and outputs.get(3, 4) == 4 and outputs.get(None) is None
    for method in ("keys", "values", "items"):  # the very views that a mapping of Python's has
        assert type(getattr(outputs, method)()) is type(getattr(Mapping, method)(outputs))
    assert outputs.keys() & {"y", "z"} == {"y"} and ("z", 3) not in outputs.items()
    with pytest.raises(KeyError):
        outputs["z"]


def test_without_a_result_there_is_nothing_to_read(bound):
    with pytest.raises(skua.InferenceError) as unread:
        bound.outputs["y"]
    assert unread.value.reason == "execution_failed" and "has not run" in unread.value.message
    with pytest.raises(skua.InferenceError):  # a name that is there, and no default for it
        bound.outputs.get("y", 3)
    bound.run()
    assert bound.outputs["y"].shape == (1, 8)
    with pytest.raises(skua.InferenceError):
        bound.run(deadline_ns=1)
    with pytest.raises(skua.InferenceError) as unread:
        bound.outputs["y"]
    assert unread.value.reason == "deadline_missed"
    bound.run()
    assert bound.outputs["y"].shape == (1, 8)


def test_another_shape_is_another_array(runtime, flight_set):
    bound = runtime.bind(flight_set["dynamic"], runtime.create_lane("test"))
    old = bound.inputs["x"]
    assert old.shape == (2, 8)
    for rows in (1, 4, 3):
        bound.set_shape("x", (rows, 8))
        assert bound.inputs["x"].shape == (rows, 8) and bound.inputs["x"] is not old
        with pytest.raises(skua.InferenceError, match="shapes were changed"):
            bound.outputs["y"]
        bound.inputs["x"][:] = 1
        bound.run()
        assert bound.outputs["y"].shape == (rows, 8)
    old[:] = 5  # memory that is still the lane's: written, and harmless
    for shape, reason in (((5, 8), "shape_mismatch"), ((0, 8), "shape_mismatch"), ((2, 7), "shape_mismatch"),
                          ((1,) * 9, "shape_mismatch"), ("28", "invalid_argument"), (8, "invalid_argument")):
        with pytest.raises(skua.InvalidArgumentError) as refused:
            bound.set_shape("x", shape)
        assert refused.value.reason == reason, (shape, refused.value)
    with pytest.raises(skua.InvalidArgumentError) as refused:
        bound.set_shape("z", (1, 8))
    assert refused.value.reason == "unknown_name"
    assert bound.outputs["y"].shape == (3, 8)  # what was refused has changed nothing


def infer_rows(runtime, engine, lane, rows):
    runtime.infer(engine, {"x": np.full((rows, 8), 7, np.float32)}, lane=lane)


def set_rows(runtime, engine, lane, rows):
    runtime.bind(engine, lane).set_shape("x", (rows, 8))


@pytest.mark.parametrize("change", [infer_rows, set_rows])
@pytest.mark.parametrize("rows", [1, 4])
def test_a_shape_that_others_gave_the_lane_is_not_run_on(runtime, flight_set, change, rows):
    engine, lane = flight_set["dynamic"], runtime.create_lane("test")
    bound = runtime.bind(engine, lane)
    held = bound.inputs
    held["x"][:] = 1
    bound.run()
    expected = bound.outputs["y"].copy()
    change(runtime, engine, lane, 2)  # the control: the shape that it had
    held["x"][:] = 1
    bound.run()
    assert np.array_equal(bound.outputs["y"], expected)

    change(runtime, engine, lane, rows)
    held["x"][:] = 1
    for _ in range(2):
        with pytest.raises(skua.InferenceError, match="set_shape again") as refused:
            bound.run()
        assert refused.value.reason == "shape_mismatch" and f"{rows}x8" in refused.value.message
    assert bound.inputs["x"].shape == (rows, 8) == held["x"].shape  # what the lane really has
    with pytest.raises(skua.InferenceError) as unread:  # and not what somebody else's run has left there
        bound.outputs["y"]
    assert unread.value.reason == "shape_mismatch"

    bound.set_shape("x", (2, 8))
    assert held["x"].shape == (2, 8)
    held["x"][:] = 1
    bound.run()
    assert np.array_equal(bound.outputs["y"], expected)


def test_a_run_that_succeeds_leaves_no_error_behind(runtime, flight_set):
    engine, lane = flight_set["dynamic"], runtime.create_lane("test")
    bound, other = runtime.bind(engine, lane), runtime.bind(engine, lane)
    with pytest.raises(skua.InferenceError):
        bound.run(deadline_ns=1)
    bound.run()
    other.set_shape("x", (2, 8))
    with pytest.raises(skua.InferenceError, match="shapes were changed") as unread:
        bound.outputs["y"]
    assert unread.value.reason == "execution_failed"


def test_a_data_dependent_output_has_the_shape_of_its_run(runtime, flight_set):
    bound = runtime.bind(flight_set["non_zero"], runtime.create_lane("test"))
    for count in (3, 0, 16, 3):
        bound.inputs["x"][:] = 0
        bound.inputs["x"][:count] = 1
        bound.run()
        assert bound.outputs["where"].shape == (1, count)


@pytest.mark.parametrize("keep", ["input", "output", "outputs", "bound"])
def test_whatever_is_kept_keeps_what_it_needs(place, make_runtime, keep):
    runtime = make_runtime()
    engine = load(runtime, place)["add_relu"]
    bound = runtime.bind(engine, runtime.create_lane("test"))
    bound.inputs["x"][:] = X
    bound.run()
    expected = bound.outputs["y"].copy()
    kept = {"input": lambda: bound.inputs["x"], "output": lambda: bound.outputs["y"],
            "outputs": lambda: bound.outputs, "bound": lambda: bound}[keep]()
    del runtime, engine, bound
    gc.collect()
    np.full(1 << 20, 7.0)
    if keep == "input":
        assert np.array_equal(kept, X)
        kept[:] = 1
    elif keep == "output":
        assert np.array_equal(kept, expected)
    elif keep == "outputs":
        assert np.array_equal(kept["y"], expected)
    else:
        kept.run()
        assert np.array_equal(kept.outputs["y"], expected)


def test_nothing_waits_for_the_garbage_collector(place, make_runtime):
    """No cycles: what is let go is gone at once."""
    gc.collect()
    gc.disable()
    try:
        runtime = make_runtime()
        engine = load(runtime, place)["add_relu"]
        bound = runtime.bind(engine, runtime.create_lane("test"))
        bound.run()
        gone = [weakref.ref(bound.inputs["x"]), weakref.ref(bound.outputs["y"])]
        del runtime, engine, bound
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


# ---- copy_into -------------------------------------------------------------------------------------------------------

def read_only():
    array = np.zeros((1, 8), np.float32)
    array.flags.writeable = False
    return array


BAD_TARGETS = {
    "read-only": (lambda bound: read_only(), "invalid_argument", "writable"),
    "bytes": (lambda bound: bytes(32), "invalid_argument", "writable"),
    "dtype": (lambda bound: np.zeros((1, 8)), "dtype_mismatch", "float64"),
    "shape": (lambda bound: np.zeros((8, 1), np.float32), "shape_mismatch", "8x1"),
    "gaps": (lambda bound: np.zeros((1, 16), np.float32)[:, ::2], "invalid_argument", "C-contiguous"),
    "byte order": (lambda bound: np.zeros((1, 8), ">f4"), "dtype_mismatch", "byte order"),
    "objects": (lambda bound: np.array([[None] * 8]), "dtype_mismatch", "'O'"),
    "the input": (lambda bound: bound.inputs["x"], "invalid_argument", "overlaps"),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_a_target_that_does_not_fit_is_refused(bound, name):
    make, reason, word = BAD_TARGETS[name]
    bound.inputs["x"][:] = X
    bound.run()
    with pytest.raises(skua.InvalidArgumentError) as refused:
        bound.copy_into("y", make(bound))
    assert refused.value.reason == reason and word in refused.value.message and "'y'" in refused.value.message
    assert np.array_equal(bound.inputs["x"], X)


def test_copy_into_copies(bound):
    target = np.zeros((1, 8), np.float32)
    with pytest.raises(skua.InferenceError):
        bound.copy_into("y", target)
    bound.inputs["x"][:] = X
    bound.run()
    bound.copy_into("y", target)
    assert np.array_equal(target, bound.outputs["y"]) and target.any()
    with pytest.raises(KeyError):
        bound.copy_into("z", target)
