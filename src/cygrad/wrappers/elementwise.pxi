# Arithmetic of two operands with broadcasting. The argument blocks of the family have one layout; those of add stand
# for all.

cdef struct Layout:
    int64_t row, col  # steps in elements


cdef bint contiguous(ndarray x) noexcept:
    return cnp.PyArray_ISCARRAY_RO(x)


cdef bint read_as(ndarray x, int ndim, cnp.npy_intp *shape, int split, Layout *layout) noexcept:
    """Whether contiguous x, broadcast to `shape`, is read with constant steps when the axes before `split` are rows and
    those from it columns; `layout` then receives the steps."""
    cdef int own = cnp.PyArray_NDIM(x), axis, k
    cdef int64_t rows = 1, cols = 1, own_rows = 1, own_cols = 1
    for axis in range(ndim):
        k = axis - (ndim - own)
        if axis < split:
            rows *= shape[axis]
            own_rows *= x.shape[k] if k >= 0 else 1
        else:
            cols *= shape[axis]
            own_cols *= x.shape[k] if k >= 0 else 1
    if not ((own_rows == rows or own_rows == 1) and (own_cols == cols or own_cols == 1)):
        return False
    layout.col = 1 if own_cols > 1 else 0
    layout.row = own_cols if own_rows > 1 else 0
    return True


cdef ndarray arithmetic(int kernel, str op, object x, object y):
    """out = x op y for two arrays of one dtype, broadcast as NumPy does."""
    cdef ndarray u = real(op, "input", x), v = real(op, "other", y), out
    check_same_dtype(op, "other", v, "input", u)
    cdef int ndim = max(cnp.PyArray_NDIM(u), cnp.PyArray_NDIM(v)), i, split
    cdef int own_u = cnp.PyArray_NDIM(u), own_v = cnp.PyArray_NDIM(v)
    cdef cnp.npy_intp shape[64]
    cdef int64_t a, b
    for i in range(ndim):
        a = u.shape[i - (ndim - own_u)] if i >= ndim - own_u else 1
        b = v.shape[i - (ndim - own_v)] if i >= ndim - own_v else 1
        if a != b and a != 1 and b != 1:
            raise ValueError(f"{op}: shapes {shape_of(u)} and {shape_of(v)} do not broadcast")
        shape[i] = b if a == 1 else a
    out = empty(ndim, shape, cnp.PyArray_TYPE(u))
    cdef Layout lu, lv
    for split in range(ndim + 1):
        if read_as(u, ndim, shape, split, &lu) and read_as(v, ndim, shape, split, &lv):
            break
    else:
        # A mixed pattern such as (3, 1, 2) with (1, 4, 1): written out first.
        u = cnp.PyArray_FROMANY(np.broadcast_to(u, shape_of(out)), cnp.PyArray_TYPE(u), 0, 0, cnp.NPY_ARRAY_CARRAY_RO)
        v = cnp.PyArray_FROMANY(np.broadcast_to(v, shape_of(out)), cnp.PyArray_TYPE(v), 0, 0, cnp.NPY_ARRAY_CARRAY_RO)
        split = 0
        read_as(u, ndim, shape, 0, &lu)
        read_as(v, ndim, shape, 0, &lv)
    cdef int64_t rows = 1, cols = 1
    for i in range(ndim):
        if i < split:
            rows *= shape[i]
        else:
            cols *= shape[i]
    cdef cg_add_args args = cg_add_args(
        out=data(out), x=data(u), y=data(v), rows=rows, cols=cols,
        x_row=lu.row, x_col=lu.col, y_row=lv.row, y_col=lv.col)
    if rows and cols:
        launch(kernel, dtype_of(out), &args, 0.3 * rows * cols)
    return out


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
