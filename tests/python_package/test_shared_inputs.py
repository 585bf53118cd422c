"""Inputs that change while they are looked at: what a call was given is what it runs on, and nothing is read twice."""

import collections
import types

import numpy as np
import package
import pytest
from conftest import X

import skua

# A producer that is asked for its memory changes the mapping that it lies in, as another thread might meanwhile.
# The address that it had is used again at once, so that a borrowed reference is another object's.
CHANGES = """
import gc, sys
import numpy as np
import skua

x = np.ones((1, 8), np.float32)
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
engine = runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))["add_relu"]

class Producer:
    def __init__(self, inputs, change):
        self.inputs, self.change, self.pad = inputs, change, bytearray(100)
    def __dlpack_device__(self):
        inputs, self.inputs = self.inputs, None
        self.change(inputs)
        gc.collect()
        return (1, 0)
    def __dlpack__(self, **options):
        return x.__dlpack__(**options)
    def __array__(self, dtype=None, copy=None):
        self.__dlpack_device__()
        return x

def grow(inputs):
    for n in range(200):
        inputs[f"k{n}"] = bytearray(4)

def replace(inputs):
    inputs["x"] = 3

change = {"clear": dict.clear, "grow": grow, "replace": replace}[sys.argv[2]]
expected = runtime.infer(engine, {"x": x})["y"]
for n in range(100):
    inputs = {}
    inputs["x"] = Producer(inputs, change)
    answer = runtime.infer(engine, inputs, copy=sys.argv[3] == "copy")["y"]
    kept = [object() for _ in range(50)]
    assert np.array_equal(answer, expected)
print('"alive"')
"""

@pytest.mark.parametrize("change", ["clear", "grow", "replace"])
@pytest.mark.parametrize("copy", ["in place", "copy"])
def test_a_mapping_that_changes_meanwhile_is_not_looked_at_again(place, change, copy):
    assert package.run(CHANGES, place.current(), change, copy) == "alive"


THREADS = """
import sys, threading, time
import numpy as np
import skua

x = np.ones((1, 8), np.float32)
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
engine = runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))["add_relu"]

class Producer:
    def __init__(self, array):
        self.array = array
    def __dlpack_device__(self):
        time.sleep(0.001)
        return (1, 0)
    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

inputs, done = {"x": Producer(x)}, threading.Event()

def replace():
    while not done.is_set():
        inputs["x"] = Producer(x.copy())
        time.sleep(0.0005)

thread = threading.Thread(target=replace)
thread.start()
try:
    for n in range(300):
        runtime.infer(engine, inputs)
finally:
    done.set()
    thread.join()
print('"alive"')
"""


def test_another_thread_may_replace_an_input_meanwhile(place):
    assert package.run(THREADS, place.current()) == "alive"


class Given(collections.abc.Mapping):
    def __init__(self, **items):
        self.items_ = items

    def __getitem__(self, name):
        return self.items_[name]

    def __iter__(self):
        return iter(self.items_)

    def __len__(self):
        return len(self.items_)


class OddItems(dict):
    pass


class NoPairs(Given):
    def items(self):
        return [1, 2]


@pytest.mark.parametrize("make", [lambda **items: types.MappingProxyType(items), Given, collections.OrderedDict,
                                  collections.UserDict, OddItems], ids=["proxy", "Mapping", "ordered", "user", "sub"])
def test_any_mapping_is_taken(runtime, flight_set, make):
    expected = runtime.infer(flight_set["add_relu"], {"x": X})["y"]
    assert np.array_equal(runtime.infer(flight_set["add_relu"], make(x=X))["y"], expected)
    assert np.array_equal(runtime.infer(flight_set["add_relu"], make(x=X.astype(float)), copy=True)["y"], expected)


def test_the_inputs_of_a_lane_are_such_a_mapping(runtime, flight_set):
    engine, lane = flight_set["several"], runtime.create_lane("test")
    bound = runtime.bind(engine, lane)
    bound.inputs["left"][:], bound.inputs["right"][:] = 1, 2
    assert (runtime.infer(engine, bound.inputs, lane=lane)["total"] == 3).all()


@pytest.mark.parametrize("wrong", [[X], None, "x", 3, X, NoPairs(x=X)],
                         ids=["list", "none", "text", "number", "array", "no pairs"])
def test_what_is_no_mapping_is_refused_by_name(runtime, flight_set, wrong):
    for copy in (False, True):
        with pytest.raises(skua.InvalidArgumentError, match="inputs: expected a mapping") as refused:
            runtime.infer(flight_set["add_relu"], wrong, copy=copy)
        assert refused.value.reason == "invalid_argument"
