"""Places where writing or reading fails: read-only and full file systems, another user. Each says why it is not to be
had on this machine, so that a test can skip with the reason."""

import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

NOBODY = 65534


@functools.cache
def why_no_mounts():
    """None, or why this user cannot mount in a namespace of its own."""
    probe = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=4k none /mnt"],
                           capture_output=True, text=True, check=False)
    return None if probe.returncode == 0 else f"no private mounts here: {probe.stderr.strip()}"


def small_disk(folder, size_kib):
    """A command prefix: `folder` is a file system of `size_kib`, holding what it held. What is in it at the end is
    copied to `folder`.after, because the mount goes with the program."""
    script = (f'cp -a "$0" "$0.before" && mount -t tmpfs -o size={size_kib}k,mode=755 none "$0" && '
              'cp -a "$0.before/." "$0" && "$@"; status=$?; cp -a "$0" "$0.after"; exit $status')
    return ["unshare", "--mount", "sh", "-c", script, str(folder)]


def read_only(folder):
    """A command prefix: nothing can be written to `folder`."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(folder)]


def why_no_other_user():
    """None, or why a program cannot be run as a user who has no rights of root."""
    if os.geteuid() != 0:
        return None
    return None if shutil.which("setpriv") else "running as root, and setpriv (util-linux) is not here"


def as_other_user():
    """A command prefix: the program runs without root's rights."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


class PublicFolder:
    """A folder that every user may enter and write to (pytest's own are private). A context manager."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="skua-e2e-"))
        self.path.chmod(0o777)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
