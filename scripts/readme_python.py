#!/usr/bin/env python3
"""Runs the commands of README.md which install the Python package and call it, as they stand: readme_python.py

After `make demo`, whose programs and sets they take. Leaves out/python. Exit status 1 where a command fails, or where the
example does not print what its network gives.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import howto_pages

ROOT = howto_pages.ROOT
ANSWER = re.compile(r"^embedding \(1, \d+\) -?\d+\.\d+", re.MULTILINE)


def main() -> None:
    try:
        block = howto_pages.claimed_alone(ROOT / "README.md", "scripts/readme_python.py", ROOT)
    except ValueError as error:
        sys.exit(f"readme_python: {error}")
    if not (ROOT / "out" / "demo" / "sets_onnx" / "CURRENT").exists():
        sys.exit("readme_python: out/demo has no sets; run `make demo` first")
    shutil.rmtree(ROOT / "out" / "python", ignore_errors=True)
    surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=ROOT, env=surroundings,
                          stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode != 0 or not ANSWER.search(done.stdout):
        sys.exit(f"readme_python: status {done.returncode}, expected 0 and a line like 'embedding (1, 512) 0.04'")


if __name__ == "__main__":
    main()
