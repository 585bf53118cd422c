"""What tests of generated networks ask of their files. Knows the formats, not the code that writes them."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import torch

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
sys.path.insert(0, str(MODELS_DIR))

import golden  # noqa: E402

METADATA_KEYS = ("skua.model_id", "skua.weights_sha256", "skua.exporter")


def golden_parts(path: Path) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    tensors = golden.read(path)
    inputs = [t.values for t in tensors if t.role == golden.INPUT]
    return inputs, {t.name: t.values for t in tensors if t.role == golden.EXPECTED}


def _digest_of(tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        shape = ",".join(str(d) for d in values.shape)
        digest.update(f"{name}\0{values.dtype.name}\0{shape}\0".encode() + values.tobytes())
    return digest.hexdigest()


def onnx_metadata(path: Path) -> dict[str, str]:
    proto = onnx.load(path)
    return {entry.key: entry.value for entry in proto.metadata_props}


def torch_metadata(path: Path, keys: tuple[str, ...]) -> dict[str, str]:
    extra = dict.fromkeys(keys, "")
    torch.jit.load(str(path), _extra_files=extra)
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in extra.items()}


def onnx_weights_digest(path: Path) -> str:
    """As models/README.md defines it, recomputed from the initialisers."""
    return _digest_of({w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer})


def torch_weights_digest(path: Path) -> str:
    return _digest_of({k: v.numpy() for k, v in torch.jit.load(str(path)).state_dict().items()})
