"""The catalogue of the stand-ins: per network and scale its size, golden inputs, profiles and tolerances.

The weights are random: outputs have the real networks' names, shapes, types and norms, and no meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

import standin_dense as dense
import standin_global as wide
import standin_inputs as inputs
import standin_matching as matching
from model_files import ExportModel, exporter_of

SCALES = ("nano", "full")
WEIGHTS = "random: the outputs mean nothing"
DESCRIPTOR_DIM = 128
MAX_KEYPOINTS = {"nano": 64, "full": 512}
BATCH_KEYPOINTS = {"nano": 32, "full": 256}
MAX_BATCH = 4


@dataclass(frozen=True)
class Tolerance:
    """How far an fp16 engine's output may be from the float32 golden vectors; README.md says why."""

    absolute: float
    relative: float
    as_set: bool = False


@dataclass(frozen=True)
class Standin:
    """One network at one scale; `make_*` are called once the random numbers are seeded."""

    name: str
    make_network: Callable[[], nn.Module]
    make_inputs: Callable[[], dict[str, Tensor]]
    tolerances: dict[str, Tolerance]  # by output, in the network's order
    dynamic_axes: dict[str, dict[int, str]] = field(default_factory=dict)
    profiles: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)  # input: min, opt, max
    max_output_shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    keep_fp32: tuple[str, ...] = ()


def unit_tolerance(dim: int) -> Tolerance:
    """Of vectors of length 1: a hundredth of a typical component, which is 1 / sqrt(dim)."""
    return Tolerance(round(0.01 / dim**0.5, 6), 2e-3)


def build(standin: Standin, scale: str) -> ExportModel:
    """The network with its weights, which depend on name and scale alone."""
    seed = int.from_bytes(hashlib.sha256(f"{standin.name} {scale}".encode()).digest()[:7], "little")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = standin.make_network().eval().requires_grad_(False)
    return ExportModel(f"standin-{scale}-{standin.name}", network, standin.make_inputs(),
                       tuple(standin.tolerances), exporter_of("make_standins"), standin.dynamic_axes,
                       {"skua.weights": WEIGHTS})


def _maps(scale: str, nano_dim: int, full: dense.MapSize) -> dense.MapSize:
    if scale == "full":
        return full
    return dense.MapSize(96, 128, (8, 12, 16, 16, 24), deep=32, residuals=2, dim=nano_dim)


def _ultravpr(scale: str) -> Standin:
    size = wide.VprSize() if scale == "full" else wide.VprSize(dim=48, heads=4, depth=2)
    return Standin("ultravpr", lambda: wide.UltraVpr(size),
                   lambda: {"image": inputs.normalised_half(inputs.scene(size.side, size.side, 11))},
                   {"embedding": unit_tolerance(512)})


def _netvlad(scale: str) -> Standin:
    nano_stages = ((8, 1), (12, 1), (16, 1), (16, 1))
    nano = wide.NetVladSize(96, nano_stages, clusters=16, groups=2, outputs=256)
    size = wide.NetVladSize() if scale == "full" else nano
    return Standin("netvlad", lambda: wide.NetVlad(size),
                   lambda: {"image": inputs.scene(size.side, size.side, 12)},
                   {"embedding": unit_tolerance(size.outputs)})


def _adhop(scale: str) -> Standin:
    nano = wide.AdhopSize(64, (8, 12, 16, 24), residuals=1, groups=2, hidden=64)
    size = wide.AdhopSize() if scale == "full" else nano

    def pair() -> dict[str, Tensor]:
        return {"reference": inputs.scene(size.side, size.side, 13),
                "query": inputs.scene(size.side, size.side, 14)}

    return Standin("adhop", lambda: wide.AdHop(size), pair,
                   {"corner_offsets": Tolerance(0.02, 5e-3), "confidence": Tolerance(1e-3, 0)})


def _disk(scale: str) -> Standin:
    size = _maps(scale, DESCRIPTOR_DIM, dense.MapSize())
    return Standin("disk", lambda: dense.Disk(size),
                   lambda: {"image": inputs.scene(size.height, size.width, 15)},
                   {"heatmap": Tolerance(1e-2, 0), "descriptors": unit_tolerance(size.dim)})


def _aliked(scale: str) -> Standin:
    size = _maps(scale, DESCRIPTOR_DIM, dense.MapSize(residuals=12))
    return Standin("aliked", lambda: dense.Aliked(size),
                   lambda: {"image": inputs.scene(size.height, size.width, 16)},
                   {"score_map": Tolerance(3e-3, 0), "keypoints": Tolerance(1e-4, 0),
                    "scores": Tolerance(2e-3, 0), "descriptors": unit_tolerance(size.dim)},
                   keep_fp32=("/head/*",))


def _xfeat(scale: str) -> Standin:
    size = _maps(scale, 64, dense.MapSize(residuals=8, dim=64))
    return Standin("xfeat", lambda: dense.XFeat(size),
                   lambda: {"image": inputs.scene(size.height, size.width, 17)},
                   {"features": unit_tolerance(size.dim), "heatmap": Tolerance(1e-4, 5e-3),
                    "reliability": Tolerance(3e-3, 0)})


def _matcher_size(scale: str) -> matching.MatcherSize:
    return matching.MatcherSize() if scale == "full" else matching.MatcherSize(DESCRIPTOR_DIM, 64, 2, 2)


def _lightglue(scale: str) -> Standin:
    size, most = _matcher_size(scale), MAX_KEYPOINTS[scale]
    counts = (most // 2, most // 2 + 5)
    axes = {f"{kind}{side}": {1: f"count{side}"} for kind in ("kpts", "desc") for side in (0, 1)}
    axes |= {"matches": {0: "match_count"}, "scores": {0: "match_count"}}
    widths = {"kpts0": 2, "kpts1": 2, "desc0": size.inputs, "desc1": size.inputs}
    profiles = {name: tuple((1, n, width) for n in (1, most // 2, most)) for name, width in widths.items()}
    return Standin("lightglue", lambda: matching.LightGlue(size),
                   lambda: inputs.keypoint_pair(counts, size.inputs, 18),
                   {"matches": Tolerance(0, 0, as_set=True), "scores": Tolerance(2e-3, 0, as_set=True)},
                   axes, profiles, {"matches": (most, 2), "scores": (most,)})


def _lightglue_batched(scale: str) -> Standin:
    size, count = _matcher_size(scale), BATCH_KEYPOINTS[scale]
    widths = {"kpts0": 2, "kpts1": 2, "desc0": size.inputs, "desc1": size.inputs}
    axes = {name: {0: "batch"} for name in (*widths, "matches", "scores")}
    profiles = {name: tuple((n, count, width) for n in (1, 3, MAX_BATCH)) for name, width in widths.items()}
    return Standin("lightglue_batched", lambda: matching.LightGlueBatched(size),
                   lambda: inputs.keypoint_batch(2, count, size.inputs, 19),
                   {"matches": Tolerance(0, 0), "scores": Tolerance(2e-3, 0)}, axes, profiles)


MAKERS = {"ultravpr": _ultravpr, "netvlad": _netvlad, "disk": _disk, "aliked": _aliked, "xfeat": _xfeat,
          "lightglue": _lightglue, "lightglue_batched": _lightglue_batched, "adhop": _adhop}
NAMES = tuple(MAKERS)


def standin(name: str, scale: str) -> Standin:
    return MAKERS[name](scale)
