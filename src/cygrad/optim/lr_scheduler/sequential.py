"""Schedulers one after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from cygrad.autograd import recording
from cygrad.optim.lr_scheduler.base import HasGroups, LRScheduler, groups_of
from cygrad.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = ["SequentialLR"]


class SequentialLR(LRScheduler):
    """Use schedulers one after another: at each milestone the next one starts at its epoch 0. As
    ``torch.optim.lr_scheduler.SequentialLR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        schedulers: schedulers of this optimizer.
        milestones: epochs at which the next scheduler starts, in increasing order, one less than there are schedulers.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: the counts do not match, the milestones do not increase, or a scheduler belongs to a different
            optimizer or is a ``ReduceLROnPlateau``, whose step needs a metric.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> warm = cg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = cg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = cg.optim.lr_scheduler.SequentialLR(optimizer, [warm, decay], milestones=[2])
    >>> for _ in range(3): scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    _unsaved = ("optimizer", "_schedulers")

    def __init__(
        self,
        optimizer: HasGroups,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if not schedulers:
            raise ValueError("SequentialLR: the list of schedulers is empty")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers need {len(schedulers) - 1} milestones, "
                f"got {len(milestones)}"
            )
        if sorted(milestones) != list(milestones):
            raise ValueError(f"SequentialLR: the milestones must increase, got {list(milestones)}")
        for i, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"SequentialLR: scheduler {i} is a ReduceLROnPlateau, which needs a metric")
            if getattr(scheduler, "optimizer", None) is not optimizer:
                raise ValueError(f"SequentialLR: scheduler {i} belongs to a different optimizer")
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        # The constructor of each scheduler has set its first rate; only the first scheduler's counts.
        for group in groups_of("SequentialLR", optimizer):
            group["lr"] = group["initial_lr"]
        for scheduler in schedulers:
            scheduler._undo()
        super().__init__(optimizer, last_epoch)

    @recording.replayed
    def step(self, epoch: None = None) -> None:  # type: ignore[override]  # as in PyTorch
        """Move on to the next epoch and set its rates."""
        following = self.last_epoch + 1
        scheduler = self._at(following)
        if following in self._milestones:
            scheduler._restart()
        else:
            scheduler.step()
        self.last_epoch = following
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with the states of the schedulers under ``"_schedulers"``."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def _at(self, epoch: int) -> LRScheduler:
        return self._schedulers[bisect_right(self._milestones, epoch)]

    def _check_state(self, state: dict[str, Any]) -> None:
        super()._check_state(state)
        if len(state["_schedulers"]) != len(self._schedulers):
            raise ValueError(
                f"SequentialLR: the state has {len(state['_schedulers'])} schedulers, wanted {len(self._schedulers)}"
            )
        for scheduler, inner in zip(self._schedulers, state["_schedulers"], strict=True):
            scheduler._check_state(inner)

    def _restore(self, state: dict[str, Any]) -> None:
        super()._restore({name: value for name, value in state.items() if name not in self._unsaved})
        for scheduler, inner in zip(self._schedulers, state["_schedulers"], strict=True):
            scheduler._restore(inner)

    def _start(self) -> None:
        self.last_epoch += 1
        scheduler = self._at(self.last_epoch)
        scheduler._start()
        self._last_lr = scheduler.get_last_lr()

    def _restart(self) -> None:
        self.last_epoch = 0
        scheduler = self._at(0)
        scheduler._restart()
        self._last_lr = scheduler.get_last_lr()

    def _undo(self) -> None:
        self._at(self.last_epoch)._undo()
        self.last_epoch -= 1
