#!/usr/bin/env python3
"""A short run of the Python package under valgrind: python_valgrind.py [ROUNDS]. Exit status 1 where an error is ours.

An error is blamed on the innermost function that is not the C library's, the loader's or valgrind's own. Those of the
interpreter and of the SDK are counted and told: neither is compiled for valgrind. Needs the preset dev and valgrind.
"""

from __future__ import annotations

import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python_package"))

import package  # noqa: E402  (tests/python_package is no package)
import programs  # noqa: E402
from places import Place, tiny_networks  # noqa: E402

SYSTEM = ("ld-linux", "libc.so", "libstdc++", "libpthread", "vgpreload")
OURS = ("_skua.", "libskua")
RUN = """
import sys
import numpy as np
import skua
x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
engines = runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))
engine, lane = engines["add_relu"], runtime.create_lane("test")
for _ in range(int(sys.argv[2])):
    bound = runtime.bind(engine, lane)
    answer = runtime.infer(engine, {"x": x})["y"]
    bound.inputs["x"][:] = x
    bound.run()
    kept = bound.outputs["y"]
    runtime.info(engine)
    for bad in (x.astype(">f4"), x.astype(float), x[:, ::-1], None, np.array([object()])):
        try:
            runtime.infer(engine, {"x": bad})
            sys.exit("it was taken")
        except skua.InvalidArgumentError:
            pass
    try:
        bound.run(deadline_ns=1)
        sys.exit("it was not missed")
    except skua.InferenceError:
        pass
del bound, runtime, engines, engine, lane
print(float(answer.sum() + kept.sum()))
"""


def blamed(stack: ElementTree.Element) -> str:
    """The file name of the library or program that an error is blamed on."""
    objects = [pathlib.Path(frame.findtext("obj") or "?").name for frame in stack.iter("frame")]
    return next((name for name in objects if not name.startswith(SYSTEM)), "?")


def main() -> None:
    rounds = sys.argv[1] if len(sys.argv) > 1 else "20"
    with tempfile.TemporaryDirectory(prefix="skua-valgrind-") as scratch:
        folder = pathlib.Path(scratch)
        place = Place(folder)
        (folder / "home").mkdir()
        yaml = place.set_yaml(tiny_networks(place.models))
        programs.Programs(folder / "home").ok(*place.provision_arguments(yaml), "--json")
        report = folder / "report.xml"
        command = ["valgrind", "--quiet", "--xml=yes", f"--xml-file={report}", "--num-callers=30", "--leak-check=no",
                   sys.executable, "-c", RUN, place.current(), rounds]
        environment = package.environment({"PYTHONMALLOC": "malloc", "PATH": os.environ["PATH"]})
        done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"python_valgrind: status {done.returncode}\n{done.stdout}{done.stderr}")
        errors = list(ElementTree.parse(report).iter("error"))
    counts = collections.Counter(blamed(error.find("stack")) for error in errors)
    for name, count in counts.most_common():
        print(f"{count} places in {name}")
    ours = [error for error in errors if blamed(error.find("stack")).startswith(OURS)]
    for error in ours:
        frames = [(frame.findtext("fn") or "?")[:80] for frame in error.find("stack").iter("frame")]
        print(f"python_valgrind: {error.findtext('kind')}: {' < '.join(frames[:6])}", file=sys.stderr)
    print(f"{len(ours)} errors of ours in {rounds} rounds")
    sys.exit(1 if ours else 0)


if __name__ == "__main__":
    main()
