"""Every network of models/ as a plan on the software-in-the-loop SDK, against onnx_trt_ep on the CPU: equal to the bit.

The numbers of both come from the same kernels, so that any difference is a defect of what lies between: shapes, copies,
order, memory. Needs a build over that SDK (SKUA_BUILD_DIR=build/sil, `make sil`).
"""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import programs
from places import write_set_yaml

sys.path.insert(0, str(programs.ROOT / "scripts"))
import parity  # noqa: E402  (scripts/ is no package)
from parity import table  # noqa: E402

RUNTIMES = {"tensorrt": {"runtime": "tensorrt", "execution_provider": None},
            "onnx": {"runtime": "onnx_trt_ep", "execution_provider": "cpu"}}
NETWORKS = (*table.TABLE, *(f"{name}_half" for name in table.TABLE if name not in parity.DEMO))
PERTURBED = ("demo_vpr", "adhop", "lightglue_batched")


def entries(demo, nano):
    """Of SET.yaml: all networks in fp32, and the stand-ins with half weights beside them; inputs and outputs stay float32."""
    found = parity.networks(demo, nano, "onnx")
    for entry in json.loads((nano / "set.yaml").read_text().split("\n", 1)[1])["networks"]:
        golden = entry["golden"] | {"file": nano / entry["golden"]["file"]}
        found.append(entry | {"name": f"{entry['name']}_half", "onnx": nano / entry["onnx"], "golden": golden})
    return [{key: value for key, value in entry.items() if key != "pt"} for entry in found]


class Runs:
    """The networks in one runtime: a set of their engines, and what they gave."""

    def __init__(self, skua, folder, name, networks):
        self.skua, self.folder = skua, folder / name
        self.folder.mkdir()
        yaml = write_set_yaml(self.folder / "SET.yaml", networks, **RUNTIMES[name.partition("-")[0]])
        skua.ok("provision", yaml, "--out", self.folder / "sets", "--cache", self.folder / "cache", timeout=600)

    def outputs(self, name, inputs):
        """Of every input, from one load of the engine."""
        arguments = []
        for i, one in enumerate(inputs):
            for key, values in one.items():
                np.save(self.folder / f"{name}-{key}-{i}.npy", values)
                arguments += ["--input", f"{key}={self.folder / f'{name}-{key}-{i}.npy'}"]
        report = self.skua.ok("run", self.folder / "cache", name, *arguments, "--output-dir", self.folder / "out" / name,
                              "--json", timeout=600)
        return report["engine"], [{key: np.load(file) for key, file in one["outputs"].items()} for one in report["runs"]]


def differences(found, expected):
    """Outputs that are not the same bytes in the same type and shape, by name and input."""
    told = []
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        told += [f"{key} of input {i}" for key in one.keys() | other.keys()
                 if key not in one or key not in other or one[key].dtype != other[key].dtype
                 or one[key].shape != other[key].shape or one[key].tobytes() != other[key].tobytes()]
    return told


def perturbed(source, target):
    """The network with its largest float tensor of weights off by a thousandth, as no rounding explains."""
    model = onnx.load(source)
    weights = max((each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT),
                  key=lambda each: np.prod(each.dims))
    values = numpy_helper.to_array(weights)
    weights.CopyFrom(numpy_helper.from_array((values * 1.001).astype(values.dtype), weights.name))
    onnx.save(model, target)
    return target


@pytest.fixture(scope="module", name="skua_sil")
def programs_over_the_sil(sil, tmp_path_factory):
    return programs.Programs(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module", name="demo")
def demo_models(sil, tmp_path_factory):
    out = tmp_path_factory.mktemp("tensorrt_parity") / "demo"
    subprocess.run([sys.executable, programs.ROOT / "models" / "make_demo.py", "--out", out], check=True)
    return out


@pytest.fixture(scope="module", name="cases")
def inputs_of_all(sil):
    return {case.name: case.inputs for case in parity.cases()}


@pytest.fixture(scope="module", name="work")
def folder_of_runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module", name="pair")
def both_runtimes(skua_sil, demo, nano, work):
    return [Runs(skua_sil, work, name, entries(demo, nano)) for name in RUNTIMES]


def inputs_of(cases, name):
    return cases[name.removesuffix("_half")]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_equal_to_the_bit(pair, cases, name):
    plans, sessions = pair
    engine, found = plans.outputs(name, inputs_of(cases, name))
    other, expected = sessions.outputs(name, inputs_of(cases, name))
    assert (engine["provider"], other["provider"]) == ("sil", "cpu")
    assert differences(found, expected) == []
    assert any(values.size and np.any(values) for one in found for values in one.values()), "nothing was compared"


def test_every_network_of_the_table_is_here(demo, nano):
    assert sorted(entry["name"] for entry in entries(demo, nano)) == sorted(NETWORKS)


@pytest.mark.parametrize("name", PERTURBED)
def test_control_a_plan_of_other_weights_is_noticed(skua_sil, demo, nano, work, pair, cases, tmp_path, name):
    """Within the gate's tolerances here, which are not what this test is about."""
    (entry,) = [each for each in entries(demo, nano) if each["name"] == name]
    wrong = {**entry, "onnx": perturbed(entry["onnx"], tmp_path / f"{name}.onnx"), "golden": None, "tolerances": None}
    plan = Runs(skua_sil, work, f"tensorrt-{name}", [{key: value for key, value in wrong.items() if value}])
    assert differences(plan.outputs(name, cases[name])[1], pair[1].outputs(name, cases[name])[1])


def test_control_one_wrong_bit_is_noticed():
    good = [{"y": np.arange(4, dtype=np.float32)}]
    bits = good[0]["y"].copy().view(np.uint32)
    bits[2] ^= 1
    assert differences(good, [{"y": good[0]["y"].copy()}]) == []
    assert differences(good, [{"y": bits.view(np.float32)}]) == ["y of input 0"]
    assert differences(good, [{"y": good[0]["y"].reshape(2, 2)}]) and differences(good, [{"z": good[0]["y"]}])
