"""Training by batches: the state that an estimator keeps between calls of ``fit`` and ``partial_fit``."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from itertools import repeat
from typing import Any

import numpy as np

from cygrad import nn
from cygrad._typing import Array
from cygrad.compiler import CompiledFunction
from cygrad.sklearn.batches import BatchGroup, cut
from cygrad.sklearn.callback_host import CallbackHost
from cygrad.sklearn.network import Loss, evaluate, linear_layers
from cygrad.sklearn.optimizer import new_optimizer, set_learning_rate
from cygrad.sklearn.patience import Patience
from cygrad.sklearn.samples import Batch, Samples
from cygrad.sklearn.settings import Settings
from cygrad.sklearn.step import MLPStep
from cygrad.tensor import Tensor
from cygrad.train.callbacks import Callback
from cygrad.train.early_stopping import copied
from cygrad.train.evaluation import NonFiniteError
from cygrad.train.history import History
from cygrad.train.output import say

__all__ = ["Score", "Training", "eager_calls"]

EAGER_STEPS = 10  # recording a step takes as long as its program saves in this many calls
Score = Callable[[Tensor, Samples], float]


class Training(CallbackHost):
    """A network and the state of its training: optimizer, random state, history, the validation set that was held out,
    and with early stopping the best and the latest weights.

    Callbacks receive it as their trainer; it has the attributes listed at ``cygrad.train.Callback``.
    """

    settings: Settings

    def __init__(
        self, model: nn.Sequential, loss: Loss, score: Score, metric: str, random: np.random.RandomState
    ) -> None:
        self.model = model
        self.loss = loss
        self.score = score
        self.metric = metric
        self.random = random
        self.weights: list[Tensor] = [layer.weight for layer in linear_layers(model)]
        self.params: list[Tensor] = list(model.parameters())
        self.history = History()
        self.samples = 0
        self.step = self.epoch = self.epochs = 0
        self.steps_per_epoch: int | None = None
        self.validation: Samples | None = None
        self.validation_keys: Counter[bytes] = Counter()
        self._latest: dict[str, Array] | None = None

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """The estimator's parameters, for trackers."""
        return self.settings.parameters

    def configure(self, settings: Settings) -> None:
        """Uses new settings from the next epoch on. The optimizer, the schedule and patience stay until ``restart``."""
        self.settings = settings
        self.name = settings.estimator

    def restart(self) -> None:
        """Begins anew with the current weights: new optimizer, schedule and patience."""
        settings = self.settings
        self.optimizer = new_optimizer(settings, self.weights, self.params)
        self._step = MLPStep(self.model, self.loss, self.optimizer, self.weights)
        self.recorded_step = CompiledFunction(self._step, quiet=True, warmup_calls=EAGER_STEPS)
        self.recorded_gradient = CompiledFunction(self._step.gradient, quiet=True, warmup_calls=EAGER_STEPS)
        self.schedule = settings.schedule
        self.patience = Patience(settings.tol, settings.n_iter_no_change)
        self.order: Array | None = None
        self.best: dict[str, Array] | None = None
        self._latest = None
        self.stopped = False

    # Epochs

    def run(self, train: Samples, validation: Samples | None, epochs: int, callbacks: Sequence[Callback]) -> int:
        """Trains for `epochs` epochs, or until patience or a callback stops it, and returns the number of epochs. With
        early stopping the network then has the weights of the best epoch, and the next run continues from the latest.
        """
        groups = cut(train, *self._batch_sizes(len(train)))
        self.steps_per_epoch = sum([group.count for group in groups])
        if self._latest is not None:
            self.model.load_state_dict(self._latest)
        before = len(self.history)
        with self.session(callbacks, epochs):
            while len(self.history) < self.epochs and not self.stopped:
                self._run_epoch(train, validation, groups)
        return len(self.history) - before

    def _batch_sizes(self, n: int) -> tuple[int, int]:
        """The batch size for n samples, and the smallest size of the last batch."""
        size = self.settings.batch_size or min(200, n)
        if size > n:
            warnings.warn(
                f"{self.name}: batch_size={size} is larger than the training set of {n} samples", stacklevel=7
            )
            size = n
        minimum = 2 if self.settings.norm == "batch" else 0  # a single row has no variance
        if n < minimum:
            raise ValueError(f"{self.name}: norm='batch' needs at least two samples for training, got n_samples={n}")
        return max(size, minimum), minimum

    def _run_epoch(self, train: Samples, validation: Samples | None, groups: list[BatchGroup]) -> None:
        settings = self.settings
        self.epoch = len(self.history) + 1
        self.notify("on_epoch_begin")
        order = self._shuffled(len(train)) if settings.shuffle else np.arange(len(train))
        mean_weight = 1.0 if train.weight is None else float(train.weight.mean())
        weights = self.optimizer.param_groups[0]
        total, rate = 0.0, weights["lr"]
        for group in groups:
            weights["weight_decay"] = penalty = settings.alpha / (group.size * mean_weight)
            for loss, size in self._learn(group, order, rate):
                total += 0.5 * group.size * penalty * size**2
                total += group.size * loss
        self.samples += len(train)
        record = {"epoch": self.epoch, "loss": total / len(train), "lr": rate}
        if validation is not None:
            record |= self._validate(validation)
        self._end_epoch(record)

    def _shuffled(self, n: int) -> Array:
        """0..n − 1 in random order, drawn as scikit-learn does: a permutation of the previous epoch's order."""
        if self.order is None or len(self.order) != n:
            self.order = np.arange(n)
        permutation = np.arange(n)
        self.random.shuffle(permutation)
        self.order = self.order[permutation]
        return self.order

    # Steps

    def _learn(self, group: BatchGroup, order: Array, rate: float) -> Iterable[tuple[float, float]]:
        """Updates the weights by each batch of a group. Returns for each the loss before the update, without the
        penalty, and ‖W‖ before the update, or 0 without a penalty.

        All batches run in one call unless a callback is called between them or rows have to be made dense.
        """
        self.recorded_step.cache.warmup_calls = eager_calls(group.count * self._remaining_epochs())
        interrupted = self.has_listener("on_batch_end") or self.has_listener("on_backward_end")
        if group.count == 1 or interrupted or group.samples.sparse:
            return [self._learn_batch(*batch, rate) for batch in group.one_by_one(order)]
        losses, sizes, _ = group.at_once(self.recorded_step, order, *self._step_options(False))
        self.step += group.count
        for index, loss in enumerate(losses.tolist(), group.first):
            self._require_finite(loss, index)
        return zip(losses.tolist(), repeat(0.0) if sizes is None else sizes.tolist())

    def _learn_batch(self, index: int, batch: Batch, rate: float) -> tuple[float, float]:
        """One update of the weights, by batch `index` of an epoch, with its callbacks."""
        penalized, *update = self._step_options(self.has_listener("on_batch_end"))
        if self.has_listener("on_backward_end"):
            loss, size = self.recorded_gradient(*batch, penalized)
            self.notify("on_backward_end")
            norm = self._step.update(*update)
        else:
            loss, size, norm = self.recorded_step(*batch, penalized, *update)
        value = loss.item()
        self._require_finite(value, index)
        self.step += 1
        if norm is not None:
            self.notify("on_batch_end", {"loss": value, "grad_norm": norm.item(), "lr": rate})
        return value, 0.0 if size is None else size.item()

    def _remaining_epochs(self) -> float:
        """An estimate of the number of epochs to come."""
        remaining = self.epochs - len(self.history)
        return min(remaining, self.patience.epochs + 2) if self.settings.early_stopping else remaining

    def _step_options(self, measured: bool) -> tuple[Any, ...]:
        """The arguments of a step after its batch; `measured` asks for the norm of the gradient."""
        settings = self.settings
        return settings.alpha > 0, *(settings.clip or (None, math.inf)), settings.weight_decay, measured

    def _require_finite(self, loss: float, index: int) -> None:
        if not math.isfinite(loss):
            raise NonFiniteError(
                f"{self.name}: the loss of epoch {self.epoch}, batch {index}, is {loss}; scale the data, or "
                f"lower learning_rate_init, now {self.settings.learning_rate_init}"
            )

    def require_finite_weights(self) -> None:
        """Raises ValueError if a parameter is not finite."""
        if not all([np.isfinite(p.array).all() for p in self.params]):
            raise ValueError(
                f"{self.name}: the weights are no longer finite after {len(self.history)} epochs; scale the data, or "
                f"lower learning_rate_init, now {self.settings.learning_rate_init}"
            )

    # The end of an epoch

    def _validate(self, validation: Samples) -> dict[str, float]:
        """Loss and score of the validation set."""
        x, y, weight = validation.whole()

        def evaluated() -> tuple[Tensor, Any]:
            scores = self.model(x)
            return scores, self.loss(scores, y, weight).item()

        scores, loss = evaluate(self.model, evaluated)
        return {"val_loss": loss, f"val_{self.metric}": self.score(scores, validation)}

    def _end_epoch(self, record: dict[str, float]) -> None:
        """Logs an epoch, then stops or lowers the learning rate if it is time to."""
        settings, early = self.settings, self.settings.early_stopping
        self._append(record)
        if self.patience.step(record[f"val_{self.metric}"] if early else -record["loss"]) and early:
            self.best = copied(self.model)
        if self.schedule == "invscaling":
            rate = settings.learning_rate_init / (self.samples + 1) ** settings.power_t
            set_learning_rate(self.optimizer, rate)
        if self.patience.exhausted:
            self._run_out_of_patience(record["lr"])
        self._report(record)

    def end_iteration(self, loss: float) -> None:
        """Logs an iteration of a solver without batches."""
        self.epoch = len(self.history) + 1
        record = {"epoch": self.epoch, "loss": loss}
        self._append(record)
        self._report(record)

    def _append(self, record: dict[str, float]) -> None:
        self.history.records.append(record)
        if self.settings.verbose:
            values = ", ".join(f"{name} = {record[name]:.8f}" for name in record if name not in ("epoch", "lr"))
            say(f"Iteration {self.epoch}, {values}")

    def _report(self, record: dict[str, float]) -> None:
        self.notify("on_epoch_end", dict(record))
        self.history.stopped = self.stopped

    def _run_out_of_patience(self, rate: float) -> None:
        """Stops, or with the adaptive schedule continues with a fifth of the learning rate."""
        if self.schedule != "adaptive" or rate <= 1e-6:
            self.stopped = True
            return
        set_learning_rate(self.optimizer, rate / 5)
        self.patience.waited = 0

    def finish(self) -> None:
        """Restores the weights of the best epoch, and saves the latest for the next run."""
        if self.best is not None:
            self._latest = copied(self.model)
            self.model.load_state_dict(self.best)

    # Errors

    def snapshot(self) -> tuple[dict[str, Array], dict[str, Any], float]:
        """The state that an error must not change: weights, attributes and learning rate."""
        attributes = {**vars(self), "history": History(self.history.records[:]), "patience": copy(self.patience)}
        return copied(self.model), attributes, self.optimizer.param_groups[0]["lr"]

    def restore(self, state: tuple[dict[str, Array], dict[str, Any], float]) -> None:
        """Returns to a snapshot. The optimizer's moments, which the error may have spoiled, are discarded."""
        weights, attributes, rate = state
        vars(self).update(attributes)
        self.model.load_state_dict(weights)
        self.optimizer.state.clear()
        set_learning_rate(self.optimizer, rate)


def eager_calls(planned: float) -> int:
    """The number of eager calls of a step before it is recorded: one if it will be called often."""
    return 1 if planned > EAGER_STEPS else EAGER_STEPS
