"""Keys, signatures and policies as an operator meets them: keygen, sign, provision --sign, verify --trust, --policy."""

import fcntl
import json
import os
import pty
import select
import signal
import stat
import subprocess
import termios
import time

import pytest

import damage
import programs
import trees
from programs import DONE, REFUSED, USAGE

PATIENCE_S = 60


@pytest.fixture(name="keys")
def two_keys(skua, tmp_path):
    """`a` and `b`, each with .key and .pub; their folder."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for name in ("a", "b"):
        skua.ok("keygen", folder / name)
    return folder


def fingerprint(skua, public_key):
    return skua.ok("inspect", public_key, "--json")["content"]["fingerprint"]


def policy(folder, text, mode=0o644):
    path = folder / "policy.yaml"
    path.write_text("skua_policy: 1\n" + text, "ascii")
    path.chmod(mode)
    return path


# ---- keys ----------------------------------------------------------------------------------------------------------------

def test_a_private_key_is_its_owners_alone_whatever_the_umask(skua, tmp_path):
    for mask in ("000", "022", "077"):
        report = skua.ok("keygen", tmp_path / mask, "--json", prefix=("sh", "-c", f'umask {mask}; exec "$@"', "sh"))
        assert stat.S_IMODE(os.stat(report["key"]).st_mode) == 0o600
        assert not report["is_encrypted"]
        assert report["fingerprint"] == fingerprint(skua, report["public_key"])


def test_keys_are_never_overwritten_and_never_printed(skua, keys):
    before = trees.tree(keys)
    result = skua("keygen", keys / "a", "--json")
    programs.error_of(result, USAGE, "key_exists", keys / "a")
    assert trees.tree(keys) == before
    told = skua("keygen", keys / "c")
    secret = (keys / "c.key").read_text("ascii").splitlines()[1]
    assert told.returncode == DONE and secret not in told.stdout + told.stderr


def test_an_encrypted_key_opens_with_its_passphrase_file_alone(skua, flight, tmp_path):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for path, text in ((right, "a passphrase\n"), (wrong, "another\n")):
        path.write_text(text, "ascii")
        path.chmod(0o600)
    skua.ok("keygen", tmp_path / "k", "--encrypt", "--passphrase-file", right)
    assert "BEGIN " + "ENCRYPTED PRIVATE KEY" in (tmp_path / "k.key").read_text("ascii")
    sign = ("sign", flight.sets, "--key", tmp_path / "k.key", "--json")
    programs.error_of(skua(*sign), USAGE, "invalid_argument", "terminal", "--passphrase-file")
    programs.error_of(skua(*sign, "--passphrase-file", wrong), USAGE, "passphrase_wrong", tmp_path / "k.key")
    right.chmod(0o640)
    programs.error_of(skua(*sign, "--passphrase-file", right), USAGE, "file_mode", right)
    right.chmod(0o600)
    assert not (flight.current() / "model.sig").exists()
    skua.ok(*sign, "--passphrase-file", right)
    skua.ok("verify", flight.sets, "--trust", tmp_path / "k.pub")


class Typist:
    """A program on a terminal of its own, and what it shows there."""

    def __init__(self, skua, *arguments):
        self.terminal, side = pty.openpty()
        self.before = termios.tcgetattr(side)
        self.process = subprocess.Popen(
            skua.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=programs.environment(skua.home), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(side, termios.TIOCSCTTY, 0))
        self.side = side
        self.shown = b""

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            ready, _, _ = select.select([self.terminal], [], [], deadline - time.monotonic())
            assert ready, f"waited {PATIENCE_S} s for {text!r}, the terminal shows {self.shown!r}"
            self.shown += os.read(self.terminal, 4096)
        self.shown = self.shown.split(text, 1)[1]

    def type(self, text):
        os.write(self.terminal, text)

    def end(self):
        """Exit status and stderr; the terminal has to be as it was."""
        _, told = self.process.communicate(timeout=PATIENCE_S)
        assert termios.tcgetattr(self.side) == self.before
        rest = b""
        while select.select([self.terminal], [], [], 0)[0]:
            rest += os.read(self.terminal, 4096)
        os.close(self.terminal)
        os.close(self.side)
        return self.process.returncode, told, self.shown + rest


def test_a_passphrase_is_typed_twice_and_unseen(skua, flight, tmp_path):
    typist = Typist(skua, "keygen", tmp_path / "k", "--encrypt")
    typist.wait_for(b"new key: ")
    typist.type(b"typed secret\n")
    typist.wait_for(b"again: ")
    assert b"typed secret" not in typist.shown
    typist.type(b"typed secret\n")
    status, told, shown = typist.end()
    assert status == DONE and b"typed secret" not in shown and "typed secret" not in told, told
    typist = Typist(skua, "sign", flight.sets, "--key", tmp_path / "k.key")
    typist.wait_for(b"k.key: ")
    typist.type(b"typed secret\n")
    assert typist.end()[0] == DONE
    skua.ok("verify", flight.sets, "--trust", tmp_path / "k.pub")


def test_two_different_passphrases_make_no_key(skua, tmp_path):
    typist = Typist(skua, "keygen", tmp_path / "k", "--encrypt")
    for prompt, text in ((b"new key: ", b"one\n"), (b"again: ", b"other\n")):
        typist.wait_for(prompt)
        typist.type(text)
    status, told, _ = typist.end()
    assert status == USAGE and "passphrase_wrong" in told
    assert not list(tmp_path.glob("k.*"))


@pytest.mark.parametrize("ending", [b"\x03", b"\x1c", signal.SIGTERM, signal.SIGHUP],
                         ids=["Ctrl-C", "Ctrl-backslash", "SIGTERM", "SIGHUP"])
def test_whatever_ends_the_question_the_terminal_is_as_it_was(skua, tmp_path, ending):
    typist = Typist(skua, "keygen", tmp_path / "k", "--encrypt")
    typist.wait_for(b"new key: ")
    during = termios.tcgetattr(typist.side)
    assert not during[3] & termios.ECHO  # control: there is something to restore
    if isinstance(ending, bytes):
        typist.type(ending)
    else:
        typist.process.send_signal(ending)
    status, told, _ = typist.end()
    assert status in (USAGE, -signal.SIGQUIT, -signal.SIGHUP), told
    assert not list(tmp_path.glob("k.*"))


# ---- signing -------------------------------------------------------------------------------------------------------------

def test_a_set_is_signed_once(skua, flight, keys):
    report = skua.ok("sign", flight.sets, "--key", keys / "a.key", "--json")
    assert report["is_signature_added"] and report["set_id"] == flight.current().name
    assert report["signer"] == fingerprint(skua, keys / "a.pub")
    before = trees.tree(flight.sets)
    again = skua.ok("sign", flight.current(), "--key", keys / "a.key")
    assert "unchanged" in again.stdout
    programs.error_of(skua("sign", flight.sets, "--key", keys / "b.key", "--json"), USAGE, "already_signed")
    assert trees.tree(flight.sets) == before


def test_a_set_that_is_not_whole_is_not_signed(skua, flight, keys):
    sign = ("sign", flight.sets, "--key", keys / "a.key", "--json")
    engine = damage.engine(flight.current())
    good = engine.read_bytes()
    engine.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    programs.error_of(skua(*sign), REFUSED, "sidecar_hash_mismatch", engine.name)
    engine.write_bytes(good)
    (flight.current() / "stray").write_text("x")
    programs.error_of(skua(*sign), REFUSED, "unlisted_file", "stray")
    (flight.current() / "stray").unlink()
    programs.error_of(skua(*sign, "--set", "flight_set_limit_bytes=1"), REFUSED, "set_too_large")
    assert not (flight.current() / "model.sig").exists()
    skua.ok(*sign)


def test_errors_of_places_are_the_callers(skua, flight, keys, tmp_path):
    key = ("--key", keys / "a.key", "--json")
    programs.error_of(skua("sign", tmp_path / "none", *key), REFUSED, "set_missing")
    programs.error_of(skua("sign", keys, *key), REFUSED, "current_missing")
    programs.error_of(skua("sign", flight.sets, "--key", keys / "a.pub", "--json"), USAGE, "file_mode", "a.pub")
    lock = os.open(flight.sets, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    programs.error_of(skua("sign", flight.sets, *key), USAGE, "folder_busy")
    os.close(lock)
    skua.ok("sign", flight.sets, *key)


def test_a_signer_that_is_killed_leaves_nothing_in_the_set(skua, flight, keys):
    """At moments spread over the whole of a run: the set is unsigned, or signed and good, and nothing else."""
    unsigned = trees.tree(flight.current())
    start = time.monotonic()
    skua.ok("sign", flight.sets, "--key", keys / "a.key")
    whole_s = time.monotonic() - start
    rounds = programs.repeats("e2e_signers_killed")
    for i in range(rounds):
        (flight.current() / "model.sig").unlink(missing_ok=True)
        process = skua.start("sign", flight.sets, "--key", keys / "a.key")
        time.sleep(whole_s * i / rounds)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
        if (flight.current() / "model.sig").exists():
            skua.ok("verify", flight.sets, "--trust", keys / "a.pub")
        else:
            assert trees.tree(flight.current()) == unsigned
            skua.ok("verify", flight.sets, *programs.UNSIGNED)
    skua.ok("sign", flight.sets, "--key", keys / "a.key")
    assert not [path for path in flight.sets.iterdir() if path.name.startswith(".")]


def test_provisioning_with_a_key(skua, flight, keys):
    command = (*flight.provision_arguments(flight.yaml), "--json")
    old = flight.current()
    report = skua.ok(*command, "--sign", keys / "a.key")  # it flies unsigned
    assert (report["is_published"], report["is_signature_added"]) == (False, True)
    assert report["signer"] == fingerprint(skua, keys / "a.pub") and flight.current() == old
    report = skua.ok(*command, "--sign", keys / "a.key")
    assert (report["is_published"], report["is_signature_added"]) == (False, False)
    report = skua.ok(*command, "--sign", keys / "b.key")
    assert report["is_published"] and flight.current() != old
    skua.ok("verify", flight.sets, "--trust", keys / "b.pub")
    skua.ok("verify", old, "--trust", keys / "a.pub")


def test_the_key_is_read_before_anything_is_compiled(skua, flight, keys):
    (keys / "a.key").chmod(0o644)
    before = trees.tree(flight.sets), trees.tree(flight.cache)
    result = skua(*flight.provision_arguments(flight.yaml), "--sign", keys / "a.key", "--json")
    programs.error_of(result, USAGE, "file_mode", keys / "a.key")
    assert (trees.tree(flight.sets), trees.tree(flight.cache)) == before


# ---- who is trusted ------------------------------------------------------------------------------------------------------

def test_verify_and_run_accept_a_trusted_key_alone(skua, flight, keys, inputs):
    skua.ok("sign", flight.sets, "--key", keys / "a.key")
    a, b = ("--trust", keys / "a.pub"), ("--trust", keys / "b.pub")
    for command in (("verify", flight.sets), ("run", flight.sets, "add_relu", *inputs)):
        programs.error_of(skua(*command, "--json"), REFUSED, "no_trusted_key")
        programs.error_of(skua(*command, *b, "--json"), REFUSED, "signature_key_unknown", fingerprint(skua, keys / "a.pub"))
        programs.error_of(skua(*command, *programs.UNSIGNED, "--json"), REFUSED, "no_trusted_key")
        for good in (a, a + b, b + a):
            skua.ok(*command, *good)
    report = skua.ok("verify", flight.sets, *b, *a, "--json")
    assert report["is_signed"] and report["signer"] == fingerprint(skua, keys / "a.pub") and report["not_after"] is None
    told = skua.ok("verify", *a, flight.sets)  # an option takes one value: what follows is the set
    assert report["signer"] in told.stdout and "warning" not in told.stderr
    skua.ok("keygen", keys / "c")
    result = skua("verify", flight.sets, *a, *b, "--trust", keys / "c.pub", "--json")
    programs.error_of(result, USAGE, "invalid_argument", "at most 2")


def test_bench_judges_the_signature_too(skua, flight, keys):
    skua.ok("sign", flight.sets, "--key", keys / "a.key")
    bench = ("bench", flight.sets, "add_relu", "--rounds", 1, "--json")
    programs.error_of(skua(*bench, "--trust", keys / "b.pub"), REFUSED, "signature_key_unknown")
    skua.ok(*bench, "--trust", keys / "a.pub")


def test_an_engine_cache_has_no_signature_to_trust(skua, flight, keys, inputs):
    result = skua("run", flight.cache, "add_relu", *inputs, "--trust", keys / "a.pub", "--json")
    programs.error_of(result, USAGE, "invalid_argument", "--trust", flight.cache)


def test_inspect_says_what_a_signature_says_and_that_it_is_not_verified(skua, flight, keys):
    skua.ok("sign", flight.sets, "--key", keys / "a.key")
    manifest = json.loads((flight.current() / "flight-manifest.json").read_text())
    by_file = skua.ok("inspect", flight.current() / "model.sig", "--json")["content"]
    by_folder = skua.ok("inspect", flight.sets, "--json")["signature"]
    assert by_file == by_folder and "not verified" in by_file["note"]
    assert by_file["signer_hint"] == fingerprint(skua, keys / "a.pub")
    assert by_file["file_count"] == len(manifest["files"]) + 1
    (flight.current() / "model.sig").unlink()
    assert skua.ok("inspect", flight.sets, "--json")["signature"] is None


# ---- the policy file -----------------------------------------------------------------------------------------------------

def test_a_policy_is_told_on_every_start_that_uses_it(skua, flight, keys, inputs):
    relaxed = policy(keys, "allow_unsigned: true\nexpiry: off\n")
    for command in (("verify", flight.sets), ("run", flight.sets, "add_relu", *inputs),
                    ("bench", flight.sets, "add_relu", "--rounds", 1)):
        for _ in range(2):
            told = skua.ok(*command, "--policy", relaxed, "--log").stderr
            events = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
            warned = [(event["level"], event["kv"]["relaxation"]) for event in events if event["kind"] == "c7.policy_relaxed"]
            assert warned == [("WARN", "allow_unsigned"), ("WARN", "expiry_off")], told
            assert told.count("skua: warning: policy") == 2
            assert len([event for event in events if event["kind"] == "c7.set_unsigned"]) == 1


def test_a_policys_keys_are_trusted_and_it_relaxes_nothing_else(skua, flight, keys):
    strict = policy(keys, "trusted_keys: [a.pub]\n")
    programs.error_of(skua("verify", flight.sets, "--policy", strict, "--json"), REFUSED, "unsigned_set")
    skua.ok("sign", flight.sets, "--key", keys / "a.key")
    told = skua.ok("verify", flight.sets, "--policy", strict)
    assert "warning" not in told.stderr
    skua.ok("verify", flight.sets, "--policy", policy(keys, "trusted_keys: [b.pub]\n"), "--trust", keys / "a.pub")


def test_a_policy_that_others_may_change_is_refused(skua, flight, keys):
    relaxed = policy(keys, "allow_unsigned: true\n")
    verify = ("verify", flight.sets, "--policy", relaxed, "--json")
    skua.ok(*verify)  # control
    relaxed.chmod(0o664)
    programs.error_of(skua(*verify), USAGE, "file_mode", relaxed)
    relaxed.chmod(0o644)
    keys.chmod(0o777)
    programs.error_of(skua(*verify), USAGE, "file_mode", keys)
    keys.chmod(0o755)
    (keys / "link.yaml").symlink_to("policy.yaml")
    programs.error_of(skua("verify", flight.sets, "--policy", keys / "link.yaml", "--json"), USAGE, "not_regular_file")
    os.mkfifo(keys / "fifo.yaml")
    programs.error_of(skua("verify", flight.sets, "--policy", keys / "fifo.yaml", "--json"), USAGE, "not_regular_file")
    programs.error_of(skua("verify", flight.sets, "--policy", policy(keys, "allow_all: true\n"), "--json"), USAGE, None,
                      "allow_all")


def test_the_flag_of_former_releases_is_gone(skua, flight):
    result = skua("verify", flight.sets, "--allow-unsigned", "--json")
    assert result.returncode == USAGE
