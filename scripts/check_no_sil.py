#!/usr/bin/env python3
"""Proves over an installed tree that nothing of the software-in-the-loop SDK (tests/sil) is in it.

    cmake --install build/release --prefix DIR
    scripts/check_no_sil.py DIR

Prints one line per program or library with what was looked at. Exits with 1 and `file: what` per finding when a file is
named like one of its libraries or like a header of TensorRT; when a program or library needs one of them, has a symbol of
namespace `sil` (dynamic or static, defined or not), defines itself a function that CUDA or TensorRT alone may have, or holds
one of its names as text in what is loaded of it; when a member of a static library does; and when there is no program or
library at all, for then nothing was proven. Needs `readelf` and `nm` (binutils).
"""

from __future__ import annotations

import pathlib
import re
import sys

from check_airborne import Elf

LIBRARY = re.compile(r"skua_sil_")
SYMBOL = re.compile(r"(^|[^\w:])sil::|\b_ZN?K?3sil")
HEADER = re.compile(r"Nv(Infer|OnnxParser)\w*\.h")
# Entry points of CUDA and TensorRT: whoever has them himself is no program that calls NVIDIA's.
ENTRY = re.compile(r"(cudaMalloc|createInfer(Builder|Runtime)_INTERNAL|createNvOnnxParser_INTERNAL)$")
TEXT = re.compile(r"skua_sil_|SKUA_SIL|\b_ZN?K?3sil|software in the loop")


def findings_of(kinds: tuple[tuple[str, list[str], re.Pattern], ...]) -> list[str]:
    found = []
    for kind, names, pattern in kinds:
        hits = sorted({text for text in names if pattern.search(text)})
        found += [f"{kind} {text[:120]}" for text in hits[:3]]
        found += [f"and {len(hits) - 3} more {kind}s" for _ in range(len(hits) > 3)]
    return found


def findings_of_elf(elf: Elf, path: pathlib.Path) -> list[str]:
    defined = elf.exported + Elf.symbols("--defined-only", path)
    return [f"needs {library}" for library in elf.needed if LIBRARY.search(library)] + findings_of(
        (("symbol", elf.dynamic + elf.static, SYMBOL), ("defines", defined, ENTRY), ("text", elf.texts(), TEXT)))


def findings_of_archive(path: pathlib.Path) -> list[str]:
    """Of its members. What lies in their sections is not told apart from what is never loaded."""
    texts = [text.decode("ascii") for text in re.findall(rb"[\x20-\x7e]{6,}", path.read_bytes())]
    return findings_of((("member symbol", Elf.symbols(path), SYMBOL), ("member text", texts, TEXT),
                        ("member defines", Elf.symbols("--defined-only", path), ENTRY)))


def check(root: pathlib.Path) -> list[str]:
    problems = []
    count = 0
    for path in sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file()):
        name = path.relative_to(root).as_posix()
        found = ["a library of it, by its name"] if LIBRARY.search(path.name) else []
        found += ["a header of TensorRT, by its name"] if HEADER.fullmatch(path.name) else []
        magic = path.read_bytes()[:8] if path.is_file() else b""
        if magic == b"!<arch>\n":
            found += findings_of_archive(path)
        if magic[:4] == b"\x7fELF":
            count += 1
            elf = Elf(path)
            found += findings_of_elf(elf, path)
            print(f"{'bad ' if found else 'good'}  {name}: {len(elf.dynamic)} dynamic and {len(elf.static)} static symbols")
        problems += [f"{name}: {text}" for text in found]
    if count == 0:
        problems.append(f"{root}: no program or library, nothing is proven")
    return problems


def main() -> None:
    if len(sys.argv) != 2 or not pathlib.Path(sys.argv[1]).is_dir():
        sys.exit("usage: check_no_sil.py DIR (an installed tree)")
    problems = check(pathlib.Path(sys.argv[1]).resolve())
    for problem in problems:
        print(f"check_no_sil: {problem}", file=sys.stderr)
    print(f"{len(problems)} findings" if problems else "nothing of the software-in-the-loop SDK is in this tree")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
