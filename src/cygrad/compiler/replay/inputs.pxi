# Part of replay.pyx: the arguments of a program.

@cython.final
cdef class TensorSpec:
    """The dtype, shape and strides of a tensor argument."""

    cdef readonly object dtype
    cdef readonly tuple shape, strides
    cdef int type_number, ndim
    cdef bint contiguous

    def __init__(self, ndarray array):
        self.dtype = array.dtype
        self.shape = (<object>array).shape
        self.strides = (<object>array).strides
        self.type_number = cnp.PyArray_TYPE(array)
        self.ndim = cnp.PyArray_NDIM(array)
        self.contiguous = cnp.PyArray_ISCARRAY_RO(array)

    cdef bint match(self, ndarray array, ndarray buffer):
        """Whether an array has this dtype, shape and strides. `buffer` has the shape."""
        cdef int i
        if cnp.PyArray_TYPE(array) != self.type_number or cnp.PyArray_NDIM(array) != self.ndim:
            return False
        for i in range(self.ndim):
            if cnp.PyArray_DIM(array, i) != cnp.PyArray_DIM(buffer, i):
                return False
        if self.contiguous:
            return cnp.PyArray_ISCARRAY_RO(array)
        return (<object>array).strides == self.strides


@cython.final
cdef class Inputs:
    """The arguments of a program, flat.

    Args:
        args: the arguments of the recorded call
        recorded: the same arguments as the step saw them, with tensors in buffers that the program owns
        structure: that of ``structure.flatten``, None for positional arguments without containers
    """

    cdef readonly list specs  # a TensorSpec for a tensor, None for any other argument
    cdef readonly list buffers  # an array for a tensor, None for any other argument
    cdef readonly list constants  # None for a tensor, the value of any other argument
    cdef readonly object structure

    def __init__(self, args, recorded, structure):
        self.specs = [TensorSpec((<Value>arg).array) if isinstance(arg, Value) else None for arg in args]
        self.buffers = [(<Value>arg).array if isinstance(arg, Value) else None for arg in recorded]
        self.constants = [None if isinstance(arg, Value) else arg for arg in args]
        self.structure = structure

    cdef bint match(self, args, bint grad_mode):
        """Whether arguments have the same specs and values, in this grad mode."""
        cdef Py_ssize_t i
        cdef Value value
        if len(args) != len(self.specs) or <bint>grad_enabled() != grad_mode:
            return False
        for i in range(len(self.specs)):
            arg = args[i]
            spec = self.specs[i]
            if spec is None:
                if not is_same(self.constants[i], arg):
                    return False
            elif not isinstance(arg, Value):
                return False
            else:
                value = arg
                if not (<TensorSpec>spec).match(value.array, self.buffers[i]) or (value.requires_grad and grad_mode):
                    return False
        return True

    cdef int copy(self, args) except -1:
        """Copies the tensors among the arguments into the buffers."""
        cdef Py_ssize_t i
        cdef ndarray source, buffer
        for i in range(len(self.specs)):
            if self.specs[i] is not None:
                source = (<Value>args[i]).array
                buffer = self.buffers[i]
                if (<TensorSpec>self.specs[i]).contiguous:
                    memcpy(cnp.PyArray_DATA(buffer), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(buffer))
                else:
                    np.copyto(buffer, source)
        return 0


cdef bint are_identical(items, list recorded):
    """Whether `items` is a list of the same objects."""
    cdef Py_ssize_t i, count = len(recorded)
    if not isinstance(items, list) or len(<list>items) != count:
        return False
    for i in range(count):
        if (<list>items)[i] is not recorded[i]:
            return False
    return True


cdef bint is_same(recorded, value):
    """Whether a value is the recorded one, or an equal number or string."""
    if recorded is value:
        return True
    if type(recorded) is not type(value):
        return False
    if isinstance(value, float):
        return <double>recorded == <double>value
    return isinstance(value, (int, str, bytes)) and recorded == value
