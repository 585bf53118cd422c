"""The page of python -m skua.report: what it says, and what it says where something is missing."""

import json
import re

import numpy as np
import pytest
import report_cases
from report_cases import (BOOT_A, BOOT_B, Given, begun, ended, failed, folder_of, made, made_of, ready, record, refused,
                          transition)

content_of = report_cases.module("content")

SECTIONS = ("verdicts", "misses", "timeline", "latencies", "thermal", "gates", "bench", "warnings", "versions", "sources")
REMEDIES = {"timeline": "skua-flight --report FILE --frame-lines FILE", "latencies": "skua-flight --report FILE --frame-lines FILE",
            "bench": "skua bench SET_DIR --output-dir DIR", "versions": "--manifest SET_DIR", "verdicts": "--log LOG"}


@pytest.fixture(name="given")
def one_of_everything(tmp_path):
    return Given(tmp_path)


@pytest.fixture(name="whole")
def page_of_everything(given):
    return made(given, "report", "frame_lines", "manifest", "log", "bench")


# ---- what it says ------------------------------------------------------------------------------------------------

def test_every_section_is_there_in_its_order(whole):
    assert tuple(a["id"] for tag, a in whole.tags if tag == "section") == SECTIONS
    assert "Flight report: set set-1-abc, take-off" in whole.texts[""]


def test_percentiles_are_numpys_over_the_same_figures(whole):
    rows = {row[0]: row[1:] for row in whole.tables["latencies"][1:]}
    backbones = ["vpr (net_a)", "features (net_b)", "rerank (net_b)", "match (net_b)"]
    assert list(rows) == [*backbones, "solve", "own", "frame", "acquire"]
    flown = [n for n in range(report_cases.FRAMES) if n not in report_cases.MISSED]
    for label, row in rows.items():
        values = [report_cases.frame_ms(number)[label.split()[0]] for number in flown]
        expected = [np.mean(values), *np.percentile(values, (50, 95, 99)), np.max(values)]
        assert int(row[0]) == len(flown)
        assert [float(cell) for cell in row[1:6]] == [pytest.approx(value, abs=0.051) for value in expected]
        assert row[6] == "frame lines, every frame"
    drawn = whole.traces("figure-percentiles")
    for name, q in (("p50", 50), ("p95", 95), ("p99", 99)):
        expected = [np.percentile([report_cases.frame_ms(n)[stage] for n in flown], q) for stage in
                    ("frame", "match", "rerank", "features", "vpr")]
        assert drawn[name]["x"] == pytest.approx(expected, rel=1e-12)


def test_percentiles_of_the_flight_report_where_there_are_no_frame_lines(given):
    rows = {row[0]: row[1:] for row in made(given, "report").tables["latencies"][1:]}
    assert rows["vpr (net_a)"] == ["11", "1.00", "1.00", "2.00", "3.00", "4.00", "flight report, histogram (at most 1/64 above)"]


def test_frames_stand_at_their_time_and_missed_slots_are_holes(whole):
    frame = whole.traces("figure-timeline-1")["frame"]
    at_7 = frame["y"].index(None)
    assert frame["customdata"][at_7 - 1:at_7 + 2] == [6, None, 8]
    begun_s = 2.0  # after the first record
    assert frame["x"][0] == begun_s and frame["x"][-1] == pytest.approx(begun_s + 11 / 3, abs=1e-4)
    lost = whole.traces("figure-timeline-1")["frame without a result"]
    assert lost["text"] == ["frame 5: deadline_missed in features", "frame 9: no_position in solve"]
    assert lost["x"] == pytest.approx([2 + 5 / 3, 5.0], abs=1e-4)


def test_thermal_state_lies_over_the_latencies(whole):
    band, = whole.figures["figure-timeline-1"]["layout"]["shapes"]
    assert (band["x0"], band["x1"]) == pytest.approx((2 + 4 / 3, 2 + 8 / 3), abs=1e-4) and band["yref"] == "paper"
    assert whole.traces("figure-timeline-1")["GPU temperature"]["y"] == [80.0, 79.0]
    assert [row[2:] for row in whole.tables["thermal"][1:]] == [["normal", "throttled", "80.0", "70.0", "510"],
                                                               ["throttled", "normal", "79.0", "70.0", "510"]]
    assert "Throttled for 1.3 s" in whole.texts["thermal"] and "Of 11 frames 3 were flown" in whole.texts["thermal"]


def test_misses_are_counted_by_everybody_who_counted_them(whole):
    assert whole.tables["misses"][1:] == [
        ["recorder", "run", "net_a", "deadline_missed", "1"], ["recorder", "run", "net_b", "deadline_missed", "1"],
        ["recorder", "frame", "features", "deadline_missed", "1"], ["recorder", "frame", "solve", "no_position", "1"],
        ["flight report", "frame", "", "deadline_missed", "1"], ["flight report", "frame", "", "no_position", "1"],
        ["frame lines", "frame", "features", "deadline_missed", "1"], ["frame lines", "frame", "solve", "no_position", "1"]]
    assert "Deadline misses1 frame" in whole.texts[""].replace("\u2717 ", "")


def test_counts_that_differ_are_told(given):
    document = report_cases.report_document()
    document["no_result"]["deadline_missed"] = 4
    given.report.write_text(json.dumps(document))
    assert "counts 4 frames that missed their deadline, the recorder tells 1" in made(given, "report").texts["misses"]


def test_verdicts_with_their_reasons_and_messages(whole, given):
    rows = [row[2:] for row in whole.tables["verdicts"][1:6]]
    assert [row[0].split(" ", 1)[1] for row in rows] == ["refused", "take-off refused", "engines ready", "flight begun",
                                                         "flight ended"]
    assert rows[0][1:] == ["net_a__sm0_jp0_trt0_fp16.pt", "engine net_a: expected SHA-256 aa, found bb"]
    assert rows[1][2] == "EngineHashMismatchError [sidecar_hash_mismatch]"
    assert "net_a@fp16, net_b@fp16 in 41 ms" in rows[2][2] and "signed by " + "ab" * 32 in rows[2][2]
    without = made(given, "report")
    assert without.tables["verdicts"][1][4] == "EngineHashMismatchError [sidecar_hash_mismatch]"


def test_gate_times_of_every_engine(whole):
    assert [row for row in whole.tables["gates"][1:]] == [["net_a", "0.00 MB", "1.50", "2.50", "30.00", "4.00"],
                                                          ["net_b", "0.00 MB", "0.50", "1.00", "10.00", "2.00"]]
    assert whole.traces("figure-gates")["warm up"]["x"] == [10.0, 30.0]
    assert "41 ms in all" in whole.texts["gates"] and "900 ms (flight report)" in whole.texts["gates"]


def test_figures_of_a_bench_with_verdicts_and_conditions(whole):
    first, second = whole.tables["bench"][1:]
    assert first[:5] == ["call", "net_a: skua bound run / raw run", "1.004 ratio", "0.99 to 1.02 (95 %)", "<= 1.01"]
    assert "not reached" in first[5] and first[6] == "pytorch_fp16 2.13.0, device cpu"
    assert second[6] == "device and arithmetic not told"
    assert "cpu test cpu" in whole.texts["bench"] and whole.figures["figure-ratios"]["data"][0]["x"] == [1.004]


def test_what_skua_bench_prints_gives_the_same_lines(given):
    given.bench.write_text(json.dumps({"set_id": "s", "machine": {"cpu": "c"}, "why_no_raw": None, "engines": [{
        "model": "net_a", "runtime": "pytorch_fp16", "device": "cpu", "provider": "libtorch", "arithmetic": "fp32",
        "sdk_version": "2.13.0",
        "precision": "fp16", "intra_op_threads": 1, "clock": "wall", "rounds": 9, "calls_per_round": 2,
        "subjects": [{"name": "skua infer", "count": 18, "p50_us": 5.0, "p95_us": 6.0, "p99_us": 7.0, "max_us": 8.0}],
        "ratios": [{"subject": "skua infer", "reference": "raw run", "median": 1.1, "lower": 1.0, "upper": 1.2,
                    "is_bounded": True,
                    "added_us": 0.5}]}]}))
    rows = made(given, "bench").tables["bench"]
    assert rows[1][:3] == ["call", "net_a: skua infer", "5 us"] and rows[2][1:4] == [
        "net_a: skua infer / raw run", "1.1 ratio", "1 to 1.2 (95 %)"]
    assert all("device cpu, fp32" in row[6] for row in rows[1:])


def test_every_figure_states_device_and_arithmetic(whole, given):
    told = "net_a, net_b: cpu, fp16 weights, fp32 arithmetic (told by manifest and log)"
    for name in ("timeline", "latencies", "gates", "versions"):
        assert told in whole.texts[name].replace("net_b, net_a", "net_a, net_b"), name
    nobody = made(given, "report", "frame_lines")
    for name in ("timeline", "latencies", "gates", "versions"):
        assert re.search(r"not told for net_[ab], net_[ab]: give --manifest SET_DIR or --log LOG", nobody.texts[name]), name


def test_sources_that_contradict_each_other_are_both_quoted(given):
    given.manifest.write_text(json.dumps(report_cases.manifest_document(arithmetic="fp16")))
    text = made(given, "report", "frame_lines", "manifest", "log").texts["latencies"]
    assert "cpu, fp16 (told by manifest); cpu, fp16 weights, fp32 arithmetic (told by log)" in text


def test_a_manifest_speaks_of_its_own_set_alone(given):
    given.recorder = folder_of(given.folder / "r", (BOOT_A, [ready(1.0), ready(5.0, set_id="set-2-other", total_ns=7)]))
    text = made(given, "manifest").texts["gates"]
    assert "Set set-2-other" in text and "not told for net_a, net_b" in text


def test_versions_from_the_manifest(whole):
    assert ["set", "set-1-abc, release sequence 7, made 2026-02-03T04:05:06Z"] in whole.tables["versions"]
    assert ["provisioned by", "skua-0.1.0 test"] in whole.tables["versions"]
    engine = ["net_a", "fp16", "cpu", "fp16 weights, fp32 arithmetic", "2.13.0", "net_a__sm0_jp0_trt0_fp16.pt", "cd" * 32]
    assert engine in whole.tables["versions"]


def test_what_is_missing_is_one_sentence_with_its_command_and_no_figure(given):
    bare = made(given)
    for name, remedy in REMEDIES.items():
        assert remedy in bare.texts[name], name
    assert set(bare.figures) == {"figure-timeline-1", "figure-gates"}
    assert not any(trace["yaxis"] == "y" for trace in bare.figures["figure-timeline-1"]["data"])  # no row for latencies
    cold = made_of(folder_of(given.folder / "cold", (BOOT_A, [refused(1.0)])))
    assert "No load is recorded" in cold.texts["gates"] and "No flight was begun" in cold.texts["verdicts"]
    assert set(cold.figures) == {"figure-timeline-1"} and "yaxis2" not in cold.figures["figure-timeline-1"]["layout"]


def test_a_damaged_tail_is_told_as_lost_records(given):
    segment = given.recorder / report_cases.recorder_files.name(1)
    whole = segment.read_bytes()
    assert "none known" in made(given).texts[""]
    segment.write_bytes(whole[:-7])
    cut = made(given)
    assert "1 damaged range" in cut.texts[""] and "none known" not in cut.texts[""]
    file, _, end, kind = cut.tables["sources"][-1]
    assert (file, end, kind) == (segment.name, str(len(whole) - 7), "incomplete_tail")
    assert "no end recorded" in cut.texts["verdicts"]  # what was lost is the flight's end


def test_dropped_records_are_told(given):
    overrun = record(2.0, "overrun", producer_id="x", dropped_count=12)
    given.recorder = folder_of(given.folder / "r", (BOOT_A, [ready(1.0), overrun]))
    assert "12 more dropped" in made(given).texts[""] and "overrun: 1" in made(given).texts["warnings"]


# ---- flights and boots -------------------------------------------------------------------------------------------

def test_boots_stand_one_after_the_other_with_a_gap(tmp_path):
    found = made_of(folder_of(tmp_path / "r", (BOOT_A, [ready(10.0), begun(11.0), failed(15.0, 2)]),
                              (BOOT_B, [ready(1.0), begun(2.0, phase="F8", start_count=2), ended(4.0, 5)])))
    layout = found.figures["figure-timeline-1"]["layout"]
    assert layout["xaxis"]["domain"][1] + 0.05 < layout["xaxis2"]["domain"][0]
    assert layout["xaxis2"]["title"]["text"].startswith("boot 2, ")
    assert "2 boots stand one after the other" in found.texts["timeline"]
    flights = [row for row in found.tables["verdicts"] if row[-1] in ("", "this page's") and len(row) == 12][1:]
    assert [(row[2], row[4], row[5], row[6]) for row in flights] == [("no end recorded", "F2", "1", ""),
                                                                     ("3.00", "F8", "2", "frames")]
    lone = made_of(folder_of(tmp_path / "one", (BOOT_A, [ready(10.0)]), (BOOT_A, [begun(11.0)])))
    assert "xaxis2" not in lone.figures["figure-timeline-1"]["layout"] and "one boot" in lone.texts["timeline"]


def test_many_boots_go_on_in_further_figures(tmp_path):
    boots = [(bytes([number] * 16), [ready(float(number))]) for number in range(1, 7)]
    found = made_of(folder_of(tmp_path / "r", *boots))
    assert {"figure-timeline-1", "figure-timeline-2"} <= set(found.figures)
    first, second = (found.figures[f"figure-timeline-{number}"]["layout"] for number in (1, 2))
    assert "xaxis4" in first and "xaxis2" in second and "xaxis3" not in second


def bands_of(folder, *segments):
    gathered = content_of.gather(content_of.Paths(folder_of(folder, *segments)))
    return [(round(band.begin_s, 3), round(band.end_s, 3), band.state) for band in gathered.story.bands]


def test_how_long_a_thermal_state_lasted(tmp_path):
    hot, cool = transition(5.0, "normal", "throttled"), transition(8.0, "throttled", "normal")
    assert bands_of(tmp_path / "a", (BOOT_A, [ready(1.0), begun(2.0), hot, cool, ended(9.0, 5)])) == [
        (0.0, 4.0, "normal"), (4.0, 7.0, "throttled"), (7.0, 8.0, "normal")]
    # A throttle that begins while the set is loaded goes on behind its end.
    early = transition(0.5, "unknown", "throttled")
    loading = (BOOT_A, [refused(0.0), early, ready(1.0), begun(2.0), ended(9.0, 5)])
    assert bands_of(tmp_path / "b", loading) == [(0.5, 9.0, "throttled")]
    # Nothing tells the end of a program that was killed: its state ends with its last record.
    assert bands_of(tmp_path / "c", (BOOT_A, [ready(1.0), begun(2.0), hot, failed(6.0, 1)]),
                    (BOOT_A, [ready(20.0), begun(21.0), ended(29.0, 5)])) == [(0.0, 4.0, "normal"), (4.0, 5.0, "throttled")]
    # The next program's own transition, before it is ready.
    assert bands_of(tmp_path / "d", (BOOT_A, [ready(1.0), begun(2.0)]),
                    (BOOT_A, [transition(19.0, "unknown", "throttled"), ready(20.0), ended(29.0, 5)])) == [
        (0.0, 18.0, "unknown"), (18.0, 28.0, "throttled")]


def test_the_report_finds_its_flight_among_others(given):
    other, mine = ready(50.0, total_ns=40_999_999), ready(70.0)
    flights = [other, begun(51.0), ended(55.0, 11, 2, 1, 1), mine, begun(72.0), ended(76.0, 11, 2, 1, 1)]
    given.recorder = folder_of(given.folder / "r", (BOOT_A, flights))
    found = made(given, "report", "frame_lines")
    assert found.traces("figure-timeline-1")["frame"]["x"][0] == 22.0
    assert [row[-1] for row in found.tables["verdicts"] if len(row) == 12] == ["", "", "this page's"]


def test_a_report_of_no_flight_of_the_recorder_is_not_placed(given):
    given.report.write_text(json.dumps(report_cases.report_document(load_ms=41.5)))
    found = made(given, "report", "frame_lines")
    assert "could not be matched with exactly one" in found.texts["verdicts"]
    assert "figure-frames" in found.figures and found.traces("figure-frames")["frame"]["x"][:2] == [0.0, 1.0]
    assert "take-off" not in found.texts[""]  # the recorder's own flight is not this page's
    assert not any(trace["yaxis"] == "y" for trace in found.figures["figure-timeline-1"]["data"])


def test_two_flights_that_a_report_fits_are_told_apart_by_nobody(given):
    twice = [ready(50.0), begun(51.0), ended(55.0, 11), ready(70.0), begun(72.0), ended(76.0, 11)]
    given.recorder = folder_of(given.folder / "r", (BOOT_A, twice))
    assert "could not be matched with exactly one" in made(given, "report", "frame_lines").texts["verdicts"]


def test_frame_lines_that_do_not_fit_their_report_are_told(given):
    assert "are they of one flight?" not in made(given, "report", "frame_lines").texts["verdicts"]
    given.frame_lines.write_text("".join(given.frame_lines.read_text().splitlines(keepends=True)[:-2]))
    assert "the file holds 9 lines: are they of one flight?" in made(given, "report", "frame_lines").texts["verdicts"]


def test_a_short_flight_in_a_long_recording_is_what_is_seen_first(given):
    given.recorder = folder_of(given.folder / "r", (BOOT_A, [*report_cases.flown_records(), record(900.0, "c7.test")]))
    found = made(given, "report", "frame_lines")
    begin, end = found.figures["figure-timeline-1"]["layout"]["xaxis"]["range"]
    assert begin < 1.0 and 6.0 < end < 30.0 and "a double click shows the whole boot" in found.texts["timeline"]
    assert made(given).figures["figure-timeline-1"]["layout"]["xaxis"]["range"][1] > 900.0


def test_a_lost_device_is_a_bad_end(given):
    given.recorder = folder_of(given.folder / "r", (BOOT_A, [ready(1.0), begun(2.0), record(
        3.0, "c7.device_lost", runtime="tensorrt", native_code=999), ended(3.1, 4, cause="device_lost")]))
    found = made(given)
    classes = [a["class"] for tag, a in found.tags if a.get("class", "").startswith(("badge", "card "))]
    assert classes[0] == "card bad" and classes[-2:] == ["badge bad", "badge bad"]


def test_frame_lines_alone_are_drawn_over_frame_numbers_under_their_own_throttle(given):
    found = made(given, "frame_lines")
    shapes = found.figures["figure-frames"]["layout"]["shapes"]
    assert [(s["x0"], s["x1"]) for s in shapes] == [(3.5, 6.5)]
    assert "name neither their flight nor its rate" in found.texts["verdicts"]


def test_calls_of_infer_from_a_debug_log(given):
    calls = [12.0, 14.0, 13.0, 90.0]
    given.log.write_text("not ours\n" + report_cases.log_line(1.0, "c7.engines_ready") + "".join(
        report_cases.log_line(2.0 + i, "c7.infer", frame=i, backbone="net_a", took_ns=int(ms * 1e6))
        for i, ms in enumerate(calls)))
    found = made(given, "log")
    row, = [row for row in found.tables["latencies"] if row[0] == "infer (net_a)"]
    assert row[1] == "4" and [float(cell) for cell in row[3:6]] == pytest.approx(np.percentile(calls, (50, 95, 99)), abs=0.01)
    drawn = found.traces("figure-timeline-1")["infer (net_a)"]
    assert drawn["x"] == [2.0, 3.0, 4.0, 5.0] and drawn["y"] == calls
    assert "Of the log 1 lines are not Skua's" in found.texts["verdicts"]


def test_more_events_than_can_be_drawn_are_joined_and_none_is_lost(tmp_path):
    records = [ready(1.0), begun(2.0)] + [failed(3.0 + n / 100, n) for n in range(7000)]
    found = made_of(folder_of(tmp_path / "r", (BOOT_A, records)))
    marks = found.traces("figure-timeline-1")["run missed its deadline"]
    assert 1000 < len(marks["x"]) <= 3001 and marks["x"] == sorted(marks["x"])
    assert sum(int(text.split(" of them")[0]) if " of them" in text else 1 for text in marks["text"]) == 7000
    assert "7000 runs recorded as too late" in found.texts[""]
