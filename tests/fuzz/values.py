"""Values that nobody expects as an argument, each as the text that makes it."""

from __future__ import annotations

import importlib
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy import inf, nan

import cygrad as cg
from cygrad import data, nn, optim
from cygrad.data import augment

__all__ = ["NAMES", "argument", "array", "odd", "ordinary", "plainest", "tensor"]

F = nn.functional


# What the texts call


def array(shape: Any = (2, 3), dtype: Any = "float64", layout: str = "plain", fill: Any = None) -> np.ndarray:
    """An array with the numbers −1, −0.5, 0, …, or filled with one, in a layout."""
    size = int(np.prod(shape, dtype=object))
    values = np.asarray((np.arange(size) % 7 - 2) / 2 if np.dtype(dtype).kind == "f" else np.arange(size) % 3)
    a = values.astype(dtype).reshape(shape)
    if fill is not None:
        a[...] = fill
    return LAYOUT[layout](a)


def unaligned(a: np.ndarray) -> np.ndarray:
    memory = np.zeros(a.nbytes + 1, np.uint8)
    view = memory[1:].view(a.dtype)[: a.size].reshape(a.shape)
    view[...] = a
    return view


def frozen(a: np.ndarray) -> np.ndarray:
    a.flags.writeable = False
    return a


LAYOUT = {
    "plain": lambda a: a,
    "columns": np.asfortranarray,
    "reversed": lambda a: np.ascontiguousarray(a[::-1])[::-1] if a.ndim else a,
    "spread": lambda a: np.repeat(a, 2, -1)[..., ::2] if a.ndim else a,
    "read-only": frozen,
    "one element": lambda a: np.lib.stride_tricks.as_strided(a, a.shape, (0,) * a.ndim) if a.size else a,
    "overlapping": lambda a: np.lib.stride_tricks.as_strided(a, a.shape, (a.itemsize,) * a.ndim) if a.size else a,
    "unaligned": unaligned,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "matrix": lambda a: a.reshape(a.shape[-2:] if a.ndim > 1 and a.shape[-2:] != a.shape else a.shape).view(np.matrix) if a.ndim == 2 else a,
    "masked": lambda a: np.ma.masked_array(a, a > 0),
    "record": lambda a: a.view(np.recarray),
}  # fmt: skip


def tensor(
    shape: Any = (2, 3), dtype: Any = "float64", layout: str = "plain", grad: bool = False, fill: Any = None
) -> cg.Tensor:
    x = cg.Tensor(array(shape, dtype, layout, fill))
    return x.requires_grad_() if grad else x


def node(shape: Any = (2, 3)) -> cg.Tensor:
    """A tensor with a graph."""
    return tensor(shape, grad=True) * 2


def freed() -> cg.Tensor:
    """A tensor whose graph is gone."""
    x = node().exp()
    x.sum().backward()
    return x


def uninitialized() -> cg.Tensor:
    return cg.Tensor.__new__(cg.Tensor)


class Forgetful(cg.Tensor):
    def __init__(self) -> None:
        pass


class Heir(cg.Tensor):
    """A proper subclass."""


class Rude:
    """An object whose every protocol raises."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __index__(self) -> int:
        raise TypeError("rude")

    def __len__(self) -> int:
        return -1

    def __eq__(self, other: Any) -> bool:
        raise ValueError("rude")

    __hash__ = None  # type: ignore[assignment]


class Forgotten(nn.Module):
    def __init__(self) -> None:
        pass


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    result: list[Any] = []
    for _ in range(depth):
        result = [result]
    return result


def cyclic() -> list[Any]:
    result: list[Any] = [1.0]
    result.append(result)
    return result


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()


def optimizer() -> optim.Optimizer:
    return optim.SGD(model().parameters(), lr=0.1)


def estimators() -> Any:
    """The module of the estimators, which imports scikit-learn."""
    return importlib.import_module("cygrad.sklearn")


def linear(*args: Any) -> nn.Module:
    return nn.Linear(3, 2).double()


NAMES: dict[str, Any] = {
    "cg": cg, "np": np, "nn": nn, "F": F, "optim": optim, "data": data, "augment": augment, "inf": inf, "nan": nan,
    "SimpleNamespace": SimpleNamespace,
    **{f.__name__: f for f in (array, tensor, node, freed, uninitialized, Forgetful, Heir, Rude, Forgotten, nested, cyclic, model, optimizer, estimators, linear)},
}  # fmt: skip


# Texts

SHAPES = ["()", "(0,)", "(1,)", "(3,)", "(2, 3)", "(3, 3)", "(3, 2)", "(2, 3, 4)", "(0, 3)", "(3, 0)", "(2, 2, 3, 3)", "(1, 1)", "(33, 65)", "(1,) * 64",
          "(1,) * 33", "(1,) * 32", "(2,) + (1,) * 62"]  # fmt: skip
DTYPES = ["'float64'", "'float32'", "'float32'", "'int64'", "'int32'", "'int8'", "'uint8'", "'bool'"]
ALIEN_DTYPES = ["'float16'", "'complex64'", "'complex128'", "'longdouble'", "'uint16'", "'uint32'", "'uint64'", "'U3'", "'S3'", "object", "'>f8'", "'>i4'", "'M8[s]'",
                "'m8[s]'", "'V4'", "'f4,i4'"]  # fmt: skip
FILLS = ["nan", "inf", "-inf", "-0.0", "1e-310", "1e308", "-1e308", "0.5", "2", "-1", "2**62"]
INTEGERS = ["0", "1", "-1", "2", "3", "-2", "5", "63", "64", "65", "-65", "1000", "2**31 - 1", "2**31", "-2**31", "2**32", "2**63 - 1", "2**63", "-2**63", "2**64",
            "10**30", "-10**30"]  # fmt: skip
FLOATS = [
    "0.0",
    "-0.0",
    "0.5",
    "1.0",
    "1.5",
    "-1.5",
    "2.0",
    "nan",
    "inf",
    "-inf",
    "1e-310",
    "1e308",
    "-1e308",
    "1e-8",
    "0.9999999",
]
STRINGS = [
    "''",
    "'mean'",
    "'sum'",
    "'none'",
    "'abc'",
    "b'abc'",
    "'\\0'",
    "'é' * 300",
    "'floor'",
    "'trunc'",
    "'tanh'",
    "'fan_in'",
    "'cuda'",
    "'cpu'",
]
ODDITIES = ["None", "True", "False", "()", "[]", "{}", "set()", "object()", "...", "slice(None)", "slice(None, None, -1)", "range(3)", "1j", "(0,)", "(-1,)", "(1, 2, 3)",
            "[[]]", "[[1.0], [2.0, 3.0]]", "[None]", "['a']", "(0, 0)", "(5, -7)", "(2**40,)", "(2**40, 2**40)", "(0, 2**62)", "(-1, -1)", "(nan,)", "lambda *a: a",
            "int", "cg.Tensor", "nn.ReLU", "nn.ReLU()", "Rude()", "nested(60)", "cyclic()", "iter([])", "(x for x in [tensor()])", "memoryview(b'abcd')",
            "Exception()", "NotImplemented", "cg", "{'a': tensor()}", "[tensor(), None]", "[tensor((2, 3)), tensor((3, 2))]", "(tensor(), 'a')", "[uninitialized()]",
            "SimpleNamespace(shape=(2,), dtype='float64')", "type('T', (), {'__array__': lambda s, *a, **k: 3})()", "print"]  # fmt: skip
SCALARS = ["np.float32(0.5)", "np.float64(nan)", "np.int64(-5)", "np.int8(1)", "np.uint64(2**64 - 1)", "np.bool_(True)", "np.array(3)", "np.array(2.5)",
           "np.array([])", "np.str_('a')", "np.datetime64('2020')", "np.float16(1)", "np.complex64(1j)", "np.longdouble(1)"]  # fmt: skip
DTYPE_OBJECTS = ["cg.float32", "cg.float64", "cg.int64", "cg.bool", "cg.uint8", "float", "int", "bool", "complex", "np.float16", "np.dtype('>f8')", "str", "object",
                 "np.dtype('V4')", "'float32'", "'nonsense'", "None", "np.float32", "np.dtype('f4,i4')", "np.datetime64"]  # fmt: skip
SPECIAL_TENSORS = ["node()", "freed()", "uninitialized()", "Forgetful()", "Heir(array())", "nn.Parameter(array())", "node((3,))", "tensor((3,)).detach()",
                   "tensor((4, 3))[::2, 1:]", "tensor((1, 3)).expand((4, 3))", "tensor((3, 4)).T", "cg.eye(3)", "tensor((2, 3), grad=True)[0]"]  # fmt: skip


def a_tensor(rng: random.Random) -> str:
    """Mostly an ordinary tensor; else one with an odd shape, layout, dtype or fill."""
    if rng.random() < 0.1:
        return rng.choice(SPECIAL_TENSORS)
    parts = [rng.choice(["(2, 3)", "(2, 3)", "(3,)", "(3, 3)"]) if rng.random() < 0.6 else rng.choice(SHAPES)]
    if rng.random() < 0.3:
        parts.append(f"dtype={rng.choice(DTYPES)}")
    elif rng.random() < 0.3:
        parts.append("grad=True")
    if rng.random() < 0.25:
        parts.append(f"layout={rng.choice(list(LAYOUT))!r}")
    if rng.random() < 0.2:
        parts.append(f"fill={rng.choice(FILLS)}")
    return f"tensor({', '.join(parts)})"


def an_index(rng: random.Random) -> str:
    """Integers below 3 in any shape, as embeddings take them."""
    return f"tensor({rng.choice(SHAPES)}, dtype='int64')"


def an_array(rng: random.Random) -> str:
    dtype = rng.choice(DTYPES + ALIEN_DTYPES)
    return f"array({rng.choice(SHAPES)}, {dtype}, {rng.choice(list(LAYOUT))!r})"


def odd(rng: random.Random) -> str:
    """Anything."""
    pool = rng.choice(
        [INTEGERS, FLOATS, STRINGS, ODDITIES, ODDITIES, SCALARS, DTYPE_OBJECTS, SPECIAL_TENSORS, None, None]
    )
    if pool is None:
        return a_tensor(rng) if rng.random() < 0.5 else an_array(rng)
    return rng.choice(pool)


SMALL = ["0", "1", "-1", "2", "-2"]
UNIT = ["0.0", "0.1", "0.5", "0.9", "1.0"]
FLAGS = ["True", "False"]
COUNTS = ["1", "2", "3", "5", "0"]
SIZES = ["(2, 3)", "(3,)", "()", "2", "(0, 3)", "(3, 2)", "(6,)", "(-1,)", "(2, -1)"]
POOLS: list[tuple[str, list[str]]] = [  # names of parameters, and what they may well get
    ("dim dims dim0 dim1 dim2 start_dim end_dim source destination diagonal offset shifts axis", [*SMALL, "(0, 1)"]),
    ("size shape normalized_shape unflattened_size sizes", SIZES),
    (
        "keepdim inplace requires_grad training descending stable largest sorted affine log_target shuffle drop_last nesterov maximize",
        FLAGS,
    ),
    ("amsgrad centered replacement equal_nan train retain_graph", FLAGS),
    ("dtype", DTYPE_OBJECTS[:6]),
    ("device", ["'cpu'", "None"]),
    ("reduction", ["'mean'", "'sum'", "'none'"]),
    (
        "learning_rate_init power_t tol beta_1 beta_2 epsilon dropout p momentum lr eps weight_decay beta label_smoothing rtol atol alpha gamma delta rho",
        UNIT,
    ),
    (
        "n m k chunks repeats steps num_features in_features out_features num_classes num_embeddings embedding_dim batch_size",
        COUNTS,
    ),
    ("length num_samples split_size_or_sections base start end low high correction step_size T_max", COUNTS),
    (
        "index indices target",
        ["tensor((3,), dtype='int64')", "tensor((2, 3), dtype='int64')", "tensor((2,), dtype='int64')", "tensor()"],
    ),
    ("mask condition", ["tensor((2, 3), dtype='bool')", "tensor((3,), dtype='bool')", "tensor()"]),
    ("weight bias pos_weight running_mean running_var mean std", ["tensor((3,))", "tensor((3, 3))", "None"]),
    ("tensors outputs inputs", ["[tensor(), tensor()]", "(tensor((3,)), tensor((3,)))", "tensor()"]),
    (
        "params parameters",
        ["model().parameters()", "[nn.Parameter(array())]", "[]", "[{'params': [nn.Parameter(array())], 'lr': 0.1}]"],
    ),
    ("optimizer", ["optimizer()"]),
    ("model module", ["model()"]),
    ("generator", ["None", "cg.Generator()"]),
    ("lr_lambda", ["lambda n: 0.5"]),
    ("milestones", ["[1, 2]"]),
    ("dataset", ["data.TensorDataset(tensor((6, 3)), tensor((6,), dtype='int64'))"]),
    ("lengths", ["[3, 3]", "[0.5, 0.5]"]),
    ("equation", ["'ij,kj->ik'", "'ij->'"]),
    ("schedulers", ["[optim.lr_scheduler.StepLR(optimizer(), 1)]"]),
    ("function", ["lambda x: x"]),
    ("betas", ["(0.9, 0.99)"]),
    ("hidden_layer_sizes", ["(3,)", "2", "()", "(2, 2)"]),
    ("activation", ["'relu'", "'tanh'", "'logistic'", "['relu', 'tanh']"]),
    ("solver", ["'adam'", "'sgd'", "'lbfgs'"]),
    ("learning_rate", ["'constant'", "'adaptive'", "'invscaling'"]),
    ("max_iter max_fun", ["1", "2", "0", "-1", "1.5", "None", "'a'"]),
    ("norm", ["None", "'batch'", "'layer'"]),
    ("loss", ["'squared_error'", "'poisson'"]),
    ("early_stopping warm_start nesterovs_momentum", FLAGS),
    ("class_weight", ["None", "'balanced'", "{0: 1.0, 1: 2.0}"]),
    ("random_state", ["0", "None"]),
    ("callbacks", ["None", "[]"]),
    ("clip", ["None", "1.0", "('value', 0.5)"]),
    ("validation_fraction", ["0.1", "0.5"]),
    ("X", ["array((12, 3))", "array((12, 3), 'float32', 'spread')", "array((12, 3), layout='columns')"]),
    ("y", ["array((12,), 'int64')", "array((12,))", "array((12, 2))", "array((12,), 'U3')"]),
    ("sample_weight", ["None", "array((12,), fill=1.0)"]),
    ("transforms", ["[augment.GaussianNoise(0.1)]"]),
]
TENSORS = {"input", "self", "other", "tensor", "tensors", "a", "b", "vec", "vec2", "mat2", "data", "src", "x"}
FITTING = {name: pool for names, pool in POOLS for name in names.split()}


def ordinary(rng: random.Random, name: str) -> str:
    """A value that a parameter of that name may well get."""
    pool = FITTING.get(name)
    if pool is not None:
        return rng.choice(pool)
    if name in TENSORS:
        return a_tensor(rng)
    return rng.choice([a_tensor(rng), rng.choice(SMALL), rng.choice(UNIT)])


def plainest(name: str) -> str:
    """The same value for all parameters of a name, a simple one."""
    return FITTING[name][0] if name in FITTING else "tensor()" if name in TENSORS else "1"


def argument(rng: random.Random, name: str, oddness: float) -> str:
    return odd(rng) if rng.random() < oddness else ordinary(rng, name)
