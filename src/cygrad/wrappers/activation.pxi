# Activations, elementwise: a contiguous array in, one of the same shape and dtype out.


def relu(x):
    """y = max(x, 0), and NaN stays NaN."""
    cdef ndarray source = real("relu", "input", x), y = empty_like(source)
    cdef cg_relu_args args = cg_relu_args(y=data(y), x=data(source), n=size(y))
    launch(CG_relu, dtype_of(y), &args, 0.2 * args.n)
    return y


def relu_backward(dy, y):
    """dx = dy·[y > 0]"""
    cdef ndarray output = real("relu", "output", y), upstream = like("relu", "gradient", dy, "output", output)
    cdef ndarray dx = empty_like(output)
    cdef cg_relu_backward_args args = cg_relu_backward_args(dx=data(dx), dy=data(upstream), y=data(output), n=size(dx))
    launch(CG_relu_backward, dtype_of(dx), &args, 0.3 * args.n)
    return dx
