"""Measures verifying, loading, provisioning and hashing: makes the sets, runs load_verify, load_trust, load_data_set,
load_sessions, load_growth.

    python benchmarks/load.py --build build/bench --out out/bench [--quick] [--only verify,trust,dataset,sessions,growth]

The sets (models/make_sized.py) stay under OUT/load/ for the next time, about 6 GB; with --quick they are some
100 MB below OUT/quick/ and the figures are of no worth. Reports: OUT/load-verify.json, load-trust.json,
load-data-set.json, load-sessions.json, load-memory.json and load-growth.json, each with a table beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "models"))
import parity_table  # noqa: E402  (models/ is not a package)

QUICK_SCALE = 0.02  # of the sizes
PARTS = ("verify", "trust", "dataset", "sessions", "growth")
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


def flight_mib(arguments: argparse.Namespace) -> float:
    """Of each of the ten engines of a set as it flies."""
    return 150 * (QUICK_SCALE if arguments.quick else 1.0)


def measure_verify(build: Path, out: Path, arguments: argparse.Namespace) -> None:
    skua = build / "bin/skua"
    place = make_place(skua, out / "load/flight", flight_mib(arguments), 10, keeps_sources=True)
    run(build / "benchmarks/load_verify", "--set-dir", place.current(), "--out", out / "load-verify",
        "--rounds", 6 if arguments.quick else 31, "--skua", skua, "--set-yaml", place.models / "set.yaml",
        "--cache", place.cache, *place.trust())


def measure_trust(build: Path, out: Path, arguments: argparse.Namespace) -> None:
    skua = build / "bin/skua"
    place = make_place(skua, out / "load/flight", flight_mib(arguments), 10, keeps_sources=True)
    run(build / "benchmarks/load_trust", "--set-dir", place.current(), "--out", out / "load-trust",
        "--rounds", 6 if arguments.quick else 31, "--skua", skua, *place.trust(), "--python", sys.executable)


def make_data_set(folder: Path, sample_bytes: int) -> None:
    """Of bytes by chance: a data set is hashed, and what is in its files is for calibrating."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SAMPLES):
        file = folder / f"{number:04}.npz"
        if not file.is_file() or file.stat().st_size != sample_bytes:
            file.write_bytes(random.Random(number).randbytes(sample_bytes))


def measure_data_set(build: Path, out: Path, arguments: argparse.Namespace) -> None:
    folder = out / "load/data-set"
    make_data_set(folder, SAMPLE_BYTES // 32 if arguments.quick else SAMPLE_BYTES)
    run(build / "benchmarks/load_data_set", "--data-set", folder, "--out", out / "load-data-set", "--rounds",
        6 if arguments.quick else 101, "--skua", build / "bin/skua")


def demo_network(name: str, runtime: str) -> dict:
    """An entry of SET.yaml; its files are relative to it."""
    if runtime == "onnx_trt_ep":
        return {"name": name, "onnx": f"{name}.onnx", "precision": "fp32"}
    return parity_table.set_entry(name, Path())


def make_demo_place(skua: Path, folder: Path, runtime: str = "onnx_trt_ep") -> Place:
    """The demo networks: their graphs leave something to optimise, which those of make_sized.py do not."""
    place = Place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run(sys.executable, ROOT / "models/make_demo.py", "--out", place.models)
    networks = [demo_network(name, runtime) for name in ("demo_features", "demo_matcher", "demo_vpr")]
    document = {"runtime": runtime, "execution_provider": "cpu", "networks": networks}
    (place.models / "set.yaml").write_text(json.dumps(document, indent=1, default=str) + "\n", "ascii")  # which is YAML, too
    provision(skua, place)
    return place


def measure_sessions(build: Path, out: Path, arguments: argparse.Namespace) -> None:
    skua, program = build / "bin/skua", build / "benchmarks/load_sessions"
    demo = make_demo_place(skua, out / "load/demo")
    run(program, "--set-dir", demo.current(), "--out", out / "load-sessions", "--cache", demo.cache,
        "--sources", demo.models, *demo.trust(), "--rounds", 6 if arguments.quick else 31, "--builds", 400 if arguments.quick else 1000)
    flight = make_place(skua, out / "load/flight", flight_mib(arguments), 10, keeps_sources=True)
    run(program, "--set-dir", flight.current(), "--out", out / "load-memory", "--memory", "--builds", 0,
        *flight.trust())


def measure_growth(build: Path, out: Path, arguments: argparse.Namespace) -> None:
    skua, scale = build / "bin/skua", QUICK_SCALE if arguments.quick else 1.0
    by_count = [make_place(skua, out / f"load/count-{count}", scale, count, keeps_sources=False)
                for count in (1, 10, 100)]
    by_size = [make_place(skua, out / f"load/size-{mib}", mib * scale, 1, keeps_sources=False)
               for mib in (1, 10, 100, 500)]
    run(build / "benchmarks/load_growth", "--out", out / "load-growth",
        "--rounds", 6 if arguments.quick else 11, *by_size[0].trust(), "--by-count", *(place.current() for place in by_count),
        "--by-size", *(place.current() for place in by_size))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure verifying, loading and provisioning.")
    parser.add_argument("--build", type=Path, required=True, help="built with SKUA_BUILD_BENCHMARKS=ON")
    parser.add_argument("--out", type=Path, required=True, help="folder for sets and reports")
    parser.add_argument("--quick", action="store_true", help="small sets, few rounds: does it run at all?")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, separated by commas")
    arguments = parser.parse_args()
    build, out = arguments.build.resolve(), arguments.out.resolve()
    if arguments.quick:
        out = out / "quick"
    os.makedirs(out, exist_ok=True)
    measures = {"verify": measure_verify, "trust": measure_trust, "dataset": measure_data_set,
                "sessions": measure_sessions, "growth": measure_growth}
    chosen = arguments.only.split(",")
    if not set(chosen) <= set(PARTS):
        parser.error(f"--only: expected some of {', '.join(PARTS)}")
    for part in chosen:
        measures[part](build, out, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
