#!/usr/bin/env python3
"""Times Python's onnxruntime on the engines of a set: run() with a dict of inputs, and I/O binding.

    python benchmarks/python_onnxruntime.py --set-dir SET --beside out/bench/call.json --out out/bench/python

The same engine file (its SHA-256 is checked), golden inputs, session options and threads as the C++ subjects. It is a
process of its own, so the ratio to the C++ call compares two moments of the machine; it is a rough figure without
bounds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models"))
import golden  # noqa: E402  (models/ is not a package)
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

ROUND_SECONDS = 0.004
Loop = Callable[[int], list[int]]  # so many calls, each one's nanoseconds
LOOP_FILE = "<loop of calls>"
LOOP = """
def times(count, {names}):
    found = []
    for _ in range(count):
        start = clock()
        {call}
        found.append(clock() - start)
    return found
"""


def open_session(path: Path, engine: dict) -> onnxruntime.InferenceSession:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != engine["engine_sha256"]:
        raise SystemExit(f"{path}: the bytes are not those that the manifest names")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = int(engine["options"].get("intra_op_threads", 1))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def spoiled(array: np.ndarray) -> np.ndarray:
    """Memory for such an output, in which nobody could take for a result what stands there before a run."""
    return np.ndarray(array.shape, array.dtype, buffer=bytearray(b"\xa5" * array.nbytes))


def bind(session: onnxruntime.InferenceSession, inputs: dict) -> onnxruntime.IOBinding:
    """A value points into its array; the binding must keep both, which by itself it does not."""
    binding = session.io_binding()
    binding.kept = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in inputs.items()}
    for name, value in binding.kept.items():
        binding.bind_ortvalue_input(name, value)
    session.run(None, inputs)
    for output, array in zip(session.get_outputs(), session.run(None, inputs), strict=True):
        value = binding.kept[output.name, "output"] = onnxruntime.OrtValue.ortvalue_from_numpy(spoiled(array))
        binding.bind_ortvalue_output(output.name, value)
    return binding


def loop_of(call: str, /, **names: object) -> Loop:
    """The call written out in a loop, as in a program. Whatever stands around a call, a lambda or functools.partial, costs more
    where the method is Python, as onnxruntime's are, than where it is compiled, as skua's are: in a comparison that would count for skua."""
    scope: dict = {}
    exec(compile(LOOP.format(call=call, names=", ".join(["clock", *names])), LOOP_FILE, "exec"), scope)
    return partial(scope["times"], clock=time.perf_counter_ns, **names)


def callers(session: onnxruntime.InferenceSession, inputs: dict) -> dict[str, Loop]:
    """The two ways to call, by name."""
    return {"run": loop_of("session.run(None, inputs)", session=session, inputs=inputs),
            "io_binding": loop_of("session.run_with_iobinding(binding)", session=session, binding=bind(session, inputs))}


def median_of_calls(loop: Loop, count: int) -> float:
    """In microseconds."""
    return statistics.median(loop(count)) / 1000


def measure(loop_by_name: dict[str, Loop], rounds: int) -> dict[str, list[float]]:
    """Microseconds per round and way; the ways take turns at coming first."""
    rough = median_of_calls(loop_by_name["run"], 5)
    count = max(1, min(2000, int(ROUND_SECONDS * 1e6 / rough)))
    times: dict[str, list[float]] = {name: [] for name in loop_by_name}
    for turn in range(rounds):
        names = list(loop_by_name) if turn % 2 else list(reversed(loop_by_name))
        for name in names:
            times[name].append(median_of_calls(loop_by_name[name], count))
    return times


def figure(name: str, unit: str, values: list[float], note: str) -> dict:
    return {"group": "call", "name": name, "unit": unit, "value": statistics.median(values), "lower": min(values),
            "upper": max(values), "is_bounded": False, "count": len(values), "asked": "", "verdict": None, "note": note}


def cpp_time(beside: dict, model: str, subject: str) -> float | None:
    wanted = f"{model}: {subject}"
    found = [f["value"] for f in beside["figures"] if f["name"] == wanted and f["unit"] == "us"]
    return found[0] if found else None


def figures_of(set_dir: Path, artifact: dict, rounds: int, beside: dict) -> list[dict]:
    model, engine = artifact["name"], artifact["engine"]
    tensors = golden.read(set_dir / "golden" / engine["golden"]["file"])
    inputs = {t.name: t.values for t in tensors if t.role == golden.INPUT}
    times = measure(callers(open_session(set_dir / engine["file"], engine), inputs), rounds)
    note = f"onnxruntime {onnxruntime.__version__}, Python {sys.version.split()[0]}, device cpu, wall clock"
    lines = []
    for name, values in times.items():
        lines.append(figure(f"{model}: python {name}", "us", values, note))
        reference = cpp_time(beside, model, f"raw {name}")
        if reference:
            ratios = [value / reference for value in values]
            lines.append(figure(f"{model}: python {name} / raw {name}", "ratio", ratios, "separate processes"))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Times Python's onnxruntime on the engines of a set.")
    parser.add_argument("--set-dir", type=Path, required=True)
    parser.add_argument("--beside", type=Path, required=True, help="report of bench_call on the same set")
    parser.add_argument("--out", type=Path, required=True, help="stem of the report")
    parser.add_argument("--rounds", type=int, default=31)
    arguments = parser.parse_args()
    manifest = json.loads((arguments.set_dir / "flight-manifest.json").read_text("utf-8"))
    beside = json.loads(arguments.beside.read_text("utf-8"))
    lines = []
    for artifact in manifest["artifacts"]:
        lines += figures_of(arguments.set_dir, artifact, arguments.rounds, beside)
    report = {"schema_version": 1, "machine": {}, "figures": lines}
    arguments.out.with_name(arguments.out.name + ".json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
