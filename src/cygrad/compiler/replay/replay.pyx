# cython: binding=False, embedsignature=False, boundscheck=True
"""Stage 5: run a program on the arguments of a call.

A replay checks that the guards hold, copies the arguments into the program's buffers, runs its parts and returns the
results in new tensors. This is all that a call of a small step costs besides its kernels, so it is compiled.
"""

cimport numpy as cnp
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from cygrad._kernels cimport Launch, Loop, OwnedLock, Segment
from cygrad.autograd cimport engine, recording
from cygrad.autograd.engine cimport Value, Version

cimport cython
from cpython.object cimport PyObject

from itertools import combinations

import numpy as np

from cygrad._attributes import not_initialized
from cygrad.autograd import engine as engine_module, recording as recording_module
from cygrad.compiler.places import MISSING, current, elements_of, is_equal
from cygrad.generator import current_generator

cnp.import_array()

ctypedef cnp.ndarray ndarray

cdef object grad_enabled = engine_module.grad_enabled
cdef object anomaly_enabled = engine_module.anomaly_enabled
cdef object active_recorder = recording_module.recorder

UNAVAILABLE = object()  # what a replay returns that could not run


cdef tuple all_of(type kind, things):
    """The things in a tuple. Raises TypeError unless they are all of this class: their users don't ask again."""
    cdef tuple result = tuple(things)
    for thing in result:
        if type(thing) is not kind:
            raise TypeError(f"expected a {kind.__name__}, got {type(thing).__name__}")
    return result


include "inputs.pxi"
include "effects.pxi"
include "guards.pxi"
include "../record/array_access.pxi"


@cython.final
cdef class Replay:
    """Runs a program.

    Args:
        inputs: what arguments look like, and the buffers that they are copied to
        guards: what must be as it was when the program was recorded
        effects: what a run changes besides the arrays that its launches write
        parts: segments of launches and functions without arguments, in order
        first_update: index of the first part that changes a parameter, ``len(parts)`` if there is none
        results: the arrays that the step returned
        build_result: makes the step's return value from one new tensor per result; None where it is the one tensor
        returned: for each result the index of the argument that it is, None for others; None if no result is an argument
    """

    cdef readonly Inputs inputs
    cdef readonly Guards guards
    cdef readonly Effects effects
    cdef readonly list parts, results
    cdef readonly object build_result, returned
    cdef public list kept  # the places where the step keeps tensors, None where it keeps none
    cdef readonly OwnedLock lock  # of the thread that runs it
    cdef readonly int64_t runs
    cdef Py_ssize_t first_update
    cdef Segment segment  # the only part, None where there are several

    def __cinit__(
        self, Inputs inputs not None, Guards guards not None, Effects effects not None, list parts, Py_ssize_t first_update, list results, build_result,
        returned=None,
    ):
        self.inputs, self.guards, self.effects = inputs, guards, effects
        self.parts, self.first_update = parts, first_update
        self.results, self.build_result, self.returned = results, build_result, returned
        self.segment = parts[0] if len(parts) == 1 and isinstance(parts[0], Segment) else None
        self.lock = OwnedLock(recording_module.PROGRAM)

    cpdef bint accepts(self, args):
        """Whether the program was recorded for such arguments, flat, and all its guards hold."""
        return self.inputs.match(args, self.guards.grad_mode) and self.guards.hold()

    def __call__(self, args):
        """Runs the program on arguments that it accepts. Returns UNAVAILABLE where this thread runs it, or another program,
        already, or where another thread has changed the arguments meanwhile."""
        cdef bint waits = not self.lock.acquire(False)
        if waits and not self.lock.acquire(True):
            return UNAVAILABLE
        try:
            if waits and not self.accepts(args) or not self.inputs.copy(args):
                return UNAVAILABLE
            self.run(None)
            if self.inputs.written:
                self.inputs.write_back(args)
            if self.kept is not None:
                self.keep(args)
            return self.result() if self.returned is None else self.result_with(args)
        finally:
            self.lock.release()

    def run_observed(self, args, observer):
        """Runs the program on arguments that it accepts, one event at a time, and calls observer(event) after each. The
        caller has the lock."""
        if not self.inputs.copy(args):
            raise RuntimeError("compile: another thread changed an argument while the step ran")
        self.run(observer)
        self.inputs.write_back(args)
        return self.result_with(args)

    cdef int run(self, observer) except -1:
        """Runs all parts once."""
        if self.segment is not None:
            self.effects.prepare(1)
            run_segment(self.segment, observer)
            self.effects.commit(1)
        else:
            self.run_parts(observer)
        self.finish(1)
        return 0

    cdef int run_parts(self, observer) except -1:
        """Runs segments and functions in order."""
        cdef Py_ssize_t done = 0
        try:
            for part in self.parts:
                if isinstance(part, Segment):
                    run_segment(part, observer)
                else:
                    part()
                    if observer is not None:
                        observer(part)
                done += 1
        except Exception as error:
            if observer is None and done > self.first_update:
                raise RuntimeError(
                    f"compile: {type(error).__name__} ({error}) after the step had begun to update parameters; it was left "
                    "half done"
                ) from error
            raise
        return 0

    def repeat(self, Loop loop, int64_t times):
        """Runs `loop`, the only segment between other launches, `times` times, with the effects of as many calls.
        Returns the number of complete runs, which is smaller after a fault. The caller has the lock."""
        cdef int64_t done
        self.effects.prepare(times)
        done = loop.repeat(times)
        if done:
            self.effects.commit(done)
            self.finish(done)
        if done < times:
            self.effects.give_back(times - done - 1)
        return done

    cdef int finish(self, int64_t times) except -1:
        self.effects.apply(times)
        self.runs += times
        return 0

    def keep(self, args):
        """Puts the latest tensors where the step keeps them."""
        for place in self.kept or ():
            place.put(place.latest(args))

    def result_with(self, args):
        """The latest results, those that are arguments as the caller's own tensors."""
        if self.returned is None:
            return self.result()
        tensors = [
            engine.wrap(copy_of(x)) if i is None else args[i]
            for x, i in zip(self.results, self.returned)
        ]
        return tensors[0] if self.build_result is None else self.build_result(tensors)

    cpdef object result(self):
        """The latest results, as the step returned them, in new tensors."""
        if self.build_result is None:
            return engine.wrap(copy_of(self.results[0]))
        return self.build_result([engine.wrap(copy_of(x)) for x in self.results])


cdef object copy_of(array):
    if not isinstance(array, cnp.ndarray):
        raise TypeError(f"a result must be an array, got {type(array).__name__}")
    return cnp.PyArray_NewCopy(<ndarray>array, cnp.NPY_KEEPORDER)


cdef int run_segment(Segment segment, observer) except -1:
    """Runs a segment: at once, or event by event with observer(event) after each."""
    cdef int64_t done
    if observer is None:
        done = segment.run()
        if done < segment.count:
            segment.fail(done)
    else:
        for event in segment.launches:
            Segment([event], [False])()
            observer(event)
    return 0


# Which replay a call gets

@cython.final
cdef class Replays:
    """The replays of one function, in the order in which a call tries them."""

    cdef list order

    def __cinit__(self):
        self.order = []

    def add(self, Replay replay):
        """Tries this replay before all others from now on."""
        self.order = [replay, *[other for other in self.order if other is not replay]]

    cdef Replay find(self, tuple args):
        """The first replay that accepts arguments without containers, or None."""
        cdef list order = self.order
        cdef Replay replay
        cdef Py_ssize_t i
        for i in range(len(order)):
            replay = order[i]
            if replay.inputs.structure is None and replay.accepts(args):
                if i:
                    self.add(replay)
                return replay
        return None


cdef class Dispatcher:
    """A callable that runs the replay of a call.

    Args:
        replays: the replays to choose from
        fallback: called with (args, kwargs) where none of them is found at once
    """

    cdef readonly Replays replays
    cdef object fallback

    def __init__(self, Replays replays not None, fallback):
        self.replays = replays
        self.fallback = fallback

    def __call__(self, *args, **kwargs):
        cdef Replay replay
        if self.replays is None:
            raise not_initialized(self)
        if not kwargs and active_recorder() is None and not anomaly_enabled() and is_flat(args):
            replay = self.replays.find(args)
            if replay is not None:
                result = replay(args)
                if result is not UNAVAILABLE:
                    return result
        return self.fallback(args, kwargs)


cdef bint is_flat(tuple args):
    """Whether no argument is a container, which could hold tensors."""
    for arg in args:
        if isinstance(arg, (list, tuple, dict)):
            return False
    return True
