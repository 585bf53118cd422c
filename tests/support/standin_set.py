"""Generating the stand-ins of the networks that fly, at the scale of tests. Their weights are random."""

import os
import pathlib
import subprocess
import sys

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "models" / "make_standins.py"


def generate(out, *more, hash_seed="1"):
    """Runs the generator in a process of its own; returns what it said."""
    command = [sys.executable, PROGRAM, "--scale", "nano", "--out", out, *more]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr
