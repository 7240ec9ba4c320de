"""What the user's code reads and writes by name while a step is recorded: numbers, and the objects on the way to them.

A trace function sees each function of the user's that the step calls. Its bytecode says which globals, closure cells,
attributes and items it names, and the objects that exist say what is found there. So nothing is executed for it: a
property counts when its own function is called.
"""

from __future__ import annotations

import builtins
import functools
import gc
import os
import signal
import sys
from array import array
from collections import Counter, deque
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from threading import local
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from cygrad.autograd import Value
from cygrad.compiler.names.bytecode import Elements, Values, scan
from cygrad.compiler.places import MISSING, Place, current, is_plain
from cygrad.compiler.replay.replay import Binding
from cygrad.nn.module import Module
from cygrad.optim.optimizer import Optimizer
from cygrad.tensor import Tensor

__all__ = ["PACKAGE", "Watch", "is_user_code"]

PACKAGE = str(Path(__file__).parents[2])
LIBRARY = str(Path(os.__file__).parent)
CONTAINERS = ("collections", "os", "types")  # modules of the standard library whose classes hold the user's values

MOST_SCANS = 64  # of one function, with other arguments each time
MOST_ELEMENTS = 1000  # of a container whose elements are compared one by one
MOST_BYTES = 65536  # of an array whose elements are compared

# What a call of these does with its arguments
HARMLESS = frozenset([print, isinstance, issubclass, id, type, callable, super, hash, object])
COPIES = frozenset([enumerate, zip, reversed, list, tuple, iter, set, frozenset, sorted])
MUTATORS = frozenset([
    "append", "appendleft", "extend", "extendleft", "insert", "remove", "clear", "update", "add", "discard",
])  # fmt: skip
VIEWS = frozenset(["keys", "values", "items", "copy"])


class Read(NamedTuple):
    """A place that the step reads, or only writes to if `stored`; `owner` is the id of the object that has it, `label`
    its name in messages."""

    binding: Binding
    owner: int
    label: str
    stored: bool


class Watch:
    """Collects the reads of one recording.

    Args:
        function: the function that is recorded, None if it does not matter
        alone: whether it calls nothing of the user's, so that only its own code is scanned
        is_active: says whether what runs now is part of the program, and not called again by it
    """

    def __init__(self, function: Callable[..., Any] | None, alone: bool, is_active: Callable[[], bool]) -> None:
        self.is_active = is_active
        self.reads: dict[Any, Read] = {}  # by place
        self.modules: dict[int, Module] = {}
        self.optimizers: dict[int, Optimizer] = {}
        self.functions: dict[CodeType, dict[int, FunctionType]] = {}
        self.returned: dict[CodeType, dict[int, Any]] = {}  # objects, by the function that returned them
        self.free: dict[CodeType, list[dict[str, Any]]] = {}  # what calls of a closure read by name, and its values
        self.running: dict[int, dict[str, Any]] = {}  # the same of calls that have not returned, by the frame's id
        self.scanned: dict[Any, Any] = {}  # function and arguments → what keeps their ids
        self.scans: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()  # of closures
        self.error: Exception | None = None
        self.function = function
        self.ended = False
        self.see(function)
        self.first = code_of(function)  # which is scanned even if it belongs to this package
        self.alone = alone and self.first is not None and self.first.co_filename.startswith(PACKAGE)
        self.interrupting = {code_of(callback) for callback in [*gc.callbacks, *signal_handlers()]}
        self.previous: Any = None
        self.traces = False

    # Calls

    def follow(self, function: Callable[[], Any]) -> Any:
        """function(), whose calls are seen."""
        if self.function is None:
            return function()
        # A trace function is called less often than a profile function, but a debugger may need it.
        self.previous, self.traces = sys.getprofile(), sys.gettrace() is None
        try:
            (sys.settrace if self.traces else sys.setprofile)(self.called)
            return function()
        finally:
            self.ended = True
            self.restore()

    def restore(self) -> None:
        """Let the profiler that was active before go on."""
        if self.traces:
            sys.settrace(None)
            return
        enable = None if callable(self.previous) else getattr(self.previous, "enable", None)
        sys.setprofile(None if enable else self.previous)
        if enable is not None:
            enable()  # cProfile's profiler is not a function

    def called(self, frame: FrameType, event: str, arg: Any) -> Any:
        """The trace or profile function: looks at functions of the user's when they begin and when they return."""
        code = frame.f_code
        if (code.co_filename.startswith(PACKAGE) and code is not self.first) or event not in ("call", "return"):
            return None
        if self.ended:  # an interrupt has left it in place
            self.restore()
            return None
        if self.error is not None or not self.is_watched(frame) or not self.is_active():
            return None
        try:
            if event == "return" and not isinstance(arg, Value) and not is_plain(arg):
                self.returned.setdefault(code, {})[id(arg)] = arg
            self.look(frame, event)
        except Exception as error:  # it would end the step
            self.error = error
        if self.alone:
            self.restore()
            return None
        frame.f_trace_lines = False
        return self.called if self.traces else None

    def is_watched(self, frame: FrameType) -> bool:
        """Whether a frame runs code of the user's, or of classes that hold the user's values."""
        code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
        if module in CONTAINERS or code is self.first:
            return True
        generated = module.startswith("namedtuple_")  # the constructor of a named tuple
        if not is_user_code(code.co_filename) or module.partition(".")[0] in ("cygrad", "numpy") or generated:
            return False
        return not self.interrupts(frame)

    def interrupts(self, frame: FrameType | None) -> bool:
        """Whether a frame runs for the garbage collector or a signal: at any moment, and not as a part of the step."""
        while frame is not None and frame.f_code is not FOLLOW:
            if frame.f_code in self.interrupting:
                return True
            frame = frame.f_back
        return False

    def look(self, frame: FrameType, event: str) -> None:
        """Scan a function that begins or returns."""
        code, names = frame.f_code, dict(frame.f_locals)
        if code.co_freevars and event == "call":
            self.calls[code] += 1
        key = (code, event, *[0 if isinstance(value, Value) else id(value) for value in names.values()])
        if key in self.scanned or self.scans[code] >= MOST_SCANS:
            return
        self.scanned[key] = names
        self.scans[code] += 1
        for value in names.values():
            self.see(value)
        finder = FrameFinder(self, frame, names, self.closed_over(frame, event))
        scan(code, {name: known(value) for name, value in names.items()}, finder)

    def closed_over(self, frame: FrameType, event: str) -> dict[str, Any]:
        """What a call has read of its closure, one dict from its beginning to its end."""
        found = self.running.pop(id(frame), None) if event == "return" else None
        if found is None:
            found = {}
            if frame.f_code.co_freevars:
                self.free.setdefault(frame.f_code, []).append(found)
        if event == "call":
            self.running[id(frame)] = found
        return found

    # What is found

    def see(self, value: Any) -> None:
        """Note an object that the step can reach, for what belongs to it."""
        if isinstance(value, Module):
            self.modules[id(value)] = value
        elif isinstance(value, Optimizer):
            self.optimizers[id(value)] = value
        elif isinstance(value, MethodType):
            self.see(value.__func__)
        elif isinstance(value, functools.partial):
            self.elements(value.keywords)
            self.see(value.func)
        elif isinstance(value, FunctionType):
            same = self.functions.setdefault(value.__code__, {})
            if id(value) not in same:
                same[id(value)] = value
                self.see_defaults(value)

    def see_groups(self, optimizer: Optimizer) -> None:
        for group in self.elements(optimizer.param_groups):
            self.elements(group["params"])

    def see_defaults(self, function: FunctionType) -> None:
        if not is_user_code(function.__code__.co_filename):
            return
        if function.__defaults__:
            self.read(Place.ATTRIBUTE, function, "__defaults__", function.__defaults__, function, function.__name__)
        if function.__kwdefaults__:
            self.elements(function.__kwdefaults__)

    def read(self, place: int, container: Any, key: Any, value: Any, owner: Any, label: str) -> Values:
        """Note a read, and return what was found."""
        if place == Place.NOWHERE:
            self.see(value)
            return (value,)
        found = place, id(container), type(key), key
        if found not in self.reads or self.reads[found].stored:
            self.reads[found] = Read(Binding(place, container, key, value), id(owner), label, False)
        self.see(value)
        return () if value is MISSING else (value,)

    def store(self, place: int, container: Any, key: Any, owner: Any, label: str) -> None:
        """Note a write."""
        found = place, id(container), type(key), key
        if found not in self.reads and place != Place.NOWHERE:
            self.reads[found] = Read(Binding(place, container, key, MISSING), id(owner), label, True)

    def elements(self, container: Any) -> Values:
        """Note that all elements of a container may be read, and return them."""
        if isinstance(container, tuple):
            return container
        if isinstance(container, Module):
            self.see(container)
            return tuple(container.children()) if type(container).__module__.startswith("cygrad.") else ()
        if isinstance(container, (np.ndarray, array, bytearray)):
            if memoryview(container).nbytes <= MOST_BYTES:  # type: ignore[arg-type]
                self.read(Place.ELEMENTS, container, None, None, container, f"the elements of {describe(container)}")
            return ()
        if not isinstance(container, (list, dict, set, deque, MappingProxyType)):
            return ()
        place = Place.ELEMENTS if len(container) <= MOST_ELEMENTS else Place.LENGTH
        value = len(container) if place == Place.LENGTH else None
        self.read(place, container, None, value, container, f"the elements of {describe(container)}")
        return tuple(container) if len(container) <= MOST_ELEMENTS else ()

    # The end

    def finish(self, leaves: dict[int, Value], launched: set[int], held: list[Any]) -> tuple[list[Binding], str | None]:
        """What must be as it was for the program to be replayed, and why the step can't be recorded, or None.

        Args:
            leaves: the tensors that the step has used, by id
            launched: the ids of the optimizers whose launches watch their parameters
            held: a list of what the step returned, to which nothing else refers
        """
        self.resolve_cells()
        for optimizer in self.optimizers.values():
            if id(optimizer) not in launched:
                self.see_groups(optimizer)
        self.scanned.clear()
        self.functions.clear()
        self.returned.clear()
        if self.error is not None:
            return [], f"its code can't be followed: {type(self.error).__name__} ({self.error})"
        reads, bindings, moved = drop_temporary(self.reads, held), [], {}
        for read in reads:
            now = now_at(read.binding)
            if read.stored:
                if is_plain(now):
                    bindings.append(Binding(read.binding.place, read.binding.container, read.binding.key, now))
            elif read.binding.holds():
                bindings.append(read.binding)
            elif has_plain_value(read.binding) or is_plain(now):
                return [], changed(read.label)
            elif id(read.binding.value) in leaves:
                return [], REBOUND
            else:
                moved[id(read.binding.value)] = now
        for read in reads:
            carried = read.owner in moved and not read.stored and has_plain_value(read.binding)
            if carried and not holds_in(read.binding, moved[read.owner]):
                return [], changed(read.label)
        return bindings, None

    def resolve_cells(self) -> None:
        """Turn names of closures into their cells, as far as the functions still exist."""
        # The function of a comprehension does not outlive its frame.
        named = [code for code in self.free if code.co_name == "<lambda>" or not code.co_name.startswith("<")]
        lost = [code for code in named if code not in self.functions]
        self.find_functions(lost)
        self.find_functions([code for code in named if self.unknown(code)])
        for code, calls in self.free.items():
            candidates = self.closures(code)
            for names in calls:
                for cells in [cells for cells in candidates if fits(cells, names)] or candidates[:1]:
                    self.read_cells(cells, names)

    def find_functions(self, codes: list[CodeType]) -> None:
        """Find all functions of these codes."""
        for function in gc.get_referrers(*codes) if codes else ():
            if isinstance(function, FunctionType):
                self.functions.setdefault(function.__code__, {})[id(function)] = function

    def closures(self, code: CodeType) -> list[dict[str, CellType]]:
        """The cells of each known function of a code, by name."""
        known_functions = self.functions.get(code, {}).values()
        return [dict(zip(code.co_freevars, function.__closure__ or ())) for function in known_functions]

    def unknown(self, code: CodeType) -> bool:
        """Whether a call may have been of a function of its code that is not known.

        From a frame it can't be told which function runs in it: it is one whose cells hold what the call has read. If
        there is none at all, the step has changed them.
        """
        candidates = self.closures(code)
        fitting = [any(fits(cells, names) for cells in candidates) for names in self.free[code]]
        return self.calls[code] > 1 or not all(fitting)

    def read_cells(self, cells: dict[str, CellType], names: dict[str, Any]) -> None:
        """Note that a call has read these names of its closure."""
        for name, value in names.items():
            found = Place.CELL, id(cells[name]), type(None), None
            if found not in self.reads or self.reads[found].stored:
                binding = Binding(Place.CELL, cells[name], None, value)
                self.reads[found] = Read(binding, id(cells[name]), name, value is MISSING)


class FrameFinder:
    """Finds the objects that one function names; see ``bytecode.Finder``.

    Args:
        watch: receives the reads
        frame: a call of the function
        names: its arguments, and the values of its closure
        closed_over: what this call has read of its closure so far, which is completed
    """

    def __init__(self, watch: Watch, frame: FrameType, names: dict[str, Any], closed_over: dict[str, Any]) -> None:
        self.watch = watch
        self.closed_over = closed_over
        self.code = frame.f_code
        self.globals = frame.f_globals
        self.names = names

    def find_global(self, name: str) -> Values:
        if name not in self.globals:
            return (vars(builtins)[name],) if name in vars(builtins) else ()
        value = self.globals[name]
        if isinstance(value, ModuleType) and is_foreign(value.__name__):
            return (value,)
        return self.watch.read(Place.ITEM, self.globals, name, value, self.globals, name)

    def store_global(self, name: str) -> None:
        self.watch.store(Place.ITEM, self.globals, name, self.globals, name)

    def find_free(self, name: str) -> Values:
        value = self.names.get(name, MISSING)
        if self.closed_over.get(name, MISSING) is MISSING:
            self.closed_over[name] = value
        self.watch.see(value)
        return () if value is MISSING else (value,)

    def store_free(self, name: str) -> None:
        self.closed_over.setdefault(name, MISSING)

    def find_attribute(self, owner: Any, name: str) -> Values:
        if isinstance(in_classes(type(owner), name), MethodDescriptorType) and isinstance(owner, (*SIZED, ContextVar)):
            return (getattr(owner, name),)
        if type(owner) in OPAQUE:
            return ()
        label = f"{owner.__name__ if isinstance(owner, (type, ModuleType)) else type(owner).__name__}.{name}"
        if isinstance(owner, ModuleType):
            return self.find_in_module(owner, name, label)
        found: Values = self.results_of(property_code(owner, name))
        for place, container, value in places_of(owner, name):
            found = self.watch.read(place, container, name, value, owner, label) or found
        return found if not isinstance(owner, type) else unwrapped(found)

    def find_in_module(self, module: ModuleType, name: str, label: str) -> Values:
        value = vars(module).get(name, MISSING)
        if is_foreign(module.__name__):
            return () if value is MISSING else (value,)
        return self.watch.read(Place.ITEM, vars(module), name, value, module, label)

    def store_attribute(self, owner: Any, name: str) -> None:
        for place, container, _ in places_of(owner, name)[:1]:
            self.watch.store(place, container, name, owner, f"{type(owner).__name__}.{name}")

    def find_item(self, container: Any, key: Any) -> Values:
        label = describe_item(container, key)
        if (
            isinstance(container, dict)
            and in_classes(type(container), "__getitem__") is DICT_ITEM
            and has_plain_hash(key)
        ):
            return self.watch.read(Place.ITEM, container, key, container.get(key, MISSING), container, label)
        if isinstance(container, list) and type(key) is int and -len(container) <= key < len(container):
            return self.watch.read(Place.INDEX, container, key, container[key], container, label)
        if (
            isinstance(container, (tuple, str, bytes, range))
            and type(key) is int
            and -len(container) <= key < len(container)
        ):
            return known(container[key])
        if isinstance(container, Module):
            self.watch.see(container)
            return tuple([child for name, child in container.named_children() if name == str(key)])
        self.watch.elements(container)
        return self.results_of(getattr(in_classes(type(container), "__getitem__"), "__code__", None))

    def results_of(self, code: CodeType | None) -> Values:
        """The objects that calls of a function have returned."""
        return tuple(self.watch.returned.get(code, {}).values()) if code is not None else ()

    def store_item(self, container: Any, key: Any) -> None:
        label = describe_item(container, key)
        if isinstance(container, dict) and has_plain_hash(key):
            self.watch.store(Place.ITEM, container, key, container, label)
        elif isinstance(container, list) and type(key) is int:
            self.watch.store(Place.INDEX, container, key, container, label)

    def find_elements(self, container: Any) -> Values:
        return container.values if isinstance(container, Elements) else self.watch.elements(container)

    def find_result(self, function: Any, args: list[Values]) -> Values:
        if function is getattr or function is hasattr or function is setattr:
            return self.access(function, args)
        if function is vars and args:
            return tuple([vars(owner) for owner in args[0] if hasattr(owner, "__dict__")])
        if function is globals:
            return (self.globals,)
        if function is len and args:
            return tuple([n for values in args[:1] for value in values for n in self.length(value)])
        if isinstance(function, BuiltinFunctionType) and isinstance(function.__self__, ContextVar):
            variable = function.__self__
            return self.watch.read(Place.CONTEXT, variable, None, variable.get(MISSING), variable, variable.name)
        if isinstance(function, BuiltinFunctionType) and isinstance(function.__self__, SIZED):
            return self.call_method(function.__self__, function.__name__, args)
        if isinstance(function, ref):
            return (function(),)
        if has_own_frame(function) or is_harmless(function):
            return self.results_of(code_of(function))
        parts = [tuple([e for value in values for e in self.find_elements(value)]) for values in args]
        if isinstance(function, type) and function in (enumerate, zip) and all(parts):
            return (Elements(tuple(zip(*parts) if function is zip else enumerate(parts[0]))),)
        return (Elements(parts[0]),) if parts and is_copy(function) else ()

    def access(self, function: Any, args: list[Values]) -> Values:
        """getattr, hasattr or setattr with known arguments."""
        for owner in args[0] if args else ():
            for name in args[1] if len(args) > 1 else ():
                if isinstance(name, str) and function is setattr:
                    self.store_attribute(owner, name)
                elif isinstance(name, str):
                    found = self.find_attribute(owner, name)
                    if function is getattr and found:
                        return found
        return ()

    def length(self, container: Any) -> Values:
        """The length of a container that can change."""
        if isinstance(container, (list, dict, set, deque)):
            label = f"the length of {describe(container)}"
            return self.watch.read(Place.LENGTH, container, None, len(container), container, label)
        return ()

    def call_method(self, container: Any, name: str, args: list[Values]) -> Values:
        """The result of a method of a list, a dict or another container."""
        if name in ("get", "__getitem__") and args and args[0]:
            return tuple([value for key in args[0] for value in self.find_item(container, key)])
        for values in args:
            for value in values:
                self.find_elements(value)
        if name in MUTATORS:
            return ()
        found = self.watch.elements(container)
        if isinstance(container, dict) and name in ("values", "items"):
            found = tuple(getattr(container, name)())
        return (Elements(found),) if name in VIEWS else ()


SIZED = (list, dict, set, deque, array, bytearray, np.ndarray)
OPAQUE = frozenset([int, float, complex, str, bytes, bool, list, dict, set, tuple, np.ndarray, type(None), Tensor])
DICT_ITEM = vars(dict)["__getitem__"]

REBOUND = (
    "it reads a tensor and then rebinds its name to another one; pass the tensor as an argument and return the new "
    "one, or write to it in place"
)


def changed(label: str) -> str:
    return (
        f"it changes {label}, which it also reads, and a program would not; pass it as an argument, or change it "
        "outside of the function"
    )


def is_user_code(path: str) -> bool:
    """Whether a file belongs neither to this package nor to the standard library."""
    return not path.startswith((PACKAGE, "<frozen")) and (not path.startswith(LIBRARY) or "site-packages" in path)


def is_foreign(name: str) -> bool:
    """Whether a module belongs to this package, NumPy or the standard library."""
    top = name.partition(".")[0]
    return top in ("cygrad", "numpy") or (top in sys.stdlib_module_names and top != "__main__")


FOLLOW = Watch.follow.__code__


def signal_handlers() -> list[Any]:
    """The handlers in Python of all signals."""
    return [handler for number in signal.valid_signals() if callable(handler := signal.getsignal(number))]


def fits(cells: dict[str, CellType], names: dict[str, Any]) -> bool:
    """Whether cells hold what a call has read of its closure; those that it has only written to may hold anything."""
    pairs = [(cells[name], value) for name, value in names.items() if value is not MISSING]
    return all([Binding(Place.CELL, cell, None, value).holds() for cell, value in pairs])


def code_of(function: Any) -> CodeType | None:
    """The code of a function, a method or a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        function = in_classes(type(function), "__call__")
    return getattr(function, "__code__", None)


def property_code(owner: Any, name: str) -> CodeType | None:
    """The code that decides about an attribute: of a property, or of ``__getattr__``."""
    shared = in_classes(type(owner), name)
    getter = getattr(shared, "fget", None) if shared is not MISSING else in_classes(type(owner), "__getattr__")
    return getattr(getter, "__code__", None)


def has_own_frame(function: Any) -> bool:
    """Whether a call is seen by the trace function: it runs code of the user's."""
    if isinstance(function, functools.partial):
        return has_own_frame(function.func)
    if isinstance(function, type):
        return not is_foreign(function.__module__)
    code = code_of(function)
    return isinstance(function, Module) or (code is not None and is_user_code(code.co_filename))


def is_harmless(function: Any) -> bool:
    try:
        return function in HARMLESS
    except TypeError:  # it can't be hashed
        return False


def is_copy(function: Any) -> bool:
    return isinstance(function, (type, BuiltinFunctionType)) and function in COPIES


def known(value: Any) -> Values:
    """A value as it may be on the stack: an iterator over a container by its elements."""
    elements = remaining(value)
    return (value,) if elements is None else (Elements(elements),)


def remaining(iterator: Any) -> Values | None:
    """What an iterator over containers returns, None for everything else. The iterator does not move."""
    if type(iterator) not in ITERATORS:
        return None
    arguments = iterator.__reduce__()[1]
    if type(iterator) is zip:
        parts = [remaining(part) for part in arguments]
        return None if None in parts else tuple(zip(*[part for part in parts if part is not None]))
    if type(iterator) is enumerate:
        part = remaining(arguments[0])
        return None if part is None else tuple(enumerate(part))
    return tuple(arguments[0]) if arguments else ()


ITERATORS = frozenset(
    map(type, [iter([]), iter(()), iter({}), iter({}.values()), iter({}.items()), zip(), enumerate(())])
)


def describe(container: Any) -> str:
    return f"a {type(container).__name__}"


def describe_item(container: Any, key: Any) -> str:
    return f"item {key!r} of {describe(container)}" if is_plain(key) else f"an item of {describe(container)}"


def has_plain_hash(key: Any) -> bool:
    """Whether a key can be looked up without code of the user's."""
    return is_plain(key) or in_classes(type(key), "__hash__") is vars(object)["__hash__"]


def unwrapped(found: Values) -> Values:
    return tuple([value.__func__ if isinstance(value, (staticmethod, classmethod)) else value for value in found])


def places_of(owner: Any, name: str) -> list[tuple[int, Any, Any]]:
    """Where an attribute is found without code of the user's: (place, container, value), the last one with the value.
    Empty where such code decides."""
    if isinstance(owner, type):
        value = in_classes(owner, name)
        return [] if value is MISSING or is_foreign(owner.__module__) else [(Place.CLASS, owner, value)]
    kind: Any = type(owner)
    if isinstance(in_classes(kind, "__getattribute__"), FunctionType):
        return []
    shared = in_classes(kind, name)
    if isinstance(shared, (MemberDescriptorType, GetSetDescriptorType)):
        try:
            value = shared.__get__(owner, kind)
        except AttributeError:  # a slot without a value
            value = MISSING
        return [] if kind.__module__.startswith(("cygrad", "numpy")) else [(Place.ATTRIBUTE, owner, value)]
    if hasattr(type(shared), "__set__"):  # a property, or another descriptor
        return []
    own = kind.__getattribute__(owner, "__dict__") if has_dict(owner) else None
    if own is not None and name in own:
        value = own[name]
        is_member = isinstance(owner, Module) and isinstance(value, (Value, Module))  # whose changes modules count
        return [(Place.NOWHERE if is_member else Place.ITEM, own, value)]
    if isinstance(shared, (FunctionType, staticmethod, classmethod)):
        return [
            (Place.NOWHERE, kind, MethodType(shared, owner) if isinstance(shared, FunctionType) else shared.__func__)
        ]
    if shared is not MISSING and hasattr(type(shared), "__get__"):
        return []
    absent = [] if own is None else [(Place.ITEM, own, MISSING)]
    if shared is MISSING:
        getter = in_classes(kind, "__getattr__")
        is_key = getter in (vars(dict)["get"], DICT_ITEM) and isinstance(owner, dict)
        return [(Place.ITEM, owner, owner.get(name, MISSING))] if is_key else absent
    return [*absent, (Place.CLASS, kind, shared)]


def has_dict(owner: Any) -> bool:
    """Whether an object has a dict of attributes, found without code of the user's."""
    descriptor = in_classes(type(owner), "__dict__")
    return isinstance(descriptor, (GetSetDescriptorType, MemberDescriptorType)) or isinstance(owner, local)


def in_classes(kind: type, name: str) -> Any:
    """What a class and its bases have under a name."""
    for base in kind.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return MISSING


def now_at(binding: Binding) -> Any:
    return current(binding.place, binding.container, binding.key)


def has_plain_value(binding: Binding) -> bool:
    """Whether a change of the value is one of a number, not of an object that may hold the same numbers."""
    return binding.place in (Place.ELEMENTS, Place.LENGTH) or is_plain(binding.value)


def holds_in(binding: Binding, owner: Any) -> bool:
    """Whether another object has the same at the place of a binding."""
    container = binding.container
    other = owner if type(owner) is type(container) else getattr(owner, "__dict__", None)
    return type(other) is type(container) and Binding(binding.place, other, binding.key, binding.value).holds()


def references_in(container: Any) -> Counter[int]:
    """How often nested lists, tuples and dicts refer to each other one, by its id."""
    counts: Counter[int] = Counter()
    pending = [container]
    while pending:
        value = pending.pop()
        items = list(value.values()) if isinstance(value, dict) else list(value)
        nested = [item for item in items if isinstance(item, (list, tuple, dict))]
        pending += {id(item): item for item in nested if id(item) not in counts}.values()
        counts.update(map(id, nested))
    return counts


def drop_temporary(reads: dict[Any, Read], held: list[Any]) -> list[Read]:
    """The reads of what existed before the step: to the containers of others only reads refer, and what it returned."""
    kept, returned = list(reads.values()), references_in(held)
    reads.clear()
    while True:
        own = returned + Counter([id(read.binding.container) for read in kept])
        alive = [read for read in kept if sys.getrefcount(read.binding.container) > own[id(read.binding.container)] + 1]
        if len(alive) == len(kept):
            return kept
        kept = alive
