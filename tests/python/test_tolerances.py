"""Comparing outputs, and the table of how far the runtimes may be apart: what it refuses."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from model_checks import MODELS_DIR

sys.path.insert(0, str(MODELS_DIR))

import parity_inputs  # noqa: E402
import parity_table as table  # noqa: E402
from tolerances import Tolerance, compare  # noqa: E402

NETWORKS = [*table.TABLE]


@pytest.fixture(scope="session", name="cases")
def cases_by_name() -> dict[str, parity_inputs.Case]:
    return {case.name: case for case in parity_inputs.cases()}


def differences(found: list, expected: list, tolerance: Tolerance) -> tuple[float, float, float]:
    """Largest, beyond, used of one output."""
    arrays = {"x": np.array(found, np.float32)}
    one = compare(arrays, {"x": np.array(expected, np.float32)}, {"x": tolerance})["x"]
    return one.max_absolute, one.beyond, one.used


# Comparing


def test_elements_are_compared_in_their_places() -> None:
    assert differences([1, 2.5, 3, 4], [1, 2, 3, 4], Tolerance(1.0)) == (0.5, 0.0, 0.5)
    assert differences([1, 2.5, 3, 4], [1, 2, 3, 4], Tolerance(0.25)) == (0.0, 0.25, 2.0)
    assert differences([1, 2.5, 3, 4], [1, 2, 3, 4], Tolerance(0.25, share=0.25)) == (0.0, 0.25, 0.0)
    assert differences([2, 1], [1, 2], Tolerance(0.5)) == (0.0, 1.0, 2.0)


def test_nothing_is_close_to_what_is_not_finite() -> None:
    nan, infinity = np.nan, np.inf
    assert differences([nan, infinity, -infinity], [nan, infinity, -infinity], Tolerance(0))[1] == 0.0
    assert differences([nan, 1, infinity, infinity], [1, nan, 1, -infinity], Tolerance(1e30))[1:] == (1.0, np.inf)


def test_another_form_never_fits() -> None:
    for found, expected in ((np.zeros(3, np.float32), np.zeros(4, np.float32)),
                            (np.zeros(3, np.float64), np.zeros(3, np.float32)),
                            (np.zeros((1, 3, 2)), np.zeros((1, 3, 4))), (np.zeros((3, 2)), np.zeros((1, 3, 2)))):
        for tolerance in (Tolerance(9.0), Tolerance(9.0, as_set=True)):
            assert not compare({"x": found}, {"x": expected}, {"x": tolerance})["x"].fits(tolerance)


def test_rows_of_a_set_come_in_any_order() -> None:
    tolerance = Tolerance(0.5, as_set=True)
    rows = [[[1, 1], [2, 2], [3, 3]]]
    assert differences([[[3, 3], [1, 1.25], [2, 2]]], rows, tolerance) == (0.25, 0.0, 0.5)
    assert differences([[[1, 1], [1, 1], [3, 3]]], rows, tolerance)[1] == pytest.approx(1 / 3)  # one row, one partner
    assert differences([[[1, 1], [2, 2]]], rows, tolerance)[1] == pytest.approx(1 / 3)  # a row too few
    assert differences([[[1, 1], [2, 2], [3, 3], [9, 9]]], rows, tolerance)[1] == 0.25  # a row too many
    assert differences(np.zeros((0, 2)), np.zeros((0, 2)), tolerance) == (0.0, 0.0, 0.0)
    assert differences(np.zeros((0, 2)), [[1, 1]], tolerance)[1] == 1.0


def test_outputs_that_are_sets_stay_together() -> None:
    expected = {"points": np.arange(8.0).reshape(4, 2), "values": np.arange(4.0)}
    allowed = {name: Tolerance(0.1, as_set=True) for name in expected}
    together = {name: values[::-1] for name, values in expected.items()}
    assert {one.beyond for one in compare(together, expected, allowed).values()} == {0.0}
    apart = expected | {"values": expected["values"][::-1]}
    assert {one.beyond for one in compare(apart, expected, allowed).values()} == {1.0}


# The table


def refused(case: parity_inputs.Case, found: list[dict[str, np.ndarray]], way: str) -> set[str]:
    """Outputs that do not fit the table for one of the inputs."""
    allowed = table.tolerances(case.name, way)
    return {output for one, expected in zip(found, case.expected, strict=True)
            for output, difference in compare(one, expected, allowed).items() if not difference.fits(allowed[output])}


@pytest.mark.parametrize("way", table.WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_weights_that_are_off_by_5_percent_are_refused(cases: dict, name: str, way: str) -> None:
    """On the golden input alone, as at a gate. Each weight by a random part of 5 %, which averages out over a sum."""
    case = cases[name]
    one_input = replace(case, inputs=case.inputs[:1], expected=case.expected[:1])
    assert not refused(one_input, one_input.expected, way)
    model = replace(case.model, network=copy.deepcopy(case.model.network))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weights in model.network.state_dict().values():
            if weights.is_floating_point():
                noise = 2.0 * torch.rand(weights.shape, generator=generator) - 1.0
                weights *= 1.0 + 0.05 * (noise if weights.dim() else 1.0)
    assert refused(one_input, [parity_inputs.outputs_of(model, case.inputs[0])], way), "no tolerance noticed"


@pytest.mark.parametrize("way", table.WAYS)
def test_descriptors_that_left_their_keypoints_are_refused(cases: dict, way: str) -> None:
    case = cases["demo_features"]
    order = np.random.default_rng(1).permutation(512)
    found = [one | {"descriptors": one["descriptors"][:, order]} for one in case.expected]
    assert "descriptors" in refused(case, found, way)
    whole_rows = [{name: values[:, order] for name, values in one.items()} for one in case.expected]
    assert bool(refused(case, whole_rows, way)) == (way != "native")  # natively rows may come in another order


@pytest.mark.parametrize("way", table.WAYS)
def test_keypoints_that_moved_or_are_missing_are_refused(cases: dict, way: str) -> None:
    case = cases["demo_features"]
    moved = [one | {"keypoints": one["keypoints"] + np.float32(0.25)} for one in case.expected]
    assert "keypoints" in refused(case, moved, way)
    lost = [{name: values.copy() for name, values in one.items()} for one in case.expected]
    for one in lost:
        one["keypoints"][:, -64:] = -640
    assert "keypoints" in refused(case, lost, way)


@pytest.mark.parametrize("way", table.WAYS)
def test_the_table_knows_every_output(cases: dict, way: str) -> None:
    assert {name: set(case.model.output_names) for name, case in cases.items()} == {
        name: set(outputs) for name, outputs in table.TABLE.items()}
    for outputs in table.TABLE.values():
        for entry in outputs.values():
            assert entry.why and entry.onnx.absolute <= entry.widened.absolute <= entry.native.absolute
            assert entry.of(way).as_yaml()["absolute"] == entry.of(way).absolute


def test_complaints_tell_what_is_too_wide() -> None:
    values = {"x": np.linspace(0, 1, 1000, dtype=np.float32)}
    found = {"x": values["x"] + np.float32(0.001)}

    def told(tolerance: Tolerance) -> list[str]:
        return table.complaints(tolerance, "widened", [compare(found, values, {"x": tolerance})["x"]])

    assert told(Tolerance(0.002)) == []
    assert "too far away" in told(Tolerance(0.0005))[0]
    assert "too wide" in told(Tolerance(0.005))[0]
    assert "too many" in told(Tolerance(0.002, share=0.01))[0]
    found = values
    assert told(Tolerance(1e-6)) == [] and "too wide" in told(Tolerance(1e-5))[0]  # nothing moved: the floor
