"""Weight averaging (EMA, SWA), under the names of ``torch.optim.swa_utils``."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from cygrad._arguments import checked
from cygrad._typing import Array
from cygrad.autograd import no_grad, recording
from cygrad.nn.module import Module
from cygrad.nn.modules.batch_norm import BatchNorm1d, BatchNorm2d
from cygrad.optim.lr_scheduler.base import HasGroups, LRScheduler, check_strategy, groups_of, one_per_group
from cygrad.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

AverageOne = Callable[[Tensor, Tensor, int], Tensor]
AverageMany = Callable[[Sequence[Tensor], Sequence[Tensor], int], None]


def get_ema_multi_avg_fn(decay: float = 0.999) -> AverageMany:
    """Return the exponential moving average a ← a + (1 − decay)·(p − a), in place, for ``AveragedModel``'s
    ``multi_avg_fn``. As ``torch.optim.swa_utils.get_ema_multi_avg_fn``.

    Args:
        decay: weight of the old average, in [0, 1], default 0.999.

    Raises:
        ValueError: decay does not lie in [0, 1].

    >>> average, new = cg.tensor([1.0]), cg.tensor([3.0])
    >>> cg.optim.swa_utils.get_ema_multi_avg_fn(0.5)([average], [new], 1)
    >>> average
    tensor([2.])
    """
    check_decay("get_ema_multi_avg_fn", decay)

    @recording.replayed
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: int) -> None:
        for average, value in zip(averages, values, strict=True):
            move(average, value.array, 1 - decay)

    return update


def get_swa_multi_avg_fn() -> AverageMany:
    """Return the running mean a ← a + (p − a)/(n + 1), in place, for ``AveragedModel``'s ``multi_avg_fn``. As
    ``torch.optim.swa_utils.get_swa_multi_avg_fn``."""

    @recording.replayed
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: int) -> None:
        for average, value in zip(averages, values, strict=True):
            move(average, value.array, 1 / (int(num_averaged) + 1))

    return update


def get_ema_avg_fn(decay: float = 0.999) -> AverageOne:
    """Return the exponential moving average decay·a + (1 − decay)·p of one parameter, for ``AveragedModel``'s
    ``avg_fn``. As ``torch.optim.swa_utils.get_ema_avg_fn``.

    Args:
        decay: weight of the old average, in [0, 1], default 0.999.

    Raises:
        ValueError: decay does not lie in [0, 1].
    """
    check_decay("get_ema_avg_fn", decay)
    return lambda average, value, num_averaged: decay * average + (1 - decay) * value


def get_swa_avg_fn() -> AverageOne:
    """Return the running mean a + (p − a)/(n + 1) of one parameter, for ``AveragedModel``'s ``avg_fn``. As
    ``torch.optim.swa_utils.get_swa_avg_fn``."""
    return lambda average, value, num_averaged: average + (value - average) / (num_averaged + 1)


class AveragedModel(Module):
    """A copy of a model, ``module``, whose parameters are an average over a training. Call ``update_parameters(model)``
    after every step or every epoch; the first call copies. As ``torch.optim.swa_utils.AveragedModel``. P. Izmailov et
    al. (2018), "Averaging weights leads to wider optima and better generalization".

    Args:
        model: the model whose weights are averaged.
        device: only "cpu" (or None) exists.
        avg_fn: function of (average, parameter, number of models averaged so far) that returns the new average, default
            None.
        multi_avg_fn: function of (averages, parameters, number of models averaged so far) that updates the averages in
            place, default the running mean.
        use_buffers: whether to average the buffers too. By default they are copied at every update.

    Raises:
        ValueError: both functions are given.

    >>> model = cg.nn.Linear(1, 1, bias=False)
    >>> averaged = cg.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     model.weight.array[...] = value
    ...     averaged.update_parameters(model)
    >>> averaged(cg.ones(1, 1)).item(), averaged.n_averaged.item()
    (3.0, 3)
    """

    n_averaged: Tensor

    @checked
    def __init__(
        self,
        model: Module,
        device: object = None,
        avg_fn: AverageOne | None = None,
        multi_avg_fn: AverageMany | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: got both avg_fn and multi_avg_fn, only one can be used")
        self.module = copy.deepcopy(model).to(device=device)
        self.register_buffer("n_averaged", Tensor(np.zeros((), np.int64)))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn or get_swa_multi_avg_fn()
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @recording.replayed
    def update_parameters(self, model: Module) -> None:
        """Include the model's current parameters in the average."""
        averages, values = self._averaged_tensors(self.module), self._averaged_tensors(model)
        count = int(self.n_averaged.array)
        with no_grad():
            if count == 0:
                copy_all(averages, values)
            elif self.avg_fn is not None:
                for average, value in zip(averages, values, strict=True):
                    write(average, self.avg_fn(average.detach(), value.detach(), count).array)
            else:
                self.multi_avg_fn(averages, values, count)
            if not self.use_buffers:
                copy_all(list(self.module.buffers()), list(model.buffers()))
        self.n_averaged.array[...] = count + 1

    def _averaged_tensors(self, module: Module) -> list[Tensor]:
        buffers = list(module.buffers()) if self.use_buffers else []
        return [*module.parameters(), *buffers]


@checked
def update_bn(loader: Iterable[Any], model: Module, device: object = None) -> None:
    """Recompute the running statistics of all batch norm layers as the mean over a loader's batches. A model with
    averaged weights needs this, since its copied statistics belong to other weights. As
    ``torch.optim.swa_utils.update_bn``.

    Args:
        loader: iterable of batches: the input, or a tuple or list that begins with it.
        model: the model; its modes are restored afterwards.
        device: accepted for compatibility and ignored.

    >>> model = cg.nn.BatchNorm1d(1)
    >>> cg.optim.swa_utils.update_bn([(cg.tensor([[1.0], [3.0]]), None), (cg.tensor([[6.0], [8.0]]), None)], model)
    >>> model.running_mean
    tensor([4.5000])
    """
    norms = [module for module in model.modules() if isinstance(module, (BatchNorm1d, BatchNorm2d))]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in model.modules()]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
    model.train()
    try:
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


class SWALR(LRScheduler):
    """Move the rate from η₀ to swa_lr and keep it: η(t) = (1 − α)·η₀ + α·swa_lr, α from 0 to 1. As
    ``torch.optim.swa_utils.SWALR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        swa_lr: final rate, a number or a list of one for each parameter group.
        anneal_epochs: number of epochs until then, default 10.
        anneal_strategy: "cos" (default) for half a cosine, "linear" for a line.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: the strategy is unknown, or anneal_epochs is negative or not an integer.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> for _ in range(3):
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.75]
    [0.5]
    [0.5]
    """

    def __init__(
        self,
        optimizer: HasGroups,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        check_strategy("SWALR", anneal_strategy)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: anneal_epochs must be an integer of at least 0, got {anneal_epochs!r}")
        groups = groups_of("SWALR", optimizer)
        for group, rate in zip(groups, one_per_group("SWALR: swa_lr", swa_lr, groups), strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self.anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return (1 − α)·η₀ + α·swa_lr; η₀ follows from the rate of the epoch before."""
        step = max(1, self.last_epoch) if self.anneal_epochs == 0 else self.last_epoch
        before, now = self._alpha(step - 1), self._alpha(step)
        rates = []
        for group in self.optimizer.param_groups:
            rate, goal = group["lr"], group["swa_lr"]
            start = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates

    def _alpha(self, step: int) -> float:
        """Return α after a number of steps."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2


def check_decay(op: str, decay: float) -> None:
    """Raise ValueError unless the decay lies in [0, 1]."""
    if not 0 <= decay <= 1:
        raise ValueError(f"{op}: decay must lie in [0, 1], got {decay}")


def move(target: Tensor, value: Array, weight: float) -> None:
    """target += weight·(value − target); integers are rounded toward zero."""
    difference = value - target.array
    if difference.dtype.kind == "f":
        difference *= difference.dtype.type(weight)
        target.array += difference
        target.version.value += 1
    else:
        write(target, target.array + difference * weight)


def copy_all(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy values into targets."""
    for target, value in zip(targets, values, strict=True):
        write(target, value.array)


def write(target: Tensor, array: Array) -> None:
    """Copy an array into a tensor's memory, and count the write."""
    np.copyto(target.array, array, casting="unsafe")
    target.version.value += 1
