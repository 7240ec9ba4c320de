# ReLU with a mask. The wrappers of all other activations are generated from csrc/kernels.def, by csrc/kernel_table.py.

cdef inline cnp.npy_intp mask_words(ndarray x) noexcept:
    """The length of a mask of one bit for each element of x, in words as wide as its elements."""
    return (size(x) + CG_MASK_GROUP - 1) // CG_MASK_GROUP * (CG_MASK_GROUP // (8 * cnp.PyArray_ITEMSIZE(x)))


def relu_masked(x):
    """(y, mask): y of relu, and one bit for each element, 1 where x > 0, for relu_masked_backward."""
    cdef ndarray source = real("relu", "input", x), y = empty_like(source)
    cdef cnp.npy_intp words = mask_words(source)
    cdef ndarray mask = empty(1, &words, cnp.NPY_UINT32 if dtype_of(source) == CG_FLOAT32 else cnp.NPY_UINT64)
    cdef cg_relu_masked_args args = cg_relu_masked_args(y=data(y), mask=data(mask), x=data(source), n=size(y))
    launch(CG_relu_masked, dtype_of(y), &args)
    return y, mask


def relu_masked_backward(dy, mask):
    """dx of relu, from the mask of relu_masked."""
    cdef ndarray g = real("relu", "gradient", dy), m = <ndarray?>mask, dx = empty_like(g)
    if cnp.PyArray_ITEMSIZE(m) != cnp.PyArray_ITEMSIZE(g) or not cnp.PyArray_ISCARRAY_RO(m) or size(m) != mask_words(g):
        raise ValueError(f"relu: gradient is {g.dtype} of shape {shape_of(g)}, but the mask is {m.dtype} of {shape_of(m)}")
    cdef cg_relu_masked_backward_args args = cg_relu_masked_backward_args(
        dx=data(dx), dy=data(g), mask=data(m), n=size(dx))
    launch(CG_relu_masked_backward, dtype_of(dx), &args)
    return dx
