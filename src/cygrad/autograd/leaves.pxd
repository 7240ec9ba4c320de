# C types for the functions of leaves.py, which is plain Python without this file.

cimport cython
from cygrad.autograd cimport arrays, recording
from cygrad.autograd.engine cimport Value

@cython.locals(value=Value, without=cython.Py_ssize_t)
cpdef list with_gradient(list values)

@cython.locals(value=Value, found=list, number=cython.Py_ssize_t)
cpdef list arrays_of(list values)

@cython.locals(state=dict, states=list, number=cython.Py_ssize_t)
cpdef list states_of(list values, known)

@cython.locals(state=dict, number=cython.Py_ssize_t)
cpdef list missing(list states, tuple names)

@cython.locals(state=dict, value=Value, same=bint, number=cython.Py_ssize_t, group_values=list, group_states=list)
cpdef list groups_of_steps(list values, list states)

@cython.locals(state=dict)
cpdef set_steps(list states, step)

@cython.locals(state=dict, value=Value, column=list, number=cython.Py_ssize_t)
cpdef list arrays_in(list states, tuple names)

cpdef list written_arrays(list values)

@cython.locals(value=Value, gradient=Value, found=list, number=cython.Py_ssize_t)
cpdef list gradients_of(list values, bint written=*)

@cython.locals(value=Value)
cpdef zero_gradients(list values, bint set_to_none)

@cython.locals(value=Value)
cpdef note_writes(list values)
