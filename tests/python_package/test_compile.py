"""compile_engine and deserialize_engine; what Ctrl-C leaves behind."""

import os
import signal
import time

import numpy as np
import package
import pytest
import tiny_models
import trees
from conftest import X

import skua

FP32 = skua.BuildConfig(precision=skua.Precision.FP32)


@pytest.fixture(name="ground")
def runtime_with_a_cache_of_its_own(make_runtime, tmp_path):
    (tmp_path / "cache").mkdir()
    return make_runtime(engine_cache_dir=tmp_path / "cache")


def test_a_model_becomes_an_entry_and_an_engine(ground, tmp_path):
    entry = ground.compile_engine(tiny_models.add_relu(tmp_path / "add_relu.onnx"), FP32)
    assert entry.model == "add_relu" and entry.runtime_label == "onnx_trt_ep" and entry.precision is skua.Precision.FP32
    assert entry.engine_path == str(tmp_path / "cache" / "add_relu__sm0_jp0_trt0_fp32.onnx")
    assert skua.Sha256Sidecar.verify(entry.engine_path) and entry.size_bytes == os.path.getsize(entry.engine_path)
    assert entry.engine_sha256 == skua.Sha256Sidecar.digest_file(entry.engine_path)
    assert entry.inputs[0].shape == (1, 8) and entry.host == skua.probe_host() and entry.calibration is None
    engine = ground.deserialize_engine(entry)
    assert ground.infer(engine, {"x": X})["y"].shape == (1, 8)
    assert ground.deserialize_cached_engine(entry) != engine  # on the ground each is its own
    assert ground.compile_engine(tmp_path / "add_relu.onnx", FP32) == entry


def test_every_field_of_a_build_arrives(ground, tmp_path):
    """What the build record says of the options, or a refusal that names the field."""
    model = tiny_models.dynamic_batch(tmp_path / "dynamic.onnx")
    profile = skua.OptimizationProfile(input_name="x", min=(1, 8), opt=(2, 8), max=(4, 8))
    given = skua.BuildConfig(precision=skua.Precision.FP32, workspace_mb=77, model_name="renamed",
                             optimization_profiles=[profile], tolerances={"y": skua.Tolerance(absolute=0.5)})
    entry = ground.compile_engine(model, given)
    record = (tmp_path / "cache" / os.path.basename(entry.engine_path + ".json")).read_text()
    assert entry.model == "renamed" and entry.inputs[0].max_shape == (4, 8)
    assert "0.5" in record
    refused = {
        "calibration_dataset": skua.BuildConfig(precision=skua.Precision.INT8),
        "workspace_mb": skua.BuildConfig(workspace_mb=-1),
        "max_output_shapes": skua.BuildConfig(max_output_shapes={"y": "1x8"}),
        "keep_fp32": skua.BuildConfig(keep_fp32="all"),
        "optimization_profiles": skua.BuildConfig(optimization_profiles=[("x", 1, 2, 3)]),
        "relative_l2": skua.BuildConfig(accuracy=skua.AccuracyLimits(relative_l2="much")),
        "build_config": {"precision": "fp32"},
    }
    for field, build in refused.items():
        with pytest.raises(skua.InvalidArgumentError) as error:
            ground.compile_engine(model, build)
        assert field in error.value.message, error.value


def test_what_does_not_compile_is_an_error_and_leaves_nothing(ground, tmp_path):
    (tmp_path / "damaged.onnx").write_bytes(b"no network")
    before = trees.tree(tmp_path / "cache")
    for path, reason in ((tmp_path / "damaged.onnx", "model_malformed"), (tmp_path / "missing.onnx", "model_missing")):
        with pytest.raises(skua.EngineBuildError) as refused:
            ground.compile_engine(path, FP32)
        assert refused.value.reason == reason
    assert trees.tree(tmp_path / "cache") == before


def test_an_engine_that_was_changed_is_refused(ground, tmp_path):
    entry = ground.compile_engine(tiny_models.add_relu(tmp_path / "add_relu.onnx"), FP32)
    engine = bytearray(open(entry.engine_path, "rb").read())
    engine[-1] ^= 1
    open(entry.engine_path, "wb").write(engine)
    with pytest.raises(skua.EngineHashMismatchError) as refused:
        ground.deserialize_engine(entry)
    assert refused.value.stage == "sidecar" and isinstance(refused.value, skua.EngineDeserializeError)
    open(entry.engine_path + ".sha256", "w").write(skua.Sha256Sidecar.digest(engine))
    with pytest.raises(skua.EngineHashMismatchError) as refused:
        ground.deserialize_engine(entry)
    assert refused.value.stage == "manifest"
    os.unlink(entry.engine_path + ".sha256")
    with pytest.raises(skua.EngineSidecarMissingError):
        ground.deserialize_engine(entry)


def test_the_gate_alone_refuses_in_its_order(ground, tmp_path):
    """Faults are added from the last stage to the first: each hides those behind it."""
    import dataclasses

    entry = ground.compile_engine(tiny_models.add_relu(tmp_path / "add_relu.onnx"), FP32)
    before = trees.tree(tmp_path / "cache")
    skua.EngineGate.verify(entry.engine_path)
    skua.EngineGate.verify(entry.engine_path, host=skua.probe_host(), precision="fp32")
    assert trees.tree(tmp_path / "cache") == before

    def refused(kind, path=entry.engine_path, **options):
        with pytest.raises(kind) as error:
            skua.EngineGate.verify(path, **options)
        assert type(error.value) is kind
        return error.value.reason

    engine = bytearray(open(entry.engine_path, "rb").read())
    engine[-1] ^= 1
    open(entry.engine_path, "wb").write(engine)
    open(entry.engine_path + ".sha256", "w").write(skua.Sha256Sidecar.digest(engine))
    assert refused(skua.EngineHashMismatchError) == "manifest_hash_mismatch"
    open(entry.engine_path + ".sha256", "w").write("0" * 64)
    assert refused(skua.EngineHashMismatchError) == "sidecar_hash_mismatch"
    os.unlink(entry.engine_path + ".sha256")
    assert refused(skua.EngineSidecarMissingError) == "sidecar_missing"
    assert refused(skua.EngineSchemaMismatchError, precision="fp16") == "precision_mismatch"
    other = dataclasses.replace(skua.probe_host(), sm=87)
    assert refused(skua.EngineSchemaMismatchError, host=other) == "host_mismatch"
    assert refused(skua.EngineSchemaMismatchError, tmp_path / "cache" / "add_relu.onnx") == "engine_name_malformed"


INTERRUPTED = """
import json, os, signal, sys, threading, time
import skua
config = {"runtime": "onnx_trt_ep", "execution_provider": "cpu", "engine_cache_dir": sys.argv[2]}
runtime = skua.build_inference_runtime(config, role="ground")
build = skua.BuildConfig(precision=skua.Precision.FP32)
print("begun", flush=True)
begun = time.monotonic()
try:
    runtime.compile_engine(sys.argv[1], build)
    print(json.dumps(["done"]))
except KeyboardInterrupt:
    print(json.dumps(["interrupted", time.monotonic() - begun]))
    print(json.dumps(runtime.compile_engine(sys.argv[3], build).model))  # the runtime is as good as before
"""


@pytest.mark.alone
def test_control_c_ends_a_build_and_leaves_the_cache_as_it_was(tmp_path):
    import json

    import networks

    cache = tmp_path / "cache"
    cache.mkdir()
    quick = tiny_models.add_relu(tmp_path / "quick.onnx")
    slow = networks.slow(tmp_path / "slow.onnx", rounds=2000)
    before = trees.tree(cache)
    with package.start(INTERRUPTED, slow, cache, quick, start_new_session=True) as process:
        assert process.stdout.readline() == "begun\n"
        end = time.monotonic() + 60
        while not list(cache.glob(".staging-*")):
            assert time.monotonic() < end and process.poll() is None, process.communicate()
            time.sleep(0.005)
        time.sleep(0.3)  # inside of it
        at_the_signal = trees.tree(cache)
        process.send_signal(signal.SIGINT)
        stdout, stderr = package.end_of(process)
    assert process.returncode == 0, f"{stdout}\n{stderr}"
    said, compiled = stdout.splitlines()
    assert json.loads(said)[0] == "interrupted", f"{stdout}\n{stderr}"
    assert at_the_signal != before and json.loads(compiled) == "quick"
    left = set(trees.tree(cache))
    assert left and all(name.startswith("quick__") for name in left), left


LOADING = """
import json, os, signal, sys, threading, time
import skua
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
policy = skua.GatePolicy(allow_unsigned=True)
ended = threading.Event()
def interrupt():
    time.sleep(0.03)
    if not ended.is_set():
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    runtime.load_flight_set(sys.argv[1], policy)
    ended.set()
    print(json.dumps("done"))
except KeyboardInterrupt:
    loaded = runtime.load_flight_set(sys.argv[1], policy)  # nothing of the first one stayed loaded
    print(json.dumps(loaded.set_id))
"""


@pytest.mark.alone
def test_control_c_during_a_load_leaves_nothing_loaded(place):
    assert package.run(LOADING, place.current()) == place.current().name


def test_a_signal_handler_that_raises_its_own_ends_a_build(ground, tmp_path):
    """Whatever the handler raises is what the caller gets."""
    import networks

    class TooLong(Exception):
        pass

    def give_up(*_):
        raise TooLong

    model = networks.slow(tmp_path / "slow.onnx", rounds=2000)
    before = signal.signal(signal.SIGALRM, give_up)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(TooLong):
            ground.compile_engine(model, FP32)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not list((tmp_path / "cache").glob("slow__*"))
    assert ground.compile_engine(tiny_models.add_relu(tmp_path / "quick.onnx"), FP32).model == "quick"


def test_an_airborne_runtime_never_compiles(aircraft):
    told = package.run("""
import json, sys, skua
runtime = skua.build_inference_runtime({"runtime": "pytorch_fp16"}, role="airborne")
try:
    runtime.compile_engine("/model.pt", skua.BuildConfig())
except skua.EngineBuildError as error:
    print(json.dumps(error.reason))
""")
    assert told == "airborne_cannot_build"


def test_scalars_are_not_rounded(ground, tmp_path):
    model = tiny_models.add_relu(tmp_path / "add_relu.onnx")
    for wrong in (1.5, "7", True, None, np.float64(1.5)):
        with pytest.raises(skua.InvalidArgumentError, match="workspace_mb"):
            ground.compile_engine(model, skua.BuildConfig(precision=skua.Precision.FP32, workspace_mb=wrong))


SHARED = """
import json, os, pathlib, signal, sys, threading, time
import skua
config = {"runtime": "onnx_trt_ep", "execution_provider": "cpu", "engine_cache_dir": sys.argv[2]}
runtime = skua.build_inference_runtime(config, role="ground")
def compile(name):
    build = skua.BuildConfig(precision=skua.Precision.FP32, model_name=name)
    try:
        return runtime.compile_engine(sys.argv[1], build).model
    except skua.SkuaError as error:
        return error.reason
said, order = {}, []
def other():
    said["other"] = compile("first")
    order.append("other")
thread = threading.Thread(target=other)
thread.start()
while not list(pathlib.Path(sys.argv[2]).glob(".staging-*")):
    time.sleep(0.005)
threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    said["main"] = compile("second")
except KeyboardInterrupt:
    said["main"] = "interrupted"
    order.append("main")
thread.join()
print(json.dumps([said, order, compile("third")]))
"""


@pytest.mark.alone
def test_control_c_in_one_thread_leaves_the_builds_of_others(tmp_path):
    """And it is heard while a build waits for its turn."""
    import networks

    (tmp_path / "cache").mkdir()
    told = package.run(SHARED, networks.slow(tmp_path / "slow.onnx", rounds=400), tmp_path / "cache")
    assert told == [{"other": "first", "main": "interrupted"}, ["main", "other"], "third"]


WATCHED = """
import json, os, signal, sys, threading, time
import skua
heard = []
class Enough(Exception):
    pass
def hear(*_):
    heard.append(time.monotonic())
    raise Enough
signal.signal(signal.SIGTERM, hear)

def interrupted(call):
    begin = time.monotonic()
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    try:
        call()
        return "done"
    except Enough:
        return (heard[-1] - begin) / (time.monotonic() - begin)
"""


@pytest.mark.alone
def test_a_handler_runs_while_a_matcher_is_made(place):
    """Not when it is made: as a share of the call's time, whatever the machine."""
    share, made = package.run(WATCHED + """
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
engine = runtime.load_flight_set(sys.argv[1], skua.GatePolicy(allow_unsigned=True))["matcher"]
lanes = [runtime.create_lane("c3")]
share = interrupted(lambda: skua.LightGlueRuntime.create(runtime, engine, lanes, warm_up_rounds=4000))
print(json.dumps([share, skua.LightGlueRuntime.create(runtime, engine, lanes).descriptor_dim()]))
""", place.current())
    assert share != "done" and share < 0.6 and made, share
