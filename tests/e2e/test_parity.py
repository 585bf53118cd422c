"""Parity: every network of models/ through both runtimes, and the one table of how far they may be apart.

An output that moved fails, and so does an entry of the table that was loosened past what is measured.
"""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import programs
from places import Place

sys.path.insert(0, str(programs.ROOT / "scripts"))
import parity  # noqa: E402  (scripts/ is no package)
from parity import table  # noqa: E402
from tolerances import Tolerance, compare  # noqa: E402

golden = sys.modules.get("golden") or __import__("golden")  # models/ is on the path since parity
ENTRIES = [(name, output, way) for name, outputs in table.TABLE.items() for output in outputs for way in table.WAYS]
LOOSER = 10  # more than each TOO_WIDE
MODEL_EXTRAS = ("skua.model_id", "skua.weights_sha256", "skua.exporter", "skua.io")


@pytest.fixture(scope="module", name="demo")
def demo_models(tmp_path_factory):
    out = tmp_path_factory.mktemp("parity") / "demo"
    subprocess.run([sys.executable, programs.ROOT / "models" / "make_demo.py", "--out", out], check=True)
    return out


@pytest.fixture(scope="module", name="cases")
def networks_and_inputs():
    return parity.cases()


@pytest.fixture(scope="module", name="work")
def folder_of_runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module", name="outputs")
def outputs_of_all(demo, nano, cases, work):
    """Every network in every way, on every input."""
    return parity.run_all(programs.SKUA, demo, nano, work, cases)


@pytest.fixture(scope="module", name="measured")
def differences_of_all(outputs, cases):
    return parity.measure(outputs, cases)


def differences(cases, outputs, entry, tolerance):
    """Of one entry, per input, by another tolerance than the table's."""
    name, output, way = entry
    (case,) = [case for case in cases if case.name == name]
    allowed = table.tolerances(name, way) | {output: tolerance}
    return [compare(one, expected, allowed)[output]
            for one, expected in zip(outputs[name, way], case.expected, strict=True)]


def test_every_entry_holds_and_none_is_too_wide(measured):
    assert sorted(measured) == sorted(ENTRIES)
    assert parity.complaints(measured) == []


@pytest.mark.parametrize("entry", ENTRIES, ids="-".join)
def test_control_a_loosened_entry_is_noticed(cases, outputs, entry):
    tolerance = table.TABLE[entry[0]][entry[1]].of(entry[2])
    for looser in (replace(tolerance, absolute=LOOSER * tolerance.absolute or 0.5),
                   replace(tolerance, share=min(1.0, LOOSER * tolerance.share or 0.05))):
        found = differences(cases, outputs, entry, looser)
        assert table.complaints(looser, entry[2], found), f"{looser} instead of {tolerance} was not noticed"


@pytest.mark.parametrize("entry", ENTRIES, ids="-".join)
def test_control_a_moved_output_is_noticed(cases, outputs, entry):
    """All values by three times what is allowed; a whole one where nothing is."""
    name, output, way = entry
    tolerance = table.TABLE[name][output].of(way)
    moved = [{**one, output: one[output] + np.array(3 * tolerance.absolute or 1, one[output].dtype)}
             for one in outputs[name, way]]
    found = differences(cases, {(name, way): moved}, entry, tolerance)
    assert any("too far away" in text for text in table.complaints(tolerance, way, found))


def test_shapes_that_depend_on_the_data_are_compared(outputs, cases):
    """The matcher of any number of keypoints found matches, another number of keypoints per input."""
    (case,) = [case for case in cases if case.name == "lightglue"]
    counts = [(len(one["kpts0"][0]), len(one["kpts1"][0])) for one in case.inputs]
    assert counts[0] == counts[1][::-1] and counts[0][0] != counts[0][1]
    for way in table.WAYS:
        assert all(len(one["matches"]) >= 10 for one in outputs["lightglue", way])


def test_the_page_has_the_table(measured):
    """docs/reference/parity.md holds the rows, tolerances and reasons of today; figures may be another machine's."""
    committed = parity.PAGE.read_text("ascii")
    assert parity.without_figures(committed) == parity.without_figures(parity.page(measured)), "make parity"


def test_control_the_page_is_compared(measured, monkeypatch):
    committed = parity.without_figures(parity.page(measured))
    entry = table.TABLE["disk"]["heatmap"]
    for changed in (replace(entry, widened=Tolerance(0.02)), replace(entry, why="because")):
        monkeypatch.setitem(table.TABLE["disk"], "heatmap", changed)
        assert parity.without_figures(parity.page(measured)) != committed


# ---- the gate holds the demo set to the same table -------------------------------------------------------------------

def provision_one(skua, place, demo, nano, name, way="widened", **changed):
    """Provisions one network with the table's tolerances and some fields changed."""
    (network,) = [entry for entry in parity.networks(demo, nano, way) if entry["name"] == name]
    settings = {"runtime": None, "execution_provider": None} | parity.SETTINGS[way][0]
    yaml = place.set_yaml([{key: value for key, value in (network | changed).items() if value is not None}], **settings)
    return skua(*place.provision_arguments(yaml), "--json")


def other_weights(source, target):
    """The same network, each weight off by a random part of 5 %."""
    extras = dict.fromkeys(MODEL_EXTRAS, "")
    module = torch.jit.load(str(source), _extra_files=extras)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weights in module.state_dict().values():
            if weights.is_floating_point():
                noise = 2.0 * torch.rand(weights.shape, generator=generator) - 1.0
                weights *= 1.0 + 0.05 * (noise if weights.dim() else 1.0)
    torch.jit.save(module, str(target), _extra_files=extras)
    return target


@pytest.mark.parametrize("name", parity.DEMO)
def test_the_gate_refuses_other_weights(skua, demo, nano, tmp_path, name):
    wrong = other_weights(demo / f"{name}.pt", tmp_path / f"{name}.pt")
    result = provision_one(skua, Place(tmp_path), demo, nano, name, pt=wrong, onnx=None)
    programs.error_of(result, programs.BUILD_FAILED, "golden_mismatch")
    assert not (tmp_path / "sets" / "CURRENT").exists()


def test_the_gate_refuses_descriptors_of_other_keypoints(skua, demo, nano, tmp_path):
    tensors = golden.read(demo / "demo_features.golden")
    changed = [replace(t, values=np.roll(t.values, 1, axis=1)) if t.name == "descriptors" else t for t in tensors]
    golden.write(tmp_path / "wrong.golden", changed)
    result = provision_one(skua, Place(tmp_path), demo, nano, "demo_features",
                           golden={"file": tmp_path / "wrong.golden", "origin": "a test"})
    programs.error_of(result, programs.BUILD_FAILED, "golden_mismatch", "descriptors")


@pytest.mark.usefixtures("outputs")
@pytest.mark.parametrize("way", ["widened", "native"])
def test_control_the_gate_accepted_the_right_ones(work, way):
    """Without a word about the runtime the set is PyTorch's, widened."""
    records = [json.loads(path.read_text("ascii"))["engine"] for path in (work / f"cache_{way}").glob("*.pt.json")]
    assert {record["model"] for record in records} == set(table.TABLE)
    for record in records:
        assert (record["runtime_label"], record["precision"]) == ("pytorch_fp16", "fp16")
        assert (record["options"]["device"], record["options"]["arithmetic"]) == ("cpu", way)
        assert {name: (one["absolute"], one["max_mismatch_fraction"])
                for name, one in record["golden"]["tolerances"].items()} == {
            name: (one.absolute, one.share) for name, one in table.tolerances(record["model"], way).items()}
