#!/usr/bin/env python3
"""Tries both wheels, each in a fresh environment: try_wheels.py WHEELS PYTHON. Exit status 1 where one does not do.

The ground wheel: its programs compile, sign and publish a set, and the example of the README runs on it. The airborne one: the
checker finds nothing in it that builds, its program starts, and compiling is refused. WHEELS is a folder; of several
interpreters' wheels pip takes those that fit PYTHON.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import tiny_models  # noqa: E402  (tests/e2e is no package)
from places import Place  # noqa: E402

REFUSAL = """
import sys
import skua
for role in ("airborne", "ground"):
    runtime = skua.build_inference_runtime({"runtime": "pytorch_fp16", "engine_cache_dir": sys.argv[1]}, role=role)
    try:
        runtime.compile_engine(sys.argv[1] + "/model.pt", skua.BuildConfig())
    except skua.EngineBuildError as error:
        print(role, error.reason)
"""
NOWHERE = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}


def run(*command: object) -> str:
    """Runs it where nothing of this tree can be found. Returns what it printed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd="/", env=NOWHERE)
    if done.returncode != 0:
        sys.exit(f"try_wheels: {' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(folder: pathlib.Path, python: str, wheels: pathlib.Path, name: str) -> pathlib.Path:
    """A fresh environment with this wheel and NumPy. Returns its bin folder."""
    run(python, "-m", "venv", folder)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Ours and no other of this name, which a package index may have.
    subprocess.run([*pip, "--no-index", "--no-deps", "--find-links", wheels, name], check=True)
    subprocess.run([*pip, "numpy"], check=True)
    return folder / "bin"


def packages(programs: pathlib.Path) -> pathlib.Path:
    """The folder that `skua` is imported from."""
    return pathlib.Path(run(programs / "python", "-c", "import skua; print(skua.__path__[0])").strip())


def try_ground(folder: pathlib.Path, programs: pathlib.Path) -> None:
    place = Place(folder)
    network = {"name": "add_relu", "onnx": tiny_models.add_relu(place.models / "add_relu.onnx"), "precision": "fp32"}
    run(programs / "skua", "keygen", folder / "flight")
    run(programs / "skua", *place.provision_arguments(place.set_yaml([network])), "--sign", folder / "flight.key")
    example = ROOT / "docs" / "examples" / "first_inference.py"
    told = run(programs / "python", example, place.current(), "add_relu", folder / "flight.pub")
    if not told.startswith("y (1, 8) "):
        sys.exit(f"try_wheels: {example} printed {told!r}")
    print(f"try_wheels: the example runs on the ground wheel: {told.strip()}")
    print("try_wheels:", run(programs / "skua-flight", "--version").strip())


def try_airborne(folder: pathlib.Path, programs: pathlib.Path) -> None:
    checked = subprocess.run([sys.executable, ROOT / "scripts" / "check_airborne.py", packages(programs)], check=False,
                             capture_output=True, text=True)
    if checked.returncode != 0:
        sys.exit(f"try_wheels: the airborne wheel: {checked.stdout}{checked.stderr}")
    print(f"try_wheels: the airborne wheel: {checked.stdout.splitlines()[-1]}")
    (folder / "model.pt").write_bytes(b"what it holds is not looked at")
    told = run(programs / "python", "-c", REFUSAL, folder)
    if told.split() != ["airborne", "airborne_cannot_build", "ground", "builder_missing"]:
        sys.exit(f"try_wheels: the airborne wheel does not refuse to compile: {told!r}")
    if (programs / "skua").exists():
        sys.exit("try_wheels: the airborne wheel brings the ground tool")
    print("try_wheels:", run(programs / "skua-flight", "--version").strip())


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: try_wheels.py WHEELS PYTHON")
    wheels, python = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    with tempfile.TemporaryDirectory(prefix="skua-wheels-") as scratch:
        folder = pathlib.Path(scratch)
        for name, wheel, attempt in (("ground", "skua", try_ground), ("airborne", "skua-airborne", try_airborne)):
            (folder / name).mkdir()
            attempt(folder / name, environment(folder / f"{name}-venv", python, wheels, wheel))


if __name__ == "__main__":
    main()
