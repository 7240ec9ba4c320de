"""Distributions against PyTorch's: values and gradients; samples by their moments and their empirical distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")

P = {  # parameters as lists, from which both libraries make float64 tensors that require gradients
    "Normal": ([[0.0, 1.5, -2.0], [1.0, 0.5, 2.0]], [[0.3], [1.0], [-4.0]]),
    "Laplace": ([[0.0, 1.5, -2.0], [1.0, 0.5, 2.0]], [[0.3], [1.0], [-4.0]]),
    "Cauchy": ([[0.0, 1.5, -2.0], [1.0, 0.5, 2.0]], [[0.3], [1.0], [-4.0]]),
    "Gumbel": ([[0.0, 1.5, -2.0], [1.0, 0.5, 2.0]], [[0.3], [1.0], [2.5]]),
    "LogNormal": ([[0.0, 0.5, -1.0], [1.0, 0.5, 0.25]], [[0.3], [1.0], [4.0]]),
    "HalfNormal": ([[1.0, 0.5, 2.0]], [[0.3], [1.0], [4.0]]),
    "Uniform": ([[0.0, 0.25, -2.0], [2.0, 4.0, 2.0]], [[0.3], [1.0]]),
    "Exponential": ([[1.0, 0.5, 2.0]], [[0.3], [1.0], [4.0]]),
    "Bernoulli": ([[0.2, 0.5, 0.9]], [[0.0], [1.0]]),
    "Geometric": ([[0.2, 0.5, 0.9]], [[0.0], [1.0], [3.0]]),
    "Categorical": ([[[0.2, 0.5, 0.3], [1.0, 2.0, 1.0]]], [[0], [1], [2]]),
    "OneHotCategorical": ([[[0.2, 0.5, 0.3], [1.0, 2.0, 1.0]]], [[[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]]]),
    "MultivariateNormal": ([[0.5, -1.0], [[2.0, 0.5], [0.5, 1.0]]], [[0.3, 1.0], [1.0, -4.0]]),
}
FINITE = [n for n in P if n not in ("Cauchy",)]


def made(T, name, logits=False):
    values = [T.tensor(v, dtype=T.float64).requires_grad_() for v in P[name][0]]
    options = {"logits": values[0]} if logits else None
    kind = getattr(T.distributions, name)
    return (kind(**options) if options else kind(*values)), values


def compare(ours, theirs, values, others):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    if theirs.requires_grad:
        ours.sum().backward()
        theirs.sum().backward()
        for mine, other in zip(values, others):
            if other.grad is not None:
                a, b = mine.grad.numpy(), other.grad.numpy()
                if a.ndim == 2 and a.shape[0] == a.shape[1] and len(values) == 2:  # of a symmetric matrix
                    a, b = a + a.T, b + b.T
                np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)
                mine.grad = other.grad = None


@pytest.mark.parametrize("what", ["log_prob", "entropy", "mean", "variance", "stddev", "mode", "cdf", "perplexity"])
@pytest.mark.parametrize("name", P)
def test_values_and_gradients_are_pytorchs(name, what):
    results = []
    for T in (cg, torch):
        d, values = made(T, name)
        try:
            value = getattr(d, what)
            if what in ("log_prob", "cdf"):
                value = value(T.tensor(P[name][1]) if name == "Categorical" else T.tensor(P[name][1], dtype=T.float64))
            results.append((value() if callable(value) and what in ("entropy", "perplexity") else value, values))
        except NotImplementedError:
            results.append(None)
    if results[1] is None or (results[0] is None and what in ("cdf", "mode", "entropy", "perplexity")):
        return  # not there either, or not promised
    (ours, values), (theirs, others) = results
    compare(ours, theirs, values, others)


@pytest.mark.parametrize("name", ["Categorical", "OneHotCategorical", "Bernoulli", "Geometric"])
def test_logits_are_the_other_parameter(name):
    for what in ("log_prob", "probs", "logits", "entropy"):
        (mine, values), (other, others) = made(cg, name, True), made(torch, name, True)
        ours, theirs = getattr(mine, what), getattr(other, what)
        if what == "log_prob":
            value = P[name][1]
            ours, theirs = ours(cg.tensor(value) if name == "Categorical" else cg.tensor(value, dtype=cg.float64)), theirs(
                torch.tensor(value) if name == "Categorical" else torch.tensor(value, dtype=torch.float64))
        elif what == "entropy":
            ours, theirs = ours(), theirs()
        compare(ours, theirs, values, others)
    with pytest.raises(ValueError, match="either probs or logits must be given"):
        getattr(cg.distributions, name)()


@pytest.mark.parametrize("name", P)
def test_shapes_and_moments_of_samples(name):
    cg.manual_seed(0)
    d, values = made(cg, name)
    other, _ = made(torch, name)
    for shape in ((), (5,), (2, 3)):
        assert d.sample(shape).shape == tuple(other.sample(shape).shape)
    assert (d.batch_shape, d.event_shape) == (tuple(other.batch_shape), tuple(other.event_shape)) and d.has_rsample == other.has_rsample
    x = d.sample((20_000,))
    assert not x.requires_grad
    if name in FINITE and name != "Categorical":
        error = 6 * (other.variance.detach().numpy() / 20_000) ** 0.5
        assert (abs(x.double().mean(0).numpy() - other.mean.detach().numpy()) < error + 1e-9).all()
    if name == "Categorical":
        share = np.stack([(x.numpy() == k).mean(0) for k in range(3)], -1)
        np.testing.assert_allclose(share, d.probs.detach().numpy(), atol=0.02)
    if d.has_rsample:
        d.rsample((4,)).sum().backward()
        assert all(v.grad is not None for v in values)


@pytest.mark.parametrize("name", ["Normal", "Laplace", "Cauchy", "Gumbel", "LogNormal", "HalfNormal", "Uniform", "Exponential"])
def test_samples_follow_the_distribution(name):
    """Kolmogorov and Smirnov: the largest distance of the empirical cdf from the cdf is below 1.95/√n, but for one in 1,000."""
    cg.manual_seed(1)
    d, _ = made(cg, name)
    n = 20_000
    x = d.sample((n,)).double()
    levels = np.sort(d.cdf(x).detach().numpy(), 0)
    steps = np.arange(1, n + 1)[:, None] / n
    assert np.abs(levels - steps).max() < 1.95 / math.sqrt(n) + 1 / n


@pytest.mark.parametrize("name", ["Laplace", "Cauchy", "Gumbel", "Uniform", "Exponential"])
def test_icdf_inverts_cdf(name):
    d, _ = made(cg, name)
    p = cg.tensor([[0.1], [0.5], [0.9]], dtype=cg.float64)
    np.testing.assert_allclose(d.cdf(d.icdf(p)).detach().numpy(), p.expand((3, 3)).numpy(), rtol=1e-9)


PAIRS = {
    "Normal": lambda T, t: (T.Normal(t([0.0, 1.0]), t([1.0, 2.0])), T.Normal(t([0.5, 1.0]), t([2.0, 1.0]))),
    "LogNormal": lambda T, t: (T.LogNormal(t([0.0, 1.0]), t([1.0, 2.0])), T.LogNormal(t([0.5, 1.0]), t([2.0, 1.0]))),
    "Laplace": lambda T, t: (T.Laplace(t([0.0, 1.0]), t([1.0, 2.0])), T.Laplace(t([0.5, 1.0]), t([2.0, 1.0]))),
    "Exponential": lambda T, t: (T.Exponential(t([1.0, 2.0])), T.Exponential(t([0.5, 1.0]))),
    "Uniform": lambda T, t: (T.Uniform(t([0.0, 1.0]), t([1.0, 2.0])), T.Uniform(t([-1.0, 1.5]), t([2.0, 3.0]))),
    "Bernoulli": lambda T, t: (T.Bernoulli(t([0.2, 0.7])), T.Bernoulli(logits=t([0.5, -1.0]))),
    "Categorical": lambda T, t: (T.Categorical(t([[0.2, 0.8, 0.0]])), T.Categorical(logits=t([[0.5, -1.0, 0.25]]))),
    "MultivariateNormal": lambda T, t: (T.MultivariateNormal(t([0.0, 1.0]), t([[2.0, 0.5], [0.5, 1.0]])), T.MultivariateNormal(t([1.0, 1.0]), scale_tril=t([[1.0, 0.0], [0.5, 2.0]]))),
    "Independent": lambda T, t: (T.Independent(T.Normal(t([[0.0, 1.0]]), 1.0), 1), T.Independent(T.Normal(t([[0.5, 1.0]]), 2.0), 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_divergences_are_pytorchs(name):
    results = []
    for T in (cg, torch):
        p, q = PAIRS[name](T.distributions, lambda v, T=T: T.tensor(v, dtype=T.float64))
        results.append(T.distributions.kl_divergence(p, q).numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
    with pytest.raises(NotImplementedError, match="no formula for Normal and Bernoulli"):
        cg.distributions.kl_divergence(cg.distributions.Normal(0.0, 1.0), cg.distributions.Bernoulli(0.5))


FORMS = ["covariance_matrix", "precision_matrix", "scale_tril"]


@pytest.mark.parametrize("form", FORMS)
def test_a_multivariate_normal_takes_three_matrices(form):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 4, 4))
    matrix = np.tril(a) + 3 * np.eye(4) if form == "scale_tril" else a @ a.swapaxes(-1, -2) + np.eye(4)
    x, loc = rng.standard_normal((5, 2, 4)), rng.standard_normal(4)
    results = []
    for T in (cg, torch):
        m, c = T.tensor(matrix).requires_grad_(), T.tensor(loc).requires_grad_()
        d = T.distributions.MultivariateNormal(c, **{form: m})
        total = d.log_prob(T.tensor(x)).sum() + d.entropy().sum() + d.covariance_matrix.sum() + d.precision_matrix.sum()
        total.backward()
        grad = m.grad.numpy()
        results.append((total.item(), c.grad.numpy(), grad if form == "scale_tril" else grad + grad.swapaxes(-1, -2), d.variance.detach().numpy()))
    results[0] = tuple(np.tril(r) if form == "scale_tril" and i == 2 else r for i, r in enumerate(results[0]))
    results[1] = tuple(np.tril(r) if form == "scale_tril" and i == 2 else r for i, r in enumerate(results[1]))
    for mine, other in zip(*results):
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9)
    with pytest.raises(ValueError, match="positive definite"):
        cg.distributions.MultivariateNormal(cg.zeros(2), cg.tensor([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ValueError, match="give one of"):
        cg.distributions.MultivariateNormal(cg.zeros(2))


TRANSFORMS = {
    "affine": lambda D, t: D.AffineTransform(t(0.5), t(-2.0)), "exp": lambda D, t: D.ExpTransform(), "sigmoid": lambda D, t: D.SigmoidTransform(),
    "tanh": lambda D, t: D.TanhTransform(), "power": lambda D, t: D.ComposeTransform([D.ExpTransform(), D.PowerTransform(t(3.0))]),
    "composed": lambda D, t: D.ComposeTransform([D.AffineTransform(0.5, 2.0), D.TanhTransform(), D.AffineTransform(1.0, 3.0)]),
    "event": lambda D, t: D.AffineTransform(t([0.5, 1.0]), t([2.0, 3.0]), event_dim=1),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_pytorchs(name):
    results = []
    for T in (cg, torch):

        def t(v, T=T):
            return T.tensor(v, dtype=T.float64)

        D = T.distributions if T is cg else torch.distributions.transforms
        f = TRANSFORMS[name](D, t)
        x = t([[0.3, -0.5], [0.1, 0.7]]).requires_grad_()
        y = f(x)
        d = T.distributions.TransformedDistribution(T.distributions.Normal(t([0.0, 0.5]), t([1.0, 2.0])), [f])
        total = f.log_abs_det_jacobian(x, y).sum() + d.log_prob(y).sum()
        total.backward()
        inverse = f.inv(y)
        results.append([v.detach().numpy() for v in (y, inverse, total, x.grad)] + [np.array([*d.batch_shape, 9, *d.event_shape])])
        assert d.sample((3,)).shape == (3, 2) and d.has_rsample
    for mine, other in zip(*results):
        np.testing.assert_allclose(mine, other, rtol=1e-8)


def test_independent_expand_and_supports():
    D = cg.distributions
    d = D.Independent(D.Normal(cg.zeros(2, 3), cg.ones(3)), 1)
    assert (d.batch_shape, d.event_shape, d.sample().shape, d.entropy().shape) == ((2,), (3,), (2, 3), (2,))
    assert d.expand((4, 2)).sample((5,)).shape == (5, 4, 2, 3)
    assert D.Normal(0.0, 1.0).expand((2,)).sample().shape == (2,) and D.Categorical(cg.ones(3)).expand((4,)).sample().shape == (4,)
    assert D.Categorical(cg.ones(2, 3)).enumerate_support().tolist() == [[0, 0], [1, 1], [2, 2]]
    assert D.Bernoulli(cg.tensor([0.5])).enumerate_support().tolist() == [[0], [1]]
    assert repr(D.Normal(0.0, 1.0)) == "Normal(loc: 0.0, scale: 1.0)"
    assert D.Normal(cg.zeros(2), 1.0).log_prob(0.5).dtype == cg.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda D: D.Normal(0.0, -1.0), "Normal: scale must be positive"), (lambda D: D.Normal(math.nan, 1.0), "Normal: loc must be a number"),
        (lambda D: D.Bernoulli(1.5), "Bernoulli: probs must be in"), (lambda D: D.Categorical(cg.tensor([-1.0, 2.0])), "Categorical: probs must be"),
        (lambda D: D.Categorical(cg.tensor(1.0)), "at least one dimension"), (lambda D: D.Uniform(1.0, 0.0), "Uniform: low must be below high"),
        (lambda D: D.Exponential(0.0), "Exponential: rate must be positive"), (lambda D: D.Independent(D.Normal(0.0, 1.0), 1), "reinterpreted_batch_ndims must lie in 0 to 0"),
        (lambda D: D.Categorical(cg.ones(3)).log_prob(cg.tensor(3)), "value must be a class of 3"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(cg.distributions)
    assert cg.distributions.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
