"""skua-flight --trace: what Perfetto shows of a take-off and of frames."""

import json
import pathlib
import signal

import flights
import programs
import pytest
from flights import in_flight, wait_for
from traces import Trace

pytestmark = pytest.mark.alone  # it flies

GATE = {"signature", "manifest", "file_list", "listed_files"}
STAGES = ["vpr", "features", "rerank", "match", "solve"]  # of a frame with a position, in their order
RUN_ON_TORCH = ["copy_in", "sdk_run", "wait", "copy_out"]
NETWORK_OF = {"vpr": "demo_vpr", "features": "demo_features", "rerank": "demo_matcher", "match": "demo_matcher"}


@pytest.fixture(name="trace_file")
def place_of_a_trace(tmp_path):
    return tmp_path / "trace.json"


def check_load(trace):
    """Set gate, then of every engine its gate with the reading, and behind it what the SDK does."""
    (take_off,) = trace.named("take_off")
    (load,) = take_off.below("load_set")
    (gate,) = load.below("set_gate")
    assert {span.name for span in gate.inner} == GATE
    engines = trace.named("load_engine")
    assert {span.args["model"] for span in engines} == set(flights.DEMO) and len(engines) == len(flights.DEMO)
    for engine in engines:
        assert load.begin <= engine.begin and engine.end <= load.end, "a loader beside it may be another thread"
        assert [span.name for span in engine.inner] == ["engine_gate", "golden_file", "deserialise", "place_lanes",
                                                        *["golden_check"] * len(engine.below("golden_check"))]
        assert len(engine.inner[0].below("read_and_hash")) == 1 and engine.below("golden_check")
        warmed = [span for span in trace.named("warm_up") if span.args["model"] == engine.args["model"]]
        assert {span.args["lane"] for span in warmed} == {span.args["lane"] for span in engine.below("golden_check")}
        assert all(span.begin >= engine.end for span in warmed)
    names = {trace.threads[span.tid] for span in engines}
    assert names <= {"skua-flight", *(f"skua-load-{n}" for n in range(1, 4))}
    assert take_off.below("compose") and take_off.below("index_map")


def check_frame(frame, line):
    """The consumers of a frame with a position, the runs of each, and what a run is made of."""
    assert frame.args == {"frame": line["frame"]}
    assert [span.name for span in frame.inner] == STAGES
    for stage in frame.inner:
        if stage.name == "solve":
            continue
        runs = stage.below("run")
        assert runs and {(run.args["model"], run.args["frame"]) for run in runs} == {(NETWORK_OF[stage.name], line["frame"])}
        for run in runs:
            assert [span.name for span in run.inner] == RUN_ON_TORCH
        # Both are of the same runs; the report's are measured around them.
        assert sum(run.end - run.begin for run in runs) / 1e3 <= line["ms"][stage.name] + 0.01


def test_a_trace_has_the_load_and_every_frame_with_its_consumers(flight_place, trace_file):
    flown = flight_place.ok("--duration", 1, "--trace", trace_file)
    trace = Trace(trace_file)
    check_load(trace)
    frames = {span.args["frame"]: span for span in trace.named("frame")}
    assert sorted(frames) == [line["frame"] for line in flown.lines] and frames
    for line in flown.lines:
        assert "tile" in line, flown.explain()
        check_frame(frames[line["frame"]], line)
        assert trace.threads[frames[line["frame"]].tid] == "skua-flight"
    assert set(frames) <= {span.args["frame"] for span in trace.named("acquire")}
    assert trace.named("wait_due") and len(trace.named("wait_due")) <= len(frames)  # one a frame, whatever slot it becomes
    assert trace.ended() == {"spans": len(trace.spans), "lost": 0} and flown.report["trace_spans_lost"] == 0


def test_a_check_leaves_the_trace_of_its_load(flight_place, trace_file):
    flight_place.ok("--check", "--trace", trace_file)
    trace = Trace(trace_file)
    check_load(trace)
    assert trace.ended() == {"spans": len(trace.spans), "lost": 0} and not trace.named("frame")


def test_a_disk_that_takes_nothing_costs_no_frame(flight_place):
    flown = flight_place.ok("--duration", 1, "--trace", "/dev/full")
    assert flown.report["positions"] == flown.report["frames"] > 0
    (told,) = flown.told("c7.sink_lost")
    assert told["kv"]["sink"] == "trace" and "/dev/full: No space left" in told["kv"]["problem"]
    assert flown.report["trace_spans_lost"] > 0


def test_a_killed_flight_leaves_whole_lines(flight_place, trace_file):
    process = flight_place.start("--duration", 60, "--trace", trace_file)
    wait_for(lambda: trace_file.exists() and trace_file.read_text().count('"name":"frame"') >= 2, "frames", process)
    process.send_signal(signal.SIGKILL)
    flight_place.end(process)
    trace = Trace(trace_file, is_whole=False)
    check_load(trace)
    assert len(trace.named("frame")) >= 2


def test_a_file_that_is_cut_anywhere_is_read_up_to_its_last_whole_line(trace_file):
    events = [{"name": "run", "cat": "run", "ph": "X", "ts": n, "dur": 1, "tid": 1, "args": {"model": "a,]}"}} for n in range(3)]
    text = "[\n" + ",\n".join(json.dumps(event) for event in events) + "\n]\n"
    for size in range(1, len(text) + 1):
        trace_file.write_text(text[:size])
        assert Trace(trace_file, is_whole=False).events == events[:text[:size].count("}}")], text[:size]
    trace_file.write_text(text.replace('"ts": 1', '"ts": '))
    with pytest.raises(json.JSONDecodeError):  # control: a piece in the middle is an error
        Trace(trace_file, is_whole=False)


def test_an_aircraft_in_the_air_flies_on_without_its_trace_and_a_take_off_is_refused(flight_place, tmp_path):
    process = flight_place.start("--duration", 60)
    wait_for(lambda: in_flight(flight_place), "the frame loop", process)
    process.kill()
    flight_place.end(process)
    nowhere = tmp_path / "gone" / "trace.json"
    flown = flight_place.ok("--duration", 0.5, "--trace", nowhere)
    assert flown.report["phase"] == "F8" and flown.report["trace_spans_lost"] == 0, flown.explain()
    (told,) = flown.told("c7.sink_lost")
    assert told["kv"]["sink"] == "trace" and f"--trace {nowhere}" in told["kv"]["problem"]
    refused = flight_place.fly("--trace", nowhere)  # the flight ended in order: this is a take-off
    assert refused.status == programs.USAGE and f"--trace {nowhere}" in refused.stderr, refused.explain()
    assert not refused.told("c7.engine_deserialized")


def test_what_the_flight_reads_is_never_its_trace(flight_place):
    flight_place.own_sets()  # to be on the safe side
    current = flight_place.current()
    assert {"flight-manifest.json", "model.sig"} <= {file.name for file in current.iterdir()}
    kept = [flight_place.state / "kept.json", flight_place.recorder / "kept.jsonl"]
    for file in kept:
        file.write_text("what was there")
    read = {"is --config": [flight_place.config()], "is trusted_key": [flight_place.c7["trusted_key"]],
            "lies in flight_sets_dir": [*filter(pathlib.Path.is_file, current.iterdir()), flight_place.sets / "CURRENT"],
            "lies in state_dir": kept[:1], "lies in recorder_dir": kept[1:],
            "lies in the map": [flight_place.map / "map.json", next(flight_place.map.glob("*.png"))],
            "lies in the frames": [next(flight_place.frames.iterdir())]}
    for words, files in read.items():
        for file in files:
            before = file.read_bytes()
            flown = flight_place.fly("--trace", file)
            assert flown.status == programs.USAGE and f"--trace {file}: expected" in flown.stderr, flown.explain()
            assert words in flown.stderr and "name another one" in flown.stderr, flown.explain()
            assert before and file.read_bytes() == before and not flown.told("c7.engine_deserialized"), file


def test_a_link_is_refused_before_anything_is_loaded(flight_place, trace_file, tmp_path):
    (tmp_path / "other").write_text("what was there")
    trace_file.symlink_to(tmp_path / "other")
    flown = flight_place.fly("--trace", trace_file)
    assert flown.status == programs.USAGE and str(trace_file) in flown.stderr and "no link" in flown.stderr, flown.explain()
    assert not flown.told("c7.engine_deserialized") and (tmp_path / "other").read_text() == "what was there"
