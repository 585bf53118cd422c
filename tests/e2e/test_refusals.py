"""A flight set that somebody's hand was in: both gates refuse it, say which file, and write nothing.

Every case starts from a copy of one good set; the first test shows that the untouched copy passes both programs.
"""

import json
import os
import shutil
import socket

import pytest

import programs
import trees
from damage import MANIFEST, PARTS, beside, engine, flip, golden, manifest, refused_by_both, run, verify
from programs import REFUSED


def test_control_the_untouched_copy_passes(skua, flight, inputs):
    before = trees.tree(flight.sets)
    for folder in (flight.current(), flight.sets):
        report = programs.document(verify(skua, folder))
        assert {entry["verdict"] for entry in report["files"]} == {"go"} and "error" not in report
        assert run(skua, folder, inputs).returncode == programs.DONE
    assert trees.tree(flight.sets) == before
    assert (flight.folder / "out" / "y.npy").exists()


# ---- one flipped bit, everywhere -------------------------------------------------------------------------------------

FLIPPED = {
    "engine": (engine, "sidecar_hash_mismatch"),
    "sidecar": (beside(".sha256"), ("sidecar_hash_mismatch", "sidecar_malformed", "listed_file_hash_mismatch")),
    "record": (beside(".json"), "listed_file_hash_mismatch"),
    "golden": (golden, ("listed_file_hash_mismatch", "golden_hash_mismatch")),
}


@pytest.mark.parametrize("kind", FLIPPED)
def test_flipped_bit(skua, flight, inputs, kind):
    find, reasons = FLIPPED[kind]
    for offset in (0, None, -1):
        path = find(flight.current())
        original = path.read_bytes()
        flip(path, offset)
        refused_by_both(skua, flight, inputs, reasons, path.name.removesuffix(".sha256"), "expected", "found")
        path.write_bytes(original)
    assert verify(skua, flight.current()).returncode == programs.DONE  # put back, it passes


def bound(document):
    """What of a manifest ties files to engines and to this host: nothing of it may change unnoticed."""
    records = [artifact["engine"] for artifact in document["artifacts"]]
    return document["set_id"], document["files"], document["runtime_label"], [
        (record["file"], record["engine_sha256"], record["size_bytes"], record["golden"]["sha256"],
         record["host"]["cpu_features"], record["precision"], record["proven"]) for record in records]


def test_flipped_bits_of_the_manifest(skua, flight, inputs):
    """Without a signature the manifest has no digest of its own, and much of it is free text. Each flip is refused, or
    is in something that binds nothing; no flip makes the program fail in another way."""
    path = manifest(flight.current())
    original = path.read_bytes()
    refused = 0
    for offset in range(0, len(original), max(1, len(original) // programs.repeats("e2e_manifest_flips"))):
        flip(path, offset)
        result = verify(skua, flight.current())
        if result.returncode == REFUSED:
            programs.error_of(result, REFUSED)
            refused += 1
        else:
            assert result.returncode == programs.DONE, (offset, result)
            assert bound(json.loads(path.read_bytes())) == bound(json.loads(original)), offset
        path.write_bytes(original)
    assert refused > 0
    flip(path, 0)
    refused_by_both(skua, flight, inputs, "manifest_malformed", path)


# ---- missing, extra, of another kind ---------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", PARTS)
def test_missing_file(skua, flight, inputs, kind):
    path = PARTS[kind](flight.current())
    path.unlink()
    refused_by_both(skua, flight, inputs, "listed_file_missing", path)


@pytest.mark.parametrize("kind", PARTS)
def test_shorter_and_longer_file(skua, flight, inputs, kind):
    path = PARTS[kind](flight.current())
    content = path.read_bytes()
    for changed in (content[:-1], content + b"\0", b""):
        path.write_bytes(changed)
        refused_by_both(skua, flight, inputs, "file_size_mismatch", path, str(len(content)), str(len(changed)))


def test_missing_manifest_and_missing_set(skua, flight, inputs):
    folder = flight.current()
    manifest(folder).unlink()
    programs.error_of(verify(skua, folder), REFUSED, "manifest_missing", MANIFEST)
    shutil.rmtree(folder)
    programs.error_of(verify(skua, folder), REFUSED, "set_missing", folder)
    refused = programs.error_of(verify(skua, flight.sets), REFUSED, "set_missing", folder.name)
    assert refused["class"] == "ManifestError"
    programs.error_of(run(skua, flight.sets, inputs), REFUSED, "set_missing", folder.name)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "golden/extra.golden", "add_relu.sha256", "empty_folder/"])
def test_unlisted_file(skua, flight, inputs, name):
    path = flight.current() / name
    if name.endswith("/"):
        path.mkdir()
    else:
        path.write_bytes(b"x")
    refused_by_both(skua, flight, inputs, "unlisted_file", path)


def replace_by_link(path):
    target = path.parents[2] / "elsewhere"
    shutil.move(path, target)
    path.symlink_to(target)


def replace_by_fifo(path):
    path.unlink()
    os.mkfifo(path)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_socket(path):
    path.unlink()
    before = os.getcwd()
    os.chdir(path.parent)  # a socket's address is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(before)


def add_name(path):
    os.link(path, path.parents[2] / "second_name")


UNSAFE = {
    "link": (replace_by_link, "not_regular_file"),
    "fifo": (replace_by_fifo, "not_regular_file"),
    "folder": (replace_by_folder, "not_regular_file"),
    "socket": (replace_by_socket, "not_regular_file"),
    "hard_link": (add_name, "file_links"),
    "group_writable": (lambda path: path.chmod(0o664), "file_mode"),
    "world_writable": (lambda path: path.chmod(0o646), "file_mode"),
}


@pytest.mark.parametrize("part", ["engine", "sidecar", "record", "golden", "manifest"])
@pytest.mark.parametrize("kind", UNSAFE)
def test_unsafe_file(skua, flight, inputs, kind, part):
    change, reason = UNSAFE[kind]
    path = {**PARTS, "manifest": manifest}[part](flight.current())
    change(path)
    refused_by_both(skua, flight, inputs, reason, path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("part", ["engine", "sidecar", "manifest"])
def test_file_of_another_user(skua, flight, inputs, part):
    path = {**PARTS, "manifest": manifest}[part](flight.current())
    os.chown(path, 65534, 65534)
    refused_by_both(skua, flight, inputs, "file_owner", path, "65534")
