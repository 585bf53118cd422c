#!/usr/bin/env python3
"""The demo: three networks are compiled, published as a flight set, verified, loaded and run on photographs.

    python scripts/demo.py [BUILD_DIR]

Started by scripts/demo.sh after the set-up. Everything is written below out/demo. Exits with 1 when a figure falls
short or when the damaged set at the end is not refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models"))
import evaluate  # noqa: E402  (models/ is not a package)

OUT = ROOT / "out" / "demo"
MODELS = ("demo_features", "demo_matcher", "demo_vpr")
REFUSED = 5  # exit status of every gate refusal
MIN_MATCHES, MIN_SHARE = 300, 0.90
LATENCY_RUNS = 50


class DemoFailure(Exception):
    """The demo did not show what it promises."""


def skua(*arguments: object, expect: int = 0) -> dict:
    """Runs the ground tool and returns its JSON report."""
    build = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SKUA_BUILD_DIR", ROOT / "build" / "release"))
    command = [str(build / "bin" / "skua"), *map(str, arguments), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != expect:
        raise DemoFailure(f"{' '.join(command)}: exit status {result.returncode}, expected {expect}\n{result.stderr}")
    return json.loads(result.stdout)


def write_set_yaml() -> Path:
    """SET.yaml as an operator would write it: runtime, provider and precision said aloud, golden values from PyTorch."""
    origins = json.loads((OUT / "models" / "generated.json").read_text())["models"]
    lines = ["runtime: onnx_trt_ep", "execution_provider: cpu", "networks:"]
    for name in MODELS:
        lines += [f"  - name: {name}", f"    onnx: models/{name}.onnx", f"    pt: models/{name}.pt", "    precision: fp32"]
        lines += [f"    golden: {{file: models/{name}.golden, origin: \"{origins[name]['golden_origin']}\"}}"]
    path = OUT / "SET.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def prepare() -> Path:
    """The networks, compiled and published. Returns the set's folder."""
    generator = [sys.executable, str(ROOT / "models" / "make_demo.py"), "--out", str(OUT / "models")]
    subprocess.run(generator, check=True)
    report = skua("provision", write_set_yaml(), "--out", OUT / "sets", "--cache", OUT / "cache")
    for engine in report["engines"]:
        what = "reused" if engine["is_reused"] else "compiled"
        print(f"  {what:8}  {engine['file']}  {engine['size_bytes']} bytes")
    what = "published" if report["is_published"] else "unchanged"
    print(f"  {what:9} {report['set_id']}, release sequence {report['release_sequence']}")
    return Path(report["folder"])


def verify(set_dir: Path) -> None:
    report = skua("verify", set_dir, "--allow-unsigned")
    print(f"  {len(report['files'])} files pass both gates; {report['bytes_hashed'] / 1e6:.1f} MB read and hashed "
          f"at {report['gigabytes_per_second']:.2f} GB/s")


def images() -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray | None]]:
    """Name, picture, its partner, and the homography between them where it is known."""
    pairs = []
    for name, picture in evaluate.photographs():
        homography = evaluate.known_homography(picture.shape)
        pairs.append((name, picture, evaluate.warp(picture, homography), homography))
    frames = ROOT.parent / "shared" / "models"
    if (frames / "ref.png").exists() and (frames / "tgt.png").exists():
        pairs.append(("ref/tgt", *(evaluate.load_image(frames / f"{n}.png") for n in ("ref", "tgt")), None))
    return pairs


def run(set_dir: Path, model: str, inputs: dict[str, list[np.ndarray]], *options: object) -> tuple[list, dict]:
    """All inputs through one process; the outputs of each run and the whole report."""
    folder = OUT / "runs" / model
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    arguments: list[object] = []
    for name, arrays in inputs.items():
        for i, array in enumerate(arrays):
            np.save(folder / f"{name}-{i}.npy", array)
            arguments += ["--input", f"{name}={folder / f'{name}-{i}.npy'}"]
    report = skua("run", set_dir, model, *arguments, "--output-dir", folder / "out", "--allow-unsigned", *options)
    runs = [{name: np.load(file) for name, file in entry["outputs"].items()} for entry in report["runs"]]
    return runs, report


def show_latency(set_dir: Path, model: str, inputs: dict[str, list[np.ndarray]]) -> None:
    _, report = run(set_dir, model, inputs, "--repeat", LATENCY_RUNS)
    engine, latency = report["engine"], report["latency"]
    figures = "  ".join(f"{key} {latency[f'{key}_us'] / 1e3:6.1f}" for key in ("p50", "p95", "max"))
    print(f"  {model:13} {figures}   ({engine['provider']} provider, {engine['arithmetic']}, {latency['count']} runs)")


def features(set_dir: Path, pairs: list) -> list[dict]:
    pictures = [picture[None, None] for _, first, second, _ in pairs for picture in (first, second)]
    return run(set_dir, "demo_features", {"image": pictures})[0]


def matcher_inputs(found: list[dict]) -> dict[str, list[np.ndarray]]:
    """What the matcher takes, from the features of first pictures (even) and second ones (odd)."""
    inputs: dict[str, list[np.ndarray]] = {}
    for side in (0, 1):
        of_side = found[side::2]
        size = evaluate.IMAGE_SIZE
        inputs[f"kpts{side}"] = [evaluate.normalise_keypoints(f["keypoints"], size) for f in of_side]
        inputs[f"desc{side}"] = [f["descriptors"] for f in of_side]
    return inputs


def similarities(set_dir: Path, pairs: list) -> list[float]:
    """How alike demo_vpr finds each picture and its partner."""
    pictures = [picture[None, None] for _, first, second, _ in pairs for picture in (first, second)]
    rows = [f["embedding"].ravel() for f in run(set_dir, "demo_vpr", {"image": pictures})[0]]
    return [float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in zip(rows[::2], rows[1::2])]


def judge(pairs: list, found: list[dict], matched: list[dict], alike: list[float]) -> list[str]:
    """Prints a line per photograph; returns the names of those that fall short."""
    short = []
    print("  photograph   matches   within 3 px   median error   place similarity")
    for i, (name, first, second, homography) in enumerate(pairs):
        kpts0, kpts1 = found[2 * i]["keypoints"][0], found[2 * i + 1]["keypoints"][0]
        matches = matched[i]["matches"][0]
        if homography is None:
            print(f"  {name:10} {int((matches >= 0).sum()):9}   geometry not known{alike[i]:28.3f}")
            continue
        result = evaluate.score_matches(kpts0, kpts1, matches, homography)
        print(f"  {name:10} {result['matches']:9}   {result['share']:11.1%}   {result['median_error_px']:9.2f} px"
              f"{alike[i]:19.3f}")
        if result["matches"] < MIN_MATCHES or result["share"] < MIN_SHARE:
            short.append(name)
        if i == 0:
            picture = OUT / "matches.png"
            evaluate.draw_matches(picture, first, second, kpts0, kpts1, matches, result["is_correct"])
    return short


def show_refusal(set_dir: Path) -> None:
    """Flips one byte of one engine in a copy of the set: loading it must be refused, naming file and digests."""
    copy = OUT / "damaged" / set_dir.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(set_dir, copy)
    engine = sorted(copy.glob("demo_matcher__*.onnx"))[0]
    damaged = bytearray(engine.read_bytes())
    offset = len(damaged) // 2
    damaged[offset] ^= 0x01
    engine.write_bytes(damaged)
    print(f"  one bit of byte {offset} of {engine.name} flipped in a copy of the set")
    inputs = OUT / "runs" / "demo_vpr" / "image-0.npy"
    report = skua("run", copy, "demo_vpr", "--input", f"image={inputs}", "--output-dir", OUT / "damaged" / "out",
                  "--allow-unsigned", expect=REFUSED)
    error = report["error"]
    print(f"  refused: {error['class']} [{error['reason']}], exit status {error['exit_status']}")
    print(f"  {error['message'].replace(f'{ROOT}/', '')}")
    if engine.name not in error["message"] or list((OUT / "damaged" / "out").iterdir()):
        raise DemoFailure("the refusal does not name the damaged file, or something ran all the same")


def demo() -> None:
    print("compile and publish (runtime onnx_trt_ep, CPU provider, fp32)")
    set_dir = prepare()
    print("verify")
    verify(set_dir)
    print("run on photographs and their copies under a known homography (8 degrees, scale 0.97, slight perspective)")
    pairs = images()
    found = features(set_dir, pairs)
    inputs = matcher_inputs(found)
    short = judge(pairs, found, run(set_dir, "demo_matcher", inputs)[0], similarities(set_dir, pairs))
    print(f"  picture of the matches: {(OUT / 'matches.png').relative_to(ROOT)}")
    print("latency, ms")
    picture = {"image": [pairs[0][1][None, None]]}
    for model, arrays in zip(MODELS, (picture, {n: a[:1] for n, a in inputs.items()}, picture)):
        show_latency(set_dir, model, arrays)
    print("a damaged engine")
    show_refusal(set_dir)
    if short:
        raise DemoFailure(f"fewer than {MIN_MATCHES} matches or {MIN_SHARE:.0%} within 3 px: {', '.join(short)}")


def main() -> int:
    started = time.monotonic()
    sys.stdout.reconfigure(line_buffering=True)
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        demo()
    except (DemoFailure, OSError, subprocess.CalledProcessError) as failure:
        print(f"demo: failed: {failure}", file=sys.stderr)
        return 1
    print(f"demo: done in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
