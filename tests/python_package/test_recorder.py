"""Recorders of the caller's: what they are given, on which thread, and what becomes of their own faults."""

import threading
import time

import pytest
from conftest import X, load

import skua


class Recorder:
    def __init__(self, problem=None):
        self.records, self.threads, self.problem = [], set(), problem

    def enqueue(self, record):
        self.threads.add(threading.get_ident())
        if self.problem:
            raise self.problem
        self.records.append(record)

    def kinds(self):
        return [record.kind for record in self.records]


@pytest.fixture(name="failing")
def runtime_with_a_failing_run(make_runtime, place):
    """Runs once past its deadline, which is recorded."""
    def use(recorder):
        runtime = make_runtime(recorder=recorder)
        bound = runtime.bind(load(runtime, place)["add_relu"], runtime.create_lane("test"))
        with pytest.raises(skua.InferenceError):
            bound.run(frame=12, deadline_ns=1)
        assert runtime.drain_events(10)
        return runtime, bound

    return use


def test_records_have_the_stacks_form(failing):
    recorder = Recorder()
    failing(recorder)
    assert {"c7.engines_ready", "c7.inference_failed"} <= set(recorder.kinds())
    failed = next(record for record in recorder.records if record.kind == "c7.inference_failed")
    assert failed.schema_version == 1 and failed.producer_id == "c7_inference"
    assert failed.payload == {"backbone": "add_relu", "reason": "deadline_missed", "native_code": 0, "frame_id": 12}
    assert failed.ts.endswith("Z") and len(failed.ts) == 27 and failed.monotonic_ns > 0
    unsigned = next(record for record in recorder.records if record.kind == "log")
    assert unsigned.payload["level"] == "WARN" and unsigned.payload["frame_id"] is None


def test_one_thread_calls_and_it_is_none_of_ours(failing):
    recorder = Recorder()
    _, bound = failing(recorder)
    for _ in range(20):
        with pytest.raises(skua.InferenceError):
            bound.run(deadline_ns=1)
    assert len(recorder.threads) == 1 and threading.get_ident() not in recorder.threads


def lost_of(recorder):
    return [record.payload for record in recorder.records
            if record.kind == "log" and record.payload["log_kind"] == "c7.sink_lost"]


def test_an_exception_of_it_is_a_lost_record_and_nothing_else(failing, capfd):
    recorder = Recorder(problem=ValueError("no room"))
    runtime, bound = failing(recorder)
    bound.run()
    recorder.problem = None
    end = time.monotonic() + 30
    while not (told := lost_of(recorder)) and time.monotonic() < end:  # told once it works again
        with pytest.raises(skua.InferenceError):
            bound.run(deadline_ns=1)
        runtime.drain_events(10)
        time.sleep(0.05)
    assert told and "python recorder" in str(told[0]) and capfd.readouterr().err == ""


def test_the_log_tells_why_records_were_lost(place):
    """As a process, whose stdout is the log."""
    import json

    import package

    told = package.run("""
import sys, skua
class Recorder:
    def enqueue(self, record):
        raise ValueError("no room")
config = {"runtime": "onnx_trt_ep", "execution_provider": "cpu"}
runtime = skua.build_inference_runtime(config, role="ground", recorder=Recorder(), log=True)
runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))
runtime.drain_events(10)
""", place.current())
    lost = [record for record in map(json.loads, told.splitlines()) if record["kind"] == "c7.sink_lost"]
    assert lost and "ValueError: no room" in lost[0]["kv"]["problem"] and lost[0]["component"] == "c7_inference"


def test_without_log_and_recorder_nothing_is_printed(make_runtime, place, capfd):
    load(make_runtime(), place)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [3, object(), lambda record: None])
def test_a_recorder_needs_enqueue(make_runtime, wrong):
    with pytest.raises(skua.InvalidArgumentError, match="enqueue"):
        make_runtime(recorder=wrong)


def test_a_recorder_goes_with_its_runtime(failing):
    import weakref

    recorder = Recorder()
    held, gone = failing(recorder), weakref.ref(recorder)
    del recorder
    assert gone() is not None
    del held
    assert gone() is None


def test_the_embedded_recorder_is_the_configurations(make_runtime, place, tmp_path):
    folder = tmp_path / "recorder"
    folder.mkdir()
    runtime = make_runtime(log=True, log_sink="none", recorder_dir=folder)
    load(runtime, place)
    assert runtime.drain_events(10) and list(folder.iterdir())
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, no folder")
    quiet = make_runtime(log_sink="stdout", recorder_dir=blocked)  # log=False: neither is started
    assert quiet.infer(load(quiet, place)["add_relu"], {"x": X})
    with pytest.raises(skua.InvalidArgumentError, match="recorder_dir"):
        make_runtime(log=True, log_sink="none", recorder_dir=blocked)


def a_cycle(make_runtime):
    import weakref

    recorder = Recorder()
    recorder.runtime = make_runtime(recorder=recorder)
    return weakref.ref(recorder)


def test_close_frees_a_recorder_that_knows_its_runtime(make_runtime):
    import gc

    gone = a_cycle(make_runtime)
    gc.collect()
    assert gone() is not None  # the control, and what the documentation says
    with gone().runtime:
        pass
    gc.collect()
    assert gone() is None


def test_after_close_everything_answers(make_runtime, place, tmp_path):
    recorder = Recorder()
    runtime = make_runtime(recorder=recorder)
    engines, lane = load(runtime, place), runtime.create_lane("other")
    engine, bound = engines["several"], runtime.bind(engines["add_relu"], lane)
    bound.run()
    runtime.close()
    runtime.close()
    assert "c7.engines_ready" in recorder.kinds() and not engine
    count = len(recorder.records)
    for call in (lambda: runtime.infer(engine, {"x": X}), lambda: runtime.bind(engine, lane), lambda: load(runtime, place),
                 lambda: runtime.create_lane("late"), lambda: runtime.info(engine), runtime.thermal_state, runtime.seal,
                 lambda: runtime.compile_engine(tmp_path / "x.onnx", skua.BuildConfig()), runtime.__enter__,
                 lambda: skua.LightGlueRuntime.create(runtime, engine, [lane])):
        with pytest.raises(skua.InvalidArgumentError, match="was closed"):
            call()
    with pytest.raises(skua.InferenceError) as released:
        bound.run()
    assert released.value.reason == "engine_released" and runtime.drain_events()
    assert runtime.current_runtime_label() == "onnx_trt_ep" and len(recorder.records) == count


def test_close_ends_a_drain(make_runtime, place):
    still, answers = threading.Event(), []

    class Still(Recorder):
        def enqueue(self, record):
            still.wait()

    runtime = make_runtime(recorder=Still())
    load(runtime, place)
    drain = threading.Thread(target=lambda: answers.append(runtime.drain_events(3000)))
    drain.start()
    time.sleep(0.2)
    assert not answers  # the control
    runtime.close()
    drain.join(120)
    still.set()
    assert answers == [False]


def test_a_drain_asks_for_seconds(make_runtime):
    runtime = make_runtime(recorder=Recorder())
    for wrong in (float("nan"), -1, -0.001):
        with pytest.raises(skua.InvalidArgumentError, match="timeout_s"):
            runtime.drain_events(wrong)
    for long in (float("inf"), 1e300, 1e18, 0.5):
        assert runtime.drain_events(long)
