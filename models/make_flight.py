"""Generates a map and frames to fly on: a large photograph cut into tiles, and warped crops of it as frames.

    python models/make_flight.py --out DIR [--frames N] [--seed S]

DIR/map holds the tiles and map.json, DIR/frames the frames in their order, DIR/truth.json where each was taken. Quick
when DIR holds all of it already.
The photograph is the largest that the scikit-image wheel contains, enlarged twofold: at its own size it would make four
tiles, fewer than the ten candidates that place recognition hands on. On pictures without large structures (stars, gravel)
`demo_vpr` misses the right tile in one of seven such frames; it is a demo network.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import evaluate
from generated import RECORD, are_unchanged, file_sha256, identity, read_record, write_record

SOURCES = ("evaluate.py", "generated.py", "make_flight.py")
PACKAGES = ("numpy", "pillow", "scikit-image")
PHOTOGRAPH = "retina"
ENLARGEMENT = 2
TILE_WIDTH, TILE_HEIGHT = evaluate.IMAGE_SIZE
JPEG_QUALITY = 90
MAX_SHIFT_PX = 80  # of a frame's centre from its tile's, along either axis: the nearest tile stays the right one
MAX_TURN_DEG, MAX_ZOOM, MAX_TILT = 8.0, 0.05, 3e-5
NOISE = 1.5  # standard deviation, gray levels
MAX_GAIN = 0.1


@dataclass(frozen=True)
class Crop:
    """A frame: `to_map` takes its pixels to the photograph's."""

    tile: str
    to_map: np.ndarray

    @property
    def centre(self) -> np.ndarray:
        return evaluate.project(np.array([[(TILE_WIDTH - 1) / 2, (TILE_HEIGHT - 1) / 2]]), self.to_map)[0]


def large_photograph() -> np.ndarray:
    """Gray 0..1, float32."""
    with Image.open(evaluate.photograph_file(PHOTOGRAPH)) as image:
        size = (image.width * ENLARGEMENT, image.height * ENLARGEMENT)
        gray = image.convert("L").resize(size, Image.Resampling.BICUBIC)
        return np.asarray(gray, dtype=np.float32) / 255


def tile_grid(picture: np.ndarray) -> dict[str, tuple[int, int]]:
    """Names and first pixels of the whole tiles side by side, centred on the photograph."""
    rows, columns = picture.shape[0] // TILE_HEIGHT, picture.shape[1] // TILE_WIDTH
    top, left = (picture.shape[0] - rows * TILE_HEIGHT) // 2, (picture.shape[1] - columns * TILE_WIDTH) // 2
    return {f"r{row}c{column}.png": (left + column * TILE_WIDTH, top + row * TILE_HEIGHT)
            for row in range(rows) for column in range(columns)}


def random_crop(name: str, corner: tuple[int, int], generator: np.random.Generator) -> Crop:
    """The view of a camera that is a little off the tile's centre, turned, nearer or farther, and tilted."""
    angle = math.radians(generator.uniform(-MAX_TURN_DEG, MAX_TURN_DEG))
    zoom = 1 + generator.uniform(-MAX_ZOOM, MAX_ZOOM)
    tilt = generator.uniform(-MAX_TILT, MAX_TILT, 2)
    view = np.array([[zoom * math.cos(angle), -zoom * math.sin(angle), 0.0],
                     [zoom * math.sin(angle), zoom * math.cos(angle), 0.0], [tilt[0], tilt[1], 1.0]])
    middle = np.array([(TILE_WIDTH - 1) / 2, (TILE_HEIGHT - 1) / 2])
    back, there = np.eye(3), np.eye(3)
    back[:2, 2] = -middle
    there[:2, 2] = middle + corner + generator.uniform(-MAX_SHIFT_PX, MAX_SHIFT_PX, 2)
    return Crop(name, there @ view @ back)


def render(picture: np.ndarray, crop: Crop, generator: np.random.Generator) -> Image.Image:
    """The crop, with another exposure and noise. What lies outside of the photograph repeats its border."""
    ys, xs = np.mgrid[0:TILE_HEIGHT, 0:TILE_WIDTH]
    pixels = evaluate.project(np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64), crop.to_map)
    values = evaluate.sample(picture, pixels).reshape(TILE_HEIGHT, TILE_WIDTH)
    gain = 1 + generator.uniform(-MAX_GAIN, MAX_GAIN)
    noisy = 255 * gain * values + generator.normal(0.0, NOISE, values.shape)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def write_map(picture: np.ndarray, grid: dict[str, tuple[int, int]], folder: Path) -> None:
    for name, (x, y) in grid.items():
        tile = picture[y:y + TILE_HEIGHT, x:x + TILE_WIDTH]
        Image.fromarray(np.rint(255 * tile).astype(np.uint8)).save(folder / name)
    tiles = [{"file": name, "x": x, "y": y} for name, (x, y) in grid.items()]
    document = {"schema_version": 1, "tile_width": TILE_WIDTH, "tile_height": TILE_HEIGHT, "tiles": tiles}
    (folder / "map.json").write_text(json.dumps(document, indent=1) + "\n", "ascii")


def write_frames(picture: np.ndarray, grid: dict[str, tuple[int, int]], count: int, seed: int, folder: Path) -> list:
    """Frames over all tiles in turn; what is known of each."""
    generator = np.random.default_rng(seed)
    names, truth = list(grid), []
    for number in range(count):
        name = names[number % len(names)]
        crop = random_crop(name, grid[name], generator)
        file = f"frame{number:04d}.jpg"
        render(picture, crop, generator).save(folder / file, quality=JPEG_QUALITY)
        truth.append({"picture": file, "tile": name, "x": float(crop.centre[0]), "y": float(crop.centre[1])})
    return truth


def wanted(count: int, seed: int) -> dict[str, object]:
    """What the files depend on."""
    return identity(SOURCES, PACKAGES) | {"frames": count, "seed": seed}


def is_up_to_date(out: Path, count: int, seed: int) -> bool:
    record = read_record(out)
    return record.get("generator") == wanted(count, seed) and are_unchanged(out, record.get("files", {"": ""}))


def generate(out: Path, count: int, seed: int) -> None:
    picture = large_photograph()
    grid = tile_grid(picture)
    (out / RECORD).unlink(missing_ok=True)
    for name in ("map", "frames"):
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir(parents=True)
    write_map(picture, grid, out / "map")
    truth = write_frames(picture, grid, count, seed, out / "frames")
    (out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", "ascii")
    files = [*(out / "map").iterdir(), *(out / "frames").iterdir(), out / "truth.json"]
    digests = {str(file.relative_to(out)): file_sha256(file) for file in sorted(files)}
    write_record(out, {"generator": wanted(count, seed), "files": digests})


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate a map and frames for skua-flight.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="how many (default: 60)")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    arguments = parser.parse_args()
    if not is_up_to_date(arguments.out, arguments.frames, arguments.seed):
        generate(arguments.out, arguments.frames, arguments.seed)


if __name__ == "__main__":
    main()
