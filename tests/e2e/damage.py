"""Hands in a flight set: finding its files, changing them, and demanding that both programs refuse the result."""

import json

import programs
import trees
from programs import REFUSED

MANIFEST = "flight-manifest.json"


def verify(skua, folder, *more):
    return skua("verify", folder, *programs.UNSIGNED, "--json", *more)


def run(skua, folder, inputs, *more):
    return skua("run", folder, "add_relu", *inputs, *programs.UNSIGNED, "--json", *more)


def engine(folder, model="add_relu"):
    """The engine file of `model`."""
    (found,) = (path for path in folder.glob(f"{model}__*") if path.suffix == ".onnx")
    return found


def golden(folder):
    return sorted((folder / "golden").iterdir())[0]


def beside(suffix):
    return lambda folder: engine(folder).with_name(engine(folder).name + suffix)


PARTS = {"engine": engine, "sidecar": beside(".sha256"), "record": beside(".json"), "golden": golden}


def manifest(folder):
    return folder / MANIFEST


def flip(path, offset=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if offset is None else offset] ^= 0x01
    path.write_bytes(content)
    return path


def refused_by_both(skua, flight, inputs, reasons, *words):
    """`verify` and `run` refuse the current set for one of `reasons`, name `words`, and change nothing."""
    folder = flight.current()
    before = trees.tree(flight.sets)
    programs.error_of(verify(skua, folder), REFUSED, reasons, *words)
    programs.error_of(run(skua, folder, inputs), REFUSED, reasons, *words)
    assert trees.tree(flight.sets) == before
    assert not list((flight.folder / "out").glob("*")), "a refused set gave an output"


def edit_manifest(folder, change):
    """Rewrites the manifest as somebody without a key would: by hand, everything else left alone."""
    path = manifest(folder)
    document = json.loads(path.read_text("ascii"))
    change(document)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="ascii")
