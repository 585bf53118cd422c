"""Folders that cannot be read or written, and disks that are full: a typed error, nothing half-written to be seen."""

import os
import shutil

import pytest

import confined
import programs
import tiny_models
import trees
from places import CPU, Place
from damage import engine
from programs import BUILD_FAILED, DONE, REFUSED, USAGE

NO_MOUNTS = confined.why_no_mounts()
NO_OTHER_USER = confined.why_no_other_user()
mounts = pytest.mark.skipif(NO_MOUNTS is not None, reason=str(NO_MOUNTS))
other_user = pytest.mark.skipif(NO_OTHER_USER is not None, reason=str(NO_OTHER_USER))


def compile_command(place, out, model="add_relu"):
    return ("compile", place.models / f"{model}.onnx", "--out", out, "--precision", "fp32", *CPU, "--json")


def test_output_place_that_is_a_file(skua, flight):
    occupied = flight.folder / "occupied"
    occupied.write_bytes(b"mine")
    programs.error_of(skua(*compile_command(flight, occupied)), USAGE, None, occupied)
    programs.error_of(skua(*compile_command(flight, occupied / "below")), USAGE, None, occupied)
    result = skua("provision", flight.yaml, "--out", occupied, "--cache", flight.cache, "--json")
    programs.error_of(result, USAGE, None, occupied)
    before = trees.tree(flight.sets)
    result = skua("provision", flight.yaml, "--out", flight.sets, "--cache", occupied, "--json")
    programs.error_of(result, USAGE, None, occupied)
    assert occupied.read_bytes() == b"mine" and trees.tree(flight.sets) == before


def test_place_where_nobody_can_write(skua, flight):
    programs.error_of(skua(*compile_command(flight, "/proc/skua-e2e")), USAGE, None, "/proc/skua-e2e")
    result = skua(*compile_command(flight, "/proc"))
    assert result.returncode in (USAGE, BUILD_FAILED)
    assert "/proc" in programs.document(result)["error"]["message"]


def commands_on(place, where, out):
    """Every use of a path as a folder or file that a subcommand has, of `where`."""
    yaml, model = place.yaml, place.models / "add_relu.onnx"
    outputs = ("--output-dir", out)
    return {
        "doctor --config": ("doctor", "--config", where),
        "compile MODEL": ("compile", where, "--out", place.cache, "--precision", "fp32", *CPU),
        "compile --out": ("compile", model, "--out", where, "--precision", "fp32", *CPU),
        "compile --config": ("compile", model, "--out", place.cache, "--config", where, *CPU),
        "provision SET": ("provision", where, "--out", place.sets, "--cache", place.cache),
        "provision --out": ("provision", yaml, "--out", where, "--cache", place.cache),
        "provision --cache": ("provision", yaml, "--out", place.sets, "--cache", where),
        "verify SET": ("verify", where, *programs.UNSIGNED),
        "verify --host": ("verify", place.sets, *programs.UNSIGNED, "--host", where),
        "verify --trust": ("verify", place.sets, "--trust", where),
        "verify --policy": ("verify", place.sets, "--policy", where),
        "sign --key": ("sign", place.sets, "--key", where),
        "provision --sign": ("provision", yaml, "--out", place.sets, "--cache", place.cache, "--sign", where),
        "inspect": ("inspect", where),
        "run DIR": ("run", where, "add_relu", "--input", "x=x.npy", *outputs, *programs.UNSIGNED),
        "run --input": ("run", place.sets, "add_relu", "--input", f"x={where}", *outputs, *programs.UNSIGNED),
        "run --output-dir": ("run", place.sets, "add_relu", "--input", "x=x.npy", "--output-dir", where),
    }


def demand_typed_errors(skua, place, where, out):
    """Every subcommand ends with a typed error, never as a defect of its own."""
    for name, command in commands_on(place, where, out).items():
        result = skua(*command, "--json")
        assert result.returncode in (USAGE, BUILD_FAILED, REFUSED), (name, result.returncode, result.stderr)
        error = programs.document(result)["error"]
        assert error["class"] != "InternalError" and len(error["message"]) > 20, (name, error)


@pytest.mark.parametrize("below", ["", "below"])
def test_path_that_runs_in_a_circle(skua, flight, below):
    circle = flight.folder / "circle"
    circle.symlink_to("circle")
    demand_typed_errors(skua, flight, circle / below, flight.folder / "out")


@pytest.mark.parametrize("name", ["n" * 300, "/".join(["n" * 200] * 30)], ids=["component", "whole"])
def test_path_that_is_too_long(skua, flight, name):
    demand_typed_errors(skua, flight, flight.folder / name, flight.folder / "out")


def test_path_that_is_empty(skua, flight):
    for command in (("run", "", "add_relu", "--input", "x=x.npy", "--output-dir", flight.folder / "out"),
                    ("verify", "", *programs.UNSIGNED), ("inspect", "")):
        programs.error_of(skua(*command, "--json"), USAGE)


@mounts
@pytest.mark.parametrize("which", ["cache", "sets"])
def test_read_only_file_system(skua, flight, which):
    tiny_models.add_relu(flight.models / "add_relu.onnx", seed=50)
    before = trees.tree(flight.sets), trees.tree(flight.cache)
    prefix = confined.read_only(getattr(flight, which))
    result = skua(*flight.provision_arguments(flight.yaml), "--json", prefix=prefix)
    programs.error_of(result, BUILD_FAILED, ("permission_denied", "io_error"), getattr(flight, which))
    assert trees.tree(flight.sets) == before[0]
    if which == "cache":
        assert trees.tree(flight.cache) == before[1]
    # Control: verifying and running need no place to write, and a set that is unchanged is not written.
    result = skua("verify", flight.sets, *programs.UNSIGNED, prefix=confined.read_only(flight.sets))
    assert result.returncode == DONE, result.stderr
    skua.ok(*flight.provision_arguments(flight.yaml))


def sweep_disk(skua, folder, command, check):
    """Runs `command` with `folder` on disks from too small to large enough. Every failure is `disk_full` and leaves the
    folder as it was; the sweep ends with the first success, which is its control."""
    before = trees.contents(folder)
    used_kib = sum(path.stat().st_size + 4096 for path in folder.rglob("*")) // 1024 + 8
    failures = 0
    for step in range(programs.repeats("e2e_disk_steps")):
        result = skua(*command, prefix=confined.small_disk(folder, used_kib + 4 * step))
        after = folder.with_name(folder.name + ".after")
        shutil.rmtree(folder.with_name(folder.name + ".before"))
        try:
            if result.returncode == DONE:
                return failures, after
            assert "cannot create" not in result.stderr, result.stderr
            programs.error_of(result, BUILD_FAILED, "disk_full", folder)
            assert trees.contents(after) == before
            check()
        finally:
            if result.returncode != DONE:
                shutil.rmtree(after)
        failures += 1
    raise AssertionError(f"still disk_full after {failures} steps")


@mounts
def test_full_disk_while_compiling(skua, flight):
    """Every size from nothing to enough, 4 KiB at a time."""
    tiny_models.external(flight.models / "ext.onnx", rows=2048)
    failures, after = sweep_disk(skua, flight.cache, compile_command(flight, flight.cache, "ext"), lambda: None)
    assert failures > 5
    assert any(name.startswith("ext__") for name in trees.tree(after)) and trees.leftovers(after) == []


@mounts
def test_full_disk_while_publishing(skua, flight):
    tiny_models.add_relu(flight.models / "add_relu.onnx", seed=51)
    skua.ok("compile", flight.models / "add_relu.onnx", "--out", flight.cache, "--precision", "fp32", *CPU)
    cache = trees.tree(flight.cache)
    current = (flight.sets / "CURRENT").read_bytes()

    def check():
        assert trees.tree(flight.cache) == cache
    failures, after = sweep_disk(skua, flight.sets, (*flight.provision_arguments(flight.yaml), "--json"), check)
    assert failures > 5
    assert (after / "CURRENT").read_bytes() != current and trees.leftovers(after) == []
    assert (flight.sets / "CURRENT").read_bytes() == current  # outside the mount nothing happened


@mounts
def test_full_disk_while_writing_outputs(skua, flight, inputs):
    out = flight.folder / "out"
    out.mkdir()
    (out / "filler").write_bytes(bytes(4096 * 4))
    result = skua("run", flight.cache, "add_relu", *inputs, "--json", prefix=confined.small_disk(out, 16))
    programs.error_of(result, USAGE, "disk_full")
    assert sorted(os.listdir(out.with_name("out.after"))) == ["filler"]


@pytest.fixture(name="public")
def place_for_everybody(flight):
    """The flight's folders where another user may enter and own them."""
    with confined.PublicFolder() as folder:
        for name in ("models", "cache", "sets"):
            trees.copy(getattr(flight, name), folder / name)
        for path in [folder, *folder.rglob("*")]:
            if os.geteuid() == 0:
                os.chown(path, confined.NOBODY, confined.NOBODY)
        place = Place(folder)
        place.home = folder / "home"
        place.home.mkdir(mode=0o777)
        yield place


def as_other(place):
    """`skua` as a user without root's rights."""
    skua = programs.Programs(place.home)
    return lambda *args: skua(*args, prefix=confined.as_other_user())


@other_user
def test_model_without_read_permission(public):
    skua = as_other(public)
    before = trees.tree(public.cache)
    model = public.models / "add_relu.onnx"
    model.chmod(0)
    result = skua(*compile_command(public, public.cache))
    programs.error_of(result, BUILD_FAILED, ("model_unreadable", "permission_denied"), model)
    assert trees.tree(public.cache) == before
    model.chmod(0o444)
    assert skua(*compile_command(public, public.cache)).returncode == DONE  # control


@other_user
def test_cache_and_sets_without_write_permission(public):
    skua = as_other(public)
    tiny_models.add_relu(public.models / "add_relu.onnx", seed=52)
    (public.models / "add_relu.onnx").chmod(0o444)
    yaml = public.set_yaml([{"name": "add_relu", "onnx": public.models / "add_relu.onnx", "precision": "fp32"}])
    for folder in (public.cache, public.sets):
        before = trees.tree(public.sets)
        folder.chmod(0o555)
        result = skua(*public.provision_arguments(yaml), "--json")
        programs.error_of(result, BUILD_FAILED, "permission_denied", folder)
        assert trees.tree(public.sets) == before
        folder.chmod(0o755)
    assert skua(*public.provision_arguments(yaml)).returncode == DONE  # control


@other_user
def test_engine_and_set_without_read_permission(public):
    skua = as_other(public)
    path = engine(public.current())
    path.chmod(0)
    programs.error_of(skua("verify", public.sets, *programs.UNSIGNED, "--json"), REFUSED, "permission_denied", path)
    path.chmod(0o644)
    assert skua("verify", public.sets, *programs.UNSIGNED).returncode == DONE
    folder = public.current()
    folder.chmod(0)
    result = skua("verify", public.sets, *programs.UNSIGNED, "--json")
    folder.chmod(0o755)
    programs.error_of(result, REFUSED, "permission_denied", folder)


@other_user
def test_folder_that_may_not_be_entered(public):
    skua = as_other(public)
    public.yaml = public.set_yaml([{"name": "add_relu", "onnx": public.models / "add_relu.onnx", "precision": "fp32"}])
    closed = public.folder / "closed"
    closed.mkdir()
    closed.chmod(0)
    for where in (closed, closed / "below"):
        demand_typed_errors(skua, public, where, public.folder / "out")
    closed.chmod(0o755)
