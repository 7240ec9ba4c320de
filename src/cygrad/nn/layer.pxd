# C types for layer.py, which is plain Python without this file.

from cygrad.autograd cimport recording


cdef class Layer:
    pass


cpdef list layers_in(dict attributes)
