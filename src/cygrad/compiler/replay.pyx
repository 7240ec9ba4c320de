"""Running a recorded step: is the program still that of these arguments, then copy them in, run, and hand out results.

Everything that a call of a small step costs outside of its kernels stands here, so it is compiled.
"""

cimport numpy as cnp
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from cygrad._kernels cimport Launch, Loop, Segment
from cygrad.autograd cimport engine, recording
from cygrad.autograd.engine cimport Value, Version

import threading

import numpy as np

from cygrad.autograd import engine as engine_module, recording as recording_module
from cygrad.random import current_generator

cnp.import_array()

cdef object grad_enabled = engine_module.grad_enabled
cdef object anomaly_enabled = engine_module.anomaly_enabled
ctypedef cnp.ndarray ndarray


cdef class Form:
    """What a tensor argument looks like: dtype, shape and strides."""

    cdef readonly object dtype
    cdef readonly tuple shape, strides
    cdef int type_number, ndim
    cdef bint contiguous

    def __init__(self, ndarray array):
        self.dtype = array.dtype
        self.shape = (<object>array).shape
        self.strides = (<object>array).strides
        self.type_number = cnp.PyArray_TYPE(array)
        self.ndim = cnp.PyArray_NDIM(array)
        self.contiguous = cnp.PyArray_ISCARRAY_RO(array)

    cdef bint fits(self, ndarray array, ndarray buffer):
        """Whether an array looks the same. `buffer` has this shape."""
        cdef int i
        if cnp.PyArray_TYPE(array) != self.type_number or cnp.PyArray_NDIM(array) != self.ndim:
            return False
        for i in range(self.ndim):
            if cnp.PyArray_DIM(array, i) != cnp.PyArray_DIM(buffer, i):
                return False
        if self.contiguous:
            return cnp.PyArray_ISCARRAY_RO(array)
        return (<object>array).strides == self.strides


cdef class Update:
    """An optimizer's launch: its step count and its numbers are the optimizer's."""

    cdef readonly object optimizer, group
    cdef list params, states, tensors, keys, values
    cdef tuple names
    cdef Launch launch
    cdef int64_t *step
    cdef Py_ssize_t groups, members
    cdef object next

    def __init__(self, moved, tuple names):
        self.optimizer, self.group = moved.optimizer, moved.group
        self.params, self.states, self.tensors = moved.params, moved.states, moved.tensors
        self.names = names
        self.launch = moved.event
        self.step = <int64_t *>self.launch.place("step") if "step" in dict(self.launch.fields) else NULL
        self.groups, self.members = len(self.optimizer.param_groups), len(self.group["params"])
        self.keys = [key for key in self.group if key != "params"]
        self.values = [self.group[key] for key in self.keys]
        for name, value in self.optimizer.numbers(self.group).items():
            self.launch.set_scalar(name, value)

    cdef bint fits(self):
        """Whether the optimizer still does the same, with the same memory."""
        cdef dict group = self.group, states = self.optimizer.state, state, tensors
        cdef Py_ssize_t i, count = len(self.params)
        if len(self.optimizer.param_groups) != self.groups or len(group["params"]) != self.members:
            return False
        cdef object step = (<dict>self.states[0]).get("step")
        for i in range(count):
            state = states.get(self.params[i])
            if state is not self.states[i] or state.get("step") != step:
                return False
            tensors = self.tensors[i]
            for name in self.names:
                if state.get(name) is not tensors[name]:
                    return False
        for i in range(len(self.keys)):
            if not same(self.values[i], group.get(self.keys[i])):
                return self.renew()
        return True

    cdef bint renew(self):
        """Takes over what was changed in the group; tells whether the launch can do that."""
        group = self.group
        if set(group) != {"params", *self.keys} or self.optimizer.state_names(group) != self.names:
            return False
        for key, value in zip(self.keys, self.values):
            if (isinstance(value, bool) or isinstance(group[key], bool)) and group[key] != value:
                return False
        for name, value in self.optimizer.numbers(group).items():
            self.launch.set_scalar(name, value)
        self.values = [group[key] for key in self.keys]
        return True

    cdef int prepare(self) except -1:
        """Writes the step count that the launch reads."""
        self.next = (<dict>self.states[0])["step"] + 1
        if self.step:
            self.step[0] = self.next
        return 0

    cdef int commit(self, int64_t times=1) except -1:
        """Counts the step, or as many as were made since the count was written."""
        for state in self.states:
            (<dict>state)["step"] = self.next + (times - 1)
        return 0

    def words(self):
        """What moves on from step to step: (launch, argument, by how much)."""
        return [(self.launch, "step", 1)] if self.step else []


cdef class Draws:
    """The counters that the dropouts of a program take from one generator."""

    cdef readonly object generator, total
    cdef list launches
    cdef list offsets

    def __init__(self, generator, list draws):
        self.generator = generator
        self.launches, self.offsets, self.total = [], [], 0
        for draw in draws:
            self.launches.append(draw.event)
            self.offsets.append(self.total)
            self.total += draw.draws

    def __call__(self):
        """Takes them, and tells the launches."""
        self.take(1)

    cdef object source(self):
        """The generator; of draws from the default one, that of this thread."""
        return current_generator() if self.generator is None else self.generator

    cdef int take(self, int64_t times) except -1:
        """Takes those of as many runs, and tells the launches of the first."""
        cdef Launch launch
        cdef uint64_t seed, offset
        seed, offset = self.source().advance(self.total * times)
        for event, before in zip(self.launches, self.offsets):
            if isinstance(event, Launch):
                launch = event
                (<uint64_t *>launch.place("seed"))[0] = seed
                (<uint64_t *>launch.place("offset"))[0] = offset + <uint64_t>before
            else:
                event.options = {**event.options, "seed": seed, "offset": (offset + <uint64_t>before)}
        return 0

    cdef int give_back(self, int64_t times) except -1:
        """Gives back what as many runs would have taken."""
        self.source().advance(-self.total * times)
        return 0

    def words(self):
        """What moves on from step to step: (launch, argument, by how much)."""
        return [(launch, "offset", self.total) for launch in self.launches]


cdef class Replay:
    """A program with its guards, its inputs and its results."""

    cdef public list forms, constants, buffers  # one each argument: of tensors a Form and a buffer, of others the value
    cdef public list leaves, arrays, flags  # tensors that it was recorded with, their memory, whether they want gradients
    cdef public list bindings  # names outside of the function: (cell or dict, name, value)
    cdef public list versions  # of those of them that it writes to
    cdef public list grad_leaves, grads_before, grads_after
    cdef public list updates, draws, parts
    cdef public object modules_fit  # tells whether the modules are as they were
    cdef public bint grad_mode
    cdef public object structure  # of the arguments, None where they are plain
    cdef public object build  # makes the result from fresh tensors; None where the result is one tensor
    cdef public list results  # arrays
    cdef public object writes_at  # number of the first part that moves parameters
    cdef readonly object lock, next_lock
    cdef public int64_t changes
    cdef public int64_t runs
    cdef Segment only

    def __init__(self):
        self.lock = threading.Lock()
        self.bindings = []

    def seal(self):
        """Called when everything is in its place."""
        self.only = self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], Segment) else None

    cpdef bint fits(self, args):
        """Whether these arguments, flat, and the world around them are those of the recording."""
        cdef Py_ssize_t i
        cdef Value value
        if len(args) != len(self.forms) or <bint>grad_enabled() != self.grad_mode:
            return False
        for i in range(len(self.forms)):
            given = args[i]
            form = self.forms[i]
            if form is None:
                if not same(self.constants[i], given):
                    return False
            elif not isinstance(given, Value):
                return False
            else:
                value = given
                if not (<Form>form).fits(value.array, self.buffers[i]) or (value.requires_grad and self.grad_mode):
                    return False
        return self.world_fits()

    cdef bint world_fits(self):
        cdef Py_ssize_t i
        cdef Value leaf
        for i in range(len(self.leaves)):
            leaf = self.leaves[i]
            if leaf.array is not self.arrays[i] or leaf.requires_grad is not <bint>self.flags[i]:
                return False
        for i in range(len(self.grad_leaves)):
            before = self.grads_before[i]
            if before is not Ellipsis:
                leaf = self.grad_leaves[i]
                if before is None:
                    if leaf.grad_value is not None:
                        return False
                elif leaf.grad_value is None or (<Value>leaf.grad_value).array is not before:
                    return False
        for binding in self.bindings:
            if bound(<tuple>binding) is not (<tuple>binding)[2]:
                return False
        if self.changes != recording._changes:
            if not self.modules_fit():
                return False
            self.changes = recording._changes
        for update in self.updates:
            if not (<Update>update).fits():
                return False
        return True

    def __call__(self, args):
        """Runs the program on arguments that fit."""
        if not self.lock.acquire(False):
            self.lock.acquire()
        try:
            self.take(args)
            self.run()
            return self.result()
        finally:
            self.lock.release()

    cdef int take(self, args) except -1:
        """Copies the arguments into the program's own memory."""
        cdef Py_ssize_t i
        cdef ndarray source, buffer
        for i in range(len(self.forms)):
            if self.forms[i] is not None:
                source = (<Value>args[i]).array
                buffer = self.buffers[i]
                if (<Form>self.forms[i]).contiguous:
                    memcpy(cnp.PyArray_DATA(buffer), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(buffer))
                else:
                    np.copyto(buffer, source)
        return 0

    def checked(self, args, visit):
        """Runs the program on arguments that fit, one event at a time, and visit(event) after each; returns the result."""
        def watched(segment):
            def part():
                for event in segment.launches:
                    Segment([event], [False])()
                    visit(event)
            return part

        def visited(call):
            def part():
                call()
                visit(call)
            return part

        self.take(args)
        if self.only is not None:
            for draws in self.draws:
                draws()
            for update in self.updates:
                (<Update>update).prepare()
            watched(self.only)()
            for update in self.updates:
                (<Update>update).commit()
        else:
            for part in self.parts:
                (watched(part) if isinstance(part, Segment) else visited(part))()
        self.settle()
        return self.result()

    cdef int run(self) except -1:
        cdef int64_t done
        if self.only is not None:
            for draws in self.draws:
                draws()
            for update in self.updates:
                (<Update>update).prepare()
            done = self.only.run()
            if done < self.only.count:
                self.only.fail(done)
            for update in self.updates:
                (<Update>update).commit()
        else:
            self.run_parts()
        self.settle()
        return 0

    def run_parts(self):
        """Runs segments and calls in order."""
        done = 0
        try:
            for part in self.parts:
                part()
                done += 1
        except BaseException as error:
            if done > self.writes_at and isinstance(error, Exception):
                raise RuntimeError(
                    f"compile: {type(error).__name__} ({error}) after the step had begun to move parameters; it was left half "
                    "done"
                ) from error
            raise

    def repeat(self, Loop loop, int64_t times):
        """Runs the program again and again, as `loop`, and leaves behind what as many calls do. Returns how many there
        were, fewer where there was a fault. The lock is the caller's."""
        cdef int64_t done
        for draws in self.draws:
            (<Draws>draws).take(times)
        for update in self.updates:
            (<Update>update).prepare()
        done = loop.repeat(times)
        if done:
            for update in self.updates:
                (<Update>update).commit(done)
            self.settle(done)
        if done < times:
            for draws in self.draws:
                (<Draws>draws).give_back(times - done - 1)
        return done

    cdef int settle(self, int64_t times=1) except -1:
        """Leaves behind what the recorded step left, run so many times: gradients, and counts of writes."""
        cdef Py_ssize_t i
        for i in range(len(self.grad_leaves)):
            (<Value>self.grad_leaves[i]).grad_value = self.grads_after[i]
        for version in self.versions:
            (<Version>version).value += times
        self.runs += times
        return 0

    def result_now(self):
        """The result in tensors of their own."""
        return self.result()

    cdef object result(self):
        if self.build is None:
            return engine.wrap(cnp.PyArray_NewCopy(<ndarray>self.results[0], cnp.NPY_KEEPORDER))
        return self.build([engine.wrap(cnp.PyArray_NewCopy(<ndarray>x, cnp.NPY_KEEPORDER)) for x in self.results])


cdef object bound(tuple binding):
    """What a name is bound to now, None where it is gone."""
    place, name, value = binding
    if name is None:
        try:
            return place.cell_contents
        except ValueError:  # the name was deleted
            return None
    return (<dict>place).get(name)


cdef bint same(recorded, given):
    """Whether a plain value is the one that was recorded."""
    if recorded is given:
        return True
    if type(recorded) is not type(given):
        return False
    if isinstance(given, float):
        return <double>recorded == <double>given
    return isinstance(given, (int, str, bytes)) and recorded == given


def prepare(Update update):
    """The part of a program that writes an optimizer's step count, where it is not done before the program."""
    def part():
        if not update.fits():
            raise RuntimeError("compile: an optimizer was changed by the step that it is part of")
        update.prepare()
    return part


def commit(Update update):
    """The part of a program that counts an optimizer's step."""
    def part():
        update.commit()
    return part


cdef class Dispatcher:
    """The base of compiled functions: finds the program of a call, the last one first."""

    cdef public list replays

    def __init__(self):
        self.replays = []

    def __call__(self, *args, **kwargs):
        cdef Replay replay
        cdef Py_ssize_t i
        if not kwargs and active_recorder() is None and not anomaly_enabled() and is_flat(args):
            for i in range(len(self.replays)):
                replay = self.replays[i]
                if replay.structure is None and replay.fits(args):
                    if i:
                        self.prefer(replay)
                    return replay(args)
        return self.miss(args, kwargs)

    def prefer(self, replay):
        """Tries this program first from now on."""
        self.replays = [replay, *[r for r in self.replays if r is not replay]]

    def miss(self, args, kwargs):
        """What to do with a call that no program is found for at once."""
        raise NotImplementedError


cdef object active_recorder = recording_module.recorder


cdef bint is_flat(tuple args):
    """Whether no argument is a container, in which tensors may be."""
    for arg in args:
        if isinstance(arg, (list, tuple, dict)):
            return False
    return True
