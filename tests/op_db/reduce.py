"""Rows of sums, extremes and other numbers that stand for many."""

from __future__ import annotations

import numpy as np

from cygrad.ops.axes import checked_axes, kept_shape, made_adjacent
from tests import reference
from tests.op_db.row import Bad, Sample
from tests.op_db.samples import distinct, positive, same, signed

SHAPE = (3, 4, 5)
DIMS = [None, 0, 1, -1, (0, 1), (1, 2), (0, 2), (-1, 0), (0, 1, 2)]
LOOSE = {"rtol": {np.float32: 2e-4, np.float64: 1e-10}, "atol": {np.float32: 2e-5, np.float64: 1e-11}}
OUT_OF_RANGE = r"dim 3 is out of range for a tensor of 2 dimensions"


def over_axes(draw=signed, several=True, empty=True, large=True, scalar=True):
    """Every dim, with and without keepdim; sizes around blocks; no dimensions, nothing at all."""

    def samples(rng, dtype):
        for dim in DIMS:
            if several or not isinstance(dim, tuple):
                for keepdim in (False, True):
                    if dim is not None or several:
                        yield Sample(draw(rng, SHAPE, dtype), dim=dim, keepdim=keepdim)
        if scalar:
            yield Sample(draw(rng, (), dtype), dim=0)
        if large:
            for shape, dim in [
                ((70001,), 0),
                ((2, 4097), 1),
                ((4097, 2), 0),
                ((3, 65, 300), 1),
                ((300, 65), -1),
                ((9, 63), 1),
            ]:
                yield Sample(draw(rng, shape, dtype), dim=dim)
        if empty:
            yield Sample(draw(rng, (0, 3), dtype), dim=0)
            yield Sample(draw(rng, (3, 0), dtype), dim=0)

    return samples


def call(name):
    def run(library, x, dim=None, **options):
        function = getattr(library, name)
        return function(x, dim=dim, **options) if dim is not None or options.get("keepdim") else function(x)

    return run


def by_axes(kernel, scaled=False):
    """The reference of a kernel that takes adjacent axes, for any dim."""

    def function(x, dim=None, keepdim=False):
        axes = checked_axes("", dim, x.ndim)
        moved, first, last = made_adjacent(x, axes)
        count = np.prod([x.shape[a] for a in axes])
        with np.errstate(all="ignore"):
            y = kernel(moved, first, last, np.divide(1, count)) if scaled else kernel(moved, first, last)
        return y.reshape(kept_shape(x.shape, axes)) if keepdim else y

    return function


def bad_dim(name):
    return (Bad(lambda cg: getattr(cg, name)(cg.ones(2, 2), dim=3), IndexError, f"{name}: {OUT_OF_RANGE}"),)


def norms(rng, dtype):
    for p in (1, 2, 3, 0.5, float("inf"), -float("inf"), 0):
        for dim in (None, 1, (0, 2)):
            yield Sample(distinct(rng, SHAPE, dtype), p=p, dim=dim)


def with_zeros(rng, dtype):
    """A zero in a line, two in a line, none."""
    for zeros in ((), ((0, 1),), ((0, 1), (0, 2))):
        x = signed(rng, (3, 4), dtype)
        for place in zeros:
            x[place] = 0
        for dim in (0, 1):
            yield Sample(x, dim=dim)


def lines(draw=signed):
    def samples(rng, dtype):
        for dim in (0, 1, -1):
            yield Sample(draw(rng, (3, 4), dtype), dim=dim)
        yield Sample(draw(rng, (), dtype), dim=0)

    return samples


def whole_axes(rng, dtype):
    for dim in (None, (0,), (0, 2)):
        yield Sample(distinct(rng, SHAPE, dtype), dim=dim)


ROWS = [
    same("sum", call("sum"), over_axes(), reference=by_axes(reference.sum_axes), kernels=("sum", "sum_blocks"), bad=bad_dim("sum"), **LOOSE),
    same("mean", call("mean"), over_axes(empty=False), reference=by_axes(reference.sum_axes, True), kernels=("sum", "sum_blocks"),
         bad=(*bad_dim("mean"), Bad(lambda cg: cg.mean(cg.tensor([1])), RuntimeError, "mean: input must hold floats, got int64")), **LOOSE),
    same("amax", call("amax"), over_axes(distinct, empty=False), reference=by_axes(reference.max_axes), kernels=("max",),
         bad=(*bad_dim("amax"), Bad(lambda cg: cg.amax(cg.ones(0)), ValueError, "which has no elements"))),
    same("amin", call("amin"), over_axes(distinct, empty=False), reference=by_axes(reference.min_axes), kernels=("min",), bad=bad_dim("amin")),
    same("prod", call("prod"), over_axes(positive, several=False, large=False), bad=bad_dim("prod"), **LOOSE),
    same("prod_of_zeros", call("prod"), with_zeros),
    same("var", call("var"), over_axes(large=False, empty=False, scalar=False), bad=bad_dim("var"), **LOOSE),
    same("std", call("std"), over_axes(large=False, empty=False, scalar=False), bad=bad_dim("std"), **LOOSE),
    same("var_biased", lambda library, x: library.var(x, dim=1, correction=0), lambda rng, dtype: iter([Sample(signed(rng, SHAPE, dtype))]), **LOOSE),
    same("var_mean", lambda library, x: library.var_mean(x, dim=1), lambda rng, dtype: iter([Sample(signed(rng, SHAPE, dtype))]), **LOOSE),
    same("norm", lambda library, x, p, dim: library.norm(x, p, dim), norms, **LOOSE),
    same("logsumexp", call("logsumexp"), lambda rng, dtype: (s for s in over_axes(large=False, empty=False)(rng, dtype) if s.kwargs["dim"] is not None), **LOOSE),
    same("cumsum", lambda library, x, dim: library.cumsum(x, dim), lines(), bad=bad_dim("cumsum")),
    same("cumprod", lambda library, x, dim: library.cumprod(x, dim), lines()),
    same("cumprod_of_zeros", lambda library, x, dim: library.cumprod(x, dim), with_zeros),
    same("max_along", lambda library, x, dim: tuple(library.max(x, dim)), lines(distinct)),
    same("min_along", lambda library, x, dim: tuple(library.min(x, dim, keepdim=True)), lines(distinct)),
    same("max_of_all", lambda library, x: library.max(x), lambda rng, dtype: iter([Sample(distinct(rng, SHAPE, dtype))])),
    *[same(name, lambda library, x, dim, name=name: getattr(library, name)(x, dim=dim), lines(distinct), differentiable=False) for name in ("argmax", "argmin")],
    *[same(name, lambda library, x, dim, name=name: getattr(library, name)(x > 0, dim=dim), lines(), differentiable=False) for name in ("all", "any")],
    same("argmax_of_all", lambda library, x: x.argmax(), lambda rng, dtype: iter([Sample(distinct(rng, SHAPE, dtype))]), differentiable=False,
         bad=(Bad(lambda cg: cg.ones(0).argmax(), IndexError, "argmax: cannot reduce an input of shape"),)),
    same("count_nonzero", lambda library, x: library.count_nonzero(x > 0, dim=1), lambda rng, dtype: iter([Sample(signed(rng, SHAPE, dtype))]), differentiable=False),
    same("sum_of_integers", lambda library, x: (x > 0).sum(1), lambda rng, dtype: iter([Sample(signed(rng, SHAPE, dtype))]), differentiable=False),
]  # fmt: skip
