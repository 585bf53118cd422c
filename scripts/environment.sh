# Sourced by the other scripts: what every build and test of this tree runs under.

# Compiler results are shared between clones (a fresh clone builds from what an earlier one compiled).
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
# ONNX Runtime wheels newer than ours report to their maker unless told not to.
export ORT_DISABLE_TELEMETRY=1
export PYTHONDONTWRITEBYTECODE=1
