# Layer norm of x[rows…, cols…]: each row, which is the last `axes` axes, separately.

cdef ndarray norm_input(object x, int axes, int64_t *rows, int64_t *cols):
    cdef ndarray source = real("layer_norm", "input", x)
    cdef int ndim = cnp.PyArray_NDIM(source), i
    if not 0 < axes <= ndim:
        raise ShapeError(f"layer_norm: input has shape {shape_of(source)}, but the last {axes} axes are wanted")
    rows[0] = cols[0] = 1
    for i in range(ndim):
        (rows if i < ndim - axes else cols)[0] *= source.shape[i]
    return source


cdef ndarray checked_columns(str name, object x, ndarray source, int64_t cols):
    """One element for each column of `source`, or None."""
    if x is None:
        return None
    cdef ndarray array = real("layer_norm", name, x)
    check_same_dtype("layer_norm", name, array, "input", source)
    if size(array) != cols:
        raise ShapeError(f"layer_norm: {name} has shape {shape_of(array)}, but rows have {cols} elements")
    return array


cdef ndarray row_statistic(str name, object x, ndarray source, int64_t rows):
    """One element for each row of `source`."""
    cdef ndarray array = real("layer_norm", name, x)
    check_same_dtype("layer_norm", name, array, "input", source)
    if size(array) != rows:
        raise ShapeError(f"layer_norm: {name} has shape {shape_of(array)}, but there are {rows} rows")
    return array


def layer_norm(x, weight, bias, double eps, int axes=1):
    """(y, mean[2, rows], rstd): y in the shape of x, the mean of each row, rounded and what that lost, and its rstd."""
    cdef int64_t rows = 0, cols = 0
    cdef ndarray source = norm_input(x, axes, &rows, &cols)
    cdef ndarray w = checked_columns("weight", weight, source, cols), b = checked_columns("bias", bias, source, cols)
    cdef int type_number = cnp.PyArray_TYPE(source)
    cdef cnp.npy_intp count = rows
    cdef ndarray y = empty_like(source), mean = empty_means(rows, source), rstd = empty(1, &count, type_number)
    cdef cg_layer_norm_args args = cg_layer_norm_args(
        y=data(y), mean=data(mean), rstd=data(rstd), x=data(source), weight=optional(w), bias=optional(b),
        rows=rows, cols=cols, eps=eps)
    launch(CG_layer_norm, dtype_of(y), &args)
    return y, mean, rstd


def layer_norm_backward(dy, x, weight, mean, rstd, bint want_x, bint want_w, int axes=1):
    """(dx, dw, db): dx in the shape of x, dw and db in that of its last axes; None for those not wanted, dw and db
    together."""
    cdef int64_t rows = 0, cols = 0
    cdef ndarray source = norm_input(x, axes, &rows, &cols), g = like("layer_norm", "gradient", dy, "input", source)
    cdef ndarray w = checked_columns("weight", weight, source, cols)
    cdef ndarray m = split_means("layer_norm", mean, rows, source), s = row_statistic("rstd", rstd, source, rows)
    cdef ndarray dx = empty_like(source) if want_x else None, dw = None, db = None, w_sums = None, b_sums = None
    cdef int type_number = cnp.PyArray_TYPE(g)
    # Rows of a partial sum, such that there are few sums for small inputs and never more than 64.
    cdef int64_t block = 32 if rows <= 64 * 32 else (rows + 63) // 64
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = (rows + block - 1) // block, cols
    if want_w:
        dw = empty(axes, cnp.PyArray_DIMS(source) + cnp.PyArray_NDIM(source) - axes, type_number)
        db = empty_like(dw)
        w_sums, b_sums = (dw, db) if shape[0] == 1 else (empty(2, shape, type_number), empty(2, shape, type_number))
    cdef cg_layer_norm_backward_args args = cg_layer_norm_backward_args(
        dx=optional(dx), dw=optional(w_sums), db=optional(b_sums), dy=data(g), x=data(source), weight=optional(w),
        mean=data(m), rstd=data(s), rows=rows, cols=cols, block=block)
    launch(CG_layer_norm_backward, dtype_of(g), &args)
    if want_w and shape[0] != 1:
        add_rows(dw, w_sums)
        add_rows(db, b_sums)
    return dx, dw, db


cdef int add_rows(ndarray total, ndarray sums) except -1:
    """total = Σ sums over the first axis"""
    cdef cg_sum_args args = cg_sum_args(
        y=data(total), x=data(sums), outer=1, count=sums.shape[0], inner=sums.shape[1], scale=1.0)
    return launch(CG_sum, dtype_of(total), &args)
