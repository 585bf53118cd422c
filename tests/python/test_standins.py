"""The stand-ins of the networks that fly, at the scale of tests. Their weights are random: what they output
means nothing, and nothing here asks what it means."""

from __future__ import annotations

import json
from pathlib import Path

import model_checks
import numpy as np
import onnx
import pytest
import torch
from model_checks import METADATA_KEYS, MODELS_DIR
from standin_checks import differs, golden_of, networks_of, run_onnx, run_torch, session
from standin_set import generate

import make_standins
import model_files
import standins
from skua_precision import graphs

NAMES = standins.NAMES
IMAGE_NAMES = tuple(name for name in NAMES if not name.startswith("lightglue"))
# Reordered float32 sums: measured up to 1.5e-6 (corner offsets, which are pixels).
SAME_FLOAT32 = 1e-5
NANO_LIMIT_BYTES = 1_000_000
FULL_ENGINE_BYTES = (50e6, 500e6)
FULL_SET_BYTES = (1.35e9, 1.6e9)


# Generation


def test_two_generations_are_byte_identical_whatever_was_made_before(nano: Path, tmp_path: Path) -> None:
    generate(tmp_path, "--only", "lightglue", "xfeat", "--precision", "fp16", hash_seed="2")
    written = sorted(path.name for path in tmp_path.iterdir())
    made = [name + suffix for name in ("lightglue", "xfeat") for suffix in (".golden", ".pt", "_fp16.onnx")]
    assert written == sorted([*made, "generated.json", "set.yaml", "set_torch.yaml"])
    for name in made:
        assert (tmp_path / name).read_bytes() == (nano / name).read_bytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_depend_on_name_and_scale_alone(nano: Path, name: str) -> None:
    torch.manual_seed(123)
    again = model_files.weights_sha256(standins.build(standins.standin(name, "nano"), "nano").network)
    assert again == model_checks.onnx_metadata(nano / f"{name}.onnx")["skua.weights_sha256"]


def test_what_is_up_to_date_is_left_alone_and_what_is_not_is_made_again(
    nano: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    # This process has other tests, threads among them: no settings, no fork.
    monkeypatch.setattr(make_standins, "prepare_torch", lambda: None)
    monkeypatch.setattr(make_standins, "in_child", lambda function, *arguments: function(*arguments))
    for path in nano.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "adhop.pt").write_bytes(b"x")
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    make_standins.make("nano", list(NAMES), ["fp32", "fp16"], tmp_path)
    told = capsys.readouterr().err
    left = {line.split(" is up")[0] for line in told.splitlines() if "up to date" in line}
    assert left == set(NAMES) - {"adhop"}
    after = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    remade = {name for name in before if after[name] != before[name]}
    expected = {name for name in before if name.startswith("adhop")}
    assert remade - {"generated.json", "set.yaml", "set_fp32.yaml", "set_torch.yaml"} == expected
    assert model_checks.torch_weights_digest(tmp_path / "adhop.pt") == model_checks.torch_weights_digest(
        nano / "adhop.pt")


def test_the_record_knows_every_source_of_the_generator(nano: Path) -> None:
    record = json.loads((nano / "generated.json").read_text())
    maker = make_standins.identity(make_standins.SOURCES, make_standins.PACKAGES)
    assert record["generator"] == maker | {"scale": "nano"} and "random weights" in record["note"]
    sources = {path.name for path in MODELS_DIR.glob("standin*.py")}
    assert sources | {"make_standins.py", "model_files.py", "golden.py"} <= set(make_standins.SOURCES)


# What the files hold


@pytest.mark.parametrize("name", NAMES)
def test_every_file_carries_the_same_model_id_and_digest(nano: Path, name: str) -> None:
    keys = (*METADATA_KEYS, "skua.weights")
    stated = model_checks.onnx_metadata(nano / f"{name}.onnx")
    assert {key: stated[key] for key in keys} == model_checks.torch_metadata(nano / f"{name}.pt", keys)
    assert "random" in stated["skua.weights"] and stated["skua.model_id"] == f"skua-standin-nano-{name}-1"
    half = model_checks.onnx_metadata(nano / f"{name}_fp16.onnx")
    assert {key: half[key] for key in keys} == {key: stated[key] for key in keys}
    assert half["skua.converter"].startswith("skua quantize fp16")
    assert model_checks.onnx_weights_digest(nano / f"{name}.onnx") == stated["skua.weights_sha256"]
    assert model_checks.torch_weights_digest(nano / f"{name}.pt") == stated["skua.weights_sha256"]


def unread_weights(path: Path, names: set[str]) -> set[str]:
    """Those of the weights that reach no output, or that no node reads together with something that depends
    on an input: an optimiser could compute them away."""
    graph = onnx.load(path).graph
    makers = {out: node for node in graph.node for out in node.output}
    needed, stack = set(), [o.name for o in graph.output]
    while stack:
        node = makers.get(stack.pop())
        if node is not None and node.output[0] not in needed:
            needed.add(node.output[0])
            stack.extend(graphs.values_read(node))
    moving = {i.name for i in graph.input}
    used: set[str] = set()
    for node in graph.node:  # in topological order
        # Shape gives no data: what only it feeds is constant for a given input size.
        if node.op_type != "Shape" and moving & set(node.input):
            moving |= set(node.output)
            used |= names & set(node.input) if node.output[0] in needed else set()
    return names - used


@pytest.mark.parametrize("suffix", [".onnx", "_fp16.onnx"])
@pytest.mark.parametrize("name", NAMES)
def test_every_weight_is_really_read(nano: Path, name: str, suffix: str) -> None:
    names = set(torch.jit.load(str(nano / f"{name}.pt")).state_dict())
    assert unread_weights(nano / f"{name}{suffix}", names) == set()


def test_a_weight_that_is_not_read_is_noticed(nano: Path, tmp_path: Path) -> None:
    proto = onnx.load(nano / "adhop.onnx")
    extra = onnx.numpy_helper.from_array(np.ones(8, np.float32), "idle")
    proto.graph.initializer.append(extra)
    proto.graph.node.append(onnx.helper.make_node("Add", ["idle", "idle"], ["twice"]))
    onnx.save(proto, tmp_path / "idle.onnx")
    assert unread_weights(tmp_path / "idle.onnx", {"idle", "corners.weight"}) == {"idle"}


@pytest.mark.parametrize("name", NAMES)
def test_a_nano_network_is_small(nano: Path, name: str) -> None:
    assert (nano / f"{name}.onnx").stat().st_size < NANO_LIMIT_BYTES


def full_half_bytes(name: str) -> int:
    """Of the weights of the full network, which are not made for this."""
    with torch.device("meta"):
        network = standins.standin(name, "full").make_network()
    return 2 * sum(tensor.numel() for tensor in network.state_dict().values())


def test_the_full_set_has_the_real_ones_sizes() -> None:
    sizes = {name: full_half_bytes(name) for name in NAMES}
    low, high = FULL_ENGINE_BYTES
    assert all(low <= size <= high for size in sizes.values()), sizes
    assert FULL_SET_BYTES[0] <= sum(sizes.values()) <= FULL_SET_BYTES[1], sizes


def test_only_ultravpr_takes_half_and_none_gives_it(nano: Path) -> None:
    for name in NAMES:
        for suffix in (".onnx", "_fp16.onnx"):
            ready = session(nano / f"{name}{suffix}")
            has_half = {"tensor(float16)"} == {i.type for i in ready.get_inputs()}
            assert has_half == (name == "ultravpr"), (name, suffix)
            assert {o.type for o in ready.get_outputs()} <= {"tensor(float)", "tensor(int64)"}


def test_ultravpr_keeps_its_contract_at_both_scales(nano: Path) -> None:
    inputs, expected = golden_of(nano, "ultravpr")
    assert {k: (v.shape, v.dtype) for k, v in inputs.items()} == {"image": ((1, 3, 384, 384), np.float16)}
    assert expected["embedding"].shape == (1, 512)
    full = standins.standin("ultravpr", "full").make_inputs()["image"]
    assert (tuple(full.shape), full.dtype) == ((1, 3, 384, 384), torch.float16)


# Agreement


@pytest.mark.parametrize("kind", ["onnx", "onnx unoptimised", "torchscript"])
@pytest.mark.parametrize("name", NAMES)
def test_every_float32_form_reproduces_the_golden_vectors(nano: Path, name: str, kind: str) -> None:
    inputs, expected = golden_of(nano, name)
    if kind == "torchscript":
        found = run_torch(nano / f"{name}.pt", inputs, list(expected))
    else:
        found = run_onnx(nano / f"{name}.onnx", inputs, kind == "onnx")
    for output, values in expected.items():
        assert not differs(found[output], values, {"absolute": SAME_FLOAT32, "relative": 0}), output


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_stays_within_the_tolerances_of_the_set(nano: Path, name: str, kind: str) -> None:
    """TorchScript computes in half, as a GPU would; ONNX Runtime's CPU widens half weights."""
    tolerances = networks_of(nano)[name]["tolerances"]
    inputs, expected = golden_of(nano, name)
    if kind == "onnx":
        found = run_onnx(nano / f"{name}_fp16.onnx", inputs)
    else:
        found = run_torch(nano / f"{name}.pt", inputs, list(expected), is_half=True)
    assert set(tolerances) == set(expected)
    for output, values in expected.items():
        assert not differs(found[output], values, tolerances[output]), output


@pytest.mark.parametrize("name", NAMES)
def test_the_tolerances_refuse_a_slightly_different_network(nano: Path, name: str) -> None:
    """Every weight is off by up to 5 %, which averages out over a sum: less than one wrong layer does."""
    tolerances = networks_of(nano)[name]["tolerances"]
    inputs, expected = golden_of(nano, name)
    network = torch.jit.load(str(nano / f"{name}.pt"))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for _, tensor in network.named_parameters():
            tensor *= 1.0 + 0.05 * (2.0 * torch.rand(tensor.shape, generator=generator) - 1.0)
    found = model_files.run_network(network, {k: torch.from_numpy(v.copy()) for k, v in inputs.items()})
    moved = [output for (output, values), tensor in zip(expected.items(), found, strict=True)
             if differs(tensor.numpy(), values, tolerances[output])]
    assert moved, "no tolerance noticed"


@pytest.mark.parametrize("name", IMAGE_NAMES)
def test_every_input_reaches_the_outputs(nano: Path, name: str) -> None:
    tolerances = networks_of(nano)[name]["tolerances"]
    inputs, expected = golden_of(nano, name)
    for changed, values in inputs.items():
        found = run_onnx(nano / f"{name}.onnx", inputs | {changed: values[:, :, ::-1].copy()})
        assert [o for o, v in expected.items() if differs(found[o], v, tolerances[o])], changed


# What the outputs are like


@pytest.mark.parametrize("suffix", [".onnx", "_fp16.onnx"])
@pytest.mark.parametrize(("name", "output", "axis"), [
    ("ultravpr", "embedding", 1), ("netvlad", "embedding", 1), ("disk", "descriptors", 1),
    ("aliked", "descriptors", 2), ("xfeat", "features", 1)])
def test_descriptors_have_length_one(nano: Path, name: str, output: str, axis: int, suffix: str) -> None:
    inputs, _ = golden_of(nano, name)
    norms = np.linalg.norm(run_onnx(nano / f"{name}{suffix}", inputs)[output], axis=axis)
    np.testing.assert_allclose(norms, 1.0, atol=2e-3 if "fp16" in suffix else 1e-5)


def test_the_maps_have_their_shapes_and_ranges(nano: Path) -> None:
    found = {name: golden_of(nano, name)[1] for name in ("disk", "aliked", "xfeat", "adhop")}
    shapes = {name: {o: v.shape for o, v in outputs.items()} for name, outputs in found.items()}
    assert shapes == {
        "disk": {"heatmap": (1, 1, 96, 128), "descriptors": (1, 128, 24, 32)},
        "aliked": {"score_map": (1, 1, 96, 128), "keypoints": (1, 192, 2), "scores": (1, 192),
                   "descriptors": (1, 192, 128)},
        "xfeat": {"features": (1, 64, 12, 16), "heatmap": (1, 1, 96, 128), "reliability": (1, 1, 12, 16)},
        "adhop": {"corner_offsets": (1, 4, 2), "confidence": (1, 1)},
    }
    cells = found["xfeat"]["heatmap"].reshape(12, 8, 16, 8).sum((1, 3))
    assert (cells > 0).all() and (cells < 1).all()
    pixels = (found["aliked"]["keypoints"][0] + 1) / 2 * (128, 96)
    rows, columns = np.divmod(np.arange(192), 16)
    assert (pixels // 8 == np.stack([columns, rows], 1)).all()
    assert 0 < found["aliked"]["score_map"].min() and found["aliked"]["score_map"].max() < 1
    assert np.abs(found["adhop"]["corner_offsets"]).max() < 32
