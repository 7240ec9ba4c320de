"""What a step does, written down while it runs: launches of kernels, and calls of Python where an op is not all
kernels.

While a recorder is in use, the engine lets it run ops, gradient rules, copies and additions. The launches that an op
makes are the record of it if they work on memory that the recorder knows: operands, what was recorded before, and
arrays that the wrappers made. An op that computes anything in NumPy has results elsewhere; then its launches are
dropped and the record is the call itself, whose results are copied to where they were the first time. So a replay
needs the same arrays, and nothing of the graph.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, Op, Value, recording
from cygrad.compiler.calls import Call, ForwardCall, RuleCall
from cygrad.compiler.memory import Memory, address, arrays_in, owner_of

__all__ = ["Draw", "Gradient", "Moved", "Recorder", "Refused"]

PACKAGE = str(Path(__file__).parents[1])


class Refused(RuntimeError):
    """A step that can't be recorded."""


class Draw(NamedTuple):
    """Counters that a dropout takes from a generator, None for the default one: by a launch, or a call in its place."""

    generator: Any
    draws: int
    event: Any


class Moved(NamedTuple):
    """One launch of an optimizer."""

    optimizer: Any
    group: dict[str, Any]
    params: list[Value]
    states: list[dict[str, Any]]
    tensors: list[dict[str, Value]]  # what the states held
    event: Any


class Gradient:
    """What a step finds in a leaf's ``grad``, unless it forgets it first, and what it leaves there."""

    def __init__(self, leaf: Value, forgotten: bool):
        self.leaf = leaf
        self.forgotten = forgotten
        self.before = None if forgotten else leaf.grad_value
        self.after: Value | None = None


class Recorder:
    """Writes down what happens in this thread between ``start`` and ``stop``."""

    def __init__(self, fullgraph: bool = False) -> None:
        self.tape = kernels.Tape()
        self.fullgraph = fullgraph
        self.known = Memory()
        self.calls: dict[int, ForwardCall] = {}  # of the nodes whose forward is a call
        self.nodes: list[Node] = []  # alive, so that their numbers stay theirs
        self.made: set[int] = set()  # addresses of what ops made
        self.leaves: dict[int, Value] = {}
        self.modules: dict[int, Any] = {}
        self.gradients: dict[int, Gradient] = {}
        self.draws: list[Draw] = []
        self.moves: list[Moved] = []
        self.restored: set[int] = set()
        self.first: list[Any] = []  # events that a replay begins with
        self.kept: list[Any] = []
        self.zeros: set[int] = set()  # addresses of arrays that stay zero
        self.shown: list[weakref.ref[Value]] = []  # what the step's own code could keep
        self.refusal: str | None = None
        self.scanned = [0, 0]  # arrays and created ones that are known already

    # The life of a recording

    @property
    def active(self) -> bool:
        """Whether this thread is the one that is recorded, and not inside a call that will be made again."""
        return bool(self.tape.active)

    @property
    def events(self) -> list[Any]:
        """Launches and calls, in order."""
        return self.tape.events

    def start(self) -> None:
        """Records from now on. Raises RuntimeError where another recording is under way."""
        if recording.use_recorder(self) is not None:
            raise RuntimeError("compile: a step is being recorded already")
        kernels.use_tape(self.tape)

    def stop(self) -> None:
        """Records no more."""
        kernels.use_tape(None)
        recording.use_recorder(None)
        self.events[:0] = self.first
        self.learn_new()
        for gradient in self.gradients.values():
            gradient.after = gradient.leaf.grad_value

    def refuse(self, what: str) -> None:
        """Notes that the step can't be recorded, and where."""
        if self.refusal is None:
            self.refusal = f"{what} reads numbers into Python, at {place_in_user_code()}"
        if self.fullgraph:
            raise Refused(f"compile: {self.refusal}")

    def add(self, call: Call) -> None:
        """Appends a call that has been made."""
        self.events.append(call)

    # Memory

    def learn(self, values: Any) -> None:
        """Makes the memory of arrays known: operands, and results of calls."""
        for array in arrays_in(values):
            self.known.add(array)

    def learn_new(self) -> None:
        """Makes known what the wrappers allocated since the last time."""
        first, created = self.scanned
        for array in self.tape.arrays[first:]:
            self.known.add(array)
        self.scanned = [len(self.tape.arrays), created]

    def is_known(self, array: Array) -> bool:
        return not array.nbytes or self.known.start(address(array)) is not None

    def is_native(self, mark: int, results: Any) -> bool:
        """Whether the events since `mark` are all that is needed to make the results again."""
        self.learn_new()
        for event in self.events[mark:]:
            if isinstance(event, kernels.Launch):
                for *_, pointer in event.arrays():
                    if self.known.start(pointer) is None:
                        return False
        return all([self.is_known(array) for array in arrays_in(results)])

    def drop(self, mark: int) -> None:
        """Forgets the events since `mark`."""
        del self.events[mark:]
        self.draws = [draw for draw in self.draws if draw.event in self.events]

    # What the engine does

    def forward(self, op: Op, operands: list[Any], options: dict[str, Any], args: tuple[Any, ...], wanted: bool) -> Any:
        """Runs the forward of an op, and records it."""
        for value in args:
            if isinstance(value, Value):
                self.operand(value)
        for array in arrays_in(options):
            self.before_write(array)
        self.learn(operands[1:])
        node, mark = operands[0], len(self.events)
        self.nodes.append(node)
        result = self.run(op.opaque, op.forward, operands, options)
        result = tuple([np.asarray(r) for r in result]) if isinstance(result, tuple) else np.asarray(result)
        saved = node.saved if wanted else ()
        if op.opaque or not self.is_native(mark, (result, saved)):
            self.drop(mark)
            self.calls[id(node)] = ForwardCall(op, list(operands), dict(options), result, tuple(saved))
            self.learn([result, saved])
            self.add(self.calls[id(node)])
        self.made.update([address(owner_of(array)) for array in arrays_in(result)])
        return result

    def rule(self, node: Node, upstream: Sequence[Any]) -> Any:
        """Runs the gradient rule of a node's op, and records it."""
        self.learn([upstream])
        mark, forward = len(self.events), self.calls.get(id(node))
        opaque = node.op.opaque or forward is not None
        result = self.run(opaque, node.op.rule, (node, *upstream), {})
        result = tuple(
            [None if r is None else np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]
        )
        if opaque or not self.is_native(mark, result):
            self.drop(mark)
            self.learn(result)
            self.add(RuleCall(node, forward, list(upstream), result))
        return result

    def run(self, opaque: bool, function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
        if not opaque:
            return function(*args, **options)
        self.tape.pause()
        try:
            return function(*args, **options)
        finally:
            self.tape.resume()

    def operand(self, value: Value) -> None:
        """Notes a tensor that was there before the step: a program holds only as long as it keeps its memory."""
        if address(owner_of(value.array)) not in self.made:
            self.leaves.setdefault(id(value), value)

    def plus(self, a: Array, b: Array) -> Array:
        """a + b"""
        plain = a.flags.c_contiguous and b.flags.c_contiguous and a.shape == b.shape and a.dtype == b.dtype
        if plain and a.dtype.char in "fd" and self.is_known(a) and self.is_known(b):
            return kernels.add(a, b)
        return self.produce(np.add, (a, b))

    def copy(self, array: Array) -> Array:
        """A copy in C order."""
        self.learn_new()
        if array.flags.c_contiguous and self.is_known(array):
            return kernels.copied(array)
        return self.produce(in_order, (array,))

    def overwrite(self, target: Array, source: Array) -> None:
        """target ← source"""
        self.before_write(target)
        self.learn_new()
        both = target.flags.carray and source.flags.c_contiguous and target.dtype == source.dtype
        if both and self.is_known(target) and self.is_known(source):
            kernels.copy_into(target, source)
        else:
            self.call_again(np.copyto, (target, source), {"casting": "same_kind"})

    def fill(self, target: Array, value: Any) -> None:
        """target[...] = value, a number or an array"""
        if isinstance(value, np.ndarray):
            if value.shape == target.shape and value.dtype == target.dtype:
                self.overwrite(target, value)
                return
        elif isinstance(value, (bool, int, float)) and target.dtype.kind in "biuf":
            constant = np.full(target.shape, value, target.dtype)
            self.learn(constant)
            if not value:
                self.zeros.add(address(constant))
            self.overwrite(target, constant)
            return
        self.call_again(assign, (target, value), {})

    def before_write(self, target: Array) -> None:
        """Lets a replay begin with what an array held that this step created and now writes to."""
        for array in self.tape.created[self.scanned[1] :]:
            if isinstance(array, np.ndarray):
                self.kept.append(array)
                self.restored.add(address(owner_of(array)))
        self.scanned[1] = len(self.tape.created)
        owner = owner_of(target)
        if address(owner) in self.restored:
            self.restored.discard(address(owner))
            self.restore(owner)
        self.learn(target)

    def restore(self, array: Array) -> None:
        """Writes to an array what it holds now, when a replay begins: somebody may read it before it is written to."""
        constant = array.copy()
        self.learn([array, constant])
        mark = len(self.events)
        if array.flags.carray:
            kernels.copy_into(array, constant)
            if not constant.any():
                self.zeros.add(address(constant))
        else:
            self.add(Call("restore", np.copyto, (array, constant), {}, None))
        self.first += self.events[mark:]
        del self.events[mark:]

    def produce(self, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        """function(*args), made again by replays, in the same memory."""
        result = self.run(True, function, args, {})
        result = result if isinstance(result, np.ndarray) else np.asarray(result)
        self.learn([args, result])
        self.made.add(address(owner_of(result)))
        self.add(Call(function.__name__, function, tuple(args), {}, result))
        return result

    def call_again(self, function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
        """function(*args), called again by replays, for its effects."""
        arrays = arrays_in([args[:1]])
        if arrays:
            self.before_write(arrays[0])
        name = getattr(function, "__qualname__", None) or type(function).__name__
        result = self.run(True, function, args, options)
        self.add(Call(name, function, tuple(args), dict(options), None))
        return result

    # What modules, generators and optimizers do

    def handed_out(self, value: Value) -> None:
        """Notes a tensor, which whoever has it can look at after the step."""
        self.shown.append(weakref.ref(value))

    def visible(self) -> list[Array]:
        """The arrays of tensors that still exist, and of gradients."""
        values = [value for value in [reference() for reference in self.shown] if value is not None]
        values += [gradient.after for gradient in self.gradients.values() if gradient.after is not None]
        return [value.array for value in values]

    def own_memory(self) -> set[int]:
        """The addresses of what the step has made, but for gradients, which stay where they are."""
        kept = {address(owner_of(g.after.array)) for g in self.gradients.values() if g.after is not None}
        return self.made | ({address(owner_of(array)) for array in self.tape.arrays} - kept)

    def called(self, module: Any) -> None:
        """Notes a module: a program holds as long as its attributes are the same."""
        if id(module) not in self.modules:
            self.modules[id(module)] = module
            self.learn(list(vars(module).values()))

    def touch(self, leaves: list[Value]) -> None:
        """Notes that the gradients of leaves are about to be used."""
        for leaf in leaves:
            if id(leaf) not in self.gradients:
                self.gradients[id(leaf)] = Gradient(leaf, False)
                if leaf.grad_value is not None:
                    self.learn(leaf.grad_value.array)

    def forget(self, leaves: list[Value]) -> None:
        """Notes that the gradients of leaves are about to be forgotten."""
        for leaf in leaves:
            if id(leaf) not in self.gradients:
                self.gradients[id(leaf)] = Gradient(leaf, True)

    def drew(self, generator: Any, draws: int) -> None:
        """Notes that the last event took counters from a generator."""
        self.draws.append(Draw(generator, draws, self.events[-1]))

    def optimized(
        self,
        optimizer: Any,
        group: dict[str, Any],
        params: list[Value],
        states: list[dict[str, Any]],
        names: Sequence[str],
    ) -> None:
        """Notes that the last event is an optimizer's launch."""
        tensors = [{name: state[name] for name in names} for state in states]
        for p, own in zip(params, tensors):
            self.leaves.setdefault(id(p), p)
            self.learn([p, p.grad_value, own])
        self.moves.append(Moved(optimizer, group, list(params), list(states), tensors, self.events[-1]))


def assign(target: Array, value: Any) -> None:
    target[...] = value


def in_order(array: Array) -> Array:
    return np.array(array, order="C")


def place_in_user_code() -> str:
    """file:line of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
