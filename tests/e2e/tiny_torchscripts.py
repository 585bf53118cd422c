"""Tiny TorchScript networks, one per thing that a runtime must carry, and the files that hold them."""

import contextlib
import io
import json
import warnings
from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np
import torch

import tiny_models

WIDTH = tiny_models.WIDTH


def values(seed, *shape):
    return torch.from_numpy(tiny_models.weights(seed, *shape))


class Net(torch.nn.Module):
    """Parameter w [8,8]; what most of the networks below have."""

    def __init__(self, seed=1):
        super().__init__()
        self.w = torch.nn.Parameter(values(seed, WIDTH, WIDTH) / 4)


class MatMulRelu(Net):
    """x [n,8] -> relu(x w)."""

    def forward(self, x):
        return torch.relu(x @ self.w)


class CallsSkuaTwice(torch.nn.Module):
    """Calls an operator that the caller must have registered."""

    def forward(self, x):
        return torch.ops.skua_e2e.twice(x)


class WithDropout(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.dropout = MatMulRelu(), torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.net(x))


class WithNorm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(WIDTH)

    def forward(self, x):
        return self.norm(x)


# ---- their siblings, which are taken -------------------------------------------------------------------------------

class DropoutOff(Net):
    def forward(self, x):
        return torch.nn.functional.dropout(x @ self.w, 0.5, False)


class ChangesACopy(Net):
    def forward(self, x):
        return x.clone().add_(1) @ self.w


class ReadsItsCount(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.ones(1))

    def forward(self, x):
        return x @ self.w + self.count


class TakesNumberWithDefault(Net):
    def forward(self, x, scale: float = 2.0, offset: Optional[torch.Tensor] = None):
        y = x @ self.w * scale
        return y if offset is None else y + offset


class GivesOneTuple(Net):
    def forward(self, x) -> Tuple[torch.Tensor]:
        return (x @ self.w,)


class PicksPartInPlace(Net):
    """Writes in place, to what is its own."""

    def forward(self, x):
        y = x @ self.w
        y[:, :4].relu_()
        return y.add_(1)


class WithRecurrence(torch.nn.Module):
    """libtorch counts lstm among the layers that draw random numbers: in training it may."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layer = torch.nn.LSTM(WIDTH, WIDTH)

    def forward(self, x):
        return self.layer(x.unsqueeze(0))[0].squeeze(0)


class WithAttention(torch.nn.Module):
    """libtorch counts attention among what draws random numbers: with dropout it does."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layer = torch.nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True)

    def forward(self, x):
        y = self.layer(x.unsqueeze(0))
        return torch.nn.functional.scaled_dot_product_attention(y, y, y).squeeze(0)


class Negates(torch.nn.Module):
    """libtorch keeps the sign for later."""

    def forward(self, x):
        return torch._neg_view(x)


# ---- networks whose values matter ----------------------------------------------------------------------------------

class Plain(torch.nn.Module):
    """A tensor that is neither parameter nor buffer. Traced, it is a constant of the graph."""

    def __init__(self, seed):
        super().__init__()
        self.plain = values(seed, WIDTH)

    def forward(self, x):
        return x + self.plain


class Holds(Net):
    """All places that hold tensors: parameters, buffers, plain attributes, submodules'; one of rank 0."""

    def __init__(self):
        super().__init__()
        self.inner, self.shift = MatMulRelu(2), Plain(5)
        self.register_buffer("scale", values(3, WIDTH))
        self.register_buffer("index", torch.arange(WIDTH - 1, -1, -1))
        self.register_buffer("mask", torch.tensor([True, False] * 4))
        self.plain, self.number = values(4, WIDTH), torch.tensor(0.3)

    def forward(self, x):
        y = self.shift(self.inner(x @ self.w) * self.scale) + self.plain * self.number
        return y[:, self.index].masked_fill(self.mask, 0.25)


class Island(Net):
    """Half of it in single precision, as it is written: 1e-9 is nothing in half precision."""

    def forward(self, x):
        return ((x @ self.w).float() * 1e-9) * 1e9


class OneWeight(torch.nn.Module):
    """x * w, w a vector that the caller chooses."""

    def __init__(self, weight):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(weight, dtype=torch.float32))

    def forward(self, x):
        return x * self.w


class ScaledDownAndUp(torch.nn.Module):
    """A weight that is zero in half precision, and made up for."""

    def __init__(self):
        super().__init__()
        self.small = torch.nn.Parameter(torch.tensor([1e-9]))

    def forward(self, x):
        return x * self.small * 1e9


class Threes(torch.nn.Module):
    """x int64 [16] -> [count,1], the places of the threes: the output's shape depends on the data."""

    def forward(self, x):
        return torch.nonzero(x == 3)


class Result(NamedTuple):
    """Outputs that have names."""

    total: torch.Tensor
    product: torch.Tensor


class Several(Net):
    """left, right [2,8] -> a NamedTuple."""

    def forward(self, left, right) -> Result:
        return Result(left + right, (left * right) @ self.w)


class GivesDict(Net):
    def forward(self, left, right) -> Dict[str, torch.Tensor]:
        return {"total": left + right, "product": (left * right) @ self.w}


class GivesTuple(Net):
    def forward(self, left, right):
        return left + right, (left * right) @ self.w


class Integers(torch.nn.Module):
    def forward(self, a, b, flag):
        return torch.where(flag, a + b, a - b), a > b


class OnlyEight(Net):
    """Runs at one width and no other."""

    def forward(self, x):
        assert x.size(0) != 3, "three rows are not for me"
        return x @ self.w


class ThrowsOnNegative(Net):
    """Trials pass; a flight might not."""

    def forward(self, x):
        if bool((x < 0).any()):
            raise ValueError("negative light")
        return x @ self.w


# ---- files -----------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def quiet():
    """TorchScript works, and torch calls it deprecated at every turn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def example(*shape):
    return torch.linspace(-1, 1, int(np.prod(shape))).reshape(shape)


def save(path, module, extra=None, io_text=None):
    """Scripts (what is no ScriptModule yet) and writes; `io_text` is skua.io, as text or as what JSON is made of."""
    extra = dict(extra or {})
    if io_text is not None:
        extra["skua.io"] = io_text if isinstance(io_text, (str, bytes)) else json.dumps(io_text)
    with quiet():
        script = module if isinstance(module, torch.jit.ScriptModule) else torch.jit.script(module)
        script.save(str(path), _extra_files=extra)
    return path


def io_of(inputs, outputs):
    """skua.io: inputs {name: (dtype, shape)}."""
    return {"inputs": [{"name": name, "dtype": dtype, "shape": list(shape)} for name, (dtype, shape) in inputs.items()],
            "outputs": list(outputs)}


def trace(module, *inputs, training=False):
    """A trace as somebody makes it who forgot eval(): checked against nothing, since such a network does not repeat."""
    module.train(training)
    with torch.no_grad(), quiet():
        return torch.jit.trace(module, inputs or example(1, WIDTH), check_trace=False)


def matmul_relu(path, seed=1):
    """x float32 [1,8] -> y, declared: needs neither profile nor names."""
    return save(path, MatMulRelu(seed), io_text=io_of({"x": ("float32", (1, WIDTH))}, ["y"]))


def bytes_of(module):
    buffer = io.BytesIO()
    with quiet():
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def load(path):
    with quiet():
        return torch.jit.load(str(path))
