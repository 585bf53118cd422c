"""Generates the demo set: three networks, each as ONNX, TorchScript and golden vectors.

    python models/make_demo.py --out DIR

Quick when DIR already holds the set of these sources and package versions. Otherwise all
files are made anew and put in place one by one, generated.json last.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
from pathlib import Path

SOURCES = ("demo_export.py", "demo_networks.py", "evaluate.py", "golden.py", "make_demo.py")
PACKAGES = ("numpy", "onnx", "pillow", "scikit-image", "torch")
MODELS = ("demo_features", "demo_matcher", "demo_vpr")
SUFFIXES = (".onnx", ".pt", ".golden")
RECORD = "generated.json"


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def generator_identity() -> dict[str, object]:
    """What the set depends on. Found without importing torch, which takes seconds."""
    folder = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(f"{name}\0{file_sha256(folder / name)}\0".encode())
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"sources_sha256": digest.hexdigest(), "versions": versions}


def file_names() -> list[str]:
    return [model + suffix for model in MODELS for suffix in SUFFIXES]


def is_up_to_date(out: Path) -> bool:
    """Whether every file is there, unchanged, and made by this very generator."""
    try:
        record = json.loads((out / RECORD).read_text("utf-8"))
        found = {name: file_sha256(out / name) for name in file_names()}
        return record["generator"] == generator_identity() and record["files"] == found
    except (OSError, ValueError, KeyError, TypeError):
        return False


def generate(out: Path) -> None:
    """Make the whole set in a staging folder, then move it into place."""
    # Imported here, so that the quick exit does not wait for it.
    import torch

    import demo_export

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".staging-") as name:
        staging = Path(name)
        models = {m.name: demo_export.export(m, staging) for m in demo_export.demo_models()}
        files = {name: file_sha256(staging / name) for name in file_names()}
        record = {"generator": generator_identity(), "models": models, "files": files}
        (staging / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        for file_name in [*file_names(), RECORD]:
            os.replace(staging / file_name, out / file_name)


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate Skua's demo set of networks.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    out = parser.parse_args().out
    if is_up_to_date(out):
        print(f"demo set in {out} is up to date", file=sys.stderr)
        return 0
    generate(out)
    print(f"demo set written to {out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
