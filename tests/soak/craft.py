"""The program under its supervisor: started as systemd starts it, listened to, measured, and ended."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .world import FLIGHT, FRAME_LINES

Answer = TypeVar("Answer")

SO_TIMESTAMPNS, TIMESPEC = 35, struct.Struct("@ll")  # of Linux; the socket module has no name for it
PIPE_BYTES, SMALL_PIPE_BYTES = 65536, 4096  # the usual, and as small as can be: full after a few lines
# Whoever ends us, by whatever signal, leaves nothing behind that flies. A thread of ours that starts it must not end.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")


# What an order, a trace or a look says of a process that has ended; and how long it may take until it has, with its core.
OF_THE_GONE = {errno.ENXIO, errno.EPIPE, errno.ESRCH, errno.ECHILD, errno.ENOENT}
ENDING_S = 5.0


class Gone(Exception):
    """The process has ended, or is just ending."""


@contextlib.contextmanager
def gone_if_ended(process: subprocess.Popen) -> Iterator[None]:
    """Makes what an order or a trace says of a process that ends into Gone. Of one that goes on it is an error of ours."""
    try:
        yield
    except (OSError, LookupError) as error:
        if isinstance(error, OSError) and error.errno not in OF_THE_GONE:
            raise
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_S)
            raise Gone(process.pid) from error
        raise


@dataclass
class LogLine:
    at: float
    text: str
    record: dict | None  # None: no JSON object
    is_whole: bool = True


class LogReader(threading.Thread):
    """Reads the log's pipe on a thread, unless told not to."""

    def __init__(self, pipe) -> None:
        super().__init__(daemon=True)
        self.pipe = pipe
        self.lines: list[LogLine] = []
        self.is_reading = threading.Event()
        self.is_reading.set()

    def run(self) -> None:
        rest = b""
        while True:
            self.is_reading.wait()
            read = os.read(self.pipe.fileno(), 512)
            if not read:
                break
            *whole, rest = (rest + read).split(b"\n")
            self.lines.extend(self.parsed(line) for line in whole)
        if rest:
            self.lines.append(self.parsed(rest, is_whole=False))

    @staticmethod
    def parsed(line: bytes, is_whole: bool = True) -> LogLine:
        text = line.decode("utf-8", "replace")
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        return LogLine(time.monotonic(), text, record if isinstance(record, dict) else None, is_whole)


class Notified:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        self.ready_at: float | None = None
        self.alive_at: float | None = None
        self._silences: list[float] = []

    def listen(self) -> None:
        while True:
            try:
                content, told, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(TIMESPEC.size))
            except BlockingIOError:
                return
            message, at = content.decode("utf-8", "replace"), came_at(told)
            if "READY=1" in message:
                self.ready_at = self.alive_at = at
            elif "WATCHDOG=1" in message and self.alive_at is not None:
                self._silences.append(at - self.alive_at)
                self.alive_at = max(at, self.alive_at)  # an order to go on may be later than the sign that came after it

    def silences(self) -> list[float]:
        """Between each two signs of life, since the last call. By when they came: how seldom we listen is no silence."""
        self.listen()
        found, self._silences = self._silences, []
        return found

    def silent_s(self) -> float:
        """Since the last sign of life."""
        self.listen()
        return time.monotonic() - self.alive_at if self.alive_at is not None else 0.0

    def close(self) -> None:
        self.socket.close()


def came_at(told: list[tuple[int, int, bytes]]) -> float:
    """When a message reached us, of the monotonic clock, by what the kernel tells beside it."""
    for _, kind, content in told:
        if kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESPEC.unpack(content[:TIMESPEC.size])
            return time.monotonic() - (time.time() - (seconds + nanoseconds / 1e9))
    return time.monotonic()


@dataclass
class Sample:
    """What the process holds."""

    at: float
    anon_kib: int
    descriptors: int
    threads: int
    children: list[int]
    sockets: list[str] = field(default_factory=list)  # those that leave the machine


class Craft:
    """One process."""

    def __init__(self, world, config: Path, watchdog_s: float) -> None:
        run = world.run
        self.frame_lines, self.orders = run / "frames.jsonl", run / "orders"
        self.frame_lines.unlink(missing_ok=True)
        self.orders.unlink(missing_ok=True)
        os.mkfifo(self.orders)
        self.notified = Notified(run / "notify")
        self.errors = run / "stderr.txt"
        environment = {**world.environment(), "NOTIFY_SOCKET": str(run / "notify"),
                       "WATCHDOG_USEC": str(int(watchdog_s * 1e6)), "SKUA_SIL_ORDERS": str(self.orders)}
        self.started = time.monotonic()
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*ENDS_WITH_US, FLIGHT, "--config", config, FRAME_LINES, self.frame_lines, "--duration", "86400"],
                stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, env=environment)
        self.log = LogReader(self.process.stdout)
        self.log.start()
        self._read, self._rest = 0, b""

    pid = property(lambda self: self.process.pid)

    def new_frame_lines(self) -> list[str]:
        """Whole lines since the last call."""
        try:
            with self.frame_lines.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except FileNotFoundError:
            return []
        self._read += len(content)
        *whole, self._rest = (self._rest + content).split(b"\n")
        return [line.decode("ascii") for line in whole]

    def read_log(self, is_read: bool) -> None:
        """A log that nobody reads stands after a few lines, because its pipe is made small."""
        set_pipe_size(self.log.pipe.fileno(), PIPE_BYTES if is_read else SMALL_PIPE_BYTES)
        self.log.is_reading.set() if is_read else self.log.is_reading.clear()

    def order(self, text: str) -> None:
        """To the SDK of the process, which reads it at once."""
        descriptor = os.open(self.orders, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, text.encode("ascii") + b"\n")
        finally:
            os.close(descriptor)

    def sample(self) -> Sample:
        return sample_of(Path("/proc") / str(self.pid))

    def counts(self) -> tuple[int, int]:
        """Descriptors and threads, and nothing else, so that it can be asked often."""
        proc = Path("/proc") / str(self.pid)
        try:
            return len(os.listdir(proc / "fd")), len(os.listdir(proc / "task"))
        except (FileNotFoundError, ProcessLookupError) as error:
            raise Gone(proc.name) from error

    def company(self) -> tuple[list[int], list[str]]:
        """Its children, and its sockets that leave the machine."""
        proc = Path("/proc") / str(self.pid)
        try:
            return children_of(proc), outside_sockets(proc, links_of(proc))
        except (FileNotFoundError, ProcessLookupError) as error:
            raise Gone(proc.name) from error

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, timeout_s: float = 30.0) -> int:
        """Waits for the end; the log is whole then. A process that does not end is killed: its status says so."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.is_reading.set()
        self.log.join()
        self.log.pipe.close()
        self.notified.listen()
        self.notified.close()
        return self.process.returncode


def set_pipe_size(pipe: int, size: int) -> None:
    """A pipe that holds more than that is busy until its reader has read on."""
    for _ in range(200):
        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        time.sleep(0.01)
    raise TimeoutError(f"the pipe of the log holds more than {size} bytes, and nobody reads it")


def sample_of(proc: Path) -> Sample:
    """Of the process of this folder. Threads, descriptors and children come and go meanwhile. Gone: the process did."""
    try:
        status = dict(line.split(":", 1) for line in (proc / "status").read_text("ascii").splitlines())
        links, children = links_of(proc), children_of(proc)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Gone(proc.name) from error
    if "RssAnon" not in status:  # its memory is gone already
        raise Gone(proc.name)
    return Sample(time.monotonic(), int(status["RssAnon"].split()[0]), len(links), int(status["Threads"]),
                  children, outside_sockets(proc, links))


def links_of(proc: Path) -> list[str]:
    """What its descriptors lead to."""
    return [link for entry in (proc / "fd").iterdir() if (link := unless_gone(os.readlink, entry)) is not None]


def children_of(proc: Path) -> list[int]:
    tasks = [unless_gone(Path.read_text, task / "children") or "" for task in (proc / "task").iterdir()]
    return [int(child) for task in tasks for child in task.split()]


def unless_gone(ask: Callable[[Path], Answer], path: Path) -> Answer | None:
    try:
        return ask(path)
    except (FileNotFoundError, ProcessLookupError):
        return None


def size_of(files: Iterable[Path]) -> int:
    """Bytes of those that are still there: a recorder gives up its oldest while one looks."""
    return sum(told.st_size for file in files if (told := unless_gone(Path.stat, file)) is not None)


def outside_sockets(proc: Path, links: list[str]) -> list[str]:
    """Sockets of the process that are of no family that stays in the machine."""
    own = {link[len("socket:["):-1] for link in links if link.startswith("socket:[")}
    found: list[str] = []
    if not own:
        return found
    for name in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6", "packet"):
        try:
            lines = (proc / "net" / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        column = 8 if name == "packet" else 9
        found += [name for line in lines if len(line.split()) > column and line.split()[column] in own]
    return found
