# Dropout: the mask is a function of (seed, offset), so that backward draws it again.

def dropout(x, double p, uint64_t seed, uint64_t offset):
    """y = x·mask/(1 − p), mask 0 with probability p. The gradient is the same of dy."""
    cdef ndarray source = real("dropout", "input", x), y = empty_like(source)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must lie in [0, 1], got {p}")
    cdef cg_dropout_args args = cg_dropout_args(y=data(y), x=data(source), n=size(y), p=p, seed=seed, offset=offset)
    launch(CG_dropout, dtype_of(y), &args, 0.7 * args.n)
    return y


def dropout_draws(x):
    """How far one dropout of x moves the offset: a counter for four numbers, in whole groups of 16."""
    return (size(<ndarray?>x) + 63) // 64 * 16
