"""Stand-ins of the networks that give maps and keypoints: DISK, ALIKED, XFeat.

Random weights: the outputs have the real ones' roles, types and norms, and no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from standin_layers import Conv, ConvRelu, Dense, ResidualConvs, unit_length


@dataclass(frozen=True)
class MapSize:
    """Height and width are multiples of 32; `deep` channels work at 1/32 of the resolution."""

    height: int = 480
    width: int = 640
    widths: tuple[int, ...] = (8, 32, 64, 128, 256)  # at 1, 1/2, 1/4, 1/8, 1/16
    deep: int = 768
    residuals: int = 14
    dim: int = 128


class Pyramid(nn.Module):
    """image [1,3,H,W] -> maps at 1, 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution."""

    def __init__(self, size: MapSize) -> None:
        super().__init__()
        before = (3, *size.widths)
        after = (*size.widths, size.deep)
        stages = [ConvRelu(a, b, 1 if i == 0 else 2) for i, (a, b) in enumerate(zip(before, after))]
        self.stages = nn.ModuleList(stages)
        self.residuals = ResidualConvs(size.deep, size.residuals)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = image
        maps: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps[-1] = self.residuals(x)
        return maps


class UpBlock(nn.Module):
    """Doubles the resolution of a map and joins the finer map beside it."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.narrow = Conv(coarse, fine, size=1, gain=1.0)
        self.mix = ConvRelu(2 * fine, fine)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        up = F.interpolate(self.narrow(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.mix(torch.cat([up, fine], dim=1))


class Disk(nn.Module):
    """image [1,3,H,W] -> heatmap [1,1,H,W], descriptors [1,128,H/4,W/4] of length 1 per position.

    A U-Net. DISK gives a descriptor per pixel: 157 MB at 480 x 640, which nobody moves per frame. Here they
    are given at a quarter of the resolution.
    """

    def __init__(self, size: MapSize) -> None:
        super().__init__()
        self.down = Pyramid(size)
        coarse = (size.deep, *reversed(size.widths[1:]))
        self.up = nn.ModuleList([UpBlock(a, b) for a, b in zip(coarse, reversed(size.widths))])
        self.describe = Conv(size.widths[2], size.dim, size=1)
        self.heat = Conv(size.widths[0], 1, size=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.down(image.type_as(self.heat.weight) - 0.5)
        x = maps[5]
        descriptors = x
        for number, block in enumerate(self.up):
            x = block(x, maps[4 - number])
            if number == 2:
                descriptors = unit_length(self.describe(x), 1)
        return self.heat(x).float(), descriptors.float()


class DeformableHead(nn.Module):
    """One keypoint per 8 x 8 cell, and its descriptor from positions that the features choose.

    Positions need single precision: half has steps of 0.16 pixels at the edge of a 640 pixels wide image, and
    neighbouring features of random weights are unlike. So the whole head computes in float32, also in
    `module.half()`; a float16 graph keeps it with the pattern `/head/*`.
    """

    def __init__(self, channels: int, dim: int, positions: int) -> None:
        super().__init__()
        self.cell = 8
        self.positions = positions
        self.offset = Dense(channels, 2 * positions)
        self.mix = nn.ModuleList([Dense(channels, dim) for _ in range(positions)])
        steps = torch.arange(self.cell, dtype=torch.float32) - 3.5
        x, y = steps.repeat(self.cell), steps.repeat_interleave(self.cell)
        self.register_buffer("inside", torch.stack([x, y], dim=1))

    def dense(self, layer: Dense, x: Tensor) -> Tensor:
        return torch.matmul(x, layer.weight.type_as(x)) + layer.bias.type_as(x)

    def keypoints(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Score map [1,1,H,W] -> normalised positions [1,N,2] and scores [1,N]: a soft maximum per cell."""
        rows, columns = scores.shape[2] // self.cell, scores.shape[3] // self.cell
        cells = scores.reshape(rows, self.cell, columns, self.cell).permute(0, 2, 1, 3)
        cells = cells.reshape(rows, columns, self.cell * self.cell)
        weights = torch.softmax(cells * 4.0, dim=2)
        offsets = torch.matmul(weights, self.inside.type_as(scores))
        x = (torch.arange(columns, device=scores.device).float() + 0.5) * self.cell
        y = (torch.arange(rows, device=scores.device).float() + 0.5) * self.cell
        px = (offsets[:, :, 0] + x.unsqueeze(0)) * (2.0 / scores.shape[3]) - 1.0
        py = (offsets[:, :, 1] + y.unsqueeze(1)) * (2.0 / scores.shape[2]) - 1.0
        points = torch.stack([px, py], dim=2).reshape(1, rows * columns, 2)
        return points, torch.sum(weights * cells, dim=2).reshape(1, rows * columns)

    def sample(self, features: Tensor, points: Tensor) -> Tensor:
        """[1,C,h,w] at [1,N,2] -> [1,N,C]."""
        found = F.grid_sample(features, points.unsqueeze(1), mode="bilinear", padding_mode="zeros",
                              align_corners=False)
        return found.squeeze(2).transpose(1, 2)

    def forward(self, scores: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores, features = scores.float(), features.float()
        points, values = self.keypoints(scores)
        offsets = torch.tanh(self.dense(self.offset, self.sample(features, points))) * 0.02
        descriptors = torch.zeros_like(points[:, :, :1])
        for number, layer in enumerate(self.mix):
            there = points + offsets[:, :, 2 * number : 2 * number + 2]
            descriptors = descriptors + self.dense(layer, self.sample(features, there))
        return points, values, unit_length(descriptors, 2)


class Aliked(nn.Module):
    """image [1,3,H,W] -> score_map [1,1,H,W], keypoints [1,N,2] in -1..1, scores [1,N],
    descriptors [1,N,128]; N is H W / 64.

    Simplified: plain instead of deformable convolutions in the trunk; one soft maximum per cell instead of
    the strongest maxima of the map; offsets from the feature at the keypoint instead of a patch.
    """

    def __init__(self, size: MapSize) -> None:
        super().__init__()
        self.trunk = Pyramid(size)
        self.lift = nn.ModuleList([Conv(c, size.dim, size=1) for c in (*size.widths[2:], size.deep)])
        self.fine = ConvRelu(size.widths[0], size.widths[0])
        self.score = Conv(size.widths[0], 1, size=3)
        self.score_deep = Conv(size.dim, 1, size=1)
        self.head = DeformableHead(size.dim, size.dim, positions=4)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        maps = self.trunk(image.type_as(self.score.weight) - 0.5)
        features = torch.zeros_like(maps[2][:, :1])
        for number, layer in enumerate(self.lift):
            scale = float(2**number)
            lifted = layer(maps[number + 2])
            if number > 0:
                lifted = F.interpolate(lifted, scale_factor=scale, mode="bilinear", align_corners=False)
            features = features + lifted * 0.5
        coarse = F.interpolate(self.score_deep(features), scale_factor=4.0, mode="bilinear",
                               align_corners=False)
        score_map = torch.sigmoid(self.score(self.fine(maps[0])) + coarse)
        points, scores, descriptors = self.head(score_map, features)
        return score_map.float(), points, scores, descriptors


class XFeat(nn.Module):
    """image [1,3,H,W] -> features [1,64,H/8,W/8] of length 1, heatmap [1,1,H,W], reliability [1,1,H/8,W/8].

    As in XFeat the image becomes gray, three scales are added at 1/8, and each cell of 8 x 8 pixels shares
    one softmax with a bin for "no keypoint".
    """

    def __init__(self, size: MapSize) -> None:
        super().__init__()
        self.trunk = Pyramid(size)
        self.lift = nn.ModuleList([Conv(c, size.dim, size=1) for c in (*size.widths[3:], size.deep)])
        self.fuse = nn.Sequential(ConvRelu(size.dim, size.dim), Conv(size.dim, size.dim, size=1))
        self.corners = nn.Sequential(ConvRelu(64, 64), Conv(64, 65, size=1, gain=3.0))
        self.trust = nn.Sequential(ConvRelu(size.dim, size.dim), Conv(size.dim, 1, size=1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gray = torch.mean(image, dim=1, keepdim=True).type_as(self.lift[0].weight) - 0.5
        maps = self.trunk(gray.expand(-1, 3, -1, -1))
        x = self.lift[0](maps[3])
        for number, layer in enumerate(self.lift):
            if number > 0:
                x = x + F.interpolate(layer(maps[number + 3]), scale_factor=float(2**number), mode="bilinear",
                                      align_corners=False)
        x = self.fuse(x)
        logits = self.corners(F.pixel_unshuffle(gray, 8))
        heatmap = F.pixel_shuffle(torch.softmax(logits, dim=1)[:, :64], 8)
        return unit_length(x, 1).float(), heatmap.float(), torch.sigmoid(self.trust(x)).float()
