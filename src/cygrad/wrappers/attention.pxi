# Attention of q[batch, heads, length, size] over k[batch, k_heads, keys, size] and v[batch, k_heads, keys, v_size].

cdef extern from "kernels.h":
    enum: CG_ATTENTION_MEMORY
    enum: CG_ATTENTION_OPEN
    enum: CG_ATTENTION_BYTES
    enum: CG_ATTENTION_NUMBERS
    int64_t cg_attention_rows(int64_t length, int64_t keys, int64_t bytes) nogil
    int64_t cg_attention_width(int64_t keys) nogil

cdef struct heads:  # an array [batch, heads, rows, size]; rows are contiguous
    char *p
    int64_t batch, head, row  # steps, in elements

cdef struct attention_sizes:
    int64_t batch, heads, k_heads, length, keys, size, v_size

cdef struct attention_mask:
    const char *p
    int64_t batch, head, row, col
    int kind


cdef bint has_steps(ndarray x, bint dense) noexcept:
    """Whether steps along axes are whole elements, forwards; if `dense`, 1 along the last."""
    cdef int ndim = cnp.PyArray_NDIM(x), i
    cdef int64_t item = cnp.PyArray_ITEMSIZE(x)
    if not cnp.PyArray_ISALIGNED(x) or not cnp.PyArray_ISNOTSWAPPED(x):
        return False
    for i in range(ndim):
        if x.shape[i] > 1 and (x.strides[i] < 0 or x.strides[i] % item):
            return False
    return not dense or x.shape[ndim - 1] <= 1 or x.strides[ndim - 1] == item


cdef ndarray head_array(str op, str name, object x, object model=None):
    """x as an array of heads: itself or a contiguous copy."""
    check_real(op, name, x)
    cdef ndarray array = <ndarray>x
    if cnp.PyArray_NDIM(array) != 4:
        raise ShapeError(f"{op}: {name} must have shape (batch, heads, length, size), got {shape_of(array)}")
    if model is not None:
        check_same_dtype(op, name, array, "query", <ndarray>model)
    return array if has_steps(array, True) else real(op, name, np.ascontiguousarray(array))


cdef heads heads_of(ndarray x) noexcept:
    cdef int64_t item = cnp.PyArray_ITEMSIZE(x)
    cdef heads h
    h.p = <char *>data(x)
    h.batch, h.head, h.row = x.strides[0] // item, x.strides[1] // item, x.strides[2] // item
    return h


cdef ndarray empty_heads(int64_t batch, int64_t count, int64_t rows, int64_t size_, ndarray model):
    """A new array [batch, count, rows, size], whose heads lie side by side in a row if those of `model` do."""
    cdef bint beside = model.shape[1] > 1 and model.strides[1] < model.strides[2]
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = batch, rows if beside else count, count if beside else rows, size_
    cdef ndarray array = empty(4, shape, cnp.PyArray_TYPE(model))
    return cnp.PyArray_SwapAxes(array, 1, 2) if beside else array


cdef ndarray heads_for(str name, ndarray x, out, int part):
    """The array for the gradient of x: a part of `out`, or a new one."""
    if out is None:
        return empty_heads(x.shape[0], x.shape[1], x.shape[2], x.shape[3], x)
    cdef ndarray array = <ndarray?>out[part]
    check_same_dtype("attention", f"the gradient of {name}", array, name, x)
    if shape_of(array) != shape_of(x) or not has_steps(array, True) or not cnp.PyArray_ISWRITEABLE(array):
        raise ShapeError(f"attention: the gradient of {name} needs an array of shape {shape_of(x)} with dense rows, got {shape_of(array)}")
    return array


cdef attention_sizes sizes_of_heads(ndarray q, ndarray k, ndarray v) except *:
    cdef attention_sizes s
    s.batch, s.heads, s.length, s.size = q.shape[0], q.shape[1], q.shape[2], q.shape[3]
    s.k_heads, s.keys, s.v_size = k.shape[1], k.shape[2], v.shape[3]
    if k.shape[0] != s.batch or v.shape[0] != s.batch or v.shape[1] != s.k_heads or v.shape[2] != s.keys or k.shape[3] != s.size:
        raise ShapeError(f"attention: query, key and value have the shapes {shape_of(q)}, {shape_of(k)} and {shape_of(v)}, "
                         "which do not fit")
    if (s.heads and not s.k_heads) or (s.k_heads and s.heads % s.k_heads):
        raise ShapeError(f"attention: {s.heads} heads of query can't share {s.k_heads} heads of key")
    check_keys(s.keys, cnp.PyArray_ITEMSIZE(q))
    return s


cdef int check_keys(int64_t keys, int64_t item) except -1:
    if cg_attention_width(keys) > CG_ATTENTION_MEMORY // (2 * item):
        raise ValueError(f"attention: at most {CG_ATTENTION_MEMORY // (2 * item)} keys of {item} bytes, got {keys}")
    return 0


cdef attention_mask mask_of(ndarray mask, attention_sizes s, int type_number) except *:
    """A mask [batch, heads, length, keys], of which axes may have a step of 0; a mask of bool is True where a key is seen."""
    cdef attention_mask m
    cdef int64_t item
    m.p, m.kind, m.batch, m.head, m.row, m.col = NULL, CG_ATTENTION_OPEN, 0, 0, 0, 0
    if mask is None:
        return m
    if cnp.PyArray_NDIM(mask) != 4 or shape_of(mask) != (s.batch, s.heads, s.length, s.keys):
        raise ShapeError(f"attention: mask has shape {shape_of(mask)}, wanted {(s.batch, s.heads, s.length, s.keys)}")
    if cnp.PyArray_TYPE(mask) != cnp.NPY_BOOL and cnp.PyArray_TYPE(mask) != type_number:
        raise TypeError(f"attention: mask must be of bool or of the query's dtype, got {mask.dtype}")
    if not has_steps(mask, False):
        raise ValueError("attention: mask must be aligned, with steps of whole elements")
    item = cnp.PyArray_ITEMSIZE(mask)
    m.p, m.kind = <const char *>data(mask), CG_ATTENTION_BYTES if item == 1 else CG_ATTENTION_NUMBERS
    m.batch, m.head = mask.strides[0] // item, mask.strides[1] // item
    m.row, m.col = mask.strides[2] // item, mask.strides[3] // item
    return m


def attention_draws(int64_t batch_heads, int64_t length, int64_t keys, int64_t item):
    """The counters that attention with dropout uses: whole groups for each block of queries."""
    cdef int64_t rows = cg_attention_rows(length, keys, item)
    return batch_heads * ((length + rows - 1) // rows) * ((rows * cg_attention_width(keys) + 63) // 64) * 8


def attention_blocks(int64_t length, int64_t keys, int64_t item):
    """In the order of dropout: queries in a block, elements from one query to the next, and from one block to the next."""
    cdef int64_t rows = cg_attention_rows(length, keys, item), width = cg_attention_width(keys)
    return rows, width, (rows * width + 63) // 64 * 64


cdef ndarray empty_drawn(double p):
    """The seed and offset that forward leaves for backward; None without dropout."""
    cdef cnp.npy_intp two = 2
    check_rate(p)
    return empty(1, &two, cnp.NPY_UINT64) if p > 0 else None


cdef tuple run_attention(
    ndarray y, heads yh, heads q, heads k, heads v, attention_sizes s, attention_mask m, bint causal, double scale, double p,
    uint64_t seed, uint64_t offset,
):
    """(lse, drawn), having written y."""
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = s.batch, s.heads, s.length
    cdef ndarray lse = empty(3, shape, cnp.PyArray_TYPE(y)), drawn = empty_drawn(p)
    cdef cg_attention_args args = cg_attention_args(
        y=yh.p, lse=data(lse), drawn=optional(drawn), q=q.p, k=k.p, v=v.p, mask=m.p, batch=s.batch, heads=s.heads,
        k_heads=s.k_heads, length=s.length, keys=s.keys, size=s.size, v_size=s.v_size, q_batch=q.batch, q_head=q.head,
        q_row=q.row, k_batch=k.batch, k_head=k.head, k_row=k.row, v_batch=v.batch, v_head=v.head, v_row=v.row,
        y_batch=yh.batch, y_head=yh.head, y_row=yh.row, mask_batch=m.batch, mask_head=m.head, mask_row=m.row,
        mask_col=m.col, mask_kind=m.kind, causal=causal, scale=scale, p=p, seed=seed, offset=offset)
    launch(CG_attention, dtype_of(y), &args)
    return lse, drawn


cdef int run_attention_backward(
    ndarray model, heads dq, heads dk, heads dv, heads dy, heads q, heads k, heads v, heads y, ndarray lse,
    attention_sizes s, attention_mask m, ndarray drawn, bint causal, double scale, double p,
) except -1:
    cdef cg_attention_backward_args args = cg_attention_backward_args(
        dq=dq.p, dk=dk.p, dv=dv.p, dy=dy.p, q=q.p, k=k.p, v=v.p, mask=m.p, y=y.p, lse=data(lse), drawn=optional(drawn),
        batch=s.batch, heads=s.heads, k_heads=s.k_heads, length=s.length, keys=s.keys, size=s.size, v_size=s.v_size,
        dq_batch=dq.batch, dq_head=dq.head, dq_row=dq.row, dk_batch=dk.batch, dk_head=dk.head, dk_row=dk.row,
        dv_batch=dv.batch, dv_head=dv.head, dv_row=dv.row, dy_batch=dy.batch, dy_head=dy.head, dy_row=dy.row,
        q_batch=q.batch, q_head=q.head, q_row=q.row, k_batch=k.batch, k_head=k.head, k_row=k.row, v_batch=v.batch,
        v_head=v.head, v_row=v.row, y_batch=y.batch, y_head=y.head, y_row=y.row, mask_batch=m.batch, mask_head=m.head,
        mask_row=m.row, mask_col=m.col, mask_kind=m.kind, causal=causal, scale=scale, p=p)
    return launch(CG_attention_backward, dtype_of(model), &args)


cdef int check_saved(ndarray lse, ndarray drawn, attention_sizes s, double p, int type_number) except -1:
    """What forward left for backward."""
    check_rate(p)
    if cnp.PyArray_TYPE(lse) != type_number or not cnp.PyArray_ISCARRAY_RO(lse) or size(lse) != s.batch * s.heads * s.length:
        raise ShapeError(f"attention: lse is {lse.dtype} of shape {shape_of(lse)}, wanted {(s.batch, s.heads, s.length)}")
    if p > 0 and (drawn is None or cnp.PyArray_TYPE(drawn) != cnp.NPY_UINT64 or not cnp.PyArray_ISCARRAY_RO(drawn) or size(drawn) != 2):
        raise ValueError("attention: backward with dropout needs the seed and offset that forward has used")
    return 0


def attention(q, k, v, mask, bint causal, double scale, double p=0.0, uint64_t seed=0, uint64_t offset=0):
    """(y, lse, drawn): softmax(scale·q·kᵀ + mask)·v, the logarithms of the sums of exponentials, and what backward needs
    of dropout."""
    cdef ndarray qa = head_array("attention", "query", q), ka = head_array("attention", "key", k, qa)
    cdef ndarray va = head_array("attention", "value", v, qa)
    cdef attention_sizes s = sizes_of_heads(qa, ka, va)
    cdef attention_mask m = mask_of(<ndarray?>mask if mask is not None else None, s, cnp.PyArray_TYPE(qa))
    cdef ndarray y = empty_heads(s.batch, s.heads, s.length, s.v_size, qa)
    lse, drawn = run_attention(y, heads_of(y), heads_of(qa), heads_of(ka), heads_of(va), s, m, causal, scale, p, seed, offset)
    return y, lse, drawn


def attention_backward(dy, q, k, v, y, lse, mask, drawn, bint causal, double scale, double p=0.0, out=None):
    """(dq, dk, dv), written to ``out``, three arrays, if that is not None."""
    cdef ndarray qa = head_array("attention", "query", q), ka = head_array("attention", "key", k, qa)
    cdef ndarray va = head_array("attention", "value", v, qa), g = head_array("attention", "gradient", dy, qa)
    cdef ndarray ya = head_array("attention", "output", y, qa)
    cdef attention_sizes s = sizes_of_heads(qa, ka, va)
    cdef attention_mask m = mask_of(<ndarray?>mask if mask is not None else None, s, cnp.PyArray_TYPE(qa))
    for name, x in (("gradient", g), ("output", ya)):
        if shape_of(x) != (s.batch, s.heads, s.length, s.v_size):
            raise ShapeError(f"attention: {name} has shape {shape_of(x)}, wanted {(s.batch, s.heads, s.length, s.v_size)}")
    check_saved(<ndarray?>lse, drawn, s, p, cnp.PyArray_TYPE(qa))
    cdef ndarray dq = heads_for("query", qa, out, 0), dk = heads_for("key", ka, out, 1), dv = heads_for("value", va, out, 2)
    run_attention_backward(qa, heads_of(dq), heads_of(dk), heads_of(dv), heads_of(g), heads_of(qa), heads_of(ka),
                           heads_of(va), heads_of(ya), lse, s, m, drawn, causal, scale, p)
    return dq, dk, dv


# Self-attention of x[batch, length, 3·heads·size], or x[length, batch, …] with `rows_first`: query, key and value side by side.

cdef attention_sizes sizes_of_packed(ndarray x, int64_t count, bint rows_first) except *:
    cdef attention_sizes s
    if cnp.PyArray_NDIM(x) != 3 or count < 1 or x.shape[2] % (3 * count):
        raise ShapeError(f"attention: an input of shape {shape_of(x)} does not hold query, key and value of {count} heads")
    s.batch, s.length = x.shape[1 if rows_first else 0], x.shape[0 if rows_first else 1]
    s.heads = s.k_heads = count
    s.keys, s.size = s.length, x.shape[2] // (3 * count)
    s.v_size = s.size
    check_keys(s.keys, cnp.PyArray_ITEMSIZE(x))
    return s


cdef heads packed_heads(ndarray x, attention_sizes s, bint rows_first, int part) noexcept:
    """Part 0, 1 or 2 of an array whose rows have the shape (parts, heads, size)."""
    cdef int64_t width = x.shape[2]
    cdef heads h
    h.p = <char *>data(x) + part * s.heads * s.size * cnp.PyArray_ITEMSIZE(x)
    h.head = s.size
    h.batch, h.row = (width, s.batch * width) if rows_first else (s.length * width, width)
    return h


def packed_attention(x, int64_t count, bint rows_first, mask, bint causal, double scale, double p=0.0, uint64_t seed=0,
                     uint64_t offset=0):
    """(y, lse, drawn) of self-attention, as attention; y has the layout of x."""
    cdef ndarray source = real("attention", "input", x)
    cdef attention_sizes s = sizes_of_packed(source, count, rows_first)
    cdef attention_mask m = mask_of(<ndarray?>mask if mask is not None else None, s, cnp.PyArray_TYPE(source))
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = source.shape[0], source.shape[1], count * s.size
    cdef ndarray y = empty(3, shape, cnp.PyArray_TYPE(source))
    lse, drawn = run_attention(
        y, packed_heads(y, s, rows_first, 0), packed_heads(source, s, rows_first, 0), packed_heads(source, s, rows_first, 1),
        packed_heads(source, s, rows_first, 2), s, m, causal, scale, p, seed, offset)
    return y, lse, drawn


def packed_attention_backward(dy, x, int64_t count, bint rows_first, y, lse, mask, drawn, bint causal, double scale,
                              double p=0.0):
    """dx"""
    cdef ndarray source = real("attention", "input", x), output = real("attention", "output", y)
    cdef ndarray g = like("attention", "gradient", dy, "output", output), dx = empty_like(source)
    cdef attention_sizes s = sizes_of_packed(source, count, rows_first)
    cdef attention_mask m = mask_of(<ndarray?>mask if mask is not None else None, s, cnp.PyArray_TYPE(source))
    check_same_dtype("attention", "output", output, "input", source)
    check_saved(<ndarray?>lse, drawn, s, p, cnp.PyArray_TYPE(source))
    if shape_of(output) != (source.shape[0], source.shape[1], count * s.size):
        raise ShapeError(f"attention: output has shape {shape_of(output)}, but input {shape_of(source)}")
    run_attention_backward(
        source, packed_heads(dx, s, rows_first, 0), packed_heads(dx, s, rows_first, 1), packed_heads(dx, s, rows_first, 2),
        packed_heads(g, s, rows_first, 0), packed_heads(source, s, rows_first, 0), packed_heads(source, s, rows_first, 1),
        packed_heads(source, s, rows_first, 2), packed_heads(output, s, rows_first, 0), lse, s, m, drawn, causal, scale, p)
    return dx
