"""Stand-ins of the networks that give few numbers per image: place recognition and the AdHoP refinement.

Random weights: the outputs have the real ones' names, shapes, types and norms, and no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from standin_layers import Attention, Conv, ConvRelu, Dense, Norm, ResidualConvs, unit_length


class TransformerBlock(nn.Module):
    """Attention and a two-layer network, each behind a norm and added to its input."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.norm0, self.norm1 = Norm(dim), Norm(dim)
        self.q, self.k, self.v = Dense(dim, dim), Dense(dim, dim), Dense(dim, dim)
        self.out = Dense(dim, dim, gain=0.5)
        self.up, self.down = Dense(dim, 4 * dim), Dense(4 * dim, dim, gain=0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm0(x)
        a = self.attention
        x = x + self.out(a(a.split(self.q(y)), a.split(self.k(y)), a.split(self.v(y))))
        return x + self.down(F.gelu(self.up(self.norm1(x))))


@dataclass(frozen=True)
class VprSize:
    """32 x 32 pixels make one token."""

    side: int = 384
    dim: int = 1024
    heads: int = 16
    depth: int = 16


class UltraVpr(nn.Module):
    """float16 image [1,3,S,S] (ImageNet mean and deviation removed) -> float32 embedding [1,512] of length 1.

    A vision transformer: the two-step patch embedding and the pooling are ours.
    """

    def __init__(self, size: VprSize) -> None:
        super().__init__()
        tokens = (size.side // 32) ** 2
        self.patch = Conv(3, size.dim // 4, size=16, stride=16)
        self.merge = Conv(size.dim // 4, size.dim, size=2, stride=2)
        self.position = nn.Parameter(torch.randn(1, tokens, size.dim) * 0.2)
        self.blocks = nn.ModuleList([TransformerBlock(size.dim, size.heads) for _ in range(size.depth)])
        self.norm = Norm(size.dim)
        self.head = Dense(size.dim, 512)

    def forward(self, image: Tensor) -> Tensor:
        x = self.merge(F.gelu(self.patch(image.type_as(self.position))))
        x = x.flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        pooled = torch.mean(self.norm(x), dim=1)
        # The mean over tokens is much smaller than one token; the factor keeps its squares away from half's
        # subnormal numbers.
        return unit_length(self.head(pooled) * 4.0, 1).float()


@dataclass(frozen=True)
class NetVladSize:
    """`stages`: channels and number of convolutions, halving the resolution between stages."""

    side: int = 480
    stages: tuple[tuple[int, int], ...] = ((16, 1), (64, 1), (256, 2), (512, 2), (512, 2))
    clusters: int = 64
    groups: int = 32  # the whitening is stored in as many pieces
    outputs: int = 4096


class NetVlad(nn.Module):
    """image [1,3,S,S] -> embedding [1,outputs] of length 1: VGG-like trunk, VLAD, whitening.

    Fewer convolutions than VGG16, and narrower at the full resolution. The whitening is a sum over groups of
    clusters, so that no runtime has to hold a second copy of one weight of 268 MB.
    """

    def __init__(self, size: NetVladSize) -> None:
        super().__init__()
        stages = []
        before = 3
        for channels, count in size.stages:
            layers = [ConvRelu(before if i == 0 else channels, channels) for i in range(count)]
            stages.append(nn.Sequential(*layers))
            before = channels
        self.stages = nn.ModuleList(stages)
        self.assign = Conv(before, size.clusters, size=1, gain=8.0)
        self.centres = nn.Parameter(torch.randn(size.clusters, before) * 0.05)
        self.rows = size.clusters // size.groups
        pieces = [Dense(self.rows * before, size.outputs, gain=4.0) for _ in range(size.groups)]
        self.whitening = nn.ModuleList(pieces)

    def vlad(self, features: Tensor) -> Tensor:
        """Unit features [1,D,H,W] -> residuals from each centre [1,K,D], each of length 1."""
        weights = torch.softmax(self.assign(features).flatten(2), dim=1)
        # Averages instead of sums: the length is removed anyway, and sums over 900 positions would leave
        # half's range when they are squared.
        weights = weights * (self.centres.shape[0] / weights.shape[2])
        points = features.flatten(2).transpose(1, 2)
        total = torch.sum(weights, dim=2).unsqueeze(2)
        return unit_length(torch.matmul(weights, points) - total * self.centres, 2)

    def forward(self, image: Tensor) -> Tensor:
        x = image.type_as(self.centres) - 0.5
        for number, stage in enumerate(self.stages):
            x = stage(x if number == 0 else F.max_pool2d(x, 2, 2))
        vlad = self.vlad(unit_length(x, 1))
        whitened = torch.zeros_like(vlad[:, 0, :1])
        for number, piece in enumerate(self.whitening):
            first = number * self.rows
            whitened = whitened + piece(vlad[:, first : first + self.rows].flatten(1))
        return unit_length(whitened, 1).float()


@dataclass(frozen=True)
class AdhopSize:
    """The trunk halves the resolution once per entry of `channels`."""

    side: int = 256
    channels: tuple[int, ...] = (64, 128, 256, 512, 512)
    residuals: int = 4
    groups: int = 16
    hidden: int = 3072


class AdHop(nn.Module):
    """reference, query [1,3,S,S] -> corner_offsets [1,4,2] (pixels, at most 32), confidence [1,1].

    AdHoP refines a candidate by a homography; this regresses one as four corner offsets, in one pass.
    """

    def __init__(self, size: AdhopSize) -> None:
        super().__init__()
        before = (6, *size.channels[:-1])
        self.trunk = nn.ModuleList([ConvRelu(a, b, 2) for a, b in zip(before, size.channels)])
        self.residuals = ResidualConvs(size.channels[-1], size.residuals)
        side = size.side // 2 ** len(size.channels)
        self.piece = size.channels[-1] * side * side // size.groups
        self.hidden = nn.ModuleList([Dense(self.piece, size.hidden) for _ in range(size.groups)])
        self.corners = Dense(size.hidden, 8, gain=0.3)
        self.sure = Dense(size.hidden, 1, gain=0.3)

    def forward(self, reference: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([reference, query], dim=1).type_as(self.corners.weight) - 0.5
        for layer in self.trunk:
            x = layer(x)
        flat = self.residuals(x).flatten(1)
        hidden = torch.zeros_like(flat[:, :1])
        for number, piece in enumerate(self.hidden):
            hidden = hidden + piece(flat[:, number * self.piece : (number + 1) * self.piece])
        hidden = F.relu(hidden)
        offsets = torch.tanh(self.corners(hidden)).reshape(-1, 4, 2) * 32.0
        return offsets.float(), torch.sigmoid(self.sure(hidden)).float()
