# Activations, elementwise: a contiguous array in, one of the same shape and dtype out. The argument blocks of the whole
# family but of relu_masked have one layout; those of relu stand for all.

cdef ndarray activated(int kernel, str op, object x, double p, double q, double cost):
    cdef ndarray source = real(op, "input", x), y = empty_like(source)
    cdef cg_relu_args args = cg_relu_args(y=data(y), x=data(source), n=size(y), p=p, q=q)
    launch(kernel, dtype_of(y), &args, cost * args.n)
    return y


cdef ndarray activated_backward(int kernel, str op, object dy, str name, object saved, double p, double q, double cost):
    cdef ndarray kept = real(op, name, saved), upstream = like(op, "gradient", dy, name, kept), dx = empty_like(kept)
    cdef cg_relu_backward_args args = cg_relu_backward_args(
        dx=data(dx), dy=data(upstream), saved=data(kept), n=size(dx), p=p, q=q)
    launch(kernel, dtype_of(dx), &args, cost * args.n)
    return dx


def relu(x):
    """y = max(x, 0), and NaN stays NaN."""
    return activated(CG_relu, "relu", x, 0, 0, 0.2)


def relu_backward(dy, y):
    """dx of relu, from its output."""
    return activated_backward(CG_relu_backward, "relu", dy, "output", y, 0, 0, 0.3)


cdef inline cnp.npy_intp mask_words(ndarray x) noexcept:
    """Words, as wide as x's numbers, of a mask of a bit a number: 64 bytes for each 512 numbers."""
    return (size(x) + 511) // 512 * (64 // cnp.PyArray_ITEMSIZE(x))


def relu_masked(x):
    """(y, mask): y of relu, and a bit a number, 1 where x > 0, for relu_masked_backward."""
    cdef ndarray source = real("relu", "input", x), y = empty_like(source)
    cdef cnp.npy_intp words = mask_words(source)
    cdef ndarray mask = empty(1, &words, cnp.NPY_UINT32 if dtype_of(source) == CG_FLOAT32 else cnp.NPY_UINT64)
    cdef cg_relu_masked_args args = cg_relu_masked_args(y=data(y), mask=data(mask), x=data(source), n=size(y))
    launch(CG_relu_masked, dtype_of(y), &args, 0.2 * args.n)
    return y, mask


def relu_masked_backward(dy, mask):
    """dx of relu, from the mask of relu_masked."""
    cdef ndarray g = real("relu", "gradient", dy), m = <ndarray?>mask, dx = empty_like(g)
    if cnp.PyArray_ITEMSIZE(m) != cnp.PyArray_ITEMSIZE(g) or not cnp.PyArray_ISCARRAY_RO(m) or size(m) != mask_words(g):
        raise ValueError(f"relu: gradient is {g.dtype} of shape {shape_of(g)}, but the mask is {m.dtype} of {shape_of(m)}")
    cdef cg_relu_masked_backward_args args = cg_relu_masked_backward_args(
        dx=data(dx), dy=data(g), mask=data(m), n=size(dx))
    launch(CG_relu_masked_backward, dtype_of(dx), &args, 0.2 * args.n)
    return dx


def leaky_relu(x, double slope):
    """y = x where x > 0, else slope·x."""
    return activated(CG_leaky_relu, "leaky_relu", x, slope, 0, 0.2)


def leaky_relu_backward(dy, x, double slope):
    """dx of leaky_relu, from its input."""
    return activated_backward(CG_leaky_relu_backward, "leaky_relu", dy, "input", x, slope, 0, 0.3)


def elu(x, double alpha, double scale):
    """y = scale·(x where x > 0, else alpha·(eˣ − 1))."""
    return activated(CG_elu, "elu", x, alpha, scale, 0.8)


def elu_backward(dy, x, double alpha, double scale):
    """dx of elu, from its input."""
    return activated_backward(CG_elu_backward, "elu", dy, "input", x, alpha, scale, 0.8)


cdef tuple sloped(int kernel, str op, object x, bint want_slope, double cost):
    """y and its slope, or None. The argument blocks of these kernels have one layout; those of gelu stand for all."""
    cdef ndarray source = real(op, "input", x), y = empty_like(source), slope = empty_like(source) if want_slope else None
    cdef cg_gelu_args args = cg_gelu_args(y=data(y), slope=optional(slope), x=data(source), n=size(y))
    launch(kernel, dtype_of(y), &args, cost * args.n)
    return y, slope


def gelu(x):
    """y = x·Φ(x)."""
    return sloped(CG_gelu, "gelu", x, False, 0.8)[0]


def gelu_with_slope(x):
    """(y, dy/dx) of gelu."""
    return sloped(CG_gelu, "gelu", x, True, 0.8)


def gelu_tanh(x):
    """y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""
    return sloped(CG_gelu_tanh, "gelu_tanh", x, False, 1.2)[0]


def gelu_tanh_with_slope(x):
    """(y, dy/dx) of gelu_tanh."""
    return sloped(CG_gelu_tanh, "gelu_tanh", x, True, 1.2)


def silu(x):
    """y = x·σ(x)."""
    return sloped(CG_silu, "silu", x, False, 0.8)[0]


def silu_with_slope(x):
    """(y, dy/dx) of silu."""
    return sloped(CG_silu, "silu", x, True, 0.8)


def sigmoid(x):
    """y = 1/(1 + e⁻ˣ)."""
    return activated(CG_sigmoid, "sigmoid", x, 0, 0, 0.8)


def sigmoid_backward(dy, y):
    """dx of sigmoid, from its output."""
    return activated_backward(CG_sigmoid_backward, "sigmoid", dy, "output", y, 0, 0, 0.3)


def tanh(x):
    """y = tanh x."""
    return activated(CG_tanh, "tanh", x, 0, 0, 0.9)


def tanh_backward(dy, y):
    """dx of tanh, from its output."""
    return activated_backward(CG_tanh_backward, "tanh", dy, "output", y, 0, 0, 0.3)


def softplus(x, double beta, double threshold):
    """y = log(1 + e^(beta·x))/beta, and x where beta·x > threshold."""
    return activated(CG_softplus, "softplus", x, beta, threshold, 1.5)


def softplus_backward(dy, x, double beta, double threshold):
    """dx of softplus, from its input."""
    return activated_backward(CG_softplus_backward, "softplus", dy, "input", x, beta, threshold, 0.8)


def exp(x):
    """y = eˣ."""
    return activated(CG_exp, "exp", x, 0, 0, 0.6)


def exp_backward(dy, y):
    """dx of exp, from its output."""
    return activated_backward(CG_exp_backward, "exp", dy, "output", y, 0, 0, 0.3)


def log(x):
    """y = log x."""
    return activated(CG_log, "log", x, 0, 0, 0.6)


def log_backward(dy, x):
    """dx of log, from its input."""
    return activated_backward(CG_log_backward, "log", dy, "input", x, 0, 0, 0.4)


def erf(x):
    """y = erf x."""
    return activated(CG_erf, "erf", x, 0, 0, 1.5)


def erf_backward(dy, x):
    """dx of erf, from its input."""
    return activated_backward(CG_erf_backward, "erf", dy, "input", x, 0, 0, 0.8)
