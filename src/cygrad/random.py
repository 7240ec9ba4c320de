"""Random tensors, and the default generator. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from cygrad._arguments import checked, checked_sizes, shape_argument
from cygrad._typing import Array, DType, Size
from cygrad.autograd import recording
from cygrad.autograd.calls import given, out_dtype
from cygrad.config import default_float
from cygrad.device import Place, check_place
from cygrad.generator import (
    Generator,
    current_generator,
    default_generator,
    drawn,
    normal_array,
    numpy_generator,
    uniform_array,
)
from cygrad.ops.arithmetic import where
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "Generator",
    "bernoulli",
    "binomial",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "seed",
    "set_rng_state",
]


def manual_seed(seed: float) -> Generator:
    """Seed everything random in cygrad: initialization, dropout, shuffling.

    Args:
        seed: an integer of at most 64 bits; a negative one means 2⁶⁴ + seed. A float, such as ``time.time()``, is cut.

    Returns:
        The default generator.

    >>> _ = cg.manual_seed(0)
    """
    return current_generator().manual_seed(int(seed) if isinstance(seed, float) else seed)


def seed() -> int:
    """Seed the default generator from the operating system's source of randomness, and return the seed."""
    return current_generator().seed()


def initial_seed() -> int:
    """Return the seed of the default generator."""
    return current_generator().initial_seed()


def get_rng_state() -> Tensor:
    """Return the state of the default generator: (seed, offset), a uint64 tensor of shape (2,)."""
    return current_generator().get_state()


def set_rng_state(state: Any) -> None:
    """Restore a state of the default generator.

    Args:
        state: what :func:`get_rng_state` returned.
    """
    current_generator().set_state(state)


@contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    device_type: str = "cpu",
) -> Iterator[None]:
    """Restore the state of the default generator at the end of a block. As ``torch.random.fork_rng``.

    Args:
        devices, device_type: accepted, without effect: there is one generator.
        enabled: whether the state is restored.

    >>> with cg.random.fork_rng():
    ...     _ = cg.manual_seed(0)
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)


def rand(
    *shape: Size,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Draw samples from the uniform distribution on [0, 1).

    Args:
        shape: integers, or one sequence of integers.
        size: the shape, as a keyword.
        generator: where the numbers come from; the default generator if None.
        dtype: float32 (the default) or float64.
        requires_grad: whether the result requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.

    >>> cg.rand(2, 3).shape
    (2, 3)
    """
    check_place("rand", place)
    shape = checked_sizes("rand", shape_argument(shape if size is None else (size,)))
    if out is not None:
        dtype = out_dtype("rand", dtype, out, None)
        return given("rand", Tensor(uniform_array(shape, dtype, generator)), out)
    return Tensor(uniform_array(shape, dtype, generator), requires_grad)


def randn(
    *shape: Size,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Draw samples from the standard normal distribution, N(0, 1).

    Args:
        shape: integers, or one sequence of integers.
        size: the shape, as a keyword.
        generator: where the numbers come from; the default generator if None.
        dtype: float32 (the default) or float64.
        requires_grad: whether the result requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.
    """
    check_place("randn", place)
    shape = checked_sizes("randn", shape_argument(shape if size is None else (size,)))
    if out is not None:
        dtype = out_dtype("randn", dtype, out, None)
        return given("randn", Tensor(normal_array(shape, dtype, generator)), out)
    return Tensor(normal_array(shape, dtype, generator), requires_grad)


@checked
def rand_like(
    input: Tensor,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Draw samples from the uniform distribution on [0, 1), in the shape and dtype of `input`.

    Args:
        input: a float tensor.
        dtype: another dtype for the result.
        requires_grad: whether the result requires a gradient.
        generator: where the numbers come from; the default generator if None.
        place: device="cpu", and what has no effect on it.
    """
    check_place("rand_like", place)
    return rand(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, generator=generator)


@checked
def randn_like(
    input: Tensor,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Draw samples from N(0, 1), in the shape and dtype of `input`.

    Args:
        input: a float tensor.
        dtype: another dtype for the result.
        requires_grad: whether the result requires a gradient.
        generator: where the numbers come from; the default generator if None.
        place: device="cpu", and what has no effect on it.
    """
    check_place("randn_like", place)
    return randn(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, generator=generator)


@overload
def randint(
    high: int,
    size: Sequence[int],
    /,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor: ...
@overload
def randint(
    low: int,
    high: int,
    size: Sequence[int],
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor: ...
def randint(
    low: int = 0,
    high: Any = None,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Draw integers uniformly from low, …, high − 1: ``randint(high, size)`` or ``randint(low, high, size)``.

    Args:
        low: the smallest integer, 0 by default.
        high: one above the largest integer.
        size: the shape.
        generator: where the numbers come from; the default generator if None.
        dtype: the dtype, int64 by default.
        requires_grad: whether the result, of floats, requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.

    Raises:
        RuntimeError: low is not below high.
        TypeError: low or high is not an integer.
    """
    check_place("randint", place)
    if isinstance(high, (tuple, list)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    low, high = operator.index(low), operator.index(high)
    if not low < high:
        raise RuntimeError(f"randint: low must be below high, got {low} and {high}")
    sizes, kind = checked_sizes("randint", size or ()), out_dtype("randint", dtype, out, np.int64)
    draws = recording.produced(integers_array, low, high, sizes, kind, generator)
    return given("randint", Tensor(draws, requires_grad), out)


@checked
def randint_like(
    input: Tensor,
    low: int = 0,
    high: int | None = None,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Draw integers uniformly from low, …, high − 1, in the shape and dtype of `input`; ``randint_like(input, high)``
    starts at 0.

    Args:
        input: a tensor.
        low: the smallest integer, 0 by default.
        high: one above the largest integer.
        dtype: another dtype for the result.
        requires_grad: whether the result, of floats, requires a gradient.
        generator: where the numbers come from; the default generator if None.
        place: device="cpu", and what has no effect on it.
    """
    first, last = (0, low) if high is None else (low, high)
    kind = dtype or input.dtype
    return randint(first, last, input.shape, dtype=kind, requires_grad=requires_grad, generator=generator, **place)


def integers_array(low: int, high: int, shape: tuple[int, ...], dtype: DType, generator: Generator | None) -> Array:
    integers = np.dtype(dtype).kind in "iu"
    draws: Array = drawn(generator, "integers", low, high, shape, dtype if integers else np.int64)
    return np.asarray(draws, dtype)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Return 0, …, n − 1 in random order.

    Args:
        n: the number of elements.
        generator: where the numbers come from; the default generator if None.
        dtype: int64 by default.
        requires_grad: whether the result, of floats, requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.
    """
    check_place("randperm", place)
    if n < 0:
        raise RuntimeError(f"randperm: n must not be negative, got {n}")
    kind = out_dtype("randperm", dtype, out, np.int64)
    return given("randperm", Tensor(recording.produced(permutation_array, n, kind, generator), requires_grad), out)


def permutation_array(n: int, dtype: DType, generator: Generator | None) -> Array:
    return drawn(generator, "permutation", n).astype(dtype, copy=False)


@checked
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """Draw 1 with the probability that `input` gives, else 0.

    Args:
        input: probabilities, in [0, 1].
        p: one probability, in place of input's elements.
        generator: where the numbers come from; the default generator if None.
        out: a tensor to write to and return.

    Returns:
        A tensor of input's shape and dtype.

    Raises:
        RuntimeError: a probability lies outside [0, 1].
    """
    chance = input.array if p is None else np.full(input.shape, p, input.dtype)
    draws = Tensor(recording.produced(bernoulli_array, chance, generator))
    return given("bernoulli", drawn_from(draws, input if p is None else None), out)


def bernoulli_array(p: Array, generator: Generator | None) -> Array:
    if p.size and not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError("bernoulli: input must lie in [0, 1]")
    return np.asarray(uniform_array(p.shape, np.float64, generator) < p).astype(p.dtype)


@checked
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw counts from Poisson distributions.

    Args:
        input: the rate of each, not negative, of floats.
        generator: where the numbers come from; the default generator if None.

    Returns:
        A tensor of input's shape and dtype.

    Raises:
        RuntimeError: a rate is negative, NaN or above 1e18, or the rates are not floats.
    """
    if not input.is_floating_point():
        raise RuntimeError(f"poisson: the rates must be floats, got {input.dtype}")
    return drawn_from(Tensor(recording.produced(poisson_array, input.array, generator)), input)


def poisson_array(rates: Array, generator: Generator | None) -> Array:
    if not ((rates >= 0) & (rates <= 1e18)).all():
        raise RuntimeError("poisson: the rates must lie between 0 and 1e18")
    return np.asarray(numpy_generator(generator).poisson(rates.astype(np.float64)), rates.dtype)


@checked
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw numbers of successes from binomial distributions.

    Args:
        count: the number of trials of each, not negative, of floats.
        prob: the probability of success in each, in [0, 1], of floats; the shapes broadcast.
        generator: where the numbers come from; the default generator if None.

    Returns:
        A tensor of the broadcast shape and count's dtype.

    Raises:
        RuntimeError: a count is negative, NaN or above 1e18, a probability lies outside [0, 1], or both are not floats
            of one dtype.
    """
    if not count.is_floating_point() or count.array.dtype != prob.array.dtype:
        raise RuntimeError(f"binomial: expected floats of one dtype, got {count.dtype} and {prob.dtype}")
    draws = Tensor(recording.produced(binomial_array, count.array, prob.array, generator))
    return drawn_from(draws, count, prob)


def binomial_array(counts: Array, chance: Array, generator: Generator | None) -> Array:
    if not ((counts >= 0) & (counts <= 1e18)).all():
        raise RuntimeError("binomial: the counts must lie between 0 and 1e18")
    if not ((chance >= 0) & (chance <= 1)).all():
        raise RuntimeError("binomial: prob must lie in [0, 1]")
    draws = numpy_generator(generator).binomial(counts.astype(np.int64), chance.astype(np.float64))
    return np.asarray(draws, counts.dtype)


def normal(
    mean: Tensor | float = 0.0,
    std: Tensor | float = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Draw samples from N(mean, std²).

    Args:
        mean: one mean, or one for each element.
        std: one standard deviation, or one for each element; at least 0.
        size: the shape; if None, that of mean and std, broadcast.
        generator: where the numbers come from; the default generator if None.
        dtype: float32 (the default) or float64; that of mean or std if these are tensors.
        requires_grad: whether the result requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.

    Raises:
        RuntimeError: a standard deviation is negative or NaN.
    """
    check_place("normal", place)
    center, spread = (getattr(v, "array", v) for v in (mean, std))
    shape = np.broadcast_shapes(np.shape(center), np.shape(spread)) if size is None else tuple(size)
    kind = out_dtype("normal", dtype, out, None)
    draws = recording.produced(scaled_normal_array, center, spread, shape, kind, generator)
    return given("normal", drawn_from(Tensor(draws, requires_grad), mean, std), out)


def drawn_from(draws: Tensor, *parameters: Any) -> Tensor:
    """The draws at their position in the graph, where parameters that require a gradient get zeros, as in PyTorch."""
    for parameter in parameters:
        if isinstance(parameter, Tensor) and parameter.requires_grad:
            draws = where(Tensor(np.zeros((), np.bool_)), parameter, draws)
    return draws


def scaled_normal_array(
    mean: Any, std: Any, shape: tuple[int, ...], dtype: DType, generator: Generator | None
) -> Array:
    if not np.all(np.asarray(std) >= 0):
        raise RuntimeError("normal: std must not be negative or NaN")
    dtype = next((v.dtype for v in (mean, std) if isinstance(v, np.ndarray)), np.dtype(dtype or default_float()))
    return np.asarray(mean + std * normal_array(shape, dtype, generator), dtype)


@checked
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Draw column indices with probabilities proportional to the weights in each row of `input`.

    Without replacement, the samples are the smallest of Exp(1)/weight: P. Efraimidis, P. Spirakis (2006).

    Args:
        input: weights of shape (classes) or (rows, classes), finite, not negative, with a positive sum in each row.
        num_samples: how many indices to draw for each row.
        replacement: whether an index can be drawn twice.
        generator: where the numbers come from; the default generator if None.
        out: a tensor to write to and return.

    Returns:
        An int64 tensor of shape (num_samples) or (rows, num_samples).

    Raises:
        RuntimeError: the weights are invalid, or there are too few positive ones to draw without replacement.
    """
    if not input.is_floating_point():
        raise RuntimeError(f"multinomial: the weights must be floats, got {input.dtype}")
    if out is not None and out.dtype != np.int64:
        raise RuntimeError(f"multinomial: out must be int64, got {out.dtype}")
    draws = recording.produced(multinomial_array, input.array, num_samples, replacement, generator)
    return given("multinomial", Tensor(draws), out)


def multinomial_array(weights: Array, num_samples: int, replacement: bool, generator: Generator | None) -> Array:
    shape = weights.shape
    weights = np.atleast_2d(weights).astype(np.float64)
    if weights.ndim != 2 or not np.isfinite(weights).all() or (weights < 0).any() or (weights.sum(1) <= 0).any():
        raise RuntimeError("multinomial: the weights must be finite, not negative, and have a positive sum in each row")
    if num_samples < 1:
        raise RuntimeError(f"multinomial: num_samples must be positive, got {num_samples}")
    if not replacement and num_samples > (weights > 0).sum(1).min():
        raise RuntimeError(
            f"multinomial: can't draw {num_samples} samples without replacement from fewer positive weights"
        )
    if replacement:
        edges = np.cumsum(weights, 1)
        u = uniform_array((len(weights), num_samples), np.float64, generator) * edges[:, -1:]
        draws = np.stack([np.searchsorted(e, v, side="right") for e, v in zip(edges, u)])
    else:
        with np.errstate(divide="ignore"):
            keys = numpy_generator(generator).standard_exponential(weights.shape) / weights
        draws = np.argsort(keys, 1)[:, :num_samples]
    return draws.reshape(*shape[:-1], num_samples).astype(np.int64)
