"""Progress: a line an epoch, and a bar within it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from cygrad.train.callbacks import Callback
from cygrad.train.history import Record

if TYPE_CHECKING:
    from cygrad.train.trainer import Trainer

__all__ = ["Progress"]


class Progress(Callback):
    """Prints a line an epoch, and shows a bar of tqdm over its steps, where it is installed and a terminal shows
    it."""

    bar: Any = None

    def on_epoch_begin(self, trainer: Trainer) -> None:
        isatty = getattr(sys.stderr, "isatty", None)  # a program without a console has no stream
        if isatty is None or not isatty():
            return
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            done = trainer.step_of_epoch
            name = f"epoch {trainer.epoch}"
            self.bar = tqdm(desc=name, total=trainer.steps_per_epoch, initial=done, unit="step", leave=False)

    def on_batch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        if self.bar is not None:
            self.bar.update()

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        self.close()
        print(line(metrics, trainer.epochs), flush=True)

    def on_fit_end(self, trainer: Trainer) -> None:
        self.close()

    def close(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def line(record: Record, epochs: int) -> str:
    """The line of one epoch."""
    aside = {"epoch", "lr", "samples_per_second"}
    numbers = "  ".join(f"{name} {value:.4f}" for name, value in record.items() if name not in aside)
    width = len(str(epochs))
    return (
        f"epoch {int(record['epoch']):{width}}/{epochs}  {numbers}  lr {record['lr']:.2e}"
        f"  {record['samples_per_second']:,.0f} samples/s"
    )
