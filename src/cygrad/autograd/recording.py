"""The switchboard between the engine and a recorder: the recorder of a step, if there is one, runs ops, rules, and
copies in the engine's place.

``cygrad.compiler`` has the recorder; this module only knows which one is in use. Every function here behaves the same
without one. The build compiles this file with the C types of recording.pxd.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import arrays

P = ParamSpec("P")
R = TypeVar("R")

# The ranks of locks: a thread waits only for one of a higher rank than those that it has.
RECORDING, PROGRAM = 0, 1

lock = kernels.OwnedLock(RECORDING)  # of the thread that records
_recorder: Any = None
_changes = 0
_followers: list[Callable[[Any], None]] = []


def use_recorder(new: Any) -> None:
    """Put `new` in use, or no recorder where it is None.

    A recorder is in use for the whole process but ``active`` in one thread.
    """
    global _recorder
    _recorder = new
    kernels.use_tape(None if new is None else new.tape)
    for follower in _followers:
        follower(new)


def record(new: Any, function: Callable[[], R]) -> R:
    """function(), with the recorder `new` in use; nothing that interrupts the function leaves it in use.

    Raises RuntimeError if another one is in use.
    """
    if _recorder is not None:
        raise RuntimeError("compile: a step is being recorded already")
    try:
        use_recorder(new)
        return function()
    finally:
        use_recorder(None)


def restoring(function: Callable[[], R], restore: Callable[[], object]) -> R:
    """function(), and then restore(), which has no effect the second time; what interrupts either comes after it.

    Compiled, so that there is no moment between the two.
    """
    try:
        return function()
    finally:
        whole(restore)


class Block:
    """A block between ``begin()`` and ``end()`` of a subclass, and ``after()``, which follows a block without an error.
    The second call of ``end()`` has no effect. Compiled, so that no interrupt leaves what ``begin()`` does."""

    begin: Callable[[], None]
    end: Callable[[], None]
    after: Callable[[], None]

    def __enter__(self) -> None:
        try:
            self.begin()
        except BaseException:
            whole(self.end)
            raise

    def __exit__(self, kind: Any, *error: object) -> None:
        whole(self.end)
        if kind is None:
            self.after()


def whole(restore: Callable[[], object]) -> None:
    """restore(), from its beginning if something interrupts it, which is raised then."""
    try:
        restore()
    except BaseException:
        restore()
        raise


def forget_other_threads() -> None:
    """Called in a forked child: a recording of another thread does not go on there."""
    if not lock.is_mine():
        use_recorder(None)


kernels.in_child(forget_other_threads)


def follow(follower: Callable[[Any], None]) -> None:
    """Call follower(recorder) whenever another recorder, or None, is put in use.

    The engine keeps a reference of its own, so that without a recorder an op costs one comparison, not a call.
    """
    _followers.append(follower)


def recorder() -> Any:
    """The active recorder of this thread, or None."""
    return _recorder if _recorder is not None and _recorder.active else None


def note_change() -> None:
    """Count a change that programs may depend on: of a module's attributes, or of hooks."""
    global _changes
    _changes += 1


def changes() -> int:
    """The number of such changes so far."""
    return _changes


def reading(what: str) -> None:
    """Announce that elements of a tensor are about to be read into Python, where a program can't follow them."""
    active = recorder()
    if active is not None:
        active.refuse(what)


def written(value: Any) -> None:
    """Announce a write to the memory of a value: a program is valid only as long as the value keeps it."""
    active = recorder()
    if active is not None:
        active.note_leaf(value)


def call_again(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """function(*args, **options), called for its effects: a program calls it again."""
    active = recorder()
    return function(*args, **options) if active is None else active.call_again(function, args, options)


def produced(function: Callable[..., Array], *args: Any) -> Array:
    """function(*args), a new array: a program computes it again, into the same memory."""
    active = recorder()
    return arrays.as_array(function(*args) if active is None else active.produce(function, args))


def replayed(method: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a program calls the function again, with the same arguments."""

    @functools.wraps(method)
    def call(*args: P.args, **options: P.kwargs) -> R:
        return method(*args, **options) if _recorder is None else call_again(method, *args, **options)

    return call


def plus(a: Array, b: Array, owned: bool) -> Array:
    """a + b, in the memory of b if it is large and `owned`"""
    active = recorder()
    if active is not None:
        return active.plus(a, b)
    if arrays.is_large(b) and a.dtype == b.dtype and a.dtype.char in "fd":
        if owned and kernels.move(b, a, accumulate=True):
            return b
        return kernels.add(a, b)
    result = a + b
    return result if isinstance(result, np.ndarray) else arrays.as_array(result)


def copied(array: Array) -> Array:
    """A copy in C order."""
    active = recorder()
    return np.array(array, order="C") if active is None else active.copy(array)


def overwrite(target: Array, source: Array) -> None:
    """target ← source, of the same shape; callers check the category of the dtypes."""
    active = recorder()
    if active is None:
        np.copyto(target, source, casting="unsafe")
    else:
        active.overwrite(target, source)


def add_into(target: Array, source: Array) -> None:
    """target ← target + source, in place"""
    active = recorder()
    if active is not None:
        active.add_into(target, source)
    elif not (arrays.is_large(target) and kernels.move(target, source, accumulate=True)):
        np.add(target, source, out=target)


def fill(target: Array, value: Any) -> None:
    """target[...] = value, a number or an array."""
    active = recorder()
    if active is None:
        target[...] = value
    else:
        active.fill(target, value)
