"""What a command records with --recorder, and the configuration template of an aircraft."""

import json

import pytest

import programs


@pytest.fixture(name="folder")
def recorder_folder(tmp_path):
    return tmp_path / "recorder"


def recorded(skua, folder, *options):
    return skua.ok("recorder", "dump", folder, "--json", *options)["records"]


def flipped(data):
    return bytes([data[0] ^ 1]) + data[1:]


@pytest.mark.parametrize("damage, is_of_the_engine", [(flipped, True), (lambda data: data[:-1], False)],
                         ids=["engine gate", "set gate"])
def test_a_refusal_is_recorded(skua, flight, inputs, folder, damage, is_of_the_engine):
    engine = next(flight.current().glob("add_relu__*.onnx"))
    engine.write_bytes(damage(engine.read_bytes()))
    result = skua("run", flight.sets, "add_relu", *inputs, *programs.UNSIGNED, "--recorder", folder)
    assert result.returncode == programs.REFUSED, result.stderr
    [refusal] = recorded(skua, folder, "--kind", "c7.engine_refused")
    assert refusal["payload"]["file"] == (engine.name if is_of_the_engine else str(engine.parent))


def test_control_what_is_not_refused_is_not_recorded_as_refused(skua, flight, inputs, folder):
    skua.ok("run", flight.sets, "add_relu", *inputs, *programs.UNSIGNED, "--recorder", folder)
    assert recorded(skua, folder, "--kind", "c7.engine_refused") == []
    assert [record["kind"] for record in recorded(skua, folder)].count("c7.engines_ready") == 1


def test_each_run_begins_a_segment_and_keeps_the_earlier(skua, place, folder):
    for name in ("one.onnx", "two.onnx"):
        result = skua("compile", place.folder / name, "--runtime", "onnx_trt_ep", "--precision", "fp32", "--out", place.cache,
                      "--set", "execution_provider=cpu", "--recorder", folder)
        assert result.returncode == programs.BUILD_FAILED, result.stderr
    messages = [record["payload"]["msg"] for record in recorded(skua, folder, "--kind", "log")]
    assert len(messages) == 2 and "one.onnx" in messages[0] and "two.onnx" in messages[1]


def test_recorder_that_cannot_be_had_stops_the_command(skua, tmp_path):
    result = skua("doctor", "--json", "--recorder", tmp_path / "missing" / "recorder")
    programs.error_of(result, programs.USAGE, None, "recorder_dir", "missing")


def test_template_of_an_aircraft_is_read_and_polls_at_two_hertz(skua):
    report = skua.ok("doctor", "--config", programs.ROOT / "docs/examples/airborne.yaml", "--json")
    values = {field["field"]: field["value"] for field in report["configuration"]}
    assert values["thermal_poll_hz"] == "2"
    assert values["recorder_dir"] == "/var/lib/skua/recorder"
    assert "source" in report["sensors"]


# ---- closed streams: what is printed must not land in the recorder's files -------------------------------------------

@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", [("doctor",), ("thermal",), ("verify", "{sets}")], ids=["doctor", "thermal", "verify"])
def test_closed_streams_leave_the_recorder_whole(skua, flight, folder, command, closing):
    arguments = [argument.format(sets=flight.sets) for argument in command]
    skua(*arguments, "--recorder", folder, prefix=("sh", "-c", f'exec "$@" {closing}', "sh"))
    report = skua.ok("recorder", "dump", folder, "--json")
    assert report["damage"] == []
    assert len(report["segments"]) == 1


# ---- skua verify -----------------------------------------------------------------------------------------------------

def test_what_verify_refuses_is_recorded_and_logged(skua, flight, folder):
    engine = next(flight.current().glob("add_relu__*.onnx"))
    engine.write_bytes(flipped(engine.read_bytes()))
    result = skua("verify", flight.sets, *programs.UNSIGNED, "--recorder", folder, "--log")
    assert result.returncode == programs.REFUSED, result.stderr
    logged = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    assert [record["kind"] for record in logged] == ["c7.policy_relaxed", "c7.set_unsigned", "c7.engine_refused"]
    [refusal] = recorded(skua, folder, "--kind", "c7.engine_refused")
    assert refusal["payload"] == {"file": engine.name, "error": "EngineHashMismatchError", "reason": "sidecar_hash_mismatch"}
    warnings = recorded(skua, folder, "--kind", "log")
    assert [warning["payload"]["log_kind"] for warning in warnings] == ["c7.policy_relaxed", "c7.set_unsigned"]


def test_set_that_is_none_is_recorded_as_refused(skua, tmp_path, folder):
    (tmp_path / "bad").mkdir()
    result = skua("verify", tmp_path / "bad", "--recorder", folder, "--log")
    assert result.returncode == programs.REFUSED, result.stderr
    [refusal] = recorded(skua, folder)
    assert refusal["kind"] == "c7.engine_refused" and refusal["payload"]["file"] == str(tmp_path / "bad")
    assert result.stderr.count("skua: error:") == 1


def test_control_what_verify_does_not_refuse_is_not_recorded_as_refused(skua, flight, tmp_path, folder):
    skua.ok("verify", flight.sets, *programs.UNSIGNED, "--recorder", folder)
    result = skua("verify", flight.sets, "--host", tmp_path / "missing", "--recorder", folder)
    assert result.returncode == programs.USAGE, result.stderr
    assert recorded(skua, folder, "--kind", "c7.engine_refused") == []
