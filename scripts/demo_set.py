#!/usr/bin/env python3
"""The demo networks, and the SET.yaml that makes a flight set of them: demo_set.py FOLDER [--runtime LABEL].

Writes FOLDER/models and FOLDER/SET.yaml, whose paths count from FOLDER: it may be copied or mounted elsewhere.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models"))
import parity_table  # noqa: E402  (models/ is no package)

NETWORKS = ("demo_features", "demo_matcher", "demo_vpr")


def write_set_yaml(folder: pathlib.Path, runtime: str) -> pathlib.Path:
    """SET.yaml as JSON, which YAML contains."""
    networks = [parity_table.set_entry(name, pathlib.Path("models")) for name in NETWORKS]
    path = folder / "SET.yaml"
    path.write_text(json.dumps({"runtime": runtime, "networks": networks}, default=str, indent=1) + "\n", "ascii")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="demo_set.py")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--runtime", default="pytorch_fp16")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    maker = [sys.executable, ROOT / "models" / "make_demo.py", "--out", arguments.folder / "models"]
    subprocess.run([str(part) for part in maker], check=True)
    print(write_set_yaml(arguments.folder, arguments.runtime))


if __name__ == "__main__":
    main()
