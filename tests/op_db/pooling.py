"""Rows of pooling."""

from __future__ import annotations

from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import Bad, Row, Sample
from tests.op_db.samples import distinct, signed

# Shapes of images, and kernel_size, stride, padding, dilation, ceil_mode: pairs, odd sizes, windows that overlap, vectors.
WINDOWS_2D = [
    ((2, 3, 4, 6), 2, None, 0, 1, False), ((1, 2, 7, 9), 2, None, 0, 1, False), ((1, 2, 7, 9), 2, None, 0, 1, True),
    ((2, 2, 28, 34), 2, 2, 0, 1, False), ((2, 13, 5, 37), 3, 2, 1, 1, False), ((3, 11, 17), 3, 1, 1, 1, False),
    ((1, 1, 9, 21), (2, 3), (1, 2), (1, 0), 1, True), ((2, 1, 10, 37), 3, 2, 1, 2, False), ((1, 2, 8, 40), 5, 3, 2, 1, True),
    ((2, 1, 1), 1, None, 0, 1, False), ((0, 2, 4, 4), 2, None, 0, 1, False), ((1, 2, 9, 9), (1, 2), 2, 0, 1, False),
    ((1, 1, 4, 4), (4, 4), None, 0, 1, False), ((1, 1, 3, 39), 1, 2, 0, 1, False),
]  # fmt: skip
WINDOWS_1D = [
    ((2, 3, 8), 2, None, 0, 1, False), ((2, 3, 17), 2, None, 0, 1, True), ((5, 33), 3, 1, 1, 1, False),
    ((1, 2, 65), 5, 2, 2, 3, False), ((1, 2, 50), 7, 3, 3, 1, True), ((0, 2, 4), 2, None, 0, 1, False),
]  # fmt: skip
ADAPTIVE_2D = [
    ((2, 3, 6, 8), (3, 4)), ((1, 2, 7, 13), (3, 5)), ((2, 5, 9), 1), ((1, 2, 5, 5), (None, 2)), ((1, 2, 3, 4), (5, 7)),
    ((0, 2, 4, 4), 2), ((1, 1, 33, 40), (8, 20)),
]  # fmt: skip
ADAPTIVE_1D = [((2, 3, 8), 4), ((2, 3, 17), 5), ((3, 65), 1), ((1, 2, 4), 7)]


def out_size(n, kernel, stride, padding, dilation, ceil_mode):
    """The number of windows in the padded input, with ceil_mode also one that reaches beyond an end that the others leave
    out, if it does not begin there."""
    reach, start, count = dilation * (kernel - 1) + 1, -padding, 0
    while start + reach <= n + padding:
        start, count = start + stride, count + 1
    return count + (ceil_mode and start - stride + reach < n + padding and start < n)


def windows(x, axes, kernel, stride, padding, dilation, ceil_mode):
    sizes = [v if isinstance(v, tuple) else (v,) * axes for v in (kernel, kernel if stride is None else stride, padding, dilation)]
    return [
        (out_size(n, k, s, p, d, ceil_mode), k, s, p, d) for n, k, s, p, d in zip(x.shape[-axes:], *sizes, strict=True)
    ]  # fmt: skip


def maxima(axes):
    return lambda x, kernel, stride, padding, dilation, ceil_mode, indices: (
        reference.max_pool(x, windows(x, axes, kernel, stride, padding, dilation, ceil_mode))[: 1 + indices]
    )


def means(axes):
    def meaning(x, kernel, stride, padding, ceil_mode, padded, divisor=None):
        return reference.avg_pool(x, windows(x, axes, kernel, stride, padding, 1, ceil_mode), padded, divisor or 0)

    return meaning


def adaptive(of, axes):
    def meaning(x, size, *rest):
        sizes = size if isinstance(size, tuple) else (size,) * axes
        result = of(x, [(n if s is None else s, 0, 1, 0, 1) for n, s in zip(x.shape[-axes:], sizes, strict=True)])
        return result if of is reference.avg_pool else result[: 1 + rest[0]]

    return meaning


def of_maxima(cases):
    def samples(rng, dtype):
        for number, (shape, *options) in enumerate(cases):
            yield Sample(distinct(rng, shape, dtype), *options, number % 2 == 1)

    return samples


def of_means(cases, divisors):
    def samples(rng, dtype):
        for number, (shape, kernel, stride, padding, dilation, ceil_mode) in enumerate(cases):
            if dilation == 1:
                rest = [[None, None, 3, -2][number % 4]] if divisors else []
                yield Sample(signed(rng, shape, dtype), kernel, stride, padding, ceil_mode, number % 3 > 0, *rest)

    return samples


def of_adaptive(cases, draw, *rest):
    def samples(rng, dtype):
        for shape, size in cases:
            yield Sample(draw(rng, shape, dtype), size, *rest)

    return samples


def row(name, samples, reference, kernels, bad=()):
    return Row(
        name,
        getattr(F, name),
        samples,
        torch=lambda torch: getattr(torch.nn.functional, name),
        reference=reference,
        kernels=kernels,
        bad=tuple([Bad(call, error, f"{name}: {match}") for call, error, match in bad]),
    )


MAX, AVG = ("max_pool", "max_pool_backward"), ("avg_pool", "avg_pool_backward")
ROWS = [
    row("max_pool2d", of_maxima(WINDOWS_2D), maxima(2), MAX, (
        (lambda cg: F.max_pool2d(cg.ones(4, 4), 2), RuntimeError, r"input has shape \(4, 4\), wanted \(N, C, H, W\)"),
        (lambda cg: F.max_pool2d(cg.ones(1, 0, 4, 4), 2), RuntimeError, "input has shape .*only the batch may be empty"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), 0), RuntimeError, "kernel_size must be at least 1, got 0"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), (1, 2, 3)), RuntimeError, r"kernel_size must be an int or 2 ints, got \(1, 2, 3\)"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), 2, -1), RuntimeError, "stride must be at least 1, got -1"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), 2, 2, 2), RuntimeError, "padding must be at most half of the kernel, got 2"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), 2, 2, 0, 0), RuntimeError, "dilation must be at least 1, got 0"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), 5), RuntimeError, "a kernel of size 5 is too large for a dimension of size 4"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), 2.0), TypeError, "kernel_size must be an int, got float"),
        (lambda cg: F.max_pool2d(cg.ones(1, 4, 4), 2**40), RuntimeError, "kernel_size 1099511627776 is too large"),
        (lambda cg: F.max_pool2d([1.0], 2), TypeError, "input must be a tensor, got list"),
    )),
    row("max_pool1d", of_maxima(WINDOWS_1D), maxima(1), MAX, (
        (lambda cg: F.max_pool1d(cg.ones(4), 2), RuntimeError, r"input has shape \(4,\), wanted \(N, C, L\) or \(C, L\)"),
    )),
    row("avg_pool2d", of_means(WINDOWS_2D, True), means(2), AVG, (
        (lambda cg: F.avg_pool2d(cg.ones(1, 4, 4), 2, divisor_override=0), RuntimeError, "divisor_override must not be 0"),
        (lambda cg: F.avg_pool2d(cg.ones(1, 4, 4), True), TypeError, "kernel_size must be an int, got bool"),
    )),
    row("avg_pool1d", of_means(WINDOWS_1D, False), means(1), AVG),
    row("adaptive_avg_pool2d", of_adaptive(ADAPTIVE_2D, signed), adaptive(reference.avg_pool, 2), AVG, (
        (lambda cg: F.adaptive_avg_pool2d(cg.ones(1, 4, 4), -1), RuntimeError, "output_size must not be negative, got -1"),
        (lambda cg: F.adaptive_avg_pool2d(cg.ones(1, 4, 4), (1, 2, 3)), RuntimeError, "output_size must be an int or 2 ints"),
    )),
    row("adaptive_avg_pool1d", of_adaptive(ADAPTIVE_1D, signed), adaptive(reference.avg_pool, 1), AVG),
    row("adaptive_max_pool2d", of_adaptive(ADAPTIVE_2D, distinct, True), adaptive(reference.max_pool, 2), MAX),
    row("adaptive_max_pool1d", of_adaptive(ADAPTIVE_1D, distinct, False), adaptive(reference.max_pool, 1), MAX),
]  # fmt: skip
