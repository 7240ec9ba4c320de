# Rows of tokens dropped, swapped, replaced and inserted: int64 (rows, cols), the first lengths[i] of row i valid.

cdef ndarray token_rows(str op, object tokens):
    """The rows as int64."""
    cdef ndarray x = <ndarray?>tokens
    if cnp.PyArray_NDIM(x) != 2 or x.dtype.kind not in "iu":
        raise TypeError(f"{op}: tokens must be integers (N, L), got {x.dtype} of shape {shape_of(x)}")
    return np.ascontiguousarray(x, np.int64)


cdef ndarray row_lengths(str op, object lengths, ndarray x):
    """The count of valid tokens of each row."""
    cdef ndarray n = np.ascontiguousarray(lengths, np.int64)
    if shape_of(n) != (x.shape[0],):
        raise ValueError(f"{op}: lengths must be ({x.shape[0]},), got shape {shape_of(n)}")
    if size(n) and not (0 <= n.min() and n.max() <= x.shape[1]):
        raise ValueError(f"{op}: lengths must lie between 0 and {x.shape[1]}, got {n.min()} to {n.max()}")
    return n


cdef int check_share(str op, double p) except -1:
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: p must lie in [0, 1], got {p}")
    return 0


cdef tuple synonym_table(str op, object starts, object synonyms):
    """The start of each token's synonyms, and all synonyms. starts increases from 0 to their count."""
    cdef ndarray s = np.ascontiguousarray(starts, np.int64), all_ = np.ascontiguousarray(synonyms, np.int64)
    if s.ndim != 1 or all_.ndim != 1 or not size(s) or s[0] != 0 or s[size(s) - 1] != size(all_) or (np.diff(s) < 0).any():
        raise ValueError(f"{op}: starts must increase from 0 to the count of synonyms, {size(all_)}")
    return s, all_


cdef ndarray new_tokens(int64_t rows, int64_t cols):
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = rows, cols
    return empty(2, shape, cnp.NPY_INT64)


def token_draws(x):
    """The counters that one augmentation of the tokens x uses: one for each token, in whole groups of 8."""
    cdef ndarray rows = <ndarray?>x
    return rows.shape[0] * ((rows.shape[1] + 7) // 8 * 8)


def drop_tokens(tokens, lengths, double p, uint64_t seed, uint64_t offset, int64_t padding=0):
    """(y, kept): each token is dropped with probability p, but at least one is kept; then `padding`."""
    cdef ndarray x = token_rows("drop_tokens", tokens), n = row_lengths("drop_tokens", lengths, x)
    cdef ndarray y = new_tokens(x.shape[0], x.shape[1]), kept = np.empty(x.shape[0], np.int64)
    check_share("drop_tokens", p)
    cdef cg_drop_tokens_args args = cg_drop_tokens_args(
        y=data(y), kept=data(kept), x=<int64_t *>data(x), lengths=<int64_t *>data(n), rows=x.shape[0], cols=x.shape[1],
        padding=padding, p=p, seed=seed, offset=offset)
    launch(CG_drop_tokens, CG_FLOAT32, &args)
    return y, kept


def swap_tokens(tokens, lengths, double p, uint64_t seed, uint64_t offset):
    """y: each token is swapped with another of its row with probability p."""
    cdef ndarray x = token_rows("swap_tokens", tokens), n = row_lengths("swap_tokens", lengths, x)
    cdef ndarray y = new_tokens(x.shape[0], x.shape[1])
    check_share("swap_tokens", p)
    cdef cg_swap_tokens_args args = cg_swap_tokens_args(
        y=data(y), x=<int64_t *>data(x), lengths=<int64_t *>data(n), rows=x.shape[0], cols=x.shape[1],
        p=p, seed=seed, offset=offset)
    launch(CG_swap_tokens, CG_FLOAT32, &args)
    return y


def replace_tokens(tokens, lengths, starts, synonyms, double p, uint64_t seed, uint64_t offset):
    """y: each token is replaced by one of its synonyms with probability p; those of t are synonyms[starts[t]:starts[t + 1]]."""
    cdef ndarray x = token_rows("replace_tokens", tokens), n = row_lengths("replace_tokens", lengths, x)
    cdef ndarray y = new_tokens(x.shape[0], x.shape[1]), first, all_
    first, all_ = synonym_table("replace_tokens", starts, synonyms)
    check_share("replace_tokens", p)
    cdef cg_replace_tokens_args args = cg_replace_tokens_args(
        y=data(y), x=<int64_t *>data(x), lengths=<int64_t *>data(n), starts=<int64_t *>data(first),
        synonyms=<int64_t *>data(all_), rows=x.shape[0], cols=x.shape[1], vocabulary=size(first) - 1,
        p=p, seed=seed, offset=offset)
    launch(CG_replace_tokens, CG_FLOAT32, &args)
    return y


def insert_tokens(tokens, lengths, starts, synonyms, double p, uint64_t seed, uint64_t offset, int64_t padding=0):
    """(y [rows, 2·cols], kept): before each token, with probability p, a synonym of one of the row's tokens is inserted, if it
    has any; then `padding`."""
    cdef ndarray x = token_rows("insert_tokens", tokens), n = row_lengths("insert_tokens", lengths, x)
    cdef ndarray y = new_tokens(x.shape[0], 2 * x.shape[1]), kept = np.empty(x.shape[0], np.int64), first, all_
    first, all_ = synonym_table("insert_tokens", starts, synonyms)
    check_share("insert_tokens", p)
    cdef cg_insert_tokens_args args = cg_insert_tokens_args(
        y=data(y), kept=data(kept), x=<int64_t *>data(x), lengths=<int64_t *>data(n), starts=<int64_t *>data(first),
        synonyms=<int64_t *>data(all_), rows=x.shape[0], cols=x.shape[1], vocabulary=size(first) - 1, padding=padding,
        p=p, seed=seed, offset=offset)
    launch(CG_insert_tokens, CG_FLOAT32, &args)
    return y, kept
