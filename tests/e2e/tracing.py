"""Runs a command under strace and tells what it did outside itself: sockets, changed paths, processes and threads."""

import dataclasses
import os
import pathlib
import re
import subprocess

CALLS = ("%network,open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,unlink,unlinkat,"
         "rmdir,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,"
         "utime,utimes,utimensat,futimesat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,"
         "memfd_create,bpf,io_uring_setup,clone,clone3,fork,vfork,execve,execveat,fsync,fdatasync")
WRITING_OPEN = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE")
NETWORK = {"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "recvfrom", "sendmsg",
           "recvmsg", "sendmmsg", "recvmmsg", "getsockname", "getpeername", "setsockopt", "getsockopt", "shutdown"}
CHANGING = {"creat", "mkdir", "mkdirat", "mknod", "mknodat", "rename", "renameat", "renameat2", "unlink", "unlinkat",
            "rmdir", "link", "linkat", "symlink", "symlinkat", "truncate", "ftruncate", "chmod", "fchmod", "fchmodat",
            "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat", "setxattr",
            "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"}
STARTING = {"clone", "clone3", "fork", "vfork"}
LINE = re.compile(r"^(\d+) +([a-z0-9_]+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. ([a-z0-9_]+) resumed>(.*)$")
# With -y a descriptor is shown as 5</path>, and AT_FDCWD as AT_FDCWD</path>.
DESCRIPTOR = re.compile(r"^(?:AT_FDCWD|\d+)<([^>]*)>(?:\(deleted\))?")
TEXT = re.compile(r'^"((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass
class Program:
    """One process: what it ran, and the threads it started (the first thread not counted)."""

    name: str
    threads: int = 0


@dataclasses.dataclass
class Report:
    """What a traced run did."""

    status: int = 0
    stdout: str = ""
    stderr: str = ""
    network: list = dataclasses.field(default_factory=list)
    changed: set = dataclasses.field(default_factory=set)
    memory_files: list = dataclasses.field(default_factory=list)
    programs: dict = dataclasses.field(default_factory=dict)
    calls: dict = dataclasses.field(default_factory=dict)

    def changed_outside(self, allowed):
        """Changed paths that lie in none of `allowed` (folders or files)."""
        roots = [os.path.realpath(path) for path in allowed]
        return sorted(path for path in self.changed
                      if not any(path == root or path.startswith(root + "/") for root in roots))

    def threads(self):
        """[(program, threads started)], in the order of their start."""
        return [(program.name, program.threads) for program in self.programs.values()]


def can_trace():
    """None, or why strace cannot trace on this machine."""
    try:
        probe = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, timeout=30,
                               check=False)
    except FileNotFoundError:
        return "strace is not installed (scripts/setup.sh test installs it)"
    return None if probe.returncode == 0 else probe.stderr.strip()


def run(command, log, timeout=120, **options):
    """Runs `command` under strace -f and reads the log."""
    log = pathlib.Path(log)
    result = subprocess.run(["strace", "-f", "--seccomp-bpf", "-y", "-s", "4096", "-o", log, "-e", f"trace={CALLS}", "-e",
                             "signal=none", *map(str, command)], capture_output=True, text=True, timeout=timeout,
                            stdin=subprocess.DEVNULL, check=False, **options)
    report = read(log.read_text(encoding="utf-8", errors="surrogateescape"))
    report.status, report.stdout, report.stderr = result.returncode, result.stdout, result.stderr
    return report


def read(text):
    """The report of a log that strace -f -y wrote."""
    report = Report()
    owners = {}  # thread id -> process id
    unfinished = {}
    for line in text.splitlines():
        resumed = RESUMED.match(line)
        if resumed:
            pid, call, rest = int(resumed[1]), resumed[2], resumed[3]
            _take(report, owners, pid, call, unfinished.pop(pid, "") + rest)
            continue
        match = LINE.match(line)
        if not match:
            continue  # "+++ exited", "--- SIGNAL"
        pid, call, rest = int(match[1]), match[2], match[3]
        if rest.endswith("<unfinished ...>"):
            unfinished[pid] = rest[: -len("<unfinished ...>")].rstrip()
        else:
            _take(report, owners, pid, call, rest)
    # A call that never came back (its thread was killed inside it) happened all the same.
    for pid, rest in unfinished.items():
        report.calls.setdefault("unfinished", []).append((pid, rest))
    return report


def _take(report, owners, pid, call, rest):
    process = owners.setdefault(pid, pid)
    report.calls.setdefault(call, []).append((process, rest))
    arguments, _, answer = rest.rpartition(" = ")
    failed = answer.lstrip().startswith("-1")
    if call in NETWORK:
        report.network.append(f"{call}({rest}")
    elif call in ("execve", "execveat") and not failed:
        report.programs[process] = Program(os.path.basename(TEXT.match(arguments)[1]))
    elif call in STARTING:
        _take_start(report, owners, process, call, arguments, answer)
    elif call in ("open", "openat", "openat2"):
        if WRITING_OPEN.search(arguments) and not failed:
            report.changed.add(_path(call, arguments))
    elif call in CHANGING and not failed:
        report.changed.update(paths(call, arguments))
    elif call == "memfd_create":
        report.memory_files.append(rest)


def _take_start(report, owners, process, call, arguments, answer):
    child = re.match(r"\s*(\d+)", answer)
    is_thread = call in ("clone", "clone3") and "CLONE_THREAD" in arguments
    if is_thread:
        report.programs.setdefault(process, Program("?")).threads += 1
    if not child:
        return
    child = int(child[1])
    owners[child] = process if is_thread else child
    if not is_thread:
        parent = report.programs.get(process, Program("?"))
        report.programs.setdefault(child, Program(f"{parent.name} (forked)"))


def _absolute(folder, text):
    """`text` below `folder`, without links in its folders and as it is in its last part."""
    path = os.path.join(folder, text)
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path.rstrip("/")) or "")


def _path(call, arguments):
    found = paths(call, arguments)
    return found[0] if found else arguments


def paths(call, arguments):
    """Every path that a call names. A text that follows a folder's descriptor is taken below that folder."""
    paths, folder, rest = [], "", arguments
    while rest:
        descriptor, text = DESCRIPTOR.match(rest), TEXT.match(rest)
        if descriptor:
            folder = descriptor[1]
            if call.startswith("f") or call == "utimensat":
                paths.append(folder)
            rest = rest[descriptor.end():]
        elif text:
            if text[1]:
                paths.append(_absolute(folder, text[1].encode("latin-1", "replace").decode("unicode_escape")))
                if call == "utimensat" and folder in paths:
                    paths.remove(folder)
            folder, rest = "", rest[text.end():]
            if call in ("symlink", "symlinkat") and len(paths) == 1:
                paths.clear()  # what a link says is not a path that changes
        else:
            rest = rest.partition(", ")[2] if not rest.startswith(", ") else rest[2:]
    return paths
