"""cygrad: a lightweight training engine for CPUs."""

from cygrad import autograd, data, nn, optim
from cygrad.autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from cygrad.config import get_num_threads, set_num_threads, show_config
from cygrad.creation import (
    arange, as_tensor, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, linspace, logspace, ones,
    ones_like, tensor, zeros, zeros_like,
)  # fmt: skip
from cygrad.dtypes import (
    bool, double, float, float32, float64, int, int8, int16, int32, int64, long, short, uint8,
)  # fmt: skip
from cygrad.functions import (
    allclose, bmm, broadcast_to, chunk, dot, equal, flatten, isclose, max, meshgrid, min, mm, movedim, mv, narrow,
    numel, outer, select, sort, split, std_mean, swapaxes, t, take_along_dim, tile, topk, transpose, unbind, unflatten,
    var_mean,
)  # fmt: skip
from cygrad.ops.activation import relu, sigmoid, tanh
from cygrad.ops.arithmetic import (
    add, atan2, clamp, div, floor_divide, fmod, lerp, maximum, minimum, mul, pow, remainder, sub, where,
)  # fmt: skip
from cygrad.ops.broadcast import result_type
from cygrad.ops.compare import (
    bitwise_and, bitwise_not, bitwise_or, bitwise_xor, eq, ge, gt, isfinite, isinf, isnan, le, logical_and, logical_not,
    logical_or, logical_xor, lt, ne,
)  # fmt: skip
from cygrad.ops.index import (
    argsort, gather, index_select, masked_fill, masked_select, scatter, scatter_add,
)  # fmt: skip
from cygrad.ops.linear import einsum, matmul
from cygrad.ops.pointwise import (
    abs, acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, erf, exp, exp2, expm1, floor, frac, log, log1p, log2,
    log10, nan_to_num, neg, reciprocal, round, rsqrt, sign, sin, sinh, sqrt, square, tan, trunc,
)  # fmt: skip
from cygrad.ops.reduce import (
    all, amax, amin, any, argmax, argmin, count_nonzero, cumprod, cumsum, logsumexp, mean, norm, prod, std, sum, var,
)  # fmt: skip
from cygrad.ops.shape import (
    cat, clone, diag, diagonal, expand, flip, permute, repeat_interleave, reshape, roll, squeeze, stack, tril, triu,
    unsqueeze,
)  # fmt: skip
from cygrad.ops.softmax import log_softmax, softmax
from cygrad.random import (
    Generator, bernoulli, default_generator, get_rng_state, initial_seed, manual_seed, multinomial, normal, rand,
    rand_like, randint, randn, randn_like, randperm, seed, set_rng_state,
)  # fmt: skip
from cygrad.serialization import load, save
from cygrad.tensor import Tensor

__version__ = "0.1.0"

subtract, multiply, divide, true_divide, clip, concat, concatenate = sub, mul, div, div, clamp, cat, cat

__all__ = [
    "Tensor", "__version__", "autograd", "clip", "concat", "concatenate", "data", "divide", "einsum",
    "enable_grad", "get_num_threads", "inference_mode", "is_grad_enabled", "load", "log_softmax", "matmul",
    "multiply", "nn", "no_grad", "optim", "relu", "result_type", "save", "set_grad_enabled",
    "set_num_threads", "show_config", "sigmoid", "softmax", "subtract", "tanh", "true_divide",
]  # fmt: skip
