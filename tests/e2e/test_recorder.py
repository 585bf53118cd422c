"""`skua recorder dump`: files that Python wrote from the format page, and files that the recorder wrote."""

import json
import os
import signal
import subprocess

import pytest

import confined
import programs
import recorder_files
import tracing
import trees
from programs import DONE, USAGE
from recorder_files import frame, header, name, record, segment

WRITER = programs.BUILD / "tests" / "recorder_writer"
THREE = [record(1), record(2, kind="c7.engine_refused", file="a.onnx"), record(3, kind="vendor.unknown", x=[1.5, None][1])]


@pytest.fixture(name="folder")
def recorder_folder(tmp_path):
    folder = tmp_path / "recorder"
    folder.mkdir()
    return folder


@pytest.fixture(name="writer")
def writer_program():
    if not os.access(WRITER, os.X_OK):
        pytest.skip(f"{WRITER} is not built: this preset has no tests")
    return WRITER


def dump(skua, *arguments):
    """Exit status 0, the lines of stdout, the lines of stderr."""
    result = skua.ok("recorder", "dump", *arguments)
    return result.stdout.splitlines(), result.stderr.splitlines()


# ---- what is printed -------------------------------------------------------------------------------------------------

def test_prints_exactly_the_stored_texts(skua, folder):
    (folder / name(1)).write_bytes(segment(THREE))
    assert dump(skua, folder / name(1)) == (THREE, [])
    assert dump(skua, folder) == (THREE, [])
    assert dump(skua, f"{folder}/") == (THREE, [])


def test_segments_in_their_order_and_several_paths(skua, folder, tmp_path):
    for number in (10, 2, 1):
        (folder / name(number)).write_bytes(segment([record(number)], number=number))
    (folder / "segment-3.skfr").write_bytes(segment([record(3)]))
    (folder / "notes.txt").write_text("x")
    assert dump(skua, folder) == ([record(1), record(2), record(10)], [])
    other = tmp_path / "copied.bin"
    other.write_bytes(segment([record(7)]))
    assert dump(skua, other, folder / name(2)) == ([record(7), record(2)], [])


def test_kinds_and_times(skua, folder):
    records = [record(day, kind=kind, ts=f"2026-03-0{day}T12:00:00.00000{day}Z")
               for day, kind in ((1, "a"), (2, "b"), (3, "a"), (4, "c"))]
    (folder / name(1)).write_bytes(segment(records))

    def numbers(*arguments):
        return [json.loads(line)["mono_ns"] for line in dump(skua, folder, *arguments)[0]]
    assert numbers("--kind", "a") == [1, 3]
    assert numbers("--kind", "a", "--kind", "c") == [1, 3, 4]
    assert numbers("--kind", "nobody") == []
    assert numbers("--since", "2026-03-02") == [2, 3, 4]
    assert numbers("--since", "2026-03-02T12:00:00.000003Z") == [3, 4]
    assert numbers("--since", "2026-03-02T12:00:00.000002Z", "--until", "2026-03-04T12:00") == [2, 3]
    assert numbers("--until", "2026-03-03T12:00:01Z", "--kind", "a") == [1, 3]
    for bad in ("yesterday", "2026-02-30", "2026", "2026-03-01T25:00"):
        result = skua("recorder", "dump", folder, "--since", bad, "--json")
        programs.error_of(result, USAGE, "invalid_argument", "--since", bad)


def test_json_is_one_object(skua, folder):
    (folder / name(4)).write_bytes(segment(THREE, number=4) + b"torn")
    report = skua.ok("recorder", "dump", folder, "--json")
    assert report["records"] == [json.loads(text) for text in THREE]
    assert report["segments"] == [{"file": str(folder / name(4)), "size_bytes": len(segment(THREE)) + 4, "records": 3,
                                   "number": 4, "opened": "2026-03-01T12:00:00.000000Z"}]
    damage, = report["damage"]
    assert (damage["file"], damage["from"], damage["to"]) == (str(folder / name(4)), len(segment(THREE)),
                                                              len(segment(THREE)) + 4)


def test_nothing_of_a_record_reaches_the_terminal_raw(skua, folder):
    sly = record(1, name="@").replace("@", "\u202e\u009b31m\u2028")
    (folder / name(1)).write_bytes(segment([sly]))
    lines, told = dump(skua, folder)
    assert len(lines) == 1 and lines[0].isascii() and not told
    assert json.loads(lines[0]) == json.loads(sly)


# ---- what is damaged -------------------------------------------------------------------------------------------------

def expect_damage(skua, path, kind, first, last, records):
    """One damaged range of this kind, told on stderr and in --json; the other records are there. Status 0."""
    lines, told = dump(skua, path)
    assert lines == records
    assert len(told) == 1 and f"bytes {first} to {last} " in told[0] and f"[{kind}]" in told[0] and str(path) in told[0]
    damage, = skua.ok("recorder", "dump", path, "--json")["damage"]
    assert (damage["from"], damage["to"], damage["kind"]) == (first, last, kind) and damage["reason"]


def test_torn_tail_is_normal(skua, folder):
    whole = segment(THREE)
    start = len(segment(THREE[:2]))
    for cut in (start + 1, start + 11, start + 12, len(whole) - 1):
        (folder / name(1)).write_bytes(whole[:cut])
        expect_damage(skua, folder / name(1), "incomplete_tail", start, cut, THREE[:2])
    (folder / name(1)).write_bytes(header()[:20])
    expect_damage(skua, folder / name(1), "incomplete_tail", 0, 20, [])
    (folder / name(1)).write_bytes(b"")
    expect_damage(skua, folder / name(1), "incomplete_tail", 0, 0, [])


def test_damage_costs_the_record_that_it_hits(skua, folder):
    path, whole = folder / name(1), segment(THREE)
    first, last = len(segment(THREE[:1])), len(segment(THREE[:2]))
    for at, kind in ((first, "no_marker"), (first + 7, "length"), (first + 9, "checksum"), (first + 40, "checksum")):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1:])
        expect_damage(skua, path, kind, first, last, [THREE[0], THREE[2]])
    path.write_bytes(whole[:20] + b"\xff" + whole[21:])
    expect_damage(skua, path, "header", 0, 52, THREE)
    path.write_bytes(whole[:last] + bytes(4096) + whole[last:])
    expect_damage(skua, path, "no_marker", last, last + 4096, THREE)


def test_later_version_is_not_guessed_at(skua, folder):
    whole = header(magic=b"SKUAFDR2") + frame(record(1).encode())
    (folder / name(1)).write_bytes(whole)
    expect_damage(skua, folder / name(1), "version", 0, len(whole), [])


BAD_RECORDS = {
    "no JSON": b"hello", "no UTF-8": record(1).encode().replace(b"c7.test", b"c7\xff"), "array": b"[]",
    "two lines": record(1).encode().replace(b",", b",\n"), "nested": record(1, deep={"a": {"b": 1}}).encode(),
    "later schema": record(1).encode().replace(b'"schema":1', b'"schema":2'),
    "other producer": record(1).encode().replace(b"c7_", b"c9_"), "key twice": record(1).encode()[:-1] + b',"ts":1}',
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_whole_frame_that_holds_no_record(skua, folder, case):
    bad = frame(BAD_RECORDS[case])
    (folder / name(1)).write_bytes(segment(THREE[:1]) + bad + frame(THREE[1].encode()))
    start = len(segment(THREE[:1]))
    expect_damage(skua, folder / name(1), "record", start, start + len(bad), THREE[:2])


# ---- what is no recorder ---------------------------------------------------------------------------------------------

def test_paths_that_are_no_recorder(skua, folder, tmp_path):
    def refuse(path, reason, *words):
        programs.error_of(skua("recorder", "dump", path, "--json", timeout=20), USAGE, reason, *words)
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "zeros").write_bytes(bytes(100))
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(folder)
    (folder / name(1)).write_bytes(segment(THREE))
    (tmp_path / name(2)).symlink_to(folder / name(1))
    refuse(tmp_path / "text", "malformed", "is no file of the flight recorder")
    refuse(tmp_path / "zeros", "malformed", "SKUAFDR1")
    refuse(tmp_path / "nowhere", "not_found", "nowhere")
    refuse(tmp_path / "fifo", "not_regular_file", "fifo")
    refuse(tmp_path / "link", "not_regular_file", "links are not followed")
    refuse(tmp_path / name(2), "not_regular_file", "links are not followed")
    refuse("/dev/zero", "not_regular_file", "expected a segment file")
    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty", "not_found", "holds no segment")
    with open(tmp_path / "huge", "wb") as huge:
        huge.truncate(1 << 40)
    refuse(tmp_path / "huge", "too_large", str(1 << 40))
    assert skua("recorder", "dump").returncode == USAGE and skua("recorder").returncode == USAGE


def test_one_unreadable_segment_hides_no_other(skua, folder):
    for number in (1, 3):
        (folder / name(number)).write_bytes(segment([record(number)], number=number))
    (folder / name(2)).mkdir()
    result = skua("recorder", "dump", folder)
    assert result.returncode == USAGE and result.stdout.splitlines() == [record(1), record(3)]
    assert name(2) in result.stderr and "not_regular_file" in result.stderr
    (folder / name(2)).rmdir()
    (folder / name(2)).write_bytes(bytes(5000))  # blocks that a power cut left without content
    lines, told = dump(skua, folder)
    assert lines == [record(1), record(3)] and len(told) == 1 and "bytes 0 to 5000" in told[0]


def test_no_permission(skua):
    why = confined.why_no_other_user()
    if why:
        pytest.skip(why)
    with confined.PublicFolder() as public:
        (public / name(1)).write_bytes(segment(THREE))
        (public / name(1)).chmod(0o600 if os.geteuid() == 0 else 0)
        result = skua("recorder", "dump", public, "--json", prefix=confined.as_other_user())
        programs.error_of(result, USAGE, "permission_denied", name(1))


def test_reading_never_writes(skua, folder, tmp_path):
    why = tracing.can_trace()
    if why:
        pytest.skip(why)
    (folder / name(1)).write_bytes(segment(THREE) + b"torn")
    before = trees.tree(folder)
    report = tracing.run(skua.command("recorder", "dump", folder), tmp_path / "log",
                         env=programs.environment(skua.home))
    assert report.status == DONE and report.stdout.splitlines() == THREE
    assert report.changed_outside([]) == [] and report.network == []
    assert trees.tree(folder) == before


# ---- what the recorder writes ----------------------------------------------------------------------------------------

def write(writer, folder, count):
    return subprocess.run([writer, folder, str(count)], capture_output=True, text=True, timeout=60, check=False)


def test_format_page_is_enough_to_read_what_the_recorder_writes(skua, folder, writer):
    for _ in range(2):
        assert write(writer, folder, 20).returncode == 0
    expected, boots = [], set()
    for number in (1, 2):
        fields, payloads = recorder_files.read((folder / name(number)).read_bytes())
        assert fields["number"] == number and fields["opened_us"] > 1.7e15 and fields["opened_ns"] > 0
        boots.add(fields["boot"])
        assert [json.loads(payload)["payload"]["number"] for payload in payloads] == list(range(20))
        assert list(json.loads(payloads[0])) == ["schema", "producer", "ts", "mono_ns", "kind", "payload"]
        expected += [payload.decode() for payload in payloads]
    assert len(boots) == 1 and boots != {bytes(16)}
    assert dump(skua, folder) == (expected, [])


def test_dump_while_the_recorder_writes(skua, folder, writer):
    with subprocess.Popen([writer, folder, "-1"], stdout=subprocess.PIPE, text=True) as process:
        try:
            told = 0
            for _ in range(programs.repeats("e2e_recorder_dumps")):
                told = max(told, *(int(process.stdout.readline()) for _ in range(50)))
                report = skua.ok("recorder", "dump", folder, "--json")
                numbers = [entry["payload"]["number"] for entry in report["records"]]
                assert numbers == list(range(len(numbers))) and len(numbers) > told
                assert {entry["kind"] for entry in report["damage"]} <= {"incomplete_tail"}
            busy = write(writer, folder, 1)
            assert busy.returncode == 1 and "folder_busy" in busy.stderr
        finally:
            process.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in process.stdout.read().split())])
    numbers = [json.loads(line)["payload"]["number"] for line in dump(skua, folder)[0]]
    assert numbers == list(range(len(numbers))) and len(numbers) > told
    assert write(writer, folder, 1).returncode == 0  # the lock went with the process
