"""The Python half of `skua quantize`: reads a request, writes the converted model and a response.

    python quantize.py REQUEST.json RESPONSE.json [PARENT_PID]

The request names the model, the precision, what stays float32, the inputs to judge with or the samples to calibrate
or compare with, and the file to write, which lies in the caller's staging folder. The response holds either `result`
or `error`. Status 28: no space left.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the package may be missing
    from collections.abc import Iterator

    from onnx import ModelProto

    from skua_precision.check import WeightReport
    from skua_precision.graphs import Source
    from skua_precision.half import Conversion
    from skua_precision.samples import SampleFile

sys.path.insert(0, str(Path(__file__).resolve().parent))
from skua_precision.errors import PrecisionError, build_error, invalid_argument  # noqa: E402

DISK_FULL_STATUS = 28
PACKAGES_REMEDY = "install the packages of requirements.txt into this Python (scripts/setup.sh does for a source tree)"


def convert(request: dict) -> dict:
    """Everything between the request and the file; the result is what `skua quantize --json` prints."""
    tempfile.tempdir = str(Path(request["out"]).parent)  # libraries write nowhere else
    return {"fp16": to_half, "mixed": to_mixed, "int8": to_int8}[request["precision"]](request)


def to_half(request: dict) -> dict:
    # Late: a missing package becomes a response, not a traceback.
    from skua_precision import check

    source = read_model(request)
    converted, prepared, weights = convert_to_half(source.model, request["keep_fp32"])
    blocked = blocked_of(converted)
    inputs = check.inputs_for(prepared, read_inputs(request["inputs"]))
    step("comparing with float32")
    ranges = check.value_ranges(prepared, inputs)
    check.refuse_large_values(prepared, ranges, blocked)
    outputs = check.compare(prepared, converted.model, inputs, blocked)
    return half_result(converted, weights, ranges) | finish(request, source, converted.model) | {
        "outputs": [check.as_json(output) for output in outputs]}


def to_mixed(request: dict) -> dict:
    """Half precision around the nodes that patterns keep, judged like int8: nothing calibrates, so all samples judge."""
    from skua_precision import accuracy, check, samples

    source = read_model(request)
    files = list({file.sha256: file for file in reversed(files_of(request))}.values())[::-1]  # of one content, the first
    converted, prepared, weights = convert_to_half(source.model, request["keep_fp32"])
    blocked = blocked_of(converted)
    ranges = check.largest_values(prepared, ((sample.name, sample.arrays) for sample in told(
        samples.each(files, prepared), "looking for large values", len(files))))
    check.refuse_large_values(prepared, ranges, blocked)
    # What is written, of which the CPU leaves most roundings out, and what a GPU makes of it (check.rounded).
    for model in (converted.model, check.rounded(prepared, blocked)):
        figures = accuracy.judge(prepared, model, told(samples.each(files, prepared), "comparing", len(files)))
        accuracy.refuse(figures, "mixed")
    data = {"sample_count": 0, "held_out_count": len(files), "algorithm": None}
    return half_result(converted, weights, ranges) | finish(request, source, converted.model, data) | {
        "outputs": [accuracy.as_json(figure) for figure in figures]}


def convert_to_half(model: ModelProto, keep_fp32: list[str]) -> tuple[Conversion, ModelProto, WeightReport]:
    """The half model, the float32 one with the same names, and what becomes of the weights: they fit."""
    from skua_precision import check, half

    step("converting")
    converted = half.to_half(model, keep_fp32)
    prepared = half.prepare(model)
    weights = check.judge_weights(prepared, blocked_of(converted))
    check.refuse_overflow(weights)
    return converted, prepared, weights


def blocked_of(converted: Conversion) -> set[str]:
    """Nodes that compute in float32."""
    return set(converted.kept_fp32) | set(converted.always_fp32)


def half_result(converted: Conversion, weights: WeightReport, ranges: dict[str, float]) -> dict:
    return {"kept_fp32": converted.kept_fp32, "always_fp32": converted.always_fp32, "weights": asdict(weights),
            "largest_value": max(ranges.values(), default=0.0)}


def to_int8(request: dict) -> dict:
    from skua_precision import accuracy, activations, graphs, half, qdq, samples

    source = read_model(request)
    if request["scales"]:
        graphs.refuse_links(source, Path(request["model"]))
    data = request["data_set"]
    calibrating, held_out = samples.split(files_of(request))
    named = half.prepare(source.model)
    wanted = activations.of(named) if request["scales"] else []
    made = qdq.to_int8(source.model, told(samples.each(calibrating, source.model), "calibrating", len(calibrating)),
                       request["keep_fp32"], data["algorithm"], wanted)
    figures = accuracy.judge(source.model, made.model,
                             told(samples.each(held_out, source.model), "comparing", len(held_out)))
    accuracy.refuse(figures)
    counts = {"sample_count": len(calibrating), "held_out_count": len(held_out), "algorithm": data["algorithm"]}
    result = finish(request, source, made.model, counts) | {
        "kept_fp32": made.kept_fp32, "left_fp32": made.left_fp32, "quantised": made.quantised,
        "outputs": [accuracy.as_json(figure) for figure in figures]}
    if request["scales"]:  # and what the caller needs to say whose they are
        result["cache"] = {"scales": activations.scales(named, made.reach, wanted), "external": list(source.files),
                           "unnamed": activations.unnamed_of(named),
                           "model_sha256": source.record_sha256(Path(request["model"]).name)}
    return result


def read_model(request: dict) -> Source:
    from skua_precision import graphs

    step("reading " + request["model"])
    return graphs.load(Path(request["model"]))


def files_of(request: dict) -> list[SampleFile]:
    """The samples as the caller listed and hashed them."""
    from skua_precision import samples

    return [samples.SampleFile(Path(path), *digests) for path, *digests in request["data_set"]["samples"]]


def finish(request: dict, source: Source, model: ModelProto, data: dict | None = None) -> dict:
    """Stamps and writes the model. `data`: how the samples were used, where there are any."""
    from skua_precision import check, half

    provenance = {"precision": request["precision"], "keep_fp32": request["keep_fp32"],
                  "source_sha256": source.record_sha256(Path(request["model"]).name),
                  "producer": f"skua quantize, onnxruntime {check.onnxruntime.__version__}"}
    if data is not None:
        provenance |= {"dataset_sha256": request["data_set"]["sha256"]} | data
    half.stamp(model, provenance)
    return {"size_bytes": write_model(model, Path(request["out"])), "provenance": provenance}


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
