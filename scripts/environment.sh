# Sourced by the other scripts: what every build and test of this tree runs under.

# Compiler results are shared between clones (a fresh clone builds from what an earlier one compiled).
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
# ONNX Runtime wheels newer than ours report to their maker unless told not to.
export ORT_DISABLE_TELEMETRY=1
# Half convolutions of libtorch 2.13 hang on some CPUs (docs/design/pytorch.md, Limits); Skua sets this for itself.
export ONEDNN_MAX_CPU_ISA=${ONEDNN_MAX_CPU_ISA:-AVX512_CORE_BF16}
export PYTHONDONTWRITEBYTECODE=1
