"""docs/howto/operate.md quotes what skua-flight says when it refuses: each quoted line is what it says."""

import base64
import json
import re

import pytest

import flights
import programs

pytestmark = pytest.mark.alone  # it is about time

PAGE = programs.ROOT / "docs" / "howto" / "operate.md"
QUOTED = {line.rsplit("[", 1)[1].split("]")[0] if line.endswith("]") else re.search(r"\[(\w+)\]", line).group(1): line
          for line in PAGE.read_text("ascii").splitlines() if line.startswith("airborne_bootstrap: ")}


def general(line):
    """A message without what differs from one machine and set to the next."""
    for pattern, word in ((r"(/[\w.-]+)+/sets\b", "SETS"), (r"(/[\w.-]+)+/recorder\b", "RECORDER"),
                          (r"\S+\.yaml:\d+:\d+", "FILE"), (r"set-\d+-[0-9a-f]{12}", "SET"),
                          (r"\b[0-9a-f]{64}\b", "SHA256"), (r"\b[0-9a-f]{8}\.\.\.", "SHA256"),
                          (r"_sm\d+_jp[\d.]+_trt[\d.]+_", "_HOST_")):
        line = re.sub(pattern, word, line)
    return line


def demand_quoted(reason, said):
    """`said` is what the page quotes under this reason, where `...` stands for anything."""
    expected = ".*".join(map(re.escape, general(QUOTED[reason]).split("...")))
    assert re.fullmatch(expected, general(said.strip())), f"the page:\n{QUOTED[reason]}\nthe program:\n{said}"


@pytest.fixture(name="place")
def place_with_own_sets(flight_place):
    flight_place.own_sets()
    return flight_place


def no_current(place):
    (place.sets / "CURRENT").unlink()
    return programs.REFUSED


def no_key(place):
    del place.c7["trusted_key"]
    return programs.USAGE


def unsigned(place):
    (place.current() / "model.sig").unlink()
    return programs.REFUSED


def another_key(place):
    skua = programs.Programs(place.home)
    flights.make_key(skua, place.folder, "other")
    place.c7["trusted_key"] = place.folder / "other.pub"
    return programs.REFUSED


def forged(place):
    signature = place.current() / "model.sig"
    bundle = json.loads(signature.read_text("ascii"))
    content = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    content[content.index(b"sha256")] ^= 1
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(content).decode("ascii")
    signature.write_text(json.dumps(bundle), "ascii")
    return programs.REFUSED


def edited(place):
    manifest = place.current() / "flight-manifest.json"
    manifest.write_text(manifest.read_text("ascii") + "\n", "ascii")
    return programs.REFUSED


def damaged(place):
    (engine,) = place.sets.glob("*/demo_vpr__*.pt")
    content = bytearray(engine.read_bytes())
    content[1000] ^= 1
    engine.write_bytes(content)
    return programs.REFUSED


def not_built(place):
    place.c7["runtime"] = "tensorrt"
    return programs.NO_RUNTIME


def no_sdk(place):
    place.c7["torch_library"] = "/nowhere/libtorch.so"
    return programs.NO_RUNTIME


def mistyped(place):
    place.c7["thermal_pol_hz"] = 2
    return programs.USAGE


MISTAKES = {"current_missing": no_current, "no_trusted_key": no_key, "unsigned_set": unsigned,
            "signature_key_unknown": another_key, "signature_invalid": forged, "manifest_not_signed": edited,
            "sidecar_hash_mismatch": damaged, "runtime_not_built": not_built, "sdk_missing": no_sdk, "invalid_argument": mistyped}


@pytest.mark.parametrize("reason", MISTAKES)
def test_a_quoted_refusal_is_what_the_program_says(place, reason):
    status = MISTAKES[reason](place)
    flown = place.fly("--check")
    assert flown.status == status, flown.explain()
    demand_quoted(reason, flown.stderr)


def test_a_second_program_is_refused_as_quoted(place):
    process = place.start("--duration", 600)
    try:
        flights.wait_for(lambda: flights.in_flight(place), "the frame loop", process)
        second = place.fly("--check")
        assert second.status == programs.USAGE, second.explain()
        demand_quoted("folder_busy", second.stderr)
    finally:
        flights.kill(process)


def test_every_quoted_line_is_tried():
    assert set(QUOTED) == {*MISTAKES, "folder_busy"}


def test_control_another_text_is_noticed():
    said = QUOTED["unsigned_set"]
    demand_quoted("unsigned_set", said)
    with pytest.raises(AssertionError):
        demand_quoted("unsigned_set", said.replace("expected a signed set", "expected a set"))
