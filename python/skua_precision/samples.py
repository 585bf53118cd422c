"""Samples of a calibration data set: read once, exactly as they were hashed, and judged before any is used."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import ModelProto, helper

from skua_precision.errors import build_error

MAX_ARRAY_BYTES = 2**31  # of one sample; a network's input is far below
HELD_OUT_EVERY = 5  # one sample in so many judges the result and calibrates nothing
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class SampleFile:
    """One file of a data set, as whoever hashed the set listed it."""

    path: Path
    sha256: str


def malformed(file: SampleFile, expected: str, found: str) -> Exception:
    return build_error("data_set_malformed", f"data set, {file.path}: expected {expected}, found {found}")


def _arrays_in(file: SampleFile, data: bytes) -> Arrays:
    """Every array of a .npz; what is compressed says its size before it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > MAX_ARRAY_BYTES:
                raise malformed(file, f"at most {MAX_ARRAY_BYTES} bytes of arrays", str(size))
            names = [entry.filename for entry in archive.infolist()]
        if len(set(names)) != len(names):
            raise malformed(file, "every array once", "one twice")
        with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise malformed(file, "a .npz file", f"another: {error}") from error


def _check_fits(file: SampleFile, name: str, array: np.ndarray, declared: object) -> None:
    tensor = declared.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if array.dtype != dtype:
        raise malformed(file, f"{dtype} for input '{name}'", str(array.dtype))
    wanted = [dim.dim_value or None for dim in tensor.shape.dim]  # None: dynamic
    fits = len(wanted) == array.ndim and all(w in (None, n) for w, n in zip(wanted, array.shape, strict=True))
    if not fits:
        shape = ", ".join("any" if w is None else str(w) for w in wanted)
        raise malformed(file, f"shape ({shape}) for input '{name}'", str(array.shape))
    if array.size == 0:
        raise malformed(file, f"values for input '{name}'", "an empty array")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise malformed(file, f"finite values for input '{name}'", "NaN or infinity")


def read(file: SampleFile, model: ModelProto) -> Arrays:
    """One array for each input of `model`, of its type and shape, and nothing else."""
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise build_error("data_set_malformed", f"data set, {file.path} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise build_error("data_set_changed", f"data set, {file.path}: expected the file as it was hashed, found "
                                              "another content; let nobody write to the data set and run the "
                                              "command again")
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {value.name: value for value in model.graph.input if value.name not in weights}
    arrays = _arrays_in(file, data)
    if set(arrays) != set(inputs):
        raise malformed(file, f"one array an input ({', '.join(inputs)})", ", ".join(sorted(arrays)) or "none")
    for name, array in arrays.items():
        _check_fits(file, name, array, inputs[name])
    return arrays


def split(files: Sequence[SampleFile]) -> tuple[list[SampleFile], list[SampleFile]]:
    """What calibrates, and what is held out to judge with; by position, so that it is the same every time."""
    if len(files) < 2:
        raise build_error("data_set_malformed", f"the data set: expected at least 2 samples, one to calibrate with and "
                                                f"one to judge with, found {len(files)}")
    every = min(HELD_OUT_EVERY, len(files))
    held_out = [file for i, file in enumerate(files) if i % every == every - 1]
    return [file for file in files if file not in held_out], held_out


def each(files: Sequence[SampleFile], model: ModelProto) -> Iterator[Arrays]:
    """One after the other: a data set need not fit into memory."""
    for file in files:
        yield read(file, model)
