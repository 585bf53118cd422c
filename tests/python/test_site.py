"""The documentation as a site (mkdocs.yml): it builds without a warning, needs no network, and shows what the pages say."""

import collections
import html.parser
import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import markdown_it
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOWN = ("h1", "h2", "h3", "h4", "h5", "h6", "li", "table", "tr", "pre", "img")
FOREIGN_IN_SHEET = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//""")
PARTS = ["mkdocs.yml", "docs/site.css", "scripts/site_hooks.py", "scripts/markdown_pages.py"]
PAGES = {"README.md": "# Outside\n[in](docs/README.md)\n",
         "docs/README.md": "# Start\n[out](../README.md) [next](concepts.md#a-word)\n",
         "docs/concepts.md": "# Concepts\n## A word\n[code](../scripts/markdown_pages.py)\n",
         "docs/where-to-change.md": "# Where\n",
         "docs/formats/README.md": "# Formats\n", "docs/decisions/README.md": "# Decisions\n[all](../formats)\n",
         "docs/howto/one.md": "# One\nText:\n- an item\n- another\n\n1. first\n   more of it\n2. second\n"}


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", root / "mkdocs.yml", "-d", site]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


class Page(html.parser.HTMLParser):
    """A built page: what it shows, what it loads, where its links lead and can be led to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.shown: collections.Counter[str] = collections.Counter()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.is_article = False
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids.add(values.get("id", ""))
        if tag == "article":
            self.is_article = True
        if self.is_article and tag in SHOWN:
            self.shown[tag] += 1
        if tag in ("script", "img", "iframe", "source") and "src" in values:
            self.loaded.append(values["src"])
        if tag == "link":
            self.loaded.append(values.get("href", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self.is_article = False


def foreign(page: Page) -> list[str]:
    return [name for name in page.loaded if "//" in name and not name.startswith("data:")]


def built_name(path: str) -> str:
    """Where the site has a page of the repository."""
    inside = path.removeprefix("docs/") if path.startswith("docs/") else f"repository/{path}"
    folder, name = posixpath.split(inside)
    return posixpath.join(folder, "index.html" if name == "README.md" else name.removesuffix(".md") + ".html")


def shown_by_a_repository_browser(text: str) -> collections.Counter[str]:
    counts: collections.Counter[str] = collections.Counter()
    for token in markdown_it.MarkdownIt("commonmark").enable("table").parse(text):
        tags = [token.tag, *(child.tag for child in token.children or [])]
        counts.update(tag if tag != "code" else "pre" for tag in tags if token.nesting >= 0 and tag in SHOWN)
        counts.update(["pre"] if token.type in ("fence", "code_block") else [])
    return counts


@pytest.fixture(name="site", scope="module")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    made = build(ROOT, site)
    assert made.returncode == 0 and "WARNING" not in made.stderr, made.stderr
    return site


@pytest.fixture(name="pages", scope="module")
def built_pages(site: Path) -> dict[str, Page]:
    return {str(file.relative_to(site)): Page(file) for file in site.rglob("*.html")}


@pytest.fixture(name="tree")
def small_tree(tmp_path: Path) -> Path:
    """A repository of a few pages under this one's configuration."""
    for name in PARTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in PAGES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_site_needs_no_network(site: Path, pages: dict[str, Page], tmp_path: Path) -> None:
    assert len(pages) > 80
    assert {name: foreign(page) for name, page in pages.items() if foreign(page)} == {}
    sheets = {str(sheet.relative_to(site)): sheet.read_text("utf-8") for sheet in site.rglob("*.css")}
    assert len(sheets) > 1 and [name for name, text in sheets.items() if FOREIGN_IN_SHEET.search(text)] == []
    assert FOREIGN_IN_SHEET.search("@import 'https://a.b/c.css'") and FOREIGN_IN_SHEET.search('src: url("//a.b/c.woff")')
    control = tmp_path / "control.html"
    control.write_text('<link href="https://fonts.example.org/a.css"><script src="//cdn.example.org/b.js"></script>'
                       '<img src="c.png">')
    assert foreign(Page(control)) == ["https://fonts.example.org/a.css", "//cdn.example.org/b.js"]


def dead(pages: dict[str, Page], site: Path) -> Iterator[str]:
    for name, page in pages.items():
        if name == "404.html":  # written for the root of a server
            continue
        for link in page.links:
            file, _, anchor = unquote(link).partition("#")
            if "://" in file or file.startswith("mailto:"):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), file)) if file else name
            target = f"{target}/index.html" if (site / target).is_dir() else target
            if not (site / target).is_file() or (anchor and target in pages and anchor not in pages[target].ids):
                yield f"{name}: {link}"


def test_every_link_of_the_site_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    assert list(dead(pages, site)) == []
    pages["index.html"].links.append("howto/gone.html")
    pages["index.html"].links.append("concepts.html#gone")
    assert list(dead(pages, site)) == ["index.html: howto/gone.html", "index.html: concepts.html#gone"]
    del pages["index.html"].links[-2:]


def test_the_site_shows_what_a_repository_browser_shows(pages: dict[str, Page]) -> None:
    files = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("*/README.md")]
    written = [str(file.relative_to(ROOT)) for file in files]
    compared = {name: (shown_by_a_repository_browser((ROOT / name).read_text("utf-8")), pages[built_name(name)].shown)
                for name in written if built_name(name) in pages}
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md", "docs/howto/operate.md", "benchmarks/README.md"} <= set(compared)
    assert {name: both for name, both in compared.items() if both[0] != both[1]} == {}


def test_files_outside_of_docs_are_pages_of_the_site(site: Path) -> None:
    text = (site / "repository/packaging/skua-flight.service.html").read_text("utf-8")
    assert "ExecStart" in text and "search-exclude" not in text
    assert "ExecStart" not in (site / "search/search_index.json").read_text("utf-8")  # sources are not searched


def test_a_new_page_of_a_known_folder_is_found_by_itself(tree: Path) -> None:
    (tree / "docs/howto/two.md").write_text("# Another one\n")
    made = build(tree, tree / "out")
    assert made.returncode == 0 and "WARNING" not in made.stderr, made.stderr
    assert "Another one" in (tree / "out/howto/one.html").read_text("utf-8")
    one = Page(tree / "out/howto/one.html").shown
    assert one == shown_by_a_repository_browser(PAGES["docs/howto/one.md"])
    assert one["li"] == 4


@pytest.mark.parametrize(("name", "text", "complaint"), [
    ("docs/howto/one.md", "# One\n[x](gone.md)\n", "'gone.md'"),
    ("docs/howto/one.md", "# One\n[x](../../gone.py)\n", "'../../gone.py'"),
    ("docs/howto/one.md", "# One\n[x](../concepts.md#gone)\n", "does not contain an anchor '#gone'"),
    ("README.md", "# Outside\n[in](docs/gone.md)\n", "gone.md"),
    ("docs/elsewhere/page.md", "# Nobody leads here\n", "elsewhere/page.md"),
    ("docs/alone.md", "# Nor here\n", "alone.md"),
])
def test_what_leads_nowhere_ends_the_build(tree: Path, name: str, text: str, complaint: str) -> None:
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text(text)
    made = build(tree, tree / "out")
    assert made.returncode != 0 and complaint in made.stderr, made.stderr
