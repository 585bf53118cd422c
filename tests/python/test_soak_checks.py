"""Every invariant of the soak, fed with what it must not let pass, and beside it with the same that is right."""

import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from soak import checks, craft, frame_checks, holding_checks, ledger, world  # noqa: E402  (known from here on)

SLOTS = [world.Slot("frames/a.jpg", (100.0, 50.0)), world.Slot("frames/b.jpg", (400.0, 50.0)),
         world.Slot("lost/picture_cut.jpg", None, "picture_cut")]


@pytest.fixture(name="book")
def empty_ledger():
    return ledger.Ledger()


def line(number, **changes):
    """A good line of this slot. None takes a key out."""
    slot = SLOTS[number % 3]
    told = {"frame": number, "picture": slot.name, "k": 3, "throttled": False, "after_due_ms": 41.5,
            "ms": {"frame": 40.0}}
    told |= {"reason": "frame_unreadable", "stage": "acquire", "k": 0} if slot.lost else {
        "tile": "r0c0.png", "x": slot.position[0] + 0.2, "y": slot.position[1]}
    return json.dumps({key: value for key, value in (told | changes).items() if value is not None})


def frames(book, *lines, deadline_ms=400.0):
    taken = frame_checks.Frames(book, SLOTS, deadline_ms)
    for at, text in enumerate(lines):
        taken.take(text, float(at))
    return taken


def violated(book):
    return {name for name, count in book.counts.items() if count.violations}


def test_control_what_is_right_passes(book):
    taken = frames(book, line(0), line(1), line(2), line(4))
    taken.judge_counts({"frame_count": 4, "no_result_count": 1, "missed_count": 1})
    frame_checks.Orders(book, taken, 0.5).judge_frames()
    assert not violated(book)
    assert all(book.counts[name].checks for name in ("slots", "picture", "position", "deadline", "reason", "slowness"))


NO_POSITION = {"tile": None, "x": None, "y": None, "stage": "vpr", "k": 0}


@pytest.mark.parametrize("name, bad", [
    ("slots", "{"), ("slots", line(0, ms=None)), ("slots", line(0, reason="no_position")),
    ("picture", line(0, picture="frames/b.jpg")),
    ("position", line(0, x=106.0)),  # 6 px off
    ("position", line(0, x=400.0)),  # the other frame's: stale
    ("position", line(2, reason=None, tile="r0c0.png", x=100.0, y=50.0)),  # of a picture that nobody could read
    ("slots", line(0, after_due_ms=None)),
    ("deadline", line(0, after_due_ms=400.1)),  # in 40 ms, but it began late
    ("deadline", line(0, after_due_ms=39.9)),  # ended before it had begun
], ids=lambda value: value[:60])
def test_a_bad_line_is_seen(book, name, bad):
    frames(book, bad)
    assert violated(book) == {name}


def test_a_slot_that_comes_again_or_too_late_is_seen(book):
    frames(book, line(0), line(1), line(1))
    assert violated(book) == {"slots"}


@pytest.mark.parametrize("told", [{"frame_count": 3, "no_result_count": 1, "missed_count": 0},
                                  {"frame_count": 2, "no_result_count": 0, "missed_count": 0},
                                  {"frame_count": 2, "no_result_count": 1, "missed_count": 0}, {}], ids=str)
def test_counts_of_the_flight_that_are_not_the_lines_are_seen(book, told):
    frames(book, line(0), line(4, reason="frame_unreadable", **NO_POSITION)).judge_counts(told)
    assert violated(book) == {"slots"}


@pytest.mark.parametrize("bad", [line(0, reason="execution_failed", **NO_POSITION),
                                 line(2, reason="no_position"), line(2, stage="vpr")], ids=lambda value: value[:60])
def test_a_reason_that_nothing_explains_is_seen(book, bad):
    frame_checks.Orders(book, frames(book, bad), 0.5).judge_frames()
    assert violated(book) == {"reason"}


def failed(frame, backbone="demo_vpr", reason="execution_failed"):
    return {"kind": "c7.inference_failed", "frame_id": frame, "kv": {"backbone": backbone, "reason": reason}}


def ordered(book, taken, told, kind="wait_error"):
    orders = frame_checks.Orders(book, taken, 0.5)
    orders.orders.append(frame_checks.Order(kind, -0.5, 0.5))
    for record in told:
        orders.told(0.1, record)
    orders.judge_frames()
    return violated(book)


LOST = line(0, reason="execution_failed", **NO_POSITION)


def test_control_an_ordered_fault_costs_its_frame(book):
    assert ordered(book, frames(book, LOST), [failed(0)]) == set()
    assert book.counts["fault_frame"].checks == 2


def test_an_ordered_fault_that_cost_nothing_is_seen(book):
    assert ordered(book, frames(book, line(0)), []) == {"fault_frame"}


def test_a_fault_that_cost_two_runs_is_seen(book):
    assert ordered(book, frames(book, LOST), [failed(0), failed(1)]) == {"fault_frame"}


def test_a_position_in_the_frame_of_a_failed_run_is_seen(book):
    assert ordered(book, frames(book, line(0)), [failed(0)]) == {"fault_frame"}


def test_control_a_pair_that_failed_may_leave_the_position(book):
    assert ordered(book, frames(book, line(0)), [failed(0, "demo_matcher")]) == set()


def test_a_fault_of_another_kind_explains_nothing(book):
    assert ordered(book, frames(book, LOST), [failed(0)], kind="out_of_memory") == {"reason", "fault_frame"}


def test_a_machine_that_is_too_slow_is_seen(book):
    slow = [line(3 * n, reason="deadline_missed", **NO_POSITION) for n in range(4)]
    frame_checks.Orders(book, frames(book, *slow), 0.5).judge_frames()
    assert violated(book) == {"slowness"}


@pytest.mark.parametrize("stalls, slow", [([], 6), ([(0.0, 1.0)], 4), ([(3.5, 5.0)], 4), ([(6.0, 9.0)], 6)], ids=str)
def test_a_frame_that_stood_by_order_is_none_of_a_busy_machine(book, stalls, slow):
    """Frames at each second, half a second to settle."""
    late = [line(3 * n, reason="deadline_missed" if n else "lane_busy", **NO_POSITION) for n in range(6)]
    orders = frame_checks.Orders(book, frames(book, *late), 0.5)
    orders.stalls = stalls
    orders.judge_frames()
    assert orders.slow == slow and not book.counts["reason"].violations


def test_a_stall_explains_no_other_reason(book):
    orders = frame_checks.Orders(book, frames(book, line(0, reason="execution_failed", **NO_POSITION)), 0.5)
    orders.stalls = [(0.0, 1.0)]
    orders.judge_frames()
    assert violated(book) == {"reason"}


def test_slots_that_are_missed_are_seen(book):
    """A tenth of the slots has a line, each of which is good; the numbers of the lines say the rest was missed."""
    taken = frames(book, *(line(10 * n) for n in range(120)))
    recovery = frame_checks.Recovery(book, 5.0)
    recovery.judge(120.0)
    taken.judge_counts({"frame_count": 120, "no_result_count": 40, "missed_count": 1071})
    frame_checks.Orders(book, taken, 0.5).judge_frames()
    assert taken.missed() == 1071 and not violated(book)
    frame_checks.judge_missed(book, [(0.0, 120.0)], [frame.at for frame in taken.seen.values()], 10.0)
    assert violated(book) == {"missed"}


def test_no_position_after_a_fault_is_seen(book):
    recovery = frame_checks.Recovery(book, 5.0)
    recovery.fault_ended("hang", 10.0)
    recovery.position(9.9)  # of a frame that began before the end
    recovery.judge(14.0)
    assert not violated(book)
    recovery.judge(15.5)
    assert violated(book) == {"recovers"}


def test_control_a_position_after_a_fault_is_a_recovery(book):
    recovery = frame_checks.Recovery(book, 5.0)
    recovery.fault_ended("hang", 10.0)
    recovery.position(10.2)
    recovery.judge(99.0)
    assert not violated(book) and book.counts["recovers"].checks == 1


def test_a_kind_of_fault_whose_recovery_is_never_judged_is_seen(book):
    recovery = frame_checks.Recovery(book, 5.0)
    for kind in ("hang", "stall"):
        recovery.fault_ended(kind, 10.0)
    recovery.position(10.2)
    recovery.fault_ended("disk_full", 11.0)  # then the life is over
    frame_checks.judge_recoveries(book, {"hang", "stall"}, recovery.judged)
    assert not violated(book)
    frame_checks.judge_recoveries(book, {"hang", "stall", "disk_full"}, recovery.judged)
    assert book.counts["recovers"].violations == 1


def test_a_throttle_that_is_not_told_is_seen(book):
    thermal = checks.Thermal(book, 2.0, 0.0)
    thermal.judge(5.0)
    thermal.expect("throttled", 10.0)
    thermal.judge(11.0)
    assert not violated(book)
    thermal.judge(12.5)
    assert violated(book) == {"thermal"}


def hot_frame(at, **changes):
    return frame_checks.Frame(**({"number": 1, "at": at, "ms": 40.0, "has_position": True, "reason": None, "stage": None, "k": 2,
                            "is_throttled": True} | changes))


@pytest.mark.parametrize("bad", [{"k": 3}, {"is_throttled": False}], ids=str)
def test_a_frame_that_is_flown_against_the_thermal_state_is_seen(book, bad):
    thermal = checks.Thermal(book, 2.0, 0.0)
    thermal.expect("throttled", 10.0)
    thermal.told("throttled", 10.3)
    thermal.judge(13.0)
    thermal.judge_frame(hot_frame(14.0), False)
    assert not violated(book) and book.counts["thermal"].checks == 2
    thermal.judge_frame(hot_frame(15.0, **bad), False)
    assert violated(book) == {"thermal"}


@pytest.mark.parametrize("k, is_good", [(1, True), (2, True), (3, False)])
def test_a_frame_that_lost_pairs_may_have_a_smaller_k_and_no_larger_one(book, k, is_good):
    thermal = checks.Thermal(book, 2.0, 0.0)
    thermal.expect("throttled", 10.0)
    thermal.told("throttled", 10.3)
    thermal.judge_frame(hot_frame(14.0, k=k), True)
    assert violated(book) == (set() if is_good else {"thermal"})


def test_another_source_than_the_tree_is_seen(book):
    checks.Thermal(book, 2.0, 0.0).judge_source("none")
    assert violated(book) == {"thermal"}


def sample(at, **changes):
    return craft.Sample(**({"at": at, "anon_kib": 100_000, "descriptors": 20, "threads": 12, "children": []} | changes))


@pytest.mark.parametrize("name, bad", [
    ("memory", {"anon_kib": 100_000 + holding_checks.GROWTH_KIB + 1}), ("handles", {"descriptors": 27}), ("handles", {"threads": 14}),
    ("network", {"sockets": ["tcp"]}), ("set", {"children": [4711]})], ids=str)
def test_a_process_that_holds_more_is_seen(book, name, bad):
    holdings = holding_checks.Holdings(book)
    holdings.take(sample(4.0), 4.0)
    holdings.take(sample(5.0), 5.0)
    assert not violated(book)
    holdings.take(sample(6.0, **bad), 6.0)
    assert violated(book) == {name}


@pytest.mark.parametrize("bad", [(1, 0), (0, 1)], ids=["descriptor", "thread"])
def test_one_thing_that_a_fault_left_behind_is_seen_and_what_is_open_for_a_moment_is_not(book, bad):
    for left, is_good in (((0, 0), True), (bad, False)):
        holdings = holding_checks.Holdings(book)
        holdings.judge_rest()  # nothing to compare with
        for descriptors, threads in ((24, 12), (20, 14), (30, 12)):
            holdings.take_at_rest("before", (descriptors, threads))
            holdings.take_at_rest("after", (descriptors + left[0], threads + left[1]))
        holdings.judge_rest()
        assert violated(book) == (set() if is_good else {"handles"})
    assert book.counts["handles"].checks == 2


def test_a_leak_is_seen_and_a_step_is_none(book):
    step, leak = holding_checks.Holdings(book), holding_checks.Holdings(book)
    for second in range(4, 40):
        step.take(sample(second, anon_kib=100_000 + (9000 if second > 20 else 0)), second)
        leak.take(sample(second, anon_kib=100_000 + 100 * second), second)
    step.judge_slope()
    assert not violated(book) and book.counts["leak"].checks == 1
    leak.judge_slope()
    assert violated(book) == {"leak"}


def held(book, kib_of_second, seconds):
    holdings = holding_checks.Holdings(book)
    for second in range(seconds):
        holdings.take(sample(4.0 + second, anon_kib=100_000 + kib_of_second(second)), 4.0 + second)
    holdings.judge_slope()
    return holdings


def test_a_leak_is_seen_in_the_seconds_that_a_life_has_at_high_speed(book):
    """1.4 MiB each second, which is less than the bound of growth after 15 of them."""
    held(book, lambda second: 16 * (second % 2), 15)  # what a life without a leak may show
    assert not violated(book)
    held(book, lambda second: 1434 * second, 15)
    assert violated(book) == {"leak"}


def test_a_life_that_is_too_short_for_a_slope_counts_as_no_check(book):
    assert held(book, lambda second: 1434 * second, 7).slope_kib_s() is None
    holding_checks.judge_slopes(book, [1434.0, 1434.0])
    assert book.counts["leak"].checks == 0


def test_a_slow_leak_of_every_life_is_seen_and_a_step_of_one_is_none(book):
    step = held(book, lambda second: 9000 * (second > 4), 12).slope_kib_s()
    holding_checks.judge_slopes(book, [0.5, 1.5, step, 0.0])
    assert step > 600 and not violated(book)
    slow = [held(book, lambda second: 30 * second, 12).slope_kib_s() for _ in range(3)]
    assert not violated(book), "no life alone shows it"
    holding_checks.judge_slopes(book, slow)
    assert violated(book) == {"leak"}


def log_line(text, is_whole=True):
    return craft.LogReader.parsed(text.encode(), is_whole)


def record(kind, **kv):
    return json.dumps({"ts": "", "level": "", "component": "", "frame_id": None, "kind": kind, "msg": "", "kv": kv, "exc": None})


@pytest.mark.parametrize("bad", ["", "{", "[]", '{"ts":""}', record("c7.engine_built"), record("c7.engine_refused"),
                                 record("c7.memory_after_seal", memory="device")], ids=lambda text: text[:20] + text[-30:])
def test_a_bad_line_of_the_log_is_seen(book, bad):
    checks.judge_log_line(book, log_line(bad), was_killed=True)
    assert violated(book) == {"log"}


def test_control_good_lines_of_the_log(book):
    checks.judge_log_line(book, log_line(record("c7.flight_begun")), was_killed=False)
    checks.judge_log_line(book, log_line(record("c7.memory_after_seal", memory="context")), was_killed=False)
    checks.judge_log_line(book, log_line('{"ts":', is_whole=False), was_killed=True)
    assert not violated(book)
    checks.judge_log_line(book, log_line('{"ts":', is_whole=False), was_killed=False)
    assert violated(book) == {"log"}, "a program that ended in order cuts no line"


def test_an_invariant_that_was_never_checked_is_a_problem(book):
    assert len(book.problems()) == len(ledger.STATEMENTS)
    for name in ledger.STATEMENTS:
        book.judge(name, True, "", "")
    assert book.problems() == []
    book.judge("alive", False, "a start", "none")
    assert book.problems() == ["alive: expected a start, found none"]
