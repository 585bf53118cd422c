#!/usr/bin/env python3
"""The demo: three networks are compiled, published as a flight set, verified, loaded and run on photographs, by the
default runtime and, beside it, by ONNX Runtime. It ends with a short flight.

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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models"))
import evaluate  # noqa: E402  (models/ is not a package)
import parity_table  # noqa: E402

OUT = ROOT / "out" / "demo"
MODELS = ("demo_features", "demo_matcher", "demo_vpr")
REFUSED = 5  # exit status of every gate refusal
MIN_MATCHES, MIN_SHARE = 300, 0.90
FLIGHT_FRAMES, FLIGHT_S = 15, 5  # at the stack's 3 Hz
MIN_TILES, MIN_POSITIONS, MAX_POSITION_ERROR_PX = 0.95, 0.90, 5.0
REPEATS = 2  # of every run, for the latency
SAME_KEYPOINT_PX = 1.0


@dataclass(frozen=True)
class Runtime:
    """One of the two runtimes that are shown, and what its SET.yaml says of it."""

    label: str
    set_file: str
    folder: str
    precision: str
    settings: tuple[str, ...] = ()


DEFAULT = Runtime("pytorch_fp16", "SET.yaml", "sets", "fp16")
OTHER = Runtime("onnx_trt_ep", "SET_onnx.yaml", "sets_onnx", "fp32",
                ("runtime: onnx_trt_ep", "execution_provider: cpu"))


class DemoFailure(Exception):
    """The demo did not show what it promises."""


def program(name: str) -> str:
    build = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SKUA_BUILD_DIR", ROOT / "build" / "release"))
    return str(build / "bin" / name)


def skua(*arguments: object, expect: int = 0) -> dict:
    """Runs the ground tool and returns its JSON report."""
    command = [program("skua"), *map(str, arguments), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != expect:
        raise DemoFailure(f"{' '.join(command)}: exit status {result.returncode}, expected {expect}\n{result.stderr}")
    return json.loads(result.stdout)


def shown(text: object) -> str:
    """Paths from the repository's root."""
    return str(text).replace(f"{ROOT}/", "")


def write_set_yaml(runtime: Runtime) -> Path:
    """SET.yaml as an operator would write it: the networks, the precision, golden values from PyTorch. The first one
    names no runtime, device or arithmetic."""
    origins = json.loads((OUT / "models" / "generated.json").read_text())["models"]
    lines = [*runtime.settings, "networks:"]
    for name in MODELS:
        lines += [f"  - name: {name}", f"    onnx: models/{name}.onnx", f"    pt: models/{name}.pt"]
        lines += [f"    precision: {runtime.precision}"]
        lines += [f"    golden: {{file: models/{name}.golden, origin: \"{origins[name]['golden_origin']}\"}}"]
        lines += tolerance_lines(name) if runtime.precision == "fp16" else []
    path = OUT / runtime.set_file
    path.write_text("\n".join(lines) + "\n")
    return path


def tolerance_lines(name: str) -> list[str]:
    """How far half weights may move the outputs (models/parity_table.py)."""
    lines = ["    tolerances:"]
    for output, allowed in parity_table.tolerances(name, "widened").items():
        lines += [f"      {output}: {{absolute: {allowed.absolute:g}, relative: 0, max_mismatch_fraction: "
                  f"{allowed.share:g}, as_set: {str(allowed.as_set).lower()}}}"]
    return lines


def provision(runtime: Runtime) -> Path:
    """Compiles and publishes. Returns the set's folder."""
    report = skua("provision", write_set_yaml(runtime), "--out", OUT / runtime.folder, "--cache", OUT / "cache",
                  "--sign", OUT / "demo.key")
    for engine in report["engines"]:
        what = "reused" if engine["is_reused"] else "compiled"
        print(f"  {what:8}  {engine['file']}  {engine['size_bytes']} bytes")
    what = "published" if report["is_published"] else "unchanged"
    print(f"  {what:9} {runtime.folder}/{report['set_id']}, release sequence {report['release_sequence']}")
    return Path(report["folder"])


def verify(set_dir: Path) -> None:
    report = skua("verify", set_dir, "--trust", OUT / "demo.pub")
    print(f"  {len(report['files'])} files pass both gates; {report['bytes_hashed'] / 1e6:.1f} MB read and hashed "
          f"at {report['gigabytes_per_second']:.2f} GB/s; signed by {report['signer'][:12]}...")


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


def run(set_dir: Path, model: str, inputs: dict[str, list[np.ndarray]]) -> tuple[list[dict], str]:
    """All inputs through one process; the outputs of each run, and a line about the latency of all of them."""
    folder = OUT / "runs" / model
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    arguments: list[object] = []
    for name, arrays in inputs.items():
        for i, array in enumerate(arrays):
            np.save(folder / f"{name}-{i}.npy", array)
            arguments += ["--input", f"{name}={folder / f'{name}-{i}.npy'}"]
    report = skua("run", set_dir, model, *arguments, "--output-dir", folder / "out", "--trust", OUT / "demo.pub",
                  "--repeat", REPEATS)
    runs = [{name: np.load(file) for name, file in entry["outputs"].items()} for entry in report["runs"]]
    engine, latency = report["engine"], report["latency"]
    figures = "  ".join(f"{key} {latency[f'{key}_us'] / 1e3:6.1f}" for key in ("p50", "p95", "max"))
    return runs, (f"  {model:13} {engine['runtime']:12}  {figures}   ({engine['device']}, {engine['arithmetic']}, "
                  f"{latency['count']} runs)")


def in_pairs(pairs: list) -> dict[str, list[np.ndarray]]:
    """First pictures at even places, their partners behind them."""
    return {"image": [picture[None, None] for _, first, second, _ in pairs for picture in (first, second)]}


def matcher_inputs(found: list[dict]) -> dict[str, list[np.ndarray]]:
    """What the matcher takes, from the features of first pictures (even) and second ones (odd)."""
    inputs: dict[str, list[np.ndarray]] = {}
    for side in (0, 1):
        of_side = found[side::2]
        size = evaluate.IMAGE_SIZE
        inputs[f"kpts{side}"] = [evaluate.normalise_keypoints(f["keypoints"], size) for f in of_side]
        inputs[f"desc{side}"] = [f["descriptors"] for f in of_side]
    return inputs


@dataclass(frozen=True)
class Outcome:
    """What one runtime made of the pictures: the outputs of every run."""

    features: list[dict]
    matches: list[dict]
    places: list[dict]
    matches_of_others: list[dict]  # given another runtime's features
    latencies: list[str]

    def similarity(self, index: int) -> float:
        """How alike demo_vpr finds a picture and its partner."""
        a, b = (self.places[2 * index + side]["embedding"].ravel() for side in (0, 1))
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def score(self, index: int, homography: np.ndarray) -> dict:
        kpts0, kpts1 = (self.features[2 * index + side]["keypoints"][0] for side in (0, 1))
        return evaluate.score_matches(kpts0, kpts1, self.matches[index]["matches"][0], homography)


def run_all(set_dir: Path, pairs: list, others: list[dict]) -> Outcome:
    """`others` are features that another runtime found: they are matched as well."""
    found, of_features = run(set_dir, "demo_features", in_pairs(pairs))
    matched, of_matcher = run(set_dir, "demo_matcher", matcher_inputs(found + others))
    places, of_places = run(set_dir, "demo_vpr", in_pairs(pairs))
    return Outcome(found, matched[:len(pairs)], places, matched[len(pairs):], [of_features, of_matcher, of_places])


def judge(pairs: list, outcomes: list[tuple[Runtime, Outcome]]) -> list[str]:
    """Prints a line per photograph and runtime; returns the names of photographs that fall short with one of them."""
    short = []
    print("  photograph   runtime        matches   within 3 px   median error   place similarity")
    for i, (name, _, _, homography) in enumerate(pairs):
        for runtime, outcome in outcomes:
            head = f"  {name:10}   {runtime.label:12}"
            if homography is None:
                matches = int((outcome.matches[i]["matches"] >= 0).sum())
                print(f"{head} {matches:9}   geometry not known{outcome.similarity(i):28.3f}")
                continue
            result = outcome.score(i, homography)
            print(f"{head} {result['matches']:9}   {result['share']:11.1%}   {result['median_error_px']:9.2f} px"
                  f"{outcome.similarity(i):19.3f}")
            if result["matches"] < MIN_MATCHES or result["share"] < MIN_SHARE:
                short.append(f"{name} ({runtime.label})")
    return short


def draw(pairs: list, outcome: Outcome) -> None:
    _, first, second, homography = pairs[0]
    kpts0, kpts1 = (outcome.features[side]["keypoints"][0] for side in (0, 1))
    picture, matches = OUT / "matches.png", outcome.matches[0]["matches"][0]
    evaluate.draw_matches(picture, first, second, kpts0, kpts1, matches, outcome.score(0, homography)["is_correct"])
    print(f"  picture of the matches: {shown(picture)}")


def show_difference(model: str, found: list[dict], expected: list[dict]) -> None:
    """Prints how far outputs on the same inputs are apart. Rows of demo_features are paired by keypoint."""
    apart: dict[str, list[np.ndarray]] = {name: [] for name in expected[0]}
    paired = total = 0
    for one, other in zip(found, expected, strict=True):
        mine, theirs = paired_rows(one, other)
        paired, total = paired + len(theirs), total + len(next(iter(other.values()))[0])
        for name, parts in apart.items():
            parts.append(np.abs(one[name][0][mine].astype(np.float64) - other[name][0][theirs]).ravel())
    for name, values in ((name, np.concatenate(parts)) for name, parts in apart.items()):
        figures = f"median {np.median(values):7.1e}   99 % {np.quantile(values, 0.99):7.1e}   max {values.max():7.1e}"
        if not values.any():
            figures = "equal"
        exchanged = f"   {total - paired} of {total} keypoints exchanged" if name == "keypoints" else ""
        print(f"  {model:13}  {name:11}   {figures}{exchanged}")


def paired_rows(one: dict, other: dict) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two results that belong together: of the nearest keypoints within a pixel, else of one position."""
    if "keypoints" not in one:
        rows = np.arange(len(next(iter(one.values()))[0]))
        return rows, rows
    distance = np.linalg.norm(other["keypoints"][0][:, None] - one["keypoints"][0][None], axis=2)
    nearest = distance.argmin(1)
    theirs = np.flatnonzero(distance.min(1) <= SAME_KEYPOINT_PX)
    return nearest[theirs], theirs


def show_refusal(set_dir: Path) -> None:
    """Flips one byte of one engine in a copy of the set: loading it must be refused, naming file and digests."""
    copy = OUT / "damaged" / set_dir.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(set_dir, copy)
    engine = next(copy.glob("demo_matcher__*.pt"))
    damaged = bytearray(engine.read_bytes())
    offset = len(damaged) // 2
    damaged[offset] ^= 0x01
    engine.write_bytes(damaged)
    print(f"  one bit of byte {offset} of {engine.name} flipped in a copy of the set")
    inputs = OUT / "runs" / "demo_vpr" / "image-0.npy"
    report = skua("run", copy, "demo_vpr", "--input", f"image={inputs}", "--output-dir", OUT / "damaged" / "out",
                  "--trust", OUT / "demo.pub", "--recorder", OUT / "damaged" / "recorder", expect=REFUSED)
    error = report["error"]
    print(f"  refused: {error['class']} [{error['reason']}], exit status {error['exit_status']}")
    print(f"  {shown(error['message'])}")
    if engine.name not in error["message"] or list((OUT / "damaged" / "out").iterdir()):
        raise DemoFailure("the refusal does not name the damaged file, or something ran all the same")
    show_recorded(OUT / "damaged" / "recorder", engine.name)


def show_recorded(folder: Path, file: str) -> None:
    """What the flight recorder kept of a refusal, as `skua recorder dump` gives it."""
    records = skua("recorder", "dump", folder, "--kind", "c7.engine_refused")["records"]
    print("  flight recorder:", "; ".join(f"{record['kind']} {record['payload']}" for record in records))
    if [record["payload"]["file"] for record in records] != [file]:
        raise DemoFailure("the flight recorder does not hold the one refusal")


def flight_config() -> Path:
    """The configuration of an aircraft, as far as this machine is one: the log is off."""
    for name in ("state", "recorder"):
        (OUT / name).mkdir(exist_ok=True)
    path = OUT / "flight.yaml"
    path.write_text(f"""mode: live
components:
  c7_inference:
    flight_sets_dir: {OUT / DEFAULT.folder}
    state_dir: {OUT / "state"}
    recorder_dir: {OUT / "recorder"}
    trusted_key: {OUT / "demo.pub"}
    lightglue_model: demo_matcher
    log_sink: none
  c2_vpr:
  c2_5_rerank:
  c3_matcher:
flight:
  map: flight/map
  frames: flight/frames
  vpr_model: demo_vpr
  features_model: demo_features
  deadline_ms: 2000  # what is shown is the answer, also on a busy machine
""")
    return path


def fly() -> tuple[dict, list[dict]]:
    """A short flight of skua-flight: its report, and a line of each frame."""
    maker = [sys.executable, str(ROOT / "models" / "make_flight.py"), "--out", str(OUT / "flight")]
    subprocess.run([*maker, "--frames", str(FLIGHT_FRAMES)], check=True)
    report, file = OUT / "flight-report.json", OUT / "flight-frames.jsonl"
    command = [program("skua-flight"), "--config", flight_config(), "--duration", FLIGHT_S, "--report", report,
               "--frame-lines", file]
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise DemoFailure(f"skua-flight: exit status {result.returncode}\n{result.stderr}")
    return json.loads(report.read_text()), [json.loads(line) for line in file.read_text().splitlines()]


def show_flight() -> None:
    """Where the aircraft thought it was, beside where it was."""
    report, lines = fly()
    truth = {entry["picture"]: entry for entry in json.loads((OUT / "flight" / "truth.json").read_text())}
    print(f"  set {report['set_id']} ready {report['ready_ms'] / 1e3:.1f} s after the start; "
          f"{report['frames']} frames at {report['rate_hz']:g} Hz, {report['missed']} missed, {report['late']} late")
    print("  frame   found on   position, px (sigma)                      true position     error    frame time")
    right = near = 0
    for line in lines:
        known = truth[line["picture"]]
        if "tile" not in line:
            print(f"  {line['frame']:5}   no result: {line['reason']}")
            continue
        error = float(np.hypot(line["x"] - known["x"], line["y"] - known["y"]))
        right, near = right + (line["tile"] == known["tile"]), near + (error <= MAX_POSITION_ERROR_PX)
        print(f"  {line['frame']:5}   {line['tile']:8}   {line['x']:7.1f} ({line.get('sigma_x', np.inf):.2f}) {line['y']:7.1f} "
              f"({line.get('sigma_y', np.inf):.2f})   {line['inliers']:3}/{line['matches']:3} inliers   {known['x']:7.1f} "
              f"{known['y']:7.1f}   {error:6.2f} px   {line['ms']['frame']:6.1f} ms")
    for name, stage in report["stages"].items():
        print(f"  {name:9} p50 {stage['p50_ms']:7.2f}  p95 {stage['p95_ms']:7.2f}  max {stage['max_ms']:7.2f} ms   "
              f"{stage.get('backbone', '')}")
    if len(lines) < FLIGHT_FRAMES // 2 or right < MIN_TILES * len(lines) or near < MIN_POSITIONS * len(lines):
        raise DemoFailure(f"of {len(lines)} frames {right} are on the right tile and {near} within "
                          f"{MAX_POSITION_ERROR_PX:g} px")


def demo() -> None:
    generator = [sys.executable, str(ROOT / "models" / "make_demo.py"), "--out", str(OUT / "models")]
    subprocess.run(generator, check=True)
    if not (OUT / "demo.key").exists():
        skua("keygen", OUT / "demo")
    print(f"compile, sign and publish ({DEFAULT.label}, fp16: the default, SET.yaml names no runtime)")
    set_dir = provision(DEFAULT)
    print(f"compile, sign and publish ({OTHER.label}, CPU provider, fp32)")
    other_dir = provision(OTHER)
    print("verify")
    verify(set_dir)
    verify(other_dir)
    print("run on photographs and their copies under a known homography (8 degrees, scale 0.97, slight perspective)")
    pairs = images()
    other = run_all(other_dir, pairs, [])
    outcome = run_all(set_dir, pairs, other.features)
    short = judge(pairs, [(DEFAULT, outcome), (OTHER, other)])
    draw(pairs, outcome)
    compare_runtimes(outcome, other)
    print("latency, ms")
    print("\n".join(line for lines in zip(outcome.latencies, other.latencies) for line in lines))
    print("a damaged engine")
    show_refusal(set_dir)
    print("a short flight over a large photograph cut into tiles; the frames are warped crops of it")
    show_flight()
    if short:
        raise DemoFailure(f"fewer than {MIN_MATCHES} matches or {MIN_SHARE:.0%} within 3 px: {', '.join(short)}")


def compare_runtimes(outcome: Outcome, other: Outcome) -> None:
    print(f"how far {DEFAULT.label} is from {OTHER.label}, given the same inputs (keypoints in pixels)")
    show_difference("demo_features", outcome.features, other.features)
    show_difference("demo_matcher", outcome.matches_of_others, other.matches)
    show_difference("demo_vpr", outcome.places, other.places)


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
