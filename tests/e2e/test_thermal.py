"""`skua thermal`: what a person and a script see, and the stack's spoof test: a value in sysfs changes, and the reader's
view follows within the limit."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

import programs

sys.path.insert(0, str(programs.ROOT / "tests" / "support"))
import sysfs_tree  # noqa: E402  (tests/support is not a package)

pytestmark = pytest.mark.alone  # it is about time

UNAVAILABLE = 8
ORIN = "jetson_orin_nano_jp6"
COOLING = "/sys/class/thermal/cooling_device"
ZONE = "/sys/class/thermal/thermal_zone"


@pytest.fixture(name="orin")
def orin_fixture(tmp_path):
    return sysfs_tree.SysfsTree(ORIN, tmp_path / "machine")


def sensor(tree, folders, kind, file):
    """The file of the zone or cooling device of this type."""
    for index in range(64):
        kind_file = tree.path(f"{folders}{index}/type")
        if kind_file.exists() and kind_file.read_text().strip() == kind:
            return f"{folders}{index}/{file}"
    raise AssertionError(f"{kind}: not in the tree")


def gpu_alert(tree):
    return sensor(tree, COOLING, "gpu-throttle-alert", "cur_state")


def readings(result):
    assert result.returncode == programs.DONE, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_field_names_its_file(skua, orin):
    text = skua.ok("thermal", "--root", orin.root).stdout
    assert "thermal  normal  (source jetson_sysfs, measured " in text
    assert re.search(r"GPU temperature +\d+\.\d C +\S*/sys/class/thermal/thermal_zone\d+/temp", text), text
    assert re.search(r"GPU clock +\d+ MHz +\S*/sys/class/devfreq/", text), text
    assert re.search(r"thermal throttle +no +\S*/sys/class/thermal/cooling_device", text), text
    assert "\x1b" not in text


def test_json_is_one_object_with_stable_keys(skua, orin):
    [reading] = readings(skua("thermal", "--root", orin.root, "--json"))
    assert list(reading) == ["schema", "source", "measured_at_ns", "fields", "throttle_causes"]
    assert list(reading["fields"]) == [
        "cpu_temp_c", "gpu_temp_c", "hottest_temp_c", "throttle", "throttle_events", "limit_reached", "passive_trip_c",
        "critical_trip_c", "gpu_clock_mhz", "gpu_clock_max_mhz", "cpu_clock_mhz", "over_current_events"]
    assert reading["fields"]["throttle"]["value"] == 0
    orin.set(gpu_alert(orin), "1\n")
    [reading] = readings(skua("thermal", "--root", orin.root, "--json"))
    assert reading["fields"]["throttle"]["value"] == 1
    assert reading["throttle_causes"] == ["gpu-throttle-alert"]


def test_zone_that_is_off_is_offline_and_no_zero(skua, orin):
    orin.set(sensor(orin, ZONE, "gpu-thermal", "temp"), "-256000\n")
    [reading] = readings(skua("thermal", "--root", orin.root, "--json"))
    assert reading["fields"]["gpu_temp_c"]["status"] == "offline"
    assert "value" not in reading["fields"]["gpu_temp_c"] or reading["fields"]["gpu_temp_c"]["value"] is None
    assert reading["fields"]["cpu_temp_c"]["status"] == "value"


def test_machine_without_sensors_is_status_8(skua, tmp_path):
    tree = sysfs_tree.SysfsTree("nothing", tmp_path / "bare")
    result = skua("thermal", "--root", tree.root, "--json")
    programs.error_of(result, UNAVAILABLE, "telemetry_unavailable", "jetson_sysfs", "linux")


def test_source_that_is_named_is_not_replaced(skua, orin):
    result = skua("thermal", "--root", orin.root, "--source", "linux", "--json")
    if result.returncode == programs.DONE:
        assert json.loads(result.stdout)["source"] == "linux"
    else:
        programs.error_of(result, UNAVAILABLE, "telemetry_unavailable", "linux")


@pytest.mark.parametrize("arguments", [("--hz", "0"), ("--hz", "11"), ("--hz", "nan"), ("--source", "jtop"),
                                       ("--source", "replay"), ("--watch", "--count", "-1"),
                                       ("--watch", "--count", "0"), ("--count", "2"), ("--replay", "/nowhere/x", "--hz", "0")])
def test_what_is_not_allowed_is_a_usage_error(skua, orin, arguments):
    assert skua("thermal", "--root", orin.root, *arguments).returncode == programs.USAGE


def test_watch_is_a_recording_that_can_be_replayed(skua, orin, tmp_path):
    """What --watch --json prints is what --replay reads."""
    watched = skua("thermal", "--root", orin.root, "--watch", "--json", "--hz", "10", "--count", "3")
    recorded = readings(watched)
    assert len(recorded) == 3
    file = tmp_path / "recorded.jsonl"
    file.write_text(watched.stdout)
    [replayed] = readings(skua("thermal", "--replay", file, "--json"))
    assert replayed["source"] == "replay"
    assert replayed["fields"]["gpu_temp_c"]["value"] == recorded[0]["fields"]["gpu_temp_c"]["value"]


def test_damaged_recording_is_refused_with_its_line(skua, tmp_path):
    file = tmp_path / "recorded.jsonl"
    file.write_text("{}\n")
    result = skua("thermal", "--replay", file, "--json")
    assert result.returncode == UNAVAILABLE
    assert "line 1" in result.stdout + result.stderr or ":1" in result.stdout + result.stderr


def test_spoofed_throttle_reaches_the_reader_within_the_limit(skua, orin):
    """At the rate of the airborne template. The stack's limit is one second from sysfs to C4."""
    watch = skua.start("thermal", "--root", orin.root, "--watch", "--json", "--hz", "2")
    try:
        assert json.loads(watch.stdout.readline())["fields"]["throttle"]["value"] == 0
        orin.set(gpu_alert(orin), "1\n")
        changed = time.monotonic_ns()
        while True:
            reading = json.loads(watch.stdout.readline())
            if reading["fields"]["throttle"]["value"] == 1:
                break
        # From the change to the poll that saw it, by the clock that both programs share.
        assert reading["measured_at_ns"] - changed <= 1_000_000_000
    finally:
        os.killpg(watch.pid, signal.SIGTERM)
        watch.communicate(timeout=programs.TIMEOUT_S)


def test_control_without_the_spoof_nothing_changes(skua, orin):
    seen = readings(skua("thermal", "--root", orin.root, "--watch", "--json", "--hz", "10", "--count", "12"))
    assert [reading["fields"]["throttle"]["value"] for reading in seen] == [0] * 12


def test_transitions_are_logged_when_asked(skua, orin):
    watch = skua.start("thermal", "--root", orin.root, "--watch", "--log", "--json", "--hz", "10")
    watch.stdout.readline()
    orin.set(gpu_alert(orin), "1\n")
    record = json.loads(watch.stderr.readline())
    os.killpg(watch.pid, signal.SIGTERM)
    watch.communicate(timeout=programs.TIMEOUT_S)
    assert (record["level"], record["kind"]) == ("WARN", "c7.thermal_transition")
    assert record["msg"].startswith("C7 thermal throttle active; gpu_temp=")
    assert record["kv"]["new_state"] == "throttled"


def on_a_terminal(skua, *arguments, columns=80):
    """What the program writes to a terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(skua.command(*arguments), stdout=follower, stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL, env=programs.environment(skua.home))
    os.close(follower)
    written = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(leader)
    assert child.wait(timeout=programs.TIMEOUT_S) == programs.DONE
    return written.decode()


def test_watch_on_a_terminal_draws_over_itself_in_colour(skua, orin):
    orin.set(gpu_alert(orin), "1\n")
    text = on_a_terminal(skua, "thermal", "--root", orin.root, "--watch", "--hz", "10", "--count", "2", columns=400)
    assert "\x1b[1;31mthrottled\x1b[0m" in text
    assert "\x1b[13A" in text, "the second block is drawn over the first: one head line and twelve fields"
    assert text.count("GPU temperature") == 2
    assert "now: gpu-throttle-alert" in text


def test_no_line_of_a_watch_wraps(skua, orin):
    """A line that took two rows would leave its head behind at every redraw."""
    text = on_a_terminal(skua, "thermal", "--root", orin.root, "--watch", "--hz", "10", "--count", "2", columns=80)
    lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).replace("\r", "").split("\n")
    assert max(map(len, lines)) == 80, "the longest is cut to the very width"
    assert len(lines) == 2 * 13 + 1


def test_every_reading_of_a_watch_is_printed_once(skua, orin):
    seen = readings(skua("thermal", "--root", orin.root, "--watch", "--json", "--hz", "9", "--count", "20"))
    times = [reading["measured_at_ns"] for reading in seen]
    assert len(set(times)) == 20
    gaps = sorted(later - earlier for earlier, later in zip(times, times[1:]))
    assert gaps[len(gaps) // 2] < 1.5e9 / 9, "every second reading is missing"


def test_doctor_refuses_what_the_aircraft_would_refuse(skua, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("components: {c7_inference: {thermal_cpu: 900}}\n")
    assert skua("doctor", "--config", config).returncode == programs.USAGE
    assert skua("thermal", "--config", config).returncode == programs.USAGE


def test_ctrl_c_ends_a_watch_in_order(skua, orin):
    watch = skua.start("thermal", "--root", orin.root, "--watch", "--json", "--hz", "1")
    watch.stdout.readline()
    os.killpg(watch.pid, signal.SIGINT)
    _, errors = watch.communicate(timeout=10)
    assert watch.returncode == programs.DONE, errors
