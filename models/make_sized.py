"""Generates networks of a given size for measuring: many bytes of weights, little to compute.

    python models/make_sized.py --mib 150 --count 10 --out DIR

A network is a chain of matrix-vector products, so that every weight is read in every run and the work
is that of reading. The weights are random and the output means nothing. DIR gets `sized_<i>.onnx` and
a `set.yaml` for `skua provision`. Quick when DIR already holds exactly these networks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

WIDTH = 1024
BLOCK_BYTES = WIDTH * WIDTH * 4
OPSET = 17
RECORD = "sized.json"
VERSION = 1


def row_counts(mib: float) -> list[int]:
    """Rows of each matrix of the chain: whole blocks, then what is left."""
    total = max(int(mib * 2**20), WIDTH * 4)
    rows = [WIDTH] * (total // BLOCK_BYTES)
    rest = total % BLOCK_BYTES // (WIDTH * 4)
    return rows + [rest] if rest else rows


def make_model(mib: float, seed: int):
    """The chain y = W_n ... W_2 W_1 x. Rows of unit length on average keep the values of the size of x."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    generator = np.random.default_rng(seed)
    nodes, weights, value = [], [], "x"
    rows = row_counts(mib)
    for i, count in enumerate(rows):
        matrix = generator.standard_normal((count, WIDTH), dtype=np.float32) / np.float32(WIDTH**0.5)
        weights.append(onnx.numpy_helper.from_array(matrix, f"weight_{i}"))
        output = "y" if i + 1 == len(rows) else f"value_{i}"
        nodes.append(helper.make_node("MatMul", [f"weight_{i}", value], [output]))
        value = output
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [WIDTH, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows[-1], 1])
    graph = helper.make_graph(nodes, "sized", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def set_yaml(names: list[str]) -> str:
    lines = ["runtime: onnx_trt_ep", "execution_provider: cpu", "networks:"]
    for name in names:
        lines += [f"  - name: {name}", f"    onnx: {name}.onnx", "    precision: fp32"]
    return "\n".join(lines) + "\n"


def put(out: Path, name: str, write) -> None:
    """Write a file under a temporary name, then move it into place."""
    descriptor, temporary = tempfile.mkstemp(dir=out, prefix=".tmp-")
    os.close(descriptor)
    try:
        write(Path(temporary))
        os.chmod(temporary, 0o644)
        os.replace(temporary, out / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def identity(arguments: argparse.Namespace) -> dict[str, object]:
    return {"version": VERSION, "mib": arguments.mib, "count": arguments.count, "seed": arguments.seed}


def is_up_to_date(out: Path, wanted: dict[str, object]) -> bool:
    """Whether the record fits and every file it lists has its size; the weights are not hashed again."""
    try:
        record = json.loads((out / RECORD).read_text("utf-8"))
        sizes = {name: (out / name).stat().st_size for name in record["files"]}
        return record["identity"] == wanted and sizes == record["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def generate(out: Path, arguments: argparse.Namespace) -> None:
    import onnx

    out.mkdir(parents=True, exist_ok=True)
    (out / RECORD).unlink(missing_ok=True)
    names = [f"sized_{i:03d}" for i in range(arguments.count)]
    for i, name in enumerate(names):
        model = make_model(arguments.mib, arguments.seed + i)
        put(out, f"{name}.onnx", lambda path, model=model: onnx.save(model, path))
    put(out, "set.yaml", lambda path: path.write_text(set_yaml(names), "utf-8"))
    files = {file: (out / file).stat().st_size for file in [*(f"{n}.onnx" for n in names), "set.yaml"]}
    record = json.dumps({"identity": identity(arguments), "files": files}, indent=1) + "\n"
    put(out, RECORD, lambda path: path.write_text(record, "utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate networks of a given size.")
    parser.add_argument("--mib", type=float, required=True, help="weights of each network in MiB")
    parser.add_argument("--count", type=int, required=True, help="how many networks")
    parser.add_argument("--seed", type=int, default=1, help="of the first network's weights")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    if arguments.mib <= 0 or arguments.mib > 1900 or not 1 <= arguments.count <= 256:
        parser.error("expected --mib above 0 and at most 1900, --count of 1 to 256")
    if is_up_to_date(arguments.out, identity(arguments)):
        print(f"sized networks in {arguments.out} are up to date", file=sys.stderr)
        return 0
    generate(arguments.out, arguments)
    print(f"sized networks written to {arguments.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
