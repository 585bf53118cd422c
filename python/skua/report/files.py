"""Reading what was given and writing what was made: a page is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

LONGEST_SHOWN = 300


class ReportError(Exception):
    """What keeps a report from being made: names the thing, the expected, the found and the remedy."""


@dataclass(frozen=True)
class Source:
    """A file that a report was made from, as the report names it: no path of the machine, but its digest."""

    role: str
    name: str
    size_bytes: int
    sha256: str


def printable(text: str) -> str:
    """One line that cannot move a terminal's cursor; names of files may hold anything."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "..."


def named(path: Path) -> str:
    return printable(str(path))


def read_file(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a regular file. Neither a FIFO nor a device can make this wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ReportError(f"{named(path)}: expected a regular file, found a folder or a device")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(limit_bytes + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ReportError(f"{named(path)}: cannot be read: {error.strerror}") from error
    if len(content) > limit_bytes:
        raise ReportError(f"{named(path)}: has more than {limit_bytes} bytes, which is the most that is read here")
    return content


def source_of(role: str, path: Path, content: bytes) -> Source:
    return Source(role, printable(path.name), len(content), hashlib.sha256(content).hexdigest())


def _is_same(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Nothing that was read is ever written over, and nothing is put among a recorder's segments."""
    for output in outputs:
        if not output.parent.is_dir():
            raise ReportError(f"{named(output)}: its folder does not exist; make it, or name another file")
        if output.exists() and not output.is_file():
            raise ReportError(f"{named(output)}: expected a file, found a folder or a device; name another file")
        for given in inputs:
            if _is_same(output, given) or (given.is_dir() and _is_same(output.parent, given)):
                raise ReportError(f"{named(output)}: would write over what the report is made from; name another file")
    if len(outputs) == 2 and (outputs[0].absolute() == outputs[1].absolute() or _is_same(*outputs)):
        raise ReportError(f"{named(outputs[0])}: page and picture need two files; name another one")


def publish(contents: list[tuple[Path, bytes]]) -> None:
    """Writes all of them under temporary names, then renames: a full disk leaves what was there."""
    temporaries: list[tuple[Path, Path]] = []
    try:
        for path, content in contents:
            temporary = path.parent / f".skua-report-{secrets.token_hex(8)}"
            temporaries.append((temporary, path))
            _write_new(temporary, content)
        for temporary, path in temporaries:
            os.replace(temporary, path)
            _sync_folder(path.parent)
    except OSError as error:
        raise ReportError(f"{named(contents[0][0])}: cannot be written: {error.strerror}") from error
    finally:
        for temporary, _ in temporaries:
            temporary.unlink(missing_ok=True)


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
