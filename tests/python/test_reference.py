"""docs/reference says what the programs of this build say: their --help, and the tables that they were compiled with."""

import copy
import shutil
from pathlib import Path

import pytest

import reference
import reference_help
import reference_tables
from reference_tables import Sources

ROOT = reference_tables.ROOT


@pytest.fixture(name="programs", scope="module")
def programs_of_this_build() -> Sources:
    """Asked once: what they say does not change meanwhile."""
    return Sources(reference_tables.default_build())


@pytest.fixture(name="sources")
def changeable_sources(programs: Sources) -> Sources:
    sources = copy.copy(programs)
    sources.tables = copy.deepcopy(programs.tables)
    return sources


@pytest.fixture(name="pages")
def copied_pages(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "docs/reference", tmp_path / "docs/reference")
    return tmp_path


def edit(root: Path, name: str, old: str, new: str) -> None:
    page = root / "docs/reference" / name
    text = page.read_text("utf-8")
    assert old in text
    page.write_text(text.replace(old, new, 1), "utf-8")


def test_the_pages_say_what_the_code_says(sources: Sources) -> None:
    assert reference.check(sources, ROOT, is_writing=False) == []


@pytest.mark.parametrize(("name", "old", "new"), [
    ("reasons.md", "| the .sha256 sidecar does not exist |", "| no sidecar |"),
    ("configuration.md", "| `600` |", "| `60` |"),
    ("events.md", "`reason` text", "`reason` real"),
    ("cli.md", "| network file (.onnx, .pt) |", "| a network |"),
    ("cli.md", "whole number 1 to 64", "whole number 1 to 65"),
])
def test_a_cell_that_differs_is_found_and_mended(sources: Sources, pages: Path, name: str, old: str, new: str) -> None:
    edit(pages, name, old, new)
    found = reference.check(sources, pages, is_writing=False)
    assert any(line.startswith("-| ") and new.strip("| ") in line for line in found), found
    assert reference.check(sources, pages, is_writing=True) == []
    assert (pages / "docs/reference" / name).read_text("utf-8") == (ROOT / "docs/reference" / name).read_text("utf-8")


def test_an_entry_of_a_table_that_changes_is_found(sources: Sources, pages: Path) -> None:
    sources.tables["fields"][1]["default"] = "/elsewhere"
    sources.tables["reasons"][5]["meaning"] = "something else"
    found = reference.check(sources, pages, is_writing=False)
    assert [line for line in found if line.startswith("+|")] == [
        line for line in found if "/elsewhere" in line or "something else" in line]
    assert len([line for line in found if line.startswith("-|")]) == 2


def test_a_new_entry_waits_for_its_text(sources: Sources, pages: Path) -> None:
    sources.tables["reasons"].insert(3, {"code": "moon_phase", "meaning": "the moon is wrong"})
    sources.reason_titles = {**sources.reason_titles, "moon_phase": "arguments"}
    waiting = "docs/reference/reasons.md: '`moon_phase`' has no text in the last column"
    assert reference.check(sources, pages, is_writing=True) == [waiting]
    assert reference.check(sources, pages, is_writing=False) == [waiting]
    edit(pages, "reasons.md", reference.reference_blocks.UNWRITTEN, "Wait.")
    assert reference.check(sources, pages, is_writing=True) == []
    assert "| `moon_phase` | the moon is wrong | Wait. |" in (pages / "docs/reference/reasons.md").read_text("utf-8")


def test_a_block_that_is_lacking_or_foreign_is_named(sources: Sources, pages: Path) -> None:
    edit(pages, "cli.md", "<!-- generated: options: skua sign -->", "<!-- generated: options: skua sing -->")
    assert reference.check(sources, pages, is_writing=False) == [
        "docs/reference/cli.md: no block `<!-- generated: options: skua sign -->`",
        "docs/reference/cli.md: nothing makes the block 'options: skua sing'"]


def test_every_form_of_an_argument_is_read() -> None:
    text = ("what it does\nUsage: x [OPTIONS]\n\nPositionals:\n  FILE TEXT ... REQUIRED      files\n\nOptions:\n"
            "  -h,--help                   Print this\n  --runtime TEXT=pytorch_fp16 one of three\n"
            "  --keep UINT:INT in [0 - 9] Needs: --watch\n                              how many\n"
            "  --mode TEXT:{a,b} Excludes: --keep\n                              which\n\n"
            "Subcommands:\n  dump                        print\n")
    assert [(o.name, o.value(), o.text) for o in reference_help.options(text)] == [
        ("FILE", "text, required, repeated", "files"), ("--help", "", "Print this"),
        ("--runtime", "text, default `pytorch_fp16`", "one of three"),
        ("--keep", "whole number 0 to 9, with `--watch`", "how many"),
        ("--mode", "one of `a`, `b`, not with `--keep`", "which")]
    assert reference_help.subcommands(text) == {"dump": "print"}
    with pytest.raises(ValueError, match="--odd 9 x"):
        reference_help.options("Options:\n  --odd 9 x                   y\n")
