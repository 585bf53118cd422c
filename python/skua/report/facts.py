"""Which device and arithmetic a figure is of, or that nobody told."""

from __future__ import annotations

from collections.abc import Iterable

from .files import ReportError
from .flights import Story
from .sources import Given, LogEntry

REMEDY = "give --manifest SET_DIR or --log LOG of that flight"


def _told_by_log(entry: LogEntry) -> tuple[str, str] | None:
    model, device, arithmetic = (entry.kv.get(key) for key in ("model", "device", "arithmetic"))
    if isinstance(model, str) and isinstance(device, str) and isinstance(arithmetic, str):
        return model, f"{device}, {arithmetic}"
    return None


class Facts:
    """What manifest and log say of each network. Refuses a manifest of a set that nobody flew here."""

    def __init__(self, given: Given, story: Story) -> None:
        known = story.set_ids() | ({given.report.set_id} if given.report else set())
        self.manifest = given.manifest
        if self.manifest and self.manifest.set_id not in known:
            sets = ", ".join(sorted(known)) or "no set"
            raise ReportError(f"the manifest is of set {self.manifest.set_id}, recorder and report name {sets}: give the "
                              "manifest of the set that flew")
        self.by_log: dict[str, list[str]] = {}
        for entry in given.log.entries if given.log else []:
            told = _told_by_log(entry) if entry.kind == "c7.engine_deserialized" else None
            if told and told[1] not in self.by_log.setdefault(told[0], []):
                self.by_log[told[0]].append(told[1])

    def of(self, model: str, set_id: str | None) -> str:
        """"cpu, fp16 (manifest, log)"; empty where nobody told. Sources that differ are both quoted."""
        told: dict[str, list[str]] = {}
        if self.manifest and self.manifest.set_id == set_id:
            for engine in self.manifest.engines:
                if engine.name == model:
                    told.setdefault(f"{engine.device}, {engine.arithmetic}", []).append("manifest")
        for text in self.by_log.get(model, []):
            told.setdefault(text, []).append("log")
        return "; ".join(f"{text} (told by {' and '.join(sources)})" for text, sources in told.items())

    def sentence(self, models: Iterable[str], set_id: str | None) -> str:
        """One sentence for a figure that shows these networks."""
        groups: dict[str, list[str]] = {}
        for model in dict.fromkeys(models):
            groups.setdefault(self.of(model, set_id), []).append(model)
        unknown = groups.pop("", [])
        parts = [f"{', '.join(names)}: {text}" for text, names in groups.items()]
        if unknown:
            parts.append(f"not told for {', '.join(unknown)}: {REMEDY}")
        if not parts:
            return f"Device and arithmetic: the files given name no network; {REMEDY}."
        return f"Device and arithmetic: {'; '.join(parts)}."
