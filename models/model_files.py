"""Writes one network as ONNX, TorchScript and golden vectors, all from the same weights."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

import golden

OPSET = 17
GOLDEN_ORIGIN = f"pytorch {torch.__version__} eager fp32"


def exporter_of(program: str) -> str:
    """How files say what wrote them."""
    return f"skua {program}, pytorch {torch.__version__}, opset {OPSET}"


@dataclass(frozen=True)
class ExportModel:
    """A network with the inputs for its golden vectors and the names of its tensors."""

    name: str
    network: nn.Module
    inputs: dict[str, Tensor]
    output_names: tuple[str, ...]
    exporter: str
    # Input or output -> axis -> the dimension's name. Dimensions with one name have one size.
    dynamic_axes: dict[str, dict[int, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)  # further metadata

    @property
    def model_id(self) -> str:
        return f"skua-{self.name}-1"


def weights_sha256(network: nn.Module) -> str:
    """Digest of the state dict: sorted names, each with dtype, shape and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.numpy()
        shape = ",".join(str(d) for d in values.shape)
        digest.update(f"{name}\0{values.dtype.name}\0{shape}\0".encode())
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def metadata(model: ExportModel) -> dict[str, str]:
    """What both files of a network carry."""
    return {
        "skua.model_id": model.model_id,
        "skua.weights_sha256": weights_sha256(model.network),
        "skua.exporter": model.exporter,
    } | model.notes


def run_network(network: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Outputs as a tuple, also where there is only one."""
    with torch.no_grad():
        outputs = network(*inputs.values())
    return outputs if isinstance(outputs, tuple) else (outputs,)


def write_onnx(model: ExportModel, path: Path) -> None:
    """One file with the weights inside, static shapes but for dynamic_axes, standard operators only."""
    with warnings.catch_warnings():
        # The TorchScript-based exporter writes plain, stable graphs and needs no further
        # package; that it is no longer the default is known.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.network,
            tuple(model.inputs.values()),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(model.inputs),
            output_names=list(model.output_names),
            dynamic_axes=model.dynamic_axes,
        )
    proto = onnx.load(str(path))
    onnx.helper.set_model_props(proto, metadata(model))
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def interface(model: ExportModel) -> str:
    """What a TorchScript file does not say by itself (docs/formats/torchscript-io.md): -1 is a dynamic dimension."""

    def shape(name: str, tensor: Tensor) -> list[int]:
        dynamic = model.dynamic_axes.get(name, {})
        return [-1 if axis in dynamic else size for axis, size in enumerate(tensor.shape)]

    inputs = [
        {"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": shape(name, tensor)}
        for name, tensor in model.inputs.items()
    ]
    return json.dumps({"inputs": inputs, "outputs": list(model.output_names)})


def write_torchscript(model: ExportModel, path: Path) -> None:
    """A scripted module whose weights stay buffers, so that it can be converted to half.

    Scripted, not traced: a trace turns the formulas' numbers into float64 tensors.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(model.network)
    scripted.save(str(path), _extra_files=metadata(model) | {"skua.io": interface(model)})
    _drop_debug_records(path)


def _drop_debug_records(path: Path) -> None:
    """Remove the record of source lines: it holds the path of this checkout."""
    reader = torch._C.PyTorchFileReader(str(path))
    written_by_writer = {"version", "byteorder", ".data/serialization_id"}
    names = [n for n in reader.get_all_records() if not n.endswith(".debug_pkl")]
    records = {n: reader.get_record(n) for n in names if n not in written_by_writer}
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, data in records.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()


def write_golden(model: ExportModel, path: Path) -> None:
    """The inputs and what eager PyTorch computes from them."""
    outputs = run_network(model.network, model.inputs)
    tensors = [golden.GoldenTensor(golden.INPUT, n, t.numpy()) for n, t in model.inputs.items()]
    for name, tensor in zip(model.output_names, outputs, strict=True):
        tensors.append(golden.GoldenTensor(golden.EXPECTED, name, tensor.numpy()))
    golden.write(path, tensors)


def export(model: ExportModel, folder: Path, stem: str | None = None) -> dict[str, str]:
    """Write the three files of a network, under its name or `stem`, and describe them."""
    stem = stem or model.name
    write_onnx(model, folder / f"{stem}.onnx")
    write_torchscript(model, folder / f"{stem}.pt")
    write_golden(model, folder / f"{stem}.golden")
    return metadata(model) | {"golden_origin": GOLDEN_ORIGIN}
