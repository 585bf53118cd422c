#!/usr/bin/env python3
"""Leaves a signed flight set, and what belongs to it, as docs/formats/artifacts.md says: below OUT/<host tuple>.

    artifacts.py --skua BIN --out OUT --set SET.yaml             provisions it, with a key that is made and thrown away
    artifacts.py --skua BIN --out OUT --sets DIR --trust KEY.pub copies what is provisioned and signed already
    --packages SHA256SUMS                                        the Debian packages that belong to it, which lie beside that file

The folder's name is what `skua doctor` says of the machine. It appears whole or not at all; one that was there before is
replaced. Every file in it comes from a program that really ran; a private key is nowhere in it. Packages are of the same commit
as the rest, and the program of the ground package has verified the set. Standard library only, Python 3.10: it runs on a Jetson.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import check_packages

ROOT = pathlib.Path(__file__).resolve().parents[1]
PRIVATE = b"PRIVATE KEY"
SCRATCH = "skua-key-"


class ArtifactError(Exception):
    """Nothing was left, and why."""


class Skua:
    def __init__(self, program: pathlib.Path) -> None:
        self.program = program

    def __call__(self, *arguments: object, cwd: pathlib.Path | None = None) -> str:
        done = subprocess.run([str(self.program), *map(str, arguments)], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, cwd=cwd)
        if done.returncode != 0:
            raise ArtifactError(f"{self.program} {' '.join(map(str, arguments))}: exit status {done.returncode}\n"
                                f"{done.stdout}{done.stderr}")
        return done.stdout


def tuple_of(doctor: dict) -> str:
    """As engine files have it in their names (docs/formats/engine-file-name.md)."""
    host = doctor["host"]
    return f"sm{host['sm']}_jp{host['jetpack']}_trt{host['tensorrt']}"


def provision(skua: Skua, set_yaml: pathlib.Path, folder: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:  # the private key lives here and nowhere else
        skua("keygen", pathlib.Path(scratch) / "flight")
        skua("provision", set_yaml, "--out", folder / "sets", "--cache", pathlib.Path(scratch) / "cache", "--sign",
             pathlib.Path(scratch) / "flight.key")
        shutil.copyfile(pathlib.Path(scratch) / "flight.pub", folder / "flight.pub")


def copy(sets: pathlib.Path, key: pathlib.Path, folder: pathlib.Path) -> None:
    """The set that CURRENT names, and CURRENT."""
    name = (sets / "CURRENT").read_text("ascii").strip()
    shutil.copytree(sets / name, folder / "sets" / name)
    shutil.copyfile(sets / "CURRENT", folder / "sets" / "CURRENT")
    shutil.copyfile(key, folder / "flight.pub")


def tell(skua: Skua, doctor: str, folder: pathlib.Path) -> None:
    """What the programs say of the machine, of the set, and of both together. Paths count from the folder: its own name is
    still a temporary one."""
    (folder / "commit").write_text(f"{source_version()[1]}\n", "ascii")
    (folder / "doctor.json").write_text(doctor, "utf-8")
    (folder / "inspect.json").write_text(skua("inspect", "sets", "--json", cwd=folder), "utf-8")
    (folder / "inspect.txt").write_text(skua("inspect", "sets", cwd=folder), "utf-8")
    skua("verify", "sets", "--trust", "flight.pub", cwd=folder)  # go, or nothing is left


def source_version() -> tuple[str, str]:
    """What a package's version ends in, and the commit."""
    done = subprocess.run([str(ROOT / "scripts" / "source_version.sh")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ArtifactError(done.stderr.strip())
    version, commit = done.stdout.split()
    return version, commit


def ground_package(sums: pathlib.Path) -> pathlib.Path:
    """The ground package that these sums are of; it and the airborne one are of this tree's commit."""
    if found := check_packages.findings_of_sums(sums.parent):
        raise ArtifactError("; ".join(found))
    ending, _ = source_version()
    for package in sorted(sums.parent.glob("*.deb")):
        version = check_packages.tool("dpkg-deb", "--field", package, "Version").strip()
        if not version.endswith(ending):
            raise ArtifactError(f"{package.name}: expected a package of this tree ({ending}), found version {version}; make packages")
    packages = sorted(sums.parent.glob("skua-ground_*.deb"))
    if len(packages) != 1:
        raise ArtifactError(f"{sums.parent}: expected one skua-ground_*.deb, found {len(packages)}")
    return packages[0]


def add_packages(sums: pathlib.Path, folder: pathlib.Path) -> None:
    """Their sums, once the packaged program has verified the set: another build than the one that made it."""
    package = ground_package(sums)
    with tempfile.TemporaryDirectory(prefix="skua-package-") as scratch:
        check_packages.tool("dpkg-deb", "--extract", package, scratch)
        Skua(pathlib.Path(scratch) / "opt/skua-ground/bin/skua")("verify", "sets", "--trust", "flight.pub", cwd=folder)
    shutil.copyfile(sums, folder / "packages.sha256")


def temporary_names(folder: pathlib.Path, host: str) -> re.Pattern[bytes]:
    """Folders of the machine that made it: this one, as it was called before it was whole, and that of the key."""
    names = (re.escape(f"{folder}/"), re.escape(f".{host}.") + r"\d+/", re.escape(SCRATCH))
    return re.compile("|".join(names).encode())


def findings(folder: pathlib.Path) -> list[str]:
    """What must not be in such a folder, and what must."""
    doctor = json.loads((folder / "doctor.json").read_text("utf-8"))
    current = folder / "sets" / (folder / "sets" / "CURRENT").read_text("ascii").strip()
    found = [f"{path}: holds a private key" for path in sorted(folder.rglob("*"))
             if path.is_file() and PRIVATE in path.read_bytes()]
    found += [f"{path}: names a temporary folder" for path in sorted(folder.rglob("*"))
              if path.is_file() and temporary_names(folder, tuple_of(doctor)).search(path.read_bytes())]
    engines = [path.name for path in sorted(current.glob("*__*")) if path.suffix not in (".json", ".sha256")]
    found += [f"{name}: expected an engine for {tuple_of(doctor)}" for name in engines
              if f"__{tuple_of(doctor)}_" not in name]
    if not engines:
        found.append(f"{current}: no engine")
    if not (folder / "commit").is_file():
        found.append(f"{folder}: expected a file that names the commit, found none")
    if not (current / "model.sig").is_file():
        found.append(f"{current}: expected a signed set, found no model.sig")
    return found


def leave(skua: Skua, arguments: argparse.Namespace) -> pathlib.Path:
    doctor = skua("doctor", "--json")
    target = arguments.out.resolve() / tuple_of(json.loads(doctor))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        unfinished.mkdir(mode=0o755)
        if arguments.set is not None:
            provision(skua, arguments.set, unfinished)
        else:
            copy(arguments.sets, arguments.trust, unfinished)
        tell(skua, doctor, unfinished)
        if arguments.packages is not None:
            add_packages(arguments.packages.resolve(), unfinished)
        if found := findings(unfinished):
            raise ArtifactError("; ".join(found))
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(prog="artifacts.py")
    parser.add_argument("--skua", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out" / "artifacts")
    parser.add_argument("--set", type=pathlib.Path)
    parser.add_argument("--sets", type=pathlib.Path)
    parser.add_argument("--trust", type=pathlib.Path)
    parser.add_argument("--packages", type=pathlib.Path)
    arguments = parser.parse_args()
    if (arguments.set is None) == (arguments.sets is None) or (arguments.sets is None) != (arguments.trust is None):
        parser.error("expected --set, or --sets with --trust")
    try:
        target = leave(Skua(arguments.skua.resolve()), arguments)
    except (ArtifactError, OSError, subprocess.SubprocessError) as error:
        print(f"artifacts: {error}", file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
