"""Stand-ins of LightGlue: one with data-dependent matches, one per keypoint and batched.

Random weights, but what every attention layer adds is small beside what it is added to. So the descriptors
decide the matches, by margins that half precision does not cross, as in the trained network; with large
random additions every match would be a tie that rounding breaks. The matches still mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from standin_layers import Attention, Dense, Norm

SMALL = 0.1  # gain of what a layer adds


@dataclass(frozen=True)
class MatcherSize:
    """`inputs`: length of a descriptor."""

    inputs: int = 128
    dim: int = 448
    heads: int = 7
    layers: int = 9


class Update(nn.Module):
    """What a keypoint learns from a message."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = Dense(dim, dim)
        self.up, self.norm = Dense(2 * dim, 2 * dim), Norm(2 * dim)
        self.down = Dense(2 * dim, dim, gain=SMALL)

    def forward(self, x: Tensor, message: Tensor) -> Tensor:
        both = torch.cat([x, self.out(message)], dim=2)
        return x + self.down(F.gelu(self.norm(self.up(both))))


class SelfBlock(nn.Module):
    """Attention within an image; positions turn queries and keys."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.q, self.k, self.v = Dense(dim, dim), Dense(dim, dim), Dense(dim, dim)
        self.update = Update(dim)

    def turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotates pairs of halves by [B, 1, tokens, head_dim / 2] angles."""
        half = x.shape[3] // 2
        a, b = x[:, :, :, :half], x[:, :, :, half:]
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=3)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        a = self.attention
        q = self.turn(a.split(self.q(x)), cos, sin)
        k = self.turn(a.split(self.k(x)), cos, sin)
        return self.update(x, a(q, k, a.split(self.v(x))))


class CrossBlock(nn.Module):
    """Attention from each image to the other, with one projection for queries and keys."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.qk, self.v = Dense(dim, dim), Dense(dim, dim)
        self.update = Update(dim)

    def forward(self, x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
        a = self.attention
        k0, k1 = a.split(self.qk(x0)), a.split(self.qk(x1))
        v0, v1 = a.split(self.v(x0)), a.split(self.v(x1))
        return self.update(x0, a(k0, k1, v1)), self.update(x1, a(k1, k0, v0))


class MatcherCore(nn.Module):
    """Keypoints [B,M,2], [B,N,2] and descriptors of length 1 -> log assignment [B,M,N]."""

    def __init__(self, size: MatcherSize) -> None:
        super().__init__()
        self.project = Dense(size.inputs, size.dim)
        self.frequencies = nn.Parameter(torch.randn(2, size.dim // size.heads // 2))
        self.within = nn.ModuleList([SelfBlock(size.dim, size.heads) for _ in range(size.layers)])
        self.across = nn.ModuleList([CrossBlock(size.dim, size.heads) for _ in range(size.layers)])
        self.final = Dense(size.dim, size.dim)
        self.matchable = Dense(size.dim, 1, gain=0.2)
        # A descriptor has length 1; its elements get variance 1 before the layers.
        self.input_scale = float(size.inputs) ** 0.5
        self.scale = 20.0 / size.dim  # a perfect match gives about 20
        self.certainty = 2.0  # most keypoints can be matched

    def angles(self, points: Tensor) -> tuple[Tensor, Tensor]:
        turned = torch.matmul(points.type_as(self.frequencies), self.frequencies).unsqueeze(1)
        return torch.cos(turned), torch.sin(turned)

    def forward(self, kpts0: Tensor, kpts1: Tensor, desc0: Tensor, desc1: Tensor) -> Tensor:
        cos0, sin0 = self.angles(kpts0)
        cos1, sin1 = self.angles(kpts1)
        x0 = self.project(desc0.type_as(self.frequencies) * self.input_scale)
        x1 = self.project(desc1.type_as(self.frequencies) * self.input_scale)
        for within, across in zip(self.within, self.across):
            x0, x1 = within(x0, cos0, sin0), within(x1, cos1, sin1)
            x0, x1 = across(x0, x1)
        similar = torch.matmul(self.final(x0) * self.scale, self.final(x1).transpose(1, 2))
        sure0 = F.logsigmoid(self.matchable(x0) + self.certainty)
        sure1 = F.logsigmoid(self.matchable(x1) + self.certainty).transpose(1, 2)
        return torch.log_softmax(similar, 2) + torch.log_softmax(similar, 1) + sure0 + sure1


class LightGlueBatched(nn.Module):
    """kpts0, kpts1 [B,N,2], desc0, desc1 [B,N,D] -> matches int64 [B,N] (-1: none), scores [B,N]."""

    def __init__(self, size: MatcherSize) -> None:
        super().__init__()
        self.core = MatcherCore(size)
        self.min_score = 0.5

    def forward(self, kpts0: Tensor, kpts1: Tensor, desc0: Tensor, desc1: Tensor) -> tuple[Tensor, Tensor]:
        assignment = self.core(kpts0, kpts1, desc0, desc1)
        best, partner = torch.max(assignment, dim=2)
        back = torch.max(assignment, dim=1)[1]
        own = torch.arange(partner.shape[1], device=partner.device).unsqueeze(0)
        scores = torch.exp(best)
        is_match = (torch.gather(back, 1, partner) == own) & (scores > self.min_score)
        matches = torch.where(is_match, partner, torch.full_like(partner, -1))
        return matches, torch.where(is_match, scores, torch.zeros_like(scores)).float()


class LightGlue(nn.Module):
    """kpts0 [1,M,2], kpts1 [1,N,2], desc0, desc1 -> matches int64 [K,2], scores [K]; data decide K."""

    def __init__(self, size: MatcherSize) -> None:
        super().__init__()
        self.matcher = LightGlueBatched(size)

    def forward(self, kpts0: Tensor, kpts1: Tensor, desc0: Tensor, desc1: Tensor) -> tuple[Tensor, Tensor]:
        partner, scores = self.matcher(kpts0, kpts1, desc0, desc1)
        rows = torch.nonzero(partner[0] >= 0).squeeze(1)
        return torch.stack([rows, partner[0][rows]], dim=1), scores[0][rows]
