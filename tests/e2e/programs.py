"""Starting Skua's programs, and reading what they answered."""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import counts

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / (os.environ.get("SKUA_BUILD_DIR") or "build/dev")
SKUA = BUILD / "bin" / "skua"
TIMEOUT_S = 120

# Exit statuses, design section 8.
DONE, DEFECT, USAGE, BUILD_FAILED, REFUSED, INFERENCE, OUT_OF_MEMORY, NO_RUNTIME = 0, 1, 2, 3, 5, 6, 7, 9
DEVICE_LOST = 10


def _development_policy():
    """A policy file that allows unsigned sets, in a folder that only its owner may write to and everybody may read."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="skua-policy-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    policy = folder / "development.yaml"
    policy.write_text("skua_policy: 1\nallow_unsigned: true\n")
    policy.chmod(0o644)
    return policy


# For sets that a test did not sign, because it is about something else.
UNSIGNED = ("--policy", _development_policy())


def environment(home):
    """What a program gets to see: no CI, an empty home, nothing of the developer's."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"),
            "LC_ALL": "C"}


class Programs:
    """Runs `skua` under a clean environment. `prefix` is a command that the program runs under (strace, unshare)."""

    def __init__(self, home):
        self.home = pathlib.Path(home)

    def command(self, *args):
        return [str(SKUA), *map(str, args)]

    def __call__(self, *args, prefix=(), cwd=None, timeout=TIMEOUT_S, **options):
        return subprocess.run([*map(str, prefix), *self.command(*args)], capture_output=True, text=True, cwd=cwd,
                              timeout=timeout, env=environment(self.home), stdin=subprocess.DEVNULL, check=False,
                              **options)

    def start(self, *args, prefix=(), **options):
        """Starts it in a process group of its own, as a shell does; the caller ends it."""
        return subprocess.Popen([*map(str, prefix), *self.command(*args)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment(self.home),
                                stdin=subprocess.DEVNULL, start_new_session=True, **options)

    def ok(self, *args, **options):
        """Runs it, demands success, and returns the JSON document when `--json` is among the arguments."""
        result = self(*args, **options)
        assert result.returncode == DONE, f"{args}: status {result.returncode}\n{result.stdout}\n{result.stderr}"
        return document(result) if "--json" in args else result


def document(result):
    """The one JSON object on stdout."""
    parsed = json.loads(result.stdout)
    assert isinstance(parsed, dict)
    return parsed


def program_exists():
    return os.access(SKUA, os.X_OK)


def has_tool(name):
    return shutil.which(name) is not None


def repeats(name):
    return counts.count(name)


def error_of(result, status, reason=None, *words):
    """Demands that a run with --json ended with this exit status, one typed error under this reason (or one of
    several), and a message that holds `words` and is told on stderr as well. Returns the error."""
    told = f"status {result.returncode}\n{result.stdout}\n{result.stderr}"
    assert result.returncode == status, f"expected status {status}: {told}"
    error = document(result)["error"]
    assert error["exit_status"] == status, told
    reasons = (reason,) if isinstance(reason, str) else reason
    assert reasons is None or error["reason"] in reasons, f"expected reason {reasons}: {told}"
    for word in words:
        assert str(word) in error["message"], f"expected {word!r} in the message: {told}"
    assert error["message"].split("\n")[0][:60] in result.stderr and error["reason"] in result.stderr, told
    assert error["class"] in result.stderr, told
    return error
