# Part of cygrad._kernels: a launch, which is a kernel with its argument block. It is what the compiler records, changes and
# replays.

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
cdef dict _fields = {}  # names and kinds of the arguments of each kernel


def address(ndarray array):
    """The address of the first element of an array."""
    return <size_t>cnp.PyArray_DATA(array)


cdef class Launch:
    """A kernel and a copy of its argument block, with tables of addresses and sizes.

    Args:
        kernel: its index in kernel_names()
        dtype: CG_FLOAT32 or CG_FLOAT64
    """

    def __cinit__(self, int kernel, int dtype):
        self.kernel = kernel
        self.dtype = dtype
        self.layout = cg_layout_of(kernel)
        self.args = PyMem_Calloc(1, self.layout.bytes)
        if not self.args:
            raise MemoryError(f"{self.name}: out of memory for an argument block")
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
        """(name, kind) of each argument, with the kinds of csrc/kernels.def."""
        fields = _fields.get(self.kernel)
        if fields is None:
            fields = _fields[self.kernel] = tuple(
                [(self.layout.fields[i].name.decode(), KINDS[self.layout.fields[i].kind]) for i in range(self.layout.count)])
        return fields

    cdef int64_t index_of(self, str name) except -1:
        """The index of argument `name`."""
        cdef const char *wanted = PyUnicode_AsUTF8(name)
        cdef int64_t i
        for i in range(self.layout.count):
            if strcmp(self.layout.fields[i].name, wanted) == 0:
                return i
        raise KeyError(f"{self.name}: the kernel has no argument {name!r}")

    cdef void *argument(self, str name) except NULL:
        """The address of argument `name` in the block."""
        return <char *>self.args + self.layout.fields[self.index_of(name)].offset

    def number(self, str name):
        """Argument `name`, an integer."""
        return (<int64_t *>self.argument(name))[0]

    def set_number(self, str name, int64_t value):
        """Set argument `name`, an integer."""
        (<int64_t *>self.argument(name))[0] = value

    def numbers(self, str name):
        """Argument `name`, a table of integers."""
        cdef const int64_t *p = (<const int64_t **>self.argument(name))[0]
        return [p[i] for i in range(self.number("tensors"))]

    def set_scalar(self, str name, double value):
        """Set argument `name`, a double."""
        (<double *>self.argument(name))[0] = value

    def addresses(self, str name):
        """The addresses in argument `name`: one or, for a list, any number of them. NULL is 0."""
        cdef pointer *p = <pointer *>self.argument(name)
        cdef int64_t i, count
        if self.layout.fields[self.index_of(name)].kind in (CG_OUT, CG_IN, CG_IDX):
            return [<size_t>p[0]]
        count = self.number("tensors")
        return [<size_t>(<pointer *>p[0])[i] for i in range(count)] if p[0] else []

    def arrays(self):
        """(name, kind, index, address) of every array, in the order of the arguments. The index is that in a list, 0 for a
        single array. Arguments that are NULL, and tables of integers, which the launch owns, are left out."""
        cdef int64_t i, j, count = 0
        cdef bint many = False
        cdef pointer *p
        cdef list arrays = []
        cdef tuple fields = self.fields
        for i in range(self.layout.count):
            if strcmp(self.layout.fields[i].name, b"tensors") == 0:
                many, count = True, (<int64_t *>(<char *>self.args + self.layout.fields[i].offset))[0]
        for i in range(self.layout.count):
            kind = self.layout.fields[i].kind
            p = <pointer *>(<char *>self.args + self.layout.fields[i].offset)
            if kind in (CG_OUT, CG_IN) or (kind == CG_IDX and not many):
                if p[0]:
                    arrays.append((*<tuple>fields[i], 0, <size_t>p[0]))
            elif kind in (CG_OUTS, CG_INS) and p[0]:
                for j in range(count):
                    if (<pointer *>p[0])[j]:
                        arrays.append((*<tuple>fields[i], j, <size_t>(<pointer *>p[0])[j]))
        return arrays

    def set_address(self, str name, int64_t index, size_t address):
        """Set argument `name`, or entry `index` of its list."""
        cdef pointer *p = <pointer *>self.argument(name)
        if self.layout.fields[self.index_of(name)].kind in (CG_OUT, CG_IN, CG_IDX):
            p[0] = <void *>address
        else:
            (<pointer *>p[0])[index] = <void *>address

    @property
    def watched(self):
        """The address passed to watch(), or 0."""
        return <size_t>self.fault

    def watch(self, size_t fault, message):
        """End a program after this launch if the int64 at `fault` is not negative. The error is fault_error(message, its
        value)."""
        self.fault = <const int64_t *>fault
        self.message = message

    cdef int own_table(self, void **table_address, int64_t count) except -1:
        """Replace a table of `count` pointers or integers by a copy that this launch owns."""
        cdef bytes table
        if table_address[0] and count:
            table = (<char *>table_address[0])[: count * sizeof(void *)]
            self.tables.append(table)
            table_address[0] = <void *><char *>table


cdef Launch recorded(int kernel, int dtype, const void *args, double cost):
    """A launch with copies of an argument block and its tables."""
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
            launch.own_table(<void **>(<char *>launch.args + field.offset), tensors)
    return launch


def new_launch(str kernel, int dtype, double cost):
    """A launch of a kernel by name, with an argument block of zeros."""
    cdef Launch launch = Launch.__new__(Launch, kernel_names().index(kernel), dtype)
    launch.cost = cost
    return launch
