# Softmax and log-softmax along the last axis. Their argument blocks have the same layout.

cdef int64_t last_axis(str op, ndarray x) except -1:
    if cnp.PyArray_NDIM(x) < 1:
        raise ValueError(f"{op}: input must have at least one axis, got a 0-d array")
    return x.shape[cnp.PyArray_NDIM(x) - 1]


cdef ndarray row_wise(int kernel, str op, object x):
    cdef ndarray source = real(op, "input", x), y = empty_like(source)
    cdef int64_t cols = last_axis(op, source)
    cdef cg_softmax_args args = cg_softmax_args(y=data(y), x=data(source), rows=size(y) // cols if cols else 0, cols=cols)
    launch(kernel, dtype_of(y), &args)
    return y


cdef ndarray row_wise_backward(int kernel, str op, object dy, object y):
    cdef ndarray output = real(op, "output", y), upstream = like(op, "gradient", dy, "output", output)
    cdef ndarray dx = empty_like(output)
    cdef int64_t cols = last_axis(op, output)
    cdef cg_softmax_backward_args args = cg_softmax_backward_args(
        dx=data(dx), dy=data(upstream), y=data(output), rows=size(dx) // cols if cols else 0, cols=cols)
    launch(kernel, dtype_of(dx), &args)
    return dx


def softmax(x):
    """y = eˣ/Σ eˣ along the last axis."""
    return row_wise(CG_softmax, "softmax", x)


def softmax_backward(dy, y):
    """dx = y·(dy − Σ dy·y)"""
    return row_wise_backward(CG_softmax_backward, "softmax", dy, y)


def log_softmax(x):
    """y = x − log Σ eˣ along the last axis."""
    return row_wise(CG_log_softmax, "log_softmax", x)


def log_softmax_backward(dy, y):
    """dx = dy − eʸ·Σ dy"""
    return row_wise_backward(CG_log_softmax_backward, "log_softmax", dy, y)
