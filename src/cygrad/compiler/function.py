"""``cg.compile``: which program a call runs, and when a new one is recorded."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.autograd import Value, engine, no_grad, recording
from cygrad.compiler.bindings import Binding, bindings_of
from cygrad.compiler.check import checked
from cygrad.compiler.epoch import Epochs
from cygrad.compiler.memory import address, owner_of
from cygrad.compiler.program import Program
from cygrad.compiler.recorder import Recorder, Refused
from cygrad.compiler.replay import Dispatcher
from cygrad.compiler.structure import flatten, has_containers, unflatten
from cygrad.nn.module import Module
from cygrad.parallel import in_a_job
from cygrad.tensor import Tensor

__all__ = ["CompiledFunction", "compile"]

MOST_PROGRAMS = 16  # of one function; beyond them it runs eagerly

_recording = threading.Lock()
_recorded_in = 0  # the thread that holds it


class CompiledFunction(Dispatcher):
    """What :func:`compile` makes of a function."""

    def __init__(
        self,
        function: Callable[..., Any],
        fullgraph: bool = False,
        check: bool = False,
        *,
        quiet: bool = False,
        after: int = 1,
    ) -> None:
        super().__init__()
        self.function = function
        self.fullgraph = fullgraph
        self.check = check
        self.quiet = quiet  # whether it says nothing where it runs eagerly
        self.after = after  # so many calls of a kind run as they are before one is recorded
        self.name = getattr(function, "__qualname__", None) or type(function).__name__
        self._programs: list[Program] = []
        self._seen: dict[Any, int] = {}  # calls of each signature
        self._eager: set[Any] = set()  # signatures that can't be recorded
        self._told: set[str] = set()
        functools.update_wrapper(self, function, updated=())

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<compiled {self.name}: {len(self._programs)} programs>"

    def __reduce__(self) -> Any:
        # A copy records programs of its own.
        make = functools.partial(CompiledFunction, quiet=self.quiet, after=self.after)
        return make, (self.function, self.fullgraph, self.check)

    def programs(self) -> list[Program]:
        """The programs that there are, the last recorded one last."""
        return list(self._programs)

    # A call that no program was found for at once

    def miss(self, args: Any, kwargs: Any) -> Any:
        """Runs a call eagerly, or records it."""
        if recording.recorder() is not None or engine.anomaly_enabled():
            return self.call(*args, **kwargs)  # a part of another recorded step, or a search for NaN
        flat, structure = flatten((args, kwargs)) if kwargs or has_containers(args) else (list(args), None)
        for program in self._programs:
            if program.replay.structure == structure and program.replay.fits(flat):
                return self.checked(program, flat, structure) if self.check else program.replay(flat)
        key = self.signature(flat, structure)
        if key in self._eager:
            return self.call(*args, **kwargs)
        # What happens only once, such as the first step of an optimizer, is over after the first call.
        self._seen[key] = self._seen.get(key, 0) + 1
        if self._seen[key] <= self.after or not begin_recording():
            return self.call(*args, **kwargs)
        try:
            return self.record(key, flat, structure, args, kwargs)
        finally:
            end_recording()

    def epoch(
        self, *args: Any, batch_size: int, order: Any = None, drop_last: bool = False, **kwargs: Any
    ) -> Any:
        """Calls the function for one batch of rows after the other, and returns what it returned, stacked: every tensor
        with a new first dimension, as long as there were batches; of everything else the last.

        All tensors among the arguments are data of one length n, of which each call gets some rows; other arguments
        are passed on. The rows are taken by the integers of ``order``, 0..n − 1 unless given, `batch_size` at a time;
        the last batch may be smaller, and is left out with ``drop_last``.

        Numbers and state are those of as many calls. Once there is a program for a batch, all that are like it run
        in one call into C, without the GIL; a step with calls of Python in it is called batch by batch. Between the
        batches nothing else happens: learning rates are those of the beginning.

        Raises ValueError where lengths differ, there is no batch, or results of a smaller last batch have another
        shape than the others; IndexError for a number of a row that there is not; TypeError for an order that is not
        of integers, or where no tensor is given.

        >>> total = cg.compile(lambda x: x.sum())
        >>> total.epoch(cg.arange(10), batch_size=4)
        tensor([ 6, 22, 17])
        """
        return Epochs(self, args, kwargs, batch_size).run(order, drop_last)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself. A module in evaluation is called without gradients."""
        if isinstance(self.function, Module) and not self.function.training:
            with no_grad():
                return self.function(*args, **kwargs)
        return self.function(*args, **kwargs)

    def signature(self, flat: Sequence[Any], structure: Any) -> Any:
        """What a call looks like from outside."""
        parts: list[Any] = [engine.grad_enabled(), repr(structure)]
        for value in flat:
            if isinstance(value, Value):
                parts.append((value.array.dtype.str, value.array.shape, value.array.strides, value.requires_grad))
            elif isinstance(value, (int, float, str, bytes, bool)) or value is None:
                parts.append((type(value), value))
            else:
                parts.append(id(value))
        if isinstance(self.function, Module):
            parts.append(self.function.training)
        return tuple(parts)

    def record(self, key: Any, flat: list[Any], structure: Any, args: Any, kwargs: Any) -> Any:
        """Runs a call under the recorder, and keeps the program if there is one."""
        reason = unfit(flat)
        if reason is None and len(self._programs) >= MOST_PROGRAMS:
            reason = f"there are {MOST_PROGRAMS} programs already, each for other arguments, tensors or modes"
        if reason is not None:
            return self.give_up(key, reason, lambda: self.call(*args, **kwargs))
        recorder = Recorder(self.fullgraph)
        given = own_inputs(flat)
        for value in given:
            if isinstance(value, Value):
                recorder.made.add(address(owner_of(value.array)))
        grad_mode, bindings = engine.grad_enabled(), bindings_of(self.function)
        recorder.start()
        try:
            result = self.call_flat(given, structure)
        except Refused as error:
            raise RuntimeError(str(error)) from None
        finally:
            recorder.stop()
        live = recorder.refusal or live_graph(result) or rebound(bindings, recorder)
        if live is not None:
            return self.give_up(key, live, lambda: result)
        program = Program(self.name, recorder, structure, flat, given, result)
        program.replay.grad_mode = grad_mode
        program.replay.bindings = [binding for binding in bindings if binding.holds()]
        program.replay.changes = recording.changes()
        self._programs.append(program)
        if not self.check:
            self.replays = [program.replay, *self.replays]
        return program.replay.result_now()

    def call_flat(self, flat: Sequence[Any], structure: Any) -> Any:
        """The function itself, of arguments as ``flatten`` gives them."""
        args, kwargs = (tuple(flat), {}) if structure is None else unflatten(structure, iter(flat))
        return self.call(*args, **kwargs)

    def checked(self, program: Program, flat: list[Any], structure: Any) -> Any:
        """Runs a program beside the function."""
        with _recording:
            return checked(
                self.name, program, self.function, lambda: self.call_flat(own_inputs(flat), structure), flat
            )

    def give_up(self, key: Any, reason: str, run: Callable[[], Any]) -> Any:
        """Warns once, and stays eager for such calls."""
        if self.fullgraph:
            raise RuntimeError(f"compile: {self.name} can't be recorded: {reason}")
        self._eager.add(key)
        if not self.quiet and reason not in self._told:
            self._told.add(reason)
            warnings.warn(f"compile: {self.name} runs eagerly: {reason}", RuntimeWarning, stacklevel=4)
        return run()


def begin_recording() -> bool:
    """Whether this thread may record now. A job waits until it may, so that it does not depend on the others."""
    global _recorded_in
    if not _recording.acquire(blocking=in_a_job() and _recorded_in != threading.get_ident()):
        return False
    _recorded_in = threading.get_ident()
    return True


def end_recording() -> None:
    global _recorded_in
    _recorded_in = 0
    _recording.release()


def unfit(flat: Sequence[Any]) -> str | None:
    """What keeps arguments from being a program's, or None."""
    for value in flat:
        if isinstance(value, np.ndarray):
            return "an argument is an array, whose numbers Python can read unseen; pass a tensor"
        if isinstance(value, Value) and value.requires_grad and engine.grad_enabled():
            return "an argument requires a gradient; let the function find it as a variable of its own"
    return None


def live_graph(result: Any) -> str | None:
    """What keeps a result from being a program's, or None."""
    for value in flatten(result)[0]:
        if isinstance(value, Value) and value.node is not None and not value.node.freed:
            return (
                "its result has a graph that backward could still walk; compile the whole step, detach the result, "
                "or call it under no_grad()"
            )
        if isinstance(value, np.ndarray):
            return "it returns an array, not a tensor"
    return None


def rebound(bindings: Sequence[Binding], recorder: Recorder) -> str | None:
    """What keeps a step from being a program that carries a tensor on under a name of its own, or None."""
    if any([id(binding.value) in recorder.leaves and not binding.holds() for binding in bindings]):
        return (
            "it reads a tensor under a name that it then binds to another one; pass it as an argument and return the "
            "new one, or write to it in place"
        )
    return None


def own_inputs(flat: Sequence[Any]) -> list[Any]:
    """Arguments with copies of the tensors among them."""
    return [buffer_of(value) if isinstance(value, Value) else value for value in flat]


def buffer_of(value: Value) -> Tensor:
    """A tensor in memory of the program's own."""
    array = value.array
    own = kernels.pooled(np.empty, array.shape, array.dtype)
    np.copyto(own, array)
    return Tensor(own)


def compile(function: Callable[..., Any] | None = None, *, fullgraph: bool = False, check: bool = False) -> Any:
    """The function, or module, as one that records a call and from then on replays it as one program in C: forward
    only, loss and backward, or a whole training step. Also a decorator. After ``torch.compile``.

    A program stands for calls that look alike: shapes, dtypes and strides of the tensors among the arguments (at any
    depth of tuples, lists and dicts), values of all other arguments, the attributes and hooks of the modules that are
    called, the tensors that they and the optimizers hold, and the grad mode. The first call of a kind runs as it is,
    so that what happens only once is over; the second is recorded; later ones are replayed, with the numbers of eager
    mode bit for bit. Learning rates, step counts and random offsets are read at every call. An op that NumPy computes
    is called again in Python.

    Of Python, only what goes through this library is repeated: a print, or a counter of your own, is not. Gradients
    lie in memory of the program, which the next call overwrites; results are new tensors. A module in evaluation is
    run without gradients.

    Where numbers are read into Python (``item()``, ``bool()``, printing), or the result could still be walked back, a
    RuntimeWarning names the line and calls run eagerly; with ``fullgraph=True`` that raises RuntimeError. A function
    has at most 16 programs.

    With ``check=True``, for the search for errors, every replay runs beside eager mode, launch by launch. The first
    one that gives other numbers raises RuntimeError, and so does a step that does something else than when it was
    recorded; all is then as it was before the call.

    >>> layer = cg.nn.Linear(2, 1)
    >>> optimizer = cg.optim.SGD(layer.parameters(), lr=0.1)
    >>> @cg.compile
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = cg.nn.functional.mse_loss(layer(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> losses = [step(cg.ones(4, 2), cg.ones(4, 1)).item() for _ in range(20)]
    >>> losses[-1] < losses[0]
    True
    >>> len(step.programs())
    1
    """
    if function is None:
        return functools.partial(compile, fullgraph=fullgraph, check=check)
    if not callable(function):
        raise TypeError(f"compile: a function is needed, got {type(function).__name__}")
    return CompiledFunction(function, fullgraph, check)
