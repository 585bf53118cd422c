"""What lies in a folder: digests to compare before with after, copies, left-overs."""

import hashlib
import os
import shutil
import stat


def _entry(path):
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    if stat.S_ISREG(info.st_mode):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif stat.S_ISLNK(info.st_mode):
        content = os.readlink(path)
    else:
        content = ""
    # Times are left out on purpose, except of regular files: a program that rewrites equal bytes is caught as well.
    written_ns = info.st_mtime_ns if stat.S_ISREG(info.st_mode) else 0
    return kind, stat.S_IMODE(info.st_mode), info.st_nlink if stat.S_ISREG(info.st_mode) else 0, written_ns, content


def tree(folder):
    """Every entry below `folder`: {relative path: (kind, mode, links, time, digest)}. A missing folder is {}."""
    entries = {}
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(parent, name)
            entries[os.path.relpath(path, folder)] = _entry(path)
    return entries


def contents(folder):
    """As tree(), but what the bytes are and nothing else: for folders that were copied."""
    return {name: entry[-1] for name, entry in tree(folder).items()}


def copy(source, target):
    """A copy with modes and times, links as links."""
    shutil.copytree(source, target, symlinks=True)
    return target


def leftovers(folder):
    """Staging folders and temporary files: whatever begins with a dot."""
    return sorted(name for name in tree(folder) if any(part.startswith(".") for part in name.split(os.sep)))
