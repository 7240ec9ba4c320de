# Augmentations of pixel values: color, noise, erasing, pasting, mixing.

def color(x, factors, double low=-np.inf, double high=np.inf):
    """y: brightness, contrast and saturation of x[i] times factors[i], each followed by a clamp to [low, high]."""
    cdef ndarray source = images("color", x), f = parameters("color", "factors", factors, source, 3), y = empty_like(source)
    cdef cnp.npy_intp *s = cnp.PyArray_DIMS(source)
    cdef cg_color_args args = cg_color_args(
        y=data(y), x=data(source), factors=data(f), n=s[0], channels=s[1], pixels=<int64_t>s[2] * s[3], low=low, high=high)
    if size(y):
        launch(CG_color, dtype_of(y), &args)
    return y


def gaussian_noise(x, sigmas, uint64_t seed, uint64_t offset, double mean=0, double low=-np.inf, double high=np.inf):
    """y = clamp(x + mean + sigmas[i]·z) to [low, high], z from N(0, 1), a function of (seed, offset, i, position)."""
    cdef ndarray source = real("gaussian_noise", "input", x), f, y = empty_like(source)
    if cnp.PyArray_NDIM(source) < 1:
        raise ValueError("gaussian_noise: input must have a first dimension, the samples, got shape ()")
    f = parameters("gaussian_noise", "sigmas", sigmas, source, 1)
    cdef int64_t n = source.shape[0]
    cdef cg_gaussian_noise_args args = cg_gaussian_noise_args(
        y=data(y), x=data(source), sigmas=data(f), n=n, size=size(source) // max(n, 1), mean=mean, low=low, high=high,
        seed=seed, offset=offset)
    launch(CG_gaussian_noise, dtype_of(y), &args)
    return y


def gaussian_noise_draws(x):
    """The counters that the noise of x uses: one for four elements of a sample, in whole groups of 8."""
    cdef int64_t n = (<ndarray?>x).shape[0]
    return n * ((size(x) // max(n, 1) + 31) // 32 * 8)


cdef ndarray boxes_of(str op, object boxes, ndarray x):
    """(top, left, height, width) for each image, checked to lie inside it."""
    cdef ndarray b = np.ascontiguousarray(boxes, np.int64)
    cdef cnp.npy_intp *s = cnp.PyArray_DIMS(x)
    if shape_of(b) != (s[0], 4):
        raise ValueError(f"{op}: boxes must be ({s[0]}, 4), got shape {shape_of(b)}")
    cdef int64_t *v = <int64_t *>data(b)
    cdef int64_t i
    for i in range(s[0]):
        if not (0 <= v[4 * i] and 0 <= v[4 * i + 1] and 0 <= v[4 * i + 2] <= s[2] - v[4 * i]
                and 0 <= v[4 * i + 3] <= s[3] - v[4 * i + 1]):
            raise ValueError(f"{op}: box {tuple(b[i].tolist())} is not inside an image of {s[2]} x {s[3]}")
    return b


def erase(x, boxes, values):
    """y = x, but values[channel] in the box (top, left, height, width) = boxes[i]."""
    cdef ndarray source = images("erase", x), b = boxes_of("erase", boxes, source), v = real("erase", "values", values)
    cdef cnp.npy_intp *s = cnp.PyArray_DIMS(source)
    check_same_dtype("erase", "values", v, "input", source)
    if shape_of(v) != (s[1],):
        raise ValueError(f"erase: values must be one for each of {s[1]} channels, got shape {shape_of(v)}")
    cdef ndarray y = empty_like(source)
    cdef cg_erase_args args = cg_erase_args(
        y=data(y), x=data(source), values=data(v), boxes=<int64_t *>data(b), n=s[0], channels=s[1], height=s[2], width=s[3])
    if size(y):
        launch(CG_erase, dtype_of(y), &args)
    return y


def paste(x, other, index, boxes):
    """y = x, but other[index[i]] in the box (top, left, height, width) = boxes[i]."""
    cdef ndarray source = images("paste", x), b = boxes_of("paste", boxes, source)
    cdef ndarray from_ = like("paste", "other", other, "input", source)
    cdef ndarray indices = partners("paste", index, source), y = empty_like(source)
    cdef cnp.npy_intp *s = cnp.PyArray_DIMS(source)
    cdef cg_paste_args args = cg_paste_args(
        y=data(y), x=data(source), other=data(from_), index=<int64_t *>data(indices), boxes=<int64_t *>data(b),
        n=s[0], channels=s[1], height=s[2], width=s[3])
    if size(y):
        launch(CG_paste, dtype_of(y), &args)
    return y


cdef ndarray partners(str op, object index, ndarray x):
    """The index of another sample for each sample."""
    cdef ndarray indices = row_indices(op, index, x.shape[0])
    if shape_of(indices) != (x.shape[0],):
        raise ValueError(f"{op}: index must have one entry for each of {x.shape[0]} samples, got shape {shape_of(indices)}")
    return indices


def mix(x, index, weights):
    """y[i] = w·x[i] + (1 − w)·x[index[i]], w = weights[i]"""
    cdef ndarray source = real("mix", "input", x)
    if cnp.PyArray_NDIM(source) < 1:
        raise ValueError("mix: input must have a first dimension, the samples, got shape ()")
    cdef ndarray indices = partners("mix", index, source), w = parameters("mix", "weights", weights, source, 1)
    cdef ndarray y = empty_like(source)
    cdef int64_t n = source.shape[0]
    cdef cg_mix_args args = cg_mix_args(
        y=data(y), x=data(source), weights=data(w), index=<int64_t *>data(indices), n=n, size=size(source) // max(n, 1))
    launch(CG_mix, dtype_of(y), &args)
    return y
