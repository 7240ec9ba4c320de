# Dropout. The mask is a function of (seed, offset), with one byte for each element.

cdef int check_rate(double p) except -1:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must lie in [0, 1], got {p}")
    return 0


def dropout(x, double p, uint64_t seed, uint64_t offset, bint want_mask=True):
    """(y, mask): y = x·mask/(1 − p), mask 0 with probability p, else 1. The mask is None if it is not wanted."""
    cdef ndarray source = real("dropout", "input", x), y = empty_like(source), mask = None
    check_rate(p)
    if want_mask:
        mask = empty(cnp.PyArray_NDIM(y), cnp.PyArray_DIMS(y), cnp.NPY_UINT8)
    cdef cg_dropout_args args = cg_dropout_args(
        y=data(y), mask=optional(mask), x=data(source), n=size(y), p=p, seed=seed, offset=offset)
    launch(CG_dropout, dtype_of(y), &args)
    return y, mask


def dropout_backward(dy, mask, double p):
    """dx = dy·mask/(1 − p)"""
    cdef ndarray g = real("dropout", "gradient", dy), m = <ndarray?>mask, dx = empty_like(g)
    check_rate(p)
    if cnp.PyArray_TYPE(m) != cnp.NPY_UINT8 or not cnp.PyArray_ISCARRAY_RO(m) or size(m) != size(g):
        raise ValueError(f"dropout: gradient has shape {shape_of(g)}, but the mask is {m.dtype} of shape {shape_of(m)}")
    cdef cg_dropout_backward_args args = cg_dropout_backward_args(dx=data(dx), dy=data(g), mask=data(m), n=size(dx), p=p)
    launch(CG_dropout_backward, dtype_of(dx), &args)
    return dx


def dropout_draws(x):
    """The counters that one dropout of x uses: one for eight elements, in whole groups of 8."""
    return (size(<ndarray?>x) + 63) // 64 * 8


def advance(dict state, draws):
    """Move `_offset` past so many counters, modulo 2⁶⁴. Returns `_seed` and the offset before."""
    with cython.critical_section(state):
        seed, offset = state["_seed"], state["_offset"]
        state["_offset"] = (offset + draws) & 0xFFFFFFFFFFFFFFFF
    return seed, offset
