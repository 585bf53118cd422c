"""Flight-recorder files, read in pure Python from docs/formats/flight-recorder.md: whatever is whole is found."""

from __future__ import annotations

import datetime
import re
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from .files import ReportError, Source, named, printable, read_file, source_of
from .strict_json import BadJson, parse

MARKER = b"\xf5\xc1\xfa\xfe"
MAGIC = b"SKUAFDR1"
HEADER_BYTES, HEAD_BYTES, LARGEST_PAYLOAD = 52, 12, 65536
LARGEST_SEGMENT = 64 << 20
LARGEST_DUMP = 512 << 20
LONGEST_KIND = 387
SEGMENT_NAME = re.compile(r"segment-([0-9]{8})\.skfr")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
CONTROL = re.compile(rb"[\x00-\x1f]")
FIELDS = {"schema", "producer", "ts", "mono_ns", "kind", "payload"}
EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
# In a dump nothing names the boots. Threads hand events in within microseconds of each other; a clock that stands this much
# lower was started again.
FALLEN_BACK_NS = 1_000_000_000

Value = None | bool | int | float | str


@dataclass(frozen=True)
class Record:
    ts: str
    utc_us: int
    mono_ns: int
    kind: str
    payload: dict[str, Value]
    segment: int = -1  # which of the files given; -1: a dump does not tell

    def text(self, key: str) -> str:
        value = self.payload.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> float | None:
        value = self.payload.get(key)
        return None if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)

    def count(self, key: str) -> int:
        value = self.payload.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that gave no record."""

    file: str
    begin: int
    end: int
    kind: str


@dataclass
class Segment:
    file: str
    number: int | None = None
    opened_ns: int | None = None
    boot: bytes | None = None
    records: list[Record] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    is_ours: bool = False


@dataclass
class Boot:
    """Records whose monotonic times are comparable, in their order. `identity` is for readers."""

    identity: str
    records: list[Record]

    @property
    def origin_ns(self) -> int:
        return self.records[0].mono_ns

    def seconds(self, mono_ns: int) -> float:
        """Since the boot's first record."""
        return (mono_ns - self.origin_ns) / 1e9

    @property
    def length_s(self) -> float:
        return self.seconds(self.records[-1].mono_ns)


@dataclass
class Recording:
    boots: list[Boot]
    damage: list[Damage]
    sources: list[Source]
    files: list[Path]
    is_dump: bool = False

    def all(self) -> list[tuple[int, Record]]:
        """Every record with the index of its boot."""
        return [(index, record) for index, boot in enumerate(self.boots) for record in boot.records]


# ---- one record --------------------------------------------------------------------------------------------------

def decode_record(line: bytes, segment: int = -1) -> Record:
    """Raises BadJson where the line is no record."""
    if len(line) > LARGEST_PAYLOAD or CONTROL.search(line):
        raise BadJson("it is too long, or holds a control character")
    value = parse(line)
    if not isinstance(value, dict) or set(value) != FIELDS:
        raise BadJson("its fields are not those of a record")
    if type(value["schema"]) is not int or value["schema"] != 1 or value["producer"] != "c7_inference":
        raise BadJson("it has another schema or producer")
    ts, mono_ns, kind, payload = value["ts"], value["mono_ns"], value["kind"], value["payload"]
    if type(mono_ns) is not int or not -(1 << 63) <= mono_ns < 1 << 63:
        raise BadJson("mono_ns is no whole number of 64 bits")
    if not isinstance(kind, str) or len(kind.encode()) > LONGEST_KIND or not isinstance(payload, dict):
        raise BadJson("kind is no text, or payload no object")
    if any(isinstance(entry, (list, dict)) for entry in payload.values()):
        raise BadJson("its payload is nested")
    return Record(ts if isinstance(ts, str) else "", utc_us_of(ts), mono_ns, kind,
                  {key: _value(entry) for key, entry in payload.items()}, segment)


def _value(entry: Value) -> Value:
    """A whole number beyond 64 bits is read as a double, as Skua does it."""
    if not isinstance(entry, int) or -(1 << 63) <= entry < 1 << 63:
        return entry
    try:
        return float(entry)
    except OverflowError:
        raise BadJson("a number is beyond a double") from None


def utc_us_of(ts: object) -> int:
    """Microseconds since 1970. Raises BadJson."""
    if not isinstance(ts, str) or not TIMESTAMP.fullmatch(ts):
        raise BadJson("ts is no time")
    try:
        moment = datetime.datetime.fromisoformat(ts[:-1])
    except ValueError:
        raise BadJson("ts is no time") from None
    return (moment - EPOCH) // MICROSECOND


# ---- one segment -------------------------------------------------------------------------------------------------

class _Scan:
    """One pass over a segment's bytes. The first thing that is wrong names a damaged range, whatever else is in it."""

    def __init__(self, content: bytes, file: str, index: int) -> None:
        self.content, self.at, self.index = content, 0, index
        self.segment = Segment(file)
        self.open: tuple[int, str] | None = None

    def run(self) -> Segment:
        self.read_header()
        while self.at < len(self.content):
            problem = self.read_frame()
            if problem is not None:
                self.open = self.open or (self.at, problem)
                following = self.content.find(MARKER, self.at + 1)
                self.at = following if following >= 0 else len(self.content)
        self.close(len(self.content))
        self.segment.is_ours = self.segment.is_ours or bool(self.segment.records)
        return self.segment

    def close(self, end: int) -> None:
        if self.open is None:
            return
        begin, kind = self.open
        if kind == "incomplete_tail" and end != len(self.content):
            kind = "length"  # something whole follows: it was not the end of the file that cut it
        self.segment.damage.append(Damage(self.segment.file, begin, end, kind))
        self.open = None

    def read_header(self) -> None:
        content = self.content
        self.segment.is_ours = MAGIC[:7].startswith(content[:7])
        if self.segment.is_ours and len(content) < HEADER_BYTES:
            self.open, self.at = (0, "incomplete_tail"), len(content)
        elif not self.segment.is_ours or zlib.crc32(content[:48]) != struct.unpack_from("<I", content, 48)[0]:
            self.open, self.at = (0, "header"), min(1, len(content))
        elif content[:8] != MAGIC:
            self.open, self.at = (0, "version"), len(content)
        else:
            number, _, _, opened_ns = struct.unpack_from("<IIqq", content, 8)
            self.segment.number, self.segment.opened_ns, self.segment.boot = number, opened_ns, content[32:48]
            self.at = HEADER_BYTES

    def read_frame(self) -> str | None:
        """Takes the frame at `at`, or says what is wrong there."""
        head = self.content[self.at:self.at + HEAD_BYTES]
        if not MARKER.startswith(head[:4]):
            return "no_marker"
        if len(head) < HEAD_BYTES:
            return "incomplete_tail"
        length, crc = struct.unpack_from("<II", head, 4)
        if not 1 <= length <= LARGEST_PAYLOAD:
            return "length"
        begin, end = self.at + HEAD_BYTES, self.at + HEAD_BYTES + length
        if end > len(self.content):
            return "incomplete_tail"
        # Before it is copied and summed: hostile bytes may claim this much at every marker.
        if self.content.find(MARKER, begin, end) >= 0:
            return "length"
        payload = self.content[begin:end]
        if zlib.crc32(payload, zlib.crc32(head[4:8])) != crc:
            return "checksum"
        self.take(payload)
        return None

    def take(self, payload: bytes) -> None:
        self.close(self.at)
        end = self.at + HEAD_BYTES + len(payload)
        try:
            self.segment.records.append(decode_record(payload, self.index))
        except BadJson:
            self.segment.damage.append(Damage(self.segment.file, self.at, end, "record"))
        self.segment.is_ours = True  # a whole frame, whatever it holds
        self.at = end


def read_segment(content: bytes, file: str, index: int = 0) -> Segment:
    return _Scan(content, file, index).run()


# ---- what was given ----------------------------------------------------------------------------------------------

def read_recording(path: Path) -> Recording:
    """A segment file, a recorder's folder, or what `skua recorder dump` printed."""
    if path.is_dir():
        return _read_folder(path)
    content = read_file(path, LARGEST_DUMP)
    if content.lstrip()[:1] == b"{":
        return _read_dump(path, content)
    if len(content) > LARGEST_SEGMENT:
        raise ReportError(f"{named(path)}: has {len(content)} bytes; a segment has at most {LARGEST_SEGMENT}")
    segment = read_segment(content, printable(path.name))
    if not segment.is_ours:
        raise ReportError(f"{named(path)}: is no file of the flight recorder, which begins with {MAGIC.decode()}, and "
                          "no JSON of `skua recorder dump`; name a segment, a recorder's folder or a dump")
    return _recording_of([segment], [source_of("flight recorder", path, content)], [path], path)


def _read_folder(path: Path) -> Recording:
    try:
        names = sorted(entry.name for entry in path.iterdir() if SEGMENT_NAME.fullmatch(entry.name))
    except OSError as error:
        raise ReportError(f"{named(path)}: cannot be read: {error.strerror}") from error
    if not names:
        raise ReportError(f"{named(path)}: holds no segment; a recorder's are named segment-00000001.skfr and on")
    segments, sources, files = [], [], [path]
    for index, name in enumerate(names):
        content = read_file(path / name, LARGEST_SEGMENT)
        segments.append(read_segment(content, name, index))
        sources.append(source_of("flight recorder", path / name, content))
        files.append(path / name)
    return _recording_of(segments, sources, files, path)


def _recording_of(segments: list[Segment], sources: list[Source], files: list[Path], path: Path) -> Recording:
    damage = [entry for segment in segments for entry in segment.damage]
    if any(entry.kind == "version" for entry in damage):
        raise ReportError(f"{named(path)}: a segment has a later format than {MAGIC.decode()}; use a later release")
    if not any(segment.records for segment in segments):
        kinds = ", ".join(sorted({entry.kind for entry in damage})) or "no damage"
        raise ReportError(f"{named(path)}: no record in it is whole ({kinds}); there is nothing to report")
    return Recording(_boots_of(segments), damage, sources, files)


def _boots_of(segments: list[Segment]) -> list[Boot]:
    """Segments of one boot are joined; one whose boot is not known stands alone."""
    boots: dict[str, list[Record]] = {}
    for segment in segments:
        known = segment.boot is not None and any(segment.boot)
        identity = segment.boot.hex() if known and segment.boot else f"not known ({segment.file})"
        boots.setdefault(identity, []).extend(segment.records)
    return [_boot(identity, records) for identity, records in boots.items() if records]


def _boot(identity: str, records: list[Record]) -> Boot:
    return Boot(identity, sorted(records, key=lambda record: record.mono_ns))


def _read_dump(path: Path, content: bytes) -> Recording:
    groups: list[list[Record]] = [[]]
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line:
            continue
        try:
            record = decode_record(line)
        except BadJson as bad:
            raise ReportError(f"{named(path)}: line {number} is no record: {printable(str(bad))}; expected the lines of "
                              "`skua recorder dump` without --json") from None
        if groups[-1] and record.mono_ns < groups[-1][-1].mono_ns - FALLEN_BACK_NS:
            groups.append([])
        groups[-1].append(record)
    boots = [_boot("not told by a dump", records) for records in groups]
    return Recording(boots, [], [source_of("flight recorder, a dump", path, content)], [path], is_dump=True)
