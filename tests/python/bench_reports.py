"""Small reports of `make bench` for tests: the figures that README needs, and one of each kind that the table has."""

from typing import Any

import readme_table

Figure = dict[str, Any]


def side(name: str, p50_us: float, count: int = 200) -> dict[str, Any]:
    return {"name": name, "count": count, "p50_us": p50_us, "p95_us": p50_us * 1.1, "p99_us": p50_us * 1.2, "max_us": p50_us * 2}


def ratio(group: str, name: str, value: float = 0.9, count: int = 200) -> Figure:
    """Skua's side takes 1500 us."""
    return {"group": group, "name": name, "unit": "ratio", "value": value, "lower": value - 0.02, "upper": value + 0.03,
            "is_bounded": True, "count": 31, "asked": "<= 1.15", "verdict": "reached", "note": "cpu",
            "sides": {"subject": side("ours", 1500.0, count), "reference": side("theirs", 1500.0 / value, count)}}


def counted(name: str) -> Figure:
    return {"group": "count", "name": name, "unit": "count", "value": 0.0, "lower": 0.0, "upper": 0.0, "is_bounded": False,
            "count": 1, "asked": "0", "verdict": "reached", "note": "", "sides": None}


def size() -> Figure:
    group, name = readme_table.SIZE
    return counted(name) | {"group": group, "unit": "GB", "value": 0.5, "asked": "", "verdict": None}


def alone() -> Figure:
    """A time that is held against nothing."""
    return counted("one_node: raw run") | {"group": "call", "unit": "us", "value": 2.0, "asked": "", "verdict": None}


def whole() -> dict[str, Any]:
    figures = [ratio(group, name, 0.5 + 0.05 * number) for number, (group, name, _, _) in enumerate(readme_table.ROWS)]
    machine = {"cpu": "A Processor", "cores_usable": 2, "commit": "abc123", "load average at the end": "0.10 0.20 0.30",
               "sdk": "onnx_trt_ep 1.23.2", "depth": "default", "kernel": "Linux of somebody"}
    return {"schema_version": 1, "machine": machine, "budgets": {"call": {"seconds": 61.4, "budget": 75}},
            "figures": [*figures, counted("one_node: copies"), alone(), size()]}
