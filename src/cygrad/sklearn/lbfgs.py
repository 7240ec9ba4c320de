"""L-BFGS: all samples in every step, the parameters as one vector, SciPy's optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from cygrad import nn
from cygrad._typing import Array
from cygrad.nn.utils import vector_to_parameters
from cygrad.sklearn.samples import Samples
from cygrad.sklearn.training import Training
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from cygrad.sklearn.base import BaseMLP

__all__ = ["fit_lbfgs"]


def fit_lbfgs(training: Training, train: Samples, options: BaseMLP) -> int:
    """Minimises the loss of all samples with the L2 penalty, and returns the number of iterations. D. C. Liu,
    J. Nocedal (1989), "On the limited memory BFGS method for large scale optimization"."""
    check_options(options)
    model, params = training.model, training.params
    batch = train.whole()
    total = float(len(train) if train.weight is None else train.weight.sum())
    decay = options.alpha / total

    def loss_and_gradient(vector: Array) -> tuple[float, Array]:
        vector_to_parameters(Tensor(vector.astype(params[0].dtype)), params)
        loss, size = training.recorded_gradient(*batch, decay > 0)
        gradients = [p.grad for p in params]
        if size is None:
            return loss.item(), flat(gradients)
        for weight in training.weights:
            if weight.grad is not None:
                weight.grad.array[...] += decay * weight.array
        return loss.item() + 0.5 * decay * size.item() ** 2, flat(gradients)

    accepted = [flat(params)]

    def end_iteration(intermediate_result: Any) -> None:
        accepted.append(intermediate_result.x.copy())
        del accepted[0]
        training.end_iteration(float(intermediate_result.fun))
        if training.stopped:
            raise StopIteration

    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1.0  # every batch is all samples: their statistics are the running ones
    limits = {"maxfun": options.max_fun, "maxiter": options.max_iter, "gtol": options.tol}
    begun, status = len(training.history), 0
    with training.session(options.callbacks or (), options.max_iter):
        try:
            status = minimize(
                loss_and_gradient, accepted[0], method="L-BFGS-B", jac=True, callback=end_iteration, options=limits
            ).status
        finally:
            loss, _ = loss_and_gradient(accepted[0])  # the last one tried may be another
        if len(training.history) == begun:  # nothing to gain from the start on
            training.end_iteration(loss)
    iterations = len(training.history) - begun
    if status == 1:
        warnings.warn(
            f"{training.name}: lbfgs stopped after {iterations} iterations, at a limit, before it converged; "
            "scale the data, or raise max_iter or max_fun",
            ConvergenceWarning,
            stacklevel=6,
        )
    return iterations


def check_options(options: BaseMLP) -> None:
    """Raises ValueError for options under which a loss has no one value, or no one gradient."""
    for name in ("dropout", "weight_decay", "clip"):
        if np.any(np.asarray(getattr(options, name) or 0, object) != 0):
            raise ValueError(
                f"{type(options).__name__}: solver='lbfgs' goes without {name}, got {getattr(options, name)!r}"
            )


def flat(tensors: Iterable[Any]) -> Array:
    """All numbers, one tensor behind the other, in float64."""
    return np.concatenate([tensor.array.ravel() for tensor in tensors]).astype(np.float64)
