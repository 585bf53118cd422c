"""The systemd unit: what systemd itself says of it, and the program run under what it says.

No systemd runs here. service_cage.py keeps the directives that mounts, user, capabilities and seccomp can keep; a
socket of the test's is the supervisor that READY=1, WATCHDOG=1 and STOPPING=1 go to."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

import airborne_package
import confined
import programs
import units

pytestmark = pytest.mark.alone  # it is about time

FOLDERS = ("state", "recorder", "sets", "map", "frames")
MOST_EXPOSED = 1.0  # of 10; systemd's word below 2.0 is OK


@pytest.fixture(name="unit")
def parsed_unit():
    return units.Unit(units.UNIT.read_text("ascii"))


@pytest.fixture(name="analyze")
def systemd_analyze():
    if not programs.has_tool("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (scripts/setup.sh test installs systemd)")

    def run(*arguments):
        return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False)

    return run


def variant(tmp_path, old, new):
    """A copy of the unit with another line. Its program is the build's, which verify looks for."""
    text = units.UNIT.read_text("ascii").replace("/opt/skua", str(programs.BUILD))
    assert old in text
    copy = tmp_path / units.UNIT.name
    copy.write_text(text.replace(old, new))
    return copy


def complaints(analyze, unit_file):
    result = analyze("verify", "--recursive-errors=no", unit_file)
    return [line for line in (result.stdout + result.stderr).splitlines() if unit_file.name in line]


def test_systemd_understands_the_unit(analyze, tmp_path):
    assert complaints(analyze, variant(tmp_path, "", "")) == []


@pytest.mark.parametrize("old, new", [("RestartForceExitStatus=10", "RestartForceExitStatus=ten"),
                                      ("WatchdogSec=10", "WatchDogSec=10"),
                                      ("SystemCallFilter=@system-service", "SystemCallFilter=@no-such-set"),
                                      ("ReadWritePaths=/var/lib", "ReadWritePaths=var/lib")])
def test_control_systemd_finds_a_mistake(analyze, tmp_path, old, new):
    assert complaints(analyze, variant(tmp_path, old, new)) != []


def exposure(analyze, unit_file):
    result = analyze("security", "--offline=true", "--no-pager", f"--threshold={round(10 * MOST_EXPOSED)}", unit_file)
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout).group(1)), result.returncode


def test_the_service_is_confined(analyze, tmp_path):
    level, status = exposure(analyze, units.UNIT)
    print(f"\nsystemd-analyze security: exposure {level} of 10 (at most {MOST_EXPOSED})")
    assert status == 0 and level <= MOST_EXPOSED
    opened, status = exposure(analyze, variant(tmp_path, "RestrictAddressFamilies=AF_UNIX", ""))
    assert opened > level, "a control: every directive counts"
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    opened, status = exposure(analyze, bare)
    assert status != 0 and opened > 5


def test_the_unit_says_what_the_program_does(unit):
    """Exit statuses (docs/reference/cli.md) and the crash loop's figures are written down twice."""
    assert unit.all("RestartPreventExitStatus") == [str(status) for status in (
        programs.USAGE, programs.REFUSED, programs.NO_RUNTIME)]
    assert unit.all("RestartForceExitStatus") == ["10"]
    header = (programs.ROOT / "src/bootstrap/flight_state.h").read_text("ascii")
    starts, seconds = (int(re.search(rf"{name} = (\d+);", header).group(1))
                       for name in ("kCrashLoopStarts", "kCrashLoopSeconds"))
    assert unit.seconds("StartLimitBurst", "Unit") == starts
    assert unit.seconds("StartLimitIntervalSec", "Unit") == seconds
    assert unit.all("ReadWritePaths") == [f"/var/lib/{name}" for name in unit.all("StateDirectory")]
    example = (programs.ROOT / "docs/examples/airborne.yaml").read_text("ascii")
    for path in unit.all("ReadWritePaths"):
        assert path in example, "the example configuration writes where the unit allows it"


class Service:
    """The program as the unit starts it, in a cage, with its supervisor's socket."""

    def __init__(self, folder, unit, place, watchdog_s):
        self.unit, self.folder = unit, folder
        (folder / "run").mkdir()
        self.supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.supervisor.bind(str(folder / "run" / "notify"))
        (folder / "run" / "notify").chmod(0o777)
        package = airborne_package.install("airborne", folder / "opt")
        own = {"state": place.state, "recorder": place.recorder, "sets": place.sets, "map": place.map,
               "frames": place.frames}
        for name in ("state", "recorder"):
            os.chown(own[name], confined.NOBODY, confined.NOBODY)
            own[name].chmod(0o700)
        binds = {"/opt/skua": package, "/run/systemd": folder / "run",
                 **{f"/var/lib/skua/{name}": own[name] for name in FOLDERS}}
        plan = units.cage_plan(unit, {target: str(source) for target, source in binds.items()},
                               self.operators(place), confined.NOBODY)
        (folder / "plan.json").write_text(json.dumps(plan))
        self.watchdog_s = watchdog_s
        self.process = None

    @staticmethod
    def operators(place):
        """What the operator puts into /etc: the place's configuration, with every folder where the aircraft has it, and
        the public key."""
        public_key, place.c7["trusted_key"] = place.c7["trusted_key"], "/etc/skua/flight.pub"
        place.c7.update({f"{key}_dir": f"/var/lib/skua/{name}" for key, name in (
            ("state", "state"), ("recorder", "recorder"), ("flight_sets", "sets"))})
        place.flight_block.update(map="/var/lib/skua/map", frames="/var/lib/skua/frames")
        configuration = place.config()
        configuration.chmod(0o644)
        return {"skua/airborne.yaml": str(configuration), "skua/flight.pub": str(public_key)}

    def command(self, *command):
        """A command in the cage."""
        cage = programs.ROOT / "tests" / "e2e" / "service_cage.py"
        return ["unshare", "--mount", "--net", sys.executable, str(cage), str(self.folder / "plan.json"), *command]

    def start(self, *more):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": "/run/systemd/notify",
                       "WATCHDOG_USEC": str(round(self.watchdog_s * 1e6))}
        self.process = subprocess.Popen(self.command(*self.unit.one("ExecStart").split(), *more),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                                        stdin=subprocess.DEVNULL)
        return self.process

    def next_message(self, within_s):
        """What the supervisor is told next; None when nothing comes in that time."""
        self.supervisor.settimeout(within_s)
        try:
            return self.supervisor.recv(4096).decode("utf-8")
        except TimeoutError:
            return None

    def told(self, within_s):
        """The first line of the next message, "" where none comes in time; fails when the program ended without one."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            has_ended = self.process.poll() is not None  # asked first: what it sent before its end is still read
            if (message := self.next_message(0.1)) is not None:
                return message.split("\n")[0]
            if has_ended:
                pytest.fail(f"ended: {self.process.returncode}\n{self.process.communicate()}")
        return ""

    def stop(self):
        """SIGTERM, as the unit's KillSignal, and the end within its TimeoutStopSec."""
        self.process.send_signal(getattr(signal, self.unit.one("KillSignal")))
        stdout, stderr = self.process.communicate(timeout=self.unit.seconds("TimeoutStopSec"))
        return self.process.returncode, [json.loads(line) for line in stdout.splitlines()], stderr

    def close(self):
        self.supervisor.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.communicate()


@pytest.fixture(name="service")
def caged_service(unit, flight_place, tmp_path):
    """A function that makes the service with a watchdog of so many seconds."""
    covered = ("/tmp", "/var", "/home", "/root", "/opt", "/run", "/mnt", "/etc")
    sdk = programs.ROOT.joinpath(".venv").resolve()
    if why := confined.why_no_mounts() or confined.why_no_other_user():
        pytest.skip(why)
    if os.geteuid() != 0 or not programs.has_tool("systemd-analyze") or not programs.has_tool("cc"):
        pytest.skip("needs root, and systemd-analyze and cc for the filter of system calls")
    if any(sdk.is_relative_to(folder) for folder in covered):
        pytest.skip(f"libtorch lies in {sdk}, which the unit hides")
    made = []

    def make(watchdog_s):
        made.append(Service(tmp_path, unit, flight_place, watchdog_s))
        return made[-1]

    yield make
    for service in made:
        service.close()


def test_it_flies_as_the_unit_starts_it(service, unit, skua, flight_place):
    """READY=1 to STOPPING=1: the watchdog fed in its time, an orderly end, a recorder that tells."""
    watchdog_s = unit.seconds("WatchdogSec")
    running = service(watchdog_s)
    running.start()
    assert running.told(unit.seconds("TimeoutStartSec")) == "READY=1"
    assert [running.told(watchdog_s) for _ in range(2)] == ["WATCHDOG=1"] * 2
    status, log, stderr = running.stop()
    assert status == programs.DONE, f"{stderr}\n{log[-5:]}"
    assert (running.next_message(1) or "").startswith("STOPPING=1\n")
    assert [record["kv"]["cause"] for record in log if record["kind"] == "c7.flight_ended"] == ["signal"]
    recorded = skua.ok("recorder", "dump", flight_place.recorder, "--json")["records"]
    assert {"c7.engines_ready", "c7.flight_begun", "c7.flight_ended"} <= {record["kind"] for record in recorded}
    assert not (flight_place.state / "in_flight.json").exists()


def test_control_a_stopped_program_is_missed(service, unit):
    """The watchdog finds a program that stands still, and only then."""
    watchdog_s = 1.0
    running = service(watchdog_s)
    process = running.start()
    assert running.told(unit.seconds("TimeoutStartSec")) == "READY=1"
    assert running.told(watchdog_s) == "WATCHDOG=1"
    process.send_signal(signal.SIGSTOP)
    while running.next_message(watchdog_s / 10) is not None:  # what was sent before
        pass
    assert running.next_message(watchdog_s) is None
    process.send_signal(signal.SIGCONT)
    assert running.told(watchdog_s) == "WATCHDOG=1"
    assert running.stop()[0] == programs.DONE


def test_control_the_cage_holds(service, flight_place):
    """What the unit forbids fails in there, and what it allows does not: otherwise the flight above shows nothing."""
    script = """
      grep -E '^(NoNewPrivs|CapBnd|CapEff|Seccomp):' /proc/self/status | tr -d '\\t'
      id -u; cat /proc/net/dev | grep -c ':'
      for place in / /etc /opt/skua /var/lib/skua /var/lib/skua/sets /run /sys /dev /var/lib/skua/state /tmp; do
        if touch "$place/skua-cage" 2>/dev/null; then echo "wrote $place"; fi
      done
      ls /root >/dev/null 2>&1 || echo 'no /root'
      mount -t tmpfs none /tmp 2>&1 | grep -c -i 'permi\\|must be super'
      setpriv --reuid 0 true 2>/dev/null || echo 'no root'
    """
    running = service(1.0)
    result = subprocess.run(running.command("/bin/sh", "-c", script), capture_output=True, text=True, check=False,
                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    assert result.stdout.split("\n")[:-1] == [
        "CapEff:0000000000000000", "CapBnd:0000000000000000", "NoNewPrivs:1", "Seccomp:2", str(confined.NOBODY), "1",
        "wrote /var/lib/skua/state", "wrote /tmp", "no /root", "1", "no root"], f"{result.stdout}\n{result.stderr}"
    assert (flight_place.state / "skua-cage").exists()


def key_of(place):
    """A copy of its key, for a test to spoil."""
    place.c7["trusted_key"] = shutil.copy2(place.c7["trusted_key"], place.folder / "own.pub")
    return place.c7["trusted_key"]


SOMEBODY = confined.NOBODY - 1  # neither root nor the user of the service
NOT_SAFE = {
    "a key that others may write": (programs.USAGE, "file_mode", "trusted_key", lambda place: os.chmod(key_of(place), 0o666)),
    "a key of somebody else": (programs.USAGE, "file_owner", "trusted_key",
                               lambda place: os.chown(key_of(place), SOMEBODY, SOMEBODY)),
    "a key that it may not read": (programs.USAGE, "permission_denied", "trusted_key",
                                   lambda place: os.chmod(key_of(place), 0o600)),
    "a set that others may write": (programs.REFUSED, "file_mode", "set-", lambda place: place.current().chmod(0o777)),
    "a set of somebody else": (programs.REFUSED, "file_owner", "set-",
                               lambda place: os.chown(place.current(), SOMEBODY, SOMEBODY)),
    "a signature that others may write": (programs.REFUSED, "file_mode", "model.sig",
                                          lambda place: (place.current() / "model.sig").chmod(0o666)),
    "a signature of somebody else": (programs.REFUSED, "file_owner", "model.sig",
                                     lambda place: os.chown(place.current() / "model.sig", SOMEBODY, SOMEBODY)),
}


@pytest.mark.parametrize("what", NOT_SAFE)
def test_keys_and_sets_are_roots(service, unit, flight_place, what):
    """The service's user is not their owner and needs not be; what somebody else could have written it does not trust.
    The control is the flight above: keys and sets of root, read by another user."""
    status, reason, where, spoil = NOT_SAFE[what]
    flight_place.own_sets()
    spoil(flight_place)
    process = service(1.0).start()
    _, stderr = process.communicate(timeout=unit.seconds("TimeoutStartSec"))
    assert process.returncode == status and f"[{reason}]" in stderr and where in stderr, stderr


def test_a_refused_take_off_is_not_tried_again(service, unit, flight_place):
    """A gate's refusal under the unit: a status that systemd is told not to restart, and no READY=1."""
    (engine,) = flight_place.own_sets().glob("*/demo_vpr__*.pt")
    engine.write_bytes(engine.read_bytes()[:-1])
    running = service(1.0)
    process = running.start()
    _, stderr = process.communicate(timeout=unit.seconds("TimeoutStartSec"))
    assert str(process.returncode) in unit.all("RestartPreventExitStatus"), stderr
    assert process.returncode == programs.REFUSED and stderr.startswith("airborne_bootstrap: "), stderr
    assert running.next_message(0.1) is None
