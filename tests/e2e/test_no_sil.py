"""The installed tree, ground and airborne, holds nothing of the software-in-the-loop SDK (tests/sil)."""

import subprocess
import sys

import pytest

import airborne_package as package
import programs

CHECKER = programs.ROOT / "scripts" / "check_no_sil.py"


@pytest.fixture(scope="module", name="pristine")
def installed_once(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed") / "skua"
    package.install("airborne", prefix)
    return package.install("ground", prefix)


def check(folder):
    result = subprocess.run([sys.executable, CHECKER, folder], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def test_nothing_of_it_is_installed(pristine):
    status, lines, found = check(pristine)
    assert (status, found) == (0, ""), found
    assert "good  bin/skua-flight" in lines and "good  bin/skua:" in lines, lines


@pytest.mark.parametrize("source, finding", [
    ("namespace sil { int device() { return 1; } }", "symbol sil::device()"),
    ("namespace sil { int device(); } int other() { return sil::device(); }", "symbol sil::device()"),
    ("extern const char* const kName; const char* const kName = \"SKUA_SIL_FAULTS\";", "text SKUA_SIL_FAULTS"),
])
def test_a_trace_of_it_is_found(tmp_path, source, finding):
    subprocess.run(["c++", "-shared", "-fPIC", "-x", "c++", "-", "-o", tmp_path / "libinnocent.so"], input=source,
                   text=True, check=True)
    status, _, found = check(tmp_path)
    assert status == 1
    assert f"libinnocent.so: {finding}" in found


def test_a_library_that_needs_it_is_found(tmp_path):
    flags = ["c++", "-shared", "-fPIC", "-x", "c++", "-"]
    (tmp_path / "sil").mkdir()
    (tmp_path / "installed").mkdir()
    subprocess.run([*flags, "-o", tmp_path / "sil" / "libskua_sil_cudart.so", "-Wl,-soname,libskua_sil_cudart.so"],
                   input="int f() { return 1; }", text=True, check=True)
    subprocess.run([*flags, "-o", tmp_path / "installed" / "libuser.so", "-Wl,--no-as-needed", f"-L{tmp_path}/sil",
                    "-lskua_sil_cudart"], input="int g() { return 1; }", text=True, check=True)
    status, _, found = check(tmp_path / "installed")
    assert status == 1
    assert "libuser.so: needs libskua_sil_cudart.so" in found
    assert "a library of it, by its name" in check(tmp_path / "sil")[2]


def test_nothing_is_proven_where_nothing_is(tmp_path):
    status, _, found = check(tmp_path)
    assert status == 1 and "nothing is proven" in found
