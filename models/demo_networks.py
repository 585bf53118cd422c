"""The demo networks: image features, matching and place recognition without training.

Every weight is computed from a formula (README.md names the source of each), so the
outputs mean something although nothing was learned. All weights are buffers and all
constants that depend on the weights' type are derived from them: `module.half()` gives a
half-precision network whose inputs and outputs are still float32.

The classes are also compiled by TorchScript: numbers that `forward` reads are therefore
instance attributes. (It writes class constants in an order that changes from run to run.)
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGE_HEIGHT = 480
IMAGE_WIDTH = 640
KEYPOINT_COUNT = 512
ORIENTATION_COUNT = 8
DESCRIPTOR_CELLS = 4
DESCRIPTOR_DIM = ORIENTATION_COUNT * DESCRIPTOR_CELLS**2
EMBEDDING_DIM = 512
WEIGHT_SEED = 20240607


def gaussian_taps(sigma: float) -> Tensor:
    """A normalised 1-D Gaussian, cut at three sigma."""
    radius = math.ceil(3.0 * sigma)
    taps = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(-radius, radius + 1)]
    total = math.fsum(taps)
    return torch.tensor([t / total for t in taps], dtype=torch.float32)


def difference_kernels() -> Tensor:
    """Central differences along x and y as one 3x3 convolution with two outputs."""
    kernels = torch.zeros(2, 1, 3, 3)
    kernels[0, 0, 1] = torch.tensor([-0.5, 0.0, 0.5])
    kernels[1, 0, :, 1] = torch.tensor([-0.5, 0.0, 0.5])
    return kernels


def orientation_kernels() -> Tensor:
    """Unit vectors of the histogram's orientation bins as a 1x1 convolution."""
    angles = [2.0 * math.pi * i / ORIENTATION_COUNT for i in range(ORIENTATION_COUNT)]
    # Rounded beyond float32's resolution: a cosine of 6e-17 is a zero.
    rows = [[round(math.cos(a), 12), round(math.sin(a), 12)] for a in angles]
    return torch.tensor(rows, dtype=torch.float32).view(ORIENTATION_COUNT, 2, 1, 1)


def signed_hadamard(size: int, seed: int) -> Tensor:
    """A random orthogonal matrix: random signs times Hadamard, over sqrt(size).

    Integers and one constant factor, so it is the same on every machine (a QR
    decomposition is not) and rounds to half precision without losing orthogonality.
    """
    matrix = torch.ones(1, 1)
    while matrix.shape[0] < size:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (size, 1), generator=generator).to(torch.float32) * 2.0 - 1.0
    return signs * matrix / math.sqrt(size)


class Blur(nn.Module):
    """Separable Gaussian, the same for each of `channels` channels.

    Reads zeros outside the maps where `is_padded`; else the result is smaller by the
    radius on each side.
    """

    def __init__(self, sigma: float, channels: int, is_padded: bool = True) -> None:
        super().__init__()
        taps = gaussian_taps(sigma)
        self.channels = channels
        self.radius = (len(taps) - 1) // 2
        self.padding = self.radius if is_padded else 0
        self.register_buffer("horizontal", taps.view(1, 1, 1, -1).repeat(channels, 1, 1, 1))
        self.register_buffer("vertical", taps.view(1, 1, -1, 1).repeat(channels, 1, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        maps = F.conv2d(maps, self.horizontal, padding=(0, self.padding), groups=self.channels)
        return F.conv2d(maps, self.vertical, padding=(self.padding, 0), groups=self.channels)


class Gradients(nn.Module):
    """Image float32 [1,1,H,W] in 0..1 -> scaled x and y derivatives [1,2,H-2f,W-2f].

    A frame of f pixels is left out instead of padded: the step from the picture to a
    padding would be the strongest gradient of all.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        # Gray values 0..1 are multiplied by this before anything is squared. The steepest
        # smoothed gradient is then about 11, so the largest intermediate value (its fourth
        # power, about 15,000) stays below half precision's 65,504, and a gradient of one
        # gray level in 255 still squares to 0.004, far above half's smallest normal 6e-5.
        self.intensity_scale = 32.0
        self.blur = Blur(sigma, 1, is_padded=False)
        self.frame = self.blur.radius + 1
        self.register_buffer("difference", difference_kernels())

    def forward(self, image: Tensor) -> Tensor:
        # type_as keeps the choice of precision with the weights, in a trace as well.
        scaled = image.type_as(self.difference) * self.intensity_scale
        return F.conv2d(self.blur(scaled), self.difference)


class OrientationMaps(nn.Module):
    """Derivatives [1,2,h,w] -> gradient magnitude per orientation bin [1,8,h,w]."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("directions", orientation_kernels())
        # A bin's lobe ends where the neighbouring bin's peak is.
        self.floor = math.cos(2.0 * math.pi / ORIENTATION_COUNT)

    def forward(self, gradients: Tensor) -> Tensor:
        magnitude = (gradients * gradients).sum(1, keepdim=True).sqrt()
        along = F.conv2d(gradients, self.directions)
        return torch.relu(along - self.floor * magnitude)


class CornerScore(nn.Module):
    """Derivatives [1,2,h,w] -> Shi-Tomasi score [1,1,h,w].

    The square root of the structure tensor's smaller eigenvalue: the gradient's RMS in
    the direction where it is weakest, in the scaled intensity units per pixel.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.window = Blur(sigma, 3)

    def forward(self, gradients: Tensor) -> Tensor:
        gx, gy = gradients[:, 0:1], gradients[:, 1:2]
        tensor = self.window(torch.cat([gx * gx, gy * gy, gx * gy], 1))
        mean = (tensor[:, 0:1] + tensor[:, 1:2]) * 0.5
        half_difference = (tensor[:, 0:1] - tensor[:, 1:2]) * 0.5
        off_diagonal = tensor[:, 2:3]
        spread = (half_difference * half_difference + off_diagonal * off_diagonal).sqrt()
        return torch.relu(mean - spread).sqrt()


class DemoFeatures(nn.Module):
    """Image -> 512 corner keypoints with gradient-histogram descriptors."""

    def __init__(self) -> None:
        super().__init__()
        self.gradients = Gradients(sigma=1.0)
        self.corners = CornerScore(sigma=2.0)
        self.orientations = OrientationMaps()
        self.cells = Blur(sigma=3.0, channels=ORIENTATION_COUNT)
        self.bins = ORIENTATION_COUNT
        self.count = KEYPOINT_COUNT
        self.nms_size = 7  # a keypoint is the maximum of this many pixels square
        self.min_score = 0.05
        self.nowhere = -float(IMAGE_WIDTH)  # coordinates of a row without a keypoint
        # Positions inside the network count from the first pixel that has a gradient.
        self.frame = self.gradients.frame
        self.width = IMAGE_WIDTH - 2 * self.frame
        self.inset = 16 - self.frame  # 16 px from the border the descriptors still fit
        self.register_buffer("cell_offsets", self._cell_offsets())

    def _cell_offsets(self) -> Tensor:
        """Positions of a descriptor's cells relative to its keypoint, in a flat map."""
        pitch = 6  # pixels between the centres of neighbouring cells
        reach = (DESCRIPTOR_CELLS - 1) / 2.0
        steps = [round((i - reach) * pitch) for i in range(DESCRIPTOR_CELLS)]
        return torch.tensor([dy * self.width + dx for dy in steps for dx in steps])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        gradients = self.gradients(image)
        scores = self.corners(gradients)
        x, y, best, valid = self._select(scores)
        flat = y * self.width + x
        dx, dy = self._refine(scores, flat)
        # Summed as float32: half precision has no fractions above 1024, halves above 512.
        position = torch.stack([x.float() + dx.float(), y.float() + dy.float()], 2)
        # Far outside the image, so that a matcher drops the row without a mask input.
        keypoints = torch.where(valid.unsqueeze(2), position + float(self.frame), self.nowhere)
        mask = valid.float()
        descriptors = self._describe(gradients, flat).float() * mask.unsqueeze(2)
        return keypoints, best.float() * mask, descriptors, mask

    def _select(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The strongest local maxima away from the border, in raster order.

        Raster order, because two nearly equal scores would otherwise swap rows from one
        runtime to the next; rows without a keypoint come last.
        """
        m, width = self.inset, self.width - 2 * self.inset
        highest = torch.max_pool2d(scores, self.nms_size, 1, self.nms_size // 2)
        peaks = scores * (scores >= highest).type_as(scores)
        best, index = peaks[:, :, m:-m, m:-m].reshape(1, -1).topk(self.count, 1)
        past_the_end = float(peaks.numel())
        raster = torch.where(best > self.min_score, index.to(torch.float32), past_the_end)
        order = raster.topk(self.count, 1, largest=False)[1]
        index, best = index.gather(1, order), best.gather(1, order)
        row = torch.div(index, width, rounding_mode="trunc")
        return index - row * width + m, row + m, best, best > self.min_score

    def _refine(self, scores: Tensor, flat: Tensor) -> tuple[Tensor, Tensor]:
        """Offset of the score's maximum from the pixel centre, by a parabola per axis."""
        plane = scores.view(1, -1)
        centre = plane.gather(1, flat)
        offsets = []
        for stride in (1, self.width):
            before, after = plane.gather(1, flat - stride), plane.gather(1, flat + stride)
            curvature = (2.0 * centre - before - after).clamp(min=1e-3)
            offsets.append(((after - before) * 0.5 / curvature).clamp(-0.5, 0.5))
        return offsets[0], offsets[1]

    def _describe(self, gradients: Tensor, flat: Tensor) -> Tensor:
        """Histogram cells around each keypoint, Hellinger-normalised: [1,512,128]."""
        maps = self.cells(self.orientations(gradients)).view(1, self.bins, -1)
        positions = (flat.view(-1, 1) + self.cell_offsets).view(-1)
        cells = maps.index_select(2, positions).view(self.bins, self.count, -1)
        histogram = cells.permute(1, 2, 0).reshape(1, self.count, -1)
        # sqrt before the L2 norm instead of after an L1 norm: the same RootSIFT vector
        # without the small quotients that half precision would lose.
        root = histogram.sqrt()
        return root / (root * root).sum(2, keepdim=True).clamp(min=1e-3).sqrt()


class DemoMatcher(nn.Module):
    """Mutual nearest neighbours with LightGlue's inputs and per-keypoint outputs."""

    def __init__(self) -> None:
        super().__init__()
        ratio = 0.8  # Lowe's bound on nearest distance / second nearest distance
        self.smallest_distance = 1e-3  # of 1 - cosine; half resolves no less near 1
        # A buffer, so that the weights carry the type in which the network computes.
        self.register_buffer("ratio_squared", torch.tensor(ratio**2))
        self.register_buffer("rows", torch.arange(KEYPOINT_COUNT).view(1, -1))

    def forward(
        self, kpts0: Tensor, kpts1: Tensor, desc0: Tensor, desc1: Tensor
    ) -> tuple[Tensor, Tensor]:
        first, second = desc0.type_as(self.ratio_squared), desc1.type_as(self.ratio_squared)
        inside0, inside1 = self._inside(kpts0), self._inside(kpts1)
        usable = inside0.unsqueeze(2) * inside1.unsqueeze(1)
        # Half the squared distance of unit vectors; 2 is the largest there can be.
        distance = 1.0 - torch.matmul(first, second.transpose(1, 2))
        distance = distance * usable + 2.0 * (1.0 - usable)
        nearest, columns = distance.topk(2, 2, largest=False)
        partner = columns[:, :, 0]
        bound = nearest[:, :, 1] * self.ratio_squared
        back = distance.argmin(1).gather(1, partner)
        is_distinct = (nearest[:, :, 0] < bound) & (inside0 > 0.5)
        accepted = (back == self.rows) & is_distinct
        ratio = nearest[:, :, 0] / nearest[:, :, 1].clamp(min=self.smallest_distance)
        scores = (1.0 - ratio).clamp(0.0, 1.0).float()
        return torch.where(accepted, partner, -1), scores * accepted.float()

    def _inside(self, keypoints: Tensor) -> Tensor:
        """1 where a keypoint lies in the image's square [-1,1]^2, else 0: [B,N]."""
        return (keypoints.abs().amax(2) <= 1.0).type_as(self.ratio_squared)


class DemoVpr(nn.Module):
    """Image -> place descriptor: gradient histograms pooled over an 8x8 grid."""

    def __init__(self) -> None:
        super().__init__()
        self.gradients = Gradients(sigma=2.0)
        self.orientations = OrientationMaps()
        frame = 2 * self.gradients.frame
        grid = 8  # cells along either side
        self.cell = [(IMAGE_HEIGHT - frame) // grid, (IMAGE_WIDTH - frame) // grid]
        self.register_buffer("projection", signed_hadamard(EMBEDDING_DIM, WEIGHT_SEED))

    def forward(self, image: Tensor) -> Tensor:
        maps = self.orientations(self.gradients(image))
        pooled = F.avg_pool2d(maps, self.cell, self.cell)
        root = pooled.sqrt().view(1, -1)
        centred = root - root.mean(1, keepdim=True)
        embedding = torch.matmul(centred, self.projection)
        norm = (embedding * embedding).sum(1, keepdim=True).clamp(min=1e-3).sqrt()
        return (embedding / norm).float()
