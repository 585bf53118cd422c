"""Golden files: named input tensors and the outputs a network must give for them.

Version 1, little endian: magic "SKUAGLD1", u32 tensor count, u32 zero; then per tensor
u8 role, u8 dtype code, u8 rank, u8 zero, u32 name length, name, i64 dims, u64 byte
length, payload in row-major order. Inputs first; nothing follows the last payload.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAGIC = b"SKUAGLD1"
INPUT, EXPECTED = 0, 1
MAX_TENSORS, MAX_RANK, MAX_NAME_BYTES = 64, 8, 255
# The position is the dtype code; code 0 does not exist.
DTYPES = [None, "<f4", "<f2", "<f8", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "|b1"]
CODES = {np.dtype(name): code for code, name in enumerate(DTYPES) if name is not None}


@dataclass(frozen=True)
class GoldenTensor:
    """One tensor of a golden file."""

    role: int
    name: str
    values: np.ndarray


class GoldenFormatError(ValueError):
    """The bytes or the tensors do not fit the format."""


def _require(is_met: bool, message: str) -> None:
    if not is_met:
        raise GoldenFormatError(message)


def _check_name(name: str) -> bytes:
    encoded = name.encode("utf-8")
    _require(1 <= len(encoded) <= MAX_NAME_BYTES, f"name {name!r}: 1 to 255 bytes are allowed")
    has_control = any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in name)
    _require(not has_control, f"name {name!r} has a control character")
    return encoded


def _check_list(tensors: list[GoldenTensor]) -> None:
    _require(1 <= len(tensors) <= MAX_TENSORS, f"{len(tensors)} tensors, 1 to 64 are allowed")
    roles = [t.role for t in tensors]
    _require(set(roles) <= {INPUT, EXPECTED}, f"unknown role in {roles}")
    _require(roles == sorted(roles), "an input follows an expected output")
    keys = [(t.role, t.name) for t in tensors]
    _require(len(set(keys)) == len(keys), "a name is used twice")


def encode(tensors: list[GoldenTensor]) -> bytes:
    """The file's bytes; inputs must come before expected outputs."""
    _check_list(tensors)
    parts = [MAGIC, struct.pack("<II", len(tensors), 0)]
    for tensor in tensors:
        name = _check_name(tensor.name)
        values = np.asarray(tensor.values)
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        code = CODES.get(values.dtype, 0)
        _require(code > 0, f"{tensor.name}: dtype {values.dtype} has no code")
        _require(values.ndim <= MAX_RANK, f"{tensor.name}: rank {values.ndim} is above 8")
        payload = values.tobytes(order="C")
        parts.append(struct.pack("<BBBBI", tensor.role, code, values.ndim, 0, len(name)))
        parts.append(name + struct.pack(f"<{values.ndim}q", *values.shape))
        parts.append(struct.pack("<Q", len(payload)) + payload)
    return b"".join(parts)


class _Cursor:
    """Bounded reading: never past the end, never a silent short read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> bytes:
        remaining = len(self._data) - self._position
        _require(count <= remaining, f"{count} bytes expected, {remaining} left")
        self._position += count
        return self._data[self._position - count : self._position]

    def unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def is_at_end(self) -> bool:
        return self._position == len(self._data)


def _read_name(cursor: _Cursor, length: int) -> str:
    _require(1 <= length <= MAX_NAME_BYTES, f"name of {length} bytes, 1 to 255 are allowed")
    try:
        name = cursor.take(length).decode("utf-8")
    except UnicodeDecodeError as error:
        raise GoldenFormatError(f"name is not UTF-8: {error}") from error
    _check_name(name)
    return name


def _read_tensor(cursor: _Cursor) -> GoldenTensor:
    role, code, rank, reserved, name_length = cursor.unpack("<BBBBI")
    _require(1 <= code < len(DTYPES), f"unknown dtype code {code}")
    _require(rank <= MAX_RANK, f"rank {rank} is above 8")
    _require(reserved == 0, "reserved byte is not 0")
    name = _read_name(cursor, name_length)
    shape = cursor.unpack(f"<{rank}q")
    _require(all(d >= 0 for d in shape), f"{name}: negative dimension in {shape}")
    (byte_length,) = cursor.unpack("<Q")
    dtype = np.dtype(DTYPES[code])
    expected = dtype.itemsize
    for dim in shape:
        expected *= dim
    _require(byte_length == expected, f"{name}: {expected} bytes expected, {byte_length} stated")
    values = np.frombuffer(cursor.take(byte_length), dtype=dtype).reshape(shape)
    return GoldenTensor(role, name, values)


def decode(data: bytes) -> list[GoldenTensor]:
    """The tensors of a golden file; anything that does not fit is refused."""
    cursor = _Cursor(data)
    _require(cursor.take(len(MAGIC)) == MAGIC, "not a golden file of version 1")
    count, reserved = cursor.unpack("<II")
    _require(1 <= count <= MAX_TENSORS, f"{count} tensors, 1 to 64 are allowed")
    _require(reserved == 0, "reserved field is not 0")
    tensors = [_read_tensor(cursor) for _ in range(count)]
    _check_list(tensors)
    _require(cursor.is_at_end(), "bytes follow the last tensor")
    return tensors


def write(path: Path, tensors: list[GoldenTensor]) -> None:
    """Write a new file; the caller publishes it."""
    path.write_bytes(encode(tensors))


def read(path: Path) -> list[GoldenTensor]:
    """Read one golden file."""
    return decode(path.read_bytes())
