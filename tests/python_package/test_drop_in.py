"""The stack's consumers (tests/stack), written against C7's interface and nothing of Skua, run unchanged on `skua`; on a
runtime that only looks like one they fail, and that is noticed."""

from __future__ import annotations

import ast
import dataclasses
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import flights
import skua
import stack_networks
import tiny_models
from c2_5_rerank import RerankConsumer
from c2_vpr import VprConsumer
from c3_5_adhop import AdhopConsumer
from c3_matcher import MatcherConsumer
from c4_pose import COOL, HOT, PoseEstimator
from c10_provisioning import BuildConfig, CacheEntry, CacheProvisioner
from c13_fdr import FlightDataRecorder
from compose_root import REQUIRED_KEYS, CompositionError, compose_root
from protocol import ContractError, KeypointSet, NoResult
from stack_networks import CELL, CELLS, SHIFT, SIDE

STACK = pathlib.Path(__file__).resolve().parents[1] / "stack"
FILES = sorted(STACK.glob("*.py"))
WHITE = np.full((SIDE, SIDE), 255, np.uint8)


def names_of(source: str) -> set[str]:
    """Every name that a program has: imported, called, looked up."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        if isinstance(node, ast.Name):
            found.add(node.id)
    return found


def test_no_consumer_knows_skua():
    assert len(FILES) > 8
    for file in FILES:
        assert "skua" not in names_of(file.read_text("ascii")), file
    assert "skua" in names_of("import skua") & names_of("from skua.types import X") & names_of("x = skua.X()")  # a control


def test_consumers_are_imported_where_there_is_no_skua():
    program = f"import sys; sys.modules['skua'] = None; import {', '.join(file.stem for file in FILES)}"
    run = [sys.executable, "-c", program]
    subprocess.run(run, check=True, env={**os.environ, "PYTHONPATH": str(STACK)})


def test_what_is_required_is_what_skua_says():
    assert REQUIRED_KEYS == {slug: tuple(keys) for slug, keys in skua.AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS.items()}


@pytest.fixture(scope="module", name="cache")
def engine_cache(tmp_path_factory):
    """The four networks, compiled by C10. Nobody else writes there."""
    folder = tmp_path_factory.mktemp("drop_in")
    (folder / "cache").mkdir()
    for name, write in stack_networks.ALL.items():
        write(folder / f"{name}.onnx")
    provisioner = provisioner_of(folder)
    entries = {name: provisioner.engine_for(folder / f"{name}.onnx", BuildConfig("fp32")) for name in stack_networks.ALL}
    assert provisioner.compiled == list(stack_networks.ALL) and not provisioner.reused
    return folder, entries


def ground_runtime(folder, recorder=None, **fields):
    config = {"runtime": "onnx_trt_ep", "execution_provider": "cpu", "engine_cache_dir": folder / "cache", **fields}
    return skua.build_inference_runtime(config, role="ground", recorder=recorder)


def provisioner_of(folder, runtime=None):
    host = skua.probe_host()
    return CacheProvisioner(runtime or ground_runtime(folder), folder / "cache", (host.sm, host.jetpack, host.tensorrt))


@dataclasses.dataclass
class Stack:
    """Everything that is composed; `handles` by network."""

    pre_constructed: dict
    handles: dict
    consumers: dict

    @property
    def inference(self):
        return self.pre_constructed["c7_inference"]


class OnTopOf:
    """The real thing, but for its `source`."""

    def __init__(self, real, source):
        self._real, self.source = real, source

    def __getattr__(self, name):
        return getattr(self._real, name)


def composed(cache, wrap=lambda runtime: runtime, wrap_matcher=lambda matcher: matcher, recorder=None):
    folder, entries = cache
    runtime = ground_runtime(folder, recorder)
    handles = {name: runtime.deserialize_engine(entry) for name, entry in entries.items()}
    lightglue = skua.LightGlueRuntime.create(runtime, handles["matcher"], [runtime.create_lane("c3_lightglue_runtime")])
    shared = wrap(runtime)
    built = {"c7_inference": shared, "c3_lightglue_runtime": wrap_matcher(lightglue)}
    if shared is not runtime:  # a duck over the runtime is what the matcher is to run on
        built["c3_lightglue_runtime"] = OnTopOf(built["c3_lightglue_runtime"], shared)
    factories = {
        "c2_vpr": lambda given: VprConsumer(given["c7_inference"], handles["vpr"]),
        "c2_5_rerank": lambda given: RerankConsumer(given["c7_inference"], given["c3_lightglue_runtime"]),
        "c3_matcher": lambda given: MatcherConsumer(given["c7_inference"], given["c3_lightglue_runtime"],
                                                    handles["features"]),
        "c3_5_adhop": lambda given: AdhopConsumer(given["c7_inference"], handles["adhop"])}
    return Stack(built, handles, compose_root(built, factories))


@pytest.fixture(name="stack")
def composed_stack(cache):
    return composed(cache)


def pictures(count=4):
    return [np.random.default_rng(seed).integers(0, 200, (SIDE, SIDE), dtype=np.uint8) for seed in range(count)]


def shifted(picture):
    """As a camera one cell further right sees it."""
    return np.roll(picture, -CELL, axis=1)


def check_chain(stack, **options):
    """One frame, from picture to position, against what can be worked out by hand."""
    vpr, rerank, matcher = (stack.consumers[slug] for slug in ("c2_vpr", "c2_5_rerank", "c3_matcher"))
    tiles = pictures()
    for picture in tiles:
        cells = picture.reshape(SIDE // CELL, CELL, SIDE // CELL, CELL).mean(axis=(1, 3)).ravel() / 255
        expected = (cells - cells.mean()) / np.linalg.norm(cells - cells.mean())
        assert np.allclose(vpr.embed(picture, **options), expected, atol=1e-4)
    described = [matcher.extract(picture, **options) for picture in tiles]
    frame = shifted(tiles[2])
    features = matcher.extract(frame, **options)
    assert np.array_equal(features.keypoints, stack_networks.grid())
    assert np.array_equal(described[0].keypoints, stack_networks.grid())
    assert not np.array_equal(described[0].descriptors, described[1].descriptors), "no view of the lane's memory"
    best = rerank.best(features, described, 3, **options)
    assert len(best) == 3 and best[0] == 2
    pose = PoseEstimator(stack.inference)
    pairs = matcher.match(features, [described[number] for number in best], **options)
    assert [len(pair.frame) for pair in pairs] == [CELLS, 0, 0]
    pair, fit = pose.best(pairs)
    assert pair.tile == 0 and fit.count == CELLS - SIDE // CELL
    position = pose.pose(fit, fit.homography, frame, pose.mode()).position
    assert np.allclose(position, [(SIDE - 1) / 2 + CELL, (SIDE - 1) / 2], atol=1e-3)
    refined = stack.consumers["c3_5_adhop"].refine(fit.homography, frame, tiles[2], **options)
    position = pose.pose(fit, refined, frame, pose.mode()).position
    assert np.allclose(position, [(SIDE - 1) / 2 + CELL - SHIFT, (SIDE - 1) / 2], atol=1e-3)


def test_every_consumer_runs_unchanged(stack):
    check_chain(stack)
    check_chain(stack, frame=7, deadline_ns=time.monotonic_ns() + 60_000_000_000)


def test_one_runtime_is_shared_and_sealed(stack):
    for slug, consumer in stack.consumers.items():
        assert consumer.inference is stack.inference, slug
    lightglue = stack.pre_constructed["c3_lightglue_runtime"]
    assert lightglue.source is stack.inference
    assert stack.consumers["c2_5_rerank"].lightglue is stack.consumers["c3_matcher"].lightglue is lightglue
    with pytest.raises(skua.InvalidArgumentError) as refused:
        stack.inference.create_lane("a lane behind the seal")
    assert refused.value.reason == "lane_not_declared"


def test_another_runtime_or_none_is_not_composed(stack, cache):
    folder, entries = cache
    second = ground_runtime(folder)
    handle = second.deserialize_engine(entries["vpr"])
    with pytest.raises(CompositionError, match="c2_vpr holds another runtime"):
        compose_root(stack.pre_constructed, {"c2_vpr": lambda given: VprConsumer(second, handle)})
    with pytest.raises(CompositionError, match="c3_lightglue_runtime, needed by c2_5_rerank"):
        compose_root({"c7_inference": stack.inference}, {"c2_5_rerank": lambda given: None})
    other = {**stack.pre_constructed, "c7_inference": second}
    with pytest.raises(CompositionError, match="runs on another runtime"):
        compose_root(other, {"c2_5_rerank": lambda given: RerankConsumer(other["c7_inference"],
                                                                         given["c3_lightglue_runtime"])})


@pytest.mark.parametrize("slug, network, words", [
    ("c2_vpr", "matcher", ("expected one input, an image", "'kpts0' float32 1x64x2")),
    ("c2_vpr", "features", ("expected one output, float 1xD", "'keypoints' float32 1x64x2")),
    ("c3_matcher", "vpr", ("'keypoints' float32 1xNx2", "found 'embedding' float32 1x64")),
    ("c3_5_adhop", "vpr", ("inputs 'reference' and 'query'", "found 'image'"))])
def test_an_engine_that_does_not_fit_is_refused_right_after_load(stack, slug, network, words):
    given = [stack.inference, stack.handles[network]]
    if slug == "c3_matcher":
        given.insert(1, stack.pre_constructed["c3_lightglue_runtime"])
    kind = {"c2_vpr": VprConsumer, "c3_matcher": MatcherConsumer, "c3_5_adhop": AdhopConsumer}[slug]
    with pytest.raises(ContractError) as refused:
        kind(*given)
    for word in (slug, network, *words):
        assert word in str(refused.value)


def test_a_failed_run_costs_its_frame_alone(stack):
    vpr, matcher = stack.consumers["c2_vpr"], stack.consumers["c3_matcher"]
    for fail, stage in ((lambda: vpr.embed(WHITE), "vpr"), (lambda: matcher.extract(WHITE), "features")):
        with pytest.raises(NoResult) as none:
            fail()
        assert (none.value.reason, none.value.stage) == ("execution_failed", stage)
        assert isinstance(none.value.__cause__, skua.InferenceError)
    with pytest.raises(NoResult) as none:
        vpr.embed(pictures()[0], deadline_ns=time.monotonic_ns() - 1)
    assert none.value.reason == "deadline_missed"
    check_chain(stack)


def spoilt(features):
    """Descriptors that the matcher's run fails on."""
    return KeypointSet(features.keypoints, features.descriptors * 100, features.image_size)


def test_a_candidate_whose_inference_failed_is_dropped(stack):
    matcher, rerank = stack.consumers["c3_matcher"], stack.consumers["c2_5_rerank"]
    tiles = [matcher.extract(picture) for picture in pictures()]
    frame = matcher.extract(shifted(pictures()[2]))
    some = [spoilt(tiles[0]), tiles[1], tiles[2], spoilt(tiles[3])]
    best = rerank.best(frame, some, 4)
    assert sorted(best) == [1, 2] and best[0] == 2
    assert [pair.tile for pair in matcher.match(frame, some)] == [1, 2]
    for give in (lambda bad: rerank.best(frame, bad, 3), lambda bad: matcher.match(frame, bad)):
        with pytest.raises(NoResult) as none:
            give([spoilt(tile) for tile in tiles])
        assert none.value.reason == "execution_failed"


def test_adhop_passes_through_when_it_fails(stack):
    adhop = stack.consumers["c3_5_adhop"]
    homography = np.eye(3)
    assert adhop.refine(homography, WHITE, pictures()[0]) is homography and adhop.failures == 1
    assert adhop.refine(homography, pictures()[0], pictures()[0]) is not homography and adhop.failures == 1


def test_a_mistake_is_nobodys_lost_frame(stack):
    """What is no failed inference goes on: a consumer that hid it would fly blind."""
    matcher = stack.consumers["c3_matcher"]
    features = matcher.extract(pictures()[0])
    narrow = KeypointSet(features.keypoints, np.ascontiguousarray(features.descriptors[:, :8]), features.image_size)
    with pytest.raises(skua.InvalidArgumentError):
        matcher.match(features, [narrow])
    with pytest.raises(skua.InvalidArgumentError):
        stack.consumers["c2_5_rerank"].best(features, [narrow], 3)


def test_throttled_means_two_candidates_and_the_cheaper_covariance(cache, tmp_path):
    folder, _ = cache
    (tmp_path / "hot.jsonl").write_text(flights.throttled_replay())
    hot = ground_runtime(folder, thermal_source="replay", thermal_replay=tmp_path / "hot.jsonl", thermal_poll_hz=10)
    assert PoseEstimator(hot).mode() is COOL  # not asked yet: not throttled
    hot.start_telemetry()
    end = time.monotonic() + 30
    while PoseEstimator(hot).mode() is not HOT:
        assert time.monotonic() < end, hot.thermal_state()
        time.sleep(0.01)
    assert (HOT.candidates, HOT.covariance, COOL.candidates, COOL.covariance) == (2, "jacobian", 3, "marginals")


def test_c10_reuses_what_name_and_sidecar_prove(cache, tmp_path):
    folder = tmp_path
    (folder / "cache").mkdir()
    model = stack_networks.vpr(folder / "vpr.onnx")
    build = BuildConfig("fp32", workspace_mb=64)
    first = provisioner_of(folder)
    entry = first.engine_for(model, build)
    again = provisioner_of(folder)
    reused = again.engine_for(model, build)
    assert (first.compiled, again.compiled, again.reused) == (["vpr"], [], ["vpr"])
    assert isinstance(reused, CacheEntry) and reused.engine_sha256 == entry.engine_sha256
    runtime = ground_runtime(folder)
    assert VprConsumer(runtime, runtime.deserialize_cached_engine(reused)).embed(pictures()[0]).shape == (CELLS,)
    elsewhere = provisioner_of(folder)
    elsewhere.host = (87, "6.2", "10.3")
    assert elsewhere.engine_for(model, build).engine_sha256 == entry.engine_sha256 and elsewhere.compiled == ["vpr"]
    pathlib.Path(f"{reused.engine_path}.sha256").write_text("0" * 64)
    last = provisioner_of(folder)
    last.engine_for(model, build)
    assert last.compiled == ["vpr"] and not last.reused


def test_c10_says_profiles_as_its_table_has_them(tmp_path):
    (tmp_path / "cache").mkdir()
    model = tiny_models.dynamic_batch(tmp_path / "dynamic.onnx")
    shapes = (1, tiny_models.WIDTH), (2, tiny_models.WIDTH), (4, tiny_models.WIDTH)
    entry = provisioner_of(tmp_path).engine_for(model, BuildConfig("fp32", optimization_profiles=[("x", *shapes)]))
    runtime = ground_runtime(tmp_path)
    handle = runtime.deserialize_engine(entry)
    (profile,) = runtime.info(handle).profiles
    assert (profile.input_name, profile.min, profile.opt, profile.max) == ("x", *shapes)
    for rows in (1, 3, 4):
        assert runtime.infer(handle, {"x": np.ones((rows, tiny_models.WIDTH), np.float32)})["y"].shape[0] == rows
    with pytest.raises(skua.InvalidArgumentError):
        runtime.infer(handle, {"x": np.ones((5, tiny_models.WIDTH), np.float32)})


def test_c13_gets_its_records_from_one_thread_of_skuas(cache):
    recorder = FlightDataRecorder()
    stack = composed(cache, recorder=recorder)
    for _ in range(3):
        with pytest.raises(NoResult):
            stack.consumers["c2_vpr"].embed(WHITE, frame=12)
    assert stack.inference.drain_events(30)
    failed = [record for record in recorder.records if record["kind"] == "c7.inference_failed"]
    assert len(failed) == 3 and failed[0]["payload"]["reason"] == "execution_failed", recorder.kinds()
    assert all(record["producer_id"] == "c7_inference" and record["schema_version"] == 1 for record in recorder.records)
    assert len(recorder.threads) == 1 and threading.get_ident() not in recorder.threads


class Duck:
    """What only looks like the real one: `change` spoils what `method` answers."""

    def __init__(self, real, method, change):
        self._real, self._method, self._change = real, method, change

    def __getattr__(self, name):
        own = getattr(self._real, name)
        if name != self._method:
            return own
        return lambda *given, **options: self._change(own(*given, **options))


def late():
    """Every answer is that of the call before."""
    before = []

    def change(answer):
        before.append(answer)
        return before[-2] if len(before) > 1 else answer
    return change


def renamed(answers):
    return {f"{name}_0": value for name, value in answers.items()}


RUNTIMES = {"another name": ("infer", renamed), "another type": ("infer", lambda a: {k: v.astype(np.float64) for k, v in a.items()}),
            "a row too many": ("infer", lambda a: {k: np.concatenate([v, v]) for k, v in a.items()}),
            "a late tensor": ("infer", late()), "nothing": ("infer", lambda a: {})}


@pytest.mark.parametrize("wrong", RUNTIMES)
def test_control_a_runtime_that_only_looks_like_one(cache, wrong):
    stack = composed(cache, wrap=lambda runtime: Duck(runtime, *RUNTIMES[wrong]))
    with pytest.raises(AssertionError if wrong == "a late tensor" else ContractError):
        check_chain(stack)


MATCHERS = {"a pair too few": ("match_batch", lambda pairs: pairs[:-1]), "late pairs": ("match", late()),
            "narrow indices": ("match", lambda pair: dataclasses.replace(pair, indices=pair.indices.astype(np.int32))),
            "pairs in another order": ("match_batch", lambda pairs: pairs[::-1])}


@pytest.mark.parametrize("wrong", MATCHERS)
def test_control_a_matcher_that_only_looks_like_one(cache, wrong):
    stack = composed(cache, wrap_matcher=lambda matcher: Duck(matcher, *MATCHERS[wrong]))
    with pytest.raises((AssertionError, ContractError, ValueError, NoResult)):
        check_chain(stack)
