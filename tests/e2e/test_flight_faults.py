"""Item 9 of the airborne programme: what skua-flight does when a run goes wrong, with one network's run made to fail.

A copy of the program runs with libskua_torch_run.so replaced by tests/modules/torch_run_faulty.cpp, which hands
everything to the real one but the run that SKUA_TEST_FAULT names. No GPU is needed: what an SDK's words are taken for
is shown by the unit tests of the errors, what follows from it is shown here.
"""

import json
import pathlib
import shutil
import signal
import socket
import time

import faulty_runtime
import flights
import programs
import pytest
from flights import in_flight, wait_for

pytestmark = pytest.mark.alone  # it is about time

HZ, FRAMES = 1, 4  # slow: what is shown here is no speed, and a busy machine must not add faults of its own
RERANKED, MATCHED = 10, 3  # pairs of a frame
HANG_S = 4.0 / HZ  # without a sign of life; several times what lies between two of them


@pytest.fixture(scope="session", name="faulty_program")
def program_with_a_faulty_runtime(tmp_path_factory):
    """bin/ and lib/ as they are installed, but for one library."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "bin").mkdir()
    shutil.copy2(flights.FLIGHT, folder / "bin")
    faulty_runtime.install(folder)
    return folder / "bin" / "skua-flight"


class FaultyPlace:
    """A place whose flights are flown by the faulty program."""

    def __init__(self, place, program):
        self.place = place
        place.program = program
        place.flight_block.update(rate_hz=HZ, deadline_ms=900 / HZ)

    def start(self, fault, env=None):
        return self.place.start("--duration", 600, env={**faulty_runtime.variables(self.place, fault), **(env or {})})

    def fly(self, fault):
        return self.place.fly("--duration", FRAMES / HZ, env=faulty_runtime.variables(self.place, fault))


@pytest.fixture(name="faulty")
def faulty_place(flight_place, faulty_program):
    return FaultyPlace(flight_place, faulty_program)


def recorded(skua, place, kind):
    """Payloads of a kind, from the recorder as the operator reads it."""
    records = skua.ok("recorder", "dump", place.recorder, "--kind", kind, "--json")["records"]
    return [record["payload"] for record in records]


def without_result(flown):
    return {line["frame"]: line for line in flown.lines if "tile" not in line}


def test_control_the_library_in_between_changes_nothing(faulty):
    flown = faulty.fly(None)
    assert flown.status == programs.DONE and len(flown.lines) == FRAMES, flown.explain()
    assert not without_result(flown) and not flown.told("c7.inference_failed"), flown.explain()
    assert flown.report["positions"] == FRAMES and not in_flight(faulty.place)


@pytest.mark.parametrize("model, nth, frame", [("demo_vpr", 3, 2), ("demo_features", 2, 1),
                                               ("demo_matcher", RERANKED + MATCHED + 1, 1)])
def test_a_lost_device_ends_the_program_for_a_restart(faulty, skua, model, nth, frame):
    place = faulty.place
    flown = faulty.fly(f"{model}:{nth}:device_lost")
    assert flown.status == programs.DEVICE_LOST, flown.explain()
    assert "[device_lost]" in flown.stderr and "700" in flown.stderr, flown.stderr
    assert [line["frame"] for line in flown.lines][-1] == frame and set(without_result(flown)) == {frame}, flown.explain()
    assert flown.report["cause"] == "device_lost"
    (why,) = recorded(skua, place, "c7.runtime_faulted")
    assert why == {"runtime": "pytorch_fp16", "reason": "device_lost"}
    assert recorded(skua, place, "c7.flight_ended")[-1]["cause"] == "device_lost"
    failed = recorded(skua, place, "c7.inference_failed")
    assert failed and failed[0] == {"backbone": model, "reason": "device_lost", "native_code": 700, "frame_id": frame}
    assert "700" in flown.told("c7.runtime_faulted")[0]["msg"]
    assert in_flight(place), "the next start must know that it is in the air"
    again = place.ok("--duration", 0.3)
    assert again.report["phase"] == "F8" and again.report["start_count"] == 2, again.explain()
    assert again.report["positions"] == again.report["frames"] > 0 and not in_flight(place)


@pytest.mark.parametrize("what, kind", [("execution_failed", "c7.inference_failed"),
                                        ("deadline_missed", "c7.inference_failed"), ("slow", "c7.inference_failed"),
                                        ("out_of_memory", "c7.out_of_memory")])
@pytest.mark.parametrize("model", ["demo_vpr", "demo_features"])
def test_one_failed_run_is_one_frame_without_a_result(faulty, skua, model, what, kind):
    """The frame is dropped and told; the lane recovers by itself."""
    flown = faulty.fly(f"{model}:2:{what}")
    assert flown.status == programs.DONE, flown.explain()
    reason = "deadline_missed" if what == "slow" else what
    missing = without_result(flown)
    assert list(missing) == [1] and missing[1]["reason"] == reason, flown.explain()
    told = recorded(skua, faulty.place, kind)
    assert told == [{"backbone": model, "reason": reason, "native_code": 0, "frame_id": 1}]
    assert [line["frame"] for line in flown.lines] == list(range(FRAMES)), flown.explain()
    assert flown.report["positions"] == FRAMES - 1
    assert flown.report["no_result"] == {reason: 1} and not in_flight(faulty.place)


@pytest.mark.parametrize("what, kind", [("execution_failed", "c7.inference_failed"), ("out_of_memory", "c7.out_of_memory")])
@pytest.mark.parametrize("pair", [RERANKED // 2, RERANKED + 2])
def test_one_failed_pair_is_dropped_and_the_frame_stands(faulty, skua, what, kind, pair):
    """Of the ten that are ranked, or of the three that are matched."""
    flown = faulty.fly(f"demo_matcher:{RERANKED + MATCHED + pair}:{what}")
    assert flown.status == programs.DONE and len(flown.lines) == FRAMES, flown.explain()
    assert flown.report["positions"] == FRAMES, flown.explain()
    told = recorded(skua, faulty.place, kind)
    assert told == [{"backbone": "demo_matcher", "reason": what, "native_code": 0, "frame_id": 1}]


def test_a_signal_ends_a_flight_that_hangs_in_a_run(faulty):
    process = faulty.start("demo_features:3:hang")
    wait_for(lambda: faulty.place.frame_lines.exists() and faulty.place.frame_lines.read_text().count("\n") >= 2, "frames", process)
    time.sleep(1.5 / HZ)  # into the run that hangs
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    flown = faulty.place.end(process)
    took = time.monotonic() - sent
    assert took < 3.0, f"{took} s"  # the grace is a tenth of that; a loaded machine has its own ideas
    assert len(flown.told("c7.flight_cut_short")) == 1, flown.explain()
    (ended,) = flown.told("c7.flight_ended")  # the summary is told all the same
    assert ended["kv"]["cause"] == "signal" and ended["kv"]["frame_count"] == 2
    assert len(flown.lines) == 2 and not in_flight(faulty.place), "an order to end is no reboot in flight"


class Supervisor:
    """The other end of NOTIFY_SOCKET: when was the last sign of life?"""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))

    def listen(self, seconds):
        """What came within `seconds`."""
        end, came = time.monotonic() + seconds, []
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                came.append(self.socket.recv(4096).decode())
            except TimeoutError:
                break
        return came

    def variables(self):
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(300_000)}


@pytest.mark.parametrize("fault", ["demo_vpr:4:hang", None])
def test_a_flight_that_hangs_gives_no_sign_of_life(faulty, tmp_path, fault):
    """systemd's watchdog ends what no signal is sent to. The control is a flight that goes on."""
    supervisor = Supervisor(tmp_path)
    process = faulty.start(fault, supervisor.variables())
    wait_for(lambda: faulty.place.frame_lines.exists() and faulty.place.frame_lines.read_text().count("\n") >= 3, "frames", process)
    time.sleep(1.5 / HZ)
    before = supervisor.listen(0.05)
    after = supervisor.listen(HANG_S)
    assert process.poll() is None
    flights.kill(process)
    assert before[0].startswith("READY=1") and "WATCHDOG=1" in before, before
    assert ("WATCHDOG=1" in after) == (fault is None), after
    assert json.loads((faulty.place.state / "in_flight.json").read_text())["start_count"] == 1
