# C types for the functions of recording.py, which is plain Python without this file.

cimport numpy as np
from cygrad.autograd cimport arrays

cdef object _recorder
cdef long long _changes

cpdef recorder()

cpdef note_change()

cpdef reading(str what)

cpdef plus(a, b, bint owned)

cpdef copied(array)

cpdef overwrite(target, source)

cpdef add_into(target, source)

cpdef fill(target, value)
