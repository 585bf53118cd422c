"""The page in a browser without a network: every figure is drawn, the console stays empty, markup from files does nothing.
Needs chromium, which the set-up does not install; without it these tests are skipped."""

import shutil
import subprocess

import pytest
import report_cases
from report_cases import Given, Page, hostile, paths_of

content_of = report_cases.module("content")
page = report_cases.module("page")
pytestmark = pytest.mark.alone  # a browser wants the machine for a few seconds
# What the browser itself says where it has no network.
OWN_LINES = ("Slow network is detected",)


def browser():
    found = shutil.which("chromium")
    if not found:
        pytest.skip("chromium is not installed here: apt-get install --no-install-recommends chromium")
    alone = shutil.which("unshare")
    if not alone or subprocess.run([alone, "-n", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("unshare -n does not work here: a page that needs the network would not be noticed")
    return [alone, "-n", found]


def opened(content, folder):
    """The finished page as the browser has it, and what the page wrote to the console."""
    file = folder / "opened.html"
    file.write_bytes(content)
    command = [*browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000",
               f"--user-data-dir={folder}/profile",
               "--enable-logging=stderr", "--dump-dom", f"file://{file}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line
               and not any(own in line for own in OWN_LINES)]
    return result.stdout, console


@pytest.fixture(name="given")
def one_of_everything(tmp_path):
    return Given(tmp_path)


def made(given, *names):
    return page.page_of(content_of.gather(paths_of(given, *names)))


ALL = ("report", "frame_lines", "manifest", "log", "bench")


@pytest.mark.parametrize("names", [ALL, ("frame_lines",), ()], ids=["everything", "frame lines alone", "the recorder alone"])
def test_every_figure_is_drawn_and_the_console_is_empty(given, names):
    content = made(given, *names)
    dom, console = opened(content, given.folder)
    assert console == []
    assert 'data-figures="drawn"' in dom
    places = Page(content).figures
    assert places and dom.count('class="main-svg"') >= len(places)
    assert dom.count('class="figure js-plotly-plot"') == len(places)


def test_markup_from_files_does_nothing(given):
    content = made(hostile(given), *ALL)
    dom, console = opened(content, given.folder)
    assert console == [] and 'data-figures="drawn"' in dom
    tags = Page(dom.encode("utf-8")).tags
    assert len(tags) > 500 and not {tag for tag, _ in tags} & {"img", "image", "iframe", "foreignobject"}
    links = [a.get("href", a.get("xlink:href", "#")) for tag, a in tags if tag in ("a", "link")]
    assert links and all(link.startswith("#") for link in links), links
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in dom.split("main-svg", 1)[1]  # also in the figures it is text


def test_control_a_page_that_fails_or_reaches_out_is_noticed(given):
    content = made(given, *ALL)
    broken = content.replace(b"Plotly.newPlot(", b"Plotly.noPlot(")
    dom, console = opened(broken, given.folder)
    assert 'data-figures="drawn"' not in dom and console  # another script than the policy names: it never ran
    reaching = content.replace(b"</nav>", b"</nav><script>alert(1)</script><img src='http://127.0.0.1:9/x.png'>", 1)
    dom, console = opened(reaching, given.folder)
    assert len(console) >= 2 and all("Content Security Policy" in line for line in console)
