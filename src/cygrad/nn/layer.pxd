# C types for layer.py, which is plain Python without this file.

cimport cython
from cygrad.autograd cimport recording


@cython.auto_pickle(False)
cdef class Layer:
    pass


cpdef list layers_in(dict attributes)
