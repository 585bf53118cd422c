"""Inputs: what is taken in place, and what is refused with which words. Nothing is converted unless asked."""

import array
import ctypes

import numpy as np
import pytest
from conftest import X

import skua


@pytest.fixture(name="add_relu")
def infer_add_relu(runtime, flight_set):
    """The answer to one input."""
    engine = flight_set["add_relu"]
    return lambda x, **options: runtime.infer(engine, {"x": x}, **options)["y"]


@pytest.fixture(name="expected")
def answer_to_x(add_relu):
    return add_relu(X).copy()


def misaligned():
    memory = np.zeros(X.nbytes + 1, np.uint8)
    view = memory[1:].view(np.float32).reshape(X.shape)
    view[:] = X
    return view


class Exports:
    """A DLPack producer without a buffer, as other frameworks are."""

    def __init__(self, source, device=None):
        self.source, self.device, self.asked = source, device, 0

    def __dlpack_device__(self):
        return self.device or self.source.__dlpack_device__()

    def __dlpack__(self, **options):
        self.asked += 1
        return self.source.__dlpack__(**options)


class FailsToExport(Exports):
    def __dlpack__(self, **options):
        raise BufferError("it needs a gradient")


class SaysOfItsDevice(Exports):
    """`said`: what it answers, or raises, when it is asked for its device."""

    def __init__(self, said):
        super().__init__(X)
        self.said = said

    def __dlpack_device__(self):
        if isinstance(self.said, BaseException):
            raise self.said
        return self.said


class RaisesOnExport(Exports):
    def __init__(self, said):
        super().__init__(X)
        self.said = said

    def __dlpack__(self, **options):
        raise self.said


class RaisesOnAttribute:
    def __init__(self, said):
        self.said = said

    def __getattr__(self, name):
        raise self.said


class OnADevice:
    """Exports memory of a device (CUDA), whatever it says of it, if it says anything."""

    DEVICE_TYPE = 8  # bytes into a DLManagedTensor, behind the pointer to its data

    def __init__(self, said=None):
        if said is not None:
            self.__dlpack_device__ = lambda: said

    def __dlpack__(self):
        capsule = X.copy().__dlpack__()
        pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
        pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        ctypes.c_int32.from_address(pointer_of(capsule, b"dltensor") + self.DEVICE_TYPE).value = 2
        return capsule


def masked():
    return np.ma.masked_array(X, mask=X > 0)


# ---- what is taken ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [
    lambda: X.copy(),
    lambda: memoryview(X),
    lambda: array.array("f", X.ravel()),
    lambda: (ctypes.c_float * 8)(*X.ravel()),
    lambda: np.broadcast_to(X, (3, 1, 8))[0],
    lambda: X.astype(X.dtype.newbyteorder("=")),
    lambda: Exports(X.copy()),
], ids=["numpy", "memoryview", "array", "ctypes", "view", "native", "dlpack"])
def test_what_lies_as_the_engine_takes_it_is_taken(runtime, flight_set, expected, make):
    given = make()
    flat = not isinstance(given, (np.ndarray, memoryview, Exports))
    engine = flight_set["add_relu"]
    if flat:  # one dimension where the engine has two: the shape is refused, and that is all that is
        with pytest.raises(skua.InvalidArgumentError) as refused:
            runtime.infer(engine, {"x": given})
        assert refused.value.reason == "shape_mismatch", refused.value
        given = memoryview(given).cast("B").cast("f", (1, 8))
    assert np.array_equal(runtime.infer(engine, {"x": given})["y"], expected)


def test_a_read_only_input_is_as_good(add_relu, expected):
    given = X.copy()
    given.flags.writeable = False
    assert np.array_equal(add_relu(given), expected)


def test_a_producer_is_asked_once_and_nothing_is_copied(add_relu, expected):
    given = Exports(X.copy())
    assert np.array_equal(add_relu(given), expected) and given.asked == 1


def test_torch_tensors_are_taken(place):
    """In a process of its own: libtorch must not be in this one."""
    import package

    told = package.run("""
import json, sys, torch, numpy as np, skua
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
loaded = runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))
x = torch.linspace(-1, 1, 8).reshape(1, 8)
same = runtime.infer(loaded["add_relu"], {"x": x})["y"] == runtime.infer(loaded["add_relu"], {"x": x.numpy()})["y"]
half = x.half()
answer = torch.from_dlpack(runtime.infer(loaded["half"], {"x": half})["y"])
said = []
for bad in (x.double(), x.clone().requires_grad_(), torch.zeros(1, 16)[:, ::2], x.bfloat16()):
    try:
        runtime.infer(loaded["add_relu"], {"x": bad})
        said.append("taken")
    except skua.InvalidArgumentError as error:
        said.append([error.reason, type(error.__cause__).__name__])
print(json.dumps([bool(same.all()), str(answer.dtype), said]))
""", place.current())
    same, half, said = told
    assert same and half == "torch.float16"
    assert said == [["dtype_mismatch", "NoneType"], ["dtype_mismatch", "BufferError"],
                    ["invalid_argument", "NoneType"], ["dtype_mismatch", "NoneType"]]


def test_float16_goes_both_ways(runtime, flight_set):
    x = X.astype(np.float16)
    answer = runtime.infer(flight_set["half"], {"x": x})["y"]
    assert answer.dtype == np.float16 and answer.shape == (1, 8)
    bound = runtime.bind(flight_set["half"], runtime.create_lane("half"))
    assert bound.inputs["x"].dtype == np.float16
    bound.inputs["x"][:] = x
    bound.run()
    assert bound.outputs["y"].dtype == np.float16 and np.array_equal(bound.outputs["y"], answer)


def test_integers_and_flags_go_both_ways(runtime, flight_set):
    a, b = np.array([1, 2, 3, 4]), np.array([4, 3, 2, 1])
    answer = runtime.infer(flight_set["integers"], {"a": a, "b": b, "flag": np.array([True, False, True, False])})
    assert answer["picked"].tolist() == [5, -1, 5, 3] and answer["picked"].dtype == np.int64
    assert answer["is_larger"].tolist() == [False, False, True, True] and answer["is_larger"].dtype == np.bool_


def test_nan_and_infinity_pass_through(add_relu):
    x = np.full((1, 8), np.nan, np.float32)
    assert np.isnan(add_relu(x)).all()
    x[:] = np.inf
    assert np.isinf(add_relu(x)).all()


# ---- what is refused -------------------------------------------------------------------------------------------------

REFUSED = {
    "float64": (lambda: X.astype(np.float64), "dtype_mismatch", ("float32", "float64", "convert")),
    "byte order": (lambda: X.astype(">f4"), "dtype_mismatch", ("byte order", "big-endian", "astype")),
    "objects": (lambda: np.array([[None] * 8]), "dtype_mismatch", ("'O'", "astype")),
    "complex": (lambda: X.astype(np.complex64), "dtype_mismatch", ("'Zf'", "astype")),
    "text": (lambda: np.array([["a"] * 8]), "dtype_mismatch", ("no network takes",)),
    "records": (lambda: np.zeros((1, 8), [("a", "f4")]), "dtype_mismatch", ("no network takes",)),
    "dates": (lambda: np.zeros((1, 8), "M8[s]"), "dtype_mismatch", ("found ndarray", "cannot be exported")),
    "rank": (lambda: X.ravel(), "shape_mismatch", ("1x8", "found 8")),
    "shape": (lambda: np.zeros((2, 8), np.float32), "shape_mismatch", ("1x8", "2x8")),
    "zero length": (lambda: np.zeros((0, 8), np.float32), "shape_mismatch", ("1x8", "0x8")),
    "scalar": (lambda: np.float32(1), "shape_mismatch", ("scalar",)),
    "many dimensions": (lambda: np.zeros((1,) * 12, np.float32), "shape_mismatch", ("12 dimensions", "at most 8")),
    "order": (lambda: np.asfortranarray(np.zeros((2, 8), np.float32)), "invalid_argument",
              ("C-contiguous", "ascontiguousarray")),
    "gaps": (lambda: np.zeros((1, 16), np.float32)[:, ::2], "invalid_argument", ("C-contiguous", "ascontiguousarray")),
    "backwards": (lambda: X[:, ::-1], "invalid_argument", ("C-contiguous",)),
    "alignment": (misaligned, "invalid_argument", ("aligned", "4 bytes", "copy()")),
    "list": (lambda: X.tolist(), "dtype_mismatch", ("found list", "numpy.asarray")),
    "none": (lambda: None, "dtype_mismatch", ("found NoneType",)),
    "device": (lambda: Exports(X, device=(2, 0)), "device_mismatch", ("host memory", "device type 2")),
    "a device in silence": (OnADevice, "device_mismatch", ("host memory", "device type 2")),
    "a device in disguise": (lambda: OnADevice((1, 0)), "device_mismatch", ("host memory", "device type 2")),
    "no device": (lambda: SaysOfItsDevice(None), "invalid_argument", ("SaysOfItsDevice", "answers None")),
    "device fails": (lambda: SaysOfItsDevice(ValueError("no memory behind it")), "dtype_mismatch", ("no memory behind",)),
    "masked": (masked, "dtype_mismatch", ("mask", "filled")),
    "producer fails": (lambda: FailsToExport(X), "dtype_mismatch", ("FailsToExport",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_by_name(add_relu, expected, name):
    make, reason, words = REFUSED[name]
    given = make()
    with pytest.raises(skua.InvalidArgumentError) as refused:
        add_relu(given)
    error = refused.value
    assert error.reason == reason, error
    for word in ("'x'", "add_relu", *words):
        assert word in error.message, error
    assert np.array_equal(add_relu(X), expected)  # the control: nothing else has changed


def test_what_a_producer_says_is_the_cause(add_relu):
    with pytest.raises(skua.InvalidArgumentError) as refused:
        add_relu(FailsToExport(X))
    assert isinstance(refused.value.__cause__, BufferError) and "gradient" in str(refused.value.__cause__)


def test_what_a_device_says_is_the_cause(add_relu):
    said = ValueError("no memory behind it")
    with pytest.raises(skua.InvalidArgumentError) as refused:
        add_relu(SaysOfItsDevice(said))
    assert refused.value.__cause__ is said


@pytest.mark.parametrize("said", [KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit])
@pytest.mark.parametrize("make", [SaysOfItsDevice, RaisesOnExport, RaisesOnAttribute])
def test_what_is_no_answer_of_an_array_goes_on(add_relu, make, said):
    with pytest.raises(said):
        add_relu(make(said()))
    if make is not RaisesOnAttribute:  # the control: what is one is renamed, and chained
        with pytest.raises(skua.InvalidArgumentError) as refused:
            add_relu(make(RuntimeError("an answer")))
        assert isinstance(refused.value.__cause__, RuntimeError)


def test_inputs_are_named_and_complete(runtime, flight_set):
    engine = flight_set["several"]
    x = np.zeros((2, 8), np.float32)
    for inputs, reason, word in (({}, "missing_input", "left"), ({"left": x}, "missing_input", "right"),
                                 ({"left": x, "right": x, "other": x}, "unknown_name", "other")):
        with pytest.raises(skua.InvalidArgumentError) as refused:
            runtime.infer(engine, inputs)
        assert refused.value.reason == reason and word in refused.value.message
    with pytest.raises(skua.InvalidArgumentError, match="name of an input"):
        runtime.infer(engine, {3: x})


# ---- what is converted when it is asked for --------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["float64", "byte order", "gaps", "alignment", "list", "backwards"])
def test_copy_makes_what_the_engine_takes(add_relu, name):
    given = REFUSED[name][0]()
    exact = np.array(given, np.float32, order="C")
    assert np.array_equal(add_relu(given, copy=True), add_relu(exact))


NOT_CONVERTED = {
    "complex": (lambda: X.astype(np.complex64), "same_kind"),
    "objects": (lambda: np.array([[None] * 8]), "same_kind"),
    "text": (lambda: np.array([["1"] * 8]), "same_kind"),
    "ragged": (lambda: [[1.0], [1.0, 2.0]], "inhomogeneous"),
    "masked": (masked, "mask"),
    "whole numbers": (lambda: np.ones((1, 8), np.int64), "int64, another kind"),
    "flags": (lambda: np.ones((1, 8), np.bool_), "bool, another kind"),
    "too large": (lambda: np.full((1, 8), 1e300), "float32 cannot hold"),
}
KEPT = {"infinity": np.inf, "no number": np.nan, "a number between two": 0.1}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("name", NOT_CONVERTED)
def test_copy_loses_nothing_silently(add_relu, name):
    make, word = NOT_CONVERTED[name]
    with pytest.raises(skua.InvalidArgumentError, match=word) as refused:
        add_relu(make(), copy=True)
    assert refused.value.reason == "dtype_mismatch" and "'x'" in refused.value.message
    ours = ("masked", "whole numbers", "flags", "too large")
    assert name in ours or isinstance(refused.value.__cause__, (TypeError, ValueError))


@pytest.mark.parametrize("name", KEPT)
def test_copy_takes_what_another_precision_has_too(add_relu, name):
    given = np.full((1, 8), KEPT[name])
    assert np.array_equal(add_relu(given, copy=True), add_relu(given.astype(np.float32)), equal_nan=True)


def test_copy_rounds_no_number_to_a_whole_one(runtime, flight_set):
    def picked(a, b=(1, 2, 3, 4)):
        flag = np.array([True] * 4)
        return runtime.infer(flight_set["integers"], {"a": a, "b": b, "flag": flag}, copy=True)["picked"].tolist()

    exact = picked(np.array([1, 2, 3, 4]))
    assert picked([1, 2, 3, 4]) == picked(np.array([1, 2, 3, 4], np.int8)) == picked((1, 2, 3, 4)) == exact
    for wrong in ([300.7, 2, 3, 4], np.array([1, 2, 3, 4], np.float32), np.array([2**63, 2, 3, 4], np.uint64)):
        with pytest.raises(skua.InvalidArgumentError) as refused:
            picked(wrong)
        assert refused.value.reason == "dtype_mismatch"


@pytest.mark.parametrize("said", [KeyboardInterrupt, MemoryError])
def test_a_conversion_is_interrupted_as_any_work(add_relu, said):
    class Raises:
        def __array__(self, *_, **__):
            raise said

    with pytest.raises(said):
        add_relu(Raises(), copy=True)


@pytest.mark.parametrize("name", ["rank", "shape", "zero length", "scalar"])
def test_copy_changes_no_shape(add_relu, name):
    with pytest.raises(skua.InvalidArgumentError) as refused:
        add_relu(REFUSED[name][0](), copy=True)
    assert refused.value.reason == "shape_mismatch"


# ---- what overlaps ---------------------------------------------------------------------------------------------------

def test_the_lanes_own_memory_is_no_input(runtime, flight_set):
    engine, lane = flight_set["several"], runtime.create_lane("test")
    bound = runtime.bind(engine, lane)
    bound.inputs["left"][:], bound.inputs["right"][:] = 1, 2
    with pytest.raises(skua.InvalidArgumentError, match="overlaps") as refused:
        runtime.infer(engine, {"left": bound.inputs["right"], "right": bound.inputs["left"]}, lane=lane)
    assert refused.value.reason == "invalid_argument"
    answer = runtime.infer(engine, dict(bound.inputs), lane=lane)["total"]  # each where it belongs
    assert (answer == 3).all()
    swapped = {"left": bound.inputs["right"].copy(), "right": bound.inputs["left"].copy()}
    assert (runtime.infer(engine, swapped, lane=lane)["total"] == 3).all()
