"""The cases: what every peer computes, as data. Their names say what they are, `select` finds them by them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

__all__ = ["CASES", "AdamW", "Case", "ClipGradNorm", "Inference", "Matmul", "Op", "Step", "select"]


@dataclass(frozen=True)
class Matmul:
    """C (m, n) = A·B, of A (m, k) and B (k, n); in `transposed` a "t" stands for an operand that lies transposed."""

    m: int
    k: int
    n: int
    transposed: str = "nn"

    @property
    def name(self) -> str:
        return f"sgemm/{self.m}x{self.k}x{self.n}" + (f"/{self.transposed}" if self.transposed != "nn" else "")

    @property
    def flops(self) -> int:
        return 2 * self.m * self.k * self.n

    @property
    def bytes(self) -> int:
        return 0  # each operand is used so often that its traffic hides behind the products


@dataclass(frozen=True)
class Op:
    """y = op(x) of x (rows, columns) and its gradients, through autograd."""

    op: str
    rows: int
    columns: int

    @property
    def name(self) -> str:
        return f"{self.op}/{self.rows}x{self.columns}"

    @property
    def flops(self) -> int:
        return 0

    @property
    def bytes(self) -> int:
        """Forward reads x and writes y; backward reads dy and x or y, and writes dx. Dropout needs neither x nor y."""
        passes = 4 if self.op == "dropout" else 5
        return 4 * passes * self.rows * self.columns


@dataclass(frozen=True)
class ClipGradNorm:
    """Clipping of `count` square gradients by their norm; every call has to scale."""

    count: int
    side: int

    @property
    def name(self) -> str:
        return f"clip_grad_norm/{self.count}x{self.side}x{self.side}"

    @property
    def flops(self) -> int:
        return 0

    @property
    def bytes(self) -> int:
        """Each gradient is read for the norm, and read and written to be scaled."""
        return 12 * self.count * self.side**2


@dataclass(frozen=True)
class AdamW:
    """One update of `count` square parameters."""

    count: int
    side: int

    @property
    def name(self) -> str:
        return f"adamw/{self.count}x{self.side}x{self.side}"

    @property
    def flops(self) -> int:
        return 0

    @property
    def bytes(self) -> int:
        """Parameter and both moments are read and written, the gradient read."""
        return 28 * self.count * self.side**2


@dataclass(frozen=True)
class Step:
    """A whole training step of a network of layers Linear, BatchNorm1d, ReLU, Dropout, and Linear at the end: gradients
    to zero, forward, loss, backward, clipping, update. Without `norm`, `dropout` and `clip` it is plain enough to write
    by hand in NumPy.
    """

    group: str
    sizes: tuple[int, ...]
    batch: int
    norm: bool = False
    dropout: float = 0.0
    clip: float | None = None
    loss: str = "cross_entropy"
    optimizer: str = "Adam"

    @property
    def name(self) -> str:
        return f"{self.group}/{'-'.join(map(str, self.sizes))}@{self.batch}"

    @property
    def plain(self) -> bool:
        return not self.norm and not self.dropout and self.clip is None

    @property
    def flops(self) -> int:
        """The products: forward, and backward to the weights, and to the inputs but for the first layer's."""
        layers = [2 * self.batch * a * b for a, b in itertools.pairwise(self.sizes)]
        return 3 * sum(layers) - layers[0]

    @property
    def bytes(self) -> int:
        """The parameters' traffic: gradient written, gradient read, and what the optimizer reads and writes."""
        words = 4 if self.optimizer == "SGD" else 8
        return 4 * words * parameters(self.sizes, self.norm)


@dataclass(frozen=True)
class Inference:
    """A network of layers Linear and ReLU, and Linear at the end, in evaluation mode."""

    sizes: tuple[int, ...]
    batch: int

    norm = False

    @property
    def name(self) -> str:
        return f"inference/{'-'.join(map(str, self.sizes))}@{self.batch}"

    @property
    def flops(self) -> int:
        return sum(2 * self.batch * a * b for a, b in itertools.pairwise(self.sizes))

    @property
    def bytes(self) -> int:
        return 4 * parameters(self.sizes, norm=False)


Case = Matmul | Op | ClipGradNorm | AdamW | Step | Inference


def parameters(sizes: Sequence[int], norm: bool) -> int:
    """How many numbers a network learns."""
    linear = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return linear + (2 * sum(sizes[1:-1]) if norm else 0)


FULL_STEP = partial(Step, "step", norm=True, dropout=0.3, clip=1.0, optimizer="AdamW")
NETWORKS = [
    ((4, 64, 64, 2), 32),
    ((17, 100, 50, 3), 7),
    ((64, 128, 64, 10), 64),
    ((300, 1000, 300), 96),
    ((784, 256, 128, 10), 64),
    ((784, 512, 512, 10), 256),
    ((784, 2048, 2048, 10), 512),
]

CASES: tuple[Case, ...] = (
    *(Matmul(n, n, n) for n in (256, 512, 1024, 2048)),
    *(
        Matmul(*shape, transposed)
        for shape in ((64, 784, 256), (64, 256, 128), (32, 64, 64))
        for transposed in ("nn", "nt", "tn", "tt")
    ),
    *(
        Op(op, *shape)
        for op in ("relu", "batch_norm", "layer_norm", "gelu", "softmax", "dropout")
        for shape in ((64, 256), (512, 2048))
    ),
    ClipGradNorm(3, 2048),
    AdamW(3, 2048),
    *(FULL_STEP(sizes, batch) for sizes, batch in NETWORKS),
    *(Step("plain", sizes, batch) for sizes, batch in NETWORKS),
    Step("huber", (1444, 512, 256, 128, 64, 1), 128, loss="huber_loss", optimizer="AdamW"),
    Step("sgd", (8, 32, 1), 1, loss="mse_loss", optimizer="SGD"),
    Inference((4, 64, 64, 2), 1),
)


def select(patterns: Iterable[str]) -> list[Case]:
    """The cases in whose name one of the patterns is found; all of them where there is no pattern.

    Raises ValueError for a pattern that is no regular expression or finds nothing.
    """
    wanted: set[str] = set()
    for pattern in (patterns := list(patterns)):
        try:
            found = {case.name for case in CASES if re.search(pattern, case.name)}
        except re.error as error:
            raise ValueError(f"cases: {pattern!r} is no regular expression ({error})") from None
        if not found:
            raise ValueError(f"cases: no name matches {pattern!r}; --list prints them all")
        wanted |= found
    return [case for case in CASES if case.name in wanted or not patterns]
