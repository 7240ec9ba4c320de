"""The base class of all schedulers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

from cygrad.autograd import recording
from cygrad.optim.state import is_alike

__all__ = ["HasGroups", "LRScheduler", "check_strategy", "one_per_group"]


# What only PyTorch's state dicts have.
OF_PYTORCH = ("_step_count", "_get_lr_called_within_step", "_is_initial", "verbose")


class HasGroups(Protocol):
    """An optimizer, as a scheduler sees it."""

    param_groups: list[dict[str, Any]]


class LRScheduler:
    """Base class of the schedulers. A subclass defines ``get_lr``. As ``torch.optim.lr_scheduler.LRScheduler``.

    Args:
        optimizer: optimizer whose learning rates are set.
        last_epoch: last epoch that is done, default −1 for a new training. Otherwise the parameter groups must have an
            ``"initial_lr"``.

    Raises:
        KeyError: last_epoch is not −1 and a parameter group has no ``"initial_lr"``.

    >>> class Halving(cg.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base * 0.5**self.last_epoch for base in self.base_lrs]
    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = Halving(optimizer)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    _get_lr_called_within_step, _is_initial = True, False  # as subclasses written for PyTorch read them
    # Attributes that are not part of the state.
    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer",)

    optimizer: HasGroups
    base_lrs: list[float]
    last_epoch: int
    _last_lr: list[float]

    def __init__(self, optimizer: HasGroups, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        for i, group in enumerate(groups_of(type(self).__name__, optimizer)):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: parameter group {i} has no initial_lr, which is needed to resume after "
                    f"epoch {last_epoch}"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates of the first epoch; with ``step``, if a subclass outside of the library has its own."""
        own: Any = next(base for base in type(self).__mro__ if base.__module__.startswith("cygrad."))
        if type(self).step is own.step or own.step is not LRScheduler.step:
            self._start()
            return
        self._is_initial, self._step_count = True, 0
        try:
            self.step()
        finally:
            del self._is_initial
        if not self._step_count:
            del self._own_step_count  # it counts epochs, as step() does that it calls

    def get_lr(self) -> list[float]:
        """Compute the rates of epoch ``last_epoch``, one for each parameter group. The groups still have the rates of
        the epoch before."""
        raise NotImplementedError(f"{type(self).__name__}: a scheduler must define get_lr")

    @property
    def _step_count(self) -> int:
        """The number of steps, counting that of the constructor, as subclasses written for PyTorch read it."""
        count: int = vars(self).get("_own_step_count", self.last_epoch + 1)
        return count

    @_step_count.setter
    def _step_count(self, value: int) -> None:
        """Keep the count of a subclass that counts for itself."""
        self._own_step_count = value

    def get_last_lr(self) -> list[float]:
        """Return the rates set last, one for each parameter group."""
        recording.reading("get_last_lr")
        return list(self._last_lr)

    @recording.replayed
    def step(self, epoch: int | None = None) -> None:
        """Move on to the next epoch, or to the given one (deprecated, as in PyTorch), and set its rates."""
        if epoch is None:
            self._advance(self._first_lr if self._is_initial else self.get_lr)
            return
        warnings.warn(f"{type(self).__name__}.step: epoch is deprecated, call step() once an epoch", stacklevel=2)
        self._restart()
        for _ in range(epoch):
            self._advance(self.get_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer as plain data."""
        recording.reading("state_dict of a scheduler")
        return {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self).items()
            if name not in self._unsaved
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            ValueError: the state has other keys, or values of another kind. Nothing is changed then.
        """
        recording.reading("load_state_dict of a scheduler")
        state_dict = {name: value for name, value in state_dict.items() if name not in OF_PYTORCH}
        self._check_state(state_dict)
        self._restore(state_dict)

    def _check_state(self, state: dict[str, Any]) -> None:
        wanted = self.state_dict().keys()
        if state.keys() != wanted:
            raise ValueError(f"{type(self).__name__}: the state has the keys {sorted(state)}, wanted {sorted(wanted)}")
        groups = len(self.optimizer.param_groups)
        for name, value in state.items():
            mine = getattr(self, name)
            rates = name in ("base_lrs", "min_lrs", "_last_lr")
            if not is_alike(value, mine) or (rates and len(value) != groups):
                what = f"{groups} rates" if rates else f"a value like {mine!r}"
                raise ValueError(f"{type(self).__name__}: the state's {name} must be {what}, got {value!r}")

    def _restore(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, list(value) if isinstance(value, list) else value)

    def _first_lr(self) -> list[float]:
        """Compute the rates of the first epoch."""
        return self.get_lr()

    def _start(self) -> None:
        """Set the rates of the first epoch."""
        self._advance(self._first_lr)

    def _undo(self) -> None:
        """Return to before the start."""
        self.last_epoch -= 1

    def _restart(self) -> None:
        """Start again at epoch 0, whatever the rates are now."""
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = -1
        self._start()

    def _advance(self, rates: Callable[[], list[float]]) -> None:
        self.last_epoch += 1
        try:
            values = rates()
        except BaseException:
            self.last_epoch -= 1
            raise
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            group["lr"] = value
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        """Return the current rates."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[float]:
        """Return the current rates times a factor."""
        return [rate * factor for rate in self._rates()]


def groups_of(name: str, optimizer: HasGroups) -> list[dict[str, Any]]:
    """The optimizer's parameter groups."""
    if not hasattr(optimizer, "param_groups"):
        raise TypeError(f"{name}: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    return optimizer.param_groups


def one_per_group(name: str, value: float | Sequence[float], groups: list[dict[str, Any]]) -> list[float]:
    """Return one value for each parameter group, from one number for all or a sequence of one for each."""
    values = list(value) if isinstance(value, Sequence) else [value] * len(groups)
    if len(values) != len(groups):
        raise ValueError(f"{name} has {len(values)} values for {len(groups)} parameter groups")
    return values


def check_strategy(name: str, strategy: str) -> None:
    """Raise ValueError unless the annealing strategy is known."""
    if strategy not in ("cos", "linear"):
        raise ValueError(f"{name}: anneal_strategy must be cos or linear, got {strategy!r}")
