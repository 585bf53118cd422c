"""`skua quantize`: a float32 model becomes a half one that compiles, or is refused and nothing is left."""

import hashlib
import json
import pathlib
import signal
import subprocess
import time

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

import programs
import tiny_models
import tracing
import trees
from places import CPU
from programs import BUILD_FAILED, DONE, USAGE

NO_TRACE = tracing.can_trace()
PATIENCE_S = 20


@pytest.fixture(name="model")
def float32_model(place):
    return tiny_models.several(place.models / "several.onnx")


@pytest.fixture(name="out")
def output_file(place):
    """Where the half model goes: a folder that does not exist yet."""
    return place.folder / "half" / "several.onnx"


def wide_model(path, value):
    """x [1,8] times weights of which one is `value`."""
    factor = tiny_models.weights(1, 1, tiny_models.WIDTH)
    factor[0, 3] = value
    nodes = [onnx.helper.make_node("Mul", ["x", "factor"], ["y"], name="scale")]
    shape = [1, tiny_models.WIDTH]
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy"]
    factor = onnx.numpy_helper.from_array(factor, "factor")
    return tiny_models.write(path, tiny_models.network(nodes, values[:1], values[1:], [factor]))


def test_a_converted_model_compiles_and_runs(skua, place, model, out):
    before = trees.tree(place.models)
    report = skua.ok("quantize", model, "--precision", "fp16", "--out", out, "--json")
    assert report["path"] == str(out) and report["size_bytes"] == out.stat().st_size
    assert report["kept_fp32"] == report["always_fp32"] == report["weights"]["overflowed"] == []
    assert {o["name"] for o in report["outputs"]} == {"total", "product"}
    for output in report["outputs"]:
        assert 0 <= output["max_abs_error"] < 0.02 and 0 < output["rounded_abs_error"] < 0.02
    assert trees.tree(place.models) == before and list(trees.tree(out.parent)) == [out.name]
    skua.ok("compile", out, "--out", place.cache, "--precision", "fp16", *CPU)
    for name in ("left", "right"):
        np.save(place.folder / f"{name}.npy", np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8))
    inputs = [word for name in ("left", "right") for word in ("--input", f"{name}={place.folder / name}.npy")]
    skua.ok("run", place.cache, "several", *inputs, "--output-dir", place.folder / "o")
    total = np.load(place.folder / "o" / "total.npy")
    assert total.dtype == np.float32
    np.testing.assert_allclose(total, 2 * np.load(place.folder / "left.npy"), atol=1e-3)


def test_the_text_names_the_file_and_every_output(skua, model, out):
    lines = skua.ok("quantize", model, "--precision", "fp16", "--out", out).stdout.splitlines()
    assert lines[0] == str(out) and [line.split(":")[0].strip() for line in lines[-2:]] == [
        "output total", "output product"]


def test_kept_nodes_are_what_compiling_wants_to_know(skua, place, model, out):
    """A pattern of quantize is the keep_fp32 of the build; without it compiling refuses the graph."""
    network = onnx.load(model)
    network.graph.node[-1].name = "head/product"
    onnx.save(network, model)
    arguments = ["--precision", "fp16", "--keep-fp32", "head/*", "--out", out, "--json"]
    report = skua.ok("quantize", model, *arguments)
    assert report["kept_fp32"] == ["head/product"]
    result = skua("compile", out, "--out", place.cache, "--precision", "fp16", *CPU, "--json")
    programs.error_of(result, BUILD_FAILED, "precision_not_supported")
    build = place.folder / "build.json"
    build.write_text('{"precision": "fp16", "keep_fp32": ["head/*"]}')
    skua.ok("compile", out, "--out", place.cache, "--config", build, *CPU)


def test_given_inputs_are_used(skua, place, model, out):
    for name, value in (("left", 1000.0), ("right", 0.0)):
        np.save(place.folder / f"{name}.npy", np.full((2, 8), value, np.float32))
    inputs = [word for name in ("left", "right") for word in ("--input", f"{name}={place.folder / name}.npy")]
    report = skua.ok("quantize", model, "--precision", "fp16", "--out", out, *inputs, "--json")
    assert report["largest_value"] == 1000.0
    np.save(place.folder / "right.npy", np.full((2, 8), 500.0, np.float32))
    result = skua("quantize", model, "--precision", "fp16", "--out", out, *inputs, "--overwrite", "--json")
    programs.error_of(result, BUILD_FAILED, "precision_not_supported", "gives 5e+05")


# ---- refusals ----------------------------------------------------------------------------------------------

def stamp_of(file):
    (stamp,) = (entry.value for entry in onnx.load(file).metadata_props if entry.key == "skua.precision")
    return json.loads(stamp)


def refuse(skua, arguments, status, reason, *words, left=()):
    """Refuses, and leaves `left` in the output's folder."""
    out = pathlib.Path(arguments[arguments.index("--out") + 1])
    programs.error_of(skua("quantize", *arguments, "--json"), status, reason, *words)
    assert sorted(trees.tree(out.parent)) == sorted(left)


def test_half_precision_takes_no_data_set(skua, model, out):
    refuse(skua, [model, "--precision", "fp16", "--calibration-dataset", model.parent, "--out", out], USAGE,
           "invalid_argument", "--calibration-dataset")
    report = skua.ok("quantize", model, "--precision", "fp16", "--out", out, "--json")
    assert stamp_of(out) == report["provenance"] and set(report["provenance"]) == {
        "precision", "keep_fp32", "source_sha256", "producer"}


# ---- int8 --------------------------------------------------------------------------------------------------

def left_and_right(seed):
    random = np.random.default_rng(seed)
    return {name: random.uniform(-1, 1, (2, 8)).astype(np.float32) for name in ("left", "right")}


@pytest.fixture(name="data_set")
def samples_of_typical_inputs(place):
    folder = place.folder / "data"
    folder.mkdir()
    for seed in range(10):
        np.savez(folder / f"{seed:03}.npz", **left_and_right(seed))
    return folder


def int8(model, data_set, out):
    return [model, "--precision", "int8", "--calibration-dataset", data_set, "--out", out]


@pytest.mark.parametrize("algorithm", ["entropy2", "minmax"])
def test_an_int8_model_runs_and_says_what_it_was_made_from(skua, model, data_set, out, algorithm):
    report = skua.ok("quantize", *int8(model, data_set, out), "--calibration-algorithm", algorithm, "--json")
    hashed = skua.ok("inspect", data_set, "--json")["content"]
    origin = report["provenance"]
    assert (origin["dataset_sha256"], origin["algorithm"]) == (hashed["sha256"], algorithm)
    assert (origin["sample_count"], origin["held_out_count"]) == (8, 2) and hashed["samples"] == 10
    distances = [output["relative_l2"] for output in report["outputs"]]
    assert report["quantised"] and 0 < max(distances) < 0.05
    assert origin["source_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert stamp_of(out) == origin and origin["precision"] == "int8"
    outputs = {}
    for name, file in (("fp32", model), ("int8", out)):
        outputs[name] = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(
            ["product"], left_and_right(99))[0]
    assert not np.array_equal(outputs["int8"], outputs["fp32"]), "it computes with int8"
    np.testing.assert_allclose(outputs["int8"], outputs["fp32"], atol=0.05 * np.abs(outputs["fp32"]).max())
    assert list(trees.tree(out.parent)) == [out.name]


def spoil(data_set, kind):
    """What the refusal names."""
    file = data_set / "004.npz"
    if kind == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    elif kind == "nan":
        np.savez(file, **left_and_right(4) | {"left": np.full((2, 8), np.nan, np.float32)})
    elif kind == "missing input":
        np.savez(file, left=left_and_right(4)["left"])
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "another file":
        file = data_set / "notes.txt"
        file.write_text("mine")
    elif kind == "link":
        file.unlink()
        file.symlink_to("003.npz")
    return file.name


@pytest.mark.parametrize("kind", ["cut", "nan", "missing input", "empty", "another file", "link"])
def test_a_data_set_is_used_whole_or_not_at_all(skua, model, data_set, out, kind):
    name = spoil(data_set, kind)
    refuse(skua, int8(model, data_set, out), BUILD_FAILED, "data_set_malformed", name)


def test_other_bad_data_sets(skua, model, data_set, out):
    for file in sorted(data_set.iterdir())[1:]:
        file.unlink()
    refuse(skua, int8(model, data_set, out), BUILD_FAILED, "data_set_malformed", "at least 2 samples")
    refuse(skua, int8(model, data_set / "none", out), BUILD_FAILED, "not_found", "none")
    (data_set / "000.npz").rename(data_set / "000.png")
    (data_set / "preprocess.yaml").write_text("channels: rgb\nlayout: nchw")
    refuse(skua, int8(model, data_set, out), BUILD_FAILED, "data_set_malformed", "one input", "2 inputs")


SIDE = 16


@pytest.fixture(name="image_model")
def model_of_one_image_input(place):
    weights = onnx.numpy_helper.from_array(tiny_models.weights(5, 4, 3, 3, 3), "weights")
    nodes = [onnx.helper.make_node("Conv", ["images", "weights"], ["y"], name="conv")]
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, side, side])
              for name, channels, side in (("images", 3, SIDE), ("y", 4, SIDE - 2))]
    return tiny_models.write(place.models / "conv.onnx", tiny_models.network(nodes, values[:1], values[1:], [weights]))


@pytest.fixture(name="images")
def data_set_of_images(place):
    """Ten of twice the network's size; the last one is a copy of the fifth."""
    folder = place.folder / "images"
    folder.mkdir()
    for seed in [*range(9), 4]:
        pixels = np.random.default_rng(seed).integers(0, 256, (SIDE * 2, SIDE * 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{len(list(folder.iterdir())):03}.png")
    (folder / "preprocess.yaml").write_text("channels: bgr\nlayout: nchw\nscale: 0.01\nmean: 1.2\n"
                                            f"resize: {{width: {SIDE}, height: {SIDE}}}\n")
    return folder


def test_images_calibrate_as_their_arrays_do(skua, place, image_model, images, out):
    algorithm = ["--calibration-algorithm", "minmax"]
    report = skua.ok("quantize", *int8(image_model, images, out), *algorithm, "--json")
    origin = report["provenance"]
    assert origin["dataset_sha256"] == skua.ok("inspect", images, "--json")["content"]["sha256"]
    assert (origin["sample_count"], origin["held_out_count"]) == (8, 2), "the copy judges, as what it is a copy of"
    assert list(trees.tree(out.parent)) == [out.name]
    arrays = place.folder / "arrays"
    arrays.mkdir()
    for file in images.glob("*.png"):
        with Image.open(file) as image:
            pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
        np.savez(arrays / file.with_suffix(".npz").name,
                 images=(pixels[:, :, ::-1].transpose(2, 0, 1)[None] * np.float32(0.01) - np.float32(1.2)))
    skua.ok("quantize", *int8(image_model, arrays, out.with_name("arrays.onnx")), *algorithm)
    scales = [{tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer
               if tensor.name.endswith("scale")} for file in (out, out.with_name("arrays.onnx"))]
    assert scales[0].keys() == scales[1].keys() != set()
    for name, scale in scales[0].items():
        np.testing.assert_allclose(scale, scales[1][name], rtol=0.02, err_msg=name)


def test_a_data_set_of_images_is_used_whole_or_not_at_all(skua, image_model, images, out):
    whole = (images / "007.png").read_bytes()
    (images / "007.png").write_bytes(whole[:-20])
    refuse(skua, int8(image_model, images, out), BUILD_FAILED, "data_set_malformed", "007.png")
    (images / "007.png").write_bytes(whole)
    text = (images / "preprocess.yaml").read_text()
    (images / "preprocess.yaml").write_text(text + "colour: yes\n")
    refuse(skua, int8(image_model, images, out), BUILD_FAILED, "data_set_malformed", "preprocess.yaml:6:1", "'colour'")


def test_calibrating_with_noise_is_refused(skua, model, data_set, out):
    """Eight samples of something else: ranges in which the two that judge are nothing."""
    for number, file in enumerate(sorted(data_set.iterdir())):
        if number % 5 != 4:
            np.savez(file, **{name: values * 3000 for name, values in left_and_right(number).items()})
    refuse(skua, [*int8(model, data_set, out), "--calibration-algorithm", "minmax"], BUILD_FAILED,
           "precision_not_supported", "relative_l2", "product")


# ---- refusals of half precision ----------------------------------------------------------------------------


def test_patterns_must_match(skua, model, out):
    keep = ["--precision", "fp16", "--out", out, "--keep-fp32"]
    unmatched = [model, *keep, "MatMul", "--keep-fp32", "Conv"]
    refuse(skua, unmatched, USAGE, "invalid_argument", "'Conv'", "MatMul")
    skua.ok("quantize", model, *keep, "MatMul", "--keep-fp32", "M?l")


def test_overflowing_weights(skua, place, out):
    arguments = [wide_model(place.models / "wide.onnx", 1e6), "--precision", "fp16", "--out", out]
    refuse(skua, arguments, BUILD_FAILED, "precision_not_supported", "1 weights", "factor", "--keep-fp32")
    skua.ok("quantize", *arguments, "--keep-fp32", "scale")
    assert wide_model(place.models / "wide.onnx", 1e4)
    skua.ok("quantize", *arguments, "--overwrite")


def test_files_that_exist(skua, place, model, out):
    arguments = [model, "--precision", "fp16", "--out", out]
    skua.ok("quantize", *arguments)
    before = trees.tree(out.parent)
    refuse(skua, arguments, USAGE, "exists", out, "--overwrite", left=[out.name])
    assert trees.tree(out.parent) == before
    skua.ok("quantize", *arguments, "--keep-fp32", "Add", "--overwrite")
    assert trees.contents(out.parent) != {name: entry[-1] for name, entry in before.items()}
    refuse(skua, [model, "--precision", "fp16", "--out", model, "--overwrite"], USAGE, "invalid_argument",
           left=[model.name])


@pytest.mark.parametrize(("content", "reason"), [
    (None, "model_missing"), (b"", "model_empty"), (b"not a protobuf", "model_malformed")])
def test_bad_models(skua, place, out, content, reason):
    model = place.models / "bad.onnx"
    if content is not None:
        model.write_bytes(content)
    refuse(skua, [model, "--precision", "fp16", "--out", out], BUILD_FAILED, reason, model)
    tiny_models.add_relu(model)
    skua.ok("quantize", model, "--precision", "fp16", "--out", out)


def test_bad_inputs(skua, place, model, out):
    np.save(place.folder / "x.npy", np.zeros((3, 8), np.float32))
    common = [model, "--precision", "fp16", "--out", out, "--input"]
    refuse(skua, [*common, f"left={place.folder / 'none.npy'}"], USAGE, "invalid_argument", "none.npy")
    refuse(skua, [*common, f"up={place.folder / 'x.npy'}"], USAGE, "invalid_argument", "'up'", "left, right")
    refuse(skua, [*common, f"left={place.folder / 'x.npy'}"], BUILD_FAILED, "execution_failed", "--input")
    refuse(skua, [*common, f"left={model}"], USAGE, "invalid_argument", ".npy")
    np.save(place.folder / "x.npy", np.zeros((2, 8), np.float32))
    skua.ok("quantize", *common, f"left={place.folder / 'x.npy'}")


def test_missing_packages_are_told(place, model, out):
    """The tool itself, by an interpreter that sees no installed package."""
    script = programs.ROOT / "python" / "quantize.py"
    request, response = place.folder / "request.json", place.folder / "response.json"
    out = place.folder / "h.onnx"
    request.write_text(json.dumps({"model": str(model), "out": str(out), "precision": "fp16", "keep_fp32": [],
                                   "inputs": {}}))
    python = programs.ROOT / ".venv" / "bin" / "python"
    for options, found in ((["-S"], '"reason": "builder_missing"'), ([], '"result"')):
        subprocess.run([python, "-I", "-B", *options, script, request, response], check=True,
                       stdout=subprocess.DEVNULL, timeout=programs.TIMEOUT_S)
        assert found in response.read_text()
        assert ("scripts/setup.sh" in response.read_text()) == bool(options)


# ---- Ctrl-C and what the system sees -----------------------------------------------------------------------

def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_ctrl_c_leaves_nothing(skua, model, out):
    process = skua.start("quantize", model, "--precision", "fp16", "--out", out, "--json")
    wait_for(lambda: trees.leftovers(out.parent))
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    result = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    programs.error_of(result, BUILD_FAILED, "cancelled")
    assert trees.tree(out.parent) == {}
    skua.ok("quantize", model, "--precision", "fp16", "--out", out)


def test_the_next_run_removes_what_a_killed_one_left(skua, model, out):
    process = skua.start("quantize", model, "--precision", "fp16", "--out", out)
    wait_for(lambda: trees.leftovers(out.parent))
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    wait_for(lambda: skua("quantize", model, "--precision", "fp16", "--out", out).returncode == DONE)
    wait_for(lambda: list(trees.tree(out.parent)) == [out.name])


@pytest.mark.skipif(NO_TRACE is not None, reason=f"strace: {NO_TRACE}")
@pytest.mark.parametrize("precision", ["fp16", "mixed", "int8"])
def test_no_network_and_no_file_elsewhere(home, tmp_path, model, data_set, out, precision):
    sources = trees.tree(programs.ROOT / "python")
    command = [programs.SKUA, "quantize", model, "--precision", precision, "--out", out]
    if precision != "fp16":
        command += ["--calibration-dataset", data_set]
    if precision == "mixed":
        command += ["--keep-fp32", "MatMul"]
    if precision == "int8":
        command += ["--calibration-cache", out.with_suffix(".calib_cache"), "--tensorrt-version", "100300"]
    report = tracing.run(command, tmp_path / "trace.log", env=programs.environment(home), cwd=tmp_path)
    assert report.status == DONE, report.stderr
    assert report.network == [] and report.memory_files == []
    assert report.changed_outside(["/dev/null", out.parent]) == []
    assert trees.tree(programs.ROOT / "python") == sources
    assert [name for name, _ in report.threads()][0] == "skua"
