"""The sections of the page, each as its parts. What a source does not hold is said in one sentence, with the command that makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from . import figures, markup
from .content import Content, counted
from .figures import BOOTS_SIDE_BY_SIDE, Drawn, Timeline
from .flights import DEADLINE, At, Load
from .latency import Row, Series, view_of
from .markup import Cell, badge, paragraph, table

MOST_ROWS, MOST_OPEN = 200, 12
Section = tuple[str, str, list[str]]
Draw = Callable[[Drawn], str]
FLIGHT_COMMAND = "skua-flight --report FILE --trace FILE"


def cards(content: Content) -> str:
    shown = "".join(markup.card(card.level, card.title, card.value, card.detail) for card in content.cards())
    return f'<div class="cards">{shown}</div>'


def all_sections(content: Content, draw: Draw) -> list[Section]:
    return [("verdicts", "What happened", verdicts(content)),
            ("misses", "Deadlines and frames without a result", misses(content)),
            ("timeline", "Timeline", timeline(content, draw)),
            ("latencies", "Latencies", latencies(content, draw)),
            ("thermal", "Thermal state", thermal(content)),
            ("gates", "Gates and loading", gates(content, draw)),
            ("bench", "Bench", bench(content, draw)),
            ("warnings", "Other warnings and errors", warnings(content)),
            ("versions", "Versions, device and arithmetic", versions(content)),
            ("sources", "What this page was made from", sources(content))]


def missing(text: str) -> str:
    return paragraph(text, "missing")


def caption(*texts: str) -> str:
    return paragraph(" ".join(text for text in texts if text), "caption")


def _when(content: Content, at: At) -> list[Cell]:
    """UTC, and the second on the timeline, with its boot where there are several."""
    boot = f" (boot {at.boot + 1})" if len(content.recording.boots) > 1 else ""
    return [at.ts[:23] + "Z", f"{at.seconds:.2f}{boot}"]


def _bounded(rows: list[list[Cell]]) -> tuple[list[list[Cell]], str]:
    """The first and the last ones, and a sentence for those between."""
    if len(rows) <= MOST_ROWS:
        return rows, ""
    half = MOST_ROWS // 2
    return rows[:half] + rows[-half:], paragraph(f"{len(rows) - MOST_ROWS} rows in the middle are left out here; "
                                                 "`skua recorder dump` prints them all.", "missing")


def _ms(value: float | None) -> str:
    if value is None:
        return "not told"
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


# ---- what happened -----------------------------------------------------------------------------------------------

def verdicts(content: Content) -> list[str]:
    parts = [paragraph(note, "alert") for note in content.latencies.notes]
    rows: list[list[Cell]] = [[*_when(content, v.at), badge(v.level, v.what), v.subject, v.detail]
                              for v in content.story.verdicts]
    if rows:
        shown, rest = _bounded(rows)
        parts += [table(("time (UTC)", "t, s", "verdict", "set or file", "with"), shown, (1,), (0, 3)), rest]
    else:
        parts.append(missing("The recorder holds no verdict: no engine was made ready or refused and no flight begun in what "
                             "is left of it."))
    if content.given.log is None and any(v.level == "bad" for v in content.story.verdicts):
        parts.append(missing("The recorder keeps the reason code of a refusal, not its message (expected, found, remedy): give "
                             "the program's log with --log LOG."))
    return parts + _flight_table(content)


def _flight_table(content: Content) -> list[str]:
    rows: list[list[Cell]] = []
    for flight in content.story.flights:
        counts = [str(flight.counts[key]) if flight.counts else "not told" for key in ("frame", "no_result", "late", "missed")]
        begun = _when(content, flight.begun) if flight.begun else ["lost", ""]
        ended = f"{flight.ended.seconds:.2f}" if flight.ended else "no end recorded"
        is_shown = "this page's" if flight is content.latencies.flight else ""
        rows.append([*begun, ended, flight.set_id, flight.phase, str(flight.start_count or ""), flight.cause, *counts, is_shown])
    if not rows:
        return [missing("No flight was begun: nothing of a frame loop is in this recorder.")]
    heads = ("begun (UTC)", "begun, s", "ended, s", "set", "phase", "start", "cause of the end", "frames", "no result", "late",
             "slots missed", "")
    return ["<h3>Flights</h3>", table(heads, rows, (1, 2, 5, 7, 8, 9, 10)),
            caption("Phase F2: take-off, F8: reboot in flight. A flight without an end was killed, lost its power or its device, "
                    "or is going on.")]


# ---- deadlines ---------------------------------------------------------------------------------------------------

def misses(content: Content) -> list[str]:
    failures = content.story.failures
    runs = Counter((f.where, f.reason) for f in failures if not f.is_frame)
    frames = Counter((f.where, f.reason) for f in failures if f.is_frame)
    rows: list[list[Cell]] = []
    rows += [["recorder", "run", where, reason, str(count)] for (where, reason), count in sorted(runs.items())]
    rows += [["recorder", "frame", where, reason, str(count)] for (where, reason), count in sorted(frames.items())]
    if content.given.report:
        rows += [["flight report", "frame", "", reason, str(count)]
                 for reason, count in sorted(content.given.report.no_result.items())]
    if content.given.trace:
        lines = Counter((f.stage, f.reason) for f in content.given.trace.frames if f.reason)
        rows += [["trace", "frame", stage, reason, str(count)] for (stage, reason), count in sorted(lines.items())]
    parts = []
    if rows:
        parts.append(table(("told by", "what", "backbone or stage", "reason", "count"), rows, (4,)))
        parts.append(caption("A frame that misses its deadline may be several runs: every pair that was still to be matched "
                             "tells its own. The recorder counts all flights that it holds, report and trace count one."))
    else:
        parts.append(paragraph("No run failed and no frame was dropped in what the recorder holds."))
    if not content.given.report and not content.given.trace:
        parts.append(missing(f"Frames as the flight counted them are not known: `{FLIGHT_COMMAND}` writes them, for "
                             "--flight-report and --trace."))
    return parts + _compare(content)


def _compare(content: Content) -> list[str]:
    """The same count from two sources, told where it differs."""
    report, flight = content.given.report, content.latencies.flight
    if report is None or flight is None or flight.begun is None:
        return []
    told = sum(f.is_frame and f.reason == DEADLINE and f.at.boot == flight.begun.boot
               and flight.begun.seconds <= f.at.seconds <= (flight.ended.seconds if flight.ended else f.at.seconds)
               for f in content.story.failures)
    expected = report.no_result.get(DEADLINE, 0)
    if told == expected:
        return []
    return [paragraph(f"The flight report counts {expected} frames that missed their deadline, the recorder tells {told} for the "
                      "same flight: records were lost, or dropped by a full queue.", "alert")]


# ---- timeline, latencies -----------------------------------------------------------------------------------------

def timeline(content: Content, draw: Draw) -> list[str]:
    parts, boots = [], list(range(len(content.recording.boots)))
    placed = [s for s in content.latencies.series if s.boot is not None]
    flight = content.latencies.flight
    boot_of_trace = flight.begun.boot if flight and flight.begun else None
    for first in range(0, len(boots), BOOTS_SIDE_BY_SIDE):
        shown = Timeline(content.recording, boots[first:first + BOOTS_SIDE_BY_SIDE])
        shown.add_latency(placed, content.dropped() if boot_of_trace is not None else [], boot_of_trace)
        shown.add_thermal(content.story)
        shown.add_events(content.story)
        parts.append(draw(shown.drawn(f"timeline-{first // BOOTS_SIDE_BY_SIDE + 1}", _zoom(content))))
    parts.append(caption(
        "Time runs on the monotonic clock.", _boots_text(content), _zoom_text(content),
        "Frames of a trace stand where their slot was due, good to some tens of milliseconds; a slot without a frame is a hole "
        "in the line." if boot_of_trace is not None else "", _view_text(placed),
        "Shading: how long a thermal state was told; temperatures are known at transitions alone." if content.story.transitions
        else "No thermal transition was recorded, so that no temperature is known.",
        content.facts.sentence(content.networks(), content.set_id) if placed else ""))
    if not placed:
        parts.append(missing("No latency can be placed in time: the recorder keeps none. "
                             f"`{FLIGHT_COMMAND}` writes them; give both, with --flight-report and --trace, or give the DEBUG log "
                             "of a program that calls infer() with per_frame_debug_log, with --log."))
    return parts


def _view_text(series: list[Series]) -> str:
    shown = [entry for entry in series if entry.stage in figures.SHOWN_STAGES]
    lowest = view_of(shown)[0] if shown else 0.0
    below = sum(value < lowest for entry in shown for value in entry.ms)
    return (f"{below} latencies lie below what is shown at first, most often runs that were given up at once; a double click shows "
            "all." if below else "")


def _zoom(content: Content) -> dict[int, tuple[float, float]]:
    flight = content.latencies.flight
    if flight is None or flight.begun is None:
        return {}
    boot = content.recording.boots[flight.begun.boot]
    begin = flight.load.at.seconds if flight.load else flight.begun.seconds
    end = flight.ended.seconds if flight.ended else boot.length_s
    return {flight.begun.boot: (begin, end)} if end - begin < 0.5 * boot.length_s else {}


def _zoom_text(content: Content) -> str:
    return "The reported flight is shown; a double click shows the whole boot." if _zoom(content) else ""


def _boots_text(content: Content) -> str:
    boots = content.recording.boots
    if len(boots) == 1:
        return "All records are of one boot."
    gaps = [(after.records[0].utc_us - before.records[-1].utc_us) / 1e6 for before, after in zip(boots, boots[1:])]
    told = ", ".join(f"{gap:.0f} s" for gap in gaps)
    how = "Boots are guessed: a dump does not tell them; the clock fell back there. " if content.recording.is_dump else ""
    return (f"{how}{len(boots)} boots stand one after the other, each on its own clock; what lies between them is not drawn to "
            f"scale (by the wall clock: {told}).")


def latencies(content: Content, draw: Draw) -> list[str]:
    rows = content.latencies.rows
    if not rows:
        return [missing(f"No latency is known: the recorder keeps none. `{FLIGHT_COMMAND}` writes percentiles and a line a frame, "
                        "for --flight-report and --trace.")]
    parts = []
    if any(row.stage in figures.SHOWN_STAGES for row in rows):
        parts.append(draw(figures.percentile_figure(rows)))
    heads = ("stage (backbone)", "count", "mean", "p50", "p95", "p99", "max", "computed from")
    parts.append(table(heads, [_row(row) for row in rows], range(1, 7)))
    parts.append(caption("Milliseconds. A backbone's figure is all of its runs within one frame, inside the runtime; frame: from "
                         "its beginning to its answer; own: the frame without all runs; acquire: reading the picture before the "
                         "frame is due.", content.facts.sentence(content.networks(), content.set_id)))
    unplaced = [s for s in content.latencies.series if s.boot is None and s.stage in figures.SHOWN_STAGES]
    if unplaced:
        frames = content.given.trace.frames if content.given.trace else []
        parts.append(draw(figures.frames_figure(unplaced, content.dropped(), throttled_frames(
            [(frame.number, frame.is_throttled) for frame in frames]))))
        parts.append(caption("Over frame numbers; shading: thermal_state() said throttled, as the trace tells of each frame.",
                             _view_text(unplaced),
                             content.facts.sentence(content.networks(), content.set_id)))
    return parts


ORIGINS = {"trace": "trace, every frame", "report": "flight report, histogram (at most 1/64 above)", "log": "log, every call"}


def _row(row: Row) -> list[Cell]:
    return [row.label, str(row.count), *map(_ms, (row.mean_ms, row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)),
            ORIGINS[row.origin]]


def throttled_frames(frames: list[tuple[int, bool]]) -> list[tuple[float, float]]:
    """Stretches of frames that were throttled, half a frame wider on both sides."""
    found: list[tuple[float, float]] = []
    for number, is_throttled in frames:
        if not is_throttled:
            continue
        if found and found[-1][1] >= number - 0.5:
            found[-1] = (found[-1][0], number + 0.5)
        else:
            found.append((number - 0.5, number + 0.5))
    return found


# ---- thermal, gates ----------------------------------------------------------------------------------------------

def thermal(content: Content) -> list[str]:
    named = sorted({load.thermal_source for load in content.story.loads})
    source = f"Source: {', '.join(named)}." if named else "No load is recorded, which would name the source."
    parts = []
    if content.story.transitions:
        rows: list[list[Cell]] = [
            [*_when(content, t.at), t.previous, t.state, *(f"{v:.1f}" if v is not None else "not measured" for v in
                                                           (t.gpu_temp_c, t.cpu_temp_c)),
             f"{t.clock_mhz:.0f}" if t.clock_mhz else "not measured"] for t in content.story.transitions]
        shown, rest = _bounded(rows)
        parts += [table(("time (UTC)", "t, s", "from", "to", "GPU, C", "CPU, C", "clock, MHz"), shown, (1, 4, 5, 6), (0,)), rest]
        parts.append(caption(f"Throttled for {content.story.throttled_s():.1f} s in all.", source,
                             "A first reading that is normal is not told, and nothing between two transitions is recorded."))
    else:
        parts.append(paragraph(f"The recorder holds no thermal transition: no throttle began and no telemetry was lost. {source}"))
    report = content.given.report
    if report:
        parts.append(paragraph(f"Of {report.frames} frames {report.throttled} were flown with fewer candidates because "
                               "thermal_state() said throttled (flight report)."))
    return parts


def gates(content: Content, draw: Draw) -> list[str]:
    load = content.load
    if load is None:
        return [missing("No load is recorded (c7.engines_ready): the set was refused, or its record was lost or made room. "
                        "`skua-flight --report FILE` has the times as well.")]
    parts = [draw(figures.gate_figure(load))] if load.engines else [missing("The times of the engines cannot be read.")]
    sizes = {engine.model: engine.size_bytes for engine in content.given.report.engines} if content.given.report else {}
    rows: list[list[Cell]] = [
        [engine.model, _size(sizes.get(engine.model)), *map(_ms, (engine.verify_ms, engine.deserialize_ms, engine.warm_up_ms,
                                                                   engine.golden_ms))] for engine in load.engines]
    parts.append(table(("engine", "size", "verify (read and hash), ms", "deserialise, ms", "warm up, ms", "golden check, ms"), rows,
                       range(1, 6)))
    parts.append(caption(_load_text(content, load), content.facts.sentence([e.model for e in load.engines], load.set_id)))
    return parts


def _size(size: int | None) -> str:
    return "not told" if size is None else f"{size / 1e6:.2f} MB"


def _load_text(content: Content, load: Load) -> str:
    others = len(content.story.loads) - 1
    total = f"{load.total_ms:.0f} ms in all" if load.total_ms is not None else "all in a time that is not told"
    ready = ""
    report = content.given.report
    if report and content.latencies.flight and content.latencies.flight.load is load:
        ready = f" From the program's start to the first frame: {report.ready_ms:.0f} ms (flight report)."
    more = f" Above stand{'s' if others == 1 else ''} {counted(others, 'other load')}." if others else ""
    return f"Set {load.set_id}, {total}. Steps of several engines overlap: their sum may be larger.{ready}{more}"


# ---- bench -------------------------------------------------------------------------------------------------------

def bench(content: Content, draw: Draw) -> list[str]:
    given = content.given.bench
    if given is None:
        return [missing("No figures of a bench were given: `skua bench SET_DIR --output-dir DIR` or `make bench` writes them; name "
                        "the JSON behind the recorder.")]
    parts = []
    ratios = [figure for figure in given.figures if figure.unit == "ratio" and figure.value is not None]
    if ratios:
        parts.append(draw(figures.ratio_figure(ratios[:60])))
        parts.append(caption("Ratios with their bounds, as each line says below." +
                             (f" The first 60 of {len(ratios)}." if len(ratios) > 60 else ""),
                             "Device and arithmetic stand in the note of each line."))
    rows: list[list[Cell]] = []
    for f in given.figures:
        kind = "95 %" if f.is_bounded else "range"
        bounds = f"{_plain(f.lower)} to {_plain(f.upper)} ({kind})" if f.lower is not None and f.upper is not None else ""
        verdict = badge("good" if f.verdict == "reached" else "bad", f.verdict) if f.verdict else ""
        note = f.note if "device" in f.note else f"{f.note + '; ' if f.note else ''}device and arithmetic not told"
        rows.append([f.group, f.name, f"{_plain(f.value)} {f.unit}", bounds, f.asked, verdict, note])
    lines = table(("group", "figure", "median", "bounds", "asked", "verdict", "note"), rows, (2,))
    parts.append(f"<details{' open' if len(rows) <= MOST_OPEN else ''}><summary>{len(rows)} figures</summary>{lines}</details>")
    return parts + [paragraph("Measured on: " + "; ".join(f"{key} {value}" for key, value in given.machine.items()) + ".", "caption")]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


# ---- the rest ----------------------------------------------------------------------------------------------------

def warnings(content: Content) -> list[str]:
    others = content.story.others
    if not others:
        return [paragraph("None is recorded.")]
    kinds = Counter(kind for _, kind, _, _ in others)
    totals = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
    rows: list[list[Cell]] = [[*_when(content, at), kind, level, text] for at, kind, level, text in others]
    shown, rest = _bounded(rows)
    return [paragraph(totals), table(("time (UTC)", "t, s", "kind", "level", "what it says"), shown, (1,), (0, 2)), rest]


def versions(content: Content) -> list[str]:
    manifest, parts = content.given.manifest, []
    if manifest is None:
        parts.append(missing("The recorder keeps no version: give the manifest of the set, --manifest SET_DIR, for Skua's build, "
                             "host, SDK, device and arithmetic."))
    else:
        host = ", ".join(f"{key} {value}" for key, value in manifest.host.items() if value not in ("", "0"))
        parts.append(table(("what", "value"), [
            ("set", f"{manifest.set_id}, release sequence {manifest.release_sequence}, made {manifest.created}"),
            ("runtime", manifest.runtime), ("provisioned by", manifest.builder), ("for the host", host or "not recorded")]))
        parts.append(table(("network", "precision", "device", "arithmetic", "SDK", "file", "SHA-256"), [
            (e.name, e.precision, e.device, e.arithmetic, e.sdk_version, e.file, e.sha256) for e in manifest.engines]))
        parts.append(caption("From the manifest that was given; its signature was not looked at here. The set's id is the one that "
                             "recorder or report name."))
    models = content.networks() or ([e.name for e in manifest.engines] if manifest else [])
    return parts + [paragraph(content.facts.sentence(models, content.set_id))]


def sources(content: Content) -> list[str]:
    files = [*content.recording.sources, *content.given.sources]
    parts = [table(("role", "file", "bytes", "SHA-256"), [(s.role, s.name, str(s.size_bytes), s.sha256) for s in files], (2,))]
    if content.recording.damage:
        rows: list[list[Cell]] = [[d.file, str(d.begin), str(d.end), d.kind] for d in content.recording.damage]
        shown, rest = _bounded(rows)
        parts += ["<h3>Lost records</h3>", table(("file", "from byte", "to byte", "kind"), shown, (1, 2)), rest,
                  caption("Bytes that gave no record. incomplete_tail: a write that was cut, which is normal after a power cut, or is "
                          "going on. What was lost there is in no figure of this page.")]
    elif content.recording.is_dump:
        parts.append(missing("A dump does not tell what was damaged: give the segments themselves."))
    else:
        parts.append(paragraph("Nothing in the segments is damaged."))
    return parts
