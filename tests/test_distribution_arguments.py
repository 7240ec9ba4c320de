"""Which parameters and values distributions accept: as in PyTorch, with its constraints and its errors."""

from __future__ import annotations

import math

import pytest

import cygrad as cg

torch = pytest.importorskip("torch")

MATRIX = [[2.0, 0.5], [0.5, 1.0]]
ROOT = [[1.0, 0.0], [0.5, 1.0]]
MAKE = {  # a distribution of each class, from a library's tensors
    "Bernoulli": lambda d, t: d.Bernoulli(t([0.3, 0.6])),
    "Beta": lambda d, t: d.Beta(t([1.0, 2.0]), t([2.0, 3.0])),
    "Binomial": lambda d, t: d.Binomial(5, t([0.3, 0.6])),
    "Categorical": lambda d, t: d.Categorical(t([0.3, 0.7])),
    "Cauchy": lambda d, t: d.Cauchy(t([0.0, 1.0]), t([1.0, 2.0])),
    "Chi2": lambda d, t: d.Chi2(t([1.0, 2.0])),
    "ContinuousBernoulli": lambda d, t: d.ContinuousBernoulli(t([0.3, 0.6])),
    "Dirichlet": lambda d, t: d.Dirichlet(t([1.0, 2.0])),
    "Exponential": lambda d, t: d.Exponential(t([1.0, 2.0])),
    "FisherSnedecor": lambda d, t: d.FisherSnedecor(t([1.0, 2.0]), t([3.0, 4.0])),
    "Gamma": lambda d, t: d.Gamma(t([1.0, 2.0]), t([3.0, 4.0])),
    "GeneralizedPareto": lambda d, t: d.GeneralizedPareto(t([0.0, 0.0]), t([1.0, 2.0]), t([0.5, 0.5])),
    "Geometric": lambda d, t: d.Geometric(t([0.3, 0.6])),
    "Gumbel": lambda d, t: d.Gumbel(t([0.0, 1.0]), t([1.0, 2.0])),
    "HalfCauchy": lambda d, t: d.HalfCauchy(t([1.0, 2.0])),
    "HalfNormal": lambda d, t: d.HalfNormal(t([1.0, 2.0])),
    "Independent": lambda d, t: d.Independent(d.Normal(t([0.0, 1.0]), t([1.0, 2.0])), 1),
    "InverseGamma": lambda d, t: d.InverseGamma(t([1.0, 2.0]), t([3.0, 4.0])),
    "Kumaraswamy": lambda d, t: d.Kumaraswamy(t([1.0, 2.0]), t([3.0, 4.0])),
    "Laplace": lambda d, t: d.Laplace(t([0.0, 1.0]), t([1.0, 2.0])),
    "LogNormal": lambda d, t: d.LogNormal(t([0.0, 1.0]), t([1.0, 2.0])),
    "LogisticNormal": lambda d, t: d.LogisticNormal(t([0.0]), t([1.0])),
    "LowRankMultivariateNormal": lambda d, t: d.LowRankMultivariateNormal(t([0.0, 1.0]), t([[1.0], [1.0]]), t([1.0, 2.0])),
    "MixtureSameFamily": lambda d, t: d.MixtureSameFamily(
        d.Categorical(t([0.3, 0.7])), d.Normal(t([0.0, 1.0]), t([1.0, 2.0]))
    ),
    "MultivariateNormal": lambda d, t: d.MultivariateNormal(t([0.0, 1.0]), t(MATRIX)),
    "NegativeBinomial": lambda d, t: d.NegativeBinomial(5, t([0.3, 0.6])),
    "Normal": lambda d, t: d.Normal(t([0.0, 1.0]), t([1.0, 2.0])),
    "OneHotCategorical": lambda d, t: d.OneHotCategorical(t([0.3, 0.7])),
    "Pareto": lambda d, t: d.Pareto(t([1.0, 1.0]), t([1.0, 2.0])),
    "Poisson": lambda d, t: d.Poisson(t([1.0, 2.0])),
    "RelaxedBernoulli": lambda d, t: d.RelaxedBernoulli(t([0.5]), t([0.3, 0.6])),
    "RelaxedOneHotCategorical": lambda d, t: d.RelaxedOneHotCategorical(t([0.5]), t([0.3, 0.7])),
    "StudentT": lambda d, t: d.StudentT(t([3.0, 4.0])),
    "Uniform": lambda d, t: d.Uniform(t([0.0, 0.0]), t([1.0, 2.0])),
    "VonMises": lambda d, t: d.VonMises(t([0.0, 1.0]), t([1.0, 2.0])),
    "Weibull": lambda d, t: d.Weibull(t([1.0, 2.0]), t([1.0, 2.0])),
    "Wishart": lambda d, t: d.Wishart(t(3.0), t(MATRIX)),
    "LKJCholesky": lambda d, t: d.LKJCholesky(2, t(1.0)),
    "Multinomial": lambda d, t: d.Multinomial(3, t([0.3, 0.7])),
}
NUMBERS = (-math.inf, -3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 1.5, 2.0, 7.0, math.inf, math.nan)
EVENTS = {
    0: [[x, 0.5] for x in NUMBERS] + [[x, 1.0] for x in NUMBERS] + [[0.0, x] for x in NUMBERS],
    1: [[0.3, 0.7], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [0.5, 0.25], [-0.5, 1.5], [math.nan, 1.0], [math.inf, 0.0], [3.0, 0.0]],
    2: [MATRIX, ROOT, [[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]], [[math.nan, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]],
}


def verdicts(lib, name):
    """For each value, whether log_prob accepts it."""
    with torch.no_grad():
        distribution = MAKE[name](lib.distributions, lib.tensor)
        for value in EVENTS[len(distribution.event_shape)]:
            try:
                distribution.log_prob(lib.tensor(value))
                yield value, True
            except ValueError:
                yield value, False


@pytest.mark.parametrize("name", MAKE)
def test_values_outside_of_the_support_are_refused_as_by_pytorch(name):
    assert repr(list(verdicts(cg, name))) == repr(list(verdicts(torch, name)))


@pytest.mark.parametrize("name", MAKE)
def test_constraints_of_parameters_are_pytorchs(name):
    ours, theirs = (MAKE[name](lib.distributions, lib.tensor).arg_constraints for lib in (cg, torch))
    assert list(ours) == list(theirs)
    for key, constraint in theirs.items():
        dependent = torch.distributions.constraints.is_dependent(constraint)
        assert cg.distributions.constraints.is_dependent(ours[key]) == dependent
        if not dependent:
            dims = constraint.event_dim
            assert (ours[key].event_dim, ours[key].is_discrete) == (dims, constraint.is_discrete)
            for value in EVENTS[dims]:
                x, y = cg.tensor(value), torch.tensor(value)
                assert ours[key].check(x).tolist() == constraint.check(y).tolist(), (key, value)


def test_the_default_decides_where_nothing_is_said():
    distributions = cg.distributions
    nan = cg.tensor(math.nan)
    try:
        distributions.Distribution.set_default_validate_args(False)
        assert math.isnan(distributions.Normal(0.0, 1.0).log_prob(nan).item())
        assert distributions.Normal(0.0, -1.0).scale.item() == -1
        with pytest.raises(ValueError, match="Normal: value must be a number"):
            distributions.Normal(0.0, 1.0, validate_args=True).log_prob(nan)
    finally:
        distributions.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="Normal: value must be a number"):
        distributions.Normal(0.0, 1.0).log_prob(nan)
    assert math.isnan(distributions.Normal(0.0, 1.0, validate_args=False).log_prob(nan).item())


def test_a_recorded_step_checks_values():
    loc = cg.nn.Parameter(cg.zeros(2))
    optimizer = cg.optim.SGD([loc], lr=0.1)

    @cg.compile
    def step(x):
        optimizer.zero_grad()
        loss = -cg.distributions.Normal(loc, 1.0).log_prob(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        step(cg.ones(2))
    with pytest.raises(ValueError, match="Normal: value must be a number"):
        step(cg.tensor([1.0, math.nan]))
