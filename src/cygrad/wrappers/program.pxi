# Launches kept on a tape, and programs of them that run without the GIL. What the launches mean to each other is
# cygrad.compiler's to know.

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pythread cimport PyThread_get_thread_ident
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.string cimport strcmp

cdef extern from "program.h":
    enum: CG_OUT
    enum: CG_IN
    enum: CG_OUTS
    enum: CG_INS
    enum: CG_IDX
    enum: CG_N
    enum: CG_S
    enum: CG_SEED
    ctypedef struct cg_field:
        const char *name
        int kind
        int64_t offset
    ctypedef struct cg_layout:
        int64_t bytes, count
        const cg_field *fields
    const cg_layout *cg_layout_of(int kernel)
    double cg_now() nogil

ctypedef void *pointer

cdef tuple KINDS = ("OUT", "IN", "OUTS", "INS", "IDX", "N", "S", "SEED")
cdef dict _fields = {}  # of each kernel: names and kinds of its arguments


def address(ndarray array):
    """Where the numbers of an array begin."""
    return <size_t>cnp.PyArray_DATA(array)


cdef class Launch:
    """A kernel and a copy of its argument block, tables of arrays included."""

    def __cinit__(self, int kernel, int dtype):
        self.kernel = kernel
        self.dtype = dtype
        self.layout = cg_layout_of(kernel)
        self.args = PyMem_Calloc(1, self.layout.bytes)
        if not self.args:
            raise MemoryError(f"{self.name}: no memory for its argument block")
        self.tables = []

    def __dealloc__(self):
        PyMem_Free(self.args)

    def __repr__(self):
        return f"<launch of {self.name}>"

    @property
    def name(self):
        """The kernel's name."""
        return cg_kernel_names[self.kernel].decode()

    @property
    def fields(self):
        """(name, kind) of each argument; kinds are those of csrc/kernels.def."""
        found = _fields.get(self.kernel)
        if found is None:
            found = _fields[self.kernel] = tuple(
                [(self.layout.fields[i].name.decode(), KINDS[self.layout.fields[i].kind]) for i in range(self.layout.count)])
        return found

    cdef int64_t find(self, str name) except -1:
        """The number of argument `name`."""
        cdef const char *wanted = PyUnicode_AsUTF8(name)
        cdef int64_t i
        for i in range(self.layout.count):
            if strcmp(self.layout.fields[i].name, wanted) == 0:
                return i
        raise KeyError(f"{self.name}: it has no argument {name!r}")

    cdef void *place(self, str name) except NULL:
        """Where argument `name` lies in the block."""
        return <char *>self.args + self.layout.fields[self.find(name)].offset

    def number(self, str name):
        """Argument `name`, a size."""
        return (<int64_t *>self.place(name))[0]

    def set_number(self, str name, int64_t value):
        """Changes argument `name`, a size."""
        (<int64_t *>self.place(name))[0] = value

    def numbers(self, str name):
        """Argument `name`, a table of sizes."""
        cdef const int64_t *p = (<const int64_t **>self.place(name))[0]
        return [p[i] for i in range(self.number("tensors"))]

    def set_scalar(self, str name, double value):
        """Changes argument `name`, a double."""
        (<double *>self.place(name))[0] = value

    def addresses(self, str name):
        """The addresses that argument `name` holds, 0 for none: one, or those of a list."""
        cdef pointer *p = <pointer *>self.place(name)
        cdef int64_t i, count
        if self.layout.fields[self.find(name)].kind in (CG_OUT, CG_IN, CG_IDX):
            return [<size_t>p[0]]
        count = self.number("tensors")
        return [<size_t>(<pointer *>p[0])[i] for i in range(count)] if p[0] else []

    def arrays(self):
        """(name, kind, number, address) of every array, in the order of the arguments; the number is the place in a list, 0
        where there is one array. NULL is none, and tables of sizes, which the launch owns, are not among them."""
        cdef int64_t i, j, count = 0
        cdef bint many = False
        cdef pointer *p
        cdef list found = []
        cdef tuple fields = self.fields
        for i in range(self.layout.count):
            if strcmp(self.layout.fields[i].name, b"tensors") == 0:
                many, count = True, (<int64_t *>(<char *>self.args + self.layout.fields[i].offset))[0]
        for i in range(self.layout.count):
            kind = self.layout.fields[i].kind
            p = <pointer *>(<char *>self.args + self.layout.fields[i].offset)
            if kind in (CG_OUT, CG_IN) or (kind == CG_IDX and not many):
                if p[0]:
                    found.append((*<tuple>fields[i], 0, <size_t>p[0]))
            elif kind in (CG_OUTS, CG_INS) and p[0]:
                for j in range(count):
                    if (<pointer *>p[0])[j]:
                        found.append((*<tuple>fields[i], j, <size_t>(<pointer *>p[0])[j]))
        return found

    def move(self, str name, int64_t index, size_t address):
        """Makes argument `name`, or number `index` of its list, another address."""
        cdef pointer *p = <pointer *>self.place(name)
        if self.layout.fields[self.find(name)].kind in (CG_OUT, CG_IN, CG_IDX):
            p[0] = <void *>address
        else:
            (<pointer *>p[0])[index] = <void *>address

    @property
    def watched(self):
        """The address that watch() was given, or 0."""
        return <size_t>self.fault

    def watch(self, size_t fault, message):
        """Ends a program after this launch where the int64 at `fault` is not negative; message tells of what."""
        self.fault = <const int64_t *>fault
        self.message = message

    cdef int keep_table(self, void **place, int64_t count) except -1:
        """Replaces a table of `count` pointers or sizes by a copy that this launch owns."""
        cdef bytes table
        if place[0] and count:
            table = (<char *>place[0])[: count * sizeof(void *)]
            self.tables.append(table)
            place[0] = <void *><char *>table


cdef Launch kept(int kernel, int dtype, const void *args, double cost):
    """A launch with a copy of the block and of its tables."""
    cdef Launch launch = Launch.__new__(Launch, kernel, dtype)
    cdef int64_t i, tensors = -1
    cdef const cg_field *field
    memcpy(launch.args, args, launch.layout.bytes)
    launch.cost = cost
    for i in range(launch.layout.count):
        if launch.layout.fields[i].name.decode() == "tensors":
            tensors = (<int64_t *>(<char *>args + launch.layout.fields[i].offset))[0]
    for i in range(launch.layout.count):
        field = launch.layout.fields + i
        if tensors >= 0 and field.kind in (CG_OUTS, CG_INS, CG_IDX):
            launch.keep_table(<void **>(<char *>launch.args + field.offset), tensors)
    return launch


cdef class Tape:
    """What happens in this thread from now on: launches, and whatever else is appended to `events`. `arrays` are those
    that the wrappers made meanwhile: results, and working memory; `created` those that pooled() did. `observer`, if it is
    not None, is called with every launch when it has run."""

    def __init__(self):
        self.events = []
        self.arrays = []
        self.created = []
        self.thread = PyThread_get_thread_ident()
        self.paused = 0

    cdef bint here(self):
        """Whether this thread is the one that is recorded, and not paused."""
        return not self.paused and self.thread == PyThread_get_thread_ident()

    @property
    def active(self):
        """Whether this thread is the one that is recorded, and not paused."""
        return self.here()

    def pause(self):
        """Records nothing until resume() is called as often."""
        self.paused += 1

    def resume(self):
        """Takes one pause() back."""
        self.paused -= 1

    cdef int watch(self, const int64_t *fault, message) except -1:
        if self.here():
            (<Launch>self.events[len(self.events) - 1]).watch(<size_t>fault, message)


cdef Tape tape = None


def use_tape(Tape new):
    """Records on `new`, or nothing where it is None; returns the tape that was in use."""
    global tape
    before = tape
    tape = new
    return before


def fault_error(message, row):
    """The error of a launch that was watched."""
    op, name, target, limit = message
    return wrong_number(op, name, target, limit, row)


cdef cg_step *new_steps(int64_t count) except NULL:
    """Room for steps."""
    cdef cg_step *steps = <cg_step *>PyMem_Calloc(count + 1, sizeof(cg_step))
    if not steps:
        raise MemoryError(f"a program of {count} launches: no memory for it")
    return steps


cdef cg_step step_of_launch(Launch launch, bint barrier):
    return cg_step(cg_find(launch.kernel, launch.dtype), launch.args, launch.cost, barrier, launch.fault)


cdef class Chain:
    """Launches that run block by block, all of them on one block before the next: each is cut into the same `blocks` and needs
    of what the others write only the block that it is at."""

    def __init__(self, list launches, int64_t blocks):
        cdef Launch launch
        cdef cg_step *steps = new_steps(len(launches))
        cdef int64_t i
        self.launches = launches
        self.chain = cg_chain(steps, len(launches), blocks)
        for i in range(self.chain.count):
            launch = launches[i]
            steps[i] = step_of_launch(launch, False)
            self.cost += launch.cost

    def __dealloc__(self):
        PyMem_Free(<void *>self.chain.steps)

    def __repr__(self):
        return f"<chain of {', '.join([launch.name for launch in self.launches])}>"


cdef class Segment:
    """Launches and chains that run one after the other, in one call to C without the GIL. `barriers` tells of each whether it
    needs what a launch since the last barrier wrote, or writes what that one used."""

    def __init__(self, list launches, list barriers):
        cdef Chain chain
        cdef int64_t i
        self.launches = launches
        self.count = len(launches)
        self.steps = new_steps(self.count)
        for i in range(self.count):
            if isinstance(launches[i], Chain):
                chain = launches[i]
                self.steps[i] = cg_step(cg_run_chain, &chain.chain, chain.cost, barriers[i], NULL)
            else:
                self.steps[i] = step_of_launch(launches[i], barriers[i])
            self.cost += self.steps[i].cost

    def __dealloc__(self):
        PyMem_Free(self.steps)

    cdef int64_t run(self) except -1:
        """Runs all launches; returns how many were run before a fault, or `count`."""
        cdef int64_t done
        if self.cost < GIL_COST:
            done = cg_run_steps(self.steps, self.count)
        else:
            with nogil:
                done = cg_run_steps(self.steps, self.count)
        if done < 0:
            raise MemoryError("a program: no memory for a thread to work in")
        return done

    cdef int fail(self, int64_t number) except -1:
        """Raises the error of launch `number`."""
        cdef Launch launch = self.launches[number]
        raise fault_error(launch.message, launch.fault[0])

    def __call__(self):
        """Runs all launches; raises what a fault among them means."""
        cdef int64_t done = self.run()
        if done < self.count:
            self.fail(done)

    @property
    def barriers(self):
        """Of each launch, whether it needs those since the last barrier to be over."""
        return [bool(self.steps[i].barrier) for i in range(self.count)]

    def times(self):
        """Runs all launches one by one; returns the nanoseconds of each."""
        cdef int64_t i, done
        cdef double before
        result = []
        for i in range(self.count):
            with nogil:
                before = cg_now()
                done = cg_run_steps(self.steps + i, 1)
                before = cg_now() - before
            if done < 1:
                self.fail(i)
            result.append(before)
        return result


cdef class Loop(Segment):
    """Launches that run again and again, in one call to C without the GIL. From one time to the next, words move on: `words`
    lists (launch, the name of an argument, by how much), of addresses and whole numbers."""

    def __init__(self, list launches, list barriers, list words):
        cdef Launch launch
        cdef int64_t i
        Segment.__init__(self, launches, barriers)
        self.word_count = len(words)
        self.words = <cg_advance *>PyMem_Calloc(self.word_count + 1, sizeof(cg_advance))
        if not self.words:
            raise MemoryError(f"a program of {self.count} launches: no memory for it")
        for i in range(self.word_count):
            launch, name, by = words[i]
            self.words[i] = cg_advance(launch.place(name), by)

    def __dealloc__(self):
        PyMem_Free(self.words)

    cdef int64_t repeat(self, int64_t times) except -1:
        """Runs all launches `times` times; returns how often they ran to their end, less where there was a fault."""
        cdef int64_t done
        with nogil:
            done = cg_run_loop(self.steps, self.count, times, self.words, self.word_count, &self.ended)
        if done < 0:
            raise MemoryError("a program: no memory for a thread to work in")
        return done

    def error(self):
        """The error of the launch at which the last run ended."""
        cdef Launch launch = self.launches[self.ended]
        return fault_error(launch.message, launch.fault[0])
