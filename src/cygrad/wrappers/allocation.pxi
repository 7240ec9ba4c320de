# New arrays. Large ones come from csrc/allocator.c, through NumPy's allocator hook (NEP 49), so that they are ordinary
# arrays that own their memory.

from cpython.object cimport PyTypeObject
from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport Py_INCREF, PyObject
from libc.string cimport memcpy, memset

cdef extern from "allocator.h":
    const int64_t CG_POOL_BYTES
    ctypedef struct cg_memory_stats:
        int64_t in_use, peak_in_use, cached, reused, from_system
    void *cg_malloc(size_t bytes) nogil
    void *cg_calloc(size_t count, size_t bytes) nogil
    int64_t cg_fail_request(int64_t n)
    void *cg_allocate(size_t bytes) nogil
    void cg_release(void *block) nogil
    size_t cg_block_bytes(const void *block) nogil
    cg_memory_stats cg_memory()
    void cg_reset_peak()
    void cg_empty_cache()
    void cg_limit_cache(int64_t bytes)

cdef extern from "numpy/ndarraytypes.h":
    ctypedef struct PyDataMemAllocator:
        void *ctx
        void *(*malloc)(void *ctx, size_t size) noexcept nogil
        void *(*calloc)(void *ctx, size_t nelem, size_t elsize) noexcept nogil
        void *(*realloc)(void *ctx, void *ptr, size_t new_size) noexcept nogil
        void (*free)(void *ctx, void *ptr, size_t size) noexcept nogil
    ctypedef struct PyDataMem_Handler:
        char name[127]
        unsigned char version
        PyDataMemAllocator allocator

    ctypedef struct PyArrayObject_fields:
        PyObject *mem_handler

cdef extern from "numpy/arrayobject.h":
    object PyDataMem_SetHandler(object handler)
    object PyArray_NewFromDescr(PyTypeObject *type, cnp.dtype descr, int ndim, cnp.npy_intp *shape, cnp.npy_intp *strides,
                                void *data, int flags, PyObject *base)


def pool_bytes():
    """The size from which arrays come from the pool, in bytes."""
    return CG_POOL_BYTES


cdef void *pool_malloc(void *ctx, size_t bytes) noexcept nogil:
    return cg_allocate(bytes)


cdef void *pool_calloc(void *ctx, size_t count, size_t item) noexcept nogil:
    if item and count > (<size_t>-1) // item:
        return NULL
    cdef void *block = cg_allocate(count * item)
    if block:
        memset(block, 0, count * item)
    return block


cdef void *pool_realloc(void *ctx, void *block, size_t bytes) noexcept nogil:
    cdef void *moved = cg_allocate(bytes)
    if moved and block:
        memcpy(moved, block, min(bytes, cg_block_bytes(block)))
        cg_release(block)
    return moved


cdef void pool_free(void *ctx, void *block, size_t bytes) noexcept nogil:
    cg_release(block)


cdef PyDataMem_Handler pool_handler
memcpy(pool_handler.name, b"cygrad", 7)
pool_handler.version = 1
pool_handler.allocator = PyDataMemAllocator(NULL, pool_malloc, pool_calloc, pool_realloc, pool_free)
cdef object pool_capsule = PyCapsule_New(&pool_handler, "mem_handler", NULL)

cdef int64_t MOST_BYTES = 1 << 62


cdef ndarray empty(int ndim, cnp.npy_intp *shape, int type_number):
    """A new uninitialized contiguous array. `type_number` is that of a float or integer type."""
    cdef cnp.dtype descr = cnp.PyArray_DescrFromType(type_number)
    cdef int64_t bytes = descr.itemsize
    cdef int i
    cdef ndarray array
    for i in range(ndim):
        bytes = bytes * shape[i] if not shape[i] or bytes <= MOST_BYTES // shape[i] else -1
        if bytes < 0:
            break  # too large: NumPy raises the error
    if bytes < CG_POOL_BYTES:
        array = new_array(descr, ndim, shape, NULL)
    else:
        array = from_pool(descr, ndim, shape, bytes)
    if tape is not None and tape.is_active():
        tape.arrays.append(array)
    return array


cdef inline ndarray new_array(cnp.dtype descr, int ndim, cnp.npy_intp *shape, void *block):
    """A contiguous array over `block`, or over memory of NumPy's if that is NULL."""
    Py_INCREF(descr)  # for the array
    return PyArray_NewFromDescr(
        <PyTypeObject *>cnp.ndarray, descr, ndim, shape, NULL, block, cnp.NPY_ARRAY_CARRAY if block else 0, NULL)


cdef ndarray from_pool(cnp.dtype descr, int ndim, cnp.npy_intp *shape, int64_t bytes):
    """An array that owns a block of the pool, as NumPy creates it while the pool is its allocator, without the cost of setting
    and resetting the allocator."""
    cdef void *block = cg_allocate(bytes)
    if not block:
        raise MemoryError(f"out of memory for an array of {bytes} bytes")
    cdef ndarray array
    try:
        array = new_array(descr, ndim, shape, block)
    except:
        cg_release(block)
        raise
    cnp.PyArray_ENABLEFLAGS(array, cnp.NPY_ARRAY_OWNDATA)
    Py_INCREF(pool_capsule)
    (<PyArrayObject_fields *>array).mem_handler = <PyObject *>pool_capsule
    return array


cdef inline ndarray empty_like(ndarray x):
    """A new contiguous array of x's shape and dtype."""
    return empty(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))


def pooled(make, *args):
    """make(*args), with its arrays allocated from the pool: reused, and aligned to 64 bytes for vectors of that size."""
    before = PyDataMem_SetHandler(pool_capsule) if CG_POOL_BYTES <= MOST_BYTES else None
    try:
        result = make(*args)
    finally:
        if before is not None:
            PyDataMem_SetHandler(before)
    if tape is not None and tape.is_active():
        tape.created.append(result)
    return result


def memory_stats():
    """Counters of the pool: in_use, peak_in_use and cached, in bytes; requests reused and from_system."""
    cdef cg_memory_stats stats = cg_memory()
    return stats


def reset_peak_memory_stats():
    """Reset the peak to the bytes in use."""
    cg_reset_peak()


def empty_cache():
    """Return cached memory to the system."""
    cg_empty_cache()


def fail_request(int64_t n):
    """In a debug build, let the n-th request for memory from now on fail, for n > 0. Return how many requests there have been
    since the last call, −1 in other builds."""
    return cg_fail_request(n)


def limit_cache(int64_t bytes):
    """Cache at most `bytes` for reuse."""
    if bytes < 0:
        raise ValueError(f"limit_cache: bytes must not be negative, got {bytes}")
    cg_limit_cache(bytes)
