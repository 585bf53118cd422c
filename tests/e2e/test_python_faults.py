"""A flight in Python when a run of a network goes wrong: the stack's consumers see it, and the next start does.

As test_flight_faults.py has it for skua-flight; what a fault is taken for is Skua's own and shown there.
"""

import shutil

import faulty_runtime
import programs
import pytest
from flights import in_flight

RERANKED, MATCHED = 10, 3  # pairs of a frame, and those of the best tiles after them
FRAMES = 3


@pytest.fixture(scope="module", name="package")
def package_with_a_faulty_runtime(tmp_path_factory):
    """Skua's package as it is installed, but for one library."""
    folder = tmp_path_factory.mktemp("faulty")
    shutil.copytree(programs.BUILD / "python" / "skua", folder / "skua", ignore=shutil.ignore_patterns("bin", "lib"))
    faulty_runtime.install(folder / "skua")
    return folder


@pytest.fixture(name="fly")
def flight_over_it(flight_place, package):
    flight_place.package = package
    flight_place.flight_block["rate_hz"] = 2
    return lambda fault: flight_place.fly("--duration", FRAMES / 2, env=faulty_runtime.variables(flight_place, fault))


def without_result(flown):
    return {line["frame"]: line["reason"] for line in flown.lines if "tile" not in line}


def test_control_the_library_in_between_changes_nothing(flight_place, fly):
    flown = fly(None)
    assert flown.status == programs.DONE and flown.lines and not without_result(flown), flown.explain()
    assert not in_flight(flight_place)


def test_a_lost_device_ends_the_program_for_a_restart(flight_place, fly):
    """It is no frame without a result: every consumer passes it on."""
    flown = fly("demo_features:2:device_lost")
    assert flown.status == programs.DEVICE_LOST and "[device_lost]" in flown.stderr, flown.explain()
    assert len(flown.lines) == 1 and in_flight(flight_place), "the next start must know that it is in the air"
    again = flight_place.ok("--duration", 0.3)
    assert (again.report["phase"], again.report["start_count"]) == ("F8", 2) and not in_flight(flight_place)
    assert again.report["positions"] == again.report["frames"] > 0


@pytest.mark.parametrize("model", ["demo_vpr", "demo_features"])
def test_one_failed_run_is_one_frame_without_a_result(fly, model):
    flown = fly(f"{model}:2:execution_failed")
    assert flown.status == programs.DONE, flown.explain()
    second = flown.lines[1]["frame"]
    assert without_result(flown) == {second: "execution_failed"}, flown.explain()
    assert [record["frame_id"] for record in flown.told("c7.inference_failed")] == [second]


@pytest.mark.parametrize("pair", [RERANKED // 2, RERANKED + 2])
def test_one_failed_pair_is_dropped_and_the_frame_stands(fly, pair):
    flown = fly(f"demo_matcher:{pair}:execution_failed")
    assert flown.status == programs.DONE and not without_result(flown), flown.explain()
    (told,) = flown.told("c7.inference_failed")
    assert told["kv"]["backbone"] == "demo_matcher" and told["frame_id"] == flown.lines[0]["frame"]


def test_a_last_pair_that_is_late_leaves_no_position_behind_the_deadline(fly, flight_place):
    """The two pairs before it have an answer, which comes too late for whoever waits for it."""
    flight_place.flight_block["deadline_ms"] = 2500
    flown = fly(f"demo_matcher:{RERANKED + MATCHED}:slow")
    assert flown.status == programs.DONE, flown.explain()
    first = flown.lines[0]
    assert (first.get("reason"), first.get("stage"), first["k"]) == ("deadline_missed", "frame", MATCHED), flown.explain()
    assert "tile" not in first and first["ms"]["solve"] >= 0, "it was located, and not believed"
    (told,) = flown.told("c7.inference_failed")
    assert (told["kv"]["backbone"], told["kv"]["reason"]) == ("demo_matcher", "deadline_missed")
