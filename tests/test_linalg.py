"""Linear algebra against PyTorch's: values, gradients and second gradients, in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
X, V = RNG.standard_normal((2, 3, 3)), RNG.standard_normal((2, 3))
NAMES = {"a": X, "m": X[0], "r": RNG.standard_normal((2, 4)), "v": V[0], "b": V}
SPD = "(a @ a.mT + T.eye(3, dtype=T.float64))"
CASES = {
    "solve": "L.solve(a, a.mT)", "solve vectors": "L.solve(a, b)", "solve one vector": "L.solve(m, v)", "solve right": "L.solve(m, m.mT, left=False)",
    "inv": "L.inv(a)", "det": "L.det(a)", "slogdet": "L.slogdet(a)[1]", "sign": "L.slogdet(a)[0]", "logdet": f"T.logdet({SPD})", "cholesky": f"L.cholesky({SPD})",
    "upper": f"L.cholesky({SPD}, upper=True)", "eigvalsh": f"L.eigvalsh({SPD})", "eigh": f"L.eigh({SPD})[1].abs()", "svdvals": "L.svdvals(r)",
    "power": "L.matrix_power(a, 5)", "power 0": "L.matrix_power(a, 0) * a", "negative power": "L.matrix_power(a, -2)", "multi_dot": "L.multi_dot([v, m, m.mT, v])",
    "vecdot": "L.vecdot(b, b)", "diagonal": "L.diagonal(a)", "norm": "L.norm(a)", "vector norm": "L.norm(a, 3, dim=1)", "inf": "L.vector_norm(v, float('inf'))",
    "keepdim": "L.vector_norm(a, 1, dim=(0, 1), keepdim=True)", "fro": "L.norm(a, 'fro', dim=(1, 2))", "nuc": "L.norm(m, 'nuc')", "spectral": "L.norm(m, 2)",
    "least": "L.matrix_norm(a, -2)", "columns": "L.matrix_norm(a, 1, keepdim=True)", "rows": "L.matrix_norm(a, float('inf'), dim=(0, 2))",
    "least column": "L.norm(m, -1)", "rank": "L.matrix_rank(a)", "rank of a part": "L.matrix_rank(m[:, :1] @ m[:1])",
}  # fmt: skip
ONCE = {"svdvals", "nuc", "spectral", "least", "norm", "vector norm", "fro"}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(name):
    results = []
    for T in (cg, torch):
        names = {n: T.from_numpy(v.copy()).requires_grad_() for n, v in NAMES.items()}
        y = eval(CASES[name], {"T": T, "L": T.linalg, **names})
        found = [y.detach().numpy()]
        if y.requires_grad:
            wanted = [names[n] for n in NAMES]
            weights = T.from_numpy(np.cos(np.arange(y.numel())).reshape(tuple(y.shape)))
            grads = T.autograd.grad((y * weights).sum(), wanted, create_graph=name not in ONCE, allow_unused=True)
            if name not in ONCE:
                total = sum((g * g).sum() for g in grads if g is not None)
                if getattr(total, "requires_grad", False):
                    grads = (*grads, *T.autograd.grad(total, wanted, allow_unused=True))
            found += [None if g is None else (g.detach() + 0).numpy() for g in grads]
        results.append(found)
    for mine, other in itertools.zip_longest(*results):
        if other is None or mine is None:
            assert (0 if mine is None else np.abs(mine).max()) == 0 == (0 if other is None else np.abs(other).max())
        else:
            np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda L: L.inv(cg.zeros(2, 2)), "LinAlgError", "solve: singular matrix"), (lambda L: L.cholesky(-cg.eye(2)), "LinAlgError", "cholesky: matrix is not positive definite"),
        (lambda L: L.det(cg.zeros(2, 3)), "RuntimeError", "must be square"), (lambda L: L.inv(cg.ones(3)), "RuntimeError", r"expected matrices of floats, got float32 of shape \(3,\)"),
        (lambda L: L.svdvals(cg.arange(4).reshape(2, 2)), "RuntimeError", "matrices of floats, got int64"), (lambda L: L.multi_dot([cg.ones(2)]), "RuntimeError", "at least two"),
        (lambda L: L.matrix_norm(cg.ones(2, 2), 3), "ValueError", "ord must be fro"),
    ],
)  # fmt: skip
def test_errors_are_named(call, kind, message):
    with pytest.raises((RuntimeError, ValueError), match=message) as error:
        call(cg.linalg)
    assert type(error.value).__name__ == kind
