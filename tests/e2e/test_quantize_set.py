"""The stand-ins of the networks that fly, at the scale of tests: their half set is provisioned, verified and
run. Their weights are random: what they output means nothing."""

import json

import numpy as np
import pytest

import programs
from places import Place
from test_main_job import golden

NAMES = {"ultravpr", "netvlad", "disk", "aliked", "xfeat", "lightglue", "lightglue_batched", "adhop"}


@pytest.fixture(scope="module", name="standins")
def provisioned_standins(nano, tmp_path_factory):
    """A place whose models are the stand-ins, and a published set of them."""
    place = Place(tmp_path_factory.mktemp("standins"))
    home = place.folder / "home"
    home.mkdir()
    place.models = nano
    place.skua = programs.Programs(home)
    place.report = place.skua.ok(*place.provision_arguments(place.models / "set.yaml"), "--json")
    return place


def test_the_set_is_published_and_verifies(standins):
    assert standins.report["is_published"] and {e["name"] for e in standins.report["engines"]} == NAMES
    report = standins.skua.ok("verify", standins.sets, *programs.UNSIGNED, "--json")
    assert sum(entry["kind"] == "engine" for entry in report["files"]) == len(NAMES)


def test_a_second_provisioning_has_nothing_to_do(standins):
    report = standins.skua.ok(*standins.provision_arguments(standins.models / "set.yaml"), "--json")
    assert not report["is_published"] and all(engine["is_reused"] for engine in report["engines"])


@pytest.mark.parametrize("name", ["ultravpr", "lightglue"])
def test_an_engine_of_the_set_reproduces_its_golden_vectors(standins, tmp_path, name):
    tensors = golden.read(standins.models / f"{name}.golden")
    arguments = []
    for tensor in tensors:
        if tensor.role == golden.INPUT:
            np.save(tmp_path / f"{tensor.name}.npy", tensor.values)
            arguments += ["--input", f"{tensor.name}={tmp_path / tensor.name}.npy"]
    report = standins.skua.ok("run", standins.sets, name, *arguments, "--output-dir", tmp_path / "out",
                              *programs.UNSIGNED, "--json")
    (only,) = report["runs"]
    expected = {t.name: t.values for t in tensors if t.role == golden.EXPECTED}
    assert set(only["outputs"]) == set(expected)
    for output, values in expected.items():
        found = np.load(only["outputs"][output])
        assert found.dtype == values.dtype and found.shape == values.shape
        np.testing.assert_allclose(found, values, atol=2e-3)


def test_the_golden_run_refuses_outputs_that_moved(standins, tmp_path):
    """Expected offsets that are wrong by a twentieth of a pixel stop provisioning; the right ones do not."""
    text = (standins.models / "set.yaml").read_text().split("\n", 1)[1]
    document = json.loads(text)
    document["networks"] = [n for n in document["networks"] if n["name"] == "adhop"]
    network = document["networks"][0]
    for key in ("onnx", "pt"):
        network[key] = str(standins.models / network[key])
    source = golden.read(standins.models / "adhop.golden")
    shift = {golden.INPUT: np.float32(0), golden.EXPECTED: np.float32(0.05)}
    moved = [golden.GoldenTensor(t.role, t.name, t.values + shift[t.role]) for t in source]
    golden.write(tmp_path / "adhop.golden", moved)
    arguments = ["provision", tmp_path / "set.yaml", "--out", tmp_path / "sets", "--cache", tmp_path / "cache"]
    for file, is_refused in ((tmp_path / "adhop.golden", True), (standins.models / "adhop.golden", False)):
        network["golden"]["file"] = str(file)
        (tmp_path / "set.yaml").write_text(json.dumps(document))
        if is_refused:
            programs.error_of(standins.skua(*arguments, "--json"), programs.BUILD_FAILED, "golden_mismatch")
        else:
            standins.skua.ok(*arguments)


def test_the_torch_set_is_the_default_runtimes(standins, tmp_path):
    """It names no runtime; its tolerances are those of the half set."""
    arguments = ("--out", tmp_path / "sets", "--cache", tmp_path / "cache", "--json")
    report = standins.skua.ok("provision", standins.models / "set_torch.yaml", *arguments)
    assert report["is_published"] and {e["name"] for e in report["engines"]} == NAMES
    for record in (tmp_path / "cache").glob("*.pt.json"):
        engine = json.loads(record.read_text("ascii"))["engine"]
        assert (engine["runtime_label"], engine["arithmetic"]) == ("pytorch_fp16", "fp16 weights, fp32 arithmetic")
    documents = [json.loads((standins.models / file).read_text().split("\n", 1)[1]) for file in
                 ("set_torch.yaml", "set.yaml")]
    tolerances = [[network["tolerances"] for network in document["networks"]] for document in documents]
    assert tolerances[0] == tolerances[1] and "runtime" not in documents[0]
    standins.skua.ok("verify", tmp_path / "sets", *programs.UNSIGNED)


def test_inspect_says_that_the_weights_are_random(standins):
    for file in ("netvlad.onnx", "netvlad_fp16.onnx", "netvlad.pt"):
        assert "random" in standins.skua.ok("inspect", standins.models / file).stdout
