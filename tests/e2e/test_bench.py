"""`skua bench`: figures of every engine beside the raw SDK; and the control that the harness needs to be believed."""

import json
import re
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

import counts
import programs
import trees
from programs import INFERENCE, NO_RUNTIME, REFUSED, USAGE

pytestmark = pytest.mark.alone  # it is about time

ROUNDS = ("--rounds", 8)
RAW_MODULE = "libskua_bench_onnx_trt_ep.so"
CONTROL = programs.BUILD / "benchmarks" / "bench_control"
JOINER = CONTROL.with_name("bench_report")
PYTHON_SUBJECT = programs.ROOT / "benchmarks" / "python_onnxruntime.py"
MODELS = ["add_relu", "several", "non_zero"]
PATIENCE_S = 60


@pytest.fixture(name="installed")
def copied_installation(tmp_path):
    """bin/ and lib/ as a package would hold them, to be changed by a test."""
    folder = tmp_path / "installed"
    for name in ("bin", "lib"):
        shutil.copytree(programs.BUILD / name, folder / name, symlinks=True)
    return folder


def bench_of(installed, home, *args):
    command = [str(installed / "bin" / "skua"), "bench", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=programs.environment(home), check=False,
                          timeout=PATIENCE_S)


def test_every_engine_beside_the_raw_sdk(skua, flight):
    before = trees.tree(flight.sets)
    report = skua.ok("bench", flight.sets, *programs.UNSIGNED, *ROUNDS, "--json")
    assert [engine["model"] for engine in report["engines"]] == MODELS
    assert report["why_no_raw"] is None and report["machine"]["cores_usable"] >= 1
    for engine in report["engines"]:
        assert engine["device"] == "cpu" and engine["arithmetic"] == "fp32" and engine["intra_op_threads"] == 1
        assert [subject["name"] for subject in engine["subjects"]] == [
            "skua bound run", "skua infer", "raw io_binding", "raw run", "raw run_kept"]
        for subject in engine["subjects"]:
            assert subject["count"] == engine["rounds"] * engine["calls_per_round"]
            assert 0 < subject["p50_us"] <= subject["p95_us"] <= subject["p99_us"] <= subject["max_us"]
        pairs = [(ratio["subject"], ratio["reference"]) for ratio in engine["ratios"]]
        assert pairs == [("skua bound run", "raw io_binding"), ("skua infer", "raw run")]
        for ratio in engine["ratios"]:
            assert ratio["is_bounded"] and 0 < ratio["lower"] <= ratio["median"] <= ratio["upper"]
    assert trees.tree(flight.sets) == before


def test_only_the_engines_that_are_named(skua, flight):
    report = skua.ok("bench", flight.current(), "several", *programs.UNSIGNED, *ROUNDS, "--json")
    assert [engine["model"] for engine in report["engines"]] == ["several"]
    result = skua("bench", flight.current(), "absent", *programs.UNSIGNED, *ROUNDS, "--json")
    programs.error_of(result, USAGE, "unknown_name", "absent", "add_relu")


def test_more_times_than_are_kept_are_refused(skua, flight):
    result = skua("bench", flight.current(), "add_relu", *programs.UNSIGNED, "--rounds", 100000, "--json")
    error = programs.error_of(result, USAGE, "invalid_argument", "every call's time is kept")
    assert re.search(r"ask for at most \d+ rounds", error["message"])  # how many, depends on how long a call takes


def test_few_rounds_have_no_bounds_and_say_so(skua, flight):
    words = skua.ok("bench", flight.current(), "add_relu", *programs.UNSIGNED, "--rounds", 3).stdout
    assert "too few rounds for bounds" in words
    assert "95 %" in skua.ok("bench", flight.current(), "add_relu", *programs.UNSIGNED, *ROUNDS).stdout


def test_report_files(skua, flight, tmp_path):
    out = tmp_path / "report"
    skua.ok("bench", flight.current(), "add_relu", *programs.UNSIGNED, *ROUNDS, "--output-dir", out)
    assert sorted(path.name for path in out.iterdir()) == ["bench.json", "bench.md"]
    report = json.loads((out / "bench.json").read_text("utf-8"))
    names = [figure["name"] for figure in report["figures"]]
    assert "add_relu: skua bound run / raw io_binding" in names and report["machine"]["build_id"]
    assert all(figure["note"].startswith("onnx_trt_ep 1.") for figure in report["figures"])
    for name in names:
        assert f"| {name} |" in (out / "bench.md").read_text("utf-8")


def test_without_the_raw_module_skuas_figures_alone(installed, home, flight):
    arguments = (flight.current(), "add_relu", *programs.UNSIGNED, *ROUNDS, "--json")
    whole = programs.document(bench_of(installed, home, *arguments))
    (installed / "lib" / RAW_MODULE).unlink()
    result = bench_of(installed, home, *arguments)
    alone = programs.document(result)
    assert RAW_MODULE in alone["why_no_raw"] and "Skua's figures alone" in result.stderr
    assert [subject["name"] for subject in alone["engines"][0]["subjects"]] == ["skua bound run", "skua infer"]
    assert alone["engines"][0]["ratios"] == [] and len(whole["engines"][0]["ratios"]) == 2


def test_another_module_in_its_place_is_refused(installed, home, flight):
    lib = installed / "lib"
    shutil.copyfile(lib / "libskua_runtime_onnx_trt_ep.so", lib / RAW_MODULE)
    result = bench_of(installed, home, flight.current(), *programs.UNSIGNED, *ROUNDS, "--json")
    programs.error_of(result, NO_RUNTIME, "module_foreign", RAW_MODULE)


def test_the_gates_come_first(skua, flight):
    programs.error_of(skua("bench", flight.current(), *ROUNDS, "--json"), REFUSED, "unsigned_set")
    engine = next(flight.current().glob("several__*.onnx"))
    engine.write_bytes(engine.read_bytes()[:-1] + b"\0")
    result = skua("bench", flight.current(), "add_relu", *programs.UNSIGNED, *ROUNDS, "--json")
    programs.error_of(result, REFUSED, "sidecar_hash_mismatch", engine.name)


def test_ctrl_c_ends_it_between_two_rounds(skua, flight, tmp_path):
    out = tmp_path / "report"
    process = skua.start("bench", flight.current(), *programs.UNSIGNED, "--rounds", 10000, "--output-dir", out, "--json")
    until = time.monotonic() + PATIENCE_S
    while not out.exists() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    answer, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INFERENCE, answer
    assert json.loads(answer)["error"]["reason"] == "cancelled"
    assert not list(out.iterdir())


def control(flight, out, *more):
    command = [str(CONTROL), "--set-dir", str(flight.current()), "--model", "add_relu", "--out", str(out), *map(str, more)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.skipif(not os.access(CONTROL, os.X_OK), reason="built without SKUA_BUILD_BENCHMARKS")
def test_an_injected_cost_is_caught_and_none_is_not(flight, tmp_path):
    # 2 % where there is time for it: the machine that runs `make test` may be too busy to tell it from none.
    share = counts.count("e2e_injected_percent") / 100
    caught = control(flight, tmp_path / "caught", "--injected-share", share, "--most-seconds", "60")
    assert caught.returncode == 0, caught.stderr
    verdicts = {f["verdict"] for f in json.loads((tmp_path / "caught.json").read_text("utf-8"))["figures"]}
    assert verdicts == {"reached"}
    missed = control(flight, tmp_path / "missed", "--injected-share", "0", "--most-seconds", "1")
    assert missed.returncode == 1 and "an injected cost was not told from none" in missed.stderr
    assert not (tmp_path / "missed.json").exists()


@pytest.mark.skipif(not os.access(JOINER, os.X_OK), reason="built without SKUA_BUILD_BENCHMARKS")
def test_joined_reports_hold_the_figures_of_all(skua, flight, tmp_path):
    parts = []
    for model in MODELS[:2]:
        skua.ok("bench", flight.current(), model, *programs.UNSIGNED, *ROUNDS, "--output-dir", tmp_path / model)
        parts.append(tmp_path / model / "bench.json")
    command = [JOINER, "--out", tmp_path / "joined", "--machine", "commit=abc", "--machine", "seconds=1", *parts]
    table = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout
    joined = json.loads((tmp_path / "joined.json").read_text("utf-8"))
    figures = [figure["name"] for part in parts for figure in json.loads(part.read_text("utf-8"))["figures"]]
    assert [figure["name"] for figure in joined["figures"]] == figures and all(name in table for name in figures)
    assert joined["machine"]["commit"] == "abc" and not any(".json" in key for key in joined["machine"])


def test_the_python_subject_reads_a_set(flight, tmp_path):
    beside = {"figures": [{"name": "add_relu: raw run", "unit": "us", "value": 2.0}]}
    (tmp_path / "call.json").write_text(json.dumps(beside), "utf-8")
    command = [sys.executable, PYTHON_SUBJECT, "--set-dir", flight.current(), "--beside", tmp_path / "call.json",
               "--out", tmp_path / "python", "--rounds", "3"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=PATIENCE_S, env=environment)
    figures = {f["name"]: f for f in json.loads((tmp_path / "python.json").read_text("utf-8"))["figures"]}
    assert {f"{model}: python {way}" for model in MODELS for way in ("run", "io_binding")} < set(figures)
    ratio, time_us = figures["add_relu: python run / raw run"], figures["add_relu: python run"]
    assert ratio["value"] == pytest.approx(time_us["value"] / 2.0)

    engine = next(pathlib.Path(flight.current()).glob("add_relu__*.onnx"))
    engine.write_bytes(engine.read_bytes() + b"\0")
    refused = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, env=environment,
                             timeout=PATIENCE_S)
    assert refused.returncode != 0 and "not those that the manifest names" in refused.stderr
