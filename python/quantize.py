"""The Python half of `skua quantize`: reads a request, writes the converted model and a response.

    python quantize.py REQUEST.json RESPONSE.json [PARENT_PID]

The request names the model, the precision, what stays float32, the inputs to judge with or the samples to calibrate
with, and the file to write, which lies in the caller's staging folder. The response holds either `result` or `error`. Status 28: no space left.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the package may be missing
    from collections.abc import Iterator

    from onnx import ModelProto

sys.path.insert(0, str(Path(__file__).resolve().parent))
from skua_precision.errors import PrecisionError, build_error, invalid_argument  # noqa: E402

DISK_FULL_STATUS = 28
PACKAGES_REMEDY = "run scripts/setup.sh, which installs the packages of requirements.txt"


def convert(request: dict) -> dict:
    """Everything between the request and the file; the result is what `skua quantize --json` prints."""
    tempfile.tempdir = str(Path(request["out"]).parent)  # libraries write nowhere else
    return {"fp16": to_half, "int8": to_int8}[request["precision"]](request)


def to_half(request: dict) -> dict:
    # Late: a missing package becomes a response, not a traceback.
    from skua_precision import check, graphs, half

    step("reading " + request["model"])
    source = graphs.load(Path(request["model"])).model
    step("converting")
    converted = half.to_half(source, request["keep_fp32"])
    source = half.prepare(source)
    blocked = set(converted.kept_fp32) | set(converted.always_fp32)
    weights = check.judge_weights(source, blocked)
    check.refuse_overflow(weights)
    inputs = check.inputs_for(source, read_inputs(request["inputs"]))
    step("comparing with float32")
    ranges = check.value_ranges(source, inputs)
    check.refuse_large_values(source, ranges, blocked)
    outputs = check.compare(source, converted.model, inputs, blocked)
    size = write_model(converted.model, Path(request["out"]))
    return {
        "size_bytes": size,
        "kept_fp32": converted.kept_fp32,
        "always_fp32": converted.always_fp32,
        "weights": check.as_json(weights),
        "largest_value": max(ranges.values(), default=0.0),
        "outputs": [check.as_json(output) for output in outputs],
    }


def to_int8(request: dict) -> dict:
    from skua_precision import accuracy, check, graphs, qdq, samples

    step("reading " + request["model"])
    source = graphs.load(Path(request["model"]))
    data = request["data_set"]
    calibrating, held_out = samples.split([samples.SampleFile(Path(path), *digests) for path, *digests in data["samples"]])
    made = qdq.to_int8(source.model, told(samples.each(calibrating, source.model), "calibrating", len(calibrating)),
                       request["keep_fp32"], data["algorithm"])
    figures = accuracy.judge(source.model, made.model,
                             told(samples.each(held_out, source.model), "comparing", len(held_out)))
    accuracy.refuse(figures)
    origin = {"dataset_sha256": data["sha256"], "sample_count": len(calibrating), "held_out_count": len(held_out),
              "algorithm": data["algorithm"], "producer": f"skua quantize, onnxruntime {check.onnxruntime.__version__}",
              "source_sha256": source.sha256, "source_external_sha256": source.external_sha256,
              "keep_fp32": request["keep_fp32"]}
    qdq.stamp(made.model, origin)
    size = write_model(made.model, Path(request["out"]))
    return {"size_bytes": size, "kept_fp32": made.kept_fp32, "left_fp32": made.left_fp32, "quantised": made.quantised,
            "calibration": origin,
            "outputs": [accuracy.as_json(figure) for figure in figures]}


def told(values: Iterator, doing: str, count: int) -> Iterator:
    """The same, with a line of progress each."""
    for number, value in enumerate(values, 1):
        step(f"{doing}: sample {number} of {count}")
        yield value


def step(text: str) -> None:
    """One line of progress; the caller shows it on a terminal."""
    print(text, flush=True)


def read_inputs(files: dict[str, str]) -> dict:
    import numpy as np

    arrays = {}
    for name, file in files.items():
        try:
            arrays[name] = np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise invalid_argument(f"--input {name}={file}: {error}; give a .npy file") from error
    return arrays


def write_model(model: ModelProto, path: Path) -> int:
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return len(data)


def answer(request: dict) -> dict:
    try:
        return {"result": convert(request)}
    except PrecisionError as error:
        found = error
    except ImportError as error:
        found = PrecisionError("InvalidArgumentError", "builder_missing",
                               f"the precision tools need the Python package '{error.name}': {error}; "
                               f"{PACKAGES_REMEDY}")
    except MemoryError:
        found = PrecisionError("OutOfMemoryError", "out_of_memory", "memory ran out while converting")
    except ValueError as error:
        # protobuf and onnx say so when a graph and its weights exceed one protobuf file.
        found = build_error("model_unsupported", f"the model cannot be converted: {error}")
    return {"error": {"class": found.error_class, "reason": found.reason, "message": str(found)}}


def main() -> int:
    request_file, response_file = (Path(word) for word in sys.argv[1:3])
    try:
        response = answer(json.loads(request_file.read_text("utf-8")))
        response_file.write_text(json.dumps(response, allow_nan=False), "utf-8")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return DISK_FULL_STATUS
        raise
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
