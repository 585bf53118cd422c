"""What the documents promise: commands run, links lead somewhere, every reason code is explained.

A block of commands that begins with ```sh and follows the line `<!-- runs -->` is run here, as one script, in a folder
with a provisioned example (models/, cache/, sets/, SET.yaml) and with Skua's programs on PATH.
"""

import os
import re
import subprocess

import pytest

import programs

README = programs.ROOT / "README.md"
BLOCK = re.compile(r"^<!-- runs -->\n+```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
REASON = re.compile(r'^\s+X\(k\w+,\s+"(\w+)"', re.MULTILINE)


def documents():
    found = [path for pattern in ("*.md", "docs/**/*.md", "models/**/*.md", "tests/**/*.md")
             for path in programs.ROOT.glob(pattern)]
    return sorted(str(path.relative_to(programs.ROOT)) for path in found)


def blocks():
    return BLOCK.findall(README.read_text("utf-8")) if README.exists() else []


def anchors(text):
    """The anchors that headings get: lower case, spaces as dashes, most punctuation dropped."""
    headings = re.findall(r"^#+ +(.*)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path):
    text = path.read_text("utf-8")
    dead = []
    for link in LINK.findall(FENCED.sub("", text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            dead.append(link)
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
            dead.append(link)
    return dead


def test_readme_is_there_and_has_commands_that_run():
    assert README.exists()
    assert blocks(), "no block of README.md follows '<!-- runs -->'"


@pytest.mark.parametrize("index", range(len(blocks())))
def test_commands_of_the_readme(flight, home, index):
    environment = programs.environment(home)
    environment["PATH"] = f"{programs.SKUA.parent}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(["bash", "-euo", "pipefail", "-c", blocks()[index]], cwd=flight.folder, env=environment,
                            capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, f"{blocks()[index]}\n{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("name", documents())
def test_links(name):
    assert dead_links(programs.ROOT / name) == []


def test_control_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title\n[a](page.md) [b](gone.md) [c](#a-title) [d](#no-title) [e](http://example.org)\n"
                    "```\n[f](inside-a-fence)\n```\n")
    assert dead_links(page) == ["gone.md", "#no-title"]


def test_every_reason_is_explained():
    codes = REASON.findall((programs.ROOT / "include/skua/reason.h").read_text("ascii"))
    assert len(codes) > 50
    page = (programs.ROOT / "docs/reference/reasons.md").read_text("utf-8")
    assert [code for code in codes if f"`{code}`" not in page] == []


def test_every_subcommand_is_in_the_reference(skua):
    """What `skua --help` lists, and every option of it, stands in docs/reference/cli.md."""
    page = (programs.ROOT / "docs/reference/cli.md").read_text("utf-8")
    listed = re.findall(r"^  ([a-z]+) +\S", skua.ok("--help").stdout.partition("Subcommands:")[2], re.MULTILINE)
    assert set(listed) >= {"doctor", "compile", "provision", "verify", "inspect", "run"}
    missing = [f"skua {command}" for command in listed if f"skua {command}" not in page]
    for command in listed:
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", skua.ok(command, "--help").stdout))
        missing += [f"{command} {option}" for option in sorted(options - {"--help"}) if option not in page]
    assert missing == []
