"""Rows of linear layers and matrix products."""

from __future__ import annotations

import numpy as np

import cygrad as cg
from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import Bad, Row, Sample

# (rows, columns, inner): every size around a tile of 6 × 16 or 14 × 32 stands in every place.
SIZES = [
    (1, 1, 1), (1, 16, 5), (5, 17, 6), (6, 15, 13), (13, 1, 14), (14, 33, 15), (15, 5, 16), (16, 31, 17), (17, 6, 31),
    (31, 13, 33), (33, 14, 1), (300, 257, 5), (5, 300, 257), (257, 6, 300), (3, 4, 0), (3, 0, 4), (0, 4, 3),
]  # fmt: skip
LOOSE = {"rtol": {np.float32: 2e-5, np.float64: 1e-11}, "atol": {np.float32: 2e-5, np.float64: 1e-12}}


def uniform(rng, dtype, *shape):
    return rng.uniform(-1, 1, shape).astype(dtype)


def linear_samples(rng, dtype):
    for m, n, k in SIZES:
        yield Sample(uniform(rng, dtype, m, k), uniform(rng, dtype, n, k), uniform(rng, dtype, n))
    for front in [(), (2, 3), (2, 0, 3), (2, 3, 4)]:
        yield Sample(uniform(rng, dtype, *front, 7), uniform(rng, dtype, 5, 7), uniform(rng, dtype, 5))
        yield Sample(uniform(rng, dtype, *front, 7), uniform(rng, dtype, 5, 7))
    yield Sample(uniform(rng, dtype, 4, 6), uniform(rng, dtype, 6, 5).T, None)


def ensemble_linear_samples(rng, dtype):
    for members, (m, n, k) in zip([1, 2, 3] * 6, SIZES):
        inputs = uniform(rng, dtype, m, k) if members == 2 else uniform(rng, dtype, members, m, k)
        yield Sample(inputs, uniform(rng, dtype, members, n, k), uniform(rng, dtype, members, n))
    yield Sample(uniform(rng, dtype, 4, 6), uniform(rng, dtype, 3, 6, 5).swapaxes(1, 2))
    yield Sample(uniform(rng, dtype, 2, 4, 6), uniform(rng, dtype, 2, 6, 5).swapaxes(1, 2), None)


def vmapped_linear(torch):
    """What the op is in PyTorch: vmap of a linear layer."""

    def linear(x, weight, bias=None):
        shared = None if x.ndim == 2 else 0
        if bias is None:
            return torch.func.vmap(torch.nn.functional.linear, (shared, 0))(x, weight)
        return torch.func.vmap(torch.nn.functional.linear, (shared, 0, 0))(x, weight, bias)

    return linear


def matmul_samples(rng, dtype):
    for m, n, k in SIZES:
        yield Sample(uniform(rng, dtype, m, k), uniform(rng, dtype, k, n))
        yield Sample(uniform(rng, dtype, k, m).T, uniform(rng, dtype, n, k).T)
    lefts = [(4,), (3, 4), (2, 3, 4), (1, 3, 4), (5, 2, 3, 4), (5, 1, 3, 4)]
    rights = [(4,), (4, 6), (2, 4, 6), (1, 4, 6), (5, 2, 4, 6), (1, 2, 4, 6), (5, 1, 4, 6)]
    for left in lefts:
        for right in rights:
            yield Sample(uniform(rng, dtype, *left), uniform(rng, dtype, *right))
    yield Sample(uniform(rng, dtype, 0, 3, 4), uniform(rng, dtype, 4, 2))
    yield Sample(uniform(rng, dtype, 2, 3, 0), uniform(rng, dtype, 2, 0, 2))
    # Batches that do not lie evenly: axes swapped, and broadcast between two that are not.
    yield Sample(uniform(rng, dtype, 3, 2, 4, 5).swapaxes(0, 1), uniform(rng, dtype, 2, 3, 5, 4))
    yield Sample(uniform(rng, dtype, 2, 1, 3, 4, 5), uniform(rng, dtype, 2, 6, 1, 5, 2))
    yield Sample(uniform(rng, dtype, 4, 2, 3).transpose(1, 2, 0), uniform(rng, dtype, 5, 2, 4).transpose(1, 2, 0))
    yield Sample(np.broadcast_to(uniform(rng, dtype, 4), (3, 4)), uniform(rng, dtype, 4, 5))


def einsum_samples(rng, dtype):
    size = {"b": 3, "i": 4, "j": 5, "k": 2, "l": 6, "m": 1}
    for equation in [
        "ij,jk->ik", "ij,jk", "ij,kj->ik", "bij,bjk->bik", "bij,jk->bik", "i,i->", "i,j->ij", "ij->ji", "ij->", "ij->j",
        "ij", "ji", "ii->i", "ii", "bii->b", "ij,ij->ij", "ij,ij->", "ij,ij->i", "ij,j->i", "ijk,il,jl->kl", "bi,bj,bk->bijk",
        "bij,bkj,bl->bikl", "im,mj->ij", "i,ij,j->", "bij->jbi", "bji,bjk->ik", " i j , j k -> i k ",
    ]:  # fmt: skip
        terms = equation.replace(" ", "").split("->")[0].split(",")
        yield Sample(equation, *[uniform(rng, dtype, *[size[c] for c in term]) for term in terms])
    yield Sample("...ij,...jk->...ik", uniform(rng, dtype, 2, 3, 4, 5), uniform(rng, dtype, 3, 5, 2))
    yield Sample("...i,...i->...", uniform(rng, dtype, 2, 3, 4), uniform(rng, dtype, 4))
    yield Sample("i...->...i", uniform(rng, dtype, 2, 3, 4))
    yield Sample("...ij->...", uniform(rng, dtype, 2, 3, 4))
    yield Sample("ij,jk->ik", uniform(rng, dtype, 3, 0), uniform(rng, dtype, 0, 2))
    yield Sample("ij,jk->ik", uniform(rng, dtype, 3, 1), uniform(rng, dtype, 4, 2))


def einsum_reference(equation, *operands):
    return np.asarray(np.einsum(equation, *[x.astype(np.float64) for x in operands]), operands[0].dtype)


def matmul_reference(x, y):
    return np.asarray(np.matmul(x.astype(np.float64), y.astype(np.float64)), x.dtype)


def bad(function, *args, error=ValueError, match=""):
    """A bad call, on tensors of ones where an argument is a shape, or (dtype, *shape)."""

    def ones(a):
        named = isinstance(a, tuple) and a and isinstance(a[0], str)
        return cg.ones(a[1:], dtype=getattr(cg, a[0])) if named else cg.ones(a) if isinstance(a, tuple) else a

    return Bad(lambda cg: function(*map(ones, args)), error, match)


ROWS = [
    Row(
        "linear",
        F.linear,
        linear_samples,
        torch=lambda torch: torch.nn.functional.linear,
        reference=reference.linear,
        kernels=("gemm", "sum"),
        **LOOSE,
        bad=(
            bad(F.linear, (2, 3), (4, 5), match=r"linear: input has shape \(2, 3\), but weight has \(4, 5\)"),
            bad(F.linear, (2, 3), (3,), match=r"linear: input has shape \(2, 3\), but weight has \(3,\)"),
            bad(F.linear, (), (4, 5), match=r"linear: input has shape \(\), but weight has \(4, 5\)"),
            bad(F.linear, (2, 3), (4, 3), (3,), match=r"linear: bias has shape \(3,\), but weight has \(4, 3\)"),
            bad(F.linear, (2, 3), ("float64", 4, 3), error=TypeError, match="linear: weight is float64, but input is float32"),
            bad(F.linear, (2, 3), (4, 3), ("float64", 4), error=TypeError, match="linear: bias is float64, but input is"),
            bad(F.linear, ("int64", 2, 3), (4, 3), error=TypeError, match="linear: input must be float32 or float64, got int64"),
        ),
    ),
    Row(
        "ensemble_linear",
        F.ensemble_linear,
        ensemble_linear_samples,
        torch=vmapped_linear,
        reference=reference.ensemble_linear,
        kernels=("gemm", "sum"),
        **LOOSE,
        bad=(
            bad(F.ensemble_linear, (2, 3), (4, 3), match=r"weight must have shape \(members, outputs, inputs\), got \(4, 3\)"),
            bad(F.ensemble_linear, (2, 4), (2, 4, 3), match=r"input has shape \(2, 4\), but weight has \(2, 4, 3\)"),
            bad(F.ensemble_linear, (3,), (2, 4, 3), match=r"input has shape \(3,\), but weight has \(2, 4, 3\)"),
            bad(F.ensemble_linear, (3, 5, 3), (2, 4, 3), match=r"input has shape \(3, 5, 3\), but weight has"),
            bad(F.ensemble_linear, (5, 3), (2, 4, 3), (4,), match=r"bias has shape \(4,\), but weight has \(2, 4, 3\)"),
            bad(F.ensemble_linear, (5, 3), ("float64", 2, 4, 3), error=TypeError, match="weight is float64, but input is"),
        ),
    ),
    Row(
        "matmul",
        cg.matmul,
        matmul_samples,
        torch=lambda torch: torch.matmul,
        reference=matmul_reference,
        kernels=("gemm",),
        **LOOSE,
        bad=(
            bad(cg.matmul, (2, 3), (4, 5), match=r"matmul: shapes \(2, 3\) and \(4, 5\) do not fit"),
            bad(cg.matmul, (3,), (4,), match=r"matmul: shapes \(3,\) and \(4,\) do not fit"),
            bad(cg.matmul, (2, 3, 4), (3, 4, 5), match=r"matmul: the batches of shapes \(2, 3, 4\) and \(3, 4, 5\) do not"),
            bad(cg.matmul, (), (3,), error=RuntimeError, match=r"matmul: operands need at least 1 dimension, got shapes \(\)"),
            bad(cg.matmul, (2, 3), ("float64", 3, 2), error=RuntimeError, match="matmul: input is float32, but other is float64"),
            bad(cg.matmul, (2, 3), 3.0, error=TypeError, match="matmul: both operands must be tensors, got ndarray and float"),
        ),
    ),
    Row(
        "einsum",
        cg.einsum,
        einsum_samples,
        torch=lambda torch: torch.einsum,
        reference=einsum_reference,
        kernels=("gemm",),
        **LOOSE,
        bad=(
            bad(cg.einsum, "ij,jk->ik", (2, 3), match="einsum: 'ij,jk->ik' names 2 operands, got 1"),
            bad(cg.einsum, "ijk->k", (2, 3), match=r"einsum: term 'ijk' does not fit shape \(2, 3\)"),
            bad(cg.einsum, "i->i", (2, 3), match=r"einsum: term 'i' does not fit shape \(2, 3\)"),
            bad(cg.einsum, "ij->k", (2, 3), match="einsum: the result 'k' must consist of letters of the operands, each once"),
            bad(cg.einsum, "ij->ii", (2, 3), match="einsum: the result 'ii' must consist of letters of the operands, each once"),
            bad(cg.einsum, "i1->i", (2, 3), match="einsum: a term consists of letters and an ellipsis, got 'i1'"),
            bad(cg.einsum, "ij,jk->ik", (2, 3), (4, 5), match="einsum: j has size 3 in one operand and 4 in another"),
        ),
    ),
]  # fmt: skip
