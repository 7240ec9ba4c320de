"""Random straight-line programs in the common language of cygrad and PyTorch.

A program is lines of Python over the names `T` (the library), `F` (its `nn.functional`), inputs `x0 …`, parameters `p0 …`,
modules `m0 …`, an optimizer `opt`, and numbers `g0`, `cfg.k` and `table["k"]`. The writer follows shapes, so that most lines are
valid; it need not be right, because a line that both libraries refuse is left out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Name:
    """A tensor of the program: what the writer believes about it."""

    text: str
    shape: Shape
    kind: str = "float"  # or int (indices from 0 to 2), bool
    graph: bool = False  # whether it may have a node, or requires a gradient

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Input:
    """An array that the program is given, as x0 or, with a gradient, as p0."""

    name: str
    shape: Shape
    kind: str
    data: str  # normal, lattice or special
    layout: str = "plain"
    seed: int = 0
    dtype: str = "float64"

    def values(self, number: int = 0) -> np.ndarray:
        """The array of call `number`."""
        rng = np.random.default_rng([self.seed, number])
        if self.kind == "int":
            return np.asarray(rng.integers(0, 3, self.shape))
        if self.kind == "bool":
            return np.asarray(rng.random(self.shape) < 0.5)
        values = np.round(rng.standard_normal(self.shape), 2)  # short to print
        if self.data == "lattice":
            values = np.round(values * 2) / 2
        elif self.data == "special":
            values = np.where(rng.random(self.shape) < 0.3, rng.choice(SPECIAL, self.shape), values)
        return np.asarray(values, self.dtype)

    def array(self, number: int = 0) -> np.ndarray:
        return LAYOUTS[self.layout](self.values(number))


SIZES = [1, 1, 2, 2, 3, 3, 3, 4, 5, 8, 17]
SPECIAL = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e-30, 1e15, -1e15, 1.0, -1.0, 20.0, -20.0, 1e4]


def spread(array: np.ndarray, step: int = 2) -> np.ndarray:
    """The same values with gaps between them."""
    wide = (
        np.zeros((*array.shape[:-1], array.shape[-1] * step), array.dtype)
        if array.ndim
        else np.zeros(step, array.dtype)
    )
    view = wide[..., ::step] if array.ndim else wide[0:1].reshape(())
    view[...] = array
    return view


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain": lambda a: a,
    "columns": lambda a: np.asfortranarray(a) if a.ndim > 1 else a,
    "spread": spread,
    "inner": lambda a: np.pad(a, 1)[(..., *(slice(1, -1),) * a.ndim)],
}


@dataclass(frozen=True)
class Program:
    """The inputs, modules and lines of a program."""

    inputs: tuple[Input, ...]
    modules: tuple[str, ...] = ()
    optimizer: str = ""
    lines: tuple[str, ...] = ()
    exact: bool = True  # whether all lines compute exactly on lattices
    edits: tuple[tuple[int, str], ...] = ()  # (call, line): what happens to the world before that call
    calls: tuple[str, ...] = ()  # how each call passes its arguments; see compiled.py

    @property
    def special(self) -> bool:
        """Whether inputs hold infinities and NaN."""
        return any(one.data == "special" for one in self.inputs)

    def smaller(self, fewer: Callable[[Any], Any]) -> Any:
        """Programs with fewer lines, edits and oddities."""
        text = " ".join(self.lines)
        used = tuple(i for i in self.inputs if i.name in text)
        if used and used != self.inputs:
            yield replace(self, inputs=used)
        for lines in fewer(self.lines):
            yield replace(self, lines=tuple(lines))
        for edits in fewer(self.edits):
            yield replace(self, edits=tuple(edits))
        if self.optimizer:
            yield replace(self, optimizer="")
        for i, module in enumerate(self.modules):
            if f"m{i}" not in text and module != "T.nn.Identity()":
                yield replace(self, modules=(*self.modules[:i], "T.nn.Identity()", *self.modules[i + 1 :]))
        for i, one in enumerate(self.inputs):
            for plain in (replace(one, layout="plain"), replace(one, data="lattice"), replace(one, dtype="float64")):
                if plain != one:
                    yield replace(self, inputs=(*self.inputs[:i], plain, *self.inputs[i + 1 :]))
        for i, how in enumerate(self.calls):
            if how != "same":
                yield replace(self, calls=(*self.calls[:i], "same", *self.calls[i + 1 :]))


class Writer:
    """Writes the lines of one program."""

    def __init__(self, rng: random.Random, recorded: bool = False) -> None:
        self.rng = rng
        self.recorded = recorded
        self.names: list[Name] = []
        self.lines: list[str] = []
        self.exact = True
        self.count = 0

    # Choices

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def shape(self) -> Shape:
        sizes = [0, 33, 130] if self.chance(0.03) else SIZES
        shape = tuple(self.rng.choice(sizes) for _ in range(self.rng.choice([0, 1, 2, 2, 2, 3, 3, 4])))
        return shape if math.prod(shape) <= 20_000 else shape[:2]

    def pick(self, kind: str = "float", least: int = 0, most: int = 9) -> Name:
        """A name of that kind whose number of dimensions is in the range; later ones are likelier."""
        fit = [n for n in self.names if n.kind == kind and least <= len(n.shape) <= most]
        if not fit:
            fit = [self.constant(kind, tuple(self.rng.choice([1, 2, 3, 4]) for _ in range(max(least, min(most, 2)))))]
        return self.rng.choice(fit + fit[-4:] * 2)

    def constant(self, kind: str, shape: Shape) -> Name:
        text = {"float": f"T.arange({math.prod(shape)}, dtype=T.float64) * 0.25 - 1", "int": f"T.arange({math.prod(shape)}) % 3",
                "bool": f"T.arange({math.prod(shape)}) % 3 > 0"}[kind]  # fmt: skip
        return self.new(f"({text}).reshape({shape})", shape, kind)

    def match(self, x: Name) -> str:
        """An operand that broadcasts with x: a name, a part of x, or a number."""
        fit = [n for n in self.names if n.kind == "float" and broadcasts(n.shape, x.shape)]
        if fit and self.chance(0.6):
            return str(self.rng.choice(fit))
        if x.shape and self.chance(0.3):
            return f"{x}[{', '.join(self.rng.choice([':', '0:1']) for _ in x.shape)}]"
        return self.number()

    def number(self) -> str:
        names = ["g0", "cfg.k", 'table["k"]'] if self.recorded else []
        return str(self.rng.choice([2, 0.5, -1.5, 3, 0, 1, -1, 0.25, *names, *names]))

    def dim(self, x: Name, extra: int = 0) -> int:
        n = len(x.shape) + extra
        return self.rng.randrange(-n, n) if n else self.rng.choice([0, -1])

    def dims(self, x: Name) -> Any:
        if len(x.shape) < 2 or self.chance(0.6):
            return self.dim(x)
        chosen = self.rng.sample(range(len(x.shape)), self.rng.randint(1, len(x.shape)))
        return tuple(d - len(x.shape) if self.chance(0.3) else d for d in chosen)

    # Lines

    def new(self, text: str, shape: Shape, kind: str = "float") -> Name:
        name = Name("abcdefghijklmnopqrstuvwxyz"[self.count % 26] + "_" * (self.count // 26), shape, kind)
        self.count += 1
        self.names.append(name)
        self.lines.append(f"{name} = {text}")
        return name

    def do(self, line: str) -> None:
        self.lines.append(line)

    def call(self, x: Name | str, name: str, *args: Any) -> str:
        """A call as a function or as a method."""
        rest = "".join(f", {a}" for a in args)
        return f"T.{name}({x}{rest})" if self.chance(0.5) else f"{x}.{name}({rest[2:]})"

    def inexact(self) -> None:
        self.exact = False


def broadcasts(a: Shape, b: Shape) -> bool:
    return all(i == j or 1 in (i, j) for i, j in zip(a[::-1], b[::-1]))


def broadcast(a: Shape, b: Shape) -> Shape:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return a


STATEMENTS: list[Callable[[Writer], None]] = []
WEIGHTS: list[float] = []


def statement(weight: float) -> Callable[[Callable[[Writer], None]], Callable[[Writer], None]]:
    """Register a way to write a line."""

    def register(write: Callable[[Writer], None]) -> Callable[[Writer], None]:
        STATEMENTS.append(write)
        WEIGHTS.append(weight)
        return write

    return register


EXACT = ["abs", "neg", "relu", "floor", "ceil", "trunc", "sign", "square", "frac", "round"]
INEXACT = [
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "erf",
]  # fmt: skip
ACTIVATIONS = [
    "relu", "relu6", "hardtanh", "elu", "gelu", "leaky_relu", "logsigmoid", "mish", "selu", "silu", "softplus", "softsign", "sigmoid",
    "tanh",
]  # fmt: skip


@statement(8)
def unary(w: Writer) -> None:
    x, name = w.pick(), w.rng.choice(EXACT + INEXACT)
    if name in INEXACT:
        w.inexact()
        if name in ("log", "sqrt", "rsqrt", "log2", "log10", "reciprocal") and w.chance(0.7):
            w.new(f"T.{name}({x}.abs() + 0.5)", x.shape)
            return
    w.new(w.call(x, name), x.shape)


@statement(5)
def activation(w: Writer) -> None:
    x, name = w.pick(), w.rng.choice(ACTIVATIONS)
    if name not in ("relu", "relu6", "hardtanh"):
        w.inexact()
    options = {
        "elu": ["", ", alpha=0.5"], "gelu": ["", ", approximate='tanh'"], "leaky_relu": ["", ", 0.2", ", -0.5"],
        "softplus": ["", ", 2, 1"], "hardtanh": ["", ", -2, 0.5", ", 0.0, 1.0"],
    }.get(name, [""])  # fmt: skip
    inplace = ", inplace=True" if name in ("relu", "elu", "silu", "hardtanh", "leaky_relu") and w.chance(0.15) else ""
    w.new(f"F.{name}({x}{w.rng.choice(options)}{inplace})", x.shape)


@statement(12)
def binary(w: Writer) -> None:
    x = w.pick()
    y = w.match(x)
    shape = broadcast(x.shape, next((n.shape for n in w.names if n.text == y), ()))
    if w.chance(0.6):
        sign = w.rng.choice(["+", "-", "*", "*", "/", "**"])
        if sign in ("/", "**"):
            w.inexact()
        left, right = (x, y) if w.chance(0.7) else (y, x)
        if sign == "**":
            left, right = x, w.rng.choice([2, 3, 0.5, -1, 0, 1, 1.5])
        w.new(f"{left} {sign} {right}", shape)
        return
    name = w.rng.choice(
        [
            "add",
            "sub",
            "mul",
            "maximum",
            "minimum",
            "fmax",
            "fmin",
            "div",
            "atan2",
            "remainder",
            "fmod",
            "pow",
            "lerp",
            "where",
            "alpha",
        ]
    )
    y = y if any(n.text == y for n in w.names) else str(x)
    if name in ("div", "atan2", "remainder", "fmod", "pow", "lerp"):
        w.inexact()
    if name == "lerp":
        w.new(f"T.lerp({x}, {y}, {w.number()})", shape)
    elif name == "atan2":  # whose sign is that of a zero, which depends on the order of a sum
        w.new(f"T.atan2({x}, {y}.abs() + 0.25)", shape)
    elif name == "where":
        w.new(f"T.where({x} > {w.number()}, {x}, {y})", shape)
    elif name == "alpha":
        w.new(f"T.{w.rng.choice(['add', 'sub'])}({x}, {y}, alpha={w.number()})", shape)
    else:
        w.new(f"T.{name}({x}, {y})", shape)


@statement(2)
def clamp(w: Writer) -> None:
    x = w.pick()
    low, high = w.rng.choice([("0.0", "0.0"), ("-1.0", "1.0"), ("None", "0.5"), ("0", "None"), ("0.5", "-0.5")])
    w.new(f"{x}.clamp({low}, {high})", x.shape)


@statement(3)
def compare(w: Writer) -> None:
    x = w.pick()
    y = w.match(x)
    if w.chance(0.7):
        shape = broadcast(x.shape, next((n.shape for n in w.names if n.text == y), ()))
        w.new(f"{x} {w.rng.choice(['<', '<=', '>', '>=', '==', '!='])} {y}", shape, "bool")
    else:
        w.new(f"T.{w.rng.choice(['isnan', 'isfinite', 'isinf'])}({x})", x.shape, "bool")


@statement(2)
def logic(w: Writer) -> None:
    x = w.pick("bool")
    w.new(
        w.rng.choice([f"~{x}", f"T.logical_not({x})", f"{x} & {x}", f"{x} | (~{x})", f"T.logical_xor({x}, {x})"]),
        x.shape,
        "bool",
    )


@statement(1.5)
def masked(w: Writer) -> None:
    m = w.pick("bool")
    x = w.pick()
    if broadcasts(x.shape, m.shape):
        text = w.rng.choice([f"{x}.masked_fill({m}, {w.number()})", f"T.where({m}, {x}, {w.number()})", f"{x} * {m}"])
        w.new(text, broadcast(x.shape, m.shape))


def reduced(shape: Shape, dims: Any, keep: bool) -> Shape:
    if dims is None:
        return tuple([1] * len(shape)) if keep else ()
    chosen = {d % len(shape) for d in (dims if isinstance(dims, tuple) else (dims,))} if shape else set()
    return tuple(1 if i in chosen else n for i, n in enumerate(shape) if keep or i not in chosen)


@statement(7)
def reduction(w: Writer) -> None:
    x = w.pick()
    name = w.rng.choice(["sum", "sum", "mean", "amax", "amin", "var", "std", "logsumexp", "norm", "prod", "max", "min"])
    if name not in ("sum", "amax", "amin", "max", "min"):
        w.inexact()
    if w.chance(0.25) and name != "logsumexp":
        w.new(w.call(x, name), ())
        return
    keep = w.chance(0.4)
    single = name in ("prod", "max", "min")
    dims = w.dim(x) if single else w.dims(x)
    if name == "norm":
        order = w.rng.choice(["1", "2", "2", "float('inf')"])
        text = f"T.norm({x}, {order}, dim={dims}, keepdim={keep})"
    else:
        text = w.call(x, name, f"dim={dims}", f"keepdim={keep}")
    w.new(text + (".values" if name in ("max", "min") else ""), reduced(x.shape, dims, keep))


@statement(2)
def choice(w: Writer) -> None:
    """Indices and orders."""
    x = w.pick(least=1)
    d = w.dim(x)
    name = w.rng.choice(["argmax", "argmin", "sort", "argsort", "topk", "max", "count_nonzero"])
    if name in ("argmax", "argmin", "topk", "max"):  # PyTorch's choice among equal values depends on the layout
        w.inexact()
        ramp = f"T.linspace(0, 1e-3, {math.prod(x.shape)}, dtype={x}.dtype).reshape({tuple(x.shape)})"
        x = w.new(f"{x} + {ramp}", x.shape)
    if name in ("argmax", "argmin"):
        w.new(f"T.take_along_dim({x}, {x}.{name}(dim={d}, keepdim=True), {d})", reduced(x.shape, d, True))
    elif name == "count_nonzero":
        w.new(f"{x}.{name}(dim={d})", reduced(x.shape, d, False), "index")
    elif name == "sort":
        w.new(
            f"T.sort({x}, dim={d}, descending={w.chance(0.5)}, stable=True){w.rng.choice(['[0]', '.values'])}", x.shape
        )
    elif name == "argsort":
        w.new(f"T.argsort({x}, dim={d}, stable=True)", x.shape, "index")
    elif name == "topk":
        w.new(
            f"{x}.topk({min(2, x.shape[d])}, dim={d})[0]",
            (*x.shape[: d % len(x.shape)], min(2, x.shape[d]), *x.shape[d % len(x.shape) + 1 :]),
        )
    else:
        w.new(f"T.take_along_dim({x}, {x}.max(dim={d}, keepdim=True)[1], {d})", reduced(x.shape, d, True))


@statement(3)
def along(w: Writer) -> None:
    x = w.pick(least=1)
    name = w.rng.choice(["softmax", "log_softmax", "cumsum", "cumprod", "flip", "normalize"])
    d = w.dim(x)
    if name != "flip":
        w.inexact()
    if name == "flip":
        w.new(f"{x}.flip({w.dims(x)})", x.shape)
    elif name == "normalize":
        w.new(f"F.normalize({x}, dim={d})", x.shape)
    else:
        w.new(w.call(x, name, f"dim={d}"), x.shape)


@statement(9)
def shaped(w: Writer) -> None:
    """Views and copies of another shape."""
    x = w.pick()
    n = len(x.shape)
    ways: list[tuple[str, Shape]] = [(f"{x}.unsqueeze({w.dim(x, 1)})", ())]
    size = math.prod(x.shape)
    # PyTorch's results keep the layout of an input, so that a view exists here and not there: reshape a copy.
    reshape = "reshape" if w.recorded else "clone().reshape"
    for shape in [(size,), (1, size), (size, 1), *((size // k, k) for k in (2, 3) if size and size % k == 0)]:
        ways.append((f"{x}.{w.rng.choice([reshape, 'view'])}({shape})", shape))
    ways.append((f"{x}.expand({(2, *x.shape)})", (2, *x.shape)))
    if n:
        d = w.dim(x) % n
        ways += [
            (f"{x}.squeeze()", tuple(s for s in x.shape if s != 1)), (f"{x}.{reshape[:-7]}flatten()", (size,)),
            (f"T.roll({x}, 1, {d})", x.shape), (f"{x}.tile({(2,) * n})", tuple(2 * s for s in x.shape)),
            (f"{x}.select({d}, {w.rng.choice([0, -1])})", reduced(x.shape, d, False)),
            (f"{x}.narrow({d}, 0, {max(0, x.shape[d] - 1)})", (*x.shape[:d], max(0, x.shape[d] - 1), *x.shape[d + 1 :])),
            (f"T.stack([{x}, {x}], {d})", (*x.shape[:d], 2, *x.shape[d:])),
            (f"T.cat([{x}, {x}], {d})", (*x.shape[:d], 2 * x.shape[d], *x.shape[d + 1 :])),
            (f"{x}.unbind({d})[0]" if x.shape[d] < 1000 else f"{x}.select({d}, 0)", reduced(x.shape, d, False)),
            (f"{x}.chunk(2, {d})[0]", (*x.shape[:d], -(-x.shape[d] // 2), *x.shape[d + 1 :])),
            (f"T.repeat_interleave({x}, 2, dim={d})", (*x.shape[:d], 2 * x.shape[d], *x.shape[d + 1 :])),
        ]  # fmt: skip
    if n > 1:
        order = w.rng.sample(range(n), n)
        a, b = w.rng.sample(range(n), 2)
        swapped = list(x.shape)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        ways += [(f"{x}.permute({tuple(order)})", tuple(x.shape[i] for i in order)), (f"{x}.transpose({a}, {b})", tuple(swapped)),
                 (f"{x}.tril()", x.shape), (f"T.triu({x}, 1)", x.shape), (f"{x}.mT", (*x.shape[:-2], x.shape[-1], x.shape[-2]))]  # fmt: skip
    if n == 2:
        ways += [(f"{x}.t()", x.shape[::-1]), (f"{x}.T", x.shape[::-1]), (f"{x}.diagonal()", (min(x.shape),))]
    text, shape = w.rng.choice(ways)
    if ".unsqueeze" in text:
        d = int(text.split("(")[1][:-1]) % (n + 1)
        shape = (*x.shape[:d], 1, *x.shape[d:])
    w.new(text, shape)


def basic_index(w: Writer, shape: Shape) -> tuple[str, Shape]:
    """An index of integers, slices, None and an ellipsis, and the shape that it takes."""
    parts, result = [], []
    for size in shape[: w.rng.randint(1, max(1, len(shape)))]:
        kind = w.rng.choice(["int", "slice", "slice", "all", "step"])
        if kind == "int" and size:
            parts.append(str(w.rng.choice([0, -1, size - 1])))
            continue
        text = {"slice": w.rng.choice(["1:", ":-1", ":2"]), "step": "::2"}.get(kind, ":")
        parts.append(text)
        result.append(len(range(size)[slice(*[int(p) if p else None for p in text.split(":")])]))
    rest = list(shape[len(parts) :])
    if w.chance(0.2):
        parts.append("None")
        result.append(1)
    elif w.chance(0.2):
        parts.append("...")
    return ", ".join(parts) or "...", (*result, *rest)


def any_index(w: Writer, x: Name) -> tuple[str, Shape | None]:
    if w.chance(0.65):
        return basic_index(w, x.shape)
    kind = w.rng.choice(["list", "tensor", "mask", "both"])
    first, rest = x.shape[0], x.shape[1:]
    if kind == "list" and first:
        return f"[0, {first - 1}, 0]", (3, *rest)
    if kind == "tensor" and first:
        return f"T.tensor([{first - 1}, 0])", (2, *rest)
    if kind == "both" and first and rest and rest[0]:
        return "[0, 0], [0, -1]", (2, *rest[1:])
    return f"{x} > 0", None


@statement(6)
def indexed(w: Writer) -> None:
    x = w.pick(least=1)
    text, shape = any_index(w, x)
    if shape is None:
        w.new(f"{x}[{text}].sum()", ())
    else:
        w.new(f"{x}[{text}]", shape)


@statement(2)
def gathered(w: Writer) -> None:
    x = w.pick(least=1)
    d = w.dim(x) % len(x.shape)
    if not x.shape[d]:
        return
    one = ", ".join(["1"] * d + ["-1"] + ["1"] * (len(x.shape) - d - 1))
    index = f"(T.arange({x.shape[d]}) % {max(1, x.shape[d] - 1)}).reshape({one}).expand({x.shape})"
    shape = x.shape
    text = w.rng.choice([
        f"T.gather({x}, {d}, {index})", f"T.take_along_dim({x}, {index}, {d})", f"{x}.scatter({d}, {index}, {w.number()})",
        f"{x}.scatter_add({d}, {index}, {x})", f"{x}.index_select({d}, T.arange({x.shape[d]}) // 2)",
    ])  # fmt: skip
    w.new(text, shape)


@statement(9)
def in_place(w: Writer) -> None:
    x = w.pick()
    y = w.match(x)
    if not w.recorded and y[0].isalpha():
        y = f"{y}.clone()"  # PyTorch may read what it has written, where the two share memory
    ways = [
        f"{x} += {y}", f"{x} -= {y}", f"{x} *= {y}", f"{x}.mul_({y})", f"{x}.add_({y})", f"{x}.copy_({x} * {w.number()} + {y})",
        f"{x}.zero_()", f"{x}.fill_({w.number()})", f"{x}.clamp_(-1, 1)", f"{x}.relu_()", f"{x}.neg_()", f"{x}.abs_()", f"{x}.sub_({y})",
        f"{x}.masked_fill_({x} > 0, {w.number()})", f"{x}.tanh_()", f"{x}.lerp_({x} + 1, 0.5)", f"{x}.div_(2)", f"{x}.pow_(2)",
    ]  # fmt: skip
    if x.shape:
        index, _ = any_index(w, x)
        ways += [f"{x}[{index}] = {w.number()}", f"{x}[{index}] += {w.number()}", f"{x}[{index}] *= {w.number()}",
                 f"{x}[:] = {y}"]  # fmt: skip
        if w.recorded:  # PyTorch refuses writes within one array
            ways += [f"{x}[1:].copy_({x}[:-1])", f"{x}[:-1] = {x}[1:]", f"{x}[:] = {x}.flip(0)"]
    line = w.rng.choice(ways)
    if "tanh" in line or "lerp" in line:
        w.inexact()
    if w.chance(0.25) and " = " not in line:
        line = f"with T.no_grad(): {line}"
    w.do(line)


@statement(3)
def copied(w: Writer) -> None:
    x = w.pick()
    w.new(w.rng.choice([f"{x}.detach()", f"{x}.clone()", f"{x}.contiguous() * 1", f"{x}.detach().clone()", f"T.zeros_like({x})", f"{x}.data",
                        f"{x}.double()", f"{x}.to(T.float64)"]), x.shape)  # fmt: skip


@statement(6)
def product(w: Writer) -> None:
    x = w.pick(least=1, most=3)
    k = x.shape[-1]
    w.inexact()
    fit = [
        n for n in w.names if n.kind == "float" and n.shape and (n.shape[-2] if len(n.shape) > 1 else n.shape[0]) == k
    ]
    if fit and w.chance(0.6):
        y = w.rng.choice(fit)
        try:
            shape = np.matmul(np.zeros(x.shape), np.zeros(y.shape)).shape
        except ValueError:
            shape = x.shape
        w.new(w.rng.choice([f"{x} @ {y}", f"T.matmul({x}, {y})"]), shape)
    elif len(x.shape) > 1:
        rows = (*x.shape[:-1], x.shape[-2])
        w.new(
            w.rng.choice(
                [f"{x} @ {x}.mT", f"T.einsum('...ij,...kj->...ik', {x}, {x})"]
                + [f"F.linear({x}, {x})"] * (len(x.shape) == 2)
            ),
            rows,
        )
    else:
        w.new(w.rng.choice([f"T.outer({x}, {x})"]), (k, k))


@statement(5)
def layer(w: Writer) -> None:
    """A module that the program calls."""
    x = w.pick(least=1, most=4)
    k = x.shape[-1]
    if not k:
        return
    w.inexact()
    ways: list[tuple[str, Shape]] = [
        (f"T.nn.Linear({k}, 3)", (*x.shape[:-1], 3)), (f"T.nn.Linear({k}, 2, bias=False)", (*x.shape[:-1], 2)), (f"T.nn.LayerNorm({k})", x.shape),
        (f"T.nn.Sequential(T.nn.Linear({k}, 4), T.nn.{w.rng.choice(['ReLU', 'Tanh', 'GELU', 'ELU'])}(), T.nn.Linear(4, 2))", (*x.shape[:-1], 2)),
    ]  # fmt: skip
    if len(x.shape) in (2, 3):
        ways += [
            (
                f"T.nn.BatchNorm1d({x.shape[1]}{w.rng.choice(['', ', momentum=None', ', affine=False', ', track_running_stats=False'])})",
                x.shape,
            )
        ]
    elif len(x.shape) == 4:
        ways += [(f"T.nn.BatchNorm2d({x.shape[1]})", x.shape)]
    text, shape = w.rng.choice(ways)
    w.new(f"{w.module(text)}({x})", shape)


@statement(4)
def loss(w: Writer) -> None:
    x = w.pick(least=1, most=3)
    w.inexact()
    red = w.rng.choice(["mean", "sum", "none"])
    pointwise = w.rng.choice(
        ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits", "kl_div"]
    )
    y = f"{x}.clamp(-1e4, 1e4)" if "logits" in pointwise else x  # of ∞, PyTorch's is NaN where the limit is 0
    ways: list[tuple[str, Shape]] = [(f"F.{pointwise}({y}, ({x} * 2).detach().sigmoid(), reduction='{red}')", x.shape)]
    if len(x.shape) == 2 and x.shape[1] and x.shape[0]:
        classes = f"T.arange({x.shape[0]}) % {x.shape[1]}"
        smooth = w.rng.choice(
            ["", ", label_smoothing=0.1", ", ignore_index=0", f", weight=T.arange({x.shape[1]}, dtype=T.float64) + 1"]
        )
        ways += [(f"F.cross_entropy({x}, {classes}{smooth}, reduction='{red}')", x.shape[:1]),
                 (f"F.nll_loss(F.log_softmax({x}, 1), {classes}, reduction='{red}')", x.shape[:1]),
                 (f"F.cross_entropy({x}, T.softmax({x}.detach() * 2, 1), reduction='{red}')", x.shape[:1])]  # fmt: skip
    text, shape = w.rng.choice(ways)
    w.new(text, shape if red == "none" else ())


@statement(1)
def embedding(w: Writer) -> None:
    x = w.pick(least=2, most=2)
    if x.shape[0] < 3:
        return
    i = w.pick("int")
    w.new(f"F.embedding({i}, {x})", (*i.shape, x.shape[1]))


@statement(1)
def integers(w: Writer) -> None:
    x = w.pick("int")
    w.new(w.rng.choice([f"{x} + 0", f"{x} * 1", f"({x} + 1) % 3", f"{x}.clamp(0, 1)", f"{x}.flip(0)"]), x.shape, "int")


@statement(1.5)
def converted(w: Writer) -> None:
    x = w.pick(w.rng.choice(["int", "bool"]))
    w.new(
        w.rng.choice([f"{x}.double()", f"{x}.to(T.float64)", f"{x} * 0.5", f"{x} + 1.5"])
        if w.chance(0.8)
        else f"{x}.double() / 2",
        x.shape,
    )


@statement(1)
def gradient_state(w: Writer) -> None:
    p = w.rng.choice([n for n in w.names if n.text[0] == "p" and n.text[1:].isdigit()] or [None])
    if p is not None:
        w.do(w.rng.choice([f"{p}.grad = None", f"{p}.grad = T.ones_like({p})", f"{p}.requires_grad_()",
                           f"with T.no_grad(): {p}.sub_({p}, alpha=0.1)", f"{p}.retain_grad()"]))  # fmt: skip


@statement(1.5)
def backward(w: Writer) -> None:
    x = w.pick()
    w.do(f"({x} * {w.number()}).sum().backward()" if w.chance(0.7) else f"{x}.sum().backward(retain_graph=True)")


class ProgramWriter(Writer):
    """Writes a whole program, with its inputs, modules and optimizer."""

    def __init__(self, rng: random.Random, recorded: bool = False) -> None:
        super().__init__(rng, recorded)
        self.modules: list[str] = []

    def module(self, text: str) -> str:
        self.modules.append(text)
        return f"m{len(self.modules) - 1}"

    def write(self) -> Program:
        rng = self.rng
        data = rng.choice(["normal", "normal", "normal", "lattice", "lattice", "special"])
        inputs = [self.input(f"x{i}", data) for i in range(rng.randint(1, 3))]
        inputs += [self.input(f"p{i}", data) for i in range(rng.randint(1, 2))]
        self.names = [Name(i.name, i.shape, i.kind, i.name[0] == "p") for i in inputs]
        for _ in range(rng.randint(3, 14)):
            rng.choices(STATEMENTS, WEIGHTS)[0](self)
        if self.chance(0.8):
            self.do(f"(({self.pick()}) * 1.5).sum().backward()" if self.chance(0.6) else "(" + " + ".join(
                f"{self.pick()}.sum()" for _ in range(3)) + ").backward()")  # fmt: skip
        optimizer = ""
        if self.chance(0.3):
            optimizer = rng.choice(OPTIMIZERS)
            self.lines = ["opt.zero_grad()", *self.lines, "opt.step()"]
            self.exact = False
            inputs = [
                replace(i, layout="plain", data="normal") if i.name[0] == "p" else i for i in inputs
            ]  # optimizers want contiguous ones
        return Program(
            tuple(inputs), tuple(self.modules), optimizer, tuple(self.lines), self.exact and data == "lattice"
        )

    def input(self, name: str, data: str) -> Input:
        kind = "float" if name[0] == "p" else self.rng.choice(["float"] * 6 + ["int", "bool"])
        layout = "plain" if self.chance(0.6) else self.rng.choice(list(LAYOUTS))
        dtype = "float32" if self.chance(0.06) else "float64"
        return Input(name, self.shape(), kind, data, layout, self.rng.randrange(1000), dtype)


OPTIMIZERS = [
    "T.optim.SGD({}, lr=0.1)", "T.optim.SGD({}, lr=0.1, momentum=0.9, weight_decay=0.1)", "T.optim.SGD({}, lr=0.1, momentum=0.9, nesterov=True)",
    "T.optim.Adam({}, lr=0.1)", "T.optim.AdamW({}, lr=0.1)", "T.optim.Adam({}, lr=0.1, amsgrad=True)", "T.optim.RMSprop({}, lr=0.1, momentum=0.5)",
    "T.optim.Adagrad({}, lr=0.1)", "T.optim.RMSprop({}, lr=0.1, centered=True)", "T.optim.AdamW({}, lr=0.1, maximize=True)",
]  # fmt: skip
