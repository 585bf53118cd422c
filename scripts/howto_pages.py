"""Fenced blocks of a page with what stands above each: the marker and the sentence that heads it."""

from __future__ import annotations

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARKER = re.compile(r"<!-- ([a-z ]+?)(?:: (.+))? -->")
# "`src/file`:", "`file`, after `text`:" and "`file`, before `text`:" head a block that goes into that file.
HEAD = re.compile(r"`([\w./-]+)`(?:, (after|before) `(.+)`)?:")


@dataclasses.dataclass(frozen=True)
class Block:
    page: str
    line: int  # of the fence
    language: str
    text: str  # without the fences
    marker: tuple[str, str] | None  # <!-- kind: value -->
    head: str  # the last line above that is neither empty nor a marker
    section: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: pathlib.Path, root: pathlib.Path = ROOT) -> list[Block]:
    """In their order. A page that leaves a fence open is an error."""
    found: list[Block] = []
    marker: tuple[str, str] | None = None
    head = section = ""
    lines = enumerate(path.read_text("utf-8").splitlines(keepends=True), 1)
    for number, line in lines:
        if line.startswith("```"):
            text = ""
            for _, inside in lines:
                if inside.startswith("```"):
                    break
                text += inside
            else:
                raise ValueError(f"{path}:{number}: a fence is never closed")
            found.append(Block(str(path.relative_to(root)), number, line[3:].strip(), text, marker, head, section))
            marker, head = None, ""
        elif match := MARKER.fullmatch(line.strip()):
            marker = (match.group(1), match.group(2) or "")
        elif line.strip():
            marker, head = None, line.strip()
            section = head if line.startswith("#") else section
    return found


def claimed(page: pathlib.Path, file: str, root: pathlib.Path = ROOT) -> list[Block]:
    """The blocks below `<!-- runs: file -->`: what that file runs is taken from the page, so that it cannot be something else."""
    found = [block for block in blocks_of(page, root) if block.marker == ("runs", file)]
    if not found:
        raise ValueError(f"{page}: expected a block below '<!-- runs: {file} -->', found none")
    return found


def claimed_alone(page: pathlib.Path, file: str, root: pathlib.Path = ROOT) -> Block:
    """The one block below `<!-- runs: file -->`, where more would leave open which of them is meant."""
    found = claimed(page, file, root)
    if len(found) != 1:
        lines = ", ".join(str(block.line) for block in found)
        raise ValueError(f"{page}: expected one block below '<!-- runs: {file} -->', found {len(found)}, at lines {lines}; keep one")
    return found[0]


def put(block: Block, tree: pathlib.Path) -> str:
    """Does to a file of `tree` what the head of the block says; its path. "" when it heads no file."""
    match = HEAD.fullmatch(block.head)
    if not match:
        return ""
    name, place, anchor = match.groups()
    path = tree / name
    if place is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "ascii")
        return name
    lines = path.read_text("ascii").splitlines(keepends=True)
    at = [index for index, line in enumerate(lines) if anchor in line]
    if not at:
        raise ValueError(f"{block.where}: {name} has no line with {anchor!r}")
    index = at[0] + (place == "after")
    lines[index:index] = [block.text]
    path.write_text("".join(lines), "ascii")
    return name
