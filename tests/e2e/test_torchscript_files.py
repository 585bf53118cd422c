"""Files that are no TorchScript: a typed error that names the file and says what it is, and a cache as it was."""

import concurrent.futures
import io
import os
import shutil
import zipfile

import numpy as np
import pytest
import torch

import programs
import tiny_models
import tiny_torchscripts as tiny
import trees
from torch_places import compile_model, compiled, refuse


@pytest.fixture(name="cache")
def cache_with_an_engine(torch_flight):
    """A cache that holds engines: nothing of it may change."""
    return torch_flight.cache


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def torch_saved(thing, **options):
    buffer = io.BytesIO()
    torch.save(thing, buffer, **options)
    return buffer.getvalue()


def exported():
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(tiny.MatMulRelu(), (tiny.example(1, 8),)), buffer)
    return buffer.getvalue()


def inductor_package():
    """The frame of what torch._inductor.aoti_compile_and_package writes; making a real one needs a compiler."""
    return zipped(**{"net/archive_format": "pt2", "net/archive_version": "0", "net/byteorder": "little",
                     "net/.data/version": "3\n", "net/data/aotinductor/model/model.so": b"\x7fELF" + bytes(60),
                     "net/data/aotinductor/model/model_metadata.json": "{}"})


def without(name):
    """A TorchScript archive that lacks one of its records."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(tiny.bytes_of(tiny.MatMulRelu()))) as whole, zipfile.ZipFile(buffer, "w") as part:
        for entry in whole.namelist():
            if not entry.endswith(name):
                part.writestr(entry, whole.read(entry))
    return buffer.getvalue()


MALFORMED, UNSUPPORTED = "model_malformed", "model_unsupported"
PICKLE, EXPORT, INDUCTOR = "torch.save", "torch.export", "AOTInductor"
WRONG_FILES = {
    "empty.pt": (lambda: b"", "model_empty", ""),
    "zeros.pt": (lambda: bytes(4096), MALFORMED, "torch.jit.save"),
    "garbage.pt": (lambda: np.random.default_rng(7).bytes(4096), MALFORMED, "torch.jit.save"),
    "prose.pt": (lambda: b"This is not a network, it is a sentence.\n" * 20, MALFORMED, "torch.jit.save"),
    "elf.pt": (lambda: b"\x7fELF\x02\x01\x01" + bytes(500), MALFORMED, "torch.jit.save"),
    "onnx.pt": (lambda: tiny_models.add_relu_model().SerializeToString(), MALFORMED, "torch.jit.save"),
    "zip.pt": (lambda: zipped(**{"notes.txt": "hello"}), MALFORMED, "torch.jit.save"),
    "zip_end.pt": (lambda: b"PK\x05\x06" + bytes(18), MALFORMED, "torch.jit.save"),
    "no_code.pt": (lambda: without("__torch__/tiny_torchscripts.py"), MALFORMED, "torch.jit.save"),
    "no_constants.pt": (lambda: without("constants.pkl"), (MALFORMED, UNSUPPORTED), ""),
    "no_weights.pt": (lambda: without("data/0"), MALFORMED, "torch.jit.save"),
    "module.pt": (lambda: torch_saved(tiny.MatMulRelu()), UNSUPPORTED, PICKLE),
    "state_dict.pt": (lambda: torch_saved(tiny.MatMulRelu().state_dict()), UNSUPPORTED, PICKLE),
    "old_state_dict.pt": (lambda: torch_saved(tiny.MatMulRelu().state_dict(), _use_new_zipfile_serialization=False),
                          MALFORMED, "torch.jit.save"),
    "export.pt2": (exported, UNSUPPORTED, EXPORT),
    "export.pt": (exported, UNSUPPORTED, EXPORT),
    "inductor.pt2": (inductor_package, UNSUPPORTED, INDUCTOR),
    "inductor.pt": (inductor_package, UNSUPPORTED, INDUCTOR),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_file_that_is_no_torchscript(skua, torch_flight, cache, name):
    make, reason, words = WRONG_FILES[name]
    model = torch_flight.models / name
    model.write_bytes(make())
    refuse(skua, model, cache, reason, model, words)


def test_control_the_same_place_takes_a_network(skua, torch_flight, cache):
    """Also one that was taken apart and put together by the functions above."""
    whole = torch_flight.models / "whole.pt"
    whole.write_bytes(without("no such record"))
    assert compiled(skua, whole, cache)["model"] == "whole"
    assert trees.leftovers(cache) == []


def test_truncated_at_every_64th(skua, torch_flight, cache):
    whole = (torch_flight.models / "matmul_relu.pt").read_bytes()
    before = trees.contents(cache)

    def compile_part(part):
        # A cache of its own for each: writers of one cache exclude each other.
        folder = torch_flight.folder / f"part{part}"
        folder.mkdir()
        model = folder / "part.pt"
        model.write_bytes(whole[: len(whole) * part // 64])
        own = trees.copy(cache, folder / "cache")
        result = compile_model(skua, model, own, profile=None)
        if part < 64:
            assert trees.contents(own) == before, f"{part}/64"
            return programs.error_of(result, programs.BUILD_FAILED, ("model_empty", MALFORMED), model)["reason"]
        return programs.document(result)["path"]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        reasons = list(pool.map(compile_part, range(65)))
    assert reasons[0] == "model_empty" and set(reasons[1:64]) == {MALFORMED}
    assert os.path.exists(reasons[64])  # control: the whole


def test_missing_linked_folder_and_fifo(skua, torch_flight, cache):
    models = torch_flight.models
    refuse(skua, models / "nowhere.pt", cache, "model_missing", models / "nowhere.pt")
    (models / "link.pt").symlink_to("nowhere.pt")
    refuse(skua, models / "link.pt", cache, "model_missing", models / "link.pt")
    (models / "good_link.pt").symlink_to("matmul_relu.pt")
    refuse(skua, models / "good_link.pt", cache, "model_unreadable", models / "good_link.pt", "links")
    refuse(skua, models, cache, "model_unreadable", models)
    os.mkfifo(models / "fifo.pt")  # opened without care, it would wait for a writer for ever
    refuse(skua, models / "fifo.pt", cache, "model_unreadable", models / "fifo.pt")


def test_a_network_for_the_other_runtime(skua, torch_flight, cache):
    """The file decides nothing: each runtime refuses the other's."""
    onnx = tiny_models.add_relu(torch_flight.models / "add_relu.onnx")
    refuse(skua, onnx, cache, MALFORMED, onnx)
    model = torch_flight.models / "matmul_relu.pt"
    refuse(skua, model, cache, MALFORMED, model, profile=None,
           more=("--runtime", "onnx_trt_ep", "--set", "execution_provider=cpu"))


def test_custom_operator_that_nobody_registered(skua, torch_flight, cache):
    """The test process knows it, Skua's does not."""
    library = torch.library.Library("skua_e2e", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CPU")
    model = tiny.save(torch_flight.models / "custom.pt", tiny.CallsSkuaTwice())
    assert torch.equal(tiny.load(model)(tiny.example(1, 8)), 2 * tiny.example(1, 8))
    refuse(skua, model, cache, UNSUPPORTED, model, "skua_e2e::twice")


def test_damaged_network_in_a_set(skua, torch_flight):
    """Provisioning it leaves sets, CURRENT and cache as they were, and the good network too."""
    model = torch_flight.models / "matmul_relu.pt"
    good = model.read_bytes()
    model.write_bytes(good[:-20])
    before = trees.tree(torch_flight.sets), trees.tree(torch_flight.cache)
    command = (*torch_flight.provision_arguments(torch_flight.yaml), "--json")
    programs.error_of(skua(*command), programs.BUILD_FAILED, MALFORMED, model)
    assert (trees.tree(torch_flight.sets), trees.tree(torch_flight.cache)) == before
    skua.ok("verify", torch_flight.current(), *programs.UNSIGNED)
    model.write_bytes(good)  # control
    assert skua.ok(*command)["is_published"] is False


def test_two_networks_of_one_name(skua, torch_flight, cache):
    """Another network under a name replaces the first, whole; a bad one does not."""
    first = compiled(skua, torch_flight.models / "matmul_relu.pt", cache, profile=None)["engine_sha256"]
    (torch_flight.folder / "more").mkdir()
    other = shutil.copy(torch_flight.models / "matmul_relu.pt", torch_flight.folder / "more" / "matmul_relu.pt")
    other.write_bytes(b"no network")
    refuse(skua, other, cache, MALFORMED, other)
    tiny.matmul_relu(other, seed=9)
    assert compiled(skua, other, cache, profile=None)["engine_sha256"] != first
