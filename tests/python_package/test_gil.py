"""The interpreter's lock: who holds it while a network runs, and whether two lanes run at once.

A thread is on a core, waits for one, or is blocked; the kernel counts the first two for each. What is left is what it waited
for the lock: a busy machine changes nothing of that.
"""

import ctypes
import os
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import load

COUNTS = os.path.exists("/proc/self/schedstat")
pytestmark = [pytest.mark.alone,  # it is about time
              pytest.mark.skipif(not COUNTS, reason="this kernel does not count how long threads wait (schedstat)")]

ATTEMPTS = 8  # the best counts: a page that has to be fetched blocks a thread, too
LEAST_RUN_S = 0.05
MOST_HELD = 0.01


@dataclass
class Sample:
    """Of the calling thread: the time, its time on a core, its time in wait for one."""

    wall: float
    on_core: float
    in_queue: float

    @staticmethod
    def take(schedstat):
        in_queue = int(os.pread(schedstat, 64, 0).split()[1]) / 1e9
        return Sample(time.perf_counter(), time.thread_time(), in_queue)

    def blocked_until(self, later):
        """The share of the time in which the thread could not have run."""
        could_run = later.on_core - self.on_core + later.in_queue - self.in_queue
        return max(0.0, 1 - could_run / (later.wall - self.wall))


def open_schedstat():
    return os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)


class Watcher:
    """A thread that does nothing but look at the clock."""

    def __enter__(self):
        self.samples, self.is_over = [], False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()

    def look(self):
        """Waits until it has looked once more."""
        count = len(self.samples)
        while len(self.samples) <= count + 1:
            time.sleep(0.001)

    def watch(self):
        schedstat = open_schedstat()
        while not self.is_over:
            self.samples.append(Sample.take(schedstat))
        os.close(schedstat)

    def blocked(self, begin, end):
        """From its last look before to its first look after: the lock may have been held in between."""
        before = [sample for sample in self.samples if sample.wall <= begin]
        after = [sample for sample in self.samples if sample.wall >= end]
        return before[-1].blocked_until(after[0])


def least_held(call):
    """(the least share of its time for which a call kept another thread from running, the longest call)."""
    shares, longest = [], 0.0
    with Watcher() as watcher:
        for _ in range(ATTEMPTS):
            watcher.samples[:-1] = []
            watcher.look()
            begin = time.perf_counter()
            call()
            end = time.perf_counter()
            watcher.look()
            shares.append(watcher.blocked(begin, end))
            longest = max(longest, end - begin)
    return min(shares), longest


@pytest.fixture(name="slow")
def bound_slow(runtime, flight_set):
    return runtime.bind(flight_set["slow"], runtime.create_lane("test"))


def test_the_interpreter_is_free_while_a_network_runs(runtime, flight_set, slow):
    x = np.ones(slow.inputs["x"].shape, np.float32)
    for name, call in (("run", slow.run), ("infer", lambda: runtime.infer(flight_set["slow"], {"x": x}))):
        share, longest = least_held(call)
        print(f"\n{name}: held {share:.2%} of {longest * 1e3:.0f} ms")
        assert longest >= LEAST_RUN_S, "the network is too quick to say anything"
        assert share < MOST_HELD, f"{name} held the interpreter for {share:.2%}"


def test_control_a_call_that_holds_it_is_seen():
    library = ctypes.PyDLL(None)  # unlike CDLL, it keeps the interpreter's lock
    share, longest = least_held(lambda: library.usleep(60_000))
    assert longest >= LEAST_RUN_S and share > 0.5, share


def test_loading_leaves_the_interpreter_free(make_runtime, place):
    runtimes = [make_runtime() for _ in range(ATTEMPTS)]
    loads = iter(runtimes)
    share, longest = least_held(lambda: load(next(loads), place))
    print(f"\nload: held {share:.2%} of {longest * 1e3:.0f} ms")
    assert longest >= LEAST_RUN_S and share < 0.1, share  # what it gives is made with the lock


def running_at_once(calls, rounds=3):
    """How many of the calls could run at the same time, each repeated on a thread of its own: 1 where they take turns."""
    shares, start = [], threading.Barrier(len(calls))

    def repeat(call):
        schedstat = open_schedstat()
        start.wait()
        first = Sample.take(schedstat)
        for _ in range(rounds):
            call()
        shares.append(1 - first.blocked_until(Sample.take(schedstat)))
        os.close(schedstat)

    threads = [threading.Thread(target=repeat, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(shares)


def test_two_lanes_run_at_once(runtime, flight_set):
    bounds = [runtime.bind(flight_set["slow"], runtime.create_lane(name)) for name in ("one", "two")]
    for bound in bounds:
        bound.inputs["x"][:] = 1
    together = max(running_at_once([bound.run for bound in bounds]) for _ in range(ATTEMPTS // 2))
    print(f"\nlanes that run at once: {together:.3f} of 2")
    assert together > 1.9, together
    assert np.array_equal(bounds[0].outputs["y"], bounds[1].outputs["y"])


def test_control_calls_that_hold_the_interpreter_take_turns():
    library, memory = ctypes.PyDLL(None), ctypes.create_string_buffer(1 << 26)
    library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

    def fill():
        library.memset(memory, 0, len(memory))

    together = max(running_at_once([fill, fill], rounds=20) for _ in range(2))
    assert together < 1.9, together


def test_a_lane_refuses_a_second_thread(runtime, flight_set):
    import skua

    lane = runtime.create_lane("test")
    bounds = [runtime.bind(flight_set["slow"], lane) for _ in range(2)]
    refused, start = [], threading.Barrier(2)

    def run(bound):
        start.wait()
        for _ in range(5):
            try:
                bound.run()
            except skua.InferenceError as error:
                refused.append(error.reason)

    threads = [threading.Thread(target=run, args=(bound,)) for bound in bounds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused and set(refused) == {"lane_busy"}
    bounds[0].run()
    assert bounds[0].outputs["y"].shape == bounds[0].inputs["x"].shape
