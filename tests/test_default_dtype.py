"""The default dtype: what it decides, compared with PyTorch's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")


@pytest.fixture
def doubles():
    """The default dtype float64 in both libraries."""
    for library in (cg, torch):
        library.set_default_dtype(library.float64)
    yield
    for library in (cg, torch):
        library.set_default_dtype(library.float32)


MADE = {  # from numbers, shapes, and random numbers
    "tensor": lambda lib: lib.tensor([0.5]),
    "of a number": lambda lib: lib.tensor(0.5),
    "of nothing": lambda lib: lib.tensor([]),
    "of both": lambda lib: lib.tensor([1, 0.5]),
    "of integers": lambda lib: lib.tensor([1]),
    "of an array": lambda lib: lib.tensor(np.ones(1, np.float32)),
    "as_tensor": lambda lib: lib.as_tensor([0.5]),
    "zeros": lambda lib: lib.zeros(2),
    "empty": lambda lib: lib.empty(2),
    "full": lambda lib: lib.full((2,), 0.5),
    "full of integers": lambda lib: lib.full((2,), 1),
    "arange": lambda lib: lib.arange(0.0, 3.0),
    "arange of integers": lambda lib: lib.arange(3),
    "linspace": lambda lib: lib.linspace(0, 1, 3),
    "logspace": lambda lib: lib.logspace(0, 1, 3),
    "eye": lambda lib: lib.eye(2),
    "scalar_tensor": lambda lib: lib.scalar_tensor(2),
    "rand": lambda lib: lib.rand(2),
    "randn": lambda lib: lib.randn(2),
    "normal": lambda lib: lib.normal(0.0, 1.0, (2,)),
    "randperm": lambda lib: lib.randperm(3),
    "ones_like": lambda lib: lib.ones_like(lib.ones(2, dtype=lib.float32)),
    "Tensor": lambda lib: lib.Tensor([1]),
    "Tensor of a size": lambda lib: lib.Tensor(2),
    "FloatTensor": lambda lib: lib.FloatTensor([1]),
    "float": lambda lib: lib.tensor([1]).float(),
    "fftfreq": lambda lib: lib.fft.fftfreq(3),
}
COMPUTED = {  # from integers i and from floats of 32 bits
    "i / 2": lambda lib, i: i / 2,
    "i / i": lambda lib, i: i / i,
    "i * 0.5": lambda lib, i: i * 0.5,
    "2.0 ** i": lambda lib, i: 2.0**i,
    "where": lambda lib, i: lib.where(i > 1, i, 0.5),
    "where of numbers": lambda lib, i: lib.where(i > 1, 0.5, 1.0),
    "clamp": lambda lib, i: i.clamp(min=0.5),
    "sqrt": lambda lib, i: i.sqrt(),
    "sigmoid": lambda lib, i: lib.sigmoid(i > 1),
    "atan2": lambda lib, i: lib.atan2(i, i),
    "xlogy": lambda lib, i: lib.xlogy(i, i),
    "sinc": lambda lib, i: lib.sinc(i),
    "deg2rad": lambda lib, i: lib.deg2rad(i),
    "polygamma": lambda lib, i: lib.polygamma(1, i),
    "logsumexp": lambda lib, i: lib.logsumexp(i, 0),
    "gradient": lambda lib, i: lib.gradient(i)[0],
    "float32 * 0.5": lambda lib, i: lib.ones(2, dtype=lib.float32) * 0.5,
    "float32 + float64": lambda lib, i: lib.ones(2, dtype=lib.float32) + lib.ones(2),
    "new_tensor": lambda lib, i: i.new_tensor([0.5]),
}
LAYERS = {
    "Linear": lambda lib: lib.nn.Linear(2, 3)(lib.ones(1, 2)),
    "LazyLinear": lambda lib: lib.nn.LazyLinear(3)(lib.ones(1, 2)),
    "Bilinear": lambda lib: lib.nn.Bilinear(2, 2, 1)(lib.ones(1, 2), lib.ones(1, 2)),
    "Conv2d": lambda lib: lib.nn.Conv2d(1, 2, 3)(lib.ones(1, 1, 4, 4)),
    "ConvTranspose1d": lambda lib: lib.nn.ConvTranspose1d(1, 2, 3)(lib.ones(1, 1, 4)),
    "BatchNorm1d": lambda lib: lib.nn.BatchNorm1d(2)(lib.rand(3, 2)),
    "running mean": lambda lib: lib.nn.BatchNorm1d(2).running_mean,
    "LayerNorm": lambda lib: lib.nn.LayerNorm(2)(lib.rand(3, 2)),
    "Embedding": lambda lib: lib.nn.Embedding(4, 2).weight,
    "LSTM": lambda lib: lib.nn.LSTM(2, 3)(lib.ones(1, 1, 2))[0],
    "GRUCell": lambda lib: lib.nn.GRUCell(2, 3)(lib.ones(1, 2)),
    "MultiheadAttention": lambda lib: lib.nn.MultiheadAttention(4, 2)(*[lib.ones(1, 1, 4)] * 3)[0],
    "mask": lambda lib: lib.nn.Transformer.generate_square_subsequent_mask(3),
    "PReLU": lambda lib: lib.nn.PReLU()(lib.ones(2)),
    "dropout": lambda lib: lib.nn.functional.dropout(lib.ones(3)),
    "norm of no gradients": lambda lib: lib.nn.utils.clip_grad_norm_([lib.ones(1, requires_grad=True)], 1.0),
    "Normal": lambda lib: lib.distributions.Normal(0.0, 1.0).sample(),
    "Bernoulli": lambda lib: lib.distributions.Bernoulli(0.5).sample(),
    "Gamma": lambda lib: lib.distributions.Gamma(1.0, 1.0).rsample((2,)),
    "jacobian": lambda lib: lib.autograd.functional.jacobian(lambda x: x**3, lib.ones(2)),
}


@pytest.mark.parametrize("case", [*MADE, *LAYERS])
def test_the_default_dtype_is_that_of_new_floats(case, doubles):
    function = {**MADE, **LAYERS}[case]
    assert str(function(torch).dtype) == f"torch.{function(cg).dtype}"


@pytest.mark.parametrize("case", COMPUTED)
def test_the_default_dtype_is_that_of_floats_among_integers(case, doubles):
    results = [COMPUTED[case](library, library.tensor([1, 2, 3])) for library in (torch, cg)]
    assert str(results[0].dtype) == f"torch.{results[1].dtype}"
    np.testing.assert_allclose(results[1].numpy(), results[0].numpy(), rtol=1e-8)


def test_the_default_dtype_is_not_printed(doubles):
    assert repr(cg.tensor([0.5])) == "tensor([0.5000])" and "dtype=float32" in repr(cg.ones(1, dtype=cg.float32))
    assert cg.get_default_dtype() == cg.float64 == cg.result_type(cg.tensor([1]), 0.5)


def test_the_default_dtype_is_one_of_floats():
    for kind, name in ((cg.DoubleTensor, "float64"), ("torch.FloatTensor", "float32"), ("torch.DoubleTensor", "float64"), (cg.FloatTensor, "float32")):
        cg.set_default_tensor_type(kind)
        assert cg.ones(1).dtype == name
    with pytest.raises(TypeError, match="must be one of floats, got int64"):
        cg.set_default_dtype(cg.int64)
    for half in (lambda: cg.set_default_dtype(cg.float16), lambda: cg.set_default_tensor_type(cg.HalfTensor)):
        with pytest.raises(NotImplementedError, match="expected float32 or float64, got float16"):
            half()
    assert cg.get_default_dtype() == cg.float32


SCRIPT = """
import numpy as np, torch
torch.set_default_dtype(torch.float64)
print(torch.get_default_dtype(), torch.Tensor(np.ones(1, np.float32)).dtype, torch.tensor([0.5]), torch.ones(1, dtype=torch.float32))
net = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
optimizer = torch.optim.LBFGS(net.parameters())
x = torch.linspace(0, 1, 5).unsqueeze(1).requires_grad_()
def closure():
    optimizer.zero_grad()
    u = net(x)
    slope, = torch.autograd.grad(u.sum(), x, create_graph=True)
    loss = (slope - torch.cos(x)).square().mean()
    loss.backward()
    return loss
print(optimizer.step(closure).dtype, next(net.parameters()).grad.dtype)
"""


def test_a_script_trains_in_double_precision(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "cygrad.torch", "-q", "script.py"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.stdout.splitlines() == [
        "torch.float64 torch.float64 tensor([0.5000]) tensor([1.], dtype=torch.float32)",
        "torch.float64 torch.float64",
    ], result.stderr
