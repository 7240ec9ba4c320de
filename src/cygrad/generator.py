"""Generators of random numbers, and draws on arrays. The functions that return tensors are in ``cygrad/random.py``."""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import set_by_init
from cygrad._typing import Array, DType, Tensor
from cygrad.autograd import engine, recording
from cygrad.config import default_float
from cygrad.device import check_device

__all__ = [
    "Generator",
    "current_generator",
    "default_generator",
    "drawn",
    "normal_array",
    "numpy_generator",
    "uniform_array",
    "use_generator",
]

WORD = 2**64


class Generator:
    """A source of random numbers with its own seed. As ``torch.Generator``.

    The state is two integers, (seed, offset). Each number is a function of the state and of its position, computed by
    Philox. So the same seed gives the same numbers on any machine and for any thread count. J. K. Salmon et al. (2011),
    "Parallel random numbers: as easy as 1, 2, 3".

    Args:
        device: "cpu" or None; anything else raises ValueError.

    >>> g = cg.Generator().manual_seed(3)
    >>> first = cg.rand(2, generator=g)
    >>> bool((cg.rand(2, generator=g.manual_seed(3)) == first).all())
    True
    """

    if not TYPE_CHECKING:
        _seed = _offset = set_by_init()

    def __init__(self, device: object = None) -> None:
        check_device("Generator", device)
        self._seed = 67280421310721  # PyTorch's default
        self._offset = 0

    def __getstate__(self) -> tuple[int, int]:
        return self._seed, self._offset

    def __setstate__(self, state: tuple[int, int]) -> None:
        self._seed, self._offset = state

    @recording.replayed
    def manual_seed(self, seed: int) -> Generator:
        """Set the seed, reset the offset, and return the generator.

        Args:
            seed: an integer of at most 64 bits; a negative one means 2⁶⁴ + seed.

        Raises:
            RuntimeError: the seed has more than 64 bits.
            TypeError: the seed is not an integer.
        """
        if not hasattr(seed, "__index__"):
            raise TypeError(f"manual_seed: the seed must be an integer, got {type(seed).__name__}")
        number = seed.__index__()
        if not -(WORD // 2) <= number < WORD:
            raise RuntimeError(f"manual_seed: the seed must have at most 64 bits, got {number}")
        self.__dict__.update(_seed=number % WORD, _offset=0)
        return self

    def seed(self) -> int:
        """Set a seed from the operating system's source of randomness, and return it."""
        recording.reading("seed")
        number = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """Return the seed."""
        recording.reading("initial_seed")
        return self._seed

    def get_state(self) -> Tensor:
        """Return the state, (seed, offset), as a uint64 tensor of shape (2,)."""
        recording.reading("get_state")
        return engine.wrap(np.array([self._seed, self._offset], np.uint64))

    @recording.replayed
    def set_state(self, state: Any) -> None:
        """Restore a state.

        Args:
            state: what :meth:`get_state` returned, a tensor or array of two integers.

        Raises:
            ValueError: `state` is something else.
        """
        values = np.asarray(getattr(state, "array", state))
        if values.shape != (2,) or values.dtype.kind not in "iu":
            raise ValueError(
                f"set_state: state must be the two integers of get_state, got {values.dtype} of shape {values.shape}"
            )
        self.__dict__.update(_seed=int(values[0]) % WORD, _offset=int(values[1]) % WORD)

    def advance(self, draws: int) -> tuple[int, int]:
        """Return (seed, offset) for a kernel that uses `draws` counters, and move the offset past them."""
        try:
            return kernels.advance(self.__dict__, draws)  # in one piece for all threads, without a lock
        except KeyError:
            return self._seed, 0  # raises: it is not initialized

    def numpy(self) -> np.random.Generator:
        """Return a NumPy generator for a single use; it draws everything that no kernel draws."""
        recording.reading("Generator.numpy")
        seed, offset = self.advance(1)
        # This key differs from those of the kernels, (seed, 0).
        return np.random.Generator(np.random.Philox(key=np.array([seed, (offset + 1) % WORD], np.uint64)))

    def permutation(self, n: int) -> Array:
        """Return 0, …, n − 1 in random order, as int64."""
        return self.numpy().permutation(n)


default_generator = Generator()
_current: ContextVar[Generator] = ContextVar("default_generator", default=default_generator)


def current_generator() -> Generator:
    """The default generator of this context: ``default_generator``, or in a job of ``parallel_map`` the job's own."""
    return _current.get()


def use_generator(generator: Generator) -> None:
    """Make `generator` the default one of this context."""
    _current.set(generator)


def numpy_generator(generator: Generator | None) -> np.random.Generator:
    """A NumPy generator for one use, from `generator` or the default one."""
    return source_of("random", generator).numpy()


def source_of(operation: str, generator: Generator | None) -> Generator:
    """`generator`, or the default one if it is None."""
    if generator is None:
        return _current.get()
    if not isinstance(generator, Generator):
        raise TypeError(f"{operation}: generator must be a Generator, got {type(generator).__name__}")
    return generator


def drawn(generator: Generator | None, method: str, *args: Any) -> Array:
    """The result of a method of NumPy's generator."""
    return np.asarray(kernels.pooled(getattr(numpy_generator(generator), method), *args))


def uniform_array(shape: tuple[int, ...], dtype: DType, generator: Generator | None) -> Array:
    """Samples from U[0, 1), the default dtype if `dtype` is None."""
    return recording.produced(drawn, generator, "random", shape, np.dtype(dtype or default_float()).type)


def normal_array(shape: tuple[int, ...], dtype: DType, generator: Generator | None) -> Array:
    """Samples from N(0, 1), the default dtype if `dtype` is None."""
    return recording.produced(drawn, generator, "standard_normal", shape, np.dtype(dtype or default_float()).type)
