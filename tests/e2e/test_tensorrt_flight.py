"""skua-flight on the runtime tensorrt, over the software-in-the-loop SDK, and who refuses to fly such a set."""

import shutil

import flights
import programs
import pytest
import sil_build
from flights import in_flight
from places import Place
from sil_build import ILLEGAL_ADDRESS, LATER_THAN_LOADING
from traces import Trace

pytestmark = pytest.mark.alone  # it is about time

HZ, FRAMES = 1, 3  # slow: no speed is shown here, and a busy machine must not add faults of its own
MAX_ERROR_PX = 5.0


@pytest.fixture(scope="module", name="plans")
def provisioned_plans(sil, flown_original, tmp_path_factory):
    """The demo set as plans, beside the map and the frames of the flights' own fixture."""
    folder = tmp_path_factory.mktemp("plans")
    (folder / "home").mkdir()
    place = Place(folder)
    models = flown_original / "models"
    networks = [{"name": name, "onnx": models / f"{name}.onnx", "precision": "fp16"} for name in flights.DEMO]
    yaml = place.set_yaml(networks, runtime="tensorrt", execution_provider=None)
    programs.Programs(folder / "home").ok(*place.provision_arguments(yaml), "--sign", flown_original / "flight.key",
                                           timeout=600)
    return place.sets


@pytest.fixture(name="tensorrt_place")
def place_of_a_flight_on_plans(plans, flight_place):
    flight_place.sets = plans
    flight_place.c7.update(flight_sets_dir=plans, runtime="tensorrt")
    flight_place.flight_block["rate_hz"] = HZ
    return flight_place


def check_runs(trace, flown):
    """Each run of a frame is launched and waited for: as a graph that holds its copies, or copied in, enqueued, copied out."""
    ways = {("graph_launch", "wait"), ("copy_in", "enqueue", "copy_out", "wait")}
    for frame in trace.named("frame"):
        runs = frame.below("run")
        assert {run.args["model"] for run in runs} == set(flights.DEMO)
        assert {tuple(span.name for span in run.inner) for run in runs} <= ways, frame.args
    # Of the warm-up the first run is enqueued, and the last is the graph's.
    for warm_up in trace.named("warm_up"):
        assert all(warm_up.below(name) for name in ("copy_in", "enqueue", "wait", "copy_out")), warm_up.args
    assert trace.ended()["lost"] == 0 and len(trace.named("frame")) == len(flown.lines) > 0


def test_it_flies_on_plans_and_says_what_they_are(tensorrt_place, tmp_path):
    flown = tensorrt_place.ok("--duration", FRAMES / HZ, "--trace", tmp_path / "trace.json")
    check_runs(Trace(tmp_path / "trace.json"), flown)
    assert flown.report["runtime"] == "tensorrt" and flown.report["positions"] == flown.report["frames"] > 0
    right, off = tensorrt_place.errors(flown.lines)
    assert right.all() and (off <= MAX_ERROR_PX).all()
    told = flown.told("c7.engine_deserialized")
    assert told and all("sil" in record["kv"]["device"] for record in told), flown.explain()
    assert not flown.told("c7.memory_after_seal") and not flown.told("c7.device_lost")


def test_a_lost_device_ends_the_flight_for_a_restart(tensorrt_place):
    """The order counts the calls of the whole process: those of the load and of the map, and then those of some frames."""
    tensorrt_place.flight_block["rate_hz"] = 100  # missed slots do not matter; the call comes sooner
    orders = f"fail:cudaEventRecord:{LATER_THAN_LOADING}:{ILLEGAL_ADDRESS}:sticky"
    flown = tensorrt_place.fly("--duration", 60, env={"SKUA_SIL_FAULTS": orders})
    assert flown.status == programs.DEVICE_LOST, flown.explain()
    assert flown.report["positions"] > 0, "the device was lost before it flew"
    (lost,) = flown.told("c7.device_lost")
    assert lost["kv"] == {"runtime": "tensorrt", "native_code": ILLEGAL_ADDRESS}
    assert len(flown.told("c7.runtime_faulted")) == 1 and flown.report["cause"] == "device_lost"
    assert in_flight(tensorrt_place), "the next start must know that it is in the air"
    tensorrt_place.flight_block["rate_hz"] = HZ
    again = tensorrt_place.ok("--duration", 0.5)
    assert again.report["phase"] == "F8" and again.report["positions"] > 0, again.explain()


def program_without(tmp_path, *left_out):
    """skua-flight with the build's libraries, but for some."""
    folder = tmp_path / "program"
    (folder / "bin").mkdir(parents=True)
    sil_build.link_libraries(folder, left_out)
    shutil.copy2(flights.FLIGHT, folder / "bin")
    return folder / "bin" / "skua-flight"


def test_a_package_without_this_sdk_refuses_the_set(tensorrt_place, tmp_path):
    """As every installed one is without it: scripts/check_no_sil.py proves that."""
    tensorrt_place.program = program_without(tmp_path, "libskua_runtime_tensorrt.so")
    tensorrt_place.refused(programs.NO_RUNTIME, "module_missing")


def test_control_the_same_program_with_it_accepts_the_set(tensorrt_place, tmp_path):
    tensorrt_place.program = program_without(tmp_path)
    tensorrt_place.ok("--check")


def test_another_runtime_refuses_the_set(tensorrt_place):
    tensorrt_place.c7["runtime"] = "pytorch_fp16"
    tensorrt_place.refused(programs.REFUSED, "runtime_mismatch")
