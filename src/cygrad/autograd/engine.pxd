# C types for the classes and the hot functions of engine.py, which is plain Python without this file.

cimport cython
cimport numpy as np
from cygrad.autograd cimport arrays


@cython.final
cdef class Version:
    cdef public long long value, rewrites


cdef class Value:
    cdef public object array
    cdef public bint requires_grad
    cdef public object grad_value, hooks
    cdef public Node node
    cdef public Py_ssize_t index
    cdef public Version version
    cdef public long long seen_rewrites
    cdef object __weakref__


@cython.final
@cython.trashcan(True)
cdef class Node:
    cdef public Op op
    cdef public tuple saved
    cdef public list needs, edges, places, guards, outputs
    cdef public dict hooks
    cdef public long long depth
    cdef public bint freed
    cdef object __weakref__

    cpdef tuple input_gradients(self, list upstream)
    cpdef free(self)


cdef class Op:
    cdef public str name
    cdef public object forward, rule
    cdef public Py_ssize_t inputs, required
    cdef public tuple names
    cdef public object __doc__, __name__
    cdef public bint materialize, opaque, by_position


@cython.auto_pickle(False)
cdef class Layer:
    pass


cpdef list layers_in(dict attributes)

cdef object _tracer, _recorder
cdef type _value_type
cdef long long _paused

cdef tuple arrange(Op op, tuple args, dict options)


cpdef materialized(Node node, upstream)

cpdef recorder()

cdef long long _changes

cpdef note_change()

cpdef reading(str what)

cdef plus(a, b)

cpdef copied(array)

cpdef overwrite(target, source)

cpdef fill(target, value)

@cython.locals(version=Version, saved=cython.longlong, number=cython.Py_ssize_t)
cdef int check_guards(Op op, list guards) except -1


@cython.locals(version=Version)
cdef Version new_version()

cdef int place(Value value, array, Version version) except -1

@cython.locals(value=Value)
cpdef Value wrap(array)

@cython.locals(node=Node)
cpdef Node new_node(Op op)

@cython.locals(node=Node, value=Value, recording=bint, outputs=tuple, index=cython.Py_ssize_t)
cdef apply(Op op, tuple args, tuple rest, dict options)

@cython.locals(value=Value)
cdef operand(arg)

@cython.locals(count=cython.Py_ssize_t, operands=list)
cdef forward(Op op, Node node, tuple args, tuple rest)

@cython.locals(
    value=Value, depth=cython.longlong, edges=list, needs=list, found=bint, any_tensor=bint, any_place=bint
)
cdef bint connect(Node node, tuple args) except -1

cdef int check_history(Op op, Value value) except -1

@cython.locals(value=Value, owner=Value)
cdef Value output_of(result, tuple args)

cdef int attach(Value value, Node node, Py_ssize_t index) except -1

@cython.locals(value=Value, guards=list)
cdef int guard(Node node, tuple seen) except -1

@cython.locals(value=Value)
cdef Value owner_of(array, tuple candidates)

@cython.locals(
    value=Value, node=Node, received=list, results=tuple, saved=tuple, edges=list, places_of_inputs=list, leaves=dict,
    shared=set, found=dict, pending=dict, waiting=list, index=cython.Py_ssize_t, number=cython.Py_ssize_t, anomaly=bint, owned=bint,
)
cdef tuple walk(outputs, upstream, bint retain_graph, dict places)

cdef bint is_new(array, list received, tuple saved, tuple results)

@cython.locals(node=Node, received=list)
cdef int deposit(
    target, Py_ssize_t index, array, bint owned, dict leaves, set shared, dict pending, list waiting
) except -1

@cython.locals(other=Node, low=cython.Py_ssize_t, high=cython.Py_ssize_t, middle=cython.Py_ssize_t)
cdef int line_up(Node node, list waiting) except -1

cdef dict _ones

@cython.locals(value=Value)
cpdef seed(str op, output)

@cython.locals(total=Value)
cpdef accumulate(Value leaf, array, bint owned)

@cython.locals(value=Value, found=list)
cpdef list with_gradient(list values)

@cython.locals(value=Value)
cpdef zero_gradients(list values, bint set_to_none)

@cython.locals(value=Value, arrays=list)
cpdef list arrays_of(list values)

@cython.locals(state=dict)
cpdef list states_of(list values, dict known)

@cython.locals(state=dict, number=cython.Py_ssize_t)
cpdef list lacking(list states, tuple names)

@cython.locals(state=dict, value=Value, same=bint, number=cython.Py_ssize_t, own_values=list, own_states=list)
cpdef list count_steps(list values, list states)

@cython.locals(state=dict, value=Value, arrays=list)
cpdef list arrays_in(list states, tuple names)

cpdef list written_arrays(list values)

@cython.locals(value=Value, gradient=Value)
cpdef list gradients_of(list values, bint written=*)

@cython.locals(value=Value)
cpdef note_writes(list values)
