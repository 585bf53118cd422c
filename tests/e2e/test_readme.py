"""What README promises: its commands run.

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


def blocks():
    return BLOCK.findall(README.read_text("utf-8")) if README.exists() else []


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
