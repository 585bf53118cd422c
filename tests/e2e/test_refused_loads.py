"""Refusals that only loading can give, and refusals of an engine cache."""

import hashlib
import json
import os
import struct

import pytest

import programs
import trees
from damage import beside, edit_manifest, engine, flip, run, verify
from programs import DONE, REFUSED


def replace_listed(folder, path, content):
    """Puts other bytes into a listed file, and makes the manifest's file list agree."""
    path.write_bytes(content)
    name = str(path.relative_to(folder))

    def change(document):
        for entry in document["files"]:
            if entry["name"] == name:
                entry.update(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    edit_manifest(folder, change)


def loads(skua, flight, inputs, reason, *words, status=REFUSED, settings=()):
    """`verify`, which does not load, has nothing against the set; `run` refuses it."""
    before = trees.tree(flight.sets)
    if status == REFUSED:
        assert verify(skua, flight.current()).returncode == DONE
    error = programs.error_of(run(skua, flight.current(), inputs, *settings), status, reason, *words)
    assert trees.tree(flight.sets) == before
    assert not list((flight.folder / "out").glob("*"))
    return error


def golden_of(folder, model="add_relu"):
    (found,) = (folder / "golden").glob(f"{model}__*")
    return found


def test_golden_vectors_that_the_engine_does_not_reproduce(skua, flight, inputs):
    """The last expected value of one output is changed, every digest is made to fit."""
    folder = flight.current()
    path = golden_of(folder)
    content = bytearray(path.read_bytes())
    content[-4:] = struct.pack("<f", struct.unpack("<f", content[-4:])[0] + 0.5)
    replace_listed(folder, path, bytes(content))

    def change(document):
        for artifact in document["artifacts"]:
            if artifact["name"] == "add_relu":
                artifact["engine"]["golden"]["sha256"] = hashlib.sha256(content).hexdigest()
    edit_manifest(folder, change)
    loads(skua, flight, inputs, "golden_mismatch", "add_relu", "y")


def test_outputs_that_are_not_the_recorded_ones(skua, flight, inputs):
    def change(document):
        for artifact in document["artifacts"]:
            if artifact["name"] == "add_relu":
                artifact["engine"]["inputs"][0]["shape"] = [2, 8]
                artifact["engine"]["inputs"][0]["max_shape"] = [2, 8]
    edit_manifest(flight.current(), change)
    loads(skua, flight, inputs, "contract_mismatch", "x")


def test_memory_budget(skua, flight, inputs):
    loads(skua, flight, inputs, "memory_budget_exceeded", status=programs.OUT_OF_MEMORY,
          settings=("--set", "gpu_memory_budget_bytes=1"))
    assert run(skua, flight.current(), inputs, "--set", "gpu_memory_budget_bytes=100000000").returncode == DONE


def test_a_set_of_another_runtime_or_provider(skua, flight, inputs):
    result = run(skua, flight.current(), inputs, "--runtime", "tensorrt")
    programs.error_of(result, programs.NO_RUNTIME, "runtime_not_built", "tensorrt", "BUILD_TENSORRT_RUNTIME")
    result = run(skua, flight.current(), inputs, "--set", "execution_provider=cuda")
    assert result.returncode in (REFUSED, programs.NO_RUNTIME)
    assert programs.document(result)["error"]["reason"] in ("runtime_mismatch", "provider_not_available")


def test_no_engine_stays_loaded_when_another_is_refused(skua, flight, inputs):
    """`add_relu` is asked for and sound; the damage is in `several`: all, or none."""
    flip(engine(flight.current(), "several"))
    programs.error_of(run(skua, flight.current(), inputs), REFUSED, "sidecar_hash_mismatch", "several")


# ---- the engine cache ------------------------------------------------------------------------------------------------

CACHE_DAMAGE = {
    "flipped": (lambda folder: flip(engine(folder)), "sidecar_hash_mismatch", "EngineHashMismatchError"),
    "sidecar_missing": (lambda folder: beside(".sha256")(folder).unlink(), "sidecar_missing",
                        "EngineSidecarMissingError"),
    "sidecar_line_end": (lambda folder: beside(".sha256")(folder).open("a").write("\n"), "sidecar_malformed",
                         "EngineDeserializeError"),
    "engine_missing": (lambda folder: engine(folder).unlink(), "engine_missing", "EngineDeserializeError"),
    "writable": (lambda folder: engine(folder).chmod(0o666), "file_mode", "EngineDeserializeError"),
    "golden_missing": (lambda folder: cached_golden(folder).unlink(), "golden_missing", "EngineDeserializeError"),
    "golden_flipped": (lambda folder: flip(cached_golden(folder)), "golden_hash_mismatch", "EngineDeserializeError"),
}


def cached_golden(folder):
    (found,) = folder.glob("add_relu__*golden*")
    return found


@pytest.mark.parametrize("kind", CACHE_DAMAGE)
def test_cache_entry(skua, flight, inputs, kind):
    change, reason, error_class = CACHE_DAMAGE[kind]
    assert run(skua, flight.cache, inputs).returncode == DONE  # control
    for path in (flight.folder / "out").iterdir():
        path.unlink()
    change(flight.cache)
    before = trees.tree(flight.cache)
    error = programs.error_of(run(skua, flight.cache, inputs), REFUSED, reason, "add_relu")
    assert error["class"] == error_class
    assert trees.tree(flight.cache) == before


def test_cache_entry_replaced_with_its_sidecar(skua, flight, inputs):
    """The build record holds the third copy of the digest: stage "manifest" of the gate."""
    path = flip(engine(flight.cache))
    beside(".sha256")(flight.cache).write_text(hashlib.sha256(path.read_bytes()).hexdigest(), "ascii")
    error = programs.error_of(run(skua, flight.cache, inputs), REFUSED, "manifest_hash_mismatch", "stage manifest")
    assert error["class"] == "EngineHashMismatchError"


def test_a_damaged_cache_entry_is_compiled_again(skua, flight):
    """Provisioning never copies it into a set: it rebuilds, and says why. A whole set needs no cache at all."""
    flip(engine(flight.cache))
    os.unlink(beside(".json")(flight.cache).with_name(engine(flight.cache, "several").name + ".json"))
    yaml = flight.folder / "SET.yaml"
    assert skua.ok(*flight.provision_arguments(yaml), "--json")["is_published"] is False
    empty = flight.folder / "other-sets"
    report = skua.ok("provision", yaml, "--out", empty, "--cache", flight.cache, "--json")
    reused = {entry["name"]: entry["is_reused"] for entry in report["engines"]}
    assert reused == {"add_relu": False, "several": False, "non_zero": True}
    assert all(entry["why_built"] for entry in report["engines"] if not entry["is_reused"])
    assert verify(skua, empty).returncode == DONE
    manifest = json.loads((empty / report["set_id"] / "flight-manifest.json").read_text("ascii"))
    assert manifest["set_id"] == report["set_id"]
