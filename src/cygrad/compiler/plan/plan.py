"""The events of a recording while passes change them: what reads and writes which array, and which arrays are private
to the step."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import cached_property
from cygrad._typing import Array
from cygrad.compiler.plan.launches import Operand, operands_of
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.record.recorder import Recorder

__all__ = ["Plan", "Provenance", "Use", "is_launch", "launches_of", "used_only_by"]


def is_launch(event: Any, name: str | None = None) -> bool:
    """Whether an event is a single launch, of kernel `name` if that is given; chains and calls are not."""
    return isinstance(event, kernels.Launch) and (name is None or event.name == name)


def launches_of(event: Any) -> list[Any]:
    """The launches of an event: a launch itself, all of a chain, none of a call."""
    if isinstance(event, kernels.Chain):
        return list(event.launches)
    return [event] if isinstance(event, kernels.Launch) else []


class Use(NamedTuple):
    """A use of an array: the position of the event, the launch or call, and the operand. A call may do anything with an
    array; its operand is None."""

    position: int
    event: Any
    operand: Operand | None


class Provenance:
    """Which recorded event each event of a program comes from.

    Args:
        events: the recorded events, in order
    """

    def __init__(self, events: Iterable[Any]) -> None:
        events = list(events)
        self.names = [event.name for event in events]
        self.numbers = {id(event): number for number, event in enumerate(events)}
        self.moved: dict[tuple[int, str], tuple[int, str]] = {}  # operands that write what another event wrote

    def number(self, event: Any) -> int | None:
        """The index of an event in the recording, None for an event that was not recorded."""
        return self.numbers.get(id(event))

    def output(self, launch: Any, operand: str) -> tuple[int, str]:
        """The recorded event, and its operand, that wrote what a launch now writes through `operand`."""
        return self.moved.get((id(launch), operand), (self.numbers[id(launch)], operand))


class Plan:
    """The events of a recording, in order, and what passes need to know about them.

    An array is identified by the address of its owner. `temporary` are the arrays, by that address, that wrappers
    allocated during the recording and that nobody can look at after the step.

    Args:
        recorder: a recorder that has stopped
        visible: arrays that can be looked at after the step
    """

    def __init__(self, recorder: Recorder, visible: Iterable[Array]) -> None:
        self.events = list(recorder.events)
        self.provenance = Provenance(self.events)
        self.zeros = recorder.zeros
        self.known = recorder.known
        self.operands_found: dict[int, list[tuple[Operand, int]]] = {}  # by the launch's id
        # Launches that do more than write arrays: draw counters, count steps, set a fault.
        self.effects = {id(draw.event) for draw in recorder.draws}
        self.effects |= {id(launch.event) for launch in recorder.optimizer_launches}
        self.temporary = {address(owner): owner for owner in map(owner_of, recorder.tape.arrays)}
        not_temporary = {address(owner_of(array)) for array in visible}
        for event in self.events:
            if not is_launch(event):
                not_temporary |= owners_in(event)
            elif event.watched:
                self.effects.add(id(event))
                not_temporary.add(self.owner(event.watched))
        for key in not_temporary:
            self.temporary.pop(key, None)

    # Arrays

    def owner(self, pointer: int) -> int:
        """The address of the array that contains an address."""
        start = self.known.start(pointer)
        return pointer if start is None else start

    def array(self, pointer: int) -> Array:
        """The array that contains an address, one byte if none is known."""
        array = self.known.find(pointer)
        return np.ctypeslib.as_array((ctypes.c_ubyte * 1).from_address(pointer)) if array is None else array

    def covers(self, pointer: int, nbytes: int) -> bool:
        """Whether `nbytes` bytes from an address on are exactly one array."""
        array = self.known.find(pointer)
        return array is not None and address(array) == pointer and array.nbytes == nbytes

    def borrowed(self) -> list[Array]:
        """The arrays that are not temporary. Launches hold them by address alone, so a program keeps them alive."""
        return [array for key, array in self.known.arrays.items() if key not in self.temporary]

    # Uses

    def operands(self, launch: Any) -> list[tuple[Operand, int]]:
        """The operands of a launch, each with the address of its array. They are cached: call `invalidate` after any
        change of the launch that `redirect` did not make."""
        operands = self.operands_found.get(id(launch))
        if operands is None:
            operands = [(operand, self.owner(operand.pointer)) for operand in operands_of(launch)]
            self.operands_found[id(launch)] = operands
        return operands

    def invalidate(self, launch: Any) -> None:
        """Forget the operands of a launch that has been changed."""
        self.operands_found.pop(id(launch), None)
        self.__dict__.pop("uses", None)

    def written_by(self, event: Any) -> set[int]:
        """The arrays that an event writes; for a call, those that it may write."""
        if not is_launch(event):
            return owners_in(event)
        return {key for operand, key in self.operands(event) if operand.written}

    @cached_property
    def uses(self) -> dict[int, list[Use]]:
        """The uses of each array by the current events, in order."""
        uses: dict[int, list[Use]] = {}
        for index, event in enumerate(self.events):
            launches = launches_of(event)
            for launch in launches:
                for operand, key in self.operands(launch):
                    uses.setdefault(key, []).append(Use(index, launch, operand))
            if not launches:
                for key in owners_in(event):
                    uses.setdefault(key, []).append(Use(index, event, None))
        return uses

    # Changes

    def redirect(self, launch: Any, operand: str, pointer: int, instead_of: tuple[Any, str]) -> None:
        """Let a launch write to `pointer` through `operand`, instead of (event, operand), which will be removed."""
        launch.set_address(operand, 0, pointer)
        self.invalidate(launch)
        event, name = instead_of
        self.provenance.moved[id(launch), operand] = (self.provenance.numbers[id(event)], name)

    def substitute(self, replacements: dict[int, Any]) -> None:
        """Replace recorded launches, by id, by launches that write through operands of the same names."""
        for event in self.events:
            if id(event) in replacements:
                self.provenance.numbers[id(replacements[id(event)])] = self.provenance.numbers[id(event)]
        self.arrange([replacements.get(id(event), event) for event in self.events])

    def remove(self, events: Iterable[Any]) -> None:
        """Remove events."""
        removed = {id(event) for event in events}
        if removed:
            self.arrange([event for event in self.events if id(event) not in removed])

    def arrange(self, events: list[Any]) -> None:
        """Replace all events by these."""
        self.events = events
        self.__dict__.pop("uses", None)


def owners_in(call: Any) -> set[int]:
    """The arrays that a call may read or write."""
    return {address(owner_of(array)) for array in call.arrays()}


def used_only_by(uses: list[Use], *launches: Any) -> bool:
    """Whether an array has no other uses than these launches, once each and in this order."""
    return len(uses) == len(launches) and all([use.event is launch for use, launch in zip(uses, launches)])
