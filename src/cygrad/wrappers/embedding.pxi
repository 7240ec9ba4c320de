# Rows of a table, taken by number and given back.

cdef ndarray row_numbers(str op, object index, int64_t rows):
    """A copy of the index as int64, every number in 0..rows − 1."""
    if not isinstance(index, cnp.ndarray) or (<ndarray>index).dtype.kind not in "iu":
        raise TypeError(f"{op}: index must be an array of integers, got {getattr(index, 'dtype', type(index).__name__)}")
    return checked_numbers(op, "index", index, rows, False, 0, None, None)


def gather_rows(x, index):
    """y[i…] = x[index[i…]]: rows of an array of any plain dtype. Returns (y, the index as it was checked)."""
    cdef ndarray source = <ndarray?>x, numbers, y
    if cnp.PyArray_NDIM(source) < 1 or source.dtype.hasobject:
        raise TypeError(f"gather_rows: input must be an array of rows of numbers, got {source.dtype} of shape "
                        f"{shape_of(source)}")
    if not cnp.PyArray_ISCARRAY_RO(source):
        source = np.ascontiguousarray(source)
    numbers = row_numbers("gather_rows", index, source.shape[0])
    cdef int64_t row = cnp.PyArray_ITEMSIZE(source)
    cdef int own = cnp.PyArray_NDIM(numbers), i
    cdef cnp.npy_intp shape[64]
    for i in range(own):
        shape[i] = numbers.shape[i]
    for i in range(1, cnp.PyArray_NDIM(source)):
        shape[own + i - 1] = source.shape[i]
        row *= source.shape[i]
    if cnp.PyArray_ITEMSIZE(source) <= 8 and source.dtype.isbuiltin == 1 and source.dtype.kind in "biuf":
        y = empty(own + cnp.PyArray_NDIM(source) - 1, shape, cnp.PyArray_TYPE(source))
    else:
        y = np.empty(tuple([shape[i] for i in range(own + cnp.PyArray_NDIM(source) - 1)]), source.dtype)
    cdef cg_gather_rows_args args = cg_gather_rows_args(
        y=data(y), x=data(source), index=<int64_t *>data(numbers), count=size(numbers), row_bytes=row)
    launch(CG_gather_rows, CG_FLOAT32, &args, 0.1 * row * args.count)
    return y, numbers


def scatter_rows(dy, index, int64_t rows, int64_t padding=-1):
    """dx[rows, cols]: the sum of all dy[i…] whose index is the row; row `padding` stays zero."""
    cdef ndarray g = real("scatter_rows", "gradient", dy), numbers = row_numbers("scatter_rows", index, rows)
    cdef int64_t count = size(numbers)
    cdef int own = cnp.PyArray_NDIM(numbers)
    cdef cnp.npy_intp shape[64]
    cdef int i
    for i in range(own):
        if i >= cnp.PyArray_NDIM(g) or g.shape[i] != numbers.shape[i]:
            raise ValueError(f"scatter_rows: gradient has shape {shape_of(g)}, but index has {shape_of(numbers)}")
    shape[0] = rows
    cdef int64_t cols = 1
    for i in range(own, cnp.PyArray_NDIM(g)):
        shape[i - own + 1] = g.shape[i]
        cols *= g.shape[i]
    cdef ndarray dx = empty(cnp.PyArray_NDIM(g) - own + 1, shape, cnp.PyArray_TYPE(g))
    cdef cg_scatter_rows_args args = cg_scatter_rows_args(
        dx=data(dx), dy=data(g), index=<int64_t *>data(numbers), count=count, rows=rows, cols=cols, padding=padding)
    launch(CG_scatter_rows, dtype_of(g), &args, 0.3 * size(g) + 0.1 * size(dx))
    return dx
