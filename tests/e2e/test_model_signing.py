"""Interoperation with the public tool of OpenSSF model signing (`model_signing` 1.1.1): what Skua signs it accepts, what
it signs Skua accepts, and what one of them must refuse the other refuses too."""

import base64
import json
import pathlib
import subprocess
import sys

import programs
import pytest
import trees
from cryptography.hazmat.primitives import serialization
from programs import DONE, REFUSED, USAGE

TOOL = pathlib.Path(sys.executable).parent / "model_signing"
STRICT = "--no-ignore-git-paths"


class Signers:
    """Both tools on one set, with keys that both read."""

    def __init__(self, skua, folder, flight_set):
        self.skua, self.set = skua, flight_set
        self.key, self.public = folder / "k.key", folder / "k.pub"
        self.other, self.other_public = folder / "other.key", folder / "other.pub"
        self.signature = flight_set / "model.sig"
        for name in ("k", "other"):
            skua.ok("keygen", folder / name)

    def tool(self, *arguments):
        return subprocess.run([*map(str, (TOOL, *arguments))], capture_output=True, text=True, check=False,
                              timeout=programs.TIMEOUT_S, env=programs.environment(self.skua.home),
                              stdin=subprocess.DEVNULL)

    def skua_signs(self):
        self.skua.ok("sign", self.set, "--key", self.key)

    def skua_says(self, public=None):
        result = self.skua("verify", self.set, "--trust", public or self.public, "--json")
        assert result.returncode in (DONE, REFUSED), result.stdout + result.stderr
        return "accepted" if result.returncode == DONE else programs.document(result)["error"]["reason"]

    def tool_signs(self, *options, key=None):
        result = self.tool("sign", "key", self.set, "--private_key", key or self.key, "--signature", self.signature,
                           *options)
        assert result.returncode == 0, result.stdout + result.stderr

    def tool_accepts(self, *options, public=None):
        result = self.tool("verify", "key", self.set, "--signature", self.signature, "--public_key",
                           public or self.public, *options)
        assert result.returncode in (0, 1), result.stdout + result.stderr
        return result.returncode == 0


@pytest.fixture(name="signers")
def both_signers(skua, tmp_path, flight):
    return Signers(skua, tmp_path, flight.current())


SIGNINGS = {"skua": lambda s: s.skua_signs(), "tool": lambda s: s.tool_signs(STRICT)}


@pytest.mark.parametrize("signer", SIGNINGS)
def test_what_one_signs_both_accept(signers, signer):
    SIGNINGS[signer](signers)
    assert signers.tool_accepts(STRICT)
    assert signers.tool_accepts()
    assert signers.skua_says() == "accepted"


def test_the_same_files_give_the_same_statement_whoever_signs(signers):
    """Both list the same files in the same order under the same root digest: one form, two signatures."""
    def statement():
        envelope = json.loads(signers.signature.read_text("ascii"))["dsseEnvelope"]
        return json.loads(base64.b64decode(envelope["payload"], validate=True))

    signers.skua_signs()
    ours = statement()
    signers.signature.unlink()
    signers.tool_signs(STRICT)
    theirs = statement()
    assert ours["subject"] == theirs["subject"] == [
        {"name": signers.set.name, "digest": ours["subject"][0]["digest"]}]
    assert ours == theirs
    assert len(ours["predicate"]["resources"]) > 5


def test_a_set_signed_with_the_tools_defaults_is_refused(signers):
    """Its statement lets `.git` and the like appear and change in the set."""
    signers.tool_signs()
    assert signers.tool_accepts()
    assert signers.skua_says() == "statement_malformed"


def test_what_the_tools_defaults_leave_out_is_refused_by_skua_in_every_set(signers):
    signers.skua_signs()
    (signers.set / ".git").mkdir()
    (signers.set / ".git" / "evil.so").write_bytes(b"x")
    assert signers.tool_accepts(), "the laxity that Skua must not copy"
    assert not signers.tool_accepts(STRICT)
    assert signers.skua_says() == "unlisted_file"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def an_engine(flight_set):
    return sorted(flight_set.glob("*.onnx"))[0]


def replace_by_link(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to("../elsewhere")


DAMAGES = {
    "flipped": (lambda s: flip(an_engine(s)), "sidecar_hash_mismatch"),
    "cut": (lambda s: an_engine(s).write_bytes(an_engine(s).read_bytes()[:-1]), "file_size_mismatch"),
    "extra": (lambda s: (s / "notes.txt").write_text("x", "ascii"), "unlisted_file"),
    "hidden": (lambda s: (s / ".hidden").write_text("x", "ascii"), "unlisted_file"),
    "nested": (lambda s: (s / "golden" / "x").write_text("x", "ascii"), "unlisted_file"),
    "renamed": (lambda s: an_engine(s).rename(s / "x.onnx"), "unlisted_file"),
    "removed": (lambda s: an_engine(s).unlink(), "listed_file_missing"),
    "linked": (lambda s: replace_by_link(an_engine(s)), "not_regular_file"),
    "manifest": (lambda s: flip(s / "flight-manifest.json"), "manifest_not_signed"),
    "unsigned": (lambda s: (s / "model.sig").write_text("{}", "ascii"), "signature_malformed"),
}


@pytest.mark.parametrize("signer", SIGNINGS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_both_refuse_a_damaged_set(signers, signer, damage):
    SIGNINGS[signer](signers)
    assert signers.tool_accepts(STRICT) and signers.skua_says() == "accepted", "the control"
    spoil, reason = DAMAGES[damage]
    before = trees.contents(signers.set)
    spoil(signers.set)
    assert trees.contents(signers.set) != before, "nothing was spoiled"
    assert not signers.tool_accepts(STRICT)
    assert signers.skua_says() == reason


@pytest.mark.parametrize("signer", SIGNINGS)
def test_both_refuse_another_key(signers, signer):
    SIGNINGS[signer](signers)
    assert not signers.tool_accepts(STRICT, public=signers.other_public)
    assert signers.skua_says(signers.other_public) == "signature_key_unknown"


def test_a_signature_is_never_replaced(signers):
    signers.tool_signs(STRICT)
    before = signers.signature.read_bytes()
    signers.skua_signs()  # the same key, the same set: nothing to do
    assert signers.signature.read_bytes() == before
    programs.error_of(signers.skua("sign", signers.set, "--key", signers.other, "--json"), USAGE, "already_signed")
    assert signers.signature.read_bytes() == before


def test_an_encrypted_key_of_skua_is_one_that_other_software_opens(signers, tmp_path):
    """With the library that the tool itself uses; the tool's own --password fails on every key in 1.1.1."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("a secret\n", "ascii")
    passphrase.chmod(0o600)
    signers.skua.ok("keygen", tmp_path / "locked", "--encrypt", "--passphrase-file", passphrase)
    locked = (tmp_path / "locked.key").read_bytes()
    with pytest.raises(ValueError):
        serialization.load_pem_private_key(locked, b"another")
    key = serialization.load_pem_private_key(locked, b"a secret")
    opened = tmp_path / "opened.key"
    opened.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
    signers.tool_signs(STRICT, key=opened)
    assert signers.skua_says(tmp_path / "locked.pub") == "accepted"
    assert signers.skua_says() == "signature_key_unknown"
