"""What a launch reads and writes, and how its work is cut: facts about the kernels, told from their argument blocks."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["BLOCK", "Cut", "Operand", "cut_of", "operands_of"]

WRITTEN = ("OUT", "OUTS")  # kinds of arguments, as in csrc/kernels.def

# Results that a kernel also reads.
UPDATED = {
    "batch_norm": ("running_mean", "running_var"),
    "divide": ("y",),
    "count": ("y",),
    "gemm": ("c",),  # where it accumulates
    "scale_all": ("g",),
    "clip_value": ("g",),
    "clip_adaptive": ("g",),
    "sgd": ("p", "b"),
    "adam": ("p", "m", "v", "largest"),
    "rmsprop": ("p", "s", "c", "b"),
    "adagrad": ("p", "s"),
}


class Operand(NamedTuple):
    """An array of a launch: the argument's name, its number where the argument is a list, and its address."""

    name: str
    number: int
    pointer: int
    read: bool
    written: bool


def operands_of(launch: Any) -> list[Operand]:
    """The arrays of a launch, in the order of its arguments; NULL is none."""
    updated = UPDATED.get(launch.name, ())
    if launch.name == "gemm" and not launch.number("accumulate"):
        updated = ()
    found = []
    for name, kind, number, pointer in launch.arrays():
        written = kind in WRITTEN
        found.append(Operand(name, number, pointer, not written or name in updated, written))
    return found


# How work is cut

BLOCK = 4096  # numbers in a block: CG_BLOCK of csrc/kernels/kernel.h

ACTIVATIONS = (
    "relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus", "exp", "log", "erf",
)  # fmt: skip
ALONG = {
    *ACTIVATIONS, *[f"{name}_backward" for name in ACTIVATIONS], "gelu", "gelu_tanh", "silu", "dropout",
    "dropout_backward",
}  # fmt: skip
ARITHMETIC = {"add", "sub", "mul", "div"}
LISTS = {"scale_all", "clip_value", "sgd", "adam", "rmsprop", "adagrad"}


class Cut(NamedTuple):
    """Into which blocks a kernel cuts its arrays, where it works on each number by itself: launches with one cut can
    run block by block. `whole` names the operands that are read from another place than the block's."""

    sizes: tuple[int, ...]
    whole: tuple[str, ...]

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return sum([-(-size // BLOCK) for size in self.sizes])


def cut_of(launch: Any) -> Cut | None:
    """The cut of a launch, None where a block needs more than its own numbers."""
    name = launch.name
    if name in ALONG:
        return Cut((launch.number("n"),), ())
    if name in ARITHMETIC:
        rows, cols = launch.number("rows"), launch.number("cols")
        steps = {o: (launch.number(f"{o}_row"), launch.number(f"{o}_col")) for o in "xy"}
        whole = [o for o, (row, col) in steps.items() if (cols > 1 and col != 1) or (rows > 1 and row != cols)]
        return Cut((rows * cols,), tuple(whole))
    if name in LISTS:
        return Cut(tuple(launch.numbers("sizes")), ("factor",))
    return None
