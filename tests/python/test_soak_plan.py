"""The soak's plan of faults, and what its page says of what came of it."""

import itertools
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from soak import __main__, holding_checks, page, plan  # noqa: E402  (known from here on)
from soak.ledger import Ledger  # noqa: E402

PACES = {"steady": plan.STEADY, "fast": plan.FAST}


def first(seed, pace, count=40):
    return list(itertools.islice(plan.lives(seed, pace), count))


@pytest.mark.parametrize("pace", PACES.values(), ids=PACES)
def test_a_seed_gives_the_same_plan_and_another_one_another(pace):
    assert first(7, pace) == first(7, pace)
    assert first(7, pace) != first(8, pace)


def never_in(seed, pace, minutes):
    """Kinds that the plan does not have, with five seconds for each start, which is twice what a start takes. What leaves no
    time to recover is not begun."""
    at_s, seen, over_s = 0.0, set(), 60 * minutes
    for life in plan.lives(seed, pace):
        at_s += 5.0
        seen |= {episode.kind for episode in life.episodes if at_s + episode.end_s + pace.recovers_s < over_s}
        at_s += life.end_s
        if at_s >= over_s:
            return set(plan.KINDS) - seen
        seen.add(life.ending)
    raise AssertionError("lives have an end")


@pytest.mark.parametrize("given", [[], ["--fast"]], ids=PACES)
def test_a_soak_as_long_as_nobody_says_otherwise_has_every_kind_whatever_the_seed(given):
    soak = __main__.soak_of(__main__.arguments(["--out", "x", "--made", "x", *given]))
    lacking = {seed: never for seed in range(2000) if (never := never_in(seed, soak.pace, soak.seconds / 60))}
    assert not lacking


def test_control_two_minutes_at_3_hz_lack_a_kind():
    assert any(never_in(seed, plan.STEADY, 2.0) for seed in range(50))
    assert __main__.soak_of(__main__.arguments(["--out", "x", "--made", "x", "--minutes", "0.2"])).seconds == 12.0


CI_SEED = 12  # of .ci/run


@pytest.mark.parametrize("seed", range(50))
def test_two_minutes_at_high_speed_have_lives_that_are_long_enough_for_a_leak(seed):
    """One second more than the samples need, for a look that comes late. What CI flies has enough to compare lives."""
    assert f"FAST=1 SEED={CI_SEED} step scripts/soak.sh" in (ROOT / ".ci" / "run").read_text("utf-8")
    at_s, long = 0.0, 0
    for life in plan.lives(seed, plan.FAST):
        at_s += 5.0 + life.end_s
        if at_s >= 120:
            break
        long += life.end_s >= holding_checks.WARM_S + holding_checks.LEAK_SAMPLES + 1
    assert long >= (holding_checks.LEAK_LIVES if seed == CI_SEED else 1)


@pytest.mark.parametrize("pace", PACES.values(), ids=PACES)
def test_faults_of_a_life_stand_apart(pace):
    for life in first(3, pace):
        edges = [plan.WARM_UP_S, *(edge for e in life.episodes for edge in (e.begin_s, e.end_s)), life.end_s]
        assert edges == sorted(edges)
        gaps = [after.begin_s - before.end_s for before, after in zip(life.episodes, life.episodes[1:])]
        assert all(gap >= pace.quiet_s[0] for gap in gaps)


def test_a_full_disk_and_a_log_that_stands_have_something_to_write():
    episodes = (plan.Episode("disk_full", 2.0, 4.0), plan.Episode("picture_cut", 6.0, 7.0), plan.Episode("hang", 8.0, 9.0))
    life = plan.Life(0, episodes, "kill", 10.0)
    assert [life.loses_picture(at) for at in (1.0, 2.0, 3.9, 4.0, 6.5, 8.5)] == [
        None, "picture_missing", "picture_missing", None, "picture_cut", None]


def told(problems=()):
    ledger = Ledger()
    ledger.judge("alive", not problems, "a start", "none")
    life = {"number": 0, "phase": "F2", "ending": "kill", "started": 0.0, "ready": 2.0, "ended": 20.0, "status": -9,
            "faults": [["hang", 5.0, 6.0]], "frames": [[3.0, 50.0, ""], [5.5, 400.0, "deadline_missed"]],
            "memory": [[4.0, 120_000], [5.0, 120_100]]}
    return {"what": "a <b>test</b>", "commit": "abc", "machine": "none", "seed": 5, "control": "", "rate_hz": 3.0,
            "deadline_ms": 400.0, "minutes": 12.5, "seconds": 20.0, "starts": 1, "frames": 2, "positions": 1,
            "no_result": {"deadline_missed": 1}, "missed": 0, "slow": 0, "frame_ms": {"p50": 50.0},
            "ready_s": {"p50": 2.0, "max": 2.0}, "thermal_delay_s": {"p50": 0.1, "max": 0.2},
            "memory_kib": {"first": 120_000, "most": 120_100}, "faults": dict.fromkeys(plan.KINDS, 1),
            "invariants": {name: vars(count) for name, count in ledger.counts.items()}, "problems": list(problems),
            "lives": [life]}


def test_the_page_says_what_it_is_and_needs_nothing_else():
    text = page.page_of(told())
    assert "a &lt;b&gt;test&lt;/b&gt;" in text and "SEED=5" in text
    assert "<script" not in text and "src=" not in text and "http" not in text.replace("http-equiv", "")
    assert "FAILED" in text, "invariants that were never checked have not held"


def test_the_page_says_the_minutes_that_were_asked_for():
    """Those that were flown are others, and the plan's end with them."""
    assert "MINUTES=12.5 SEED=5" in page.page_of(told())
    assert "MINUTES=120 SEED=5" in page.page_of(told() | {"minutes": 120.0})


def test_the_page_shows_a_problem():
    assert "alive: expected &lt;a start&gt;" in page.page_of(told(["alive: expected <a start>"]))


@pytest.mark.parametrize("ready, bars", [(12.0, 2), (0.0, 1)])
def test_a_life_that_never_got_ready_is_a_start_that_lasted_and_no_flight(ready, bars):
    document = told()
    document["lives"] = [document["lives"][0] | {"started": 10.0, "ready": ready, "ended": 20.0, "faults": []}]
    drawn = re.findall(r'<rect x="([0-9.]+)" y="5.0" width="([0-9.]+)"', page.timeline(document))
    chart = page.Chart(20.0, 10, "")
    assert len(drawn) == bars and min(float(x) for x, _ in drawn) == pytest.approx(chart.x(10.0), abs=0.1)
    assert max(float(x) + float(width) for x, width in drawn) == pytest.approx(chart.x(20.0), abs=0.2)
