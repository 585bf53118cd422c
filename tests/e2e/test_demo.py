"""The demo, on two of its photographs: the default runtime by itself, ONNX Runtime beside it."""

import re
import sys

import pytest

import programs

sys.path.insert(0, str(programs.ROOT / "scripts"))
import demo  # noqa: E402  (scripts/ is no package)

PHOTOGRAPHS = ("camera", "retina")


@pytest.fixture(scope="module", name="run_demo")
def demo_in_a_folder(tmp_path_factory):
    """Runs the demo; the second time everything is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "OUT", tmp_path_factory.mktemp("demo"))
        patch.setattr(demo.evaluate, "PHOTOGRAPHS", {name: demo.evaluate.PHOTOGRAPHS[name] for name in PHOTOGRAPHS})
        patch.setattr(demo, "REPEATS", 1)
        patch.setattr(sys, "argv", ["demo.py", str(programs.BUILD)])
        yield demo.demo


def test_the_demo_shows_both_runtimes_and_how_far_they_differ(run_demo, capsys):
    run_demo()
    told = capsys.readouterr().out
    for name in PHOTOGRAPHS:
        for runtime in ("pytorch_fp16", "onnx_trt_ep"):
            (line,) = re.findall(rf"^  {name} +{runtime} .*$", told, re.MULTILINE)
            matches, share = re.search(r" (\d+) +([\d.]+)% ", line).groups()
            assert int(matches) >= demo.MIN_MATCHES and float(share) >= 100 * demo.MIN_SHARE, line
    for model in demo.MODELS:
        assert len(re.findall(rf"^  {model} +\w+ +p50 .*\((?:cpu), (?:fp32|fp16 weights, fp32 arithmetic), \d+ runs\)$",
                              told, re.MULTILINE)) == 2, told
    for output in ("keypoints", "scores", "descriptors", "valid", "matches", "embedding"):
        assert re.search(rf"^  demo_\w+ +{output} +(median .* max |equal)", told, re.MULTILINE), output
    assert "refused: EngineHashMismatchError [sidecar_hash_mismatch], exit status 5" in told


def test_the_demo_leaves_set_signature_and_public_key(run_demo, skua):
    assert callable(run_demo)
    sets = demo.OUT / demo.DEFAULT.folder
    assert len(list(sets.glob("*/model.sig"))) == 1
    assert "signed by" in skua("verify", sets, "--trust", demo.OUT / "demo.pub").stdout


def test_the_default_is_not_configured(run_demo):
    assert callable(run_demo)
    text = (demo.OUT / "SET.yaml").read_text("ascii")
    assert not re.search(r"^(runtime|options|device|arithmetic|execution_provider)", text, re.MULTILINE)
    assert text.count("precision: fp16") == len(demo.MODELS)


def test_control_the_demo_fails_where_figures_fall_short(run_demo, monkeypatch):
    monkeypatch.setattr(demo, "MIN_SHARE", 1.01)
    with pytest.raises(demo.DemoFailure, match=r"camera \(pytorch_fp16\), camera \(onnx_trt_ep\), retina"):
        run_demo()
