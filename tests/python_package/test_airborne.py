"""The airborne bootstrap in processes of their own, each of which is an aircraft's: build_pre_constructed."""

import dataclasses
import json

import numpy as np
import package
import pytest
import trees
from networks import DESCRIPTOR, KEYPOINTS
from test_compile import WATCHED

import skua

BEGIN = """
import json, os, sys
import numpy as np
import skua

class Recorder:
    def __init__(self):
        self.kinds = []

    def enqueue(self, record):
        self.kinds.append(record.kind)

def tell(value):
    print(json.dumps(value), flush=True)

recorder = Recorder()
"""
BUILD = BEGIN + """
pre = skua.build_pre_constructed(sys.argv[1], recorder=recorder)
"""
REFUSED = BEGIN + """
try:
    skua.build_pre_constructed(sys.argv[1], recorder=recorder)
    tell("built")
except skua.SkuaError as error:
    tell([type(error).__name__, error.reason, error.message, recorder.kinds])
"""


REPLAY = skua.AirborneConfig(mode="replay", has_inference_block=False, inference=skua.RuntimeConfig(
    state_dir="/nowhere", log_sink="none"))


class Aircraft:
    """A state folder and a configuration over sets that tests share."""

    def __init__(self, folder, shared):
        self.folder, self.state = folder, folder / "state"
        self.state.mkdir()
        self.set_id = shared.current().name
        self.fields = {"flight_sets_dir": str(shared.sets), "state_dir": str(self.state), "log_sink": "none",
                       "trusted_key": str(shared.key), "lightglue_model": "matcher",
                       "lanes": [{"consumer": "c2_vpr", "engine": "matmul_relu"}]}
        self.document = {"mode": "live", "components": {name: {} for name in (
            "c2_vpr", "c2_5_rerank", "c3_matcher", "c3_5_adhop")}}

    def config(self):
        path = self.folder / "airborne.yaml"
        document = json.loads(json.dumps(self.document))
        document["components"]["c7_inference"] = self.fields
        path.write_text(json.dumps(document))
        return path

    def run(self, code, *arguments, **options):
        return package.run(code, self.config(), *arguments, **options)

    def refused(self):
        return self.run(REFUSED)


@pytest.fixture(name="plane")
def an_aircraft(aircraft, tmp_path):
    return Aircraft(tmp_path, aircraft)


def test_everybody_holds_the_one_runtime(plane):
    told = plane.run(BUILD + """
runtime, matcher = pre["c7_inference"], pre["c3_lightglue_runtime"]
tell([sorted(pre), matcher.source is runtime, runtime is pre["c7_inference"], pre.set_id,
      [item.model for item in pre.engines.engines], runtime.current_runtime_label(), isinstance(pre, dict),
      matcher.descriptor_dim(), pre.engines.signer is not None])
""")
    assert told == [["c3_lightglue_runtime", "c7_inference"], True, True, plane.set_id, ["matcher", "matmul_relu"],
                    "pytorch_fp16", True, DESCRIPTOR, True]


def test_the_airborne_runtime_flies(plane):
    told = plane.run(BUILD + f"""
runtime, matcher = pre["c7_inference"], pre["c3_lightglue_runtime"]
lane = runtime.create_lane("c2_vpr")
bound = runtime.bind(pre.engines["matmul_relu"], lane)
runtime.seal()
bound.inputs["x"][:] = 1
bound.run(frame=1)
rng = np.random.default_rng(1)
points = skua.KeypointSet(keypoints=rng.random(({KEYPOINTS}, 2), np.float32), image_size=(4, 3),
                          descriptors=np.eye({KEYPOINTS}, {DESCRIPTOR}, dtype=np.float32))
found = matcher.match_batch([points] * 3, [points] * 3)
tell([bound.outputs["y"].tolist(), [pair.error for pair in found], found[0].indices[:4].tolist()])
""")
    output, errors, indices = told
    assert np.isfinite(output).all() and errors == [None] * 3
    assert indices == [[n, n] for n in range(4)]


def test_an_airborne_runtime_loads_its_set_and_nothing_else(plane):
    told = plane.run(BUILD + """
runtime, info = pre["c7_inference"], pre["c7_inference"].info(pre.engines["matmul_relu"])
entry = skua.EngineCacheEntry(engine_path="/anywhere/matmul_relu__sm0_jp0_trt0_fp16.pt", model="matmul_relu",
                              runtime_label="pytorch_fp16", host=skua.probe_host(), precision=skua.Precision.FP16,
                              engine_sha256=info.engine_sha256)
same = runtime.deserialize_cached_engine(entry) == pre.engines["matmul_relu"]
said = []
import dataclasses
other = dataclasses.replace(entry, engine_sha256="0" * 64)
for call in (lambda: runtime.deserialize_engine(other), lambda: runtime.compile_engine("/model.pt", skua.BuildConfig()),
             lambda: runtime.load_flight_set("/sets", skua.GatePolicy(allow_unsigned=True)),
             lambda: runtime.create_lane("another")):
    try:
        call()
        said.append("done")
    except skua.SkuaError as error:
        said.append(error.reason)
runtime.seal()
try:
    runtime.create_lane("late")
except skua.SkuaError as error:
    said.append(error.reason)
tell([same, said])
""")
    same, said = told
    assert same and said[0] in ("not_in_flight_set", "manifest_hash_mismatch"), said
    assert said[1] == "airborne_cannot_build" and said[2] != "done" and said[3] == "done"
    assert said[4] == "lane_not_declared", said


def test_a_take_off_a_reboot_in_flight_and_a_landing(plane):
    fly = BUILD + """
tell([pre.flight.set_in_flight, pre.flight.phase_for(pre.set_id), pre.flight.begin(pre.set_id)])
if sys.argv[2] == "lands":
    pre.flight.end()
else:
    os._exit(0)
"""
    assert plane.run(fly, "falls") == ["", "F2", 1]
    assert json.loads((plane.state / "in_flight.json").read_text())["set_id"] == plane.set_id
    assert plane.run(fly, "falls") == [plane.set_id, "F8", 2]
    kinds = plane.run(BUILD + "pre['c7_inference'].drain_events(10); tell([recorder.kinds, pre.flight.end()])")[0]
    assert "c7.reboot_in_flight" in kinds and "c7.engines_ready" in kinds
    assert plane.run(fly, "lands") == ["", "F2", 1] and not (plane.state / "in_flight.json").exists()


def test_a_dry_run_writes_nothing(plane):
    before = trees.tree(plane.state)
    told = plane.run(BEGIN + """
pre = skua.build_pre_constructed(sys.argv[1], dry_run=True)
tell(pre.set_id)
""")
    left = {name: entry for name, entry in trees.tree(plane.state).items() if not name.startswith(".")}
    assert told == plane.set_id and left == before


def test_the_state_folder_is_one_programs(plane):
    told = plane.run(BUILD + """
try:
    skua.build_pre_constructed(sys.argv[1])
except skua.InvalidArgumentError as error:
    first = error.reason
del pre
tell([first, skua.build_pre_constructed(sys.argv[1]).set_id])
""")
    assert told == ["folder_busy", plane.set_id]


def test_a_refusal_is_told_and_typed(plane, aircraft, tmp_path):
    copy = trees.copy(aircraft.sets, tmp_path / "sets")
    plane.fields["flight_sets_dir"] = str(copy)
    assert plane.refused() == "built"  # the control
    (engine,) = (copy / plane.set_id).glob("matcher__*.pt")
    engine.chmod(0o644)
    damaged = bytearray(engine.read_bytes())
    damaged[-1] ^= 1
    engine.write_bytes(damaged)
    name, reason, message, kinds = plane.refused()
    assert (name, reason) == ("EngineHashMismatchError", "sidecar_hash_mismatch") and engine.name in message
    assert kinds[-1] == "c7.takeoff_refused" and "c7.engine_refused" in kinds


@pytest.mark.parametrize("change, name, reason, words", [
    ({"runtime": "onnx_trt_ep"}, "AirborneBootstrapError", "runtime_not_airborne",
     ("c7_inference", "BUILD_TENSORRT_RUNTIME", "BUILD_PYTORCH_FP16_RUNTIME", "c3_5_adhop")),
    ({"torch_library": "/nowhere/libtorch.so"}, "AirborneBootstrapError", "sdk_missing", ("c7_inference",)),
    ({"lightglue_model": "absent"}, "AirborneBootstrapError", "pre_constructed_missing", ("c3_lightglue_runtime",)),
    ({"trusted_key": ""}, "InvalidArgumentError", "no_trusted_key", ("trusted_key",)),
    ({"state_dir": "/nowhere"}, "InvalidArgumentError", "not_found", ("state_dir",)),
    ({"flight_sets_dir": "/nowhere"}, "ManifestError", "set_missing", ("/nowhere",)),
])
def test_what_keeps_it_on_the_ground_is_typed(plane, change, name, reason, words):
    plane.fields.update(change)
    found = plane.refused()
    assert found[:2] == [name, reason], found
    for word in words:
        assert word in found[2], found
    assert "c7.takeoff_refused" in found[3] or reason == "not_found", found


def test_the_consumers_are_named_where_they_are_known(plane):
    plane.fields["runtime"] = "onnx_trt_ep"
    plane.document["components"] = {"c2_vpr": {}}
    message = plane.refused()[2]
    assert "c2_vpr" in message and "c3_matcher" not in message


def test_a_replay_without_the_block_constructs_nothing(tmp_path):
    path = tmp_path / "replay.yaml"
    path.write_text("mode: replay\ncomponents: {c4_pose: {}}\n")
    told = package.run(BEGIN + """
config = skua.read_airborne_config(sys.argv[1])
pre = skua.build_pre_constructed(config)
tell([config.mode.value, config.has_inference_block, list(config.consumers), dict(pre), pre.set_id, pre.flight])
""", path)
    assert told == ["replay", False, [], {}, "", None]


def test_a_configuration_can_be_made_of_values(plane):
    told = plane.run(BEGIN + """
import dataclasses
read = skua.read_airborne_config(sys.argv[1], environment={"SKUA_C7_LIGHTGLUE_LANES": "1"})
config = dataclasses.replace(read, inference=dataclasses.replace(read.inference, intra_op_threads=2))
pre = skua.build_pre_constructed(config)
tell([read.inference.lightglue_lanes, read.mode.value, list(read.consumers), pre.set_id,
      [lane.consumer for lane in config.inference.lanes]])
""")
    assert told == [1, "live", ["c2_vpr", "c2_5_rerank", "c3_matcher", "c3_5_adhop"], plane.set_id, ["c2_vpr"]]


def test_threads_share_the_record_of_the_flight(plane):
    """It was read while another thread wrote it, and written by two at once: the process fell."""
    told = plane.run(BUILD + """
import threading
flight, odd, names, over = pre.flight, set(), ["a" * 2000, "b" * 3000], []
flight.begin(names[0])
def write():
    for number in range(400):
        flight.begin(names[number % 2])
def read():
    while not over:
        odd.add(flight.set_in_flight)
        odd.add(flight.phase_for(names[0]))
writers, readers = ([threading.Thread(target=use) for _ in range(3)] for use in (write, read))
for thread in writers + readers:
    thread.start()
for thread in writers:
    thread.join()
over.append(True)
for thread in readers:
    thread.join()
tell(len(odd - {*names, "F2", "F8"}))
""")
    assert told == 0


@pytest.mark.parametrize("mode", ["banana", "REPLAY", "", None, 1])
def test_a_mode_that_is_none_does_not_take_off(mode):
    with pytest.raises(skua.InvalidArgumentError, match="mode: expected live or replay|mode: expected a text"):
        skua.build_pre_constructed(dataclasses.replace(REPLAY, mode=mode))


def test_control_both_modes_are_known():
    for mode in ("replay", skua.FlightMode.REPLAY):
        assert dict(skua.build_pre_constructed(dataclasses.replace(REPLAY, mode=mode))) == {}
    with pytest.raises(skua.SkuaError) as refused:  # live: a flight, which has no state folder here
        skua.build_pre_constructed(dataclasses.replace(REPLAY, mode="live"))
    assert refused.value.reason == "not_found"


@pytest.mark.alone
def test_a_handler_runs_while_the_component_is_built(plane):
    """What was built is let go: the state folder's lock with it."""
    share, set_id = plane.run(WATCHED + """
share = interrupted(lambda: skua.build_pre_constructed(sys.argv[1]))
print(json.dumps([share, skua.build_pre_constructed(sys.argv[1]).set_id]))
""")
    assert share != "done" and share < 0.8 and set_id == plane.set_id, share
