"""The shortest way through the package: load a set, run a network, bind it."""

import numpy as np
import pytest

import skua

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)


def test_infer_and_bound_run_agree(runtime, flight_set):
    engine = flight_set["add_relu"]
    answer = runtime.infer(engine, {"x": X})["y"]
    bound = runtime.bind(engine, runtime.create_lane("test"))
    bound.inputs["x"][:] = X
    bound.run()
    assert answer.dtype == np.float32 and answer.shape == (1, 8) and answer.any()
    assert np.array_equal(bound.outputs["y"], answer)


def test_an_unsigned_set_is_refused_without_leave(runtime, place):
    with pytest.raises(skua.ManifestError) as refused:
        runtime.load_flight_set(place.current(), skua.GatePolicy())
    assert refused.value.code == refused.value.reason == "unsigned_set"
