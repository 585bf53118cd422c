"""Model files that are no network: a typed error that names the file, and a cache as it was."""

import concurrent.futures
import io
import os
import shutil
import zipfile

import numpy as np
import onnx
from PIL import Image
import pytest

import programs
import tiny_models
import trees
from places import CPU

COMPILE = ("--precision", "fp32", *CPU, "--json")


@pytest.fixture(name="cache")
def cache_with_an_engine(flight):
    """A cache that holds engines: nothing of it may change."""
    return flight.cache


def compile_model(skua, model, cache, *more):
    return skua("compile", model, "--out", cache, *COMPILE, *more)


def refuse_at_build(skua, model, cache, reason):
    """Refused by ONNX Runtime itself, whose words follow the file's name."""
    return refuse(skua, model, cache, reason, model.name, "ONNX Runtime")


def refuse(skua, model, cache, reason, *words, status=programs.BUILD_FAILED):
    """The model is refused, and the cache is as it was, staging and all."""
    before = trees.tree(cache)
    error = programs.error_of(compile_model(skua, model, cache), status, reason, *words)
    assert trees.tree(cache) == before
    return error


def png_bytes():
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def zip_bytes():
    """The frame of a TorchScript archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("net/version", b"3\n")
    return buffer.getvalue()


WRONG_FILES = {
    "empty": (b"", "model_empty"),
    "zeros": (bytes(4096), ("model_malformed", "model_empty")),
    "garbage": (np.random.default_rng(7).bytes(4096), "model_malformed"),
    "png": (png_bytes(), "model_malformed"),
    "torchscript": (zip_bytes(), "model_malformed"),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(500), "model_malformed"),
    # 'h' is the tag of a varint field 13, 'a' its value: a whole message of fields that a model does not have.
    "text_that_is_protobuf": (b"ha" * 40, "model_empty"),
    "prose": (b"This is not a network, it is a sentence.\n" * 20, "model_malformed"),
    "model_without_graph": (onnx.ModelProto(ir_version=tiny_models.IR_VERSION).SerializeToString(), "model_empty"),
    "twice": (tiny_models.add_relu_model().SerializeToString() * 2, ("model_malformed", "model_unsupported")),
}


@pytest.mark.parametrize("kind", WRONG_FILES)
def test_a_file_that_is_no_network(skua, flight, cache, kind):
    content, reason = WRONG_FILES[kind]
    model = flight.models / "wrong.onnx"
    model.write_bytes(content)
    refuse(skua, model, cache, reason, model)


def test_control_the_same_place_takes_a_network(skua, flight, cache):
    model = tiny_models.add_relu(flight.models / "right.onnx")
    report = skua.ok("compile", model, "--out", cache, *COMPILE)
    assert os.path.exists(report["path"])
    assert trees.leftovers(cache) == []


def test_truncated_at_every_64th(skua, flight, cache):
    whole = tiny_models.several(flight.models / "whole.onnx").read_bytes()
    before = trees.tree(cache)

    def compile_part(part):
        # A cache of its own for each: writers of one cache exclude each other.
        folder = flight.folder / f"part{part}"
        folder.mkdir()
        model = folder / "part.onnx"
        model.write_bytes(whole[: len(whole) * part // 64])
        own = trees.copy(cache, folder / "cache")
        result = compile_model(skua, model, own)
        assert trees.contents(own) == trees.contents(cache), f"{part}/64"
        shutil.rmtree(folder)
        return programs.error_of(result, programs.BUILD_FAILED, ("model_empty", "model_malformed", "model_unsupported"),
                                 model)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        reasons = [error["reason"] for error in pool.map(compile_part, range(64))]
    assert reasons[0] == "model_empty" and "model_malformed" in reasons
    assert trees.tree(cache) == before


def test_missing_model_and_dangling_link(skua, flight, cache):
    refuse(skua, flight.models / "nowhere.onnx", cache, "model_missing", flight.models / "nowhere.onnx")
    link = flight.models / "link.onnx"
    link.symlink_to("nowhere.onnx")
    refuse(skua, link, cache, "model_missing", link)


def test_folder_fifo_and_device(skua, flight, cache):
    refuse(skua, flight.models, cache, "model_unreadable", flight.models)
    fifo = flight.models / "fifo.onnx"
    os.mkfifo(fifo)  # opened without care, it would wait for a writer for ever
    refuse(skua, fifo, cache, "model_unreadable", fifo)
    refuse(skua, "/dev/null", cache, ("model_unreadable", "invalid_argument"), "/dev/null")


def test_illegal_names(skua, flight, cache):
    good = tiny_models.add_relu(flight.models / "add_relu.onnx")
    bad = shutil.copy(good, flight.models / "Add-Relu.onnx")
    refuse(skua, bad, cache, "invalid_argument", "Add-Relu", status=programs.USAGE)
    before = trees.tree(cache)
    for name in ("a__b", "UPPER", "", "x" * 65, "a/b", ".."):
        programs.error_of(compile_model(skua, good, cache, "--name", name), programs.USAGE, "invalid_argument")
    assert trees.tree(cache) == before


def test_operator_and_opset_that_nobody_knows(skua, flight, cache):
    for change in ("operator", "opset"):
        model = tiny_models.add_relu_model()
        if change == "operator":
            model.graph.node[1].op_type = "Frobnicate"
        else:
            model.opset_import[0].version = 9999
        path = tiny_models.write(flight.models / f"strange_{change}.onnx", model)
        refuse_at_build(skua, path, cache, ("model_unsupported", "model_malformed"))


def test_graph_that_contradicts_itself(skua, flight, cache):
    """A node that reads what nobody makes; a weight whose bytes do not fill its shape."""
    model = tiny_models.add_relu_model()
    model.graph.node[0].input[1] = "nobody"
    path = tiny_models.write(flight.models / "no_source.onnx", model)
    refuse_at_build(skua, path, cache, ("model_malformed", "model_unsupported"))
    model = tiny_models.add_relu_model()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    path = tiny_models.write(flight.models / "short_weight.onnx", model)
    refuse_at_build(skua, path, cache, ("model_malformed", "model_unsupported"))


@pytest.mark.parametrize("location", ["../outside.bin", "below/../../outside.bin", "/absolute/weights.bin"])
def test_external_weights_outside_the_folder(skua, flight, cache, location):
    model = tiny_models.external(flight.models / "ext.onnx")
    (flight.folder / "outside.bin").write_bytes((flight.models / "weights.bin").read_bytes())
    (flight.models / "below").mkdir()
    changed = onnx.load(model, load_external_data=False)
    changed.graph.initializer[0].external_data[0].value = location
    tiny_models.write(model, changed)
    refuse(skua, model, cache, "external_weights", location)


def test_external_weights_through_a_link_missing_or_short(skua, flight, cache):
    model = tiny_models.external(flight.models / "ext.onnx")
    weights = flight.models / "weights.bin"
    content = weights.read_bytes()
    secret = flight.folder / "outside.bin"
    secret.write_bytes(content)
    weights.unlink()
    refuse(skua, model, cache, "external_weights", "weights.bin")
    weights.symlink_to(secret)
    refuse(skua, model, cache, "external_weights", "weights.bin")
    weights.unlink()
    weights.write_bytes(content[:-1])
    refuse(skua, model, cache, ("external_weights", "model_malformed"), "weights.bin")
    weights.write_bytes(content)  # control
    skua.ok("compile", model, "--out", cache, *COMPILE)


def test_bad_model_in_a_set(skua, flight):
    """Provisioning a damaged model leaves sets, CURRENT and cache as they were, and its good networks too."""
    model = flight.models / "several.onnx"
    model.write_bytes(model.read_bytes()[:-20])
    before = trees.tree(flight.sets), trees.tree(flight.cache)
    result = skua(*flight.provision_arguments(flight.yaml), "--json")
    programs.error_of(result, programs.BUILD_FAILED, ("model_malformed", "model_unsupported"), model)
    assert (trees.tree(flight.sets), trees.tree(flight.cache)) == before
    skua.ok("verify", flight.current(), *programs.UNSIGNED)
