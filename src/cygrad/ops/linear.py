"""Linear layers and matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, Value, op
from cygrad.ops.broadcast import summed_to


@op
def linear(ctx: Node, input: Array, weight: Array, bias: Array | None = None) -> Array:
    """y = x·Wᵀ + b for x of shape (…, in), W (out, in), b (out); y has shape (…, out).

    Raises ValueError where the shapes do not fit, TypeError where the dtypes differ.

    >>> cg.nn.functional.linear(cg.tensor([[1.0, 2.0]]), cg.tensor([[3.0, 4.0]]), cg.tensor([0.5]))
    tensor([[11.5000]])
    """
    ctx.save(input if ctx.needs[1] else None, weight)
    return kernels.linear(input, weight, bias)


@linear.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx = dy·W, dW = dyᵀ·x, db = Σ dy"""
    x, weight = ctx.saved
    want_x, want_weight, want_bias = ctx.needs
    return kernels.linear_backward(dy, x, weight, want_x, want_weight, want_bias)


@op
def matmul(ctx: Node, input: Array, other: Array) -> Array:
    """The matrix product of the last two axes, those in front broadcast; a 1-D operand is a row on the left, a column
    on the right, and its axis is dropped from the result. As NumPy's and PyTorch's.

    >>> cg.matmul(cg.ones(2, 3), cg.ones(3))
    tensor([3., 3.])
    """
    if not (isinstance(input, np.ndarray) and isinstance(other, np.ndarray)):
        raise TypeError(f"matmul: both operands must be tensors, got {type(input).__name__} and {type(other).__name__}")
    dtype, needs = input.dtype, ctx.needs
    if dtype != other.dtype:
        raise RuntimeError(f"matmul: input is {dtype}, but other is {other.dtype}")
    if needs[0] or needs[1]:
        ctx.save(input if needs[1] else None, other if needs[0] else None, input.shape, other.shape)
    if input.ndim == other.ndim == 2 and dtype.kind == "f":
        return kernels.matmul(input, other)
    if not input.ndim or not other.ndim:
        raise RuntimeError(f"matmul: operands need at least 1 dimension, got shapes {input.shape} and {other.shape}")
    if dtype.kind in "biu":
        return np.asarray(np.matmul(input, other))
    if input.shape[-1] != other.shape[-2 if other.ndim > 1 else 0]:
        raise ValueError(f"matmul: shapes {input.shape} and {other.shape} do not fit")
    x = input[None] if input.ndim == 1 else input
    y = other[:, None] if other.ndim == 1 else other
    product = kernels.matmul(x, y)
    if input.ndim == 1 or other.ndim == 1:
        rows = x.shape[-2:-1] if input.ndim > 1 else ()
        cols = y.shape[-1:] if other.ndim > 1 else ()
        return product.reshape(product.shape[:-2] + rows + cols)
    return product


@matmul.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dA = dC·Bᵀ, dB = Aᵀ·dC, summed over what was broadcast"""
    x, y, x_shape, y_shape = ctx.saved
    g = np.expand_dims(dy, -1) if len(y_shape) == 1 else dy
    g = np.expand_dims(g, -2) if len(x_shape) == 1 else g
    dx = d_other = None
    if ctx.needs[0]:
        matrix = y[:, None] if y.ndim == 1 else y
        rows = (1, *x_shape) if len(x_shape) == 1 else x_shape
        dx = summed_to(kernels.matmul(g, matrix.swapaxes(-1, -2)), rows).reshape(x_shape)
    if ctx.needs[1]:
        matrix = x[None] if x.ndim == 1 else x
        columns = (*y_shape, 1) if len(y_shape) == 1 else y_shape
        d_other = summed_to(kernels.matmul(matrix.swapaxes(-1, -2), g), columns).reshape(y_shape)
    return dx, d_other


def einsum(equation: str, *operands: Any) -> Any:
    """Σ of products over the letters that the result does not name, as NumPy's and PyTorch's: "bij,bjk->bik".

    Each pair of operands becomes one batched matrix product.

    >>> cg.einsum("ij,kj->ik", cg.ones(2, 3), cg.ones(4, 3)).shape
    (2, 4)
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or not operands or not all([isinstance(x, Value) for x in operands]):
        got = ", ".join([type(x).__name__ for x in (equation, *operands)])
        raise TypeError(f"einsum: an equation and tensors are needed, got {got}")
    terms, output = parse_einsum(equation, operands)
    result, letters = operands[0], terms[0]
    result, letters = without_repeats(result, letters)
    for number in range(1, len(operands)):
        other, other_letters = without_repeats(operands[number], terms[number])
        rest = set(output).union(*terms[number + 1 :])
        result, letters = contract(result, letters, other, other_letters, rest)
    result, letters = summed_out(result, letters, set(output))
    return result.permute([letters.index(c) for c in output]) if letters != output else result


def parse_einsum(equation: str, operands: tuple[Any, ...]) -> tuple[list[list[str]], list[str]]:
    """The letters of each operand and of the result; the axes of … get names of their own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum: {equation!r} names {len(terms)} operands, got {len(operands)}")
    wide = max([x.ndim - len(t.replace("...", "")) for t, x in zip(terms, operands) if "..." in t], default=0)
    names = [f"…{i}" for i in range(wide)]
    letters = []
    for term, x in zip(terms, operands):
        own = x.ndim - len(term.replace("...", ""))
        if own < 0 or (own and "..." not in term):
            raise ValueError(f"einsum: term {term!r} does not fit shape {tuple(x.shape)}")
        letters.append(spelled("einsum", term, names[wide - own :]))
    flat = [c for term in letters for c in term]
    if arrow:
        output = spelled("einsum", right, names if "..." in right else [])
        if len(set(output)) != len(output) or not set(output) <= set(flat):
            raise ValueError(f"einsum: the result {right!r} must name letters of the operands, each once")
    else:
        output = names + sorted([c for c in set(flat) if flat.count(c) == 1 and c not in names])
    check_sizes(letters, operands)
    return letters, output


def spelled(name: str, term: str, dots: list[str]) -> list[str]:
    """The letters of a term, … written out."""
    before, found, behind = term.partition("...")
    if not (before + behind).isalpha() and before + behind:
        raise ValueError(f"{name}: a term is made of letters and …, got {term!r}")
    return [*before, *(dots if found else []), *behind]


def check_sizes(terms: list[list[str]], operands: tuple[Any, ...]) -> None:
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands):
        for letter, n in zip(term, x.shape):
            if sizes.setdefault(letter, n) != n and 1 not in (n, sizes[letter]):
                raise ValueError(f"einsum: {letter} has size {sizes[letter]} in one operand and {n} in another")
            sizes[letter] = max(n, sizes[letter]) if n != 0 else 0


def without_repeats(x: Any, letters: list[str]) -> tuple[Any, list[str]]:
    """A letter that stands twice in one term means the diagonal."""
    for letter in [c for i, c in enumerate(letters) if c in letters[:i]]:
        first, second = letters.index(letter), len(letters) - 1 - letters[::-1].index(letter)
        x = x.diagonal(0, first, second)
        letters = [c for i, c in enumerate(letters) if i not in (first, second)] + [letter]
    return x, letters


def summed_out(x: Any, letters: list[str], needed: set[str]) -> tuple[Any, list[str]]:
    """Without the axes that nobody needs any more."""
    axes = [i for i, c in enumerate(letters) if c not in needed]
    return (x.sum(axes), [c for c in letters if c in needed]) if axes else (x, letters)


def contract(x: Any, x_letters: list[str], y: Any, y_letters: list[str], needed: set[str]) -> tuple[Any, list[str]]:
    """Two operands as one matrix product: batch letters in both and needed, summed letters in both and not needed."""
    x, x_letters = summed_out(x, x_letters, needed | set(y_letters))
    y, y_letters = summed_out(y, y_letters, needed | set(x_letters))
    shared = [c for c in x_letters if c in y_letters]
    batch = [c for c in shared if c in needed]
    inner = [c for c in shared if c not in needed]
    rows = [c for c in x_letters if c not in shared]
    cols = [c for c in y_letters if c not in shared]
    sizes = dict(zip(y_letters, y.shape))
    sizes.update({c: n for c, n in zip(x_letters, x.shape) if n != 1 or c not in sizes})
    if inner or batch:  # a size of 1 is broadcast
        x = x.expand([sizes[c] if c in shared else n for c, n in zip(x_letters, x.shape)])
        y = y.expand([sizes[c] if c in shared else n for c, n in zip(y_letters, y.shape)])

    def matrix(t: Any, letters: list[str], order: list[list[str]]) -> Any:
        moved = t.permute([letters.index(c) for group in order for c in group])
        shape = [sizes[c] for c in order[0]]
        for group in order[1:]:
            n = 1
            for c in group:
                n *= sizes[c]
            shape.append(n)
        return moved.reshape(shape)

    product = matrix(x, x_letters, [batch, rows, inner]) @ matrix(y, y_letters, [batch, inner, cols])
    letters = [*batch, *rows, *cols]
    return product.reshape([sizes[c] for c in letters]), letters
