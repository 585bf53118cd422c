"""The package under test, and Python processes that import it."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / (os.environ.get("SKUA_BUILD_DIR") or "build/dev")
# Another package than that of the build tree: an installed wheel's site-packages.
FOLDER = pathlib.Path(os.environ.get("SKUA_PYTHON_PACKAGE") or BUILD / "python")
CPU = {"runtime": "onnx_trt_ep", "execution_provider": "cpu"}
PATIENCE_S = 120

for _folder in (FOLDER, *(ROOT / "tests" / name for name in ("e2e", "stack", "support"))):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))


def counts_memory():
    """Whether malloc says what is in use; a sanitizer's does not."""
    return "libasan" not in os.environ.get("LD_PRELOAD", "")


def is_built():
    return bool(list((FOLDER / "skua").glob("_skua.*.so")))


def environment(more=None):
    """What a process gets to see; the sanitizer's preload among it, where the tests run under one."""
    kept = {name: value for name, value in os.environ.items()
            if name.startswith(("ASAN_", "LSAN_", "UBSAN_", "LD_PRELOAD", "PYTHONMALLOC"))}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(FOLDER),
            "PYTHONDONTWRITEBYTECODE": "1", **kept, **(more or {})}


def start(code, *arguments, env=None, **options):
    """A Python process that runs `code`, faults told with a traceback."""
    command = [sys.executable, "-X", "faulthandler", "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(env),
                            stdin=subprocess.DEVNULL, cwd="/", **options)


def end_of(process):
    """What it printed until its end: (stdout, stderr). One that does not end is killed."""
    try:
        return process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError(f"still ran after {PATIENCE_S} s\n{stdout}\n{stderr}") from None


def run(code, *arguments, env=None, status=0):
    """Runs `code` to its end. Returns what it printed, as JSON where it is some."""
    with start(code, *arguments, env=env) as process:
        stdout, stderr = end_of(process)
    assert process.returncode == status, f"status {process.returncode}\n{stdout}\n{stderr}"
    try:
        return json.loads(stdout)
    except ValueError:
        return stdout
