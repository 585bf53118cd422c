"""File names, sidecars and verdicts."""

import hashlib

import pytest
import trees

import skua

NAME = "ultravpr__sm87_jp6.2_trt10.3_fp16.engine"


def test_a_name_has_its_parts():
    schema = skua.EngineFilenameSchema.parse(NAME)
    assert schema == skua.EngineFilenameSchema(model="ultravpr", sm=87, jetpack="6.2", tensorrt="10.3")
    assert schema.build() == NAME and schema.precision is skua.Precision.FP16
    orin = skua.HostTuple(sm=87, jetpack="6.2", tensorrt="10.3")
    assert schema.matches_host(orin) and not schema.matches_host(skua.HostTuple(sm=86, jetpack="6.2", tensorrt="10.3"))
    assert not schema.matches_host(skua.probe_host())


@pytest.mark.parametrize("wrong", ["", "ultravpr.engine", NAME.upper(), NAME + "x", "a__b__" + NAME, NAME.replace("87", "x")])
def test_what_is_no_name_is_refused(wrong):
    with pytest.raises(skua.EngineSchemaMismatchError) as refused:
        skua.EngineFilenameSchema.parse(wrong)
    assert refused.value.reason == "engine_name_malformed"


def test_a_part_that_is_not_allowed_is_refused():
    for part in ({"model": "Ultra"}, {"model": "a" * 65}, {"sm": -1}, {"jetpack": "six"}, {"extension": "exe"}):
        fields = {"model": "ultravpr", "sm": 87, "jetpack": "6.2", "tensorrt": "10.3", **part}
        with pytest.raises(skua.EngineSchemaMismatchError):
            skua.EngineFilenameSchema(**fields).build()


def test_a_sidecar_is_the_hash_and_nothing_else(tmp_path):
    file = tmp_path / "engine"
    skua.Sha256Sidecar.write_atomic_and_sidecar(file, b"bytes")
    digest = hashlib.sha256(b"bytes").hexdigest()
    assert file.read_bytes() == b"bytes" and skua.Sha256Sidecar.path_of(file) == str(file) + ".sha256"
    assert (tmp_path / "engine.sha256").read_bytes() == digest.encode()
    assert skua.Sha256Sidecar.verify(file) is True
    assert skua.Sha256Sidecar.digest(bytearray(b"bytes")) == skua.Sha256Sidecar.digest_file(str(file)) == digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine", "engine.sha256"]
    file.write_bytes(b"other")
    assert skua.Sha256Sidecar.verify(file) is False
    file.unlink()
    assert skua.Sha256Sidecar.verify(file) is False


def test_a_sidecar_that_is_none_is_an_error(tmp_path):
    file = tmp_path / "engine"
    skua.Sha256Sidecar.write_atomic(file, memoryview(b"bytes"))
    with pytest.raises(skua.EngineSidecarMissingError) as refused:
        skua.Sha256Sidecar.verify(file)
    assert refused.value.reason == "sidecar_missing"
    (tmp_path / "engine.sha256").write_text("short")
    with pytest.raises(skua.EngineDeserializeError) as refused:
        skua.Sha256Sidecar.verify(file)
    assert refused.value.reason == "sidecar_malformed"
    with pytest.raises(skua.InvalidArgumentError, match="bytes"):
        skua.Sha256Sidecar.write_atomic(file, "text")
    with pytest.raises(skua.IoError):
        skua.Sha256Sidecar.digest_file(tmp_path / "missing")


def test_an_aggregate_is_of_files_whatever_their_order(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / name).write_text(name)
    files = [tmp_path / name for name in ("a", "b", "c")]
    lines = "".join(f"{hashlib.sha256(file.name.encode()).hexdigest()} {file.name}\n" for file in files)
    expected = hashlib.sha256(lines.encode()).hexdigest()
    assert skua.Sha256Sidecar.aggregate_hash(files) == skua.Sha256Sidecar.aggregate_hash(files[::-1]) == expected
    with pytest.raises(skua.InvalidArgumentError):
        skua.Sha256Sidecar.aggregate_hash([tmp_path / "a", tmp_path / "a"])


def test_a_verdict_is_of_every_file(place, tmp_path):
    unsigned = skua.GatePolicy(allow_unsigned=True)
    verdict = skua.verify_set(place.current(), unsigned)
    assert verdict.overall() is None and verdict.is_unsigned and verdict.signer is None
    assert verdict.set_id == place.current().name and verdict.runtime_label == "onnx_trt_ep"
    assert verdict.bytes_hashed == sum(file.size_bytes for file in verdict.files) and verdict.workers >= 1
    assert {file.kind for file in verdict.files} == {"engine", "file"}
    copy = trees.copy(place.current(), tmp_path / place.current().name)
    (engine,) = copy.glob("add_relu__*.onnx")
    engine.chmod(0o644)
    damaged = bytearray(engine.read_bytes())
    damaged[-1] ^= 1
    engine.write_bytes(damaged)
    verdict = skua.verify_set(copy, unsigned)
    refused = [file for file in verdict.files if file.error is not None]
    assert [file.file for file in refused] == [engine.name] and refused[0].error is verdict.overall()
    assert isinstance(verdict.overall(), skua.EngineHashMismatchError)
    with pytest.raises(skua.ManifestError) as error:
        skua.verify_set(place.current(), skua.GatePolicy())
    assert error.value.code == "unsigned_set"


def test_a_set_is_judged_for_another_machine(place):
    verdict = skua.verify_set(place.current(), skua.GatePolicy(allow_unsigned=True), host=skua.HostTuple(sm=87))
    refused = [file.error for file in verdict.files if file.kind == "engine"]
    assert all(isinstance(error, skua.EngineSchemaMismatchError) and error.reason == "host_mismatch" for error in refused)


def test_a_key_is_read_and_compared(aircraft):
    key = skua.PublicKey.from_pem(aircraft.key.read_text())
    assert key == skua.PublicKey.from_pem(key.pem) and hash(key) == hash(skua.PublicKey.from_pem(key.pem)) and key != 3
    assert key.fingerprint == hashlib.sha256(key.pem.encode()).hexdigest() and key.fingerprint in repr(key)
    signed = skua.verify_set(aircraft.current(), skua.GatePolicy(trusted_keys=[key]))
    assert signed.signer == key.fingerprint and not signed.is_unsigned
    with pytest.raises(skua.InvalidArgumentError) as refused:
        skua.PublicKey.from_pem("no key")
    assert refused.value.reason == "trusted_key_malformed"
    for wrong in (["no key"], [key.pem], "x"):
        with pytest.raises(skua.InvalidArgumentError, match="trusted_keys"):
            skua.verify_set(aircraft.current(), skua.GatePolicy(trusted_keys=wrong))
