"""Functions that users hang somewhere, and the handle that takes them off again."""

from __future__ import annotations

import itertools
from typing import Any

from cygrad.autograd import recording

__all__ = ["RemovableHandle", "add_hook"]

_numbers = itertools.count()


class RemovableHandle:
    """Takes a hook off again, by ``remove()`` or at the end of a ``with`` block."""

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self.hooks = hooks
        self.number = number

    def remove(self) -> None:
        """Takes the hook off; a second time does nothing."""
        recording.note_change()
        self.hooks.pop(self.number, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def add_hook(hooks: dict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    """Adds a hook behind the others, or before them."""
    recording.note_change()
    number = next(_numbers)
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[number] = hook
    hooks.update(others)
    return RemovableHandle(hooks, number)
