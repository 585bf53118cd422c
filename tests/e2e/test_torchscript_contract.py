"""Inputs, outputs and profiles of a TorchScript network: what the file says (skua.io), what the configuration says, and
what happens when they contradict each other or the network."""

import concurrent.futures
import json

import numpy as np
import pytest

import programs
import tiny_torchscripts as tiny
import trees
from places import Place
from programs import BUILD_FAILED, USAGE
from torch_places import compile_model, compiled, outputs_of, refuse, row, run


def one_x(dtype, *shape):
    """skua.io of a network from x to y."""
    return tiny.io_of({"x": (dtype, shape)}, ["y"])


ROW_OF_8 = one_x("float32", 1, 8)
PAIR = ("--profile", "left:2x8:2x8:2x8", "--profile", "right:2x8:2x8:2x8")


@pytest.fixture(scope="module", name="shared")
def models_and_a_cache(torch_original, tmp_path_factory):
    """Models, and a cache with engines in it, which no refusal may change."""
    place = Place(tmp_path_factory.mktemp("contract"))
    trees.copy(torch_original.cache, place.cache)
    place.silent = tiny.save(place.models / "silent.pt", tiny.MatMulRelu())
    place.declared = tiny.matmul_relu(place.models / "declared.pt")
    place.two = tiny.save(place.models / "two.pt", tiny.GivesTuple())
    place.threes = tiny.save(place.models / "threes.pt", tiny.Threes())
    return place


def configured(place, **fields):
    """Arguments for a build configuration."""
    path = place.folder / "BUILD.json"
    path.write_text(json.dumps({"precision": "fp16", **fields}), "ascii")
    return ("--config", path)


def of_the_threes(**fields):
    return {"optimization_profiles": [{"input": "x", "min": [16], "opt": [16], "max": [16]}],
            "input_dtypes": {"x": "int64"}, **fields}


# ---- what this runtime does not have -------------------------------------------------------------------------------

@pytest.mark.parametrize("precision", ["int8", "mixed"])
def test_precision_that_this_runtime_does_not_have(skua, shared, precision):
    data = ("--calibration-dataset", shared.models)
    before = trees.tree(shared.cache)
    result = skua("compile", shared.declared, "--precision", precision, "--out", shared.cache, "--json", *data)
    programs.error_of(result, BUILD_FAILED, "precision_not_supported", precision, "fp16", shared.declared)
    assert trees.tree(shared.cache) == before


def test_nodes_held_in_single_precision(skua, shared):
    """keep_fp32 names nodes of an ONNX graph; .float() is how a TorchScript network says it."""
    refuse(skua, shared.declared, shared.cache, "precision_not_supported", "keep_fp32", ".float()", profile=None,
           more=configured(shared, keep_fp32=["conv*"]))


def test_engine_that_is_not_proven(skua, shared):
    refuse(skua, shared.declared, shared.cache, "unproven_not_supported", "--unproven", status=USAGE, profile=None,
           more=("--unproven",))


def test_control_precisions_that_it_has(skua, place, shared):
    compiled(skua, shared.declared, place.cache, profile=None)
    result = skua.ok("compile", shared.declared, "--precision", "fp32", "--out", place.cache, "--json")
    assert result["path"].endswith("fp32.pt")


# ---- profiles ------------------------------------------------------------------------------------------------------

PROFILES = {
    "missing": (None, BUILD_FAILED, "profile_mismatch", ("'x'", "--profile")),
    "unknown_name": ("z:1x8:1x8:1x8", USAGE, "invalid_argument", ("'z'", "forward() takes x")),
    "one_too_many": (("x:1x8:1x8:1x8", "z:1x8:1x8:1x8"), USAGE, "invalid_argument", ("'z'",)),
    "width_that_it_cannot_run": ("x:1x7:1x7:1x7", BUILD_FAILED, "model_unsupported", ("1x7 and 8x8",)),
    "max_that_it_cannot_run": ("x:1x8:1x8:1x9", BUILD_FAILED, "model_unsupported", ("1x9 and 8x8",)),
    "min_that_it_cannot_run": ("x:1x7:1x8:1x8", BUILD_FAILED, "model_unsupported", ("1x7 and 8x8",)),
    "rank_that_it_cannot_run": ("x:1:1:1", BUILD_FAILED, "model_unsupported", ("",)),
    "min_above_opt": ("x:2x8:1x8:2x8", USAGE, "invalid_argument", ("'x'",)),
    "zero": ("x:0x8:1x8:1x8", USAGE, "invalid_argument", ("'x'",)),
    "more_than_memory": ("x:1x8:1x8:1099511627776x8", BUILD_FAILED, "builder_memory", ("memory",)),
}


@pytest.mark.parametrize("kind", PROFILES)
def test_profile_of_a_silent_file(skua, shared, kind):
    profile, status, reason, words = PROFILES[kind]
    more = ()
    if isinstance(profile, tuple):
        profile, more = profile[0], ("--profile", profile[1])
    words = (shared.silent, *words) if status == BUILD_FAILED else words
    refuse(skua, shared.silent, shared.cache, reason, *words, status=status, profile=profile, more=more)


@pytest.mark.parametrize("profile", ["x:1x8:2x8:4x8", "x:2x8:2x8:2x8", "x:8:8:8", "x:1x8x1:1x8x1:1x8x1"])
def test_profile_that_the_file_contradicts(skua, shared, profile):
    refuse(skua, shared.declared, shared.cache, "profile_mismatch", shared.declared, "'x'", "1x8", profile=profile)


def test_control_profiles(skua, place, shared):
    engine = compiled(skua, shared.silent, place.cache, profile="x:1x8:2x8:4x8")
    assert engine["inputs"][0]["shape"] == [-1, 8] and engine["outputs"][0]["shape"] == [-1, 8]
    assert engine["outputs"][0]["max_shape"] == [4, 8] and not engine["outputs"][0]["data_dependent"]
    for rows in (1, 3, 4):
        assert outputs_of(run(skua, place.cache, {"x": row(rows, 8)}, model="silent"))["output"].shape == (rows, 8)
    engine = compiled(skua, shared.declared, place.cache)  # the profile that the file declares
    assert engine["profiles"] == [] and engine["inputs"][0]["shape"] == [1, 8]


def test_dynamic_declaration_needs_a_profile(skua, place, shared):
    model = tiny.save(shared.models / "open.pt", tiny.MatMulRelu(), io_text=one_x("float32", -1, 8))
    refuse(skua, model, shared.cache, "profile_mismatch", model, "-1x8", "--profile", profile=None)
    refuse(skua, model, shared.cache, "profile_mismatch", model, "-1x8", profile="x:1x7:1x7:1x7")
    assert compiled(skua, model, place.cache, profile="x:1x8:2x8:4x8")["inputs"][0]["shape"] == [-1, 8]


# ---- element types and names ---------------------------------------------------------------------------------------

def test_element_types(skua, place, shared):
    cases = [(shared.silent, "x=int64", BUILD_FAILED, "model_unsupported", ("dtype",)),
             (shared.declared, "x=float16", BUILD_FAILED, "profile_mismatch", ("'x'", "float32", "float16")),
             (shared.silent, "z=float32", USAGE, "invalid_argument", ("'z'", "forward() takes x")),
             (shared.silent, "x=complex64", USAGE, "invalid_argument", ("complex64",)),
             (shared.silent, "x", USAGE, "invalid_argument", ("",)),
             (shared.silent, "x=uint16", USAGE, "dtype_mismatch", ("uint16",))]
    for model, given, status, reason, words in cases:
        refuse(skua, model, shared.cache, reason, *words, status=status, more=("--input-dtype", given))
    engine = compiled(skua, shared.silent, place.cache, "--input-dtype", "x=float16")  # control
    assert engine["inputs"][0]["dtype"] == "float16"
    found = outputs_of(run(skua, place.cache, {"x": row().astype(np.float16)}, model="silent"))
    assert np.isfinite(found["output"]).all()


def test_output_names(skua, place, shared):
    def names(*given):
        return (*PAIR, *(part for name in given for part in ("--output-name", name)))

    for given, status, reason in ((("a",), BUILD_FAILED, "profile_mismatch"),
                                  (("a", "b", "c"), BUILD_FAILED, "profile_mismatch"),
                                  (("a", "a"), USAGE, "invalid_argument"), (("a", ""), USAGE, "invalid_argument")):
        refuse(skua, shared.two, shared.cache, reason, "output", status=status, profile=None, more=names(*given))
    engine = compiled(skua, shared.two, place.cache, *names("a", "b"), profile=None)
    assert [output["name"] for output in engine["outputs"]] == ["a", "b"]
    engine = compiled(skua, shared.two, place.cache, *PAIR, profile=None)
    assert [output["name"] for output in engine["outputs"]] == ["output_0", "output_1"]


@pytest.mark.parametrize("name", ["Several", "GivesDict"])
def test_names_of_the_network_itself(skua, place, shared, name):
    """A NamedTuple's fields may be called otherwise; a dict's keys are its names, in the order that is asked for."""
    model = tiny.save(place.models / "net.pt", getattr(tiny, name)())
    asked = ("--output-name", "product", "--output-name", "total")
    for more, names in (((), ["total", "product"]), (asked, ["product", "total"])):
        engine = compiled(skua, model, place.cache, *PAIR, *more, profile=None)
        assert [output["name"] for output in engine["outputs"]] == names
        arrays = {"left": row(2, 8), "right": 2 * row(2, 8)}
        found = outputs_of(run(skua, place.cache, arrays, model="net"))
        is_swapped = name == "Several" and names[0] == "product"
        total = found["product" if is_swapped else "total"]
        assert np.allclose(total, 3 * row(2, 8), atol=5e-3)
    if name == "GivesDict":
        refuse(skua, model, shared.cache, "profile_mismatch", "total", "a", profile=None,
               more=(*PAIR, "--output-name", "a", "--output-name", "b"))


# ---- outputs whose shape depends on the data -----------------------------------------------------------------------

def test_data_dependent_output(skua, place, shared):
    refuse(skua, shared.threes, shared.cache, "output_unbounded", shared.threes, "'output'", "max_output_shapes",
           profile=None, more=configured(shared, **of_the_threes()))
    for shape, words in (([1, 1], "covers"), ([16], "rank"), ([16, 1, 1], "rank")):
        refuse(skua, shared.threes, shared.cache, "invalid_argument", words, status=USAGE, profile=None,
               more=configured(shared, **of_the_threes(max_output_shapes={"output": shape})))
    refuse(skua, shared.threes, shared.cache, "invalid_argument", "'z'", status=USAGE, profile=None,
           more=configured(shared, **of_the_threes(max_output_shapes={"output": [16, 1], "z": [1]})))
    engine = compiled(skua, shared.threes, place.cache, *configured(
        shared, **of_the_threes(max_output_shapes={"output": [14, 1]})), profile=None)
    assert engine["outputs"] == [{"name": "output", "dtype": "int64", "shape": [-1, 1], "max_shape": [14, 1],
                                  "data_dependent": True}]


# ---- skua.io -------------------------------------------------------------------------------------------------------

MALFORMED_IO = {
    "no_json": "{", "array": "[]", "null": "null", "text": '"x"', "comma": '{"inputs": [],}', "rest": "{} {}",
    "not_utf8": b"\xff\xfe{}", "doubled": '{"inputs": [], "inputs": [], "outputs": ["y"]}',
    "unknown_field": {**ROW_OF_8, "colour": "blue"}, "no_outputs": {"inputs": ROW_OF_8["inputs"]},
    "no_inputs": {"outputs": ["y"]}, "inputs_object": {**ROW_OF_8, "inputs": {"x": [1, 8]}},
    "too_long": json.dumps(ROW_OF_8) + " " * 65536, "too_deep": '{"inputs": ' + "[" * 40 + "]" * 40 + "}",
    "input_without_shape": {**ROW_OF_8, "inputs": [{"name": "x", "dtype": "float32"}]},
    "input_with_more": {**ROW_OF_8, "inputs": [{"name": "x", "dtype": "float32", "shape": [1, 8], "min": 1}]},
    "no_dtype": one_x("float31", 1, 8), "unknown_dtype": one_x("uint16", 1, 8), "negative": one_x("float32", 1, -8),
    "fraction": one_x("float32", 1, 8.5), "rank_9": one_x("float32", *[1] * 9), "huge": one_x("float32", 2**62, 2**62),
    "beyond": one_x("float32", 2**64, 8), "no_output": {**ROW_OF_8, "outputs": []},
    "empty_output": {**ROW_OF_8, "outputs": [""]}, "numbered_output": {**ROW_OF_8, "outputs": [5]},
    "output_twice": {**ROW_OF_8, "outputs": ["y", "y"]},
    "many_outputs": {**ROW_OF_8, "outputs": [str(number) for number in range(257)]},
    "other_input": tiny.io_of({"z": ("float32", (1, 8))}, ["y"]), "no_input": {**ROW_OF_8, "inputs": []},
    "two_inputs": tiny.io_of({"x": ("float32", (1, 8)), "z": ("float32", (1, 8))}, ["y"]),
}
# Well formed, and of another network: (reason, words).
CONTRADICTING_IO = {
    "two_outputs": ({**ROW_OF_8, "outputs": ["y", "z"]}, "profile_mismatch", "y, z"),
    "width": (one_x("float32", 1, 7), "model_unsupported", "1x7 and 8x8"),
    "dtype": (one_x("int64", 1, 8), "model_unsupported", "dtype"),
    "more_than_memory": (one_x("float32", 2**40, 8), "builder_memory", "memory"),
}


def test_malformed_declaration(skua, place, shared):
    models = {kind: tiny.save(place.models / f"malformed_{kind}.pt", tiny.MatMulRelu(), io_text=text)
              for kind, text in MALFORMED_IO.items()}

    def refuse_some(part):
        cache = trees.copy(shared.cache, place.folder / f"cache{part}")  # writers of one cache exclude each other
        for model in list(models.values())[part::2]:
            refuse(skua, model, cache, "model_malformed", model, "skua.io", profile=None)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(refuse_some, range(2)))


@pytest.mark.parametrize("kind", CONTRADICTING_IO)
def test_declaration_of_another_network(skua, shared, kind):
    text, reason, words = CONTRADICTING_IO[kind]
    model = tiny.save(shared.models / f"contradicting_{kind}.pt", tiny.MatMulRelu(), io_text=text)
    refuse(skua, model, shared.cache, reason, model, words, profile=None)


def test_control_declarations(skua, place, shared):
    assert compiled(skua, shared.declared, place.cache, profile=None)["outputs"][0]["name"] == "y"
    io_text = tiny.io_of({"a": ("int64", (4,)), "b": ("int64", (4,)), "flag": ("bool", (4,))}, ["picked", "is_larger"])
    model = tiny.save(place.models / "integers.pt", tiny.Integers(), io_text=io_text)
    engine = compiled(skua, model, place.cache, profile=None)
    assert [output["dtype"] for output in engine["outputs"]] == ["int64", "bool"]
    a, b, flag = np.arange(4), np.array([3, 0, 2**40, -5]), np.array([True, False, True, False])
    found = outputs_of(run(skua, place.cache, {"a": a, "b": b, "flag": flag}, model="integers"))
    assert (found["picked"] == np.where(flag, a + b, a - b)).all() and (found["is_larger"] == (a > b)).all()


def test_metadata_is_carried_into_the_record(skua, place, shared):
    extra = {"skua.model_id": "e2e-1", "skua.weights_sha256": "ab" * 32, "skua.exporter": "by hand", "other": "not"}
    model = tiny.save(place.models / "net.pt", tiny.MatMulRelu(), extra=extra, io_text=ROW_OF_8)
    engine = compiled(skua, model, place.cache, profile=None)
    assert [engine[name] for name in ("model_id", "weights_sha256", "exporter")] == ["e2e-1", "ab" * 32, "by hand"]
    for name, text in (("skua.weights_sha256", "not hex"), ("skua.exporter", "x" * 100000)):
        bad = tiny.save(shared.models / "metadata.pt", tiny.MatMulRelu(), extra={**extra, name: text}, io_text=ROW_OF_8)
        before = trees.tree(shared.cache)
        result = compile_model(skua, bad, shared.cache, profile=None)
        assert result.returncode in (USAGE, BUILD_FAILED)
        programs.error_of(result, result.returncode, ("malformed", "build_record_malformed"), name.partition(".")[2])
        assert trees.tree(shared.cache) == before
