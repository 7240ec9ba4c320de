"""einsum: sums of products, as batched matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cygrad._typing import Tensor
from cygrad.autograd import Value


def einsum(equation: str, *operands: Tensor | Sequence[Tensor]) -> Tensor:
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

    product = matrices(x, x_letters, batch, rows, inner, sizes) @ matrices(y, y_letters, batch, inner, cols, sizes)
    letters = [*batch, *rows, *cols]
    return product.reshape([sizes[c] for c in letters]), letters


def matrices(
    x: Any, letters: list[str], batch: list[str], rows: list[str], cols: list[str], sizes: dict[str, int]
) -> Any:
    """An operand as matrices (*batch, rows, cols): the letters of a group become one axis."""
    ordered = x.permute([letters.index(c) for c in (*batch, *rows, *cols)])
    areas = [math.prod([sizes[c] for c in group]) for group in (rows, cols)]
    return ordered.reshape([*(sizes[c] for c in batch), *areas])
