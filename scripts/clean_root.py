"""A clean root file system of this machine's Debian, and commands run in it: what scripts/try_packages.py installs into.

Made by debootstrap from the mirror that apt uses here, once: the finished tree is kept, and every trial gets a copy. Commands
see their own process list, no network unless they ask for it, and nothing of this machine but what is mounted for them.
Needs root. Mounts live in a namespace that ends with the command, debootstrap's too, so nothing is left mounted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shlex
import shutil
import subprocess
from collections.abc import Iterator

TIMEOUT_S = 600
BROUGHT = "/srv/trial"  # what the trial itself brings and makes, no business of the packages
ENVIRONMENT = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", f"HOME={BROUGHT}", "DEBIAN_FRONTEND=noninteractive"]


class RootError(Exception):
    """There is no clean root, and why."""


def why_not() -> str:
    """Why no clean root can be had here; empty where one can."""
    if os.geteuid() != 0:
        return "expected root, for debootstrap, chroot and mount"
    missing = [tool for tool in ("debootstrap", "unshare", "chroot", "apt-get") if shutil.which(tool) is None]
    if missing:
        return f"expected {', '.join(missing)}: scripts/setup.sh lanes installs what is missing on Debian 12"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"],
                           capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"expected namespaces and mounts to be allowed, found: {tried.stderr.strip()}"


def release_and_mirror() -> tuple[str, str]:
    """Debian's name of this release, and where apt gets it from."""
    fields = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line)
    release = fields.get("VERSION_CODENAME", "").strip('"')
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                             f"Codename: {release}", "Component: main", "Origin: Debian"],
                            capture_output=True, text=True, check=False)
    mirrors = [uri for uri in listed.stdout.split() if "://" in uri]
    if not release or not mirrors:
        raise RootError(f"expected apt to know a Debian mirror of '{release}', found none in apt-get indextargets; run "
                        "apt-get update, on Debian 12")
    return release, mirrors[0]


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[int]:
    """One maker at a time. The lock is the children's, too: it is held as long as one of them is at work."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def remove_unfinished(folder: pathlib.Path) -> None:
    """Trees that a killed run has left. One in which something is mounted is no tree to remove."""
    mounted = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    for left in folder.glob("*.[0-9]*"):
        inside = [place for place in mounted if place.startswith(f"{left.resolve()}/")]
        if inside:
            raise RootError(f"{left}: expected nothing to be mounted in it, found {', '.join(inside)}; unmount them")
        shutil.rmtree(left)


def kept_tree(folder: pathlib.Path) -> pathlib.Path:
    """The finished tree of this release below `folder`, made where it is not there."""
    release, mirror = release_and_mirror()
    with locked(folder) as lock:
        remove_unfinished(folder)
        tree = folder / release
        return tree if tree.is_dir() else make_tree(tree, release, mirror, lock)


def make_tree(tree: pathlib.Path, release: str, mirror: str, lock: int) -> pathlib.Path:
    """What debootstrap mounts, it mounts in a namespace that ends with it, however that happens."""
    unfinished = tree.with_name(f"{release}.{os.getpid()}")
    made = subprocess.run(["unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase", release,
                           unfinished, mirror], capture_output=True, text=True, check=False, pass_fds=(lock,))
    if made.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise RootError(f"debootstrap: exit status {made.returncode}: {(made.stdout + made.stderr)[-2000:]}")
    for archive in (unfinished / "var/cache/apt/archives").glob("*.deb"):
        archive.unlink()
    unfinished.rename(tree)
    return tree


class CleanRoot:
    """A copy of the kept tree, for one trial."""

    def __init__(self, kept: pathlib.Path, folder: pathlib.Path) -> None:
        self.folder = folder
        self.mounts: dict[str, pathlib.Path] = {}  # read-only, by the place in the root
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", kept, folder], check=True)
        self.path(BROUGHT).mkdir(mode=0o700)
        shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")
        proxies = subprocess.run(["apt-config", "dump", "Acquire::http::Proxy"], capture_output=True, text=True, check=True)
        (folder / "etc/apt/apt.conf.d/90proxy").write_text(proxies.stdout, "ascii")

    def path(self, inside: str) -> pathlib.Path:
        """A place of the root, seen from here."""
        return self.folder / inside.lstrip("/")

    def mount(self, what: pathlib.Path, inside: str) -> None:
        self.path(inside).mkdir(parents=True, exist_ok=True)
        self.mounts[inside] = what.resolve()

    def run(self, *command: object, user: str = "root", network: bool = False,
            timeout: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        root = shlex.quote(str(self.folder))
        steps = [f"mount -t proc proc {root}/proc", f"mount -t devpts devpts {root}/dev/pts"]
        for inside, what in self.mounts.items():
            target = shlex.quote(str(self.path(inside)))
            steps += [f"mount --bind {shlex.quote(str(what))} {target}", f"mount -o remount,bind,ro {target}"]
        own = [] if user == "root" else self.becoming(user)
        words = ["chroot", str(self.folder), "/usr/bin/env", "-i", *ENVIRONMENT, *own, *map(str, command)]
        steps.append("exec " + shlex.join(words))
        space = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        return subprocess.run([*space, "sh", "-c", " && ".join(steps)], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=timeout)

    def becoming(self, user: str) -> list[str]:
        """The command before a command which makes it this user's, in the user's own group: that of nobody has another name."""
        accounts = [line.split(":") for line in self.path("/etc/passwd").read_text("ascii").splitlines()]
        ids = [fields[2:4] for fields in accounts if fields[0] == user]
        if len(ids) != 1:
            raise RootError(f"{self.path('/etc/passwd')}: expected one user {user}, found {len(ids)}")
        return ["setpriv", f"--reuid={ids[0][0]}", f"--regid={ids[0][1]}", "--clear-groups"]

    def ok(self, *command: object, **options: object) -> str:
        """Runs it, demands success, and returns what it printed."""
        done = self.run(*command, **options)  # type: ignore[arg-type]
        if done.returncode != 0:
            raise RootError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def files(self) -> set[str]:
        """Everything that is there, but for what programs keep while the machine runs."""
        found = {f"/{path.relative_to(self.folder)}" for path in self.folder.rglob("*")}
        return {name for name in found if not name.startswith(("/proc/", "/dev/", "/tmp/", "/var/cache/", "/var/log/",
                                                               "/var/lib/apt/", "/var/lib/dpkg/", f"{BROUGHT}/"))}

    def remove(self) -> None:
        shutil.rmtree(self.folder)
