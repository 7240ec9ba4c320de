# Gathering and scattering of rows.

cdef ndarray row_indices(str op, object index, int64_t rows):
    """A copy of the index as int64, checked to lie in 0..rows − 1."""
    if not isinstance(index, cnp.ndarray) or (<ndarray>index).dtype.kind not in "iu":
        raise TypeError(f"{op}: index must be an array of integers, got {getattr(index, 'dtype', type(index).__name__)}")
    return checked_indices(op, "index", index, rows, False, 0, None, None)


def gather_rows(x, index):
    """y[i…] = x[index[i…]]: rows of an array of any plain dtype. Returns (y, the checked index)."""
    cdef ndarray source = <ndarray?>x, indices, y
    if cnp.PyArray_NDIM(source) < 1 or source.dtype.hasobject:
        raise TypeError(f"gather_rows: input must be a numeric array with at least one axis, got {source.dtype} of shape "
                        f"{shape_of(source)}")
    if not cnp.PyArray_ISCARRAY_RO(source):
        source = np.ascontiguousarray(source)
    indices = row_indices("gather_rows", index, source.shape[0])
    cdef int64_t row = cnp.PyArray_ITEMSIZE(source)
    cdef int ndim = cnp.PyArray_NDIM(indices), axes = ndim + cnp.PyArray_NDIM(source) - 1, i
    cdef cnp.npy_intp shape[MOST_AXES]
    check_axes_fit("gather_rows", axes)
    for i in range(ndim):
        shape[i] = indices.shape[i]
    for i in range(1, cnp.PyArray_NDIM(source)):
        shape[ndim + i - 1] = source.shape[i]
        row *= source.shape[i]
    if cnp.PyArray_ITEMSIZE(source) <= 8 and source.dtype.isnative and source.dtype.kind in "biuf":
        y = empty(axes, shape, cnp.PyArray_TYPE(source))
    else:
        y = np.empty(tuple([shape[i] for i in range(axes)]), source.dtype)
    cdef cg_gather_rows_args args = cg_gather_rows_args(
        y=data(y), x=data(source), index=<int64_t *>data(indices), count=size(indices), row_bytes=row)
    launch(CG_gather_rows, CG_FLOAT32, &args)
    return y, indices


def scatter_rows(dy, index, int64_t rows, int64_t padding=-1):
    """dx[rows, cols]: the sum of all dy[i…] whose index is the row; row `padding` stays zero."""
    cdef ndarray g = real("scatter_rows", "gradient", dy), indices = row_indices("scatter_rows", index, rows)
    cdef int64_t count = size(indices)
    cdef int ndim = cnp.PyArray_NDIM(indices), axes = cnp.PyArray_NDIM(g) - ndim + 1, i
    cdef cnp.npy_intp shape[MOST_AXES]
    check_axes_fit("scatter_rows", axes)
    for i in range(ndim):
        if i >= cnp.PyArray_NDIM(g) or g.shape[i] != indices.shape[i]:
            raise ValueError(f"scatter_rows: gradient has shape {shape_of(g)}, but index has {shape_of(indices)}")
    shape[0] = rows
    cdef int64_t cols = 1
    for i in range(ndim, cnp.PyArray_NDIM(g)):
        shape[i - ndim + 1] = g.shape[i]
        cols *= g.shape[i]
    cdef ndarray dx = empty(axes, shape, cnp.PyArray_TYPE(g))
    cdef cg_scatter_rows_args args = cg_scatter_rows_args(
        dx=data(dx), dy=data(g), index=<int64_t *>data(indices), count=count, rows=rows, cols=cols, padding=padding)
    if cols:
        launch(CG_scatter_rows, dtype_of(g), &args)
    return dx
