"""The demo set: what its files hold, that all three forms agree, and what it can do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
sys.path.insert(0, str(MODELS_DIR))

import demo_networks  # noqa: E402
import evaluate  # noqa: E402
import golden  # noqa: E402
import make_demo  # noqa: E402
import model_checks  # noqa: E402
from model_checks import METADATA_KEYS, golden_parts  # noqa: E402

MODELS = make_demo.MODELS
HALF_SMALLEST_NORMAL, HALF_LARGEST = 6.1e-5, 65504.0
# Largest absolute difference from the golden vectors in float32, per output. Keypoints
# are pixels; a match is an index, so it is the same or wrong.
TOLERANCES = {
    "keypoints": 1e-2,
    "descriptors": 1e-4,
    "embedding": 1e-5,
    "scores": 1e-4,
    "valid": 0.0,
    "matches": 0.0,
}
# Each is in the operator table of TensorRT 10's ONNX parser without a plugin.
NATIVE_OPERATORS = set(
    "Abs Add And ArgMin AveragePool Cast Clip Concat Constant Conv Div Equal Gather"
    " GatherElements Greater GreaterOrEqual Less LessOrEqual MatMul MaxPool Mul ReduceMax"
    " ReduceMean ReduceSum Relu Reshape Slice Sqrt Sub TopK Transpose Unsqueeze Where".split()
)


def run_generator(out: Path, hash_seed: str) -> str:
    command = [sys.executable, str(MODELS_DIR / "make_demo.py"), "--out", str(out)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="session")
def demo_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "demo"
    run_generator(out, hash_seed="1")
    return out


def network(name: str) -> torch.nn.Module:
    classes = {
        "demo_features": demo_networks.DemoFeatures,
        "demo_matcher": demo_networks.DemoMatcher,
        "demo_vpr": demo_networks.DemoVpr,
    }
    return classes[name]().eval()


def function_of(kind: str, demo_set: Path, name: str) -> evaluate.ArrayFunction:
    if kind == "torchscript":
        return evaluate.torch_function(demo_set / f"{name}.pt")
    is_optimised = kind == "onnx"
    return evaluate.onnx_function(demo_set / f"{name}.onnx", is_optimised)


# Generation


def test_two_generations_are_byte_identical(demo_set: Path, tmp_path: Path) -> None:
    run_generator(tmp_path, hash_seed="2")
    for name in make_demo.file_names():
        assert (tmp_path / name).read_bytes() == (demo_set / name).read_bytes(), name
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [*make_demo.file_names(), make_demo.RECORD]
    )


def test_an_up_to_date_set_is_left_alone(demo_set: Path) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in demo_set.iterdir()}
    assert "up to date" in run_generator(demo_set, hash_seed="3")
    assert {p.name: p.stat().st_mtime_ns for p in demo_set.iterdir()} == before


@pytest.mark.parametrize("damage", ["missing", "changed", "other generator", "no record"])
def test_a_stale_set_is_noticed(demo_set: Path, tmp_path: Path, damage: str) -> None:
    for path in demo_set.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert make_demo.is_up_to_date(tmp_path)
    record = tmp_path / make_demo.RECORD
    if damage == "missing":
        (tmp_path / "demo_vpr.pt").unlink()
    elif damage == "changed":
        (tmp_path / "demo_vpr.golden").write_bytes(b"x")
    elif damage == "other generator":
        generator = make_demo.generator_identity()["sources_sha256"]
        record.write_text(record.read_text().replace(str(generator), "0" * 64))
    else:
        record.write_text("{")
    assert not make_demo.is_up_to_date(tmp_path)


# What the files hold


@pytest.mark.parametrize("name", MODELS)
def test_both_files_carry_the_same_metadata(demo_set: Path, name: str) -> None:
    from_onnx = model_checks.onnx_metadata(demo_set / f"{name}.onnx")
    from_torch = model_checks.torch_metadata(demo_set / f"{name}.pt", METADATA_KEYS)
    assert from_onnx == from_torch
    assert all(from_onnx[key] for key in METADATA_KEYS)
    record = json.loads((demo_set / make_demo.RECORD).read_text())["models"][name]
    assert {key: record[key] for key in METADATA_KEYS} == from_onnx


@pytest.mark.parametrize("name", MODELS)
def test_the_weights_digest_can_be_recomputed_from_either_file(demo_set: Path, name: str) -> None:
    stated = model_checks.onnx_metadata(demo_set / f"{name}.onnx")["skua.weights_sha256"]
    assert model_checks.onnx_weights_digest(demo_set / f"{name}.onnx") == stated
    assert model_checks.torch_weights_digest(demo_set / f"{name}.pt") == stated


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_is_static_and_native(demo_set: Path, name: str) -> None:
    proto = onnx.load(demo_set / f"{name}.onnx", load_external_data=False)
    assert {node.op_type for node in proto.graph.node} <= NATIVE_OPERATORS
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 17)]
    assert not any(w.external_data for w in proto.graph.initializer)
    inputs, expected = golden_parts(demo_set / f"{name}.golden")
    stated = [*proto.graph.input, *proto.graph.output]
    shapes = [tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in stated]
    assert shapes == [a.shape for a in [*inputs, *expected.values()]]


@pytest.mark.parametrize("name", MODELS)
def test_torchscript_holds_no_tensor_constants_and_no_source_paths(
    demo_set: Path, name: str
) -> None:
    path = demo_set / f"{name}.pt"
    graph = torch.jit.load(str(path)).inlined_graph
    constants = graph.findAllNodes("prim::Constant", True)
    assert not [c for c in constants if str(c.output().type()) == "Tensor"]
    assert str(MODELS_DIR).encode() not in path.read_bytes()
    records = torch._C.PyTorchFileReader(str(path)).get_all_records()
    assert not [record for record in records if record.endswith(".debug_pkl")]


# Agreement


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["torchscript", "onnx", "onnx unoptimised"])
def test_every_form_reproduces_the_golden_vectors(demo_set: Path, name: str, kind: str) -> None:
    inputs, expected = golden_parts(demo_set / f"{name}.golden")
    found = function_of(kind, demo_set, name)(*inputs)
    for (output, values), actual in zip(expected.items(), found, strict=True):
        assert actual.dtype == values.dtype and actual.shape == values.shape
        difference = np.abs(actual.astype(np.float64) - values).max()
        assert difference <= TOLERANCES[output], (output, difference)


@pytest.mark.parametrize("weights", ["float32", "half"])
def test_the_golden_image_leaves_no_choice_of_keypoints_to_rounding(demo_set: Path, weights: str) -> None:
    """Nor, computed in float32, with weights and image rounded to half: rows stay in their order on every CPU."""
    (image,), _ = golden_parts(demo_set / "demo_features.golden")
    net = network("demo_features")
    if weights == "half":
        net, image = net.half().float(), image.astype(np.float16).astype(np.float32)
    with torch.no_grad():
        scores = net.corners(net.gradients(torch.tensor(image)))
    peaks = scores * (scores >= torch.max_pool2d(scores, net.nms_size, 1, net.nms_size // 2))
    m = net.inset
    best = peaks[:, :, m:-m, m:-m].reshape(-1).topk(net.count + 1)[0]
    last, first_left_out = float(best[-2]), float(best[-1])
    assert last > net.min_score * 1.01
    assert last - first_left_out > 1e-5 * last


# What the networks can do


@pytest.fixture(scope="session")
def figures(demo_set: Path) -> dict[str, dict[str, dict[str, object]]]:
    found = {}
    for kind in ("onnx", "torchscript"):
        features = function_of(kind, demo_set, "demo_features")
        found[kind] = evaluate.evaluate_all(features, function_of(kind, demo_set, "demo_matcher"))
    half = [evaluate.torch_function(demo_set / f"{n}.pt", is_half=True) for n in MODELS[:2]]
    found["half"] = evaluate.evaluate_all(*half)
    return found


@pytest.mark.parametrize("kind", ["onnx", "torchscript", "half"])
@pytest.mark.parametrize("name", list(evaluate.PHOTOGRAPHS))
def test_a_photograph_matches_its_warped_copy(figures: dict, kind: str, name: str) -> None:
    found = figures[kind][name]
    assert found["matches"] >= 300
    assert found["share"] >= 0.9


def test_different_photographs_hardly_match(demo_set: Path) -> None:
    features = function_of("onnx", demo_set, "demo_features")
    matcher = function_of("onnx", demo_set, "demo_matcher")
    images = [image for _, image in evaluate.photographs()]
    for first, second in zip(images, images[1:] + images[:1], strict=True):
        _, _, matches = evaluate.match_pair(features, matcher, first, second)
        assert (matches >= 0).sum() <= 10


def test_a_place_is_recognised_among_seven(demo_set: Path) -> None:
    embed = function_of("onnx", demo_set, "demo_vpr")
    images = [image for _, image in evaluate.photographs()]
    homography = evaluate.known_homography(images[0].shape)
    places = np.stack([embed(i[None, None])[0][0] for i in images])
    queries = np.stack([embed(evaluate.warp(i, homography)[None, None])[0][0] for i in images])
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1.0, atol=1e-5)
    assert (queries @ places.T).argmax(1).tolist() == list(range(len(images)))


def test_rows_without_a_keypoint_are_marked_and_never_match() -> None:
    features, matcher = (evaluate.module_function(network(n)) for n in MODELS[:2])
    image = np.full((1, 1, 480, 640), 0.5, np.float32)
    image[0, 0, 200:240, 300:350] = 1.0
    keypoints, scores, descriptors, valid = features(image)
    count = int(valid.sum())
    assert 4 <= count < 100 and valid[0, :count].all()
    assert not scores[0, count:].any() and not descriptors[0, count:].any()
    assert (keypoints[0, count:] == -640.0).all()
    points = evaluate.normalise_keypoints(keypoints, evaluate.IMAGE_SIZE)
    matches, match_scores = matcher(points, points, descriptors, descriptors)
    assert (matches[0, :count] == np.arange(count)).all()
    assert (matches[0, count:] == -1).all() and not match_scores[0, count:].any()
    assert (matcher(points, np.full_like(points, np.nan), descriptors, descriptors)[0] == -1).all()


def test_keypoints_are_placed_between_pixels() -> None:
    features = evaluate.module_function(network("demo_features"))
    y, x = np.mgrid[0:480, 0:640]
    spot = np.exp(-((x - 320.3) ** 2 + (y - 239.6) ** 2) / 18.0).astype(np.float32)
    keypoints, scores, _, _ = features(spot[None, None])
    assert np.abs(keypoints[0, scores[0].argmax()] - (320.3, 239.6)).max() < 0.1


# Half precision


@pytest.mark.parametrize("name", MODELS)
def test_weights_survive_half_precision(name: str) -> None:
    for key, weights in network(name).state_dict().items():
        if not weights.is_floating_point():
            continue
        meaningful = weights[weights != 0].abs()
        assert meaningful.min() >= HALF_SMALLEST_NORMAL, key
        assert meaningful.max() <= HALF_LARGEST, key
        assert ((weights.half().float() - weights).abs() <= weights.abs() * 2**-11).all(), key


@pytest.mark.parametrize("content", ["noise", "checks", "black", "white"])
def test_half_precision_stays_finite_on_extreme_images(demo_set: Path, content: str) -> None:
    y, x = np.mgrid[0:480, 0:640]
    images = {
        "noise": np.random.default_rng(7).integers(0, 2, (480, 640)),
        "checks": (x // 4 + y // 4) % 2,
        "black": np.zeros((480, 640)),
        "white": np.ones((480, 640)),
    }
    image = images[content].astype(np.float32)[None, None]
    for name in ("demo_features", "demo_vpr"):
        outputs = evaluate.torch_function(demo_set / f"{name}.pt", is_half=True)(image)
        assert all(o.dtype == np.float32 and np.isfinite(o).all() for o in outputs)


def test_scores_are_meaningful_in_half_precision(demo_set: Path) -> None:
    for name in ("demo_features", "demo_matcher"):
        _, expected = golden_parts(demo_set / f"{name}.golden")
        meaningful = expected["scores"][expected["scores"] > 0]
        assert meaningful.min() > 100 * HALF_SMALLEST_NORMAL
        assert meaningful.max() < HALF_LARGEST / 1000


# Golden files


def sample_tensors() -> list[golden.GoldenTensor]:
    dtypes = [np.dtype(d) for d in golden.DTYPES if d]
    arrays = [np.arange(6).reshape(1, 2, 3).astype(d) for d in dtypes]
    arrays += [np.float32(1.5).reshape(()), np.zeros((0, 4), np.int64), np.zeros((1,) * 8)]
    roles = [golden.INPUT] * 5 + [golden.EXPECTED] * (len(arrays) - 5)
    names = [f"tensor {i} \u00b5" for i in range(len(arrays))]
    return [golden.GoldenTensor(*entry) for entry in zip(roles, names, arrays, strict=True)]


def test_golden_files_round_trip(tmp_path: Path) -> None:
    golden.write(tmp_path / "a.golden", sample_tensors())
    for read, written in zip(golden.read(tmp_path / "a.golden"), sample_tensors(), strict=True):
        assert (read.role, read.name) == (written.role, written.name)
        assert read.values.dtype == written.values.dtype
        assert read.values.shape == written.values.shape
        assert read.values.tobytes() == written.values.tobytes()


def test_golden_bytes_are_as_specified() -> None:
    tensor = golden.GoldenTensor(golden.EXPECTED, "ab", np.array([[3, -1]], np.int64))
    expected = b"SKUAGLD1" + bytes([1, 0, 0, 0, 0, 0, 0, 0]) + bytes([1, 10, 2, 0, 2, 0, 0, 0])
    expected += b"ab" + bytes([1] + [0] * 7 + [2] + [0] * 7 + [16] + [0] * 7)
    assert golden.encode([tensor]) == expected + bytes([3] + [0] * 7) + b"\xff" * 8


def test_golden_damage_is_refused() -> None:
    data = golden.encode(sample_tensors())
    wrong = [data[:size] for size in range(len(data))] + [data + b"\0"]
    # Magic, count, reserved, then role, dtype, rank, reserved and name of the first tensor.
    wrong += [data[:at] + b"\xff" + data[at + 1 :] for at in [0, 8, 12, 16, 17, 18, 19, 20, 24]]
    for damaged in wrong:
        with pytest.raises(golden.GoldenFormatError):
            golden.decode(damaged)


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb"])
def test_golden_names_are_limited(name: str) -> None:
    with pytest.raises(golden.GoldenFormatError):
        golden.encode([golden.GoldenTensor(golden.INPUT, name, np.zeros(1))])


# Photographs


def test_photographs_come_from_the_installed_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    found = evaluate.photographs()
    assert [name for name, _ in found] == list(evaluate.PHOTOGRAPHS)
    assert all(i.shape == (480, 640) and i.dtype == np.float32 for _, i in found)


def test_a_different_photograph_is_refused() -> None:
    with pytest.raises(ValueError, match="expected SHA-256"):
        evaluate._photograph_file("camera.png", "0" * 64)


def test_a_warped_point_lands_where_the_homography_says() -> None:
    image = np.zeros((480, 640), np.float32)
    image[150:153, 400:403] = 1.0
    homography = evaluate.known_homography(image.shape)
    copy = evaluate.warp(image, homography)
    y, x = np.mgrid[0:480, 0:640]
    centre = np.array([(copy * x).sum(), (copy * y).sum()]) / copy.sum()
    expected = evaluate.project(np.array([[401.0, 151.0]]), homography)[0]
    assert np.abs(centre - expected).max() < 0.2


def test_scoring_counts_and_draws(tmp_path: Path) -> None:
    kpts0 = np.array([[100.0, 100.0], [200.0, 200.0], [300.0, 300.0]])
    kpts1 = np.array([[102.0, 100.0], [200.0, 204.0]])
    matches = np.array([0, 1, -1])
    found = evaluate.score_matches(kpts0, kpts1, matches, np.eye(3))
    assert (found["matches"], found["correct"], found["share"]) == (2, 1, 0.5)
    assert found["is_correct"].tolist() == [True, False, False]
    nothing = evaluate.score_matches(kpts0, kpts1, np.full(3, -1), np.eye(3))
    assert (nothing["matches"], nothing["share"]) == (0, 0.0)
    image = np.zeros((480, 640), np.float32)
    path = tmp_path / "matches.png"
    evaluate.draw_matches(path, image, image, kpts0, kpts1, matches, found["is_correct"])
    assert path.read_bytes().startswith(b"\x89PNG")
