"""python -m skua.report as a command: what it writes, what it refuses, and that it leaves everything else alone."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import report_cases
from PIL import Image
from report_cases import BOOT_A, HOSTILE, Given, folder_of, hostile, ready

files = report_cases.module("files")
picture = report_cases.module("picture")
content_of = report_cases.module("content")
main = report_cases.module("__main__").main
USAGE = 2


@pytest.fixture(name="given")
def one_of_everything(tmp_path):
    return Given(tmp_path)


def tree(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(folder, words, *arguments):
    """Status 2, one line on stderr that holds the words, nothing on stdout, nothing written or changed."""
    before, out, err = tree(folder), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in arguments])
    told = err.getvalue()
    assert status == USAGE and out.getvalue() == "", (out.getvalue(), told)
    assert told.startswith("skua.report: error: ") and told.count("\n") == 1, told
    assert words in told and told[:-1].isprintable(), told
    assert tree(folder) == before


# ---- what it writes ----------------------------------------------------------------------------------------------

def test_page_and_picture(given):
    result = report_cases.start(*given.all(), "-o", given.page, "--png", given.picture)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert given.page.read_bytes().startswith(b"<!DOCTYPE html>") and given.page.stat().st_size > 4_000_000
    image = Image.open(given.picture)
    assert image.format == "PNG" and image.size == (picture.WIDTH_PX, picture.HEIGHT_PX)
    assert not any(path.name.startswith(".skua-report") for path in given.folder.iterdir())


def test_the_same_input_gives_the_same_files_in_another_process(given):
    made = []
    for seed in ("1", "2"):
        result = report_cases.start(*given.all(), "-o", given.page, "--png", given.picture,
                                    env=os.environ | {"PYTHONHASHSEED": seed})
        assert result.returncode == 0, result.stderr
        made.append((given.page.read_bytes(), given.picture.read_bytes()))
    assert made[0] == made[1]


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def drawn(given, *names):
    options = {"report": given.report, "frame_lines": given.frame_lines, "manifest": given.manifest, "bench": given.bench}
    paths = content_of.Paths(given.recorder, **{name: options[name] for name in names})
    return pixels(picture.picture_of(content_of.gather(paths)))


def close(image, colour):
    """How many pixels are of this colour, but for the edges of lines."""
    return int((np.abs(image - np.array(colour)).max(axis=2) < 12).sum())


def test_the_picture_shows_what_it_was_given(given):
    features, band = (213, 94, 0), (248, 229, 214)  # the line of stage features; the shade of a throttle on white
    whole, bare = drawn(given, "report", "frame_lines"), drawn(given)
    assert close(whole, features) > 200 and close(whole, band) > 5000
    assert close(bare, features) == 0 and close(bare, band) < 1000  # control; the edges of red letters have that shade
    given.recorder = folder_of(given.folder / "cool", (BOOT_A, [line for line in report_cases.flown_records()
                                                               if "thermal_transition" not in line]))
    cool = drawn(given, "report", "frame_lines")
    assert close(cool, features) > 200 and close(cool, band) < 1000


def test_hostile_texts_and_numbers_are_drawn_as_they_are(given):
    """Dollars are no formulas, and no letter is missing from a font."""
    hostile(given)
    given.recorder = folder_of(given.folder / "r", (BOOT_A, [ready(1.0, set_id="$\\frac{$ \u202e\x07" + HOSTILE)]))
    result = report_cases.start(*given.arguments("frame_lines", "bench"), "--png", given.picture)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_dump_gives_the_page_that_the_segments_give_but_for_the_damage(given):
    dump = given.folder / "dump.jsonl"
    dump.write_text("\n".join(report_cases.flown_records()) + "\n")
    result = report_cases.start(dump, "--flight-report", given.report, "--frame-lines", given.frame_lines, "-o", given.page)
    assert result.returncode == 0, result.stderr
    text = given.page.read_text("utf-8")
    assert "A dump does not tell what was damaged" in text and "this page&#x27;s" in text


# ---- what it refuses ---------------------------------------------------------------------------------------------

def test_inputs_that_are_not_what_they_should_be(given):
    folder, out = given.folder, ("-o", given.page)
    text, other, fifo = folder / "text", folder / "other.json", folder / "fifo"
    text.write_text("hello\n")
    other.write_text('{"schema_version": 1, "hello": []}')
    os.mkfifo(fifo)
    refused(folder, "No such file", folder / "missing", *out)
    refused(folder, "no file of the flight recorder", text, *out)
    refused(folder, "is no record", other, *out)
    refused(folder, "regular file", fifo, *out)
    refused(folder, "regular file", "/dev/zero", *out)
    for option, words in (("--flight-report", "flight report"), ("--frame-lines", "holds no frame"),
                          ("--manifest", "flight manifest"), ("--log", "log record")):
        for wrong in (text, other, given.bench):
            refused(folder, "expected", given.recorder, option, wrong, *out)
        refused(folder, words, given.recorder, option, other, *out)
        refused(folder, "regular file", given.recorder, option, fifo, *out)
        refused(folder, "No such file", given.recorder, option, folder / "missing", *out)
    refused(folder, "skua bench", given.recorder, other, *out)
    refused(folder, "expected JSON", given.recorder, text, *out)


BAD_DOCUMENTS = {
    "rate of nothing": ("report", '"rate_hz": 3.0', '"rate_hz": 0.0', "rate_hz"),
    "no count": ("report", '"frames": 11', '"frames": "11"', "frames"),
    "later schema": ("report", '"schema_version": 1', '"schema_version": 2', "schema 1"),
    "NaN": ("report", '"ready_ms": 900.0', '"ready_ms": NaN', "NaN"),
    "too large": ("report", '"ready_ms": 900.0', '"ready_ms": 1e300', "ready_ms"),
    "key twice": ("report", '"late": 1', '"late": 1, "late": 2', "twice"),
    "frames back": ("frame_lines", '"frame": 6', '"frame": 3', "line 7"),
    "frame of 60 bits": ("frame_lines", '"frame": 11', '"frame": 1152921504606846976', "53 bits"),
    "cut in the middle": ("frame_lines", '"frame": 6,', '"frame": 6\n,', "line 7"),
    "no time": ("frame_lines", '"vpr": 13.0', '"vpr": "13.0"', "vpr"),
    "another set": ("manifest", '"set_id": "set-1-abc"', '"set_id": "set-2"', "set-1-abc"),
    "verdict of nobody": ("bench", '"verdict": "reached"', '"verdict": "good"', "good"),
    "another flight's": ("log", "2026-03-01", "2026-03-02", "no event in common"),
}


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_a_field_that_is_wrong_is_named(given, case):
    name, good, bad, words = BAD_DOCUMENTS[case]
    path = getattr(given, name)
    text = path.read_text()
    assert good in text
    path.write_text(text.replace(good, bad))
    refused(given.folder, words, *given.arguments(name), "-o", given.page, "--png", given.picture)


def test_a_file_whose_last_line_was_cut_is_taken_without_it(given):
    given.frame_lines.write_text(given.frame_lines.read_text()[:-5])
    result = report_cases.start(*given.arguments("frame_lines"), "-o", given.page)
    assert result.returncode == 0 and "last frame line was cut" in given.page.read_text("utf-8")


def test_nothing_to_write_and_unknown_options(given):
    refused(given.folder, "nothing to write", given.recorder)
    for wrong in ((), (given.recorder, "--deep"), (given.recorder, "a", "b", "-o", given.page)):
        result = report_cases.start(*wrong)
        assert result.returncode == USAGE and "usage: python -m skua.report" in result.stderr
    help_text = report_cases.start("--help")
    assert help_text.returncode == 0 and "--flight-report" in help_text.stdout


def test_an_input_is_never_written_over(given):
    segment = next(given.recorder.iterdir())
    link, hard = given.folder / "link.html", given.folder / "hard.html"
    link.symlink_to(given.report)
    os.link(given.frame_lines, hard)
    everything = given.all()
    for output in (given.report, given.frame_lines, given.manifest, given.log, given.bench, segment, link, hard,
                   given.recorder / "new.html", given.folder / "recorder" / ".." / "frames.jsonl"):
        refused(given.folder, "would write over", *everything, "-o", output)
        refused(given.folder, "would write over", *everything, "-o", given.page, "--png", output)
    refused(given.folder, "would write over", segment, "-o", segment)
    refused(given.folder, "two files", *everything, "-o", given.page, "--png", given.page)


def test_places_that_cannot_be_written(given):
    refused(given.folder, "folder does not exist", given.recorder, "-o", given.folder / "missing" / "page.html")
    (given.folder / "a").mkdir()
    refused(given.folder, "found a folder", given.recorder, "-o", given.folder / "a")


def test_what_lay_there_stays_where_writing_fails(given, monkeypatch):
    """A disk that is full at the second file: neither is replaced, and no temporary file stays."""
    given.page.write_text("old page")
    given.picture.write_text("old picture")
    before, real, count = tree(given.folder), files._write_new, []

    def full(path, content):
        count.append(path)
        real(path, content)
        if len(count) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_new", full)
    with pytest.raises(files.ReportError, match="No space left"):
        files.publish([(given.page, b"new"), (given.picture, b"new")])
    assert tree(given.folder) == before and len(count) == 2
    monkeypatch.setattr(files, "_write_new", real)
    files.publish([(given.page, b"new"), (given.picture, b"new")])  # control
    assert given.page.read_bytes() == given.picture.read_bytes() == b"new"


def test_names_cannot_move_the_cursor(given):
    sly = given.folder / "a\x1b[31m\nb"
    sly.write_text("x")
    refused(given.folder, "a?[31m?b", sly, "-o", given.page)


def test_a_package_that_is_missing_is_named(given):
    """Without matplotlib there is still a page; without plotly there is none, and the message names it."""
    blocked = given.folder / "blocked"
    for name in ("plotly", "matplotlib"):
        (blocked / name).mkdir(parents=True)
        (blocked / name / "__init__.py").write_text(f"raise ModuleNotFoundError('none', name={name!r})")

    def run(*arguments):
        code = f"import sys; sys.path.insert(0, {str(blocked)!r})" + report_cases.STARTER
        return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
                              check=False, timeout=60)
    result = run(given.recorder, "-o", given.page)
    assert result.returncode == USAGE and "plotly is not installed" in result.stderr
    result = run(given.recorder, "--png", given.picture)
    assert result.returncode == USAGE and "matplotlib is not installed" in result.stderr
    assert not given.page.exists() and not given.picture.exists()


def test_it_runs_as_a_module_of_the_package(given):
    """Of the package of the build tree: importing skua needs its compiled half."""
    build = report_cases.ROOT / (os.environ.get("SKUA_BUILD_DIR") or "build/dev")
    environment = os.environ | {"PYTHONPATH": str(build / "python")}
    result = subprocess.run([sys.executable, "-m", "skua.report", str(given.recorder), "-o", str(given.page)],
                            capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "") and given.page.exists()


def test_types_hold(tmp_path):
    """mypy --strict over the report alone: the package around it needs the stub of its compiled half."""
    mypy = pathlib.Path(sys.executable).with_name("mypy")
    if not mypy.exists():
        pytest.skip("mypy is not installed here")
    report = shutil.copytree(report_cases.SOURCE, tmp_path / "skua" / "report")
    command = [mypy, "--strict", "--explicit-package-bases", "--cache-dir", os.devnull, report]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert result.returncode == 0, result.stdout


def test_json_blocks_end_nothing():
    block = report_cases.module("page").json_block({"a": "</script><!--<script>&"})
    assert "<" not in block and ">" not in block and json.loads(block) == {"a": "</script><!--<script>&"}
