"""Registering hooks, and the handle that removes them."""

from __future__ import annotations

import itertools
from typing import Any

from cygrad.autograd import recording

__all__ = ["RemovableHandle", "add_hook"]

_numbers = itertools.count()


class RemovableHandle:
    """Removes a hook, by ``remove()`` or at the end of a ``with`` block."""

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self.hooks = hooks
        self.number = number
        self.others: list[RemovableHandle] = []  # removed with this one

    def remove(self) -> None:
        """Remove the hook. A second call does nothing."""
        recording.note_change()
        self.hooks.pop(self.number, None)
        for other in self.others:
            other.remove()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def add_hook(hooks: dict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    """Add a hook after the others, or before them, and return its handle."""
    recording.note_change()
    number = next(_numbers)
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[number] = hook
    hooks.update(others)
    return RemovableHandle(hooks, number)
