# Affine maps and blur of images.

PADDINGS = {"constant": 0, "edge": 1, "reflect": 2}


cdef ndarray images(str op, object x):
    """x as an array of images: four axes, and planes of fewer than 2³¹ elements."""
    cdef ndarray array = real(op, "input", x)
    if cnp.PyArray_NDIM(array) != 4:
        raise ValueError(f"{op}: input must be (N, C, H, W), got shape {shape_of(array)}")
    if <int64_t>array.shape[2] * array.shape[3] >= 1 << 31:
        raise ValueError(f"{op}: an image must have fewer than 2^31 pixels, got {array.shape[2]} x {array.shape[3]}")
    return array


cdef ndarray parameters(str op, str name, object values, ndarray x, int64_t count):
    """`values` as an array of x's dtype: `count` finite elements for each sample of x."""
    cdef ndarray array = real(op, name, values)
    check_same_dtype(op, name, array, "input", x)
    if size(array) != x.shape[0] * count:
        raise ValueError(f"{op}: {name} must be {count} numbers for each of {x.shape[0]} samples, got shape {shape_of(array)}")
    if not np.isfinite(array).all():
        raise ValueError(f"{op}: {name} must be finite")
    return array


def warp(x, maps, int64_t height, int64_t width, padding="constant", double fill=0):
    """y [n, c, height, width]: y at (column u, row v) is x[i] at (m₀u + m₁v + m₂, m₃u + m₄v + m₅), m = maps[i]."""
    cdef ndarray source = images("warp", x), m = parameters("warp", "maps", maps, source, 6), y
    if padding not in PADDINGS:
        raise ValueError(f"warp: padding must be constant, edge or reflect, got {padding!r}")
    if height < 0 or width < 0:
        raise ValueError(f"warp: the size must not be negative, got ({height}, {width})")
    if size(m) and np.abs(m).max() >= 2.0**30:
        raise ValueError("warp: maps must stay below 2^30")
    cdef cnp.npy_intp *s = cnp.PyArray_DIMS(source)
    if s[2] * s[3] == 0 and s[0] * s[1] * height * width:
        raise ValueError(f"warp: images must have pixels, got shape {shape_of(source)}")
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = s[0], s[1], height, width
    y = empty(4, shape, cnp.PyArray_TYPE(source))
    cdef cg_warp_args args = cg_warp_args(
        y=data(y), x=data(source), maps=data(m), n=s[0], channels=s[1], height=s[2], width=s[3],
        out_height=height, out_width=width, padding=PADDINGS[padding], fill=fill)
    if size(y):
        launch(CG_warp, dtype_of(y), &args)
    return y


def blur(x, weights):
    """y: x[i] convolved with weights[i], an odd number of taps, down the columns and along the rows; edges are mirrored."""
    cdef ndarray source = images("blur", x), y
    cdef cnp.npy_intp *s = cnp.PyArray_DIMS(source)
    cdef ndarray w = real("blur", "weights", weights)
    cdef int64_t taps = w.shape[1] if cnp.PyArray_NDIM(w) == 2 else 0
    if taps % 2 != 1:
        raise ValueError(f"blur: weights must be (N, an odd number of taps), got shape {shape_of(w)}")
    w = parameters("blur", "weights", w, source, taps)
    if size(source) and taps // 2 >= min(s[2], s[3]):
        raise ValueError(f"blur: {taps} taps reach beyond the mirror of an image of {s[2]} x {s[3]}")
    if (s[3] + taps) * taps > CG_SCRATCH_BYTES // 16 - 4 * (taps + 64):
        raise ValueError(f"blur: {taps} taps are too many for rows of {s[3]} pixels")
    y = empty_like(source)
    cdef cg_blur_args args = cg_blur_args(
        y=data(y), x=data(source), weights=data(w), n=s[0], channels=s[1], height=s[2], width=s[3], taps=taps)
    if size(y):
        launch(CG_blur, dtype_of(y), &args)
    return y
