"""Special functions: PyTorch's values at extremes and poles, and the last places of float64 by arithmetic of 40 digits."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")
mpmath = pytest.importorskip("mpmath")

UNARY = ["gammaln", "digamma", "erfc", "erfcx", "erfinv", "ndtri", "log_ndtr", "ndtr", "i0", "i0e", "i1", "i1e", "entr", "expit", "sinc"]
EXTREMES = [0.0, -0.0, -1.0, -2.0, 0.5, 1.0, 2.0, -0.5, -2.5, 1e-300, -1e-300, 1e300, -1e10, 1e15, 170.5, 29.99, 30.01, 5e-324, math.inf, -math.inf, math.nan]
BETTER = {  # where PyTorch is not exact: a limit, a sign, an infinity
    "i0": {math.inf: math.inf, -math.inf: math.inf}, "i1": {math.inf: math.inf, -math.inf: -math.inf}, "digamma": {-1e10: math.nan}, "sinc": {math.inf: math.nan},
    "ndtri": {5e-324: -38.467405617144346},
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_extremes_are_pytorchs(name):
    x = np.array(EXTREMES)
    ours = getattr(cg.special, name)(cg.from_numpy(x)).numpy()
    theirs = getattr(torch.special, name)(torch.from_numpy(x)).numpy()
    for value, mine, other in zip(EXTREMES, ours, theirs):
        other = BETTER.get(name, {}).get(value, other)
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-15, err_msg=f"{name}({value})")
        assert name != "erfinv" or np.signbit(mine) == np.signbit(other), value


@pytest.mark.parametrize("name", ["zeta", "gammainc", "gammaincc", "xlog1py", "xlogy"])
def test_extremes_of_two_are_pytorchs(name):
    values = [0.0, 1.0, 2.0, 2.5, -1.0, -2.5, 1e-8, 300.0, math.inf, math.nan]
    a, b = (np.ascontiguousarray(g) for g in np.meshgrid(values, values))
    ours = getattr(cg.special, name)(cg.from_numpy(a), cg.from_numpy(b)).numpy()
    theirs = getattr(torch.special, name)(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    same = np.isclose(ours, theirs, 1e-9, 1e-15, equal_nan=True)
    if name in ("gammainc", "gammaincc"):
        same |= np.isnan(a) | np.isnan(b)  # PyTorch forgets NaN here and there
    if name == "zeta":
        same |= ~np.isfinite(a) | ~np.isfinite(b) | ((b < 0) & (np.abs(theirs) > 1e10))
    assert same.all(), [(a[i], b[i], ours[i], theirs[i]) for i in zip(*np.nonzero(~same))]


def exact(name):
    """The function in mpmath."""
    m = mpmath
    return {
        "gammaln": lambda x: m.log(abs(m.gamma(x))), "digamma": m.digamma, "erfc": m.erfc, "erfcx": lambda x: m.exp(x * x) * m.erfc(x), "ndtr": m.ncdf,
        "erfinv": m.erfinv, "ndtri": lambda p: -m.sqrt(2) * m.erfinv(1 - 2 * p), "log_ndtr": lambda x: m.log(m.erfc(-x / m.sqrt(2)) / 2),
        "i0": lambda x: m.besseli(0, x), "i1": lambda x: m.besseli(1, x), "i0e": lambda x: m.exp(-abs(x)) * m.besseli(0, x), "i1e": lambda x: m.exp(-abs(x)) * m.besseli(1, x),
    }[name]  # fmt: skip


POINTS = {
    "gammaln": [1e-20, 0.1, 0.7, 1.2, 1.4, 1.6, 1.99, 2.01, 2.6, 5.5, 9.99, 10.01, 1e5, 1e100, -0.3, -3.7, -20.2], "digamma": [1e-10, 0.3, 1.1, 4.0, 9.9, 10.1, 1e8, -0.7, -9.3],
    "erfc": [-3.0, -0.3, 0.2, 0.49, 0.51, 2.0, 7.3, 26.0], "erfcx": [-20.0, -1.0, 0.1, 3.0, 50.0, 1e10], "ndtr": [-3.0, -0.5, 0.3, 6.0], "log_ndtr": [-1e4, -20.0, -1.01, -0.99, 0.4, 2.0],
    "erfinv": [1e-30, -0.2, 0.499, 0.501, 0.99, -0.999999], "ndtri": [1e-200, 1e-5, 0.2, 0.26, 0.74, 0.76, 0.9999], "i0": [0.1, 3.0, 29.0, 31.0, 500.0], "i1": [0.1, -3.0, 29.0, 31.0, 500.0],
    "i0e": [0.1, 3.0, 29.0, 31.0, 1e5], "i1e": [0.1, -3.0, 29.0, 31.0, 1e5],
}  # fmt: skip


@pytest.mark.parametrize("name", POINTS)
def test_values_are_right_to_a_few_last_places(name):
    x = np.array(POINTS[name])
    got = getattr(cg.special, name)(cg.from_numpy(x)).numpy()
    with mpmath.workdps(250 if name == "ndtri" else 40):
        errors = [float(abs((exact(name)(mpmath.mpf(v)) - g) / (exact(name)(mpmath.mpf(v)) * 2.0**-52))) for v, g in zip(x.tolist(), got.tolist())]
    assert max(errors) < 12, dict(zip(POINTS[name], errors))
    single = getattr(cg.special, name)(cg.from_numpy(x[np.abs(x) < 30]).float())
    assert single.dtype == cg.float32


@pytest.mark.parametrize(("a", "x"), [(0.01, 2.5), (0.5, 1e-4), (2.5, 1e-3), (3.0, 2.5), (20.0, 15.0), (20.0, 60.0), (300.0, 310.0), (1e4, 1.001e4)])
def test_incomplete_gamma_functions_are_exact_and_samples_have_gradients(a, x):
    """P, Q, and dx/da = −(∂P/∂a)/(∂P/∂x) by differences of 40 digits."""
    from cygrad._special.gamma import gamma_ratio

    with mpmath.workdps(40):
        p, q = (mpmath.gammainc(a, *ends, regularized=True) for ends in ((0, x), (x, mpmath.inf)))
        h = mpmath.mpf(10) ** -15 * a
        slope = (mpmath.gammainc(a + h, 0, x, regularized=True) - mpmath.gammainc(a - h, 0, x, regularized=True)) / (2 * h)
        density = mpmath.exp((a - 1) * mpmath.log(x) - x - mpmath.loggamma(a))
    got = [f(cg.tensor(a, dtype=cg.float64), cg.tensor(x, dtype=cg.float64)).item() for f in (cg.special.gammainc, cg.special.gammaincc)]
    np.testing.assert_allclose(got, [float(p), float(q)], rtol=3e-14)
    np.testing.assert_allclose(gamma_ratio(np.array([a]), np.array([x]))[0], float(-slope / density), rtol=1e-12)


CALLS = {
    **{n: f"S.{n}(x)" for n in ["gammaln", "digamma", "erfc", "erfcx", "erfinv", "ndtri", "log_ndtr", "ndtr", "i0", "i0e", "i1", "i1e", "entr", "psi", "logit", "expit"]},
    "polygamma": "S.polygamma(2, x)", "method": "x.polygamma(1)", "multigammaln": "S.multigammaln(x + 2, 3)", "mvlgamma": "(x + 2).mvlgamma(2)", "gammainc": "S.gammainc(2.5 + 0 * x.detach(), x)",
    "igammac": "T.igammac(2.5 + 0 * x.detach(), x)", "zeta": "S.zeta(x.detach() + 2, x)", "xlog1py": "S.xlog1py(x, x)", "softmax": "S.softmax(x, 0)", "log_softmax": "S.log_softmax(x, 0)",
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_gradients_of_both_orders_are_pytorchs(name):
    results = []
    for T in (cg, torch):
        x = T.tensor([0.1, 0.35, 0.6, 0.9], dtype=T.float64).requires_grad_()
        y = eval(CALLS[name], {"T": T, "S": T.special, "x": x})
        (g,) = T.autograd.grad((y * y).sum(), x, create_graph=True)
        (h,) = T.autograd.grad(g.sin().sum(), x)
        results.append((y.detach().numpy(), g.detach().numpy(), h.numpy()))
    for mine, other in zip(*results):
        np.testing.assert_allclose(mine, other, rtol=1e-5)


def test_refusals():
    a = cg.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="igamma: the derivative for input is not implemented"):
        cg.igamma(a, cg.ones(2)).sum().backward()
    with pytest.raises(RuntimeError, match="igammac: operands must be floats, got int64"):
        cg.igammac(cg.tensor([1]), cg.tensor([2]))
    with pytest.raises(RuntimeError, match="polygamma: n must not be negative, got -1"):
        cg.polygamma(-1, a)
    with pytest.raises(RuntimeError, match="mvlgamma: p must be at least 1, got 0"):
        a.mvlgamma(0)
    assert cg.tensor([3.0]).lgamma_().item() == pytest.approx(math.log(2)) and cg.lgamma(cg.tensor(4)).dtype == cg.float32
