#!/usr/bin/env python3
"""The report of scripts/jetson_acceptance.sh: reads what its steps left, writes OUT/report.md and OUT/report.json.

    scripts/jetson_report.py OUT --minutes M [--sil]     # exit status 1 when a line failed
    scripts/jetson_report.py --tensors INSPECT.json                   # NETWORK TENSOR, a line for each of a set

A line's verdict is pass, FAIL or not shown. With --sil nothing that is about a device or its speed passes: it is not shown,
whatever was measured. Standard library only, Python 3.10.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

PASS, FAIL, NOT_SHOWN = "pass", "FAIL", "not shown"
SIL = "sil, not TensorRT"
WARM_UP_S = 30
GIB = 1 << 30
# The budgets of the stack that Skua is a part of.
FRAME_P95_MS, DROPPED_SHARE = 400.0, 0.10
VPR_P95_MS, MATCHING_P95_MS = 60.0, 180.0
READY_MS, RUNTIME_OBJECT_P99_MS = 30_000.0, 200.0
RESIDENT_BYTES, MEMORY_KB = 4 * GIB, 8_000_000
EIGHT_HOURS_MIN = 480.0
COMBINED = ("all_standins", "contexts")  # sets of networks that have one of their own


@dataclass(frozen=True)
class Line:
    section: str
    name: str
    verdict: str
    detail: str


class Steps:
    """What the steps left: exit statuses, JSON answers, reports of flights."""

    def __init__(self, out: Path):
        self.out, self.folder = out, out / "steps"

    def status(self, name: str) -> int | None:
        """None: the step was not run."""
        file = self.folder / f"{name}.status"
        return int(file.read_text()) if file.exists() else None

    def text(self, name: str, kind: str = "out") -> str:
        file = self.folder / f"{name}.{kind}"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def answer(self, name: str) -> dict:
        return document(self.text(name))

    def names(self, prefix: str) -> list[str]:
        return sorted(file.name.removesuffix(".status") for file in self.folder.glob(f"{prefix}*.status"))

    def left(self, name: str) -> dict:
        file = self.out / name
        return document(file.read_text()) if file.exists() else {}


def document(text: str) -> dict:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def reason_of(steps: Steps, name: str) -> str:
    """Why a step failed: Skua's reason, else the last line that was written."""
    error = steps.answer(name).get("error", {})
    told = [*steps.text(name).splitlines()[-1:], *steps.text(name, "err").splitlines()[-1:]]
    return f"{error['reason']}: {error['message']}" if error else f"exit status {steps.status(name)}: {' / '.join(told)}"


class Report:
    """Collects lines."""

    def __init__(self, steps: Steps, is_sil: bool):
        self.steps, self.is_sil, self.lines = steps, is_sil, []

    def add(self, section: str, name: str, is_good: bool | None, detail: str, of_device: bool = False) -> None:
        """`is_good`: None where nothing can be said. `of_device`: what only the real device can show."""
        if self.is_sil and of_device and is_good:
            is_good, detail = None, f"{SIL}: {detail}"
        verdict = NOT_SHOWN if is_good is None else PASS if is_good else FAIL
        self.lines.append(Line(section, name, verdict, detail))

    def step(self, section: str, name: str, step: str, detail: str = "", of_device: bool = True) -> bool:
        """A step that had to end well. Returns whether it did."""
        status = self.steps.status(step)
        is_good = None if status is None else status == 0
        told = "was not run" if status is None else detail if is_good else reason_of(self.steps, step)
        self.add(section, name, is_good, told, of_device)
        return bool(is_good)


# ---- platform, build, tests ----------------------------------------------------------------------------------------

def platform(report: Report) -> None:
    section = "Platform"
    if report.is_sil:
        report.add(section, "Jetson Orin Nano 8 GB, JetPack 6.2", None, SIL)
        return
    text = report.steps.text("platform")
    found = [line.partition(": ")[::2] for line in text.splitlines()]
    value = {key: rest for key, rest in reversed(found)}
    packages = dict(rest.split()[:2] for key, rest in found if key == "package" and len(rest.split()) > 1)
    clocks = [rest for key, rest in found if key == "clock"]
    total = next((int(rest.split()[1]) for key, rest in found if key == "memory" and rest.startswith("MemTotal")), 0)
    report.add(section, "Jetson Orin Nano 8 GB", "Orin Nano" in value.get("model", "") and 6e6 < total < 9e6,
               f"{value.get('model')}, {total} kB")
    l4t = value.get("l4t", "")
    report.add(section, "JetPack 6.2", "R36" in l4t and "REVISION: 4.3" in l4t, f"{l4t}; {packages.get('nvidia-jetpack', 'no package nvidia-jetpack')}")
    package = packages.get("libnvinfer10", "not installed as a package")
    sdk = tensorrt_of(report.steps).get("sdk", {}).get("version", "-")
    report.add(section, "TensorRT 10.3", package.startswith("10.3.") and sdk.startswith("10.3."), f"package {package}, Skua found {sdk}")
    report.add(section, "power mode", None if "NV Power Mode" not in value.get("nvpmodel", "") else True, value.get("nvpmodel", "-"))
    lowest, highest = ({c.split(":")[-1] for c in clocks if f"/{kind}_freq:" in c and "gpu" in c} for kind in ("min", "max"))
    report.add(section, "GPU clock fixed (jetson_clocks)", bool(lowest) and lowest == highest, "; ".join(clocks) or "no devfreq node")


def tensorrt_of(steps: Steps) -> dict:
    return next((each for each in steps.answer("doctor").get("runtimes", []) if each["label"] == "tensorrt"), {})


def build_and_tests(report: Report) -> None:
    section = "Build and tests"
    if not report.is_sil:
        report.step(section, "configured against the SDK", "configure")
        report.step(section, "built", "build")
    sdk = tensorrt_of(report.steps).get("sdk", {})
    expected = "sil" if report.is_sil else "tensorrt"
    report.add(section, f"doctor shows the provider {expected}", sdk.get("providers", [""])[0] == expected,
               f"{sdk.get('version', '-')} at {sdk.get('library', '-')}")
    report.step(section, "unit tests", "tests_unit")
    report.step(section, "conformance tests of tensorrt", "tests_conformance")
    report.add(section, "unit_tensorrt", None, "its tests make the SDK fail on command: the software-in-the-loop SDK alone can do that")


# ---- engines -------------------------------------------------------------------------------------------------------

def artifacts(steps: Steps, name: str) -> list[dict]:
    return [each["engine"] for each in steps.answer(f"inspect.{name}").get("content", {}).get("artifacts", [])]


def engines(report: Report) -> None:
    for step in report.steps.names("provision."):
        name = step.partition(".")[2]
        if name == "asked":
            asked_size(report)
        elif report.step("Engines", f"set {name} compiled, proven and published", step) and name not in COMBINED:
            for engine in artifacts(report.steps, name):
                one_engine(report, engine)
    compiles(report)
    foreign(report)


def one_engine(report: Report, engine: dict) -> None:
    proof, model = engine["proof"], engine["model"]
    for output, tolerance in engine["golden"]["tolerances"].items():
        found = proof.get(f"golden.max_abs.{output}")
        report.add("Parity", f"{model} {output}", found is not None,
                   f"max difference {found}, allowed {tolerance['absolute']:g} + {tolerance['relative']:g} of it, golden values by "
                   f"{engine['golden']['origin']}", of_device=True)
    report.add("Engines", f"{model}: precision read back from the plan", "layers.fp16" in proof,
               f"{proof.get('layers.fp16', '-')} of {proof.get('layers', '-')} layers fp16; {proof.get('precision', '-')}", of_device=True)
    report.add("Engines", f"{model}: CUDA graph, or the reason why not", "cuda_graph" in proof, proof.get("cuda_graph", "-"), of_device=True)


def asked_size(report: Report) -> None:
    """Either answer is one; it decides what capacity a data-dependent output has to be given."""
    reason = report.steps.answer("provision.asked").get("error", {}).get("reason")
    is_actual = report.steps.status("provision.asked") == 0
    report.add("Engines", "size asked for a data-dependent output", is_actual or reason == "output_overflow",
               "the actual one" if is_actual else "the greatest possible one: capacities must be that"
               if reason == "output_overflow" else reason_of(report.steps, "provision.asked"), of_device=True)


def compiles(report: Report) -> None:
    steps, section = report.steps, "Engines"
    report.step(section, "trtexec builds a plan of the same contract", "route.trtexec")
    first, second = (steps.answer(f"again.{which}").get("engine", {}) for which in ("first", "second"))
    used = second.get("proof", {}).get("timing_cache", reason_of(steps, "again.second"))
    report.add(section, "the timing cache serves the next build", used == "used", used, of_device=True)
    is_same = bool(first) and first.get("engine_sha256") == second.get("engine_sha256")
    report.add(section, "the same model gives the same bytes", is_same or None, "equal" if is_same else "two builds differ, or were not made",
               of_device=True)


def foreign(report: Report) -> None:
    name = "a plan of another model of device is refused"
    if report.steps.status("foreign") is None:
        report.add("Engines", name, None, "--foreign was not given: the wording of TensorRT's warning is not known")
        return
    is_refused = bool(report.steps.answer("foreign").get("error")) and report.steps.status("foreign") != 0
    report.add("Engines", name, is_refused, reason_of(report.steps, "foreign"), of_device=True)


# ---- runs ----------------------------------------------------------------------------------------------------------

def bound_runs(steps: Steps, step: str) -> dict[str, dict]:
    """Percentiles in us by network."""
    return {engine["model"]: subject for engine in steps.answer(step).get("engines", []) for subject in engine["subjects"]
            if subject["name"] == "skua bound run"}


def figures(subject: dict | None) -> str:
    if subject is None:
        return "-"
    jitter = subject["p99_us"] - subject["p50_us"]
    return f"p50 {subject['p50_us'] / 1e3:.3f} p95 {subject['p95_us'] / 1e3:.3f} max {subject['max_us'] / 1e3:.3f} jitter {jitter / 1e3:.3f} ms"


def runs(report: Report) -> None:
    for step in report.steps.names("bench."):
        _, name, way = step.split(".", 2)
        if report.steps.status(step) != 0:
            report.add("Runs", f"{name}.{way}", False, reason_of(report.steps, step), of_device=True)
        elif way == "graph":
            compare(report, name, "graph", "enqueue")
        elif way == "mapped":
            compare(report, name, "mapped", "copied")
            tensors(report, name)
    report.step("Runs", "three contexts of one engine with one profile", "contexts", "loaded, warm and proven")


def compare(report: Report, name: str, one: str, other: str) -> None:
    found, beside = (bound_runs(report.steps, f"bench.{name}.{way}") for way in (one, other))
    for model in found.keys() & beside.keys():
        report.add("Runs", f"{model}: {one} against {other}", True, f"{one} {figures(found[model])}; {other} {figures(beside[model])}",
                   of_device=True)


def tensors(report: Report, name: str) -> None:
    mapped = bound_runs(report.steps, f"bench.{name}.mapped")
    for step in report.steps.names(f"bench.{name}.tensor."):
        for model, subject in bound_runs(report.steps, step).items():
            tensor = step.removeprefix(f"bench.{name}.tensor.{model}.")
            report.add("Runs", f"{model}: {tensor} copied, the others mapped", True,
                       f"{figures(subject)}; all mapped {figures(mapped.get(model))}", of_device=True)


def budgets(report: Report) -> None:
    p95 = {}
    for step in report.steps.names("bench."):
        if step.endswith(".graph"):
            p95 |= {model: subject["p95_us"] / 1e3 for model, subject in bound_runs(report.steps, step).items()}
    for name, models, limit in (("UltraVPR", ("ultravpr",), VPR_P95_MS), ("DISK and LightGlue", ("disk", "lightglue"), MATCHING_P95_MS)):
        is_there = set(models) <= set(p95)
        total = sum(p95[model] for model in models) if is_there else 0.0
        report.add("Budgets", f"{name}, stand-ins: p95 <= {limit:g} ms", total <= limit if is_there else None,
                   f"{total:.2f} ms" if is_there else "not measured", of_device=True)
    resident = records(report.steps.text("resident", "err"), "c7.backbone_resident")
    total = sum(record["kv"]["resident_bytes"] for record in resident)
    report.add("Budgets", "all stand-ins resident at once: <= 4 GiB", total <= RESIDENT_BYTES if resident else None,
               f"{len(resident)} engines, {total / GIB:.3f} GiB", of_device=True)
    figure = next((f for f in report.steps.left("runtime_object.json").get("figures", []) if "runtime object" in f["name"]), None)
    report.add("Budgets", "building the runtime object 1000 times: p99 < 200 ms", figure["value"] < RUNTIME_OBJECT_P99_MS if figure else None,
               f"{figure['value']:.3f} ms" if figure else "not measured", of_device=True)


def records(text: str, kind: str) -> list[dict]:
    found = (document(line) for line in text.splitlines() if line.startswith("{"))
    return [record for record in found if record.get("kind") == kind]


# ---- the flight loop -----------------------------------------------------------------------------------------------

def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def trace_lines(steps: Steps, name: str) -> list[dict]:
    file = steps.out / f"{name}.trace.jsonl"
    return [line for line in map(document, file.read_text().splitlines()) if line] if file.exists() else []


def flight(report: Report, minutes: float) -> None:
    section = "Flight loop, demo networks"
    if not report.step(section, "flew to its end", "flight", f"{minutes:g} minutes"):
        return
    flown = report.steps.left("flight.report.json")
    skipped = 0 if report.is_sil else int(WARM_UP_S * flown["rate_hz"])
    later = [line for line in trace_lines(report.steps, "flight") if line["frame"] >= skipped]
    times = [line["ms"]["frame"] for line in later] or [float("inf")]
    p50, p95, p99 = (percentile(times, share) for share in (0.50, 0.95, 0.99))
    report.add(section, "frame: p95 <= 400 ms", p95 <= FRAME_P95_MS,
               f"p50 {p50:.1f} p95 {p95:.1f} p99 {p99:.1f} max {max(times):.1f} ms, jitter (p99 - p50) {p99 - p50:.1f} ms", of_device=True)
    slots = flown["frames"] + flown["missed"]
    dropped = flown["missed"] + sum(flown["no_result"].values())
    report.add(section, "frames dropped: <= 10 %", dropped <= DROPPED_SHARE * slots, f"{dropped} of {slots}, {flown['late']} late", of_device=True)
    memory(report, section, flown, minutes)
    log = report.steps.text("flight")
    report.add(section, "no memory of the GPU taken after the load", not records(log, "c7.memory_after_seal"), "event c7.memory_after_seal", of_device=True)
    starts(report, section)
    report.add(section, "throttle visible within 1 s", None, "nothing here makes the device hot")


def memory(report: Report, section: str, flown: dict, minutes: float) -> None:
    samples = map(str.split, (report.steps.out / "memory.txt").read_text().splitlines())
    rows = [dict(zip(words[::2], map(int, words[1::2]))) for words in samples if len(words) == 8]
    used = max((row["MemTotal:"] - row["MemAvailable:"] for row in rows), default=0)
    swap = max((row["SwapTotal:"] - row["SwapFree:"] for row in rows), default=0)
    own = flown.get("memory", {})
    report.add(section, "whole computer: memory <= 8 GB, swap 0", used <= MEMORY_KB and swap == 0 if rows else None,
               f"peak {used} kB in use, swap {swap} kB; the program {own.get('peak_bytes', 0)} bytes, "
               f"{own.get('slope_bytes_per_frame', 0):.0f} bytes a frame", of_device=True)
    if minutes < EIGHT_HOURS_MIN:
        report.add(section, "the same for 8 hours", None, f"flown {minutes:g} minutes; --minutes {EIGHT_HOURS_MIN:g} does")


def starts(report: Report, section: str) -> None:
    names = report.steps.names("start.")
    failed = [name for name in [*names, *report.steps.names("killed.")] if report.steps.status(name) != 0]
    ready = [report.steps.left(f"{name}.report.json").get("ready_ms", float("inf")) for name in names if name not in failed]
    is_good = not failed and percentile(ready, 0.95) <= READY_MS if names else None
    report.add(section, "killed and started again: ready <= 30 s, no engine fails", is_good,
               f"{len(names)} starts, {len(failed)} failed, slowest {max(ready, default=0):.0f} ms", of_device=True)


def rebuilt(report: Report) -> None:
    """One injected error costs one run; the context is made anew in the memory it has, and later runs have results."""
    for name in report.steps.names("error."):
        code, log = int(name.partition(".")[2]), report.steps.text(name)
        failed = [record["kv"]["native_code"] for kind in ("c7.inference_failed", "c7.out_of_memory")
                  for record in records(log, kind)]
        flown = report.steps.left(f"{name}.report.json")
        dropped = sum(flown.get("no_result", {}).values())
        is_good = report.steps.status(name) == 0 and failed == [code] and flown["positions"] >= 5 and dropped <= 1
        report.add("Errors", f"context made anew after CUDA error {code}", is_good,
                   f"runs that failed, by code: {failed}; {flown['positions']} positions, {dropped} frames without one"
                   if flown else reason_of(report.steps, name), of_device=True)
    report.add("Errors", "errors that TensorRT itself reports; a device that is really lost", None, "nothing here provokes them")


# ---- the pages -----------------------------------------------------------------------------------------------------

def markdown(lines: list[Line], is_sil: bool) -> str:
    counts = {verdict: sum(line.verdict == verdict for line in lines) for verdict in (PASS, FAIL, NOT_SHOWN)}
    title = f"Rehearsal: {SIL}" if is_sil else "The runtime tensorrt on a Jetson"
    text = f"# {title}\n\n{', '.join(f'{count} {verdict}' for verdict, count in counts.items())}.\n"
    if is_sil:
        text += f"\n**Every figure on this page is of {SIL}: it shows that the script works, and nothing else.**\n"
    for section in dict.fromkeys(line.section for line in lines):
        text += f"\n## {section}\n| what | verdict | found |\n|---|---|---|\n"
        for line in lines:
            if line.section == section:
                text += f"| {line.name} | {line.verdict} | {line.detail.replace('|', '/')[:400]} |\n"
    return text


def judge(out: Path, minutes: float, is_sil: bool) -> list[Line]:
    report = Report(Steps(out), is_sil)
    platform(report)
    build_and_tests(report)
    engines(report)
    runs(report)
    budgets(report)
    flight(report, minutes)
    rebuilt(report)
    return report.lines


def list_tensors(file: Path) -> int:
    content = document(file.read_text("utf-8")).get("content", {})
    for engine in (each["engine"] for each in content.get("artifacts", [])):
        for tensor in [*engine["inputs"], *engine["outputs"]]:
            print(engine["model"], tensor["name"])
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--sil", action="store_true")
    parser.add_argument("--tensors", type=Path)
    given = parser.parse_args()
    if given.tensors or given.out is None:
        return list_tensors(given.tensors) if given.tensors else parser.error("OUT is missing")
    lines = judge(given.out, given.minutes, given.sil)
    label = SIL if given.sil else "TensorRT"
    (given.out / "report.json").write_text(json.dumps({"sdk": label, "lines": [asdict(line) for line in lines]}, indent=1) + "\n")
    page = markdown(lines, given.sil)
    (given.out / "report.md").write_text(page, "utf-8")
    print(page.split("\n## ")[0] + f"\n{given.out / 'report.md'}")
    failed = [line for line in lines if line.verdict == FAIL]
    print("".join(f"FAIL {line.section}: {line.name}: {line.detail[:300]}\n" for line in failed), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
