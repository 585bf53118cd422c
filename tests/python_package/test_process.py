"""The process around the package: forks, sub-interpreters, another libtorch, the interpreter's exit."""

import signal
import sys
import time

import package
import pytest

BEGIN = """
import atexit, json, os, signal, sys, time
import numpy as np
late = lambda: None
atexit.register(lambda: late())  # called after what skua registers
import skua
CPU = {"runtime": "onnx_trt_ep", "execution_provider": "cpu"}
x = np.ones((1, 8), np.float32)

def build(**more):
    runtime = skua.build_inference_runtime(CPU, role="ground", **more)
    return runtime, runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))["add_relu"]
"""

FORK = BEGIN + """
class Recorder:
    def enqueue(self, record):
        pass

if sys.argv[2] != "fresh":
    runtime = skua.build_inference_runtime(CPU, role="ground", recorder=Recorder())
    engines = runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))
    engine, lane = engines["add_relu"], runtime.create_lane("test")
    matcher = skua.LightGlueRuntime.create(runtime, engines["matcher"], [runtime.create_lane(n) for n in ("a", "b")],
                                           warm_up_pairs=0)
    bound = runtime.bind(engine, lane)
    bound.run()
read_end, write_end = os.pipe()
child = os.fork()
if child == 0:
    calls = {"build": build}
    if sys.argv[2] != "fresh":
        calls |= {"infer": lambda: runtime.infer(engine, {"x": x}), "run": bound.run,
                  "output": lambda: bound.outputs["y"], "bind": lambda: runtime.bind(engine, lane),
                  "lane": lambda: runtime.create_lane("other"), "info": lambda: runtime.info(engine),
                  "load": lambda: runtime.load_flight_set(sys.argv[1], skua.GatePolicy()),
                  "release": lambda: runtime.release_engine(engine), "seal": runtime.seal,
                  "shape": lambda: bound.set_shape("x", (1, 8)), "thermal": runtime.thermal_state,
                  "telemetry": runtime.start_telemetry, "drain": runtime.drain_events,
                  "compile": lambda: runtime.compile_engine("/x.onnx", skua.BuildConfig()),
                  "deserialize": lambda: runtime.deserialize_engine(None), "copy": lambda: bound.copy_into("y", x.copy()),
                  "close": runtime.close, "with": runtime.__enter__, "match": lambda: matcher.match(None, None),
                  "batch": lambda: matcher.match_batch([], []),
                  "matcher": lambda: skua.LightGlueRuntime.create(runtime, engines["matcher"], [lane])}
    said = {}
    for name, call in calls.items():
        try:
            call()
            said[name] = "done"
        except skua.SkuaError as error:
            said[name] = f"{type(error).__name__} {error.reason}"
    os.write(write_end, json.dumps(said).encode())
    if sys.argv[2] == "exit":
        sys.exit(7)  # with the handles in its hands: nothing of them is there to be ended
    os._exit(7)
os.close(write_end)
end, status = time.monotonic() + 60, (0, 0)
while status == (0, 0) and time.monotonic() < end:
    status = os.waitpid(child, os.WNOHANG)
    time.sleep(0.01)
if status == (0, 0):
    os.kill(child, signal.SIGKILL)
    sys.exit("the child hangs")
said = json.loads(os.read(read_end, 1 << 16))
if sys.argv[2] != "fresh":
    bound.run()  # the parent goes on
print(json.dumps([said, os.waitstatus_to_exitcode(status[1])]))
"""


@pytest.mark.parametrize("how", ["exit", "leave"])
def test_a_forked_child_is_refused_every_call(place, how):
    said, status = package.run(FORK, place.current(), how)
    assert len(said) == 22 and set(said.values()) == {"InvalidArgumentError forked_process"}, said
    assert status == 7


def test_control_a_child_of_a_process_without_a_runtime_may_have_one(place):
    said, status = package.run(FORK, place.current(), "fresh")
    assert said == {"build": "done"} and status == 7


def test_multiprocessing_by_spawn_works_and_by_fork_is_told(place):
    told = package.run(BEGIN + """
import concurrent.futures, multiprocessing
runtime, engine = build()
said = []
for method in ("fork", "spawn"):
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        error = pool.submit(skua.build_inference_runtime, {"runtime": "nothing"}, role="ground").exception()
        said.append([type(error).__name__, error.reason])
print(json.dumps(said))
""", place.current())
    assert told == [["InvalidArgumentError", "forked_process"], ["InvalidArgumentError", "invalid_argument"]]


@pytest.mark.parametrize("first", ["main", "other"])
def test_a_sub_interpreter_is_refused(first):
    interpreters = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    told = package.run(f"""
import sys, {interpreters} as interpreters
if {first!r} == "main":
    import skua
other = interpreters.create()
try:
    failed = interpreters.run_string(other, '''
import sys
sys.path[:0] = {sys.path!r}
try:
    import skua
except ImportError as error:
    print("refused", "sub-interpreter" in str(error) or "sub-interpreter" in str(error.__cause__), flush=True)
else:
    print("imported", flush=True)
''')
    print(failed or "ended")
finally:
    interpreters.destroy(other)
import skua
print(skua.build_inference_runtime({package.CPU!r}, role="ground").current_runtime_label())
""")
    assert told.split() == ["refused", "True", "ended", "onnx_trt_ep"], told


TORCH = BEGIN + """
if sys.argv[2] == "torch first":
    import torch
try:
    runtime = skua.build_inference_runtime({"device": "cpu"}, role="ground")
    print(json.dumps([runtime.current_runtime_label(), "", ""]))
except skua.RuntimeNotAvailableError as error:
    print(json.dumps([type(error).__name__, error.reason, error.message]))
"""


def test_a_second_libtorch_is_refused_and_not_a_crash(place):
    name, reason, message = package.run(TORCH, place.current(), "torch first")
    assert (name, reason) == ("RuntimeNotAvailableError", "sdk_foreign") and "import torch" in message


def test_control_without_torch_the_runtime_comes(place):
    assert package.run(TORCH, place.current(), "skua alone")[0] == "pytorch_fp16"


# ---- the interpreter's exit ------------------------------------------------------------------------------------------

EXITS = {
    "globals": "runtime, engine = build(recorder=Recorder()); bound = runtime.bind(engine, runtime.create_lane('t')); "
               "output = (bound.run(), bound.outputs['y'])",
    "a cycle": "runtime, engine = build(recorder=Recorder()); runtime_of = {}; runtime_of['self'] = [runtime_of, runtime]",
    "a default argument": "def use(runtime=build(recorder=Recorder())[0]): pass",
    "an exception": "runtime, engine = build(recorder=Recorder()); raise KeyError('ended')",
    "sys.exit in a thread's wake": "runtime, engine = build(recorder=Recorder())\n"
                                   "import threading\n"
                                   "bound = runtime.bind(engine, runtime.create_lane('t'))\n"
                                   "def forever():\n"
                                   "    while True:\n"
                                   "        bound.run()\n"
                                   "threading.Thread(target=forever, daemon=True).start()\n"
                                   "time.sleep(0.2)\n"
                                   "sys.exit(0)",
    "telemetry": "runtime, engine = build(recorder=Recorder())\n"
                 "try:\n"
                 "    runtime.start_telemetry()\n"
                 "except skua.TelemetryUnavailableError:\n"
                 "    pass",
    "atexit": "runtime, engine = build(recorder=Recorder())\n"
              "atexit.register(lambda: runtime.infer(engine, {'x': x}))",
    "after the end": "runtime, engine = build(recorder=Recorder())\n"
                     "late = lambda: (runtime.infer(engine, {'x': x}), runtime.info(engine), build())",
    "a recorder that calls back": "calls = []\n"
                                  "class Calls(Recorder):\n"
                                  "    def enqueue(self, record):\n"
                                  "        super().enqueue(record)\n"
                                  "        time.sleep(0.2)\n"
                                  "        for runtime, engine in calls:\n"
                                  "            runtime.info(engine)\n"
                                  "calls.append(build(recorder=Calls()))",
    "a slow recorder": "runtime, engine = build(recorder=Recorder(0.3))",
}


@pytest.mark.parametrize("how", EXITS)
def test_the_interpreter_ends_in_order(place, how):
    code = BEGIN + """
class Recorder:
    def __init__(self, delay=0):
        self.delay = delay
        self.count = 0

    def enqueue(self, record):
        time.sleep(self.delay)
        self.count += 1
        if record.kind == "c7.engines_ready":
            print("recorded", flush=True)

""" + EXITS[how]
    told = package.run(code, place.current(), status=1 if how == "an exception" else 0)
    assert told == "recorded\n", told


def test_the_recorder_hears_of_what_happened_last(place):
    told = package.run(BEGIN + """
class Recorder:
    def enqueue(self, record):
        print(record.kind, flush=True)

runtime, engine = build(recorder=Recorder())
bound = runtime.bind(engine, runtime.create_lane("test"))
try:
    bound.run(deadline_ns=1)
except skua.InferenceError:
    pass
""", place.current())
    assert told.split()[-1] == "c7.inference_failed", told


def test_a_child_ends_whatever_the_other_threads_were_about(place):
    """One that waited for the interpreter at the fork was waited for at the child's end, for ever."""
    told = package.run(BEGIN + """
import threading
runtime, engine = build()
lanes, over = [runtime.create_lane(name) for name in ("a", "b")], []
def use(lane):
    while not over:
        runtime.infer(engine, {"x": x}, lane=lane)
threads = [threading.Thread(target=use, args=(lane,)) for lane in lanes]
for thread in threads:
    thread.start()
time.sleep(0.2)
hung, others = 0, 0
for _ in range(10):
    child = os.fork()
    if child == 0:
        sys.exit(3)
    end, ended = time.monotonic() + 10, 0
    while not ended and time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.005)
    if not ended:
        hung += 1
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        break
    others += os.waitstatus_to_exitcode(status) != 3
over.append(True)
for thread in threads:
    thread.join()
print(json.dumps([hung, others]))
""", place.current())
    assert told == [0, 0]


def test_control_c_while_a_recorder_stands_still_at_the_exit(place):
    """Threads in a run ended the process with an abort then."""
    code = BEGIN + """
import threading
still = threading.Event()
class Recorder:
    def enqueue(self, record):
        still.wait()
runtime, engine = build(recorder=Recorder())
def use(lane):
    while True:
        runtime.infer(engine, {"x": x}, lane=lane)
for name in ("a", "b"):
    threading.Thread(target=use, args=(runtime.create_lane(name),), daemon=True).start()
time.sleep(0.2)
print("ending", flush=True)
"""
    with package.start(code, place.current(), start_new_session=True) as process:
        assert process.stdout.readline() == "ending\n"
        time.sleep(2.5)  # the pipeline's last words, a second, are over: it waits for the recorder
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        _, stderr = package.end_of(process)
    assert process.returncode in (0, 1), f"{process.returncode}\n{stderr}"
    assert "KeyboardInterrupt" in stderr and "terminate" not in stderr


def test_a_build_that_failed_leaves_children_free(place):
    told = package.run(BEGIN + """
class Recorder:
    def enqueue(self, record):
        pass
said = []
for fields in ({**CPU, "onnxruntime_library": "/nowhere/libonnxruntime.so"}, CPU):
    try:
        runtime = skua.build_inference_runtime(fields, role="ground", recorder=Recorder())
    except skua.SkuaError as error:
        said.append(error.reason)
    else:
        del runtime
    child = os.fork()
    if child == 0:
        try:
            build()
        except skua.InvalidArgumentError:
            os._exit(4)
        os._exit(3)
    said.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(said))
""", place.current())
    assert told == ["sdk_missing", 3, 4]  # its SDK's threads outlive a runtime that was built


def test_a_second_import_is_refused(place):
    told = package.run(BEGIN + """
import warnings
warnings.simplefilter("error")
runtime, engine = build()
for name in [name for name in sys.modules if name.split(".")[0] == "skua"]:
    del sys.modules[name]
try:
    import skua as again
    said = "imported"
except ImportError as error:
    said = str(error)
print(json.dumps([said, runtime.infer(engine, {"x": x})["y"].shape]))  # the first one goes on
""", place.current())
    assert "imported before" in told[0] and told[1] == [1, 8], told
