"""The sections of the page, each as its parts. What a source does not hold is said in one sentence, with the command that
makes it."""

from __future__ import annotations

from collections import Counter

from . import drawn_sections, markup
from .content import Content
from .drawn_sections import Draw
from .flights import DEADLINE
from .markup import Cell, badge, paragraph, table
from .parts import FLIGHT_COMMAND, bounded, caption, missing, when

Section = tuple[str, str, list[str]]


def cards(content: Content) -> str:
    shown = "".join(markup.card(card.level, card.title, card.value, card.detail) for card in content.cards())
    return f'<div class="cards">{shown}</div>'


def all_sections(content: Content, draw: Draw) -> list[Section]:
    return [("verdicts", "What happened", verdicts(content)),
            ("misses", "Deadlines and frames without a result", misses(content)),
            ("timeline", "Timeline", drawn_sections.timeline(content, draw)),
            ("latencies", "Latencies", drawn_sections.latencies(content, draw)),
            ("thermal", "Thermal state", thermal(content)),
            ("gates", "Gates and loading", drawn_sections.gates(content, draw)),
            ("bench", "Bench", drawn_sections.bench(content, draw)),
            ("warnings", "Other warnings and errors", warnings(content)),
            ("versions", "Versions, device and arithmetic", versions(content)),
            ("sources", "What this page was made from", sources(content))]


# ---- what happened -----------------------------------------------------------------------------------------------

def verdicts(content: Content) -> list[str]:
    parts = [paragraph(note, "alert") for note in content.latencies.notes]
    rows: list[list[Cell]] = [[*when(content, v.at), badge(v.level, v.what), v.subject, v.detail]
                              for v in content.story.verdicts]
    if rows:
        shown, rest = bounded(rows)
        parts += [table(("time (UTC)", "t, s", "verdict", "set or file", "with"), shown, (1,), (0, 3)), rest]
    else:
        parts.append(missing("The recorder holds no verdict: in what is left of it no engine was made ready or refused "
                             "and no flight begun."))
    if content.given.log is None and any(v.level == "bad" for v in content.story.verdicts):
        parts.append(missing("The recorder keeps the reason code of a refusal, not its message (expected, found, remedy): "
                             "give the program's log with --log LOG."))
    return parts + _flight_table(content)


def _flight_table(content: Content) -> list[str]:
    rows: list[list[Cell]] = []
    for flight in content.story.flights:
        keys = ("frame", "no_result", "late", "missed")
        counts = [str(flight.counts[key]) if flight.counts else "not told" for key in keys]
        begun = when(content, flight.begun) if flight.begun else ["lost", ""]
        ended = f"{flight.ended.seconds:.2f}" if flight.ended else "no end recorded"
        is_shown = "this page's" if flight is content.latencies.flight else ""
        start = str(flight.start_count or "")
        rows.append([*begun, ended, flight.set_id, flight.phase, start, flight.cause, *counts, is_shown])
    if not rows:
        return [missing("No flight was begun: nothing of a frame loop is in this recorder.")]
    heads = ("begun (UTC)", "begun, s", "ended, s", "set", "phase", "start", "cause of the end", "frames", "no result",
             "late", "slots missed", "")
    return ["<h3>Flights</h3>", table(heads, rows, (1, 2, 5, 7, 8, 9, 10), (0, 3)),
            caption("Phase F2: take-off, F8: reboot in flight. A flight without an end was killed, lost its power or its "
                    "device, or is going on.")]


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
    if content.given.frame_lines:
        lines = Counter((f.stage, f.reason) for f in content.given.frame_lines.frames if f.reason)
        rows += [["frame lines", "frame", stage, reason, str(count)] for (stage, reason), count in sorted(lines.items())]
    parts = []
    if rows:
        parts.append(table(("told by", "what", "backbone or stage", "reason", "count"), rows, (4,)))
        parts.append(caption("A frame that misses its deadline may be several runs: every pair that was still to be "
                             "matched tells its own. The recorder counts all flights that it holds, report and frame lines "
                             "count one."))
    else:
        parts.append(paragraph("No run failed and no frame was dropped in what the recorder holds."))
    if not content.given.report and not content.given.frame_lines:
        parts.append(missing(f"Frames as the flight counted them are not known: `{FLIGHT_COMMAND}` writes them, for "
                             "--flight-report and --frame-lines."))
    return parts + _compare(content)


def _compare(content: Content) -> list[str]:
    """The same count from two sources, told where it differs."""
    report, flight = content.given.report, content.latencies.flight
    if report is None or flight is None or flight.begun is None:
        return []
    boot, begin = flight.begun.boot, flight.begun.seconds
    end = flight.ended.seconds if flight.ended else content.recording.boots[boot].length_s
    told = sum(f.is_frame and f.reason == DEADLINE and f.at.boot == boot and begin <= f.at.seconds <= end
               for f in content.story.failures)
    counted = report.no_result.get(DEADLINE, 0)
    if told == counted:
        return []
    return [paragraph(f"The flight report counts {counted} frames that missed their deadline, the recorder tells {told} "
                      "for the same flight: records were lost, or dropped by a full queue.", "alert")]


# ---- the rest ----------------------------------------------------------------------------------------------------

def thermal(content: Content) -> list[str]:
    named = sorted({load.thermal_source for load in content.story.loads})
    source = f"Source: {', '.join(named)}." if named else "No load is recorded, which would name the source."
    parts = []
    if content.story.transitions:
        rows: list[list[Cell]] = [
            [*when(content, t.at), t.previous, t.state, _measured(t.gpu_temp_c, 1), _measured(t.cpu_temp_c, 1),
             _measured(t.clock_mhz, 0)] for t in content.story.transitions]
        shown, rest = bounded(rows)
        heads = ("time (UTC)", "t, s", "from", "to", "GPU, C", "CPU, C", "clock, MHz")
        parts += [table(heads, shown, (1, 4, 5, 6), (0,)), rest]
        parts.append(caption(f"Throttled for {content.story.throttled_s():.1f} s in all.", source,
                             "A first reading that is normal is not told, and nothing between two transitions is "
                             "recorded."))
    else:
        parts.append(paragraph("The recorder holds no thermal transition: no throttle began and no telemetry was lost. "
                               + source))
    report = content.given.report
    if report:
        parts.append(paragraph(f"Of {report.frames} frames {report.throttled} were flown with fewer candidates because "
                               "thermal_state() said throttled (flight report)."))
    return parts


def _measured(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def warnings(content: Content) -> list[str]:
    others = content.story.others
    if not others:
        return [paragraph("None is recorded.")]
    kinds = Counter(kind for _, kind, _, _ in others)
    totals = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
    rows: list[list[Cell]] = [[*when(content, at), kind, level, text] for at, kind, level, text in others]
    shown, rest = bounded(rows)
    heads = ("time (UTC)", "t, s", "kind", "level", "what it says")
    return [paragraph(totals), table(heads, shown, (1,), (0, 2)), rest]


def versions(content: Content) -> list[str]:
    manifest, parts = content.given.manifest, []
    if manifest is None:
        parts.append(missing("The recorder keeps no version: give the manifest of the set, --manifest SET_DIR, for Skua's "
                             "build, host, SDK, device and arithmetic."))
    else:
        host = ", ".join(f"{key} {value}" for key, value in manifest.host.items() if value not in ("", "0"))
        parts.append(table(("what", "value"), [
            ("set", f"{manifest.set_id}, release sequence {manifest.release_sequence}, made {manifest.created}"),
            ("runtime", manifest.runtime), ("provisioned by", manifest.builder), ("for the host", host or "not recorded")]))
        parts.append(table(("network", "precision", "device", "arithmetic", "SDK", "file", "SHA-256"), [
            (e.name, e.precision, e.device, e.arithmetic, e.sdk_version, e.file, e.sha256) for e in manifest.engines]))
        parts.append(caption("From the manifest that was given; its signature was not looked at here. The set's id is the "
                             "one that recorder or report name."))
    models = content.networks() or ([e.name for e in manifest.engines] if manifest else [])
    return parts + [paragraph(content.facts.sentence(models, content.set_id))]


def sources(content: Content) -> list[str]:
    files = [*content.recording.sources, *content.given.sources]
    rows: list[list[Cell]] = [[s.role, s.name, str(s.size_bytes), s.sha256] for s in files]
    parts = [table(("role", "file", "bytes", "SHA-256"), rows, (2,))]
    if content.recording.damage:
        shown, rest = bounded([[d.file, str(d.begin), str(d.end), d.kind] for d in content.recording.damage])
        parts += ["<h3>Lost records</h3>", table(("file", "from byte", "to byte", "kind"), shown, (1, 2)), rest,
                  caption("Bytes that gave no record. incomplete_tail: a write that was cut, which is normal after a power "
                          "cut, or is going on. What was lost there is in no figure of this page.")]
    elif content.recording.is_dump:
        parts.append(missing("A dump does not tell what was damaged: give the segments themselves."))
    else:
        parts.append(paragraph("Nothing in the segments is damaged."))
    return parts
