"""python -m skua.report over what the programs leave: a real flight, a refused one; the reader beside `skua recorder dump`."""

import json
import os
import random
import subprocess

import flights
import numpy as np
import pytest

import programs
import report_cases
from report_cases import Page, recorder_files

WRITER = programs.BUILD / "tests" / "recorder_writer"
recorder = report_cases.module("recorder")


def page_of(folder, *arguments):
    result = report_cases.start(*arguments, "-o", folder / "page.html", "--png", folder / "page.png")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    return Page((folder / "page.html").read_bytes())


def rows_of(page, section, columns):
    """The rows of a section's table of so many columns, without its head."""
    return [row for row in page.tables[section] if len(row) == columns][1:]


# ---- a flight ----------------------------------------------------------------------------------------------------

def throttled_in_the_middle(readings=400, begin=8, end=16):
    """A recording of a clock that is held down for a while, in polls."""
    lines = [json.loads(line) for line in flights.throttled_replay(readings).splitlines()]
    for number, line in enumerate(lines):
        line["fields"]["throttle"]["value"] = int(begin <= number < end)
        line["fields"]["gpu_temp_c"] = {"status": "value", "value": 60.0 + number % 30, "origin": "test"}
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.alone
def test_a_refused_set_then_a_flight_with_a_throttle_and_misses(flight_place, tmp_path):
    (tmp_path / "replay.jsonl").write_text(throttled_in_the_middle())
    flight_place.c7.update(thermal_source="replay", thermal_replay=tmp_path / "replay.jsonl", thermal_poll_hz=5)
    good = flight_place.sets
    engine = next((flight_place.own_sets() / (good / "CURRENT").read_text("ascii").strip()).glob("demo_matcher__*.pt"))
    engine.write_bytes(engine.read_bytes()[:-1] + b"x")
    refused = flight_place.fly()
    assert refused.status == programs.REFUSED, refused.explain()
    flight_place.sets = flight_place.c7["flight_sets_dir"] = good
    flight_place.flight_block["deadline_ms"] = 1  # no frame can be so quick
    late = flight_place.ok("--duration", 1)
    flight_place.flight_block["deadline_ms"] = 5000
    flown = flight_place.ok("--duration", 4)
    for name, text in (("refused", refused.stdout), ("late", late.stdout), ("flown", flown.stdout)):
        (tmp_path / f"{name}.log").write_text(text)
    page = page_of(tmp_path, flight_place.recorder, "--flight-report", flight_place.report, "--frame-lines", flight_place.frame_lines,
                   "--manifest", flight_place.current(), *(word for name in ("refused", "late", "flown")
                                                           for word in ("--log", tmp_path / f"{name}.log")))
    judge_verdicts(page, engine.name, refused)
    judge_misses(page, late, flown)
    judge_latencies(page, flown)
    judge_the_rest(page, flown)


def judge_verdicts(page, engine, refused):
    verdicts = [(row[2].split(" ", 1)[1], *row[3:]) for row in rows_of(page, "verdicts", 5)]
    flown = ["engines ready", "flight begun", "flight ended"]
    assert [what for what, *_ in verdicts] == ["refused", "take-off refused", *flown, *flown]
    assert verdicts[0][1] == engine and verdicts[0][2] == refused.told("c7.engine_refused")[0]["msg"]
    assert "expected SHA-256" in verdicts[0][2] and "[sidecar_hash_mismatch]" in verdicts[0][2]
    assert [row[-1] for row in rows_of(page, "verdicts", 12)] == ["", "this page's"]


def judge_misses(page, late, flown):
    counts = {tuple(row[:4]): int(row[4]) for row in rows_of(page, "misses", 5)}
    frames = sum(count for (by, what, _, reason), count in counts.items()
                 if (by, what, reason) == ("recorder", "frame", "deadline_missed"))
    assert frames == late.report["no_result"]["deadline_missed"] == late.report["frames"] > 0
    runs = sum(count for (by, what, _, reason), count in counts.items()
               if (by, what, reason) == ("recorder", "run", "deadline_missed"))
    assert runs == sum(entry["kv"]["reason"] == "deadline_missed" for entry in late.told("c7.inference_failed"))
    assert "deadline_missed" not in flown.report["no_result"]
    assert ("flight report", "frame", "", "deadline_missed") not in counts


def judge_latencies(page, flown):
    rows = {row[0].split()[0]: row for row in rows_of(page, "latencies", 8)}
    assert set(rows) == set(flown.report["stages"])
    for stage, told in flown.report["stages"].items():
        values = [line["ms"][stage] for line in flown.lines if line["ms"][stage] > 0]
        row = rows[stage]
        assert row[0] == (f"{stage} ({told['backbone']})" if "backbone" in told else stage)
        assert int(row[1]) == told["count"] == len(values)
        for cell, q in zip(row[3:6], (50, 95, 99)):
            assert float(cell) == pytest.approx(np.percentile(values, q), rel=0.006, abs=0.006)
        assert float(row[6]) == pytest.approx(told["max_ms"], rel=0.006, abs=0.006)
    frame = page.traces("figure-timeline-1")["frame"]
    begun = float(rows_of(page, "verdicts", 12)[1][1])
    assert frame["x"][0] == pytest.approx(begun + flown.lines[0]["frame"] / 3, abs=0.01)


def judge_the_rest(page, flown):
    transitions = [row[2:4] for row in rows_of(page, "thermal", 7)]
    begins, ends = (transitions.count(pair) for pair in (["normal", "throttled"], ["throttled", "normal"]))
    assert begins >= ends >= 1  # a short flight may end while it is throttled
    shades = page.figures["figure-timeline-1"]["layout"]["shapes"]
    assert len(shades) == begins
    assert "Source: replay." in page.texts["thermal"]
    gates = {row[0]: row[1:] for row in rows_of(page, "gates", 6)}
    for engine in flown.report["engines"]:
        told = [engine[f"{step}_ms"] for step in ("verify", "deserialize", "warm_up", "golden")]
        assert [float(cell) for cell in gates[engine["model"]][1:]] == pytest.approx(told, abs=0.06, rel=0.002)
    for section in ("timeline", "latencies", "gates"):
        assert "cpu, fp16 weights, fp32 arithmetic (told by manifest and log)" in page.texts[section]
    assert "none known" in page.texts[""]


@pytest.mark.alone
def test_a_flight_that_was_killed_leaves_a_page(flight_place, tmp_path):
    process = flight_place.start("--duration", 600)
    flights.wait_for(lambda: flight_place.frame_lines.exists() and flight_place.frame_lines.read_text().count("\n") >= 3, "frames",
                     process)
    flights.kill(process)
    assert not flight_place.report.exists()
    page = page_of(tmp_path, flight_place.recorder, "--frame-lines", flight_place.frame_lines)
    flight, = rows_of(page, "verdicts", 12)
    assert flight[2] == "no end recorded" and "figure-frames" in page.figures
    assert int(rows_of(page, "latencies", 8)[0][1]) >= 3


# ---- the reader beside `skua recorder dump` ----------------------------------------------------------------------

def test_what_the_recorder_writes_is_read(tmp_path):
    if not os.access(WRITER, os.X_OK):
        pytest.skip(f"{WRITER} is not built: this preset has no tests")
    for _ in range(2):
        subprocess.run([WRITER, tmp_path / "r", "30"], check=True, capture_output=True, timeout=60)
    recording = recorder.read_recording(tmp_path / "r")
    boot, = recording.boots
    assert recording.damage == [] and sorted(r.payload["number"] for r in boot.records) == sorted([*range(30), *range(30)])


def damaged(whole, rng):
    """The bytes of a segment after one of the things that happen to files."""
    at, size = rng.randrange(len(whole)), rng.randrange(1, 80)
    junk = bytes(rng.randrange(256) for _ in range(size))
    return rng.choice((whole[:at], whole[:at] + junk + whole[at + size:], whole[:at] + bytes(size) + whole[at:],
                       whole[:at] + whole[at + size:], whole[:at] + recorder_files.MARKER + junk + whole[at:],
                       whole[:at] + whole[at:at + 200] + whole[at:], bytes([whole[0] ^ 1]) + whole[1:at] + junk))


def test_damaged_segments_are_read_as_skua_reads_them(skua, tmp_path):
    rng = random.Random(11)
    records = [recorder_files.record(n, kind=rng.choice(("c7.test", "c7.x")), text="x" * rng.randrange(60))
               for n in range(6)]
    records.insert(3, '{"schema":1}')
    whole = recorder_files.segment(records)
    tried = 0
    for number in range(programs.repeats("e2e_report_damage")):
        content = damaged(damaged(whole, rng), rng) if number % 2 else damaged(whole, rng)
        path = tmp_path / f"damaged-{number}.bin"
        path.write_bytes(content)
        mine = recorder.read_segment(content, "x")
        if not mine.is_ours:
            programs.error_of(skua("recorder", "dump", path, "--json"), programs.USAGE, "malformed")
            continue
        theirs = skua.ok("recorder", "dump", path, "--json")
        assert [(d.begin, d.end, d.kind) for d in mine.damage] == sorted(
            (d["from"], d["to"], d["kind"]) for d in theirs["damage"]), path
        assert [r.payload for r in mine.records] == [r["payload"] for r in theirs["records"]], path
        tried += bool(mine.damage and mine.records)
    assert tried > 0.5 * programs.repeats("e2e_report_damage")
