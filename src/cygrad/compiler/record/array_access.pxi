# Part of replay.pyx: while a step is recorded, the recorder hears of all code that takes the array of a tensor.
#
# `Value.array` is a C field. Compiled code uses the field, all other code the getter and the setter that Cython has made
# for it. Here both get a comparison more. A property in Python would make every use in the library slower.

ctypedef object (*getter)(object, void *)
ctypedef int (*setter)(object, PyObject *, void *) except -1

cdef extern from "Python.h":
    ctypedef struct PyGetSetDef:
        getter get
        setter set

    ctypedef struct PyGetSetDescrObject:
        PyGetSetDef *d_getset

cdef getter get_array
cdef setter set_array


cdef object noted_get(object value, void *closure):
    if recording._recorder is not None:
        note_access(value, False)
    return get_array(value, closure)


cdef int noted_set(object value, PyObject *array, void *closure) except -1:
    if recording._recorder is not None:
        note_access(value, True)
    return set_array(value, array, closure)


cdef int note_access(object value, bint moved) except -1:
    """Tell the recorder of this thread, if there is one."""
    recorder = active_recorder()
    if recorder is not None:
        recorder.array_accessed(value, moved)
    return 0


cdef int watch_arrays() except -1:
    """Put the functions above in the place of Cython's."""
    global get_array, set_array
    cdef PyGetSetDef *access = (<PyGetSetDescrObject *><PyObject *>Value.__dict__["array"]).d_getset
    get_array, set_array = access.get, access.set
    access.get, access.set = noted_get, noted_set
    return 0


watch_arrays()
