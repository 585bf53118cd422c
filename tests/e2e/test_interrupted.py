"""Compiling and provisioning that end before they are done: killed, cancelled, or told that somebody else is writing.

After each of them: the set that flew still verifies, CURRENT names it or a whole new one, no process is left behind,
and the next provisioning works and clears the staging folders.
"""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import programs
import tiny_models
import tracing
import trees
from places import CPU
from programs import BUILD_FAILED, DONE, REFUSED

pytestmark = pytest.mark.alone  # it is about time

NO_TRACE = tracing.can_trace()
traced = pytest.mark.skipif(NO_TRACE is not None, reason=f"strace: {NO_TRACE}")
PATIENCE_S = 20
# What makes something visible or lasting: the moments at which a kill could show half of it.
STEPS = "renameat,renameat2,rename,fsync,fdatasync,mkdirat,unlinkat"


def wait_for(condition, what):
    """Waits until `condition()` is true, and fails after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.005)
    return found


def processes_of(folder):
    """Processes with a path below `folder` on their command line: [(pid, program)]."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(str(folder) in word for word in words) and int(entry.name) != os.getpid():
            found.append((int(entry.name), os.path.basename(words[0])))
    return found


@pytest.fixture(name="job")
def provisioning_with_work_to_do(flight):
    """A place whose next provisioning compiles one network and publishes a new set."""
    tiny_models.add_relu(flight.models / "add_relu.onnx", seed=1000)
    flight.old = flight.current()
    flight.old_tree = trees.tree(flight.old)
    return flight


def check_aftermath(skua, job):
    """What has to hold whatever happened; puts everything back to before the new set."""
    wait_for(lambda: not processes_of(job.folder), "the programs to be gone")
    assert trees.tree(job.old) == job.old_tree
    skua.ok("verify", job.old, *programs.UNSIGNED)
    skua.ok("verify", job.sets, *programs.UNSIGNED)  # whatever CURRENT names is whole
    visible = {path.name for path in job.sets.iterdir() if not path.name.startswith(".")}
    for name in visible - {"CURRENT"}:
        skua.ok("verify", job.sets / name, *programs.UNSIGNED)
    report = skua.ok(*job.provision_arguments(job.yaml), "--json")
    assert job.current().name == report["set_id"] and job.current() != job.old
    skua.ok("verify", job.sets, *programs.UNSIGNED)
    assert trees.leftovers(job.sets) == trees.leftovers(job.cache) == []


def reset(job, copies):
    """Sets and cache as they were before the first attempt."""
    for name, copy in copies.items():
        folder = job.folder / name
        subprocess.run(["rm", "-rf", folder], check=True)
        trees.copy(copy, folder)


@pytest.fixture(name="copies")
def copies_of_job(job):
    return {name: trees.copy(job.folder / name, job.folder / f"{name}.copy") for name in ("sets", "cache")}


def cancelled_or_done(process):
    """The status of a program that got SIGINT: it finished, or it says `cancelled`; never anything else."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (DONE, BUILD_FAILED, -signal.SIGINT), (process.returncode, out, err)
    if process.returncode == BUILD_FAILED:
        assert '"cancelled"' in out and "cancelled" in err, (out, err)
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_signal_after_a_delay(skua, job, copies, number):
    """Delays spread over the length of one undisturbed run."""
    start = time.monotonic()
    skua.ok(*job.provision_arguments(job.yaml))
    length = time.monotonic() - start
    reset(job, copies)
    steps = programs.repeats("e2e_signal_delays")
    statuses = []
    for step in range(steps):
        process = skua.start(*job.provision_arguments(job.yaml), "--json")
        time.sleep(length * step / steps)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.communicate(timeout=PATIENCE_S)
            statuses.append(process.returncode)
        else:
            statuses.append(cancelled_or_done(process))
        check_aftermath(skua, job)
        reset(job, copies)
    assert any(status != DONE for status in statuses), "no run was interrupted: the test proves nothing"


def count_steps(skua, job):
    """How many of STEPS each process of one provisioning makes, at most."""
    log = job.folder / "steps.strace"
    result = skua(*job.provision_arguments(job.yaml), prefix=["strace", "-f", "-o", log, "-e", f"trace={STEPS}"])
    assert result.returncode == DONE, result.stderr
    per_process = {}
    for pid, call in re.findall(r"^(\d+) +([a-z0-9]+)\(", log.read_text(errors="replace"), re.MULTILINE):
        per_process.setdefault(pid, {}).setdefault(call, 0)
        per_process[pid][call] += 1
    most = {}
    for calls in per_process.values():
        for call, number in calls.items():
            most[call] = max(most.get(call, 0), number)
    return [(call, nth) for call, number in sorted(most.items()) for nth in range(1, number + 1)]


def chosen(steps, limit):
    """At most `limit` of the steps, spread evenly, first and last among them."""
    if len(steps) <= limit:
        return steps
    return [steps[round(i * (len(steps) - 1) / (limit - 1))] for i in range(limit)]


@traced
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_signal_at_a_step(skua, job, copies, number):
    """At the n-th rename, fsync, mkdir and unlink, of the program itself or of its build process."""
    steps = count_steps(skua, job)
    assert len(steps) > 10
    reset(job, copies)
    interrupted = 0
    for call, nth in chosen(steps, programs.repeats("e2e_signal_steps")):
        inject = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                  f"inject={call}:signal={number.name}:when={nth}"]
        result = skua(*job.provision_arguments(job.yaml), "--json", prefix=inject)
        interrupted += result.returncode != DONE
        assert result.returncode in (DONE, BUILD_FAILED, -number, 128 + number), (call, nth, result)
        check_aftermath(skua, job)
        reset(job, copies)
    assert interrupted > 0, "no run was interrupted: the test proves nothing"


@traced
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_failing_step(skua, job, copies, error):
    """The same moments, with the operating system answering an error instead: a typed error, nothing left behind."""
    steps = [step for step in count_steps(skua, job) if step[0] != "unlinkat"]
    reset(job, copies)
    before = trees.contents(job.sets)
    for call, nth in chosen(steps, programs.repeats("e2e_failing_steps")):
        inject = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                  f"inject={call}:error={error}:when={nth}"]
        result = skua(*job.provision_arguments(job.yaml), "--json", prefix=inject)
        told = (call, nth, result.returncode, result.stdout, result.stderr)
        assert result.returncode in (DONE, BUILD_FAILED), told
        if result.returncode == BUILD_FAILED:
            reason = programs.document(result)["error"]["reason"]
            assert reason in ("disk_full" if error == "ENOSPC" else "io_error", "builder_crashed"), told
            assert trees.leftovers(job.sets) == [], told
            if (job.sets / "CURRENT").read_text().strip() == job.old.name:
                # The one moment at which a failed run may leave a whole new set: after its rename, before CURRENT.
                assert len(trees.contents(job.sets)) >= len(before), told
        check_aftermath(skua, job)
        reset(job, copies)


def build_process(folder):
    return [pid for pid, name in processes_of(folder) if name == "skua-build"]


def slow_build():
    """A command prefix under which the build process dawdles at its first file, so that it can be met."""
    return ["strace", "-f", "-o", "/dev/null", "-e", "trace=unlinkat,renameat,fsync", "-e",
            "inject=fsync:delay_enter=3000000:when=1"]


def test_kill_while_the_build_process_works(skua, job):
    """The build process goes with its parent: it would write into a folder that somebody else cleans."""
    for _ in range(programs.repeats("e2e_orphans")):
        process = skua.start(*job.provision_arguments(job.yaml))
        wait_for(lambda: build_process(job.folder) or process.poll() is not None, "the build process")
        met = build_process(job.folder)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
        if met:
            break
    assert met, "the build process was never met"
    wait_for(lambda: not build_process(job.folder), "the orphaned build process to go")
    check_aftermath(skua, job)


def test_build_process_killed(skua, job):
    """A builder that dies is an error of the build, and of nothing else."""
    before = trees.tree(job.sets)
    for _ in range(programs.repeats("e2e_orphans")):
        process = skua.start(*job.provision_arguments(job.yaml), "--json")
        wait_for(lambda: build_process(job.folder) or process.poll() is not None, "the build process")
        try:
            for pid in build_process(job.folder):
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        out, err = process.communicate(timeout=PATIENCE_S)
        if process.returncode == BUILD_FAILED:
            break
    assert process.returncode == BUILD_FAILED and '"builder_crashed"' in out, (out, err)
    assert "signal 9" in err
    assert trees.tree(job.sets) == before and trees.leftovers(job.cache) == []
    check_aftermath(skua, job)


def test_two_programs_provision_at_once(skua, job):
    """Started together, again and again: one of them may be told `folder_busy`, neither does damage."""
    for turn in range(programs.repeats("e2e_races")):
        tiny_models.add_relu(job.models / "add_relu.onnx", seed=2000 + turn)
        racers = [skua.start(*job.provision_arguments(job.yaml), "--json") for _ in range(2)]
        answers = [(racer.communicate(timeout=60), racer.returncode) for racer in racers]
        statuses = sorted(status for _, status in answers)
        assert statuses in ([DONE, DONE], [DONE, BUILD_FAILED]), answers
        for (out, err), status in answers:
            if status == BUILD_FAILED:
                assert '"folder_busy"' in out and str(job.folder) in err, (out, err)
        skua.ok("verify", job.sets, *programs.UNSIGNED)
    check_aftermath_of_race(skua, job)


def check_aftermath_of_race(skua, job):
    assert trees.leftovers(job.sets) == trees.leftovers(job.cache) == []
    report = skua.ok(*job.provision_arguments(job.yaml), "--json")
    assert report["is_published"] is False


@traced
def test_second_program_is_told_that_the_folder_is_busy(skua, job):
    """The first one is held at its first fsync, with the lock in its hand."""
    first = skua.start(*job.provision_arguments(job.yaml), "--json", prefix=slow_build())
    wait_for(lambda: trees.leftovers(job.cache) or trees.leftovers(job.sets), "the first program's staging folder")
    second = skua(*job.provision_arguments(job.yaml), "--json")
    programs.error_of(second, BUILD_FAILED, "folder_busy", job.sets, "another program")
    third = skua("compile", job.models / "several.onnx", "--out", job.cache, "--precision", "fp32", *CPU, "--json")
    programs.error_of(third, BUILD_FAILED, "folder_busy", job.cache)
    skua.ok("verify", job.sets, *programs.UNSIGNED)  # readers are never kept out
    out, err = first.communicate(timeout=60)
    assert first.returncode == DONE, (out, err)
    skua.ok("verify", job.sets, *programs.UNSIGNED)
    assert trees.leftovers(job.sets) == trees.leftovers(job.cache) == []


def test_interrupted_compile_leaves_an_entry_that_is_refused_or_whole(skua, job):
    """An engine without its sidecar, as a kill between the two leaves it: refused at load, rebuilt by provisioning."""
    (sidecar,) = job.cache.glob("several__*.sha256")
    sidecar.unlink()
    result = skua("run", job.cache, "several", "--input", "left=x.npy", "--output-dir", job.folder / "out", "--json")
    programs.error_of(result, REFUSED, "sidecar_missing", sidecar.name.removesuffix(".sha256"))
    check_aftermath(skua, job)
