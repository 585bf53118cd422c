"""The demo networks as fp16 and int8 artifacts of onnx_trt_ep, in one set: `<network>_<precision>`.

int8 is calibrated with photographs and judged by others, as `skua compile` asks for it. What demo_features keeps in
float32: the corners, whose products of gradients 8 bits do not hold, and in fp16 also where a keypoint is, which half
knows to half a pixel; demo_vpr its gradients, without which int8 misses its bound on the judging photographs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models"))
import evaluate  # noqa: E402  (models/ is not a package)
import parity_table  # noqa: E402

NETWORKS = ("demo_features", "demo_matcher", "demo_vpr")
CALIBRATING, JUDGING = ("camera", "gravel", "grass", "hubble"), ("coffee", "astronaut", "retina")
CORNERS = ("/corners/*", "/gradients/*")
PLACES = ("/Add*", "/Cast*", "/Clip*", "/Concat*", "/Div*", "/GatherElements*", "/Greater*", "/Mul*", "/Sub*", "/TopK*",
          "/Unsqueeze*", "/Where*")
KEPT = {("demo_features", "fp16"): (*CORNERS, *PLACES), ("demo_features", "int8"): CORNERS,
        ("demo_vpr", "int8"): ("/gradients/*",)}
ALGORITHM = {"demo_features": "entropy2", "demo_matcher": "entropy2", "demo_vpr": "minmax"}


def pictures(names: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each photograph beside its warped copy, as the networks take them."""
    for name in names:
        image = evaluate.photograph(name)
        yield name, image[None, None], evaluate.warp(image, evaluate.known_homography(image.shape))[None, None]


def image_samples(names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    for name, image, warped in pictures(names):
        yield name, {"image": image}
        yield f"{name}_warped", {"image": warped}


def pair_samples(names: tuple[str, ...], models: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """What the matcher is given: the features of both pictures."""
    import onnx

    features = evaluate.onnx_function(models / "demo_features.onnx")
    inputs = [value.name for value in onnx.load(models / "demo_matcher.onnx").graph.input]
    for name, image, warped in pictures(names):
        first, second = features(image), features(warped)
        places = [evaluate.normalise_keypoints(found[0], evaluate.IMAGE_SIZE) for found in (first, second)]
        yield name, dict(zip(inputs, (*places, first[2], second[2]), strict=True))


def write_samples(folder: Path, network: str, names: tuple[str, ...], models: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    samples = pair_samples(names, models) if network == "demo_matcher" else image_samples(names)
    for name, arrays in samples:
        np.savez(folder / f"{name}.npz", **arrays)


def quantize(skua: Path, models: Path, network: str, precision: str, data: Path | None) -> Path:
    out = models / f"{network}_{precision}.onnx"
    kept = [word for pattern in KEPT.get((network, precision), ()) for word in ("--keep-fp32", pattern)]
    calibrated = ["--calibration-dataset", data, "--calibration-algorithm", ALGORITHM[network]] if data else []
    command = [skua, "quantize", models / f"{network}.onnx", "--precision", precision, "--out", out, "--overwrite", *kept, *calibrated]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return out


def half_entry(skua: Path, models: Path, network: str) -> dict:
    quantize(skua, models, network, "fp16", None)
    return {"onnx": f"{network}_fp16.onnx", "keep_fp32": list(KEPT.get((network, "fp16"), ())),
            "golden": {"file": f"{network}.golden", "origin": "eager PyTorch, fp32"},
            "tolerances": {output: allowed.as_yaml() for output, allowed in parity_table.tolerances(network, "widened").items()}}


def int8_entry(skua: Path, models: Path, network: str) -> dict:
    calibrating, judging = (models / "data" / f"{network}_{use}" for use in ("calibrating", "judging"))
    write_samples(calibrating, network, CALIBRATING, models)
    write_samples(judging, network, JUDGING, models)
    quantize(skua, models, network, "int8", calibrating)
    return {"onnx": f"{network}_int8.onnx", "keep_fp32": list(KEPT.get((network, "int8"), ())),
            "calibration": {"data_set": str(calibrating), "judged_by": str(judging), "fp32_source": f"{network}.onnx",
                            "algorithm": ALGORITHM[network]}}


def identity(skua: Path, models: Path, networks: tuple[str, ...]) -> str:
    """Of everything that the artifacts are made from; skua by its size and time."""
    said = hashlib.sha256(Path(__file__).read_bytes())
    for network in networks:
        said.update((models / f"{network}.onnx").read_bytes())
    return f"{said.hexdigest()} {skua.stat().st_size} {skua.stat().st_mtime_ns}"


def write_set(skua: Path, models: Path, networks: tuple[str, ...] = NETWORKS) -> None:
    """MODELS/set.yaml, beside the demo networks that are there."""
    record, wanted = models / "artifacts.txt", identity(skua, models, networks)
    if record.is_file() and record.read_text("ascii") == wanted:
        return
    record.unlink(missing_ok=True)
    entries = []
    for network in networks:
        made = {"fp16": half_entry(skua, models, network), "int8": int8_entry(skua, models, network)}
        entries += [{"name": f"{network}_{precision}", "precision": precision, **entry} for precision, entry in made.items()]
    document = {"runtime": "onnx_trt_ep", "execution_provider": "cpu", "networks": entries}
    (models / "set.yaml").write_text(json.dumps(document, indent=1, default=str) + "\n", "ascii")
    record.write_text(wanted, "ascii")
