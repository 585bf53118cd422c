"""Running TorchScript engines from a flight set: what is refused, what is passed on, and that results repeat."""

import json

import numpy as np
import pytest

import programs
import tiny_torchscripts as tiny
import trees
from programs import DONE, INFERENCE, USAGE
from torch_places import WIDENED, compiled, engine, outputs_of, row, run

NOTHING = np.zeros((0, tiny.WIDTH), np.float32)
REFUSED = {
    "other_name": ({"z": row()}, "missing_input", ("'x'",)),
    "one_too_many": ({"x": row(), "z": row()}, "unknown_name", ("'z'",)),
    "double": ({"x": row().astype(np.float64)}, "dtype_mismatch", ("float32", "float64")),
    "half": ({"x": row().astype(np.float16)}, "dtype_mismatch", ("float32", "float16")),
    "integers": ({"x": np.ones((1, 8), np.int64)}, "dtype_mismatch", ("float32", "int64")),
    "rank_1": ({"x": row(8)}, "shape_mismatch", ("1x8", "8")),
    "rank_3": ({"x": row(1, 8, 1)}, "shape_mismatch", ("1x8", "1x8x1")),
    "narrow": ({"x": row(1, 7)}, "shape_mismatch", ("1x8", "1x7")),
    "two_rows": ({"x": row(2, 8)}, "shape_mismatch", ("1x8", "2x8")),
    "no_rows": ({"x": NOTHING}, "shape_mismatch", ("1x8", "0x8")),
}


def test_set_says_what_it_was_made_for(torch_flight):
    """SET.yaml leaves device and arithmetic to the runtime; what they came to is written down, and bound to the set."""
    manifest = json.loads((torch_flight.current() / "flight-manifest.json").read_text("utf-8"))
    options = manifest["runtime_options"]
    assert options == {"device": "cpu", "arithmetic": "widened", "intra_op_threads": "1"}
    for artifact in manifest["artifacts"]:
        assert artifact["engine"]["options"]["device"] == "cpu"


def refused(skua, place, folder, arrays, status, reason, *words, more=(), model="matmul_relu"):
    before = trees.tree(place.cache), trees.tree(place.sets)
    error = programs.error_of(run(skua, folder, arrays, *more, model=model), status, reason, *words)
    assert (trees.tree(place.cache), trees.tree(place.sets)) == before
    assert not list((folder.parent / "out").glob("*")), "a refused run gave an output"
    return error


def test_control_the_set_runs_on_the_default_runtime(skua, torch_original, torch_flight):
    """SET.yaml names no runtime, `run` none either; cache and set give the same numbers, bit for bit."""
    assert "runtime" not in json.loads(torch_flight.yaml.read_text("ascii"))
    assert {entry["name"] for entry in torch_original.report["engines"]} == {"matmul_relu", "threes"}
    found = []
    for folder in (torch_flight.sets, torch_flight.cache):
        result = run(skua, folder, {"x": row()})
        found.append(outputs_of(result)["y"].tobytes())
        document = programs.document(result)["engine"]
        assert (document["runtime"], document["device"], document["arithmetic"]) == ("pytorch_fp16", "cpu", WIDENED)
        assert "arithmetic " + WIDENED in skua.ok("run", folder, "matmul_relu", "--input",
                                                  f"x={folder.parent / 'x.npy'}", "--output-dir",
                                                  torch_flight.folder / "text", *programs.UNSIGNED).stdout
    assert found[0] == found[1]
    assert skua.ok(*torch_flight.provision_arguments(torch_flight.yaml), "--json")["is_published"] is False


@pytest.mark.parametrize("kind", REFUSED)
def test_inputs_that_do_not_fit(skua, torch_flight, kind):
    arrays, reason, words = REFUSED[kind]
    error = refused(skua, torch_flight, torch_flight.sets, arrays, USAGE, reason, *words)
    assert error["class"] == "InvalidArgumentError"


def test_shapes_of_a_profile(skua, torch_flight):
    """Within it anything runs; nothing outside of it, and nothing of no length."""
    model = tiny.save(torch_flight.models / "rows.pt", tiny.MatMulRelu())
    compiled(skua, model, torch_flight.cache, profile="x:2x8:2x8:4x8")
    for rows in (0, 1, 5):
        refused(skua, torch_flight, torch_flight.cache, {"x": row(rows, 8)}, USAGE, "shape_mismatch", f"{rows}x8",
                model="rows")
    for rows in (2, 3, 4):
        assert outputs_of(run(skua, torch_flight.cache, {"x": row(rows, 8)}, model="rows"))["output"].shape == (rows, 8)


def test_input_of_no_length_that_is_declared(skua, torch_flight):
    """Where the network says so, nothing is something: it gives nothing, in the right shape."""
    model = tiny.save(torch_flight.models / "nothing.pt", tiny.MatMulRelu(),
                      io_text=tiny.io_of({"x": ("float32", (0, 8))}, ["y"]))
    compiled(skua, model, torch_flight.cache, profile=None)
    for more in ((), ("--repeat", "3")):
        assert outputs_of(run(skua, torch_flight.cache, {"x": NOTHING}, *more, model="nothing"))["y"].shape == (0, 8)
    refused(skua, torch_flight, torch_flight.cache, {"x": row()}, USAGE, "shape_mismatch", model="nothing")


@pytest.mark.parametrize("more", [(), ("--repeat", "3")])
def test_not_a_number_propagates(skua, torch_flight, more):
    """Neither hidden nor refused; and gone with the next run."""
    sets, given = torch_flight.sets, row()
    right = outputs_of(run(skua, sets, {"x": given}, *more))["y"]
    assert np.isfinite(right).all()
    for value in (np.nan, np.inf, 1e30):
        given = row()
        given[0, 3] = value
        found = outputs_of(run(skua, sets, {"x": given}, *more))["y"]
        assert not np.isfinite(found).all()
    assert outputs_of(run(skua, sets, {"x": row()}, *more))["y"].tobytes() == right.tobytes()


def test_output_beyond_its_capacity(skua, torch_flight):
    """14 threes have room, 15 have not; none at all is a result."""
    for count in (0, 14):
        given = np.array([3] * count + [1] * (16 - count), np.int64)
        for more in ((), ("--repeat", "3")):
            result = run(skua, torch_flight.sets, {"x": given}, *more, model="threes")
            assert outputs_of(result)["where"].tolist() == [[i] for i in range(count)]
    for count in (15, 16):
        given = np.array([3] * count + [1] * (16 - count), np.int64)
        for more in ((), ("--repeat", "3")):
            error = refused(skua, torch_flight, torch_flight.sets, {"x": given}, INFERENCE, "output_overflow", "threes",
                            more=more, model="threes")
            assert error["class"] == "InferenceError"


def test_forward_that_throws_in_flight(skua, torch_flight):
    """Its trials went well, this input does not: an error, no backtrace, no output, and the next process runs."""
    model = tiny.save(torch_flight.models / "light.pt", tiny.ThrowsOnNegative())
    compiled(skua, model, torch_flight.cache)
    for more in ((), ("--repeat", "2")):
        error = refused(skua, torch_flight, torch_flight.cache, {"x": row()}, INFERENCE, "execution_failed", "light",
                        more=more, model="light")
        assert error["class"] == "InferenceError" and "frame #" not in error["message"]
    assert run(skua, torch_flight.cache, {"x": abs(row())}, model="light").returncode == DONE


def test_several_runs_of_one_load(skua, torch_flight):
    """A bad input among good ones ends the command; results repeat bit for bit, bound or not, over loads."""
    paths = []
    for index in range(3):
        paths += ["--input", f"x={torch_flight.folder / f'{index}.npy'}"]
        np.save(torch_flight.folder / f"{index}.npy", row() * (index + 1))
    command = ("run", torch_flight.sets, "matmul_relu", *paths, *programs.UNSIGNED, "--json", "--output-dir")
    found = []
    for number, more in enumerate(((), (), ("--repeat", "100"))):
        report = skua.ok(*command, torch_flight.folder / f"out{number}", *more)
        found.append([np.load(one["outputs"]["y"]).tobytes() for one in report["runs"]])
    assert found[0] == found[1] == found[2] and len(set(found[0])) == 3
    np.save(torch_flight.folder / "1.npy", row(2, 8))
    programs.error_of(skua(*command, torch_flight.folder / "bad"), USAGE, "shape_mismatch", "2x8")
    written = [path.parent.name for path in (torch_flight.folder / "bad").rglob("*.npy")]
    assert written == ["0000"]  # the run before the refused one, whole


def test_verify_and_inspect(skua, torch_flight):
    """Neither loads anything: they tell of a TorchScript engine what they tell of every other one."""
    report = skua.ok("verify", torch_flight.sets, *programs.UNSIGNED, "--json")
    assert {entry["verdict"] for entry in report["files"]} == {"go"}
    artifact = engine(torch_flight.current())
    told = json.dumps(skua.ok("inspect", artifact, "--json"))
    for word in ("pytorch_fp16", WIDENED, "tensors.fp16", "graph.frozen_ms"):
        assert word in told
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 1
    artifact.write_bytes(bytes(content))
    programs.error_of(skua("verify", torch_flight.sets, *programs.UNSIGNED, "--json"), programs.REFUSED,
                      "sidecar_hash_mismatch", artifact.name)
    programs.error_of(run(skua, torch_flight.sets, {"x": row()}), programs.REFUSED, "sidecar_hash_mismatch")
