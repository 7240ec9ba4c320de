# Recurrent layers, one layer in one direction: x[rows, inputs], w_ih[gates·hidden, inputs], w_hh[gates·hidden, hidden]. Rows
# are steps × batch, or those of sequences of falling lengths, step after step.

cdef enum Recurrence:
    RECURRENT_RELU
    RECURRENT_TANH
    RECURRENT_GRU = 3
    RECURRENT_LSTM

RECURRENCES = {"rnn_relu": RECURRENT_RELU, "rnn_tanh": RECURRENT_TANH, "gru": RECURRENT_GRU, "lstm": RECURRENT_LSTM}

cdef int64_t MOST_HIDDEN = 100_000  # the working memory of a thread must hold the gates of a row


cdef struct Layer:
    int64_t steps, batch, rows, inputs, hidden, gates


cdef int kind_of(str op) except -1:
    if op not in RECURRENCES:
        raise ValueError(f"recurrent: op must be one of {', '.join(RECURRENCES)}, got {op!r}")
    return RECURRENCES[op]


cdef ndarray layer_input(str op, object x, object w_ih, object w_hh, object starts, Layer *layer):
    """x; its sizes and those of the weights, checked, are the layer's."""
    cdef ndarray source = real(op, "input", x), u = strided(op, "weight_ih", w_ih), w = strided(op, "weight_hh", w_hh)
    cdef int kind = kind_of(op), ndim = cnp.PyArray_NDIM(source)
    check_same_dtype(op, "weight_ih", u, "input", source)
    check_same_dtype(op, "weight_hh", w, "input", source)
    if ndim != (3 if starts is None else 2):
        raise ShapeError(f"{op}: input must have {'3 dimensions' if starts is None else '2 dimensions, of packed sequences'}"
                         f", got shape {shape_of(source)}")
    layer.gates = kind if kind else 1
    layer.inputs = source.shape[ndim - 1]
    layer.hidden = w.shape[1] if cnp.PyArray_NDIM(w) == 2 else -1
    if layer.hidden > MOST_HIDDEN:
        raise ShapeError(f"{op}: the hidden state may have at most {MOST_HIDDEN} elements, got {layer.hidden}")
    if layer.hidden < 0 or w.shape[0] != layer.gates * layer.hidden:
        raise ShapeError(f"{op}: weight_hh must have shape ({layer.gates}·hidden, hidden), got {shape_of(w)}")
    if cnp.PyArray_NDIM(u) != 2 or u.shape[0] != w.shape[0] or u.shape[1] != layer.inputs:
        raise ShapeError(f"{op}: weight_ih must have shape {(w.shape[0], layer.inputs)} for an input of shape "
                         f"{shape_of(source)}, got {shape_of(u)}")
    if starts is None:
        layer.steps, layer.batch = source.shape[0], source.shape[1]
        layer.rows = layer.steps * layer.batch
    else:
        check_starts(op, starts, source.shape[0])
        layer.steps, layer.batch, layer.rows = starts.shape[0] - 1, starts[1], source.shape[0]
    return source


cdef int check_starts(str op, object starts, int64_t rows) except -1:
    """The first row of each step and the number of rows, for steps of falling sizes."""
    if not isinstance(starts, cnp.ndarray) or not cnp.PyArray_ISCARRAY_RO(<ndarray>starts) or \
            cnp.PyArray_TYPE(<ndarray>starts) != cnp.NPY_INT64 or cnp.PyArray_NDIM(<ndarray>starts) != 1:
        raise TypeError(f"{op}: starts must be a contiguous array of int64 with one axis")
    cdef int64_t count = (<ndarray>starts).shape[0], i
    cdef const int64_t *at = <const int64_t *>data(<ndarray>starts)
    cdef bint fits = count >= 2 and at[0] == 0 and at[count - 1] == rows and 0 < at[1] <= rows
    for i in range(1, count - 1):
        fits = fits and at[i] < at[i + 1] <= rows and at[i + 1] - at[i] <= at[i] - at[i - 1]
    if not fits:
        raise ValueError(f"{op}: the sizes of the steps must be positive, fall, and add up to the {rows} rows of the input")
    return 0


cdef ndarray of_shape(str op, str name, object x, ndarray model, int64_t rows, int64_t cols):
    """x[rows, cols] in the dtype of the model (x[cols] for rows = −1), or None."""
    if x is None:
        return None
    cdef ndarray array = real(op, name, x)
    check_same_dtype(op, name, array, "input", model)
    cdef tuple wanted = (cols,)
    if rows >= 0:
        wanted = (rows, cols)
    if shape_of(array) != wanted:
        raise ShapeError(f"{op}: {name} must have shape {wanted}, got {shape_of(array)}")
    return array


cdef ndarray matrix_of(int64_t rows, int64_t cols, ndarray model):
    """A new array of the model's dtype."""
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = rows, cols
    return empty(2, shape, cnp.PyArray_TYPE(model))


cdef ndarray packed_columns(Matrix w, int64_t k, int64_t n, ndarray model):
    """w[k, n] in panels for matrix products; what no column fills is 0, so that two such arrays can be compared."""
    cdef ndarray packed = matrix_of((n + 31) // 32 * 32, k, model)
    memset(data(packed), 0, size(packed) * cnp.PyArray_ITEMSIZE(packed))
    cdef cg_pack_columns_args args = cg_pack_columns_args(packed=data(packed), w=w.p, k=k, n=n, row=w.row, col=w.col)
    launch(CG_pack_columns, dtype_of(model), &args)
    return packed


def recurrent(str op, x, h0, c0, w_ih, w_hh, b_ih, b_hh, starts, bint reverse):
    """(y, h, c, gates, kept) of a layer: the states of all steps, the last ones, and what backward needs. c is that of an
    LSTM, else None."""
    cdef Layer layer
    cdef ndarray source = layer_input(op, x, w_ih, w_hh, starts, &layer)
    cdef ndarray u = strided(op, "weight_ih", w_ih), w = strided(op, "weight_hh", w_hh)
    cdef int kind = kind_of(op), dtype = dtype_of(source), ndim = cnp.PyArray_NDIM(source)
    cdef int64_t n = layer.hidden, width = layer.gates * n
    cdef ndarray h_first = of_shape(op, "hx", h0, source, layer.batch, n), c_first = of_shape(op, "cx", c0, source, layer.batch, n)
    cdef ndarray b_in = of_shape(op, "bias_ih", b_ih, source, -1, width)
    cdef ndarray b_state = of_shape(op, "bias_hh", b_hh, source, -1, width)
    cdef cnp.npy_intp shape[3]
    cdef ndarray y, h = matrix_of(layer.batch, n, source), c = None, gates = None, kept = None, packed
    for i in range(ndim - 1):
        shape[i] = source.shape[i]
    shape[ndim - 1] = n
    y = empty(ndim, shape, cnp.PyArray_TYPE(source))
    gates = y
    if layer.gates > 1:
        gates, kept = matrix_of(layer.rows, width, source), matrix_of(layer.rows, n, source)
    if kind == RECURRENT_LSTM:
        c = matrix_of(layer.batch, n, source)
    if layer.rows and n:
        product(dtype, data(gates), Matrix(data(source), layer.inputs, 1), matrix(u, 1, 0), optional(b_in), layer.rows, width,
                layer.inputs)
    packed = packed_columns(matrix(w, 1, 0), n, width, source)
    cdef cg_recurrent_args args = cg_recurrent_args(
        y=data(y), kept=optional(kept), gates=data(gates), h=data(h), c=optional(c), h0=optional(h_first), c0=optional(c_first),
        weight=data(packed), bias=optional(b_state), starts=<const int64_t *>optional(starts), steps=layer.steps,
        batch=layer.batch, hidden=n, kind=kind, reverse=reverse)
    launch(CG_recurrent, dtype, &args)
    return y, h, c, gates, kept


def recurrent_backward(str op, dy, dh, dc, x, h0, c0, w_ih, w_hh, y, gates, kept, starts, bint reverse, needs):
    """(dx, dh0, dc0, dw_ih, dw_hh, db_ih, db_hh), None for those that `needs` does not want. dy, dh, dc may be None."""
    cdef Layer layer
    cdef ndarray source = layer_input(op, x, w_ih, w_hh, starts, &layer)
    cdef ndarray u = strided(op, "weight_ih", w_ih), w = strided(op, "weight_hh", w_hh)
    cdef int kind = kind_of(op), dtype = dtype_of(source)
    cdef int64_t n = layer.hidden, width = layer.gates * n, stride = 4 * n if kind == RECURRENT_GRU else width
    cdef ndarray out = real(op, "output", y), z = real(op, "gates", gates), k = None if kept is None else real(op, "kept", kept)
    cdef ndarray g = None if dy is None else output_gradient(op, dy, out)
    cdef ndarray h_first = of_shape(op, "hx", h0, source, layer.batch, n), c_first = of_shape(op, "cx", c0, source, layer.batch, n)
    cdef ndarray dh_last = of_shape(op, "gradient of h", dh, source, layer.batch, n)
    cdef ndarray dc_last = of_shape(op, "gradient of c", dc, source, layer.batch, n)
    check_same_dtype(op, "output", out, "input", source)
    check_same_dtype(op, "gates", z, "input", source)
    if size(out) != layer.rows * n or size(z) != layer.rows * width:
        raise ShapeError(f"{op}: output has shape {shape_of(out)} and gates {shape_of(z)}, but input {shape_of(source)}")
    if layer.gates > 1:
        check_same_dtype(op, "kept", k, "input", source)
        if size(k) != layer.rows * n:
            raise ShapeError(f"{op}: kept has shape {shape_of(k)}, but output has {shape_of(out)}")
    cdef ndarray dz = matrix_of(layer.rows, stride, source), dh_first = matrix_of(layer.batch, n, source)
    cdef ndarray dc_first = matrix_of(layer.batch, n, source) if kind == RECURRENT_LSTM else None
    cdef ndarray packed = packed_columns(matrix(w, 0, 1), width, n, source)
    cdef cg_recurrent_backward_args args = cg_recurrent_backward_args(
        dz=data(dz), dh=data(dh_first), dc=optional(dc_first), dy=optional(g), dh_n=optional(dh_last), dc_n=optional(dc_last),
        y=data(out), kept=optional(k), gates=data(z), h0=optional(h_first), c0=optional(c_first), weight=data(packed),
        starts=<const int64_t *>optional(starts), steps=layer.steps, batch=layer.batch, hidden=n, kind=kind, reverse=reverse,
        dy_step=0 if g is None or starts is not None else step_of(g, 0),
        dy_row=0 if g is None else step_of(g, 0 if starts is not None else 1))
    launch(CG_recurrent_backward, dtype, &args)
    cdef ndarray dx = None, dw_ih = None, dw_hh = None, db = None, db_ih = None, db_hh = None
    if needs[0]:
        dx = empty(cnp.PyArray_NDIM(source), cnp.PyArray_DIMS(source), cnp.PyArray_TYPE(source))
        input_gradient(kind, dx, dz, u, layer)
    if needs[5] or needs[6]:
        db = vector_of(stride, source)
    if needs[3]:
        dw_ih = matrix_of(width, layer.inputs, source)
        input_weight_gradient(kind, dw_ih, db, dz, source, layer)
    if db is not None and (kind == RECURRENT_GRU or dw_ih is None or not size(dw_ih)):
        sum_of_rows(db, dz, layer.rows, stride)
    if needs[4]:
        dw_hh = matrix_of(width, n, source)
        state_weight_gradient(kind, dw_hh, dz, out, h_first, starts, reverse, layer)
    if needs[5]:
        db_ih = bias_gradient(kind, db, n, True)
    if needs[6]:
        db_hh = bias_gradient(kind, db, n, False)
    return dx, dh_first if needs[1] else None, dc_first if needs[2] else None, dw_ih, dw_hh, db_ih, db_hh


cdef ndarray output_gradient(str op, object dy, ndarray y):
    """dy, in place if its rows are contiguous."""
    cdef ndarray g
    if is_real(dy) and cnp.PyArray_SAMESHAPE(<ndarray>dy, y) and has_element_steps(<ndarray>dy):
        g = <ndarray>dy
        if step_of(g, cnp.PyArray_NDIM(g) - 1) == 1:
            check_same_dtype(op, "gradient", g, "output", y)
            return g
    return like(op, "gradient", dy, "output", y)


cdef ndarray vector_of(int64_t n, ndarray model):
    cdef cnp.npy_intp shape = n
    return empty(1, &shape, cnp.PyArray_TYPE(model))


cdef inline char *at_element(ndarray x, int64_t i) noexcept:
    return <char *>data(x) + i * cnp.PyArray_ITEMSIZE(x)


cdef int input_gradient(int kind, ndarray dx, ndarray dz, ndarray u, Layer layer) except -1:
    """dx = dz·w_ih. The gates of a GRU's dz are the third, first and second of w_ih's."""
    cdef int64_t n = layer.hidden, width = layer.gates * n
    cdef int dtype = dtype_of(dx)
    cdef Matrix first = matrix(u, 0, 1), third = matrix(u, 0, 1)
    if not layer.rows or not layer.inputs:
        return 0
    if kind != RECURRENT_GRU:
        return product(dtype, data(dx), Matrix(data(dz), width, 1), first, NULL, layer.rows, layer.inputs, width)
    third.p = at_element(u, 2 * n * third.row)
    product(dtype, data(dx), Matrix(at_element(dz, n), 4 * n, 1), first, NULL, layer.rows, layer.inputs, 2 * n)
    return product(dtype, data(dx), Matrix(data(dz), 4 * n, 1), third, NULL, layer.rows, layer.inputs, n, 1, 0, 0, True)


cdef int input_weight_gradient(int kind, ndarray dw, ndarray db, ndarray dz, ndarray x, Layer layer) except -1:
    """dw = dzᵀ·x, and db = Σ dz unless this is a GRU."""
    cdef int64_t n = layer.hidden, width = layer.gates * n
    cdef int dtype = dtype_of(dw)
    cdef Matrix b = Matrix(data(x), layer.inputs, 1)
    if not size(dw):
        return 0
    if kind != RECURRENT_GRU:
        return product(dtype, data(dw), Matrix(data(dz), 1, width), b, NULL, width, layer.inputs, layer.rows, 1, 0, 0, False,
                       optional(db))
    product(dtype, data(dw), Matrix(at_element(dz, n), 1, 4 * n), b, NULL, 2 * n, layer.inputs, layer.rows)
    return product(dtype, at_element(dw, 2 * n * layer.inputs), Matrix(data(dz), 1, 4 * n), b, NULL, n, layer.inputs, layer.rows)


cdef int state_weight_gradient(int kind, ndarray dw, ndarray dz, ndarray y, ndarray h0, ndarray starts, bint reverse,
                               Layer layer) except -1:
    """dw = Σ dzᵀ·h₋, h₋ the state of the step before: one product for each stretch of steps of one size, and one for
    each step in which sequences begin, if they begin with h0."""
    cdef int64_t t = 1, end, begin, count, after
    cdef const int64_t *at = <const int64_t *>optional(starts)
    cdef bint accumulate = False
    while t < layer.steps:
        # steps t..end have the size of step t, and so have those before them, t − 1..end − 1, unless t − 1 is larger
        count = at[t + 1] - at[t] if at else layer.batch
        end = layer.steps if not at else t + 1
        if at and at[t] - at[t - 1] == count:
            while end < layer.steps and at[end + 1] - at[end] == count:
                end += 1
        begin = at[t - 1] if at else (t - 1) * layer.batch
        count *= end - t
        after = at[t] if at else t * layer.batch
        add_products(kind, dw, dz, begin if reverse else after, data(y), after if reverse else begin, count, layer, accumulate)
        accumulate = True
        t = end
    if h0 is None:
        if not accumulate:
            add_products(kind, dw, dz, 0, data(y), 0, 0, layer, False)
    elif not reverse:
        add_products(kind, dw, dz, 0, data(h0), 0, layer.batch, layer, accumulate)
    else:
        for t in range(layer.steps - 1, -1, -1):
            begin = 0 if t == layer.steps - 1 else at[t + 2] - at[t + 1] if at else layer.batch
            end = at[t + 1] - at[t] if at else layer.batch
            if begin < end:
                after = at[t] if at else t * layer.batch
                add_products(kind, dw, dz, after + begin, data(h0), begin, end - begin, layer, accumulate)
                accumulate = True
    return 0


cdef int add_products(int kind, ndarray dw, ndarray dz, int64_t row, void *h, int64_t h_row, int64_t count, Layer layer,
                      bint accumulate) except -1:
    """dw (+)= dzᵀ·h of `count` rows from these on."""
    cdef int64_t n = layer.hidden, width = layer.gates * n, stride = cnp.PyArray_DIM(dz, 1)
    cdef int64_t first = n if kind == RECURRENT_GRU else 0
    if not size(dw):
        return 0
    return product(dtype_of(dw), data(dw), Matrix(at_element(dz, row * stride + first), 1, stride),
                   Matrix(<char *>h + h_row * n * cnp.PyArray_ITEMSIZE(dw), n, 1), NULL, width, n, count, 1, 0, 0, accumulate)


cdef int sum_of_rows(ndarray total, ndarray x, int64_t rows, int64_t cols) except -1:
    cdef cg_sum_args args = cg_sum_args(y=data(total), x=data(x), outer=1, count=rows, inner=cols, scale=1.0)
    return launch(CG_sum, dtype_of(total), &args)


cdef ndarray bias_gradient(int kind, ndarray db, int64_t n, bint of_input):
    """The gradient of one bias, from the sums of dz."""
    cdef ndarray result
    if kind != RECURRENT_GRU:
        result = vector_of(size(db), db)
        copy_elements(result, 0, db, 0, size(db))
        return result
    result = vector_of(3 * n, db)
    copy_elements(result, 0, db, n, 2 * n)
    copy_elements(result, 2 * n, db, 0 if of_input else 3 * n, n)
    return result


cdef int copy_elements(ndarray y, int64_t to, ndarray x, int64_t start, int64_t count) except -1:
    cdef cg_copy_args args = cg_copy_args(
        y=at_element(y, to), x=at_element(x, start), bytes=count * cnp.PyArray_ITEMSIZE(x))
    return launch(CG_copy, CG_FLOAT32, &args)
