"""skua-flight from a configuration file to positions, over the demo set."""

import json
import signal
import time

import flights
import programs
import pytest
from flights import in_flight, wait_for

STAGES = ("vpr", "features", "rerank", "match", "solve", "own", "frame", "acquire")
MIN_TILES, MIN_POSITIONS, MAX_ERROR_PX = 0.95, 0.90, 5.0


def test_the_aircraft_knows_where_it_is(flight_place):
    flight_place.flight_block["rate_hz"] = 4  # every frame once, sooner than at 3 Hz
    flown = flight_place.ok()
    assert [line["frame"] for line in flown.trace] == list(range(flights.FRAMES)), flown.explain()
    right, off = flight_place.errors(flown.trace)
    assert right.sum() >= MIN_TILES * flights.FRAMES, flown.trace
    assert (off <= MAX_ERROR_PX).sum() >= MIN_POSITIONS * flights.FRAMES, off
    report = flown.report
    assert report["cause"] == "frames" and report["frames"] == flights.FRAMES and report["phase"] == "F2"
    assert report["positions"] == len(right) and report["missed"] == 0
    assert set(STAGES) <= set(report["stages"])
    for line in flown.trace:
        assert line["k"] == 3 and line["covariance"] == "marginals" and not line["throttled"]
        assert 0 < line["sigma_x"] < 1 and 0 < line["sigma_y"] < 1


def test_control_another_map_is_noticed(flight_place, tmp_path):
    """The tiles' names exchanged: positions are far off. The test above would see it."""
    other = tmp_path / "map"
    other.mkdir()
    document = json.loads((flight_place.map / "map.json").read_text())
    for tile in document["tiles"]:
        (other / tile["file"]).write_bytes((flight_place.map / tile["file"]).read_bytes())
        tile["x"] += 640
    (other / "map.json").write_text(json.dumps(document))
    flight_place.flight_block.update(map=other, rate_hz=4)
    _, off = flight_place.errors(flight_place.ok("--duration", 0.5).trace)
    assert len(off) and (off > MAX_ERROR_PX).all()


def test_three_hz_from_take_off_to_summary(flight_place):
    seconds = programs.repeats("e2e_flight_seconds")
    flown = flight_place.ok("--duration", seconds, timeout=seconds + programs.TIMEOUT_S)
    report = flown.report
    assert report["cause"] == "duration" and report["frames"] == 3 * seconds, report
    assert report["missed"] == 0 and not report["no_result"], report
    own, frame = report["stages"]["own"], report["stages"]["frame"]
    with_matcher = {name: f"p50 {s['p50_ms']:.2f} p95 {s['p95_ms']:.2f} p99 {s['p99_ms']:.2f} max {s['max_ms']:.2f}"
                    for name, s in report["stages"].items()}
    print(f"\n{seconds} s at 3 Hz, ms: {with_matcher}\nmemory {report['memory']}\nown share of a frame, p50: "
          f"{own['p50_ms'] / frame['p50_ms']:.2%}; late {report['late']}")
    (begun,), (ended,) = flown.told("c7.flight_begun"), flown.told("c7.flight_ended")
    assert begun["kv"]["phase"] == "F2" and ended["kv"]["missed_count"] == 0
    assert len(flown.told("c7.runtime_built")) == 1 and len(flown.told("c7.engines_ready")) == 1
    assert not in_flight(flight_place)


def test_ready_event_has_the_time_of_every_engine(flight_place):
    flown = flight_place.ok("--duration", 0.1)
    assert {engine["model"] for engine in flown.report["engines"]} == set(flights.DEMO)
    for engine in flown.report["engines"]:
        assert all(engine[f"{step}_ms"] > 0 for step in ("verify", "deserialize", "warm_up", "golden"))
    assert len(flown.told("c7.set_unsigned")) == 1


def test_throttled_means_two_candidates_and_the_cheaper_covariance(flight_place, tmp_path):
    replay = tmp_path / "hot.jsonl"
    replay.write_text(flights.throttled_replay())
    flight_place.c7.update(thermal_source="replay", thermal_replay=replay)
    flight_place.flight_block["rate_hz"] = 4
    flown = flight_place.ok("--duration", 1)
    assert flown.report["throttled"] == flown.report["frames"] > 0, flown.explain()
    for line in flown.trace:
        assert line["throttled"] and line["k"] == 2 and line["covariance"] == "jacobian"
    right, off = flight_place.errors(flown.trace)
    assert right.all() and (off <= MAX_ERROR_PX).all()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_flight_in_time_and_in_order(flight_place, signal_number):
    process = flight_place.start("--duration", 600)
    wait_for(lambda: flight_place.trace.exists() and flight_place.trace.read_text().count("\n") >= 2, "frames", process)
    sent = time.monotonic()
    process.send_signal(signal_number)
    flown = flight_place.end(process)
    took = time.monotonic() - sent
    assert flown.status == programs.DONE, flown.explain()
    assert took < 2.0, f"{took} s"  # the bar of 200 ms is the benchmark's; a loaded machine has its own ideas
    print(f"\n{signal_number.name} to the end: {1e3 * took:.0f} ms")
    assert flown.report["cause"] == "signal" and len(flown.told("c7.flight_ended")) == 1
    assert not in_flight(flight_place)


def test_a_signal_ends_a_load_in_time(flight_place):
    process = flight_place.start("--duration", 600)
    time.sleep(0.15)  # anywhere before or in the load
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    flown = flight_place.end(process)
    assert flown.status in (programs.DONE, -signal.SIGTERM), flown.explain()
    assert time.monotonic() - sent < 3.0 and not in_flight(flight_place)


def test_nothing_changes_in_flight_when_current_does(flight_place, tmp_path):
    """CURRENT replaced while flying: this flight goes on with its set, the next start looks anew."""
    import shutil

    sets = tmp_path / "sets"
    shutil.copytree(flight_place.sets, sets)
    flight_place.c7["flight_sets_dir"] = sets
    process = flight_place.start("--duration", 3)
    wait_for(lambda: in_flight(flight_place), "the frame loop", process)
    (sets / "CURRENT").write_text("set-that-is-not-there\n", "ascii")
    flown = flight_place.end(process)
    assert flown.status == programs.DONE and flown.report["positions"] == flown.report["frames"], flown.explain()
    flight_place.refused(programs.REFUSED, "set_missing", "set-that-is-not-there")


def test_check_composes_everything_and_flies_nothing(flight_place):
    flown = flight_place.ok("--check")
    assert len(flown.told("c7.engines_ready")) == 1 and not flown.told("c7.flight_begun")
    assert flown.report is None and not in_flight(flight_place)


def test_a_replay_without_inference_has_nothing_to_fly(flight_place):
    flight_place.mode = "replay"
    state = flight_place.c7["state_dir"]
    del flight_place.components["c7_inference"]
    for consumer in ("c2_vpr", "c2_5_rerank", "c3_matcher"):
        del flight_place.components[consumer]
    flown = flight_place.ok(env={"SKUA_C7_STATE_DIR": str(state)})
    assert flown.report is None and not flown.told("c7.runtime_built")


def test_environment_comes_before_the_file(flight_place):
    flight_place.c7["allow_unsigned"] = False
    flight_place.refused(programs.REFUSED, "unsigned_set")
    flight_place.ok("--duration", 0.1, env={"SKUA_C7_ALLOW_UNSIGNED": "true"})
    flight_place.refused(programs.USAGE, "invalid_argument", "SKUA_C7_ALLOW_UNSINGED",
                         env={"SKUA_C7_ALLOW_UNSINGED": "true"})
