# Part of cygrad._kernels: a launch, which is a kernel and its argument block.

from cpython.mem cimport PyMem_Calloc, PyMem_Free
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
