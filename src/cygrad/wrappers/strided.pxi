# Copies between arrays of any layout, of elements of 4 or 8 bytes. They are launches, so that programs repeat them.

cdef struct Axis:
    int64_t size, y, x  # steps in elements

cdef enum:
    MOST_LAUNCHES = 16  # of one copy


cdef inline bint movable(ndarray x) noexcept:
    """Whether the elements can be moved as floats or doubles: they are numbers of that size, aligned, in native order."""
    return (cnp.PyArray_ISALIGNED(x) and cnp.PyArray_ISNOTSWAPPED(x) and cnp.PyArray_ISNUMBER(x)
            and (cnp.PyArray_ITEMSIZE(x) == 4 or cnp.PyArray_ITEMSIZE(x) == 8))


cdef bint lay_out(cg_strided_args *a, Axis *outer, int ndim, cnp.npy_intp *shape, cnp.npy_intp *y_steps, ndarray x) noexcept:
    """Fill in the sizes and steps of y ← x, with x broadcast to `shape`. A launch has four axes, where those that follow
    each other in both arrays are one; of five, the shortest is `outer`, of which each index is a launch. False if more remain,
    or that is too long."""
    cdef Axis axes[MOST_AXES]
    cdef Axis axis
    cdef int count = 0, missing = ndim - cnp.PyArray_NDIM(x), i, shortest, item = cnp.PyArray_ITEMSIZE(x)
    for i in range(ndim):
        if shape[i] == 1:
            continue
        axis = Axis(shape[i], y_steps[i], 0)
        if i >= missing and x.shape[i - missing] != 1:
            axis.x = cnp.PyArray_STRIDE(x, i - missing)
        if axis.y % item or axis.x % item:
            return False
        axis.y //= item
        axis.x //= item
        if count and axes[count - 1].y == axis.y * axis.size and axes[count - 1].x == axis.x * axis.size:
            axis.size *= axes[count - 1].size
            count -= 1
        axes[count] = axis
        count += 1
    outer[0] = Axis(1, 0, 0)
    if count == 5:
        shortest = 0
        for i in range(1, count):
            shortest = i if axes[i].size < axes[shortest].size else shortest
        outer[0] = axes[shortest]
        count -= 1
        for i in range(shortest, count):
            axes[i] = axes[i + 1]
    if count > 4 or outer.size > MOST_LAUNCHES:
        return False
    for i in range(count - 1):  # the axis in which x is contiguous stands before the last, if it is not the last
        if axes[i].x == 1 and axes[count - 1].x != 1:
            axis = axes[count - 2]
            axes[count - 2] = axes[i]
            axes[i] = axis
    if count > 1 and axes[count - 1].y != 1 and axes[count - 2].y == 1:
        axis = axes[count - 1]
        axes[count - 1] = axes[count - 2]
        axes[count - 2] = axis
    cdef Axis all[4]
    for i in range(4):
        all[i] = Axis(1, 0, 0)
    for i in range(count):
        all[4 - count + i] = axes[i]
    a.n0, a.n1, a.n2, a.n3 = all[0].size, all[1].size, all[2].size, all[3].size
    a.y0, a.y1, a.y2, a.y3 = all[0].y, all[1].y, all[2].y, all[3].y
    a.x0, a.x1, a.x2, a.x3 = all[0].x, all[1].x, all[2].x, all[3].x
    return True


cdef int launch_strided(cg_strided_args *a, Axis outer, ndarray y, ndarray x) except -1:
    cdef int64_t item = cnp.PyArray_ITEMSIZE(y), i
    if a.n0 and a.n1 and a.n2 and a.n3:
        for i in range(outer.size):
            a.y, a.x = <char *>data(y) + i * outer.y * item, <char *>data(x) + i * outer.x * item
            launch(CG_strided, CG_FLOAT32 if item == 4 else CG_FLOAT64, a)
    return 0


cdef ndarray dense(ndarray x):
    """A copy of x in C order: by a launch if there is one for its layout, else NumPy's."""
    cdef cg_strided_args a = cg_strided_args(accumulate=0)
    cdef Axis outer
    cdef cnp.npy_intp steps[MOST_AXES]
    cdef int64_t step = cnp.PyArray_ITEMSIZE(x)
    cdef int i, ndim = cnp.PyArray_NDIM(x)
    for i in range(ndim - 1, -1, -1):
        steps[i] = step
        step *= x.shape[i]
    if not movable(x) or not lay_out(&a, &outer, ndim, cnp.PyArray_DIMS(x), steps, x):
        return cnp.PyArray_FROMANY(x, cnp.PyArray_TYPE(x), 0, 0,
                                   cnp.NPY_ARRAY_CARRAY | cnp.NPY_ARRAY_NOTSWAPPED | cnp.NPY_ARRAY_ENSURECOPY)
    cdef ndarray y = empty_like(x)
    launch_strided(&a, outer, y, x)
    return y


cdef bint overlap(ndarray x, ndarray y) noexcept:
    """Whether the memory that two arrays span has a part in common."""
    cdef char *ends[4]
    cdef ndarray array
    cdef int which, i
    for which in range(2):
        array = y if which else x
        ends[2 * which] = ends[2 * which + 1] = <char *>data(array)
        for i in range(cnp.PyArray_NDIM(array)):
            ends[2 * which + (cnp.PyArray_STRIDE(array, i) > 0)] += (array.shape[i] - 1) * cnp.PyArray_STRIDE(array, i)
        ends[2 * which + 1] += cnp.PyArray_ITEMSIZE(array)
    return ends[0] < ends[3] and ends[2] < ends[1]


def move(y, x, bint accumulate=False):
    """y[...] = x, or += for floats, by launches: whether there are some for these arrays; else nothing has happened.

    There are none for elements of another size than 4 or 8 bytes, for two dtypes, for memory that the two share, and for
    layouts of more than five axes, or of five that are all long.
    """
    cdef ndarray to = <ndarray?>y, source = <ndarray?>x
    cdef cg_strided_args a = cg_strided_args(accumulate=accumulate)
    cdef Axis outer
    cdef int i, missing = cnp.PyArray_NDIM(to) - cnp.PyArray_NDIM(source)
    if (cnp.PyArray_TYPE(to) != cnp.PyArray_TYPE(source) or not movable(to) or not movable(source) or missing < 0
            or not cnp.PyArray_ISWRITEABLE(to) or (accumulate and not is_real(to))):
        return False
    for i in range(cnp.PyArray_NDIM(source)):
        if source.shape[i] != to.shape[i + missing] and source.shape[i] != 1:
            return False
    if not lay_out(&a, &outer, cnp.PyArray_NDIM(to), cnp.PyArray_DIMS(to), cnp.PyArray_STRIDES(to), source):
        return False
    if size(to) == 0:
        return True
    if overlap(to, source):
        return False
    launch_strided(&a, outer, to, source)
    return True


def unset(shape, dtype, order=None):
    """A new array that a wrapper sets: what it contains is undefined. ``order`` names the axes in the order of memory, if
    that is not C order."""
    cdef cnp.dtype descr = np.dtype(dtype)
    cdef cnp.npy_intp sizes[MOST_AXES]
    cdef int i, ndim = len(shape)
    check_axes_fit("unset", ndim)
    check_order("unset", ndim, order)
    for i in range(ndim):
        sizes[i] = shape[i if order is None else order[i]]
    cdef ndarray y = empty(ndim, sizes, descr.num)
    if order is not None:
        rename_axes(y, order)
    return y


cdef int check_order(str op, int ndim, order) except -1:
    if order is not None and sorted(order) != list(range(ndim)):
        raise ValueError(f"{op}: order must name each of the {ndim} axes once, got {order}")
    return 0


def zeros(shape, dtype, order=None):
    """A new array of zeros: from the pool if it is large; while a step is recorded, one of floats is set by a launch.
    ``order`` names the axes in the order of memory, if that is not C order."""
    cdef cnp.dtype descr = np.dtype(dtype)
    cdef int64_t bytes = descr.itemsize
    cdef bint by_launch = tape is not None and tape.is_active() and descr.kind == "f"
    cdef ndarray y
    check_order("zeros", len(shape), order)
    sizes = shape if order is None else [shape[axis] for axis in order]
    if by_launch:
        y = unset(shape, descr, order)
        move(y, number_of(0, cnp.PyArray_TYPE(y)))
        return y
    for n in sizes:
        bytes *= n
    y = np.zeros(sizes, descr) if bytes < CG_POOL_BYTES else pooled(np.zeros, sizes, descr)
    if order is not None:
        rename_axes(y, order)
    return y


cdef int rename_axes(ndarray y, order) except -1:
    """Make axis i of a new array its axis order[i]: of the array itself, which owns its memory as a view would not."""
    cdef cnp.npy_intp sizes[MOST_AXES]
    cdef cnp.npy_intp strides[MOST_AXES]
    cdef int i, axis, ndim = cnp.PyArray_NDIM(y)
    check_axes_fit("zeros", ndim)
    for i in range(ndim):
        axis = order[i]
        sizes[axis], strides[axis] = cnp.PyArray_DIM(y, i), cnp.PyArray_STRIDE(y, i)
    for i in range(ndim):
        cnp.PyArray_DIMS(y)[i], cnp.PyArray_STRIDES(y)[i] = sizes[i], strides[i]
    cnp.PyArray_UpdateFlags(y, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_F_CONTIGUOUS)
    return 0
