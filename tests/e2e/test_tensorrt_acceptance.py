"""scripts/jetson_acceptance.sh: refuses where no Jetson is, leaves a report however it ends, and is rehearsed over the
software-in-the-loop SDK, whose report claims nothing. What its report says of what: tests/python/test_jetson_report.py.
Its models are made by the command of docs/howto/build-on-a-jetson.md, at a smaller scale."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

import artifacts
import flights
import programs
from howto_blocks import howto_pages

pytestmark = pytest.mark.alone  # it flies

SCRIPT = programs.ROOT / "scripts" / "jetson_acceptance.sh"
REPORT = programs.ROOT / "scripts" / "jetson_report.py"
PAGE = programs.ROOT / "docs" / "howto" / "build-on-a-jetson.md"
NETWORKS = ("lightglue",)  # dynamic, with outputs that depend on data
NO_JETSON = 3


def environment(**more):
    return {"PATH": f"{pathlib.Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin", **more}


def start(*arguments, **more):
    return subprocess.run([SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=1800,
                          env=environment(**more), stdin=subprocess.DEVNULL)


def lines_of(out):
    return json.loads((out / "report.json").read_text())["lines"]


def test_where_no_jetson_is_nothing_is_claimed(tmp_path):
    if pathlib.Path("/etc/nv_tegra_release").exists():
        pytest.skip("this is a Jetson")
    result = start("--models", tmp_path, "--out", tmp_path / "out")
    assert result.returncode == NO_JETSON and "this is no Jetson" in result.stderr
    assert result.stdout == "" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [("--minutes", "soon"), ("--models",), ("--sill",)])
def test_wrong_arguments(arguments):
    assert start(*arguments).returncode == 2


def test_a_rehearsal_needs_the_software_in_the_loop_sdk(tmp_path):
    (tmp_path / "CMakeCache.txt").write_text("SKUA_TENSORRT_SIL:BOOL=OFF\n")
    result = start("--models", tmp_path, "--out", tmp_path / "out", "--sil", SKUA_BUILD_DIR=str(tmp_path))
    assert result.returncode == 2 and "SKUA_TENSORRT_SIL" in result.stderr


@pytest.fixture(name="hung")
def build_whose_program_hangs(tmp_path):
    """Arguments and environment of a rehearsal whose first step comes to no end, and its OUT."""
    (tmp_path / "models" / "sets").mkdir(parents=True)
    (tmp_path / "models" / "sets" / "flight.yaml").write_text("{}")
    (tmp_path / "build" / "bin").mkdir(parents=True)
    (tmp_path / "build" / "CMakeCache.txt").write_text("SKUA_TENSORRT_SIL:BOOL=ON\n")
    skua = tmp_path / "build" / "bin" / "skua"
    skua.write_text("#!/bin/sh\necho $$ >$0.pid\nmv $0.pid $0.begun\nexec sleep 3600\n")
    skua.chmod(0o700)
    command = ["env", "--default-signal=INT", SCRIPT, "--sil", "--models", tmp_path / "models", "--out",
               tmp_path / "out"]
    return command, environment(SKUA_BUILD_DIR=str(tmp_path / "build")), tmp_path / "out", skua.with_suffix(".begun")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_ends_its_step_and_has_a_report(hung, sent):
    command, variables, out, begun = hung
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    flights.wait_for(begun.exists, "the first step", process)
    process.send_signal(sent)
    told, _ = process.communicate(timeout=programs.TIMEOUT_S)
    assert process.returncode == 128 + sent, told
    assert not pathlib.Path("/proc", begun.read_text().strip()).exists(), "the step runs on"
    lines = {line["name"]: line for line in lines_of(out)}
    assert lines["doctor"]["detail"] == "was begun and interrupted"
    assert lines["set flight compiled, proven and published"]["detail"] == "was not run"
    assert not [line for line in lines.values() if line["verdict"] != "not shown"]


@pytest.mark.parametrize("command, status, told", [("sleep 60", 124, ""), ("name_it word", 7, "word\n")])
def test_a_step_has_a_limit_and_may_be_a_function(tmp_path, command, status, told):
    script = f"""steps={tmp_path}; eval "$(sed -n '/^step() {{/,/^}}/p' {SCRIPT})"
        name_it() {{ echo "$1"; return 7; }}; export -f name_it; step name 2 {command}"""
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=50)
    assert result.returncode == status, result.stderr
    assert (tmp_path / "name.status").read_text() == f"{status}\n" and (tmp_path / "name.out").read_text() == told


@pytest.fixture(scope="module", name="rehearsed")
def rehearsal(sil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("acceptance")
    (block,) = howto_pages.claimed(PAGE, "tests/e2e/test_tensorrt_acceptance.py")
    command = block.text.strip().replace("out/jetson_models", str(folder / "models"))
    assert str(folder) in command, f"{block.where}: expected a command that leaves out/jetson_models"
    subprocess.run(f"{command} --scale nano --only {' '.join(NETWORKS)}", shell=True, check=True, capture_output=True,
                   cwd=programs.ROOT)
    result = start("--models", folder / "models", "--out", folder / "out", "--minutes", "0.1", "--sil",
                   SKUA_BUILD_DIR=str(programs.BUILD))
    return folder / "out", result


def judged(out, *more):
    """The report made again. Returns the exit status and the lines by name."""
    result = subprocess.run([sys.executable, REPORT, out, "--minutes", "0.1", "--warm-up", "0", *more],
                            capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    return result.returncode, {line["name"]: line for line in lines_of(out)}


@pytest.fixture(name="out")
def copy_of_what_was_left(rehearsed, tmp_path):
    return pathlib.Path(shutil.copytree(rehearsed[0], tmp_path / "out"))


def test_a_rehearsal_runs_to_its_end_and_passes_nothing_of_a_device(rehearsed):
    """No step fails. Whatever this machine's speed is, it is not shown."""
    out, result = rehearsed
    failed = [line for line in lines_of(out) if line["verdict"] == "FAIL"]
    assert result.returncode == 0 and not failed, f"{failed}\n{result.stderr[-3000:]}"
    assert [line["name"] for line in lines_of(out) if line["verdict"] != "not shown"] == ["doctor shows the provider sil"]
    assert json.loads((out / "report.json").read_text())["sdk"] == "sil, not TensorRT"
    page = (out / "report.md").read_text()
    assert page.startswith("# Rehearsal: sil, not TensorRT\n") and "| pass | sil" not in page


def test_everything_was_measured(rehearsed):
    """Nothing is 'not shown' for want of a step, but for what says so."""
    names = {line["name"]: line["detail"] for line in lines_of(rehearsed[0])}
    for network in ("demo_vpr", "demo_features", "demo_matcher", *NETWORKS):
        for pair in ("graph against enqueue", "mapped against copied"):
            assert "p50" in names[f"{network}: {pair}"], names
    tensor = names["lightglue: matches copied, the others mapped"]
    assert "p50" in tensor and names["size asked for a data-dependent output"].startswith("sil, not TensorRT: the ")
    assert "no graph was made (no: data_dependent_outputs)" in names["lightglue: graph against enqueue"]
    assert f"{len(flights.DEMO) + len(NETWORKS)} of {len(flights.DEMO) + len(NETWORKS)} engines" in names[
        "every network resident at once: <= 4 GiB"]
    for code, what in ((2, ""), (400, ", context made anew"), (900, ", context made anew")):
        assert re.search(rf"by code: \[.*\b{code}\b", names[f"survived CUDA error {code}{what}"]), names
    silent = {name for name, detail in names.items() if not detail.startswith("sil, not TensorRT")}
    assert silent <= {"doctor shows the provider sil", "unit tests", "conformance tests of tensorrt", "unit_tensorrt",
                      "a plan of another model of device is refused", "runtime object built", "the same for 8 hours",
                      "throttle visible within 1 s", "errors that TensorRT itself reports; a device that is really lost"}


def test_the_set_is_left_in_the_layout_of_artifacts(rehearsed, skua):
    """As .ci/run leaves its own; the folder is named after what the program says of this machine."""
    folder, = (rehearsed[0] / "artifacts").iterdir()
    assert folder.name == artifacts.tuple_of(skua.ok("doctor", "--json"))
    assert artifacts.findings(folder) == []
    assert {path.name for path in folder.iterdir()} == {"sets", "flight.pub", "commit", "doctor.json", "inspect.json", "inspect.txt"}
    assert list(rehearsed[0].rglob("*.key")) == []  # what signed it is gone
    assert skua.ok("verify", folder / "sets", "--trust", folder / "flight.pub", "--json")["files"]


def test_control_a_rehearsal_does_not_pass_for_the_real_thing(out):
    status, lines = judged(out)  # without --sil
    assert status == 1 and lines["doctor shows the provider tensorrt"]["verdict"] == "FAIL"


def test_control_a_failed_step_fails_the_rehearsal(out):
    assert judged(out, "--sil")[0] == 0
    (out / "steps" / "flight.status").write_text("6\n")
    status, lines = judged(out, "--sil")
    assert status == 1 and lines["flew to its end"]["verdict"] == "FAIL"
