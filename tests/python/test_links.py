"""Every link of every Markdown file of the repository leads somewhere; an external one is at least an address."""

from pathlib import Path

import pytest

import check_text
import markdown_pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = [name for name in check_text.tree_files() if name.endswith(".md")]


def test_the_pages_are_found() -> None:
    assert {"README.md", "docs/README.md", "docs/howto/operate.md", "tests/sil/nvinfer/README.md"} <= set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_links(name: str) -> None:
    assert markdown_pages.dead_links(ROOT / name) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("## `skua run`: once, or *often*\n### A [link](page.md) in it\n")
    (tmp_path / "data.json").write_text("{}")
    page = tmp_path / "page.md"
    page.write_text("# A title\n"
                    "[a](page.md) [b](gone.md) [c](#a-title) [d](#no-title) [e](other.md#skua-run-once-or-often)\n"
                    "[f](other.md#gone)\n[g](other.md#a-link-in-it) [h](data.json#part) [`code`](gone.json)\n"
                    "![picture](gone.png) [i](/page.md)\n"
                    "[j](https://example.org/a?b=c#d) [k](https:/example.org) [l](https://) [m](mailto:a@example.org)\n"
                    "[n](ftp://a.b)\n"
                    "`[o](in-code.md)` ``[p](in ` code.md)``\n\n```\n[q](inside-a-fence)\n# A comment\n```\n[r](#a-comment)\n"
                    "~~~~text\n```\n[s](inside-too)\n~~~~\n[t](gone-too.md)\n")
    assert markdown_pages.dead_links(page) == [
        "gone.md", "#no-title", "other.md#gone", "data.json#part", "gone.json", "gone.png", "/page.md", "https:/example.org",
        "https://", "ftp://a.b", "#a-comment", "gone-too.md"]
