"""An aircraft loads what a key of its configuration signed. Everything else is refused before an engine is loaded, and
leaves the state folder as it was."""

import base64
import hashlib
import json

import flights
import pytest
import trees
from programs import REFUSED, USAGE

SIGNATURE, MANIFEST = "model.sig", "flight-manifest.json"


@pytest.fixture(scope="module", name="states")
def states_of_programs():
    """By program: what its first flight left in the state folder."""
    return {}


@pytest.fixture(name="flown_place")
def place_that_has_flown(flight_place, flight_program, states, tmp_path_factory):
    """A place with sets of its own, as they were flown: what is refused afterwards is refused for what the test did to them.
    One flight of each program shows that they fly; the other places have what it left."""
    flight_place.own_sets()
    flight_place.flight_block["map"] = flight_place.small_map
    if flight_program in states:
        flight_place.state.rmdir()
        trees.copy(states[flight_program], flight_place.state)
    else:
        flight_place.ok("--duration", 0.1)
        states[flight_program] = trees.copy(flight_place.state, tmp_path_factory.mktemp("flown") / "state")
    return flight_place


def refused_untouched(place, status, reason, *words):
    before = trees.tree(place.state)
    assert before, "a flight has left something there"
    flown = place.refused(status, reason, *words)
    assert not flown.told("c7.engine_deserialized") and not flown.told("c7.engines_ready"), flown.explain()
    assert len(flown.told("c7.takeoff_refused")) == 1 and trees.tree(place.state) == before, flown.explain()


def flipped(text):
    """base64 with one bit of what it stands for the other way; its last byte, so that it stays the DER of a signature."""
    content = bytearray(base64.b64decode(text))
    content[-1] ^= 1
    return base64.b64encode(content).decode("ascii")


def edit(file, change):
    document = json.loads(file.read_text("ascii"))
    change(document)
    file.write_text(json.dumps(document), "ascii")


def unsigned(folder):
    (folder / SIGNATURE).unlink()


def signature_damaged(folder):
    def change(bundle):
        (signature,) = bundle["dsseEnvelope"]["signatures"]
        signature["sig"] = flipped(signature["sig"])
    edit(folder / SIGNATURE, change)


def statement_damaged(folder):
    def change(bundle):
        bundle["dsseEnvelope"]["payload"] = flipped(bundle["dsseEnvelope"]["payload"])
    edit(folder / SIGNATURE, change)


def bundle_damaged(folder):
    content = bytearray((folder / SIGNATURE).read_bytes())
    content[0] ^= 1
    (folder / SIGNATURE).write_bytes(content)


def manifest_changed(folder):
    edit(folder / MANIFEST, lambda manifest: manifest.update(release_sequence=manifest["release_sequence"] + 1))


def file_added(folder):
    """Listed in the manifest as provisioning would have listed it: a digest is no signature."""
    (folder / "extra.txt").write_text("extra")
    entry = {"name": "extra.txt", "size_bytes": 5, "sha256": hashlib.sha256(b"extra").hexdigest()}
    edit(folder / MANIFEST, lambda manifest: manifest["files"].append(entry))


SPOILED = {unsigned: "unsigned_set", signature_damaged: "signature_invalid", statement_damaged: "signature_invalid",
           bundle_damaged: "signature_malformed", manifest_changed: "manifest_not_signed",
           file_added: "manifest_not_signed"}


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_what_was_changed_after_it_was_signed(flown_place, spoil):
    spoil(flown_place.current())
    refused_untouched(flown_place, REFUSED, SPOILED[spoil], flown_place.current())


def test_a_set_that_somebody_else_signed(flown_place, skua, tmp_path):
    flights.make_key(skua, tmp_path, "other")
    unsigned(flown_place.current())
    skua.ok("sign", flown_place.current(), "--key", tmp_path / "other.key")
    refused_untouched(flown_place, REFUSED, "signature_key_unknown")
    flown_place.c7["trusted_key"] = tmp_path / "other.pub"
    flown_place.ok("--duration", 0.1)  # a control


def test_keys_change_without_a_day_on_the_ground(flown_place, skua, tmp_path):
    """The next key beside the current one, then a set that it signed, then the current one is taken away."""
    flights.make_key(skua, tmp_path, "next")
    current = flown_place.c7["trusted_key"]
    flown_place.c7["next_trusted_key"] = tmp_path / "next.pub"
    old = flown_place.ok("--duration", 0.1).report["signer"]
    unsigned(flown_place.current())
    skua.ok("sign", flown_place.current(), "--key", tmp_path / "next.key")
    new = flown_place.ok("--duration", 0.1).report["signer"]
    del flown_place.c7["trusted_key"]
    assert flown_place.ok("--duration", 0.1).report["signer"] == new != old
    del flown_place.c7["next_trusted_key"]
    flown_place.c7["trusted_key"] = current
    refused_untouched(flown_place, REFUSED, "signature_key_unknown", old, new)


def test_without_a_key_nothing_flies(flown_place):
    del flown_place.c7["trusted_key"]
    refused_untouched(flown_place, USAGE, "no_trusted_key", "c7_inference.trusted_key", "skua keygen", "skua sign")


def test_the_same_key_in_both_fields(flown_place, tmp_path):
    again = tmp_path / "again.pub"
    again.write_bytes(flown_place.c7["trusted_key"].read_bytes())
    flown_place.c7["next_trusted_key"] = again
    refused_untouched(flown_place, USAGE, "invalid_argument", "c7_inference.next_trusted_key", "that of trusted_key")


@pytest.mark.parametrize("field", ["trusted_key", "next_trusted_key"])
def test_a_key_that_somebody_else_may_change(flown_place, skua, tmp_path, field):
    flights.make_key(skua, tmp_path, "other")
    flown_place.c7.update(next_trusted_key=flown_place.c7["trusted_key"])
    flown_place.c7[field] = tmp_path / "other.pub"
    flown_place.c7[field].chmod(0o666)
    refused_untouched(flown_place, USAGE, "file_mode", f"c7_inference.{field}: key {tmp_path / 'other.pub'}")
    flown_place.c7[field].chmod(0o644)
    flown_place.ok("--duration", 0.1)  # a control


def test_a_private_key_is_none_to_trust(flown_place, skua, tmp_path):
    flights.make_key(skua, tmp_path, "other")
    flown_place.c7["trusted_key"] = tmp_path / "other.key"
    refused_untouched(flown_place, USAGE, "trusted_key_malformed", "c7_inference.trusted_key", "other.key")


def test_nothing_allows_an_unsigned_set_in_the_air(flown_place):
    unsigned(flown_place.current())
    flown_place.refused(USAGE, "invalid_argument", "SKUA_C7_ALLOW_UNSIGNED", env={"SKUA_C7_ALLOW_UNSIGNED": "true"})
    flown_place.c7["allow_unsigned"] = True
    flown_place.refused(USAGE, "invalid_argument", "'allow_unsigned' is unknown", "trusted_key")
