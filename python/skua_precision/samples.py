"""Samples of a calibration data set: read once, exactly as they were hashed, and judged before any is used."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from onnx import ModelProto, ValueInfoProto, helper

from skua_precision import graphs
from skua_precision.errors import PrecisionError, build_error

MAX_ARRAY_BYTES = 2**31  # of one sample; a network's input is far below
MAX_ENTRIES, MAX_DIRECTORY_BYTES = 1000, 2**20  # of an archive
END, MEMBER = struct.Struct("<4s4H2IH"), struct.Struct("<4s5H3I2H")  # APPNOTE 4.3.16 and 4.3.7
ZIP64_SEARCH = END.size + 20 + 2**16
NOT_HERE, STREAMED = 0xFFFFFFFF, 8
HELD_OUT_EVERY = 5  # one sample in so many judges the result and calibrates nothing
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class SampleFile:
    """One file of a data set, as whoever hashed the set listed it."""

    path: Path
    sha256: str
    original: str = ""  # SHA-256 of the image that it was made from, if any: samples are told apart by it
    image: str = ""  # its path

    @property
    def content(self) -> str:
        return self.original or self.sha256

    @property
    def name(self) -> str:
        """What the user has of it: no file that the caller makes and removes."""
        return self.image or str(self.path)


@dataclass(frozen=True)
class Sample:
    """What a file holds: an array for each input of a model."""

    name: str
    arrays: Arrays


def malformed(file: SampleFile, expected: str, found: str) -> PrecisionError:
    return build_error("data_set_malformed", f"data set, {file.name}: expected {expected}, found {found}; repair it or take it out "
                                             "of the data set")


def _changed(file: SampleFile, found: str) -> PrecisionError:
    return build_error("data_set_changed", f"data set, {file.name}: expected the file as it was hashed, found {found}; let "
                                           "nobody write to the data set and run the command again")


def _bytes_of(file: SampleFile) -> bytes:
    """The bytes that were hashed; no link is followed, nothing is waited for."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise _changed(file, "no regular file")
            if found.st_size > MAX_ARRAY_BYTES:
                raise malformed(file, f"at most {MAX_ARRAY_BYTES} bytes", str(found.st_size))
            data = stream.read(found.st_size + 1)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise _changed(file, str(error.strerror)) from error
        raise PrecisionError("IoError", "io_error", f"data set, {file.name} cannot be read: {error.strerror}; check the "
                                                    "disk and the file's permissions") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise _changed(file, "another content")
    return data


def _check_header(file: SampleFile, value: ValueInfoProto, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Before a byte is allocated for the array."""
    tensor = value.type.tensor_type
    wanted_type = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if dtype != wanted_type:
        raise malformed(file, f"{wanted_type} for input '{value.name}'", str(dtype))
    if 0 in shape:
        raise malformed(file, f"values for input '{value.name}'", "an empty array")
    if not tensor.HasField("shape"):
        return
    wanted = [dim.dim_value or None for dim in tensor.shape.dim]  # None: dynamic
    if len(wanted) != len(shape) or any(w not in (None, n) for w, n in zip(wanted, shape, strict=True)):
        told = ", ".join("any" if w is None else str(w) for w in wanted)
        raise malformed(file, f"shape ({told}) for input '{value.name}'", str(shape))


def _array(file: SampleFile, value: ValueInfoProto, data: bytes) -> np.ndarray:
    """Of a .npy, whose format is NEP 1 of NumPy."""
    stream = io.BytesIO(data)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(stream))
    if read_header is None:
        raise malformed(file, f"format 1.0 or 2.0 for '{value.name}.npy'", "another")
    shape, is_fortran, dtype = read_header(stream)
    _check_header(file, value, shape, dtype)
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(data) - stream.tell() != size:
        raise malformed(file, f"{size} bytes of values in '{value.name}.npy'", str(len(data) - stream.tell()))
    array = np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if is_fortran else "C")
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise malformed(file, f"finite values for input '{value.name}'", "NaN or infinity")
    return np.array(array, order="C")


def _check_frame(file: SampleFile, data: bytes) -> None:
    """As src/calibration/npz.cpp: what numpy.savez writes, before zipfile makes an object of every entry of the directory."""
    if len(data) < END.size or data[-END.size:].find(b"PK\5\6") != 0:
        raise malformed(file, "a .npz file", "no directory of an archive at its end")
    if re.search(rb"PK\x06\x07.{16}PK\x05\x06", data[-ZIP64_SEARCH:], re.DOTALL):
        raise malformed(file, "an archive of less than 4 GiB", "a directory in ZIP64")
    _, disk, first_disk, here, count, size, offset, comment = END.unpack_from(data, len(data) - END.size)
    if count > MAX_ENTRIES or size > MAX_DIRECTORY_BYTES:
        raise malformed(file, f"a directory of at most {MAX_ENTRIES} arrays and {MAX_DIRECTORY_BYTES} bytes", f"{count} and {size}")
    is_whole = (disk, first_disk, here, comment) == (0, 0, count, 0) and offset + size + END.size == len(data)
    if not is_whole or (offset and not data.startswith(b"PK\3\4")):
        raise malformed(file, "a .npz file", "an archive with something in front or behind")


def _check_member(file: SampleFile, data: bytes, entry: zipfile.ZipInfo) -> None:
    """That the header in front of a member says what the directory does: zipfile compares the names alone."""
    _, _, flags, method, _, _, crc, packed, size, name, _ = MEMBER.unpack_from(data, entry.header_offset)
    if packed == size == NOT_HERE:  # numpy always uses the extra field of ZIP64
        _, _, size, packed = struct.unpack_from("<HHQQ", data, entry.header_offset + MEMBER.size + name)
    is_streamed = flags & STREAMED and crc == 0  # the numbers stand behind the member
    said = (entry.compress_type, entry.CRC, entry.compress_size, entry.file_size)
    if (method, crc, packed, size) != said and not (is_streamed and method == entry.compress_type):
        raise malformed(file, f"the same of '{entry.filename}' in front of it and in the directory", "a difference")


def _arrays(file: SampleFile, inputs: dict[str, ValueInfoProto], data: bytes) -> Arrays:
    _check_frame(file, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len(entries) != int.from_bytes(data[-12:-10], "little"):
            raise malformed(file, "as many arrays as the archive says", str(len(entries)))
        if (size := sum(entry.file_size for entry in entries)) > MAX_ARRAY_BYTES:
            raise malformed(file, f"at most {MAX_ARRAY_BYTES} bytes of arrays", str(size))
        names = [entry.filename.removesuffix(".npy") for entry in entries]
        if len(set(names)) != len(names):
            raise malformed(file, "every array once", "one twice")
        if set(names) != set(inputs):
            raise malformed(file, f"one array an input ({', '.join(inputs)})", ", ".join(sorted(names)) or "none")
        if other := [entry for entry in entries if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]:
            raise malformed(file, "members stored or deflated, as numpy writes them", f"another way for '{other[0].filename}'")
        for entry in entries:
            _check_member(file, data, entry)
        return {name: _array(file, inputs[name], _member(file, archive, entry))
                for name, entry in zip(names, entries, strict=True)}


def _member(file: SampleFile, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Whole, so that the archive's checksum is compared before anything is made of the bytes; no more than it says."""
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise malformed(file, f"{entry.file_size} bytes in '{entry.filename}'", f"{len(data)} or more")
    return data


def read(file: SampleFile, model: ModelProto) -> Arrays:
    """One array for each input of `model`, of its type and shape, and nothing else."""
    data = _bytes_of(file)
    try:
        return _arrays(file, graphs.inputs_of(model), data)
    except (PrecisionError, MemoryError):
        raise
    except Exception as error:  # whatever unpacking and parsing make of foreign bytes
        raise malformed(file, "a .npz file", f"another: {type(error).__name__}: {error}") from error


def split(files: Sequence[SampleFile]) -> tuple[list[SampleFile], list[SampleFile]]:
    """What calibrates, and what is held out to judge with, by position: it is the same every time. Files of one content
    are on one side."""
    contents = list(dict.fromkeys(file.content for file in files))
    if len(contents) < 2:
        raise build_error("data_set_malformed", f"the data set: expected at least 2 samples that differ, one to calibrate with "
                                                f"and one to judge with, found {len(contents)}; give more samples")
    every = min(HELD_OUT_EVERY, len(contents))
    judging = set(contents[every - 1::every])
    return [f for f in files if f.content not in judging], [f for f in files if f.content in judging]


def each(files: Sequence[SampleFile], model: ModelProto) -> Iterator[Sample]:
    """One after the other: a data set need not fit into memory."""
    for file in files:
        yield Sample(file.name, read(file, model))
