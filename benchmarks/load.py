"""Measures verifying, loading, provisioning and hashing: makes the sets, runs load_tools, load_verify, load_trust,
load_data_set, load_sessions, load_growth.

    python benchmarks/load.py --build build/bench --out out/bench [--depth quick|default|full] [--only tools,verify,...]

The sets (models/make_sized.py) stay under OUT/load/ for the next time: 1.5 GB, and about 6 GB with --depth full, which alone
measures the growth with count and size, and the stack's 1.5 GB instead of 0.5; with --depth quick they are some 100 MB below
OUT/quick/ and the figures are of no worth. Reports: OUT/load-tools.json, load-verify.json, load-trust.json,
load-data-set.json, load-sessions.json, load-memory.json and load-growth.json, each with a table beside it.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "models"))
import parity_table  # noqa: E402  (models/ is not a package)

QUICK_SCALE = 0.02  # of the sizes
PARTS = ("tools", "verify", "trust", "dataset", "sessions", "growth")
SAMPLES, SAMPLE_BYTES = 400, 256 * 1024


@dataclass(frozen=True)
class Place:
    """A set that was provisioned, and what it was provisioned from."""

    folder: Path
    suffix: str = ""  # of SET.yaml, cache and sets, where several sets have the same models

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def cache(self) -> Path:
        return self.folder / f"cache{self.suffix}"

    @property
    def sets(self) -> Path:
        return self.folder / f"sets{self.suffix}"

    @property
    def key(self) -> Path:
        """What sets beside each other are signed with: the stem of a key pair."""
        return self.folder.parent / "bench"

    def trust(self) -> tuple[object, object]:
        return "--trust", f"{self.key}.pub"

    def current(self) -> Path:
        return self.sets / (self.sets / "CURRENT").read_text("ascii").strip()


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def provision(skua: Path, place: Place) -> None:
    if not Path(f"{place.key}.key").is_file():
        run(skua, "keygen", place.key)
    run(skua, "provision", place.models / f"set{place.suffix}.yaml", "--out", place.sets, "--cache", place.cache,
        "--sign", f"{place.key}.key", "--set", f"flight_set_limit_bytes={1 << 40}")


def is_whole(skua: Path, place: Place) -> bool:
    if not (place.sets / "CURRENT").is_file() or not Path(f"{place.key}.pub").is_file():
        return False
    verified = subprocess.run([skua, "verify", place.sets, *place.trust(), "--set",
                               f"flight_set_limit_bytes={1 << 40}"], capture_output=True, check=False)
    return verified.returncode == 0


def make_place(skua: Path, folder: Path, mib: float, count: int, keeps_sources: bool) -> Place:
    """The set of `count` engines of `mib` MiB. Without its sources it needs a third of the space."""
    place = Place(folder)
    if not keeps_sources and is_whole(skua, place):
        return place
    folder.mkdir(parents=True, exist_ok=True)
    run(sys.executable, ROOT / "models/make_sized.py", "--mib", mib, "--count", count, "--out", place.models)
    provision(skua, place)
    for old in set(place.sets.iterdir()) - {place.current(), place.sets / "CURRENT"}:
        shutil.rmtree(old)
    if not keeps_sources:
        shutil.rmtree(place.models)
        shutil.rmtree(place.cache)
    return place


@dataclass(frozen=True)
class Depth:
    """How much is measured: engines of a set, rounds, seconds for each program (0: as long as it takes)."""

    name: str
    engines: int
    mib: float  # of each engine
    rounds: int
    tools_s: int = 0
    verify_s: int = 0
    trust_s: int = 0
    data_set_s: int = 0
    scale: float = 1.0  # of what growth is measured on
    counts: tuple[int, ...] = (1, 10, 100)

    def budget(self, seconds: int) -> tuple[object, ...]:
        return ("--budget", seconds) if seconds else ()


DEPTHS = {"full": Depth("full", 10, 150, 31),
          "default": Depth("default", 8, 64, 31, tools_s=22, verify_s=12, trust_s=10, data_set_s=8),
          "quick": Depth("quick", 4, 150 * QUICK_SCALE, 6, scale=QUICK_SCALE, counts=(1, 3, 10))}


@functools.cache
def flight_place(skua: Path, out: Path, depth: Depth) -> Place:
    """A set in the size that flies; by default a third of it, so that ten minutes are enough."""
    folder = out / ("load/flight" if depth.name == "full" else f"load/flight-{depth.engines}x{depth.mib:g}")
    return make_place(skua, folder, depth.mib, depth.engines, keeps_sources=True)


def measure_tools(build: Path, out: Path, depth: Depth) -> None:
    place = flight_place(build / "bin/skua", out, depth)
    run(build / "benchmarks/load_tools", "--set-dir", place.current(), "--out", out / "load-tools", "--rounds", depth.rounds,
        "--skua", build / "bin/skua", "--python", sys.executable, *place.trust(), *depth.budget(depth.tools_s))


def measure_verify(build: Path, out: Path, depth: Depth) -> None:
    skua = build / "bin/skua"
    place = flight_place(skua, out, depth)
    run(build / "benchmarks/load_verify", "--set-dir", place.current(), "--out", out / "load-verify",
        "--rounds", depth.rounds, "--skua", skua, "--set-yaml", place.models / "set.yaml",
        "--cache", place.cache, *place.trust(), *depth.budget(depth.verify_s))


def measure_trust(build: Path, out: Path, depth: Depth) -> None:
    place = flight_place(build / "bin/skua", out, depth)
    run(build / "benchmarks/load_trust", "--set-dir", place.current(), "--out", out / "load-trust",
        "--rounds", depth.rounds, *place.trust(), *depth.budget(depth.trust_s))


def make_data_set(folder: Path, sample_bytes: int) -> None:
    """Of bytes by chance: a data set is hashed, and what is in its files is for calibrating."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SAMPLES):
        file = folder / f"{number:04}.npz"
        if not file.is_file() or file.stat().st_size != sample_bytes:
            file.write_bytes(random.Random(number).randbytes(sample_bytes))


def measure_data_set(build: Path, out: Path, depth: Depth) -> None:
    folder = out / "load/data-set"
    make_data_set(folder, SAMPLE_BYTES // 32 if depth.name == "quick" else SAMPLE_BYTES)
    run(build / "benchmarks/load_data_set", "--data-set", folder, "--out", out / "load-data-set", "--rounds",
        6 if depth.name == "quick" else 101, "--skua", build / "bin/skua", *depth.budget(depth.data_set_s))


def demo_network(name: str, runtime: str) -> dict:
    """An entry of SET.yaml; its files are relative to it."""
    if runtime == "onnx_trt_ep":
        return {"name": name, "onnx": f"{name}.onnx", "precision": "fp32"}
    return parity_table.set_entry(name, Path())


def write_demo_models(folder: Path, out: Path) -> None:
    """Made once below OUT, for all sets of them."""
    made = out / "demo-models"
    run(sys.executable, ROOT / "models/make_demo.py", "--out", made)
    folder.mkdir(parents=True, exist_ok=True)
    for file in made.iterdir():
        shutil.copy2(file, folder / file.name)


def make_demo_place(skua: Path, folder: Path, runtime: str = "onnx_trt_ep") -> Place:
    """The demo networks: their graphs leave something to optimise, which those of make_sized.py do not."""
    place = Place(folder)
    write_demo_models(place.models, folder.parent)
    networks = [demo_network(name, runtime) for name in ("demo_features", "demo_matcher", "demo_vpr")]
    document = {"runtime": runtime, "execution_provider": "cpu", "networks": networks}
    (place.models / "set.yaml").write_text(json.dumps(document, indent=1, default=str) + "\n", "ascii")  # which is YAML, too
    provision(skua, place)
    return place


def measure_sessions(build: Path, out: Path, depth: Depth) -> None:
    skua, program, is_quick = build / "bin/skua", build / "benchmarks/load_sessions", depth.name == "quick"
    demo = make_demo_place(skua, (out.parent if is_quick else out) / "demo")  # as the calls have it
    run(program, "--set-dir", demo.current(), "--out", out / "load-sessions", "--cache", demo.cache,
        "--sources", demo.models, *demo.trust(), "--rounds", depth.rounds, "--builds", 400 if is_quick else 1000)
    flight = flight_place(skua, out, depth)
    run(program, "--set-dir", flight.current(), "--out", out / "load-memory", "--memory", "--builds", 0,
        *flight.trust())


def measure_growth(build: Path, out: Path, depth: Depth) -> None:
    skua = build / "bin/skua"
    by_count = [make_place(skua, out / f"load/count-{count}", depth.scale, count, keeps_sources=False)
                for count in depth.counts]
    by_size = [make_place(skua, out / f"load/size-{mib}", mib * depth.scale, 1, keeps_sources=False)
               for mib in (1, 10, 100, 500)]
    run(build / "benchmarks/load_growth", "--out", out / "load-growth",
        "--rounds", min(depth.rounds, 11), *by_size[0].trust(), "--by-count", *(place.current() for place in by_count),
        "--by-size", *(place.current() for place in by_size))


MEASURES = {"tools": measure_tools, "verify": measure_verify, "trust": measure_trust, "dataset": measure_data_set,
            "sessions": measure_sessions, "growth": measure_growth}
REPORTS = {"tools": ("load-tools",), "verify": ("load-verify",), "trust": ("load-trust",), "dataset": ("load-data-set",),
           "sessions": ("load-sessions", "load-memory"), "growth": ("load-growth",)}


def prepare(build: Path, out: Path, depth_name: str) -> None:
    """What takes longest to make, for those who count that time by itself."""
    below = out / "quick" if depth_name == "quick" else out
    os.makedirs(below, exist_ok=True)
    flight_place(build / "bin/skua", below, DEPTHS[depth_name])


def measure(build: Path, out: Path, depth_name: str, parts: Iterable[str] = ()) -> list[str]:
    """Runs the parts (none: those of the depth); answers with the stems of their reports, below OUT."""
    depth, folder = DEPTHS[depth_name], "quick/" if depth_name == "quick" else ""
    os.makedirs(out / folder, exist_ok=True)
    chosen = list(parts) or [part for part in PARTS if part != "growth" or depth_name != "default"]
    for part in chosen:
        print(f"bench: load, {part}", file=sys.stderr, flush=True)
        MEASURES[part](build, out / folder if folder else out, depth)
    return [folder + stem for part in chosen for stem in REPORTS[part]]


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure verifying, loading and provisioning.")
    parser.add_argument("--build", type=Path, required=True, help="built with SKUA_BUILD_BENCHMARKS=ON")
    parser.add_argument("--out", type=Path, required=True, help="folder for sets and reports")
    parser.add_argument("--depth", choices=DEPTHS, default="default", help="quick: small sets, few rounds: does it run at all?")
    parser.add_argument("--only", default="", help=f"parts to measure, separated by commas: {', '.join(PARTS)}")
    arguments = parser.parse_args()
    parts = [part for part in arguments.only.split(",") if part]
    if not set(parts) <= set(PARTS):
        parser.error(f"--only: expected some of {', '.join(PARTS)}")
    measure(arguments.build.resolve(), arguments.out.resolve(), arguments.depth, parts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
