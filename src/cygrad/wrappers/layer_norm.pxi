# Layer norm of x[rows, cols]; the op has joined the axes.

cdef ndarray rows_of(object x):
    cdef ndarray source = real("layer_norm", "input", x)
    if cnp.PyArray_NDIM(source) != 2:
        raise ValueError(f"layer_norm: input must have shape (rows, cols), got {shape_of(source)}")
    return source


cdef ndarray one_a_column(str name, object x, ndarray source):
    """One number a column of `source`, or None."""
    if x is None:
        return None
    cdef ndarray array = real("layer_norm", name, x)
    check_same_dtype("layer_norm", name, array, "input", source)
    if size(array) != source.shape[1]:
        raise ValueError(f"layer_norm: {name} has shape {shape_of(array)}, but rows have {source.shape[1]} numbers")
    return array


def layer_norm(x, weight, bias, double eps):
    """(y, mean, rstd)"""
    cdef ndarray source = rows_of(x)
    cdef ndarray w = one_a_column("weight", weight, source), b = one_a_column("bias", bias, source)
    cdef ndarray y = empty_like(source), mean = rows_like(source), rstd = rows_like(source)
    cdef cg_layer_norm_args args = cg_layer_norm_args(
        y=data(y), mean=data(mean), rstd=data(rstd), x=data(source), weight=optional(w), bias=optional(b),
        rows=source.shape[0], cols=source.shape[1], eps=eps)
    launch(CG_layer_norm, dtype_of(y), &args, 0.5 * size(y))
    return y, mean, rstd


def layer_norm_backward(dy, x, weight, mean, rstd, bint want_x, bint want_w):
    """(dx, dwb): dwb[2, cols] holds dw and db; None for what is not wanted."""
    cdef ndarray source = rows_of(x), g = like("layer_norm", "gradient", dy, "input", source)
    cdef ndarray w = one_a_column("weight", weight, source), m = mean, s = rstd
    cdef ndarray dx = empty_like(source) if want_x else None, partial = None, total = None
    # Rows of a partial sum: few enough sums for small inputs, and never more than 64.
    cdef int64_t rows = source.shape[0], cols = source.shape[1], block = 32
    if rows > 64 * block:
        block = (rows + 63) // 64
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = (rows + block - 1) // block, 2, cols
    if want_w:
        partial = empty(3, shape, cnp.PyArray_TYPE(g))
        total = empty(2, shape + 1, cnp.PyArray_TYPE(g))
    cdef cg_layer_norm_backward_args args = cg_layer_norm_backward_args(
        dx=optional(dx), partial=optional(partial), dy=data(g), x=data(source), weight=optional(w), mean=data(m),
        rstd=data(s), rows=rows, cols=cols, block=block)
    cdef cg_sum_args sums
    launch(CG_layer_norm_backward, dtype_of(g), &args, 0.7 * size(g))
    if want_w:
        sums = cg_sum_args(y=data(total), x=data(partial), outer=1, count=shape[0], inner=2 * cols, scale=1.0)
        launch(CG_sum, dtype_of(g), &sums, 0.15 * size(partial))
    return dx, total
