# Arithmetic of two operands with broadcasting. All argument blocks of the family have the layout of add's.

cdef enum:
    MOST_SLICES = 64  # launches of one operation


cdef struct Layout:
    int64_t row, col  # steps in elements


cdef bint contiguous(ndarray x) noexcept:
    return cnp.PyArray_ISCARRAY_RO(x)


cdef bint read_as(ndarray x, int ndim, cnp.npy_intp *shape, int first, int split, Layout *layout) noexcept:
    """Whether contiguous x, broadcast to `shape`, has constant steps if the axes from `first` on are taken as rows before
    `split` and as columns after it. If so, `layout` receives the steps."""
    cdef int x_ndim = cnp.PyArray_NDIM(x), axis, k
    cdef int64_t rows = 1, cols = 1, x_rows = 1, x_cols = 1
    for axis in range(first, ndim):
        k = axis - (ndim - x_ndim)
        if axis < split:
            rows *= shape[axis]
            x_rows *= x.shape[k] if k >= 0 else 1
        else:
            cols *= shape[axis]
            x_cols *= x.shape[k] if k >= 0 else 1
    if not ((x_rows == rows or x_rows == 1) and (x_cols == cols or x_cols == 1)):
        return False
    layout.col = 1 if x_cols > 1 else 0
    layout.row = x_cols if x_rows > 1 else 0
    return True


cdef ndarray arithmetic(int kernel, str op, object x, object y):
    """out = x op y for two arrays of one dtype, broadcast as NumPy does."""
    cdef ndarray u = real(op, "input", x), v = real(op, "other", y), out
    check_same_dtype(op, "other", v, "input", u)
    cdef int ndim = max(cnp.PyArray_NDIM(u), cnp.PyArray_NDIM(v)), i, split
    cdef int u_ndim = cnp.PyArray_NDIM(u), v_ndim = cnp.PyArray_NDIM(v)
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef int64_t a, b
    for i in range(ndim):
        a = u.shape[i - (ndim - u_ndim)] if i >= ndim - u_ndim else 1
        b = v.shape[i - (ndim - v_ndim)] if i >= ndim - v_ndim else 1
        if a != b and a != 1 and b != 1:
            raise ShapeError(f"{op}: shapes {shape_of(u)} and {shape_of(v)} do not broadcast")
        shape[i] = b if a == 1 else a
    out = empty(ndim, shape, cnp.PyArray_TYPE(u))
    cdef Layout lu, lv
    cdef int64_t slices = 1, slice, u_step = 0, v_step = 0
    for split in range(ndim + 1):
        if read_as(u, ndim, shape, 0, split, &lu) and read_as(v, ndim, shape, 0, split, &lv):
            break
    else:
        split = sliced(u, v, ndim, shape, &lu, &lv)
        if split:  # such as (3, 5, 2) with (3, 1, 2): a launch for each index of the first axis
            slices = shape[0]
            u_step = cnp.PyArray_SIZE(u) // slices if u_ndim == ndim and u.shape[0] > 1 else 0
            v_step = cnp.PyArray_SIZE(v) // slices if v_ndim == ndim and v.shape[0] > 1 else 0
        else:
            # Any other mixed pattern, such as (3, 1, 2) with (1, 4, 1), is expanded first.
            u = cnp.PyArray_FROMANY(
                np.broadcast_to(u, shape_of(out)), cnp.PyArray_TYPE(u), 0, 0, cnp.NPY_ARRAY_CARRAY_RO)
            v = cnp.PyArray_FROMANY(
                np.broadcast_to(v, shape_of(out)), cnp.PyArray_TYPE(v), 0, 0, cnp.NPY_ARRAY_CARRAY_RO)
            read_as(u, ndim, shape, 0, 0, &lu)
            read_as(v, ndim, shape, 0, 0, &lv)
    cdef int64_t rows = 1, cols = 1, item = cnp.PyArray_ITEMSIZE(out)
    for i in range(1 if slices > 1 else 0, ndim):
        if i < split:
            rows *= shape[i]
        else:
            cols *= shape[i]
    cdef cg_add_args args = cg_add_args(
        out=data(out), x=data(u), y=data(v), rows=rows, cols=cols,
        x_row=lu.row, x_col=lu.col, y_row=lv.row, y_col=lv.col)
    if not (rows and cols):
        return out
    for slice in range(slices):
        launch(kernel, dtype_of(out), &args)
        args.out = <char *>args.out + rows * cols * item
        args.x = <char *>args.x + u_step * item
        args.y = <char *>args.y + v_step * item
    return out


cdef int sliced(ndarray u, ndarray v, int ndim, cnp.npy_intp *shape, Layout *lu, Layout *lv) noexcept:
    """The axis before which the others but the first are rows, if contiguous u and v have constant steps at each index of
    the first axis; 0 if not, or if these are many."""
    cdef int split
    if ndim < 3 or not 1 < shape[0] <= MOST_SLICES:
        return 0
    for split in range(1, ndim + 1):
        if read_as(u, ndim, shape, 1, split, lu) and read_as(v, ndim, shape, 1, split, lv):
            return split
    return 0


cdef ndarray number_of(double value, int type_number):
    """A constant: a new 0-d array of a float type."""
    cdef ndarray x = empty(0, NULL, type_number)
    if type_number == cnp.NPY_FLOAT32:
        (<float *>data(x))[0] = value
    else:
        (<double *>data(x))[0] = value
    return x


def number(double value, dtype):
    """A constant as a 0-d array of dtype float32 or float64."""
    return number_of(value, cnp.NPY_FLOAT32 if dtype == np.float32 else cnp.NPY_FLOAT64)


def repeated(x, shape, double divisor=1.0):
    """x/divisor, broadcast to `shape`, as a new array."""
    cdef ndarray u = real("expand", "input", x), wide = np.broadcast_to(u, shape), out
    cdef int split, ndim = cnp.PyArray_NDIM(wide), i
    cdef Layout layout
    for split in range(ndim + 1):
        if read_as(u, ndim, cnp.PyArray_DIMS(wide), 0, split, &layout):
            break
    else:
        u = cnp.PyArray_FROMANY(wide, cnp.PyArray_TYPE(u), 0, 0, cnp.NPY_ARRAY_CARRAY_RO)
        split = 0
        layout = Layout(0, 1)
    out = empty(ndim, cnp.PyArray_DIMS(wide), cnp.PyArray_TYPE(u))
    cdef int64_t rows = 1, cols = 1
    for i in range(ndim):
        if i < split:
            rows *= out.shape[i]
        else:
            cols *= out.shape[i]
    cdef ndarray by = number_of(divisor, cnp.PyArray_TYPE(u))
    cdef cg_div_args args = cg_div_args(
        out=data(out), x=data(u), y=data(by), rows=rows, cols=cols, x_row=layout.row, x_col=layout.col, y_row=0, y_col=0)
    if rows and cols:
        launch(CG_div, dtype_of(out), &args)
    return out


def copy_into(y, x):
    """y ← x, both contiguous and of the same size in bytes."""
    cdef ndarray to = <ndarray?>y, source = <ndarray?>x
    if not cnp.PyArray_ISCARRAY(to) or not cnp.PyArray_ISCARRAY_RO(source) or to.nbytes != source.nbytes:
        raise ValueError(f"copy_into: arrays of {source.nbytes} and {to.nbytes} bytes must be contiguous and of equal size")
    cdef cg_copy_args args = cg_copy_args(y=data(to), x=data(source), bytes=to.nbytes)
    launch(CG_copy, CG_FLOAT32, &args)


def copied(x):
    """A copy of x in C order."""
    cdef ndarray source = <ndarray?>x, y
    if not cnp.PyArray_ISCARRAY_RO(source):
        return dense(source)
    if source.dtype.kind not in "biuf" or cnp.PyArray_ITEMSIZE(source) > 8:
        return np.array(source, order="C")
    y = empty_like(source)
    copy_into(y, source)
    return y


cdef ndarray counter(str op, object x):
    """x, checked to be an int64 array of one element, which a kernel reads or increments."""
    if not isinstance(x, cnp.ndarray) or cnp.PyArray_TYPE(<ndarray>x) != cnp.NPY_INT64 or size(<ndarray>x) != 1:
        raise TypeError(f"{op}: a count must be an int64 array of one element, got {getattr(x, 'dtype', type(x).__name__)}")
    if not cnp.PyArray_ISCARRAY(<ndarray>x):
        raise ValueError(f"{op}: a count must be writeable")
    return <ndarray>x


def count(x):
    """x ← x + 1, for an int64 array of one element."""
    cdef cg_count_args args = cg_count_args(y=data(counter("count", x)))
    launch(CG_count, CG_FLOAT32, &args)


def add(x, y):
    """x + y, broadcast."""
    return arithmetic(CG_add, "add", x, y)


def sub(x, y):
    """x − y, broadcast."""
    return arithmetic(CG_sub, "sub", x, y)


def mul(x, y):
    """x·y, broadcast."""
    return arithmetic(CG_mul, "mul", x, y)


def div(x, y):
    """x/y, broadcast."""
    return arithmetic(CG_div, "div", x, y)
