"""How samples are drawn."""

from __future__ import annotations

import numpy as np

from tests.op_db.row import Sample


def signed(rng, shape, dtype):
    """Away from zero, where many functions bend."""
    return np.asarray(rng.uniform(0.1, 3.0, shape) * rng.choice([-1, 1], shape), dtype)


def positive(rng, shape, dtype):
    return np.asarray(rng.uniform(0.2, 2.0, shape), dtype)


def above_one(rng, shape, dtype):
    return np.asarray(rng.uniform(1.2, 3.0, shape), dtype)


def unit(rng, shape, dtype):
    """Between −1 and 1, away from both and from zero."""
    return np.asarray(rng.uniform(0.2, 0.8, shape) * rng.choice([-1, 1], shape), dtype)


def distinct(rng, shape, dtype):
    """No two alike, for whatever chooses among them."""
    size = int(np.prod(shape, dtype=int))
    return np.asarray((rng.permutation(size).reshape(shape) - size / 2 + 0.25) * (4 / max(size, 1)), dtype)


def drawn(*groups, draw=signed, **options):
    """A row's samples: one for each group of shapes, an array a shape. `draw` may be one function for each array."""

    def samples(rng, dtype):
        for group in groups:
            draws = draw if isinstance(draw, tuple) else (draw,) * len(group)
            yield Sample(*[d(rng, shape, dtype) for d, shape in zip(draws, group)], **options)

    return samples


def each(*draws):
    """Samples of several of these, one after the other."""

    def samples(rng, dtype):
        for draw in draws:
            yield from draw(rng, dtype)

    return samples


def same(name, call, samples, **columns):
    """A row whose call is the same in PyTorch: ``call(library, *args, **kwargs)``."""
    from functools import partial

    import cygrad as cg
    from tests.op_db.row import Row

    return Row(name, partial(call, cg), samples, torch=lambda torch: partial(call, torch), **columns)
