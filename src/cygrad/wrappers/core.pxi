# The basis of all wrappers: CPU levels, threads, checks, and the one function that launches kernels.

cimport cython
from libc.stdint cimport int64_t, uint64_t
cimport numpy as cnp
from cygrad._blocks cimport *

import os

import numpy as np

from cygrad._attributes import ShapeError

cnp.import_array()

cdef extern from "kernels.h":
    ctypedef void (*cg_kernel)(const void *args, ...) noexcept nogil
    enum: CG_FLOAT32
    enum: CG_FLOAT64
    enum: CG_KERNEL_COUNT
    enum: CG_BLOCK
    enum: CG_MASK_GROUP
    enum: CG_SCRATCH_BYTES
    const char **cg_kernel_names
    int cg_level_count()
    const char *cg_level_name(int level)
    bint cg_level_supported(int level)
    int cg_level()
    void cg_use_level(int level)
    cg_kernel cg_find(int kernel, int dtype) nogil
    int cg_run(cg_kernel kernel, const void *args, double cost) nogil
    int cg_num_threads()
    void cg_set_num_threads(int threads)
    void cg_use_one_thread(bint only)
    bint cg_uses_one_thread()

cdef extern from "layout.h":
    double cg_cost(int kernel, int dtype, const void *args) nogil

cdef extern from "numpy/arrayobject.h":
    enum: MOST_AXES "NPY_MAXDIMS"  # of any array

ctypedef cnp.ndarray ndarray


def block_size():
    """The elements in a block of work."""
    cdef int64_t elements = CG_BLOCK
    return elements


# CPU levels

def kernel_names():
    """The names of all kernels, in the order of csrc/kernels.def."""
    return [cg_kernel_names[i].decode() for i in range(CG_KERNEL_COUNT)]


def cpu_levels():
    """The CPU levels that this build contains and this machine supports, best first."""
    return [cg_level_name(i).decode() for i in range(cg_level_count()) if cg_level_supported(i)]


def cpu_level():
    """The active CPU level."""
    return cg_level_name(cg_level()).decode()


def use_cpu_level(name):
    """Activate the kernels of level `name`, one of cpu_levels()."""
    for i in range(cg_level_count()):
        if cg_level_name(i).decode() == name and cg_level_supported(i):
            cg_use_level(i)
            return
    raise ValueError(f"CYGRAD_ISA must be one of {', '.join(cpu_levels())} on this machine, got {name!r}")


use_cpu_level(os.environ.get("CYGRAD_ISA") or cpu_levels()[0])


# Threads

def num_threads():
    """The thread count that a kernel may use."""
    return cg_num_threads()


def set_num_threads(int threads):
    """Let kernels use up to `threads` threads. Results do not depend on it."""
    if threads < 1:
        raise ValueError(f"set_num_threads: threads must be at least 1, got {threads}")
    cg_set_num_threads(threads)


def use_one_thread(bint only):
    """Set whether launches from the calling thread stay on it; return whether they did."""
    before = uses_one_thread()
    cg_use_one_thread(only)
    return before


def uses_one_thread():
    """Whether launches from the calling thread stay on it."""
    return bool(cg_uses_one_thread())


# Launches

# Nanoseconds of work below which the GIL is not released: that would take longer than it is worth.
cdef double GIL_COST = 20000.0


cdef int launch(int kernel, int dtype, const void *args) except -1:
    """Run a kernel. Its cost, from csrc/kernels.def, decides whether the GIL is released and how many threads take part."""
    cdef cg_kernel run = cg_find(kernel, dtype)
    cdef double cost = cg_cost(kernel, dtype, args)
    cdef int status
    cdef Launch event = None
    if tape is not None and tape.is_active():
        event = recorded(kernel, dtype, args)  # before the kernel writes, since there may be no memory for it
    if cost < GIL_COST:
        status = cg_run(run, args, cost)
    else:
        with nogil:
            status = cg_run(run, args, cost)
    if status:
        raise MemoryError(f"{cg_kernel_names[kernel].decode()}: out of memory for a thread's working memory")
    if event is not None:
        tape.events.append(event)
        if tape.observer is not None:
            tape.observer(event)
    return 0


# Checks

cdef inline int dtype_of(ndarray x) noexcept:
    """CG_FLOAT32 or CG_FLOAT64, for an array that real() accepted."""
    return CG_FLOAT32 if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32 else CG_FLOAT64


cdef int check_real(str op, str name, object x) except -1:
    if not isinstance(x, cnp.ndarray):
        raise TypeError(f"{op}: {name} must be an array, got {type(x).__name__}")
    cdef int type_number = cnp.PyArray_TYPE(<ndarray>x)
    if type_number != cnp.NPY_FLOAT32 and type_number != cnp.NPY_FLOAT64:
        raise TypeError(f"{op}: {name} must be float32 or float64, got {(<ndarray>x).dtype}")
    return 0


cdef inline bint is_real(object x) noexcept:
    """Whether x is an array that check_real() accepts."""
    return isinstance(x, cnp.ndarray) and (
        cnp.PyArray_TYPE(<ndarray>x) == cnp.NPY_FLOAT32 or cnp.PyArray_TYPE(<ndarray>x) == cnp.NPY_FLOAT64)


cdef inline ndarray real(str op, str name, object x):
    """x as a contiguous float32 or float64 array: itself or a copy. A NumPy scalar is accepted as a 0-d array."""
    return <ndarray>x if is_real(x) and cnp.PyArray_ISCARRAY_RO(<ndarray>x) else real_copy(op, name, x)


cdef ndarray real_copy(str op, str name, object x):
    """real(x) where x is something else than its result."""
    if not isinstance(x, cnp.ndarray) and isinstance(x, np.floating):
        x = np.asarray(x)
    check_real(op, name, x)
    return dense(x)


cdef inline ndarray like(str op, str name, object x, str model_name, ndarray model):
    """real(x), checked to have the dtype and shape of `model`."""
    cdef ndarray array = real(op, name, x)
    check_same_dtype(op, name, array, model_name, model)
    if not cnp.PyArray_SAMESHAPE(array, model):
        raise ShapeError(f"{op}: {name} has shape {shape_of(array)}, but {model_name} has {shape_of(model)}")
    return array


cdef inline int check_same_dtype(str op, str name, ndarray x, str model_name, ndarray model) except -1:
    if cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(model):
        raise TypeError(f"{op}: {name} is {x.dtype}, but {model_name} is {model.dtype}")
    return 0


cdef inline ndarray written(str op, str name, object x):
    """x, checked to be an array that a kernel can write in place: float32 or float64, contiguous and writeable."""
    if not is_real(x) or not cnp.PyArray_ISCARRAY(<ndarray>x):
        check_real(op, name, x)
        raise ValueError(f"{op}: {name} must be contiguous and writeable")
    return <ndarray>x


cdef inline int check_axes_fit(str op, int axes) except -1:
    """A result of so many axes, more than one operand has, must be possible."""
    if axes > MOST_AXES:
        raise ValueError(f"{op}: the result would have {axes} axes, but an array has at most {MOST_AXES}")
    return 0


cdef tuple shape_of(ndarray x):
    return tuple([x.shape[i] for i in range(cnp.PyArray_NDIM(x))])


cdef inline void *data(ndarray x) noexcept:
    return cnp.PyArray_DATA(x)


cdef inline void *optional(ndarray x) noexcept:
    return NULL if x is None else cnp.PyArray_DATA(x)


cdef inline int64_t size(ndarray x) noexcept:
    cdef int64_t count = 1
    cdef int axis
    for axis in range(cnp.PyArray_NDIM(x)):
        count *= cnp.PyArray_DIM(x, axis)
    return count
