"""Generates the demo set: three networks, each as ONNX, TorchScript and golden vectors.

    python models/make_demo.py --out DIR

Quick when DIR already holds the set of these sources and package versions. Otherwise all
files are made anew and put in place one by one, generated.json last.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from generated import RECORD, are_unchanged, file_sha256, identity, read_record, write_record

SOURCES = ("demo_export.py", "demo_networks.py", "evaluate.py", "generated.py", "golden.py", "make_demo.py",
           "model_files.py")
PACKAGES = ("numpy", "onnx", "pillow", "scikit-image", "torch")
MODELS = ("demo_features", "demo_matcher", "demo_vpr")
SUFFIXES = (".onnx", ".pt", ".golden")


def generator_identity() -> dict[str, object]:
    """What the set depends on. Found without importing torch, which takes seconds."""
    return identity(SOURCES, PACKAGES)


def file_names() -> list[str]:
    return [model + suffix for model in MODELS for suffix in SUFFIXES]


def is_up_to_date(out: Path) -> bool:
    """Whether every file is there, unchanged, and made by this very generator."""
    record = read_record(out)
    digests = record.get("files", {})
    is_same = record.get("generator") == generator_identity() and set(digests) == set(file_names())
    return is_same and are_unchanged(out, digests)


def generate(out: Path) -> None:
    """Make the whole set in a staging folder, then move it into place."""
    # Imported here, so that the quick exit does not wait for it.
    import torch

    import demo_export
    import model_files

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".staging-") as name:
        staging = Path(name)
        models = {m.name: model_files.export(m, staging) for m in demo_export.demo_models()}
        files = {name: file_sha256(staging / name) for name in file_names()}
        write_record(staging, {"generator": generator_identity(), "models": models, "files": files})
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
