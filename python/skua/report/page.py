"""The page: what happened first, then latencies, the thermal state, the load, a bench, and what it was made from."""

from __future__ import annotations

import base64
import hashlib
import json

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from . import sections
from .content import Content
from .figures import Drawn
from .markup import escaped, section

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; max-width: 1180px; margin: 0 auto;
  padding: 20px; }
h1 { font-size: 25px; margin: 0 0 2px; } h2 { font-size: 19px; margin: 34px 0 8px; border-bottom: 2px solid #ddd; }
h3 { font-size: 15px; margin: 18px 0 4px; } .sub, .caption { color: #555; }
.caption { font-size: 13px; margin: 2px 0 14px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(172px, 1fr)); gap: 10px; margin: 16px 0; }
.card { border: 1px solid #ccc; border-left: 6px solid #8a8a8a; border-radius: 4px; padding: 8px 10px; }
.card.good { border-left-color: #009E73; } .card.bad { border-left-color: #B00020; }
.card.warn { border-left-color: #E69F00; }
.card .title { font-size: 13px; color: #444; } .card .value { font-size: 20px; font-weight: 600; }
.card .detail { font-size: 13px; color: #555; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13.5px; margin: 6px 0 10px; }
th, td { text-align: left; vertical-align: top; padding: 3px 12px 3px 0; border-bottom: 1px solid #e6e6e6;
  overflow-wrap: anywhere; }
th { color: #444; border-bottom: 2px solid #bbb; white-space: nowrap; }
td.fixed { white-space: nowrap; } .number { text-align: right; white-space: nowrap; }
.badge { white-space: nowrap; font-weight: 600; } .badge.good { color: #00704f; } .badge.bad { color: #B00020; }
.badge.warn { color: #8a5a00; } .missing { background: #f4f4f4; border-left: 4px solid #8a8a8a; padding: 6px 10px; }
.alert { background: #fff4e0; border-left: 4px solid #E69F00; padding: 6px 10px; } nav { font-size: 14px; margin: 6px 0; }
nav a { margin-right: 14px; } code { font-size: 13px; } .figure { width: 100%; }
@media print { nav { display: none; } section { break-inside: avoid; } }
"""

# Draws every figure; says on the page, and in an attribute for tests, when that failed.
SCRIPT = """
(function () {
  "use strict";
  var root = document.documentElement;
  function failed(what) {
    root.setAttribute("data-figures", "failed");
    document.getElementById("script-problem").textContent = "The figures could not be drawn: " + what;
    document.getElementById("script-problem").hidden = false;
  }
  window.addEventListener("error", function (event) { failed(event.message); });
  window.addEventListener("unhandledrejection", function (event) { failed(String(event.reason)); });
  var options = {responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"]};
  var drawn = Array.prototype.map.call(document.querySelectorAll("script[type='application/json']"), function (block) {
    var figure = JSON.parse(block.textContent);
    return Plotly.newPlot(block.getAttribute("data-for"), figure.data, figure.layout, options);
  });
  Promise.all(drawn).then(function () {
    if (!root.hasAttribute("data-figures")) { root.setAttribute("data-figures", "drawn"); }
  }, function (problem) { failed(String(problem)); });
}());
"""


def json_block(value: object) -> str:
    """JSON that can stand in a page: nothing in it ends the block or begins another one."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def figure_html(figure: Drawn) -> str:
    """The place of a figure, as high as the figure will be, and what is drawn there."""
    return (f'<div class="figure" id="figure-{figure.identity}" style="height:{figure.height}px"></div>\n'
            f'<script type="application/json" data-for="figure-{figure.identity}">'
            f'{json_block({"data": figure.data, "layout": figure.layout})}</script>')


def _policy(scripts: list[str]) -> str:
    """Only these very scripts may run, and nothing may be fetched: what slipped through the escaping could do nothing."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii") for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; form-action 'none'"


def page_of(content: Content) -> bytes:
    """One HTML file that needs nothing else. The same input gives the same bytes."""
    library = get_plotlyjs().replace("\r\n", "\n")
    parts = sections.all_sections(content, figure_html)
    links = "".join(f'<a href="#{identity}">{escaped(title)}</a>' for identity, title, _ in parts)
    body = "".join(section(identity, title, *texts) for identity, title, texts in parts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy([library, SCRIPT])}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(content.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escaped(content.title)}</h1>
<div class="sub">{escaped(content.subtitle)}</div>
<p class="alert" id="script-problem" hidden></p>
<noscript><p class="alert">The figures are drawn by a script in this page, which this reader does not run. The tables hold
every figure all the same.</p></noscript>
{sections.cards(content)}
<nav>{links}</nav>
{body}
<script>{library}</script>
<script>{SCRIPT}</script>
</body>
</html>
""".encode("utf-8")
