# Convolutions of x[n, channels, (height,) width] with weight[filters, channels of a group, (height,) width]. Kernels pad with
# zeros wherever a tap leaves the image, so that any sizes are safe.

cdef struct Geometry:
    int64_t n, groups, channels, filters
    int64_t height, width, kernel_height, kernel_width, out_height, out_width
    int64_t stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x


# Larger sizes would overflow in products of two.
cdef int64_t LARGEST_STEP = 2**31 - 1


cdef inline str conv_name(object x):
    """The name of a convolution of images x, for messages."""
    return "conv1d" if isinstance(x, cnp.ndarray) and cnp.PyArray_NDIM(<ndarray>x) == 3 else "conv2d"


cdef inline str conv_transpose_name(object x):
    return "conv_transpose1d" if isinstance(x, cnp.ndarray) and cnp.PyArray_NDIM(<ndarray>x) == 3 else "conv_transpose2d"


cdef int read_pair(str op, str name, tuple values, int axes, int64_t least, int64_t *y, int64_t *x) except -1:
    """One number for each of one or two axes."""
    if len(values) != axes:
        raise ValueError(f"{op}: {name} must have {axes} numbers, got {values}")
    x[0] = read_step(op, name, values[axes - 1], least)
    if axes == 2:
        y[0] = read_step(op, name, values[0], least)
    return 0


cdef int64_t read_step(str op, str name, object value, int64_t least) except? -1:
    if not least <= value <= LARGEST_STEP:
        raise ValueError(f"{op}: {name} must lie in {least} to {LARGEST_STEP}, got {value}")
    return value


cdef int read_pixels(str op, str name, ndarray x, int64_t *y_size, int64_t *x_size) except -1:
    """The sizes of the last one or two axes."""
    cdef int ndim = cnp.PyArray_NDIM(x)
    if ndim != 3 and ndim != 4:
        raise ShapeError(f"{op}: {name} must have 3 or 4 dimensions, got shape {shape_of(x)}")
    x_size[0] = x.shape[ndim - 1]
    y_size[0] = x.shape[2] if ndim == 4 else 1
    return 0


cdef int read_geometry(str op, Geometry *g, int axes, tuple stride, tuple padding, tuple dilation, int64_t groups) except -1:
    """The steps of a convolution, in one or two dimensions."""
    g.stride_y = g.dilation_y = 1
    g.padding_y = 0
    read_pair(op, "stride", stride, axes, 1, &g.stride_y, &g.stride_x)
    read_pair(op, "padding", padding, axes, -LARGEST_STEP, &g.padding_y, &g.padding_x)
    read_pair(op, "dilation", dilation, axes, 1, &g.dilation_y, &g.dilation_x)
    g.groups = read_step(op, "groups", groups, 1)
    return 0


cdef int read_weight(str op, Geometry *g, ndarray weight, int ndim) except -1:
    """The sizes of the kernel and of a group."""
    if cnp.PyArray_NDIM(weight) != ndim:
        raise ShapeError(f"{op}: weight must have {ndim} dimensions, got shape {shape_of(weight)}")
    read_pixels(op, "weight", weight, &g.kernel_height, &g.kernel_width)
    g.filters, g.channels = weight.shape[0] // g.groups, weight.shape[1]
    if g.filters * g.groups != weight.shape[0] or not g.kernel_height * g.kernel_width:
        raise ShapeError(f"{op}: a weight of shape {shape_of(weight)} does not fit {g.groups} groups")
    return 0


cdef ndarray checked_bias(str op, object bias, ndarray x, int64_t channels):
    """One element for each channel of the result, or None."""
    if bias is None:
        return None
    cdef ndarray b = real(op, "bias", bias)
    check_same_dtype(op, "bias", b, "input", x)
    if cnp.PyArray_NDIM(b) != 1 or b.shape[0] != channels:
        raise ShapeError(f"{op}: bias has shape {shape_of(b)}, but the result has {channels} channels")
    return b


cdef ndarray empty_images(str op, ndarray like, int64_t channels, tuple size, int64_t *y_size, int64_t *x_size):
    """A new array of as many images as `like`."""
    cdef cnp.npy_intp shape[4]
    cdef int ndim = cnp.PyArray_NDIM(like)
    y_size[0] = 1
    read_pair(op, "size", size, ndim - 2, 0, y_size, x_size)
    shape[0], shape[1], shape[2], shape[ndim - 1] = like.shape[0], channels, y_size[0], x_size[0]
    return empty(ndim, shape, cnp.PyArray_TYPE(like))


cdef cg_conv_args conv_block(Geometry *g) noexcept:
    """The argument block of a convolution, without its arrays."""
    return cg_conv_args(
        y=NULL, x=NULL, weight=NULL, bias=NULL, n=g.n, groups=g.groups, channels=g.channels, filters=g.filters,
        height=g.height, width=g.width, kernel_height=g.kernel_height, kernel_width=g.kernel_width,
        out_height=g.out_height, out_width=g.out_width, stride_y=g.stride_y, stride_x=g.stride_x,
        padding_y=g.padding_y, padding_x=g.padding_x, dilation_y=g.dilation_y, dilation_x=g.dilation_x)


def conv(x, weight, bias, tuple stride, tuple padding, tuple dilation, int64_t groups, tuple size):
    """y of the given size: the convolution of x, padded in front by `padding` and behind as far as needed."""
    cdef str op = conv_name(x)
    cdef ndarray source = real(op, "input", x), w = real(op, "weight", weight), b, y
    cdef Geometry g
    check_same_dtype(op, "weight", w, "input", source)
    read_pixels(op, "input", source, &g.height, &g.width)
    read_geometry(op, &g, cnp.PyArray_NDIM(source) - 2, stride, padding, dilation, groups)
    read_weight(op, &g, w, cnp.PyArray_NDIM(source))
    g.n = source.shape[0]
    if source.shape[1] != g.channels * g.groups:
        raise ShapeError(f"{op}: input has shape {shape_of(source)}, but weight has {shape_of(w)} for {g.groups} groups")
    b = checked_bias(op, bias, source, w.shape[0])
    y = empty_images(op, source, w.shape[0], size, &g.out_height, &g.out_width)
    cdef cg_conv_args args = conv_block(&g)
    args.y, args.x, args.weight, args.bias = data(y), data(source), data(w), optional(b)
    launch(CG_conv, dtype_of(y), &args)
    return y


def conv_transpose(x, weight, bias, tuple stride, tuple padding, tuple dilation, int64_t groups, tuple size):
    """y of the given size: the transposed convolution of x, the gradient of conv's input where x is that of its result."""
    cdef str op = conv_transpose_name(x)
    cdef ndarray source = real(op, "input", x), w = real(op, "weight", weight), b, y
    cdef Geometry g
    check_same_dtype(op, "weight", w, "input", source)
    read_pixels(op, "input", source, &g.out_height, &g.out_width)
    read_geometry(op, &g, cnp.PyArray_NDIM(source) - 2, stride, padding, dilation, groups)
    read_weight(op, &g, w, cnp.PyArray_NDIM(source))
    g.n = source.shape[0]
    if source.shape[1] != w.shape[0]:
        raise ShapeError(f"{op}: input has shape {shape_of(source)}, but weight has {shape_of(w)}")
    b = checked_bias(op, bias, source, g.channels * g.groups)
    y = empty_images(op, source, g.channels * g.groups, size, &g.height, &g.width)
    cdef cg_conv_args args = conv_block(&g)
    args.y, args.x, args.weight, args.bias = data(y), data(source), data(w), optional(b)
    launch(CG_conv_transpose, dtype_of(y), <cg_conv_transpose_args *>&args)
    return y


def conv_weight(dy, x, tuple kernel, tuple stride, tuple padding, tuple dilation, int64_t groups, bint want_w, bint want_b):
    """(dw, db): the gradients of a weight, whose kernel has the given size, and of a bias; None for those not wanted."""
    cdef str op = conv_name(x)
    cdef ndarray source = real(op, "input", x), g_out = real(op, "gradient", dy), dw = None, db = None
    cdef Geometry g
    cdef cnp.npy_intp shape[4]
    cdef int ndim = cnp.PyArray_NDIM(source)
    check_same_dtype(op, "gradient", g_out, "input", source)
    read_pixels(op, "input", source, &g.height, &g.width)
    read_pixels(op, "gradient", g_out, &g.out_height, &g.out_width)
    read_geometry(op, &g, ndim - 2, stride, padding, dilation, groups)
    g.n, g.channels, g.filters = source.shape[0], source.shape[1] // g.groups, g_out.shape[1] // g.groups
    if (cnp.PyArray_NDIM(g_out) != ndim or g_out.shape[0] != g.n or g.channels * g.groups != source.shape[1]
            or g.filters * g.groups != g_out.shape[1]):
        raise ShapeError(f"{op}: gradient has shape {shape_of(g_out)}, but input has {shape_of(source)}")
    g.kernel_height = 1
    read_pair(op, "kernel", kernel, ndim - 2, 1, &g.kernel_height, &g.kernel_width)
    shape[0], shape[1], shape[2], shape[ndim - 1] = g_out.shape[1], g.channels, g.kernel_height, g.kernel_width
    if want_w:
        dw = empty(ndim, shape, cnp.PyArray_TYPE(source))
    if want_b:
        db = empty(1, shape, cnp.PyArray_TYPE(source))
    cdef cg_conv_args args = conv_block(&g)
    args.y, args.x, args.weight, args.bias = optional(dw), optional(db), data(g_out), data(source)
    if want_w or want_b:
        launch(CG_conv_weight, dtype_of(source), <cg_conv_weight_args *>&args)
    return dw, db


def channel_sums(dy):
    """The gradient of a bias: Σ of dy[n, channels, …] over images and pixels."""
    cdef ndarray g_out = real("conv", "gradient", dy), db
    cdef cg_conv_weight_args args
    memset(&args, 0, sizeof(args))
    read_pixels("conv", "gradient", g_out, &args.out_height, &args.out_width)
    db = empty(1, cnp.PyArray_DIMS(g_out) + 1, cnp.PyArray_TYPE(g_out))
    args.db, args.dy, args.n, args.groups, args.filters = data(db), data(g_out), g_out.shape[0], 1, g_out.shape[1]
    launch(CG_conv_weight, dtype_of(db), &args)
    return db
