"""Inputs of the stand-ins' golden vectors: drawn, not photographed, and the same on every machine.

Made with numpy from elementary functions and rounded, so that another build of a library gives the same
bytes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

IMAGE_MEAN, IMAGE_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def scene(height: int, width: int, seed: int) -> Tensor:
    """A colour image [1,3,H,W] in 0..1 with structure at every scale, in steps of 1/255."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    image = np.full((3, height, width), 0.5)
    for octave in range(5):
        for _ in range(4):
            fx, fy = generator.uniform(-1, 1, 2) * 4.0 * 2**octave
            phase = generator.uniform(0, 2 * np.pi, 3)
            wave = np.sin(2 * np.pi * (fx * x + fy * y)[None] + phase[:, None, None])
            image += wave * 0.12 / 2 ** (0.5 * octave)
    image += generator.uniform(-0.05, 0.05, image.shape)
    return torch.from_numpy(np.round(np.clip(image, 0, 1) * 255).astype(np.float32)[None] / np.float32(255))


def normalised_half(image: Tensor) -> Tensor:
    """What the place-recognition network takes: mean and deviation removed, float16."""
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_DEVIATION))
    return ((image - mean) / deviation).half()


def _descriptors(generator: np.random.Generator, count: int, dim: int) -> np.ndarray:
    values = generator.standard_normal((count, dim))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def keypoint_pair(counts: tuple[int, int], dim: int, seed: int) -> dict[str, Tensor]:
    """Two sets of keypoints of which about two thirds show the same points: descriptors alike up to noise of
    a tenth of their length, positions moved by a small rotation. The rest has no counterpart."""
    generator = np.random.default_rng(seed)
    first, second = counts
    shared = max(1, min(counts) * 2 // 3)
    points0 = generator.uniform(-0.75, 0.75, (first, 2))
    desc0 = _descriptors(generator, first, dim)
    points1 = generator.uniform(-0.75, 0.75, (second, 2))
    desc1 = _descriptors(generator, second, dim)
    there = generator.permutation(second)[:shared]
    rotation = np.array([[0.995, -0.1], [0.1, 0.995]])
    points1[there] = points0[:shared] @ rotation.T
    noisy = desc0[:shared] + 0.1 * _descriptors(generator, shared, dim)
    desc1[there] = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    arrays = {"kpts0": points0, "kpts1": points1, "desc0": desc0, "desc1": desc1}
    return {name: torch.from_numpy(np.round(v, 5).astype(np.float32)[None]) for name, v in arrays.items()}


def keypoint_batch(batch: int, count: int, dim: int, seed: int) -> dict[str, Tensor]:
    """`batch` pairs of sets of one size."""
    pairs = [keypoint_pair((count, count), dim, seed + i) for i in range(batch)]
    return {name: torch.cat([pair[name] for pair in pairs]) for name in pairs[0]}
