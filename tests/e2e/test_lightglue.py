"""LightGlueRuntime over the real runtimes: the demo matcher, both stand-ins of LightGlue, and a matcher that others trained.

What it answers is held against `skua run` of the same engine on the inputs that Python normalised.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

import programs
import real_networks as real
from places import Place

sys.path.insert(0, str(programs.ROOT / "benchmarks"))
import load  # noqa: E402  (benchmarks/ is no package)

HELPER = programs.BUILD / "tests" / "lightglue_run"
IMAGE = (640, 480)
RUNTIMES = ("onnx_trt_ep", "pytorch_fp16")
# Keypoints of a set; descriptor length; keypoints of the sets of the pairs, the first of which is all firsts.
DEMO, VARIANT, BATCHED = ("demo_matcher", 128, [512] * 6), ("lightglue", 128, [64, 1, 30, 64, 17]), \
    ("lightglue_batched", 128, [32] * 11)
NETWORKS = (DEMO, VARIANT, BATCHED)
CASES = [(runtime, *network) for runtime in RUNTIMES for network in NETWORKS]
needs_real = pytest.mark.skipif(not real.FOLDER.is_dir(), reason=f"{real.FOLDER} does not exist: no real networks here")


# ---- inputs ----------------------------------------------------------------------------------------------------------

def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def features(dim, counts, seed=1):
    """Keypoint sets: the first at random, the others with some of its keypoints, a little changed."""
    rng = np.random.default_rng(seed)
    first = None
    for count in counts:
        keypoints = (rng.random((count, 2)) * IMAGE).astype(np.float32)
        descriptors = unit(rng.standard_normal((count, dim)))
        if first is not None:
            shared = min(count, len(first[0]))
            order = rng.permutation(len(first[0]))[:shared]
            keypoints[:shared] = first[0][order]
            descriptors[:shared] = unit(first[1][order] + 0.02 * rng.standard_normal((shared, dim)))
        first = first or (keypoints, descriptors)
        yield keypoints, descriptors


def write(folder, sets):
    folder.mkdir()
    for number, (keypoints, descriptors) in enumerate(sets):
        np.save(folder / f"{number}.kpts.npy", keypoints)
        np.save(folder / f"{number}.desc.npy", descriptors)


# ---- running ---------------------------------------------------------------------------------------------------------

def run(home, set_dir, model, folder, pairs, image=IMAGE, lanes=2, warm_up_pairs=10):
    """The document that the helper prints."""
    assert HELPER.exists(), f"{HELPER} does not exist: build the preset"
    command = [HELPER, set_dir, model, lanes, warm_up_pairs, folder, *image, *(f"{a}:{b}" for a, b in pairs)]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False,
                          timeout=programs.TIMEOUT_S, env=programs.environment(home))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def normalised(first, second, image=IMAGE):
    """A pair as the engine takes it."""
    inputs = {}
    for side, (keypoints, descriptors) in enumerate((first, second)):
        inputs[f"kpts{side}"] = real.evaluate.normalise_keypoints(keypoints, image)[None]
        inputs[f"desc{side}"] = descriptors[None]
    return inputs


def answer(outputs):
    """(indices [M,2], scores [M]) of either output form."""
    matches, scores = outputs["matches"], outputs["scores"]
    if scores.ndim == 1:
        return matches, scores
    rows = np.flatnonzero(matches[0] >= 0)
    return np.stack([rows, matches[0][rows]], axis=1), scores[0][rows]


def check_answers(found, expected, tolerance=0.0):
    assert len(found) == len(expected)
    for one, (indices, scores) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.reshape(one["indices"], (-1, 2)), indices)
        np.testing.assert_allclose(np.asarray(one["scores"], np.float32), scores, rtol=0, atol=tolerance)


# ---- sets ------------------------------------------------------------------------------------------------------------

def standin_networks(nano, is_torch):
    """The two variants of LightGlue, with absolute paths."""
    document = (nano / ("set_torch.yaml" if is_torch else "set_fp32.yaml")).read_text("ascii")
    networks = json.loads("\n".join(line for line in document.splitlines() if not line.startswith("#")))["networks"]
    for network in networks:
        for key in ("onnx", "pt"):
            if key in network:
                network[key] = nano / network[key]
        network["golden"]["file"] = nano / network["golden"]["file"]
    return [network for network in networks if network["name"].startswith("lightglue")]


def demo_network(folder, runtime):
    network = load.demo_network("demo_matcher", runtime)
    paths = {key: folder / network[key] for key in ("onnx", "pt") if key in network}
    golden = network.get("golden")
    return network | paths | ({"golden": golden | {"file": folder / golden["file"]}} if golden else {})


@pytest.fixture(scope="module", name="sets")
def matchers_of_both_runtimes(tmp_path_factory, nano):
    """Flight set folders by runtime, each with the three matchers."""
    demo = tmp_path_factory.mktemp("lightglue") / "demo"
    subprocess.run([sys.executable, programs.ROOT / "models" / "make_demo.py", "--out", demo], check=True)
    skua = programs.Programs(tmp_path_factory.mktemp("home"))
    found = {}
    for runtime in RUNTIMES:
        place = Place(tmp_path_factory.mktemp(runtime))
        is_torch = runtime == "pytorch_fp16"
        fields = {"runtime": None, "execution_provider": None} if is_torch else {}
        networks = [demo_network(demo, runtime), *standin_networks(nano, is_torch)]
        skua.ok(*place.provision_arguments(place.set_yaml(networks, **fields)), "--json")
        found[runtime] = place.current()
    return found


@pytest.fixture(scope="module", name="reports")
def reports_of_the_helper(tmp_path_factory, sets):
    """(report, sets of keypoints, pairs) by runtime and network; run once each."""
    made = {}

    def report(runtime, model, dim, counts):
        if (runtime, model) not in made:
            work = tmp_path_factory.mktemp(f"{model}-{runtime}")
            points = list(features(dim, counts))
            pairs = [(0, i) for i in range(1, len(counts))]
            write(work / "features", points)
            made[runtime, model] = run(work, sets[runtime], model, work / "features", pairs), points, pairs
        return made[runtime, model]

    return report


@pytest.fixture(name="expected_of")
def answers_of_skua_run(skua, tmp_path):
    def expected(set_dir, model, pairs):
        networks = real.Networks(skua, set_dir, tmp_path)
        return [answer(outputs) for outputs in networks.run(model, pairs)]

    return expected


# ---- tests -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_answers_are_those_of_skua_run_on_normalised_inputs(reports, sets, expected_of, case):
    runtime, model, dim, _ = case
    report, points, pairs = reports(*case)
    expected = expected_of(sets[runtime], model, [normalised(points[a], points[b]) for a, b in pairs])
    assert sum(len(indices) for indices, _ in expected) > 0, "answers without a match prove nothing"
    check_answers(report["match"], expected)
    assert report["descriptor_dim"] == dim and report["descriptor_dtype"] == "float32"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_every_way_of_running_a_batch_gives_them(reports, case):
    report, _, _ = reports(*case)
    expected = [(np.reshape(one["indices"], (-1, 2)), np.asarray(one["scores"])) for one in report["match"]]
    ways = {"one_lane", "lanes", "batched"} if case[1] == "lightglue_batched" else {"one_lane", "lanes"}
    assert set(report["ways"]) == ways
    for way, answers in report["ways"].items():
        # In a batch the sums of a matrix product are taken in another order.
        check_answers(answers, expected, 1e-3 if way == "batched" else 0.0)
    check_answers(report["match_batch"], expected, 1e-3 if report["mode"] == "batched" else 0.0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_the_fastest_possible_way_is_chosen(reports, case):
    report, _, _ = reports(*case)
    possible = {way: took for way, took in report["timings_ns"].items() if took > 0}
    assert set(report["timings_ns"]) == {"one_lane", "lanes", "batched"} and {"one_lane", "lanes"} <= set(possible)
    assert ("batched" in possible) == (case[1] == "lightglue_batched")
    one_lane = possible["one_lane"] + possible["one_lane"] // 20  # less than 5 % is noise
    assert report["mode"] == min(possible, key=(possible | {"one_lane": one_lane}).get)


def test_what_the_engines_take(reports):
    reports_of = {network[0]: reports("onnx_trt_ep", *network)[0] for network in NETWORKS}
    assert {name: one["fixed_keypoint_count"] for name, one in reports_of.items()} == {
        "demo_matcher": 512, "lightglue": 0, "lightglue_batched": 32}
    assert {name: one["max_matches"] for name, one in reports_of.items()} == {
        "demo_matcher": 512, "lightglue": 64, "lightglue_batched": 32}


def test_control_another_image_size_gives_other_answers(sets, tmp_path, expected_of):
    points = list(features(128, [40, 40]))
    write(tmp_path / "features", points)
    expected = expected_of(sets["onnx_trt_ep"], "lightglue", [normalised(*points)])
    (tmp_path / "home").mkdir(exist_ok=True)
    report = run(tmp_path / "home", sets["onnx_trt_ep"], "lightglue", tmp_path / "features", [(0, 1)], (480, 480), 1, 0)
    with pytest.raises(AssertionError):
        check_answers(report["match"], expected)


def test_a_set_that_does_not_fit_is_refused_alone(sets, tmp_path):
    points = [*features(128, [20, 20, 65, 20]), *features(64, [20])]
    write(tmp_path / "features", points)
    (tmp_path / "home").mkdir(exist_ok=True)
    report = run(tmp_path / "home", sets["onnx_trt_ep"], "lightglue", tmp_path / "features",
                 [(0, 1), (0, 2), (0, 4), (0, 3)], lanes=2, warm_up_pairs=0)
    assert report["mode"] == "lanes"
    for answers in (report["match"], report["match_batch"], *report["ways"].values()):
        assert [one.get("error") for one in answers] == [None, "shape_mismatch", "shape_mismatch", None]


# ---- a matcher that others trained -----------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="trained")
def real_matcher(tmp_path_factory):
    """The set of the real networks, and the features of the photographs as ONNX Runtime's own package computes them."""
    place = Place(tmp_path_factory.mktemp("real"))
    skua = programs.Programs(tmp_path_factory.mktemp("home"))
    ref = real.picture("ref.png")
    place.homography = real.evaluate.known_homography(ref.shape[:2])
    pictures = ref, real.warp(ref, place.homography), real.picture("tgt.png")
    place.features = real.reference(real.XFEAT, real.FEATURES, [real.image_input(picture) for picture in pictures])
    pair = real.matcher_input(*place.features[:2])
    (matches,) = real.reference(real.LIGHTERGLUE, real.MATCHES, [pair])
    golden = real.write_golden(place.folder / "pair.golden", pair, matches)
    skua.ok(*place.provision_arguments(place.set_yaml(real.set_networks(golden)[1:])), "--json")
    return place


@needs_real
def test_lighterglue_finds_the_matches_of_a_known_geometry(trained, tmp_path, expected_of):
    points = [(one["keypoints"].astype(np.float32), one["descriptors"]) for one in trained.features]
    write(tmp_path / "features", points)
    (tmp_path / "home").mkdir(exist_ok=True)
    image, pairs = (real.WIDTH, real.HEIGHT), [(0, 1), (0, 2)]
    report = run(tmp_path / "home", trained.current(), "lighterglue", tmp_path / "features", pairs, image,
                 warm_up_pairs=2)
    inputs = [normalised(points[a], points[b], image) for a, b in pairs]
    check_answers(report["match"], expected_of(trained.current(), "lighterglue", inputs))
    check_answers(report["match_batch"], [answer({"matches": np.reshape(one["indices"], (-1, 2)),
                                                  "scores": np.asarray(one["scores"])}) for one in report["match"]])
    ref, warp = trained.features[:2]
    found = np.reshape(report["match"][0]["indices"], (-1, 2))
    assert len(found) >= 300
    assert real.judge(ref, warp, found, trained.homography)["share"] >= 0.6
