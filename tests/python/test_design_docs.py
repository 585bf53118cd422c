"""docs/design, and the table of tests/sil: a requirement that names a test which does not exist is shown by nothing."""

import collections
import fnmatch
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CITED_CASE = re.compile(r"`(?:unit_\w+\.|conformance\.)?([A-Z]\w*)\.(\*|[A-Z]\w*\*?)`")
CITED_FILE = re.compile(r"`((?:tests/[\w/]+/)?(?:test_\w+\.py|\w+_test\.cpp))`")
REQUIREMENT = re.compile(r"^\| ([A-Z]+-\d+) \|", re.MULTILINE)
CASE = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)", re.MULTILINE)


def cases() -> set[str]:
    """Suite.Case of every C++ test."""
    files = [*(ROOT / "tests").rglob("*_test.cpp"), *(ROOT / "tests").rglob("*_test.h")]
    return {f"{suite}.{case}" for file in files for suite, case in CASE.findall(file.read_text("ascii"))}


def unknown(text: str, known: set[str], files: set[str]) -> list[str]:
    cited = [f"{suite}.{case}" for suite, case in CITED_CASE.findall(text)]
    found = [pattern for pattern in cited if not fnmatch.filter(known, pattern)]
    return found + [name for name in CITED_FILE.findall(text) if not any(f.endswith("/" + name) for f in files)]


def said_twice(texts: list[str]) -> list[str]:
    """Numbers under which two requirements stand, on one page or on two."""
    count = collections.Counter(number for text in texts for number in REQUIREMENT.findall(text))
    return sorted(number for number, rows in count.items() if rows > 1)


@pytest.fixture(name="files", scope="module")
def test_files() -> set[str]:
    return {f"/{path.relative_to(ROOT)}" for path in (ROOT / "tests").rglob("*.*")}


PAGES = [*sorted((ROOT / "docs/design").glob("*.md")), ROOT / "tests/sil/nvinfer/README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_cites_exists(page: Path, files: set[str]) -> None:
    assert unknown(page.read_text("utf-8"), cases(), files) == []


def test_a_test_that_does_not_exist_is_noticed(files: set[str]) -> None:
    row = "| X | y | `Gone.*`, `unit_a.Here.Other`, `Here.There`, `Here.*`, `tests/e2e/test_gone.py`, `test_bench.py` |"
    assert unknown(row, {"Here.There"}, files) == ["Gone.*", "Here.Other", "tests/e2e/test_gone.py"]


def test_every_requirement_has_a_number_of_its_own() -> None:
    texts = [page.read_text("utf-8") for page in PAGES]
    assert said_twice(texts) == [] and sum(len(REQUIREMENT.findall(text)) for text in texts) > 100


def test_a_number_that_stands_twice_is_noticed() -> None:
    assert said_twice(["| X-1 | a | b |\n| X-2 | a | b |\n| X-1 | c | d |\n", "| X-2 | e | f |\n"]) == ["X-1", "X-2"]
