"""Generated parts of pages: what stands between `<!-- generated: NAME -->` and `<!-- end -->`.

A table may have a last column that people write. It is kept, by the first cell of its row, when the table is generated anew.
"""

import re
from collections.abc import Callable, Iterable

BLOCK = re.compile(r"^(<!-- generated: (?P<name>[^\n]+?) -->\n)(?P<body>.*?)(?=^<!-- end -->$)", re.MULTILINE | re.DOTALL)
UNWRITTEN = "(not written yet)"


def names(page: str) -> list[str]:
    return [match["name"] for match in BLOCK.finditer(page)]


def regenerated(page: str, make: Callable[[str, str], str]) -> str:
    """The page with every block replaced by `make(name, what stands there)`."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{make(match['name'], match['body']).strip()}\n\n", page)


def rows(body: str) -> list[list[str]]:
    """Cells of a table's rows, without its head."""
    found = [line.strip().strip("|").split("|") for line in body.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in found[1:]]


def table(head: Iterable[str], generated: Iterable[list[str]], body: str, unwritten: str = "") -> str:
    """`generated` under `head`, each row with the last cell that the row of the same first cell has in `body`."""
    head = list(head)
    kept = {row[0]: row[-1] for row in rows(body) if len(row) == len(head)}
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in generated:
        cells = [*row, kept.get(row[0], "") or unwritten]
        lines.append("".join(f"| {cell} " if cell else "| " for cell in cells) + "|")
    return "\n".join(lines)
