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
    "LowRankMultivariateNormal": ([[0.5, -1.0, 2.0], [[2.0, 0.5], [0.5, 1.0], [-1.0, 0.3]], [0.5, 1.0, 2.0]], [[0.3, 1.0, 0.0], [1.0, -4.0, 2.0]]),
    "Wishart": ([[8.5, 9.0], [[2.0, 0.5], [0.5, 1.0]]], [[[1.0, 0.2], [0.2, 3.0]]]),
    "Gamma": ([[0.5, 1.0, 3.0], [2.0, 0.5, 1.0]], [[0.3], [1.0], [4.0]]),
    "Chi2": ([[0.5, 2.0, 9.0]], [[0.3], [1.0], [4.0]]),
    "InverseGamma": ([[2.5, 4.0, 3.0], [2.0, 0.5, 1.0]], [[0.3], [1.0], [4.0]]),
    "Beta": ([[0.5, 2.0, 3.0], [2.0, 3.0, 1.5]], [[0.3], [0.5], [0.9]]),
    "Dirichlet": ([[[0.5, 2.0, 3.0], [1.5, 1.5, 2.0]]], [[[0.2, 0.3, 0.5]], [[0.1, 0.1, 0.8]]]),
    "StudentT": ([[9.0, 3.0, 5.0], [0.0, 1.5, -2.0], [1.0, 0.5, 2.0]], [[0.3], [1.0], [-4.0]]),
    "FisherSnedecor": ([[3.0, 5.0, 9.0], [9.0, 12.0, 20.0]], [[0.3], [1.0], [4.0]]),
    "Poisson": ([[0.5, 2.5, 9.0]], [[0.0], [1.0], [7.0]]),
    "NegativeBinomial": ([[3.0, 5.0, 2.5], [0.2, 0.5, 0.9]], [[0.0], [1.0], [7.0]]),
    "Binomial": ([[5.0, 5.0, 5.0], [0.2, 0.5, 0.9]], [[0.0], [1.0], [4.0]]),
    "HalfCauchy": ([[1.0, 0.5, 2.0]], [[0.3], [1.0], [4.0]]),
    "Weibull": ([[1.0, 0.5, 2.0], [1.5, 2.5, 3.0]], [[0.3], [1.0], [2.0]]),
    "Pareto": ([[1.0, 0.5, 2.0], [2.5, 3.5, 5.0]], [[2.3], [3.0], [4.0]]),
    "GeneralizedPareto": ([[1.0, 0.5, 0.0, 0.1], [1.0, 0.5, 2.0, 3.0], [0.3, 0.0, -0.2, -1.0]], [[1.3], [1.5], [2.5]]),
    "Kumaraswamy": ([[0.5, 2.0, 3.0], [2.0, 3.0, 1.5]], [[0.3], [0.5], [0.9]]),
    "VonMises": ([[0.0, 1.0, -1.0], [1.0, 0.5, 30.0]], [[0.3], [1.0], [-2.0]]),
    "ContinuousBernoulli": ([[0.2, 0.4995, 0.9]], [[0.3], [0.5], [0.9]]),
}
FINITE = [n for n in P if n not in ("Cauchy", "HalfCauchy", "VonMises")]


def made(T, name, logits=False):
    values = [T.tensor(v, dtype=T.float64).requires_grad_() for v in P[name][0]]
    options = {"logits": values[0]} if logits else None
    kind = getattr(T.distributions, name)
    return (kind(**options) if options else kind(*values)), values


def compare(ours, theirs, values, others, rtol=1e-8):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=1e-12)
    if theirs.requires_grad:
        try:
            theirs.sum().backward()
        except NotImplementedError:
            with pytest.raises(NotImplementedError):
                ours.sum().backward()
            return
        ours.sum().backward()
        for mine, other in zip(values, others):
            if other.grad is not None:
                a, b = mine.grad.numpy(), other.grad.numpy()
                if a.ndim == 2 and a.shape[0] == a.shape[1] and len(values) == 2:  # of a symmetric matrix
                    a, b = a + a.T, b + b.T
                np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-10)
                mine.grad = other.grad = None


@pytest.mark.parametrize("what", ["log_prob", "entropy", "mean", "variance", "stddev", "mode", "cdf", "perplexity"])
@pytest.mark.parametrize("name", P)
def test_values_and_gradients_are_pytorchs(name, what, monkeypatch):
    if name == "GeneralizedPareto":  # where PyTorch compares with a number of the default dtype
        monkeypatch.setattr(torch, "isclose", lambda a, b: torch.abs(a - b) <= 1e-8)
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
    if (name, what) == ("Kumaraswamy", "mode"):
        return  # PyTorch's is NaN everywhere
    (ours, values), (theirs, others) = results
    compare(ours, theirs, values, others, 1e-4 if name == "VonMises" else 1e-8)


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


@pytest.mark.filterwarnings("ignore:Singular sample detected")
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
    if name in FINITE and name not in ("Categorical", "Wishart"):
        error = 6 * (other.variance.detach().numpy() / 20_000) ** 0.5
        assert (abs(x.double().mean(0).numpy() - other.mean.detach().numpy()) < error + 1e-9).all()
    if name == "Categorical":
        share = np.stack([(x.numpy() == k).mean(0) for k in range(3)], -1)
        np.testing.assert_allclose(share, d.probs.detach().numpy(), atol=0.02)
    if d.has_rsample:
        d.rsample((4,)).sum().backward()
        assert all(v.grad is not None for v in values)


@pytest.mark.parametrize("name", ["Normal", "Laplace", "Cauchy", "Gumbel", "LogNormal", "HalfNormal", "Uniform", "Exponential", "Gamma", "HalfCauchy", "Weibull", "Pareto", "Kumaraswamy", "ContinuousBernoulli"])
def test_samples_follow_the_distribution(name):
    """Kolmogorov and Smirnov: the largest distance of the empirical cdf from the cdf is below 1.95/√n, but for one in 1,000."""
    cg.manual_seed(1)
    d, _ = made(cg, name)
    n = 20_000
    x = d.sample((n,)).double()
    levels = np.sort(d.cdf(x).detach().numpy(), 0)
    steps = np.arange(1, n + 1)[:, None] / n
    assert np.abs(levels - steps).max() < 1.95 / math.sqrt(n) + 1 / n


@pytest.mark.parametrize("name", ["Laplace", "Cauchy", "Gumbel", "Uniform", "Exponential", "HalfCauchy", "Weibull", "Pareto", "ContinuousBernoulli"])
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
    "Gamma": lambda T, t: (T.Gamma(t([1.0, 2.0]), t([0.5, 2.0])), T.Gamma(t([0.5, 3.0]), 1.0)),
    "Beta": lambda T, t: (T.Beta(t([1.0, 2.0]), t([0.5, 2.0])), T.Beta(t([0.5, 3.0]), 1.0)),
    "Dirichlet": lambda T, t: (T.Dirichlet(t([[1.0, 2.0, 0.5]])), T.Dirichlet(t([[0.5, 3.0, 1.5]]))),
    "Poisson": lambda T, t: (T.Poisson(t([1.0, 2.0])), T.Poisson(t([0.5, 3.0]))),
    "Binomial": lambda T, t: (T.Binomial(5, t([0.2, 0.7])), T.Binomial(5, t([0.5, 0.3]))),
    "Geometric": lambda T, t: (T.Geometric(t([0.2, 0.7])), T.Geometric(t([0.5, 0.3]))),
    "HalfNormal": lambda T, t: (T.HalfNormal(t([0.2, 0.7])), T.HalfNormal(t([0.5, 0.3]))),
    "Cauchy": lambda T, t: (T.Cauchy(t([0.2, 0.7]), 2.0), T.Cauchy(t([0.5, 0.3]), 1.0)),
    "Gumbel": lambda T, t: (T.Gumbel(t([0.2, 0.7]), 2.0), T.Gumbel(t([0.5, 0.3]), 1.0)),
    "Pareto": lambda T, t: (T.Pareto(t([1.2, 0.7]), 2.0), T.Pareto(t([0.5, 0.3]), 1.0)),
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
        (lambda D: D.Categorical(cg.ones(3)).log_prob(cg.tensor(3)), "value must be integers from 0 to 2"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(cg.distributions)
    assert cg.distributions.Normal(0.0, -1.0, validate_args=False).scale.item() == -1


CALLS = {
    "mixture": lambda D, t: (D.MixtureSameFamily(D.Categorical(t([0.25, 0.75])), D.Normal(t([0.0, 2.0]), t([1.0, 0.5]))), t([0.1, 1.5])),
    "mixture of vectors": lambda D, t: (D.MixtureSameFamily(D.Categorical(t([[0.25, 0.75]])), D.Independent(D.Normal(t([[[0.0, 2.0], [1.0, -1.0]]]), t(0.5)), 1)), t([[0.1, 1.5]])),
    "multinomial": lambda D, t: (D.Multinomial(6, t([0.2, 0.3, 0.5])), t([1.0, 3.0, 2.0])),
    "multinomial of logits": lambda D, t: (D.Multinomial(3, logits=t([0.2, 0.3, -0.5])), t([1.0, 0.0, 2.0])),
    "binomial of logits": lambda D, t: (D.Binomial(t([3.0, 4.0]), logits=t([0.2, -0.5])), t([1.0, 2.0])),
    "negative binomial of logits": lambda D, t: (D.NegativeBinomial(t(3.0), logits=t([-0.2, -0.5])), t([1.0, 2.0])),
    "relaxed bernoulli": lambda D, t: (D.RelaxedBernoulli(t(0.5), logits=t([0.2, -0.5])), t([0.1, 0.9])),
    "relaxed categorical": lambda D, t: (D.RelaxedOneHotCategorical(t(0.5), t([0.2, 0.3, 0.5])), t([0.1, 0.2, 0.7])),
    "straight through": lambda D, t: (D.OneHotCategoricalStraightThrough(t([0.2, 0.3, 0.5])), t([0.0, 1.0, 0.0])),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_composed_distributions_are_pytorchs(name):
    results = []
    for T in (cg, torch):
        d, value = CALLS[name](T.distributions, lambda v, T=T: T.tensor(v, dtype=T.float64))
        found = [d.log_prob(value).numpy(), np.array([*d.batch_shape, 9, *d.event_shape]), np.array(d.sample((2, 3)).shape)]
        for what in ("mean", "variance", "entropy"):
            try:
                found.append(getattr(d, what).numpy() if what != "entropy" else d.entropy().numpy())
            except NotImplementedError:
                found.append(np.array(0.0))
        results.append(found)
    for mine, other in zip(*results):
        np.testing.assert_allclose(mine, other, rtol=1e-7)


@pytest.mark.parametrize("name", ["Gamma", "Beta", "Dirichlet", "StudentT", "InverseGamma", "RelaxedBernoulli", "MixtureSameFamily", "Multinomial"])
def test_moments_and_gradients_of_samples_are_those_of_the_mean(name):
    """E[x] and its derivatives, by the mean of samples and of their gradients."""
    cg.manual_seed(0)
    D = cg.distributions
    a = cg.tensor([5.0, 8.0, 6.0], dtype=cg.float64, requires_grad=True)
    d = {
        "Gamma": lambda: D.Gamma(a, 2.0), "Beta": lambda: D.Beta(a, 3.0), "Dirichlet": lambda: D.Dirichlet(a), "StudentT": lambda: D.StudentT(a + 3, a, 0.5),
        "InverseGamma": lambda: D.InverseGamma(a, 3.0), "RelaxedBernoulli": lambda: D.RelaxedBernoulli(0.1, logits=a - 6),
        "MixtureSameFamily": lambda: D.MixtureSameFamily(D.Categorical(a), D.Normal(a, 1.0)), "Multinomial": lambda: D.Multinomial(5, a),
    }[name]()  # fmt: skip
    x = (d.rsample if d.has_rsample else d.sample)((20_000,)).mean(0)
    if name == "RelaxedBernoulli":
        np.testing.assert_allclose(x.detach().numpy(), d.probs.detach().numpy(), atol=0.02)
        return
    np.testing.assert_allclose(x.detach().numpy(), d.mean.detach().numpy(), atol=0.04)
    if d.has_rsample:
        got, want = (cg.autograd.grad((m * cg.tensor([1.0, 2.0, -1.0], dtype=cg.float64)).sum(), a)[0].numpy() for m in (x, d.mean))
        np.testing.assert_allclose(got, want, atol=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda D: D.Gamma(-1.0, 1.0), "Gamma: concentration must be positive"), (lambda D: D.Gamma(1.0, 1.0).log_prob(cg.tensor(-1.0)), "Gamma: value must be at least 0"),
        (lambda D: D.Poisson(1.0).log_prob(cg.tensor(0.5)), "Poisson: value must be an integer of at least 0"), (lambda D: D.Beta(1.0, 1.0).log_prob(cg.tensor(2.0)), "value must be from 0.0 to 1.0"),
        (lambda D: D.Dirichlet(cg.ones(2)).log_prob(cg.ones(2)), "with the sum 1"), (lambda D: D.Multinomial(3, cg.ones(2)).log_prob(cg.ones(2) * 2), "counts with a sum of at most 3"),
        (lambda D: D.Binomial(3, 0.5).log_prob(cg.tensor(4.0)), "integers from 0 to"), (lambda D: D.MixtureSameFamily(D.Categorical(cg.ones(2)), D.Normal(cg.ones(3), 1.0)), "2 weights, components"),
        (lambda D: D.Dirichlet(cg.tensor(1.0)), "at least one dimension"), (lambda D: D.MixtureSameFamily(1, 2), "expected a Categorical"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(cg.distributions)


def test_constraints_tell_what_belongs_to_them():
    c = cg.distributions.constraints
    x = cg.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, math.nan])
    for name, want in {
        "real": [1, 1, 1, 1, 1, 0], "positive": [0, 0, 1, 1, 1, 0], "nonnegative": [0, 1, 1, 1, 1, 0], "unit_interval": [0, 1, 1, 1, 0, 0], "boolean": [0, 1, 0, 1, 0, 0],
        "nonnegative_integer": [0, 1, 0, 1, 1, 0], "positive_integer": [0, 0, 0, 1, 1, 0],
    }.items():  # fmt: skip
        other = getattr(torch.distributions.constraints, name).check(torch.from_numpy(x.numpy()))
        assert getattr(c, name).check(x).tolist() == [bool(w) for w in want] == other.tolist(), name
    assert c.interval(0, 1).check(x).tolist()[1] and not c.half_open_interval(0, 1).check(x).tolist()[3] and c.less_than(0).check(x).tolist()[0] and c.greater_than(1).check(x).tolist()[4]
    assert c.positive_definite.check(cg.eye(2)).item() and not c.positive_definite.check(-cg.eye(2)).item() and c.lower_cholesky.check(cg.eye(2)).item()
    assert c.one_hot.check(cg.tensor([[0.0, 1.0], [1.0, 1.0]])).tolist() == [True, False] and repr(c.positive) == "Constraint(positive)"


MAPPINGS = {  # an instance, in both libraries, and the shape of its argument
    "StickBreakingTransform()": (2, 3), "SoftmaxTransform()": (2, 3), "SoftplusTransform()": (2, 3), "CorrCholeskyTransform()": (2, 6), "LowerCholeskyTransform()": (2, 3, 3),
    "PositiveDefiniteTransform()": (2, 3, 3), "ReshapeTransform((2, 3), (6,))": (4, 2, 3), "IndependentTransform(t.ExpTransform(), 1)": (2, 3), "AbsTransform()": (2, 3), "identity_transform": (2,),
    "CatTransform([t.ExpTransform(), t.SigmoidTransform()], 1, [1, 2])": (2, 3), "StackTransform([t.ExpTransform(), t.TanhTransform()], 1)": (3, 2, 2), "CumulativeDistributionTransform(d.Normal(0.5, 2.0))": (2, 3),
    "ComposeTransform([t.ExpTransform(), t.AffineTransform(1.0, 2.0)])": (2, 3),
}  # fmt: skip
CONSTRAINTS = [
    "real", "positive", "unit_interval", "simplex", "lower_cholesky", "corr_cholesky", "positive_definite", "greater_than(2.0)", "less_than(-1.0)", "interval(-1.0, 3.0)", "greater_than_eq(0.5)", "half_open_interval(0.0, 2.0)",
]  # fmt: skip


def transformed(T, make, shape):
    """y, x again, log |f′| and the gradients of their sum."""
    x = T.from_numpy(np.random.default_rng(0).standard_normal(shape)).requires_grad_()
    transform = make(T.distributions)
    y = transform(x)
    results, total = [y, transform.inv(y)], y.sin().sum()
    try:
        log = transform.log_abs_det_jacobian(x, y)
        results, total = [*results, log], total + log.sum()
    except NotImplementedError:
        pass
    total.backward()
    return [r.detach().numpy() for r in (*results, x.grad)]


def assert_equal_in_both(make, shape):
    ours, theirs = transformed(cg, make, shape), transformed(torch, make, shape)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", MAPPINGS)
def test_transforms_of_vectors_and_parts_are_pytorchs(name):
    def make(d):
        t = d if d is cg.distributions else d.transforms
        return eval(f"t.{name}", {"t": t, "d": d})

    assert_equal_in_both(make, MAPPINGS[name])


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_registered_transforms_are_pytorchs(name, registry):
    if registry == "biject_to" and name in ("lower_cholesky", "positive_definite"):
        registry = "transform_to"  # a bijection that PyTorch does not register
    shape = (2, 3, 3) if name in ("lower_cholesky", "positive_definite") else (2, 3)
    assert_equal_in_both(lambda d: getattr(d, registry)(eval(f"c.{name}", {"c": d.constraints})), shape)


def test_a_constraint_without_a_transform_is_refused():
    with pytest.raises(NotImplementedError, match="no transform reaches the values of Constraint"):
        cg.distributions.biject_to(cg.distributions.constraints.boolean)


def test_samples_of_matrices_have_their_moments():
    d, count = cg.distributions, 20_000
    cg.manual_seed(0)
    sigma = cg.tensor([[2.0, 0.5], [0.5, 1.0]])
    wishart = d.Wishart(cg.tensor(4.0), sigma)
    assert np.allclose(wishart.sample((count,)).mean(0).array, wishart.mean.array, rtol=0.05)
    assert np.allclose(wishart.sample((count,)).var(0).array, wishart.variance.array, rtol=0.1)
    factors = d.LKJCholesky(3, 1.5).sample((count,))
    correlations = (factors @ factors.mT).array
    assert np.allclose(np.diagonal(correlations, axis1=1, axis2=2), 1, atol=1e-5)
    others = torch.distributions.LKJCholesky(3, 1.5).sample((count,))
    assert np.allclose(correlations.var(0), (others @ others.mT).var(0).numpy(), atol=0.02)
    low_rank = d.LowRankMultivariateNormal(cg.zeros(2), cg.tensor([[1.0], [2.0]]), cg.tensor([0.5, 1.0]))
    assert np.allclose(np.cov(low_rank.sample((count,)).array.T), low_rank.covariance_matrix.array, rtol=0.06)


def test_log_probabilities_of_correlations_and_logistic_normals_are_pytorchs():
    factor = np.linalg.cholesky(np.array([[1, 0.3, 0.1], [0.3, 1, -0.4], [0.1, -0.4, 1]]))
    for T in (cg, torch):
        eta = T.tensor([0.5, 1.0, 3.0], dtype=T.float64).requires_grad_()
        correlations = T.distributions.LKJCholesky(3, eta).log_prob(T.from_numpy(factor))
        loc = T.tensor([0.5, -0.2], dtype=T.float64).requires_grad_()
        logistic = T.distributions.LogisticNormal(loc, T.ones(2, dtype=T.float64)).log_prob(T.tensor([0.2, 0.3, 0.5], dtype=T.float64))
        (correlations.sum() + logistic).backward()
        found = [correlations.detach().numpy(), logistic.detach().numpy(), eta.grad.numpy(), loc.grad.numpy()]
        if T is cg:
            ours = found
    for mine, other in zip(ours, found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-8)


MIXED = ["Exponential Gamma", "Gamma Exponential", "Exponential Normal", "Gamma Normal", "Beta Normal", "Gumbel Normal", "Laplace Normal", "Uniform Normal", "Beta Exponential", "Uniform Exponential", "Beta Gamma", "LowRankMultivariateNormal LowRankMultivariateNormal", "Exponential Uniform", "Normal Beta", "Poisson Bernoulli"]  # fmt: skip


@pytest.mark.parametrize("kinds", MIXED)
def test_divergences_of_two_kinds_are_pytorchs(kinds):
    results = []
    for T in (cg, torch):
        (p, first), (q, second) = [made(T, name) for name in kinds.split()]
        kl = T.distributions.kl_divergence(p, q)
        finite = bool(np.isfinite(kl.detach().numpy()).all())
        if finite:
            kl.sum().backward()
        results.append([kl.detach().numpy(), *[v.grad.numpy() for v in (*first, *second) if finite and v.grad is not None]])
    for mine, other in zip(*results, strict=True):
        if mine.ndim == 2 and mine.shape[0] == mine.shape[1]:  # of a symmetric matrix
            mine, other = mine + mine.T, other + other.T
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-10)


def test_the_divergence_of_wisharts_is_the_mean_of_log_ratios():
    """PyTorch's formula is not 0 for equal distributions."""
    d = cg.distributions
    cg.manual_seed(1)
    p = d.Wishart(cg.tensor(5.0), cg.tensor([[2.0, 0.5], [0.5, 1.0]]))
    q = d.Wishart(cg.tensor(6.5), cg.tensor([[1.0, -0.2], [-0.2, 1.5]]))
    x = p.sample((20_000,))
    kl = d.kl_divergence(p, q).item()
    assert d.kl_divergence(p, p).item() == pytest.approx(0, abs=1e-5)
    assert kl == pytest.approx((p.log_prob(x) - q.log_prob(x)).mean().item(), rel=0.05)


@pytest.mark.parametrize("name", ["Normal", "LogNormal", "HalfNormal", "Kumaraswamy", "Laplace", "Weibull", "Exponential", "Pareto", "falling"])
def test_quantiles_are_pytorchs(name):
    results = []
    for T in (cg, torch):
        p = T.tensor([[0.2], [0.6]], dtype=T.float64).requires_grad_()
        if name == "falling":
            t = T.distributions if T is cg else T.distributions.transforms
            d = T.distributions.TransformedDistribution(T.distributions.Normal(T.zeros(3, dtype=T.float64), 1.0), [t.AffineTransform(1.0, -2.0)])
        else:
            d, _ = made(T, name)
        x = d.icdf(p)
        x.sum().backward()
        results.append([x.detach().numpy(), p.grad.numpy(), d.cdf(x).detach().numpy()])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6)
@pytest.mark.parametrize("is_binary", [False, True])
def test_probabilities_and_logits_are_converted_as_in_pytorch(is_binary):
    from cygrad.distributions import utils

    values = np.array([[0.0, 0.25, 0.75], [0.5, 0.5, 0.0]], np.float32)
    for name in ("probs_to_logits", "logits_to_probs", "clamp_probs"):
        options = {} if name == "clamp_probs" else {"is_binary": is_binary}
        wanted = getattr(torch.distributions.utils, name)(torch.tensor(values), **options)
        np.testing.assert_allclose(getattr(utils, name)(cg.tensor(values), **options).numpy(), wanted.numpy(), rtol=1e-6)
    assert [value.shape for value in utils.broadcast_all(cg.zeros(2, 1), 1.0, cg.zeros(3))] == [(2, 3)] * 3


def test_fork_rng_restores_the_generator():
    _ = cg.manual_seed(3)
    with cg.random.fork_rng():
        _ = cg.manual_seed(9)
        cg.rand(4)
    inside = cg.rand(2).tolist()
    _ = cg.manual_seed(3)
    with cg.random.fork_rng(enabled=False):
        cg.rand(4)
    outside = cg.rand(2).tolist()
    _ = cg.manual_seed(3)
    assert inside == cg.rand(2).tolist() != outside


RANGES = {
    "affine": lambda d: d.AffineTransform(1.0, 2.0), "affine of vectors": lambda d: d.AffineTransform(1.0, 2.0, event_dim=1),
    "abs": lambda d: d.AbsTransform(), "exp": lambda d: d.ExpTransform(), "power": lambda d: d.PowerTransform(2.0),
    "sigmoid": lambda d: d.SigmoidTransform(), "tanh": lambda d: d.TanhTransform(), "softplus": lambda d: d.SoftplusTransform(),
    "softmax": lambda d: d.SoftmaxTransform(), "stick": lambda d: d.StickBreakingTransform(), "lower": lambda d: d.LowerCholeskyTransform(),
    "definite": lambda d: d.PositiveDefiniteTransform(), "correlation": lambda d: d.CorrCholeskyTransform(),
    "reshape": lambda d: d.ReshapeTransform((2, 2), (4,)), "independent": lambda d: d.IndependentTransform(d.ExpTransform(), 1),
    "inverse": lambda d: d.ExpTransform().inv, "nothing": lambda d: d.ComposeTransform([]),
    "composed": lambda d: d.ComposeTransform([d.AffineTransform(0.0, 2.0), d.StickBreakingTransform()]),
    "stack": lambda d: d.StackTransform([d.ExpTransform(), d.TanhTransform()], -1), "cat": lambda d: d.CatTransform([d.ExpTransform(), d.TanhTransform()], -1),
    "probability": lambda d: d.CumulativeDistributionTransform(d.Normal(0.0, 1.0)),
}  # fmt: skip
POINTS = [[[0.25, 0.75], [0.5, 0.5]], [[-0.5, 2.0], [1.0, 0.0]], [[1.0, 0.0], [0.6, 0.8]], [[2.0, 1.0], [1.0, 2.0]]]


@pytest.mark.parametrize("name", RANGES)
def test_transforms_know_their_values(name):
    ours, theirs = RANGES[name](cg.distributions), RANGES[name](torch.distributions)
    for which in ("domain", "codomain"):
        mine, other = getattr(ours, which), getattr(theirs, which)
        assert (mine.event_dim, mine.is_discrete) == (other.event_dim, other.is_discrete)
        for point in POINTS:
            assert mine.check(cg.tensor(point)).tolist() == other.check(torch.tensor(point)).tolist(), (which, point)
    assert ours.inv.inv is ours and ours.inv.domain is ours.codomain
    shape = (2, 3, 3) if name == "correlation" else (5, 4)
    assert tuple(ours.inverse_shape(shape)) == tuple(theirs.inverse_shape(shape))


def test_an_inverse_is_a_transform():
    for T in (cg, torch):
        d = T.distributions
        normal = d.TransformedDistribution(d.LogNormal(T.tensor(0.5), 2.0), [d.ExpTransform().inv.with_cache(1)])
        assert normal.log_prob(T.tensor(0.3)).item() == pytest.approx(d.Normal(0.5, 2.0).log_prob(T.tensor(0.3)).item(), abs=1e-5)
        with pytest.raises(ValueError):
            d.LogNormal(0.0, 1.0).log_prob(T.tensor(-1.0))


def triangle(T):
    """A distribution of the user's own: the density 2x/width² from 0 to width."""

    class Triangle(T.distributions.Distribution):
        arg_constraints = {"width": T.distributions.constraints.positive}  # noqa: RUF012
        has_rsample = True

        def __init__(self, width, validate_args=None):
            self.width = width
            super().__init__(width.shape, validate_args=validate_args)

        @T.distributions.constraints.dependent_property(is_discrete=False, event_dim=0)
        def support(self):
            return T.distributions.constraints.interval(0.0, self.width)

        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(Triangle, _instance)
            new.width = self.width.expand(batch_shape)
            super(Triangle, new).__init__(new.width.shape, validate_args=False)
            return new

        def log_prob(self, value):
            if self._validate_args:
                self._validate_sample(value)
            return (2 * value / self.width**2).log()

    return Triangle


def test_distributions_of_a_users_own_follow_pytorchs_protocol():
    seen = []
    for T in (cg, torch):
        one = triangle(T)(T.tensor([2.0, 3.0]))
        many = one.expand((4, 2))
        seen.append([one.log_prob(T.tensor([1.0, 1.5])).tolist(), tuple(many.batch_shape), tuple(many._extended_shape((5,))), tuple(one.event_shape)])
        with pytest.raises(ValueError):
            one.log_prob(T.tensor([1.0, 4.0]))
        with pytest.raises(ValueError):
            triangle(T)(T.tensor([-1.0]))
        with pytest.raises(AttributeError):
            one.batch_shape = (3,)
    np.testing.assert_allclose(seen[0][0], seen[1][0], rtol=1e-6)
    assert seen[0][1:] == seen[1][1:]



RECORDED = sorted(set(P) - {"Wishart", "VonMises"})  # whose samples are drawn until they fit


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_step_with_a_distribution_is_that_of_eager_mode(name):
    """log_prob, entropy and samples of parameters that change from step to step, without falling back."""

    def losses(compiled):
        kind = getattr(cg.distributions, name)
        values = [cg.tensor(value, dtype=cg.float64) for value in P[name][0]]
        points = cg.tensor(P[name][1], dtype=cg.float64)

        def step(x, scale):
            d = kind(*[value * scale for value in values[:1]], *values[1:])
            total = d.log_prob(x)
            total = total.sum() if name in ("Binomial", "Multinomial") else (total + d.sample((2,)).sum() * 0.01).sum()
            return total + d.rsample().sum() if d.has_rsample else total

        run = cg.compile(step, fullgraph=True) if compiled else step
        cg.manual_seed(0)
        return [run(points, cg.tensor(1 - 0.01 * i, dtype=cg.float64)).item() for i in range(4)]

    assert losses(True) == losses(False)


def test_a_recorded_step_still_checks_parameters_and_values():
    step = cg.compile(lambda scale, x: cg.distributions.Normal(0.0, scale).log_prob(x).sum(), fullgraph=True)
    action = cg.compile(lambda logits, a: cg.distributions.Categorical(logits=logits).log_prob(a).sum(), fullgraph=True)
    for _ in range(3):
        step(cg.ones(2), cg.ones(2))
        action(cg.ones(2, 3), cg.tensor([0, 2]))
    with pytest.raises(ValueError, match="Normal: scale must be positive"):
        step(cg.tensor([1.0, -1.0]), cg.ones(2))
    with pytest.raises(ValueError, match="Categorical: value must be integers from 0 to 2"):
        action(cg.ones(2, 3), cg.tensor([0, 3]))


@pytest.mark.parametrize("policy", ["Normal", "Categorical", "Bernoulli", "tanh"])
def test_a_step_of_reinforcement_learning_is_recorded(policy):
    d = cg.distributions

    def losses(compiled):
        cg.manual_seed(0)
        net = cg.nn.Sequential(cg.nn.Linear(3, 8), cg.nn.Tanh(), cg.nn.Linear(8, 4))
        optimizer = cg.optim.Adam(net.parameters(), lr=1e-2)

        def step(states, returns):
            out = net(states)
            if policy in ("Categorical", "Bernoulli"):
                chosen = getattr(d, policy)(logits=out)
                loss = -(chosen.log_prob(chosen.sample()).reshape(len(states), -1).sum(1) * returns).mean() - 0.01 * chosen.entropy().mean()
            elif policy == "Normal":
                chosen = d.Normal(out[:, :2], out[:, 2:].exp())
                loss = -(chosen.log_prob(chosen.sample()).sum(1) * returns).mean() - 0.01 * chosen.entropy().mean() + chosen.rsample().square().mean()
            else:
                chosen = d.TransformedDistribution(d.Normal(out[:, :2], out[:, 2:].clamp(-5, 2).exp()), [d.TanhTransform(cache_size=1)])
                action = chosen.rsample()
                loss = (chosen.log_prob(action).sum(1) - action.sum(1) * returns).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run = cg.compile(step, fullgraph=True) if compiled else step
        return [run(cg.randn(6, 3), cg.randn(6)).item() for _ in range(6)]

    assert losses(True) == losses(False)


def test_constraints_of_matrices_and_counts():
    constraints = cg.distributions.constraints
    square = cg.tensor([[2.0, 1.0], [1.0, 2.0]])
    singular = cg.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert constraints.positive_semidefinite.check(square) and not constraints.positive_definite.check(singular - 1e-3 * cg.eye(2))
    assert not constraints.positive_semidefinite.check(-square) and constraints.symmetric.check(square)
    assert not constraints.symmetric.check(square.tril()) and constraints.lower_triangular.check(square.tril())
    assert not constraints.lower_triangular.check(square) and constraints.square.check(cg.zeros(3, 2, 2)).tolist() == [True] * 3
    assert constraints.square.check(cg.zeros(2, 1, 2)).tolist() == [False] * 2
    counts = constraints.multinomial(3)
    assert counts.check(cg.tensor([[1, 2], [2, 2], [-1, 2]])).tolist() == [True, False, False] and counts.is_discrete
    assert constraints.is_dependent(constraints.dependent) and not constraints.is_dependent(constraints.real)


def test_entropies_of_exponential_families_come_from_their_normalizers():
    d = cg.distributions

    class Bernoulli(d.ExponentialFamily):
        def __init__(self, logits):
            self.logits = logits
            super().__init__(logits.shape, validate_args=False)

        _mean_carrier_measure = 0

        @property
        def _natural_params(self):
            return (self.logits,)

        def _log_normalizer(self, x):
            return (1 + x.exp()).log()

    logits = cg.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    own, known = Bernoulli(logits).entropy(), d.Bernoulli(logits=logits).entropy()
    np.testing.assert_allclose(own.tolist(), known.tolist(), rtol=1e-5)
    np.testing.assert_allclose(*[cg.autograd.grad(e.sum(), logits)[0].tolist() for e in (own, known)], rtol=1e-4, atol=1e-6)
    assert not Bernoulli(logits.detach()).entropy().requires_grad
    one = cg.ones(2)
    for member in (d.Normal(one, one), d.Beta(one, one), d.Gamma(one, one), d.Dirichlet(one), d.Poisson(one), d.Exponential(one), d.Chi2(one)):
        assert isinstance(member, d.ExponentialFamily) and member.entropy is not None
    with pytest.raises(NotImplementedError, match="ExponentialFamily: _natural_params is not defined"):
        d.ExponentialFamily().entropy()


def test_distributions_of_ones_own_decide_about_their_support_and_factor():
    d = cg.distributions

    class Delta(d.Distribution):
        support = d.constraints.dependent

        @property
        def arg_constraints(self):
            return {"v": d.constraints.dependent}

        def __init__(self, v):
            self.v = v
            super().__init__(v.shape, validate_args=True)

        def log_prob(self, value):
            self._validate_sample(value)
            return (self.v == value).log()

    assert Delta(cg.ones(2)).log_prob(cg.ones(2)).tolist() == [0.0, 0.0]

    class Lazy(d.MultivariateNormal):
        def __init__(self, loc, covariance):
            self.loc, self.covariance = loc, covariance
            d.Distribution.__init__(self, (), loc.shape)

        @property
        def _unbroadcasted_scale_tril(self):
            return cg.linalg.cholesky(self.covariance)

    loc, covariance = cg.tensor([1.0, -1.0]), cg.tensor([[2.0, 0.5], [0.5, 1.0]])
    lazy, known = Lazy(loc, covariance), d.MultivariateNormal(loc, covariance)
    for name in ("entropy", "log_prob"):
        found, expected = (getattr(x, name)(*([cg.zeros(2)] if name == "log_prob" else [])).item() for x in (lazy, known))
        assert found == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(lazy.precision_matrix.tolist(), known.precision_matrix.tolist(), rtol=1e-5)
    assert lazy.rsample((3,)).shape == (3, 2)


def supported(lib):
    d, o, eye = lib.distributions, lib.ones(2), lib.eye(2)
    scalars = lib.tensor([-1.5, -1.0, 0.0, 0.5, 1.0, 2.0, float("nan")])
    rows = lib.tensor([[0.0, 1.0], [0.5, 0.5], [1.0, 1.0], [2.0, 0.0], [-1.0, 2.0]])
    one = [d.Normal(0.0, 1.0), d.Cauchy(0.0, 1.0), d.Laplace(0.0, 1.0), d.Gumbel(0.0, 1.0), d.HalfNormal(1.0), d.HalfCauchy(1.0), d.Uniform(-1.0, 1.0)]
    one += [d.Exponential(1.0), d.Bernoulli(0.5), d.Geometric(0.5), d.Categorical(o)]
    several = [d.OneHotCategorical(o), d.Multinomial(2, o), d.MultivariateNormal(o, eye), d.LowRankMultivariateNormal(o, eye, o), d.Independent(d.Normal(o, o), 1)]
    matrices = [d.Wishart(lib.tensor(3.0), eye), d.LKJCholesky(2, 1.0)]
    return [(type(x).__name__, x.support.event_dim, x.support.is_discrete, x.support.check(v).tolist()) for group, v in ((one, scalars), (several, rows), (matrices, lib.stack([eye, -eye]))) for x in group]


def test_supports_are_pytorchs():
    assert supported(cg) == supported(torch)
