"""L-BFGS: every step uses all samples, the parameters are one vector, the optimizer is SciPy's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from cygrad import nn
from cygrad._typing import Array
from cygrad.autograd import leaves
from cygrad.sklearn.samples import Samples
from cygrad.sklearn.training import Training, eager_calls
from cygrad.train.callbacks import Callback

__all__ = ["fit_lbfgs"]


def fit_lbfgs(training: Training, train: Samples, callbacks: Sequence[Callback]) -> int:
    """Minimizes the loss of all samples with the L2 penalty, and returns the number of iterations. D. C. Liu,
    J. Nocedal (1989), "On the limited memory BFGS method for large scale optimization"."""
    settings = training.settings
    objective = Objective(training, train)
    accepted = [objective.start()]

    def end_iteration(intermediate_result: Any) -> None:
        accepted.append(intermediate_result.x.copy())
        del accepted[0]
        training.end_iteration(float(intermediate_result.fun))
        if training.stopped:
            raise StopIteration

    for module in training.model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1.0  # a batch is all samples: its statistics are the running statistics
    limits = {"maxfun": settings.max_fun, "maxiter": settings.max_iter, "gtol": settings.tol}
    initial, status = len(training.history), 0
    with training.session(callbacks, settings.max_iter):
        try:
            status = minimize(
                objective, accepted[0], method="L-BFGS-B", jac=True, callback=end_iteration, options=limits
            ).status
        finally:
            loss, _ = objective(accepted[0])  # the last trial point may have been rejected
        if len(training.history) == initial:  # the starting point is a minimum
            training.end_iteration(loss)
    iterations = len(training.history) - initial
    if status == 1:
        warnings.warn(
            f"{training.name}: lbfgs reached max_iter or max_fun after {iterations} iterations, before it converged; "
            "scale the data, or raise max_iter or max_fun",
            ConvergenceWarning,
            stacklevel=6,
        )
    return iterations


class Objective:
    """The loss of all samples with the L2 penalty, and its gradient, as functions of one float64 vector that holds all
    parameters."""

    def __init__(self, training: Training, train: Samples) -> None:
        self.training = training
        self.batch = train.whole()
        settings = training.settings
        self.decay = settings.alpha / float(len(train) if train.weight is None else train.weight.sum())
        self.step = training.recorded_gradient
        self.step.cache.warmup_calls = eager_calls(settings.max_iter)
        ends = np.cumsum([0, *[p.numel() for p in training.params]]).tolist()
        self.spans = [slice(start, end) for start, end in pairwise(ends)]
        self.length = ends[-1]

    def start(self) -> Array:
        """The current parameters."""
        return self.concatenate(leaves.arrays_of(self.training.params))

    def __call__(self, vector: Array) -> tuple[float, Array]:
        params, weights, decay = self.training.params, self.training.weights, self.decay
        leaves.note_writes(params)
        for array, span in zip(leaves.arrays_of(params), self.spans):
            array[...] = vector[span].reshape(array.shape)
        loss, size = self.step(*self.batch, decay > 0)
        penalty = 0.0
        if size is not None:
            penalty = 0.5 * decay * size.item() ** 2
            for gradient, weight in zip(leaves.gradients_of(weights), leaves.arrays_of(weights)):
                gradient += decay * weight
        return loss.item() + penalty, self.concatenate(leaves.gradients_of(params))

    def concatenate(self, arrays: list[Array]) -> Array:
        """The elements of all arrays as one vector."""
        vector = np.empty(self.length)
        for array, span in zip(arrays, self.spans):
            vector[span] = array.ravel()
        return vector
