#!/usr/bin/env python3
"""clang-tidy over our sources: run_tidy.py BUILD_DIR [--changed] [--tests]. Exit 1 when it finds something.

Two files at a time. A file that passed is not looked at again until it, any header, its command or the
configuration changes (out/tidy/). --changed: only files that differ from the last commit; --tests: tests too.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PASSED = ROOT / "out" / "tidy"


def git_lines(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return set(done.stdout.splitlines())


def changed_files():
    return git_lines("diff", "--name-only", "HEAD") | git_lines("ls-files", "--others", "--exclude-standard")


def common_digest(build):
    """Digest of everything that any file's verdict depends on."""
    digest = hashlib.sha256(subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout)
    shared = [ROOT / ".clang-tidy", ROOT / "tests" / ".clang-tidy", *sorted(build.glob("generated/*.h"))]
    for top in ("include", "src", "tests"):
        shared += sorted((ROOT / top).rglob("*.h"))
    for path in shared:
        digest.update(path.read_bytes())
    return digest.digest()


def wanted(build, options):
    changed = changed_files() if "--changed" in options else None
    tops = ("src/", "tests/") if "--tests" in options else ("src/",)
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = pathlib.Path(entry["file"])
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
        if name.startswith(tops) and (changed is None or name in changed):
            yield name, entry["command"]


def judge(build, name, mark):
    if mark.exists():
        return True, ""
    command = ["clang-tidy", "--quiet", "-p", str(build), "--extra-arg=-Wno-unknown-warning-option", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        mark.touch()
        return True, ""
    noise = re.compile(r"^\d+ (warnings?|errors?) |^Suppressed|^Use -header-filter|^Error while processing")
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not noise.match(line)]
    return False, "\n".join(lines)


def main():
    build = (ROOT / sys.argv[1]).resolve()
    PASSED.mkdir(parents=True, exist_ok=True)
    common = common_digest(build)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        jobs = []
        for name, command in sorted(set(wanted(build, sys.argv[2:]))):
            key = hashlib.sha256(common + command.encode() + (ROOT / name).read_bytes()).hexdigest()
            jobs.append(pool.submit(judge, build, name, PASSED / key))
        for job in jobs:
            passed, text = job.result()
            failed += not passed
            print(text, end="\n" if text else "")
    print(f"clang-tidy: {len(jobs)} files, {failed} with findings")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
