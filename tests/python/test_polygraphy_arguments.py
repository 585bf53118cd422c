"""Skua's command line for Polygraphy, parsed by the real Polygraphy, and what the real Polygraphy logs.

The words are those that unit_tensorrt.PolygraphyArguments compares with what src/runtimes/tensorrt makes. Polygraphy's
own parser takes them here; TensorRT itself is not needed for that, and nothing is built. The lines of its log that
src/runtimes/tensorrt reads are those that unit_tensorrt.PolygraphyLog is given.
"""

import argparse
import pathlib
import subprocess
import sys

import pytest

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "tensorrt"


def words_of(name):
    return (FIXTURES / name).read_text().splitlines()


def parse(words):
    """The tool that Polygraphy would run, with what it has understood. As its main(), without running the tool."""
    registry = pytest.importorskip("polygraphy.tools.registry", reason="polygraphy is not installed: setup.sh test")
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(dest="tools", required=True)
    for tool in registry.TOOL_REGISTRY:
        tool.setup_parser(subparsers)
    args, unknown = parser.parse_known_args(words)
    assert not unknown
    args.subcommand.parse(args)
    return args.subcommand


def group(tool, name):
    return next(group for kind, group in tool.arg_groups.items() if kind.__name__ == name)


def test_every_option_is_understood_as_it_is_meant():
    tool = parse(words_of("polygraphy_arguments.txt"))
    config = group(tool, "TrtConfigArgs")
    assert config.profile_dicts == [{"x": ([1, 3, 8, 8], [2, 3, 8, 8], [4, 3, 8, 8]), "y": ([1, 4], [1, 4], [9, 4])}]
    assert (config.fp16, config.tf32, config.int8) == (True, None, None)
    assert config.precision_constraints == "obey"
    assert {str(pool).split(".")[-1]: limit for pool, limit in config.memory_pool_limits.items()} == {
        "WORKSPACE": 1 << 30, "TACTIC_DRAM": 2 << 30}
    assert (config.builder_optimization_level, config.max_aux_streams) == (3, 0)
    assert str(config.profiling_verbosity).endswith("DETAILED")
    assert config.load_timing_cache == "/staging/timing.partial"
    network = group(tool, "TrtLoadNetworkArgs")
    assert {layer: str(kind).split(".")[-1] for layer, kind in network.layer_precisions.items()} == {
        "/head/Softmax": "float32", "norm": "float32"}
    assert not network.strongly_typed
    # None of these may be on in a plan that flies.
    for flag in ("refittable", "strip_plan", "version_compatible", "weight_streaming", "use_dla", "sparse_weights"):
        assert getattr(config, flag) is None


def test_strongly_typed_network_has_no_precision_flag():
    tool = parse(words_of("polygraphy_arguments_11.txt"))
    assert group(tool, "TrtLoadNetworkArgs").strongly_typed
    assert group(tool, "TrtConfigArgs").fp16 is None
    assert group(tool, "TrtConfigArgs").load_timing_cache is None


def test_int8_is_built_from_the_cache_that_is_given():
    config = group(parse(words_of("polygraphy_arguments_int8.txt")), "TrtConfigArgs")
    assert (config.fp16, config.int8) == (True, True)
    assert config.calibration_cache == "/staging/calibration.cache"
    assert str(config.calibration_base_class).endswith("IInt8EntropyCalibrator2")


def test_a_word_that_polygraphy_does_not_know_is_noticed():
    with pytest.raises(AssertionError):
        parse([*words_of("polygraphy_arguments.txt"), "--no-such-option"])
    with pytest.raises(SystemExit):
        parse([*words_of("polygraphy_arguments.txt"), "--max-aux-streams"])


# As much of TensorRT's package as Polygraphy asks for until it configures a build. What it is asked for after that is no
# number, and ends it.
TENSORRT = """
from unittest import mock
__version__ = "{version}"
OnnxParser, Builder = mock.MagicMock(), mock.MagicMock()
OnnxParser.return_value.num_errors = 0
Builder.return_value.create_network.return_value = mock.MagicMock(num_inputs=0, num_outputs=0, num_layers=0)
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return globals().setdefault(name, mock.MagicMock())
"""


def log_of(folder, version):
    """What the real Polygraphy logs when it is given our words for a network without inputs, and has no cache to load."""
    pytest.importorskip("polygraphy.tools", reason="polygraphy is not installed: setup.sh test")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: setup.sh test")
    (folder / "packages" / "tensorrt").mkdir(parents=True)
    (folder / "packages" / "tensorrt" / "__init__.py").write_text(TENSORRT.format(version=version))
    onnx.save(onnx.ModelProto(), folder / "source.onnx")
    words = words_of("polygraphy_arguments.txt")
    words = words[:words.index("--trt-min-shapes")]
    command = [sys.executable, "-c", "from polygraphy.tools import main; main()"]
    result = subprocess.run([*command, *(word.replace("/staging", str(folder)) for word in words)],
                            env={"PYTHONPATH": str(folder / "packages")}, capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).replace(str(folder), "/staging").splitlines()


def test_the_lines_that_are_read_are_polygraphys_own(tmp_path):
    log = log_of(tmp_path, "10.3.0")
    for line in words_of("polygraphy_log.txt"):
        assert line in log


def test_a_release_of_four_numbers_is_logged_as_it_is(tmp_path):
    assert any(" | Version: 10.3.0.post1 | " in line for line in log_of(tmp_path, "10.3.0.post1"))
