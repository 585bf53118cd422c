"""The exceptions: one class for each of the C++ library's, with the same bases, and what each carries."""

import inspect
import pickle
import re

import package
import pytest

import skua
import skua.errors

HEADER = (package.ROOT / "include" / "skua" / "error.h").read_text("ascii")


def classes_of_the_header():
    """{class: its base} of error.h."""
    return dict(re.findall(r"^class (\w+)\s*: public (\w+)", HEADER, re.MULTILINE))


def codes_of_the_header():
    body = re.search(r"enum class ErrorCode[^{]*{(.*?)};", HEADER, re.DOTALL).group(1)
    return re.findall(r"^\s*k(\w+),", body, re.MULTILINE)


def classes_of_the_package():
    found = inspect.getmembers(skua.errors, inspect.isclass)
    return {name: cls.__bases__[0].__name__ for name, cls in found if issubclass(cls, skua.SkuaError)}


def test_every_class_of_the_library_is_there_under_its_base_and_no_other():
    expected = classes_of_the_header()
    assert expected.pop("SkuaError", None) in (None, "std")
    assert classes_of_the_package() == {**expected, "SkuaError": "Exception"}


def test_every_code_has_its_class():
    codes = codes_of_the_header()
    assert len(codes) == 15, codes
    assert {f"{code}Error" for code in codes} == set(classes_of_the_package()) - {"SkuaError"}


def test_every_class_is_a_name_of_the_package():
    for name in classes_of_the_package():
        assert getattr(skua, name) is getattr(skua.errors, name) and name in skua.__all__


def test_an_error_tells_what_it_carries():
    error = skua.EngineHashMismatchError("the engine", reason="sidecar_hash_mismatch", native_code=5)
    assert (error.message, error.reason, error.native_code) == ("the engine", "sidecar_hash_mismatch", 5)
    assert str(error) == "the engine [sidecar_hash_mismatch]" and error.stage == "sidecar"
    assert skua.EngineHashMismatchError("x", reason="manifest_entry_missing").stage == "manifest"
    assert skua.ManifestError("x", reason="set_expired").code == "set_expired"


def test_an_error_can_be_sent_to_another_process():
    error = skua.InferenceError("no result", reason="lane_busy", native_code=3)
    sent = pickle.loads(pickle.dumps(error))
    assert (type(sent), str(sent), sent.reason, sent.native_code) == (type(error), str(error), "lane_busy", 3)


def test_the_cause_is_chained(aircraft):
    """An aircraft whose runtime cannot be had: the bootstrap's error, raised from the runtime's own."""
    told = package.run("""
import json, sys, skua
config = skua.AirborneConfig(inference=skua.RuntimeConfig(torch_library="/nowhere/libtorch.so", state_dir=sys.argv[1],
                                                         log_sink="none"))
try:
    skua.build_pre_constructed(config)
except skua.AirborneBootstrapError as error:
    cause = error.__cause__
    print(json.dumps([error.reason, error.message, type(cause).__name__, cause.reason, cause.message]))
""", aircraft.folder)
    reason, message, cause, cause_reason, cause_message = told
    assert reason == cause_reason == "sdk_missing" and cause == "RuntimeNotAvailableError"
    assert "c7_inference" in message and "/nowhere/libtorch.so" in cause_message


def test_a_cast_that_fails_has_its_class():
    """What is private to the package takes a dict: C++ throws a std::bad_cast."""
    with pytest.raises(skua.InvalidArgumentError, match="of another kind") as refused:
        skua._skua._build_runtime(3, "ground", None, None, False, "/")
    assert refused.value.reason == "invalid_argument"


class Raises:
    """Asked whether it is a path, a text, a sequence or an instance, it raises."""

    def __init__(self, said):
        self.said = said

    def fail(self, *_):
        raise self.said

    __fspath__ = __iter__ = __len__ = __getitem__ = keys = items = fail
    value = property(fail)


QUESTIONS = {
    "path": lambda runtime, engine, bound, value: skua.Sha256Sidecar.verify(value),
    "sequence": lambda runtime, engine, bound, value: skua.LightGlueRuntime.create(runtime, engine, value),
    "mapping": lambda runtime, engine, bound, value: runtime.infer(engine, value),
    "shape": lambda runtime, engine, bound, value: bound.set_shape("x", value),
    "name": lambda runtime, engine, bound, value: runtime.infer(engine, {value: 3}),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_only_an_answer_is_taken_for_one(runtime, flight_set, bound, question):
    def ask(value):
        QUESTIONS[question](runtime, flight_set["add_relu"], bound, value)

    for said in (KeyboardInterrupt, SystemExit, MemoryError, ZeroDivisionError):
        with pytest.raises(said):
            ask(Raises(said()))
    if question == "name":  # an attribute that is not there is no cause of anything
        with pytest.raises(skua.InvalidArgumentError):
            ask(Raises(AttributeError()))
        return
    answer = TypeError("none of these")
    with pytest.raises(skua.InvalidArgumentError) as refused:  # the control
        ask(Raises(answer))
    assert refused.value.__cause__ is answer


def test_a_path_of_any_bytes_can_be_told(runtime):
    with pytest.raises(skua.SkuaError) as refused:
        runtime.load_flight_set(b"/nowhere/\xff\xfe", skua.GatePolicy(allow_unsigned=True))
    assert refused.value.reason == "set_missing" and "nowhere" in str(refused.value)
