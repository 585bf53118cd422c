#!/usr/bin/env python3
"""Writes the small TorchScript networks that the C++ tests use: make_torchscripts.py FOLDER.

A C++ test cannot write TorchScript itself without linking libtorch, and a process that has linked it is one in which
Skua refuses to run it.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is what this runtime takes


class AddRelu(nn.Module):
    """x[1,64] -> max(x + 0.5, 0)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bias", torch.tensor([0.5]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.bias)


class DynamicRows(nn.Module):
    """x[rows,4] -> x W, W(i, j) = 3 i + j + 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.arange(1.0, 13.0).reshape(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weights


class DataDependent(nn.Module):
    """x[8] -> indices with x > 0.75, as [1, count]: not contiguous, as a transpose is."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.nonzero(torch.relu(x - 0.75)).t()


class NearlyAll(nn.Module):
    """x[8] -> indices with x > 0.01: whatever the file's digest draws for a trial, something is above it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.nonzero(torch.relu(x - 0.01)).t()


class Convolutions(nn.Module):
    """A small image network whose activations are larger than what glibc keeps by itself."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in ((3, 16), (16, 32), (32, 16), (16, 8)))
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x.mean((2, 3))


class Parts(NamedTuple):
    total: Tensor
    half: Tensor


class Several(nn.Module):
    """Two outputs with names of their own: one in the weights' type, one always single."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("third", torch.tensor([1.0 / 3.0]))
        self.register_buffer("index", torch.tensor([1, 0]))

    def forward(self, x: Tensor, offset: int = 1) -> Parts:
        scaled = x.to(self.third.dtype) * self.third
        return Parts((scaled.float() + 1000.0)[self.index] * offset, scaled)


class AsDict(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"twice": x * 2.0, "same": x}


class Fails(nn.Module):
    """Raises for what is negative: as a network does whose input makes no sense to it."""

    def forward(self, x: Tensor) -> Tensor:
        if bool((x < 0).any()):
            raise ValueError("no negative numbers here")
        return x


class Overflowing(AddRelu):
    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.tensor([70000.0])


class Underflowing(AddRelu):
    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.tensor([1e-9])


def interface(inputs: dict[str, tuple[str, list[int]]], outputs: list[str]) -> dict[str, str]:
    described = [{"name": n, "dtype": dtype, "shape": shape} for n, (dtype, shape) in inputs.items()]
    return {"skua.io": json.dumps({"inputs": described, "outputs": outputs})}


ONE = {"x": ("float32", [1, 64])}
NETWORKS = {
    "add_relu": (AddRelu(), interface(ONE, ["y"])),
    "dynamic_rows": (DynamicRows(), interface({"x": ("float32", [-1, 4])}, ["y"])),
    "data_dependent": (DataDependent(), interface({"x": ("float32", [8])}, ["y"])),
    "nearly_all": (NearlyAll(), interface({"x": ("float32", [8])}, ["y"])),
    "convolutions": (Convolutions(), interface({"x": ("float32", [1, 3, 160, 160])}, ["y"])),
    "several": (Several(), {}),
    "as_dict": (AsDict(), {}),
    "fails": (Fails(), interface(ONE, ["y"])),
    "overflowing": (Overflowing(), interface(ONE, ["y"])),
    "underflowing": (Underflowing(), interface(ONE, ["y"])),
}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (network, extra_files) in NETWORKS.items():
        torch.jit.script(network.eval()).save(str(folder / f"{name}.pt"), _extra_files=extra_files)


if __name__ == "__main__":
    main()
