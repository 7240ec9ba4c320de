"""Rows of the losses."""

from __future__ import annotations

import warnings

import numpy as np

import cygrad as cg
from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import EDGE_SIZES, Bad, Row, Sample

REDUCTIONS = ("mean", "sum", "none")
NUMBERS = {"none": 0, "mean": 1, "sum": 2}


# How a loss is called here, in PyTorch and in NumPy. Weights are constants: options given as tuples.


def with_weights(function, tensor):
    def call(input, target, **options):
        for name in ("weight", "pos_weight"):
            if options.get(name) is not None:
                options[name] = tensor(options[name], dtype=input.dtype)
        return function(input, target, **options)

    return call


def silent(function):
    """Without the warning that kl_div's mean is not the divergence."""

    def call(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return call


def row(name, function, samples, meaning, kernels, **columns):
    return Row(
        name,
        with_weights(function, cg.tensor),
        samples,
        torch=lambda torch: silent(with_weights(getattr(torch.nn.functional, function.__name__), torch.tensor)),
        reference=meaning,
        kernels=kernels,
        **columns,
    )


def pointwise(function, *default):
    """The reference of an elementwise loss; its parameter is beta or delta."""

    def meaning(x, t, reduction="mean", **parameter):
        return function(x, t, NUMBERS[reduction], *(parameter.values() or default))

    return meaning


def weighted(function):
    """The reference of a loss that is elementwise multiplied by a weight before the reduction."""

    def meaning(x, t, reduction="mean", weight=None, pos_weight=None):
        x, t, dtype = x.astype(np.float64), t.astype(np.float64), x.dtype
        losses = function(x, t, 0)
        if pos_weight is not None:
            losses = losses + (np.array(pos_weight) - 1) * t * function(x, np.ones_like(t), 0)
        losses = losses if weight is None else losses * np.array(weight)
        return np.asarray(losses if reduction == "none" else getattr(losses, reduction)(), dtype)

    return meaning


def kl_div_reference(x, t, reduction="mean", log_target=False):
    function = reference.kl_div_log if log_target else reference.kl_div
    if reduction == "batchmean":
        return np.asarray(function(x.astype(np.float64), t.astype(np.float64), 2) / len(x), x.dtype)
    return function(x, t, NUMBERS[reduction])


def rows_of(x):
    return np.moveaxis(x, min(1, x.ndim - 1), -1).reshape(-1, x.shape[min(1, x.ndim - 1)])


def of_classes(function, soft=None):
    """The reference of a loss of scores (N, C, …) or (C), from one of rows (rows, C)."""

    def meaning(x, t, weight=None, ignore_index=-100, reduction="mean", label_smoothing=None):
        w = None if weight is None else np.asarray(weight, x.dtype)
        smoothing = () if label_smoothing is None else (label_smoothing,)
        if t.dtype.kind == "f":
            loss = soft(rows_of(x), rows_of(t), w, *(smoothing or (0.0,)), NUMBERS[reduction])[0]
        else:
            if soft and not smoothing:
                smoothing = (0.0,)
            loss = function(rows_of(x), t.reshape(-1), w, ignore_index, *smoothing, NUMBERS[reduction])[0]
        return loss.reshape(x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()) if reduction == "none" else loss

    return meaning


# Samples


def pairs(draw_input, draw_target, options=({},), reductions=REDUCTIONS):
    """Samples of input and target of one shape; the draws receive (rng, shape)."""

    def samples(rng, dtype):
        for n, shape in enumerate([*((n,) for n in EDGE_SIZES if n), (), (2, 3), (2, 3, 4), (5000,)]):
            x, t = (np.asarray(draw(rng, shape), dtype) for draw in (draw_input, draw_target))
            yield Sample(x, t, reduction=reductions[n % len(reductions)], **options[n % len(options)])
        for reduction in reductions:
            for more in options:
                yield Sample(
                    np.asarray(draw_input(rng, (3, 7)), dtype), np.asarray(draw_target(rng, (3, 7)), dtype),
                    reduction=reduction, **more,
                )  # fmt: skip
        yield Sample(np.zeros((0, 3), dtype), np.zeros((0, 3), dtype), reduction="sum")
        yield Sample(np.zeros((0, 3), dtype), np.zeros((0, 3), dtype), reduction="none")

    return samples


def normal(rng, shape):
    return rng.standard_normal(shape)


def apart(rng, shape):
    """Numbers that differ from a grid of integers by a quarter to three quarters: no kink at |x − t| = 0, ½, 1, 2."""
    return rng.integers(-3, 3, shape) + 0.3 + rng.uniform(-0.15, 0.15, shape)


def integers(rng, shape):
    return rng.integers(-1, 2, shape)


def probability(rng, shape):
    return rng.uniform(0.05, 0.95, shape)


def log_probability(rng, shape):
    return np.log(probability(rng, shape))


def with_weight(samples, *names):
    """More samples, with constants as weights that are broadcast."""

    def more(rng, dtype):
        yield from samples(rng, dtype)
        for sample in list(samples(rng, dtype)):
            x = sample.args[0]
            if x.ndim == 2 and x.size:
                for chosen in [names[:1], names[1:], names]:
                    if chosen:
                        options = {name: tuple(rng.uniform(0.5, 3, x.shape[-1]).tolist()) for name in chosen}
                        yield Sample(*sample.args, **sample.kwargs, **options)

    return more


SHAPES = [
    (1, 1),
    (3, 4),
    (5, 1),
    (7, 15),
    (4, 16),
    (6, 17),
    (2, 33),
    (300, 10),
    (3, 4097),
    (5,),
    (1,),
    (2, 3, 4),
    (2, 3, 4, 5),
]


def class_options(rng, classes, smooth):
    weight = tuple(rng.uniform(0.5, 2, classes).tolist())
    yield from ({}, {"weight": weight}, {"ignore_index": 0}, {"weight": weight, "ignore_index": classes - 1})
    if smooth:
        yield {"label_smoothing": 0.1}
        yield {"label_smoothing": 0.3, "weight": weight, "ignore_index": 1}
        yield {"label_smoothing": 1.0}


def classes_of(smooth):
    def samples(rng, dtype):
        for n, shape in enumerate(SHAPES):
            count = shape[min(1, len(shape) - 1)]
            x = rng.uniform(-3, 3, shape).astype(dtype)
            t = rng.integers(0, count, shape[:1] + shape[2:] if len(shape) > 1 else ())
            t = np.asarray(t, np.int64)
            if t.ndim and len(t) > 1:
                t.reshape(-1)[:2] = 0, count - 1  # one of them is not ignored
            options = list(class_options(rng, count, smooth)) if count > 1 else [{}]
            for m, chosen in enumerate(options):
                if len(shape) > 1 or "ignore_index" not in chosen:
                    yield Sample(x, t, reduction=REDUCTIONS[(n + m) % 3], **chosen)
        yield Sample(np.zeros((0, 3), dtype), np.zeros(0, np.int64), reduction="sum")
        yield Sample(np.zeros((0, 3), dtype), np.zeros(0, np.int64), reduction="none")
        yield Sample(np.array([[1000, 0, -1000], [1, 2, 3]], dtype), np.array([0, -7]), ignore_index=-7)

    return samples


def soft_samples(rng, dtype):
    for n, shape in enumerate(SHAPES):
        axis = min(1, len(shape) - 1)
        x, t = rng.uniform(-3, 3, shape), rng.uniform(0.1, 1, shape)
        weight = tuple(rng.uniform(0.5, 2, shape[axis]).tolist())
        options = {}, {"weight": weight}, {"label_smoothing": 0.2}, {"weight": weight, "label_smoothing": 0.2}
        for m, chosen in enumerate(options):
            reduction = REDUCTIONS[(n + m) % 3]
            yield Sample(x.astype(dtype), (t / t.sum(axis, keepdims=True)).astype(dtype), reduction=reduction, **chosen)


# Bad calls


def bad_pair(function, **options):
    name = function.__name__
    return (
        Bad(lambda cg: function(cg.ones(2, 3), cg.ones(2), **options), ValueError, rf"{name}: input has shape \(2, 3\), but target has \(2,\)"),
        Bad(lambda cg: function(cg.ones(2), cg.ones(2), reduction="average", **options), ValueError, f"{name}: reduction must be none, mean"),
        Bad(lambda cg: function(cg.tensor([0, 1]), cg.tensor([0, 1]), **options), TypeError, "input must be float32 or float64, got int64"),
    )  # fmt: skip


def bad_classes(function):
    name = function.__name__
    x = cg.zeros(2, 3)

    def bad(error, match, target, **options):
        return Bad(lambda cg: function(options.pop("x", x), target, **options), error, f"{name}: {match}")

    return (
        bad(IndexError, "target 3 at row 1 is not one of the 3 classes", cg.tensor([0, 3])),
        bad(IndexError, "target -1 at row 0 is not one of the 3 classes", cg.tensor([-1, 2])),
        bad(ValueError, r"target has shape \(3,\), but input of shape \(2, 3\) needs \(2,\)", cg.tensor([0, 1, 2])),
        bad(ValueError, r"target has shape \(2, 1\), but input of shape \(2, 3\)", cg.tensor([[0], [1]])),
        bad(ValueError, r"weight has shape \(2,\), but there are 3 classes", cg.tensor([0, 1]), weight=cg.ones(2)),
        bad(TypeError, "weight is float64, but input is float32", cg.tensor([0, 1]), weight=cg.ones(3, dtype=cg.float64)),
        bad(ValueError, "reduction must be none, mean or sum, got 'average'", cg.tensor([0, 1]), reduction="average"),
        bad(TypeError, "target must be an array of integers, got bool", cg.tensor([True, False])),
        Bad(lambda cg: function(cg.tensor(1.0), cg.tensor(0)), ValueError, rf"{name}: input must have shape \(N, C\)"),
        Bad(lambda cg: function(cg.ones(1, 2).long(), cg.tensor([0])), TypeError, f"{name}: input must be float32 or float64"),
    )  # fmt: skip


ROWS = [
    row("mse_loss", F.mse_loss, pairs(normal, normal), pointwise(reference.mse_loss),
        ("mse_loss", "mse_loss_backward", "sum_partials"), bad=bad_pair(F.mse_loss)),
    row("l1_loss", F.l1_loss, pairs(apart, integers), pointwise(reference.l1_loss),
        ("l1_loss", "l1_loss_backward"), bad=bad_pair(F.l1_loss)),
    row("smooth_l1_loss", F.smooth_l1_loss, pairs(apart, integers, [{"beta": b} for b in (1.0, 0.5, 2.0)]),
        pointwise(reference.smooth_l1_loss, 1.0), ("smooth_l1_loss", "smooth_l1_loss_backward"),
        bad=(*bad_pair(F.smooth_l1_loss), Bad(lambda cg: F.smooth_l1_loss(cg.ones(2), cg.ones(2), beta=-1.0), ValueError,
                                              "smooth_l1_loss: beta must not be negative, got -1"))),
    row("huber_loss", F.huber_loss, pairs(apart, integers, [{"delta": d} for d in (1.0, 0.5, 2.0)]),
        pointwise(reference.huber_loss, 1.0), ("huber_loss", "huber_loss_backward"),
        bad=(*bad_pair(F.huber_loss), Bad(lambda cg: F.huber_loss(cg.ones(2), cg.ones(2), delta=0.0), RuntimeError,
                                          "huber_loss: delta must be positive, got 0"))),
    row("bce", F.binary_cross_entropy, with_weight(pairs(probability, probability), "weight"),
        weighted(reference.bce_loss), ("bce_loss", "bce_loss_backward"),
        bad=(*bad_pair(F.binary_cross_entropy),
             Bad(lambda cg: F.binary_cross_entropy(cg.tensor([1.5]), cg.ones(1)), RuntimeError,
                 r"binary_cross_entropy: input must lie in \[0, 1\], got 1.5 to 1.5"))),
    row("bce_with_logits", F.binary_cross_entropy_with_logits,
        with_weight(pairs(lambda rng, shape: 5 * normal(rng, shape), probability), "weight", "pos_weight"),
        weighted(reference.bce_logits_loss), ("bce_logits_loss", "bce_logits_loss_backward"),
        bad=bad_pair(F.binary_cross_entropy_with_logits)),
    row("kl_div", F.kl_div, pairs(log_probability, probability, reductions=(*REDUCTIONS, "batchmean")),
        kl_div_reference, ("kl_div", "kl_div_backward"), bad=bad_pair(F.kl_div)),
    row("kl_div_log", F.kl_div, pairs(log_probability, log_probability, [{"log_target": True}], (*REDUCTIONS, "batchmean")),
        kl_div_reference, ("kl_div_log", "kl_div_log_backward")),
    row("cross_entropy", F.cross_entropy, classes_of(smooth=True),
        of_classes(reference.cross_entropy, reference.soft_cross_entropy),
        ("cross_entropy", "cross_entropy_backward", "classes", "divide"),
        bad=(*bad_classes(F.cross_entropy),
             Bad(lambda cg: F.cross_entropy(cg.ones(1), cg.tensor([0])), RuntimeError,
                 "cross_entropy: a target of input's shape holds probabilities, got int64"),
             Bad(lambda cg: F.cross_entropy(cg.ones(1, 2), cg.tensor([0]), label_smoothing=1.5), ValueError,
                 r"cross_entropy: label_smoothing must lie in \[0, 1\], got 1.5"))),
    row("cross_entropy_soft", F.cross_entropy, soft_samples,
        of_classes(reference.cross_entropy, reference.soft_cross_entropy),
        ("soft_cross_entropy", "soft_cross_entropy_backward"),
        bad=(Bad(lambda cg: F.cross_entropy(cg.ones(2, 3), cg.ones(2, 4)), ValueError,
                 r"cross_entropy: target has shape \(2, 4\), but input has \(2, 3\)"),
             Bad(lambda cg: F.cross_entropy(cg.ones(2, 3), cg.ones(2, 3, dtype=cg.float64)), TypeError,
                 "cross_entropy: target is float64, but input is float32"))),
    row("nll_loss", F.nll_loss, classes_of(smooth=False), of_classes(reference.nll_loss),
        ("nll_loss", "nll_loss_backward"), bad=bad_classes(F.nll_loss)),
]  # fmt: skip
