"""F8: skua-flight killed at any moment and started again, and what the record of the flight says."""

import json
import os
import random
import time

import flights
import numpy as np
import programs
import pytest
from flights import in_flight, wait_for

pytestmark = pytest.mark.alone  # it is about time


@pytest.fixture(autouse=True)
def few_tiles(flight_place):
    """Every test here starts often, and none looks at a position."""
    flight_place.flight_block["map"] = flight_place.small_map


def quantiles(values):
    return f"p50 {np.quantile(values, 0.5):.2f} s, p99 {np.quantile(values, 0.99):.2f} s, max {max(values):.2f} s"


def forget_cached(folder):
    """The next start reads the set from the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def told_before(process):
    """What a killed program had logged by then; the last line may be cut."""
    lines = process.stdout.read().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def phases_told(place, records):
    """What a start said that it is, in flight, or of Python, which has no word of its own for it, once it was loaded."""
    if not place.is_python:
        return [record["kv"]["phase"] for record in records if record["kind"] == "c7.flight_begun"]
    kinds = [record["kind"] for record in records]
    return ["F8" if "c7.reboot_in_flight" in kinds else "F2"] * kinds.count("c7.engines_ready")


def test_killed_at_any_moment_it_comes_back_with_the_same_set(flight_place):
    """kill -9 at a random moment between the start and some frames into the flight. Every start that got so far has the
    right set, its golden vectors reproduced (else it would not be ready), and says truly whether it is a take-off or a
    reboot. Every second start is cold: the set is not in the page cache."""
    expected = (flight_place.sets / "CURRENT").read_text("ascii").strip()
    ready_s = flight_place.ok("--duration", 0.1).report["ready_ms"] / 1e3
    kills = programs.repeats("e2e_python_kills" if flight_place.is_python else "e2e_flight_kills")
    moments = random.Random(7)
    phases, starts = [], []
    for number in range(kills):
        was_in_flight = in_flight(flight_place)
        if number % 2:
            forget_cached(flight_place.sets)
        began = time.monotonic()
        process = flight_place.start("--duration", 600)
        if number == 0:  # at least one is killed in flight, however slow the machine is today
            wait_for(lambda: in_flight(flight_place), "the frame loop", process)
        else:
            time.sleep(moments.uniform(0.0, 1.6 * ready_s))
        process.kill()
        process.wait()
        told = told_before(process)
        for record in told:
            assert record["kind"] not in ("c7.engine_refused", "c7.takeoff_refused"), record
            if record["kind"] == "c7.engines_ready":
                assert record["kv"]["set_id"] == expected and record["kv"]["engine_times"].count("golden=") == 3
                starts.append(record["kv"]["total_ns"] / 1e9)
        for phase in phases_told(flight_place, told):
            assert phase == ("F8" if was_in_flight else "F2"), told
            phases.append(phase)
        process.stdout.close()
        process.stderr.close()
        if number % 6 == 2:  # an orderly end now and then: the start after it is a take-off
            was_in_flight = in_flight(flight_place)
            flown = flight_place.ok("--duration", 0.2)
            assert flown.report["set_id"] == expected and not in_flight(flight_place)
            assert flown.report["phase"] == ("F8" if was_in_flight else "F2")
            phases.append(flown.report["phase"])
        assert time.monotonic() - began < programs.TIMEOUT_S
    was_in_flight = in_flight(flight_place)
    flown = flight_place.ok("--duration", 0.5)
    assert flown.report["set_id"] == expected and flown.report["frames"] > 0
    assert flown.report["phase"] == ("F8" if was_in_flight else "F2")
    phases.append(flown.report["phase"])
    assert not in_flight(flight_place), "an orderly end clears the record"
    assert {"F2", "F8"} <= set(phases) and len(starts) > kills // 4, (phases, starts)
    print(f"\n{kills} kills, {len(starts)} loads came through, {phases.count('F8')} reboots told; load: {quantiles(starts)}")


def test_a_reboot_in_flight_is_recognised_and_told(flight_place, skua):
    kills = 1 if flight_place.is_python else 3
    for count in range(1, kills + 1):
        process = flight_place.start("--duration", 600)
        wait_for(lambda: flight_place.frame_lines.exists() and flight_place.frame_lines.stat().st_size, "a frame", process)
        assert json.loads((flight_place.state / "in_flight.json").read_text())["start_count"] == count
        flights.kill(process)
    flown = flight_place.ok("--duration", 0.3)
    (reboot,) = flown.told("c7.reboot_in_flight")
    assert reboot["level"] == "WARN" and reboot["kv"]["start_count"] == kills + 1
    assert flight_place.begun(flown) == {"set_id": flown.report["set_id"], "runtime": "pytorch_fp16", "phase": "F8",
                                         "start_count": kills + 1}
    assert not flown.told("c7.crash_loop")
    recorded = skua.ok("recorder", "dump", flight_place.recorder, "--kind", "c7.reboot_in_flight", "--json")["records"]
    assert [record["payload"]["start_count"] for record in recorded] == list(range(2, kills + 2))
    assert flight_place.ok("--duration", 0.3).report["phase"] == "F2"


def state_of(flight_place, **fields):
    document = {"schema_version": 1, "set_id": (flight_place.sets / "CURRENT").read_text("ascii").strip(),
                "boot_id": open("/proc/sys/kernel/random/boot_id").read().strip(), "start_count": 4,
                "recent_starts_s": [int(time.clock_gettime(time.CLOCK_BOOTTIME)) - 5] * 4, **fields}
    (flight_place.state / "in_flight.json").write_text(json.dumps(document))


def test_a_crash_loop_is_an_error(flight_place):
    state_of(flight_place)
    flown = flight_place.ok("--duration", 0.1)
    (loop,) = flown.told("c7.crash_loop")
    assert loop["level"] == "ERROR" and loop["kv"]["start_count"] == 5


def test_a_crash_loop_of_loads_is_an_error_too(flight_place):
    """A start that falls over before it flies is counted: it is the load where memory runs out."""
    state_of(flight_place)
    flight_place.c7["gpu_memory_budget_bytes"] = 100_000
    flown = flight_place.refused(programs.OUT_OF_MEMORY, "memory_budget_exceeded")
    assert len(flown.told("c7.crash_loop")) == 1 and len(flown.told("c7.reboot_in_flight")) == 1
    assert json.loads((flight_place.state / "in_flight.json").read_text())["start_count"] == 5


def test_control_old_starts_are_no_crash_loop(flight_place):
    state_of(flight_place, recent_starts_s=[0, 0, 0, 0])
    assert not flight_place.ok("--duration", 0.1).told("c7.crash_loop")
    state_of(flight_place, boot_id="another boot")
    flown = flight_place.ok("--duration", 0.1)
    assert not flown.told("c7.crash_loop") and flown.report["phase"] == "F8"


def test_a_record_of_another_set_is_a_take_off_and_told(flight_place):
    state_of(flight_place, set_id="set-9")
    flown = flight_place.ok("--duration", 0.1)
    assert flown.report["phase"] == "F2" and flown.report["start_count"] == 1
    (told,) = flown.told("c7.flight_state")
    assert "set-9" in told["msg"] and told["level"] == "WARN"


def test_a_damaged_record_is_kept_and_told(flight_place):
    for damage in ("", "{", "[]", '{"schema_version": 2}', "\0" * 100, "x" * 100_000):
        path = flight_place.state / "in_flight.json"
        path.write_text(damage)
        flown = flight_place.ok("--duration", 0.1)
        assert flown.report["phase"] == "F2" and len(flown.told("c7.flight_state")) == 1, flown.explain()
        aside = flight_place.state / "in_flight.json.rejected"
        assert aside.read_text() == damage
        aside.unlink()


def test_integrity_is_not_skipped_in_the_air(flight_place):
    """F8 uses the same gates: an engine that changed between two starts is refused."""
    sets = flight_place.own_sets()
    process = flight_place.start("--duration", 600)
    wait_for(lambda: in_flight(flight_place), "the frame loop", process)
    flights.kill(process)
    (engine,) = sets.glob("*/demo_matcher__*.pt")
    content = bytearray(engine.read_bytes())
    content[100] ^= 4
    engine.write_bytes(content)
    flight_place.refused(programs.REFUSED, "sidecar_hash_mismatch", engine.name)
    assert in_flight(flight_place), "a refused start does not end the flight's record"
    content[100] ^= 4
    engine.write_bytes(content)
    assert flight_place.ok("--duration", 0.1).report["phase"] == "F8"


def test_most_critical_engine_first(flight_place):
    flown = flight_place.ok("--duration", 0.1)
    (manifest,) = flight_place.sets.glob("*/flight-manifest.json")
    ordered = sorted(json.loads(manifest.read_text())["artifacts"], key=lambda artifact: artifact["criticality"])
    assert [engine["model"] for engine in flown.report["engines"]] == [artifact["name"] for artifact in ordered]
    assert os.listdir(flight_place.state) == ["release"]


def test_a_check_is_no_start_of_a_flight_in_progress(flight_place):
    process = flight_place.start("--duration", 600)
    wait_for(lambda: in_flight(flight_place), "the flight's record", process)
    flights.kill(process)
    record = (flight_place.state / "in_flight.json").read_bytes()
    flight_place.ok("--check")
    assert (flight_place.state / "in_flight.json").read_bytes() == record
    flight_place.ok("--duration", 0.1)  # the control: a start is counted, and ends the record in order
    assert not in_flight(flight_place)
