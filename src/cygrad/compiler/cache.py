"""The programs of a function: which one a call runs, and when a new one is recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from cygrad.autograd import Value, engine, no_grad, recording
from cygrad.compiler.check import run_beside_eager, run_first
from cygrad.compiler.program import Program, build_program
from cygrad.compiler.program.kept import Surroundings
from cygrad.compiler.program.reach import reach_of, sharing_with_reach
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.record.arguments import Arguments
from cygrad.compiler.record.recorder import Recorder, Refused
from cygrad.compiler.replay.replay import UNAVAILABLE, Replays
from cygrad.compiler.structure import flatten, has_containers
from cygrad.nn.module import Module
from cygrad.parallel import in_a_job

__all__ = ["ProgramCache"]

MAX_PROGRAMS = 16  # of one function, which beyond them runs eagerly
SHARED = "an argument shares memory with another tensor that it uses, and one of them is written to; pass a copy"


class ProgramCache:
    """Finds the program of a call, or records it.

    Args:
        function: a function or module
        fullgraph: whether a call that can't be recorded raises an error
        check: which replays are compared with eager mode: "first", True for every or False for none
        quiet: whether the function calls only this library, and runs eagerly without a warning if it can't be recorded
        warmup_calls: number of calls of a kind that run eagerly before one is recorded
    """

    def __init__(
        self, function: Callable[..., Any], fullgraph: bool, check: bool | str, quiet: bool, warmup_calls: int
    ) -> None:
        self.function = function
        self.fullgraph = fullgraph
        self.check = check
        self.quiet = quiet
        self.warmup_calls = warmup_calls
        self.name: str = getattr(function, "__qualname__", None) or type(function).__name__
        self.programs: list[Program] = []  # in the order of their recording
        self.replays = Replays()
        self._calls: dict[Any, int] = {}  # number of eager calls by signature
        self._eager: set[Any] = set()  # signatures that can't be recorded
        self._apart: set[Any] = set()  # signatures whose arguments share memory that nobody writes to
        self._warned: set[str] = set()

    def find(self, flat: Sequence[Any], structure: Any) -> Program | None:
        """The program that accepts these arguments, the latest if there are several."""
        for program in reversed(self.programs):
            if program.replay.inputs.structure == structure and program.replay.accepts(flat):
                return program
        return None

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the program of a call, or call the function eagerly, or record it."""
        if recording.recorder() is not None or engine.anomaly_enabled():
            return self.call(args, kwargs)  # as part of another recorded step, or to find a NaN
        flat, structure = flatten((args, kwargs)) if kwargs or has_containers(args) else (list(args), None)
        call = partial(self.call, args, kwargs)
        program = self.find(flat, structure)
        if program is not None and self.is_ready(program):
            result = program.replay(flat)
            return call() if result is UNAVAILABLE else result
        nested = recording.lock.is_mine()  # in a call that another recorded step makes
        key = self.signature(flat, structure)
        if program is not None and not nested:
            check = partial(self.run_checked, key, program, flat, call)
            wait = self.check is True or in_a_job()
            return recording.lock.call(wait, partial(program.replay.lock.call, True, check, call), call)
        if key in self._eager or nested:
            return call()
        # What happens only once, such as the first step of an optimizer, is over after the first call.
        self._calls[key] = self._calls.get(key, 0) + 1
        if self._calls[key] <= self.warmup_calls:
            return call()
        # A job waits for its turn, so that it does not depend on other jobs.
        record = partial(self.record, key, flat, structure, args, kwargs)
        return recording.lock.call(in_a_job(), record, call)

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function itself. A module in evaluation mode runs without gradients."""
        if isinstance(self.function, Module) and not self.function.training:
            with no_grad():
                return self.function(*args, **kwargs)
        return self.function(*args, **kwargs)

    def is_ready(self, program: Program) -> bool:
        """Whether a program can run without a comparison with eager mode."""
        return not self.check or (program.is_checked and self.check == "first")

    def run_checked(self, key: Any, program: Program, flat: list[Any], call: Callable[[], Any]) -> Any:
        """Run a program, and compare it with the function in eager mode. This thread has the locks of both."""
        if not program.replay.accepts(flat):
            return call()  # something changed while the thread waited
        if self.check is True:
            return run_beside_eager(self.name, program, self.function, call, flat)
        trial = run_first(program, call, flat)
        if trial.difference is None:
            program.is_checked = True
            self.replays.add(program.replay)
        else:
            self.reject(key, program, trial.difference)
        return trial.result

    def reject(self, key: Any, program: Program, difference: str) -> None:
        """Drop a program that does not do what the function does, and run such calls eagerly from now on."""
        self.programs.remove(program)
        self._eager.add(key)
        message = f"compile: {self.name} runs eagerly: the first replay differs from eager mode: {difference}"
        if self.fullgraph:
            raise RuntimeError(message)
        warnings.warn(message, RuntimeWarning, stacklevel=5)

    def signature(self, flat: Sequence[Any], structure: Any) -> Any:
        """The kind of a call, as far as its arguments show."""
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

    def record(self, key: Any, flat: list[Any], structure: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function under a recorder, and add the program if it can be one."""
        program = self.find(flat, structure)
        result = UNAVAILABLE if program is None or not self.is_ready(program) else program.replay(flat)
        if result is not UNAVAILABLE:  # another thread recorded it while this one waited
            return result
        refusal = refused_arguments(flat)
        if refusal is None and len(self.programs) >= MAX_PROGRAMS:
            refusal = f"there are {MAX_PROGRAMS} programs already, each for other arguments, tensors or modes"
        if refusal is not None:
            self.give_up(key, refusal)
            return self.call(args, kwargs)
        reach = reach_of(self.function)
        shared = [] if key in self._apart else sharing_with_reach(flat, reach)
        if shared:
            return self.call_watched(key, args, kwargs, shared)
        surroundings = Surroundings(reach)
        recorder = Recorder(self.fullgraph, self.function, from_library=self.quiet)
        arguments = Arguments(args, kwargs, flat, structure)
        recorder.outputs.update([address(owner_of(buffer)) for buffer in arguments.buffers.values()])
        grad_mode = engine.grad_enabled()
        try:
            held = [recorder.record(partial(self.call, arguments.args, arguments.kwargs))]  # the only reference
        except Refused as error:
            raise RuntimeError(str(error)) from None
        finally:
            changed = arguments.write_back(recorder.changed)
        refusal = changed or recorder.refusal or refused_result(held[0])
        bindings, rebound = recorder.bindings(held)
        refusal = refusal or rebound
        if refusal is not None:
            self.give_up(key, refusal)
            return arguments.with_originals(held[0])
        program = build_program(self.name, recorder, arguments, held[0], grad_mode, bindings)
        if not program.replay.inputs.share_as_recorded(flat):
            self.give_up(key, SHARED)
            return arguments.with_originals(held[0])
        held.clear()  # so that only tensors which the step keeps are alive
        refusal = program.keep(surroundings, recorder, flat, arguments.release())
        result = program.replay.result_with(flat)  # before another thread can run the program
        if refusal is not None:
            self.give_up(key, refusal)
            return result
        self.programs.append(program)
        # Beside other jobs, which may draw from a shared generator, a comparison would tell nothing.
        program.is_checked = self.check == "first" and in_a_job()
        if self.is_ready(program):
            self.replays.add(program.replay)
        return result

    def call_watched(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], shared: list[Value]) -> Any:
        """Call the function, whose arguments share memory with other tensors that it may use. If it writes to none of
        them, the next call can be recorded with copies of the arguments."""
        before = [value.version.value for value in shared]
        result = self.call(args, kwargs)
        if [value.version.value for value in shared] == before:
            self._apart.add(key)
        else:
            self.warn(SHARED)
        return result

    def give_up(self, key: Any, refusal: str) -> None:
        """Run such calls eagerly from now on. Warns once, or raises RuntimeError with `fullgraph`."""
        if self.fullgraph:
            raise RuntimeError(f"compile: {self.name} can't be recorded: {refusal}")
        self._eager.add(key)
        self.warn(refusal)

    def warn(self, refusal: str) -> None:
        """Say once why calls run eagerly."""
        if not self.quiet and refusal not in self._warned:
            self._warned.add(refusal)
            warnings.warn(f"compile: {self.name} runs eagerly: {refusal}", RuntimeWarning, stacklevel=5)


# Why a call can't be recorded, or None


def refused_arguments(flat: Sequence[Any]) -> str | None:
    for value in flat:
        if isinstance(value, np.ndarray):
            return "an argument is a NumPy array, whose values Python can read unnoticed; pass a tensor"
        if isinstance(value, Value) and value.requires_grad and engine.grad_enabled():
            return "an argument requires a gradient; use it as a variable from outside the function instead"
    return None


def refused_result(result: Any) -> str | None:
    for value in flatten(result)[0]:
        if isinstance(value, Value) and value.node is not None and not value.node.freed:
            return (
                "its result has a graph that backward could still use; compile the whole step, detach the result, "
                "or call it under no_grad()"
            )
        if isinstance(value, np.ndarray):
            return "it returns a NumPy array, not a tensor"
    return None
