"""How the soak looks at a process that changes meanwhile, and that nothing of it stays behind."""

import contextlib
import fcntl
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from soak import craft, world  # noqa: E402  (its folder is only known from here on)


def test_a_sign_that_came_while_nobody_listened_counts(tmp_path):
    notified = craft.Notified(tmp_path / "notify")
    notified.alive_at = time.monotonic() - 100
    assert notified.silent_s() >= 100
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
        program.sendto(b"WATCHDOG=1", str(tmp_path / "notify"))
    assert notified.silent_s() < 100
    notified.close()


@pytest.mark.alone  # it is about time
def test_a_silence_that_is_over_when_somebody_listens_is_told(tmp_path):
    """Of the times at which the signs came, not of those at which they are read."""
    notified = craft.Notified(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
        for text, after_s in ((b"READY=1", 0.4), (b"WATCHDOG=1", 0.0), (b"WATCHDOG=1", 0.3)):
            program.sendto(text, str(tmp_path / "notify"))
            time.sleep(after_s)
    long, short = notified.silences()
    assert 0.39 < long and short < long and notified.silent_s() >= 0.29
    assert notified.silences() == []
    notified.close()


def own_sockets():
    links = [str(path.readlink()) for path in pathlib.Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return craft.outside_sockets(pathlib.Path("/proc/self"), links)


@pytest.mark.parametrize("kind, name", [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_a_socket_of_this_very_process_is_seen_and_a_local_one_is_none(kind, name):
    before = own_sockets()
    with socket.socket(socket.AF_UNIX, kind), socket.socket(socket.AF_INET, kind) as opened:
        opened.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            opened.listen()
        assert sorted(own_sockets()) == sorted([*before, name])


def proc_of(folder, memory="RssAnon:\t   1234 kB\n"):
    """A process as /proc shows it: a thread and a descriptor of it end while one looks, and leave their names alone."""
    (folder / "status").write_text("Name:\tx\n" + memory + "Threads:\t2\n")
    (folder / "fd").mkdir()
    os.symlink("/dev/null", folder / "fd" / "0")
    (folder / "task" / "7").mkdir(parents=True)
    (folder / "task" / "7" / "children").write_text("4711 ")
    (folder / "task" / "8").mkdir()
    return folder


def test_a_thread_that_ends_while_one_looks_hides_nothing_else(tmp_path):
    seen = craft.sample_of(proc_of(tmp_path))
    assert (seen.anon_kib, seen.descriptors, seen.threads, seen.children) == (1234, 1, 2, [4711])


def test_a_process_that_is_gone_is_told_from_one_that_is_there(tmp_path):
    with pytest.raises(craft.Gone):
        craft.sample_of(tmp_path / "none")
    with pytest.raises(craft.Gone):
        craft.sample_of(proc_of(tmp_path, memory=""))
    assert craft.sample_of(pathlib.Path("/proc/self")).anon_kib > 0


def test_a_segment_that_is_given_up_while_one_looks_leaves_the_others_size(tmp_path):
    (tmp_path / "segment-2").write_bytes(bytes(10))
    assert craft.size_of([tmp_path / "segment-1", tmp_path / "segment-2"]) == 10


def test_a_pipe_gets_small_as_soon_as_its_reader_has_read_on():
    reading, writing = os.pipe()
    os.write(writing, bytes(60000))
    with pytest.raises(TimeoutError):
        craft.set_pipe_size(reading, craft.SMALL_PIPE_BYTES)
    behind = threading.Timer(0.1, lambda: os.read(reading, 60000))
    behind.start()
    craft.set_pipe_size(reading, craft.SMALL_PIPE_BYTES)
    assert fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ) == craft.SMALL_PIPE_BYTES
    behind.join()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("start, ends", [(craft.ENDS_WITH_US, True), ((), False)])
def test_what_flies_ends_with_who_flies_it(start, ends):
    """Whoever is killed cannot take anything with him by himself. What he left alone holds the pipe open."""
    command = [*start, "sh", "-c", "echo $$; exec sleep 60"]
    code = f"import subprocess, time; subprocess.Popen({command}); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as soak:
        child = int(soak.stdout.readline())
        soak.send_signal(signal.SIGKILL)
        soak.wait()
        try:
            over, _, _ = select.select([soak.stdout], [], [], 30.0 if ends else 0.5)
            assert bool(over) == ends
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def test_a_namespace_of_its_own_is_seen_whatever_a_variable_says(monkeypatch):
    monkeypatch.setenv("SKUA_SOAK_NAMESPACE", "own")
    assert not world.is_own_namespace()
    own = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--user", "--map-root-user"])]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the kernel lets this user have no mount namespace: nothing to compare with")
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); from soak import world; print(world.is_own_namespace())"
    told = subprocess.run([*own, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "True"
