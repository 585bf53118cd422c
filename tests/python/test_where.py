"""docs/where-to-change.md and the decisions: what they name after a file stands in that file."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs/where-to-change.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]
CITED = re.compile(r"\]\((?P<file>[^)#\s]+)(?:#[^)\s]*)?\)(?P<names>(?:,?\s+`[^`\n]+`)+)")


def missing(page: Path, text: str) -> list[str]:
    """Names that the file before them lacks as words."""
    found = []
    for match in CITED.finditer(text):
        file = page.parent / match["file"]
        content = file.read_text("utf-8") if file.is_file() else ""
        for name in re.findall(r"`([^`]+)`", match["names"]):
            if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", content):
                found.append(f"{match['file']}: {name}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_named_is_there(page: Path) -> None:
    assert missing(page, page.read_text("utf-8")) == []


def test_the_pages_name_enough_to_be_checked() -> None:
    page = PAGES[0].read_text("utf-8")
    assert len(CITED.findall(page)) > 50
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| to change")]
    assert len(rows) > 40
    for row in rows:  # a file or a place, a test, a page
        cells = row.strip("|").split("|")
        assert len(cells) == 4 and all(cell.strip() for cell in cells), row
        assert "](" in cells[3], row


def test_what_is_gone_is_noticed() -> None:
    text = ("[a](../src/cache/engine_gate.cpp) `kStages`, `kStag`; [b](../src/cache/gone.cpp) `x` and `y`, "
            "[c](design/cache.md#decisions)\n`Purpose`, `no such word`")
    assert missing(PAGES[0], text) == ["../src/cache/engine_gate.cpp: kStag", "../src/cache/gone.cpp: x",
                                       "design/cache.md: no such word"]


def test_every_page_of_decisions_has_its_parts() -> None:
    for page in PAGES[1:]:
        text = page.read_text("utf-8")
        parts = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
        assert parts == (["Context", "Decision", "Consequence", "In the code"] if page.name != "README.md" else [])


@pytest.mark.parametrize("folder", ["docs/decisions", "docs/formats"])
def test_the_index_of_a_folder_names_every_page(folder: str) -> None:
    index = (ROOT / folder / "README.md").read_text("utf-8")
    pages = [page.name for page in (ROOT / folder).glob("*.md") if page.name != "README.md"]
    assert pages and [name for name in pages if f"]({name})" not in index] == []
