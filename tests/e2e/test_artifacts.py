"""scripts/artifacts.py: a signed set and what belongs to it, left whole or not at all (docs/formats/artifacts.md)."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

import artifacts
import programs
import tiny_models

SCRIPT = artifacts.__file__


def start(out, *arguments, skua=programs.SKUA):
    return subprocess.run([sys.executable, SCRIPT, "--skua", skua, "--out", out, *map(str, arguments)], capture_output=True,
                          text=True, check=False, timeout=programs.TIMEOUT_S)


@pytest.fixture(scope="module", name="made")
def one_artifact(tmp_path_factory):
    """OUT with the artifact of one tiny network, made once."""
    folder = tmp_path_factory.mktemp("artifact")
    (folder / "SET.yaml").write_text(json.dumps({"runtime": "onnx_trt_ep", "execution_provider": "cpu", "networks": [
        {"name": "add_relu", "onnx": str(tiny_models.add_relu(folder / "add_relu.onnx")), "precision": "fp32"}]}))
    result = start(folder / "out", "--set", folder / "SET.yaml")
    assert result.returncode == 0, result.stderr
    return folder / "out"


@pytest.fixture(name="folder")
def copy_of_it(made, tmp_path):
    """The artifact's folder, for this test to damage."""
    (name,) = (path.name for path in made.iterdir())
    return shutil.copytree(made / name, tmp_path / "out" / name)


def current(folder):
    return folder / "sets" / (folder / "sets" / "CURRENT").read_text().strip()


def test_a_set_is_left_that_verifies(made, skua):
    (folder,) = made.iterdir()
    assert folder.name == artifacts.tuple_of(skua.ok("doctor", "--json"))
    assert {path.name for path in folder.iterdir()} == {"sets", "flight.pub", "commit", "doctor.json", "inspect.json", "inspect.txt"}
    assert artifacts.findings(folder) == []
    skua.ok("verify", folder / "sets", "--trust", folder / "flight.pub")
    assert json.loads((folder / "doctor.json").read_text())["host"] == skua.ok("doctor", "--json")["host"]
    assert "add_relu" in (folder / "inspect.txt").read_text()
    assert json.loads((folder / "inspect.json").read_text())["path"].startswith("sets/")


def test_a_set_that_is_signed_already_is_copied(folder, tmp_path, skua):
    out = tmp_path / "again"
    result = start(out, "--sets", folder / "sets", "--trust", folder / "flight.pub")
    assert result.returncode == 0, result.stderr
    (copy,) = out.iterdir()
    assert copy.name == folder.name and artifacts.findings(copy) == []
    skua.ok("verify", copy / "sets", "--trust", copy / "flight.pub")


# ---- packages that belong to it ---------------------------------------------------------------------------------------------

class GroundPackage:
    """A small skua-ground with the program of the build under test, as a tree to change before it is packed."""

    def __init__(self, folder):
        self.folder, self.tree = folder, folder / "tree"
        prefix = self.tree / "opt/skua-ground"
        for name in ("bin", "lib"):
            (prefix / name).mkdir(parents=True)
        self.program = pathlib.Path(shutil.copy2(programs.SKUA, prefix / "bin"))
        for library in (programs.BUILD / "lib").glob("libskua.so*"):
            shutil.copy2(library, prefix / "lib", follow_symlinks=False)
        (self.tree / "DEBIAN").mkdir()

    def pack(self, version=None):
        ending, _ = artifacts.source_version()
        (self.tree / "DEBIAN/control").write_text(
            f"Package: skua-ground\nVersion: {version or '0.1.0' + ending}\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@nowhere.invalid>\nDescription: short\n", "ascii")
        package = self.folder / "skua-ground_1_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", self.tree, package], check=True, capture_output=True)
        sums = self.folder / "SHA256SUMS"
        sums.write_text(f"{hashlib.sha256(package.read_bytes()).hexdigest()}  {package.name}\n", "ascii")
        return sums


@pytest.fixture(name="ground")
def small_ground_package(tmp_path):
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    (tmp_path / "packages").mkdir()
    return GroundPackage(tmp_path / "packages")


def start_with(sums, folder, out):
    return start(out, "--sets", folder / "sets", "--trust", folder / "flight.pub", "--packages", sums)


def test_the_packaged_program_has_verified_the_set(folder, ground, tmp_path):
    sums = ground.pack()
    result = start_with(sums, folder, tmp_path / "again")
    assert result.returncode == 0, result.stderr
    (left,) = (tmp_path / "again").iterdir()
    assert (left / "packages.sha256").read_bytes() == sums.read_bytes()
    assert (left / "commit").read_text("ascii") == f"{artifacts.source_version()[1]}\n"


def test_control_a_packaged_program_that_refuses_the_set_leaves_nothing(folder, ground, tmp_path):
    ground.program.write_text('#!/bin/sh\necho "refused: $*"\nexit 5\n', "ascii")
    result = start_with(ground.pack(), folder, tmp_path / "again")
    assert result.returncode == 1 and "refused: verify sets --trust flight.pub" in result.stderr, result.stderr
    assert list((tmp_path / "again").iterdir()) == []


@pytest.mark.parametrize("version", ["0.1.0+git20200101000000.0123456789ab", "0.1.0"])
def test_control_a_package_of_another_commit_leaves_nothing(folder, ground, tmp_path, version):
    result = start_with(ground.pack(version), folder, tmp_path / "again")
    assert result.returncode == 1 and "expected a package of this tree" in result.stderr and version in result.stderr
    assert list((tmp_path / "again").iterdir()) == []


def test_control_sums_of_other_packages_leave_nothing(folder, ground, tmp_path):
    sums = ground.pack()
    sums.write_text(sums.read_text("ascii").replace("skua-ground", "skua-other"), "ascii")
    result = start_with(sums, folder, tmp_path / "again")
    assert result.returncode == 1 and "SHA256SUMS: says" in result.stderr
    assert list((tmp_path / "again").iterdir()) == []


def test_control_an_artifact_that_names_no_commit_is_found(folder):
    (folder / "commit").unlink()
    assert artifacts.findings(folder) == [f"{folder}: expected a file that names the commit, found none"]


def damaged(folder, skua):
    (engine,) = current(folder).glob("*.onnx")
    content = bytearray(engine.read_bytes())
    content[100] ^= 1
    engine.write_bytes(content)
    return folder / "flight.pub"


def unsigned(folder, skua):
    (current(folder) / "model.sig").unlink()
    return folder / "flight.pub"


def another_key(folder, skua):
    skua.ok("keygen", folder / "other")
    (folder / "other.key").unlink()
    return folder / "other.pub"


@pytest.mark.parametrize("mistake", [damaged, unsigned, another_key])
def test_what_does_not_verify_is_not_left_and_what_was_there_stays(folder, tmp_path, skua, mistake):
    out = tmp_path / "again"
    old = out / folder.name / "what was there"
    old.parent.mkdir(parents=True)
    old.write_text("before")
    key = mistake(folder, skua)
    result = start(out, "--sets", folder / "sets", "--trust", key)
    assert result.returncode == 1 and "skua verify" in result.stderr.replace(str(programs.SKUA), "skua"), result.stderr
    assert [path.name for path in out.iterdir()] == [folder.name] and list((out / folder.name).iterdir()) == [old]


def test_control_a_private_key_is_found(folder, skua):
    assert artifacts.findings(folder) == []
    skua.ok("keygen", folder / "sets" / "left")
    assert artifacts.findings(folder) == [f"{folder / 'sets' / 'left.key'}: holds a private key"]


@pytest.mark.parametrize("name", ["/build/out/.{host}.4711/sets/CURRENT", "{folder}/sets", "/tmp/skua-key-x/flight.key"])
def test_control_a_temporary_folder_is_found(folder, name):
    (folder / "inspect.txt").write_text(name.format(folder=folder, host=folder.name))
    assert artifacts.findings(folder) == [f"{folder / 'inspect.txt'}: names a temporary folder"]


def test_control_an_engine_of_another_machine_is_found(folder):
    (engine,) = current(folder).glob("*.onnx")
    other = engine.rename(engine.with_name(engine.name.replace(f"__{folder.name}_", "__sm87_jp6.2_trt10.3_")))
    assert artifacts.findings(folder) == [f"{other.name}: expected an engine for {folder.name}"]


def test_control_an_unsigned_or_empty_set_is_found(folder):
    (current(folder) / "model.sig").unlink()
    assert "expected a signed set" in artifacts.findings(folder)[0]
    for engine in current(folder).glob("*.onnx"):
        engine.unlink()
    assert "no engine" in artifacts.findings(folder)[0]


@pytest.mark.parametrize("arguments", [(), ("--set", "a", "--sets", "b"), ("--sets", "b"), ("--set", "a", "--trust", "k")])
def test_wrong_arguments(tmp_path, arguments):
    assert start(tmp_path, *arguments).returncode == 2
