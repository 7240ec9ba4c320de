"""cygrad.linalg against PyTorch: values, gradients and second gradients, and errors."""

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")


def outcome(library, name, a):
    """Values, gradient and gradient of the gradient."""
    x = library.tensor(a, requires_grad=True)
    y = getattr(library.linalg, name)(x)
    (g,) = library.autograd.grad((y**2).sum(), x, create_graph=True)
    (h,) = library.autograd.grad((g**3).sum(), x)
    return [v.detach().numpy() for v in (y, g, h)]


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 4)])
@pytest.mark.parametrize("name", ["inv", "det"])
def test_values_and_gradients_equal_those_of_pytorch(name, shape):
    a = np.random.default_rng(0).normal(size=shape)
    for ours, theirs in zip(outcome(cg, name, a), outcome(torch, name, a), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("a", "b"), [((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 2, 2), (2, 2)), ((2, 3, 3), (2, 3, 1))])
def test_solve_equals_pytorch(a, b):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=a), rng.normal(size=b)
    ours = cg.linalg.solve(cg.tensor(a), cg.tensor(b)).numpy()
    np.testing.assert_allclose(ours, torch.linalg.solve(torch.tensor(a), torch.tensor(b)), rtol=1e-9)


def test_singular_and_oblong_matrices_are_refused():
    with pytest.raises(cg.linalg.LinAlgError, match=r"inv: .* singular"):
        cg.linalg.inv(cg.zeros(2, 2))
    with pytest.raises(RuntimeError, match="inv: expected square matrices"):
        cg.linalg.inv(cg.zeros(2, 3))
