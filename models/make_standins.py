"""Generates stand-ins of the networks that fly: their shapes and sizes, with random weights.

    python models/make_standins.py --scale nano|full --out DIR [--only NAME...] [--precision fp32,fp16]

Per network: NAME.onnx (float32), NAME_fp16.onnx (as `skua quantize` makes it), NAME.pt and NAME.golden; and
set.yaml (fp16), set_fp32.yaml, both for ONNX Runtime on the CPU, and set_torch.yaml (NAME.pt in fp16, by the
default runtime) for `skua provision`. What is up to date is left alone. What any of them outputs means nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from generated import RECORD, are_unchanged, file_sha256, identity, read_record, write_record  # noqa: E402

if TYPE_CHECKING:  # they import torch, which takes seconds
    from model_files import ExportModel
    from standins import Standin

SOURCES = ("generated.py", "golden.py", "make_standins.py", "model_files.py", "standin_dense.py",
           "standin_global.py", "standin_inputs.py", "standin_layers.py", "standin_matching.py",
           "standins.py", "../python/skua_precision/check.py", "../python/skua_precision/graphs.py",
           "../python/skua_precision/half.py")
PACKAGES = ("numpy", "onnx", "onnxruntime", "torch")
PRECISIONS = ("fp32", "fp16")
SET_FILES = {"fp16": "set.yaml", "fp32": "set_fp32.yaml"}
TORCH_SET_FILE = "set_torch.yaml"
RANDOM = "Stand-ins with random weights: what they output means nothing."


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def onnx_file(name: str, precision: str) -> str:
    return f"{name}.onnx" if precision == "fp32" else f"{name}_{precision}.onnx"


def model_files_of(name: str, precisions: list[str]) -> list[str]:
    return [f"{name}.pt", f"{name}.golden", *(onnx_file(name, p) for p in precisions)]


def write_half(standin: Standin, model: ExportModel, folder: Path) -> dict[str, object]:
    """Converts NAME.onnx as `skua quantize` does, and says how far the outputs move on the golden inputs."""
    from skua_precision import check, graphs, half

    source = graphs.load(folder / onnx_file(standin.name, "fp32")).model
    converted = half.to_half(source, list(standin.keep_fp32))
    source = half.prepare(source)
    kept = set(converted.kept_fp32) | set(converted.always_fp32)
    check.refuse_overflow(check.judge_weights(source, kept))
    inputs = {name: tensor.numpy() for name, tensor in model.inputs.items()}
    ranges = check.value_ranges(source, inputs)
    check.refuse_large_values(source, ranges, kept)
    reports = check.compare(source, converted.model, inputs, kept)
    data = converted.model.SerializeToString(deterministic=True)
    (folder / onnx_file(standin.name, "fp16")).write_bytes(data)
    return {"largest_value": max(ranges.values()), "outputs": [check.as_json(r) for r in reports]}


def generate(name: str, scale: str, precisions: list[str], out: Path) -> dict[str, object]:
    """Makes one network in a staging folder, then moves its files into place; returns its record."""
    import model_files
    import standins

    standin = standins.standin(name, scale)
    with tempfile.TemporaryDirectory(dir=out, prefix=".staging-") as staging_name:
        staging = Path(staging_name)
        model = standins.build(standin, scale)
        entry: dict[str, object] = dict(model_files.export(model, staging, name))
        if "fp16" in precisions:
            entry["fp16"] = write_half(standin, model, staging)
        wanted = model_files_of(name, precisions)
        entry["files"] = {file: file_sha256(staging / file) for file in wanted}
        for file in wanted:
            os.replace(staging / file, out / file)
    return entry


def in_child(function: Callable[..., dict], *arguments: object) -> dict:
    """Calls it in a forked process. TorchScript numbers classes per process: made in one process, a file
    would depend on the networks made before it. And a large network's memory goes back to the system."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(function, *arguments).result()


def is_up_to_date(entry: dict, name: str, precisions: list[str], out: Path) -> bool:
    files = entry.get("files", {})
    wanted = model_files_of(name, precisions)
    return set(wanted) <= set(files) and are_unchanged(out, {file: files[file] for file in wanted})


def network_entry(name: str, scale: str, precision: str, golden_origin: str, is_torch: bool = False) -> dict:
    """One network of SET.yaml. A TorchScript file has no nodes that keep_fp32 could name."""
    import standins

    standin = standins.standin(name, scale)
    model = {"pt": f"{name}.pt"} if is_torch else {"onnx": onnx_file(name, precision), "pt": f"{name}.pt"}
    entry: dict[str, object] = {"name": name, **model, "precision": precision,
                                "golden": {"file": f"{name}.golden", "origin": golden_origin}}
    names = ("min", "opt", "max")
    profiles = [{"input": name} | dict(zip(names, map(_shape, shapes)))
                for name, shapes in standin.profiles.items()]
    outputs = {output: _shape(shape) for output, shape in standin.max_output_shapes.items()}
    optional = {"profiles": profiles, "max_output_shapes": outputs}
    if precision == "fp16":
        optional["keep_fp32"] = [] if is_torch else list(standin.keep_fp32)
        optional["tolerances"] = {output: asdict(tolerance) | {"max_mismatch_fraction": 0}
                                  for output, tolerance in standin.tolerances.items()}
    return entry | {key: value for key, value in optional.items() if value}


def _shape(dims: tuple[int, ...]) -> str:
    return "x".join(map(str, dims))


def write_set(names: list[str], scale: str, file: str, record: dict, out: Path) -> None:
    """SET.yaml for ONNX Runtime on the CPU, or one that names no runtime, which means PyTorch. JSON, which YAML
    contains, with a comment above."""
    is_torch = file == TORCH_SET_FILE
    precision = "fp32" if file == SET_FILES["fp32"] else "fp16"
    origins = {name: record["models"][name]["golden_origin"] for name in names}
    networks = [network_entry(name, scale, precision, origins[name], is_torch) for name in names]
    settings = {} if is_torch else {"runtime": "onnx_trt_ep", "execution_provider": "cpu"}
    text = f"# {RANDOM}\n{json.dumps({**settings, 'networks': networks}, indent=1)}\n"
    with tempfile.TemporaryDirectory(dir=out, prefix=".staging-") as staging:
        (Path(staging) / file).write_text(text, "utf-8")
        os.replace(Path(staging) / file, out / file)


def prepare_torch() -> None:
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def make(scale: str, names: list[str], precisions: list[str], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    maker = identity(SOURCES, PACKAGES) | {"scale": scale}
    record = read_record(out)
    if record.get("generator") != maker:
        record = {"generator": maker, "note": RANDOM, "models": {}}
    prepare_torch()
    for name in names:
        if is_up_to_date(record["models"].get(name, {}), name, precisions, out):
            say(f"{name} is up to date")
            continue
        record["models"][name] = in_child(generate, name, scale, precisions, out)
        write_record(out, record)
        size = sum((out / file).stat().st_size for file in record["models"][name]["files"])
        say(f"{name} written, {size / 1e6:.1f} MB")
    for file in (*(SET_FILES[precision] for precision in precisions), TORCH_SET_FILE):
        write_set(names, scale, file, record, out)


def precisions_of(text: str) -> list[str]:
    found = text.split(",")
    if not found or not set(found) <= set(PRECISIONS):
        raise argparse.ArgumentTypeError(f"'{text}': give fp32, fp16 or fp32,fp16")
    return [p for p in PRECISIONS if p in found]


def main() -> int:
    import standins

    parser = argparse.ArgumentParser(description=f"Generate stand-ins of the networks that fly. {RANDOM}")
    parser.add_argument("--scale", choices=standins.SCALES, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=standins.NAMES, default=standins.NAMES, metavar="NAME")
    parser.add_argument("--precision", type=precisions_of, default=list(PRECISIONS), metavar="fp32,fp16")
    given = parser.parse_args()
    names = [name for name in standins.NAMES if name in given.only]
    make(given.scale, names, given.precision, given.out)
    say(f"{given.scale} set in {given.out}. {RANDOM}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
