"""What a program's `--help` says, as rows: the layout is that of CLI11."""

import re
from dataclasses import dataclass, field

COLUMN = 30  # where CLI11 begins a description
KINDS = {"TEXT": "text", "INT": "whole number", "UINT": "whole number", "FLOAT": "number"}


@dataclass
class Option:
    name: str
    kind: str = ""
    allowed: str = ""
    default: str = ""
    text: str = ""
    is_required: bool = False
    is_repeated: bool = False
    needs: list[str] = field(default_factory=list)
    excludes: list[str] = field(default_factory=list)

    def value(self) -> str:
        """The cell that says what the option takes."""
        parts = [f"{self.kind} {self.allowed}".strip()] if self.kind else []
        parts += ["required"] * self.is_required + ["repeated"] * self.is_repeated
        parts += [f"default `{self.default}`"] if self.default else []
        parts += [f"with {', '.join(f'`{name}`' for name in self.needs)}"] if self.needs else []
        if len(self.excludes) > 1:
            parts.append("not with options that say so")
        elif self.excludes:
            parts.append(f"not with `{self.excludes[0]}`")
        return ", ".join(parts)


def without(words: list[str], title: str) -> tuple[list[str], list[str]]:
    """(words before `title`, names after it)."""
    if title not in words:
        return words, []
    at = words.index(title)
    end = next((i for i in range(at + 1, len(words)) if words[i].endswith(":")), len(words))
    return words[:at] + words[end:], words[at + 1:end]


def read_option(left: str, text: str) -> Option:
    words, needs = without(left.split(), "Needs:")
    words, excludes = without(words, "Excludes:")
    option = Option(words[0].split(",")[-1], text=text, needs=needs, excludes=excludes)
    rest = " ".join(words[1:])
    option.is_required = "REQUIRED" in rest
    option.is_repeated = "..." in rest
    rest = rest.replace("REQUIRED", "").replace("...", "").strip()
    found = re.fullmatch(r"(?P<kind>[A-Z]+)?(?:=(?P<default>\S+))?(?::(?P<allowed>.*))?", rest)
    if found is None:
        raise ValueError(f"--help of this build says {left!r}; expected NAME, KIND=DEFAULT:ALLOWED, REQUIRED, ...")
    option.allowed = allowed(found["allowed"] or "")
    option.kind = "one of" if option.allowed.startswith("`") else KINDS.get(found["kind"] or "", found["kind"] or "")
    option.default = found["default"] or ""
    return option


def allowed(text: str) -> str:
    """`INT in [1 - 64]` as `1 to 64`, `{a,b}` as `a, b`."""
    bounds = re.fullmatch(r"(?:INT|UINT|FLOAT) in \[(\S+) - (\S+)\]", text)
    if bounds:
        return f"{bounds[1]} to {bounds[2]}"
    return ", ".join(f"`{word}`" for word in text.strip("{}").split(",")) if text else ""


def sections(help_text: str) -> dict[str, list[tuple[str, str]]]:
    """{heading: [(left, description)]} of the indented parts. A description is one line: beside the left part where that
    is short enough, else below it."""
    found: dict[str, list[tuple[str, str]]] = {}
    heading = above = ""
    for line in help_text.splitlines():
        if re.fullmatch(r"[A-Z]\w+:", line):
            heading = line[:-1]
            found[heading] = []
        elif heading and line.startswith(" " * COLUMN):
            found[heading][-1] = (above.strip(), line.strip())
        elif heading and line.startswith("  "):
            found[heading].append((line[:COLUMN].strip(), line[COLUMN:].strip()))
        above = line
    return found


def options(help_text: str) -> list[Option]:
    found = sections(help_text)
    return [read_option(left, text) for heading in ("Positionals", "Options") for left, text in found.get(heading, [])]


def subcommands(help_text: str) -> dict[str, str]:
    return dict(sections(help_text).get("Subcommands", []))


def summary(help_text: str) -> str:
    return help_text.splitlines()[0]
