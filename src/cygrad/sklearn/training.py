"""Training by batches: what an estimator's ``fit`` and ``partial_fit`` go on with."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import nn
from cygrad._typing import Array
from cygrad.compiler import CompiledFunction
from cygrad.sklearn.batches import Batch, Group, cut
from cygrad.sklearn.network import Loss, evaluating, linear_layers
from cygrad.sklearn.optimizer import new_optimizer, set_rate
from cygrad.sklearn.patience import Patience
from cygrad.sklearn.samples import Samples
from cygrad.sklearn.step import Step
from cygrad.sklearn.watched import Watched
from cygrad.tensor import Tensor
from cygrad.train.callbacks import Callback
from cygrad.train.clipping import kind_and_bound
from cygrad.train.early_stopping import copied
from cygrad.train.evaluation import NonFiniteError
from cygrad.train.history import History

if TYPE_CHECKING:
    from cygrad.sklearn.base import BaseMLP

__all__ = ["Score", "Training", "eager_calls"]

EAGER_STEPS = 10  # to record one takes as long as it saves in as many
Score = Callable[[Tensor, Samples], float]


class Training(Watched):
    """A network and everything that its training goes on with: the optimizer, the random numbers, the history, and
    with early stopping the weights of the best epoch and the latest.

    Callbacks are given it as their trainer; it has what ``cygrad.train.Callback`` lists.
    """

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
        self.held: Samples | None = None
        self.held_keys: Counter[bytes] = Counter()
        self._latest: dict[str, Array] | None = None

    def adopt(self, options: BaseMLP) -> None:
        """Takes over the estimator's options, as far as they may change on the way."""
        self.name = type(options).__name__
        names = [name for name in options._parameter_constraints if name != "callbacks"]
        self.settings = {name: getattr(options, name) for name in names}  # for trackers
        self.options = {
            name: getattr(options, name)
            for name in (
                "alpha", "batch_size", "shuffle", "weight_decay", "learning_rate_init", "power_t", "early_stopping",
                "norm", "verbose",
            )
        }  # fmt: skip
        self.clip = (None, math.inf) if options.clip is None else kind_and_bound(options.clip)

    def begin(self, options: BaseMLP) -> None:
        """A new optimizer and new patience."""
        self.optimizer = new_optimizer(options, self.weights, self.params)
        self._step = Step(self.model, self.loss, self.optimizer, self.weights)
        self.recorded_step = CompiledFunction(self._step, quiet=True, warmup_calls=EAGER_STEPS)
        self.recorded_gradient = CompiledFunction(self._step.gradient, quiet=True, warmup_calls=EAGER_STEPS)
        self.schedule = options.learning_rate if options.solver == "sgd" else "constant"
        self.patience = Patience(options.tol, options.n_iter_no_change)
        self.order: Array | None = None
        self.best: dict[str, Array] | None = None
        self._latest = None
        self.stopped = False

    # Epochs

    def run(self, train: Samples, held: Samples | None, epochs: int, callbacks: Sequence[Callback]) -> int:
        """Trains for `epochs` epochs, or until patience or a callback ends it, and returns how many there were. With
        early stopping the network then has the weights of the best epoch, and the next run goes on with the latest.
        """
        groups = cut(train, *self._batch_sizes(len(train)))
        self.steps_per_epoch = sum([group.count for group in groups])
        if self._latest is not None:
            self.model.load_state_dict(self._latest)
        begun = len(self.history)
        with self.session(callbacks, epochs):
            while len(self.history) < self.epochs and not self.stopped:
                self._run_epoch(train, held, groups)
        return len(self.history) - begun

    def _batch_sizes(self, n: int) -> tuple[int, int]:
        """The size of batches of n samples, and the smallest that one may have."""
        size = min(200, n) if self.options["batch_size"] == "auto" else self.options["batch_size"]
        if size > n:
            warnings.warn(f"{self.name}: batch_size is {size}, but there are {n} samples to train on", stacklevel=7)
            size = n
        # Batch norm has no variance of a single row.
        least = 2 if self.options["norm"] == "batch" else 0
        if n < least:
            raise ValueError(f"{self.name}: norm='batch' needs two samples or more to train on, got n_samples={n}")
        return max(size, least), least

    def _run_epoch(self, train: Samples, held: Samples | None, groups: list[Group]) -> None:
        self.epoch = len(self.history) + 1
        self.notify("on_epoch_begin")
        order = self._shuffled(len(train)) if self.options["shuffle"] else np.arange(len(train))
        mean_weight = 1.0 if train.weight is None else float(train.weight.mean())
        weights = self.optimizer.param_groups[0]
        total, rate = 0.0, weights["lr"]
        for group in groups:
            weights["weight_decay"] = penalty = self.options["alpha"] / (group.size * mean_weight)
            for loss, size in self._learn(group, order, rate):
                total += 0.5 * group.size * penalty * size**2
                total += group.size * loss
        self.samples += len(train)
        record = {"epoch": self.epoch, "loss": total / len(train), "lr": rate}
        if held is not None:
            record |= self._validate(held)
        self._end_epoch(record)

    def _shuffled(self, n: int) -> Array:
        """0..n − 1 in random order, drawn as scikit-learn does: the order of the epoch before, permuted."""
        if self.order is None or len(self.order) != n:
            self.order = np.arange(n)
        permutation = np.arange(n)
        self.random.shuffle(permutation)
        self.order = self.order[permutation]
        return self.order

    # Steps

    def _learn(self, group: Group, order: Array, rate: float) -> Iterable[tuple[float, float]]:
        """Updates the weights once for each batch of a group in an epoch's order, and returns of each the loss before,
        without the penalty, and ‖W‖ before, or 0 where that is not penalised.

        Several batches are one call, unless a callback is to be called between, or rows have to be made dense.
        """
        self.recorded_step.cache.warmup_calls = eager_calls(group.count * self._epochs_to_come())
        between = self.watches("on_batch_end") or self.watches("on_backward_end")
        if group.count == 1 or between or group.samples.sparse:
            return [self._learn_batch(*batch, rate) for batch in group.in_turn(order)]
        losses, sizes, _ = group.at_once(self.recorded_step, order, *self._how(False))
        self.step += group.count
        for number, loss in enumerate(losses.tolist(), group.first):
            self._demand_finite(loss, number)
        return zip(losses.tolist(), repeat(0.0) if sizes is None else sizes.tolist())

    def _learn_batch(self, number: int, batch: Batch, rate: float) -> tuple[float, float]:
        """One update of the weights by batch `number` of an epoch, of which callbacks hear."""
        penalised, *update = self._how(self.watches("on_batch_end"))
        if self.watches("on_backward_end"):
            loss, size = self.recorded_gradient(*batch, penalised)
            self.notify("on_backward_end")
            norm = self._step.update(*update)
        else:
            loss, size, norm = self.recorded_step(*batch, penalised, *update)
        value = loss.item()
        self._demand_finite(value, number)
        self.step += 1
        if norm is not None:
            self.notify("on_batch_end", {"loss": value, "grad_norm": norm.item(), "lr": rate})
        return value, 0.0 if size is None else size.item()

    def _epochs_to_come(self) -> float:
        """How many more there will be, more or less."""
        left = self.epochs - len(self.history)
        return min(left, self.patience.epochs + 2) if self.options["early_stopping"] else left

    def _how(self, measured: bool) -> tuple[Any, ...]:
        """The options of a step, behind its batch; `measured` asks for the norm of the gradient."""
        return self.options["alpha"] > 0, *self.clip, self.options["weight_decay"], measured

    def _demand_finite(self, loss: float, number: int) -> None:
        if not math.isfinite(loss):
            raise NonFiniteError(
                f"{self.name}: the loss of epoch {self.epoch}, batch {number}, is {loss}; scale the data, or "
                f"lower learning_rate_init, now {self.options['learning_rate_init']}"
            )

    # What follows from an epoch

    def _validate(self, held: Samples) -> dict[str, float]:
        """The loss and the score of samples that the network does not learn from."""
        x, y, weight = held.whole()
        with evaluating(self.model):
            scores = self.model(x)
            loss = self.loss(scores, y, weight).item()
        return {"val_loss": loss, f"val_{self.metric}": self.score(scores, held)}

    def _end_epoch(self, record: dict[str, float]) -> None:
        """Notes a record, and stops or lowers the rate where it says so."""
        early = self.options["early_stopping"]
        self._keep_record(record)
        if self.patience.step(record[f"val_{self.metric}"] if early else -record["loss"]) and early:
            self.best = copied(self.model)
        if self.schedule == "invscaling":
            rate = self.options["learning_rate_init"] / (self.samples + 1) ** self.options["power_t"]
            set_rate(self.optimizer, rate)
        if self.patience.exhausted:
            self._lose_patience(record["lr"])
        self._tell_record(record)

    def end_iteration(self, loss: float) -> None:
        """Notes an iteration of a solver that has no batches."""
        self.epoch = len(self.history) + 1
        record = {"epoch": self.epoch, "loss": loss}
        self._keep_record(record)
        self._tell_record(record)

    def _keep_record(self, record: dict[str, float]) -> None:
        self.history.records.append(record)
        if self.options["verbose"]:
            numbers = ", ".join(f"{name} = {record[name]:.8f}" for name in record if name not in ("epoch", "lr"))
            print(f"Iteration {self.epoch}, {numbers}")

    def _tell_record(self, record: dict[str, float]) -> None:
        self.notify("on_epoch_end", dict(record))
        self.history.stopped = self.stopped

    def _lose_patience(self, rate: float) -> None:
        """Stops, or with the adaptive schedule goes on with a fifth of the rate."""
        if self.schedule != "adaptive" or rate <= 1e-6:
            self.stopped = True
            return
        set_rate(self.optimizer, rate / 5)
        self.patience.waited = 0

    def end(self) -> None:
        """Gives the network the weights of the best epoch, and keeps the latest."""
        if self.best is not None:
            self._latest = copied(self.model)
            self.model.load_state_dict(self.best)

    # Failures

    def snapshot(self) -> tuple[dict[str, Array], dict[str, Any], float]:
        """What an error must not change: weights, attributes, the learning rate."""
        attributes = {**vars(self), "history": History(self.history.records[:]), "patience": copy(self.patience)}
        return copied(self.model), attributes, self.optimizer.param_groups[0]["lr"]

    def restore(self, state: tuple[dict[str, Array], dict[str, Any], float]) -> None:
        """Goes back to a snapshot; the optimizer forgets its moments, which may have gone wrong."""
        weights, attributes, rate = state
        vars(self).update(attributes)
        self.model.load_state_dict(weights)
        self.optimizer.state.clear()
        set_rate(self.optimizer, rate)


def eager_calls(planned: float) -> int:
    """How many steps run eagerly before one is recorded: what will run often is recorded at once."""
    return 1 if planned > EAGER_STEPS else EAGER_STEPS
