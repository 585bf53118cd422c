"""An airborne program in Python: what skua-flight is in C++, as the flight stack has it.

    python python_flight.py --config FILE [--frames DIR] [--duration S] [--report FILE] [--frame-lines FILE] [--check]

`import skua` builds the runtime, loads the set and keeps the record of the flight; everything else is the stack's: the
consumers of tests/stack, and the frame loop of python_frames.py. The configuration is JSON, which YAML contains. Component
`c13_fdr` may name a recorder: {"recorder": "module:Class", ...}, made with the other keys as arguments.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pathlib
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import skua

import python_frames
from c2_5_rerank import RerankConsumer
from c2_vpr import VprConsumer
from c3_5_adhop import AdhopConsumer
from c3_matcher import MatcherConsumer
from c4_pose import PoseEstimator
from compose_root import CompositionError, compose_root
from protocol import ContractError

STARTED_NS = time.monotonic_ns()
FrameHook = Callable[[int], None]
DRAIN_S = 10.0


class Signals:
    """SIGTERM and SIGINT: before the first frame they end the program at once, in flight after the frame."""

    def __init__(self) -> None:
        self.is_requested = self.is_flying = False
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.is_requested = True
        if not self.is_flying:
            raise SystemExit(0)

    def sleep_until(self, due_ns: int) -> bool:
        """False, at once, when a signal comes or has come."""
        while not self.is_requested and (left_ns := due_ns - time.monotonic_ns()) > 0:
            select.select([self._wake], [], [], left_ns / 1e9)
        return not self.is_requested


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An airborne program in Python.")
    parser.add_argument("--config", type=pathlib.Path, required=True)
    parser.add_argument("--frames", type=pathlib.Path)
    parser.add_argument("--duration", type=float)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--frame-lines", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def recorder_of(document: dict[str, Any]) -> Any:
    """C13, where the configuration has it."""
    block = dict(document.get("components", {}).get("c13_fdr") or {})
    if not block:
        return None
    module, name = block.pop("recorder").split(":")
    return getattr(importlib.import_module(module), name)(**block)


def usage(message: str) -> skua.InvalidArgumentError:
    return skua.InvalidArgumentError(message, reason="invalid_argument")


def demand_consumers(config: skua.AirborneConfig) -> None:
    known = config.consumers
    missing = [slug for slug in ("c2_vpr", "c2_5_rerank", "c3_matcher") if known is not None and slug not in known]
    if missing:
        raise usage(f"components: {', '.join(missing)} missing; the frame loop needs c2_vpr, c2_5_rerank and c3_matcher: "
                    "add them")


def engine(engines: skua.EngineSet, field: str, model: str) -> skua.EngineHandle:
    handle = engines.find(model)
    if handle is None:
        known = ", ".join(item.model for item in engines.engines)
        raise skua.InvalidArgumentError(f"flight.{field} is '{model}'; expected an engine of set {engines.set_id}: {known}; "
                                        "name one of them, or provision the network", reason="unknown_name")
    return handle


def compose(built: skua.PreConstructed, config: skua.AirborneConfig, settings: python_frames.Settings) -> dict[str, Any]:
    engines = built.engines
    assert engines is not None

    def vpr(given: Any) -> VprConsumer:
        return VprConsumer(given["c7_inference"], engine(engines, "vpr_model", settings.vpr_model))

    def matcher(given: Any) -> MatcherConsumer:
        handle = engine(engines, "features_model", settings.features_model)
        return MatcherConsumer(given["c7_inference"], given["c3_lightglue_runtime"], handle)

    def adhop(given: Any) -> AdhopConsumer:
        return AdhopConsumer(given["c7_inference"], engine(engines, "adhop_model", settings.adhop_model))

    factories = {"c2_vpr": vpr, "c3_matcher": matcher, "c3_5_adhop": adhop,
                 "c2_5_rerank": lambda given: RerankConsumer(given["c7_inference"], given["c3_lightglue_runtime"])}
    wanted = factories if config.consumers is None else [slug for slug in factories if slug in config.consumers]
    try:
        return compose_root(built, {slug: factories[slug] for slug in wanted})
    except ContractError as error:
        raise skua.EngineDeserializeError(str(error), reason="contract_mismatch") from error
    except CompositionError as error:
        raise skua.AirborneBootstrapError(str(error), reason="pre_constructed_missing") from error


def take_off(arguments: argparse.Namespace) -> tuple[skua.PreConstructed, python_frames.Settings, Any] | None:
    """Everything up to the first frame; None: a replay without inference has nothing to fly."""
    config = skua.read_airborne_config(arguments.config)
    document = json.loads(arguments.config.read_text("utf-8"))
    settings = python_frames.Settings.read(document, arguments.frames)
    if config.mode is not skua.FlightMode.REPLAY or config.has_inference_block:
        demand_consumers(config)
        if settings.frames is None or settings.map is None:
            raise usage("no frames or no map: give --frames FOLDER or flight.frames, and flight.map")
    built = skua.build_pre_constructed(config, recorder=recorder_of(document), dry_run=arguments.check)
    if not built:  # whoever needs no inference is composed: here that is nobody
        compose_root(built, {})
        return None
    consumers = compose(built, config, settings)
    pose = PoseEstimator(built["c7_inference"], settings.min_inliers)
    index = python_frames.TileIndex(settings.map, consumers["c2_vpr"], consumers["c3_matcher"])
    return built, settings, python_frames.FramePipeline(consumers, pose, index, settings)


def fly(arguments: argparse.Namespace, signals: Signals, on_frame: FrameHook) -> None:
    ready = take_off(arguments)
    if ready is None or arguments.check:
        return
    built, settings, pipeline = ready
    told = {"set_id": built.set_id, "signer": built.engines.signer or "none", "phase": built.flight.phase_for(built.set_id),
            "runtime": built["c7_inference"].current_runtime_label(), "ready_ms": (time.monotonic_ns() - STARTED_NS) / 1e6,
            "engines": [{"model": times.model, "golden_ms": times.golden_ns / 1e6} for times in built.engines.times]}
    signals.is_flying = True
    told["start_count"] = built.flight.begin(built.set_id)
    loop = python_frames.FlightLoop(pipeline, settings, signals, arguments.frame_lines, on_frame)
    try:
        told["cause"] = loop.run(arguments.duration)
    finally:  # whichever way it ends, what was told of it is waited for
        built["c7_inference"].drain_events(DRAIN_S)
    built.flight.end()
    if arguments.report is not None:
        arguments.report.write_text(json.dumps(told | loop.report(), indent=2) + "\n", "ascii")


def main(on_frame: FrameHook = lambda number: None) -> int:
    signals = Signals()
    try:
        fly(read_arguments(), signals, on_frame)
        return 0
    except skua.SkuaError as error:
        print(skua.operator_text(error) if not signals.is_flying else f"python_flight: {error}", file=sys.stderr)
        return skua.exit_status_of(error)


if __name__ == "__main__":
    sys.exit(main())
