"""docs/design, and the table of tests/sil: a requirement that names a test which does not exist is shown by nothing."""

import fnmatch
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CITED_CASE = re.compile(r"`(?:unit_\w+\.|conformance\.)?([A-Z]\w*)\.(\*|[A-Z]\w*\*?)`")
CITED_FILE = re.compile(r"`((?:tests/[\w/]+/)?(?:test_\w+\.py|\w+_test\.cpp))`")
CASE = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)", re.MULTILINE)


def cases() -> set[str]:
    """Suite.Case of every C++ test."""
    files = [*(ROOT / "tests").rglob("*_test.cpp"), *(ROOT / "tests").rglob("*_test.h")]
    return {f"{suite}.{case}" for file in files for suite, case in CASE.findall(file.read_text("ascii"))}


def unknown(text: str, known: set[str], files: set[str]) -> list[str]:
    cited = [f"{suite}.{case}" for suite, case in CITED_CASE.findall(text)]
    found = [pattern for pattern in cited if not fnmatch.filter(known, pattern)]
    return found + [name for name in CITED_FILE.findall(text) if not any(f.endswith("/" + name) for f in files)]


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
