"""What becomes of a TorchScript network's values: what is half in the artifact, what is not, and what it computes."""

import numpy as np
import pytest
import torch

import programs
import tiny_torchscripts as tiny
from torch_places import NATIVE, WIDENED, beside, compiled, engine, outputs_of, refuse, row, run

HALF, SINGLE = torch.float16, torch.float32


def graph_constants(block):
    """Tensors of a graph's constants, those of its inner blocks included."""
    for node in block.nodes():
        for inner in node.blocks():
            yield from graph_constants(inner)
        if node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t":
            yield node.t("value")


def held(module):
    """[(where, tensor)]: all that an archive holds, in whichever method."""
    found = [(name, value) for name, value in [*module.named_parameters(), *module.named_buffers()]]
    for name, child in module.named_modules():
        for attribute in dir(child):
            value = getattr(child, attribute, None) if not attribute.startswith("_") else None
            found += [(f"{name}.{attribute}", value)] if isinstance(value, torch.Tensor) else []
        if hasattr(child, "graph"):
            found += [(f"{name} constant", value) for value in graph_constants(child.graph)]
    return found


def floating(module, least_rank=0):
    return {(where, value.dtype) for where, value in held(module)
            if value.is_floating_point() and value.dim() >= least_rank}


@pytest.mark.parametrize("is_traced", [False, True])
def test_nothing_stays_in_single_precision(skua, place, is_traced):
    """Parameters, buffers, attributes, a submodule's, and in a trace the constants of its graph."""
    network = tiny.Holds().eval()
    model = tiny.save(place.models / "holds.pt", tiny.trace(network) if is_traced else network)
    source = tiny.load(model)
    assert {dtype for _, dtype in floating(source)} == {SINGLE}  # control: what it was
    assert any("constant" in where for where, _ in floating(source, least_rank=1)) == is_traced
    record = compiled(skua, model, place.cache)
    artifact = tiny.load(engine(place.cache, "holds"))
    assert {dtype for _, dtype in floating(artifact, least_rank=1)} == {HALF}
    assert {where for where, _ in floating(artifact)} >= {where for where, _ in floating(source, least_rank=1)}
    for name in ("index", "mask"):  # not floating: as they were
        assert torch.equal(getattr(artifact, name), getattr(source, name))
    for (_, half), (_, single) in zip(artifact.named_parameters(), source.named_parameters()):
        assert torch.equal(half, single.half())
    assert record["proof"]["tensors.not_floating"] == "2" and record["proof"]["values.underflowed_to_zero"] == "0"
    assert int(record["proof"]["tensors.fp16"]) >= 5
    expected = network(torch.from_numpy(row())).detach().numpy()
    found = outputs_of(run(skua, place.cache, {"x": row()}, model="holds"))["output"]
    assert np.allclose(found, expected, atol=5e-3, rtol=1e-2)


@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize("arithmetic", ["widened", "native"])
def test_island_of_single_precision(skua, place, is_traced, arithmetic):
    """.float() says where single precision is needed: 1e-9 of a value survives, and would not in half."""
    network = tiny.Island().eval()
    model = tiny.save(place.models / "island.pt", tiny.trace(network) if is_traced else network)
    record = compiled(skua, model, place.cache, "--set", f"arithmetic={arithmetic}")
    assert record["options"]["computed.output"] == "float32"
    found = outputs_of(run(skua, place.cache, {"x": row()}, model="island"))["output"]
    assert np.allclose(found, network(torch.from_numpy(row())).detach().numpy(), atol=5e-3) and found.any()
    assert not ((network(torch.from_numpy(row())).half() * 1e-9) * 1e9).any()  # control: half loses it


@pytest.mark.parametrize("value, words", [(65520.0, "1 values"), (-1e6, "1 values"), (3e38, "65504")])
def test_parameter_that_overflows(skua, place, torch_original, value, words):
    model = tiny.save(place.models / "weights.pt", tiny.OneWeight([1.0] * 7 + [value]))
    refuse(skua, model, torch_original.cache, "precision_not_supported", model, "'w'", words)


@pytest.mark.parametrize("value", [65504.0, 65519.0, float("inf"), float("nan")])
def test_control_parameter_that_does_not_overflow(skua, place, value):
    """The largest half, what rounds to it, and what is no number in the source either."""
    model = tiny.save(place.models / "weights.pt", tiny.OneWeight([1.0] * 7 + [value]))
    compiled(skua, model, place.cache)
    found = outputs_of(run(skua, place.cache, {"x": np.ones((1, 8), np.float32)}, model="weights"))["output"]
    assert np.array_equal(found[0, 7], np.float32(np.float16(value)), equal_nan=True)


def test_values_that_underflow_are_counted(skua, place):
    """Accepted: a weight that small rarely matters, and where it does, the golden vectors show it."""
    weights = [1.0, 1e-9, -1e-9, 2.0, 0.0, 6e-8, 1e-12, 1.0]  # 6e-8 is a half, though a subnormal one
    model = tiny.save(place.models / "weights.pt", tiny.OneWeight(weights))
    proof = compiled(skua, model, place.cache)["proof"]
    assert proof["values.underflowed_to_zero"] == "3" and proof["values.underflowed_first_in"] == "w"
    report = skua.ok("inspect", engine(place.cache, "weights"), "--json")
    assert '"values.underflowed_to_zero": "3"' in str(report).replace("'", '"')
    tiny.save(model, tiny.OneWeight([1.0] * 8))  # control
    assert compiled(skua, model, place.cache)["proof"]["values.underflowed_to_zero"] == "0"


def test_underflow_that_matters_is_refused(skua, place, torch_original):
    """(x 1e-9) 1e9, the 1e-9 being a weight: half precision gives zero, and the golden vectors say so."""
    model = tiny.save(place.models / "scaled.pt", tiny.ScaledDownAndUp())
    refuse(skua, model, torch_original.cache, "golden_mismatch", "output")


def test_native_arithmetic(skua, place):
    """Asked for, recorded, reported; another result than the widened one, within half precision."""
    model = tiny.save(place.models / "net.pt", tiny.Holds())
    found = {}
    for arithmetic, text in (("native", NATIVE), ("widened", WIDENED)):
        record = compiled(skua, model, place.cache, "--set", f"arithmetic={arithmetic}")
        assert record["arithmetic"] == text and record["options"]["arithmetic"] == arithmetic
        result = run(skua, place.cache, {"x": row()}, model="net")
        found[arithmetic] = outputs_of(result)["output"]
        assert programs.document(result)["engine"]["arithmetic"] == text
        assert (found[arithmetic] == found[arithmetic].astype(np.float16)).all()  # both are halves
    assert np.allclose(found["native"], found["widened"], atol=5e-3, rtol=1e-2)
    assert (found["native"] != found["widened"]).any()


def test_inputs_are_rounded_as_half(skua, torch_flight):
    """Two inputs that are one half give one result, bit for bit; two halves do not."""
    flight = torch_flight
    near = row() + np.float32(1e-6)
    assert (near != row()).any() and (near.astype(np.float16) == row().astype(np.float16)).all()
    far = (row() + np.float32(0.01)).astype(np.float32)
    found = [outputs_of(run(skua, flight.cache, {"x": given}))["y"].tobytes() for given in (row(), near, far)]
    assert found[0] == found[1] != found[2]


def test_artifact_is_not_frozen(skua, torch_flight):
    """A frozen one could not be widened any more: its weights would be constants of the graph."""
    artifact = tiny.load(engine(torch_flight.cache))
    assert [name for name, _ in artifact.named_parameters()] == ["w"] and not artifact.training
    with tiny.quiet():
        frozen = torch.jit.freeze(artifact)
    assert not list(frozen.named_parameters())  # control: what freezing does
    assert beside(engine(torch_flight.cache), ".json").exists()
