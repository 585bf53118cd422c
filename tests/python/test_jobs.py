"""scripts/jobs.sh: as many compilers as the cores, and no more than memory holds."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/howto/build-on-a-jetson.md"
GB8_KIB = 7_802_616  # what the kernel of an 8 GB machine has to give away


def jobs(tmp_path, kib, cores, **variables):
    (tmp_path / "meminfo").write_text(f"MemTotal:       {kib} kB\nMemFree:        1 kB\n")
    return subprocess.run([ROOT / "scripts/jobs.sh", tmp_path / "meminfo", str(cores)], capture_output=True, text=True,
                          check=False, env={"PATH": "/usr/bin:/bin", **variables})


@pytest.mark.parametrize("kib, cores, expected", [
    (GB8_KIB, 6, 3),             # an Orin Nano
    (GB8_KIB, 2, 2),
    (2 * GB8_KIB, 12, 6),
    (32 * GB8_KIB, 12, 12),
    (1_000_000, 4, 1)])
def test_memory_and_cores_decide(tmp_path, kib, cores, expected):
    assert jobs(tmp_path, kib, cores).stdout == f"{expected}\n"


def test_who_asks_for_a_number_gets_it(tmp_path):
    assert jobs(tmp_path, GB8_KIB, 6, CMAKE_BUILD_PARALLEL_LEVEL="5").stdout == "5\n"


def test_a_file_without_the_line_is_an_error(tmp_path):
    done = jobs(tmp_path, "", 6)
    assert done.returncode == 1 and "expected a line MemTotal" in done.stderr


def test_this_machine_has_a_number():
    done = subprocess.run([ROOT / "scripts/jobs.sh"], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 1


def test_a_number_is_given_wherever_compilers_run_side_by_side():
    """Without one, cmake starts as many as make likes. A failed $(...) in an argument stops no script: it is asked before."""
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / "Makefile", ROOT / ".ci/run"]
    given = {path.name: found for path in scripts if (found := re.findall(r"--parallel\b *(\S*)", path.read_text("ascii")))}
    wrong = {name: found for name, found in given.items()
             if not all(re.fullmatch(r'(\d+|"\$\$?jobs");?', number) for number in found)}
    assert wrong == {} and {"Makefile", "packages.sh", "demo.sh", "bench.sh"} <= set(given)


def test_the_page_says_the_same_number_for_the_same_memory(tmp_path):
    said = [line for line in PAGE.read_text("ascii").splitlines() if "--parallel" in line]
    assert said and all(f"--parallel {jobs(tmp_path, GB8_KIB, 6).stdout.strip()} " in line for line in said)


def test_the_page_installs_what_its_command_starts():
    listed = PAGE.read_text("ascii").split("apt-get install", 1)[1].split("```", 1)[0].replace("\\", " ").split()
    assert {"make", "git", "cmake", "g++", "dpkg-dev", "file"} <= set(listed)
