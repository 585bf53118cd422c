"""What keeps skua-flight on the ground, and frames that it drops: a typed refusal or a dropped frame, never a crash."""

import os
import pathlib
import shutil
import subprocess

import confined
import flights
import programs
import pytest
from programs import NO_RUNTIME, OUT_OF_MEMORY, REFUSED, USAGE


@pytest.fixture(name="own_sets")
def copied_sets(flight_place):
    """The folder of the current set, for this test to damage."""
    sets = flight_place.own_sets()
    return sets / (sets / "CURRENT").read_text("ascii").strip()


def test_the_research_runtime_never_flies(flight_place):
    flight_place.c7["runtime"] = "onnx_trt_ep"
    flown = flight_place.refused(NO_RUNTIME, "runtime_not_airborne", "BUILD_TENSORRT_RUNTIME",
                                 "BUILD_PYTORCH_FP16_RUNTIME", "c2_vpr, c2_5_rerank, c3_matcher")
    assert "ONNX" not in flown.stderr.replace("onnx_trt_ep", "")


def test_a_runtime_that_is_not_built(flight_place):
    flight_place.c7["runtime"] = "tensorrt"
    flown = flight_place.refused(NO_RUNTIME, "runtime_not_built", "c7_inference", "BUILD_TENSORRT_RUNTIME",
                                 "BUILD_PYTORCH_FP16_RUNTIME", "c3_matcher")
    assert "c3_5_adhop" not in flown.stderr


def test_a_damaged_engine(flight_place, own_sets):
    (engine,) = own_sets.glob("demo_vpr__*.pt")
    content = bytearray(engine.read_bytes())
    content[len(content) // 2] ^= 1
    engine.write_bytes(content)
    flown = flight_place.refused(REFUSED, "sidecar_hash_mismatch", engine.name)
    assert len(flown.told("c7.engine_refused")) == 1 and len(flown.told("c7.takeoff_refused")) == 1


def test_a_half_published_set(flight_place, own_sets):
    next(own_sets.glob("demo_matcher__*.pt")).unlink()
    flight_place.refused(REFUSED, "listed_file_missing", "demo_matcher")
    (own_sets.parent / "CURRENT").unlink()
    flight_place.refused(REFUSED, "current_missing", "CURRENT")
    shutil.rmtree(own_sets.parent)
    flight_place.refused(REFUSED, "set_missing")


def test_sets_that_cannot_be_read(flight_place, own_sets):
    if why := confined.why_no_other_user():
        pytest.skip(why)
    with confined.PublicFolder() as public:
        flight_place.folder = public
        for name in ("state", "recorder"):
            (public / name).mkdir()
            (public / name).chmod(0o777)
        flight_place.report, flight_place.frame_lines = public / "report.json", public / "frames.jsonl"
        flight_place.c7.update(state_dir=public / "state", recorder_dir=public / "recorder")
        own_sets.parent.chmod(0o700)
        flown = flight_place.fly("--check", prefix=confined.as_other_user())
        assert flown.status in (REFUSED, USAGE), flown.explain()
        assert "ermission" in flown.stderr, flown.explain()


def test_read_only_sets_fly(flight_place, own_sets):
    if why := confined.why_no_mounts():
        pytest.skip(why)
    flight_place.ok("--duration", 0.1, prefix=confined.read_only(own_sets.parent))


def test_a_state_folder_that_cannot_be_written(flight_place):
    if why := confined.why_no_mounts():
        pytest.skip(why)
    flown = flight_place.fly("--duration", 0.1, prefix=confined.read_only(flight_place.state))
    assert flown.status == REFUSED and "[ratchet_not_written]" in flown.stderr, flown.explain()
    assert "state_dir" in flown.stderr and not flown.told("c7.flight_begun"), flown.explain()


def test_two_flights_at_once(flight_place):
    process = flight_place.start("--duration", 600)
    flights.wait_for(lambda: flights.in_flight(flight_place), "the frame loop", process)
    try:
        second = flight_place.command("--check")
        result = subprocess.run(second, capture_output=True, text=True, env=flight_place.environment(), check=False)
        assert result.returncode == USAGE and "[folder_busy]" in result.stderr, result
    finally:
        flights.kill(process)


def test_too_little_memory(flight_place):
    flight_place.c7["gpu_memory_budget_bytes"] = 100_000
    flight_place.refused(OUT_OF_MEMORY, "memory_budget_exceeded", "gpu_memory_budget_bytes")


@pytest.mark.parametrize("change, words", [
    ({"vpr_model": "demo_matcher"}, ("c2_vpr", "demo_matcher", "expected")),
    ({"features_model": "demo_vpr"}, ("c3_matcher", "'keypoints'")),
])
def test_an_engine_that_its_consumer_cannot_use(flight_place, change, words):
    flight_place.flight_block.update(change)
    flight_place.refused(REFUSED, "contract_mismatch", *words)


def test_names_that_the_set_does_not_have(flight_place):
    flight_place.flight_block["vpr_model"] = "ultravpr"
    flight_place.refused(USAGE, "unknown_name", "flight.vpr_model", "demo_features")
    flight_place.flight_block["vpr_model"] = "demo_vpr"
    flight_place.c7["lightglue_model"] = "lightglue"
    flown = flight_place.fly()
    assert flown.status in (USAGE, NO_RUNTIME) and "lightglue_model" in flown.stderr, flown.explain()


@pytest.mark.parametrize("consumer", ["c2_vpr", "c2_5_rerank", "c3_matcher"])
def test_the_frame_loop_needs_its_consumers(flight_place, consumer):
    del flight_place.components[consumer]
    flown = flight_place.refused(USAGE, "invalid_argument", consumer)
    assert not flown.told("c7.runtime_built"), "before anything is loaded"


BAD_FLIGHT = {"rate_hz": (0, -1, 101, "fast", [3], None), "candidates": (0, 101, 1.5, "ten"), "matches": (0, 11),
              "matches_throttled": (0, 4), "min_inliers": (4, 10001), "adhop_below_share": (-0.1, 1.1, "half"),
              "adhop_min_period_s": (0, 3601), "deadline_ms": (0, 60001, "soon"), "vpr_model": ("", "Demo", "a/b"),
              "features_model": ("a" * 65,), "adhop_model": ("..", "a__b"), "map": ([1],), "frames": ({},), "frame": ("typo",)}


@pytest.mark.parametrize("field", BAD_FLIGHT)
def test_wrong_values_of_the_flight_block(flight_place, field):
    for value in BAD_FLIGHT[field]:
        flight_place.flight_block[field] = value
        flight_place.refused(USAGE, "invalid_argument", f"{flight_place.folder / 'flight.yaml'}:")


def test_no_frames_and_no_map(flight_place, tmp_path):
    (tmp_path / "empty").mkdir()
    flight_place.flight_block["frames"] = tmp_path / "empty"
    flight_place.refused(USAGE, "not_found", "empty")
    del flight_place.flight_block["frames"]
    flight_place.refused(USAGE, "invalid_argument", "--frames")
    flight_place.flight_block.update(frames=flight_place.frames, map=tmp_path / "empty")
    flight_place.refused(USAGE, "not_found", "map.json")
    del flight_place.flight_block["map"]
    flight_place.refused(USAGE, "invalid_argument", "flight.map")


def test_a_map_with_a_damaged_tile(flight_place, tmp_path):
    shutil.copytree(flight_place.map, tmp_path / "map")
    tile = tmp_path / "map" / "r1c1.png"
    tile.write_bytes(tile.read_bytes()[:1000])
    flight_place.flight_block["map"] = tmp_path / "map"
    flight_place.refused(USAGE, "frame_unreadable", "r1c1.png")


def test_bad_frames_are_dropped_and_the_next_one_flies(flight_place, tmp_path):
    """Truncated, another size, no picture, gone, a folder: each costs its own frame."""
    from PIL import Image

    good = [flight_place.frames / f"frame{i:04d}.jpg" for i in range(6)]
    whole = good[0].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (320, 240)).save(tmp_path / "small.png")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    bad = {"cut.jpg": "frame_unreadable", "small.png": "shape_mismatch", "text.jpg": "frame_unreadable",
           "gone.jpg": "not_found", "folder.jpg": None, "pipe.jpg": "not_regular_file"}
    lines = [line for pair in zip(good, bad) for line in pair]
    (tmp_path / "replay.txt").write_text("# good and bad in turn\n" + "".join(f"{line}\n" for line in lines))
    flight_place.flight_block.update(frames=tmp_path / "replay.txt")
    flown = flight_place.ok()
    assert len(flown.lines) >= len(lines) - 2  # a busy machine may miss a slot
    for line in flown.lines:
        reason = bad.get(pathlib.Path(lines[line["frame"]]).name, "good")
        assert ("tile" in line) == (reason == "good"), line
        assert reason in ("good", None) or line["reason"] == reason, line
    dropped = flown.told("c7.frame_dropped")
    flown_bad = [line["frame"] for line in flown.lines if "tile" not in line]
    assert [record["frame_id"] for record in dropped] == flown_bad
    assert sum(flown.report["no_result"].values()) == len(flown_bad) >= len(bad) - 2


def test_frames_of_somewhere_else_have_no_position(flight_place, tmp_path):
    import numpy as np
    from PIL import Image

    (tmp_path / "else").mkdir()
    noise = np.random.default_rng(3).integers(0, 256, (480, 640), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "else" / "noise.png")
    Image.new("L", (640, 480)).save(tmp_path / "else" / "black.png")
    flight_place.flight_block.update(frames=tmp_path / "else")
    flown = flight_place.ok()
    assert flown.report["positions"] == 0 and flown.report["frames"] == 2, flown.report
    assert {line["reason"] for line in flown.lines} <= {"no_position", "execution_failed"}
    assert len(flown.told("c7.frame_dropped")) == len(flown.lines), "none of them goes untold"


def test_a_report_that_cannot_be_written(flight_place, tmp_path):
    flight_place.report = tmp_path / "nowhere" / "report.json"
    flight_place.refused(USAGE, "not_found", "--report", "nowhere")


def test_a_configuration_that_is_none(flight_place, tmp_path):
    config = tmp_path / "flight.yaml"
    cases = {"": "", "[": "not YAML", "components: [1]": "", "mode: live\nmode: live": "twice",
             "components: {c7_inference: {runtim: x}}": "runtim", "mode: fast": "mode"}
    for text, word in cases.items():
        config.write_text(text)
        result = subprocess.run([flights.FLIGHT, "--config", config], capture_output=True, text=True,
                                env=flight_place.environment(), timeout=60, check=False)
        assert result.returncode in (USAGE, NO_RUNTIME) and result.stderr.startswith("airborne_bootstrap: "), result
        assert word in result.stderr, result
    anchors = "a: &a [" + "x, " * 10 + "]\n" + "".join(f"b{i}: &b{i} [" + "*a, " * 9 + "]\n" for i in range(200_000))
    config.write_text(anchors)
    assert config.stat().st_size > 9_000_000
    result = subprocess.run([flights.FLIGHT, "--config", config], capture_output=True, text=True,
                            env=flight_place.environment(), timeout=60, check=False)
    assert result.returncode == USAGE and "[too_large]" in result.stderr, result


def test_the_recorder_has_the_refusal(flight_place, skua):
    flight_place.c7["runtime"] = "onnx_trt_ep"
    flight_place.refused(NO_RUNTIME, "runtime_not_airborne")
    records = skua.ok("recorder", "dump", flight_place.recorder, "--kind", "c7.takeoff_refused", "--json")["records"]
    assert [record["payload"]["reason"] for record in records] == ["runtime_not_airborne"]
