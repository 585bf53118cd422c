"""Invariants of the soak about a life as a whole: starts, ends, slots by the clock, the set, the recorder; each beside the same
that is right."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from soak import checks, frame_checks, ledger  # noqa: E402  (its folder is only known from here on)


@pytest.fixture(name="book")
def empty_ledger():
    return ledger.Ledger()


def violated(book):
    return {name for name, count in book.counts.items() if count.violations}


def missed(book, each, rate_hz=10.0, stood=(), end=120.0):
    """Judges lines every `each` seconds of two minutes."""
    at = [each * n for n in range(int(120 / each))]
    frame_checks.judge_missed(book, frame_checks.quiet_spans(0.0, end, list(stood)), at, rate_hz)
    return violated(book)


def test_a_program_that_says_nothing_is_seen(book):
    frame_checks.judge_missed(book, [(0.0, 10.0)], [], 10.0)
    assert violated(book) == {"missed"}


def test_control_a_machine_that_needs_two_slots_for_a_frame_passes(book):
    assert missed(book, 0.1) == missed(book, 0.2) == set()
    assert missed(book, 0.3) == {"missed"}


def test_a_stall_excuses_its_own_slots_alone(book):
    assert quiet_of((10.0, 20.0), (15.0, 30.0)) == [(0.0, 10.0), (30.0, 60.0)]
    assert quiet_of((-5.0, 10.0), (50.0, 70.0)) == [(10.0, 50.0)] and quiet_of((0.0, 60.0)) == []
    frame_checks.judge_missed(book, quiet_of((0.0, 58.0)), [], 10.0)
    assert book.counts["missed"].checks == 0, "a span of a few slots says nothing"
    at = [n / 10 for n in range(100)]  # then nothing any more
    frame_checks.judge_missed(book, quiet_of((10.0, 60.0)), at, 10.0)
    assert not violated(book) and book.counts["missed"].checks == 1
    frame_checks.judge_missed(book, quiet_of((10.0, 20.0)), at, 10.0)
    assert violated(book) == {"missed"}


def quiet_of(*stood):
    return frame_checks.quiet_spans(0.0, 60.0, list(stood))


def sink_lost(sink, count):
    return {"kind": "c7.sink_lost", "kv": {"sink": sink, "lost_count": count, "problem": "full"}}


@pytest.mark.parametrize("done, losing, made_room, is_good", [
    (set(), set(), False, True), ({"log_stalled"}, {"stdout"}, False, True), ({"disk_full"}, {"recorder"}, False, True),
    ({"disk_full"}, set(), True, True), (set(), {"stdout"}, False, False), (set(), {"recorder"}, False, False),
    (set(), set(), True, False), ({"log_stalled"}, set(), False, False), ({"disk_full"}, {"stdout"}, False, False)], ids=str)
def test_losses_that_are_not_told_or_have_no_cause_are_seen(book, done, losing, made_room, is_good):
    losses = checks.Losses(book)
    for sink in losing:
        losses.told(sink_lost(sink, 1))
    losses.judge(done, made_room)
    assert violated(book) == (set() if is_good else {"losses"})


def test_a_loss_that_could_not_be_told_yet_hides_no_other_one(book):
    """The log stood until the end; the disk was full before, and nobody told."""
    losses = checks.Losses(book)
    losses.judge({"log_stalled"}, False, {"log_stalled"})
    assert not violated(book) and book.counts["losses"].checks == 1
    losses.judge({"log_stalled", "disk_full"}, False, {"log_stalled"})
    assert violated(book) == {"losses"}


@pytest.mark.parametrize("told, is_good", [
    ([("recorder", 0), ("recorder", 4), ("recorder", 4), ("stdout", 2)], True), ([("stdout", 0)], False),
    ([("recorder", 4), ("recorder", 3)], False)], ids=str)
def test_a_loss_of_nothing_and_a_total_that_falls_are_seen(book, told, is_good):
    losses = checks.Losses(book)
    for sink, count in told:
        losses.told(sink_lost(sink, count))
    assert violated(book) == (set() if is_good else {"losses"})


def test_a_full_disk_of_which_nothing_is_told_but_that_it_is_full_is_seen(book):
    losses = checks.Losses(book)
    losses.told(sink_lost("recorder", 0))
    losses.judge({"disk_full"}, False)
    assert violated(book) == {"losses"}


def test_more_lines_that_the_log_lacks_than_it_says_are_seen(book):
    losses = checks.Losses(book)
    overrun, begun = {"kind": "overrun", "payload": {"dropped_count": 1}}, {"kind": "c7.flight_begun", "payload": {}}
    losses.judge_missing(set(), [])
    losses.told(sink_lost("stdout", 2))
    losses.judge_missing({4, 5, 7}, [begun, overrun])
    assert not violated(book)
    losses.judge_missing({4, 5, 7, 9}, [begun, overrun])
    losses.judge_missing({4, 5, 7}, [begun, overrun, begun])  # an earlier flight's
    assert book.counts["losses"].violations == 2


def test_a_recorder_without_the_end_of_the_flight_is_seen(book):
    ended = {"kind": "c7.flight_ended", "payload": {"frame_count": 7, "cause": "signal"}}
    begun = {"kind": "c7.flight_begun", "payload": {}}
    checks.judge_last_words(book, 7, "restart", [begun, ended, {"kind": "c7.sink_lost", "payload": {}}])
    assert not violated(book)
    bad = [(8, "restart", [begun, ended]), (7, "device_lost", [begun, ended]), (7, "restart", []), (7, "restart", [ended, begun])]
    for frames, ending, records in bad:  # the last one's end is an earlier flight's
        checks.judge_last_words(book, frames, ending, records)
    assert book.counts["recorder"].violations == len(bad)


@pytest.mark.parametrize("ending, causes, is_whole, is_good", [
    ("restart", ["signal"], True, True), ("device_lost", ["device_lost"], True, True), ("kill", [], True, True),
    ("restart", [], False, True), ("restart", [], True, False), ("device_lost", [], True, False),
    ("restart", ["signal", "signal"], True, False), ("restart", ["device_lost"], False, False),
    ("kill", ["signal"], True, False)], ids=str)
def test_an_end_that_the_log_does_not_tell_once_is_seen(book, ending, causes, is_whole, is_good):
    checks.judge_ended(book, ending, [{"cause": cause} for cause in causes], is_whole)
    assert violated(book) == (set() if is_good else {"log"})


@pytest.mark.parametrize("status, damage, size", [(2, [], 10), (0, [{"kind": "checksum"}], 10), (0, [], 101)])
def test_a_bad_recorder_is_seen(book, status, damage, size):
    checks.judge_recorder(book, 0, [{"kind": "incomplete_tail"}], 100, 100)
    assert not violated(book)
    checks.judge_recorder(book, status, damage, size, 100)
    assert violated(book) == {"recorder"}


@pytest.mark.parametrize("bad", [{"phase": "F2"}, {"start_count": 1}, {"set_id": "set-9"}], ids=str)
def test_a_start_that_takes_itself_for_another_is_seen(book, bad):
    told = {"phase": "F8", "start_count": 2, "set_id": "set-1"}
    checks.judge_begun(book, told, "F8", 2, "set-1")
    assert not violated(book)
    checks.judge_begun(book, told | bad, "F8", 2, "set-1")
    assert violated(book) == {"phase"}


@pytest.mark.parametrize("ending, status", checks.STATUS.items())
def test_an_end_that_is_not_what_was_done_is_seen(book, ending, status):
    checks.judge_exit(book, True, status, ending, "")
    assert not violated(book)
    checks.judge_exit(book, True, 1, ending, "")
    checks.judge_exit(book, False, status, ending, "")  # it had ended before
    assert book.counts["exit_status"].violations == 2


def test_a_program_that_is_not_ready_or_not_started_again_is_seen(book):
    checks.judge_ready(book, True, 90.0, "")
    checks.judge_started_again(book, True, 10)
    assert not violated(book)
    checks.judge_ready(book, False, 90.0, "status 1")
    checks.judge_started_again(book, False, 2)
    assert book.counts["alive"].violations == 2


def test_a_silence_beyond_the_watchdogs_time_is_seen(book):
    checks.judge_watchdog(book, 3.0, 3.0)
    assert not violated(book)
    checks.judge_watchdog(book, 3.1, 3.0)
    assert violated(book) == {"watchdog"}


@pytest.mark.parametrize("found", [{"a": "1"}, {"a": "1", "b": "3"}, {"a": "1", "b": "2", "c": "3"}, {}], ids=str)
def test_a_set_that_changes_is_seen(book, found):
    before = {"a": "1", "b": "2"}
    checks.judge_set(book, before, dict(before))
    assert not violated(book)
    checks.judge_set(book, before, found)
    assert violated(book) == {"set"}


@pytest.mark.parametrize("accepted", [None, 2, 4])
def test_another_accepted_sequence_than_the_sets_is_seen(book, accepted):
    checks.judge_ratchet(book, 3, 3)
    assert not violated(book)
    checks.judge_ratchet(book, accepted, 3)
    assert violated(book) == {"ratchet"}


@pytest.mark.parametrize("begun, built", [(0, 1), (2, 1), (1, 0), (1, 2)])
def test_a_start_that_is_none_or_two_is_seen(book, begun, built):
    checks.judge_started_once(book, 1, 1)
    assert not violated(book)
    checks.judge_started_once(book, begun, built)
    assert violated(book) == {"phase"}


@pytest.mark.parametrize("starts, is_loop", [([0.0], False), ([0.0, 1.0, 2.0, 3.0], False), ([0.0, 1.0, 2.0, 3.0, 4.0], True),
                                             ([0.0, 400.0, 401.0, 402.0, 403.0], False)], ids=str)
def test_a_crash_loop_that_is_not_told_or_is_none_is_seen(book, starts, is_loop):
    checks.judge_crash_loop(book, is_loop, starts)
    assert not violated(book) and book.counts["phase"].checks == 1
    checks.judge_crash_loop(book, not is_loop, starts)
    assert violated(book) == {"phase"}


def test_a_crash_loop_on_the_edge_of_its_time_is_not_judged(book):
    checks.judge_crash_loop(book, False, [0.0, 298.0, 299.0, 300.0, 301.0])
    assert book.counts["phase"].checks == 0
