"""Training by batches: what an estimator's ``fit`` and ``partial_fit`` go on with."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import gen_batches

from cygrad import nn, optim
from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.compiler import CompiledFunction
from cygrad.optim.optimizer import Optimizer
from cygrad.sklearn.network import Loss, linear_layers
from cygrad.sklearn.samples import Samples
from cygrad.sklearn.step import Step
from cygrad.tensor import Tensor
from cygrad.train.callbacks import Callback, CallbackError, listens
from cygrad.train.clipping import kind_and_bound
from cygrad.train.early_stopping import copied
from cygrad.train.evaluation import NonFiniteError
from cygrad.train.history import History

if TYPE_CHECKING:
    from cygrad.sklearn.base import BaseMLP

__all__ = ["Patience", "Training"]

EAGER_STEPS = 16  # to record one takes as long as it saves in some 30
Score = Callable[[Tensor, Samples], float]


class Patience:
    """scikit-learn's criterion to stop: more than `epochs` epochs in a row in which the score was not higher than the
    best before by `tol` or more. NaN is never higher."""

    def __init__(self, tol: float, epochs: float) -> None:
        self.tol = tol
        self.epochs = epochs
        self.best = -math.inf
        self.waited = 0

    def step(self, score: float) -> bool:
        """Takes the score of one more epoch; whether it is the best so far."""
        self.waited = 0 if score >= self.best + self.tol else self.waited + 1
        improved = score > self.best
        if improved:
            self.best = score
        return improved

    @property
    def exhausted(self) -> bool:
        """Whether to stop."""
        return self.waited > self.epochs


class Training:
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
        self.recorded_step = recorded(self._step)
        self.recorded_gradient = recorded(self._step.gradient)
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
        batches = self._batches(len(train))
        self.steps_per_epoch = len(batches)
        if self._latest is not None:
            self.model.load_state_dict(self._latest)
        begun = len(self.history)
        with self.session(callbacks, epochs):
            while len(self.history) < self.epochs and not self.stopped:
                self._run_epoch(train, held, batches)
        return len(self.history) - begun

    @contextmanager
    def session(self, callbacks: Sequence[Callback], epochs: int) -> Iterator[None]:
        """A block in which the network is trained and callbacks are called. Ctrl-C ends it without an error."""
        self.callbacks = [checked(callback, self.name) for callback in callbacks]
        self._watches_batches = any(listens(callback, "on_batch_end") for callback in self.callbacks)
        self._watches_gradients = any(listens(callback, "on_backward_end") for callback in self.callbacks)
        self.epochs = len(self.history) + epochs
        self.stopped = self.history.stopped = self.history.interrupted = False
        self.model.train()
        try:
            self._notify("on_fit_begin")
            yield
        except KeyboardInterrupt:
            self.history.interrupted = True
            warnings.warn(f"{self.name}: training was interrupted in epoch {self.epoch}", stacklevel=2)
        finally:
            self.model.eval()
            self._keep_best()
            self._notify("on_fit_end")
            self.callbacks = []

    def stop(self) -> None:
        """Ends the training after this epoch."""
        self.stopped = True

    def _batches(self, n: int) -> list[slice]:
        size = min(200, n) if self.options["batch_size"] == "auto" else self.options["batch_size"]
        if size > n:
            warnings.warn(f"{self.name}: batch_size is {size}, but there are {n} samples to train on", stacklevel=7)
            size = n
        # Batch norm has no variance of a single row.
        least = 2 if self.options["norm"] == "batch" else 0
        if n < least:
            raise ValueError(f"{self.name}: norm='batch' needs two samples or more to train on, got n_samples={n}")
        return list(gen_batches(n, max(size, least), min_batch_size=least))

    def _run_epoch(self, train: Samples, held: Samples | None, batches: list[slice]) -> None:
        self.epoch = len(self.history) + 1
        self._notify("on_epoch_begin")
        order = self._shuffled(len(train)) if self.options["shuffle"] else None
        mean_weight = 1.0 if train.weight is None else float(train.weight.mean())
        total, group = 0.0, self.optimizer.param_groups[0]
        rate = group["lr"]
        for number, rows in enumerate(batches, 1):
            n = rows.stop - rows.start
            group["weight_decay"] = penalty = self.options["alpha"] / (n * mean_weight)
            loss, size, norm = self._learn(*train.batch(rows if order is None else order[rows]))
            if size is not None:
                total += 0.5 * n * penalty * size.item() ** 2
            value = loss.item()
            if not math.isfinite(value):
                raise NonFiniteError(
                    f"{self.name}: the loss of epoch {self.epoch}, batch {number}, is {value}; scale the data, or "
                    f"lower learning_rate_init, now {self.options['learning_rate_init']}"
                )
            total += n * value
            self.step += 1
            if self._watches_batches:
                self._notify("on_batch_end", {"loss": value, "grad_norm": norm.item(), "lr": rate})
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

    def _learn(self, x: Tensor, y: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor | None, Any]:
        """One update of the weights: the loss before it, without the penalty; ‖W‖ before it, where that is penalised;
        and the norm of the gradient, where that is asked for. Recorded, up to where a callback looks at the gradients.
        """
        penalised = self.options["alpha"] > 0
        update = (*self.clip, self.options["weight_decay"], self._watches_batches)
        if not self._watches_gradients:
            return self.recorded_step(x, y, weight, penalised, *update)
        loss, size = self.recorded_gradient(x, y, weight, penalised)
        self._notify("on_backward_end")
        return loss, size, self._step.update(*update)

    def _validate(self, held: Samples) -> dict[str, float]:
        """The loss and the score of samples that the network does not learn from."""
        self.model.eval()
        with no_grad():
            x, y, weight = held.whole()
            scores = self.model(x)
            loss = float(self.loss(scores, y, weight).array)
        self.model.train()
        return {"val_loss": loss, f"val_{self.metric}": self.score(scores, held)}

    def _end_epoch(self, record: dict[str, float]) -> None:
        """Everything that follows from an epoch's record."""
        self.history.records.append(record)
        if self.options["verbose"]:
            numbers = ", ".join(f"{name} = {record[name]:.8f}" for name in record if name not in ("epoch", "lr"))
            print(f"Iteration {self.epoch}, {numbers}")
        early = self.options["early_stopping"]
        if self.patience.step(record[f"val_{self.metric}"] if early else -record["loss"]) and early:
            self.best = copied(self.model)
        if self.schedule == "invscaling":
            self._set_rate(self.options["learning_rate_init"] / (self.samples + 1) ** self.options["power_t"])
        if self.patience.exhausted:
            self._lose_patience(record["lr"])
        self._notify("on_epoch_end", dict(record))
        self.history.stopped = self.stopped

    def end_iteration(self, loss: float) -> None:
        """Notes an iteration of a solver that has no batches."""
        self.epoch = len(self.history) + 1
        self.history.records.append({"epoch": self.epoch, "loss": loss})
        if self.options["verbose"]:
            print(f"Iteration {self.epoch}, loss = {loss:.8f}")
        self._notify("on_epoch_end", dict(self.history.records[-1]))
        self.history.stopped = self.stopped

    def _lose_patience(self, rate: float) -> None:
        """Stops, or with the adaptive schedule goes on with a fifth of the rate."""
        if self.schedule != "adaptive" or rate <= 1e-6:
            self.stopped = True
            return
        self._set_rate(rate / 5)
        self.patience.waited = 0

    def _set_rate(self, rate: float) -> None:
        """Sets the learning rate. What moves on is velocity, as in scikit-learn: rate times momentum."""
        for group in self.optimizer.param_groups:
            ratio, group["lr"] = group["lr"] / rate, rate
        for state in self.optimizer.state.values():
            if "momentum_buffer" in state:
                state["momentum_buffer"].array[...] *= ratio

    def _keep_best(self) -> None:
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
        self._set_rate(rate)

    def _notify(self, moment: str, *arguments: Any) -> None:
        """Calls one method of every callback."""
        for callback in self.callbacks:
            try:
                getattr(callback, moment)(self, *arguments)
            except (Warning, CallbackError):
                raise
            except Exception as error:
                raise CallbackError(
                    f"{self.name}: {type(callback).__name__}.{moment} raised {type(error).__name__}: {error}"
                ) from error


def new_optimizer(options: BaseMLP, weights: list[Tensor], params: list[Tensor]) -> Optimizer:
    """SGD or Adam with a group of weights, to which the L2 penalty belongs, and one of all else."""
    others = [p for p in params if not any(p is weight for weight in weights)]
    groups = [{"params": weights}, {"params": others}]
    rate = options.learning_rate_init
    if options.solver == "sgd":
        nesterov = bool(options.nesterovs_momentum and options.momentum > 0)
        return optim.SGD(groups, lr=rate, momentum=options.momentum, nesterov=nesterov)
    return optim.Adam(groups, lr=rate, betas=(options.beta_1, options.beta_2), eps=options.epsilon)


def recorded(step: Callable[..., Any]) -> CompiledFunction:
    """A step that is recorded once it has run often enough to be worth it."""
    return CompiledFunction(step, quiet=True, after=EAGER_STEPS)


def checked(callback: Any, name: str) -> Callback:
    """The callback. Raises TypeError where it is none."""
    if not isinstance(callback, Callback):
        raise TypeError(f"{name}: a callback must be a cygrad.train.Callback, got {type(callback).__name__}")
    return callback
