"""HTML from texts that anybody may have written: whatever is not markup of ours is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COMMAND = re.compile("`([^`]*)`")


@dataclass(frozen=True)
class Raw:
    """Markup that was made here."""

    text: str


Cell = str | Raw


def escaped(text: Cell) -> str:
    return text.text if isinstance(text, Raw) else html.escape(text, quote=True)


def plain(text: str) -> str:
    """For plotly, which takes texts for a small HTML: a link in a name must stay text."""
    return html.escape(text, quote=False)


def paragraph(text: str, kind: str = "") -> str:
    """What stands between backquotes is shown as a command."""
    shown = COMMAND.sub(r"<code>\1</code>", escaped(text))
    return f'<p class="{kind}">{shown}</p>' if kind else f"<p>{shown}</p>"


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], numbers: Iterable[int] = (),
          fixed: Iterable[int] = ()) -> str:
    """`numbers`: columns that are aligned to the right; `fixed`: columns whose texts are not broken into lines."""
    kinds = {column: "number" for column in numbers} | {column: "fixed" for column in fixed}
    align = [f' class="{kinds[column]}"' if column in kinds else "" for column in range(len(heads))]
    head = "".join(f"<th{align[i]}>{escaped(text)}</th>" for i, text in enumerate(heads))
    body = "".join("<tr>" + "".join(f"<td{align[i]}>{escaped(cell)}</td>" for i, cell in enumerate(row)) + "</tr>\n"
                   for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'


def section(identity: str, title: str, *parts: str) -> str:
    body = "\n".join(part for part in parts if part)
    return f'<section id="{identity}"><h2>{escaped(title)}</h2>\n{body}</section>\n'


def badge(level: str, word: str) -> Raw:
    """A word with a sign: colour alone says nothing to some readers."""
    sign = {"good": "&#10003;", "bad": "&#10007;", "warn": "&#9888;"}.get(level, "&#8226;")
    return Raw(f'<span class="badge {level}">{sign} {html.escape(word)}</span>')


def card(level: str, title: str, value: str, detail: str) -> str:
    sign = {"good": "&#10003; ", "bad": "&#10007; ", "warn": "&#9888; "}.get(level, "")
    return (f'<div class="card {level}"><div class="title">{sign}{escaped(title)}</div>'
            f'<div class="value">{escaped(value)}</div><div class="detail">{escaped(detail)}</div></div>')
