# Batch norm of x[rows, channels, …].

cdef ndarray channels(str op, str name, object x, ndarray source):
    """One element for each channel of `source`, or None."""
    if x is None:
        return None
    cdef ndarray array = real(op, name, x)
    check_same_dtype(op, name, array, "input", source)
    if cnp.PyArray_NDIM(array) != 1 or array.shape[0] != source.shape[1]:
        raise ShapeError(f"{op}: {name} has shape {shape_of(array)}, but the input {shape_of(source)} has "
                         f"{source.shape[1]} channels")
    return array


cdef ndarray batch_input(object x):
    cdef ndarray source = real("batch_norm", "input", x)
    if cnp.PyArray_NDIM(source) < 2:
        raise ValueError(f"batch_norm: input must have at least 2 dimensions, got shape {shape_of(source)}")
    return source


cdef inline int64_t inner_of(ndarray x) noexcept:
    """The elements of one row and channel."""
    return middle(x, 0, 2).inner


cdef ndarray empty_channels(ndarray x):
    cdef cnp.npy_intp count = x.shape[1]
    return empty(1, &count, cnp.PyArray_TYPE(x))


cdef ndarray split_means(str op, object mean, int64_t count, ndarray source):
    """mean[2, count]: rounded means, and what the rounding lost."""
    cdef ndarray array = real(op, "mean", mean)
    check_same_dtype(op, "mean", array, "input", source)
    if cnp.PyArray_NDIM(array) != 2 or array.shape[0] != 2 or array.shape[1] != count:
        raise ShapeError(f"{op}: mean must have shape (2, {count}), got {shape_of(array)}")
    return array


cdef ndarray empty_means(int64_t count, ndarray source):
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = 2, count
    return empty(2, shape, cnp.PyArray_TYPE(source))


def batch_norm(x, weight, bias, running_mean, running_var, double momentum, double eps, batches=None):
    """(y, mean, rstd) in training, mean[2, channels] rounded and what that lost; running_mean and running_var are updated in place
    unless they are None. With `batches`, an int64 array of one element that counts the batches so far, the momentum is
    1/(batches + 1)."""
    cdef ndarray source = batch_input(x)
    cdef ndarray w = channels("batch_norm", "weight", weight, source), b = channels("batch_norm", "bias", bias, source)
    cdef int64_t inner = inner_of(source)
    if source.shape[0] * inner < 2 and source.shape[1]:
        raise ValueError("batch_norm: training needs more than one value for each channel, "
                         f"got an input of shape {shape_of(source)}")
    cdef ndarray m = None, v = None, batch_count = None if batches is None else counter("batch_norm", batches)
    for name, statistic in (("running_mean", running_mean), ("running_var", running_var)):
        if statistic is not None:
            written("batch_norm", name, channels("batch_norm", name, statistic, source))
            written("batch_norm", name, statistic)
    m, v = running_mean, running_var
    cdef ndarray y = empty_like(source), mean = empty_means(source.shape[1], source), rstd = empty_channels(source)
    cdef cg_batch_norm_args args = cg_batch_norm_args(
        y=data(y), mean=data(mean), rstd=data(rstd), running_mean=optional(m), running_var=optional(v), x=data(source),
        weight=optional(w), bias=optional(b), batches=<int64_t *>optional(batch_count), rows=source.shape[0],
        channels=source.shape[1], inner=inner, momentum=momentum, eps=eps)
    if size(source):
        launch(CG_batch_norm, dtype_of(y), &args)
    return y, mean, rstd


def batch_norm_eval(x, weight, bias, mean, var, double eps):
    """(y, rstd) from the given statistics."""
    cdef ndarray source = batch_input(x)
    cdef ndarray w = channels("batch_norm", "weight", weight, source), b = channels("batch_norm", "bias", bias, source)
    cdef ndarray m = channels("batch_norm", "running_mean", mean, source)
    cdef ndarray v = channels("batch_norm", "running_var", var, source), y = empty_like(source)
    cdef ndarray rstd = empty_channels(source)
    if m is None or v is None:
        raise ValueError("batch_norm: evaluation needs running_mean and running_var, got None")
    cdef cg_batch_norm_eval_args args = cg_batch_norm_eval_args(
        y=data(y), rstd=data(rstd), x=data(source), mean=data(m), var=data(v), weight=optional(w), bias=optional(b),
        rows=source.shape[0], channels=source.shape[1], inner=inner_of(source), eps=eps)
    launch(CG_batch_norm_eval, dtype_of(y), &args)
    return y, rstd


def batch_norm_backward(dy, x, weight, mean, rstd, bint training, bint want_x, bint want_w, bint want_b):
    """(dx, dw, db); None for those not wanted."""
    cdef ndarray source = batch_input(x), g = like("batch_norm", "gradient", dy, "input", source)
    cdef ndarray w = channels("batch_norm", "weight", weight, source)
    cdef ndarray m = split_means("batch_norm", mean, source.shape[1], source) if training else channels(
        "batch_norm", "mean", mean, source)
    cdef ndarray s = channels("batch_norm", "rstd", rstd, source)
    if m is None or s is None:
        raise ValueError("batch_norm: backward needs mean and rstd, got None")
    cdef ndarray dx = empty_like(source) if want_x else None
    cdef ndarray dw = empty_channels(source) if want_w else None, db = empty_channels(source) if want_b else None
    cdef cg_batch_norm_backward_args args = cg_batch_norm_backward_args(
        dx=optional(dx), dw=optional(dw), db=optional(db), dy=data(g), x=data(source), weight=optional(w), mean=data(m),
        rstd=data(s), rows=source.shape[0], channels=source.shape[1], inner=inner_of(source), training=training)
    launch(CG_batch_norm_backward, dtype_of(g), &args)
    return dx, dw, db
