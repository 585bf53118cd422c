"""Markdown as both of its readers see it, a repository browser and the site: links, anchors, what a link leads to."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

FENCED = re.compile(r"^( *)(`{3,}|~{3,})[^\n]*\n.*?^\1\2[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"(?P<before>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<target>[^()\s]+)\)")
# As RFC 3986 has them, with a host: no blank, no quote, no bracket.
EXTERNAL = re.compile(r"(?:https?://[A-Za-z0-9.-]+(?::\d+)?(?:[/?#][^\s<>\"{}|\\^`]*)?|mailto:[^\s@]+@[^\s@]+)")


def blanked(text: str) -> str:
    """The text with every fence and every span of code replaced by as many blanks: offsets stay."""
    def hide(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])
    return CODE.sub(hide, FENCED.sub(hide, text))


def link_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each link's target stands, and the target. A link's own text may be code; its target is outside of it."""
    hidden = blanked(text)
    for match in LINK.finditer(hidden):
        yield match.start("target"), match.end("target"), match["target"]


def links(text: str) -> list[str]:
    return [target for _, _, target in link_spans(text)]


def slug(heading: str, separator: str = "-") -> str:
    """The anchor of a heading: lower case, blanks as dashes, most punctuation dropped."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", separator)


def anchors(text: str) -> set[str]:
    """Of a heading that stands more than once, the first alone: the readers number the others differently."""
    headings = re.findall(r"^#{1,6} +(.*?)#*$", FENCED.sub("", text), re.MULTILINE)
    return {slug(heading) for heading in headings}


@functools.cache
def anchors_of(page: Path) -> set[str]:
    return anchors(page.read_text("utf-8"))


def is_external(target: str) -> bool:
    return "://" in target or target.startswith("mailto:")


def dead_links(page: Path) -> list[str]:
    """Targets that lead nowhere: no such file or heading, or an external one that is no address."""
    dead = []
    for target in links(page.read_text("utf-8")):
        if is_external(target):
            if not EXTERNAL.fullmatch(target):
                dead.append(target)
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if name.startswith("/") or not file.exists():
            dead.append(target)
        elif anchor and (file.suffix != ".md" or anchor not in anchors_of(file.resolve())):
            dead.append(target)
    return dead
