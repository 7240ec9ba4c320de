"""The state of all random generators in a training."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from cygrad.generator import Generator, current_generator

__all__ = ["RandomState", "check_random_state"]


class RandomState:
    """The states of the default generator, the generators of loaders and their samplers, and the global ones of NumPy
    and Python, as plain data.

    Args:
        loaders: whose generators belong to the training.

    Example:
        >>> state = cg.train.random_state.RandomState([])
        >>> before = state.get()
        >>> first = cg.rand(2)
        >>> state.set(before)
        >>> bool((cg.rand(2) == first).all())
        True
    """

    def __init__(self, loaders: Iterable[Any]) -> None:
        self.generators: list[Any] = [current_generator()]
        for loader in loaders:
            for owner in loader, getattr(loader, "sampler", None):
                generator = getattr(owner, "generator", None)
                if generator is not None and not any(generator is known for known in self.generators):
                    self.generators.append(generator)

    def get(self) -> dict[str, Any]:
        """Return the states.

        Raises:
            TypeError: if a generator is neither a ``cygrad.Generator`` nor a ``numpy.random.Generator``.
        """
        version, words, spare = random.getstate()
        return {
            "generators": [state_of(generator) for generator in self.generators],
            "numpy": np.random.get_state(legacy=False),
            "python": [version, np.array(words, np.uint32), spare],
        }

    def set(self, state: dict[str, Any]) -> None:
        """Restore states that ``get`` returned.

        Raises:
            ValueError: if the number of generators differs.
        """
        if len(state["generators"]) != len(self.generators):
            raise ValueError(
                f"resume: the checkpoint has the states of {len(state['generators'])} generators, "
                f"but the loaders have {len(self.generators)}"
            )
        for generator, saved in zip(self.generators, state["generators"], strict=True):
            set_state(generator, saved)
        np.random.set_state(state["numpy"])
        version, words, spare = state["python"]
        random.setstate((version, tuple(map(int, words)), spare))


def check_random_state(state: Any) -> None:
    """Raise ValueError unless a state has the parts of those that ``RandomState.get`` returns."""
    if not isinstance(state, dict) or not {"generators", "numpy", "python"} <= state.keys():
        raise ValueError(f"its random state must be a dict of generators, numpy and python, got {state!r}")


def state_of(generator: Any) -> Any:
    """The state of a generator, as plain data."""
    if isinstance(generator, Generator):
        return [int(word) for word in generator.get_state().array]
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    raise TypeError(f"checkpoint: can't save the state of a generator of type {type(generator).__name__}")


def set_state(generator: Any, state: Any) -> None:
    """Set the state of a generator."""
    if isinstance(generator, Generator):
        generator.set_state(np.array(state, np.uint64))
    else:
        generator.bit_generator.state = state
