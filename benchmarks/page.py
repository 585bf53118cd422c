"""The report of `make bench` as one Markdown table: a row a figure that is held against another or against a bar."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

Figure = dict[str, Any]
Report = dict[str, Any]

HEAD = ("what", "beside", "found (95 % bounds)", "median, both", "p99, both", "asked", "verdict")
LEAST_FOR_P99 = 100  # times; of fewer the 99th is the largest
INTERFACES = {  # in the order of the table; what stands for a group of figures
    "control": "The harness itself", "call": "C++: calls", "count": "C++: allocations, copies, page faults",
    "throughput": "C++: lanes, throughput and tail", "lanes": "C++: lanes, CPU time and memory", "lightglue": "C++: batches of pairs", "session": "C++: making a session",
    "memory": "C++: memory of a load", "growth": "C++: growth of a load", "verify": "Hashing beside a bare loop",
    "trust": "The signed gate beside a bare loop", "telemetry": "C++: sensors and traces", "events": "C++: events",
    "takeoff": "Whole programs: take-off", "python": "Python", "tools": "Whole programs: the gate beside other tools",
    "data set": "Whole programs: naming a data set", "first result": "Whole programs: start to first result"}
WITH_RUNTIME = {"call", "count", "throughput", "lanes", "lightglue", "python", "session", "memory", "first result",
                "takeoff"}
SHOWN_ALONE = {"telemetry", "tools"}  # groups with lines that have neither sides nor a bar: what a span of a trace costs, GB/s
RUNTIMES = {"onnx_trt_ep": "onnx_trt_ep (ONNX Runtime)", "pytorch_fp16": "pytorch_fp16 (libtorch)"}
NEVER_MEASURED = [("Python, pytorch_fp16", "`import torch`", "not measured: a process that has another libtorch open is refused by "
                   "Skua, and two processes share no clock of the machine; the C++ rows have libtorch's own calls"),
                  ("tensorrt", "TensorRT", "not measured: it has no adapter for the raw side, and times over the software-in-the-loop "
                   "SDK mean nothing; on a Jetson scripts/jetson_acceptance.sh takes its times, without a raw side")]
MOST_SECONDS = 600  # of all groups together


def read(path: Path) -> Report:
    return checked(json.loads(path.read_text("utf-8")))


def checked(report: Report) -> Report:
    """Refuses what would be shown as a figure and is none."""
    if not report.get("figures"):
        raise SystemExit("the report has no figures: run `make bench`")
    for figure in report["figures"]:
        numbers = [figure["value"], *((figure["lower"], figure["upper"]) if figure["is_bounded"] else ())]
        if is_in_table(figure) and not all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers):
            raise SystemExit(f"{figure['group']}, {figure['name']}: expected numbers, found {numbers}; measure it again")
        if is_drawn(figure) and figure["is_bounded"] and not figure["lower"] <= figure["value"] <= figure["upper"]:
            raise SystemExit(f"{figure['group']}, {figure['name']}: {figure['value']} is not within its bounds {numbers[1:]}")
        if figure["verdict"] == "reached" and not figure["is_bounded"] and figure["group"] != "count":
            raise SystemExit(f"{figure['group']}, {figure['name']}: said to be reached and has no bounds")
    return report


def number(value: float) -> str:
    """At least three digits, as src/bench/report.cpp has it."""
    size = abs(value)
    return f"{value:.{0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3}f}"


def found(figure: Figure) -> str:
    if figure["unit"] in ("count", "allocations"):
        return f"{figure['value']:g}"
    unit = "" if figure["unit"] in ("ratio", "count", "exponent") else f" {figure['unit']}"
    if figure["count"] <= 1:
        return number(figure["value"]) + unit
    bounds = f"{number(figure['lower'])} to {number(figure['upper'])}"
    if figure["asked"].startswith("mean"):
        return f"{number(figure['value'])}{unit}, the mean (median {bounds})"
    return f"{number(figure['value'])}{unit} ({bounds}{'' if figure['is_bounded'] else ', a range without bounds'})"


def times(first_us: float, second_us: float) -> str:
    """Both in the unit that suits the smaller one."""
    unit, factor = next(((name, size) for name, size in (("s", 1e6), ("ms", 1e3)) if min(first_us, second_us) >= size), ("us", 1))
    return f"{number(first_us / factor)} / {number(second_us / factor)} {unit}"


def medians(figure: Figure) -> str:
    sides = figure.get("sides")
    return times(sides["subject"]["p50_us"], sides["reference"]["p50_us"]) if sides else ""


def tails(figure: Figure) -> str:
    sides = figure.get("sides")
    if not sides:
        return ""
    both = (sides["subject"], sides["reference"])
    if min(side["count"] for side in both) < LEAST_FOR_P99:
        return "max " + times(both[0]["max_us"], both[1]["max_us"])
    return times(both[0]["p99_us"], both[1]["p99_us"])


def what_and_beside(figure: Figure) -> tuple[str, str]:
    for mark in (" / ", " - "):
        what, _, beside = figure["name"].partition(mark)
        if beside:
            return what, beside + (", the difference" if mark == " - " else "")
    return figure["name"], ""


def is_in_table(figure: Figure) -> bool:
    return bool(figure.get("sides")) or bool(figure["asked"]) or figure["group"] in SHOWN_ALONE


def is_drawn(figure: Figure) -> bool:
    return figure["unit"] == "ratio" and bool(figure.get("sides"))


def runtime_of(figure: Figure) -> str:
    if figure["group"] not in WITH_RUNTIME:
        return ""
    return "pytorch_fp16" if "pytorch_fp16" in figure["name"] or "libtorch" in figure["name"] else "onnx_trt_ep"


def section_of(figure: Figure) -> str:
    runtime = runtime_of(figure)
    return INTERFACES.get(figure["group"], figure["group"]) + (f", {RUNTIMES[runtime]}" if runtime else "")


def place_of(group: str) -> int:
    """One that is not named here comes last, under its own name."""
    order = list(INTERFACES)
    return order.index(group) if group in order else len(order)


def sections(report: Report) -> dict[str, list[Figure]]:
    """The table's figures by interface and runtime, in the order of INTERFACES."""
    by_section: dict[str, list[Figure]] = {}
    shown = [figure for figure in report["figures"] if is_in_table(figure)]
    for figure in sorted(shown, key=lambda each: (place_of(each["group"]), runtime_of(each))):
        by_section.setdefault(section_of(figure), []).append(figure)
    return by_section


def row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def figure_row(figure: Figure) -> str:
    what, beside = what_and_beside(figure)
    return row((what, beside, found(figure), medians(figure), tails(figure), figure["asked"], figure["verdict"] or ""))


def not_measured(report: Report) -> list[tuple[str, str, str]]:
    """What, beside what and why: of this run, then of any."""
    return [*(tuple(cells) for cells in report.get("left_out", [])), *NEVER_MEASURED]


def table(report: Report) -> list[str]:
    lines = [row(HEAD), "|---" * len(HEAD) + "|"]
    for section, figures in sections(report).items():
        lines.append(row((f"**{section}**", *[""] * (len(HEAD) - 1))))
        lines += [figure_row(figure) for figure in figures]
    lines += [row((what, beside, why, "", "", "", "")) for what, beside, why in not_measured(report)]
    return lines


def missed(report: Report) -> list[Figure]:
    """Bars that were not reached, in the order of the table."""
    return [figure for figures in sections(report).values() for figure in figures if figure["verdict"] == "not reached"]


def missed_text(report: Report) -> str:
    with_bar = [figure for figure in report["figures"] if figure["verdict"]]
    return f"Of the {len(with_bar)} figures of this run that have a bar {len(missed(report))} did not reach it"


def budget_lines(report: Report) -> list[str]:
    """Where the time went; the groups that ran."""
    lines = [row(("group", "seconds", "budget")), "|---|---|---|"]
    lines += [row((name, f"{used['seconds']:.0f}", f"{used['budget']:.0f}" if used["budget"] else "-"))
              for name, used in report.get("budgets", {}).items()]
    return lines


def over_time(report: Report) -> str:
    """"" where a run kept within its time, or had no limit."""
    used = report.get("budgets", {}).values()
    total = sum(each["seconds"] for each in used)
    if total <= MOST_SECONDS or not any(each["budget"] for each in used):
        return ""
    return f"This run took {total:.0f} s, longer than the {MOST_SECONDS} s that `make bench` is to take."


def markdown(report: Report) -> str:
    machine = [f"- {key}: {value}" for key, value in report["machine"].items()]
    intro = ["Each row is measured in turns with what stands beside it; a ratio below 1 says that Skua takes less. Every time",
             "and the machine's notes to each line are in [figures.md](figures.md); the picture is [report.png](report.png).",
             "*max*: of fewer than 100 times the largest stands for the p99."]
    late = [over_time(report), ""] if over_time(report) else []
    return "\n".join(["# make bench", "", *machine, "", *late, *intro, f"{missed_text(report)}.", "", *table(report), "", *budget_lines(report)]) + "\n"
