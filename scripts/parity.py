#!/usr/bin/env python3
"""How far the runtimes are apart: every network of models/ through onnx_trt_ep and pytorch_fp16 on the CPU.

    python scripts/parity.py [BUILD_DIR]

Makes the networks, compiles them in three ways (models/parity_table.py), runs them on two inputs each, compares with
eager PyTorch in float32, and writes docs/reference/parity.md. Works below out/parity. Exits with 1 when an entry of the
table does not hold, or is wider than it has to be.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models"))
import parity_table as table  # noqa: E402  (models/ is not a package)
from parity_inputs import Case, cases  # noqa: E402
from tolerances import Difference, compare  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "parity.md"
DEMO = ("demo_features", "demo_matcher", "demo_vpr")
# What SET.yaml says besides the networks, and their precision. The second one names nothing: it is the default.
SETTINGS = {"onnx": ({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, "fp32"),
            "widened": ({}, "fp16"), "native": ({"options": {"arithmetic": "native"}}, "fp16")}
ARITHMETIC = {"onnx": "fp32", "widened": "fp16 weights, fp32 arithmetic", "native": "fp16"}  # as reports call it
Measured = dict[tuple[str, str, str], list[Difference]]  # (network, output, way): one difference per input


class ParityFailure(Exception):
    """A command failed, or did not run what it was asked to run."""


def skua(program: Path, *arguments: object) -> dict:
    command = [str(program), *map(str, arguments), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise ParityFailure(f"{' '.join(command)}: exit status {result.returncode}\n{result.stderr}")
    return json.loads(result.stdout)


def networks(demo: Path, nano: Path, way: str) -> list[dict]:
    """Of SET.yaml, with the table's tolerances: the gate holds the golden input to them."""
    origins = json.loads((demo / "generated.json").read_text())["models"]
    entries = [{"name": name, "onnx": demo / f"{name}.onnx", "pt": demo / f"{name}.pt",
                "golden": {"file": demo / f"{name}.golden", "origin": origins[name]["golden_origin"]}} for name in DEMO]
    for entry in json.loads((nano / "set_fp32.yaml").read_text().split("\n", 1)[1])["networks"]:
        golden = entry["golden"] | {"file": nano / entry["golden"]["file"]}
        entries.append(entry | {"onnx": nano / entry["onnx"], "pt": nano / entry["pt"], "golden": golden})
    for entry in entries:
        allowed = table.tolerances(entry["name"], way)
        entry["precision"] = SETTINGS[way][1]
        entry["tolerances"] = {output: tolerance.as_yaml() for output, tolerance in allowed.items()}
    return entries


def provision(program: Path, demo: Path, nano: Path, way: str, work: Path) -> None:
    """Compiles all networks in one way into a cache of its own."""
    document = {**SETTINGS[way][0], "networks": networks(demo, nano, way)}
    path = work / f"SET_{way}.yaml"
    path.write_text(json.dumps(document, default=str, indent=1) + "\n", "ascii")
    skua(program, "provision", path, "--out", work / f"sets_{way}", "--cache", work / f"cache_{way}")


def run(program: Path, case: Case, way: str, work: Path) -> list[dict[str, np.ndarray]]:
    """The outputs for each input, from one process."""
    folder = work / f"runs_{way}" / case.name
    folder.mkdir(parents=True, exist_ok=True)
    arguments: list[object] = []
    for i, inputs in enumerate(case.inputs):
        for name, values in inputs.items():
            np.save(folder / f"{name}-{i}.npy", values)
            arguments += ["--input", f"{name}={folder / f'{name}-{i}.npy'}"]
    report = skua(program, "run", work / f"cache_{way}", case.name, *arguments, "--output-dir", folder / "out")
    if report["engine"]["arithmetic"] != ARITHMETIC[way]:
        raise ParityFailure(f"{case.name} ran in '{report['engine']['arithmetic']}', not in '{ARITHMETIC[way]}'")
    return [{name: np.load(file) for name, file in one["outputs"].items()} for one in report["runs"]]


def run_all(program: Path, demo: Path, nano: Path, work: Path, all_cases: list[Case]) -> dict[tuple[str, str], list]:
    """(network, way): the outputs for each input. Two ways at a time: each takes one core."""

    def run_way(way: str) -> dict[tuple[str, str], list]:
        provision(program, demo, nano, way, work)
        return {(case.name, way): run(program, case, way, work) for case in all_cases}

    with ThreadPoolExecutor(2) as pool:
        found = pool.map(run_way, reversed(table.WAYS))  # the longest first
        return {key: outputs for one in found for key, outputs in one.items()}


def measure(outputs: dict[tuple[str, str], list], all_cases: list[Case]) -> Measured:
    found: Measured = {}
    for case in all_cases:
        for way in table.WAYS:
            for one, expected in zip(outputs[case.name, way], case.expected, strict=True):
                for output, difference in compare(one, expected, table.tolerances(case.name, way)).items():
                    found.setdefault((case.name, output, way), []).append(difference)
    return found


def complaints(found: Measured) -> list[str]:
    told = []
    for (name, output, way), differences in found.items():
        tolerance = table.TABLE[name][output].of(way)
        told += [f"{name} {output} {way}: {text}" for text in table.complaints(tolerance, way, differences)]
    return told


# ---- the page ----------------------------------------------------------------------------------------------------

HEAD = """# How far the runtimes are apart

Written by `make parity` (`scripts/parity.py`); do not edit. What is allowed stands in `models/parity_table.py`, and
`tests/e2e/test_parity.py` holds every run and this page to it: it fails when an output is further away, and when an
entry is wider than {wide} times what is measured.

Each network of `models/` runs on its golden input and one more, and is compared with what eager PyTorch computes from
the float32 network:

- **onnx**: `onnx_trt_ep`, CPU provider, fp32
- **widened**: `pytorch_fp16`, its default on a CPU: half weights, float32 arithmetic
- **native**: `pytorch_fp16` with `arithmetic: native`, half weights and half arithmetic

**CPU figures**, of one machine. A GPU computes in half by other kernels; nothing was run on one. The stand-ins (all but
`demo_*`) are at nano scale and have **random weights**: what they output means nothing, how far it moves does.

"""
TABLE_HEAD = """## Differences
Absolute differences, in the output's unit; *measured* is the largest among the elements within what is allowed, *of
largest* the same divided by the largest expected value. *Beyond*: the share of elements, or of rows, further away than
allowed, and how much of that is allowed. *Rows*: in order, or as a set (rows may come in another order; all outputs of
a row must stay together).

| network | output | way | allowed | measured | of largest | beyond | beyond, allowed | rows |
|---|---|---|---|---|---|---|---|---|
"""


def versions() -> str:
    packages = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "onnxruntime")]
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith(("model name", "CPU implementer"))), "unknown CPU")
    return f"Measured with {', '.join(packages)} on {cpu}, one thread.\n\n"


def row(name: str, output: str, way: str, found: list[Difference]) -> str:
    tolerance = table.TABLE[name][output].of(way)
    measured = max(each.max_absolute for each in found)
    largest = max(each.largest for each in found) or 1.0
    cells = [f"`{name}`", f"`{output}`", way, f"{tolerance.absolute:g}", f"{measured:.1e}", f"{measured / largest:.1e}",
             f"{max(each.beyond for each in found):.2%}", f"{tolerance.share:.2%}",
             "set" if tolerance.as_set else "in order"]
    return f"| {' | '.join(cells)} |\n"


def page(found: Measured) -> str:
    wide = ", ".join(f"{factor:g} ({way})" for way, factor in table.TOO_WIDE.items())
    rows = "".join(row(*key, differences) for key, differences in sorted(found.items(), key=_order))
    reasons = "".join(f"| `{name}` | `{output}` | {entry.why} |\n" for name, outputs in table.TABLE.items()
                      for output, entry in outputs.items())
    return (HEAD.format(wide=wide) + versions() + TABLE_HEAD + rows
            + "\n## Why so much\n| network | output | what it is |\n|---|---|---|\n" + reasons)


def _order(item: tuple[tuple[str, str, str], list[Difference]]) -> tuple[int, int, int]:
    name, output, way = item[0]
    return [*table.TABLE].index(name), [*table.TABLE[name]].index(output), table.WAYS.index(way)


def without_figures(text: str) -> str:
    """The page without what a machine measured: two machines agree in it."""
    text = re.sub(r"^Measured with .*$", "", text, flags=re.MULTILINE)
    measured = r"^(\| `\w+` \| `\w+` \| \w+ \| [^|]+ \|) [^|]+ \| [^|]+ \| [^|]+ \|"
    return re.sub(measured, r"\1 - | - | - |", text, flags=re.MULTILINE)


def main() -> int:
    build = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SKUA_BUILD_DIR", ROOT / "build" / "release"))
    work = ROOT / "out" / "parity"
    for arguments in (["make_demo.py", "--out", work / "demo"],
                      ["make_standins.py", "--scale", "nano", "--out", work / "nano", "--precision", "fp32"]):
        subprocess.run([sys.executable, ROOT / "models" / arguments[0], *arguments[1:]], check=True)
    try:
        all_cases = cases()
        outputs = run_all(ROOT / build / "bin" / "skua", work / "demo", work / "nano", work, all_cases)
    except ParityFailure as failure:
        print(f"parity: failed: {failure}", file=sys.stderr)
        return 1
    found = measure(outputs, all_cases)
    PAGE.write_text(page(found), "ascii")
    told = complaints(found)
    summary = f"parity: {len(found)} entries, {len(told)} complaints; {PAGE.relative_to(ROOT)} written"
    print("\n".join([*told, summary]))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
