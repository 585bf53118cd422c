"""Nothing stays behind: memory in use and Python's own blocks after many calls and many loads, and reference counts.

glibc says what is in use (`mallinfo2`), Python how many blocks it has; resident memory would hide a small leak behind what
either keeps for later. The control keeps something on purpose.
"""

import ctypes
import gc
import sys

import counts
import numpy as np
import package
import pytest

import skua


pytestmark = pytest.mark.skipif(not package.counts_memory(), reason="the sanitizer's malloc does not count")


class MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]


mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = MallInfo


def in_use():
    """(bytes that C and C++ hold, blocks that Python holds)."""
    gc.collect()
    now = mallinfo()
    return np.array([now.uordblks + now.hblkhd, sys.getallocatedblocks()], np.int64)


def growth(call, times, least=0):
    """What is in use more after so many calls than after those before them, `least` at least, which fill what is kept."""
    for _ in range(max(times // 2, least)):
        call()
    before = in_use()
    for _ in range(times):
        call()
    return in_use() - before


# What a few dictionaries and a log line leave for a while; half of the calls at any depth would leave more by far.
MOST = np.array([4096, 64])
LEAST_LEAK = np.array([16, 0.25])  # one small object in four loads: what a load leaks once is more
FIRST_LOADS = 40  # by then ONNX Runtime has the tables that it makes once


@pytest.fixture(name="network")
def network_of_the_set(runtime, flight_set):
    handle = flight_set.find("add_relu")
    inputs = {spec.name: np.zeros(spec.shape, np.float32) for spec in runtime.info(handle).inputs}
    return handle, inputs


def test_infer_leaves_nothing(runtime, network):
    handle, inputs = network
    found = growth(lambda: runtime.infer(handle, inputs), counts.count("python_infers"))
    assert (found <= MOST).all(), found


def test_bound_runs_leave_nothing(runtime, network):
    bound = runtime.bind(network[0], runtime.create_lane("leaks"))

    def call():
        bound.run()
        for spec in runtime.info(network[0]).outputs:
            bound.outputs[spec.name].sum()

    found = growth(call, counts.count("python_infers"))
    assert (found <= MOST).all(), found


def test_refusals_leave_nothing(runtime, network):
    handle, inputs = network
    wrong = {name: array.astype(np.float64) for name, array in inputs.items()}

    def call():
        with pytest.raises(skua.InvalidArgumentError):
            runtime.infer(handle, wrong)

    found = growth(call, counts.count("python_infers") // 4)
    assert (found <= MOST).all(), found


def test_control_one_answer_kept_in_a_hundred_is_seen(runtime, network):
    handle, inputs = network
    kept, called = [], 0

    def call():
        nonlocal called
        called += 1
        answer = runtime.infer(handle, inputs)
        if called % 100 == 0:
            kept.append(answer)

    found = growth(call, max(20_000, counts.count("python_infers")))
    assert (found > MOST).all(), found


def test_loading_and_releasing_leaves_nothing(runtime, place):
    policy = skua.GatePolicy(allow_unsigned=True)

    def call():
        loaded = runtime.load_flight_set(place.current(), policy)
        for item in loaded.engines:
            runtime.release_engine(item.handle)
        with pytest.raises(skua.InvalidArgumentError):  # it is gone
            runtime.infer(loaded.engines[0].handle, {})

    times = counts.count("python_loads")
    found = growth(call, times, least=FIRST_LOADS)
    assert (found <= MOST + times * LEAST_LEAK).all(), found


def test_a_whole_runtime_leaves_nothing(place):
    policy = skua.GatePolicy(allow_unsigned=True)

    def call():
        runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
        handle = runtime.load_flight_set(place.current(), policy).find("add_relu")
        runtime.infer(handle, {spec.name: np.zeros(spec.shape, np.float32) for spec in runtime.info(handle).inputs})

    times = counts.count("python_loads")
    found = growth(call, times, least=FIRST_LOADS)
    assert (found <= MOST + times * LEAST_LEAK).all(), found


def test_reference_counts_are_as_before(runtime, network):
    handle, inputs = network
    (name, array), = inputs.items()
    before = [sys.getrefcount(thing) for thing in (handle, inputs, array, name, runtime)]
    for _ in range(100):
        outputs = runtime.infer(handle, inputs)
        bound = runtime.bind(handle, runtime.create_lane("counts"))
        bound.run()
    del outputs, bound
    gc.collect()
    assert [sys.getrefcount(thing) for thing in (handle, inputs, array, name, runtime)] == before
