"""TorchScript networks that cannot be deployed, and networks that are not what a record says."""

from typing import Dict, List, Optional, Tuple

import torch

from tiny_torchscripts import Net


class NoForward(Net):
    @torch.jit.export
    def infer(self, x):
        return x @ self.w


class Throws(Net):
    def forward(self, x):
        if x.numel() > 0:
            raise RuntimeError("the camera is upside down")
        return x @ self.w


class GivesInt(Net):
    def forward(self, x) -> int:
        return x.size(0)


class GivesNone(Net):
    def forward(self, x) -> Optional[torch.Tensor]:
        return None if x.numel() > 0 else x


class GivesNothing(Net):
    def forward(self, x) -> None:
        assert x.numel() > 0


class GivesList(Net):
    def forward(self, x) -> List[torch.Tensor]:
        return [x, x @ self.w]


class GivesNested(Net):
    def forward(self, x) -> Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]:
        return x, (x @ self.w, x)


class GivesTensorAndInt(Net):
    def forward(self, x) -> Tuple[torch.Tensor, int]:
        return x @ self.w, 3


class GivesDictOfInts(Net):
    def forward(self, x) -> Dict[str, int]:
        return {"rows": x.size(0)}


class GivesNumberedDict(Net):
    def forward(self, x) -> Dict[int, torch.Tensor]:
        return {0: x @ self.w}


class GivesComplex(Net):
    def forward(self, x):
        return torch.complex(x, x)


class GivesSparse(Net):
    def forward(self, x):
        return x.to_sparse()


class TakesInt(Net):
    def forward(self, x, n: int):
        return x @ self.w + n


class TakesList(Net):
    def forward(self, x: List[torch.Tensor]):
        return x[0] @ self.w


class TakesOptional(Net):
    def forward(self, x: Optional[torch.Tensor]):
        return self.w if x is None else x @ self.w


class TakesNothing(Net):
    def forward(self):
        return self.w + 1


class TakesTensorAfterDefault(Net):
    def forward(self, x, scale: float = 2.0, *, y: torch.Tensor):
        return x @ self.w * scale + y


class RandomNumbers(Net):
    def forward(self, x):
        return x @ self.w + torch.rand(1, 8)


class RandomNumbersInBranch(Net):
    def forward(self, x):
        if bool(x.sum() > 1e6):
            x = x + torch.randn_like(x)
        return x @ self.w


class RandomNumbersInPlace(Net):
    def forward(self, x):
        return x @ self.w + torch.empty(1, 8).uniform_()


class FunctionalDropout2d(Net):
    def forward(self, x):
        return torch.nn.functional.dropout2d((x @ self.w).reshape(1, 8, 1, 1), 0.5, True)


class FunctionalDropout(Net):
    """eval() does not reach it: its training flag is written into the call."""

    def forward(self, x):
        return torch.nn.functional.dropout(x @ self.w, 0.5, True)


class AttendsWithDropout(Net):
    def forward(self, x):
        return torch.nn.functional.scaled_dot_product_attention(x, x @ self.w, x, dropout_p=0.1)


class DropsInBranch(Net):
    """A branch of torch.jit.fork: its graph is one of its own until it is drawn in."""

    def forward(self, x):
        branch = torch.jit.fork(torch.nn.functional.dropout, x, 0.5, True)
        return torch.jit.wait(branch) @ self.w


class Prints(Net):
    def forward(self, x):
        print("hello")
        return x @ self.w


class ReadsFile(Net):
    """libtorch would open it by itself when it loads the network: bytes that no gate has seen."""

    def forward(self, x):
        return x @ self.w + torch.from_file("/dev/zero", False, 8)


class WritesFile(Net):
    def forward(self, x):
        torch.save(x, "/dev/null")
        return x @ self.w


SCRATCH = torch.zeros(1, 8)


class WritesToConstant(Net):
    """To be traced: the scratch tensor becomes a constant of the graph, which all lanes share."""

    def forward(self, x):
        SCRATCH.copy_(x)
        return x @ self.w + SCRATCH


class ChangesInput(Net):
    def forward(self, x):
        x.add_(1)
        return x @ self.w


class ChangesNegativeInput(Net):
    """Trial inputs, which are not negative, would not show it."""

    def forward(self, x):
        return x.relu_() @ self.w


class ChangesPartOfInput(Net):
    """Through a view, where nothing is to be changed: -0 is 0."""

    def forward(self, x):
        x[:, :1].abs_()
        return x @ self.w


class Counts(Net):
    """The count is used at once."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        self.count += 1
        return x @ self.w + self.count


class CountsLong(Counts):
    """The count is used after a thousand runs: no short trial would show it."""

    def forward(self, x):
        self.count += 1
        return x @ self.w + (self.count > 1000).float()


class CountsAttribute(Net):
    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, x):
        self.count = self.count + 1
        return x @ self.w + float(self.count > 1000)


class Remembers(Net):
    seen: List[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.seen = [torch.zeros(1)]

    def forward(self, x):
        self.seen.append(x)
        return x @ self.w + float(len(self.seen) > 1000)


class KeysDependOnData(Net):
    def forward(self, x) -> Dict[str, torch.Tensor]:
        if bool((x == 0).all()):
            return {"dark": x @ self.w}
        return {"light": x @ self.w}


class RankDependsOnData(Net):
    def forward(self, x):
        return (x @ self.w).flatten() if bool((x == 0).all()) else x @ self.w


class TypeDependsOnData(Net):
    def forward(self, x):
        return (x @ self.w).long() if bool((x == 0).all()) else x @ self.w


class Devours(Net):
    """Needs more memory than there is."""

    def forward(self, x):
        return x @ self.w + torch.zeros(1 << 50, dtype=torch.float64).sum()


# ---- of the form of MatMulRelu, and another network ------------------------------------------------------------------

class GivesPair(Net):
    def forward(self, x):
        return x @ self.w, x


class GivesTransposed(Net):
    def forward(self, x):
        return torch.relu(x @ self.w).t()


class GivesLong(Net):
    def forward(self, x):
        return torch.relu(x @ self.w).long()


class GivesOtherKey(Net):
    def forward(self, x) -> Dict[str, torch.Tensor]:
        return {"z": torch.relu(x @ self.w)}
