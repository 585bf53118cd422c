#!/usr/bin/env python3
"""Runs a command that may write below the given folders and nowhere else: for programs that were broken on purpose.

    scripts/confined_run.py FOLDER[:FOLDER...] COMMAND...

Landlock holds it, for the command and all that it starts. A kernel without Landlock is an error: a broken guard of
file names, run as root, can take a system apart.
"""

import ctypes
import os
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
PATH_BENEATH = 1
NO_NEW_PRIVS = 38
# include/uapi/linux/landlock.h: what changes a file system. Reading and running stay free.
WRITE_FILE, REMOVE_DIR, REMOVE_FILE, MAKE, REFER, TRUNCATE = 1 << 1, 1 << 4, 1 << 5, 0b1111111 << 6, 1 << 13, 1 << 14
CHANGES = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE | REFER | TRUNCATE
LEAST_ABI = 3  # knows TRUNCATE
DEVICES = ("/dev/null", "/dev/tty", "/dev/full", "/dev/ptmx", "/dev/pts")  # the last for terminals that a test makes


def syscall(number, *arguments):
    answer = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def allow(ruleset, path, access):
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    beneath = struct.pack("=Qi", access, folder)
    syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.c_char_p(beneath), 0)
    os.close(folder)


def confine(folders):
    if syscall(CREATE_RULESET, None, 0, 1) < LEAST_ABI:
        raise OSError("this kernel's Landlock is too old")
    ruleset = syscall(CREATE_RULESET, ctypes.c_char_p(struct.pack("=Q", CHANGES)), 8, 0)
    for path in folders:
        allow(ruleset, path, CHANGES)
    for path in DEVICES:
        if os.path.exists(path):
            allow(ruleset, path, WRITE_FILE | TRUNCATE)
    if ctypes.CDLL(None).prctl(NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError("PR_SET_NO_NEW_PRIVS was refused")
    syscall(RESTRICT_SELF, ruleset, 0)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.splitlines()[2].strip())
    try:
        confine(sys.argv[1].split(":"))
    except OSError as error:
        sys.exit(f"confined_run: cannot confine the command, so it is not run: {error}")
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
