# Matrix products. Operands whose strides are whole elements are read in place, others are copied.

cdef struct Matrix:
    void *p
    int64_t row, col  # steps in elements


cdef inline int64_t step_of(ndarray x, int axis) noexcept:
    """The step of an axis in elements; 0 if the axis has one element, whose stride is arbitrary."""
    return cnp.PyArray_STRIDES(x)[axis] // cnp.PyArray_ITEMSIZE(x) if cnp.PyArray_DIMS(x)[axis] > 1 else 0


cdef bint has_element_steps(ndarray x) noexcept:
    """Whether the strides of x are whole elements, and x is aligned and in native byte order."""
    cdef int i
    if not cnp.PyArray_ISBEHAVED_RO(x):
        return False
    for i in range(cnp.PyArray_NDIM(x)):
        if cnp.PyArray_STRIDES(x)[i] % cnp.PyArray_ITEMSIZE(x):
            return False
    return True


cdef inline ndarray strided(str op, str name, object x):
    """x as a float32 or float64 array whose strides are whole elements: itself or a contiguous copy."""
    check_real(op, name, x)
    if has_element_steps(<ndarray>x):
        return <ndarray>x
    return real(op, name, x)


cdef inline Matrix matrix(ndarray x, int row_axis, int col_axis) noexcept:
    return Matrix(data(x), step_of(x, row_axis), step_of(x, col_axis))


cdef enum Activation:
    LINEAR
    RELU


cdef int product(int dtype, void *c, Matrix a, Matrix b, void *bias, int64_t m, int64_t n, int64_t k, int64_t batch=1,
                 int64_t a_batch=0, int64_t b_batch=0, bint accumulate=False, void *row_sums=NULL, int64_t bias_batch=0) except -1:
    """C[m, n] = A[m, k]·B[k, n] + bias[n] (+ C), for `batch` products, each C m·n elements after the one before; and the
    sums of the rows of A."""
    cdef cg_gemm_args args = cg_gemm_args(
        c=c, row_sums=row_sums, a=a.p, b=b.p, bias=bias, mask=NULL, m=m, n=n, k=k, ldc=n, a_row=a.row, a_col=a.col, b_row=b.row, b_col=b.col,
        batch=batch, c_batch=m * n, a_batch=a_batch, b_batch=b_batch, bias_batch=bias_batch, accumulate=accumulate, activation=LINEAR)
    return launch(CG_gemm, dtype, &args)


cdef bint even_batches(ndarray x, int64_t *step) noexcept:
    """Whether the matrices of x (its last two axes) are a constant step apart, in order; `step` receives it."""
    cdef int i
    cdef int64_t expected = 0
    step[0] = 0
    cdef bint has_step = False
    for i in range(cnp.PyArray_NDIM(x) - 3, -1, -1):
        if x.shape[i] == 1:
            continue
        if not has_step:
            step[0] = step_of(x, i)
            has_step = True
        elif step_of(x, i) != expected:
            return False
        expected = step_of(x, i) * x.shape[i]
    return True


cdef ndarray batched(ndarray x, ndarray out):
    """x broadcast to the batch axes of `out`, copied unless its matrices are then a constant step apart."""
    cdef int64_t step
    cdef tuple x_shape = shape_of(x), shape = shape_of(out)[: cnp.PyArray_NDIM(out) - 2] + x_shape[len(x_shape) - 2 :]
    cdef ndarray wide = np.broadcast_to(x, shape)
    if even_batches(wide, &step):
        return wide
    return cnp.PyArray_FROMANY(wide, cnp.PyArray_TYPE(x), 0, 0, cnp.NPY_ARRAY_CARRAY_RO)


def matmul(a, b, out=None):
    """C[…, m, n] = A[…, m, k]·B[…, k, n]; leading axes are broadcast. If `out` is given, C is added to it."""
    cdef ndarray x = strided("matmul", "input", a), y = strided("matmul", "other", b), c
    check_same_dtype("matmul", "other", y, "input", x)
    cdef int nx = cnp.PyArray_NDIM(x), ny = cnp.PyArray_NDIM(y), ndim = nx if nx > ny else ny, i
    if nx < 2 or ny < 2 or x.shape[nx - 1] != y.shape[ny - 2]:
        raise ShapeError(f"matmul: shapes {shape_of(x)} and {shape_of(y)} do not fit")
    cdef int64_t m = x.shape[nx - 2], k = x.shape[nx - 1], n = y.shape[ny - 1], batch = 1, u, v
    cdef cnp.npy_intp shape[MOST_AXES]
    for i in range(ndim - 2):
        u = x.shape[i - (ndim - nx)] if i >= ndim - nx else 1
        v = y.shape[i - (ndim - ny)] if i >= ndim - ny else 1
        if u != v and u != 1 and v != 1:
            raise ShapeError(f"matmul: the batches of shapes {shape_of(x)} and {shape_of(y)} do not broadcast")
        shape[i] = v if u == 1 else u
        batch *= shape[i]
    shape[ndim - 2] = m
    shape[ndim - 1] = n
    if out is None:
        c = empty(ndim, shape, cnp.PyArray_TYPE(x))
    else:
        c = written("matmul", "out", out)
        check_same_dtype("matmul", "out", c, "input", x)
        if shape_of(c) != tuple([shape[i] for i in range(ndim)]):
            raise ShapeError(f"matmul: out has shape {shape_of(c)}, which {shape_of(x)} and {shape_of(y)} do not make")
    if not m * n * batch:
        return c
    cdef int64_t x_batch = 0, y_batch = 0
    if ndim > 2:
        x, y = batched(x, c), batched(y, c)
        even_batches(x, &x_batch)
        even_batches(y, &y_batch)
    product(dtype_of(c), data(c), matrix(x, ndim - 2, ndim - 1) if ndim > 2 else matrix(x, 0, 1),
            matrix(y, ndim - 2, ndim - 1) if ndim > 2 else matrix(y, 0, 1), NULL, m, n, k, batch, x_batch, y_batch,
            out is not None)
    return c


# Linear layers: x[…, inputs], w[outputs, inputs], b[outputs].

def linear(x, w, b=None):
    """y[…, o] = x[…, i]·w[o, i]ᵀ + b[o]"""
    cdef ndarray source = real("linear", "input", x), weight = strided("linear", "weight", w), bias, y
    check_same_dtype("linear", "weight", weight, "input", source)
    cdef int ndim = cnp.PyArray_NDIM(source), i
    if cnp.PyArray_NDIM(weight) != 2 or ndim < 1 or source.shape[ndim - 1] != weight.shape[1]:
        raise ShapeError(f"linear: input has shape {shape_of(source)}, but weight has {shape_of(weight)}")
    cdef int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = 1
    cdef void *added = NULL
    if b is not None:
        bias = real("linear", "bias", b)
        check_same_dtype("linear", "bias", bias, "input", source)
        if cnp.PyArray_NDIM(bias) != 1 or bias.shape[0] != outputs:
            raise ShapeError(f"linear: bias has shape {shape_of(bias)}, but weight has {shape_of(weight)}")
        added = data(bias)
    cdef cnp.npy_intp shape[MOST_AXES]
    for i in range(ndim - 1):
        shape[i] = source.shape[i]
        rows *= shape[i]
    shape[ndim - 1] = outputs
    y = empty(ndim, shape, cnp.PyArray_TYPE(source))
    if rows * outputs:
        product(dtype_of(y), data(y), Matrix(data(source), inputs, 1), matrix(weight, 1, 0), added, rows, outputs, inputs)
    return y


def linear_backward(dy, x, w, bint want_x, bint want_w, bint want_b):
    """(dx, dw, db): dx = dy·w, dw = dyᵀ·x, db = Σ dy over the rows; None for those not wanted."""
    cdef ndarray g = real("linear", "gradient", dy), source, weight
    cdef int ndim = cnp.PyArray_NDIM(g)
    weight = strided("linear", "weight", w)
    check_same_dtype("linear", "weight", weight, "gradient", g)
    if cnp.PyArray_NDIM(weight) != 2:
        raise ShapeError(f"linear: weight must have shape (outputs, inputs), got {shape_of(weight)}")
    cdef int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = 1
    cdef int i
    for i in range(ndim - 1):
        rows *= g.shape[i]
    if ndim < 1 or g.shape[ndim - 1] != outputs:
        raise ShapeError(f"linear: gradient has shape {shape_of(g)}, but weight has {shape_of(weight)}")
    cdef ndarray dx = None, dw = None, db = None
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef int dtype = dtype_of(g)
    cdef cg_sum_args sums
    if want_x:
        for i in range(ndim - 1):
            shape[i] = g.shape[i]
        shape[ndim - 1] = inputs
        dx = empty(ndim, shape, cnp.PyArray_TYPE(g))
        if rows * inputs:
            product(dtype, data(dx), Matrix(data(g), outputs, 1), matrix(weight, 0, 1), NULL, rows, inputs, outputs)
    if want_w:
        source = real("linear", "input", x)
        check_same_dtype("linear", "input", source, "gradient", g)
        if size(source) != rows * inputs:
            raise ShapeError(f"linear: input has shape {shape_of(source)}, but gradient has {shape_of(g)}")
        dw = empty(2, cnp.PyArray_DIMS(weight), cnp.PyArray_TYPE(g))
    if want_b:
        shape[0] = outputs
        db = empty(1, shape, cnp.PyArray_TYPE(g))
    if want_w and inputs * outputs:
        product(dtype, data(dw), Matrix(data(g), 1, outputs), Matrix(data(source), inputs, 1), NULL,
                outputs, inputs, rows, 1, 0, 0, False, optional(db))
    elif want_b:
        sums = cg_sum_args(y=data(db), x=data(g), outer=1, count=rows, inner=outputs, scale=1.0)
        launch(CG_sum, dtype, &sums)
    return dx, dw, db


# Linear layers of the members of an ensemble: x[members, n, inputs], or x[n, inputs] for all of them, w[members, outputs, inputs],
# b[members, outputs].

cdef int64_t check_members(ndarray x, ndarray weight, str name, int64_t size) except -1:
    """The number of rows of x for each member. Raises ShapeError unless x has `size` elements a row."""
    cdef int ndim = cnp.PyArray_NDIM(x)
    if cnp.PyArray_NDIM(weight) != 3:
        raise ShapeError(f"ensemble_linear: weight must have shape (members, outputs, inputs), got {shape_of(weight)}")
    if ndim < 2 or ndim > 3 or x.shape[ndim - 1] != size or ndim == 3 and x.shape[0] != weight.shape[0]:
        raise ShapeError(f"ensemble_linear: {name} has shape {shape_of(x)}, but weight has {shape_of(weight)}")
    return x.shape[ndim - 2]


def ensemble_linear(x, w, b=None):
    """y[k, n, o] = x[k, n, i]·w[k, o, i]ᵀ + b[k, o]"""
    cdef ndarray source = real("ensemble_linear", "input", x), weight = strided("ensemble_linear", "weight", w), bias, y
    check_same_dtype("ensemble_linear", "weight", weight, "input", source)
    cdef int64_t inputs = weight.shape[2] if cnp.PyArray_NDIM(weight) == 3 else 0
    cdef int64_t rows = check_members(source, weight, "input", inputs)
    cdef int64_t members = weight.shape[0], outputs = weight.shape[1], apart = rows * inputs if cnp.PyArray_NDIM(source) == 3 else 0
    cdef void *added = NULL
    if b is not None:
        bias = real("ensemble_linear", "bias", b)
        check_same_dtype("ensemble_linear", "bias", bias, "input", source)
        if shape_of(bias) != (members, outputs):
            raise ShapeError(f"ensemble_linear: bias has shape {shape_of(bias)}, but weight has {shape_of(weight)}")
        added = data(bias)
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = members, rows, outputs
    y = empty(3, shape, cnp.PyArray_TYPE(source))
    if members * rows * outputs:
        product(dtype_of(y), data(y), Matrix(data(source), inputs, 1), matrix(weight, 2, 1), added, rows, outputs, inputs,
                members, apart, step_of(weight, 0), False, NULL, outputs)
    return y


def ensemble_linear_backward(dy, x, w, bint want_x, bint want_w, bint want_b):
    """(dx, dw, db) for each member: dx = dy·w, dw = dyᵀ·x, db = Σ dy over the rows; None for those not wanted. x is
    [n, inputs] or [members, n, inputs], and dx [members, n, inputs]."""
    cdef ndarray g = real("ensemble_linear", "gradient", dy), weight = strided("ensemble_linear", "weight", w), source
    check_same_dtype("ensemble_linear", "weight", weight, "gradient", g)
    cdef int64_t outputs = weight.shape[1] if cnp.PyArray_NDIM(weight) == 3 else 0
    cdef int64_t rows = check_members(g, weight, "gradient", outputs)
    if cnp.PyArray_NDIM(g) != 3:
        raise ShapeError(f"ensemble_linear: gradient has shape {shape_of(g)}, but weight has {shape_of(weight)}")
    cdef int64_t members = weight.shape[0], inputs = weight.shape[2], apart
    cdef ndarray dx = None, dw = None, db = None
    cdef cnp.npy_intp shape[3]
    cdef int dtype = dtype_of(g)
    cdef cg_sum_args sums
    if want_x:
        shape[0], shape[1], shape[2] = members, rows, inputs
        dx = empty(3, shape, cnp.PyArray_TYPE(g))
        if members * rows * inputs:
            product(dtype, data(dx), Matrix(data(g), outputs, 1), matrix(weight, 1, 2), NULL, rows, inputs, outputs,
                    members, rows * outputs, step_of(weight, 0))
    if want_b:
        shape[0], shape[1] = members, outputs
        db = empty(2, shape, cnp.PyArray_TYPE(g))
    if want_w:
        source = real("ensemble_linear", "input", x)
        check_same_dtype("ensemble_linear", "input", source, "gradient", g)
        if check_members(source, weight, "input", inputs) != rows:
            raise ShapeError(f"ensemble_linear: input has shape {shape_of(source)}, but gradient has {shape_of(g)}")
        dw = empty(3, cnp.PyArray_DIMS(weight), cnp.PyArray_TYPE(g))
    if want_w and members * inputs * outputs:
        apart = rows * inputs if cnp.PyArray_NDIM(source) == 3 else 0
        product(dtype, data(dw), Matrix(data(g), 1, outputs), Matrix(data(source), inputs, 1), NULL, outputs, inputs, rows,
                members, rows * outputs, apart, False, optional(db))
    elif want_b:
        sums = cg_sum_args(y=data(db), x=data(g), outer=members, count=rows, inner=outputs, scale=1.0)
        launch(CG_sum, dtype, &sums)
    return dx, dw, db
