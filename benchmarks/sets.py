"""The sets that benchmarks/run.py measures, each made when it is first asked for; and the time that each group takes.

All lie below out/bench and stay there for the next run.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import load  # beside this file, as are precision_set and trained
import precision_set
import trained

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
TORCH = "pytorch_fp16"
NETWORKS = "networks"  # making the sets, whoever asked for them


@dataclass
class Clock:
    """Seconds by group, and those that it may have. What is made within a group's time is counted where it belongs."""

    budgets: Mapping[str, float] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    def _book(self) -> None:
        now = time.monotonic()
        if self._open:
            self.spent[self._open[-1]] = self.spent.get(self._open[-1], 0.0) + now - self._since
        self._since = now

    def at_most(self, seconds: float) -> float:
        """Of these, what is left to the group that is going on; some, because 0 would mean no limit."""
        self._book()
        group = self._open[-1] if self._open else ""
        left = self.budgets[group] - self.spent[group] if group in self.budgets else seconds
        return max(0.001, min(seconds, left))

    @contextlib.contextmanager
    def of(self, group: str) -> Iterator[None]:
        self._book()
        self._open.append(group)
        try:
            yield
        finally:
            self._book()
            self._open.pop()


@dataclass(frozen=True)
class Run:
    """What all parts need: where programs are, where reports go, how much is asked."""

    build: Path
    out: Path
    is_quick: bool
    is_full: bool
    clock: Clock = field(default_factory=Clock, compare=False)
    left_out: list[tuple[str, str, str]] = field(default_factory=list, compare=False)  # what, beside what, why

    @property
    def skua(self) -> Path:
        return self.build / "bin/skua"

    def leave_out(self, what: str, beside: str, why: str) -> None:
        """Said at once, and in the report: rows that are not there are not missed by a reader."""
        print(f"bench: {what}: not measured: {why}", file=sys.stderr, flush=True)
        self.left_out.append((what, beside, f"not measured: {why}"))

    def program(self, name: str, report: str, *arguments: object, budget: float | None = None) -> str:
        """Runs one program; answers with the stem of its report. `budget`: seconds, without FULL; less where less is left."""
        print(f"bench: {report}", file=sys.stderr, flush=True)
        trust = ("--trust", self.out / "bench.pub") if "--set-dir" in arguments else ()
        limit = ("--budget", self.clock.at_most(budget)) if budget and not self.is_full else ()
        load.run(self.build / "benchmarks" / name, "--out", self.out / report, *arguments, *limit, *trust)
        return report


@dataclass(frozen=True)
class MeasuredSet:
    """A set whose engines are called, and how long that may take."""

    name: str
    place: load.Place
    rounds: int
    most_seconds: int  # per network, for the bounds that a bar needs
    sources: Path | None = None  # of its models, where the making of its sessions is measured, too
    session_rounds: int = 31
    budget: float = 5.0  # seconds per network, for all ways to call
    models: tuple[str, ...] = ()  # that are called; none: all

    @property
    def folder(self) -> Path:
        return self.place.current()

    def chosen(self) -> tuple[object, ...]:
        """What a program is told of it."""
        return ("--set-dir", self.folder, *(word for model in self.models for word in ("--model", model)))


def made_once(make: Callable[..., MeasuredSet]) -> Callable[..., MeasuredSet]:
    @functools.cache
    def made(run: Run, *arguments: str) -> MeasuredSet:
        with run.clock.of(NETWORKS):
            return make(run, *arguments)

    return made


def _one(run: Run, name: str, runtime: str) -> MeasuredSet:
    place = load.Place(run.out / name)
    load.run(sys.executable, HERE / "make_one_node.py", "--out", place.models, "--runtime", runtime)
    load.provision(run.skua, place)
    return MeasuredSet(name, place, 12 if run.is_quick else 101, 1 if run.is_quick else 8)


@made_once
def one_node(run: Run) -> MeasuredSet:
    return _one(run, "one_node", "onnx_trt_ep")


@made_once
def one_op_torch(run: Run) -> MeasuredSet:
    return _one(run, "one_op_torch", TORCH)


@made_once
def demo(run: Run, runtime: str = "onnx_trt_ep") -> MeasuredSet:
    """The making of its sessions is measured by load.py."""
    name = "demo" if runtime == "onnx_trt_ep" else "demo_torch"
    place = load.make_demo_place(run.skua, run.out / name, runtime)
    return MeasuredSet(name, place, 6 if run.is_quick else 31, 1 if run.is_quick else 20 if run.is_full else 9,
                       models=("demo_matcher",) if run.is_quick else ())


@made_once
def precisions(run: Run) -> MeasuredSet:
    """The demo networks as fp16 and int8; as fp32 they are the set `demo`. In haste one of them."""
    place = load.Place(run.out / "precisions")
    load.write_demo_models(place.models, run.out)
    precision_set.write_set(run.skua, place.models, ("demo_matcher",) if run.is_quick else precision_set.NETWORKS)
    load.provision(run.skua, place)
    return MeasuredSet("precisions", place, 6 if run.is_quick else 31, 1 if run.is_quick else 20 if run.is_full else 8)


def make_standins(run: Run, scale: str, precision: str) -> load.Place:
    """Stand-ins of the networks that fly, of random weights."""
    half = "-fp16" if scale == "nano" and precision == "fp16" else ""  # the nano set's set.yaml is that of fp32
    place = load.Place(run.out / f"standins-{scale}{half}")
    load.run(sys.executable, ROOT / "models/make_standins.py", "--scale", scale, "--out", place.models,
             "--precision", "fp32" if precision == "fp32" else "fp32,fp16")
    if precision == "fp32":
        shutil.copyfile(place.models / "set_fp32.yaml", place.models / "set.yaml")
    load.provision(run.skua, place)
    return place


@made_once
def small_standins(run: Run) -> MeasuredSet:
    return MeasuredSet("standins-nano", make_standins(run, "nano", "fp32"), 21, 5)


@made_once
def full_standins(run: Run) -> MeasuredSet:
    """In the precision that flies. The longest call takes 0.6 s: bounds well within 1 % need some 200 rounds of it."""
    place = make_standins(run, "full", "fp16")
    return MeasuredSet("standins-full", place, 7, 1 if run.is_quick else 400, place.models, 6 if run.is_quick else 11)


@made_once
def trained_networks(run: Run) -> MeasuredSet:
    place = load.Place(run.out / "trained")
    trained.write_set(place.models)
    load.provision(run.skua, place)
    return MeasuredSet("trained", place, 6 if run.is_quick else 21, 1 if run.is_quick else 60, trained.SOURCES,
                       6 if run.is_quick else 31)


def large_sets(run: Run) -> list[MeasuredSet]:
    """Only when asked for: networks that others trained, wherever they lie, and stand-ins in the size that flies."""
    if not run.is_full:
        return []
    return [*([trained_networks(run)] if trained.are_there() else []), full_standins(run)]


@made_once
def _standins(run: Run, scale: str) -> MeasuredSet:
    """In the precision that flies."""
    return MeasuredSet(f"standins-{scale}", make_standins(run, scale, "fp16"), 7 if scale == "full" else 21, 0)


@made_once
def _torch_standins(run: Run, scale: str) -> MeasuredSet:
    """Of the same models."""
    onnx = _standins(run, scale)
    place = load.Place(onnx.place.folder, "_torch")
    load.provision(run.skua, place)
    return MeasuredSet(f"{onnx.name}_torch", place, onnx.rounds, 0)


def takeoff_sets(run: Run, has_torch: bool) -> list[MeasuredSet]:
    """Of the runtimes that are there, in the precisions that fly: the demo's; stand-ins that share their models, when asked for. In
    haste one operator, where that is in a precision that flies."""
    if run.is_quick:
        return [one_op_torch(run) if has_torch else precisions(run)]
    sets = [*([demo(run, TORCH)] if has_torch else []), precisions(run)]
    for scale in ("nano", "full") if run.is_full else ():
        sets += [*([_torch_standins(run, scale)] if has_torch else []), _standins(run, scale)]
    return sets
