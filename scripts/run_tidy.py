#!/usr/bin/env python3
"""clang-tidy over our sources: run_tidy.py BUILD_DIR [--changed] [--tests]. Exit 1 when it finds something.

Two translation units at a time: a source, or the batch of sources that the build compiles as one, whose headers are
then read once. One that passed is not looked at again until a source of it, any header, its command or the
configuration changes (out/tidy/). --changed: only units with a source that differs from the last commit; --tests:
tests too.
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
# As tests/.clang-tidy, which clang-tidy does not find for a batch: that lies in the build's folder.
NOT_FOR_TESTS = "--checks=-readability-function-size,-bugprone-exception-escape"


def git_lines(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return set(done.stdout.splitlines())


def changed_files():
    return git_lines("diff", "--name-only", "HEAD") | git_lines("ls-files", "--others", "--exclude-standard")


def common_digest(build):
    """Digest of everything that any file's verdict depends on."""
    digest = hashlib.sha256(subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout)
    shared = [ROOT / ".clang-tidy", ROOT / "tests" / ".clang-tidy", *sorted(build.glob("generated/*.h"))]
    for top in ("include", "src", "python", "tests"):
        shared += sorted((ROOT / top).rglob("*.h"))
    for path in shared:
        digest.update(path.read_bytes())
    return digest.digest()


def sources_of(unit):
    """Names below the root: of the source itself, or of those that a batch made by CMake includes."""
    paths = [unit]
    if unit.parent.name == "Unity":
        text = unit.read_text(encoding="utf-8")
        paths = [pathlib.Path(path) for path in re.findall(r'^#include "(.+)"$', text, re.MULTILINE)]
    return [path.relative_to(ROOT).as_posix() for path in paths if path.is_relative_to(ROOT)]


def wanted(build, options):
    """(translation unit, the sources in it, command) each."""
    changed = changed_files() if "--changed" in options else None
    tops = ("src/", "python/", "tests/") if "--tests" in options else ("src/", "python/")
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        sources = sources_of(pathlib.Path(entry["file"]))
        if any(name.startswith(tops) and (changed is None or name in changed) for name in sources):
            yield entry["file"], tuple(sources), entry["command"]


def judge(build, unit, is_test, mark):
    if mark.exists():
        return True, ""
    command = ["clang-tidy", "--quiet", "-p", str(build), "--extra-arg=-Wno-unknown-warning-option", unit]
    command += [NOT_FOR_TESTS] if is_test else []
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
    failed = looked_at = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        jobs = []
        for unit, sources, command in sorted(set(wanted(build, sys.argv[2:]))):
            looked_at += len(sources)
            content = b"".join((ROOT / name).read_bytes() for name in sources)
            key = hashlib.sha256(common + command.encode() + content).hexdigest()
            is_test = sources[0].startswith("tests/")
            jobs.append(pool.submit(judge, build, unit, is_test, PASSED / key))
        for job in jobs:
            passed, text = job.result()
            failed += not passed
            print(text, end="\n" if text else "")
    print(f"clang-tidy: {looked_at} sources in {len(jobs)} translation units, {failed} with findings")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
