"""Memory that calls leave behind, counted by malloc: none, whatever they do."""

import package
import pytest

COUNTED = """
import ctypes, gc, json, sys
import numpy as np
import skua

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks used free keep".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo

def in_use():
    gc.collect()
    info = libc.mallinfo2()
    return info.used + info.hblkhd

x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)
pair = {name: np.ones((2, 8), np.float32) for name in ("left", "right")}
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
policy = skua.GatePolicy(allow_unsigned=True)
engines = runtime.load_flight_set(sys.argv[1], policy)
engine, lane = engines["add_relu"], runtime.create_lane("test")
bound = runtime.bind(engine, lane)
kept = []

def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except skua.SkuaError:
        return
    raise AssertionError("not refused")

CALLS = {
    "infer": lambda: (runtime.infer(engine, {"x": x}), runtime.infer(engines["several"], pair)),
    "infer of a view": lambda: runtime.infer(engine, {"x": memoryview(x)}),
    "infer with a copy": lambda: runtime.infer(engine, {"x": x.astype(float)}, copy=True),
    "run": lambda: (bound.run(), bound.outputs["y"], bound.inputs["x"]),
    "bind": lambda: runtime.bind(engine, lane).run(),
    "shapes": lambda: runtime.bind(engines["dynamic"], lane).set_shape("x", (3, 8)),
    "refused inputs": lambda: [refused(runtime.infer, engine, {"x": bad}) for bad in (None, 3, x.astype(">f4"), x[:, ::2])],
    "failed runs": lambda: refused(bound.run, deadline_ns=1),
    "info": lambda: (runtime.info(engine), runtime.thermal_state(), skua.probe_host(), skua.runtime_registry()),
    "lanes": lambda: runtime.create_lane("test"),
    "names": lambda: skua.EngineFilenameSchema.parse("a__sm0_jp0_trt0_fp16.pt").build(),
    "hashes": lambda: (skua.Sha256Sidecar.digest(x), skua.verify_set(sys.argv[1], policy)),
    "runtimes": lambda: skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground"),
    "loads": lambda: skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"},
                                                  role="ground").load_flight_set(sys.argv[1], policy),
    "a leak": lambda: kept.append(bytes(100)),  # the control
}
QUICK, SLOW = 400, 12
grown = {}
for name, call in CALLS.items():
    rounds = SLOW if name in ("runtimes", "loads", "hashes") else QUICK
    for _ in range(rounds):
        call()
    least = None
    for _ in range(3):  # what grows only once is a cache
        before = in_use()
        for _ in range(rounds):
            call()
        share = (in_use() - before) / rounds
        least = share if least is None else min(least, share)
    grown[name] = least
print(json.dumps(grown))
"""


THREADS = ("hashes", "runtimes", "loads")  # malloc keeps an arena for each thread there ever was at once


@pytest.mark.skipif(not package.counts_memory(), reason="the sanitizer's malloc does not count")
def test_no_call_leaves_memory_behind(place):
    grown = package.run(COUNTED, place.current(), env={"PYTHONMALLOC": "malloc"})
    assert grown.pop("a leak") >= 100, "what leaks is not seen"
    print("\n" + "\n".join(f"{name}: {share:.1f} bytes a call" for name, share in grown.items()))
    leaks = {name: share for name, share in grown.items() if share >= (4096 if name in THREADS else 16)}
    assert not leaks, f"bytes a call: {leaks}"


@pytest.mark.parametrize("kind", ["cycle", "thread"])
def test_a_runtime_in_a_cycle_or_a_thread_is_let_go(place, kind):
    told = package.run("""
import gc, json, sys, threading, weakref
import numpy as np
import skua

class Recorder:
    def enqueue(self, record):
        pass

def use(kind):
    recorder = Recorder()
    runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground",
                                           recorder=recorder)
    engines = runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))
    bound = runtime.bind(engines["add_relu"], runtime.create_lane("test"))
    if kind == "cycle":
        held = [runtime, bound, engines]
        held.append(held)
    else:
        thread = threading.Thread(target=bound.run)
        thread.start()
        thread.join()
    return weakref.ref(recorder)

gone = use(sys.argv[2])
gc.collect()
print(json.dumps(gone() is None))
""", place.current(), kind)
    assert told is True
