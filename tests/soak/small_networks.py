"""Generates the demo networks at a quarter of their picture, and a map with frames of that size: a soak is about many
frames. Run as a program: small_networks.py OUT ROOT. Quick when OUT has them already."""

from __future__ import annotations

import sys
from pathlib import Path

SIZE, KEYPOINTS, FRAMES, SEED = (320, 240), 256, 60, 3
DONE = "small.txt"


def generate(out: Path, models: Path) -> None:
    sys.path.insert(0, str(models))
    import demo_networks
    import evaluate
    import torch

    evaluate.IMAGE_SIZE = SIZE
    demo_networks.IMAGE_WIDTH, demo_networks.IMAGE_HEIGHT = SIZE
    demo_networks.KEYPOINT_COUNT = KEYPOINTS
    import demo_export  # from here on: they take the size when they are imported
    import make_flight
    import model_files

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    (out / "models").mkdir(parents=True, exist_ok=True)
    for model in demo_export.demo_models():
        model_files.export(model, out / "models")
    make_flight.ENLARGEMENT, make_flight.MAX_SHIFT_PX = 1, 40
    make_flight.generate(out / "flight", FRAMES, SEED)


def wanted(models: Path) -> str:
    """What the files depend on: the sources, this one among them."""
    import hashlib

    sources = [Path(__file__), *sorted(models.glob("*.py"))]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest() + "\n"


def main() -> None:
    out, models = Path(sys.argv[1]), Path(sys.argv[2]) / "models"
    record = out / DONE
    if record.exists() and record.read_text("ascii") == wanted(models):
        return
    record.unlink(missing_ok=True)
    generate(out, models)
    record.write_text(wanted(models), "ascii")


if __name__ == "__main__":
    main()
