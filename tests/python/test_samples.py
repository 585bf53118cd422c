"""Samples of a data set for int8: read as they were hashed, whole, and refused by name."""

from __future__ import annotations

import hashlib
import io
import os
import random
import struct
import sys
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from small_network import SHAPE, network

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from skua_precision import samples  # noqa: E402
from skua_precision.errors import PrecisionError  # noqa: E402
from skua_precision.samples import SampleFile  # noqa: E402


def refusal(function: object, *arguments: object) -> PrecisionError:
    with pytest.raises(PrecisionError) as caught:
        function(*arguments)
    return caught.value


def sample(folder: Path, data: bytes, name: str = "s.npz") -> SampleFile:
    (folder / name).write_bytes(data)
    return SampleFile(folder / name, hashlib.sha256(data).hexdigest())


def npz(compressed: bool = False, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


GOOD = np.full(SHAPE, 0.5, np.float32)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_sample_is_one_array_an_input(tmp_path, compressed):
    read = samples.read(sample(tmp_path, npz(compressed, x=GOOD)), network())
    np.testing.assert_array_equal(read["x"], GOOD)


@pytest.mark.parametrize("arrays, part", [
    ({}, "one array an input (x), found none"), ({"y": GOOD}, "found y"), ({"x": GOOD, "y": GOOD}, "found x, y"),
    ({"x": GOOD.astype(np.float64)}, "expected float32 for input 'x', found float64"),
    ({"x": GOOD[0]}, "expected shape (1, 3, 16, 16) for input 'x'"), ({"x": GOOD[:, :2]}, "expected shape"),
    ({"x": np.full(SHAPE, np.nan, np.float32)}, "NaN"), ({"x": np.full(SHAPE, np.inf, np.float32)}, "infinity"),
])
def test_what_does_not_fit_is_refused_by_name(tmp_path, arrays, part):
    refused = refusal(samples.read, sample(tmp_path, npz(**arrays)), network())
    assert refused.reason == "data_set_malformed"
    assert part in str(refused) and "s.npz" in str(refused) and "; repair it or take it out of the data set" in str(refused)


def test_pickles_are_never_read(tmp_path):
    stream = io.BytesIO()
    np.savez(stream, x=np.array([{"code": 1}], object))
    assert refusal(samples.read, sample(tmp_path, stream.getvalue()), network()).reason == "data_set_malformed"


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_numpy_does_not_write_is_not_unpacked(tmp_path, way):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", way) as archive:
        archive.writestr("x.npy", npy("", b""))
    assert "stored or deflated" in str(refusal(samples.read, sample(tmp_path, stream.getvalue()), network()))


def test_a_member_that_holds_more_than_it_says_is_refused(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(50_000_000))
    data = stream.getvalue().replace((50_000_000).to_bytes(4, "little"), (4000).to_bytes(4, "little"))
    tracemalloc.start()
    assert refusal(samples.read, sample(tmp_path, data), network()).reason == "data_set_malformed"
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_sample_that_unpacks_beyond_its_bound_is_refused_before(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MAX_ARRAY_BYTES", GOOD.nbytes)
    refused = refusal(samples.read, sample(tmp_path, npz(True, x=GOOD)), network())
    assert f"at most {GOOD.nbytes} bytes" in str(refused)


@pytest.mark.parametrize("compressed", [False, True])
def test_no_cut_of_a_sample_is_used(tmp_path, compressed):
    whole = npz(compressed, x=GOOD)
    for size in range(0, len(whole), 1 if compressed else 97):
        assert refusal(samples.read, sample(tmp_path, whole[:size]), network()).reason == "data_set_malformed", size


@pytest.mark.parametrize("compressed", [False, True])
def test_a_flipped_bit_ends_as_a_refusal_or_changes_no_value(tmp_path, compressed):
    """Every bit of an archive of noise: whoever made it before it was hashed, its checksum holds for what is used."""
    values = np.random.default_rng(1).random((1, 3, 4, 4), np.float32)
    model = network(shape=values.shape)
    whole = npz(compressed, x=values)
    refused = 0
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = samples.read(sample(tmp_path, bytes(flipped)), model)
        except PrecisionError as error:
            assert error.reason == "data_set_malformed", bit
            refused += 1
        else:
            np.testing.assert_array_equal(read["x"], values)
    assert refused > 8 * values.nbytes, "the control: values do change"


ARCHIVES = (Path(__file__).resolve().parents[1] / "fixtures/samples/archives.txt").read_text("ascii").splitlines()


@pytest.mark.parametrize("verdict, name, digits", [row.split() for row in ARCHIVES if not row.startswith("#")])
def test_an_archive_is_judged_as_by_the_other_reader(tmp_path, verdict, name, digits):
    """src/calibration/npz.cpp is tested with the same rows."""
    model = network()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2]))
    listed = sample(tmp_path, bytes.fromhex(digits))
    if verdict == "bad":
        assert refusal(samples.read, listed, model).reason == "data_set_malformed", name
        return
    np.testing.assert_array_equal(samples.read(listed, model)["x"], np.array([[1, 2]], np.float32))


def test_a_directory_is_judged_before_it_is_read(tmp_path):
    """An object for each of its entries takes more memory than the file."""
    whole = npz_of(x__npy=b"")
    at, end = whole.find(b"PK\1\2"), whole.rfind(b"PK\5\6")
    directory = whole[at:end] * 40_000
    for count in (1, 40_000):  # zipfile reads as much as the size says
        data = whole[:at] + directory + struct.pack("<4s4xHHIIH", b"PK\5\6", count, count, len(directory), at, 0)
        tracemalloc.start()
        assert "a directory of at most" in str(refusal(samples.read, sample(tmp_path, data), network()))
        assert tracemalloc.get_traced_memory()[1] < 4 * len(data)
        tracemalloc.stop()


def npz_of(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return stream.getvalue()


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize("header", [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 16, 1099511627776)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 16, -16)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 16, 2**70)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1, 3, 16, 16)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': ((((((((",
    "{'descr': '<f4', 'fortran_order': 7, 'shape': (1, 3, 16, 16)}",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 3, 16, 16)}",
    "[1, 2", "", "None", "\x00",
])
def test_a_header_is_judged_before_anything_is_allocated(tmp_path, header):
    listed = sample(tmp_path, npz_of(x__npy=npy(header, GOOD.tobytes())))
    assert refusal(samples.read, listed, network()).reason == "data_set_malformed"


def test_control_that_header_with_the_right_shape_is_read(tmp_path):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 16, 16)}"
    read = samples.read(sample(tmp_path, npz_of(x__npy=npy(header, GOOD.tobytes()))), network())
    np.testing.assert_array_equal(read["x"], GOOD)


@pytest.mark.parametrize("size", [0, 4, GOOD.nbytes - 4, GOOD.nbytes + 4])
def test_less_or_more_values_than_the_header_says(tmp_path, size):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 16, 16)}"
    data = (GOOD.tobytes() * 2)[:size]
    assert "bytes of values" in str(refusal(samples.read, sample(tmp_path, npz_of(x__npy=npy(header, data))), network()))


def test_columns_first_are_read_as_they_are_meant(tmp_path):
    values = np.asfortranarray(np.random.default_rng(2).random(SHAPE, np.float32))
    np.testing.assert_array_equal(samples.read(sample(tmp_path, npz(x=values)), network())["x"], values)


def test_a_number_stays_without_dimensions(tmp_path):
    model = network()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, []))
    assert samples.read(sample(tmp_path, npz(x=np.float32(3))), model)["x"].shape == ()


def test_an_input_without_a_shape_takes_any(tmp_path):
    model = network()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, None))
    assert samples.read(sample(tmp_path, npz(x=GOOD[0])), model)["x"].shape == SHAPE[1:]


def test_an_array_twice_is_refused(tmp_path):
    stream = io.BytesIO(npz(x=GOOD))
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("x.npy", archive.read("x.npy"))
    assert "every array once" in str(refusal(samples.read, sample(tmp_path, stream.getvalue()), network()))


def test_another_content_than_was_hashed_is_refused(tmp_path):
    listed = sample(tmp_path, npz(x=GOOD))
    sample(tmp_path, npz(x=GOOD * 2))
    assert refusal(samples.read, listed, network()).reason == "data_set_changed"
    listed.path.unlink()
    assert refusal(samples.read, listed, network()).reason == "data_set_changed"


def test_what_took_the_place_of_a_file_is_neither_followed_nor_waited_for(tmp_path):
    listed = sample(tmp_path, npz(x=GOOD))
    listed.path.rename(tmp_path / "elsewhere.npz")
    listed.path.symlink_to(tmp_path / "elsewhere.npz")
    assert refusal(samples.read, listed, network()).reason == "data_set_changed"
    listed.path.unlink()
    os.mkfifo(listed.path)
    assert refusal(samples.read, listed, network()).reason == "data_set_changed"
    listed.path.unlink()
    listed.path.mkdir()
    assert refusal(samples.read, listed, network()).reason in ("data_set_changed", "io_error")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_no_verdict_about_it(tmp_path):
    listed = sample(tmp_path, npz(x=GOOD))
    listed.path.chmod(0)
    refused = refusal(samples.read, listed, network())
    assert (refused.error_class, refused.reason) == ("IoError", "io_error")


@pytest.mark.parametrize("count, held_out", [(2, [1]), (4, [3]), (5, [4]), (12, [4, 9])])
def test_what_judges_calibrates_nothing(count, held_out):
    files = [SampleFile(Path(str(i)), str(i)) for i in range(count)]
    calibrating, judging = samples.split(files)
    assert judging == [files[i] for i in held_out]
    assert not set(calibrating) & set(judging) and len(calibrating) + len(judging) == count


SPLITS = (Path(__file__).resolve().parents[1] / "fixtures/samples/splits.txt").read_text("ascii").splitlines()


@pytest.mark.parametrize("contents, expected", [row.split() for row in SPLITS if not row.startswith("#")])
def test_the_split_is_that_of_the_other_reader(contents, expected):
    """src/calibration/sample_reader.cpp is tested with the same rows."""
    files = [SampleFile(Path(str(i)), content) for i, content in enumerate(contents)]
    if expected == "refused":
        assert refusal(samples.split, files).reason == "data_set_malformed"
        return
    calibrating, _ = samples.split(files)
    assert "".join("c" if file in calibrating else "j" for file in files) == expected


def test_one_sample_is_too_few():
    refused = refusal(samples.split, [SampleFile(Path("a"), "")])
    assert refused.reason == "data_set_malformed" and str(refused).endswith("; give more samples")


def test_files_of_one_content_are_on_one_side():
    contents = [random.Random(seed).choice("abcdefg") for seed in range(40)]
    files = [SampleFile(Path(str(i)), content) for i, content in enumerate(contents)]
    calibrating, judging = samples.split(files)
    assert not {f.sha256 for f in calibrating} & {f.sha256 for f in judging}
    assert sorted(int(f.path.name) for f in calibrating + judging) == list(range(40))
    assert judging


def test_samples_made_from_one_image_are_on_one_side():
    """Two of an image's samples differ when it was resized anew; what they were made from does not."""
    files = [SampleFile(Path(str(i)), str(i), image) for i, image in enumerate("aabbccddee")]
    assert samples.split(files)[1] == files[8:]
    assert "2 samples that differ" in str(refusal(samples.split, files[:2]))


def test_a_message_names_the_image_that_a_sample_was_made_from(tmp_path):
    made = replace(sample(tmp_path, npz(x=GOOD[0])), original="a", image="/data/a.png")
    for digest, reason in ((made.sha256, "data_set_malformed"), ("0" * 64, "data_set_changed")):
        refused = refusal(samples.read, replace(made, sha256=digest), network())
        assert refused.reason == reason and "data set, /data/a.png: " in str(refused) and "s.npz" not in str(refused)
    good = replace(sample(tmp_path, npz(x=GOOD)), original="a", image="/data/a.png")
    assert [each.name for each in samples.each([good], network())] == ["/data/a.png"]


def test_copies_of_one_sample_are_one():
    assert "2 samples that differ" in str(refusal(samples.split, [SampleFile(Path(str(i)), "a") for i in range(9)]))
