"""An aircraft remembers the release sequence that it has accepted: older sets stay on the ground, whatever happens to the
memory. `skua ratchet` shows it, and resets it on the ground alone."""

import json

import flights
import programs
import pytest
from flights import in_flight, wait_for
from programs import DONE, REFUSED, USAGE


@pytest.fixture(autouse=True)
def few_tiles(flight_place):
    """Every test here starts often, and none looks at a position."""
    flight_place.flight_block["map"] = flight_place.small_map


@pytest.fixture(name="ratchet")
def ratchet_of_the_place(skua, flight_place):
    """`skua ratchet` on the place's state folder."""
    return lambda *options: skua("ratchet", flight_place.state, *options, "--json")


@pytest.fixture(name="sequence")
def sequence_of_the_set(flight_place):
    current = (flight_place.sets / "CURRENT").read_text("ascii").strip()
    return json.loads((flight_place.sets / current / "flight-manifest.json").read_text())["release_sequence"]


def accepted(ratchet):
    shown = ratchet()
    assert shown.returncode == DONE, shown.stderr
    return programs.document(shown)["accepted"]


def copies(flight_place):
    return {path.name: path.read_bytes() for path in (flight_place.state / "release").iterdir()}


def killed_in_flight(flight_place):
    process = flight_place.start("--duration", 600)
    wait_for(lambda: in_flight(flight_place), "the frame loop", process)
    flights.kill(process)


def test_a_set_older_than_the_last_one_stays_on_the_ground(flight_place, ratchet, sequence):
    assert accepted(ratchet) is None
    flown = flight_place.ok("--duration", 0.1)
    assert accepted(ratchet) == sequence
    (told,) = flown.told("c7.sequence_accepted")
    assert told["level"] == "INFO" and told["kv"]["release_sequence"] == sequence
    assert not flight_place.ok("--duration", 0.1).told("c7.sequence_accepted"), "accepted once"
    assert ratchet("--reset", sequence + 1).returncode == DONE  # as if a newer set had flown
    before = copies(flight_place)
    flown = flight_place.refused(REFUSED, "sequence_too_old", sequence + 1)
    assert len(flown.told("c7.takeoff_refused")) == 1 and copies(flight_place) == before
    assert ratchet("--reset", sequence).returncode == DONE
    flight_place.ok("--duration", 0.1)  # the control


def test_a_check_accepts_nothing(flight_place, ratchet):
    flown = flight_place.ok("--check")
    assert not flown.told("c7.sequence_accepted") and list(flight_place.state.iterdir()) == []
    assert accepted(ratchet) is None


def test_one_damaged_copy_is_told_and_healed(flight_place, ratchet):
    flight_place.ok("--duration", 0.1)
    good = copies(flight_place)
    assert set(good) == {"ratchet.a", "ratchet.b"}
    for name in good:
        (flight_place.state / "release" / name).write_bytes(good[name][:-1])
        assert programs.document(ratchet())["is_one_copy_bad"]
        (told,) = flight_place.ok("--duration", 0.1).told("c7.ratchet")
        assert told["level"] == "WARN" and copies(flight_place) == good


def test_two_damaged_copies_ground_the_aircraft_and_end_no_flight(flight_place, ratchet, sequence):
    killed_in_flight(flight_place)
    record = (flight_place.state / "in_flight.json").read_bytes()
    for name in copies(flight_place):
        (flight_place.state / "release" / name).write_text("damaged")
    before = copies(flight_place)
    flown = flight_place.ok("--duration", 0.1)  # a reboot in the air
    assert flown.report["phase"] == "F8" and len(flown.told("c7.ratchet")) == 1, flown.explain()
    assert copies(flight_place) == before, "nothing is made up for it"
    flight_place.refused(REFUSED, "ratchet_damaged", "skua ratchet")  # that flight ended in order: a take-off
    programs.error_of(ratchet(), REFUSED, "ratchet_damaged")
    (flight_place.state / "in_flight.json").write_bytes(record)
    programs.error_of(ratchet("--reset", sequence), USAGE, "folder_busy", "If that flight is over")
    (flight_place.state / "in_flight.json").unlink()
    assert ratchet("--reset", sequence).returncode == DONE
    flight_place.ok("--duration", 0.1)


def test_nothing_is_reset_while_a_flight_runs(flight_place, ratchet, sequence):
    process = flight_place.start("--duration", 600)
    wait_for(lambda: in_flight(flight_place), "the frame loop", process)
    programs.error_of(ratchet("--reset", sequence + 5), USAGE, "folder_busy")
    assert accepted(ratchet) == sequence, "looking is allowed"
    process.terminate()
    assert flight_place.end(process).status == DONE
    assert ratchet("--reset", sequence + 5).returncode == DONE  # the control


def test_a_state_folder_that_others_may_write_is_refused(flight_place):
    flight_place.state.chmod(0o777)
    flight_place.refused(REFUSED, "file_mode", flight_place.state)
    flight_place.state.chmod(0o755)
    flight_place.ok("--check")
