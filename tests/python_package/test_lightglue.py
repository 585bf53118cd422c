"""LightGlueRuntime on a matcher whose answer is known: for each keypoint the one whose descriptor is the most alike."""

import gc
import threading

import numpy as np
import pytest
from conftest import load
from networks import DESCRIPTOR, KEYPOINTS

import skua


def features(order=range(KEYPOINTS), **changed):
    """Keypoints with descriptors that are told apart, in this order."""
    grid = np.eye(KEYPOINTS, DESCRIPTOR, dtype=np.float32)
    grid[DESCRIPTOR:] = np.array([[-1, 0, 0, 0], [0, -1, 0, 0]], np.float32)[:KEYPOINTS - DESCRIPTOR]
    order = list(order)
    fields = {"keypoints": np.array([(10 * n, 5 * n) for n in order], np.float32),
              "descriptors": np.ascontiguousarray(grid[order]), "image_size": (640, 480), **changed}
    return skua.KeypointSet(**fields)


ORDERS = [[5, 4, 3, 2, 1, 0], [1, 0, 3, 2, 5, 4], [0, 1, 2, 3, 4, 5]]


@pytest.fixture(name="matcher")
def lightglue_runtime(runtime, flight_set):
    lanes = [runtime.create_lane(f"lane{n}") for n in range(2)]
    return skua.LightGlueRuntime.create(runtime, flight_set["matcher"], lanes, warm_up_pairs=4, warm_up_rounds=1)


def test_what_it_says_of_itself(runtime, matcher):
    assert matcher.descriptor_dim() == DESCRIPTOR and matcher.descriptor_dtype is skua.DType.FLOAT32
    assert matcher.fixed_keypoint_count == KEYPOINTS == matcher.max_matches
    assert matcher.batch_mode in ("one_lane", "lanes", "batched")
    assert set(matcher.batch_timings_ns) == {"one_lane", "lanes", "batched"} and matcher.batch_timings_ns["lanes"] > 0
    assert matcher.source is runtime


@pytest.mark.parametrize("options", [{"warm_up_pairs": 1001}, {"warm_up_pairs": 2**62}, {"warm_up_rounds": 0}])
def test_warm_up_has_limits(runtime, flight_set, options):
    with pytest.raises(skua.InvalidArgumentError, match=next(iter(options))):
        skua.LightGlueRuntime.create(runtime, flight_set["matcher"], [runtime.create_lane("lane")], **options)


def test_a_pair_is_matched(matcher):
    found = matcher.match(features(), features(ORDERS[0]), frame=3)
    assert found.indices.dtype == np.int64 and found.scores.dtype == np.float32 and found.error is None
    assert found.indices.tolist() == [[n, 5 - n] for n in range(KEYPOINTS)] and np.allclose(found.scores, 1)
    assert matcher.last_inference_ns > 0


def test_a_batch_is_its_pairs(matcher):
    first, others = features(), [features(order) for order in ORDERS]
    found = matcher.match_batch([first] * len(others), others)
    for order, pair in zip(ORDERS, found):
        alone = matcher.match(first, features(order))
        assert np.array_equal(pair.indices, alone.indices) and pair.indices[:, 1].tolist() == [order.index(n) for n in range(6)]
    assert matcher.match_batch([], []) == []


def test_answers_are_the_callers(matcher):
    found = matcher.match(features(), features(ORDERS[1]))
    kept = found.indices.copy()
    matcher.match(features(), features(ORDERS[0]))
    del matcher
    gc.collect()
    assert np.array_equal(found.indices, kept) and found.indices.flags.writeable


def test_a_pair_that_fails_leaves_the_others_standing(matcher):
    few = features(range(3))
    found = matcher.match_batch([features()] * 3, [features(), few, features(ORDERS[0])])
    assert [pair.error is None for pair in found] == [True, False, True]
    assert isinstance(found[1].error, skua.InvalidArgumentError) and found[1].error.reason == "shape_mismatch"
    assert found[1].indices.shape == (0, 2) and found[1].scores.shape == (0,)
    late = matcher.match_batch([features()], [features()], deadline_ns=1)
    assert isinstance(late[0].error, skua.InferenceError) and late[0].error.reason == "deadline_missed"


REFUSED = {
    "length": (lambda: features(descriptors=np.zeros((6, 3), np.float32)), "shape_mismatch"),
    "half": (lambda: features(descriptors=np.zeros((6, 4), np.float16)), "dtype_mismatch"),
    "double": (lambda: features(keypoints=np.zeros((6, 2))), "dtype_mismatch"),
    "order": (lambda: features(descriptors=np.asfortranarray(np.ones((6, 4), np.float32))), "invalid_argument"),
    "list": (lambda: features(keypoints=[[0, 0]] * 6), "dtype_mismatch"),
    "no size": (lambda: features(image_size=(640,)), "invalid_argument"),
    "size of nothing": (lambda: features(image_size=(0, 480)), "invalid_argument"),
    "size of reals": (lambda: features(image_size=(640.5, 480)), "invalid_argument"),
    "a dict": (lambda: {"keypoints": 1}, "invalid_argument"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(matcher, name):
    make, reason = REFUSED[name]
    with pytest.raises(skua.InvalidArgumentError) as refused:
        matcher.match(features(), make())
    assert refused.value.reason == reason, refused.value
    assert matcher.match(features(), features()).error is None
    with pytest.raises(skua.InvalidArgumentError):
        matcher.match_batch([features()], [features(), features()])


def test_it_is_made_of_what_fits(runtime, flight_set, make_runtime, place):
    lane = runtime.create_lane("lane")
    released, foreign = load(make_runtime(), place)["matcher"], make_runtime()
    own = load(foreign, place)["matcher"]
    create = skua.LightGlueRuntime.create
    for arguments, error, reason in (
            ((runtime, flight_set["add_relu"], [lane]), skua.EngineDeserializeError, "contract_mismatch"),
            ((runtime, own, [lane]), skua.InvalidArgumentError, "foreign_handle"),
            ((runtime, released, [lane]), skua.InvalidArgumentError, "foreign_handle"),
            ((foreign, own, [lane]), skua.InvalidArgumentError, "foreign_handle"),
            ((runtime, flight_set["matcher"], []), skua.InvalidArgumentError, "invalid_argument"),
            ((runtime, flight_set["matcher"], ["lane"]), skua.InvalidArgumentError, "invalid_argument")):
        with pytest.raises(error) as refused:
            create(*arguments)
        assert refused.value.reason == reason, refused.value
    with pytest.raises(skua.InvalidArgumentError, match="runtime: expected"):
        create(None, flight_set["matcher"], [lane])


def test_it_keeps_what_it_needs(make_runtime, place):
    runtime = make_runtime()
    engine = load(runtime, place)["matcher"]
    matcher = skua.LightGlueRuntime.create(runtime, engine, [runtime.create_lane("lane")], warm_up_pairs=0)
    del runtime, engine
    gc.collect()
    assert matcher.match(features(), features()).indices.shape == (6, 2)
    assert matcher.source.current_runtime_label() == "onnx_trt_ep"


def test_a_second_thread_is_refused_and_not_queued(matcher):
    refused, start = [], threading.Barrier(2)

    def match():
        start.wait()
        for _ in range(200):
            try:
                matcher.match_batch([features()] * 10, [features()] * 10)
            except skua.InferenceError as error:
                refused.append(error.reason)

    threads = [threading.Thread(target=match) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused and set(refused) == {"lane_busy"}
    assert matcher.match(features(), features()).error is None
