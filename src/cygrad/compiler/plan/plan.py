"""The events of a recording while passes change them: who uses which memory, and which of it nobody else sees."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.compiler.plan.launches import Operand, operands_of
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.record.recorder import Recorder

__all__ = ["Plan", "Use", "is_launch", "launches_of", "only_uses"]


def is_launch(event: Any, name: str | None = None) -> bool:
    """Whether an event is one launch, of kernel `name` where that is given: no chain, and no call of Python."""
    return isinstance(event, kernels.Launch) and (name is None or event.name == name)


def launches_of(event: Any) -> list[Any]:
    """The launches of an event: itself, those of a chain, none of a call."""
    if isinstance(event, kernels.Chain):
        return list(event.launches)
    return [event] if isinstance(event, kernels.Launch) else []


class Use(NamedTuple):
    """That a launch reads or writes an array: the place of its event, and through which operand. A call of Python may
    do anything with an array: its operand is None."""

    place: int
    event: Any
    operand: Operand | None


class Plan:
    """The events of a recording, in order, and what passes need to know of them.

    An array is known by the address of its owner. Those that the kernels' wrappers made during the recording are
    `temporary`, by their addresses, where nobody can look at them after the step: `visible` can be looked at.
    """

    def __init__(self, recorder: Recorder, visible: Iterable[Array]) -> None:
        self.events = list(recorder.events)
        self.zeros = recorder.zeros
        self.numbers = {id(event): number for number, event in enumerate(self.events)}  # in the recording
        self.stands_for: dict[tuple[int, str], tuple[int, str]] = {}  # operands that write what others did
        self.known = recorder.known
        self.looked_up: dict[int, list[tuple[Operand, int]]] = {}
        # What happens besides writing arrays: counters taken, steps counted, faults found.
        self.effects = {id(draw.event) for draw in recorder.draws} | {id(moved.event) for moved in recorder.moves}
        self.temporary = {address(owner): owner for owner in map(owner_of, recorder.tape.arrays)}
        seen = {address(owner_of(array)) for array in visible}
        for event in self.events:
            if not is_launch(event):
                seen |= keys_of(event)
            elif event.watched:
                self.effects.add(id(event))
                seen.add(self.owner(event.watched))
        for key in seen:
            self.temporary.pop(key, None)

    def owner(self, pointer: int) -> int:
        """The address of the array that an address lies in."""
        start = self.known.start(pointer)
        return pointer if start is None else start

    def array(self, pointer: int) -> Array:
        """The array that an address lies in; one byte where none is known."""
        found = self.known.find(pointer)
        return np.ctypeslib.as_array((ctypes.c_ubyte * 1).from_address(pointer)) if found is None else found

    def operands(self, launch: Any) -> list[tuple[Operand, int]]:
        """The operands of a launch, each with the array that it lies in. They are looked up once: who changes a launch
        otherwise than by `replace` calls `look_again`."""
        found = self.looked_up.get(id(launch))
        if found is None:
            found = self.looked_up[id(launch)] = [(o, self.owner(o.pointer)) for o in operands_of(launch)]
        return found

    def look_again(self, launch: Any) -> None:
        """Forgets the operands of a launch, which has been changed."""
        self.looked_up.pop(id(launch), None)
        self.__dict__.pop("uses", None)

    def written_by(self, event: Any) -> set[int]:
        """The arrays that an event writes; of a call of Python, those that it may write."""
        if not is_launch(event):
            return keys_of(event)
        return {key for operand, key in self.operands(event) if operand.written}

    @cached_property
    def uses(self) -> dict[int, list[Use]]:
        """The uses of each array, in order: as they are now, for passes change them."""
        found: dict[int, list[Use]] = {}
        for place, event in enumerate(self.events):
            launches = launches_of(event)
            for launch in launches:
                for operand, key in self.operands(launch):
                    found.setdefault(key, []).append(Use(place, launch, operand))
            if not launches:
                for key in keys_of(event):
                    found.setdefault(key, []).append(Use(place, event, None))
        return found

    def memory(self) -> list[Array]:
        """The arrays that are not temporary, which launches hold by their addresses alone."""
        return [array for key, array in self.known.arrays.items() if key not in self.temporary]

    def replace(self, launch: Any, name: str, pointer: int, stands_for: tuple[Any, str]) -> None:
        """Lets a launch write to `pointer` through its operand `name`, as (event, operand) did that is left out."""
        launch.move(name, 0, pointer)
        self.look_again(launch)
        self.stands_for[id(launch), name] = (self.numbers[id(stands_for[0])], stands_for[1])

    def remove(self, events: Iterable[Any]) -> None:
        """Leaves events out."""
        gone = {id(event) for event in events}
        if gone:
            self.arrange([event for event in self.events if id(event) not in gone])

    def arrange(self, events: list[Any]) -> None:
        """Has these events from now on."""
        self.events = events
        self.__dict__.pop("uses", None)


def keys_of(call: Any) -> set[int]:
    """The arrays that a call of Python may read or write."""
    return {address(owner_of(array)) for array in call.arrays()}


def only_uses(uses: list[Use], *launches: Any) -> bool:
    """Whether an array is used by these launches alone, once each and in this order."""
    return len(uses) == len(launches) and all([use.event is launch for use, launch in zip(uses, launches)])
