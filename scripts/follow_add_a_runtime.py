#!/usr/bin/env python3
"""Follows docs/howto/add-a-runtime.md literally, in a copy of the source tree: its blocks become files and lines, its commands
are run, and what the page promises of them is demanded. The other runtimes are OFF, and only what is needed is built.

usage: follow_add_a_runtime.py [WORK_FOLDER]    (default: out/add-a-runtime, emptied first)

Also shown, each a control of the page: without the registry's line the label is unknown; with the option OFF the runtime is
"not built" though its modules lie there; a damaged engine is refused; an airborne program refuses the runtime; the airborne
package holds none of its modules, and is refused when its compile half is put there.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy
from PIL import Image

import howto_pages

ROOT = howto_pages.ROOT
PAGE = ROOT / "docs/howto/add-a-runtime.md"
REGISTRY = "src/bootstrap/registry.cpp"
OTHERS_OFF = ["-DBUILD_PYTORCH_FP16_RUNTIME=OFF", "-DBUILD_ONNX_TRT_EP_RUNTIME=OFF", "-DSKUA_BUILD_PYTHON=OFF",
              "-DSKUA_BUILD_BENCHMARKS=OFF"]
PROGRAMS = ["skua", "program_skua", "program_skua-build", "program_skua-flight"]
MODULES = ["skua_runtime_toy", "skua_compiler_toy"]
REFUSED, NO_RUNTIME = 5, 9
FLIGHT = """mode: live
components:
  c2_vpr: {{}}
  c2_5_rerank: {{}}
  c3_matcher: {{}}
  c7_inference:
    runtime: toy
    flight_sets_dir: {work}/sets
    trusted_key: {work}/flight.pub
    state_dir: {work}/state
    recorder_dir: {work}/recorder
    lightglue_model: double
flight: {{map: {work}/frames, frames: {work}/frames, vpr_model: double, features_model: double}}
"""


class Follower:
    def __init__(self, work: pathlib.Path) -> None:
        self.work, self.tree = work, work / "tree"
        self.bin = self.tree / "build/dev/bin"
        self.started = time.monotonic()
        self.blocks = howto_pages.blocks_of(PAGE)

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def run(self, *command: object, status: int = 0, cwd: pathlib.Path | None = None) -> str:
        """Output and errors of a command that must end with this status."""
        environment = dict(os.environ, CCACHE_BASEDIR=str(self.tree), CCACHE_NOHASHDIR="1",
                           PATH=f"{self.bin}{os.pathsep}{os.environ['PATH']}")
        done = subprocess.run(list(map(str, command)), cwd=cwd or self.work, env=environment, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        demand(done.returncode == status, f"{command}: status {done.returncode}, expected {status}\n{done.stdout[-6000:]}")
        return done.stdout

    def copy_tree(self) -> None:
        names = self.run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)

    def put_blocks(self) -> None:
        """Files and lines of the page: those with a folder, and CMakeLists.txt, into the tree; the others are of the example."""
        edits: dict[str, list[int]] = {}
        for block in self.blocks:
            match = howto_pages.HEAD.fullmatch(block.head)
            if match is None:
                continue
            is_of_tree = "/" in match.group(1) or match.group(1) == "CMakeLists.txt"
            name = howto_pages.put(block, self.tree if is_of_tree else self.work)
            if is_of_tree:
                edits.setdefault(name, []).append(block.text.count("\n") if match.group(2) else 0)
        folder = {name for name in edits if name.startswith("src/runtimes/toy/")}
        # What the page promises: one folder, one option, one line of the registry; and a row of the tests' suite.
        demand(set(edits) - folder == {"CMakeLists.txt", REGISTRY, "tests/conformance/runtimes.cpp"}, f"edited: {edits}")
        demand(edits["CMakeLists.txt"] == [1] and edits[REGISTRY] == [1], f"more than one line: {edits}")
        self.say(f"{len(folder)} files of src/runtimes/toy, one line of CMakeLists.txt, one of {REGISTRY}")

    def configure(self, option: str) -> None:
        launcher = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={shutil.which('ccache')}"] if shutil.which("ccache") else []
        self.run("cmake", "--preset", "dev", f"-DBUILD_TOY_RUNTIME={option}", *OTHERS_OFF, *launcher, cwd=self.tree)

    def build(self, *targets: str) -> None:
        self.run("cmake", "--build", "--preset", "dev", "--parallel", "2", "--target", *targets, cwd=self.tree)
        self.say(f"built {' '.join(targets)}")

    def commands(self, section: str) -> list[str]:
        text = "".join(block.text for block in self.blocks if block.language == "sh" and section in block.section)
        return [line for line in text.splitlines() if line.startswith("skua ")]


def demand(is_so: bool, what: str) -> None:
    if not is_so:
        sys.exit(f"follow_add_a_runtime: {what}")


def without_the_registry_line(follower: Follower) -> None:
    """Control: the label is legal then, and unknown to the registry."""
    registry = follower.tree / REGISTRY
    whole = registry.read_text("ascii")
    registry.write_text("".join(line for line in whole.splitlines(keepends=True) if '"toy"' not in line), "ascii")
    follower.configure("ON")
    follower.build(*PROGRAMS, *MODULES)
    said = follower.run("skua", "compile", "double.affine", "--runtime", "toy", "--precision", "fp32", "--out", "cache",
                        status=NO_RUNTIME)
    demand("runtime_unknown" in said, said)
    registry.write_text(whole, "ascii")
    follower.say("without the registry's line: runtime_unknown")


def says_nothing_of_an_sdk(doctor: str) -> bool:
    """Of the runtime of the page, which has none. What is said of a runtime stands indented below its line."""
    _, is_there, after = doctor.partition("\n  toy: built, loadable")
    of_it = "".join(f"{line}\n" for line in itertools.takewhile(lambda line: line.startswith("    "), after.splitlines()[1:]))
    return bool(is_there) and "expects" not in of_it


def as_the_page_says(follower: Follower) -> None:
    follower.build(*PROGRAMS, *MODULES)
    numpy.save(follower.work / "x.npy", numpy.array([[1, 2, 3, 4]], "float32"))
    commands = follower.commands("4. Try it")
    demand(len(commands) == 7, f"the page's commands: {commands}")
    for command in commands:
        said = follower.run("bash", "-euc", command)
        demand("doctor" not in command or says_nothing_of_an_sdk(said), said)
        follower.say(command)
    found = numpy.load(follower.work / "out/y.npy").ravel().tolist()
    demand(found == [3, 5, 7, 9], f"y.npy holds {found}, the page says 3 5 7 9")


def a_damaged_engine(follower: Follower) -> None:
    (engine,) = follower.work.glob("sets/set-*/double__*.toy")
    whole = engine.read_bytes()
    engine.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    for command in (["verify", "sets", "--trust", "flight.pub"],
                    ["run", "sets", "double", "--trust", "flight.pub", "--input", "x=x.npy", "--output-dir", "out"]):
        said = follower.run("skua", *command, status=REFUSED)
        demand("sidecar_hash_mismatch" in said, said)
    engine.write_bytes(whole)
    follower.say("a damaged engine: sidecar_hash_mismatch")


def what_flies_has_none_of_it(follower: Follower) -> None:
    config = follower.work / "flight.yaml"
    for name in ("state", "recorder", "frames"):
        (follower.work / name).mkdir()
    Image.new("L", (64, 48)).save(follower.work / "frames/0.png")  # frames and map are asked for first
    (follower.work / "frames/map.json").write_text(
        '{"schema_version": 1, "tile_width": 64, "tile_height": 48, "tiles": [{"file": "0.png", "x": 0, "y": 0}]}', "ascii")
    config.write_text(FLIGHT.format(work=follower.work), "ascii")
    said = follower.run("skua-flight", "--config", config, "--check", status=NO_RUNTIME)
    demand("runtime_not_airborne" in said, said)
    package = follower.work / "airborne"
    follower.run("cmake", "--install", follower.tree / "build/dev", "--component", "airborne", "--prefix", package)
    check = (sys.executable, follower.tree / "scripts/check_airborne.py", package)
    follower.run(*check)
    shutil.copy2(follower.tree / "build/dev/lib/libskua_compiler_toy.so", package / "lib")
    follower.run(*check, status=1)
    follower.say("airborne: runtime_not_airborne; its package holds no module of it, and is refused with the compile half")


def switched_off(follower: Follower) -> None:
    follower.configure("OFF")
    follower.build(*PROGRAMS)
    (toy,) = [each for each in json.loads(follower.run("skua", "doctor", "--json"))["runtimes"] if each["label"] == "toy"]
    demand(not toy["is_built"] and not toy["is_loadable"], str(toy))
    said = follower.run("skua", "verify", "sets", "--trust", "flight.pub")  # judging needs no runtime
    said = follower.run("skua", "run", "sets", "double", "--trust", "flight.pub", "--input", "x=x.npy", "--output-dir", "out",
                        status=NO_RUNTIME)
    demand("runtime_not_built" in said and "BUILD_TOY_RUNTIME" in said, said)
    follower.say("with the option OFF: not built")


def the_conformance_suite(follower: Follower) -> None:
    follower.build("conformance")
    said = follower.run(follower.tree / "build/dev/tests/conformance", "--gtest_filter=*/toy")
    passed, skipped = said.count("[       OK ]"), said.count("has no network whose")
    demand("[  FAILED  ]" not in said and passed >= 10 and skipped == 4, said)
    (suite,) = [block.text for block in follower.blocks if block.language == "sh" and "ctest" in block.text]
    said = follower.run("bash", "-euc", suite[suite.index("ctest"):], cwd=follower.tree)  # what it builds first is built
    demand("100% tests passed" in said, said)
    follower.say(f"conformance suite: {passed} passed, {skipped} skipped for want of such a network")


def main() -> None:
    work = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "out/add-a-runtime").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    follower = Follower(work)
    follower.copy_tree()
    follower.put_blocks()
    without_the_registry_line(follower)
    as_the_page_says(follower)
    a_damaged_engine(follower)
    what_flies_has_none_of_it(follower)
    the_conformance_suite(follower)
    switched_off(follower)
    shutil.rmtree(work)
    follower.say("docs/howto/add-a-runtime.md holds")


if __name__ == "__main__":
    main()
