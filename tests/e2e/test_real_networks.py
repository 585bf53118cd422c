"""A feature network and a matcher that others trained, on photographs: compiled, proven, published, verified, run.

How many matches are right is judged by a homography that the test chose; docs/design/real-networks.md has the figures.
"""

import json
import types

import numpy as np
import pytest

import programs
import real_networks as real
import trees
from places import CPU, Place

pytestmark = pytest.mark.skipif(not real.FOLDER.is_dir(), reason=f"{real.FOLDER} does not exist: no real networks here")
MIN_MATCHES, MIN_SHARE = 600, 0.60
# Below this a check is taken to have noticed: wrong geometry gives 0 to 2 %, chance alone 8 agreeing pairs.
CHANCE_SHARE, CHANCE_CONSENSUS = 0.10, 30


def compile_arguments(place, model, name, config):
    path = place.folder / f"{name}.json"
    path.write_text(json.dumps({"precision": "fp32", **config}), encoding="ascii")
    return ("compile", model, "--out", place.cache, "--name", name, "--config", path, *CPU, "--json")


XFEAT_CONFIG = {"max_output_shapes": real.XFEAT_BOUNDS}
LIGHTERGLUE_CONFIG = {"optimization_profiles": real.profiles(), "max_output_shapes": real.LIGHTERGLUE_BOUNDS}


@pytest.fixture(scope="module", name="pictures")
def photographs():
    """ref, tgt, and the copy of ref whose geometry is known."""
    ref, tgt = real.picture("ref.png"), real.picture("tgt.png")
    homography = real.evaluate.known_homography(ref.shape[:2])
    return types.SimpleNamespace(ref=ref, tgt=tgt, homography=homography, warp=real.warp(ref, homography))


@pytest.fixture(scope="module", name="expected")
def outputs_of_python(pictures):
    """What ONNX Runtime's own package computes: features of the three pictures, matches of ref with the other two."""
    images = [real.image_input(image) for image in (pictures.ref, pictures.tgt, pictures.warp)]
    ref, tgt, warp = real.reference(real.XFEAT, real.FEATURES, images)
    inputs = [real.matcher_input(ref, other) for other in (tgt, warp)]
    return types.SimpleNamespace(features=(ref, tgt, warp), inputs=inputs,
                                 matches=real.reference(real.LIGHTERGLUE, real.MATCHES, inputs))


@pytest.fixture(scope="module", name="published")
def compiled_and_provisioned(tmp_path_factory, expected):
    """A place with both networks compiled by hand, then published: the feature network as it is, the matcher with
    golden values of a real pair."""
    place = Place(tmp_path_factory.mktemp("real"))
    home = tmp_path_factory.mktemp("home")
    skua = programs.Programs(home)
    place.reports = [skua.ok(*compile_arguments(place, real.XFEAT, "xfeat", XFEAT_CONFIG)),
                     skua.ok(*compile_arguments(place, real.LIGHTERGLUE, "lighterglue", LIGHTERGLUE_CONFIG))]
    golden = real.write_golden(place.folder / "pair.golden", expected.inputs[1], expected.matches[1])
    place.yaml = place.set_yaml(real.set_networks(golden))
    place.report = skua.ok(*place.provision_arguments(place.yaml), "--json")
    yield place
    assert not list(home.rglob("*")), "a program wrote into $HOME"


@pytest.fixture(scope="module", name="flown")
def runs_of_the_set(tmp_path_factory, published, pictures):
    """Features of the three pictures and matches of ref with the other two, from the flight set."""
    skua = programs.Programs(tmp_path_factory.mktemp("home"))
    networks = real.Networks(skua, published.sets, tmp_path_factory.mktemp("runs"))
    ref, tgt, warp = networks.features([pictures.ref, pictures.tgt, pictures.warp])
    pair, warped = networks.match([(ref, tgt), (ref, warp)])
    return types.SimpleNamespace(networks=networks, ref=ref, tgt=tgt, warp=warp, pair=pair, warped=warped)


# ---- compile, provision, verify --------------------------------------------------------------------------------------

def test_both_compile_with_their_bounds(published):
    for report, source in zip(published.reports, (real.XFEAT, real.LIGHTERGLUE), strict=True):
        engine = report["engine"]
        assert engine["proven"] and engine["arithmetic"] == "fp32" and engine["sources"][0]["name"] == source.name
        assert all(output["data_dependent"] for output in engine["outputs"])
        assert all(tolerance["as_set"] for tolerance in engine["golden"]["tolerances"].values())
        tensors = real.golden.read(published.cache / (engine["file"] + ".golden"))
        rows = [len(tensor.values) for tensor in tensors if tensor.role == real.golden.EXPECTED]
        assert min(rows) > 0, "golden values without a row prove nothing"
    assert [report["engine"]["model"] for report in published.reports] == ["xfeat", "lighterglue"]


def test_bounds_and_profiles_are_demanded(skua, place):
    result = skua(*compile_arguments(place, real.XFEAT, "xfeat", {}))
    programs.error_of(result, programs.BUILD_FAILED, "output_unbounded", "max_output_shapes")
    config = {**LIGHTERGLUE_CONFIG, "optimization_profiles": real.profiles()[:-1]}
    result = skua(*compile_arguments(place, real.LIGHTERGLUE, "lighterglue", config))
    programs.error_of(result, programs.USAGE, "profile_mismatch", "desc1")
    assert trees.tree(place.cache) == {}


def test_provisioned_and_verified(skua, published):
    reused = {entry["name"]: entry["is_reused"] for entry in published.report["engines"]}
    assert published.report["is_published"] and reused == {"xfeat": True, "lighterglue": False}  # other golden values
    again = skua.ok(*published.provision_arguments(published.yaml), "--json")
    assert again["is_published"] is False and again["set_id"] == published.report["set_id"]
    verdicts = skua.ok("verify", published.current(), *programs.UNSIGNED, "--json")
    there = [path for path in published.current().rglob("*") if path.is_file()]
    assert len(verdicts["files"]) == len(there) - 1  # the manifest lists every file but itself


def test_golden_matches_are_a_set(skua, place, expected):
    """Rows in another order pass; one match with another partner does not."""
    inputs, outputs = expected.inputs[1], expected.matches[1]
    order = np.random.default_rng(1).permutation(len(outputs["scores"]))
    shuffled = {name: values[order] for name, values in outputs.items()}
    changed = {**shuffled, "matches": shuffled["matches"].copy()}
    changed["matches"][0, 1] ^= 1
    for values, status in ((changed, programs.BUILD_FAILED), (shuffled, programs.DONE)):
        golden = real.write_golden(place.folder / "pair.golden", inputs, values)
        yaml = place.set_yaml(real.set_networks(golden)[1:])
        result = skua(*place.provision_arguments(yaml), "--json")
        assert result.returncode == status, result.stderr
        if status != programs.DONE:
            programs.error_of(result, status, "golden_mismatch", "matches")


# ---- run -------------------------------------------------------------------------------------------------------------

def test_outputs_equal_those_of_python(flown, expected):
    for found, wanted in zip((flown.ref, flown.tgt, flown.warp), expected.features, strict=True):
        real.check_same_rows(found, wanted, "keypoints")
    inputs = [real.matcher_input(flown.ref, other) for other in (flown.tgt, flown.warp)]
    wanted = real.reference(real.LIGHTERGLUE, real.MATCHES, inputs)
    real.check_same_rows(flown.pair, wanted[0], "matches")
    real.check_same_rows(flown.warped, wanted[1], "matches")
    real.check_same_rows(dict(flown.ref, **rolled(flown.ref, 1, *flown.ref)), expected.features[0], "keypoints")
    with pytest.raises(AssertionError, match="Mismatched"):  # values that left their row are no longer the same set
        real.check_same_rows(dict(flown.ref, **rolled(flown.ref, 1, "scores")), expected.features[0], "keypoints")


def rolled(outputs, by, *names):
    return {name: np.roll(outputs[name], by, axis=0) for name in names}


@pytest.mark.parametrize("counts", [(512, 300), (1, 1024)])
def test_fewer_keypoints_than_the_profile_allows(flown, counts):
    parts = [{name: values[:count] for name, values in found.items()}
             for found, count in zip((flown.ref, flown.warp), counts, strict=True)]
    inputs = real.matcher_input(*parts)
    (found,), (wanted,) = flown.networks.run("lighterglue", [inputs]), real.reference(real.LIGHTERGLUE, real.MATCHES,
                                                                                      [inputs])
    real.check_same_rows(found, wanted, "matches")


def test_more_keypoints_or_matches_than_recorded(skua, place, flown):
    """One keypoint too many is refused before the run; matches that do not fit are no result, not a truncated one."""
    config = {**LIGHTERGLUE_CONFIG, "max_output_shapes": {"matches": [len(flown.pair["scores"]), 2],
                                                          "scores": [len(flown.pair["scores"])]}}
    skua.ok(*compile_arguments(place, real.LIGHTERGLUE, "lighterglue", config))
    small = real.Networks(skua, place.cache, place.folder / "runs")
    real.check_same_rows(*small.match([(flown.ref, flown.tgt)]), flown.pair, "matches")  # fills it exactly
    inputs = real.matcher_input(flown.ref, flown.warp)
    programs.error_of(small.start("lighterglue", [inputs]), programs.INFERENCE, "output_overflow", "lighterglue")
    longer = {**inputs, "kpts1": np.concatenate([inputs["kpts1"], inputs["kpts1"][:, :1]], axis=1)}
    programs.error_of(small.start("lighterglue", [longer]), programs.USAGE, "shape_mismatch", "kpts1")


@pytest.mark.parametrize("model", ["xfeat", "lighterglue"])
def test_latency_is_measured_and_labelled(flown, pictures, model):
    inputs = {"xfeat": real.image_input(pictures.ref), "lighterglue": real.matcher_input(flown.ref, flown.warp)}[model]
    report = flown.networks.report(model, [inputs], "--repeat", "10")
    engine, latency = report["engine"], report["latency"]
    assert (engine["device"], engine["provider"], engine["arithmetic"]) == ("cpu", "cpu", "fp32")
    assert latency["count"] == 10 and 0 < latency["p50_us"] <= latency["max_us"]
    print(f"{model}: p50 {latency['p50_us'] / 1e3:.1f} ms, {engine['provider']}, {engine['arithmetic']}")


# ---- matches against geometry ----------------------------------------------------------------------------------------

def test_matches_on_the_warp(flown, pictures):
    found = real.judge(flown.ref, flown.warp, flown.warped["matches"], pictures.homography)
    print(f"{found['matches']} matches, {found['share']:.1%} within 3 px")
    assert found["matches"] >= MIN_MATCHES and found["share"] >= MIN_SHARE


def test_wrong_geometry_is_noticed(flown, pictures):
    """The check above fails for another homography, for other partners, and for keypoints out of order."""
    matches = flown.warped["matches"]
    for wrong in (np.eye(3), np.linalg.inv(pictures.homography)):
        assert real.judge(flown.ref, flown.warp, matches, wrong)["share"] < CHANCE_SHARE
    generator = np.random.default_rng(2)
    partners = np.stack([matches[:, 0], generator.permutation(matches[:, 1])], axis=1)
    assert real.judge(flown.ref, flown.warp, partners, pictures.homography)["share"] < CHANCE_SHARE
    disordered = {**flown.warp, "keypoints": generator.permutation(flown.warp["keypoints"])}
    (found,) = flown.networks.match([(flown.ref, disordered)])
    judged = real.judge(flown.ref, disordered, found["matches"], pictures.homography)
    assert judged["matches"] < len(matches) and judged["share"] < CHANCE_SHARE


def test_matches_of_the_pair_agree_on_a_homography(flown):
    points = real.matched_points(flown.ref, flown.tgt, flown.pair["matches"])
    _, agreeing = real.consensus(*points)
    print(f"{len(flown.pair['matches'])} matches, {agreeing} agree")
    assert agreeing >= 0.5 * len(flown.pair["matches"])
    _, by_chance = real.consensus(points[0], np.random.default_rng(3).permutation(points[1]))
    assert by_chance < CHANCE_CONSENSUS


def test_matches_on_the_rectified_pair(flown, pictures):
    """tgt seen from where ref was taken, by the homography of the first matches: the networks find the rest."""
    homography, _ = real.consensus(*real.matched_points(flown.ref, flown.tgt, flown.pair["matches"]))
    views = [real.warp(pictures.tgt, matrix) for matrix in (np.linalg.inv(homography), homography)]
    rectified, worse = flown.networks.features(views)
    found, control = flown.networks.match([(flown.ref, rectified), (flown.ref, worse)])
    print(f"{len(found['matches'])} matches")
    assert len(found["matches"]) >= MIN_MATCHES
    _, agreeing = real.consensus(*real.matched_points(flown.ref, rectified, found["matches"]))
    assert agreeing >= 0.6 * len(found["matches"])
    assert len(control["matches"]) < MIN_MATCHES / 2  # turned the wrong way
