"""The frame loop of python_flight.py: frames at their rate, each from picture to position by the consumers of tests/stack."""

from __future__ import annotations

import collections
import contextlib
import json
import pathlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from PIL import Image

from c4_pose import PoseEstimator
from protocol import KeypointSet, NoResult

LEAD_NS, LATE_NS = 20_000_000, 5_000_000
CALLS = ("vpr", "features", "rerank", "match", "adhop")  # of consumers that run a network


@dataclass(frozen=True)
class Settings:
    """The block `flight` of the configuration."""

    frames: pathlib.Path | None = None
    map: pathlib.Path | None = None
    rate_hz: float = 3.0
    deadline_ms: float = 400.0
    vpr_model: str = "ultravpr"
    features_model: str = "disk"
    adhop_model: str = "adhop"
    candidates: int = 10
    min_inliers: int = 12
    adhop_below_share: float = 0.5
    adhop_min_period_s: float = 1.0

    @staticmethod
    def read(document: dict[str, Any], frames: pathlib.Path | None) -> Settings:
        known = {entry.name for entry in fields(Settings)}
        block = {key: value for key, value in document.get("flight", {}).items() if key in known}
        paths = {key: pathlib.Path(block[key]) for key in ("frames", "map") if key in block}
        settings = Settings(**(block | paths))
        return settings if frames is None else replace(settings, frames=frames)


def read_picture(file: pathlib.Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("L"))


@dataclass(frozen=True)
class Tile:
    name: str
    x: float
    y: float
    picture: np.ndarray
    features: KeypointSet


class TileIndex:
    """Every tile of the map, described by the networks that look at the frames."""

    def __init__(self, folder: pathlib.Path, vpr: Any, matcher: Any) -> None:
        self.tiles, descriptors = [], []
        for entry in json.loads((folder / "map.json").read_text("utf-8"))["tiles"]:
            picture = read_picture(folder / entry["file"])
            descriptors.append(vpr.embed(picture))
            self.tiles.append(Tile(entry["file"], entry["x"], entry["y"], picture, matcher.extract(picture)))
        self._descriptors = np.stack(descriptors)

    def nearest(self, descriptor: np.ndarray, count: int) -> list[Tile]:
        order = np.argsort(-(self._descriptors @ descriptor), kind="stable")
        return [self.tiles[number] for number in order[:count]]


class FramePipeline:
    """One frame, from picture to position: C2, C2.5, C3, C3.5, C4."""

    def __init__(self, consumers: dict[str, Any], pose: PoseEstimator, index: TileIndex, settings: Settings) -> None:
        self._vpr, self._rerank = consumers["c2_vpr"], consumers["c2_5_rerank"]
        self._matcher, self._adhop = consumers["c3_matcher"], consumers.get("c3_5_adhop")
        self._pose, self._index, self._settings = pose, index, settings
        self._last_adhop_ns = 0

    def run(self, picture: np.ndarray, line: dict[str, Any], **options: Any) -> dict[str, Any]:
        """The position; adds to the frame's line what is found out on the way. NoResult: there is no position."""
        clock = _Stages(line["ms"])
        mode = self._pose.mode()
        line |= {"k": 0, "throttled": mode.is_throttled}
        with clock("vpr"):
            descriptor = self._vpr.embed(picture, **options)
        nearest = self._index.nearest(descriptor, self._settings.candidates)
        with clock("features"):
            features = self._matcher.extract(picture, **options)
        if len(features.keypoints) < self._settings.min_inliers:
            raise NoResult("no_position", "solve")
        with clock("rerank"):
            best = self._rerank.best(features, [tile.features for tile in nearest], mode.candidates, **options)
        chosen = [nearest[number] for number in best]
        line["k"] = len(chosen)
        with clock("match"):
            pairs = self._matcher.match(features, [tile.features for tile in chosen], **options)
        with clock("solve"):
            pair, fit = self._pose.best(pairs)
        tile = chosen[pair.tile]
        homography = self._refine(fit, len(pair.frame), picture, tile, clock, options)
        pose = self._pose.pose(fit, homography, picture, mode)
        return {"tile": tile.name, "x": tile.x + pose.position[0], "y": tile.y + pose.position[1],
                "sigma_x": pose.deviation[0], "sigma_y": pose.deviation[1], "covariance": mode.covariance,
                "matches": len(pair.frame), "inliers": fit.count, "refined": homography is not fit.homography}

    def _refine(self, fit: Any, matches: int, picture: np.ndarray, tile: Tile, clock: Any, options: Any) -> np.ndarray:
        settings, now_ns = self._settings, time.monotonic_ns()
        is_poor = fit.count < settings.adhop_below_share * matches
        is_allowed = now_ns - self._last_adhop_ns >= settings.adhop_min_period_s * 1e9
        if self._adhop is None or not is_poor or not is_allowed:
            return fit.homography
        self._last_adhop_ns = now_ns
        with clock("adhop"):
            return self._adhop.refine(fit.homography, picture, tile.picture, **options)


class _Stages:
    """Milliseconds by stage, the calls of consumers as a whole."""

    def __init__(self, into: dict[str, float]) -> None:
        self._into = into

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start_ns = time.monotonic_ns()
        try:
            yield
        finally:
            self._into[stage] = (time.monotonic_ns() - start_ns) / 1e6


@dataclass
class FlightLoop:
    """Slot n is due at start + n / rate. A slot in which no frame began was missed."""

    pipeline: FramePipeline
    settings: Settings
    signals: Any
    frame_lines: pathlib.Path | None
    on_frame: Callable[[int], None]
    lines: list[dict[str, Any]] = field(default_factory=list)
    late: int = 0
    missed: int = 0

    def run(self, duration_s: float | None) -> str:
        """Why it ended. Without a duration every frame once."""
        self._files = sorted(path for path in self.settings.frames.iterdir() if path.suffix in (".jpg", ".jpeg", ".png"))
        self._start_ns = time.monotonic_ns() + LEAD_NS
        with contextlib.ExitStack() as stack:
            file = None
            if self.frame_lines is not None:
                file = stack.enter_context(self.frame_lines.open("w", encoding="ascii"))
            slot = 0
            while (cause := self._over(slot, duration_s)) is None:
                picture = self._acquire(slot)
                if not self.signals.sleep_until(self._due_ns(slot)):
                    return "signal"
                begun = slot if duration_s is None else self._current(slot)
                if begun != slot:  # a slot that was missed took its picture with it
                    picture = self._acquire(begun)
                self.missed += begun - slot
                self.late += time.monotonic_ns() - self._due_ns(begun) > LATE_NS
                self.lines.append(self._frame(begun, picture))
                if file is not None:
                    print(json.dumps(self.lines[-1]), file=file, flush=True)
                self.on_frame(begun)
                slot = begun + 1
        return cause

    def _over(self, slot: int, duration_s: float | None) -> str | None:
        if self.signals.is_requested:
            return "signal"
        if duration_s is not None:
            return "duration" if slot / self.settings.rate_hz >= duration_s else None
        return "frames" if slot >= len(self._files) else None

    def _file(self, slot: int) -> pathlib.Path:
        return self._files[slot % len(self._files)]

    def _acquire(self, slot: int) -> np.ndarray:
        start_ns = time.monotonic_ns()
        picture = read_picture(self._file(slot))
        self._acquire_ms = (time.monotonic_ns() - start_ns) / 1e6
        return picture

    def _due_ns(self, slot: int) -> int:
        return self._start_ns + round(slot * 1e9 / self.settings.rate_hz)

    def _current(self, slot: int) -> int:
        """The last slot that is due, at least `slot`."""
        while time.monotonic_ns() >= self._due_ns(slot + 1):
            slot += 1
        return slot

    def _frame(self, slot: int, picture: np.ndarray) -> dict[str, Any]:
        """Behind the deadline there is no position, whichever step was late: a pair that was costs itself alone."""
        line: dict[str, Any] = {"frame": slot, "picture": self._file(slot).name, "ms": {}}
        start_ns = time.monotonic_ns()
        due_ns = self._due_ns(slot)
        deadline_ns = due_ns + round(self.settings.deadline_ms * 1e6)
        try:
            answer = self.pipeline.run(picture, line, frame=slot, deadline_ns=deadline_ns)
        except NoResult as none:
            answer = {"reason": none.reason, "stage": none.stage}
        end_ns = time.monotonic_ns()
        if "tile" in answer and end_ns > deadline_ns:
            answer = {"reason": "deadline_missed", "stage": "frame"}
        line |= answer | {"after_due_ms": (end_ns - due_ns) / 1e6}
        took = line["ms"]
        took["frame"] = (end_ns - start_ns) / 1e6
        took["own"] = took["frame"] - sum(took.get(stage, 0.0) for stage in CALLS)
        took["acquire"] = self._acquire_ms
        return line

    def report(self) -> dict[str, Any]:
        no_result = collections.Counter(line["reason"] for line in self.lines if "reason" in line)
        stages = sorted({stage for line in self.lines for stage in line["ms"]})
        took = {stage: [line["ms"][stage] for line in self.lines if stage in line["ms"]] for stage in stages}
        return {"rate_hz": self.settings.rate_hz, "frames": len(self.lines), "late": self.late, "missed": self.missed,
                "positions": sum("tile" in line for line in self.lines), "no_result": dict(no_result),
                "throttled": sum(line["throttled"] for line in self.lines),
                "refined": sum(line.get("refined", False) for line in self.lines),
                "stages": {stage: {"count": len(values), "p50_ms": float(np.quantile(values, 0.5)),
                                   "p95_ms": float(np.quantile(values, 0.95)), "max_ms": max(values)}
                           for stage, values in took.items()}}
