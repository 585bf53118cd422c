"""Every command that README.md and docs/howto/*.md show is run by somebody, or says why nobody can (howto_blocks.py); and the
blocks `<!-- runs -->` of docs/howto are run here, page by page, in their order, with the demo set. What a dialogue shows as an answer
must be in what the programs say, numbers, digests and folders aside; the numbers of a host and of an engine's name are no such."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import flights
import howto_blocks
import howto_pages
import programs
import trees

pytestmark = pytest.mark.alone  # one of the pages flies

HOWTO = programs.ROOT / "docs/howto"


def all_blocks():
    return [block for page in howto_blocks.pages() for block in howto_pages.blocks_of(page)]


# ---- every block has somebody ---------------------------------------------------------------------------------------------

def test_every_block_of_commands_is_run_or_says_why_not():
    complaints = [f"{block.where}: {what}" for block in all_blocks() if (what := howto_blocks.complaint(block))]
    assert complaints == []
    assert len(all_blocks()) > 40, "the pages have not been found"


@pytest.mark.parametrize(("text", "what"), [
    ("```sh\nskua doctor\n```\n", "commands that no test runs"),
    ("```\n$ skua doctor\n```\n", "commands that no test runs"),
    ("```\nsudo useradd skua\n```\n", "commands that no test runs"),
    ("```bash\nskua doctor\n```\n", "the language 'bash'"),
    ("```\nmake nothing   # a step\n```\n", ".ci/run does not call ['make nothing']"),
    ("<!-- not run: it is late -->\n```sh\nskua doctor\n```\n", "the reason 'it is late'"),
    ("<!-- step: make nothing -->\n```sh\nmake nothing\n```\n", ".ci/run does not call 'make nothing'"),
    ("<!-- runs: tests/nothing.py -->\n```sh\nskua doctor\n```\n", "does not exist, or does not take its commands"),
    ("<!-- runs: tests/e2e/places.py -->\n```sh\nskua doctor\n```\n", "does not exist, or does not take its commands"),
    ("<!-- runs -->\nA sentence.\n```sh\nskua doctor\n```\n", "commands that no test runs"),
    ("<!-- ran -->\n```sh\nskua doctor\n```\n", "the marker 'ran'")])
def test_control_a_block_that_nobody_runs_is_found(tmp_path, text, what):
    page = tmp_path / "page.md"
    page.write_text(text)
    (block,) = howto_pages.blocks_of(page, tmp_path)
    assert what in howto_blocks.complaint(block)


@pytest.mark.parametrize("text", [
    "<!-- runs -->\n```sh\nskua doctor\n```\n", "```\nmake test    # all tests\n```\n", "```text\n$ no command\n```\n",
    "<!-- not run: needs a Jetson -->\n```sh\nskua doctor\n```\n", "```\nhost  sm0\n```\n"])
def test_what_is_accounted_for_is_accepted(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    (block,) = howto_pages.blocks_of(page, tmp_path)
    assert howto_blocks.complaint(block) == ""


def test_what_code_within_a_sentence_names_is_there():
    found = [(page.name, code) for page in howto_blocks.pages() for code in howto_blocks.inline_code(page.read_text("utf-8"))]
    assert len([code for _, code in found if howto_blocks.PATH.search(code) or code.startswith("make ")]) > 20, "no code has been found"
    complaints = [f"{page}: `{code}`: {what}" for page, code in found if (what := howto_blocks.complaint_of_inline(code))]
    assert complaints == []


@pytest.mark.parametrize(("text", "what"), [
    ("Then `make nothing FULL=1`.", "the Makefile has no target 'nothing'"),
    ("See `scripts/nothing.py`.", "scripts/nothing.py does not exist"),
    ("Run `.venv/bin/python benchmarks/nothing.py --write`.", "benchmarks/nothing.py does not exist"),
    ("Run `benchmarks/readme_table.py --write`.", "benchmarks/readme_table.py is not executable"),
    ("Run `scripts/howto_pages.py ARGUMENT`.", "scripts/howto_pages.py is not executable"),
    ("Run `make soak MINUTES=2`.", ""), ("See `benchmarks/readme_table.py`.", ""), ("Run `scripts/demo.sh`.", ""),
    ("Run `.venv/bin/python benchmarks/readme_table.py --write`.", ""), ("Of `tests/scripts/nothing.py`.", ""),
    ("```\nmake nothing `\n```\n`skua doctor`", "")])
def test_control_inline_code_that_does_not_work_is_found(text, what):
    (code,) = howto_blocks.inline_code(text)
    assert howto_blocks.complaint_of_inline(code) == what


PRIVATE = re.compile(r"/var/lib/skua/(state|recorder)\b")  # mode 700, the user's that flies (operate.md, section 1)
FLIGHT = re.compile(r"\bskua-flight\b.* --config /etc/skua/")  # with what operate.md configures, so with these folders
REDIRECTED = re.compile(r">\s*/(?:etc|var/lib)/skua\b")  # by the reader's shell, whoever the command is


def commands_of(script):
    return script.replace("\\\n", " ").splitlines()


def as_nobody_can(script):
    """The commands of a script that look into folders of the user that flies, and are neither that user's nor root's; that fly and
    are not that user's; that write to Skua's folders as the reader."""
    return [line for line in commands_of(script) if PRIVATE.search(line) and not line.startswith("sudo ")
            or FLIGHT.search(line) and not line.startswith("sudo -u skua ") or REDIRECTED.search(line)]


def test_what_only_the_user_that_flies_may_read_is_typed_as_that_user():
    scripts = [howto_blocks.typed(block) for block in all_blocks()]
    typed = [line for script in scripts for line in commands_of(script)]
    assert sum(bool(PRIVATE.search(line)) for line in typed) >= 5, "no command has been found"
    assert sum(bool(FLIGHT.search(line)) for line in typed) >= 4, "no flight has been found"
    assert [line for script in scripts for line in as_nobody_can(script)] == []


@pytest.mark.parametrize(("line", "is_found"), [
    ("skua ratchet /var/lib/skua/state", True), ("skua inspect /var/lib/skua/sets", False),
    ("sudo -u skua skua ratchet /var/lib/skua/state", False), ("sudo cp -r /var/lib/skua/recorder .", False),
    ("skua-flight --config /etc/skua/airborne.yaml --report flight.json >flight.log", True),
    ("sudo skua-flight --duration 5 --config /etc/skua/airborne.yaml", True),
    ("skua-flight \\\n    --config /etc/skua/airborne.yaml", True), ("skua doctor --config /etc/skua/airborne.yaml", False),
    ("sudo -u skua skua-flight --config /etc/skua/airborne.yaml >flight.log", False),
    ("sudo -u skua skua-flight --config /etc/skua/airborne.yaml >/var/lib/skua/reports/flight.log", True)])
def test_control_a_command_that_an_ordinary_user_cannot_run_is_found(line, is_found):
    assert bool(as_nobody_can(f"skua doctor\n{line}\n")) == is_found


# ---- the pages, followed --------------------------------------------------------------------------------------------------

class Reader:
    """Somebody who follows a page: where it says /etc/skua, /var/lib/skua or /media/key, their own folder."""

    def __init__(self, folder, shared, home):
        self.folder, self.home = folder, home
        self.bin = folder / "bin"
        self.bin.mkdir()
        python = self.bin / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        demo = folder / "out/demo"
        demo.mkdir(parents=True)
        trees.copy(shared / "models", demo / "models")
        (demo / "flight").mkdir()
        trees.copy(shared / "flight/map", demo / "flight/map")
        shutil.copy(shared / "SET.yaml", demo)
        for name in ("etc", "var", "var/state", "var/recorder", "key"):
            (folder / name).mkdir()
        trees.copy(shared / "cache", folder / "var/engines")
        trees.copy(shared / "cache", folder / "cache")
        for name, place in (("part", "map"), ("frames", "frames")):
            trees.copy(shared / "flight" / name, folder / "var" / place)
        shutil.copy(shared / "SET.yaml", folder / "var")
        for name in ("flight.key", "flight.pub"):
            shutil.copy2(shared / name, folder / ("key" if name.endswith("key") else "etc"))

    def local(self, text):
        for theirs, ours in (("/opt/skua-ground/bin/", ""), ("/opt/skua/bin/", ""), ("sudo -u skua ", ""), ("sudo ", ""),
                             ("/etc/skua", f"{self.folder}/etc"), ("/media/key", f"{self.folder}/key"),
                             ("--out /var/lib/skua/sets", "--out /var/lib/skua/sets --cache /var/lib/skua/engines"),
                             ("/var/lib/skua", f"{self.folder}/var")):
            text = text.replace(theirs, ours)
        sets = sorted((self.folder / "var").glob("sets/set-1-*"))
        return re.sub(r"set-1-[0-9a-f]{12}|set-1-\.\.\.", sets[0].name, text) if sets else text

    def run(self, script, status=0):
        environment = programs.environment(self.home)
        environment["PATH"] = f"{self.bin}{os.pathsep}{programs.SKUA.parent}{os.pathsep}{environment['PATH']}"
        environment |= {"PYTHONPATH": str(programs.BUILD / "python"), "MPLCONFIGDIR": str(self.folder / "matplotlib")}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", self.local(script)], cwd=self.folder, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=programs.TIMEOUT_S, check=False)
        assert done.returncode == status, f"{script}: status {done.returncode}, expected {status}\n{done.stdout[-4000:]}"
        return done.stdout

    def follow(self, block):
        kind, value = block.marker
        status = int(value.removeprefix("refused ")) if value.startswith("refused ") else 0
        said = general(self.run(howto_blocks.typed(block), status))
        for answer in map(general, howto_blocks.answers(block)):
            if not answer.startswith("passphrase of"):
                pattern = ".*".join(map(re.escape, answer.split("...")))
                assert re.search(f"^{pattern}", said, re.MULTILINE), f"{block.where} shows\n{answer}\nand it said\n{said}"


# A host, alone or within an engine's name, and a number that is neither.
FIGURE = r"(\w*sm\d+_jp\d+(?:\.\d+)*_trt\d+(?:\.\d+)*\w*(?:\.[a-z]\w*)*)|\d+(?:\.\d+)*"


def general(text):
    """Without what differs from one machine, key and moment to the next. The host stays: no build under test is a Jetson's."""
    for pattern, word in ((r"[\w./-]*/(?=\w)", ".../"), (r"set-\d+-[0-9a-f]{12}", "SET"), (r"\b[0-9a-f]{64}\b", "..."),
                          (r"\b[0-9a-f]{8}\.\.\.", "..."), (r"^(compiled|reused) +(\S+).*", r"ENGINE \2"),
                          (FIGURE, lambda match: match.group(1) or "0"), (r"\(\.\.\.\)|\([^()]*\)", "(...)"), (r"0\.\.\.", "0")):
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize(("shown", "said", "is_same"), [
    ("host  sm0_jp0_trt0", "host  sm87_jp6.2_trt10.3", False), ("host  sm87_jp6.2_trt10.3", "host  sm87_jp6.2_trt10.4", False),
    ("compiled  demo_vpr__sm0_jp0_trt0_fp16.pt  17239 bytes", "compiled  demo_vpr__sm0_jp0_trt0_fp16.pt  17240 bytes", True),
    ("compiled  demo_vpr__sm0_jp0_trt0_fp16.pt  17239 bytes", "compiled  demo_vpr__sm0_jp0_trt0_fp32.pt  17239 bytes", False),
    ("go  engine  v2__sm0_jp0_trt0_fp16.engine", "go  engine  v2__sm87_jp6.2_trt10.3_fp16.engine", False),
    ("go  engine  v2__sm0_jp0_trt0_fp16.engine", "go  engine  v2__sm0_jp0_trt0_fp16.engine", True),
    ("gate: 3841306 bytes in 7.13 ms", "gate: 12 bytes in 8 ms", True)])
def test_a_host_and_an_engine_are_no_figures(shown, said, is_same):
    assert (general(shown) == general(said)) == is_same


def runnable(page):
    return [block for block in howto_pages.blocks_of(HOWTO / page)
            if block.marker and block.marker[0] == "runs" and re.fullmatch(r"|refused \d+", block.marker[1])]


@pytest.fixture(name="reader")
def reader_with_the_demo_set(tmp_path, flown_original, home):
    folder = tmp_path / "reader"
    folder.mkdir()
    return Reader(folder, flown_original, home)


def follow_page(reader, page, before=None):
    """`before`: what a reader does by hand before the block that has these words."""
    done = 0
    for block in howto_pages.blocks_of(HOWTO / page):
        howto_pages.put(block, reader.folder)
        if block not in runnable(page):
            continue
        for words, by_hand in (before or {}).items():
            if words in block.text:
                by_hand(reader)
        reader.follow(block)
        done += 1
    return done


def save_configuration(reader):
    (yaml,) = [block for block in howto_pages.blocks_of(HOWTO / "operate.md") if block.language == "yaml"]
    text = reader.local(yaml.text) + "  deadline_ms: 5000\n"  # the answer is judged, also on a busy machine
    (reader.folder / "etc/airborne.yaml").write_text(text, "ascii")


def forget_the_sequence(reader):
    """The page goes on where no sequence was accepted yet."""
    shutil.rmtree(reader.folder / "var/state")
    (reader.folder / "var/state").mkdir()


def name_the_second_set(reader, name="SET.yaml"):
    yaml = reader.folder / "var" / name
    yaml.write_text(yaml.read_text("ascii").replace("{", '{"set_id": "second", ', 1), "ascii")


def test_operate(reader):
    save_configuration(reader)
    assert follow_page(reader, "operate.md", {"--duration 5": forget_the_sequence, "sets/second": name_the_second_set}) == 8
    assert (reader.folder / "var/sets/CURRENT").read_text("ascii").startswith("set-1-")


def test_sign(reader):
    assert follow_page(reader, "sign.md") == 6


def test_calibrate(reader):
    assert follow_page(reader, "calibrate.md") == 7


def test_a_flight_as_one_page(reader):
    """report.md over a short flight; bench.json of one network."""
    save_configuration(reader)
    reader.run("skua provision /var/lib/skua/SET.yaml --out /var/lib/skua/sets --sign /media/key/flight.key")
    reader.run("skua bench var/sets demo_matcher --trust etc/flight.pub --rounds 6 --output-dir .")
    (reader.folder / "var/reports").mkdir()  # by root, on the page
    assert follow_page(reader, "report.md") == 3
    assert (reader.folder / "flight.html").stat().st_size > 1_000_000 and (reader.folder / "flight.png").exists()


def test_every_page_with_blocks_to_run_is_followed():
    followed = {"operate.md", "sign.md", "calibrate.md", "report.md"}
    assert {page.name for page in HOWTO.glob("*.md") if runnable(page.name)} == followed


def test_control_a_command_that_fails_and_an_answer_that_is_not_given_are_noticed(reader):
    block = runnable("sign.md")[0]
    reader.follow(block)
    with pytest.raises(AssertionError, match="status 2"):
        reader.follow(block)  # the key is there already
    (reader.folder / "flight.key").unlink()
    (reader.folder / "flight.pub").unlink()
    other = howto_pages.Block(block.page, block.line, block.language, block.text.replace("fingerprint", "finger print"),
                              block.marker, block.head, block.section)
    with pytest.raises(AssertionError, match="finger print"):
        reader.follow(other)
