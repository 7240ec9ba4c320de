# The hot functions of arrays.py in C, for compiled modules.

cimport numpy as np

cdef extern from "allocator.h":
    const np.int64_t CG_POOL_BYTES


cdef inline int check(object array) except -1:
    if not isinstance(array, np.ndarray):  # a cast, <np.ndarray?>, would let None pass
        raise TypeError(f"expected an ndarray, got {type(array).__name__}")
    return 0


cdef inline np.PyObject *borrowed_root(object array) except NULL:
    check(array)
    cdef np.PyObject *base = np.PyArray_BASE(<np.ndarray>array)
    return base if base is not NULL and isinstance(<object>base, np.ndarray) else <np.PyObject *>array


cdef inline object root(object array):
    return <object>borrowed_root(array)


cdef inline bint share_root(object a, object b) except -1:
    return a is b or borrowed_root(a) == borrowed_root(b)


cdef inline object dtype(object array):
    check(array)
    return <object>np.PyArray_DESCR(<np.ndarray>array)


cdef inline bint is_plain(object array) except -1:
    if type(array) is not np.ndarray:
        return False
    cdef int number = np.PyArray_TYPE(<np.ndarray>array)
    return (number <= np.NPY_DOUBLE or number == np.NPY_FLOAT16) and np.PyArray_ISNOTSWAPPED(<np.ndarray>array)


cdef inline bint owns_memory(object array) except -1:
    check(array)
    return np.PyArray_BASE(<np.ndarray>array) is NULL


cdef inline Py_ssize_t size(object array) except -1:
    cdef Py_ssize_t count = 1
    cdef int axis
    check(array)
    for axis in range(np.PyArray_NDIM(<np.ndarray>array)):
        count *= np.PyArray_DIM(<np.ndarray>array, axis)
    return count


cdef inline bint is_large(object array) except -1:
    return size(array) >= CG_POOL_BYTES // 4


cdef inline bint is_float(object array) except -1:
    check(array)
    return np.PyArray_ISFLOAT(<np.ndarray>array)


cdef inline bint is_in_order(object array) except -1:
    check(array)
    return np.PyArray_IS_C_CONTIGUOUS(<np.ndarray>array)
