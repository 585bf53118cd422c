"""Controls of the soak (docs/design/soak.md): something is really wrong, and the soak has to fail by the invariant that is
about it. The soak itself is a step of CI of its own: scripts/soak.sh."""

import json
import os
import subprocess

import programs
import pytest

pytestmark = pytest.mark.alone  # it is about time

SEED = "1"  # whose first life ends in a way that has to be followed by another one


def soak(control, minutes):
    """What the soak of this control says; its exit status is 1."""
    environment = {**os.environ, "CONTROL": control, "MINUTES": str(minutes), "FAST": "1", "SEED": SEED}
    result = subprocess.run([programs.ROOT / "scripts" / "soak.sh", "--built"], env=environment, capture_output=True,
                            text=True, timeout=300, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    told = json.loads((programs.ROOT / "out" / f"soak-{control}" / "soak.json").read_text("ascii"))
    violated = {name for name, count in told["invariants"].items() if count["violations"]}
    return violated - {"slowness"}, told  # a machine that is busy with other tests is not what is shown


def test_a_supervisor_that_does_not_restart(sil):
    violated, told = soak("no-restart", 1)
    assert violated == {"alive"} and told["starts"] == 1 and told["frames"] > 0, told["problems"]


def test_a_set_that_changes_while_it_flies(sil):
    """The files are seen to have changed, and the next start is refused by the gate: nothing flies on it."""
    violated, told = soak("set-changed", 1)
    assert {"set", "alive", "exit_status", "log"} <= violated, told["problems"]
    assert told["starts"] == 2 and told["lives"][1]["status"] == programs.REFUSED and not told["lives"][1]["frames"]


def test_a_camera_that_delivers_an_old_picture(sil):
    violated, told = soak("wrong-picture", 0.2)
    assert violated == {"position"} and told["positions"] > 0, told["problems"]
