"""L-BFGS: all samples in every step, the parameters as one vector, SciPy's optimizer."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from cygrad import nn
from cygrad._typing import Array
from cygrad.autograd import leaves
from cygrad.sklearn.samples import Samples
from cygrad.sklearn.training import Training, eager_calls

if TYPE_CHECKING:
    from cygrad.sklearn.base import BaseMLP

__all__ = ["fit_lbfgs"]


def fit_lbfgs(training: Training, train: Samples, options: BaseMLP) -> int:
    """Minimises the loss of all samples with the L2 penalty, and returns the number of iterations. D. C. Liu,
    J. Nocedal (1989), "On the limited memory BFGS method for large scale optimization"."""
    check_options(options)
    objective = Objective(training, train, options)
    accepted = [objective.start()]

    def end_iteration(intermediate_result: Any) -> None:
        accepted.append(intermediate_result.x.copy())
        del accepted[0]
        training.end_iteration(float(intermediate_result.fun))
        if training.stopped:
            raise StopIteration

    for module in training.model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1.0  # every batch is all samples: their statistics are the running ones
    limits = {"maxfun": options.max_fun, "maxiter": options.max_iter, "gtol": options.tol}
    begun, status = len(training.history), 0
    with training.session(options.callbacks or (), options.max_iter):
        try:
            status = minimize(
                objective, accepted[0], method="L-BFGS-B", jac=True, callback=end_iteration, options=limits
            ).status
        finally:
            loss, _ = objective(accepted[0])  # the last one tried may be another
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


class Objective:
    """The loss of all samples with the L2 penalty, and its gradient, as functions of one vector in float64: all
    parameters, one behind the other."""

    def __init__(self, training: Training, train: Samples, options: BaseMLP) -> None:
        self.training = training
        self.batch = train.whole()
        self.decay = options.alpha / float(len(train) if train.weight is None else train.weight.sum())
        self.step = training.recorded_gradient
        self.step.cache.warmup_calls = eager_calls(options.max_iter)
        ends = np.cumsum([0, *[p.numel() for p in training.params]]).tolist()
        self.places = [slice(begin, end) for begin, end in pairwise(ends)]
        self.count = ends[-1]

    def start(self) -> Array:
        """The parameters as they are."""
        return self.gathered(leaves.arrays_of(self.training.params))

    def __call__(self, vector: Array) -> tuple[float, Array]:
        params, weights, decay = self.training.params, self.training.weights, self.decay
        leaves.note_writes(params)
        for array, place in zip(leaves.arrays_of(params), self.places):
            array[...] = vector[place].reshape(array.shape)
        loss, size = self.step(*self.batch, decay > 0)
        penalty = 0.0
        if size is not None:
            penalty = 0.5 * decay * size.item() ** 2
            for gradient, weight in zip(leaves.gradients_of(weights), leaves.arrays_of(weights)):
                gradient += decay * weight
        return loss.item() + penalty, self.gathered(leaves.gradients_of(params))

    def gathered(self, arrays: list[Array]) -> Array:
        """All numbers, one array behind the other."""
        vector = np.empty(self.count)
        for array, place in zip(arrays, self.places):
            vector[place] = array.ravel()
        return vector


def check_options(options: BaseMLP) -> None:
    """Raises ValueError for options under which a loss has no one value, or no one gradient."""
    for name in ("dropout", "weight_decay", "clip"):
        if np.any(np.asarray(getattr(options, name) or 0, object) != 0):
            raise ValueError(
                f"{type(options).__name__}: solver='lbfgs' goes without {name}, got {getattr(options, name)!r}"
            )
