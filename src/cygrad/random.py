"""Random numbers: a generator is two integers, a seed and how far it has gone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.tensor import Tensor

__all__ = [
    "Generator",
    "bernoulli",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "multinomial",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "seed",
    "set_rng_state",
]

WORD = 2**64


class Generator:
    """A source of random numbers with a seed of its own.

    Its whole state is (seed, offset). Every number is a function of these and its position, by Philox: J. K. Salmon et
    al. (2011), "Parallel random numbers: as easy as 1, 2, 3". So the same seed gives the same numbers on any machine
    and any number of threads.

    >>> g = cg.Generator().manual_seed(3)
    >>> first = cg.rand(2, generator=g)
    >>> bool((cg.rand(2, generator=g.manual_seed(3)) == first).all())
    True
    """

    def __init__(self, device: Any = None) -> None:
        from cygrad.device import check_device

        check_device("Generator", device)
        self._lock = threading.Lock()
        self._seed = 67280421310721  # PyTorch's default
        self._offset = 0

    def __getstate__(self) -> tuple[int, int]:
        return self._seed, self._offset

    def __setstate__(self, state: tuple[int, int]) -> None:
        self._lock = threading.Lock()
        self._seed, self._offset = state

    def manual_seed(self, seed: int) -> Generator:
        """Begins anew at a seed, an integer of up to 64 bits; negative ones count from 2⁶⁴."""
        number = seed.__index__()
        if not -(WORD // 2) <= number < WORD:
            raise RuntimeError(f"manual_seed: the seed must have at most 64 bits, got {number}")
        with self._lock:
            self._seed, self._offset = number % WORD, 0
        return self

    def seed(self) -> int:
        """Begins anew at a seed from the system's own source of randomness, and returns it."""
        import os

        number = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """The seed that it began at."""
        return self._seed

    def get_state(self) -> Tensor:
        """(seed, offset) as a tensor of two uint64."""
        return Tensor(np.array([self._seed, self._offset], np.uint64))

    def set_state(self, state: Any) -> None:
        """Goes on where get_state was called."""
        values = np.asarray(getattr(state, "array", state))
        if values.shape != (2,) or values.dtype.kind not in "iu":
            raise ValueError(
                f"set_state: a state is the two integers of get_state, got {values.dtype} of shape {values.shape}"
            )
        with self._lock:
            self._seed, self._offset = int(values[0]) % WORD, int(values[1]) % WORD

    def advance(self, draws: int) -> tuple[int, int]:
        """(seed, offset) for a kernel that takes `draws` counters, which are then used up."""
        with self._lock:
            offset = self._offset
            self._offset = (offset + draws) % WORD
            return self._seed, offset

    def numpy(self) -> np.random.Generator:
        """A NumPy generator for one use: everything that no kernel draws."""
        recording.reading("Generator.numpy")
        seed, offset = self.advance(1)
        # The key tells it from the counters of the kernels, which have key (seed, 0).
        return np.random.Generator(np.random.Philox(key=np.array([seed, (offset + 1) % WORD], np.uint64)))

    def permutation(self, n: int) -> Array:
        """0..n − 1 in random order, as int64."""
        return self.numpy().permutation(n)


default_generator = Generator()
_in_use: ContextVar[Generator] = ContextVar("default_generator", default=default_generator)


def current_generator() -> Generator:
    """The default generator of where this runs: ``default_generator``, or in a job of ``parallel_map`` its own."""
    return _in_use.get()


def use_generator(generator: Generator) -> None:
    """Makes a generator the default one of this context."""
    _in_use.set(generator)


def manual_seed(seed: int) -> Generator:
    """Seeds everything that is random here: initialisation, dropout, shuffling. Returns the default generator.

    >>> _ = cg.manual_seed(0)
    """
    return current_generator().manual_seed(seed)


def seed() -> int:
    """Seeds the default generator from the system's own source of randomness, and returns the seed."""
    return current_generator().seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return current_generator().initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator."""
    return current_generator().get_state()


def set_rng_state(state: Any) -> None:
    """Sets the state of the default generator."""
    current_generator().set_state(state)


def source(generator: Generator | None) -> np.random.Generator:
    """NumPy's generator behind ours."""
    return (current_generator() if generator is None else generator).numpy()


def drawn(generator: Generator | None, method: str, *args: Any) -> Array:
    """What a method of NumPy's generator draws."""
    return np.asarray(kernels.pooled(getattr(source(generator), method), *args))


def uniform_array(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Array:
    """Numbers uniform in [0, 1)."""
    return recording.produced(drawn, generator, "random", shape, np.dtype(dtype or np.float32).type)


def normal_array(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Array:
    """Numbers from N(0, 1)."""
    return recording.produced(drawn, generator, "standard_normal", shape, np.dtype(dtype or np.float32).type)


def sizes(size: tuple[Any, ...]) -> tuple[int, ...]:
    """rand(2, 3) and rand((2, 3)) alike."""
    return tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else tuple(size)


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers uniform in [0, 1).

    >>> cg.rand(2, 3).shape
    (2, 3)
    """
    return Tensor(uniform_array(sizes(size), dtype, generator), requires_grad)


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers from N(0, 1)."""
    return Tensor(normal_array(sizes(size), dtype, generator), requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers uniform in [0, 1), in the shape of input."""
    return rand(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers from N(0, 1), in the shape of input."""
    return randn(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randint(
    low: int,
    high: Any = None,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
) -> Tensor:
    """Integers from low (0 unless given) to high − 1: ``randint(high, size)`` or ``randint(low, high, size)``."""
    if size is None:
        low, high, size = 0, low, high
    if not low < high:
        raise RuntimeError(f"randint: low must be below high, got {low} and {high}")
    return Tensor(recording.produced(drawn, generator, "integers", low, high, tuple(size or ()), dtype or np.int64))


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None) -> Tensor:
    """0..n − 1 in random order."""
    if n < 0:
        raise RuntimeError(f"randperm: n must not be negative, got {n}")
    order = recording.produced(drawn, generator, "permutation", n)
    return Tensor(order.astype(dtype or np.int64, copy=False))


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that input gives, else 0."""
    return Tensor(recording.produced(bernoulli_array, input.array, generator))


def bernoulli_array(p: Array, generator: Generator | None) -> Array:
    if p.size and not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError("bernoulli: input must lie in [0, 1]")
    return np.asarray(uniform_array(p.shape, np.float64, generator) < p).astype(p.dtype)


def normal(mean: Any, std: Any, size: Sequence[int] | None = None, *, generator: Generator | None = None) -> Tensor:
    """Numbers from N(mean, std²); mean and std are numbers or tensors, broadcast."""
    centre, spread = (getattr(v, "array", v) for v in (mean, std))
    shape = np.broadcast_shapes(np.shape(centre), np.shape(spread)) if size is None else tuple(size)
    return Tensor(recording.produced(scaled_normal_array, centre, spread, shape, generator))


def scaled_normal_array(mean: Any, std: Any, shape: tuple[int, ...], generator: Generator | None) -> Array:
    if np.any(np.asarray(std) < 0):
        raise RuntimeError("normal: std must not be negative")
    dtype = next((v.dtype for v in (mean, std) if isinstance(v, np.ndarray)), np.dtype(np.float32))
    return np.asarray(mean + std * normal_array(shape, dtype, generator), dtype)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Numbers of columns, drawn with the weights in the rows of input."""
    return Tensor(recording.produced(multinomial_array, input.array, num_samples, replacement, generator))


def multinomial_array(weights: Array, num_samples: int, replacement: bool, generator: Generator | None) -> Array:
    shape = weights.shape
    weights = np.atleast_2d(weights).astype(np.float64)
    if weights.ndim != 2 or not np.isfinite(weights).all() or (weights < 0).any() or (weights.sum(1) <= 0).any():
        raise RuntimeError("multinomial: input must be rows of weights that are not negative, not all zero and finite")
    if not replacement and num_samples > (weights > 0).sum(1).min():
        raise RuntimeError(f"multinomial: {num_samples} samples without replacement are more than there are weights")
    if replacement:
        edges = np.cumsum(weights, 1)
        u = uniform_array((len(weights), num_samples), np.float64, generator) * edges[:, -1:]
        draws = np.stack([np.searchsorted(e, v, side="right") for e, v in zip(edges, u)])
    else:
        # The k smallest of Exp(1)/weight are a sample without replacement: P. Efraimidis, P. Spirakis (2006).
        with np.errstate(divide="ignore"):
            keys = source(generator).standard_exponential(weights.shape) / weights
        draws = np.argsort(keys, 1)[:, :num_samples]
    return draws.reshape(*shape[:-1], num_samples).astype(np.int64)
