"""int8 and mixed from float32 to a set that loads: what was quantised from other data, from another network, or by data
that say nothing of the flight is refused, and so is a bound that it does not keep."""

import hashlib
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import pytest

import programs
import tiny_models
import trees
from places import CPU
from programs import BUILD_FAILED, USAGE

sys.path.insert(0, str(programs.ROOT / "models"))
import evaluate  # noqa: E402

COUNT = 10


def sample(seed, reach=1.0):
    random = np.random.default_rng(seed)
    return {name: (reach * random.uniform(-1, 1, (2, 8))).astype(np.float32) for name in ("left", "right")}


def write_samples(folder, count=COUNT, first=0, reach=1.0):
    folder.mkdir()
    for number in range(count):
        np.savez(folder / f"{number:03}.npz", **sample(first + number, reach))
    return folder


@pytest.fixture(name="source")
def float32_model(place):
    return tiny_models.several(place.models / "several.onnx")


@pytest.fixture(name="data_set")
def typical_samples(place):
    return write_samples(place.folder / "data")


@pytest.fixture(name="quantised")
def int8_model(skua, place, source, data_set):
    out = place.folder / "int8" / "several.onnx"
    skua.ok("quantize", source, "--precision", "int8", "--calibration-dataset", data_set, "--out", out)
    return out


def compiling(model, place, data_set, source, *more, precision="int8"):
    return ["compile", model, "--out", place.cache, "--precision", precision, "--calibration-dataset", data_set,
            "--fp32-source", source, *CPU, *more, "--json"]


def figures(proof, output):
    """"relative_l2 0.02, cosine 0.999" as numbers."""
    return {name: float(value) for name, value in (part.split() for part in proof[f"accuracy.{output}"].split(", "))}


def test_int8_compiles_loads_and_says_what_it_was_made_from(skua, place, quantised, data_set, source):
    engine = skua.ok(*compiling(quantised, place, data_set, source))["engine"]
    digest = skua.ok("inspect", data_set, "--json")["content"]["sha256"]
    origin, proof = engine["calibration"], engine["proof"]
    assert engine["precision"] == "int8" and origin["dataset_sha256"] == digest
    assert (origin["sample_count"], proof["accuracy.samples"], proof["accuracy.dataset_sha256"]) == (8, "2", digest)
    assert origin["cache_sha256"] == hashlib.sha256(quantised.read_bytes()).hexdigest()
    assert int(proof["int8.nodes_after_optimising"]) > 0 and proof["int8.products"].startswith("1 of ")
    assert 0 < figures(proof, "product")["relative_l2"] < 0.05
    for name, values in sample(99).items():
        np.save(place.folder / f"{name}.npy", values)
    inputs = [word for name in ("left", "right") for word in ("--input", f"{name}={place.folder / name}.npy")]
    skua.ok("run", place.cache, "several", *inputs, "--output-dir", place.folder / "o")
    expected = sample(99)["left"] + sample(99)["right"]
    np.testing.assert_allclose(np.load(place.folder / "o" / "total.npy"), expected, atol=1e-3)


def test_the_figures_are_those_of_quantize(skua, place, source, data_set):
    """Two implementations of one gate: the same samples, nearly the same runs."""
    out = place.folder / "again.onnx"
    report = skua.ok("quantize", source, "--precision", "int8", "--calibration-dataset", data_set, "--out", out, "--json")
    proof = skua.ok(*compiling(out, place, data_set, source))["engine"]["proof"]
    for output in report["outputs"]:
        found = figures(proof, output["name"])
        for ours, theirs in (("relative_l2", "relative_l2"), ("relative_error", "max_rel_error"), ("cosine", "least_cosine"),
                             ("mismatched", "mismatched"), ("agreement", "agreement"), ("compared", "compared")):
            assert found[ours] == pytest.approx(output[theirs], rel=0.05, abs=1e-6), (output["name"], ours)


def test_the_data_set_must_be_the_one_it_was_made_from(skua, place, quantised, data_set, source):
    other = write_samples(place.folder / "other", first=50)
    result = skua(*compiling(quantised, place, other, source))
    programs.error_of(result, BUILD_FAILED, "calibration_mismatch", "data set")
    np.savez(data_set / "999.npz", **sample(999))
    result = skua(*compiling(quantised, place, data_set, source))
    programs.error_of(result, BUILD_FAILED, "calibration_mismatch", "data set")
    (data_set / "999.npz").unlink()
    skua.ok(*compiling(quantised, place, data_set, source))


def test_the_source_must_be_the_one_it_was_made_from(skua, place, quantised, data_set, source):
    other = place.models / "other.onnx"
    model = onnx.load(source)
    model.doc_string = "another"
    onnx.save(model, other)
    result = skua(*compiling(quantised, place, data_set, other))
    programs.error_of(result, BUILD_FAILED, "calibration_mismatch", "fp32_source")
    result = skua(*compiling(quantised, place, data_set, quantised))
    programs.error_of(result, BUILD_FAILED, "precision_not_supported", "float32 source")
    without = [word for word in compiling(quantised, place, data_set, source) if word not in ("--fp32-source", source)]
    programs.error_of(skua(*without), BUILD_FAILED, "reference_unavailable", "fp32_source")


def test_a_float32_or_unstamped_graph_is_not_int8(skua, place, quantised, data_set, source):
    result = skua(*compiling(source, place, data_set, source))
    programs.error_of(result, BUILD_FAILED, "calibration_mismatch", "skua quantize")
    model = onnx.load(quantised)
    stamp = next(entry for entry in model.metadata_props if entry.key == "skua.precision")
    told = json.loads(stamp.value)
    del model.metadata_props[:]
    bare = place.folder / "bare.onnx"
    onnx.save(model, bare)
    programs.error_of(skua(*compiling(bare, place, data_set, source)), BUILD_FAILED, "calibration_mismatch")
    # A stamp alone makes no int8 of a float32 graph.
    forged = onnx.load(source)
    forged.metadata_props.add(key="skua.precision", value=json.dumps(told))
    onnx.save(forged, bare)
    programs.error_of(skua(*compiling(bare, place, data_set, source)), BUILD_FAILED, "precision_not_supported",
                      "no convolution or matrix product")


@pytest.mark.parametrize(("reach", "passes"), [(1.0, True), (300.0, False), (0.003, False)])
def test_samples_of_ones_own_judge_calibration_with_noise(skua, place, source, reach, passes):
    """A data set that was replaced whole judges itself and passes; `accuracy_dataset` does not let it."""
    noise = write_samples(place.folder / "noise", first=500, reach=reach)
    judging = write_samples(place.folder / "flight", count=3, first=900)
    out = place.folder / "noise.onnx"
    skua.ok("quantize", source, "--precision", "int8", "--calibration-dataset", noise, "--out", out)
    skua.ok(*compiling(out, place, noise, source))
    result = skua(*compiling(out, place, noise, source, "--accuracy-dataset", judging))
    if passes:
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["engine"]["proof"]["accuracy.samples"] == "3"
    else:
        programs.error_of(result, BUILD_FAILED, "accuracy_too_low", "'product'", "relative_l2")


def test_no_sample_both_calibrates_and_judges(skua, place, quantised, data_set, source):
    result = skua(*compiling(quantised, place, data_set, source, "--accuracy-dataset", data_set))
    programs.error_of(result, BUILD_FAILED, "data_set_malformed", "found one that calibrates")
    judging = write_samples(place.folder / "judging", count=3, first=700)
    skua.ok(*compiling(quantised, place, data_set, source, "--accuracy-dataset", judging))
    (judging / "copy.npz").write_bytes((data_set / "000.npz").read_bytes())
    result = skua(*compiling(quantised, place, data_set, source, "--accuracy-dataset", judging))
    programs.error_of(result, BUILD_FAILED, "data_set_malformed", "copy.npz")


@pytest.mark.parametrize("change", ["output gone", "input renamed", "sample count"])
def test_an_edited_model_is_refused(skua, place, quantised, data_set, source, change):
    """The stamp is not bound to the graph; what is compared with float32 is."""
    model = onnx.load(quantised)
    if change == "output gone":
        del model.graph.output[0]
    elif change == "input renamed":
        for node in model.graph.node:
            node.input[:] = ["port" if name == "left" else name for name in node.input]
        model.graph.input[0].name = "port"
    else:
        stamp = next(entry for entry in model.metadata_props if entry.key == "skua.precision")
        stamp.value = json.dumps(json.loads(stamp.value) | {"sample_count": 10})
    onnx.save(model, quantised)
    result = skua(*compiling(quantised, place, data_set, source))
    reasons = {"output gone": "contract_mismatch", "input renamed": ("contract_mismatch", "data_set_malformed"),
               "sample count": "calibration_mismatch"}
    programs.error_of(result, BUILD_FAILED, reasons[change])


# ---- sets --------------------------------------------------------------------------------------------------


def set_yaml(place, quantised, source, data_set, accuracy=""):
    file, judging = place.folder / "SET.yaml", place.folder / "flight"
    if not judging.exists():
        write_samples(judging, count=3, first=900)
    file.write_text(f"""runtime: onnx_trt_ep
execution_provider: cpu
{accuracy}
networks:
  - name: several
    onnx: {quantised}
    precision: int8
    calibration: {{data_set: {data_set}, fp32_source: {source}, judged_by: {judging}}}
""")
    return file


def provisioning(place, file):
    return ["provision", file, "--out", place.folder / "sets", "--cache", place.cache, "--json"]


def test_a_set_with_int8_is_published_verified_and_reused(skua, place, quantised, source, data_set):
    file = set_yaml(place, quantised, source, data_set)
    report = skua.ok(*provisioning(place, file))
    assert report["is_published"]
    manifest = json.loads((pathlib.Path(report["folder"]) / "flight-manifest.json").read_text())
    (artifact,) = manifest["artifacts"]
    told = json.dumps(artifact)
    assert '"sample_count": 8' in told
    assert {(f["output"], f["metric"]) for f in artifact["accuracy"]} == {
        (output, metric) for output in ("product", "total") for metric in ("relative_l2", "mismatched", "agreement")}
    assert all(f["threshold"] in (0.1, 0.9) for f in artifact["accuracy"])
    skua.ok("verify", report["folder"], *programs.UNSIGNED)
    again = skua.ok(*provisioning(place, file))
    assert not again["is_published"]
    np.savez(data_set / "000.npz", **sample(1234))
    result = skua(*provisioning(place, file))
    programs.error_of(result, BUILD_FAILED, "calibration_mismatch", "data set")


def test_a_set_whose_calibration_data_were_replaced_by_noise_is_refused(skua, place, source):
    noise = write_samples(place.folder / "noise", first=500, reach=300.0)
    out = place.folder / "noise.onnx"
    skua.ok("quantize", source, "--precision", "int8", "--calibration-dataset", noise, "--out", out)
    file = set_yaml(place, out, source, noise)
    result = skua(*provisioning(place, file))
    programs.error_of(result, BUILD_FAILED, "accuracy_too_low", "'product'")
    assert not [name for name in trees.tree(place.folder / "sets") if "manifest" in name]


def test_bounds_may_be_tightened_and_not_loosened(skua, place, quantised, source, data_set):
    file = set_yaml(place, quantised, source, data_set, accuracy="accuracy: {relative_l2: 0.002}")
    programs.error_of(skua(*provisioning(place, file)), BUILD_FAILED, "accuracy_too_low", "bound 0.002")
    file = set_yaml(place, quantised, source, data_set, accuracy="accuracy: {relative_l2: 0.2}")
    programs.error_of(skua(*provisioning(place, file)), USAGE, "invalid_argument", "tightened, not loosened")


# ---- mixed -------------------------------------------------------------------------------------------------


def test_mixed_compiles_and_is_judged(skua, place, source, data_set):
    network = onnx.load(source)
    network.graph.node[-1].name = "head/product"
    onnx.save(network, source)
    out = place.folder / "mixed.onnx"
    keep = ("--keep-fp32", "head/*")
    skua.ok("quantize", source, "--precision", "mixed", *keep, "--calibration-dataset", data_set, "--out", out)
    engine = skua.ok(*compiling(out, place, data_set, source, *keep, precision="mixed"))["engine"]
    assert engine["precision"] == "mixed" and engine["proof"]["accuracy.samples"] == str(COUNT)
    assert engine["calibration"]["sample_count"] == 0
    result = skua(*compiling(out, place, data_set, source, precision="mixed"))
    programs.error_of(result, BUILD_FAILED, "precision_not_supported")
    result = skua(*compiling(out, place, data_set, source, "--keep-fp32", "none/*", precision="mixed"))
    programs.error_of(result, BUILD_FAILED, "precision_not_supported", "none/*")
    result = skua(*compiling(out, place, data_set, source))
    programs.error_of(result, BUILD_FAILED, "calibration_mismatch", "precision")


# ---- the demo's networks -----------------------------------------------------------------------------------

CALIBRATING, JUDGING = ("camera", "gravel", "grass", "hubble"), ("coffee", "astronaut", "retina")
CORNERS_STAY = ("--keep-fp32", "/corners/*", "--keep-fp32", "/gradients/*")


def pictures(name):
    """A photograph and its warped copy."""
    image = evaluate.photograph(name)
    return image, evaluate.warp(image, evaluate.known_homography(image.shape))


def engine(skua, place, cache, name, inputs):
    """The network in this cache as a function of arrays."""
    def run(*arrays):
        words = []
        for key, values in zip(inputs, arrays, strict=True):
            np.save(place.folder / f"{key}.npy", values)
            words += ["--input", f"{key}={place.folder / key}.npy"]
        report = skua.ok("run", cache, name, *words, "--output-dir", place.folder / "out", "--json")
        return [np.load(file) for file in report["runs"][0]["outputs"].values()]
    return run


def networks_of(skua, place, cache):
    return [engine(skua, place, cache, name, [value.name for value in onnx.load(place.models / f"{name}.onnx").graph.input])
            for name in ("demo_features", "demo_matcher")]


def correct_matches(features, matcher, name):
    image, warped = pictures(name)
    points = evaluate.match_pair(features, matcher, image, warped)
    return int(evaluate.score_matches(*points, evaluate.known_homography(image.shape))["correct"])


def write_real_samples(place, features):
    """Photographs for the features, pairs of what float32 finds in them for the matcher."""
    inputs = [value.name for value in onnx.load(place.models / "demo_matcher.onnx").graph.input]
    folders = {name: place.folder / name for name in ("demo_features", "demo_matcher")}
    for folder in folders.values():
        folder.mkdir()
    for name in CALIBRATING:
        images = pictures(name)
        found = [features(image[None, None]) for image in images]
        places = [evaluate.normalise_keypoints(each[0], evaluate.IMAGE_SIZE) for each in found]
        np.savez(folders["demo_matcher"] / f"{name}.npz",
                 **dict(zip(inputs, (*places, *(each[2] for each in found)), strict=True)))
        for number, image in enumerate(images):
            np.savez(folders["demo_features"] / f"{name}_{number}.npz", image=image[None, None])
    return folders


def test_the_demo_in_int8_finds_what_float32_finds(skua, place):
    """The figure that is asked of int8: engines of Skua's, photographs that calibrated nothing."""
    subprocess.run([sys.executable, programs.ROOT / "models" / "make_demo.py", "--out", place.models], check=True)
    wide, narrow = place.folder / "wide", place.folder / "narrow"
    for name in ("demo_features", "demo_matcher"):
        skua.ok("compile", place.models / f"{name}.onnx", "--out", wide, "--precision", "fp32", *CPU)
    reference = networks_of(skua, place, wide)
    for name, data in write_real_samples(place, reference[0]).items():
        out = place.folder / "int8" / f"{name}.onnx"
        keep = CORNERS_STAY if name == "demo_features" else ()
        skua.ok("quantize", place.models / f"{name}.onnx", "--precision", "int8", "--calibration-dataset", data, "--out", out,
                *keep)
        skua.ok("compile", out, "--out", narrow, "--precision", "int8", "--calibration-dataset", data, "--fp32-source",
                place.models / f"{name}.onnx", *CPU)
    quantised = networks_of(skua, place, narrow)
    kept = {name: correct_matches(*quantised, name) / correct_matches(*reference, name) for name in JUDGING}
    print("int8, share of float32's correct matches:", kept)
    assert min(kept.values()) >= 0.95
