"""Fixtures that folders of tests share."""

import os
import signal

import pytest

# As Skua does before it opens libtorch (docs/design/pytorch.md, Limits): the tests' own torch, and that of the scripts they
# start, would not come back from a half convolution on some CPUs. Before anybody imports torch.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")

# Started in the background of a shell, Python finds SIGINT ignored, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import standin_set  # noqa: E402


@pytest.fixture(scope="session", name="nano")
def nano_standins(tmp_path_factory):
    """The folder of the stand-ins at the scale of tests, made once. Nobody writes there."""
    out = tmp_path_factory.mktemp("standins") / "nano"
    standin_set.generate(out)
    return out
