"""Layers of the stand-ins. Their weights are random: what they output means nothing.

Weights keep their names and shapes on the way into ONNX (so no nn.Linear, whose weight the exporter
transposes, and no layer that it merges into another one), and no two are equal (it would store equal ones
once). Everything is written so that `module.half()` and a float16 graph stay within half's range.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def unit_length(values: Tensor, dim: int) -> Tensor:
    """Divides by the L2 norm. The floor lies above half's smallest normal number."""
    norm = torch.sqrt(torch.sum(values * values, dim=dim, keepdim=True))
    return values / torch.clamp(norm, min=1e-3)


class Dense(nn.Module):
    """[..., inputs] -> [..., outputs]; `gain` scales what a unit-variance input becomes."""

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * (gain / math.sqrt(inputs)))
        self.bias = nn.Parameter(torch.randn(outputs) * 0.05)

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul(x, self.weight) + self.bias


class Conv(nn.Module):
    """Convolution with bias. With the default gain a ReLU behind it keeps the variance."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1,
                 gain: float = 1.414) -> None:
        super().__init__()
        fan_in = inputs * size * size
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size) * (gain / math.sqrt(fan_in)))
        self.bias = nn.Parameter(torch.randn(outputs) * 0.05)
        self.stride = stride
        # A patch embedding (stride = size) reads no padding.
        self.padding = 0 if stride == size else size // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding)


class ConvRelu(nn.Module):
    """Convolution and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = Conv(inputs, outputs, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class ResidualConvs(nn.Module):
    """`count` 3x3 convolutions at one resolution, each added to its input: where the big weights are."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ConvRelu(channels, channels) for _ in range(count)])
        self.share = 1.0 / math.sqrt(max(count, 1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x) * self.share
        return x


class Norm(nn.Module):
    """Layer normalisation over the last axis."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(1.0 + torch.randn(dim) * 0.05)
        self.bias = nn.Parameter(torch.randn(dim) * 0.05)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, [self.dim], self.weight, self.bias, 1e-5)


class Attention(nn.Module):
    """softmax(q k^T) v over heads; q, k, v are [B, tokens, dim]."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.scale = 1.0 / math.sqrt(self.head_dim)

    def split(self, x: Tensor) -> Tensor:
        """[B, tokens, dim] -> [B, heads, tokens, head_dim]."""
        return x.reshape(x.shape[0], x.shape[1], self.heads, self.head_dim).transpose(1, 2)

    def join(self, x: Tensor) -> Tensor:
        """The opposite of split."""
        x = x.transpose(1, 2)
        return x.reshape(x.shape[0], x.shape[1], self.heads * self.head_dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Of split tensors."""
        # Scaled before the product, so that the product stays small in half precision.
        weights = torch.softmax(torch.matmul(q * self.scale, k.transpose(2, 3)), dim=-1)
        return self.join(torch.matmul(weights, v))
