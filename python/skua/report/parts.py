"""What sections are put together from."""

from __future__ import annotations

from .content import Content
from .flights import At
from .markup import Cell, paragraph

MOST_ROWS, MOST_OPEN, MOST_RATIOS = 200, 12, 60
FLIGHT_COMMAND = "skua-flight --report FILE --frame-lines FILE"


def missing(text: str) -> str:
    return paragraph(text, "missing")


def caption(*texts: str) -> str:
    return paragraph(" ".join(text for text in texts if text), "caption")


def when(content: Content, at: At) -> list[Cell]:
    """UTC, and the second on the timeline, with its boot where there are several."""
    boot = f" (boot {at.boot + 1})" if len(content.recording.boots) > 1 else ""
    return [at.ts[:23] + "Z", f"{at.seconds:.2f}{boot}"]


def bounded(rows: list[list[Cell]]) -> tuple[list[list[Cell]], str]:
    """The first and the last ones, and a sentence for those between."""
    if len(rows) <= MOST_ROWS:
        return rows, ""
    half = MOST_ROWS // 2
    return rows[:half] + rows[-half:], missing(f"{len(rows) - MOST_ROWS} rows in the middle are left out here; "
                                               "`skua recorder dump` prints them all.")


def ms(value: float | None) -> str:
    if value is None:
        return "not told"
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"
