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
    "svd": "L.svd(r, full_matrices=False)[0].abs() @ L.svd(r, False)[2].abs()", "full svd": "L.svd(r)[1]", "old svd": "(lambda u, s, v: u @ T.diag(s * s) @ v.mT)(*T.svd(r))", "tall svd": "L.svd(r.mT, False)[0].abs()",
    "qr": "L.qr(a)[0] * L.qr(a)[1]", "wide qr": "L.qr(r)[1]", "tall qr": "T.qr(r.mT)[0]", "r alone": "L.qr(r.detach(), mode='r')[1]", "complete qr": "r.mT.detach().qr(False)[0].abs()",
    "pinv": "L.pinv(r)", "tall pinv": "r.mT.pinverse()", "pinv with bounds": "L.pinv(a, atol=0.5, rtol=0.1)", "hermitian pinv": f"L.pinv({SPD}, hermitian=True)",
    "lstsq": "L.lstsq(r.mT, r.mT[:, :1])[0]", "lstsq of vectors": "L.lstsq(a, b)[0]", "residuals": "L.lstsq(r.mT, r.mT[:, :1] ** 2, driver='gelsd')[1]",
    "triangular": "L.solve_triangular(a, a.mT, upper=True)", "unit triangular": "L.solve_triangular(m, m.mT, upper=False, left=False, unitriangular=True)",
    "cholesky_solve": "T.cholesky_solve(a, T.eye(3, dtype=T.float64) + m.tril() ** 2)", "cholesky_inverse": "(T.eye(3, dtype=T.float64) + m.triu() ** 2).cholesky_inverse(upper=True)",
    "matrix_exp": "T.matrix_exp(a)", "large matrix_exp": "L.matrix_exp(m * 7)", "cond": "L.cond(m)", "cond 1": "L.cond(a.detach(), 1)", "cross": "L.cross(a, a.mT)", "cross rows": "L.cross(a, a.mT, dim=1)",
    "vander": "L.vander(b)", "tensorinv": "L.tensorinv(a.reshape(2, 3, 3)[0].reshape(3, 3, 1), ind=1)", "tensorsolve": "L.tensorsolve(m.reshape(3, 1, 3), b[0].reshape(3, 1))",
    "inverse": "m.inverse()", "methods": f"{SPD}.logdet() + a.det() + a.slogdet()[1] + {SPD}.cholesky().sum()", "upper eigh": "L.eigh(m @ m.mT, UPLO='U')[0]", "cholesky_ex": f"L.cholesky_ex({SPD})[0]",
    "inv_ex": "L.inv_ex(a)[0]", "info": "L.cholesky_ex(a - 9 * T.eye(3, dtype=T.float64))[1] * 0 + L.solve_ex(a, b)[1]",
    "lu": "T.cat(L.lu(a)[1:])", "permutation": "L.lu(a.mT)[0]", "wide lu": "L.lu(r)[2]", "tall lu": "L.lu(r.mT)[1]", "tall upper": "L.lu(r.mT)[2] ** 2", "wide lower": "L.lu(r)[1] ** 2",
    "lu_factor": "L.lu_factor(a)[0]", "wide lu_factor": "L.lu_factor(r)[0]", "tall lu_factor": "L.lu_factor_ex(r.mT)[0]", "pivots": "L.lu_factor(a)[1]", "lu info": "L.lu_factor_ex(a * 0)[2]", "lu_solve": "L.lu_solve(*L.lu_factor(a), a.mT)", "lu_solve right": "L.lu_solve(*L.lu_factor(m), m.mT, left=False)",
    "lu_solve adjoint": "L.lu_solve(*L.lu_factor(a), m, adjoint=True)", "lu_solve both": "L.lu_solve(*L.lu_factor(m), a, left=False, adjoint=True)", "old lu_solve": "T.lu_solve(a, *T.lu(a.mT))", "lu_unpack": "T.lu_unpack(*L.lu_factor(r))[2]", "lu_unpack wide": "T.cat(T.lu_unpack(*L.lu_factor(a)), -1)", "lu infos": "m.lu(get_infos=True)[2]",
    "householder": "L.householder_product(a, b)", "few reflectors": "T.orgqr(m, v[:2])", "ormqr": "T.ormqr(m, v, m.mT)", "ormqr right": "T.ormqr(m, v, m.mT, left=False, transpose=True)", "triangular_solve": "T.triangular_solve(a, m, upper=False, transpose=True)[0]",
    "least column": "L.norm(m, -1)", "rank": "L.matrix_rank(a)", "rank of a part": "L.matrix_rank(m[:, :1] @ m[:1])",
}  # fmt: skip
ONCE = {"norm", "vector norm", "fro"}


@pytest.mark.filterwarnings("ignore:torch.*deprecated")
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
        (lambda L: L.det(cg.zeros(2, 3)), "RuntimeError", "must be square"), (lambda L: cg.matrix_exp(cg.zeros(2, 3)), "RuntimeError", "matrix_exp: matrices must be square"),
        (lambda L: L.qr(cg.zeros(3, 2, requires_grad=True), "r"), "NotImplementedError", "mode 'r' of shape"), (lambda L: L.qr(cg.eye(2), "raw"), "RuntimeError", "qr: mode must be"),
        (lambda L: L.cross(cg.ones(2), cg.ones(2)), "RuntimeError", "dim -1 must have size 3"), (lambda L: L.lstsq(cg.ones(2, 2), cg.ones(3)), "RuntimeError", "lstsq: shapes"),
        (lambda L: L.eigh(cg.eye(2), "x"), "RuntimeError", "UPLO must be L or U, got 'x'"), (lambda L: L.inv(cg.ones(3)), "RuntimeError", r"expected matrices of floats, got float32 of shape \(3,\)"),
        (lambda L: L.svdvals(cg.arange(4).reshape(2, 2)), "RuntimeError", "matrices of floats, got int64"), (lambda L: L.multi_dot([cg.ones(2)]), "RuntimeError", "at least two"),
        (lambda L: L.lu_factor(cg.zeros(2, 2)), "LinAlgError", "lu_factor: pivot 1 is zero"), (lambda L: cg.lu_unpack(cg.eye(2), cg.ones(2)), "RuntimeError", "LU_pivots must be int32, got float32"),
        (lambda L: L.lu_solve(*L.lu_factor(cg.eye(2)), cg.ones(3, 1)), "RuntimeError", "lu_solve: shapes"), (lambda L: L.householder_product(cg.ones(2, 3), cg.ones(2)), "RuntimeError", "at least as many rows"),
        (lambda L: L.householder_product(cg.ones(3, 2), cg.ones(3)), "RuntimeError", "householder_product: shapes"), (lambda L: cg.ormqr(cg.eye(2), cg.ones(2), cg.ones(3, 1)), "RuntimeError", "ormqr: shapes"),
        (lambda L: L.matrix_norm(cg.ones(2, 2), 3), "ValueError", "ord must be fro"),
    ],
)  # fmt: skip
def test_errors_are_named(call, kind, message):
    with pytest.raises((RuntimeError, ValueError), match=message) as error:
        call(cg.linalg)
    assert type(error.value).__name__ == kind


def test_lu_without_exchanges_of_rows():
    a = cg.tensor(X + 5 * np.eye(3))
    p, lower, upper = cg.linalg.lu(a, pivot=False)
    assert p.shape == (0,) and (np.tril(lower.array) == lower.array).all() and (np.triu(upper.array) == upper.array).all()
    np.testing.assert_allclose((lower @ upper).array, a.array, rtol=1e-12)
    assert (cg.linalg.lu_factor(a, pivot=False).pivots.array == [1, 2, 3]).all()
