# Sums, maxima and minima of x[outer, count, inner] over the middle axis.

cdef struct Middle:
    int64_t outer, count, inner


cdef Middle middle(ndarray x, int first, int last) noexcept:
    """x with its axes first..last − 1 merged into one."""
    cdef Middle m = Middle(1, 1, 1)
    cdef int i
    for i in range(cnp.PyArray_NDIM(x)):
        if i < first:
            m.outer *= x.shape[i]
        elif i < last:
            m.count *= x.shape[i]
        else:
            m.inner *= x.shape[i]
    return m


cdef ndarray without_axes(ndarray x, int first, int last):
    """A new array of x's shape without its axes first..last − 1."""
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef int i, ndim = 0
    for i in range(cnp.PyArray_NDIM(x)):
        if not first <= i < last:
            shape[ndim] = x.shape[i]
            ndim += 1
    return empty(ndim, shape, cnp.PyArray_TYPE(x))


cdef int check_axes(str op, ndarray x, int first, int last) except -1:
    if not 0 <= first <= last <= cnp.PyArray_NDIM(x):
        raise ValueError(f"{op}: axes {first} to {last} are out of range for shape {shape_of(x)}")
    return 0


# A longer sum is computed block by block, so that threads can share it.
cdef int64_t LONG_SUM = 65536


def sum_axes(x, int first, int last, double scale=1.0):
    """scale·Σ over the axes first..last − 1 of x."""
    cdef ndarray source = real("sum", "input", x), y, partial
    check_axes("sum", source, first, last)
    y = without_axes(source, first, last)
    cdef Middle m = middle(source, first, last)
    cdef cg_sum_args args = cg_sum_args(
        y=data(y), x=data(source), outer=m.outer, count=m.count, inner=m.inner, scale=scale)
    cdef cnp.npy_intp blocks
    cdef cg_sum_blocks_args parts
    if m.outer == 1 and m.inner == 1 and m.count > LONG_SUM:
        blocks = (m.count + CG_BLOCK - 1) // CG_BLOCK
        partial = empty(1, &blocks, cnp.PyArray_TYPE(y))
        parts = cg_sum_blocks_args(partial=data(partial), x=data(source), n=m.count)
        launch(CG_sum_blocks, dtype_of(y), &parts)
        args.x = data(partial)
        args.count = blocks
        launch(CG_sum, dtype_of(y), &args)
    else:
        launch(CG_sum, dtype_of(y), &args)
    return y


cdef ndarray extreme(int kernel, str op, object x, int first, int last):
    cdef ndarray source = real(op, "input", x), y
    check_axes(op, source, first, last)
    y = without_axes(source, first, last)
    cdef Middle m = middle(source, first, last)
    if m.count == 0 and m.outer * m.inner:
        raise ValueError(f"{op}: cannot reduce an input of shape {shape_of(source)}, which has no elements")
    cdef cg_max_args args = cg_max_args(y=data(y), x=data(source), outer=m.outer, count=m.count, inner=m.inner)
    if m.outer * m.inner:
        launch(kernel, dtype_of(y), &args)
    return y


def max_axes(x, int first, int last):
    """The largest over the axes first..last − 1 of x, NaN if there is one."""
    return extreme(CG_max, "max", x, first, last)


def min_axes(x, int first, int last):
    """The smallest over the axes first..last − 1 of x, NaN if there is one."""
    return extreme(CG_min, "min", x, first, last)
