"""What README.md and docs/howto/*.md show as commands, and who runs each block.

A fence without a language holds no command that a reader types. `sh` is a script, `console` a dialogue: lines that begin with `$ `
are typed, the others answer. Above such a block stands one of

    <!-- runs -->                 this page's blocks of that kind are run by test_howto_commands.py (README.md: test_readme.py)
    <!-- runs: refused N -->      the same, and the last command must end with status N
    <!-- runs: FILE -->           FILE, a test or a script that CI runs, takes it from the page (howto_pages.py) and runs it
    <!-- step: make TARGET -->    it is a step of .ci/run, or of what .ci/run calls
    <!-- not run: REASON -->      one of REASONS

Code within a sentence is not run; that what it names is there and can be started is looked at.
"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import howto_pages  # noqa: E402

REASONS = {"needs a Jetson", "needs root and changes the machine", "needs NVIDIA's SDK", "needs systemd",
           "asks for a passphrase: tests/e2e/test_signing.py answers it"}
COMMANDS = {"sh", "console"}
# What `make TARGET` does, where a test does it instead of a step of .ci/run.
BY_TEST = {"make demo": "tests/e2e/test_demo.py"}
READS_BLOCKS = re.compile(r"howto_pages\.(claimed|claimed_alone|blocks_of)\(")
OTHERS = {"", "text", "yaml", "cpp", "cmake", "python", "json"}
# A line of a fence without a language that somebody would type.
TYPED = re.compile(r"^(\$ |sudo |make |cmake |ctest |skua |skua-flight |scripts/|\.venv/|python3? |apt|git |journalctl )", re.MULTILINE)


def pages(root=ROOT):
    return [root / "README.md", *sorted((root / "docs/howto").glob("*.md"))]


def called_by_ci(target, root=ROOT):
    """Whether .ci/run, or a script that it calls, says this; or a test does what it does."""
    if (root / BY_TEST.get(target, "nothing")).is_file():
        return True
    text = (root / ".ci/run").read_text("utf-8")
    seen = {".ci/run"}
    for name in re.findall(r"\bscripts/[\w.]+", text):
        if name not in seen and (root / name).is_file():
            seen.add(name)
            text += (root / name).read_text("utf-8")
    return re.search(rf"^(?!\s*#).*{re.escape(target)}\b", text, re.MULTILINE) is not None


def is_make_alone(block):
    return all(re.fullmatch(r"make [a-z]+( +#.*)?|", line) for line in block.text.splitlines())


def complaint(block, root=ROOT):
    """What is wrong with how a block is accounted for; "" when nothing is."""
    if block.language not in COMMANDS | OTHERS:
        return f"the language '{block.language}' is none of {sorted(COMMANDS | OTHERS)}"
    if block.language not in COMMANDS and not (block.language == "" and TYPED.search(block.text)):
        return ""
    if block.language == "" and not block.marker and is_make_alone(block):
        targets = re.findall(r"^make [a-z]+", block.text, re.MULTILINE)
        missing = [target for target in targets if not called_by_ci(target, root)]
        return f".ci/run does not call {missing}" if missing else ""
    if not block.marker:
        return "commands that no test runs and no marker explains"
    return complaint_of_marker(block, *block.marker, root)


def complaint_of_marker(block, kind, value, root):
    if kind == "runs":
        if re.fullmatch(r"|refused \d+", value):
            return ""
        file = root / value
        text = file.read_text("utf-8") if file.is_file() else ""
        reads = pathlib.Path(block.page).name in text and READS_BLOCKS.search(text)
        return "" if reads else f"{value} does not exist, or does not take its commands from this page"
    if kind == "step":
        return "" if called_by_ci(value, root) else f".ci/run does not call '{value}'"
    if kind == "not run":
        return "" if value in REASONS else f"the reason '{value}' is none of {sorted(REASONS)}"
    return f"the marker '{kind}' is unknown"


# A fence, or code within a sentence; what stands in a fence is for complaint().
FENCE_OR_INLINE = re.compile(r"^```.*?^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"(?<![\w./-])(?:scripts|benchmarks)/[\w./-]+")


def inline_code(text):
    return [match.group(1) for match in FENCE_OR_INLINE.finditer(text) if match.group(1)]


def complaint_of_inline(code, root=ROOT):
    """Of code within a sentence: a make target or a path that is not there, a command that cannot be started."""
    if match := re.match(r"make ([a-z0-9-]+)", code):
        is_there = re.search(rf"^{match.group(1)}:", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
        return "" if is_there else f"the Makefile has no target '{match.group(1)}'"
    for path in PATH.findall(code):
        if not (root / path.rstrip("./")).exists():
            return f"{path} does not exist"
    command, _, arguments = code.partition(" ")
    is_command = PATH.fullmatch(command) and (arguments or command.endswith(".sh"))
    return f"{command} is not executable" if is_command and not os.access(root / command, os.X_OK) else ""


def typed(block):
    """The commands of a block, as a script."""
    if block.language == "sh":
        return block.text
    return "".join(line[2:] + "\n" for line in block.text.splitlines() if line.startswith("$ "))


def answers(block):
    """The other lines of a dialogue, without those that stand for anything."""
    if block.language == "sh":
        return []
    return [line for line in block.text.splitlines() if line and not line.startswith("$ ") and line != "..."]
