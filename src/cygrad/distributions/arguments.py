"""The constraints of the parameters of each distribution: ``Distribution.arg_constraints``, as PyTorch has them. Those
that depend on other parameters are properties of the classes."""

from __future__ import annotations

from typing import Any

from cygrad.distributions.constraints import (
    greater_than_eq,
    half_open_interval,
    independent,
    lower_cholesky,
    nonnegative,
    nonnegative_integer,
    positive,
    positive_definite,
    real,
    real_vector,
    simplex,
    unit_interval,
)

__all__ = ["ARGUMENTS", "COVARIANCE"]

LOCATION_SCALE = {"loc": real, "scale": positive}
ROW = {"probs": simplex, "logits": real_vector}  # of categories
PROBABILITY = {"probs": unit_interval, "logits": real}
TWO = {"concentration1": positive, "concentration0": positive}
COVARIANCE = {
    "covariance_matrix": positive_definite,
    "precision_matrix": positive_definite,
    "scale_tril": lower_cholesky,
}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "Bernoulli": PROBABILITY,
    "Beta": TWO,
    "Binomial": {"total_count": nonnegative_integer, **PROBABILITY},
    "Categorical": ROW,
    "Cauchy": LOCATION_SCALE,
    "Chi2": {"df": positive},
    "ContinuousBernoulli": PROBABILITY,
    "Dirichlet": {"concentration": independent(positive, 1)},
    "Exponential": {"rate": positive},
    "FisherSnedecor": {"df1": positive, "df2": positive},
    "Gamma": {"concentration": positive, "rate": positive},
    "GeneralizedPareto": {**LOCATION_SCALE, "concentration": real},
    "Geometric": PROBABILITY,
    "Gumbel": LOCATION_SCALE,
    "HalfCauchy": {"scale": positive},
    "HalfNormal": {"scale": positive},
    "InverseGamma": {"concentration": positive, "rate": positive},
    "Kumaraswamy": TWO,
    "LKJCholesky": {"concentration": positive},
    "Laplace": LOCATION_SCALE,
    "LogNormal": LOCATION_SCALE,
    "LogisticNormal": LOCATION_SCALE,
    "LowRankMultivariateNormal": {
        "loc": real_vector,
        "cov_factor": independent(real, 2),
        "cov_diag": independent(positive, 1),
    },
    "Multinomial": ROW,
    "MultivariateNormal": {"loc": real_vector, **COVARIANCE},
    "NegativeBinomial": {"total_count": greater_than_eq(0), "probs": half_open_interval(0.0, 1.0), "logits": real},
    "Normal": LOCATION_SCALE,
    "OneHotCategorical": ROW,
    "Pareto": {"alpha": positive, "scale": positive},
    "Poisson": {"rate": nonnegative},
    "RelaxedBernoulli": PROBABILITY,
    "RelaxedOneHotCategorical": ROW,
    "StudentT": {"df": positive, **LOCATION_SCALE},
    "VonMises": {"loc": real, "concentration": positive},
    "Weibull": {"scale": positive, "concentration": positive},
}
