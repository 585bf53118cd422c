#!/usr/bin/env python3
"""What scripts/jetson_acceptance.sh needs, made on a developer's machine and copied to the Jetson.

    .venv/bin/python scripts/jetson_models.py --out DIR [--scale full|nano] [--only NAME...]

DIR/sets/NAME.yaml are SET.yaml files for the runtime tensorrt in fp16: `flight` (the demo networks), one for each stand-in
of models/ (random weights: what they output means nothing, their times and sizes do), `stack` (the demo networks and all
stand-ins), and `asked`, a network whose output depends on its data and has room for exactly what the golden input gives;
`contexts` is `flight` with one stand-in more, `shared`, of which several contexts are made. DIR/flight holds the map and the
frames, DIR/samples photographs that int8 is calibrated with and judged by. Every network has golden values that another
runtime computed: they are the parity that the Jetson is held to.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models"))
import evaluate  # noqa: E402
import golden  # noqa: E402  (models/ is not a package)
import parity_table  # noqa: E402
import standins  # noqa: E402

DEMO = ("demo_features", "demo_matcher", "demo_vpr")
RUNTIME = {"runtime": "tensorrt"}


def generate(program: str, *arguments: object) -> None:
    subprocess.run([sys.executable, str(ROOT / "models" / program), *map(str, arguments)], check=True)


def write_set(out: Path, name: str, networks: list[dict]) -> None:
    text = json.dumps({**RUNTIME, "networks": networks}, indent=1) + "\n"
    (out / "sets" / f"{name}.yaml").write_text(text, "ascii")


def demo_networks() -> list[dict]:
    """Native half is what a GPU computes in: its tolerances, not those of half weights alone."""
    return [{"name": name, "onnx": f"../demo/{name}.onnx", "precision": "fp16",
             "golden": {"file": f"../demo/{name}.golden", "origin": "eager PyTorch, fp32"},
             "tolerances": {output: allowed.as_yaml()
                            for output, allowed in parity_table.tolerances(name, "native").items()}} for name in DEMO]


def standin_networks(out: Path) -> list[dict]:
    """The float32 files in fp16: TensorRT chooses the layers. Nodes that must stay float32 are named as they are there."""
    networks = []
    for entry in json.loads((out / "standins" / "set.yaml").read_text("utf-8").split("\n", 1)[1])["networks"]:
        entry |= {"onnx": f"../standins/{entry['name']}.onnx",
                  "golden": entry["golden"] | {"file": f"../standins/{entry['name']}.golden"}}
        networks.append({key: value for key, value in entry.items() if key != "pt"})
    return networks


def asked_network(out: Path) -> dict:
    """NonZero over 16 values, 5 of them not zero. If TensorRT asks room for more than it then writes, the set is refused
    with output_overflow."""
    (out / "asked").mkdir(exist_ok=True)
    x, where = (helper.make_tensor_value_info("x", TensorProto.FLOAT, [16]),
                helper.make_tensor_value_info("where", TensorProto.INT64, [1, "count"]))
    graph = helper.make_graph([helper.make_node("NonZero", ["x"], ["where"], "asked")], "asked", [x], [where])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(out / "asked" / "asked.onnx"))
    values = np.zeros(16, np.float32)
    values[[1, 4, 5, 9, 14]] = 1.0
    found = np.array(np.nonzero(values), np.int64)
    golden.write(out / "asked" / "asked.golden", [golden.GoldenTensor(golden.INPUT, "x", values),
                                                  golden.GoldenTensor(golden.EXPECTED, "where", found)])
    return {"name": "asked", "onnx": "../asked/asked.onnx", "precision": "fp32",
            "golden": {"file": "../asked/asked.golden", "origin": "numpy"},
            "max_output_shapes": {"where": "x".join(map(str, found.shape))}}


def write_samples(folder: Path) -> None:
    """Each photograph and its warped copy, as demo_features takes them."""
    folder.mkdir(exist_ok=True)
    for name, image in evaluate.photographs():
        warped = evaluate.warp(image, evaluate.known_homography(image.shape))
        for which, pixels in (("as_it_is", image), ("warped", warped)):
            np.savez(folder / f"{name}_{which}.npz", image=pixels[None, None])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--scale", choices=standins.SCALES, default="full")
    parser.add_argument("--only", nargs="+", choices=standins.NAMES, default=standins.NAMES, metavar="NAME")
    given = parser.parse_args()
    (given.out / "sets").mkdir(parents=True, exist_ok=True)
    generate("make_demo.py", "--out", given.out / "demo")
    generate("make_flight.py", "--out", given.out / "flight", "--frames", 20)
    generate("make_standins.py", "--scale", given.scale, "--out", given.out / "standins", "--only", *given.only)
    write_samples(given.out / "samples")
    networks = sorted(standin_networks(given.out), key=lambda network: "profiles" in network)  # a dynamic one is the last
    write_set(given.out, "flight", demo_networks())
    for network in networks:
        write_set(given.out, network["name"], [network])
    write_set(given.out, "stack", [*demo_networks(), *networks])
    write_set(given.out, "asked", [asked_network(given.out)])
    write_set(given.out, "contexts", [*demo_networks(), {**networks[-1], "name": "shared"}])
    return 0


if __name__ == "__main__":
    sys.exit(main())
