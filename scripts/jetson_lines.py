"""What scripts/jetson_acceptance.sh left, and the lines of its report. Standard library only, Python 3.10."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PASS, FAIL, FIGURE, NOT_SHOWN = "pass", "FAIL", "figure", "not shown"
SIL = "sil, not TensorRT"


@dataclass(frozen=True)
class Line:
    section: str
    name: str
    verdict: str
    detail: str


def document(text: str) -> dict:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def records(text: str, kind: str) -> list[dict]:
    """Of a log, the records of one kind."""
    found = (document(line) for line in text.splitlines() if line.startswith("{"))
    return [record for record in found if record.get("kind") == kind]


class Steps:
    """What the steps left: exit statuses, JSON answers, reports of flights."""

    def __init__(self, out: Path):
        self.out, self.folder = out, out / "steps"

    def status(self, name: str) -> int | None:
        """None: the step did not run to an end."""
        file = self.folder / f"{name}.status"
        return int(file.read_text()) if file.exists() else None

    def why_no_status(self, name: str) -> str:
        return "was begun and interrupted" if (self.folder / f"{name}.out").exists() else "was not run"

    def text(self, name: str, kind: str = "out") -> str:
        file = self.folder / f"{name}.{kind}"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def answer(self, name: str) -> dict:
        return document(self.text(name))

    def names(self, prefix: str) -> list[str]:
        return sorted(file.name.removesuffix(".status") for file in self.folder.glob(f"{prefix}*.status"))

    def sets(self) -> list[str]:
        """The sets that were to be made, whatever became of them."""
        file = self.out / "sets.txt"
        return file.read_text().split() if file.exists() else []

    def left(self, name: str) -> dict:
        file = self.out / name
        return document(file.read_text()) if file.exists() else {}

    def reason(self, name: str) -> str:
        """Why a step failed: Skua's reason, else the last line that was written."""
        error = self.answer(name).get("error", {})
        if error:
            return f"{error['reason']}: {error['message']}"
        told = [*self.text(name).splitlines()[-1:], *self.text(name, "err").splitlines()[-1:]]
        limit = " (its time limit)" if self.status(name) in (124, 137) else ""
        return f"exit status {self.status(name)}{limit}: {' / '.join(told)}"


class Report:
    """Collects lines."""

    def __init__(self, steps: Steps, is_sil: bool):
        self.steps, self.is_sil, self.lines = steps, is_sil, []

    def add(self, section: str, name: str, is_good: bool | None, detail: str, of_device: bool = True) -> None:
        """`is_good`: None where nothing can be said. `of_device`: what a rehearsal can say nothing about."""
        if self.is_sil and of_device:
            is_good, detail = None, f"{SIL}: {detail}" if detail else SIL
        verdict = NOT_SHOWN if is_good is None else PASS if is_good else FAIL
        self.lines.append(Line(section, name, verdict, detail))

    def figure(self, section: str, name: str, detail: str) -> None:
        """What was measured, and is held to nothing."""
        if self.is_sil:
            self.add(section, name, None, detail)
        else:
            self.lines.append(Line(section, name, FIGURE, detail))

    def step(self, section: str, name: str, step: str, detail: str = "") -> bool:
        """A step that had to end well, in a rehearsal too. Returns whether it did."""
        status = self.steps.status(step)
        if status is None:
            self.add(section, name, None, self.steps.why_no_status(step), of_device=False)
        elif status == 0:
            self.add(section, name, True, detail)
        else:
            self.add(section, name, False, self.steps.reason(step), of_device=False)
        return status == 0
