"""Exponential families. As ``torch.distributions.exp_family``."""

from __future__ import annotations

from typing import Any

from cygrad import autograd
from cygrad.distributions.distribution import Distribution
from cygrad.tensor import Tensor

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """The base class of distributions with densities p(x) = exp(t(x)·θ − F(θ) + k(x)). As
    ``torch.distributions.ExponentialFamily``.

    A subclass that defines the natural parameters θ, F and the mean of k has an entropy: F(θ) − θ·∇F(θ) − E[k(x)],
    since ∇F(θ) is the mean of t(x). F. Nielsen, R. Nock (2010), "Entropies and cross-entropies of exponential
    families".
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        """θ, one tensor or several."""
        raise NotImplementedError(f"{type(self).__name__}: _natural_params is not defined")

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        """F(θ), of the batch's shape."""
        raise NotImplementedError(f"{type(self).__name__}: _log_normalizer is not defined")

    @property
    def _mean_carrier_measure(self) -> Any:
        """E[k(x)]"""
        raise NotImplementedError(f"{type(self).__name__}: _mean_carrier_measure is not defined")

    def entropy(self) -> Tensor:
        """Return the entropy, of the batch's shape."""
        with autograd.enable_grad():
            natural = [p.detach().requires_grad_() if not p.requires_grad else p.clone() for p in self._natural_params]
            normalizer = self._log_normalizer(*natural)
            means = autograd.grad(normalizer.sum(), natural, create_graph=True)
        products = [(p * m).reshape((*self.batch_shape, -1)).sum(-1) for p, m in zip(natural, means)]
        result: Tensor = normalizer - sum(products) - self._mean_carrier_measure
        return result if any(p.requires_grad for p in self._natural_params) else result.detach()
