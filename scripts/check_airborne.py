#!/usr/bin/env python3
"""Proves over an installed airborne package that nothing in it can build an engine.

    cmake --install build/release --component airborne --prefix DIR
    scripts/check_airborne.py DIR [SDK_FOLDER...]

DIR may as well be the folder `skua` that the airborne wheel is unpacked to: the same files, and the Python package.

Prints one line per file with what was looked at. Exits with 1 and `file: what` per finding when

* a file is there that no airborne package has (the list below), a link leads out of it, or the program or its library
  is missing, for then nothing was proven;
* a program or library, whatever its name, needs a parser's, builder's or compile half's library, has a symbol of one
  (dynamic or static, defined or not), or holds such a name as text in what is loaded of it;
* it exports another entry than its name says: a compiler module that is called a runtime is found;
* it seeks libraries elsewhere than beside itself ($ORIGIN); the module of runtime tensorrt alone, which is linked to its
  SDK, may seek them in SDK_FOLDER too.

What it does not prove: libskua.so holds `compile_model`, which would start the program `skua-build`; that is not in the
package, and `compile_engine` of an airborne runtime refuses before it gets there (unit_inference
LoadTest.AirborneNeverCompiles). libtorch is not part of the package; it is looked at nowhere here.
Needs `readelf` and `nm` (binutils).
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from collections.abc import Sequence

PROGRAM = "bin/skua-flight"
LIBRARY = re.compile(r"lib/libskua\.so\.\d+(\.\d+\.\d+)?")
LINKED = "lib/libskua_runtime_tensorrt.so"  # to its SDK
RUNTIME = re.compile(r"lib/libskua_runtime_(tensorrt|pytorch_fp16)\.so")
BYTE_CODE = re.compile(r"__pycache__/([a-z_]+)\.cpython-\d+(?:\.opt-\d)?\.pyc")
EXTENSION = re.compile(r"_skua\.[\w-]+\.so")  # of the Python package
ALLOWED = (re.compile(re.escape(PROGRAM)), LIBRARY, RUNTIME, re.compile(r"lib/libskua_torch_run\.so"),
           re.compile(r"lib/systemd/system/skua-flight\.service"), re.compile(r"share/skua/airborne\.yaml"),
           re.compile(r"[a-z_]+\.py|py\.typed|_skua\.pyi|LICENSE"), EXTENSION)

# Names of libraries that parse or build (DT_NEEDED).
FOREIGN_LIBRARY = re.compile(r"nvonnxparser|nvparsers|nvinfer_builder|onnxruntime|libskua_(compiler|bench)_|"
                             r"libskua_torch_(compile|bench)|libonnx|libprotobuf")
# Symbols of parsers, builders and compile halves, demangled or as text. `nvinfer1::IBuilder` mangled is 8IBuilder.
FORBIDDEN = re.compile(r"nvonnxparser|createNvOnnxParser|nvinfer_builder|createInferBuilder|nvinfer1::IBuilder|"
                       r"nvinfer18IBuilder|skua_compiler_module|libskua_compiler|skua_torch_compile|"
                       r"open_compiler_module|skua::compile::|4skua7compile|OrtGetApiBase|"
                       r"skua::\w+::(compile_torchscript|compile_onnx|compile_tensorrt|open_compile_bridge)\b")
# What a bench module exports. libskua names it, to open one on the ground; nothing that flies has one.
BENCH_ENTRY = re.compile(r"\bskua_(bench_module|torch_bench_bridge)\b")
ENTRY = re.compile(r"\bskua_\w+_(module|bridge)$")


class Elf:
    """What one program or library says of itself."""

    def __init__(self, path: pathlib.Path) -> None:
        self.bytes = path.read_bytes()
        dynamic = tool("readelf", "-dW", path)
        self.needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.run_path = [part for found in re.findall(r"\(R(?:UN)?PATH\).*\[(.*)\]", dynamic)
                         for part in found.split(":")]
        self.exported = self.symbols("-D", "--defined-only", path)
        self.dynamic = self.symbols("-D", path)
        self.static = self.symbols(path)  # none where it was stripped
        self.loaded = b"\0".join(self.loaded_sections(path))

    @staticmethod
    def symbols(*arguments: object) -> list[str]:
        lines = tool("nm", "--demangle", *arguments).splitlines()
        return [match.group(1) for line in lines if (match := re.match(r"[0-9a-f ]{8,16} [A-Za-z] (.*)", line))]

    def loaded_sections(self, path: pathlib.Path):
        """The sections that are mapped at run time and come from the file: not the debugger's, which name what was
        never linked in."""
        row = re.compile(r"\] \S* +(\S+) +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) [0-9a-f]+ +(\w*A\w*) ")
        for kind, offset, size, _flags in row.findall(tool("readelf", "-SW", path)):
            if kind != "NOBITS":
                yield self.bytes[int(offset, 16):int(offset, 16) + int(size, 16)]

    def texts(self) -> list[str]:
        return [text.decode("ascii") for text in re.findall(rb"[\x20-\x7e]{6,}", self.loaded)]


def tool(*command: object) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"check_airborne: {' '.join(map(str, command))}: {result.stderr.strip()}")
    return result.stdout


def expected_entries(name: str) -> set[str]:
    """The entry functions that a file of this name exports."""
    if name.endswith("/libskua_torch_run.so"):
        return {"skua_torch_run_bridge"}
    return {"skua_runtime_module"} if name.startswith("lib/libskua_runtime_") else set()


def findings_of_elf(name: str, elf: Elf, sdk_folders: Sequence[str] = ()) -> list[str]:
    found = [f"needs {library}" for library in elf.needed if FOREIGN_LIBRARY.search(library)]
    below = "/lib" if EXTENSION.fullmatch(name) else r"(/\.\./lib)?"
    found += [f"seeks libraries in '{part}', expected this package's lib alone" for part in elf.run_path
              if not re.fullmatch(rf"\$ORIGIN{below}/?", part) and not (name == LINKED and part in sdk_folders)]
    for kind, names in (("symbol", elf.dynamic + elf.static), ("text", elf.texts())):
        hits = sorted({text for text in names if FORBIDDEN.search(text)})
        found += [f"{kind} {text[:120]}" for text in hits[:3]]
        found += [f"and {len(hits) - 3} more {kind}s" for _ in range(len(hits) > 3)]
    entries = {symbol for symbol in elf.exported if ENTRY.search(symbol) or BENCH_ENTRY.search(symbol)}
    if entries != expected_entries(name):
        found.append(f"exports {sorted(entries) or 'no entry'}, expected {sorted(expected_entries(name)) or 'none'}")
    return found


def is_allowed(root: pathlib.Path, name: str) -> bool:
    compiled = BYTE_CODE.fullmatch(name)  # pip makes it of the package's own sources
    if compiled:
        return (root / f"{compiled.group(1)}.py").is_file()
    return any(allowed.fullmatch(name) for allowed in ALLOWED)


def findings_of_place(root: pathlib.Path, path: pathlib.Path, name: str) -> list[str]:
    found = []
    if not is_allowed(root, name):
        found.append("no file of an airborne package")
    if path.is_symlink() and root not in path.resolve().parents:
        found.append(f"a link out of the package, to {path.resolve()}")
    return found


def check(root: pathlib.Path, sdk_folders: Sequence[str] = ()) -> list[str]:
    problems = []
    paths = sorted(path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
    names = [path.relative_to(root).as_posix() for path in paths]
    for path, name in zip(paths, names):
        found = findings_of_place(root, path, name)
        said = "link" if path.is_symlink() else "file"
        if path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
            elf = Elf(path)
            found += findings_of_elf(name, elf, sdk_folders)
            said = (f"needs {len(elf.needed)} libraries, {len(elf.dynamic)} dynamic and {len(elf.static)} static "
                    f"symbols, {len(elf.loaded)} bytes of loaded sections")
        print(f"{'bad ' if found else 'good'}  {name}: {said}")
        problems += [f"{name}: {text}" for text in found]
    if PROGRAM not in names or not any(LIBRARY.fullmatch(name) for name in names):
        problems.append(f"{root}: no {PROGRAM} or no lib/libskua.so.N: this is no airborne package, nothing is proven")
    return problems


def main() -> None:
    if len(sys.argv) < 2 or not pathlib.Path(sys.argv[1]).is_dir():
        sys.exit("usage: check_airborne.py DIR (an installed airborne package) [SDK_FOLDER...]")
    problems = check(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
    for problem in problems:
        print(f"check_airborne: {problem}", file=sys.stderr)
    print(f"{len(problems)} findings" if problems else "nothing in this package can build an engine")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
