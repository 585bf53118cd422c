"""What Skua writes the stack's Python reads, and the other way round: sidecars and engine file names, drawn at random.

The stack's side is `stack_formats.py`. Each property has a control: what one side calls damaged the other does too.
"""

import pathlib
import string
import tempfile

import pytest
import stack_formats as stack
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import skua

PAYLOADS = st.binary(max_size=4096)
EXAMPLES = settings(max_examples=300, deadline=None)  # a deadline would be a time that a test asserts

number = st.integers(0, 99999).map(str)
dotted = st.lists(number, min_size=1, max_size=4).map(".".join)
models = st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True).filter(lambda name: "__" not in name)
precisions = st.sampled_from(["fp16", "int8", "mixed", "fp32"])
names = st.tuples(models, st.integers(0, 9999), dotted, dotted, precisions)


@pytest.fixture(name="folder", scope="module")
def folder_of_the_module():
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


@EXAMPLES
@given(payload=PAYLOADS)
def test_the_stack_verifies_what_skua_wrote(folder, payload):
    file = folder / "skua.engine"
    skua.Sha256Sidecar.write_atomic_and_sidecar(file, payload)
    assert file.read_bytes() == payload and stack.verify(file)
    assert sorted(path.name for path in folder.glob("skua.engine*")) == ["skua.engine", "skua.engine.sha256"]
    assert skua.Sha256Sidecar.path_of(file) == str(stack.sidecar_of(file))


@EXAMPLES
@given(payload=PAYLOADS)
def test_skua_verifies_what_the_stack_wrote(folder, payload):
    file = folder / "stack.engine"
    stack.write_atomic_and_sidecar(file, payload)
    assert skua.Sha256Sidecar.verify(file)
    assert skua.Sha256Sidecar.digest(payload) == skua.Sha256Sidecar.digest_file(file) == stack.sidecar_of(file).read_text()


@EXAMPLES
@given(payload=st.binary(min_size=1, max_size=512), data=st.data())
def test_both_see_a_flipped_bit_of_the_payload(folder, payload, data):
    file = folder / "flipped.engine"
    skua.Sha256Sidecar.write_atomic_and_sidecar(file, payload)
    bit = data.draw(st.integers(0, 8 * len(payload) - 1))
    damaged = bytearray(payload)
    damaged[bit // 8] ^= 1 << bit % 8
    file.write_bytes(damaged)
    assert not stack.verify(file) and not skua.Sha256Sidecar.verify(file)


def verdict(verify, errors, file):
    try:
        return verify(file)
    except errors:
        return "error"


def both(file):
    """What Skua and the stack say of a file with its sidecar."""
    return (verdict(skua.Sha256Sidecar.verify, skua.EngineDeserializeError, file),
            verdict(stack.verify, stack.SidecarError, file))


@EXAMPLES
@given(sidecar=st.one_of(st.binary(max_size=80), st.text(string.hexdigits + "\n ", min_size=62, max_size=66).map(str.encode)))
@example(sidecar=b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")  # of nothing: right
@example(sidecar=b"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")
@example(sidecar=b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n")
def test_both_judge_a_sidecar_alike(folder, sidecar):
    file = folder / "judged.engine"
    file.write_bytes(b"")
    stack.sidecar_of(file).write_bytes(sidecar)
    ours, theirs = both(file)
    assert ours == theirs
    assert (ours is True) == (sidecar == skua.Sha256Sidecar.digest(b"").encode())


def test_what_is_missing(folder):
    file = folder / "missing.engine"
    assert both(file) == (False, False)
    file.write_bytes(b"payload")
    assert both(file) == ("error", "error")
    with pytest.raises(skua.EngineSidecarMissingError):
        skua.Sha256Sidecar.verify(file)


@EXAMPLES
@given(contents=st.dictionaries(st.from_regex(r"[a-z0-9_.\-]{1,12}", fullmatch=True).filter(lambda name: name.strip(".")),
                                PAYLOADS, min_size=1, max_size=6), data=st.data())
def test_one_digest_over_several_files(contents, data):
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, name) for name in contents]
        for file in files:
            file.write_bytes(contents[file.name])
        shuffled = data.draw(st.permutations(files))
        whole = skua.Sha256Sidecar.aggregate_hash(files)
        assert whole == skua.Sha256Sidecar.aggregate_hash(shuffled) == stack.aggregate_hash(shuffled)
        changed = data.draw(st.sampled_from(files))
        changed.write_bytes(contents[changed.name] + b"!")
        assert skua.Sha256Sidecar.aggregate_hash(files) == stack.aggregate_hash(files) != whole
        changed.write_bytes(contents[changed.name])
        other = changed.with_name(changed.name + "x")
        assume(not other.exists())
        changed.rename(other)
        renamed = [other if file == changed else file for file in files]
        assert skua.Sha256Sidecar.aggregate_hash(renamed) == stack.aggregate_hash(renamed) != whole


def schema(model, sm, jp, trt, precision):
    return skua.EngineFilenameSchema(model=model, sm=sm, jetpack=jp, tensorrt=trt, precision=skua.Precision(precision))


@EXAMPLES
@given(parts=names)
@example(parts=("ultravpr", 87, "6.2", "10.3", "fp16"))
@example(parts=("a_", 0, "0", "0", "fp32"))
def test_both_build_the_same_name_and_read_it_back(parts):
    name = schema(*parts).build()
    assert name == stack.build_name(*parts)
    assert skua.EngineFilenameSchema.parse(name) == schema(*parts)
    assert stack.parse_name(name) == parts


def skua_parse(name):
    try:
        read = skua.EngineFilenameSchema.parse(name)
    except skua.EngineSchemaMismatchError as error:
        assert error.reason == "engine_name_malformed"
        return None
    assert read.build() == name
    return (read.model, read.sm, read.jetpack, read.tensorrt, read.precision.value) if read.extension == "engine" else None


@EXAMPLES
@given(parts=names, data=st.data())
def test_what_the_stack_cannot_read_skua_does_not_read(parts, data):
    """One character of a legal name is replaced, added or left out. Skua is the stricter one: leading zeros, long numbers."""
    name = list(stack.build_name(*parts))
    place = data.draw(st.integers(0, len(name) - 1))
    name[place:place + data.draw(st.integers(0, 1))] = data.draw(st.sampled_from([*"aZ_.0/- \n\x00", ""]))
    ours, theirs = skua_parse("".join(name)), stack.parse_name("".join(name))
    if ours is not None:
        assert ours == theirs
    elif theirs is not None:
        numbers = [str(theirs[1]), *theirs[2].split("."), *theirs[3].split(".")]
        is_long = theirs[1] > 9999 or any(len(part) > 5 for part in numbers) or max(theirs[2].count("."), theirs[3].count(".")) > 3
        is_padded = "".join(name) != stack.build_name(*theirs) or any(len(part) > 1 and part[0] == "0" for part in numbers)
        assert is_long or is_padded, "".join(name)


@EXAMPLES
@given(parts=names, host=st.tuples(st.integers(0, 9999), dotted, dotted))
def test_a_name_is_of_this_host_when_its_three_numbers_are(parts, host):
    machine = skua.HostTuple(sm=host[0], jetpack=host[1], tensorrt=host[2])
    assert schema(*parts).matches_host(machine) == (host == parts[1:4])
    assert schema(parts[0], *host, parts[4]).matches_host(machine)
