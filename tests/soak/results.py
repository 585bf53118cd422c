"""soak.json, soak.md and the page, and what the soak's exit status is."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from . import page
from .ledger import STATEMENTS
from .plan import KINDS
from .supervisor import Supervisor
from .world import ROOT

WHAT = "software-in-the-loop SDK on a CPU, not TensorRT"
WHOLE = "whole"  # the soak came to its end


def commit() -> str:
    told = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True,
                          text=True, check=False)
    return told.stdout.strip() or "unknown"


def machine() -> str:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def document(supervisor: Supervisor) -> dict:
    lives, soak = supervisor.lives, supervisor.soak
    frames = [frame for life in lives for frame in life.frames]
    good = [ms for _, ms, reason in frames if not reason]
    never = [kind for kind, count in supervisor.happened.items() if count == 0]
    problems = supervisor.ledger.problems() + [f"{kind}: never happened ({KINDS[kind]})" for kind in never]
    if supervisor.broken_by is not None:
        problems.insert(0, f"{WHOLE}: the soak broke off: {supervisor.broken_by!r}")
    reasons: dict[str, int] = {}
    for _, _, reason in frames:
        if reason:
            reasons[reason] = reasons.get(reason, 0) + 1
    return {
        "what": WHAT, "commit": commit(), "machine": machine(), "seed": soak.seed, "control": soak.control,
        "rate_hz": soak.pace.rate_hz, "deadline_ms": soak.pace.deadline_ms,
        "minutes": soak.seconds / 60, "seconds": round(max((life.ended for life in lives), default=0.0), 1), "starts": len(lives),
        "frames": len(frames), "positions": len(good), "no_result": dict(sorted(reasons.items())),
        "missed": sum(life.missed for life in lives), "slow": sum(life.slow for life in lives),
        "frame_ms": {f"p{int(100 * share)}": round(quantile(good, share), 1) for share in (0.5, 0.95, 0.99)},
        "ready_s": {"p50": round(quantile([life.ready - life.started for life in lives if life.ready], 0.5), 2),
                    "max": round(max((life.ready - life.started for life in lives if life.ready), default=0.0), 2)},
        "thermal_delay_s": {"p50": round(quantile([d for life in lives for _, d in life.delays], 0.5), 2),
                            "max": round(max((d for life in lives for _, d in life.delays), default=0.0), 2)},
        "memory_kib": {"first": next((kib for life in lives for _, kib in life.memory), 0),
                       "most": max((kib for life in lives for _, kib in life.memory), default=0)},
        "faults": supervisor.happened,
        "invariants": {name: dataclasses.asdict(count) for name, count in supervisor.ledger.counts.items()},
        "problems": problems,
        "lives": [dataclasses.asdict(life) for life in lives],
    }


def markdown(told: dict) -> str:
    rows = "".join(f"| {name} | {count['checks']} | {count['violations']} | {STATEMENTS[name]} |\n"
                   for name, count in told["invariants"].items())
    faults = "".join(f"| {kind} | {count} | {KINDS[kind]} |\n" for kind, count in told["faults"].items())
    problems = "".join(f"- {text}\n" for text in told["problems"]) or "None.\n"
    return (f"# Soak, seed {told['seed']}\n\n{told['what']}. Commit {told['commit']}; {told['machine']}.\n\n"
            f"{told['seconds']} s at {told['rate_hz']:g} Hz: {told['starts']} starts, {told['frames']} frames, "
            f"{told['positions']} positions, {told['missed']} missed, {told['slow']} without a result because the machine "
            f"was busy.\n\n"
            f"## Problems\n{problems}\n## Faults\n| kind | times | what |\n|---|---|---|\n{faults}\n"
            f"## Invariants\n| name | checks | violations | statement |\n|---|---|---|---|\n{rows}")


def write(supervisor: Supervisor, out: Path) -> int:
    """Returns the exit status."""
    told = document(supervisor)
    (out / "soak.json").write_text(json.dumps(told, indent=1) + "\n", "ascii")
    (out / "soak.md").write_text(markdown(told), "utf-8")
    (out / "index.html").write_text(page.page_of(told), "utf-8")
    broken = {text.split(":", 1)[0] for text in told["problems"]}
    lines = [f"{'fail' if name in broken else 'pass'} soak.{name}" for name in (WHOLE, *told["invariants"], *told["faults"])]
    (out / "soak.checks").write_text("\n".join(lines) + "\n", "ascii")
    checked = sum(count["checks"] for count in told["invariants"].values())
    print(f"soak: {told['frames']} frames, {told['positions']} positions, {told['starts']} starts, "
          f"{sum(told['faults'].values())} faults, {checked} checks of {len(STATEMENTS)} invariants; page {out}/index.html")
    for text in told["problems"]:
        print(f"soak: {text}", file=sys.stderr)
    return 1 if told["problems"] else 0
