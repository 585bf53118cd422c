"""The airborne package of the build under test, installed as an operator does it, and the checker over it."""

import pathlib
import re
import subprocess
import sys

import programs

CHECKER = programs.ROOT / "scripts" / "check_airborne.py"
TORCH_RUNTIME = "lib/libskua_runtime_pytorch_fp16.so"


def install(component, prefix):
    """`cmake --install` of one component, by the CMake that configured the build."""
    cache = (programs.BUILD / "CMakeCache.txt").read_text("utf-8")
    cmake = re.search(r"^CMAKE_COMMAND:INTERNAL=(.*)$", cache, re.MULTILINE).group(1)
    result = subprocess.run([cmake, "--install", programs.BUILD, "--component", component, "--prefix", prefix],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return pathlib.Path(prefix)


def files(prefix):
    return {path.relative_to(prefix).as_posix() for path in prefix.rglob("*") if not path.is_dir()}


def check(prefix):
    """The checker's answer: exit status, the lines about files, the findings."""
    result = subprocess.run([sys.executable, CHECKER, prefix], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout.splitlines(), result.stderr.splitlines()


def run(prefix, home, *arguments):
    """The installed `skua-flight`."""
    return subprocess.run([prefix / "bin" / "skua-flight", *map(str, arguments)], capture_output=True, text=True,
                          env=programs.environment(home), stdin=subprocess.DEVNULL, timeout=programs.TIMEOUT_S,
                          check=False)
