"""What the bytecode of a function reads and writes by name, as far as the values of its names are known.

A scan follows the instructions in their order, without running them. Its stack has, in place of each value, the objects
that may be there: none where nothing is known, several after a branch or in a loop. Each access to a known object is
reported to a :class:`Finder`, which says what is found there.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any, Protocol

__all__ = ["Finder", "scan"]

Values = tuple[Any, ...]  # the objects that may be at one position of the stack

MOST_VALUES = 32  # of one position
UNKNOWN: Values = ()


class Finder(Protocol):
    """Receives each access, and returns the objects that are found."""

    def find_global(self, name: str) -> Values: ...
    def find_free(self, name: str) -> Values: ...
    def find_attribute(self, owner: Any, name: str) -> Values: ...
    def find_item(self, container: Any, key: Any) -> Values: ...
    def find_elements(self, container: Any) -> Values: ...
    def find_result(self, function: Any, args: list[Values]) -> Values: ...
    def store_global(self, name: str) -> None: ...
    def store_free(self, name: str) -> None: ...
    def store_attribute(self, owner: Any, name: str) -> None: ...
    def store_item(self, container: Any, key: Any) -> None: ...


def scan(code: CodeType, names: dict[str, Values], finder: Finder) -> None:
    """Report the accesses of a function.

    Args:
        code: the function's code
        names: the objects that its arguments are bound to
        finder: receives the accesses
    """
    instructions = instructions_of(code)
    loops = any([instruction.opname == "FOR_ITER" for instruction in instructions])
    for _ in range(2 if loops else 1):  # a loop may use what its end has bound
        Scan(code, names, finder).run(instructions)


@lru_cache(maxsize=256)
def instructions_of(code: CodeType) -> list[dis.Instruction]:
    return [instruction for instruction in dis.get_instructions(code) if instruction.opname not in IGNORED]


class Scan:
    """One pass over the instructions of a function; the arguments are those of ``scan``."""

    def __init__(self, code: CodeType, names: dict[str, Values], finder: Finder) -> None:
        self.free = frozenset(code.co_freevars)
        self.names = names
        self.finder = finder
        self.stack: list[Values] = []
        self.reachable = True  # whether the instruction before goes on to this one
        self.waiting: dict[int, list[Values]] = {}  # the stack of jumps, by their target

    def run(self, instructions: list[dis.Instruction]) -> None:
        for instruction in instructions:
            if instruction.offset in self.waiting:
                self.merge(self.waiting.pop(instruction.offset))
            elif not self.reachable:
                self.stack = []
            self.reachable = True
            handler = HANDLERS.get(instruction.opname)
            if handler is not None:
                handler(self, instruction)
            else:
                self.other(instruction)
            if instruction.opcode in JUMPS:
                self.jump(instruction)
            self.reachable = self.reachable and instruction.opname not in ENDS

    # The stack

    def push(self, *values: Values) -> None:
        self.stack += values

    def pop(self) -> Values:
        return self.stack.pop() if self.stack else UNKNOWN

    def pop_many(self, count: int) -> list[Values]:
        return [self.pop() for _ in range(count)][::-1]

    def merge(self, other: list[Values]) -> None:
        """Go on with what this stack or another one has."""
        if self.reachable and len(self.stack) == len(other):
            self.stack = [union(a, b) for a, b in zip(self.stack, other)]
        else:
            self.stack = other

    def jump(self, instruction: dis.Instruction) -> None:
        """Keep the stack for the target of a jump."""
        if instruction.argval > instruction.offset:
            stack = list(self.stack)
            if instruction.opname == "FOR_ITER":
                del stack[-1 if sys.version_info >= (3, 12) else -2 :]  # the element, and the iterator
            known = self.waiting.get(instruction.argval)
            if known is not None and len(known) == len(stack):
                stack = [union(a, b) for a, b in zip(known, stack)]
            self.waiting[instruction.argval] = stack

    def other(self, instruction: dis.Instruction) -> None:
        """An instruction that makes one new value of some others, or pushes new ones."""
        effect = dis.stack_effect(instruction.opcode, instruction.arg, jump=False)
        if effect > 0:
            self.push(*[UNKNOWN] * effect)
            return
        for values in self.pop_many(1 - effect):
            self.use(values)
        self.push(UNKNOWN)

    def use(self, values: Values) -> None:
        """Report that something may read all of a container."""
        for value in values:
            self.finder.find_elements(value)

    # Names

    def load_const(self, instruction: dis.Instruction) -> None:
        self.push((instruction.argval,))

    def load_fast(self, instruction: dis.Instruction) -> None:
        for name in names_of(instruction):
            self.push(self.value_of(name))

    def value_of(self, name: str) -> Values:
        """The objects that a local name or one of the closure may be bound to."""
        return self.finder.find_free(name) if name in self.free else self.names.get(name, UNKNOWN)

    def load_global(self, instruction: dis.Instruction) -> None:
        values = self.finder.find_global(instruction.argval)
        # Two where a NULL comes before or after it, for a call.
        self.push(*[values] * dis.stack_effect(instruction.opcode, instruction.arg))

    def load_deref(self, instruction: dis.Instruction) -> None:
        self.push(self.value_of(instruction.argval))

    def store_fast(self, instruction: dis.Instruction) -> None:
        for name in names_of(instruction):
            self.names[name] = union(self.names.get(name, UNKNOWN), self.pop())

    def store_fast_load_fast(self, instruction: dis.Instruction) -> None:
        stored, loaded = names_of(instruction)
        self.names[stored] = union(self.names.get(stored, UNKNOWN), self.pop())
        self.push(self.names.get(loaded, UNKNOWN))

    def store_global(self, instruction: dis.Instruction) -> None:
        self.pop()
        self.finder.store_global(instruction.argval)

    def store_deref(self, instruction: dis.Instruction) -> None:
        if instruction.argval in self.free:
            self.pop()
            self.finder.store_free(instruction.argval)
        else:
            self.store_fast(instruction)

    # Attributes and items

    def load_attribute(self, instruction: dis.Instruction) -> None:
        found = join([self.finder.find_attribute(owner, instruction.argval) for owner in self.pop()])
        self.push(*[found] * (1 + dis.stack_effect(instruction.opcode, instruction.arg)))

    def store_attribute(self, instruction: dis.Instruction) -> None:
        owners, _ = self.pop(), self.pop()
        for owner in owners:
            self.finder.store_attribute(owner, instruction.argval)

    def binary(self, instruction: dis.Instruction) -> None:
        """An operator; from Python 3.14 on, [] is one."""
        if instruction.argrepr == "[]":
            self.load_item(instruction)
        else:
            self.other(instruction)

    def load_item(self, instruction: dis.Instruction) -> None:
        keys, containers = self.pop(), self.pop()
        self.push(join([self.items(container, keys) for container in containers]))

    def items(self, container: Any, keys: Values) -> Values:
        if not keys:
            return self.finder.find_elements(container)
        return join([self.finder.find_item(container, key) for key in keys])

    def store_item(self, instruction: dis.Instruction) -> None:
        keys, containers, _ = self.pop(), self.pop(), self.pop()
        for container in containers:
            for key in keys:
                self.finder.store_item(container, key)

    def get_iter(self, instruction: dis.Instruction) -> None:
        self.push((Elements(join([self.finder.find_elements(container) for container in self.pop()])),))

    def for_iter(self, instruction: dis.Instruction) -> None:
        iterators = self.stack[-1] if self.stack else UNKNOWN
        self.push(join([iterator.values for iterator in iterators if isinstance(iterator, Elements)]))

    def unpack(self, instruction: dis.Instruction) -> None:
        count, sequences = instruction.arg or 0, self.pop()
        parts = [p for p in [self.finder.find_elements(s) for s in sequences] if len(p) == count]
        self.push(*[join([(part[i],) for part in parts]) for i in reversed(range(count))])

    # Calls

    def call(self, instruction: dis.Instruction) -> None:
        args = self.pop_many(instruction.arg or 0)
        self.finish_call(args, union(self.pop(), self.pop()))

    def call_with_names(self, instruction: dis.Instruction) -> None:
        self.pop()
        self.call(instruction)

    def call_function(self, instruction: dis.Instruction) -> None:
        args = self.pop_many(instruction.arg or 0)
        self.finish_call(args, self.pop())

    def call_function_with_names(self, instruction: dis.Instruction) -> None:
        self.pop()
        self.call_function(instruction)

    def finish_call(self, args: list[Values], functions: Values) -> None:
        functions = functions or (None,)
        self.push(join([self.finder.find_result(function, args) for function in functions]))

    # Moves on the stack

    def pop_one(self, instruction: dis.Instruction) -> None:
        self.pop()

    def test(self, instruction: dis.Instruction) -> None:
        self.use(self.pop())

    def copy(self, instruction: dis.Instruction) -> None:
        depth = instruction.arg or 1
        self.push(self.stack[-depth] if len(self.stack) >= depth else UNKNOWN)

    def copy_two(self, instruction: dis.Instruction) -> None:
        self.push(*[UNKNOWN, UNKNOWN, *self.stack][-2:])

    def swap(self, instruction: dis.Instruction) -> None:
        depth = instruction.arg or 2
        if len(self.stack) >= depth:
            self.stack[-1], self.stack[-depth] = self.stack[-depth], self.stack[-1]

    def rotate(self, instruction: dis.Instruction) -> None:
        depth = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4}.get(instruction.opname, instruction.arg or 1)
        if len(self.stack) >= depth:
            self.stack.insert(len(self.stack) - depth, self.stack.pop())

    def nothing(self, instruction: dis.Instruction) -> None:
        pass


class Elements:
    """An iterator over known objects."""

    def __init__(self, values: Values) -> None:
        self.values = values


def union(a: Values, b: Values) -> Values:
    return b if not a else a if not b else join([a, b])


def join(parts: list[Values]) -> Values:
    """All objects, each once."""
    if len(parts) == 1:
        return parts[0][:MOST_VALUES]
    return tuple({id(value): value for part in parts for value in part}.values())[:MOST_VALUES]


def names_of(instruction: dis.Instruction) -> tuple[str, ...]:
    """The local names of an instruction; some name two."""
    return instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)


JUMPS = frozenset([*dis.hasjabs, *dis.hasjrel])
# After these, the next instruction is another one.
ENDS = frozenset([
    "RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD", "JUMP_ABSOLUTE", "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
])  # fmt: skip
IGNORED = frozenset([
    "CACHE", "RESUME", "NOP", "PRECALL", "KW_NAMES", "EXTENDED_ARG", "NOT_TAKEN", "MAKE_CELL", "COPY_FREE_VARS",
])  # fmt: skip

HANDLERS: dict[str, Callable[[Scan, dis.Instruction], None]] = {
    "LOAD_CONST": Scan.load_const, "LOAD_SMALL_INT": Scan.load_const, "LOAD_NAME": Scan.load_global,
    "LOAD_GLOBAL": Scan.load_global, "LOAD_DEREF": Scan.load_deref, "LOAD_CLASSDEREF": Scan.load_deref,
    "LOAD_CLOSURE": Scan.load_deref,
    "LOAD_FAST": Scan.load_fast, "LOAD_FAST_CHECK": Scan.load_fast, "LOAD_FAST_AND_CLEAR": Scan.load_fast,
    "LOAD_FAST_BORROW": Scan.load_fast, "LOAD_FAST_LOAD_FAST": Scan.load_fast,
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": Scan.load_fast, "STORE_FAST": Scan.store_fast,
    "STORE_FAST_STORE_FAST": Scan.store_fast, "STORE_FAST_LOAD_FAST": Scan.store_fast_load_fast,
    "STORE_GLOBAL": Scan.store_global, "STORE_DEREF": Scan.store_deref, "LOAD_ATTR": Scan.load_attribute,
    "LOAD_METHOD": Scan.load_attribute, "STORE_ATTR": Scan.store_attribute, "BINARY_SUBSCR": Scan.load_item,
    "BINARY_OP": Scan.binary, "STORE_SUBSCR": Scan.store_item, "GET_ITER": Scan.get_iter, "FOR_ITER": Scan.for_iter,
    "UNPACK_SEQUENCE": Scan.unpack, "CALL": Scan.call, "CALL_KW": Scan.call_with_names, "CALL_METHOD": Scan.call,
    "CALL_FUNCTION": Scan.call_function, "CALL_FUNCTION_KW": Scan.call_function_with_names,
    "POP_TOP": Scan.pop_one, "POP_ITER": Scan.pop_one, "POP_JUMP_IF_NONE": Scan.pop_one,
    "POP_JUMP_IF_NOT_NONE": Scan.pop_one, "POP_JUMP_FORWARD_IF_NONE": Scan.pop_one,
    "POP_JUMP_FORWARD_IF_NOT_NONE": Scan.pop_one, "POP_JUMP_BACKWARD_IF_NONE": Scan.pop_one,
    "POP_JUMP_BACKWARD_IF_NOT_NONE": Scan.pop_one, "POP_JUMP_IF_TRUE": Scan.test, "POP_JUMP_IF_FALSE": Scan.test,
    "POP_JUMP_FORWARD_IF_TRUE": Scan.test, "POP_JUMP_FORWARD_IF_FALSE": Scan.test,
    "POP_JUMP_BACKWARD_IF_TRUE": Scan.test, "POP_JUMP_BACKWARD_IF_FALSE": Scan.test,
    "END_FOR": Scan.pop_one if sys.version_info < (3, 13) else Scan.nothing, "COPY": Scan.copy, "DUP_TOP": Scan.copy,
    "DUP_TOP_TWO": Scan.copy_two, "SWAP": Scan.swap, "ROT_TWO": Scan.rotate, "ROT_THREE": Scan.rotate,
    "ROT_FOUR": Scan.rotate, "ROT_N": Scan.rotate, "JUMP_FORWARD": Scan.nothing, "JUMP_ABSOLUTE": Scan.nothing,
    "JUMP_BACKWARD": Scan.nothing, "JUMP_BACKWARD_NO_INTERRUPT": Scan.nothing,
}  # fmt: skip
