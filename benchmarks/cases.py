"""The cases: descriptions of what every peer computes. `select` finds them by name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

__all__ = [
    "CASES",
    "KERNELS",
    "AdamW",
    "Case",
    "ClipGradNorm",
    "Inference",
    "Kernel",
    "Matmul",
    "OpCall",
    "TrainingStep",
    "select",
]


@dataclass(frozen=True)
class Matmul:
    """C (m, n) = A·B, of A (m, k) and B (k, n); a "t" in `transposed` means that the operand is stored transposed."""

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
        return 0  # operands are reused so often that the products hide their traffic


@dataclass(frozen=True)
class OpCall:
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
        """Forward reads x and writes y; backward reads dy and x or y, and writes dx. Dropout reads only dy."""
        passes = 4 if self.op == "dropout" else 5
        return 4 * passes * self.rows * self.columns


@dataclass(frozen=True)
class ClipGradNorm:
    """Clipping of `count` square gradients by their norm, which every call has to scale."""

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
        """Each gradient is read once for the norm, and read and written once for scaling."""
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
        """Parameter and both moments are read and written, the gradient is read."""
        return 28 * self.count * self.side**2


@dataclass(frozen=True)
class TrainingStep:
    """A whole training step: zero the gradients, forward, loss, backward, clipping, update.

    Each hidden layer is Linear, BatchNorm1d, ReLU and Dropout; Linear follows at the end. Without `norm`, `dropout` and
    `clip` the step is plain, and NumPy takes part.
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
        """The products: forward, backward to the weights, and backward to the inputs of all layers but the first."""
        layers = [2 * self.batch * a * b for a, b in itertools.pairwise(self.sizes)]
        return 3 * sum(layers) - layers[0]

    @property
    def bytes(self) -> int:
        """The traffic of parameters: the gradient is written and read; the optimizer reads and writes its state."""
        words = 4 if self.optimizer == "SGD" else 8
        return 4 * words * parameters(self.sizes, self.norm)


@dataclass(frozen=True)
class Inference:
    """A network in evaluation mode: Linear and ReLU for each hidden layer, and Linear at the end."""

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


@dataclass(frozen=True)
class Kernel:
    """A case of `cygrad bench` on x (rows, columns): a kernel without autograd, or a step with batch norm and clipping.

    cygrad and NumPy take part; no limit is computed.
    """

    kernel: str
    rows: int
    columns: int

    flops = bytes = 0

    @property
    def name(self) -> str:
        return f"kernel/{self.kernel.replace(' ', '_')}@{self.rows}x{self.columns}"


Case = Matmul | OpCall | ClipGradNorm | AdamW | TrainingStep | Inference | Kernel


def parameters(sizes: Sequence[int], norm: bool) -> int:
    """The number of a network's parameters."""
    linear = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return linear + (2 * sum(sizes[1:-1]) if norm else 0)


FULL_STEP = partial(TrainingStep, "step", norm=True, dropout=0.3, clip=1.0, optimizer="AdamW")
NETWORKS = [
    ((4, 64, 64, 2), 32),
    ((17, 100, 50, 3), 7),
    ((64, 128, 64, 10), 64),
    ((300, 1000, 300), 96),
    ((784, 256, 128, 10), 64),
    ((784, 512, 512, 10), 256),
    ((784, 2048, 2048, 10), 512),
]

# The names in cygrad.bench, which is not imported here: a peer's process may have no cygrad.
KERNELS = (
    *(f"{kernel}{way}" for kernel in ("linear", "relu", "batch norm", "layer norm", "dropout", "cross entropy")
      for way in ("", " backward")),
    "clip by norm",
    "adamw",
    "whole step",
)  # fmt: skip

CASES: tuple[Case, ...] = (
    *(Matmul(n, n, n) for n in (256, 512, 1024, 2048)),
    *(
        Matmul(*shape, transposed)
        for shape in ((64, 784, 256), (64, 256, 128), (32, 64, 64))
        for transposed in ("nn", "nt", "tn", "tt")
    ),
    *(
        OpCall(op, *shape)
        for op in ("relu", "batch_norm", "layer_norm", "gelu", "softmax", "dropout")
        for shape in ((64, 256), (512, 2048))
    ),
    *(Kernel(kernel, *shape) for kernel in KERNELS for shape in ((64, 256), (512, 2048))),
    ClipGradNorm(3, 2048),
    AdamW(3, 2048),
    *(FULL_STEP(sizes, batch) for sizes, batch in NETWORKS),
    *(TrainingStep("plain", sizes, batch) for sizes, batch in NETWORKS),
    TrainingStep("huber", (1444, 512, 256, 128, 64, 1), 128, loss="huber_loss", optimizer="AdamW"),
    TrainingStep("sgd", (8, 32, 1), 1, loss="mse_loss", optimizer="SGD"),
    Inference((4, 64, 64, 2), 1),
)


def select(patterns: Iterable[str]) -> list[Case]:
    """The cases whose name matches one of the patterns; all cases if there is none.

    Raises ValueError for a pattern that is not a regular expression, or that matches nothing.
    """
    wanted: set[str] = set()
    for pattern in (patterns := list(patterns)):
        try:
            names = {case.name for case in CASES if re.search(pattern, case.name)}
        except re.error as error:
            raise ValueError(f"cases: {pattern!r} is not a regular expression ({error})") from None
        if not names:
            raise ValueError(f"cases: no name matches {pattern!r}; --list prints all names")
        wanted |= names
    return [case for case in CASES if case.name in wanted or not patterns]
