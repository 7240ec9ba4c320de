# arrays.py in C, for compiled modules.

cimport numpy as np


cdef inline object root(object array):
    cdef np.PyObject *base = np.PyArray_BASE(<np.ndarray?>array)
    return <object>base if base is not NULL and isinstance(<object>base, np.ndarray) else array


cdef inline bint owns_memory(object array) except -1:
    return np.PyArray_BASE(<np.ndarray?>array) is NULL


cdef inline bint is_float(object array) except -1:
    return np.PyArray_ISFLOAT(<np.ndarray?>array)


cdef inline bint is_in_order(object array) except -1:
    return np.PyArray_IS_C_CONTIGUOUS(<np.ndarray?>array)
