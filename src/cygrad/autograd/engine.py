# cython: boundscheck=True
"""The graph engine: values, the nodes between them, and backward. It knows no op by name.

Forward, every op that touches a value requiring a gradient leaves a :class:`Node`: what its gradient rule
needs (``saved``) and where the gradients go (``edges``). Backward, the deepest node goes first, so that each node has
received all its gradients before it is asked for those of its inputs; what it saved is freed as soon as it has
answered. The walk is a loop over a list: it never recurses.

This file is plain Python. The build compiles it with the C types that engine.pxd gives its classes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import ShapeError, not_initialized
from cygrad._typing import Array
from cygrad.autograd import arrays, recording
from cygrad.autograd.parts import joined

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "Node",
    "Op",
    "Value",
    "Version",
    "backward",
    "grad_enabled",
    "gradients",
    "op",
    "reduce_with",
    "set_grad_enabled",
]


Forward = Callable[..., Any]
Rule = Callable[..., Any]

# Types of what a node may save and yet go backward again.
PLAIN: set[Any] = {bool, float, str, slice, type, type(...)} | {type(np.dtype(kind)) for kind in np.typecodes["All"]}
EMPTY: list[Any] = []  # of a node that is not connected yet, or freed; never changed
DRAWABLE = 64  # elements: arguments of at most this size are kept for drawings of the graph


class Version:
    """Counts the in-place writes to one block of memory; a tensor and its views share it.

    ``value`` counts every write. ``rewrites`` counts the writes that the graph recorded, after which the other values
    over the same memory have a stale history.
    """

    value: int
    rewrites: int


class Value:
    """An array and its position in the graph: the part of a tensor that the engine needs.

    A value without a ``node`` is a leaf; one with a node is output number ``index`` of that node.
    """

    _array: Array
    requires_grad: bool
    grad_value: Any  # the gradient of a leaf, itself a value
    node: Node | None
    index: int
    version: Version
    seen_rewrites: int
    base: Value | None  # the value that this one is a view of
    hooks: dict[int, Callable[[Any], Any]] | None
    after_hooks: dict[int, Callable[[Any], Any]] | None  # called when backward has added to the gradient of a leaf
    reducer: Any  # what receives the gradient of a leaf as soon as it is complete: see ``reduce_with``

    def __cinit__(self) -> None:
        self.version = unset  # until __init__ has run

    def __init__(self, array: ArrayLike, requires_grad: bool = False) -> None:
        data: Any = array
        initialize(self, data if arrays.is_plain(data) else arrays.plain(type(self).__name__, data), new_version())
        self.requires_grad = requires_grad

    @property
    def array(self) -> Array:
        """The elements."""
        if self._array is None:
            raise not_initialized(self)
        return self._array

    @array.setter
    def array(self, array: Array) -> None:
        check_array(array)
        self._array = array


def check_array(array: Any) -> None:
    """Raise TypeError unless `array` is an ndarray."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"array: a tensor's memory must be an ndarray, got {type(array).__name__}")


def check_value(value: Value | None) -> None:
    """Raise where code in Python passes None, or a value that is not initialized."""
    if value is None:
        raise TypeError("expected a tensor, got None")
    if value.version is unset:
        raise not_initialized(value)


def new_version() -> Version:
    """The version of memory that nobody has written to yet."""
    version = Version.__new__(Version)
    version.value = version.rewrites = 0
    return version


unset = new_version()  # of values that are not initialized: other than what they have seen, so that refresh() is called
unset.rewrites = 1


def initialize(value: Value, array: Array, version: Version) -> None:
    """Make the value a leaf over `array`, whose memory has this version."""
    check_array(array)
    value._array = array
    value.requires_grad = False
    value.grad_value = None
    value.node = None
    value.index = 0
    value.version = version
    value.seen_rewrites = version.rewrites
    value.base = None
    value.hooks = value.after_hooks = value.reducer = None
    if _recorder is not None:
        _recorder.handed_out(value)


class Node:
    """One application of an op: what its gradient rule needs, and where the gradients go.

    An op's forward and its gradient rule receive it as ``ctx``.
    """

    op: Op
    saved: tuple[Any, ...]
    needs: list[bool]  # for each input, whether its gradient is wanted
    edges: list[Node | Value | None]  # where the gradient of each input goes
    indices: list[int] | None  # which output of its node each input is; None where all are the first
    saved_versions: list[Any]  # a version and its value when it was saved, the next version and its value, …
    outputs: list[tuple[tuple[int, ...], np.dtype[Any]]] | None  # shape and dtype of each, for an op with several
    args: tuple[Any, ...] | None  # the op's arguments, tensors as arrays, where all are small: for drawings
    hooks: dict[int, dict[int, Callable[[Any], Any]]] | None
    depth: int
    freed: bool

    def save(self, *values: Any) -> None:
        """Keep what the gradient rule needs for ``ctx.saved``: arrays and anything else.

        An in-place write to a saved array that a user can reach is noticed in backward.
        """
        check_node(self)
        self.saved = values

    def __repr__(self) -> str:
        check_node(self)
        return f"<{self.op.name} backward>"

    def name(self) -> str:
        """Return the name of the op; under ``cygrad.torch`` the node's in PyTorch, such as ``MulBackward0``."""
        check_node(self)
        from cygrad.autograd.edges import node_name

        return node_name(self)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Where the gradients go: for each input a (node, output number), None where none is needed. A leaf is an
        AccumulateGrad with the leaf as its ``variable``."""
        from cygrad.autograd.edges import next_functions

        return next_functions(self.sources)

    @property
    def sources(self) -> tuple[tuple[Node | Value | None, int], ...]:
        """As :attr:`next_functions`, with the leaves themselves."""
        check_node(self)
        return tuple(zip(self.edges, self.indices or [0] * len(self.edges)))

    def input(self, number: int, array: Array, dtype: Any = None) -> Any:
        """Input `number`, at its position in the graph, for a definition; `array` are its elements as they were saved,
        converted from `dtype` where that is given and another."""
        check_node(self)
        array = arrays.as_array(array)
        edge, converted = self.edges[number], dtype is not None and dtype != array.dtype
        if edge is None:
            return wrap(array)
        if isinstance(edge, Node):
            value: Any = wrap(array).to(dtype) if converted else wrap(array)
            attach(value, edge, 0 if self.indices is None else self.indices[number])
            return value.to(array.dtype) if converted else value
        if converted:
            leaf: Any = edge
            return leaf.to(array.dtype)
        if not arrays.share_root(edge.array, array):
            raise RuntimeError(
                f"{self.op.name}: the memory of input {number} was replaced between forward and backward, so that "
                "its gradient can't be differentiated"
            )
        return edge

    def output(self, array: Array, number: int = 0) -> Any:
        """Output `number`, at its position in the graph, for a definition; `array` are its elements as they were
        saved."""
        check_node(self)
        value = wrap(arrays.as_array(array))
        attach(value, self, number)
        return value

    def defined_gradients(self, upstream: list[Any]) -> tuple[Any, ...]:
        """The gradient of each input as a value that can be differentiated, from that of each output."""
        check_node(self)
        check_before_rule(self)
        definition = self.op.definition_rule
        if definition is None:
            raise NotImplementedError(
                f"{self.op.name}: its gradient can't be differentiated (create_graph=True); only an op with a "
                "definition in differentiable ops has second derivatives"
            )
        if self.op.materialize:
            upstream = materialized_values(self, upstream)
        results = definition(self, *upstream)
        if not isinstance(results, tuple):
            results = (results,)
        check_result_count(self, results)
        return results

    def input_gradients(self, upstream: list[Array | None]) -> tuple[Array | None, ...]:
        """The gradient of each input, from the gradient of each output."""
        check_node(self)
        check_before_rule(self)
        rule = self.op.rule
        if rule is None:
            raise NotImplementedError(f"{self.op.name}: this op has no gradient rule")
        if self.op.materialize:
            upstream = materialized(self, upstream)
        recorder = active_recorder()
        if recorder is not None:
            results = recorder.rule(self, upstream)
        elif len(upstream) == 1:
            results = rule(self, upstream[0])
        else:
            results = rule(self, *upstream)
        if not isinstance(results, tuple):
            results = (results,)
        check_result_count(self, results)
        return as_arrays(results)

    def free(self) -> None:
        """Release everything that backward needed. A node that saved no data keeps it: backward may come again."""
        check_node(self)
        self.freed = True
        if all_plain(self.saved):
            return
        self.saved = ()
        self.edges = self.saved_versions = EMPTY
        self.indices = self.args = None


def all_plain(values: Any) -> bool:
    """Whether the values are shapes, dimensions, dtypes and the like."""
    for value in values:
        kind = type(value)
        if kind is tuple or kind is list:
            if not all_plain(value):
                return False
        elif value is not None and kind is not int and kind not in PLAIN:
            return False
    return True


def check_node(node: Node) -> None:
    """Raise RuntimeError unless the node was made by the engine."""
    if node is None or node.op is None:
        raise not_initialized(node)


def check_before_rule(node: Node) -> None:
    """Raise if what the node saved was freed, or if memory that it saved was written to since."""
    if node.freed and not node.edges:
        raise RuntimeError(
            f"{node.op.name}: backward was called a second time through a graph that the first call freed; "
            "pass retain_graph=True to the first call"
        )
    check_saved_versions(node.op, node.saved_versions)


def check_saved(node: Node) -> None:
    """Raise if memory that the node saved was written to since."""
    check_saved_versions(node.op, node.saved_versions)


def check_result_count(node: Node, results: tuple[Any, ...]) -> None:
    """Raise unless there is one gradient for each input."""
    if len(results) != len(node.edges):
        raise RuntimeError(
            f"{node.op.name}: its gradient rule returned {len(results)} gradients for {len(node.edges)} inputs"
        )


def as_arrays(results: tuple[Any, ...]) -> tuple[Array | None, ...]:
    """What a gradient rule returned, with NumPy's scalars as arrays without dimensions again."""
    for result in results:
        if result is not None and not isinstance(result, np.ndarray):
            return tuple([None if r is None else arrays.as_array(r) for r in results])
    return results


def materialized(node: Node, upstream: Sequence[Array | None]) -> Any:
    """The gradients of a node's outputs, with zeros for those that no gradient reached."""
    check_node(node)
    if node.outputs is None:
        return upstream
    return [np.zeros(shape, dtype) if array is None else array for array, (shape, dtype) in zip(upstream, node.outputs)]


def materialized_values(node: Node, upstream: Sequence[Any]) -> Any:
    """As ``materialized``, for gradients that are values."""
    if node.outputs is None:
        return upstream
    return [wrap(np.zeros(*spec)) if value is None else value for value, spec in zip(upstream, node.outputs)]


def check_saved_versions(op: Op, saved_versions: list[Any]) -> None:
    """Raise if memory that `op` saved was written to since."""
    for number in range(0, len(saved_versions), 2):
        version, saved = saved_versions[number], saved_versions[number + 1]
        if version.value != saved:
            raise RuntimeError(
                f"{op.name}: a tensor that its backward needs was changed in place "
                f"(it is at version {version.value}, and was saved at version {saved})"
            )


class Op:
    """A forward function on arrays, its gradient rule, and the public function made of both.

    ``forward(ctx, *arrays, **options)`` returns an array or a tuple of arrays; ``rule(ctx, *upstream)`` returns
    one gradient for each tensor: a new array, an upstream array itself, a view, or None. A ``definition`` is a second
    gradient rule, on tensors and in differentiable ops, for gradients of gradients. Called with values, an op
    computes and, where a gradient is wanted, records a node. The forward's parameters before "/" are ctx and the
    tensors (or None, or numbers), those after it options; without "/", options are the keyword-only parameters. A
    caller may pass both by position or by name. As an attribute of a class, an op is a method.
    """

    def __init__(self, name: str, forward: Forward) -> None:
        code = forward.__code__
        takes_any_number = bool(code.co_flags & 0x04)  # *args: inspect.CO_VARARGS
        self.name = name
        self.forward = forward
        self.rule: Rule | None = None
        self.definition_rule: Rule | None = None
        self.window_rule: Callable[[Node, Array], Array | None] | None = None
        self.frame_rule: Callable[[Node, Array], Array | None] | None = None
        self.alone: Callable[[Any], Any] | None = None  # what a call with one argument means, if it is something else
        self.materialize = True  # whether the rule receives zeros, not None, for outputs without a gradient
        self.opaque = False  # whether it may have effects that no recorder sees, so that programs call it again
        self.inputs = -1 if takes_any_number else (code.co_posonlyargcount or code.co_argcount) - 1
        self.required = code.co_argcount - 1 - len(forward.__defaults__ or ())
        self.by_position = code.co_posonlyargcount > 0  # whether forward takes options by position
        self.names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        self.__name__ = name
        self.__doc__ = forward.__doc__

    def gradient(self, rule: Rule) -> Rule:
        """Decorator that gives the op its gradient rule."""
        self.rule = rule
        return rule

    def definition(self, rule: Rule) -> Rule:
        """Decorator that gives the op its gradient rule on tensors, in differentiable ops: the formula. It receives the
        gradients of the outputs as tensors, and takes the op's inputs and outputs from ``ctx.input`` and
        ``ctx.output``. A rule whose body is the same for arrays and for tensors is both."""
        self.definition_rule = rule
        return rule

    def window(self, rule: Callable[[Node, Array], Array | None]) -> Callable[[Node, Array], Array | None]:
        """Decorator for an op whose result is a part of its input: the rule returns the same part of another array of
        the input's shape, as a view, or None. Backward then adds the gradients of several parts of one tensor in place
        to one sum, where rules would give each an array of the whole shape."""
        self.window_rule = rule
        return rule

    def frame(self, rule: Callable[[Node, Array], Array | None]) -> Callable[[Node, Array], Array | None]:
        """Decorator for such an op: the rule returns the array of the input's shape whose part a gradient is already,
        in the memory around it, as a view, or None. Where the gradients of all parts of a tensor lie in one array in
        this way, that is the tensor's gradient, and backward copies nothing."""
        self.frame_rule = rule
        return rule

    def __call__(self, *args: Any, **options: Any) -> Any:
        check_op(self)
        rest: tuple[Any, ...] = ()
        if self.inputs >= 0 and len(args) != self.inputs:
            if self.alone is not None and len(args) == 1 and not options:
                return self.alone(args[0])
            if self.by_position and not options and self.inputs < len(args) <= len(self.names):
                args, rest = args[: self.inputs], args[self.inputs :]
            elif options and not set(options).issubset(self.names):
                return call_otherwise(self, self.names, args, options)
            else:
                args, options = arrange(self, args, options)
        try:
            return apply(self, args, rest, options)
        except TypeError:
            if any([is_half(arg) for arg in args]):
                return in_float32(self, args, rest, options)
            if options and (self.inputs >= 0 or "out" in options) and not set(options).issubset(self.names):
                return call_otherwise(self, self.names, args, options)
            raise
        except AttributeError as error:  # an operand that is not a tensor, where the op needs one
            if self.opaque or not self.forward.__module__.startswith("cygrad."):
                raise  # the op of a user, who wants to see it
            got = ", ".join([type(value).__name__ for value in (*args, *rest, *options.values())])
            raise TypeError(f"{self.name}: expected tensors, and options of the documented types, got {got}") from error

    def defaults(self) -> dict[str, Any]:
        """The options that a caller may omit, and their values."""
        check_op(self)
        code, values = self.forward.__code__, self.forward.__defaults__ or ()
        named = code.co_varnames[: code.co_argcount]
        found = {**dict(zip(named[len(named) - len(values) :], values)), **(self.forward.__kwdefaults__ or {})}
        return {name: value for name, value in found.items() if name not in self.names[: max(self.inputs, 0)]}

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else MethodType(self, instance)

    @property
    def __signature__(self) -> Any:
        check_op(self)
        from cygrad.autograd.signature import call_signature  # imports inspect, which is slow and seldom needed

        return call_signature(self.forward)

    def __copy__(self) -> Op:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Ops of a module are pickled by name."""
        check_op(self)
        module = self.forward.__module__
        if getattr(sys.modules.get(module), self.name, None) is not self:
            raise TypeError(f"{self.name}: only an op that is a name in its module can be pickled")
        return find_op, (module, self.name)

    def __repr__(self) -> str:
        check_op(self)
        return f"<op {self.name}>"


def is_half(arg: Any) -> bool:
    """Whether an argument is a tensor of float16."""
    return isinstance(arg, Value) and dtype_of(arg).char == "e"


def dtype_of(value: Value) -> np.dtype[Any]:
    """The dtype of a value's array."""
    return value._array.dtype


def in_float32(op: Op, args: tuple[Any, ...], rest: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """An op on tensors of float16 that has no rule of its own for them: computed in float32, and rounded unless an
    operand with dimensions is of a wider dtype. As PyTorch's on CPUs."""
    floats = [arg for arg in args if isinstance(arg, Value) and dtype_of(arg).kind == "f"]
    ranked = [value for value in floats if value.ndim] or floats  # type: ignore[attr-defined]
    rounded = all([is_half(value) for value in ranked])
    wide: list[Any] = [arg.to(np.float32) if is_half(arg) else arg for arg in args]
    result = apply(op, tuple(wide), rest, options)
    if not rounded:
        return result
    if isinstance(result, tuple):
        return tuple([r.to(np.float16) if dtype_of(r).kind == "f" else r for r in result])
    return result.to(np.float16) if dtype_of(result).kind == "f" else result


def check_op(op: Op) -> None:
    """Raise RuntimeError unless ``__init__`` has been called."""
    if op.forward is None:
        raise not_initialized(op)


def find_op(module: str, name: str) -> Any:
    """The op of this name in a module."""
    return getattr(import_module(module), name)


def arrange(op: Op, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A call's arguments in the form that the op's forward takes: tensors by position, options by name."""
    inputs = op.inputs
    if len(args) > len(op.names):
        raise TypeError(f"{op.name}: expected at most {len(op.names)} arguments, got {len(args)}")
    given = dict(zip(op.names, args))
    for name, value in options.items():
        if name not in op.names:
            raise TypeError(f"{op.name}: unknown argument {name!r}; the arguments are {', '.join(op.names)}")
        if name in given:
            raise TypeError(f"{op.name}: argument {name!r} was given twice")
        given[name] = value
    tensors = []
    for number, name in enumerate(op.names[:inputs]):
        if name not in given and number < op.required:
            raise TypeError(f"{op.name}: argument {name!r} is missing")
        tensors.append(given.pop(name, None))
    return tuple(tensors), given


OTHER_NAMES = {"axis": "dim", "keepdims": "keepdim", "unbiased": "correction"}
OTHER_NAMES |= {"split_size": "split_size_or_sections"}  # of the method
OTHER_NAMES |= {"x": "input", "a": "input", "x1": "input", "x2": "other"}


def call_otherwise(function: Any, names: Sequence[str], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The call of a function with parameters of these names, where some options have NumPy's names for them, as in
    PyTorch, or one is ``out``, which receives the result."""
    given = {}
    for name, value in options.items():
        known = name if name in names or name == "out" else OTHER_NAMES.get(name, name)
        if (known not in names and known != "out") or known in given:
            raise TypeError(f"{function.__name__}: unknown argument {name!r}; the arguments are {', '.join(names)}")
        given[known] = value
    out = given.pop("out", None)
    result = function(*args, **given)
    return result if out is None else write_out(function.__name__, result, out)


CATEGORIES = {"b": 0, "i": 1, "u": 1, "f": 2}  # what a tensor holds never becomes one of a lower category


def check_category(op: str, source: np.dtype[Any], target: np.dtype[Any]) -> None:
    """Raise RuntimeError where a result is of a higher category (boolean, integer, float) than what is to hold it."""
    if CATEGORIES[source.kind] > CATEGORIES[target.kind]:
        raise RuntimeError(f"{op}: a {source} result can't be stored in a {target} tensor")


def write_out(op: str, result: Any, out: Any) -> Any:
    """Write a result, or each of several, into the memory of the tensor `out`, which is resized to fit and returned."""
    if not isinstance(result, Value):
        if not isinstance(out, (tuple, list)) or len(out) != len(result):
            raise TypeError(f"{op}: out must be a tuple of {len(result)} tensors")
        for part, target in zip(result, out):
            write_out(op, part, target)
        return type(result)(*out) if hasattr(result, "_fields") else tuple(out)
    if not isinstance(out, Value):
        raise TypeError(f"{op}: out must be a tensor, got {type(out).__name__}")
    if _mode.enabled and (result.requires_grad or out.requires_grad):
        raise RuntimeError(f"{op}: out= does not support gradients, but one of the arguments requires one")
    source, target = result.array, out.array
    check_category(op, source.dtype, target.dtype)
    if source.shape != target.shape:
        out.array = target = np.empty(source.shape, target.dtype)
    recording.overwrite(target, source)
    out.version.value += 1
    return out


def op(forward: Forward) -> Op:
    """Decorator that makes an op of its forward function; ``@name.gradient`` then adds the rule."""
    return Op(forward.__name__, forward)


# Grad mode


class _Mode(threading.local):
    enabled = True
    anomaly = False


_mode = _Mode()
_lock = threading.Lock()
_paused = 0  # threads in which grad mode is off; threads that ended in that state still count


def grad_enabled() -> bool:
    """Whether ops leave nodes in this thread."""
    return _mode.enabled


def set_grad_enabled(enabled: bool) -> bool:
    """Switch grad mode in this thread; return the previous state."""
    before = _mode.enabled
    if before != enabled:
        if enabled:  # the mode first, so that an interrupt at the lock leaves the count too high at worst
            _mode.enabled = True
        count_paused(-1 if enabled else 1)
        _mode.enabled = enabled
    return before


def count_paused(change: int) -> None:
    """Count the threads in which grad mode is off."""
    global _paused
    with _lock:
        _paused += change


def forget_other_threads() -> None:
    """Called in a forked child: of all threads only this one exists."""
    global _lock, _paused, _timer, _tracer
    _lock = threading.Lock()
    _paused = 0 if _mode.enabled else 1
    _timer = None
    if _tracer is not None and not _tracer.active:
        _tracer = None


kernels.in_child(forget_other_threads)


class Switch:
    """A block in which a mode of this thread has a value. Compiled, so that nothing can interrupt a change of the mode
    halfway: an interrupt that arrives meanwhile is raised in the block or after it."""

    anomaly = False  # whether it switches anomaly mode, not grad mode
    at_once = False  # whether it switches when it is made

    def __init__(self, mode: bool) -> None:
        self.value = bool(mode)
        self.before: list[bool] = []
        self.set_at_once = False  # and no block has begun since
        if self.at_once:
            self.__enter__()
            self.set_at_once = True

    def set(self, value: bool) -> bool:
        """Set the mode; return the previous one."""
        return set_anomaly_enabled(value) if self.anomaly else set_grad_enabled(value)

    def __enter__(self) -> None:
        if not self.set_at_once:
            self.before.append(self.set(self.value))
        self.set_at_once = False

    def __exit__(self, *error: object) -> None:
        self.set(self.before.pop())


def anomaly_enabled() -> bool:
    """Whether backward in this thread checks every gradient for NaN."""
    return _mode.anomaly


def set_anomaly_enabled(enabled: bool) -> bool:
    """Switch that check in this thread; return the previous state."""
    before = _mode.anomaly
    _mode.anomaly = enabled
    return before


# Recording

_recorder: Any = None  # the recorder in use, as recording.py knows it


def follow_recorder(recorder: Any) -> None:
    """Use this recorder from now on, none where it is None."""
    global _recorder
    _recorder = recorder


recording.follow(follow_recorder)


def active_recorder() -> Any:
    """The active recorder of this thread, or None."""
    return None if _recorder is None else recording.recorder()


# Timing

_timer: Any = None  # is told when ops, gradient rules and optimizers begin and end; see profiler.py


def timer() -> Any:
    """What is told when something begins and ends in this thread, or None."""
    return _timer if _timer is not None and _timer.active else None


def use_timer(new: Any) -> Any:
    """Tell `new` from now on, nothing where it is None; return the previous one."""
    global _timer
    before = _timer
    _timer = new
    return before


# Forward

_value_type: Any = Value
_tracer: Any = None  # receives every op; see tracing.py


def call_traced(tracer: Any, function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """function(*args), with every op of every thread reported to `tracer`, and to the previous one afterwards."""
    global _tracer
    before = _tracer
    _tracer = tracer
    try:
        return function(*args)
    finally:
        _tracer = before


def use_value_type(value_type: type[Value]) -> None:
    """Let ops return instances of `value_type`, a subclass of Value."""
    global _value_type
    _value_type = value_type


def wrap(array: Array) -> Any:
    """A new leaf over `array`."""
    value = _value_type.__new__(_value_type)
    initialize(value, array, new_version())
    return value


def new_node(op: Op) -> Node:
    """A node that is not connected yet."""
    node = Node.__new__(Node)
    node.op = op
    node.saved = ()
    node.needs = node.edges = node.saved_versions = EMPTY
    node.indices = node.outputs = node.args = node.hooks = None
    node.depth = 0
    node.freed = False
    return node


def apply(op: Op, args: tuple[Any, ...], rest: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Compute op on values and plain arguments; tell the timer, if there is one."""
    current_timer = None if _timer is None else timer()
    if current_timer is None:
        return compute(op, args, rest, options)
    current_timer.begin(op.name, args)
    try:
        return compute(op, args, rest, options)
    finally:
        current_timer.end()


def compute(op: Op, args: tuple[Any, ...], rest: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Compute op on values and plain arguments, with options by position or by name; record a node where a gradient
    is wanted."""
    node = new_node(op)
    wanted = connect(node, args) and (_paused == 0 or _mode.enabled)  # the second takes ten times as long to ask
    recorder = active_recorder()
    if rest and (recorder is not None or _tracer is not None):
        rest, options = (), dict(zip(op.names[op.inputs :], rest))
    try:
        if recorder is not None:
            result = recorder.forward(op, [node, *[operand(arg) for arg in args]], options, args, wanted)
        elif options:
            result = op.forward(node, *[operand(arg) for arg in args], **options)
        else:
            result = forward(op, node, args, rest)
    except ValueError as error:
        if "broadcast" not in str(error) or isinstance(error, ShapeError):
            raise
        shapes = " and ".join([str(arg.shape) for arg in args if hasattr(arg, "shape")])
        raise ShapeError(f"{op.name}: shapes {shapes} do not broadcast") from None
    if isinstance(result, tuple):
        outputs = tuple([output_of(array, args) for array in result])
        if wanted:
            node.outputs = [spec_of(value) for value in outputs]
            for index, value in enumerate(outputs):
                attach(value, node, index)
            note_saved_versions(node, args, outputs)
        if _tracer is not None:
            _tracer.applied(op, args, options, outputs)
        return outputs
    value = output_of(result, args)
    if wanted:
        attach(value, node, 0)
        note_saved_versions(node, args, (value,))
    if _tracer is not None:
        _tracer.applied(op, args, options, (value,))
    return value


def spec_of(value: Value) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype of a value."""
    return value._array.shape, value._array.dtype


def operand(arg: Any) -> Any:
    """An argument in the form that a forward function takes: the array of a value, the number of a NumPy scalar, which
    promotes as one of Python's, anything else as it is."""
    if isinstance(arg, Value):
        value = arg
        return value._array
    if type(arg) is float or type(arg) is int:
        return arg
    if isinstance(arg, np.ndarray):
        return arg if arrays.is_plain(arg) else arrays.plain("tensor", arg)
    return arg.item() if isinstance(arg, np.generic) else arg


def forward(op: Op, node: Node, args: tuple[Any, ...], rest: tuple[Any, ...]) -> Any:
    """The result of the op's forward function; up to three operands are passed without building a tuple."""
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
    """Give the node an edge to each argument that requires a gradient; return whether there is one."""
    depth, count = 0, len(args)
    edges: list[Node | Value | None] = [None] * count
    needs = [False] * count
    wanted = any_tensor = any_index = False
    small = True  # as far as the inputs that require a gradient tell
    for number in range(count):
        arg = args[number]
        if isinstance(arg, Value):
            value = arg
            any_tensor = True
            if value.seen_rewrites != value.version.rewrites:
                refresh(value, node.op.name)
            if value.requires_grad:
                wanted = needs[number] = True
                small = small and arrays.size(value._array) <= DRAWABLE
                if value.node is None:
                    edges[number] = value
                else:
                    edges[number] = value.node
                    if value.node.depth > depth:
                        depth = value.node.depth
                    any_index = any_index or value.index > 0
    if not any_tensor and args:
        raise TypeError(f"{node.op.name}: expected a tensor, got {type(args[0]).__name__}")
    node.needs = needs
    node.edges = edges
    node.depth = depth + 1
    if any_index:
        node.indices = [arg.index if isinstance(arg, Value) else 0 for arg in args]
    if wanted and small and are_drawable(args):
        node.args = tuple([operand(arg) for arg in args])
    return wanted


def are_drawable(args: tuple[Any, ...]) -> bool:
    """Whether all arguments are small enough to be shown in a drawing of the graph."""
    for arg in args:
        if isinstance(arg, Value):
            value = arg
            if arrays.size(value._array) > DRAWABLE:
                return False
    return True


def output_of(result: Any, args: tuple[Any, ...]) -> Value:
    """The value over an op's result. A view of an argument shares the argument's version and has the same base."""
    array = result if arrays.is_plain(result) else arrays.plain("tensor", result)
    owner = owner_of(array, args)
    value = _value_type.__new__(_value_type)
    if owner is None:
        initialize(value, array, new_version())
    else:
        initialize(value, array, owner.version)
        value.base = owner if owner.base is None else owner.base
    return value


def attach(value: Value, node: Node, index: int) -> None:
    """Make the value output `index` of the node, if its dtype can have a gradient."""
    if arrays.is_float(value._array):
        value.node = node
        value.index = index
        value.requires_grad = True


def note_saved_versions(node: Node, args: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
    """Note the versions of the saved arrays that a user can write to: those of arguments and results."""
    saved_versions: list[Any] = []
    for item in node.saved:
        if isinstance(item, np.ndarray):
            value = owner_of(item, args)
            if value is None:
                value = owner_of(item, outputs)
            if value is not None:
                saved_versions.append(value.version)
                saved_versions.append(value.version.value)
    node.saved_versions = saved_versions


def owner_of(array: Array, candidates: tuple[Any, ...]) -> Value | None:
    """The first value among the candidates that lies in the same memory as the array."""
    for candidate in candidates:
        if isinstance(candidate, Value):
            value = candidate
            if arrays.share_root(value._array, array):
                return value
    return None


# What code in Python asks the engine to change in a value. Nothing else of its position in the graph can be set there.


def share_version(value: Value, other: Value) -> None:
    """Count in-place writes together with `other`, whose memory the value shares."""
    check_value(value)
    check_value(other)
    value.version = other.version
    value.seen_rewrites = other.version.rewrites


def make_leaf(value: Value) -> None:
    """Take the value out of the graph."""
    check_value(value)
    value.node = value.base = None
    value.index = 0
    value.seen_rewrites = value.version.rewrites


def take_position(value: Value, other: Value) -> None:
    """Give the value the position of `other` in the graph."""
    check_value(value)
    check_value(other)
    value.node = other.node
    value.index = other.index


def become(value: Value, other: Value) -> None:
    """Give a value that is not initialized the memory of `other`, and its position in the graph."""
    check_value(other)
    if value is None:
        raise TypeError("expected a tensor, got None")
    initialize(value, other._array, other.version)
    value.requires_grad = other.requires_grad
    value.node, value.index, value.base = other.node, other.index, other.base
    value.seen_rewrites = other.seen_rewrites


def make_view(value: Value, base: Value | None) -> None:
    """Note that the value is a view of `base`, or of nothing."""
    check_value(value)
    value.base = base


def detached_node(node: Node, saved: tuple[Any, ...]) -> Node:
    """A node outside any graph, for an op that is called again."""
    check_node(node)
    copy = new_node(node.op)
    copy.needs = list(node.needs)
    copy.saved = saved
    copy.saved_versions = node.saved_versions
    copy.outputs = node.outputs
    return copy


# In-place writes and views
#
# A value and its views lie in the same memory. A recorded write to one of them changes the history of all. So a write
# to a view gives its base a new node, "write_view"; the histories of the base's other views are stale from then
# on, and are derived from the base, "view", when they are asked for. PyTorch's documentation of autograd calls this
# the rebasing of history.


def current(value: Value) -> Value:
    """The value with a history that is up to date."""
    check_value(value)
    if value.seen_rewrites != value.version.rewrites:
        refresh(value, "backward")
    return value


def current_or_own(value: Value) -> Value:
    """As ``current``, for who only looks: a history that can't be followed stays as it was."""
    try:
        return current(value)
    except RuntimeError:
        check_value(value)
        return value


def check_initialized(value: Value) -> None:
    """Raise RuntimeError where a tensor was made without its constructor."""
    check_value(value)


def base_of(value: Value) -> Value | None:
    """The value that this one is a view of, None where there is none or their memory has been replaced since."""
    base = value.base
    if base is None or base.version is not value.version or not arrays.share_root(base._array, value._array):
        return None
    return base


def refresh(value: Value, op: str) -> None:
    """Derive the stale history of a view from its base. Raise if there is no base to derive it from."""
    if value.version is unset:
        raise not_initialized(value)
    base = base_of(value)
    rewrites = value.version.rewrites
    if base is None:
        if value.requires_grad:
            raise RuntimeError(
                f"{op}: an input was changed in place through another tensor that shares its memory but is not known "
                "as its base or view; use x[i] = v or x.detach() of the changed tensor"
            )
    elif base.seen_rewrites != rewrites:
        raise RuntimeError(
            f"{op}: the tensor that an input is a view of was changed in place through a tensor outside its graph, "
            "such as one from detach() or data"
        )
    elif base.requires_grad:
        connect_view(value, base, arrays.positions(value._array, base._array))
    value.seen_rewrites = rewrites


def connect_view(value: Value, base: Value, positions: Array) -> None:
    """Make the value the output of a node that reads positions of its base."""
    node = new_node(_read_view)
    connect(node, (base,))
    node.saved = (positions, base._array.shape)
    attach(value, node, 0)


_read_view: Any = None
_write_view: Any = None


def use_view_ops(read_view: Op, write_view: Op) -> None:
    """Derive the histories of views by these ops: the elements of a base at positions, and a base with values there."""
    global _read_view, _write_view
    _read_view, _write_view = read_view, write_view


def rewrite(value: Any, result: Any) -> Any:
    """Write `result`, the outcome of an op on `value` and others, into `value`'s own memory, and give `value` the
    result's position in the graph: the way every in-place operator works."""
    check_value(result)
    check_writable(value)
    if result._array.shape != value._array.shape:
        raise RuntimeError(
            f"in-place: the result has shape {result._array.shape}, "
            f"which does not fit the tensor's {value._array.shape}"
        )
    check_category("in-place", result._array.dtype, value._array.dtype)
    if not value._array.flags.writeable:
        raise ValueError("in-place: the tensor's memory is read-only")
    if result.node is not None:
        keep_saved(result.node, value)
        if result._array.dtype != value._array.dtype:
            result = result.to(value._array.dtype)
    if result._array is not value._array:
        recording.overwrite(value._array, result._array)
    value.version.value += 1
    if result.node is not None:
        base = base_of(value)
        if base is None:
            value.node = result.node
            value.index = result.index
            value.requires_grad = True
        else:
            write_through(value, base, result)
        value.version.rewrites += 1
        if base is not None:
            base.seen_rewrites = value.version.rewrites
    value.seen_rewrites = value.version.rewrites
    if _tracer is not None:
        _tracer.rewritten(value, result)
    return value


def check_writable(value: Any) -> None:
    """Raise where PyTorch refuses an in-place write in grad mode: to a leaf that requires a gradient, to a view of
    one, or to a view that was taken under no_grad() of a tensor that requires a gradient."""
    check_value(value)
    if _recorder is not None:
        recording.written(value)
    current(value)
    base = base_of(value)
    if base is None:
        base = value
    current(base)
    if not base.requires_grad or not _mode.enabled:
        return
    if base.node is None:
        what = "a leaf tensor" if base is value else "a view of a leaf tensor"
        raise RuntimeError(
            f"in-place: {what} that requires a gradient can't be changed in place; do it under no_grad()"
        )
    if not value.requires_grad and arrays.is_float(value._array):
        raise RuntimeError(
            "in-place: this view was taken under no_grad() of a tensor that requires a gradient; take it again in "
            "grad mode, or change it under no_grad()"
        )


def write_through(value: Any, base: Any, result: Any) -> None:
    """Record that a view of `base` now holds `result`, which is in its memory already."""
    positions = arrays.positions(value._array, base._array)
    node = new_node(_write_view)
    connect(node, (base, result))
    node.saved = (positions, result._array.dtype)
    attach(base, node, 0)
    connect_view(value, base, positions)


def keep_saved(node: Node, value: Value) -> None:
    """Copy the part of the value's memory that the node saved, since it is about to be overwritten."""
    memory = arrays.root(value._array)
    node.saved = tuple([apart_from(memory, item) for item in node.saved])
    if node.args is not None:
        node.args = tuple([apart_from(memory, item) for item in node.args])
    pairs = zip(node.saved_versions[::2], node.saved_versions[1::2])
    node.saved_versions = [part for pair in pairs if pair[0] is not value.version for part in pair]


def apart_from(memory: Array, item: Any) -> Any:
    """The item, or a copy of an array that lies in this memory."""
    return recording.copied(item) if isinstance(item, np.ndarray) and arrays.root(item) is memory else item


# Backward

_ones: dict[Any, Array] = {}  # for each dtype the number 1, which is only read


def backward(outputs: Sequence[Value], upstream: Sequence[Any], retain_graph: bool, create_graph: bool = False) -> None:
    """Add to every leaf's gradient. If anything raises, no leaf is changed.

    With create_graph, gradients are values with a history of their own, else arrays.
    """
    outer = begin_pass()
    try:
        leaves, shared, _ = walk(outputs, upstream, retain_graph, None, create_graph)
        for leaf, array in leaves.items():
            if leaf.hooks is not None:
                leaves[leaf] = run_hooks(leaf.hooks, array)
                shared.add(leaf)
        finish_pass()
    finally:
        at_end[:] = outer
    if _reducers:
        for reducer in dict.fromkeys([leaf.reducer for leaf in leaves if leaf.reducer is not None]):
            reducer.finish(leaves, shared)
    for leaf, array in leaves.items():
        if array is not None:  # else a reducer has written it
            accumulate(leaf, array, leaf not in shared)
        if leaf.after_hooks is not None:
            for hook in tuple(leaf.after_hooks.values()):
                hook(leaf)


at_end: list[Callable[[], object]] = []  # what hooks ask to be called when the gradients of the pass have been computed


def begin_pass() -> list[Callable[[], object]]:
    """Take away the calls that wait for the end of an outer pass, in whose hook this one begins."""
    outer = at_end.copy()
    at_end.clear()
    return outer


def finish_pass() -> None:
    """Make the calls that wait for the end of this pass."""
    while at_end:
        at_end.pop(0)()


_reducers = False  # whether there ever was one


def reduce_with(leaves: Sequence[Value], reducer: Any) -> None:
    """Let a reducer combine the gradients of these leaves with those of other processes, while backward goes on.

    ``reducer.ready(leaf, array, owned)`` is called as soon as the gradient of a leaf is complete, an array that nobody
    else has if it is `owned`. ``reducer.finish(gradients, shared)`` is called at the end, before any gradient is added
    to a leaf's; it may replace those of its leaves in the dict, by None where it has written to the leaf's own, and
    removes from `shared` the leaves whose gradients nobody else has. ``reducer.refuse(what)`` raises.
    """
    global _reducers
    for leaf in leaves:
        leaf.reducer = reducer
    _reducers = True


def edges_to_reduce(outputs: Sequence[Value]) -> dict[Value, int]:
    """The leaves below the outputs that have a reducer, each with the number of its gradients."""
    counts: dict[Value, int] = {}
    seen: set[Node] = set()
    stack = [value.node for value in map(current, outputs) if value.node is not None]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            for edge in node.edges:
                if isinstance(edge, Node):
                    stack.append(edge)
                elif edge is not None and edge.reducer is not None:
                    counts[edge] = counts.get(edge, 0) + 1
    return counts


def arrive(leaf: Value, missing: dict[Value, int], leaves: dict[Value, Array], shared: set[Value]) -> None:
    """Note that one gradient of a leaf has been added, and tell its reducer if it was the last."""
    count = missing.get(leaf, 0) - 1
    missing[leaf] = count
    if count == 0 and leaf in leaves and leaf.hooks is None:
        leaf.reducer.ready(leaf, leaves[leaf], leaf not in shared)


def seed(op: str, output: Any) -> Array:
    """The gradient with which backward starts at an output of one element: 1."""
    if not isinstance(output, Value):
        raise TypeError(f"{op}: an output must be a tensor, got {type(output).__name__}")
    value = current(output)
    array = value._array
    if not value.requires_grad:
        raise RuntimeError(f"{op}: the output of shape {array.shape} does not require a gradient")
    if array.size != 1:
        raise RuntimeError(
            f"{op}: without a gradient the output must have exactly one element, but its shape is {array.shape}"
        )
    if array.ndim:
        return np.ones(array.shape, array.dtype)
    one = _ones.get(array.dtype)
    if one is None:
        one = np.ones((), array.dtype)
        one.flags.writeable = False
        _ones[array.dtype] = one
    return one


def accumulate(leaf: Value, array: Any, owned: bool) -> None:
    """leaf.grad += array; the first gradient is taken, not copied, where nobody else has it. A value as the gradient
    keeps its history."""
    check_value(leaf)
    if isinstance(array, Value):
        value: Any = array
        leaf.grad_value = value.clone() if leaf.grad_value is None else leaf.grad_value + value
        return
    recorder = active_recorder()
    if recorder is not None:
        recorder.touch([leaf])
    if leaf.grad_value is None:
        keep = owned and arrays.is_in_order(array)
        leaf.grad_value = wrap(array if keep else recording.copied(array))
    else:
        total = leaf.grad_value
        if recorder is None:
            np.add(total._array, array, out=total._array)
        else:
            recording.overwrite(total._array, recording.plus(total._array, array, False))
        total.version.value += 1


def gradients(
    outputs: Sequence[Value],
    inputs: Sequence[Value],
    upstream: Sequence[Any],
    retain_graph: bool,
    create_graph: bool = False,
) -> list[Any]:
    """The gradient of each input, None where the outputs do not depend on it: with create_graph a value with a history
    of its own, else an array. No leaf is changed."""
    wanted = {(value.node if value.node is not None else value, value.index): None for value in map(current, inputs)}
    outer = begin_pass()
    try:
        leaves, shared, arrived = walk(outputs, upstream, retain_graph, wanted, create_graph)
        for value in dict.fromkeys(inputs):
            if value.hooks is not None and value in leaves:
                leaves[value] = run_hooks(value.hooks, leaves[value])
                shared.add(value)
        finish_pass()
    finally:
        at_end[:] = outer
    results = []
    for value in inputs:
        if value.node is None:
            array, owned = leaves.get(value), value not in shared
        else:
            array, owned = arrived.get((value.node, value.index)), False
        results.append(array if array is None or owned or create_graph else recording.copied(array))
    return results


def leading_to(wanted: dict[Any, None], outputs: Sequence[Value]) -> dict[Node, list[bool]]:
    """The nodes between the outputs and what is wanted, (node or leaf, output number): for each whether the gradient of
    each input leads there."""
    nodes: dict[Node, None] = {}
    stack = [value.node for value in map(current, outputs) if value.node is not None]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes[node] = None
            stack.extend([edge for edge in node.edges if isinstance(edge, Node)])
    found: dict[Node, list[bool]] = {}
    for node in sorted(nodes, key=depth_of):
        indices = node.indices or [0] * len(node.edges)
        leads = [(edge, index) in wanted or edge in found for edge, index in zip(node.edges, indices)]
        if True in leads:
            found[node] = leads
    return found


def depth_of(node: Node) -> int:
    return node.depth


def walk(
    outputs: Sequence[Value],
    upstream: Sequence[Any],
    retain_graph: bool,
    wanted: dict[Any, None] | None,
    create_graph: bool,
) -> tuple[dict[Value, Any], set[Value], dict[tuple[Node, int], Any]]:
    """Carry gradients from the outputs to the leaves: arrays by the ops' rules, or, with create_graph, values by their
    definitions.

    Returns {leaf: gradient}, the leaves whose gradient somebody else may have too, and the gradients that arrived at
    the outputs in `wanted`: (node, output number).
    """
    leads = None if wanted is None else leading_to(wanted, outputs)
    if create_graph:
        before = set_grad_enabled(True)
        try:
            return carry(outputs, upstream, retain_graph, wanted, leads, True)
        finally:
            set_grad_enabled(before)
    return carry(outputs, upstream, retain_graph, wanted, leads, False)


def carry(
    outputs: Sequence[Value],
    upstream: Sequence[Any],
    retain_graph: bool,
    wanted: dict[Any, None] | None,
    leads: dict[Node, list[bool]] | None,
    create_graph: bool,
) -> tuple[dict[Value, Any], set[Value], dict[tuple[Node, int], Any]]:
    """The walk itself, only through the nodes in `leads`, if that is not None."""
    leaves: dict[Value, Array] = {}
    shared: set[Value] = set()
    arrived: dict[tuple[Node, int], Array | None] = {}
    pending: dict[Node, list[Array | None]] = {}
    waiting: list[Node] = []
    sums: set[tuple[Any, int]] = set()  # (node or leaf, output number) whose gradient so far nobody else holds
    anomaly = _mode.anomaly
    missing = edges_to_reduce(outputs) if _reducers and wanted is None else None
    if missing and create_graph:
        next(iter(missing)).reducer.refuse("create_graph=True")
    for number in range(len(outputs)):
        value = current(outputs[number])
        target = value if value.node is None else value.node
        deposit(target, value.index, upstream[number], False, leaves, shared, pending, waiting)
    while waiting:
        node = waiting.pop()
        received = pending.pop(node, None)
        if received is None:  # its gradient has been joined with that of another part
            continue
        if node.hooks is not None:
            for index, hooks in node.hooks.items():
                gradient = received[index]
                if gradient is not None:
                    received[index] = run_hooks(hooks, gradient)
        if wanted is not None:
            for index, gradient in enumerate(received):
                if (node, index) in wanted:
                    arrived[node, index] = gradient
        edges, indices, needs = node.edges, node.indices, node.needs
        saved = node.saved
        if leads is not None:
            if node not in leads:
                continue
            needs = leads[node]
        is_window = node.op.window_rule is not None and not create_graph
        if is_window and add_to_part(node, received[0], leaves, pending, sums):
            if anomaly:
                check_for_nan(node, (received[0],))
            if missing and isinstance(edges[0], Value):
                arrive(edges[0], missing, leaves, shared)
            if not retain_graph:
                node.free()
            continue
        first = received[0]
        if is_window and edges and leads is None and not anomaly and first is not None and is_part(first):
            whole, found = joined(node, first, pending)
            edge = edges[0]
            if whole is not None and edge is not None:
                index = 0 if indices is None else indices[0]
                deposit(edge, index, whole, False, leaves, shared, pending, waiting)
                for part in found:
                    check_saved(part)
                    pending.pop(part, None)
                    if missing and isinstance(edge, Value):
                        arrive(edge, missing, leaves, shared)
                    if not retain_graph:
                        part.free()
                continue
        if leads is None and not create_graph and _timer is None:
            results = node.input_gradients(received)
        else:
            results = gradients_at(node, received, needs, create_graph)
        if anomaly:
            check_for_nan(node, results)
        if not retain_graph:
            node.free()
        for number, edge in enumerate(edges):
            result = results[number]
            if edge is not None and result is not None and needs[number]:
                index = 0 if indices is None else indices[number]
                owned = (
                    not create_graph
                    and (not isinstance(edge, Node) or arrays.is_large(result))
                    and is_new(result, received, saved, results)
                )
                deposit(edge, index, result, owned, leaves, shared, pending, waiting)
                if is_window and is_new(result, received, saved, results):
                    sums.add((edge, index))
            if missing and isinstance(edge, Value):
                arrive(edge, missing, leaves, shared)
    return leaves, shared, arrived


def add_to_part(
    node: Node,
    gradient: Array | None,
    leaves: dict[Value, Array],
    pending: dict[Node, list[Array | None]],
    sums: set[tuple[Any, int]],
) -> bool:
    """Add the gradient of a part of a tensor to that part of the tensor's own, in place, if there is one already that
    nobody but the walk holds: whether that was done."""
    edge = node.edges[0] if node.edges else None
    index = 0 if node.indices is None else node.indices[0]
    if gradient is None or (edge, index) not in sums:
        return False
    check_saved(node)
    total = pending[edge][index] if isinstance(edge, Node) else leaves[edge]  # type: ignore[index]
    part = None if total is None or node.op.window_rule is None else node.op.window_rule(node, total)
    if part is None:
        return False
    recording.add_into(part, gradient)
    return True


def is_part(gradient: Array) -> bool:
    """Whether a gradient is a large part of another array."""
    return arrays.root(gradient) is not gradient and arrays.is_large(gradient)


def gradients_at(node: Node, received: list[Any], needs: list[bool], create_graph: bool) -> tuple[Any, ...]:
    """The gradients of the inputs that `needs` names; tells the timer, if there is one."""
    before = node.needs
    current_timer = timer()
    if current_timer is not None:
        name = node.name()  # the op's own, unless PyTorch's are shown
        current_timer.begin(name if name != node.op.name else f"{name} backward", received)
    node.needs = needs
    try:
        return node.defined_gradients(received) if create_graph else node.input_gradients(received)
    finally:
        node.needs = before
        if current_timer is not None:
            current_timer.end()


def is_new(
    array: Array, received: list[Array | None], saved: tuple[Any, ...], results: tuple[Array | None, ...]
) -> bool:
    """Whether nobody but the walk holds a gradient's memory."""
    if not arrays.owns_memory(array):
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
    """Add a gradient to those that have arrived at a leaf, or at output `index` of a node. `owned`: nobody but the walk
    holds it, so that the sum may overwrite it. For a node, the walk finds this out only for large gradients."""
    if isinstance(target, Node):
        node = target
        received = pending.get(node)
        if received is None:
            received = [None] if node.outputs is None else [None] * len(node.outputs)
            pending[node] = received
            insert(node, waiting)
        sum_so_far = received[index]
        received[index] = array if sum_so_far is None else plus(sum_so_far, array, owned)
    else:
        before = leaves.get(target)
        if before is None:
            leaves[target] = array
            if not owned:
                shared.add(target)
        else:
            leaves[target] = plus(before, array, owned)
            shared.discard(target)


def plus(a: Any, b: Any, owned: bool) -> Any:
    """The sum of two gradients, arrays or values, in the memory of b if it is large and `owned`."""
    return a + b if isinstance(a, Value) else recording.plus(a, b, owned)


def insert(node: Node, waiting: list[Node]) -> None:
    """Insert the node by its depth: the deepest stands last."""
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


def run_hooks(hooks: dict[int, Callable[[Any], Value | None]], gradient: Any) -> Any:
    """The gradient, an array or a value, after each hook has seen it and perhaps replaced it."""
    for hook in tuple(hooks.values()):
        is_value = isinstance(gradient, Value)
        value = gradient if is_value else wrap(gradient)
        replacement = hook(value)
        if replacement is not None:
            if replacement.array.shape != value.array.shape:
                raise RuntimeError(
                    f"hook: it returned a gradient of shape {replacement.array.shape}, expected {value.array.shape}"
                )
            gradient = replacement if is_value else replacement.array
    return gradient


def check_for_nan(node: Node, results: tuple[Any, ...]) -> None:
    """Raise if a gradient rule returned NaN."""
    for number, result in enumerate(results):
        if result is not None and np.isnan(operand(result)).any():
            raise RuntimeError(f"{node.op.name}: its backward returned NaN in the gradient of input {number}")
