"""Stage 1: what a step does, recorded while it runs: launches of kernels, and calls back into Python.

While a recorder is active, the engine passes it ops, gradient rules, copies and additions to run. The launches that an
op makes are its record if they use only memory that the recorder knows: operands, results of earlier events, and arrays
that the wrappers allocated. Where an op computes something in NumPy, its results lie elsewhere; its launches are then
dropped and the record is a call of the op itself, whose results a replay copies to the recorded ones. So a replay uses
the same arrays every time, and needs nothing of the graph.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, Op, Value, recording
from cygrad.compiler.names.reads import Watch, is_user_code
from cygrad.compiler.record.address_map import AddressMap, address, arrays_in, owner_of
from cygrad.compiler.record.calls import Call, ForwardCall, RuleCall
from cygrad.compiler.replay.replay import Binding
from cygrad.ops.index import put

__all__ = ["Gradient", "OptimizerLaunch", "RandomDraw", "Recorder", "Refused"]

# The rooms whose use of arrays ends in launches, or in calls that a program repeats.
RECORDED_ROOMS = frozenset(
    (
        "autograd", "compiler", "creation", "distributed", "distributions", "functions", "generator", "methods", "nn",
        "ops", "optim", "random", "tensor",
    )
)  # fmt: skip


class Refused(RuntimeError):
    """A step can't be recorded."""


class RandomDraw(NamedTuple):
    """The number of counters that a launch of dropout, or a call in its place, draws from a generator; None stands for
    the default one."""

    generator: Any
    counters: int
    event: Any


class OptimizerLaunch(NamedTuple):
    """One launch of an optimizer: its parameters, the state of each, and the tensors in each state."""

    optimizer: Any
    group: dict[str, Any]
    params: list[Value]
    states: list[dict[str, Any]]
    tensors: list[dict[str, Value]]
    event: Any


class Gradient:
    """The gradient of a leaf before and after the step; `deleted` if the step sets it to None before reading it."""

    def __init__(self, leaf: Value, deleted: bool):
        self.leaf = leaf
        self.deleted = deleted
        self.before: Value | None = None if deleted else leaf.grad_value
        self.after: Value | None = None


class Recorder:
    """Records what a function does in this thread.

    Args:
        fullgraph: whether a step that can't be recorded raises Refused at once
        function: the function that is recorded, for ``bindings``
        from_library: whether it calls only functions of this library
    """

    def __init__(
        self, fullgraph: bool = False, function: Callable[..., Any] | None = None, from_library: bool = False
    ) -> None:
        self.watch = Watch(function, from_library, lambda: self.active)
        self.tape = kernels.Tape()
        self.thread = threading.get_ident()
        self.fullgraph = fullgraph
        self.refusal: str | None = None  # why the step can't be recorded
        # What the step did
        self.prologue: list[Any] = []  # events that a replay starts with
        self.calls: dict[int, ForwardCall] = {}  # by the id of the node, of forwards that are calls
        self.draws: list[RandomDraw] = []
        self.optimizer_launches: list[OptimizerLaunch] = []
        # What it used
        self.leaves: dict[int, Value] = {}  # by id, like all that follow
        self.modules: dict[int, Any] = {}
        self.gradients: dict[int, Gradient] = {}
        self.exposed: list[weakref.ref[Value]] = []  # tensors that code of the user may have kept
        # Memory, by address
        self.known = AddressMap()
        self.outputs: set[int] = set()  # results of ops
        self.zeros: set[int] = set()  # arrays that stay zero
        self.unwritten: set[int] = set()  # arrays of the step that it has not written to yet
        self.changed: set[int] = set()  # owners of the arrays that it writes to
        self.arrays_seen = self.created_seen = 0  # how many of the tape's arrays are known already
        self.accessing = False  # whether array_accessed is running, and takes arrays itself
        self.alive: list[Any] = []  # arrays and nodes, so that no other object gets their address or id
        self.foreign: set[int] = set()  # launches, by id, that used memory which was not known when they ran
        self.tape.observer = self.launched

    # Recording

    @property
    def active(self) -> bool:
        """Whether this thread is being recorded, and is not inside a call that will be repeated."""
        return bool(self.tape.active)

    @property
    def events(self) -> list[Any]:
        """Launches and calls, in order."""
        return self.tape.events

    def record(self, function: Callable[[], Any]) -> Any:
        """function(), recorded. Raises RuntimeError if another recording is active."""
        try:
            result = recording.record(self, partial(self.follow, function))
        finally:
            self.finish()
        self.note_writes()
        return result

    def follow(self, function: Callable[[], Any]) -> Any:
        """function(), while names are watched; gradients that it leaves start anew in each replay."""
        result = self.watch.follow(function)
        for gradient in self.gradients.values():
            if gradient.leaf.grad_value is not None:  # anybody may write to it between two calls
                self.start_anew(gradient.leaf.grad_value.array)
        return result

    def finish(self) -> None:
        """Complete the record of a step."""
        self.events[:0] = self.prologue
        self.learn_allocated()
        for gradient in self.gradients.values():
            gradient.after = gradient.leaf.grad_value

    def note_writes(self) -> None:
        """Note the arrays that launches have written to."""
        for event in self.events:
            if isinstance(event, kernels.Launch):
                starts = [self.known.start(pointer) for _, _, pointer, _, written in event.arrays() if written]
                self.changed.update([start for start in starts if start is not None])

    def refuse(self, what: str, why: str = "reads values into Python") -> None:
        """Note that the step can't be recorded, and the line of the user's code."""
        if self.refusal is None:
            self.refusal = f"{what} {why}, at {user_line()}"
        if self.fullgraph:
            raise Refused(f"compile: {self.refusal}")

    def add(self, call: Call) -> None:
        """Append a call that has been made."""
        self.events.append(call)

    def drop(self, mark: int) -> None:
        """Remove the events since `mark`."""
        self.foreign.difference_update([id(event) for event in self.events[mark:]])
        del self.events[mark:]
        self.draws = [draw for draw in self.draws if draw.event in self.events]

    # Memory

    def learn(self, values: Any) -> None:
        """Add arrays, operands or results of calls, to the known memory."""
        for array in arrays_in(values):
            self.known.add(array)

    def learn_allocated(self) -> None:
        """Add the arrays that wrappers have allocated since the last time."""
        for array in self.tape.arrays[self.arrays_seen :]:
            self.known.add(array)
        self.arrays_seen = len(self.tape.arrays)

    def is_known(self, array: Array) -> bool:
        return not array.nbytes or self.known.start(address(array)) is not None

    def launched(self, launch: Any) -> None:
        """Note whether a launch that has just run used memory that is not known. It can't be told later: a temporary
        array of NumPy is freed at once, and a wrapper may then allocate a known array at its address."""
        self.learn_allocated()
        if any([self.known.start(pointer) is None for _, _, pointer, *_ in launch.arrays()]):
            self.foreign.add(id(launch))

    def is_native(self, mark: int, results: Any) -> bool:
        """Whether the events since `mark` are launches on known memory that compute all of the results."""
        self.learn_allocated()
        if any([id(event) in self.foreign for event in self.events[mark:]]):
            return False
        return all([self.is_known(array) for array in arrays_in(results)])

    # Called by the engine: ops

    def forward(self, op: Op, operands: list[Any], options: dict[str, Any], args: tuple[Any, ...], wanted: bool) -> Any:
        """Run and record the forward of an op."""
        for value in args:
            if isinstance(value, Value):
                self.note_leaf(value)
        for array in arrays_in(options):
            self.before_write(array)
        self.learn(operands[1:])
        node, mark = operands[0], len(self.events)
        self.alive.append(node)
        result = self.run(op.opaque, op.forward, operands, options)
        result = tuple([np.asarray(r) for r in result]) if isinstance(result, tuple) else np.asarray(result)
        saved = node.saved if wanted else ()
        if op.opaque or not self.is_native(mark, (result, saved)):
            self.drop(mark)
            self.calls[id(node)] = ForwardCall(op, list(operands), dict(options), result, tuple(saved))
            self.learn([result, saved])
            self.add(self.calls[id(node)])
        self.outputs.update([address(owner_of(array)) for array in arrays_in(result)])
        return result

    def rule(self, node: Node, upstream: Sequence[Any]) -> Any:
        """Run and record the gradient rule of a node's op."""
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
        """function(*args, **options); nothing of it is recorded if it is opaque."""
        if not opaque:
            return function(*args, **options)
        return self.tape.call_unrecorded(function, args, options)

    def note_leaf(self, value: Value) -> None:
        """Note a tensor that existed before the step: a program is valid only as long as it keeps its array."""
        if address(owner_of(value.array)) not in self.outputs:
            self.leaves.setdefault(id(value), value)

    def array_accessed(self, value: Value, moved: bool) -> None:
        """Note that code takes the array of a tensor, or gives the tensor another one (`moved`). Only the rooms of this
        library whose launches are recorded may do that; what others do with the elements would be lost."""
        if self.accessing:
            return
        self.accessing = True
        try:
            if moved:
                self.refuse("an assignment to data", "gives a tensor other memory")
            elif not in_recorded_room(sys._getframe(1)):
                self.refuse("array")
            self.note_leaf(value)
        finally:
            self.accessing = False

    # Called by the engine: arrays

    def plus(self, a: Array, b: Array) -> Array:
        """a + b"""
        self.learn_allocated()
        plain = a.shape == b.shape and a.dtype == b.dtype and a.dtype.char in "fd"
        if plain and self.is_known(a) and self.is_known(b):
            mark = len(self.events)
            result = kernels.add(a, b)
            if self.is_native(mark, result):
                return result
            self.drop(mark)
        return self.produce(np.add, (a, b))

    def copy(self, array: Array) -> Array:
        """A copy in C order."""
        self.learn_allocated()
        if self.is_known(array):
            mark = len(self.events)
            result = kernels.copied(array)
            if self.is_native(mark, result):
                return result
            self.drop(mark)
        return self.produce(copy_in_order, (array,))

    def overwrite(self, target: Array, source: Array) -> None:
        """target ← source"""
        self.before_write(target)
        self.learn_allocated()
        both = target.flags.carray and source.flags.c_contiguous and target.dtype == source.dtype
        known = self.is_known(target) and self.is_known(source)
        # A copy inside one array is NumPy's: the shares of a launch would overwrite what others have yet to read.
        if both and known and target.shape == source.shape and not np.may_share_memory(target, source):
            kernels.copy_into(target, source)
        elif not known or not kernels.move(target, source):
            self.call_again(np.copyto, (target, source), {"casting": "unsafe"})

    def add_into(self, target: Array, source: Array) -> None:
        """target ← target + source"""
        self.before_write(target)
        self.learn_allocated()
        if not (self.is_known(target) and self.is_known(source) and kernels.move(target, source, True)):
            self.call_again(add_into, (target, source), {})

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
        """Prepare for a write to an array."""
        self.start_anew(target)
        self.changed.add(address(owner_of(target)))
        self.learn(target)

    def start_anew(self, target: Array) -> None:
        """If the step created an array and has not written to it, let each replay start with its first contents."""
        for array in self.tape.created[self.created_seen :]:
            if isinstance(array, np.ndarray):
                self.alive.append(array)
                self.unwritten.add(address(owner_of(array)))
        self.created_seen = len(self.tape.created)
        owner = owner_of(target)
        if address(owner) in self.unwritten:
            self.unwritten.discard(address(owner))
            self.restore(owner)

    def restore(self, array: Array) -> None:
        """Let each replay start by setting an array to what it contains now: it may be read before it is written."""
        constant = array.copy()
        self.learn([array, constant])
        mark = len(self.events)
        if array.flags.carray:
            kernels.copy_into(array, constant)
            with np.errstate(invalid="ignore"):  # memory that nobody has set may contain signalling NaN
                if not constant.any():
                    self.zeros.add(address(constant))
        else:
            self.add(Call("restore", np.copyto, (array, constant), {}, None, True))
        self.prologue += self.events[mark:]
        del self.events[mark:]

    def produce(self, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        """function(*args), which replays compute again in the same memory."""
        result = self.run(True, function, args, {})
        result = result if isinstance(result, np.ndarray) else np.asarray(result)
        self.learn([args, result])
        self.outputs.add(address(owner_of(result)))
        self.add(Call(function.__name__, function, tuple(args), {}, result, True))
        return result

    def call_again(self, function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
        """function(*args, **options), which replays call again for its effects."""
        arrays = arrays_in([args[:1]])
        if arrays:
            self.before_write(arrays[0])
        name = getattr(function, "__qualname__", None) or type(function).__name__
        result = self.run(True, function, args, options)
        is_pure = function in (np.copyto, assign, add_into, put)
        self.add(Call(name, function, tuple(args), dict(options), None, is_pure))
        return result

    # Called by the engine, modules, generators and optimizers

    def handed_out(self, value: Value) -> None:
        """Note a tensor that code of the user can keep and look at after the step; other threads make tensors too."""
        if threading.get_ident() == self.thread:
            self.exposed.append(weakref.ref(value))

    def called(self, module: Any) -> None:
        """Note a module: a program is valid only as long as its attributes are the same."""
        if id(module) not in self.modules:
            self.modules[id(module)] = module
            self.learn(list(vars(module).values()))

    def touch(self, leaves: list[Value]) -> None:
        """Note that the gradients of leaves are about to be used. Those of leaves that the step has made begin anew in
        each call."""
        new = [leaf for leaf in leaves if id(leaf) not in self.gradients]
        created = self.created() if new else set()
        for leaf in new:
            if id(leaf) not in self.gradients:
                self.gradients[id(leaf)] = Gradient(leaf, leaf.grad_value is None and id(leaf) in created)
                if leaf.grad_value is not None:
                    self.learn(leaf.grad_value.array)

    def forget(self, leaves: list[Value]) -> None:
        """Note that the gradients of leaves are about to be set to None."""
        for leaf in leaves:
            if id(leaf) not in self.gradients:
                self.gradients[id(leaf)] = Gradient(leaf, True)

    def drew(self, generator: Any, count: int) -> None:
        """Note that the last event drew counters from a generator."""
        self.draws.append(RandomDraw(generator, count, self.events[-1]))

    def optimized(
        self,
        optimizer: Any,
        group: dict[str, Any],
        params: list[Value],
        states: list[dict[str, Any]],
        names: Sequence[str],
    ) -> None:
        """Note that the last event is the launch of an optimizer."""
        tensors = [{name: state[name] for name in names} for state in states]
        for param, state in zip(params, tensors):
            self.leaves.setdefault(id(param), param)
            self.learn([param, param.grad_value, state])
        self.optimizer_launches.append(
            OptimizerLaunch(optimizer, group, list(params), list(states), tensors, self.events[-1])
        )

    # After the step

    def bindings(self, held: list[Any]) -> tuple[list[Binding], str | None]:
        """The numbers and objects that the step's names led to, and why the step can't be replayed, or None.

        Args:
            held: a list of what the step returned, to which nothing else refers
        """
        launched = {id(launch.optimizer) for launch in self.optimizer_launches}
        return self.watch.finish(self.leaves, launched, held)

    def all_modules(self) -> list[Any]:
        """The modules that the step called or named."""
        return list({**self.modules, **self.watch.modules}.values())

    def created(self) -> set[int]:
        """The ids of the tensors that the step created and that still exist."""
        return {id(reference()) for reference in self.exposed}

    def visible(self) -> list[Array]:
        """The arrays of tensors that still exist, and of gradients."""
        values = [value for value in [reference() for reference in self.exposed] if value is not None]
        values += [gradient.after for gradient in self.gradients.values() if gradient.after is not None]
        return [value.array for value in values]

    def computed(self) -> set[int]:
        """The addresses of all arrays that the step has computed or created; gradients, which keep theirs, excepted."""
        gradients = {address(owner_of(g.after.array)) for g in self.gradients.values() if g.after is not None}
        made = [*self.tape.arrays, *[array for array in self.tape.created if isinstance(array, np.ndarray)]]
        return self.outputs | ({address(owner_of(array)) for array in made} - gradients)


def assign(target: Array, value: Any) -> None:
    target[...] = value


def add_into(target: Array, source: Array) -> None:
    np.add(target, source, out=target)


def copy_in_order(array: Array) -> Array:
    return np.array(array, order="C")


def in_recorded_room(frame: FrameType) -> bool:
    """Whether a frame runs code of a room whose launches are recorded."""
    package, _, rest = frame.f_globals.get("__name__", "").partition(".")
    return package == "cygrad" and rest.partition(".")[0] in RECORDED_ROOMS


def user_line() -> str:
    """file:line of the innermost frame of the user's code."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not is_user_code(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
