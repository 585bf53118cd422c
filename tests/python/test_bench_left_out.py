"""What a run of `make bench` does not measure stands in its report: a row that is not there is missed by nobody."""

import copy
import json
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import bench_reports  # noqa: E402
import page  # noqa: E402
import readme_table  # noqa: E402
import reference_page  # noqa: E402
import run  # noqa: E402
import sets  # noqa: E402

SWITCHED_OFF = {"label": "pytorch_fp16", "build_flag": "BUILD_PYTORCH_FP16_RUNTIME", "is_built": False, "is_loadable": False}
UNLOADABLE = SWITCHED_OFF | {"is_built": True}
THERE = UNLOADABLE | {"is_loadable": True}


def doctor_says(monkeypatch, runtime):
    monkeypatch.setattr(run, "doctor_of", lambda _: {"runtimes": [runtime]})


@pytest.fixture(name="bench")
def run_of_an_old_build(tmp_path):
    """With the programs and the module that a configuration before this one left there."""
    build = tmp_path / "build"
    for name in ("benchmarks/first_inference", "benchmarks/bench_lightglue", "python/skua/_skua.cpython-311.so",
                 "lib/libskua_runtime_pytorch_fp16.so"):
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(b"")
    (build / "CMakeCache.txt").write_text("SKUA_BUILD_PYTHON:BOOL=OFF\n", "ascii")
    return sets.Run(build, tmp_path / "out", is_quick=True, is_full=False)


@pytest.mark.parametrize(("runtime", "why"), [
    (SWITCHED_OFF, "not measured: it is not built, BUILD_PYTORCH_FP16_RUNTIME is OFF"),
    (UNLOADABLE, "not measured: it is built and cannot be loaded; `skua doctor` says why")])
def test_a_runtime_that_is_not_there_is_left_out_and_said(monkeypatch, capsys, bench, runtime, why):
    """Whatever files lie about: the program that would be measured is asked."""
    doctor_says(monkeypatch, runtime)
    assert run.measure_torch(bench) == []
    assert bench.left_out == [("torch, pytorch_fp16", "libtorch", why)] and f"torch, pytorch_fp16: {why}" in capsys.readouterr().err
    for group in ("lanes", "lightglue", "takeoff"):
        assert not run.has_torch(bench, group) and bench.left_out[-1][0] == f"{group}, pytorch_fp16"


def test_a_runtime_that_is_there_is_not_left_out(monkeypatch, bench):
    doctor_says(monkeypatch, THERE)
    assert run.has_torch(bench, "torch") and bench.left_out == []


@pytest.mark.parametrize("measure", [run.measure_lanes, run.measure_lightglue, run.measure_takeoff])
def test_without_libtorch_the_other_runtime_is_measured_all_the_same(monkeypatch, bench, measure):
    doctor_says(monkeypatch, SWITCHED_OFF)
    started = []
    monkeypatch.setattr(sets.Run, "program", lambda _, name, report, *arguments, **more: started.append(report) or report)
    any_set = sets.MeasuredSet("any", sets.load.Place(bench.out), 6, 1)
    monkeypatch.setattr(sets.MeasuredSet, "folder", bench.out)

    def set_of(_, runtime="onnx_trt_ep"):
        assert runtime == "onnx_trt_ep"
        return any_set

    for module, name in ((run, "demo"), (run, "one_node"), (sets, "precisions")):
        monkeypatch.setattr(module, name, set_of)
    assert measure(bench) == started != [] and len(bench.left_out) == 1


def test_a_package_that_is_switched_off_is_left_out_and_said(bench):
    assert run.measure_python(bench) == []
    assert bench.left_out == [("python", "Python's `onnxruntime`", "not measured: the Python package is not built, SKUA_BUILD_PYTHON is OFF")]
    (bench.build / "CMakeCache.txt").write_text("SKUA_BUILD_PYTHON_TOO:BOOL=ON\nSKUA_BUILD_PYTHON:BOOL=ON\n", "ascii")
    assert run.has_python(bench) and len(bench.left_out) == 1


def test_what_was_left_out_has_its_row_and_keeps_a_report_out_of_readme():
    report = copy.deepcopy(bench_reports.whole())
    readme_table.must_be_worth_it(report)
    report["left_out"] = [["torch, pytorch_fp16", "libtorch", "not measured: it is not built, BUILD_PYTORCH_FP16_RUNTIME is OFF"]]
    row = "| torch, pytorch_fp16 | libtorch | not measured: it is not built, BUILD_PYTORCH_FP16_RUNTIME is OFF |"
    assert row in page.markdown(report) and row in reference_page.rendered(report)
    with pytest.raises(SystemExit, match="not of everything .torch, pytorch_fp16: not measured: it is not built"):
        readme_table.must_be_worth_it(report)


@pytest.mark.parametrize(("group", "is_drawn"), [("takeoff", False), ("python", True)])
def test_a_run_whose_ratios_are_not_drawn_has_its_report_all_the_same(bench, group, is_drawn):
    """`make bench ONLY=takeoff` is one."""
    bench.out.mkdir()
    bench.leave_out("group call", "", "it was not asked for")
    (bench.out / "figures.json").write_text(json.dumps({"machine": bench_reports.whole()["machine"], "figures": [
        bench_reports.ratio(group, "one_node: python infer / run")]}), "ascii")
    run.write_report(bench, os.open(os.devnull, os.O_WRONLY))
    report = json.loads((bench.out / "report.json").read_text("ascii"))
    assert report["left_out"] == [["group call", "", "not measured: it was not asked for"]]
    assert "| group call |  | not measured: it was not asked for |" in (bench.out / "report.md").read_text("ascii")
    assert (bench.out / "report.png").exists() == is_drawn
