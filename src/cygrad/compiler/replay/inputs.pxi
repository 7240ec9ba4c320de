# Part of replay.pyx: the arguments of a program.

@cython.final
cdef class TensorSpec:
    """The dtype, shape and strides of a tensor argument."""

    cdef readonly object dtype
    cdef readonly tuple shape, strides
    cdef int type_number, ndim
    cdef bint contiguous, aligned

    def __cinit__(self, ndarray array not None):
        self.dtype = array.dtype
        self.shape = (<object>array).shape
        self.strides = (<object>array).strides
        self.type_number = cnp.PyArray_TYPE(array)
        self.ndim = cnp.PyArray_NDIM(array)
        self.contiguous = cnp.PyArray_ISCARRAY_RO(array)
        self.aligned = cnp.PyArray_ISALIGNED(array)

    cdef bint match(self, ndarray array, ndarray buffer):
        """Whether an array has this dtype, shape and strides. `buffer` has the shape."""
        cdef int i
        if array is None:  # of a tensor that is not initialized
            return False
        if cnp.PyArray_TYPE(array) != self.type_number or cnp.PyArray_NDIM(array) != self.ndim:
            return False
        for i in range(self.ndim):
            if cnp.PyArray_DIM(array, i) != cnp.PyArray_DIM(buffer, i):
                return False
        if self.contiguous:
            return cnp.PyArray_ISCARRAY_RO(array)
        return (<object>array).strides == self.strides and cnp.PyArray_ISALIGNED(array) == self.aligned


@cython.final
cdef class Spans:
    """Intervals of memory, disjoint and in order.

    Args:
        spans: (address of the first byte, address of the one behind the last), in any order
    """

    cdef ndarray table  # int64: start, end, start, end, …
    cdef Py_ssize_t count

    def __cinit__(self, spans):
        starts, ends = [], []
        for low, high in sorted(spans):
            if ends and low <= ends[len(ends) - 1]:
                ends.append(max(high, ends.pop()))
            else:
                starts.append(low)
                ends.append(high)
        self.table = np.array([starts, ends], np.int64).T.copy()
        self.count = len(starts)

    cdef bint touch(self, ndarray array):
        """Whether an array shares memory with one of the intervals, as far as its first and last byte show."""
        cdef const int64_t *table = <const int64_t *>cnp.PyArray_DATA(self.table)
        cdef int64_t low, high
        cdef Py_ssize_t first = 0, last = self.count, middle
        bounds(array, &low, &high)
        while first < last:  # the first interval that ends behind `low`
            middle = (first + last) >> 1
            if table[2 * middle + 1] > low:
                last = middle
            else:
                first = middle + 1
        return first < self.count and table[2 * first] < high


cdef void bounds(ndarray array, int64_t *low, int64_t *high):
    """The addresses of an array's first byte and of the one behind its last."""
    cdef int64_t reach
    cdef int i
    low[0] = <int64_t>cnp.PyArray_DATA(array)
    high[0] = low[0] + cnp.PyArray_ITEMSIZE(array)
    for i in range(cnp.PyArray_NDIM(array)):
        reach = (cnp.PyArray_DIM(array, i) - 1) * cnp.PyArray_STRIDE(array, i)
        if cnp.PyArray_DIM(array, i) == 0:
            high[0] = low[0]
            return
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach


@cython.final
cdef class Inputs:
    """The arguments of a program, flat.

    Args:
        args: the arguments of the recorded call
        arrays: by the index of each tensor among them, the array that it had
        buffers: likewise, the array in which the program has it
        structure: that of ``structure.flatten``, None for positional arguments without containers
        groups: the indices of the tensors that share memory, in lists
    """

    cdef readonly tuple specs  # a TensorSpec for a tensor, None for any other argument
    cdef readonly tuple buffers  # an array for a tensor, None for any other argument
    cdef readonly tuple constants  # None for a tensor, the value of any other argument
    cdef readonly object structure
    cdef readonly list written  # (index of a tensor that the step writes to, how often its version counts that)
    cdef list groups
    cdef Spans changed, used  # memory outside of the arguments that the program writes; that it reads or writes

    def __cinit__(self, args, dict arrays, dict buffers, structure, groups):
        self.groups, self.written = groups, []
        self.changed = self.used = Spans(())
        self.specs = tuple([TensorSpec(arrays[i]) if i in arrays else None for i in range(len(args))])
        self.buffers = tuple([buffers.get(i) for i in range(len(args))])
        self.constants = tuple([None if isinstance(arg, Value) else arg for arg in args])
        self.structure = structure
        for spec, buffer in zip(self.specs, self.buffers):
            if spec is not None and (buffer.shape, buffer.dtype) != (spec.shape, spec.dtype):
                raise ValueError(f"a buffer of shape {buffer.shape} is not for an argument of shape {spec.shape}")

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
                if not (<TensorSpec>spec).match(value._array, self.buffers[i]) or (value.requires_grad and grad_mode):
                    return False
                if self.changed.count and self.changed.touch(value._array):
                    return False
        return not (self.groups or self.written) or self.share_as_recorded(args)

    def connect(self, written, changed, used):
        """Sets what the step does with memory.

        Args:
            written: (index of a tensor argument that the step writes to, how often its version counts that)
            changed, used: intervals of memory outside of the arguments that the program writes, reads or writes
        """
        self.written, self.changed, self.used = written, Spans(changed), Spans(used)

    cpdef bint share_as_recorded(self, args):
        """Whether tensors share memory, with each other and with others that the program uses, only as they did in the
        recorded call, and those that it writes to are writeable."""
        cdef ndarray array
        cdef set written = {i for i, _ in self.written}
        arrays = {i: args[i].array for i in range(len(self.specs)) if self.specs[i] is not None}
        for i, x in arrays.items():
            array = x
            if self.changed.touch(array) or (i in written and (self.used.touch(array) or not x.flags.writeable)):
                return False
        for group in self.groups:
            first = group[0]
            shift = address_of(arrays[first]) - address_of(self.buffers[first])
            for i in group:
                if address_of(arrays[i]) - address_of(self.buffers[i]) != shift:
                    return False
        together = {frozenset(pair) for group in self.groups for pair in combinations(group, 2)}
        for i in written:
            for j in arrays:
                if i != j and frozenset((i, j)) not in together and Spans([span(arrays[i])]).touch(arrays[j]):
                    return False
        return True

    cpdef int write_back(self, args) except -1:
        """Copies what the step wrote from the buffers to the arguments."""
        counted = set()
        for i, writes in self.written:
            np.copyto(args[i].array, self.buffers[i])
            version = (<Value?>args[i]).version
            if id(version) not in counted:
                counted.add(id(version))
                (<Version>version).value += <int64_t>writes
        return 0

    cdef bint copy(self, args) except -1:
        """Copies the tensors among the arguments into the buffers; False where one does not match any more, because another
        thread has given it other memory. What is compared here is what is copied."""
        cdef Py_ssize_t i
        cdef ndarray source, buffer
        cdef TensorSpec spec
        cdef Value value
        for i in range(len(self.specs)):
            spec = self.specs[i]
            if spec is not None:
                value = args[i]
                buffer = self.buffers[i]
                source = None if value is None else value._array
                if not spec.match(source, buffer):
                    return False
                if spec.contiguous:
                    memcpy(cnp.PyArray_DATA(buffer), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(buffer))
                else:
                    np.copyto(buffer, source)
        return True


cdef bint are_identical(items, list recorded):
    """Whether `items` is a list of the same objects."""
    cdef Py_ssize_t i, count = len(recorded)
    if not isinstance(items, list) or len(<list>items) != count:
        return False
    for i in range(count):
        if (<list>items)[i] is not recorded[i]:
            return False
    return True


cdef int64_t address_of(ndarray array):
    return <int64_t>cnp.PyArray_DATA(array)


cdef tuple span(ndarray array):
    cdef int64_t low, high
    bounds(array, &low, &high)
    return low, high


cdef bint is_same(recorded, value) except -1:
    """Whether a value is the recorded one, or an equal number or string, or a tuple of them. −0.0 and 0.0 differ."""
    cdef double a, b
    if recorded is value:
        return True
    if type(recorded) is not type(value):
        return False
    if type(value) is float:
        a, b = recorded, value
        return memcmp(&a, &b, sizeof(double)) == 0 or (a != a and b != b)
    if isinstance(value, (int, str, bytes)):
        return recorded == value
    return is_equal(recorded, value)
