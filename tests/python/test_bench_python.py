"""benchmarks/python_call.py: what stands around the calls that are compared is the same on both sides, and is no function."""

import operator
import pathlib
import subprocess
import sys
import types

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import python_call  # noqa: E402
import python_onnxruntime  # noqa: E402

LOOP, ORT = python_onnxruntime.LOOP_FILE, pathlib.Path(onnxruntime.InferenceSession.run.__code__.co_filename).name


def frames(call):
    """The files of the Python functions that a call enters, one by one."""
    found = []
    sys.setprofile(lambda frame, event, _: found.append(pathlib.Path(frame.f_code.co_filename).name) if event == "call" else None)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


def one_node(folder):
    subprocess.run([sys.executable, str(ROOT / "benchmarks/make_one_node.py"), "--out", str(folder)], check=True)
    return onnxruntime.InferenceSession((folder / "one_node.onnx").read_bytes(), providers=["CPUExecutionProvider"])


def test_no_side_of_a_comparison_has_a_frame_more(tmp_path):
    session, inputs = one_node(tmp_path), {"x": np.zeros((1, 64), np.float32)}
    binding = python_onnxruntime.bind(session, inputs)
    compiled = types.SimpleNamespace(run=[1, 2].copy, infer=operator.is_)  # no Python, as the package's own functions
    ways = python_call.ways_to_call(compiled, 1, compiled, session, binding, inputs)
    for name in ("bound run", "infer"):
        assert frames(lambda name=name: ways[name](3))[1:] == [LOOP], name
    for ways_of_ort in (ways, python_onnxruntime.callers(session, inputs)):
        for name in ("io_binding", "run"):
            entered = frames(lambda way=ways_of_ort[name]: way(3))[1:]
            assert entered[0] == LOOP and set(entered[1:]) == {ORT} and len(entered) % 3 == 1, (name, entered)
    assert [len(way(3)) for way in ways.values()] == [3] * 4 and all(time > 0 for time in ways["run"](3))


def test_a_function_around_a_call_is_seen():
    loop = python_onnxruntime.loop_of("call()", call=lambda: [1].copy())
    assert frames(lambda: loop(2))[1:] == [LOOP, "test_bench_python.py", "test_bench_python.py"]
