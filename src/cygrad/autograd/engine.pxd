# C types for the classes and the hot functions of engine.py, which is plain Python without this file.

cimport cython
cimport numpy as np
from cygrad.autograd cimport arrays, recording


@cython.final
@cython.freelist(64)
cdef class Version:
    cdef public long long value, rewrites


cdef class Value:
    cdef object _array  # None until it is initialized, as which `array` raises
    cdef public bint requires_grad
    cdef public Value grad_value
    cdef public dict hooks, after_hooks
    cdef public object reducer
    cdef readonly Node node
    cdef readonly Py_ssize_t index
    cdef readonly Version version
    cdef readonly long long seen_rewrites
    cdef readonly Value base
    cdef object __weakref__
    cdef dict __dict__  # attributes that programs set; made when the first one is


@cython.final
@cython.freelist(64)
@cython.trashcan(True)
cdef class Node:
    cdef readonly Op op
    cdef public tuple saved
    cdef readonly tuple args
    cdef readonly list needs, edges, indices, saved_versions, outputs
    cdef public dict hooks
    cdef readonly long long depth
    cdef readonly bint freed
    cdef object __weakref__

    cpdef tuple input_gradients(self, list upstream)
    cpdef tuple defined_gradients(self, list upstream)
    cpdef free(self)


cdef class Op:
    cdef public str name
    cdef public object forward, rule, definition_rule, window_rule, frame_rule, alone
    cdef public Py_ssize_t inputs, required
    cdef public tuple names
    cdef public object __doc__, __name__
    cdef public bint materialize, opaque, by_position


cdef object _timer, _tracer, _recorder
cdef Py_ssize_t DRAWABLE
cdef type _value_type
cdef long long _paused

cdef Version unset

cdef int check_array(array) except -1

cdef int check_value(Value value) except -1

cdef int check_op(Op op) except -1

cdef int check_node(Node node) except -1

cpdef share_version(Value value, Value other)

cpdef make_leaf(Value value)

cpdef take_position(Value value, Value other)

cpdef make_view(Value value, Value base)
cpdef become(Value value, Value other)

@cython.locals(copy=Node)
cpdef Node detached_node(Node node, tuple saved)

cdef active_recorder()

cdef bint is_half(arg)

cdef dtype_of(Value value)

cdef tuple arrange(Op op, tuple args, dict options)

cdef tuple as_arrays(tuple results)

cdef int check_before_rule(Node node) except -1

cdef int check_result_count(Node node, tuple results) except -1

cpdef materialized(Node node, upstream)

@cython.locals(version=Version, saved=cython.longlong, number=cython.Py_ssize_t)
cdef int check_saved_versions(Op op, list saved_versions) except -1

@cython.locals(version=Version)
cdef Version new_version()

cdef int initialize(Value value, array, Version version) except -1

@cython.locals(value=Value)
cpdef Value wrap(array)

@cython.locals(node=Node)
cpdef Node new_node(Op op)

cpdef timer()

cdef apply(Op op, tuple args, tuple rest, dict options)

@cython.locals(node=Node, value=Value, wanted=bint, outputs=tuple, index=cython.Py_ssize_t)
cdef compute(Op op, tuple args, tuple rest, dict options)

cdef tuple spec_of(Value value)

@cython.locals(value=Value)
cdef operand(arg)

@cython.locals(count=cython.Py_ssize_t, operands=list)
cdef forward(Op op, Node node, tuple args, tuple rest)

@cython.locals(
    value=Value, depth=cython.longlong, count=cython.Py_ssize_t, number=cython.Py_ssize_t, edges=list, needs=list,
    wanted=bint, any_tensor=bint, any_index=bint, small=bint,
)
cdef bint connect(Node node, tuple args) except -1

@cython.locals(value=Value)
cdef bint are_drawable(tuple args) except -1

@cython.locals(value=Value, owner=Value)
cdef Value output_of(result, tuple args)

cdef int attach(Value value, Node node, Py_ssize_t index) except -1

@cython.locals(value=Value, saved_versions=list)
cdef int note_saved_versions(Node node, tuple args, tuple outputs) except -1

@cython.locals(value=Value)
cdef Value owner_of(array, tuple candidates)

cpdef Value current(Value value)

cdef Value base_of(Value value)

cpdef rewrite(Value value, Value result)

@cython.locals(base=Value)
cpdef check_writable(Value value)

cdef keep_saved(Node node, Value value)

@cython.locals(base=Value)
cdef int refresh(Value value, str op) except -1

cdef int connect_view(Value value, Value base, positions) except -1

cdef int write_through(Value value, Value base, Value result) except -1

cdef tuple walk(outputs, upstream, bint retain_graph, dict wanted, bint create_graph)

@cython.locals(
    value=Value, node=Node, received=list, results=tuple, saved=tuple, edges=list, indices=list, needs=list,
    leaves=dict, shared=set, arrived=dict, pending=dict, waiting=list, index=cython.Py_ssize_t,
    number=cython.Py_ssize_t, anomaly=bint, owned=bint, is_window=bint, sums=set, missing=dict, found=list, part=Node,
)
cdef tuple carry(outputs, upstream, bint retain_graph, dict wanted, dict leads, bint create_graph)

@cython.locals(index=cython.Py_ssize_t)
cdef bint add_to_part(Node node, gradient, dict leaves, dict pending, set sums) except -1

cdef bint is_part(gradient) except -1

cdef tuple gradients_at(Node node, list received, list needs, bint create_graph)

@cython.locals(node=Node)
cdef dict leading_to(dict wanted, outputs)

cpdef depth_of(Node node)

cdef plus(a, b, bint owned)

cdef bint is_new(array, list received, tuple saved, tuple results)

@cython.locals(node=Node, received=list)
cdef int deposit(
    target, Py_ssize_t index, array, bint owned, dict leaves, set shared, dict pending, list waiting
) except -1

@cython.locals(other=Node, low=cython.Py_ssize_t, high=cython.Py_ssize_t, middle=cython.Py_ssize_t)
cdef int insert(Node node, list waiting) except -1

@cython.locals(node=Node, value=Value, leaf=Value)
cdef dict edges_to_reduce(outputs)

@cython.locals(count=cython.Py_ssize_t)
cdef int arrive(Value leaf, dict missing, dict leaves, set shared) except -1

cdef bint _reducers

cdef dict _ones

@cython.locals(value=Value)
cpdef seed(str op, output)

@cython.locals(total=Value)
cpdef accumulate(Value leaf, array, bint owned)
