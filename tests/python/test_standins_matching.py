"""The stand-ins of LightGlue: any number of keypoints, data-dependent matches, batches. Random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from standin_checks import golden_of, networks_of, run_onnx, run_torch, session

import standin_inputs
import standins

DIM = standins.DESCRIPTOR_DIM
MOST = standins.MAX_KEYPOINTS["nano"]
ROWS = standins.BATCH_KEYPOINTS["nano"]


def arrays(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def undecidable(count: int, seed: int) -> dict[str, np.ndarray]:
    """Two sets of which the second has one descriptor throughout."""
    inputs = arrays(standin_inputs.keypoint_pair((count, count), DIM, seed))
    return inputs | {name: np.broadcast_to(inputs[name][:, :1], inputs[name].shape).copy()
                     for name in ("kpts1", "desc1")}


@pytest.mark.parametrize("suffix", [".onnx", "_fp16.onnx", ".pt"])
@pytest.mark.parametrize("counts", [(1, 1), (1, MOST), (MOST, 1), (7, 3), (33, 40), (MOST, MOST)])
def test_any_number_of_keypoints_matches_one_to_one(nano: Path, counts: tuple[int, int], suffix: str) -> None:
    inputs = arrays(standin_inputs.keypoint_pair(counts, DIM, 7))
    path = nano / f"lightglue{suffix}"
    found = run_torch(path, inputs, ["matches", "scores"]) if suffix == ".pt" else run_onnx(path, inputs)
    matches, scores = found["matches"], found["scores"]
    assert matches.dtype == np.int64 and scores.dtype == np.float32
    assert matches.shape == (len(scores), 2) and 0 < len(scores) <= min(counts)
    assert (matches >= 0).all() and (matches < counts).all()
    assert all(len(set(column)) == len(scores) for column in matches.T.tolist())
    assert (scores > 0.5).all() and (scores <= 1).all()


@pytest.mark.parametrize("suffix", [".onnx", "_fp16.onnx"])
def test_the_number_of_matches_depends_on_the_data(nano: Path, suffix: str) -> None:
    some = run_onnx(nano / f"lightglue{suffix}", arrays(standin_inputs.keypoint_pair((40, 40), DIM, 21)))
    none = run_onnx(nano / f"lightglue{suffix}", undecidable(40, 31))
    assert some["matches"].shape[0] > 20
    assert none["matches"].shape == (0, 2) and none["scores"].shape == (0,)


def test_profiles_and_bounds_admit_every_count(nano: Path) -> None:
    network = networks_of(nano)["lightglue"]
    assert {p["input"]: (p["min"], p["max"]) for p in network["profiles"]} == {
        "kpts0": ("1x1x2", f"1x{MOST}x2"), "kpts1": ("1x1x2", f"1x{MOST}x2"),
        "desc0": (f"1x1x{DIM}", f"1x{MOST}x{DIM}"), "desc1": (f"1x1x{DIM}", f"1x{MOST}x{DIM}")}
    assert network["max_output_shapes"] == {"matches": f"{MOST}x2", "scores": str(MOST)}
    assert "max_output_shapes" not in networks_of(nano)["lightglue_batched"]


@pytest.mark.parametrize("name", ["lightglue", "lightglue_batched"])
def test_no_golden_match_is_decided_by_rounding(name: str) -> None:
    """All candidates' scores keep away from the threshold, by far more than half precision moves them."""
    model = standins.build(standins.standin(name, "nano"), "nano")
    matcher = model.network.matcher if name == "lightglue" else model.network
    with torch.no_grad():
        scores = torch.exp(matcher.core(*model.inputs.values())).amax(2)
    assert ((scores - matcher.min_score).abs() > 0.05).all()


# One answer per keypoint, in batches


def test_the_batched_variant_has_fixed_outputs(nano: Path) -> None:
    ready = session(nano / "lightglue_batched.onnx")
    assert {o.name: o.shape for o in ready.get_outputs()} == {
        "matches": ["batch", ROWS], "scores": ["batch", ROWS]}
    assert {i.name: i.shape for i in ready.get_inputs()} == {
        "kpts0": ["batch", ROWS, 2], "kpts1": ["batch", ROWS, 2],
        "desc0": ["batch", ROWS, DIM], "desc1": ["batch", ROWS, DIM]}


@pytest.mark.parametrize("suffix", [".onnx", "_fp16.onnx"])
def test_a_pair_does_not_depend_on_its_batch(nano: Path, suffix: str) -> None:
    inputs = arrays(standin_inputs.keypoint_batch(standins.MAX_BATCH, ROWS, DIM, 41))
    path = nano / f"lightglue_batched{suffix}"
    together = run_onnx(path, inputs)
    for pair in range(standins.MAX_BATCH):
        alone = run_onnx(path, {name: values[pair : pair + 1] for name, values in inputs.items()})
        np.testing.assert_array_equal(alone["matches"][0], together["matches"][pair])
        np.testing.assert_allclose(alone["scores"][0], together["scores"][pair], atol=2e-3)


def test_unmatched_keypoints_are_marked(nano: Path) -> None:
    inputs, expected = golden_of(nano, "lightglue_batched")
    matches, scores = expected["matches"], expected["scores"]
    assert matches.dtype == np.int64 and matches.shape == scores.shape == (2, ROWS)
    is_match = matches >= 0
    assert is_match.any() and not is_match.all()
    assert (matches[~is_match] == -1).all() and not scores[~is_match].any() and (scores[is_match] > 0.5).all()
    for row, good in zip(matches, is_match, strict=True):
        assert len(set(row[good])) == good.sum() and (row[good] < ROWS).all()
