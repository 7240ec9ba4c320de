"""Sobol' sequences. As ``torch.quasirandom``, over SciPy, which has the tables of their direction numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from cygrad._typing import DType
from cygrad.config import default_float
from cygrad.random import initial_seed
from cygrad.tensor import Tensor

__all__ = ["SobolEngine"]


class SobolEngine:
    """Draws points that fill the unit cube more evenly than random ones. As ``torch.quasirandom.SobolEngine``.

    Unscrambled points are PyTorch's, those of S. Joe, F. Kuo (2008), "Constructing Sobol' sequences with better
    two-dimensional projections". Scrambled ones (B. Owen, 1998) differ, as random numbers do.

    Args:
        dimension: the number of coordinates, at most 21,201.
        scramble: whether the points are scrambled at random.
        seed: of the scrambling; by default the default generator's.

    Raises:
        ModuleNotFoundError: SciPy is not installed.
        ValueError: the dimension is out of range.

    >>> SobolEngine(2).draw(3).tolist()
    [[0.0, 0.0], [0.5, 0.5], [0.75, 0.25]]
    """

    MAXDIM = 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        try:
            from scipy.stats import qmc
        except ModuleNotFoundError:
            raise ModuleNotFoundError("SobolEngine: it needs SciPy, which is not installed", name="scipy") from None
        if not 1 <= dimension <= self.MAXDIM:
            raise ValueError(f"SobolEngine: dimension must lie between 1 and {self.MAXDIM}, got {dimension}")
        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        random = np.random.default_rng((initial_seed() if seed is None else seed) % 2**64)
        self._engine = qmc.Sobol(dimension, scramble=scramble, bits=30, seed=random)

    @property
    def num_generated(self) -> int:
        """How many points have been drawn."""
        count: int = self._engine.num_generated
        return count

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: DType = None) -> Tensor:
        """Return the next n points, of shape (n, dimension).

        Args:
            n: how many.
            out: a tensor to write to and return.
            dtype: float32 by default.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of numbers that are no power of 2
            drawn = self._engine.random(n)
        points = Tensor(drawn.astype(default_float() if dtype is None else np.dtype(dtype)))
        return points if out is None else out.resize_(points.shape).copy_(points)

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: DType = None) -> Tensor:
        """Return the next 2ᵐ points; see :meth:`draw`.

        Raises:
            ValueError: the number of points drawn would not be a power of two.
        """
        total = self.num_generated + 2**m
        if total & (total - 1):
            raise ValueError(f"draw_base2: {self.num_generated} and 2**{m} more points are not a power of 2")
        return self.draw(2**m, out, dtype)

    def reset(self) -> SobolEngine:
        """Begin again with the first point, and return the engine."""
        self._engine.reset()
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Skip n points, and return the engine."""
        self._engine.fast_forward(n)
        return self

    def __repr__(self) -> str:
        options: list[Any] = [f"dimension={self.dimension}"]
        options += ["scramble=True"] * self.scramble + [f"seed={self.seed}"] * (self.seed is not None)
        return f"SobolEngine({', '.join(options)})"
