"""Segments of the flight recorder, written and read by nothing but docs/formats/flight-recorder.md."""

import json
import struct
import zlib

MARKER = b"\xf5\xc1\xfa\xfe"
HEADER_BYTES, HEAD_BYTES = 52, 12


def header(number=1, opened_us=1772366400000000, opened_ns=5, boot=bytes(16), magic=b"SKUAFDR1"):
    body = magic + struct.pack("<IIqq", number, 0, opened_us, opened_ns) + boot
    return body + struct.pack("<I", zlib.crc32(body))


def frame(payload):
    length = struct.pack("<I", len(payload))
    return MARKER + length + struct.pack("<I", zlib.crc32(length + payload)) + payload


def record(number, kind="c7.test", ts="2026-03-01T12:00:00.000000Z", **payload):
    """One record as text, laid out as the recorder does it."""
    return json.dumps({"schema": 1, "producer": "c7_inference", "ts": ts, "mono_ns": number, "kind": kind,
                       "payload": {"number": number, **payload}}, separators=(",", ":"))


def segment(records, **fields):
    return header(**fields) + b"".join(frame(text.encode()) for text in records)


def name(number):
    return f"segment-{number:08}.skfr"


def read(content):
    """(header as a dictionary, payloads) of an undamaged segment."""
    body, (crc,) = content[:48], struct.unpack("<I", content[48:52])
    assert body[:8] == b"SKUAFDR1" and zlib.crc32(body) == crc
    number, reserved, opened_us, opened_ns = struct.unpack("<IIqq", body[8:32])
    assert reserved == 0
    at, payloads = HEADER_BYTES, []
    while at < len(content):
        length, crc = struct.unpack("<II", content[at + 4:at + 12])
        payload = content[at + 12:at + 12 + length]
        assert content[at:at + 4] == MARKER and 1 <= length <= 65536 and len(payload) == length
        assert zlib.crc32(content[at + 4:at + 8] + payload) == crc and MARKER not in payload
        payloads.append(payload)
        at += HEAD_BYTES + length
    return {"number": number, "opened_us": opened_us, "opened_ns": opened_ns, "boot": body[32:48]}, payloads
