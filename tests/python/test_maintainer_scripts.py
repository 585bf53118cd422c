"""The packages' maintainer scripts (packaging/), run here below another root; what is asked of the machine is answered by
scripts. On a real system: scripts/try_packages.sh."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
OURS = "skua:x:998:998::/nonexistent:/usr/sbin/nologin"
LOGIN = "skua:x:1001:1001:Somebody:/:/bin/bash"


class Machine:
    def __init__(self, root):
        self.root = root
        self.programs = root / "programs"
        self.programs.mkdir()
        for name in ("sh", "find", "rm", "rmdir", "cat"):
            (self.programs / name).symlink_to(shutil.which(name))
        self.account("")
        for name in ("useradd", "userdel", "groupadd", "install"):
            self.program(name, f'echo {name} "$@" >>{root}/called')

    def program(self, name, text):
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def account(self, line):
        (self.root / "passwd").write_text(f"{line}\n" if line else "")
        self.program("getent", f'[ "$1" = passwd ] && [ -s {self.root}/passwd ] && cat {self.root}/passwd')

    def path(self, name):
        return self.root / name.lstrip("/")

    def run(self, script, *arguments):
        text = re.sub(r"/(run/systemd|var/lib/skua|etc/skua|etc/systemd)", rf"{self.root}/\1", (PACKAGING / script).read_text())
        return subprocess.run(["/bin/sh", "-s", *arguments], input=text, capture_output=True, text=True, check=False,
                              env={"PATH": str(self.programs)})

    def called(self):
        file = self.root / "called"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(name="machine")
def machine_below(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("answer, goes", [
    ("echo ActiveState=inactive", True), ("echo ActiveState=failed", True), ("echo ActiveState=active", False),
    ("echo ActiveState=activating", False), ("echo ActiveState=reloading", False), ("echo ActiveState=deactivating", False),
    ("exit 1", False)])
def test_only_a_service_that_rests_lets_the_package_go(machine, answer, goes):
    machine.path("/run/systemd/system").mkdir(parents=True)
    # `is-active` answers as systemd does: only active and reloading are status 0.
    machine.program("systemctl", f'case $1 in is-active) [ "{answer}" = "echo ActiveState=active" ];; *) {answer};; esac')
    done = machine.run("airborne/prerm", "remove")
    assert (done.returncode == 0) == goes and ("may be flying" in done.stderr) != goes, done


def test_without_systemd_the_package_goes(machine):
    assert machine.run("airborne/prerm", "remove").returncode == 0


@pytest.mark.parametrize("line", [LOGIN, OURS.replace("998:998", "0:0"), OURS.replace("/usr/sbin/nologin", "/bin/sh"),
                                  OURS.replace("/nonexistent", "/")])
def test_a_user_of_somebody_is_neither_taken_nor_removed(machine, line):
    machine.account(line)
    done = machine.run("airborne/postinst", "configure")
    assert done.returncode == 1 and line in done.stderr and machine.called() == [], done
    done = machine.run("airborne/postrm", "purge")
    assert done.returncode == 0 and "not the account that this package makes" in done.stderr and machine.called() == []


def test_control_our_user_is_taken_and_removed(machine):
    machine.account(OURS)
    assert machine.run("airborne/postinst", "configure").returncode == 0
    assert not any(line.startswith("useradd") for line in machine.called())
    assert "groupadd --system skua" in machine.called()  # there is none here
    assert machine.run("airborne/postrm", "purge").returncode == 0
    assert machine.called()[-1] == "userdel skua"


def test_a_user_with_files_or_without_userdel_stays(machine):
    machine.account(OURS)
    (machine.programs / "userdel").unlink()
    done = machine.run("airborne/postrm", "purge")
    assert done.returncode == 0 and "userdel is not here" in done.stderr
    machine.path("/var/lib/skua/state/ratchet").mkdir(parents=True)
    done = machine.run("airborne/postrm", "purge")
    assert done.returncode == 0 and "its files are in" in done.stderr


@pytest.mark.parametrize("script, argument", [("postinst", "configure"), ("postrm", "purge")])
def test_a_systemd_that_does_not_reload_leaves_nothing_half_done(machine, script, argument):
    machine.path("/run/systemd/system").mkdir(parents=True)
    machine.program("systemctl", "exit 1")
    assert machine.run(f"airborne/{script}", argument).returncode == 0


def test_purging_keeps_what_no_compiler_can_make_again(machine):
    engines = machine.path("/var/lib/skua/engines")
    (engines / "rejected").mkdir(parents=True)
    kept = ["rejected/net.calib_cache.0123", "net.calib_cache", "net.calib_cache.json"]
    for name in [*kept, "net__sm87_jp6.2_trt10.3_fp16.engine", ".hidden"]:
        (engines / name).write_text("content")
    done = machine.run("ground/postrm", "purge")
    assert done.returncode == 0 and "kept" in done.stderr
    assert {str(path.relative_to(engines)) for path in engines.rglob("*")} == {"rejected", *kept}


def test_control_an_engine_cache_without_them_is_gone(machine):
    engines = machine.path("/var/lib/skua/engines")
    (engines / "folder").mkdir(parents=True)
    (engines / "folder" / "net.engine").write_text("content")
    done = machine.run("ground/postrm", "purge")
    assert done.returncode == 0 and done.stderr == "" and not machine.path("/var/lib/skua").exists()


def test_a_mount_point_is_no_error(machine):
    """rmdir says of it that it is busy."""
    machine.path("/var/lib/skua/engines").mkdir(parents=True)
    (machine.programs / "rmdir").unlink()
    machine.program("rmdir", "exit 1")
    assert machine.run("ground/postrm", "purge").returncode == 0
    assert machine.run("airborne/postrm", "purge").returncode == 0
