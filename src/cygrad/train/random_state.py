"""The state of everything random in a training."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from cygrad.generator import Generator, current_generator

__all__ = ["RandomState"]


class RandomState:
    """The state of the default generator, of those that loaders and their samplers hold as ``generator``, of
    NumPy's global one and of Python's, as plain data.

    Raises TypeError for a generator that is neither ``cygrad.Generator`` nor ``numpy.random.Generator``.

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
        """The states."""
        version, numbers, spare = random.getstate()
        return {
            "generators": [state_of(generator) for generator in self.generators],
            "numpy": np.random.get_state(legacy=False),
            "python": [version, np.array(numbers, np.uint32), spare],
        }

    def set(self, state: dict[str, Any]) -> None:
        """Goes on from there. Raises ValueError where there are more or fewer generators than there were."""
        if len(state["generators"]) != len(self.generators):
            raise ValueError(
                f"resume: the checkpoint holds the states of {len(state['generators'])} generators, "
                f"but the loaders have {len(self.generators)}"
            )
        for generator, own in zip(self.generators, state["generators"], strict=True):
            set_state(generator, own)
        np.random.set_state(state["numpy"])
        version, numbers, spare = state["python"]
        random.setstate((version, tuple(map(int, numbers)), spare))


def state_of(generator: Any) -> Any:
    """A generator's state as plain data."""
    if isinstance(generator, Generator):
        return [int(number) for number in generator.get_state().array]
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    raise TypeError(f"checkpoint: the state of a generator of type {type(generator).__name__} can't be saved")


def set_state(generator: Any, state: Any) -> None:
    """Sets a generator's state."""
    if isinstance(generator, Generator):
        generator.set_state(np.array(state, np.uint64))
    else:
        generator.bit_generator.state = state
