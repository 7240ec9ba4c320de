"""The graph engine: the values, the nodes between them, and the walk back. It knows no op by name.

Forward, every op that touches a value requiring a gradient leaves a :class:`Node`: what its gradient rule
needs (``saved``) and where the gradients go (``edges``). Backward, the nodes are taken deepest first, so that
each has received all its gradients before it is asked for those of its inputs; it is freed as soon as it has
answered. The walk is a loop over a list: it never recurses.

This file is plain Python. The build compiles it with the C types that engine.pxd gives its classes.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import arrays

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "Layer",
    "Node",
    "Op",
    "Value",
    "Version",
    "backward",
    "grad_enabled",
    "gradients",
    "op",
    "set_grad_enabled",
]


Forward = Callable[..., Any]
Rule = Callable[..., Any]

NOTHING: list[Any] = []  # of a node that is not connected, or freed; never changed


class Version:
    """Counts the in-place writes to one block of memory; a tensor and its views share it.

    ``value`` counts every write. ``rewrites`` counts those that the graph recorded on one tensor alone, so
    that the others over the same memory know that their place in the graph is out of date.
    """

    value: int
    rewrites: int


class Value:
    """An array and its place in the graph: what the engine needs to know of a tensor.

    A value without a ``node`` is a leaf; one with a node is output number ``index`` of that node.
    """

    array: Array
    requires_grad: bool
    grad_value: Any  # the gradient of a leaf, itself a value
    node: Node | None
    index: int
    version: Version
    seen_rewrites: int
    hooks: dict[int, Callable[[Any], Any]] | None

    def __init__(self, array: ArrayLike, requires_grad: bool = False) -> None:
        place(self, array if isinstance(array, np.ndarray) else np.asarray(array), new_version())
        self.requires_grad = requires_grad


def new_version() -> Version:
    """The version of memory that nobody has written to yet."""
    version = Version.__new__(Version)
    version.value = version.rewrites = 0
    return version


def place(value: Value, array: Array, version: Version) -> None:
    """Makes the value a leaf over `array`, whose memory has this version."""
    value.array = array
    value.requires_grad = False
    value.grad_value = None
    value.node = None
    value.index = 0
    value.version = version
    value.seen_rewrites = version.rewrites
    value.hooks = None
    present = _recorder
    if present is not None:
        present.handed_out(value)


class Node:
    """One application of an op: what its gradient rule needs, and where its results go.

    It is the ``ctx`` that an op's forward and gradient receive.
    """

    op: Op
    saved: tuple[Any, ...]
    needs: list[bool]
    edges: list[Node | Value | None]  # where the gradient of each input goes
    places: list[int] | None  # which output of its node each input is, None where all are the first
    guards: list[Any]  # a version and its value when it was saved, the next version and its value, …
    outputs: list[tuple[tuple[int, ...], np.dtype[Any]]] | None  # of an op with several
    hooks: dict[int, dict[int, Callable[[Any], Any]]] | None
    depth: int
    freed: bool

    def save(self, *values: Any) -> None:
        """Keeps what the gradient rule needs: arrays, which are guarded against in-place writes where a user
        can see them, and anything else. They are read back from ``ctx.saved``."""
        self.saved = values

    def __repr__(self) -> str:
        return f"<{self.op.name} backward>"

    @property
    def name(self) -> str:
        """The name of the op."""
        return self.op.name

    @property
    def next_functions(self) -> tuple[tuple[Node | Value | None, int], ...]:
        """Where the gradients go: a (node or leaf, output number) for each input, None where none is needed."""
        return tuple(zip(self.edges, self.places or [0] * len(self.edges)))

    def input_gradients(self, upstream: list[Array | None]) -> tuple[Array | None, ...]:
        """The gradient of each input, from the gradient of each output."""
        if self.freed:
            raise RuntimeError(
                f"{self.op.name}: backward was called a second time through a graph that the first call freed; "
                "pass retain_graph=True to the first call"
            )
        check_guards(self.op, self.guards)
        rule = self.op.rule
        if rule is None:
            raise NotImplementedError(f"{self.op.name}: this op has no gradient rule")
        if self.op.materialize:
            upstream = materialized(self, upstream)
        present = recorder()
        if present is not None:
            results = present.rule(self, upstream)
        elif len(upstream) == 1:
            results = rule(self, upstream[0])
        else:
            results = rule(self, *upstream)
        if not isinstance(results, tuple):
            results = (results,)
        if len(results) != len(self.edges):
            raise RuntimeError(
                f"{self.op.name}: its gradient rule gave {len(results)} gradients for {len(self.edges)} inputs"
            )
        return results

    def free(self) -> None:
        """Lets go of everything that backward needed."""
        self.saved = ()
        self.edges = self.guards = NOTHING
        self.places = None
        self.freed = True


def materialized(node: Node, upstream: Sequence[Array | None]) -> Any:
    """The gradients of a node's outputs, with zeros for those that no gradient reached."""
    if node.outputs is None:
        return upstream
    return [np.zeros(shape, dtype) if array is None else array for array, (shape, dtype) in zip(upstream, node.outputs)]


def check_guards(op: Op, guards: list[Any]) -> None:
    """Raises if memory that `op` saved was written to since."""
    for number in range(0, len(guards), 2):
        version, saved = guards[number], guards[number + 1]
        if version.value != saved:
            raise RuntimeError(
                f"{op.name}: a tensor that its backward needs was changed in place "
                f"(it is at version {version.value}, and was saved at version {saved})"
            )


class Op:
    """A forward function on arrays, the rule of its gradient, and the public function that both make.

    ``forward(ctx, *arrays, **options)`` returns an array or a tuple of arrays; ``rule(ctx, *upstream)`` returns
    one gradient for each tensor: a new array, an upstream array itself, a view, or None. Called with values, an op
    computes and, where a gradient is wanted, records. Its parameters before "/" are ctx and tensors (or None, or
    numbers), those behind it options; without "/", options are what is keyword-only. A caller may pass both by
    position or by name. As an attribute of a class, an op is a method.
    """

    def __init__(self, name: str, forward: Forward) -> None:
        code = forward.__code__
        takes_any_number = bool(code.co_flags & 0x04)  # *args: inspect.CO_VARARGS
        self.name = name
        self.forward = forward
        self.rule: Rule | None = None
        self.materialize = True  # whether the rule receives zeros, not None, for outputs without a gradient
        self.opaque = False  # whether it may do what no recorder sees, so that recorded steps call it again
        self.inputs = -1 if takes_any_number else (code.co_posonlyargcount or code.co_argcount) - 1
        self.required = code.co_argcount - 1 - len(forward.__defaults__ or ())
        self.by_position = code.co_posonlyargcount > 0  # whether forward takes options so
        self.names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        self.__name__ = name
        self.__doc__ = forward.__doc__

    def gradient(self, rule: Rule) -> Rule:
        """Decorator that gives the op its gradient rule."""
        self.rule = rule
        return rule

    def __call__(self, *args: Any, **options: Any) -> Any:
        rest: tuple[Any, ...] = ()
        if self.inputs >= 0 and len(args) != self.inputs:
            if self.by_position and not options and self.inputs < len(args) <= len(self.names):
                args, rest = args[: self.inputs], args[self.inputs :]
            else:
                args, options = arrange(self, args, options)
        return apply(self, args, rest, options)

    def defaults(self) -> dict[str, Any]:
        """The options that a caller need not give, and what they then are."""
        code, values = self.forward.__code__, self.forward.__defaults__ or ()
        named = code.co_varnames[: code.co_argcount]
        found = {**dict(zip(named[len(named) - len(values) :], values)), **(self.forward.__kwdefaults__ or {})}
        return {name: value for name, value in found.items() if name not in self.names[: max(self.inputs, 0)]}

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else MethodType(self, instance)

    @property
    def __signature__(self) -> Any:
        import inspect

        signature = inspect.signature(self.forward)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def arrange(op: Op, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A call's arguments, tensors by position and options by name: as the op's forward takes them."""
    inputs = op.inputs
    if len(args) > len(op.names):
        raise TypeError(f"{op.name}: it takes at most {len(op.names)} arguments, got {len(args)}")
    given = dict(zip(op.names, args))
    for name, value in options.items():
        if name not in op.names:
            raise TypeError(f"{op.name}: it has no argument {name!r}, only {', '.join(op.names)}")
        if name in given:
            raise TypeError(f"{op.name}: argument {name!r} was given twice")
        given[name] = value
    tensors = []
    for number, name in enumerate(op.names[:inputs]):
        if name not in given and number < op.required:
            raise TypeError(f"{op.name}: argument {name!r} is missing")
        tensors.append(given.pop(name, None))
    return tuple(tensors), given


def op(forward: Forward) -> Op:
    """Decorator that makes an op of its forward function; ``@name.gradient`` then adds the rule."""
    return Op(forward.__name__, forward)


class Layer:
    """What a module is to the engine: a call of it computes its ``forward``, between hooks where it has any."""

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        present = recorder()
        if present is not None:
            present.called(self)
        hooks = self._hooks
        if hooks is not None:
            return hooks.call(self, args, kwargs)
        if kwargs or len(args) != 1:
            return self.forward(*args, **kwargs)
        return self.forward(args[0])


def layers_in(attributes: dict[str, Any]) -> list[Any]:
    """The modules among a module's attributes, in order."""
    found = []
    for value in attributes.values():
        if isinstance(value, Layer):
            found.append(value)
    return found


# Grad mode


class _Mode(threading.local):
    enabled = True
    anomaly = False


_mode = _Mode()
_lock = threading.Lock()
_paused = 0  # threads in which recording is switched off; those that ended so count too


def grad_enabled() -> bool:
    """Whether ops are recorded in this thread."""
    return _mode.enabled


def set_grad_enabled(enabled: bool) -> bool:
    """Switches recording in this thread and returns what it was."""
    global _paused
    before = _mode.enabled
    if before != enabled:
        with _lock:
            _paused += -1 if enabled else 1
    _mode.enabled = enabled
    return before


def anomaly_enabled() -> bool:
    """Whether backward in this thread checks every gradient for NaN."""
    return _mode.anomaly


def set_anomaly_enabled(enabled: bool) -> bool:
    """Switches that check in this thread and returns what it was."""
    before = _mode.anomaly
    _mode.anomaly = enabled
    return before


# Recording

_recorder: Any = None
_changes = 0


def use_recorder(new: Any) -> Any:
    """Tells `new`, or nobody where it is None, of what the engine does, and returns the recorder before.

    A recorder (``cygrad.compiler.record.recorder``) runs ops and rules in the engine's place, and copies, additions and
    writes of arrays; it is ``active`` in one thread.
    """
    global _recorder
    before = _recorder
    _recorder = new
    return before


def recorder() -> Any:
    """The recorder of this thread, or None."""
    return _recorder if _recorder is not None and _recorder.active else None


def note_change() -> None:
    """Counts a change that recorded steps may depend on: of a module's attributes, of hooks."""
    global _changes
    _changes += 1


def changes() -> int:
    """How many such changes there were."""
    return _changes


def reading(what: str) -> None:
    """Says that numbers of a tensor are about to be read into Python, where a recorded step can't follow them."""
    present = recorder()
    if present is not None:
        present.refuse(what)


def call_again(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """function(*args, **options), for its effects: a recorded step calls it again."""
    present = recorder()
    return function(*args, **options) if present is None else present.call_again(function, args, options)


def produced(function: Callable[..., Array], *args: Any) -> Array:
    """function(*args), a new array: a recorded step makes it again, in the same memory."""
    present = recorder()
    return function(*args) if present is None else present.produce(function, args)


def replayed(method: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a recorded step calls the function again, as it was called."""

    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        return method(*args, **options) if _recorder is None else call_again(method, *args, **options)

    return call


def plus(a: Array, b: Array) -> Array:
    """a + b"""
    present = recorder()
    return a + b if present is None else present.plus(a, b)


def copied(array: Array) -> Array:
    """A copy in C order."""
    present = recorder()
    return np.array(array, order="C") if present is None else present.copy(array)


def overwrite(target: Array, source: Array) -> None:
    """target ← source, of one shape."""
    present = recorder()
    if present is None:
        np.copyto(target, source, casting="same_kind")
    else:
        present.overwrite(target, source)


def fill(target: Array, value: Any) -> None:
    """target[...] = value, a number or an array."""
    present = recorder()
    if present is None:
        target[...] = value
    else:
        present.fill(target, value)


# Forward

_value_type: Any = Value
_tracer: Any = None  # what is told of every op, see tracing.py


def set_tracer(tracer: Any) -> Any:
    """Tells `tracer` of every op in every thread from now on, None ends it; returns the one before."""
    global _tracer
    before = _tracer
    _tracer = tracer
    return before


def use_value_type(value_type: type[Value]) -> None:
    """Makes ops return instances of `value_type`, a subclass of Value."""
    global _value_type
    _value_type = value_type


def wrap(array: Array) -> Any:
    """A new leaf over `array`."""
    value = _value_type.__new__(_value_type)
    place(value, array, new_version())
    return value


def new_node(op: Op) -> Node:
    """A node that is not connected yet."""
    node = Node.__new__(Node)
    node.op = op
    node.saved = ()
    node.needs = node.edges = node.guards = NOTHING
    node.places = node.outputs = node.hooks = None
    node.depth = 0
    node.freed = False
    return node


def apply(op: Op, args: tuple[Any, ...], rest: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Computes op on values and plain arguments, with options by position or by name; records a node where a gradient
    is wanted."""
    node = new_node(op)
    recording = connect(node, args) and (_paused == 0 or _mode.enabled)  # the second takes ten times as long to ask
    present = recorder()
    if rest and (present is not None or _tracer is not None):
        rest, options = (), dict(zip(op.names[op.inputs :], rest))
    if present is not None:
        result = present.forward(op, [node, *[operand(arg) for arg in args]], options, args, recording)
    elif options:
        result = op.forward(node, *[operand(arg) for arg in args], **options)
    else:
        result = forward(op, node, args, rest)
    if isinstance(result, tuple):
        outputs = tuple([output_of(array, args) for array in result])
        if recording:
            node.outputs = [(value.array.shape, value.array.dtype) for value in outputs]
            for index, value in enumerate(outputs):
                attach(value, node, index)
            guard(node, (*args, *outputs))
        if _tracer is not None:
            _tracer.applied(op, args, options, outputs)
        return outputs
    value = output_of(result, args)
    if recording:
        attach(value, node, 0)
        guard(node, (*args, value))
    if _tracer is not None:
        _tracer.applied(op, args, options, (value,))
    return value


def operand(arg: Any) -> Any:
    """An argument as a forward function takes it: the array of a value, anything else as it is."""
    if isinstance(arg, Value):
        value = arg
        return value.array
    return arg


def forward(op: Op, node: Node, args: tuple[Any, ...], rest: tuple[Any, ...]) -> Any:
    """What the op's forward function gives; a few operands go there without a tuple made of them."""
    count = len(args)
    if rest or not 1 <= count <= 3:
        operands: list[Any] = [node]
        for arg in args:
            operands.append(operand(arg))
        operands.extend(rest)
        return op.forward(*operands)
    first = operand(args[0])
    if count == 1:
        return op.forward(node, first)
    second = operand(args[1])
    return op.forward(node, first, second) if count == 2 else op.forward(node, first, second, operand(args[2]))


def connect(node: Node, args: tuple[Any, ...]) -> bool:
    """Gives the node an edge to each argument that requires a gradient; tells whether there is one."""
    depth = 0
    edges: list[Node | Value | None] = []
    needs = []
    found = any_tensor = any_place = False
    for arg in args:
        edge: Node | Value | None = None
        if isinstance(arg, Value):
            value = arg
            any_tensor = True
            if value.requires_grad:
                found = True
                check_history(node.op, value)
                if value.node is None:
                    edge = value
                else:
                    edge = value.node
                    depth = max(depth, value.node.depth)
                    any_place = any_place or value.index > 0
        edges.append(edge)
        needs.append(edge is not None)
    if not any_tensor and args:
        raise TypeError(f"{node.op.name}: a tensor is needed, got {type(args[0]).__name__}")
    node.needs = needs
    node.edges = edges
    node.depth = depth + 1
    if any_place:
        node.places = [arg.index if isinstance(arg, Value) else 0 for arg in args]
    return found


def check_history(op: Op, value: Value) -> None:
    """Raises if the graph recorded a write to the value's memory through another tensor."""
    if value.seen_rewrites != value.version.rewrites:
        raise RuntimeError(
            f"{op.name}: an input was changed in place through another tensor that shares its memory, which its "
            "own graph does not know; change the tensor itself (x[i] = v), or a clone of the view"
        )


def output_of(result: Any, args: tuple[Any, ...]) -> Value:
    """The value over an op's result. One that is a view of an argument shares the argument's version."""
    array = result if isinstance(result, np.ndarray) else np.asarray(result)
    owner = owner_of(array, args)
    value = _value_type.__new__(_value_type)
    place(value, array, new_version() if owner is None else owner.version)
    return value


def attach(value: Value, node: Node, index: int) -> None:
    """Makes the value output `index` of the node, if its dtype can have a gradient."""
    if arrays.is_float(value.array):
        value.node = node
        value.index = index
        value.requires_grad = True


def guard(node: Node, seen: tuple[Any, ...]) -> None:
    """Notes the versions of the saved arrays that a user can write to: those of arguments and results."""
    guards: list[Any] = []
    for item in node.saved:
        if isinstance(item, np.ndarray):
            value = owner_of(item, seen)
            if value is not None:
                guards.append(value.version)
                guards.append(value.version.value)
    node.guards = guards


def owner_of(array: Array, candidates: tuple[Any, ...]) -> Value | None:
    """The first value among the candidates that lies in the same memory as the array."""
    memory = arrays.root(array)
    for candidate in candidates:
        if isinstance(candidate, Value):
            value = candidate
            if value.array is array or arrays.root(value.array) is memory:
                return value
    return None


def rewrite(value: Any, result: Any) -> Any:
    """Writes `result`, the outcome of an op on `value` and others, into `value`'s own memory, and gives
    `value` the result's place in the graph: how every in-place operator works."""
    if value.requires_grad and value.node is None and _mode.enabled:
        raise RuntimeError(
            "in-place: a leaf tensor that requires a gradient can't be changed in place; do it under no_grad()"
        )
    if result.array.shape != value.array.shape:
        raise RuntimeError(
            f"in-place: the result has shape {result.array.shape}, which does not fit the tensor's {value.array.shape}"
        )
    if not np.can_cast(result.array.dtype, value.array.dtype, casting="same_kind"):
        raise RuntimeError(f"in-place: a {result.array.dtype} result can't be stored in a {value.array.dtype} tensor")
    if not value.array.flags.writeable:
        raise ValueError("in-place: the tensor's memory is read-only")
    if result.node is not None:
        keep_saved(result.node, value)
    if result.array is not value.array:
        overwrite(value.array, result.array)
    value.version.value += 1
    if result.node is not None:
        value.version.rewrites += 1
        value.node = result.node
        value.index = result.index
        value.requires_grad = True
    value.seen_rewrites = value.version.rewrites
    if _tracer is not None:
        _tracer.rewritten(value, result)
    return value


def keep_saved(node: Node, value: Value) -> None:
    """Copies what the node saved of the value's memory, which is about to be overwritten."""
    memory = arrays.root(value.array)
    saved = [copied(a) if isinstance(a, np.ndarray) and arrays.root(a) is memory else a for a in node.saved]
    node.saved = tuple(saved)
    pairs = zip(node.guards[::2], node.guards[1::2])
    node.guards = [part for pair in pairs if pair[0] is not value.version for part in pair]


# Lists of values: what optimizers and clipping ask of many parameters at once


def with_gradient(values: list[Any]) -> list[Any]:
    """Those that have a gradient."""
    present = recorder()
    if present is not None:
        present.touch(values)
    found = []
    for value in values:
        if value.grad_value is not None:
            found.append(value)
    return found


def arrays_of(values: list[Any]) -> list[Array]:
    """Their arrays."""
    arrays = []
    for value in values:
        arrays.append(value.array)
    return arrays


def states_of(values: list[Any], known: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """What an optimizer knows of each; where that is nothing yet, that no step was made."""
    states = []
    for value in values:
        state = known.get(value)
        states.append(known.setdefault(value, {"step": 0}) if state is None else state)
    return states


def lacking(states: list[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[int, str]]:
    """What states have nothing of: (number of the state, name)."""
    found = []
    for number, state in enumerate(states):
        for name in names:
            if name not in state:
                found.append((number, name))
    return found


def count_steps(values: list[Any], states: list[dict[str, Any]]) -> list[tuple[Any, list[Any], list[dict[str, Any]]]]:
    """Counts a step in each state. Values of one count and one dtype come together: (step, values, states)."""
    first: Any = states[0]["step"] + 1
    dtype = values[0].array.dtype
    same = True
    for number, state in enumerate(states):
        value = values[number]
        step = state["step"] + 1
        state["step"] = step
        same = same and step == first and value.array.dtype is dtype
    if same:
        return [(first, values, states)]
    groups: dict[Any, tuple[Any, list[Any], list[dict[str, Any]]]] = {}
    for number, state in enumerate(states):
        value = values[number]
        step = state["step"]
        _, own_values, own_states = groups.setdefault((step, value.array.dtype), (step, [], []))
        own_values.append(value)
        own_states.append(state)
    return list(groups.values())


def arrays_in(states: list[dict[str, Any]], names: tuple[str, ...]) -> list[list[Array]]:
    """For each name, the array that each state has under it."""
    found = []
    for name in names:
        arrays = []
        for state in states:
            value = state[name]
            arrays.append(value.array)
        found.append(arrays)
    return found


def written_arrays(values: list[Any]) -> list[Array]:
    """Their arrays, each counted as written to, for whoever saved it for backward."""
    note_writes(values)
    return arrays_of(values)


def gradients_of(values: list[Any], written: bool = False) -> list[Array]:
    """The arrays of their gradients; where they will be written to, that is counted."""
    found = []
    for value in values:
        gradient = value.grad_value
        if written:
            gradient.version.value += 1
        found.append(gradient.array)
    return found


def zero_gradients(values: list[Any], set_to_none: bool) -> None:
    """Forgets their gradients, or sets those that there are to zero."""
    present = recorder()
    if present is not None:
        present.forget(values) if set_to_none else present.touch(values)
    for value in values:
        if set_to_none:
            value.grad_value = None
        elif value.grad_value is not None:
            value.grad_value = value.grad_value.detach().zero_()


def note_writes(values: list[Any]) -> None:
    """Counts a write to the memory of each, for whoever saved it for backward."""
    for value in values:
        value.version.value += 1


# Backward

_ones: dict[Any, Array] = {}  # of each dtype the number 1, which is only read


def backward(outputs: Sequence[Value], upstream: Sequence[Array], retain_graph: bool) -> None:
    """Adds to every leaf's gradient. If anything raises, no leaf is changed."""
    leaves, shared, _ = walk(outputs, upstream, retain_graph, None)
    for leaf, array in leaves.items():
        if leaf.hooks is not None:
            leaves[leaf] = run_hooks(leaf.hooks, array)
            shared.add(leaf)
    for leaf, array in leaves.items():
        accumulate(leaf, array, leaf not in shared)


def seed(op: str, output: Any) -> Array:
    """The gradient with which backward begins at an output of one number: 1."""
    if not isinstance(output, Value):
        raise TypeError(f"{op}: an output must be a tensor, got {type(output).__name__}")
    value = output
    array = value.array
    if not value.requires_grad:
        raise RuntimeError(f"{op}: the output of shape {array.shape} does not require a gradient")
    if array.size != 1:
        raise RuntimeError(f"{op}: without a gradient the output must be one number, but it has shape {array.shape}")
    if array.ndim:
        return np.ones(array.shape, array.dtype)
    one = _ones.get(array.dtype)
    if one is None:
        one = np.ones((), array.dtype)
        one.flags.writeable = False
        _ones[array.dtype] = one
    return one


def accumulate(leaf: Value, array: Array, owned: bool) -> None:
    """leaf.grad += array; the first gradient is taken, not copied, where nobody else has it."""
    present = recorder()
    if present is not None:
        present.touch([leaf])
    if leaf.grad_value is None:
        keep = owned and arrays.is_in_order(array)
        leaf.grad_value = wrap(array if keep else copied(array))
    else:
        total = leaf.grad_value
        if present is None:
            np.add(total.array, array, out=total.array)
        else:
            overwrite(total.array, plus(total.array, array))
        total.version.value += 1


def gradients(
    outputs: Sequence[Value], inputs: Sequence[Value], upstream: Sequence[Array], retain_graph: bool
) -> list[Array | None]:
    """The gradient of each input as an array, None where the outputs do not depend on it. No leaf is changed."""
    places = {(value.node if value.node is not None else value, value.index): None for value in inputs}
    leaves, shared, found = walk(outputs, upstream, retain_graph, places)
    for value in dict.fromkeys(inputs):
        if value.hooks is not None and value in leaves:
            leaves[value] = run_hooks(value.hooks, leaves[value])
            shared.add(value)
    results = []
    for value in inputs:
        if value.node is None:
            array, owned = leaves.get(value), value not in shared
        else:
            array, owned = found.get((value.node, value.index)), False
        results.append(array if array is None or owned else copied(array))
    return results


def walk(
    outputs: Sequence[Value], upstream: Sequence[Array], retain_graph: bool, places: dict[Any, None] | None
) -> tuple[dict[Value, Array], set[Value], dict[tuple[Node, int], Array | None]]:
    """Carries gradients from the outputs to the leaves: {leaf: gradient}, and the leaves whose gradient somebody else
    may have too. The gradients that arrive at `places`, (node, output number), are returned as well."""
    leaves: dict[Value, Array] = {}
    shared: set[Value] = set()
    found: dict[tuple[Node, int], Array | None] = {}
    pending: dict[Node, list[Array | None]] = {}
    waiting: list[Node] = []
    anomaly = _mode.anomaly
    for number in range(len(outputs)):
        value = outputs[number]
        target = value if value.node is None else value.node
        deposit(target, value.index, upstream[number], False, leaves, shared, pending, waiting)
    while waiting:
        node = waiting.pop()
        received = pending.pop(node)
        if node.hooks is not None:
            for index, hooks in node.hooks.items():
                arrived = received[index]
                if arrived is not None:
                    received[index] = run_hooks(hooks, arrived)
        if places is not None:
            for index, arrived in enumerate(received):
                if (node, index) in places:
                    found[node, index] = arrived
        edges, places_of_inputs = node.edges, node.places
        saved = node.saved
        results = node.input_gradients(received)
        if anomaly:
            check_for_nan(node, results)
        if not retain_graph:
            node.free()
        for number, edge in enumerate(edges):
            result = results[number]
            if edge is not None and result is not None:
                index = 0 if places_of_inputs is None else places_of_inputs[number]
                owned = not isinstance(edge, Node) and is_new(result, received, saved, results)
                deposit(edge, index, result, owned, leaves, shared, pending, waiting)
    return leaves, shared, found


def is_new(
    array: Array, received: list[Array | None], saved: tuple[Any, ...], results: tuple[Array | None, ...]
) -> bool:
    """Whether a gradient's memory is held by nobody but the walk."""
    if not isinstance(array, np.ndarray) or not arrays.owns_memory(array):
        return False
    for other in received:
        if other is array:
            return False
    for other in saved:
        if other is array:
            return False
    count = 0
    for other in results:
        if other is array:
            count += 1
    return count == 1


def deposit(
    target: Node | Value,
    index: int,
    array: Array,
    owned: bool,
    leaves: dict[Value, Array],
    shared: set[Value],
    pending: dict[Node, list[Array | None]],
    waiting: list[Node],
) -> None:
    """Adds a gradient to what has arrived at a leaf, or at output `index` of a node."""
    if isinstance(target, Node):
        node = target
        received = pending.get(node)
        if received is None:
            received = [None] if node.outputs is None else [None] * len(node.outputs)
            pending[node] = received
            line_up(node, waiting)
        present = received[index]
        received[index] = array if present is None else plus(present, array)
    else:
        before = leaves.get(target)
        if before is None:
            leaves[target] = array
            if not owned:
                shared.add(target)
        else:
            leaves[target] = plus(before, array)
            shared.discard(target)


def line_up(node: Node, waiting: list[Node]) -> None:
    """Inserts the node where it belongs by its depth: the deepest stands last."""
    low, high = 0, len(waiting)
    while low < high:
        middle = (low + high) // 2
        other = waiting[middle]
        if other.depth > node.depth:
            high = middle
        else:
            low = middle + 1
    if low == len(waiting):
        waiting.append(node)
    else:
        waiting.insert(low, node)


def run_hooks(hooks: dict[int, Callable[[Any], Value | None]], array: Array) -> Array:
    """The gradient after each hook has seen it and perhaps replaced it."""
    for hook in tuple(hooks.values()):
        replacement = hook(wrap(array))
        if replacement is not None:
            if replacement.array.shape != array.shape:
                raise RuntimeError(
                    f"hook: it gave a gradient of shape {replacement.array.shape} for one of {array.shape}"
                )
            array = replacement.array
    return array


def check_for_nan(node: Node, results: tuple[Array | None, ...]) -> None:
    """Raises if a gradient rule gave NaN."""
    for number, array in enumerate(results):
        if array is not None and np.isnan(array).any():
            raise RuntimeError(f"{node.op.name}: its backward gave NaN in the gradient of input {number}")
