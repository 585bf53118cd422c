#!/usr/bin/env python3
"""The report of scripts/jetson_acceptance.sh: reads what its steps left, writes OUT/report.md and OUT/report.json.

    scripts/jetson_report.py OUT --minutes M --warm-up S [--sil]      # exit status 1 when a line failed
    scripts/jetson_report.py --tensors INSPECT.json                   # NETWORK TENSOR, a line for each of a set

A line's verdict is pass, FAIL, figure (held to nothing) or not shown. With --sil whatever is about a device or its
speed is not shown, good or bad; a step that ends badly fails. Standard library only, Python 3.10.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import jetson_flight
from jetson_flight import engines_of, tensorrt_of
from jetson_lines import FAIL, FIGURE, NOT_SHOWN, PASS, SIL, Line, Report, Steps, document

# The budgets of the stack that Skua is a part of, and what a frame runs: one pass of each but of LightGlue, which runs
# once for each of 10 candidates and once for each of 3. AdHoP is not in every frame, but in more than one of 20.
VPR_P95_MS, MATCHING_P95_MS, FRAME_P95_MS = 60.0, 180.0, 400.0
VPR, MATCHING = {"ultravpr": 1}, {"disk": 1, "lightglue": 10 + 3}
BUDGETS = (("UltraVPR", VPR, VPR_P95_MS), ("DISK and LightGlue of a frame", MATCHING, MATCHING_P95_MS),
           ("networks of a whole frame", {**VPR, **MATCHING, "adhop": 1}, FRAME_P95_MS))
RUNTIME_OBJECT_P99_MS = 200.0
COMBINED = ("stack", "contexts")  # sets of networks that have one of their own
NOT_TIMED = (*COMBINED, "asked")  # whether that one runs at all is asked; its time is nobody's


# ---- build, tests --------------------------------------------------------------------------------------------------

def build_and_tests(report: Report) -> None:
    section = "Build and tests"
    if not report.is_sil:
        report.step(section, "configured against the SDK", "configure")
        report.step(section, "built", "build")
        report.step(section, "installed", "install")
        report.step(section, "nothing of the software-in-the-loop SDK is installed", "no_sil")
    is_asked = report.step(section, "doctor", "doctor")
    sdk = tensorrt_of(report.steps).get("sdk", {})
    expected = "sil" if report.is_sil else "tensorrt"
    is_shown = sdk.get("providers", [""])[0] == expected
    report.add(section, f"doctor shows the provider {expected}", is_shown if is_asked else None,
               f"{sdk.get('version', '-')} at {sdk.get('library', '-')}", of_device=False)
    report.step(section, "unit tests", "tests_unit")
    report.step(section, "conformance tests of tensorrt", "tests_conformance")
    report.add(section, "unit_tensorrt", None, "its tests make the SDK fail on command: the software-in-the-loop SDK "
               "alone can do that", of_device=False)


# ---- engines -------------------------------------------------------------------------------------------------------

def engines(report: Report) -> None:
    if not report.steps.sets():
        report.add("Engines", "sets", None, "no set was to be made, or it did not come to that", of_device=False)
    for name in report.steps.sets():
        if name == "asked":
            asked_size(report)
        elif report.step("Engines", f"set {name} compiled, proven and published", f"provision.{name}"):
            if report.step("Engines", f"set {name} read back", f"inspect.{name}") and name not in COMBINED:
                for engine in engines_of(report.steps, name):
                    one_engine(report, engine)
    report.step("Engines", "set flight left as an artifact, and verified there", "artifacts")
    compiles(report)
    judged_precisions(report)
    foreign(report)


def one_engine(report: Report, engine: dict) -> None:
    proof, model = engine["proof"], engine["model"]
    for output, tolerance in engine["golden"]["tolerances"].items():
        found = proof.get(f"golden.max_abs.{output}")
        report.add("Parity", f"{model} {output}", found is not None,
                   f"max difference {found}, allowed {tolerance['absolute']:g} + {tolerance['relative']:g} of it, "
                   f"golden values by {engine['golden']['origin']}")
    report.add("Engines", f"{model}: precision read back from the plan",
               "layers.fp16" in proof, f"{proof.get('layers.fp16', '-')} of {proof.get('layers', '-')} layers fp16; "
               f"{proof.get('precision', '-')}")
    report.add("Engines", f"{model}: CUDA graph, or the reason why not", "cuda_graph" in proof,
               proof.get("cuda_graph", "-"))


def asked_size(report: Report) -> None:
    """Either answer is one; it decides what capacity a data-dependent output has to be given."""
    name, status = "size asked for a data-dependent output", report.steps.status("provision.asked")
    reason = report.steps.answer("provision.asked").get("error", {}).get("reason")
    if status == 0:
        report.add("Engines", name, True, "the actual one")
    elif reason == "output_overflow":
        report.add("Engines", name, True, "the greatest possible one: capacities must be that")
    else:
        report.step("Engines", name, "provision.asked")


def compiles(report: Report) -> None:
    steps, section = report.steps, "Engines"
    report.step(section, "trtexec builds a plan of the same contract", "route.trtexec")
    made = [report.step(section, f"compiled the {which} time", f"again.{which}") for which in ("first", "second")]
    if not all(made):
        return
    first, second = (steps.answer(f"again.{which}").get("engine", {}) for which in ("first", "second"))
    used = second.get("proof", {}).get("timing_cache", "-")
    report.add(section, "the second build was given the first one's timing cache", used == "used",
               f"timing_cache: {used}; what it spared is not measured")
    is_same = bool(first) and first.get("engine_sha256") == second.get("engine_sha256")
    report.figure(section, "bytes of two builds of the same model", "equal" if is_same else "different")


def judged_precisions(report: Report) -> None:
    """int8 and mixed, compared with float32 on photographs that calibrated nothing."""
    steps, section = report.steps, "Engines"
    if steps.status("int8.first") is None:
        report.add(section, "int8 and mixed", None, "the float32 source is run by ONNX Runtime: ONNXRUNTIME_ROOT was not given",
                   of_device=False)
        return
    for precision, step in (("int8", "int8.first"), ("mixed", "mixed")):
        if report.step(section, f"{precision} is near float32 on photographs", step):
            proof = steps.answer(step).get("engine", {}).get("proof", {})
            share = proof.get("layers.int8" if precision == "int8" else "layers.fp16", "-")
            report.add(section, f"{precision}: read back from the plan", share.isdigit() and int(share) > 0,
                       f"{share} of {proof.get('layers.float', '-')} layers; {proof.get('accuracy.descriptors', '-')}")
    if report.step(section, "int8 compiled the second time", "int8.second"):
        again = steps.answer("int8.second").get("engine", {})
        report.add(section, "the second int8 build took the first one's calibration cache",
                   again.get("options", {}).get("int8_ranges") == "calibration cache",
                   again.get("proof", {}).get("calibration.why", "-"))


def foreign(report: Report) -> None:
    """By the gate where it sees that the hosts differ, else by TensorRT's warning; the message says which."""
    name, status = "a plan of another model of device is refused", report.steps.status("foreign")
    if status is None:
        report.add("Engines", name, None, "--foreign was not given: the wording of TensorRT's warning is not known",
                   of_device=False)
        return
    reason = report.steps.answer("foreign").get("error", {}).get("reason")
    report.add("Engines", name, status != 0 and reason in ("host_mismatch", "host_fact_mismatch"),
               report.steps.reason("foreign"))


# ---- runs ----------------------------------------------------------------------------------------------------------

def bound_runs(steps: Steps, step: str) -> dict[str, dict]:
    """Percentiles in us by network."""
    return {engine["model"]: subject for engine in steps.answer(step).get("engines", [])
            for subject in engine["subjects"] if subject["name"] == "skua bound run"}


def figures(subject: dict | None) -> str:
    if subject is None:
        return "-"
    p50, p95, p99, most = (subject[f"{which}_us"] / 1e3 for which in ("p50", "p95", "p99", "max"))
    return f"p50 {p50:.3f} p95 {p95:.3f} max {most:.3f} jitter {p99 - p50:.3f} ms"


def runs(report: Report) -> None:
    for name in (name for name in report.steps.sets() if name not in NOT_TIMED):
        made = {way: report.step("Runs", f"{name}: benchmark {way}", f"bench.{name}.{way}")
                for way in ("graph", "enqueue", "mapped", "copied")}
        graphs = {engine["model"]: engine["proof"].get("cuda_graph", "-") for engine in engines_of(report.steps, name)}
        if made["graph"] and made["enqueue"]:
            compare(report, name, ("graph", "enqueue"), graphs)
        if made["mapped"] and made["copied"]:
            compare(report, name, ("mapped", "copied"), {})
            tensors(report, name)
    report.step("Runs", "three contexts of one engine with one profile", "contexts", "loaded, warm and proven")


def compare(report: Report, name: str, ways: tuple[str, str], graphs: dict[str, str]) -> None:
    """Figures: neither way has to be the faster one. Without a graph both are the same way."""
    found, beside = (bound_runs(report.steps, f"bench.{name}.{way}") for way in ways)
    for model in sorted(found.keys() & beside.keys()):
        line = f"{model}: {ways[0]} against {ways[1]}"
        told = f"{ways[0]} {figures(found[model])}; {ways[1]} {figures(beside[model])}"
        if graphs.get(model, "yes") == "yes":
            report.figure("Runs", line, told)
        else:
            report.add("Runs", line, None, f"no graph was made ({graphs[model]}); {told}")


def tensors(report: Report, name: str) -> None:
    mapped = bound_runs(report.steps, f"bench.{name}.mapped")
    for step in report.steps.names(f"bench.{name}.tensor."):
        if report.steps.status(step) != 0:
            report.step("Runs", step.removeprefix("bench."), step)
            continue
        for model, subject in bound_runs(report.steps, step).items():
            tensor = step.removeprefix(f"bench.{name}.tensor.{model}.")
            report.figure("Runs", f"{model}: {tensor} copied, the others mapped",
                          f"{figures(subject)}; all mapped {figures(mapped.get(model))}")


def budgets(report: Report) -> None:
    p95 = {}
    for step in report.steps.names("bench."):
        if step.endswith(".graph"):
            p95 |= {model: run["p95_us"] / 1e3 for model, run in bound_runs(report.steps, step).items()}
    for name, passes, limit in BUDGETS:
        missing = [model for model in passes if model not in p95]
        line = f"{name}, stand-ins: p95 <= {limit:g} ms"
        if missing:
            report.add("Budgets", line, None, f"not measured: {', '.join(missing)}")
            continue
        total = sum(count * p95[model] for model, count in passes.items())
        terms = " + ".join(f"{count} x {model} {p95[model]:.2f}" for model, count in passes.items())
        report.add("Budgets", line, total <= limit, f"{total:.2f} ms = {terms}; a sum of p95, one pass after the other")
    if report.step("Budgets", "runtime object built", "runtime_object"):
        runtime_object(report)


def runtime_object(report: Report) -> None:
    figures_left = report.steps.left("runtime_object.json").get("figures", [])
    p99 = next((figure["value"] for figure in figures_left if "runtime object" in figure["name"]), None)
    report.add("Budgets", "building the runtime object 1000 times: p99 < 200 ms",
               p99 is not None and p99 < RUNTIME_OBJECT_P99_MS,
               "the benchmark left no figure" if p99 is None else f"{p99:.3f} ms")


# ---- the pages -----------------------------------------------------------------------------------------------------

def markdown(lines: list[Line], is_sil: bool) -> str:
    counts = {verdict: sum(line.verdict == verdict for line in lines) for verdict in (PASS, FAIL, FIGURE, NOT_SHOWN)}
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


def judge(out: Path, minutes: float, warm_up_s: float, is_sil: bool) -> list[Line]:
    report = Report(Steps(out), is_sil)
    jetson_flight.platform(report)
    build_and_tests(report)
    engines(report)
    runs(report)
    budgets(report)
    jetson_flight.flight(report, minutes, warm_up_s)
    jetson_flight.starts(report)
    jetson_flight.errors(report)
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
    parser.add_argument("--warm-up", type=float, default=30.0)
    parser.add_argument("--sil", action="store_true")
    parser.add_argument("--tensors", type=Path)
    given = parser.parse_args()
    if given.tensors or given.out is None:
        return list_tensors(given.tensors) if given.tensors else parser.error("OUT is missing")
    lines = judge(given.out, given.minutes, given.warm_up, given.sil)
    label = SIL if given.sil else "TensorRT"
    content = {"sdk": label, "lines": [asdict(line) for line in lines]}
    (given.out / "report.json").write_text(json.dumps(content, indent=1) + "\n")
    page = markdown(lines, given.sil)
    (given.out / "report.md").write_text(page, "utf-8")
    print(page.split("\n## ")[0] + f"\n{given.out / 'report.md'}")
    failed = [line for line in lines if line.verdict == FAIL]
    print("".join(f"FAIL {line.section}: {line.name}: {line.detail[:300]}\n" for line in failed), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
