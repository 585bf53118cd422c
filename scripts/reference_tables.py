"""The generated blocks of docs/reference, by name: each gets its argument and what stands there, and returns the new text."""

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import reference_api
import reference_blocks
import reference_help

ROOT = Path(__file__).resolve().parents[1]
COMMON = {"--json", "--log", "--recorder"}


class Sources:
    """Where the tables come from: the programs of one build, and the sources of this tree."""

    def __init__(self, build: Path) -> None:
        self.build = build
        self.said: dict[str, str] = {}  # --help, by command

    def run(self, *command: str) -> str:
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "COLUMNS": "120", "PYTHONPATH": str(self.build / "python")}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    @functools.cached_property
    def tables(self) -> dict[str, list[dict]]:
        return json.loads(self.run(str(self.build / "tests/reference_tables")))

    def help(self, command: str) -> str:
        """Of `skua recorder dump`, `skua-flight`, `python -m skua.report`."""
        if command not in self.said:
            program, *arguments = command.split()
            path = sys.executable if program == "python" else str(self.build / "bin" / program)
            self.said[command] = self.run(path, *arguments, "--help")
        return self.said[command]

    @functools.cached_property
    def reason_titles(self) -> dict[str, str]:
        """{code: the heading of its part of the table}."""
        text = (ROOT / "include/skua/reason.h").read_text("ascii")
        title, found = "no reason", {}
        for comment, code in re.findall(r'^  (?:/\* (.+?) \*/|X\(k\w+, +"(\w+)")', text, re.MULTILINE):
            title = comment or title
            if code:
                found[code] = title
        return found


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def reasons(sources: Sources, title: str, body: str) -> str:
    rows = [[code(row["code"]), row["meaning"]] for row in sources.tables["reasons"]
            if sources.reason_titles[row["code"]] == title]
    return reference_blocks.table(["code", "meaning", "what to do"], rows, body, reference_blocks.UNWRITTEN)


def fields(sources: Sources, _: str, body: str) -> str:
    rows = [[code(row["field"]), code(row["variable"]), code(row["default"]), row["expected"]]
            for row in sources.tables["fields"]]
    return reference_blocks.table(["field", "variable", "default", "expected", "meaning"], rows, body)


def events(sources: Sources, _: str, body: str) -> str:
    rows = []
    for row in sources.tables["events"]:
        keys = ", ".join(f"`{key['key']}` {key['type']}" for key in row["keys"])
        rows.append([code(row["kind"]), row["level"], row["recorded"], keys or "-"])
    return reference_blocks.table(["kind", "level", "recorded", "keys", "when"], rows, body, reference_blocks.UNWRITTEN)


def options(sources: Sources, command: str, body: str) -> str:
    rows = [[code(option.name), option.value(), option.text] for option in reference_help.options(sources.help(command))
            if option.name not in COMMON | {"--help"}]
    return reference_blocks.table(["argument", "takes", "`--help` says", "more"], rows, body)


def common(sources: Sources, command: str, body: str) -> str:
    rows = [[code(option.name), option.value(), option.text] for option in reference_help.options(sources.help(command))
            if option.name in COMMON]
    return reference_blocks.table(["option", "takes", "`--help` says", "more"], rows, body)


def commands(sources: Sources, program: str, body: str) -> str:
    rows = []
    for command in leaves(sources, program):
        rows.append([f"[{command}](#{command.replace(' ', '-')})", reference_help.summary(sources.help(command))])
    return reference_blocks.table(["command", "`--help` says"], rows, "").replace(" | |", " |") if rows else ""


def usage(sources: Sources, command: str, _: str) -> str:
    return f"```text\n{sources.help(command).rstrip()}\n```"


def header(_: Sources, name: str, __: str) -> str:
    return reference_api.cpp(ROOT / "include" / name)


def python(sources: Sources, name: str, _: str) -> str:
    package = sources.build / "python/skua"
    return reference_api.python(package / name, reference_api.exported_names(package))


def leaves(sources: Sources, command: str) -> list[str]:
    """The command, or every one below it that has none below it."""
    below = reference_help.subcommands(sources.help(command))
    return [leaf for name in below for leaf in leaves(sources, f"{command} {name}")] if below else [command]


MAKERS = {"reasons": reasons, "fields": fields, "events": events, "options": options, "common options": common,
          "commands": commands, "usage": usage, "header": header, "python": python}


def expected_blocks(sources: Sources) -> dict[str, list[str]]:
    """{page: names of the blocks that it must hold, in any order}."""
    titles = list(dict.fromkeys(sources.reason_titles.values()))
    programs = [*leaves(sources, "skua"), "skua-flight"]
    return {"docs/reference/reasons.md": [f"reasons: {title}" for title in titles],
            "docs/reference/configuration.md": ["fields"],
            "docs/reference/events.md": ["events"],
            "docs/reference/cli.md": ["commands: skua", "common options: skua doctor", "usage: python -m skua.report",
                                      *(f"options: {program}" for program in programs)],
            "docs/reference/cpp.md": [f"header: skua/{path.name}" for path in sorted((ROOT / "include/skua").glob("*.h"))],
            "docs/reference/python.md": [f"python: {name}" for name in reference_api.PYTHON_FILES]}


def make(sources: Sources, name: str, body: str) -> str:
    kind, _, argument = name.partition(": ")
    return MAKERS[kind](sources, argument, body)


def default_build() -> Path:
    return ROOT / (os.environ.get("SKUA_BUILD_DIR") or "build/dev")
