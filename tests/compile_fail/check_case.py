#!/usr/bin/env python3
"""Judge one compile-fail case: check_case.py refused|control FILE COMPILER FLAG..."""

import os
import re
import subprocess
import sys


def expected_error(path):
    with open(path, encoding="ascii") as source:
        match = re.match(r"// expect-error: (\S.*)$", source.readline())
    if not match:
        sys.exit(f"{path}: the first line must be '// expect-error: REGEX'")
    return match.group(1)


def main():
    mode, path, compiler = sys.argv[1:4]
    command = [compiler, *sys.argv[4:], path]
    if mode == "control":
        command.append("-DSKUA_COMPILE_FAIL_CONTROL")
    pattern = expected_error(path)
    done = subprocess.run(
        command, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C"), check=False
    )
    if mode == "control":
        if done.returncode != 0:
            sys.exit(f"{path}: the control must compile, but:\n{done.stderr}")
        return
    if mode != "refused":
        sys.exit(f"unknown mode '{mode}'")
    if done.returncode == 0:
        sys.exit(f"{path}: compiled, but must be refused with '{pattern}'")
    errors = "\n".join(line for line in done.stderr.splitlines() if "error:" in line)
    if not re.search(pattern, errors):
        sys.exit(f"{path}: refused, but no error matches '{pattern}':\n{done.stderr}")


if __name__ == "__main__":
    main()
