"""Ranges for int8: what the histogram counts, and what each method makes of it."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from small_network import network, typical

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from skua_precision import qdq, ranges  # noqa: E402
from skua_precision.errors import PrecisionError  # noqa: E402
from skua_precision.samples import Sample  # noqa: E402


def spread_of(*batches: np.ndarray) -> ranges.Spread:
    spread = ranges.Spread()
    for values in batches:
        spread.add(np.asarray(values, np.float32))
    return spread


def test_every_value_is_counted_in_its_place_in_any_order():
    random = np.random.default_rng(3)
    batches = [random.normal(0, size, 1000).astype(np.float32) for size in (0.01, 5.0, 0.3, 40.0, 0.0)]
    spread, backwards = spread_of(*batches), spread_of(*batches[::-1])
    sizes = np.abs(np.concatenate(batches)).astype(np.float64)
    for top in (float(sizes.max()) * 1.001, 3.0, 0.1):
        counts, above = spread.histogram(top)
        again, _ = backwards.histogram(top)
        np.testing.assert_array_equal(counts, again)
        below = np.searchsorted(np.sort(sizes[sizes > 0]), np.linspace(0, top, ranges.BINS + 1)[1:])
        assert counts.sum() + above == np.count_nonzero(sizes)
        assert np.abs(np.cumsum(counts) - below).max() <= 6, "a step of an octave is half a bin at most"


def test_the_largest_value_is_the_range_of_minmax():
    assert ranges.minmax(spread_of([0.5, -3.0], [2.0])) == 3.0


@pytest.mark.parametrize("first", [1e-45, 1e-30, 1.0])
def test_values_of_any_size_are_counted(first):
    spread = spread_of([first], np.linspace(1e38, 3e38, 5000), [0.0])
    assert ranges.minmax(spread) == pytest.approx(3e38)
    assert sum(int(steps.sum()) for steps in spread.octaves.values()) == 5001
    assert ranges.entropy2(spread) == pytest.approx(3e38, rel=0.02)


@pytest.mark.parametrize("far", [100.0, 3e3, 1e4, 1e6, 1e30])
def test_entropy_clips_what_is_rare_however_far_away(far):
    random = np.random.default_rng(4)
    spread = spread_of(random.normal(0, 1, 100_000), [far])
    assert ranges.minmax(spread) == pytest.approx(far)
    assert 2.0 < ranges.entropy2(spread) < 13.0


@pytest.mark.parametrize("large, small, share", [(2.0, 1.0, 0.5), (1.0, 1e-3, 0.5), (1.0, 1e-6, 0.9), (1.0, 1e-3, 0.98)])
def test_entropy_clips_no_more_than_a_hundredth(large, small, share):
    values = np.where(np.arange(10_000) < share * 10_000, small, large)
    assert ranges.entropy2(spread_of(values)) == pytest.approx(large, rel=0.01)


@pytest.mark.parametrize("scale, part", [(1e-37, "is zero, or next to it"), (3e38, "no scale in float32")])
def test_a_range_without_a_scale_is_refused(scale, part):
    with pytest.raises(PrecisionError, match=part):
        ranges.refuse_no_range(ranges.collect(network(), ["x"], typical(2, scale=scale), "minmax"))


def test_entropy_keeps_what_is_spread_evenly():
    assert ranges.entropy2(spread_of(np.linspace(0, 7, 100_000))) == pytest.approx(7.0, rel=0.02)


def test_entropy_is_never_beyond_the_largest_value():
    for values in ([5.0], [5.0, 5.1], [0.0] * 1000 + [1.0], np.arange(300.0)):
        spread = spread_of(values)
        assert 0.0 < ranges.entropy2(spread) <= spread.largest


def test_zeros_of_a_relu_do_not_decide():
    random = np.random.default_rng(5)
    values = np.abs(random.normal(0, 1, 20_000))
    without, among = spread_of(values), spread_of(values, np.zeros(2_000_000))
    assert ranges.entropy2(among) == pytest.approx(ranges.entropy2(without), rel=0.02)


def test_a_value_that_is_always_zero_has_no_range():
    with pytest.raises(PrecisionError, match="'x' is zero, or next to it"):
        qdq.to_int8(network(), typical(2, scale=0.0), [], "minmax")


def test_a_value_that_is_not_finite_is_refused():
    huge = typical(1, scale=3e38)
    with pytest.raises(PrecisionError, match="0.npz: value 'c1' is not finite"):
        ranges.collect(network(), ["x", "c1"], huge, "minmax")


def test_samples_are_taken_one_at_a_time():
    alive = []

    def samples():
        for sample in typical(5):
            own = Sample(sample.name, {"x": sample.arrays["x"].copy()})
            assert all(one() is None for one in alive[:-1]), "all but the last one are gone"
            alive.append(weakref.ref(own.arrays["x"]))
            yield own
            del own

    found = ranges.collect(network(), ["x"], samples(), "minmax")
    assert len(alive) == 5
    assert found["x"] == max(float(np.abs(sample.arrays["x"]).max()) for sample in typical(5))
