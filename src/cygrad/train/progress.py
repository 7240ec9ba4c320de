"""Progress: a line per epoch, and a bar within it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from cygrad.train.callbacks import Callback
from cygrad.train.history import Record
from cygrad.train.output import say
from cygrad.train.protocols import TrainerLike

__all__ = ["UNPRINTABLE", "Progress", "progress_bar"]

# What tqdm raises where the terminal is gone; AttributeError if the construction of another bar has failed for that
# reason, since its list of bars keeps half of that one.
UNPRINTABLE = (OSError, ValueError, AttributeError)

UNPRINTED = {"epoch", "lr", "samples_per_second"}  # among the metrics


class Progress(Callback):
    """Print a line per epoch. On a terminal and in a notebook, show a tqdm bar over the steps if tqdm is installed."""

    main_rank_only = True
    bar: Any = None

    def on_epoch_begin(self, trainer: TrainerLike) -> None:
        done = getattr(trainer, "step_of_epoch", 0)  # only a Trainer resumes within an epoch
        self.bar = progress_bar(f"epoch {trainer.epoch}", "step", done, trainer.steps_per_epoch)

    def on_batch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        if self.bar is not None:
            with contextlib.suppress(*UNPRINTABLE):
                self.bar.update()

    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        self.close()
        say(format_record(metrics, trainer.epochs))

    def on_fit_end(self, trainer: TrainerLike) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        bar, self.bar = self.bar, None
        if bar is not None:
            with contextlib.suppress(*UNPRINTABLE):
                bar.close()


def progress_bar(name: str, unit: str, done: int, total: int | None) -> Any:
    """A tqdm bar, or None if tqdm is not installed, or there is neither a terminal nor a notebook."""
    if is_terminal(sys.stderr) or is_notebook():
        with contextlib.suppress(ImportError, *UNPRINTABLE):
            from tqdm.auto import tqdm

            return tqdm(desc=name, total=total, initial=done, unit=unit, leave=False)
    return None


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal. A program without a console has no stream, and one may be closed."""
    try:
        return stream is not None and bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def is_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def format_record(record: Record, epochs: int) -> str:
    """The line of an epoch."""
    numbers = "  ".join(f"{name} {value:.4f}" for name, value in record.items() if name not in UNPRINTED)
    width = len(str(epochs))
    return (
        f"epoch {int(record['epoch']):{width}}/{epochs}  {numbers}  lr {record['lr']:.2e}"
        f"  {record['samples_per_second']:,.0f} samples/s"
    )
