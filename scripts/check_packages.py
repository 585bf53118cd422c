#!/usr/bin/env python3
"""Looks at both Debian packages before anybody installs them: check_packages.py FOLDER. Exit status 1 on a finding.

* FOLDER holds skua-airborne and skua-ground and nothing else, of one architecture and one version, which names the commit, and
  SHA256SUMS is true of both;
* no file is in both, none belongs to anybody but root, none can be written to by anybody else;
* skua-airborne holds nothing that could build an engine (check_airborne.py) and does not need skua-ground;
* the file SDK has a line for every runtime, with an absolute path where it is built, and the description says the same;
* nothing names a folder of the machine that built it, and no library is sought elsewhere than beside itself or in an
  SDK's folder that the file SDK names.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

import check_airborne

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAMES = {"skua-airborne": "opt/skua", "skua-ground": "opt/skua-ground"}
NEEDS = ("Depends", "Pre-Depends", "Recommends")  # what apt installs with it
RUNTIMES = ("tensorrt", "pytorch_fp16", "onnx_trt_ep")
SDK_LINE = re.compile(r"^([\w ]+): (.+)$")
EXPECTED = re.compile(r"(?P<sdk>.+) (?P<version>\d\S*) at (?P<library>/\S+), not shipped")
VERSION = re.compile(r"\d+\.\d+\.\d+(\+git\d{14}\.[0-9a-f]{12}(\.dirty)?|~unknown)")  # scripts/source_version.sh
ABSENT = ("not built", "not in this package, it never flies")


def tool(*command: object) -> str:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout


class Package:
    """One .deb, unpacked below `scratch`."""

    def __init__(self, file: pathlib.Path, scratch: pathlib.Path) -> None:
        self.file = file
        self.tree = scratch / file.stem
        tool("dpkg-deb", "--raw-extract", file, self.tree)
        self.fields = {name: tool("dpkg-deb", "--field", file, name).strip()
                       for name in ("Package", "Version", "Architecture", *NEEDS, "Description")}
        self.name = self.fields["Package"]
        self.listing = tool("dpkg-deb", "--contents", file).splitlines()

    def paths(self) -> list[pathlib.Path]:
        """Everything but folders, the package's own scripts and lists included."""
        return [path for path in sorted(self.tree.rglob("*")) if path.is_symlink() or not path.is_dir()]

    def installed(self) -> set[str]:
        names = {path.relative_to(self.tree).as_posix() for path in self.paths()}
        return {name for name in names if not name.startswith("DEBIAN/")}

    def sdk(self) -> dict[str, str]:
        return sdk_lines((self.tree / f"usr/share/doc/{self.name}/SDK").read_text("ascii"))


def sdk_lines(text: str) -> dict[str, str]:
    """What a file SDK says, a line for each runtime, below its first empty line."""
    return dict(match.groups() for line in text.partition("\n\n")[2].splitlines() if (match := SDK_LINE.match(line)))


def findings_of_pair(packages: dict[str, Package]) -> list[str]:
    if set(packages) != set(NAMES):
        return [f"expected the packages {', '.join(NAMES)}, found {', '.join(sorted(packages)) or 'none'}"]
    airborne, ground = (packages[name] for name in NAMES)
    found = [f"{field}: {airborne.fields[field]} and {ground.fields[field]}, expected the same"
             for field in ("Version", "Architecture") if airborne.fields[field] != ground.fields[field]]
    if not VERSION.fullmatch(airborne.fields["Version"]):
        found.append(f"Version: {airborne.fields['Version']}, expected one that names the commit")
    found += [f"{name}: in both packages" for name in sorted(airborne.installed() & ground.installed())]
    found += [f"skua-airborne: depends on skua-ground ({field})" for field in NEEDS if "skua-ground" in airborne.fields[field]]
    return found


def findings_of_listing(package: Package) -> list[str]:
    """Lines of `dpkg-deb --contents`: mode, owner, size, date, time, name."""
    found = []
    for line in package.listing:
        mode, owner, *_, = line.split()
        if owner != "root/root" or ("w" in (mode[5], mode[8]) and mode[0] != "l") or "s" in mode:
            found.append(f"{package.name}: {line}: expected root's, and writable by nobody else")
    return found


def findings_of_sdk(package: Package) -> list[str]:
    said, described = package.sdk(), sdk_lines(package.fields["Description"].replace("\n .\n", "\n\n").replace("\n ", "\n"))
    found = [f"{package.name}: SDK: no line for runtime {label}" for label in RUNTIMES if label not in said]
    for label, text in said.items():
        if label in RUNTIMES and text not in ABSENT and not EXPECTED.fullmatch(text):
            found.append(f"{package.name}: SDK: {label}: '{text}', expected 'NAME VERSION at /PATH, not shipped' or "
                         f"'{ABSENT[0]}'")
        if described.get(label) != text:
            found.append(f"{package.name}: SDK says {label}: '{text}', the description '{described.get(label)}'")
    return found


def build_folders(root: pathlib.Path = ROOT) -> list[bytes]:
    """Folders of this machine that nothing in a package may name. Not what the clone lies in: /opt and /usr/src are named."""
    folders = {root, pathlib.Path.home(), *((root / name).resolve() for name in (".venv", ".deps"))}
    return sorted(f"{folder}/".encode() for folder in folders if folder != pathlib.Path("/"))


def findings_of_paths(package: Package, folders: list[bytes]) -> list[str]:
    found = []
    for path in package.paths():
        name = path.relative_to(package.tree).as_posix()
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        found += [f"{package.name}: {name}: names {folder.decode()} of the machine that built it"
                  for folder in folders if folder in content]
        if content[:4] == b"\x7fELF":
            found += [f"{package.name}: {name}: seeks libraries in '{part}'"
                      for part in check_airborne.Elf(path).run_path if not re.fullmatch(r"\$ORIGIN(/\.\./lib)?/?", part)
                      and part not in sdk_folders(package)]
    return found


def sdk_folders(package: Package) -> list[str]:
    """Where TensorRT and CUDA are, which are linked and found by the modules' run path."""
    return package.sdk().get("tensorrt libraries", "").removeprefix("sought in ").split()


def findings_of_airborne(package: Package) -> list[str]:
    return [f"{package.name}: {text}" for text in check_airborne.check(package.tree / NAMES[package.name],
                                                                                  sdk_folders(package))]


def findings_of_sums(folder: pathlib.Path) -> list[str]:
    lines = (line.split(maxsplit=1) for line in (folder / "SHA256SUMS").read_text("ascii").splitlines())
    said = {name.strip(): digest for digest, name in lines}
    true = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.deb")}
    return [] if said == true else [f"SHA256SUMS: says {said}, found {true}"]


def check(folder: pathlib.Path, folders: list[bytes]) -> list[str]:
    """The findings in the packages of this folder; `folders` are those that nothing may name."""
    with tempfile.TemporaryDirectory(prefix="skua-packages-") as scratch:
        opened = [Package(file, pathlib.Path(scratch)) for file in sorted(folder.glob("*.deb"))]
        packages = {package.name: package for package in opened}
        found = findings_of_sums(folder) + findings_of_pair(packages)
        found += [f"{package.file.name}: a second package {package.name}" for package in opened
                  if package is not packages[package.name]]
        for name in sorted(packages.keys() & NAMES.keys()):
            package = packages[name]
            found += findings_of_listing(package) + findings_of_sdk(package) + findings_of_paths(package, folders)
        return found + (findings_of_airborne(packages["skua-airborne"]) if "skua-airborne" in packages else [])


def main() -> None:
    if len(sys.argv) != 2 or not pathlib.Path(sys.argv[1]).is_dir():
        sys.exit("usage: check_packages.py FOLDER (with both packages and SHA256SUMS)")
    found = check(pathlib.Path(sys.argv[1]), build_folders())
    for text in found:
        print(f"check_packages: {text}", file=sys.stderr)
    print(f"{len(found)} findings" if found else "both packages are whole and name nothing of this machine")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
