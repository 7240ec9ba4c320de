"""einsum: sums of products, computed as batched matrix products."""

from __future__ import annotations

import math
from typing import Any

from cygrad._attributes import ShapeError
from cygrad._typing import Tensor
from cygrad.autograd import Value

__all__ = ["einsum"]


def einsum(equation: str | Tensor, *operands: Any) -> Tensor:
    """Sum products over named indices, as NumPy's and PyTorch's einsum.

    Each pair of operands becomes one batched matrix product.

    Args:
        equation: a term of letters per operand, separated by commas, then "->" and the letters of the result, as in
            "bij,bjk->bik". Letters that the result lacks are summed over; "..." stands for further dimensions. Without
            "->" the result has, in alphabetical order, the letters that occur once.
        operands: tensors, or one list of tensors. Or, without an equation, tensors that each precede a list of numbers
            in place of letters, and perhaps a last list for the result.

    Raises:
        TypeError: if an operand is not a tensor.
        ValueError: if the equation does not fit the operands.

    >>> cg.einsum("ij,kj->ik", cg.ones(2, 3), cg.ones(4, 3)).shape
    (2, 4)
    """
    if isinstance(equation, Value):
        equation, operands = from_sublists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or not operands or not all([isinstance(x, Value) for x in operands]):
        got = ", ".join([type(x).__name__ for x in (equation, *operands)])
        raise TypeError(f"einsum: expected an equation and tensors, got {got}")
    terms, output = parse_einsum(equation, operands)
    result, letters = operands[0], terms[0]
    result, letters = take_diagonals(result, letters)
    for number in range(1, len(operands)):
        other, other_letters = take_diagonals(operands[number], terms[number])
        rest = set(output).union(*terms[number + 1 :])
        result, letters = contract(result, letters, other, other_letters, rest)
    result, letters = sum_out(result, letters, set(output))
    return result.permute([letters.index(c) for c in output]) if letters != output else result


def from_sublists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands of a call with lists of numbers."""
    from string import ascii_letters as letters  # slow to import and seldom needed

    terms = ["".join(["..." if n is Ellipsis else letters[n] for n in numbers]) for numbers in args[1::2]]
    if len(args) % 2:
        terms.append("".join(["..." if n is Ellipsis else letters[n] for n in args[-1]]))
        return f"{','.join(terms[:-1])}->{terms[-1]}", args[:-1:2]
    return ",".join(terms), args[::2]


def parse_einsum(equation: str, operands: tuple[Any, ...]) -> tuple[list[list[str]], list[str]]:
    """The letters of each operand and of the result; the dimensions of an ellipsis get names of their own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum: {equation!r} names {len(terms)} operands, got {len(operands)}")
    wide = max([x.ndim - len(t.replace("...", "")) for t, x in zip(terms, operands) if "..." in t], default=0)
    names = [f"…{i}" for i in range(wide)]
    letters = []
    for term, x in zip(terms, operands):
        extra = x.ndim - len(term.replace("...", ""))
        if extra < 0 or (extra and "..." not in term):
            raise ShapeError(f"einsum: term {term!r} does not fit shape {tuple(x.shape)}")
        letters.append(expand_ellipsis("einsum", term, names[wide - extra :]))
    flat = [c for term in letters for c in term]
    if arrow:
        output = expand_ellipsis("einsum", right, names if "..." in right else [])
        if len(set(output)) != len(output) or not set(output) <= set(flat):
            raise ValueError(f"einsum: the result {right!r} must consist of letters of the operands, each once")
    else:
        output = names + sorted([c for c in set(flat) if flat.count(c) == 1 and c not in names])
    check_sizes(letters, operands)
    return letters, output


def expand_ellipsis(name: str, term: str, dots: list[str]) -> list[str]:
    """The letters of a term, with its ellipsis expanded."""
    before, ellipsis, after = term.partition("...")
    if not (before + after).isalpha() and before + after:
        raise ValueError(f"{name}: a term consists of letters and an ellipsis, got {term!r}")
    return [*before, *(dots if ellipsis else []), *after]


def check_sizes(terms: list[list[str]], operands: tuple[Any, ...]) -> None:
    """Raise if a letter has different sizes."""
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands):
        for letter, n in zip(term, x.shape):
            if sizes.setdefault(letter, n) != n and 1 not in (n, sizes[letter]):
                raise ShapeError(f"einsum: {letter} has size {sizes[letter]} in one operand and {n} in another")
            sizes[letter] = max(n, sizes[letter]) if n != 0 else 0


def take_diagonals(x: Any, letters: list[str]) -> tuple[Any, list[str]]:
    """Replace a letter that occurs twice in one term by the diagonal."""
    for letter in [c for i, c in enumerate(letters) if c in letters[:i]]:
        first, second = letters.index(letter), len(letters) - 1 - letters[::-1].index(letter)
        x = x.diagonal(0, first, second)
        letters = [c for i, c in enumerate(letters) if i not in (first, second)] + [letter]
    return x, letters


def sum_out(x: Any, letters: list[str], needed: set[str]) -> tuple[Any, list[str]]:
    """Sum over the dimensions that nothing needs anymore."""
    axes = [i for i, c in enumerate(letters) if c not in needed]
    return (x.sum(axes), [c for c in letters if c in needed]) if axes else (x, letters)


def contract(x: Any, x_letters: list[str], y: Any, y_letters: list[str], needed: set[str]) -> tuple[Any, list[str]]:
    """Two operands as one matrix product: letters in both are batch letters if needed, else inner ones."""
    x, x_letters = sum_out(x, x_letters, needed | set(y_letters))
    y, y_letters = sum_out(y, y_letters, needed | set(x_letters))
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
    """An operand as matrices (*batch, rows, columns): the letters of a group become one dimension."""
    ordered = x.permute([letters.index(c) for c in (*batch, *rows, *cols)])
    areas = [math.prod([sizes[c] for c in group]) for group in (rows, cols)]
    return ordered.reshape([*(sizes[c] for c in batch), *areas])
