"""Segments as python/skua/report reads them: whatever is whole is found, whatever is not is told. tests/e2e/test_report.py
compares the same reader with `skua recorder dump`."""

import random

import pytest
import report_cases
from report_cases import BOOT_A, BOOT_B, recorder_files

recorder = report_cases.module("recorder")
ReportError = report_cases.module("files").ReportError
THREE = [recorder_files.record(1), recorder_files.record(2, kind="c7.engine_refused", file="a"), recorder_files.record(3)]


def read(content):
    segment = recorder.read_segment(content, "x")
    return [record.mono_ns for record in segment.records], [(d.begin, d.end, d.kind) for d in segment.damage]


def test_every_record_of_a_whole_segment_with_its_header():
    segment = recorder.read_segment(recorder_files.segment(THREE, number=7, boot=BOOT_A, opened_ns=9), "x")
    assert (segment.number, segment.opened_ns, segment.boot, segment.damage) == (7, 9, BOOT_A, [])
    assert [(r.kind, r.mono_ns, r.payload) for r in segment.records] == [
        ("c7.test", 1, {"number": 1}), ("c7.engine_refused", 2, {"number": 2, "file": "a"}), ("c7.test", 3, {"number": 3})]


def test_a_cut_at_any_byte_gives_what_was_whole_and_one_incomplete_tail():
    whole = recorder_files.segment(THREE)
    ends = [len(recorder_files.segment(THREE[:count])) for count in range(4)]
    for cut in range(len(whole)):
        records, damage = read(whole[:cut])
        count = sum(end <= cut for end in ends[1:])
        begin = max([end for end in ends if end <= cut], default=0)
        assert records == [1, 2, 3][:count]
        assert damage == ([] if cut == begin and cut else [(begin, cut, "incomplete_tail")])


def test_damage_costs_the_record_that_it_hits():
    whole = recorder_files.segment(THREE)
    first, last = (len(recorder_files.segment(THREE[:count])) for count in (1, 2))
    for at, kind in ((first, "no_marker"), (first + 7, "length"), (first + 9, "checksum"), (first + 40, "checksum")):
        assert read(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1:]) == ([1, 3], [(first, last, kind)])
    assert read(whole[:20] + b"\xff" + whole[21:]) == ([1, 2, 3], [(0, 52, "header")])
    assert read(whole[:last] + bytes(4096) + whole[last:]) == ([1, 2, 3], [(last, last + 4096, "no_marker")])
    reaching = recorder_files.MARKER + (5000).to_bytes(4, "little") + bytes(4)  # over the end, but something whole follows
    assert read(whole[:last] + reaching + whole[last:]) == ([1, 2, 3], [(last, last + 12, "length")])
    later = recorder_files.header(magic=b"SKUAFDR2") + recorder_files.frame(THREE[0].encode())
    assert read(later) == ([], [(0, len(later), "version")])


BAD_RECORDS = {
    "no JSON": b"hello", "no UTF-8": THREE[0].encode().replace(b"c7.test", b"c7\xff"), "array": b"[]",
    "two lines": THREE[0].encode().replace(b",", b",\n"), "nested": recorder_files.record(1, deep={"a": 1}).encode(),
    "later schema": THREE[0].encode().replace(b'"schema":1', b'"schema":2'),
    "schema true": THREE[0].encode().replace(b":1,", b":true,", 1),
    "other producer": THREE[0].encode().replace(b"c7_", b"c9_"), "key twice": THREE[0].encode()[:-1] + b',"ts":1}',
    "no time": THREE[0].encode().replace(b"2026-03-01", b"2026-02-30"), "time with another digit": THREE[0].replace(
        "2026", "\u0662026").encode(), "NaN": THREE[0].encode().replace(b'"number":1', b'"number":NaN'),
    "beyond a double": THREE[0].encode().replace(b'"number":1', b'"number":1e999'),
    "an integer beyond a double": THREE[0].encode().replace(b'"number":1', b'"number":' + b"9" * 400),
    "half a pair": THREE[0].encode().replace(b"c7.test", b"\\ud800"), "too deep": b"[" * 60000,
    "clock of 65 bits": THREE[0].encode().replace(b'"mono_ns":1', b'"mono_ns":9223372036854775808'),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_whole_frame_that_holds_no_record_is_told(case):
    bad = recorder_files.frame(BAD_RECORDS[case])
    start = len(recorder_files.segment(THREE[:1]))
    content = recorder_files.segment(THREE[:1]) + bad + recorder_files.frame(THREE[1].encode())
    assert read(content) == ([1, 2], [(start, start + len(bad), "record")])


class CountingZlib:
    """Counts the bytes that are summed."""

    def __init__(self, real):
        self.real, self.summed = real, 0

    def crc32(self, data, before=0):
        self.summed += len(data)
        return self.real.crc32(data, before)


def test_what_lies_between_two_markers_is_summed_once(monkeypatch):
    """Hostile bytes: a claim at every marker that reaches over all those behind it."""
    counting = CountingZlib(recorder.zlib)
    monkeypatch.setattr(recorder, "zlib", counting)
    head = recorder_files.MARKER + (60000).to_bytes(4, "little") + bytes(4)
    content = recorder_files.header() + head * 20_000
    records, damage = read(content)
    assert records == [] and [kind for _, _, kind in damage] == ["length"]
    assert counting.summed <= len(content)
    assert read(recorder_files.segment(THREE))[0] == [1, 2, 3]
    assert counting.summed >= len(recorder_files.segment(THREE)) - 3 * 12  # control: it does count


def test_random_bytes_never_give_a_record_and_are_covered():
    random.seed(5)
    for _ in range(200):
        content = recorder_files.header() + random.randbytes(random.randrange(200))
        records, damage = read(content)
        assert records == [] and damage == ([(52, len(content), damage[0][2])] if len(content) > 52 else [])


# ---- boots -------------------------------------------------------------------------------------------------------

def boots(*segments, folder):
    return recorder.read_recording(report_cases.folder_of(folder, *segments)).boots


def test_segments_of_one_boot_are_joined_and_others_are_not(tmp_path):
    one, two, three = ([report_cases.record(second, "c7.test")] for second in (10.0, 20.5, 3.0))
    found = boots((BOOT_A, one), (BOOT_A, two), (BOOT_B, three), folder=tmp_path / "r")
    assert [(len(b.records), b.length_s) for b in found] == [(2, 10.5), (1, 0.0)]
    unknown = boots((bytes(16), one), (bytes(16), two), folder=tmp_path / "u")
    assert [len(b.records) for b in unknown] == [1, 1]  # zeros: the boot is not known, so no two are alike


def test_a_dump_is_split_where_the_clock_falls_back(tmp_path):
    lines = [report_cases.record(second, "c7.test") for second in (10.0, 9.999, 12.0, 3.0, 4.0)]
    dump = tmp_path / "dump.jsonl"
    dump.write_text("\n".join(lines) + "\n")
    recording = recorder.read_recording(dump)
    times = [[record.mono_ns / 1e9 for record in boot.records] for boot in recording.boots]
    assert recording.is_dump and times == [[9.999, 10.0, 12.0], [3.0, 4.0]]


def test_what_holds_no_record_is_refused(tmp_path):
    cases = {"text": (b"hello\n", "no file of the flight recorder"), "empty": (b"", "no record in it is whole"),
             "header alone": (recorder_files.header(), "no record in it is whole"),
             "zeros": (bytes(500), "no file of the flight recorder"),
             "cut header": (recorder_files.header()[:30], "incomplete_tail"),
             "later": (recorder_files.header(magic=b"SKUAFDR9"), "later"),
             "json": (b'{"records":[]}', "line 1 is no record"),
             "dump of one bad line": (THREE[0].encode() + b"\n{}\n", "line 2 is no record")}
    for name, (content, words) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ReportError, match=words):
            recorder.read_recording(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReportError, match="holds no segment"):
        recorder.read_recording(tmp_path / "folder")
    with pytest.raises(ReportError, match="No such file"):
        recorder.read_recording(tmp_path / "missing")
