"""A life of the soak, flown with a process that does what a broken flight would do (soak_stand_in.py): what becomes of it."""

import dataclasses
import os
import pathlib
import signal
import sys
import time
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import soak_stand_in  # noqa: E402
from soak import craft, faults, ledger, pilot, plan, results, supervisor  # noqa: E402  (known from here on)

PACE = plan.Pace(10.0, 600.0, 5.0, 3.0, (0.1, 0.2), 1.0)


@pytest.fixture(name="started")
def start_of_a_craft(tmp_path, monkeypatch):
    """A function that starts one. Whatever a test does to it, it is over afterwards."""
    monkeypatch.setattr(craft, "FLIGHT", craft.FLIGHT)
    flown = []

    def start(**how):
        world = soak_stand_in.StandInWorld(tmp_path, **how)
        flown.append(craft.Craft(world, world.configuration(PACE, []), 3.0))
        until = time.monotonic() + 30
        while flown[-1].notified.ready_at is None and time.monotonic() < until:
            flown[-1].notified.listen()
            time.sleep(0.01)
        return flown[-1], faults.Faults(world, flown[-1])

    yield start
    for one in flown:
        one.process.kill()
        one.end()


def kill(pid):
    """And waits until every thread of it is over, without taking notice of it as its parent does."""
    os.kill(pid, signal.SIGKILL)
    while any(state_of(task) not in "ZX" for task in pathlib.Path(f"/proc/{pid}/task").iterdir()):
        time.sleep(0.001)


def state_of(task):
    told = craft.unless_gone(pathlib.Path.read_text, task / "stat")
    return told.rsplit(")", 1)[1].split()[0] if told else "X"


@pytest.mark.parametrize("kind", ["hang", "telemetry_hang", "stall", "log_stalled"])
def test_a_program_that_ends_while_a_fault_goes_on_is_seen_as_ended(started, kind):
    flown, acting = started()
    acting.begin(kind)
    kill(flown.pid)
    acting.end(kind)
    assert flown.process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("kind", [*faults.ORDERS, "hang", "telemetry_hang", "stall", "restart", "kill"])
def test_a_fault_that_begins_when_the_program_has_ended_is_none(started, kind):
    flown, acting = started()
    kill(flown.pid)
    acting.begin(kind)
    acting.end(kind)
    assert flown.process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("kind, error", [("hang", OSError), ("telemetry_hang", LookupError)])
def test_control_a_program_that_goes_on_and_takes_no_order_is_an_error(started, monkeypatch, kind, error):
    monkeypatch.setattr(craft, "ENDING_S", 0.1)
    flown, acting = started(is_deaf=True)
    with pytest.raises(error):
        acting.begin(kind)
    assert flown.process.poll() is None


def test_a_soak_that_breaks_off_leaves_its_results_and_nothing_that_flies(tmp_path, monkeypatch):
    class Broken(supervisor.Supervisor):
        def _judge_start(self, flown, phase):
            pids.append(flown.craft.pid)
            raise RuntimeError("the soak's own fault")

    pids, world = [], soak_stand_in.StandInWorld(tmp_path)
    world.sets = tmp_path
    monkeypatch.setattr(supervisor, "digests", lambda folder: {})
    soak = Broken(world, supervisor.Soak(1, 0.5, PACE))
    with pytest.raises(RuntimeError):
        soak.run()
    assert results.write(soak, tmp_path) == 1
    assert not pathlib.Path(f"/proc/{pids[0]}").exists()
    assert (tmp_path / "log0.jsonl").exists() and (tmp_path / "index.html").exists()
    assert "fail soak.whole" in (tmp_path / "soak.checks").read_text("ascii").splitlines()


@pytest.fixture(name="life")
def life_of_a_pilot(tmp_path, monkeypatch):
    """A function that flies a life with one fault half a second after its start, to its end."""
    monkeypatch.setattr(craft, "FLIGHT", craft.FLIGHT)

    def fly(episode=plan.Episode("picture_missing", 0.5, 0.6), ending="restart", within_s=1.0, watchdog_s=3.0, **how):
        world = soak_stand_in.StandInWorld(tmp_path, **how)
        life = plan.Life(0, (episode,), ending, episode.end_s + 0.1)
        pace = dataclasses.replace(PACE, watchdog_s=watchdog_s)
        flown = pilot.Pilot(world, ledger.Ledger(), pace, life, time.monotonic())
        flown.recovery.within_s = within_s
        try:
            if flown.wait_ready():
                flown.fly(time.monotonic() + 30)
            flown.end(ending)
        finally:
            flown.craft.process.kill()
        return types.SimpleNamespace(pilot=flown, **flown.ledger.counts)

    return fly


@pytest.mark.alone  # it is about time
def test_a_life_lasts_until_it_is_known_whether_its_last_fault_was_recovered_from(life):
    good = life(within_s=20.0)
    assert good.recovers.checks == 1 and not good.recovers.violations
    bad = life(mute_s=0.4)
    assert bad.recovers.checks == bad.recovers.violations == 1
    assert bad.pilot.happened.ended - bad.pilot.happened.ready > 1.6, "its time was over at 0.7 s"


@pytest.mark.alone  # it is about time
@pytest.mark.parametrize("how, is_good", [({}, True), ({"leak_s": 1.5}, False)], ids=str)
def test_a_descriptor_that_a_fault_left_behind_is_seen(life, how, is_good):
    """One more, from the middle of the second in which they are counted before the fault."""
    flown = life(plan.Episode("picture_missing", 2.0, 2.1), within_s=20.0, **how)
    assert flown.handles.checks >= 1 and bool(flown.handles.violations) != is_good


def test_an_end_that_nobody_tells_is_seen_in_the_log_and_in_the_recorder(life):
    """Its status is right, and so are its lines. What the recorder has is not this process's: a flight without an end."""
    told = life()
    assert not told.log.violations and told.recorder.violations == 1
    silent = life(is_silent=True)
    assert not silent.exit_status.violations and not silent.slots.violations
    assert silent.log.violations == silent.recorder.violations == 1


def test_frames_that_the_log_leaves_out_and_says_nothing_of_are_seen(life):
    assert not life(mute_s=0.4).losses.violations
    assert life(mute_s=0.4, is_silent=True).losses.violations == 1


@pytest.mark.alone  # it is about time
@pytest.mark.parametrize("load, name", [(None, None), ("child", "set"), ("socket", "network")])
def test_what_a_program_has_only_while_it_loads_is_seen(life, load, name):
    """Gone before it is ready."""
    flown = life(load=load)
    assert [kind for kind in ("set", "network") if getattr(flown, kind).violations] == ([name] if name else [])
    assert flown.set.checks and flown.network.checks


def test_a_stall_is_known_to_whoever_judges_late_frames(life):
    (begin, end), = life(plan.Episode("stall", 0.5, 0.8), within_s=20.0).pilot.orders.stalls
    assert 0.25 < end - begin < 10.0
    assert not life(plan.Episode("hang", 0.5, 0.8), within_s=20.0).pilot.orders.stalls


@pytest.mark.alone  # it is about time
def test_a_silence_between_two_looks_is_seen(life, monkeypatch):
    """Two seconds without a sign of life, which nobody looked at while they lasted."""
    monkeypatch.setattr(pilot, "EACH_S", 600.0)
    for silent_until_s, is_good in ((0.0, True), (2.2, False)):
        flown = life(plan.Episode("picture_missing", 2.3, 2.4), watchdog_s=1.5, mute_signs_s=silent_until_s, within_s=20.0)
        assert flown.watchdog.checks >= 3 and bool(flown.watchdog.violations) != is_good
