"""The one table of how far the runtimes may be apart on a CPU: every network of models/, every output.

Compared with what eager PyTorch computes from the float32 network, in three ways:

onnx      runtime onnx_trt_ep, CPU provider, fp32
widened   runtime pytorch_fp16, its default on a CPU: half weights, float32 arithmetic, inputs rounded to half, and
          outputs that half arithmetic would give as half
native    runtime pytorch_fp16, half weights and half arithmetic

An entry is about twice what was measured (docs/reference/parity.md, written by scripts/parity.py), so that another
CPU's order of summation passes and a network with slightly wrong weights does not; of onnx, where only that order
differs, it is just below FLOOR. Wider than both FLOOR and TOO_WIDE times what a run measures it must not be:
tests/e2e/test_parity.py fails then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tolerances import Difference, Tolerance

WAYS = ("onnx", "widened", "native")
# Half sums depend on how a CPU's kernels order and keep them, so that native may be better elsewhere than here.
TOO_WIDE = {"onnx": 4.0, "widened": 4.0, "native": 8.0}
# Narrower than this share of the largest value nothing is called too wide: 32 roundings of float32 near it, where only
# float32 sums differ; a sixteenth of a rounding of half, where half sums do.
FLOOR = {"onnx": 2.0**-19, "widened": 2.0**-19, "native": 2.0**-15}


@dataclass(frozen=True)
class Entry:
    """One output of one network."""

    onnx: Tolerance
    widened: Tolerance
    native: Tolerance
    why: str

    def of(self, way: str) -> Tolerance:
        return {"onnx": self.onnx, "widened": self.widened, "native": self.native}[way]


def _entry(onnx: float, widened: float, native: float, why: str, share: tuple[float, float] = (0, 0),
           as_set: Iterable[str] = ()) -> Entry:
    """`share`: of widened and of native; `as_set`: the ways in which rows may come in another order."""
    sets = set(as_set)
    return Entry(Tolerance(onnx, 0, "onnx" in sets), Tolerance(widened, share[0], "widened" in sets),
                 Tolerance(native, share[1], "native" in sets), why)


_ROWS = "keypoints are exchanged at rank 512, where scores are closer than half's steps"
_LENGTH_1 = "vector of length 1: a few steps of half of its typical component"
_FEATURES = {"share": (0.012, 0.1), "as_set": ("native",)}
_MATCHES = {"as_set": WAYS}

TABLE: dict[str, dict[str, Entry]] = {
    "demo_features": {
        "keypoints": _entry(5e-4, 0.02, 0.1, f"pixels, from differences of near scores; {_ROWS}", **_FEATURES),
        "scores": _entry(5e-6, 3e-3, 4e-3, f"0.05 to 11, square root of a difference; {_ROWS}", **_FEATURES),
        "descriptors": _entry(7e-7, 5e-4, 3e-3, f"{_LENGTH_1}; {_ROWS}", **_FEATURES),
        "valid": _entry(0, 0, 0, "0 or 1: both photographs have more than 512 keypoints"),
    },
    "demo_matcher": {
        "matches": _entry(0, 0, 0, "an index is right or wrong; natively one pair sits at the ratio test's bound",
                          share=(0, 0.004)),
        "scores": _entry(1.5e-6, 0.01, 0.025, "1 - d1/d2: rounded descriptors change small distances most",
                         share=(0, 0.004)),
    },
    "demo_vpr": {"embedding": _entry(2.5e-7, 1.2e-4, 2.5e-3, f"{_LENGTH_1}; natively its length is summed in half")},
    "ultravpr": {"embedding": _entry(3e-7, 1.5e-4, 5e-4, _LENGTH_1)},
    "netvlad": {"embedding": _entry(3.5e-7, 1.2e-4, 5e-4, _LENGTH_1)},
    "disk": {
        "heatmap": _entry(2e-6, 2.5e-3, 4e-3, "about 1 at most, through all stages of the U-Net"),
        "descriptors": _entry(6e-7, 5e-4, 8e-4, _LENGTH_1),
    },
    "aliked": {
        "score_map": _entry(1.3e-6, 9e-4, 1.5e-3, "0 to 1, a sigmoid"),
        "keypoints": _entry(1.5e-6, 2e-5, 5e-5, "-1 to 1, refined within cells: a tenth of a pixel of 128 is 1.6e-3"),
        "scores": _entry(1.2e-6, 6e-4, 8e-4, "means of score_map"),
        "descriptors": _entry(5.5e-7, 6e-4, 8e-4, _LENGTH_1),
    },
    "xfeat": {
        "features": _entry(7.5e-7, 9e-4, 2e-3, _LENGTH_1),
        "heatmap": _entry(1.7e-7, 6e-5, 1.5e-4, "probabilities below 0.1, from a softmax over 65"),
        "reliability": _entry(1e-6, 6e-4, 1.6e-3, "0 to 1, a sigmoid"),
    },
    "lightglue": {
        "matches": _entry(0, 0, 0, "pairs of indices, in any order: right or wrong", **_MATCHES),
        "scores": _entry(1.5e-6, 6e-5, 1.2e-3, "0 to 1; the inputs' descriptors decide, the layers add little",
                         **_MATCHES),
    },
    "lightglue_batched": {
        "matches": _entry(0, 0, 0, "indices: right or wrong"),
        "scores": _entry(1.5e-6, 8e-4, 1.5e-3, "as lightglue's; other weights and other pairs"),
    },
    "adhop": {
        "corner_offsets": _entry(1.1e-5, 0.01, 0.016, "pixels, up to 6: a step of half there is 0.004"),
        "confidence": _entry(1e-6, 1.2e-5, 4e-4, "0 to 1, a sigmoid; widened it happens to be nearly unmoved"),
    },
}


def tolerances(network: str, way: str) -> dict[str, Tolerance]:
    return {output: entry.of(way) for output, entry in TABLE[network].items()}


def set_entry(network: str, folder: Path) -> dict[str, object]:
    """The entry of a SET.yaml for a generated network with fp16 weights. Half weights exchange keypoints of near scores:
    golden values from PyTorch, and how far they may move."""
    return {"name": network, "pt": folder / f"{network}.pt", "precision": "fp16",
            "golden": {"file": folder / f"{network}.golden", "origin": "eager PyTorch, fp32"},
            "tolerances": {output: allowed.as_yaml() for output, allowed in tolerances(network, "widened").items()}}


def complaints(tolerance: Tolerance, way: str, found: list[Difference]) -> list[str]:
    """What is wrong with the outputs, or with an entry wider than they need."""
    told = []
    beyond, used = max(each.beyond for each in found), max(each.used for each in found)
    if not all(each.fits(tolerance) for each in found):
        told.append(f"too far away: {beyond:.2%} of it is beyond {tolerance}; {used:.2g} times as much would do")
    floor = FLOOR[way] * max(each.largest for each in found)
    if tolerance.absolute > max(floor, TOO_WIDE[way] * used * tolerance.absolute):
        told.append(f"{tolerance} is too wide: {used:.2g} of it would do")
    if tolerance.share > TOO_WIDE[way] * beyond:
        told.append(f"{tolerance} lets too many miss: {beyond:.2%} do")
    return told
