"""The judgement of int8 beside float32: what it must not miss, and that other data do not pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from small_network import network, typical

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "models")]

import evaluate  # noqa: E402

from skua_precision import accuracy, graphs, keypoints, qdq, ranges  # noqa: E402
from skua_precision.accuracy import Accuracy  # noqa: E402
from skua_precision.errors import PrecisionError  # noqa: E402
from skua_precision.samples import Sample  # noqa: E402

NAN, INF = np.nan, np.inf


def judged(*pairs: tuple) -> Accuracy:
    figure = Accuracy("y")
    for expected, found in pairs:
        figure.add(np.asarray(expected), np.asarray(found))
    figure.finish()
    return figure


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize("expected, found", [
    (floats(3, 3), floats(100, 100)),  # the same direction
    (floats(1, 2), floats(NAN, 2)),
    (floats(1, 2), floats(INF, 2)),
    (floats(NAN, 2), floats(1, 2)),
    (floats(INF, 2), floats(-INF, 2)),
    (floats(2), floats(3)),  # one value: every cosine is 1
    (floats(0, 0), floats(0, 1)),
    (floats(1, 2), floats(0, 0)),
    (floats(1, 2), floats(1, 2, 3)),
    (floats(1, 2), np.array([1, 2])),
    (np.array([1, 2, 3]), np.array([1, 2, 4])),
    (np.array([True, True]), np.array([True, False])),
    (floats(NAN, NAN), floats(NAN, NAN)),  # nothing to compare
    (np.zeros((0,), np.float32), np.zeros((0,), np.float32)),
    (np.array([1e200]), np.array([-1e200])),
    (np.repeat([5, -1], [90, 910]), np.full(1000, -1)),  # every match lost
])
def test_what_is_far_is_refused(expected, found):
    figure = judged((expected, found))
    assert not figure.is_good()
    with pytest.raises(PrecisionError, match="'y'") as refused:
        accuracy.refuse([figure])
    assert refused.value.reason == "precision_not_supported"


@pytest.mark.parametrize("expected, found", [
    (floats(3, 4), floats(3.1, 4.1)),
    (floats(0, 0), floats(0, 0)),
    (floats(NAN, INF, -INF, 2), floats(NAN, INF, -INF, 2.01)),
    (np.arange(20), np.arange(20) + (np.arange(20) == 3)),
    (np.repeat([5, -1], [90, 910]), np.repeat([5, 6, -1], [85, 5, 910])),
    (floats(0.0).reshape(()), floats(0.0).reshape(())),
])
def test_what_is_near_is_not(expected, found):
    figure = judged((expected, found))
    accuracy.refuse([figure])
    json.dumps(accuracy.as_json(figure), allow_nan=False)


def test_one_bad_sample_among_many_decides():
    good = (floats(3, 4), floats(3, 4))
    assert judged(*[good] * 50).is_good()
    assert not judged(*[good] * 50, (floats(3, 4), floats(3, 2)), *[good] * 50).is_good()
    assert not judged(*[good] * 50, (floats(3, 4), floats(NAN, 4)), *[good] * 50).is_good()


def test_a_sample_without_a_signal_is_judged_beside_typical_ones():
    usual = (floats(30, 40), floats(30, 40))
    assert judged(*[usual] * 9, (floats(0, 0), floats(0.1, 0.1))).is_good()
    assert not judged(*[usual] * 9, (floats(0, 0), floats(1, 1))).is_good()


def test_no_sample_is_no_judgement():
    with pytest.raises(PrecisionError):
        accuracy.refuse([judged()])


@pytest.mark.parametrize("method", list(ranges.METHODS))
def test_ranges_of_other_data_are_refused(method):
    """Samples of the network's own, and the same ones larger and smaller, as another camera's would be."""
    source = network()
    for size, is_good in ((1.0, True), (10.0, False), (30.0, False), (1000.0, False), (0.3, False), (0.1, False)):
        made = qdq.to_int8(source, typical(8, scale=size), [], method)
        figures = accuracy.judge(source, made.model, typical(4, seed=2))
        assert figures[0].is_good() == is_good, (size, accuracy.as_json(figures[0]))


@pytest.mark.parametrize("method", list(ranges.METHODS))
def test_noise_in_the_place_of_data_is_refused(method):
    """Of a mean and a width that photographs do not have."""
    source = network()
    random = np.random.default_rng(9)
    noise = [Sample(sample.name, {"x": random.normal(0, 30, sample.arrays["x"].shape).astype(np.float32)})
             for sample in typical(8)]
    figures = accuracy.judge(source, qdq.to_int8(source, noise, [], method).model, typical(4, seed=2))
    with pytest.raises(PrecisionError, match="samples that calibrated nothing"):
        accuracy.refuse(figures)


# Detectors


def detected(points: np.ndarray, scores: np.ndarray | None = None) -> dict[str, np.ndarray]:
    points = np.asarray(points, np.float32)[None]
    marks = np.ones(points.shape[:2], np.float32) if scores is None else np.asarray(scores, np.float32)[None]
    return {"keypoints": points, "scores": marks, "descriptors": np.repeat(points, 8, axis=2)}


POINTS = np.random.default_rng(6).uniform(0, 640, (50, 2))


def test_rows_in_another_order_are_the_same_keypoints():
    pairs = keypoints.pair(detected(POINTS), detected(POINTS[::-1]))
    assert (pairs.agreement, pairs.count) == (1.0, 50)
    np.testing.assert_array_equal(pairs.expected["descriptors"], pairs.found["descriptors"])


@pytest.mark.parametrize("pixels, agreement", [(2.9, 1.0), (3.1, 0.0)])
def test_near_is_three_pixels(pixels, agreement):
    grid = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=2).reshape(-1, 2) * 100.0
    assert keypoints.pair(detected(grid), detected(grid + [pixels, 0])).agreement == agreement


def test_rows_without_a_keypoint_count_for_nothing():
    scores = np.where(np.arange(50) < 10, 1.0, 0.0)
    elsewhere = np.where(scores[:, None] > 0, POINTS, -640.0)
    assert keypoints.pair(detected(POINTS, scores), detected(elsewhere, scores)).agreement == 1.0
    assert keypoints.pair(detected(POINTS, scores * 0), detected(POINTS, scores * 0)).count == 0


@pytest.mark.parametrize("expected, found", [
    (np.ones(50), np.where(np.arange(50) < 10, 1.0, 0.0)),  # most have gone
    (np.where(np.arange(50) < 10, 1.0, 0.0), np.ones(50)),  # most are new
    (np.ones(50), np.zeros(50)),
])
def test_keypoints_that_only_one_has_are_missed(expected, found):
    assert keypoints.pair(detected(POINTS, expected), detected(POINTS, found)).agreement <= 0.2


def test_one_keypoint_is_no_answer_for_many():
    cluster = POINTS[:1] + np.random.default_rng(7).uniform(-1, 1, (50, 2))
    assert keypoints.pair(detected(cluster), detected(np.repeat(POINTS[:1], 50, axis=0))).agreement < 0.1


def test_keypoints_that_are_no_numbers_are_not_found():
    assert keypoints.pair(detected(POINTS), detected(POINTS * np.nan)).agreement == 0.0


def test_scores_that_may_be_negative_say_nothing_about_rows():
    logits = detected(POINTS, np.linspace(-9, -1, 50))
    assert keypoints.pair(logits, detected(POINTS[::-1] + 40, np.linspace(-9, -1, 50))).agreement < 0.2


def test_coordinates_that_are_no_pixels_are_compared_in_their_order():
    assert keypoints.is_detector(detected(POINTS))
    assert not keypoints.is_detector(detected(POINTS / 640))


def judged_detectors(expected: dict, found: dict) -> list[Accuracy]:
    figures = {name: Accuracy(name) for name in expected}
    accuracy._add(figures, expected, found)
    for figure in figures.values():
        figure.finish()
    return list(figures.values())


def test_every_output_of_a_detector_is_judged():
    labels = {"labels": np.zeros((1, 50), np.int64)}
    good = detected(POINTS) | labels
    accuracy.refuse(judged_detectors(good, {name: values[:, ::-1] for name, values in good.items()}))
    for name, spoiled in (("labels", good["labels"] + (np.arange(50) % 2)), ("descriptors", good["descriptors"] * -1),
                          ("keypoints", good["keypoints"] + 40)):
        with pytest.raises(PrecisionError, match=f"'{name}'"):
            accuracy.refuse(judged_detectors(good, good | {name: spoiled}))


def test_images_without_keypoints_are_no_judgement():
    empty = detected(POINTS, np.zeros(50))
    with pytest.raises(PrecisionError, match="'keypoints' without a value"):
        accuracy.refuse(judged_detectors(empty, empty))


@pytest.fixture(name="demo", scope="module")
def demo_networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run([sys.executable, ROOT / "models" / "make_demo.py", "--out", folder], check=True, capture_output=True)
    return folder


def pictures(names: list[str]) -> list[np.ndarray]:
    """Each photograph and its warped copy."""
    found = [evaluate.photograph(name) for name in names]
    return found + [evaluate.warp(image, evaluate.known_homography(image.shape)) for image in found]


CALIBRATING, HELD_OUT = ["camera", "gravel", "grass", "hubble"], ["coffee", "astronaut", "retina"]


def features_in_int8(demo: Path, images: list[np.ndarray], keep: list[str]) -> tuple:
    source = graphs.load(demo / "demo_features.onnx").model
    made = qdq.to_int8(source, samples_of(images), keep, "entropy2")
    return made, accuracy.judge(source, made.model, samples_of(pictures(HELD_OUT)[:3]))


def samples_of(images: list[np.ndarray]) -> list[Sample]:
    return [Sample(str(number), {"image": image[None, None]}) for number, image in enumerate(images)]


def test_features_of_photographs_hold_in_int8_where_corners_stay_float(demo, tmp_path):
    """The figure that is asked of int8: matches of photographs that calibrated nothing, beside float32."""
    made, figures = features_in_int8(demo, pictures(CALIBRATING), ["/corners/*", "/gradients/*"])
    accuracy.refuse(figures)
    assert {"/orientations/Conv", "/cells/Conv", "/cells/Conv_1"} == set(made.quantised)

    matcher = graphs.load(demo / "demo_matcher.onnx").model
    wide = [evaluate.onnx_function(demo / f"{name}.onnx") for name in ("demo_features", "demo_matcher")]
    names = [value.name for value in matcher.graph.input]

    def pairs():
        images = pictures(CALIBRATING)
        for first, second in zip(images[:4], images[4:], strict=True):
            points = [wide[0](image[None, None]) for image in (first, second)]
            places = [evaluate.normalise_keypoints(found[0], evaluate.IMAGE_SIZE) for found in points]
            yield Sample("pair", dict(zip(names, (*places, points[0][2], points[1][2]), strict=True)))

    narrow = []
    for name, model in (("features", made.model), ("matcher", qdq.to_int8(matcher, pairs(), [], "entropy2").model)):
        (tmp_path / name).write_bytes(model.SerializeToString())
        narrow.append(evaluate.onnx_function(tmp_path / name))
    kept = [correct(*narrow, name) / correct(*wide, name) for name in HELD_OUT]
    print("int8, share of float32's correct matches:", dict(zip(HELD_OUT, kept, strict=True)))
    assert min(kept) >= 0.95


def correct(features: object, matcher: object, name: str) -> int:
    """Matches of a photograph with its warped copy, within 3 px."""
    image = evaluate.photograph(name)
    homography = evaluate.known_homography(image.shape)
    points = evaluate.match_pair(features, matcher, image, evaluate.warp(image, homography))
    return int(evaluate.score_matches(*points, homography)["correct"])


def test_features_whose_corners_are_int8_are_refused(demo):
    """A product of gradients has a range that 8 bits do not hold: the gate says so."""
    _, figures = features_in_int8(demo, pictures(CALIBRATING), [])
    with pytest.raises(PrecisionError, match="'keypoints' agreement 0"):
        accuracy.refuse(figures)


def test_features_that_noise_calibrated_are_refused(demo):
    noise = list(np.random.default_rng(8).normal(0.5, 30.0, (8, 480, 640)).astype(np.float32))
    _, figures = features_in_int8(demo, noise, ["/corners/*", "/gradients/*"])
    with pytest.raises(PrecisionError, match="int8 is too far from float32"):
        accuracy.refuse(figures)
