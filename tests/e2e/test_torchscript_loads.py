"""TorchScript engines that pass every digest and are wrong all the same: what only loading finds out. Somebody who can
write sidecar and record can write anything; the program must still end with a typed error or the right numbers."""

import concurrent.futures
import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
import torch

import bad_torchscripts as bad
import programs
import tiny_torchscripts as tiny
import trees
from programs import DONE, NO_RUNTIME, REFUSED, USAGE
from torch_places import beside, compiled, engine, outputs_of, refuse, row, run


def resign(path, content=None, change=None):
    """Puts other bytes into an artifact of a cache, and makes sidecar and record agree; `change` edits the record."""
    content = path.read_bytes() if content is None else content
    digest = hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    beside(path, ".sha256").write_text(digest, "ascii")
    document = json.loads(beside(path, ".json").read_text("ascii"))
    document["engine"].update(engine_sha256=digest, size_bytes=len(content))
    if change is not None:
        change(document["engine"])
    beside(path, ".json").write_text(json.dumps(document, indent=2) + "\n", "ascii")


def refused(skua, cache, reason, *words, status=REFUSED, more=(), arrays=None):
    """`run` refuses the engine, changes nothing and gives no output."""
    before = trees.tree(cache)
    result = run(skua, cache, arrays or {"x": row()}, *more)
    error = programs.error_of(result, status, reason, *words)
    assert trees.tree(cache) == before
    assert not list((cache.parent / "out").glob("*"))
    return error


def own_copies(flight, count):
    """Caches to damage at the same time."""
    return [trees.copy(flight.cache, flight.folder / f"copy{i}" / "cache") for i in range(count)]


def in_two_lanes(function, caches, cases):
    """`function(cache, case)` for every case, two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda i: [function(caches[i], case) for case in cases[i::2]], range(2))
        return [result for part in parts for result in part]


def test_control_the_re_signed_engine_runs(skua, torch_flight):
    path = engine(torch_flight.cache)
    resign(path)
    assert outputs_of(run(skua, torch_flight.cache, {"x": row()}))["y"].shape == (1, 8)
    path.write_bytes(path.read_bytes() + b"\0")  # and without the re-signing it does not
    refused(skua, torch_flight.cache, ("sidecar_hash_mismatch", "file_size_mismatch", "manifest_hash_mismatch"))


def test_truncated_artifact(skua, torch_flight):
    whole = engine(torch_flight.cache).read_bytes()
    cuts = programs.repeats("e2e_archive_cuts")

    def cut(cache, part):
        resign(engine(cache), whole[: len(whole) * part // cuts])
        return refused(skua, cache, "deserialize_failed", "matmul_relu", "compile it again")["class"]

    classes = in_two_lanes(cut, own_copies(torch_flight, 2), range(1, cuts))
    assert set(classes) == {"EngineDeserializeError"}


def test_flipped_bit_of_the_artifact(skua, torch_flight):
    """libtorch compares no checksums of the archive: each flip is a typed refusal or an answer of the declared shape.
    Digests keep damage out; golden vectors are samples, and a weight that relu hides in all of them goes unseen."""
    whole = engine(torch_flight.cache).read_bytes()
    step = max(1, len(whole) // programs.repeats("e2e_archive_flips"))

    def flip(cache, offset):
        content = bytearray(whole)
        content[offset] ^= 1 << (offset // step % 8)
        resign(engine(cache), bytes(content))
        result = run(skua, cache, {"x": row()})
        if result.returncode == DONE:
            answer = outputs_of(result)["y"]
            assert answer.shape == (1, 8) and answer.dtype == np.float32, offset
            return DONE
        error = programs.error_of(result, REFUSED, ("deserialize_failed", "golden_mismatch", "contract_mismatch"))
        assert not list((cache.parent / "out").glob("*")) and error["class"] == "EngineDeserializeError"
        return REFUSED

    verdicts = in_two_lanes(flip, own_copies(torch_flight, 2), range(0, len(whole), step))
    assert set(verdicts) == {DONE, REFUSED}


def test_flipped_exponents_of_the_weights(skua, torch_flight):
    """A weight that is 2^16 times as large, or no number: seen by the golden vectors."""
    path = engine(torch_flight.cache)
    whole = path.read_bytes()
    weights = tiny.load(path).w.detach().numpy().tobytes()
    start = whole.index(weights)
    for first in (0, 24, 56):  # a row of the matrix: one weight for each output, some of which are not hidden by relu
        content = bytearray(whole)
        for index in range(first, first + tiny.WIDTH):
            content[start + 2 * index + 1] ^= 0x40
        resign(path, bytes(content))
        refused(skua, torch_flight.cache, "golden_mismatch", "matmul_relu", "'y'")
    resign(path, whole)  # control
    assert run(skua, torch_flight.cache, {"x": row()}).returncode == DONE


def archive_of(module):
    buffer = io.BytesIO()
    with tiny.quiet():
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


OTHER_NETWORKS = {
    "other_weights": (lambda: tiny.MatMulRelu(seed=5).half(), "golden_mismatch"),
    "two_inputs": (lambda: tiny.Several().half(), "contract_mismatch"),
    "two_outputs": (lambda: bad.GivesPair().half(), "contract_mismatch"),
    "input_that_is_no_tensor": (lambda: bad.TakesInt().half(), "contract_mismatch"),
    "output_that_is_no_tensor": (lambda: bad.GivesInt().half(), "contract_mismatch"),
    "no_forward": (lambda: bad.NoForward().half(), "deserialize_failed"),
    "other_shape": (lambda: bad.GivesTransposed().half(), ("output_overflow", "golden_mismatch", "contract_mismatch",
                                                          "execution_failed", "deserialize_failed")),
    "other_type": (lambda: bad.GivesLong().half(), ("golden_mismatch", "contract_mismatch", "execution_failed",
                                                     "deserialize_failed")),
    "throws": (lambda: bad.Throws().half(), ("execution_failed", "golden_mismatch", "deserialize_failed")),
    "keys": (lambda: bad.GivesOtherKey().half(), ("execution_failed", "golden_mismatch", "deserialize_failed")),
}


@pytest.mark.parametrize("kind", OTHER_NETWORKS)
def test_another_network_behind_the_record(skua, torch_flight, kind):
    make, reasons = OTHER_NETWORKS[kind]
    resign(engine(torch_flight.cache), archive_of(make()))
    error = refused(skua, torch_flight.cache, reasons, "matmul_relu")
    assert error["class"] == "EngineDeserializeError"


def test_control_the_same_network_behind_the_record(skua, torch_flight):
    """Saved again by hand: other bytes, the same numbers."""
    resign(engine(torch_flight.cache), archive_of(tiny.MatMulRelu().half()))
    assert run(skua, torch_flight.cache, {"x": row()}).returncode == DONE


def test_archives_that_are_none(skua, torch_flight):
    path = engine(torch_flight.cache)
    buffer = io.BytesIO()
    torch.save(tiny.MatMulRelu().state_dict(), buffer)
    for content in (b"x", bytes(1000), np.random.default_rng(3).bytes(3000), buffer.getvalue()):
        resign(path, content)
        refused(skua, torch_flight.cache, "deserialize_failed", path.name)


def test_record_that_lies_about_names_and_shapes(skua, torch_flight):
    path = engine(torch_flight.cache)
    original = beside(path, ".json").read_bytes()

    def rename(side, name):
        return lambda record: record[side][0].update(name=name)

    def reshape(side, shape):
        return lambda record: record[side][0].update(shape=shape, max_shape=shape)

    for change, reasons in ((rename("inputs", "z"), "contract_mismatch"),
                            (reshape("inputs", [2, 8]), ("contract_mismatch", "golden_malformed", "golden_mismatch")),
                            (reshape("outputs", [1, 7]), ("contract_mismatch", "output_overflow", "golden_mismatch")),
                            (lambda record: record["inputs"].append(dict(record["inputs"][0], name="z")),
                             "contract_mismatch")):
        resign(path, change=change)
        refused(skua, torch_flight.cache, reasons)
        beside(path, ".json").write_bytes(original)
    assert run(skua, torch_flight.cache, {"x": row()}).returncode == DONE  # control


# ---- made for another configuration --------------------------------------------------------------------------------

def test_record_of_another_configuration(skua, torch_flight):
    path = engine(torch_flight.cache)
    original = beside(path, ".json").read_bytes()
    for option, value in (("sdk_version", "2.12.0"), ("graph", "odd"), ("graph", None), ("sdk_version", None)):
        def change(record, option=option, value=value):
            record["options"].pop(option) if value is None else record["options"].update({option: value})
        resign(path, change=change)
        refused(skua, torch_flight.cache, "runtime_mismatch", "matmul_relu")
        beside(path, ".json").write_bytes(original)
    assert run(skua, torch_flight.cache, {"x": row()}).returncode == DONE  # control


@pytest.mark.parametrize("made, asked", [("widened", "native"), ("native", "widened")])
def test_engine_of_the_other_arithmetic(skua, place, made, asked):
    model = tiny.matmul_relu(place.models / "matmul_relu.pt")
    compiled(skua, model, place.cache, "--set", f"arithmetic={made}", profile=None)
    refused(skua, place.cache, "runtime_mismatch", "arithmetic", made, asked, more=("--set", f"arithmetic={asked}"))
    for more in ((), ("--set", f"arithmetic={made}")):  # control: as it was made is what counts when nothing is said
        assert run(skua, place.cache, {"x": row()}, *more).returncode == DONE


def test_device_and_library_that_are_not_there(skua, torch_flight):
    """At compile and at load; the CPU never stands in for a GPU."""
    model, cache = torch_flight.models / "matmul_relu.pt", torch_flight.cache
    for setting, reason, words in (("device=cuda", "provider_not_available", ("device: cuda", "device: cpu")),
                                   ("torch_library=/nonexistent/libtorch.so", "sdk_missing",
                                    ("/nonexistent/libtorch.so", "torch_library"))):
        more = ("--set", setting)
        error = refuse(skua, model, cache, reason, *words, status=NO_RUNTIME, profile=None, more=more)
        assert error["class"] == "RuntimeNotAvailableError"
        refused(skua, cache, reason, *words, status=NO_RUNTIME, more=more)
        before = trees.tree(torch_flight.sets)
        result = skua("provision", torch_flight.yaml, "--out", torch_flight.folder / "other", "--cache",
                      torch_flight.folder / "new", "--json", *more)
        programs.error_of(result, NO_RUNTIME, reason, *words)
        assert trees.tree(torch_flight.sets) == before and trees.tree(torch_flight.folder / "other") == {}
    for setting in ("device=gpu", "arithmetic=odd", "torch_library=libtorch.so"):
        refuse(skua, model, cache, "invalid_argument", setting.partition("=")[0], status=USAGE, profile=None,
               more=("--set", setting))
    assert run(skua, cache, {"x": row()}, "--set", "device=cpu").returncode == DONE  # control


def test_library_that_is_not_libtorch(skua, torch_flight):
    more = ("--set", "torch_library=/lib/x86_64-linux-gnu/libm.so.6")
    refused(skua, torch_flight.cache, ("sdk_missing", "sdk_foreign", "module_missing"), "libm.so.6", status=NO_RUNTIME,
            more=more)


def test_an_engine_of_the_other_runtime(skua, torch_flight):
    """Neither a cache nor a set gives a TorchScript engine to ONNX Runtime."""
    result = run(skua, torch_flight.cache, {"x": row()}, "--runtime", "onnx_trt_ep")
    programs.error_of(result, USAGE, "invalid_argument", "pytorch_fp16")
    cpu = ("--runtime", "onnx_trt_ep", "--set", "execution_provider=cpu")
    result = run(skua, torch_flight.current(), {"x": row()}, *cpu)
    programs.error_of(result, REFUSED, ("runtime_mismatch", "contract_mismatch"))
    assert run(skua, torch_flight.current(), {"x": row()}).returncode == DONE  # control


def test_zip_whose_records_are_compressed(skua, torch_flight):
    """An archive as zip tools write it: read or refused, never misread."""
    path = engine(torch_flight.cache)
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    resign(path, buffer.getvalue())
    result = run(skua, torch_flight.cache, {"x": row()})
    if result.returncode != DONE:
        programs.error_of(result, REFUSED, ("deserialize_failed", "golden_mismatch"))
