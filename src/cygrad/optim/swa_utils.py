"""Averages of weights over a training, after ``torch.optim.swa_utils``."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from cygrad.autograd import no_grad, recording
from cygrad.nn.module import Module
from cygrad.nn.modules.batch_norm import BatchNorm1d, BatchNorm2d
from cygrad.optim.lr_scheduler import HasGroups, LRScheduler, one_each
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
    """The exponential moving average, a ← a + (1 − decay)·(p − a), in place, for ``AveragedModel``.

    Raises ValueError for a decay outside [0, 1].

    >>> average, new = cg.tensor([1.0]), cg.tensor([3.0])
    >>> cg.optim.swa_utils.get_ema_multi_avg_fn(0.5)([average], [new], 1)
    >>> average
    tensor([2.])
    """
    check_decay("get_ema_multi_avg_fn", decay)

    def update(averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: int) -> None:
        for average, value in zip(averages, values, strict=True):
            move(average, value.array, 1 - decay)

    return update


def get_swa_multi_avg_fn() -> AverageMany:
    """The mean of all weights so far, a ← a + (p − a)/(n + 1), in place, for ``AveragedModel``."""

    def update(averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: int) -> None:
        for average, value in zip(averages, values, strict=True):
            move(average, value.array, 1 / (int(num_averaged) + 1))

    return update


def get_ema_avg_fn(decay: float = 0.999) -> AverageOne:
    """decay·a + (1 − decay)·p of one parameter, for ``AveragedModel(avg_fn=...)``.

    Raises ValueError for a decay outside [0, 1].
    """
    check_decay("get_ema_avg_fn", decay)
    return lambda average, value, num_averaged: decay * average + (1 - decay) * value


def get_swa_avg_fn() -> AverageOne:
    """a + (p − a)/(n + 1) of one parameter, for ``AveragedModel(avg_fn=...)``."""
    return lambda average, value, num_averaged: average + (value - average) / (num_averaged + 1)


class AveragedModel(Module):
    """A copy of a model whose parameters are an average of the model's over a training: after every step,
    or every epoch, ``update_parameters(model)`` takes the model's parameters in.

    The mean of all, unless `multi_avg_fn`, which gets lists and writes in place, or `avg_fn`, which gets one
    parameter and returns the new average, says otherwise; both also get the number averaged before. The first
    update copies. Buffers are copied every time, or with `use_buffers` averaged too. ``forward`` is the
    copy's, ``module``. As ``torch.optim.swa_utils.AveragedModel``.

    P. Izmailov et al. (2018), "Averaging weights leads to wider optima and better generalization".

    Raises ValueError where both functions are given.

    >>> model = cg.nn.Linear(1, 1, bias=False)
    >>> averaged = cg.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     model.weight.array[...] = value
    ...     averaged.update_parameters(model)
    >>> averaged(cg.ones(1, 1)).item(), averaged.n_averaged.item()
    (3.0, 3)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
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
        """Takes the model's parameters into the average."""
        averages, values = self._averaged_of(self.module), self._averaged_of(model)
        number = int(self.n_averaged.array)
        with no_grad():
            if number == 0:
                copy_all(averages, values)
            elif self.avg_fn is not None:
                for average, value in zip(averages, values, strict=True):
                    write(average, self.avg_fn(average.detach(), value.detach(), number).array)
            else:
                self.multi_avg_fn(averages, values, number)
            if not self.use_buffers:
                copy_all(list(self.module.buffers()), list(model.buffers()))
        self.n_averaged.array[...] = number + 1

    def _averaged_of(self, module: Module) -> list[Tensor]:
        buffers = list(module.buffers()) if self.use_buffers else []
        return [*module.parameters(), *buffers]


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running statistics of all batch norms in the model anew: the mean over the loader's
    batches, of which the inputs are the first part. Averaged weights need it, theirs are of no model that
    was ever run. As ``torch.optim.swa_utils.update_bn``.

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
    """From each group's rate to `swa_lr` in `anneal_epochs` epochs, along half a cosine or with
    ``anneal_strategy="linear"`` along a line, and there it stays. As ``torch.optim.swa_utils.SWALR``.

    Raises ValueError for another strategy or a negative or fractional number of epochs.

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
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"SWALR: anneal_strategy must be cos or linear, got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: anneal_epochs must be an integer and not negative, got {anneal_epochs!r}")
        for group, rate in zip(
            optimizer.param_groups, one_each("SWALR: swa_lr", swa_lr, optimizer.param_groups), strict=True
        ):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self.anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of epoch ``last_epoch``: (1 − α)·η₀ + α·swa_lr, η₀ found from the rate before."""
        step = max(1, self.last_epoch) if self.anneal_epochs == 0 else self.last_epoch
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            rate, goal = group["lr"], group["swa_lr"]
            start = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates

    def _share(self, step: int) -> float:
        """How much of the way, α, lies behind a step."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2


def check_decay(op: str, decay: float) -> None:
    """Raises ValueError for a decay outside [0, 1]."""
    if not 0 <= decay <= 1:
        raise ValueError(f"{op}: decay must lie in [0, 1], got {decay}")


def move(target: Tensor, value: Any, share: float) -> None:
    """target += share·(value − target); integers are rounded towards zero."""
    difference = value - target.array
    if difference.dtype.kind == "f":
        difference *= difference.dtype.type(share)
        target.array += difference
        target.version.value += 1
    else:
        write(target, target.array + difference * share)


def copy_all(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copies values, one by one."""
    for target, value in zip(targets, values, strict=True):
        write(target, value.array)


def write(target: Tensor, array: Any) -> None:
    """Copies an array into a tensor's memory, and counts the write."""
    np.copyto(target.array, array, casting="unsafe")
    target.version.value += 1
