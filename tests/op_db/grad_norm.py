"""Rows of clipping: on copies of the gradients, which come back clipped, behind the norm."""

from __future__ import annotations

import math

import numpy as np

import cygrad as cg
from cygrad.nn import utils
from tests import reference
from tests.op_db.row import Bad, Row, Sample

SHAPES = [(1,), (), (3, 5), (4095,), (0,), (4097,), (2, 3, 4), (1, 4096), (300, 7)]


def with_gradients(tensors):
    """Parameters like the tensors, whose gradients are copies of them."""
    result = [t.detach().clone() for t in tensors]
    for p, t in zip(result, tensors):
        p.grad = t.detach().clone()
    return result


def clip_norm(clip):
    def call(gradients, max_norm, norm_type):
        params = with_gradients(gradients)
        return clip(params, max_norm, norm_type), [p.grad for p in params]

    return call


def clip_value(clip):
    def call(gradients, limit):
        params = with_gradients(gradients)
        clip(params, limit)
        return [p.grad for p in params]

    return call


def clip_adaptive(gradients, weights, *options):
    params = with_gradients(gradients)
    for p, w in zip(params, weights):
        p.data.copy_(w.detach())
    return utils.clip_grad_adaptive_(params, *options), [p.grad for p in params]


def on_copies(function):
    """A reference that writes in place, on copies: its result, if it has one, and the arrays."""

    def call(gradients, *args):
        copies = [g.copy() for g in gradients]
        result = function(copies, *args)
        return copies if result is None else (result, copies)

    return call


def arrays(rng, dtype, shapes, scale=1.0):
    return [np.asarray(scale * rng.uniform(0.1, 1, s) * rng.choice([-1, 1], s), dtype) for s in shapes]


def norm_samples(rng, dtype):
    for p in (1, 2, 3, 2.5, math.inf, -math.inf):
        shapes = [s for s in SHAPES if s != (0,) or math.isfinite(p)]  # no numbers have no extreme in PyTorch
        for max_norm in (0.05, 0.7, 1e6):
            yield Sample(arrays(rng, dtype, shapes), max_norm, p)
    yield Sample([np.zeros((3, 2), dtype)], 1.0, 2)
    yield Sample([np.array([1.0, -math.inf], dtype), np.ones(3, dtype)], 1.0, 2)
    yield Sample([np.array([1.0, math.nan], dtype), np.ones(3, dtype)], 1.0, math.inf)
    yield Sample([np.zeros(70, dtype), np.ones(3, dtype)], 1.0, 3)


def value_samples(rng, dtype):
    for limit in (0.5, 0.0, 10.0):
        yield Sample(arrays(rng, dtype, SHAPES), limit)
    yield Sample([np.array([math.nan, math.inf, -math.inf], dtype)], 0.5)


def adaptive_samples(rng, dtype):
    for unitwise in (True, False):
        for clipping, floor, scale in [
            (0.01, 1e-3, 1),
            (0.3, 1e-3, 1),
            (0.1, 5.0, 1),
            (0.5, 1e-3, 0.1),
            (10.0, 0.0, 1),
        ]:
            yield Sample(arrays(rng, dtype, SHAPES), arrays(rng, dtype, SHAPES, scale), clipping, floor, unitwise)
    yield Sample([np.ones((2, 3), dtype)], [np.zeros((2, 3), dtype)], 0.01, 1e-3, True)


def bad(clip, gradients, *args, error=ValueError, match=""):
    def call(cg):
        params = [cg.zeros(g.shape, dtype=g.dtype) for g in gradients]
        for p, g in zip(params, gradients):
            p.grad = g
        before = [g.tolist() for g in gradients]
        try:
            clip(params, *args)
        finally:
            assert [p.grad.tolist() for p in params] == before, "an error changes nothing"

    return Bad(call, error, match)


ROWS = [
    Row(
        "clip_grad_norm",
        clip_norm(utils.clip_grad_norm_),
        norm_samples,
        torch=lambda torch: clip_norm(torch.nn.utils.clip_grad_norm_),
        reference=on_copies(reference.clip_grad_norm),
        kernels=("grad_norm_blocks", "grad_norm", "scale_all"),
        differentiable=False,
        in_place=True,
        bad=(
            bad(utils.clip_grad_norm_, [cg.ones(2)], 1.0, 0, match="clip_grad_norm_: norm_type must not be 0"),
            bad(utils.clip_grad_norm_, [cg.tensor([1.0, math.inf])], 1.0, 2.0, True, error=RuntimeError,
                match="clip_grad_norm_: the norm of order 2.0 is inf, so the gradients can't be clipped"),
            bad(utils.clip_grad_norm_, [cg.ones(2), cg.ones(2, dtype=cg.float64)], 1.0, error=TypeError,
                match="clip_grad_norm_: all arrays must have one dtype, got float64 after others"),
        ),
    ),
    Row(
        "clip_grad_value",
        clip_value(utils.clip_grad_value_),
        value_samples,
        torch=lambda torch: clip_value(torch.nn.utils.clip_grad_value_),
        reference=on_copies(reference.clip_grad_value),
        kernels=("clip_value",),
        differentiable=False,
        in_place=True,
    ),
    Row(
        "clip_grad_adaptive",
        clip_adaptive,
        adaptive_samples,
        reference=on_copies(reference.clip_grad_adaptive),
        kernels=("clip_adaptive", "grad_norm_blocks", "grad_norm"),
        differentiable=False,
        in_place=True,
        bad=(
            bad(utils.clip_grad_adaptive_, [cg.ones(2)], 0.0, match="clip_grad_adaptive_: clipping must be positive and eps"),
            bad(utils.clip_grad_adaptive_, [cg.ones(2)], 0.1, -1.0, match="clip_grad_adaptive_: clipping must be positive"),
        ),
    ),
]  # fmt: skip
