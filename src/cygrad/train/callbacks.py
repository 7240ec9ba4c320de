"""Callbacks: code that runs at certain moments of a training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cygrad.train.output import is_broken
from cygrad.train.protocols import TrainerLike

__all__ = ["Callback", "CallbackError", "call_all", "listens"]


class CallbackError(RuntimeError):
    """A callback raised an error, which is the ``__cause__``; the message names the callback and the moment."""


class Callback:
    """Base class of callbacks. A ``Trainer`` calls these methods, which do nothing here, in the order of its callbacks.

    Every method receives the trainer. Useful attributes are:

    - ``trainer.model`` and ``trainer.optimizer``;
    - ``trainer.epoch``, the current epoch, from 1, and ``trainer.epochs``, how many there are;
    - ``trainer.step``, the updates of the weights so far, over all epochs, and ``trainer.steps_per_epoch``, which is
      None if the loader has no length;
    - ``trainer.history``, the records of the completed epochs;
    - ``trainer.stop()``, which stops the training after this epoch.

    `metrics` is a dict of numbers by name, shared by all callbacks. After a training is resumed, a callback may see
    steps again that it saw before the interruption, and ``on_epoch_begin`` in the middle of an epoch. A callback with
    state of its own defines ``state_dict()`` and ``load_state_dict(state)``; checkpoints save it.

    An exception in a callback stops the training as a ``CallbackError``, except for warnings turned into errors, and
    Ctrl-C. A callback that prints does not stop it when the output is closed or full. Of several ranks, all call their
    callbacks, but only rank 0 those whose ``main_rank_only`` is True, such as ``Progress`` and trackers.

    Example:
        >>> class Best(cg.train.Callback):
        ...     loss = np.inf
        ...     def on_epoch_end(self, trainer, metrics):
        ...         self.loss = min(self.loss, metrics["loss"])
    """

    main_rank_only = False  # whether only rank 0 of several calls it, as it only shows or writes

    def on_fit_begin(self, trainer: TrainerLike) -> None:
        """Called before the first epoch."""

    def on_epoch_begin(self, trainer: TrainerLike) -> None:
        """Called before the first batch of an epoch."""

    def on_backward_end(self, trainer: TrainerLike) -> None:
        """Called when the gradients of a step are complete, before they are checked and clipped."""

    def on_batch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        """Called after every update of the weights, with ``loss``, ``grad_norm`` and ``lr`` of the step."""

    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        """Called after the validation, with the record of the epoch."""

    def on_checkpoint(self, trainer: TrainerLike, path: str) -> None:
        """Called when a checkpoint has been written."""

    def on_fit_end(self, trainer: TrainerLike) -> None:
        """Called at the end, however the training ended; the model has its final weights."""


def listens(callback: Callback, moment: str) -> bool:
    """Whether a callback overrides the method of a moment."""
    return getattr(getattr(callback, moment), "__func__", None) is not getattr(Callback, moment)


def call_all(callbacks: Iterable[Callback], moment: str, name: str, trainer: object, *arguments: Any) -> None:
    """Call one method of every callback. One that can't print, because the output is closed or full, ends nothing.

    Args:
        callbacks: to call, in order.
        moment: name of the method.
        name: of the training's class, for error messages.
        trainer: first argument.
        arguments: further ones.

    Raises:
        CallbackError: if a callback raises another exception.
    """
    for callback in callbacks:
        try:
            getattr(callback, moment)(trainer, *arguments)
        except (Warning, CallbackError):
            raise
        except Exception as error:
            if failed_to_print(error):
                continue
            raise CallbackError(
                f"{name}: {type(callback).__name__}.{moment} raised {type(error).__name__}: {error}"
            ) from error


def failed_to_print(error: Exception) -> bool:
    """Whether an error is that of a ``print`` into an output that takes no more."""
    of_a_stream = isinstance(error, OSError) and error.filename is None
    return (of_a_stream or "closed file" in str(error)) and is_broken()
