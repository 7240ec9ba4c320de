# The norm of many gradients as one vector, and clipping in place: one call for all arrays.

cdef ndarray total_norm(Many many, void **g, double p, double max_norm, ndarray factor):
    """The norm as a 0-d array; `factor` receives min(1, max_norm/(norm + 1e-6))."""
    cdef cnp.npy_intp blocks = many.blocks
    cdef ndarray partial = empty(1, &blocks, cnp.NPY_FLOAT64), norm = scalar(many.type_number)
    cdef cg_grad_norm_blocks_args parts = cg_grad_norm_blocks_args(
        partial=data(partial), g=<const void **>g, sizes=many.sizes, tensors=many.tensors, blocks=many.blocks, p=p)
    cdef cg_grad_norm_args args = cg_grad_norm_args(
        norm=data(norm), factor=data(factor), partial=data(partial), blocks=many.blocks, p=p, max_norm=max_norm)
    launch(CG_grad_norm_blocks, many.dtype(), &parts)
    launch(CG_grad_norm, many.dtype(), &args)
    return norm


def grad_norm(gradients, double p=2.0):
    """(Σ|g|ᵖ)^(1/p) over all elements of all arrays, the largest |g| for p = ∞, as a 0-d array."""
    cdef Many many = Many("grad_norm", len(gradients), 1)
    cdef void **g = many.take(0, "gradients", gradients, False)
    return total_norm(many, g, p, 1.0, scalar(many.type_number))


def clip_grad_norm(gradients, double max_norm, double p=2.0, bint error_if_nonfinite=False):
    """Scale all arrays in place by min(1, max_norm/(norm + 1e-6)); return the norm before."""
    cdef Many many = Many("clip_grad_norm_", len(gradients), 1)
    cdef void **g = many.take(0, "gradients", gradients)
    cdef ndarray factor = scalar(many.type_number), norm = total_norm(many, g, p, max_norm, factor)
    if error_if_nonfinite and not np.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the norm of order {p} is {norm}, so the gradients can't be clipped")
    cdef cg_scale_all_args args = cg_scale_all_args(
        g=g, factor=data(factor), sizes=many.sizes, tensors=many.tensors, blocks=many.blocks)
    launch(CG_scale_all, many.dtype(), &args)
    return norm


def clip_grad_value(gradients, double limit):
    """Clamp every element of all arrays to [−limit, limit], in place."""
    cdef Many many = Many("clip_grad_value_", len(gradients), 1)
    cdef void **g = many.take(0, "gradients", gradients)
    cdef cg_clip_value_args args = cg_clip_value_args(
        g=g, sizes=many.sizes, tensors=many.tensors, blocks=many.blocks, limit=limit)
    launch(CG_clip_value, many.dtype(), &args)


def clip_grad_adaptive(gradients, weights, double clipping, double floor, bint unitwise):
    """Scale each array, or each unit of it, to a norm of at most clipping·max(‖w‖, floor), in place; return the 2-norm of all
    arrays before. A unit is an entry along the first axis."""
    cdef Many many = Many("clip_grad_adaptive_", len(gradients), 2)
    cdef void **g = many.take(0, "gradients", gradients)
    cdef void **w = many.take(1, "weights", weights, False)
    cdef ndarray norm = total_norm(many, g, 2.0, 1.0, scalar(many.type_number)), array
    cdef cnp.npy_intp count = many.tensors
    cdef ndarray units = empty(1, &count, cnp.NPY_INT64), sizes = empty(1, &count, cnp.NPY_INT64)
    cdef int64_t *unit = <int64_t *>data(units)
    cdef int64_t *unit_size = <int64_t *>data(sizes)
    cdef int64_t t
    for t in range(many.tensors):
        array = (<tuple>many.kept[0])[t]
        unit[t] = array.shape[0] if unitwise and cnp.PyArray_NDIM(array) > 0 else 1
        unit_size[t] = many.sizes[t] // unit[t] if unit[t] else 0
    cdef cg_clip_adaptive_args args = cg_clip_adaptive_args(
        g=g, w=<const void **>w, units=unit, unit_sizes=unit_size, tensors=many.tensors, clipping=clipping, floor=floor)
    launch(CG_clip_adaptive, many.dtype(), &args)
    return norm
