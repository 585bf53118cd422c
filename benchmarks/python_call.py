#!/usr/bin/env python3
"""Times a call through `import skua` beside Python's onnxruntime on the same engine, in one process, turn by turn.

    python benchmarks/python_call.py --build build/bench --set-dir SET --trust KEY.pub --out out/bench/python-call-SET

Subjects: bound `run()` beside `run_with_iobinding`, `infer(handle, dict)` beside `InferenceSession.run(None, dict)`. The
same engine file (its SHA-256 is checked), golden inputs, session options and threads; their outputs must agree before
anything is timed. Each call is written out in the loop that times it: no side has a function around it. Every round runs
every subject, in an order drawn anew; ratios are formed within a round. Then: how much of an inference of 50 ms or more
the interpreter is held, told by a second thread that counts.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from python_onnxruntime import Loop, bind, golden, loop_of, median_of_calls, open_session  # beside this file

Call = Callable[[], Any]
ROUND_SECONDS = 0.004
ASKED = {"bound run / io_binding": {"one_node": 0.70, "*": 1.01}, "infer / run": {"one_node": 0.75, "*": None}}


def bounds_of_median(values: list[float]) -> tuple[float, float]:
    """At least 95 % for the median of any distribution, by order statistics (src/bench/statistics.cpp has the same)."""
    ordered = sorted(values)
    # The k-th smallest and largest hold it but for 2 * P(Binomial(n, 1/2) < k).
    count, tail, k, term = len(ordered), 0.0, 0, 0.5 ** len(ordered)
    while 2 * (tail + term) <= 0.05 and k < count // 2:
        tail += term
        term *= (count - k) / (k + 1)
        k += 1
    if k == 0:
        raise SystemExit(f"{count} rounds are too few for bounds: at least 6")
    return ordered[k - 1], ordered[-k]


@dataclass
class Times:
    """Of one subject: each round's median in microseconds, and every call in nanoseconds."""

    rounds: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def side(self, name: str) -> dict[str, Any]:
        """As src/bench/report.h has it: nearest-rank percentiles."""
        ordered = sorted(self.calls)
        at = {percent: ordered[max(-(-len(ordered) * percent // 100), 1) - 1] / 1000 for percent in (50, 95, 99, 100)}
        return {"name": name, "count": len(ordered), "p50_us": at[50], "p95_us": at[95], "p99_us": at[99], "max_us": at[100]}


def interleaved(subjects: dict[str, Loop], rounds: int, most_seconds: float) -> dict[str, Times]:
    counts = {name: max(1, min(1000, int(ROUND_SECONDS * 1e6 / median_of_calls(loop, 5)))) for name, loop in subjects.items()}
    times = {name: Times() for name in subjects}
    order, end = random.Random(1), time.monotonic() + most_seconds
    for turn in range(rounds):
        if turn >= 6 and time.monotonic() > end:
            break
        for name in order.sample(list(subjects), len(subjects)):
            calls = subjects[name](counts[name])
            times[name].rounds.append(statistics.median(calls) / 1000)
            times[name].calls += calls
    return times


def figure(name: str, unit: str, values: list[float], note: str, most: float | None = None) -> dict[str, Any]:
    lower, upper = bounds_of_median(values)
    verdict = None if most is None else "reached" if upper <= most else "not reached"
    return {"group": "python", "name": name, "unit": unit, "value": statistics.median(values), "lower": lower, "upper": upper,
            "is_bounded": True, "count": len(values), "asked": "" if most is None else f"<= {most}", "verdict": verdict,
            "note": note}


def must_agree(model: str, way: str, found: dict[str, Any], expected: list[Any]) -> None:
    for (name, array), other in zip(found.items(), expected, strict=True):
        if array.dtype != other.dtype or array.shape != other.shape or not np.array_equal(array, other):
            raise SystemExit(f"{model}: output {name} of {way} is not that of onnxruntime's run: nothing is compared by its time")


def ways_to_call(runtime: Any, handle: Any, bound: Any, session: Any, binding: Any, inputs: dict[str, Any]) -> dict[str, Loop]:
    return {"bound run": loop_of("bound.run()", bound=bound),
            "io_binding": loop_of("session.run_with_iobinding(binding)", session=session, binding=binding),
            "infer": loop_of("runtime.infer(handle, inputs)", runtime=runtime, handle=handle, inputs=inputs),
            "run": loop_of("session.run(None, inputs)", session=session, inputs=inputs)}


def bound_with(runtime: Any, handle: Any, inputs: dict[str, Any]) -> Any:
    bound = runtime.bind(handle, runtime.create_lane("bench"))
    for name, array in inputs.items():
        np.copyto(bound.inputs[name], array)
    return bound


def subjects_of(runtime: Any, handle: Any, bound: Any, session: Any, inputs: dict[str, Any], model: str) -> dict[str, Loop]:
    """Once their results agree."""
    binding, expected = bind(session, inputs), session.run(None, inputs)
    names = [output.name for output in session.get_outputs()]
    must_agree(model, "infer", runtime.infer(handle, inputs), expected)
    bound.run()
    must_agree(model, "bound run", {o.name: bound.outputs[o.name] for o in runtime.info(handle).outputs}, expected)
    session.run_with_iobinding(binding)
    must_agree(model, "io_binding", dict(zip(names, binding.copy_outputs_to_cpu(), strict=True)), expected)
    return ways_to_call(runtime, handle, bound, session, binding, inputs)


class Counting:
    """A thread that counts while it is let: it cannot while somebody holds the interpreter."""

    def __init__(self) -> None:
        self.count, self.is_over = 0, False
        self.thread = threading.Thread(target=self.work)

    def work(self) -> None:
        while not self.is_over:
            self.count += 1

    def __enter__(self) -> Counting:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self.thread.join()

    def rate(self, call: Call) -> float:
        before, start = self.count, time.perf_counter()
        call()
        return (self.count - before) / (time.perf_counter() - start)


def held_shares(call: Call, seconds: float, rounds: int) -> list[float]:
    """Of each round: how much slower the other thread counted than beside a sleep of the same length."""
    shares = []
    with Counting() as other:
        for _ in range(rounds):
            asleep = other.rate(lambda: time.sleep(seconds))
            busy = other.rate(call)
            again = other.rate(lambda: time.sleep(seconds))
            shares.append(1 - 2 * busy / (asleep + again))
    return shares


def held_figures(model: str, run: Call, milliseconds: float, rounds: int, note: str) -> list[dict[str, Any]]:
    """Bounds this tight need a second core that is free: load average and spread say whether there was one."""
    calls = max(1, round(55 / milliseconds))

    def long_run() -> None:
        for _ in range(calls):
            run()

    what = f"{model}: interpreter held during {calls * milliseconds:.0f} ms of bound run"
    return [figure(what, "share", held_shares(long_run, calls * milliseconds / 1000, rounds), note, 0.01)]


def figures_of(runtime: Any, set_dir: Path, artifact: dict[str, Any], handle: Any,
               options: argparse.Namespace) -> list[dict[str, Any]]:
    model, engine = artifact["name"], artifact["engine"]
    tensors = golden.read(set_dir / "golden" / engine["golden"]["file"])
    inputs = {t.name: t.values for t in tensors if t.role == golden.INPUT}
    bound = bound_with(runtime, handle, inputs)
    subjects = subjects_of(runtime, handle, bound, open_session(set_dir / engine["file"], engine), inputs, model)
    times = interleaved(subjects, options.rounds, options.most_seconds)
    info = runtime.info(handle)
    note = f"onnxruntime {onnxruntime.__version__}, Python {sys.version.split()[0]}, {info.device}, {info.arithmetic}, wall clock"
    lines = [figure(f"{model}: python {name}", "us", of.rounds, note) for name, of in times.items()]
    for pair, asked in ASKED.items():
        ours, theirs = pair.split(" / ")
        ratios = [a / b for a, b in zip(times[ours].rounds, times[theirs].rounds, strict=True)]
        sides = {"subject": times[ours].side(ours), "reference": times[theirs].side(theirs)}
        lines.append(figure(f"{model}: python {pair}", "ratio", ratios, note, asked.get(model, asked["*"])) | {"sides": sides})
    took_ms = statistics.median(times["bound run"].rounds) / 1000
    return lines + (held_figures(model, bound.run, took_ms, options.held_rounds, note) if took_ms > 10 else [])


def main() -> int:
    parser = argparse.ArgumentParser(description="Times `import skua` beside Python's onnxruntime, in one process.")
    parser.add_argument("--build", type=Path, required=True, help="build folder with the package in python/")
    parser.add_argument("--set-dir", type=Path, required=True)
    parser.add_argument("--trust", type=Path, required=True, help="public key that the set is signed with")
    parser.add_argument("--out", type=Path, required=True, help="stem of the report")
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--most-seconds", type=float, default=20, help="per network")
    parser.add_argument("--held-rounds", type=int, default=31, help="of telling how long the interpreter is held")
    options = parser.parse_args()
    sys.path.insert(0, str(options.build / "python"))
    import skua

    manifest = json.loads((options.set_dir / "flight-manifest.json").read_text("utf-8"))
    config = {"runtime": "onnx_trt_ep", "execution_provider": "cpu"}
    runtime = skua.build_inference_runtime(config, role="ground")
    policy = skua.GatePolicy(trusted_keys=(skua.PublicKey.from_pem(options.trust.read_text("ascii")),))
    engines = runtime.load_flight_set(options.set_dir, policy)
    lines = []
    for artifact in manifest["artifacts"]:
        lines += figures_of(runtime, options.set_dir, artifact, engines.find(artifact["name"]), options)
    report = {"schema_version": 1, "machine": {}, "figures": lines}
    options.out.with_name(options.out.name + ".json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
