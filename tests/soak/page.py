"""The one page of a soak: what was done when, what the flight did, what held. Needs nothing but itself; no script."""

from __future__ import annotations

import html

from .ledger import STATEMENTS
from .plan import KINDS

WIDTH, LEFT, RIGHT = 1100, 150, 20
COLOURS = {"picture": "#8a8a8a", "run": "#B00020", "telemetry": "#E69F00", "other": "#0072B2", "end": "#222222"}
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1180px; margin: 0 auto; padding: 20px; }
h1 { font-size: 25px; margin: 0; } h2 { font-size: 19px; margin: 30px 0 6px; border-bottom: 2px solid #ddd; }
.sub, .caption { color: #555; } .caption { font-size: 13px; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; } th, td { text-align: left; padding: 3px 12px 3px 0;
border-bottom: 1px solid #e6e6e6; vertical-align: top; } .number { text-align: right; }
.good { color: #00704f; font-weight: 600; } .bad { color: #B00020; font-weight: 600; }
.problem { background: #fbe9ec; border-left: 4px solid #B00020; padding: 4px 10px; margin: 4px 0; overflow-wrap: anywhere; }
svg { display: block; } svg text { font: 11px system-ui, sans-serif; fill: #444; }
"""


def colour(kind: str) -> str:
    if kind.startswith("picture"):
        return COLOURS["picture"]
    if kind in ("launch_error", "wait_error", "out_of_memory", "hang"):
        return COLOURS["run"]
    if kind.startswith("telemetry") or kind == "throttle":
        return COLOURS["telemetry"]
    return COLOURS["end"] if kind in ("device_lost", "kill", "restart") else COLOURS["other"]


class Chart:
    """A picture over the seconds of the soak."""

    def __init__(self, seconds: float, height: int, label: str) -> None:
        self.seconds, self.height = max(seconds, 1.0), height
        self.parts: list[str] = []
        self.label = label
        step = next(s for s in (5, 10, 30, 60, 120, 300, 600, 1800, 3600, 86400) if self.seconds / s <= 16)
        for at in range(0, int(self.seconds) + 1, step):
            x = self.x(at)
            self.parts.append(f'<line x1="{x:.1f}" y1="4" x2="{x:.1f}" y2="{height - 18}" stroke="#eee"/>'
                              f'<text x="{x:.1f}" y="{height - 4}" text-anchor="middle">{at} s</text>')

    def x(self, at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(at / self.seconds, 1.0)

    def text(self, y: float, words: str) -> None:
        self.parts.append(f'<text x="{LEFT - 8}" y="{y:.1f}" text-anchor="end">{html.escape(words)}</text>')

    def bar(self, begin: float, end: float, y: float, fill: str, title: str) -> None:
        width = max(self.x(end) - self.x(begin), 2.5)
        self.parts.append(f'<rect x="{self.x(begin):.1f}" y="{y:.1f}" width="{width:.1f}" height="11" fill="{fill}">'
                          f'<title>{html.escape(title)}</title></rect>')

    def dots(self, points: list[tuple[float, float]], fill: str, radius: float) -> None:
        path = "".join(f"M{self.x(at):.1f},{y:.1f}h0" for at, y in points)
        self.parts.append(f'<path d="{path}" stroke="{fill}" stroke-width="{2 * radius}" stroke-linecap="round"/>')

    def line(self, points: list[tuple[float, float]], stroke: str) -> None:
        path = " ".join(f"{self.x(at):.1f},{y:.1f}" for at, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="1.5"/>')

    def svg(self) -> str:
        return (f'<div class="wide"><svg width="{WIDTH}" height="{self.height}" role="img" '
                f'aria-label="{html.escape(self.label)}">{"".join(self.parts)}</svg></div>')


def timeline(told: dict) -> str:
    """A row for the lives, and one for each kind of fault."""
    chart = Chart(told["seconds"], 18 * (len(KINDS) + 1) + 30, "what was done when")
    chart.text(14, "in flight")
    for life in told["lives"]:
        words = f"life {life['number']}, {life['phase']}, ended by {life['ending']}, status {life['status']}"
        ready = life["ready"] or life["ended"]  # it may never have been
        chart.bar(life["started"], ready, 5, "#cccccc", words + " (start)")
        if life["ready"]:
            chart.bar(ready, life["ended"], 5, "#009E73" if life["phase"] == "F2" else "#56B4E9", words)
    for row, kind in enumerate(KINDS, 1):
        chart.text(18 * row + 14, kind)
        for life in told["lives"]:
            for found, begin, end in life["faults"]:
                if found == kind:
                    chart.bar(begin, end, 18 * row + 5, colour(kind), f"{KINDS[kind]}: {begin:.1f} s to {end:.1f} s")
    return chart.svg()


def latency(told: dict) -> str:
    chart = Chart(told["seconds"], 230, "time of each frame")
    deadline = told["deadline_ms"]
    most = 1.15 * max([deadline, *(ms for life in told["lives"] for _, ms, _ in life["frames"])])

    def y(ms: float) -> float:
        return 205 - 195 * ms / most

    for value in (0.0, deadline / 2, deadline):
        chart.text(y(value) + 4, f"{value:.0f} ms" + (" deadline" if value == deadline else ""))
        chart.line([(0, y(value)), (told["seconds"], y(value))], "#B00020" if value == deadline else "#eee")
    frames = [frame for life in told["lives"] for frame in life["frames"]]
    chart.dots([(at, y(ms)) for at, ms, reason in frames if not reason], "#0072B2", 1.4)
    chart.dots([(at, y(ms)) for at, ms, reason in frames if reason], "#D55E00", 2.0)
    return chart.svg()


def memory(told: dict) -> str:
    chart = Chart(told["seconds"], 190, "memory of the process")
    most = max((kib for life in told["lives"] for _, kib in life["memory"]), default=1) * 1.1
    for value in (0, most / 2, most):
        chart.text(165 - 155 * value / most + 4, f"{value / 1024:.0f} MiB")
    for life in told["lives"]:
        chart.line([(at, 165 - 155 * kib / most) for at, kib in life["memory"]], "#009E73")
    return chart.svg()


def table(heads: list[str], rows: list[list[object]], numbers: tuple[int, ...] = ()) -> str:
    def cells(row: list, tag: str) -> str:
        return "".join(f'<{tag}{" class=number" if i in numbers else ""}>{cell}</{tag}>' for i, cell in enumerate(row))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>\n" for row in rows)
    return f'<div class="wide"><table><tr>{cells(heads, "th")}</tr>\n{body}</table></div>'


def verdict(is_good: bool) -> str:
    return '<span class="good">&#10003; held</span>' if is_good else '<span class="bad">&#10007; FAILED</span>'


def invariants(told: dict) -> str:
    rows = [[name, html.escape(STATEMENTS[name]), count["checks"], count["violations"],
             verdict(count["checks"] > 0 and not count["violations"])] for name, count in told["invariants"].items()]
    return table(["invariant", "statement", "checks", "violations", ""], rows, (2, 3))


def figures(told: dict) -> str:
    lost = ", ".join(f"{reason} {count}" for reason, count in told["no_result"].items()) or "none"
    rows = [["frames", f"{told['frames']}, of them {told['positions']} with a position"],
            ["without a result", html.escape(lost)], ["slots missed", told["missed"]],
            ["without a result because the machine was busy", told["slow"]],
            ["frame with a position", ", ".join(f"{name} {ms} ms" for name, ms in told["frame_ms"].items())],
            ["start to ready", f"p50 {told['ready_s']['p50']} s, max {told['ready_s']['max']} s"],
            ["thermal change to its event",
             f"p50 {told['thermal_delay_s']['p50']} s, max {told['thermal_delay_s']['max']} s"],
            ["own memory", f"{told['memory_kib']['first'] / 1024:.1f} MiB at first, "
             f"{told['memory_kib']['most'] / 1024:.1f} MiB at most"]]
    return table(["figure", ""], rows)


def page_of(told: dict) -> str:
    is_good = not told["problems"]
    problems = "".join(f'<p class="problem">{html.escape(text)}</p>' for text in told["problems"])
    faults = table(["fault", "what", "times"], [[kind, html.escape(KINDS[kind]), count]
                                                for kind, count in told["faults"].items()], (2,))
    fast = " FAST=1" if told["rate_hz"] > 3 else ""
    command = f"make soak MINUTES={told['minutes']:g} SEED={told['seed']}{fast}"
    control = f" This is the control {told['control']}: it has to fail." if told["control"] else ""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Soak, seed {told['seed']}</title><style>{STYLE}</style></head><body>
<h1>Soak: {verdict(is_good)}</h1>
<p class="sub">{told['seconds']} s at {told['rate_hz']:g} Hz, {told['starts']} starts, {sum(told['faults'].values())} faults.
<b>{html.escape(told['what'])}.</b> Commit {html.escape(told['commit'])}; {html.escape(told['machine'])}.{control}
The same plan again: <code>{command}</code></p>
{problems}
<h2>What was done, and when</h2>{timeline(told)}
<p class="caption">Grey: a start. Green: a take-off (F2), blue: a reboot in flight (F8). Lost pictures lie beneath a full disk and
a log that stands, too: their warnings are what fills both.</p>
<h2>What held</h2>{invariants(told)}
<h2>What the flight did</h2>{figures(told)}
<h2>Time of each frame</h2>{latency(told)}
<p class="caption">Blue: with a position; orange: without a result. CPU figures; they say nothing of a Jetson.</p>
<h2>Memory of the process that is of no file</h2>{memory(told)}
<h2>Faults</h2>{faults}
</body></html>
"""
