"""What only a flight program in Python has: an interpreter that ends in its own ways, and a recorder that is Python.

That the flight itself is as skua-flight's is shown by the tests that run over both (flight_programs.py).
"""

import json
import re
import sys

import flight_programs
import flights
import programs
import pytest
from flights import in_flight, wait_for

HERE = programs.ROOT / "tests" / "e2e"
LAUNCHER = HERE / "python_flight_ends.py"
EXITED = 3  # the status of sys.exit and os._exit there
FRAME = 4  # behind which it ends
HZ = 10


@pytest.fixture(name="place")
def place_of_python(flight_place):
    """Every frame fails, as its deadline is over before its first run ends: each is told, once, at once.

    Infer tells every run in the log beside."""
    flight_place.flight_block.update(map=flight_place.small_map, rate_hz=HZ, deadline_ms=1)
    flight_place.c7.update(per_frame_debug_log=True, log_level="DEBUG")
    flight_place.c13 = flight_place.folder / "c13.jsonl"
    record_with(flight_place, "bad_recorders:Tardy", file=flight_place.c13)
    return flight_place


def record_with(place, recorder, **more):
    place.components["c13_fdr"] = {"recorder": recorder, **more}


def ended(place, how):
    """A flight that ends behind its FRAMEth frame."""
    return place.fly("--duration", 600, prefix=(sys.executable, LAUNCHER, how, FRAME))


def failed_in(records):
    """The frames that a log, or a recorder, knows to have failed."""
    failed = [record for record in records if record["kind"] == "c7.inference_failed"]
    return [record.get("payload", record)["frame_id"] for record in failed]


def kept_by_c13(place):
    return [json.loads(line) for line in place.c13.read_text("ascii").splitlines()]


ENDS = {"nothing": (programs.DONE, False), "sigterm": (programs.DONE, False), "raise": (1, True),
        "sys_exit": (EXITED, True)}


@pytest.mark.parametrize("how", ENDS)
def test_log_and_recorders_are_complete_whichever_way_it_ends(place, skua, how):
    """Every frame that was flown stands in the log, in Skua's recorder and in the stack's, the last one too; and the record
    of the flight is gone where it ended in order, and there where it did not."""
    status, is_left = ENDS[how]
    flown = place.fly("--duration", 0.5) if how == "nothing" else ended(place, how)
    assert flown.status == status, flown.explain()
    frames = [line["frame"] for line in flown.lines]
    assert len(frames) >= (1 if how == "nothing" else FRAME) and {line["reason"] for line in flown.lines} == {"deadline_missed"}
    assert failed_in(flown.log) == frames
    kept = kept_by_c13(place)
    recorded = skua.ok("recorder", "dump", place.recorder, "--json")["records"]
    for records in (kept, recorded):
        assert failed_in(records) == frames
        assert [record["kind"] for record in records].count("c7.engines_ready") == 1
        assert not [record for record in records if record["kind"] == "overrun"]
    assert in_flight(place) == is_left
    assert ("Traceback" in flown.stderr) == (how == "raise"), flown.stderr


def test_infer_tells_every_run_of_a_frame(place):
    place.flight_block["deadline_ms"] = 60000
    flown = place.ok("--duration", 0.5)
    told = [record["frame_id"] for record in flown.told("c7.infer")]
    assert told == [None] * flights.SMALL + [line["frame"] for line in flown.lines]  # the map's tiles, then the frames


@pytest.mark.parametrize("how", ["os_exit", "sigkill"])
def test_an_end_that_nobody_can_tell_is_a_reboot_in_flight(place, skua, how):
    flown = ended(place, how)
    assert flown.status == (EXITED if how == "os_exit" else -9), flown.explain()
    assert len(flown.lines) == FRAME and in_flight(place)
    assert len(failed_in(kept_by_c13(place))) < FRAME  # a control: what nobody waits for is lost
    again = place.ok("--duration", 0.1)
    assert place.begun(again)["phase"] == "F8" and place.begun(again)["start_count"] == 2
    assert len(again.told("c7.reboot_in_flight")) == 1 and not in_flight(place)
    kinds = [record["kind"] for record in skua.ok("recorder", "dump", place.recorder, "--json")["records"]]
    assert kinds.count("c7.engines_ready") == 2, "what was recorded before is readable"


def test_a_signal_before_the_first_frame_ends_it_and_leaves_no_flight(place):
    process = place.start("--duration", 600)
    wait_for(lambda: any((place.recorder).iterdir()), "the recorder", process)
    process.terminate()
    flown = place.end(process)
    assert flown.status == programs.DONE and not flown.lines and not in_flight(place), flown.explain()


def test_a_recorder_that_raises_costs_its_records_and_no_frame(place, skua):
    record_with(place, "bad_recorders:Raising")
    flown = place.ok("--duration", 0.5)
    frames = [line["frame"] for line in flown.lines]
    assert failed_in(flown.log) == frames
    lost = flown.told("c7.sink_lost")
    assert lost and lost[0]["kv"]["sink"] == "python recorder" and "no room for" in lost[0]["kv"]["problem"]
    recorded = skua.ok("recorder", "dump", place.recorder, "--kind", "c7.inference_failed", "--json")["records"]
    assert failed_in(recorded) == frames, "the other recorder has them"
    assert not in_flight(place)


@pytest.mark.parametrize("recorder, waits", [("Blocking", False), ("Holding", True)])
def test_a_slow_recorder_holds_up_nobody_but_its_thread(place, recorder, waits):
    """Frames are flown while it stands still; the control holds the interpreter itself, and then none is."""
    told = place.folder / "meanwhile"
    record_with(place, f"bad_recorders:{recorder}", file=place.c13, lines=place.frame_lines, told=told)
    process = place.start("--duration", 600)
    wait_for(lambda: told.exists() and told.read_text(), "the recorder to go on", process)
    process.terminate()
    flown = place.end(process)
    assert flown.status == programs.DONE, flown.explain()
    meanwhile = int(told.read_text())
    assert meanwhile <= 1 if waits else meanwhile >= 3, meanwhile
    assert failed_in(kept_by_c13(place)) == [line["frame"] for line in flown.lines]


def test_every_test_that_flies_has_chosen_its_programs():
    """A new one is noticed when tests are collected; here, what the tables name and is no more."""
    with pytest.raises(LookupError, match="test_new.py::test_one flies, and stands in no table"):
        flight_programs.programs_of("test_new.py", "test_one")
    for table in (flight_programs.ON_BOTH, *flight_programs.ONLY_CPP.values()):
        for file, tests in table.items():
            known = re.findall(r"^def (test_\w+)", (HERE / file).read_text("ascii"), re.MULTILINE)
            assert set(tests or ()) <= set(known), (file, set(tests) - set(known))
