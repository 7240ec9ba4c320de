# Part of cygrad._kernels: a launch, which is a kernel with its argument block. It is what the compiler records, changes and
# replays.

from cpython.unicode cimport PyUnicode_AsUTF8
from libc.string cimport strcmp

cdef extern from "layout.h":
    enum: CG_ARRAY
    enum: CG_LIST
    enum: CG_TABLE
    enum: CG_SIZE
    enum: CG_SCALAR
    enum: CG_READ
    enum: CG_WRITTEN
    enum: CG_ACCUMULATED
    ctypedef struct cg_field:
        const char *name
        int traits
        int64_t offset
    ctypedef struct cg_layout:
        int64_t bytes, count
        const cg_field *fields
        const char *walk
    const cg_layout *cg_layout_of(int kernel)

ctypedef void *pointer


def address(array):
    """The address of the first element of an array."""
    return <size_t>data(<ndarray?>array)


cdef class Launch:
    """A kernel and a copy of its argument block, with tables of addresses and sizes.

    Args:
        kernel: its index in kernel_names()
        dtype: CG_FLOAT32 or CG_FLOAT64
    """

    def __cinit__(self, int kernel, int dtype):
        if not 0 <= kernel < CG_KERNEL_COUNT or dtype not in (CG_FLOAT32, CG_FLOAT64):
            raise ValueError(f"launch: there is no kernel {kernel} for dtype {dtype}")
        self.kernel = kernel
        self.dtype = dtype
        self.layout = cg_layout_of(kernel)
        self.args = cg_calloc(1, self.layout.bytes)
        if not self.args:
            raise MemoryError(f"{self.name}: out of memory for an argument block")
        self.tables = []

    def __dealloc__(self):
        free(self.args)

    def __repr__(self):
        return f"<launch of {self.name}>"

    @property
    def name(self):
        """The kernel's name."""
        return cg_kernel_names[self.kernel].decode()

    @property
    def walk(self):
        """How the kernel cuts its work: EACH, GRID, LISTS or WHOLE, as in csrc/kernels.def."""
        return self.layout.walk.decode()

    @property
    def cost(self):
        """Nanoseconds on one core, roughly."""
        return cg_cost(self.kernel, self.dtype, self.args)

    @property
    def names(self):
        """The names of the arguments, in order."""
        return [self.layout.fields[i].name.decode() for i in range(self.layout.count)]

    def sizes(self):
        """The integers among the arguments, by name."""
        cdef const cg_field *field
        cdef int64_t i
        sizes = {}
        for i in range(self.layout.count):
            field = self.layout.fields + i
            if field.traits & CG_SIZE:
                sizes[field.name.decode()] = (<int64_t *>(<char *>self.args + field.offset))[0]
        return sizes

    cdef int64_t index_of(self, str name) except -1:
        """The index of argument `name`."""
        cdef const char *wanted = PyUnicode_AsUTF8(name)
        cdef int64_t i
        for i in range(self.layout.count):
            if strcmp(self.layout.fields[i].name, wanted) == 0:
                return i
        raise KeyError(f"{self.name}: the kernel has no argument {name!r}")

    cdef void *argument(self, str name, int traits=-1) except NULL:
        """The address of argument `name`, of one of these traits, in the block."""
        cdef const cg_field *field = self.layout.fields + self.index_of(name)
        if not field.traits & traits:
            raise TypeError(f"{self.name}: argument {name!r} is of another kind")
        return <char *>self.args + field.offset

    def number(self, str name):
        """Argument `name`, an integer."""
        return (<int64_t *>self.argument(name, CG_SIZE))[0]

    def set_number(self, str name, int64_t value):
        """Set argument `name`, an integer."""
        (<int64_t *>self.argument(name, CG_SIZE))[0] = value

    def numbers(self, str name):
        """Argument `name`, a table of integers."""
        cdef const int64_t *p = (<const int64_t **>self.argument(name, CG_TABLE))[0]
        return [p[i] for i in range(self.number("tensors"))]

    def set_scalar(self, str name, double value):
        """Set argument `name`, a double."""
        (<double *>self.argument(name, CG_SCALAR))[0] = value

    def addresses(self, str name):
        """The addresses in argument `name`: one or, for a list, any number of them. NULL is 0."""
        cdef pointer *p = <pointer *>self.argument(name, CG_ARRAY | CG_LIST)
        cdef int64_t i, count
        if self.layout.fields[self.index_of(name)].traits & CG_ARRAY:
            return [<size_t>p[0]]
        count = self.number("tensors")
        return [<size_t>(<pointer *>p[0])[i] for i in range(count)] if p[0] else []

    def arrays(self):
        """(name, index, address, read, written) of every array, in the order of the arguments. The index is that in a list, 0
        for a single array. Arguments that are NULL, and tables of integers, which the launch owns, are left out."""
        cdef const cg_field *field
        cdef int64_t i
        arrays = []
        for i in range(self.layout.count):
            field = self.layout.fields + i
            if field.traits & (CG_ARRAY | CG_LIST):
                name = field.name.decode()
                read = field.traits & CG_READ or (field.traits & CG_ACCUMULATED and self.number("accumulate"))
                written = field.traits & CG_WRITTEN
                for index, address in enumerate(self.addresses(name)):
                    if address:
                        arrays.append((name, index, address, bool(read), bool(written)))
        return arrays

    def set_address(self, str name, int64_t index, size_t address):
        """Set argument `name`, or entry `index` of its list."""
        cdef pointer *p = <pointer *>self.argument(name, CG_ARRAY | CG_LIST)
        cdef bint single = self.layout.fields[self.index_of(name)].traits & CG_ARRAY
        if not 0 <= index < (1 if single else self.number("tensors")):
            raise IndexError(f"{self.name}: argument {name!r} has no array {index}")
        if single:
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


cdef Launch recorded(int kernel, int dtype, const void *args):
    """A launch with copies of an argument block and its tables."""
    cdef Launch launch = Launch.__new__(Launch, kernel, dtype)
    cdef const cg_field *field
    cdef int64_t i
    memcpy(launch.args, args, launch.layout.bytes)
    for i in range(launch.layout.count):
        field = launch.layout.fields + i
        if field.traits & (CG_LIST | CG_TABLE):
            launch.own_table(<void **>(<char *>launch.args + field.offset), launch.number("tensors"))
    return launch


def new_launch(str kernel, int dtype):
    """A launch of a kernel by name, with an argument block of zeros."""
    return Launch.__new__(Launch, kernel_names().index(kernel), dtype)
