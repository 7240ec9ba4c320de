# Pooling of x[…, height, width], or x[…, width]. The windows of an axis are (outputs, kernel, stride, padding, dilation); a kernel of
# 0 makes them adaptive.

cdef struct axis_windows:
    int64_t n, out, kernel, stride, padding, dilation

cdef struct planes:
    int64_t count
    axis_windows rows, cols

# So that no product of a position and a step overflows.
cdef int64_t MOST_WINDOW = 0x7fffffff


cdef axis_windows windows_of(str op, tuple windows, int64_t n) except *:
    cdef axis_windows w
    w.n, (w.out, w.kernel, w.stride, w.padding, w.dilation) = n, windows
    if not (0 <= w.out <= MOST_WINDOW and 0 <= w.kernel <= MOST_WINDOW and 1 <= w.stride <= MOST_WINDOW
            and 0 <= w.padding <= MOST_WINDOW and 1 <= w.dilation <= MOST_WINDOW and n <= MOST_WINDOW):
        raise ValueError(f"{op}: windows {windows} do not fit a dimension of size {n}")
    if w.kernel and (w.kernel - 1) * w.dilation > MOST_WINDOW:
        raise ValueError(f"{op}: {w.kernel} elements, {w.dilation} apart, are too far apart")
    return w


cdef planes planes_of(str op, ndarray x, tuple windows) except *:
    """The planes of x, of one or two axes."""
    cdef planes p
    cdef int ndim = cnp.PyArray_NDIM(x), axes = len(windows), i
    if not 1 <= axes <= 2 or ndim < axes:
        raise ShapeError(f"{op}: input must have at least {axes} dimensions, got shape {shape_of(x)}")
    p.count = 1
    for i in range(ndim - axes):
        p.count *= x.shape[i]
    p.rows = windows_of(op, windows[0] if axes == 2 else (1, 1, 1, 0, 1), x.shape[ndim - 2] if axes == 2 else 1)
    p.cols = windows_of(op, windows[axes - 1], x.shape[ndim - 1])
    return p


cdef bint in_pairs(axis_windows w) noexcept nogil:
    return w.kernel == 2 and w.stride == 2 and not w.padding and w.dilation == 1 and 2 * w.out <= w.n


cdef ndarray empty_planes(ndarray x, int axes, int64_t height, int64_t width, int type_number):
    """A new array of planes of another size."""
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef int ndim = cnp.PyArray_NDIM(x), i
    for i in range(ndim - axes):
        shape[i] = x.shape[i]
    shape[ndim - 1] = width
    if axes == 2:
        shape[ndim - 2] = height
    return empty(ndim, shape, type_number)


cdef int check_pooled(str op, ndarray dy, planes p, int axes) except -1:
    cdef int ndim = cnp.PyArray_NDIM(dy)
    if dy.shape[ndim - 1] != p.cols.out or (axes == 2 and dy.shape[ndim - 2] != p.rows.out):
        raise ShapeError(f"{op}: gradient has shape {shape_of(dy)}, but there are {p.rows.out}·{p.cols.out} windows")
    return 0


cdef ndarray before_pooling(str op, ndarray dy, tuple sizes):
    """A new array of the shape before pooling."""
    cdef int axes = len(sizes)
    if not 1 <= axes <= 2 or cnp.PyArray_NDIM(dy) < axes or min(sizes) < 0:
        raise ShapeError(f"{op}: gradient has shape {shape_of(dy)}, which can't come from planes of {sizes}")
    return empty_planes(dy, axes, sizes[0], sizes[axes - 1], cnp.PyArray_TYPE(dy))


def max_pool(x, tuple windows):
    """(y, index): the largest elements of the windows, and their positions in the plane, in int32 for float32."""
    cdef ndarray source = real("max_pool", "input", x)
    cdef planes p = planes_of("max_pool", source, windows)
    cdef int axes = len(windows), type_number = cnp.PyArray_TYPE(source)
    if type_number == cnp.NPY_FLOAT32 and p.rows.n * p.cols.n > 0x7fffffff:
        raise ValueError(f"max_pool: a plane of {p.rows.n}·{p.cols.n} float32 elements is too large")
    cdef ndarray y = empty_planes(source, axes, p.rows.out, p.cols.out, type_number)
    cdef ndarray index = empty_planes(
        source, axes, p.rows.out, p.cols.out, cnp.NPY_INT32 if type_number == cnp.NPY_FLOAT32 else cnp.NPY_INT64)
    cdef cg_max_pool_args args = cg_max_pool_args(
        y=data(y), index=data(index), x=data(source), planes=p.count, height=p.rows.n, width=p.cols.n,
        out_height=p.rows.out, out_width=p.cols.out, row_kernel=p.rows.kernel, row_stride=p.rows.stride,
        row_padding=p.rows.padding, row_dilation=p.rows.dilation, col_kernel=p.cols.kernel, col_stride=p.cols.stride,
        col_padding=p.cols.padding, col_dilation=p.cols.dilation)
    launch(CG_max_pool, dtype_of(y), &args)
    return y, index


def max_pool_backward(dy, index, tuple sizes, tuple windows):
    """dx[…, *sizes]: dy at the positions `index`, added up."""
    cdef ndarray g = real("max_pool", "gradient", dy), at = <ndarray?>index, dx = before_pooling("max_pool", g, sizes)
    cdef planes p = planes_of("max_pool", dx, windows)
    cdef int wanted = cnp.NPY_INT32 if cnp.PyArray_TYPE(g) == cnp.NPY_FLOAT32 else cnp.NPY_INT64
    check_pooled("max_pool", g, p, len(windows))
    if cnp.PyArray_TYPE(at) != wanted or not cnp.PyArray_ISCARRAY_RO(at) or not cnp.PyArray_SAMESHAPE(at, g):
        raise ShapeError(f"max_pool: gradient has shape {shape_of(g)}, but index is {at.dtype} of shape {shape_of(at)}")
    if size(g) == 0:  # no windows
        return zeros(shape_of(dx), dx.dtype)
    cdef cg_max_pool_backward_args args = cg_max_pool_backward_args(
        dx=data(dx), dy=data(g), index=data(at), planes=p.count, height=p.rows.n, width=p.cols.n, out_height=p.rows.out,
        out_width=p.cols.out, pairs=in_pairs(p.rows) and in_pairs(p.cols))
    launch(CG_max_pool_backward, dtype_of(dx), &args)
    return dx


def avg_pool(x, tuple windows, bint padded=True, double divisor=0.0):
    """The sums of the windows over the divisor, or, if it is 0, over their elements, with those in the padding if `padded`."""
    cdef ndarray source = real("avg_pool", "input", x)
    cdef planes p = planes_of("avg_pool", source, windows)
    cdef ndarray y = empty_planes(source, len(windows), p.rows.out, p.cols.out, cnp.PyArray_TYPE(source))
    if p.rows.dilation != 1 or p.cols.dilation != 1:
        raise ValueError(f"avg_pool: dilation must be 1, got {p.rows.dilation} and {p.cols.dilation}")
    cdef cg_avg_pool_args args = cg_avg_pool_args(
        y=data(y), x=data(source), planes=p.count, height=p.rows.n, width=p.cols.n, out_height=p.rows.out,
        out_width=p.cols.out, row_kernel=p.rows.kernel, row_stride=p.rows.stride, row_padding=p.rows.padding,
        row_dilation=1, col_kernel=p.cols.kernel, col_stride=p.cols.stride, col_padding=p.cols.padding, col_dilation=1,
        padded=padded, divisor=divisor)
    launch(CG_avg_pool, dtype_of(y), &args)
    return y


def avg_pool_backward(dy, tuple sizes, tuple windows, bint padded=True, double divisor=0.0):
    """dx[…, *sizes]: dy over the divisor or the count, spread over its window."""
    cdef ndarray g = real("avg_pool", "gradient", dy), dx = before_pooling("avg_pool", g, sizes)
    cdef planes p = planes_of("avg_pool", dx, windows)
    check_pooled("avg_pool", g, p, len(windows))
    if p.rows.dilation != 1 or p.cols.dilation != 1:
        raise ValueError(f"avg_pool: dilation must be 1, got {p.rows.dilation} and {p.cols.dilation}")
    if size(g) == 0:  # no windows
        return zeros(shape_of(dx), dx.dtype)
    cdef cg_avg_pool_backward_args args = cg_avg_pool_backward_args(
        dx=data(dx), dy=data(g), planes=p.count, height=p.rows.n, width=p.cols.n, out_height=p.rows.out,
        out_width=p.cols.out, row_kernel=p.rows.kernel, row_stride=p.rows.stride, row_padding=p.rows.padding,
        row_dilation=1, col_kernel=p.cols.kernel, col_stride=p.cols.stride, col_padding=p.cols.padding, col_dilation=1,
        padded=padded, divisor=divisor)
    launch(CG_avg_pool_backward, dtype_of(dx), &args)
    return dx
