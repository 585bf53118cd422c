"""The stub of the extension module, as a type checker of the caller's reads it."""

import os
import subprocess
import sys

import package
import pytest

GOOD = """
from typing import Mapping
import skua

def use(runtime: skua.InferenceRuntime, engine: skua.EngineHandle, bound: skua.BoundInference) -> None:
    outputs: Mapping[str, object] = bound.outputs
    bound.set_shape("x", [1, 8])
    runtime.infer(engine, bound.inputs)
    print(outputs.get("y"), len(bound.outputs.keys()))
"""
BAD = {
    "shape": "def use(bound: skua.BoundInference) -> None:\n    bound.set_shape('x', 8)",
    "key": "def use(engine: skua.EngineHandle) -> int:\n    from collections.abc import Hashable\n"
           "    key: Hashable = engine\n    return hash(key)",
    "frame": "def use(bound: skua.BoundInference) -> None:\n    bound.run(frame='7')",
    "output": "def use(bound: skua.BoundInference) -> None:\n    bound.outputs[3]",
    "made": "def use() -> None:\n    skua.Lane()\n    print('not reached')",
}

TOLD = {"shape": "[arg-type]", "key": "[assignment]", "frame": "[arg-type]", "output": "[index]",
        "made": "[unreachable]"}


def check(tmp_path, code):
    if not (package.FOLDER / "skua" / "_skua.pyi").exists():
        pytest.skip("the package has no stub: build the target _skua_stub (a sanitizer's build writes none)")
    file = tmp_path / "caller.py"
    file.write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unreachable", "--cache-dir", os.devnull, file]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False,
                          env={**package.environment(), "MYPYPATH": str(package.FOLDER)})


def test_what_callers_write_is_accepted(tmp_path):
    said = check(tmp_path, GOOD)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("name", BAD)
def test_what_fails_at_run_time_is_told(tmp_path, name):
    said = check(tmp_path, f"import skua\n{BAD[name]}\n")
    assert said.returncode == 1 and TOLD[name] in said.stdout, said.stdout + said.stderr
