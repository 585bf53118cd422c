"""Photographs with a known geometry, and how well matches agree with it.

Library for the demo and the tests; as a program it prints the figures of one demo set:
    python models/evaluate.py --models DIR
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

if TYPE_CHECKING:  # a caller with its own runtime needs no PyTorch
    import torch

IMAGE_SIZE = (640, 480)  # width, height: what the demo networks take
FloatArray = NDArray[np.float32]
ArrayFunction = Callable[..., tuple[np.ndarray, ...]]  # the networks' inputs -> outputs

# Files that the scikit-image wheel itself contains, by SHA-256. They are read from the
# installed package: skimage.data's functions may download and write to a cache.
PHOTOGRAPHS = {
    "camera": ("camera.png", "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"),
    "gravel": ("gravel.png", "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12"),
    "grass": ("grass.png", "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89"),
    "coffee": ("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    "hubble": (
        "hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    "astronaut": (
        "astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "retina": ("retina.jpg", "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6"),
}


def photograph_file(name: str) -> Path:
    """The file of one photograph, which is checked to be the one that is meant."""
    return _photograph_file(*PHOTOGRAPHS[name])


def _photograph_file(file_name: str, sha256: str) -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("scikit-image is not installed: its wheel holds the photographs")
    path = Path(spec.origin).parent / "data" / file_name
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"{path}: expected SHA-256 {sha256}, found {found}")
    return path


def fit_to_input(image: Image.Image) -> FloatArray:
    """Gray values 0..1 of the largest centred part with the networks' aspect ratio."""
    gray = np.asarray(image.convert("RGB"), dtype=np.float32) @ np.float32([0.299, 0.587, 0.114])
    width, height = image.size
    scale = min(width / IMAGE_SIZE[0], height / IMAGE_SIZE[1])
    crop_width, crop_height = scale * IMAGE_SIZE[0], scale * IMAGE_SIZE[1]
    left, top = (width - crop_width) / 2.0, (height - crop_height) / 2.0
    box = (left, top, left + crop_width, top + crop_height)
    part = Image.fromarray(gray / np.float32(255))
    resized = part.resize(IMAGE_SIZE, Image.Resampling.BICUBIC, box)
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)


def load_image(path: Path) -> FloatArray:
    """Any picture file as the networks' input."""
    with Image.open(path) as image:
        return fit_to_input(image)


def photograph(name: str) -> FloatArray:
    """One photograph, gray 0..1, float32 [480,640]."""
    return load_image(photograph_file(name))


def photographs() -> list[tuple[str, FloatArray]]:
    """All seven photographs with their names."""
    return [(name, photograph(name)) for name in PHOTOGRAPHS]


def known_homography(shape: tuple[int, int]) -> NDArray[np.float64]:
    """8 degrees, scale 0.97 and a slight perspective around the image's centre.

    Maps pixels (x, y) of an image of `shape` (height, width) to pixels of its copy.
    """
    height, width = shape
    angle, scale = math.radians(8.0), 0.97
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    tilt = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [2.0e-5, -3.0e-5, 1.0]])
    x, y = (width - 1) / 2.0, (height - 1) / 2.0
    centre = np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    return centre @ tilt @ np.linalg.inv(centre)


def project(points: np.ndarray, homography: np.ndarray) -> NDArray[np.float64]:
    """Points [N,2] through a homography."""
    lifted = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ homography.T
    return lifted[:, :2] / lifted[:, 2:]


def warp(image: FloatArray, homography: np.ndarray) -> FloatArray:
    """The copy whose pixel H(p) shows what `image` shows at p, bilinearly sampled.

    Outside the original the nearest border pixel is repeated: stripes have no corners,
    whereas a constant filling would add an edge, and mirroring would repeat structure.
    """
    height, width = image.shape
    ys, xs = np.mgrid[0:height, 0:width]
    targets = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64)
    sources = project(targets, np.linalg.inv(homography))
    return sample(image, sources).reshape(height, width)


def sample(image: FloatArray, points: np.ndarray) -> FloatArray:
    """The image at points [N,2], bilinearly; outside of it the nearest border pixel."""
    height, width = image.shape
    x = np.clip(points[:, 0], 0.0, width - 1.0)
    y = np.clip(points[:, 1], 0.0, height - 1.0)
    left = np.minimum(x.astype(np.int64), width - 2)
    top = np.minimum(y.astype(np.int64), height - 2)
    fx, fy = x - left, y - top
    upper = image[top, left] * (1.0 - fx) + image[top, left + 1] * fx
    lower = image[top + 1, left] * (1.0 - fx) + image[top + 1, left + 1] * fx
    return (upper * (1.0 - fy) + lower * fy).astype(np.float32)


def normalise_keypoints(keypoints: np.ndarray, image_size: tuple[int, int]) -> FloatArray:
    """Pixels -> LightGlue's coordinates: centre 0, longer side -1..1. Size is (w, h)."""
    size = np.asarray(image_size, dtype=np.float32)
    return ((keypoints - size / 2) / (size.max() / 2)).astype(np.float32)


def score_matches(
    kpts0: np.ndarray,
    kpts1: np.ndarray,
    matches: np.ndarray,
    homography: np.ndarray,
    threshold_px: float = 3.0,
) -> dict[str, object]:
    """Compare matches with the known geometry.

    kpts0, kpts1: pixels [N,2]; matches: index into set 1 or -1, [N]. `is_correct` is per
    keypoint of set 0; `share` is of the matches found, 0 when there are none.
    """
    matched = matches >= 0
    errors_px = np.full(len(matches), np.inf)
    found = project(kpts0[matched], homography) - kpts1[matches[matched]]
    errors_px[matched] = np.linalg.norm(found, axis=1)
    is_correct = errors_px <= threshold_px
    count, correct = int(matched.sum()), int(is_correct.sum())
    return {
        "matches": count,
        "correct": correct,
        "share": correct / count if count else 0.0,
        "median_error_px": float(np.median(errors_px[matched])) if count else math.inf,
        "is_correct": is_correct,
    }


def draw_matches(
    path: Path,
    img0: FloatArray,
    img1: FloatArray,
    kpts0: np.ndarray,
    kpts1: np.ndarray,
    matches: np.ndarray,
    ok_mask: np.ndarray,
) -> None:
    """Write both images side by side, correct matches green, the others red."""
    canvas = np.concatenate([img0, img1], axis=1)
    picture = Image.fromarray(np.uint8(np.clip(canvas, 0, 1) * 255)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    offset = img0.shape[1]
    for i in np.flatnonzero(matches >= 0):
        start, end = kpts0[i], kpts1[matches[i]] + (offset, 0)
        colour = (64, 220, 96) if ok_mask[i] else (240, 48, 48)
        pen.line([tuple(map(float, start)), tuple(map(float, end))], fill=colour, width=1)
    picture.save(path)


def match_pair(
    features: ArrayFunction, matcher: ArrayFunction, img0: FloatArray, img1: FloatArray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints of both images in pixels [N,2] and the matches [N]."""
    kpts0, _, desc0, _ = features(img0[None, None])
    kpts1, _, desc1, _ = features(img1[None, None])
    size0, size1 = img0.shape[::-1], img1.shape[::-1]
    matches, _ = matcher(
        normalise_keypoints(kpts0, size0), normalise_keypoints(kpts1, size1), desc0, desc1
    )
    return kpts0[0], kpts1[0], matches[0]


def evaluate_all(features: ArrayFunction, matcher: ArrayFunction) -> dict[str, dict[str, object]]:
    """score_matches of every photograph with its warped copy."""
    results = {}
    for name, image in photographs():
        homography = known_homography(image.shape)
        points = match_pair(features, matcher, image, warp(image, homography))
        results[name] = score_matches(*points, homography)
    return results


def module_function(module: torch.nn.Module) -> ArrayFunction:
    """A PyTorch module as a function of arrays."""
    import torch

    def run(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with torch.no_grad():
            outputs = module(*(torch.tensor(a) for a in arrays))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(t.numpy() for t in outputs)

    return run


def torch_function(path: Path, is_half: bool = False) -> ArrayFunction:
    """A TorchScript file as a function of arrays, optionally with half weights."""
    import torch

    module = torch.jit.load(str(path)).eval()
    return module_function(module.half() if is_half else module)


def onnx_function(path: Path, is_optimised: bool = True) -> ArrayFunction:
    """An ONNX file on ONNX Runtime's CPU provider as a function of arrays."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if not is_optimised:
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = [entry.name for entry in session.get_inputs()]
    return lambda *arrays: tuple(session.run(None, dict(zip(names, arrays, strict=True))))


def main() -> int:
    parser = argparse.ArgumentParser(description="Match photographs with their warped copies.")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR")
    folder = parser.parse_args().models
    loaders = {
        "onnxruntime": lambda name: onnx_function(folder / f"{name}.onnx"),
        "pytorch": lambda name: torch_function(folder / f"{name}.pt"),
        "pytorch half": lambda name: torch_function(folder / f"{name}.pt", is_half=True),
    }
    print("runtime       photograph  matches  within 3 px  median error px")
    for label, load in loaders.items():
        for name, found in evaluate_all(load("demo_features"), load("demo_matcher")).items():
            figures = f"{found['matches']:7d}  {found['share']:11.1%}"
            print(f"{label:13} {name:10}  {figures}  {found['median_error_px']:15.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
