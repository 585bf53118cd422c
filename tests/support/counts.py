"""Counts of repetitions, from the one table tests/counts.txt, for the depth that SKUA_DEPTH names."""

import collections
import os
import pathlib
import re

TABLE = pathlib.Path(__file__).resolve().parents[1] / "counts.txt"
DEPTHS = ("test", "ci", "prove")


def rows(path=TABLE):
    """Every row of the table: {name: {"test": n, "ci": n, "prove": n, "command": text or None}}."""
    table = {}
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="ascii").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fields = line.split(None, 4)
        if len(fields) != 5 or fields[0] in table:
            raise ValueError(f"{path}:{number}: want a new name, three figures and a command or '-'")
        name, *figures, command = fields
        table[name] = {depth: int(figure) for depth, figure in zip(DEPTHS, figures)}
        table[name]["command"] = None if command.strip() == "-" else command.strip()
    return table


def count(name, path=TABLE):
    """The figure of row `name` for the depth of this run; SKUA_DEPTH unset means test."""
    depth = os.environ.get("SKUA_DEPTH") or "test"
    if depth not in DEPTHS:
        raise ValueError(f"SKUA_DEPTH is '{depth}': use test, ci or prove")
    table = rows(path)
    if name not in table:
        raise KeyError(f"tests/counts.txt has no row '{name}'")
    return table[name][depth]


def reached(row, n):
    """Prints "reached <row> <n>", and appends that line to the file that SKUA_REACHED names, where it names one."""
    line = f"reached {row} {n}\n"
    print(line, end="", flush=True)
    path = os.environ.get("SKUA_REACHED")
    if path:
        with open(path, "a", encoding="ascii") as file:
            file.write(line)


def reached_in(text):
    """{row: sum} of the lines "reached <row> <n>" in what programs printed or appended."""
    sums = collections.Counter()
    for row, number in re.findall(r"^reached (\w+) (\d+)$", text, flags=re.MULTILINE):
        sums[row] += int(number)
    return dict(sums)
