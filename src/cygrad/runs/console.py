"""What a training from the command line shows: notes, one bar over all epochs, and results."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence

from cygrad.train.callbacks import Callback
from cygrad.train.output import say
from cygrad.train.progress import UNPRINTABLE, UNPRINTED, is_terminal
from cygrad.train.protocols import TrainerLike

__all__ = ["Console"]

WIDTH = 80  # of lines that are no terminal's
NOTES, LINES = 4, 2  # notes on a terminal, and lines of each
FIRST = "LeakageWarning"  # notes that are shown before others
BAR, LEAST = 16, 5  # characters
SECONDS = 0.1  # between two pictures of the bar


class Console(Callback):
    """Shows a training. On a terminal: the notes that matter most, in lines of its width, and one bar with the
    time that is left. Elsewhere, for programs: all notes, and a line of at most 80 characters for each epoch.

    Args:
        quiet: whether to show nothing but results and errors.
    """

    main_rank_only = True

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar = not quiet and is_terminal(sys.stderr) and is_terminal(sys.stdout)
        self.start = self.shown = 0.0
        self.steps = 0
        self.latest = ""

    def notes(self, notes: Sequence[str]) -> None:
        """Show what was decided about the data."""
        if self.quiet:
            return
        if not self.bar:
            for note in notes:
                say(note)
            return
        ordered = sorted(notes[1:], key=lambda note: not note.startswith(FIRST))
        chosen = [*notes[:1], *ordered[: NOTES if len(notes) == NOTES + 1 else NOTES - 1]]
        for note in chosen:
            self.tell(note)
        if len(notes) > len(chosen):
            say(f"… and {len(notes) - len(chosen)} more notes, in the report")

    def tell(self, text: str) -> None:
        """Show a text, on a terminal in lines of its width."""
        if self.quiet:
            return
        if self.bar:
            lines = textwrap.wrap(text, terminal_width(), subsequent_indent="  ", max_lines=LINES, placeholder=" …")
            text = "\n".join(lines)
        say(text)

    def result(self, text: str) -> None:
        """Show a text as it is, also if everything else is quiet."""
        say(text)

    # The training

    def on_fit_begin(self, trainer: TrainerLike) -> None:
        self.start, self.steps, self.latest = time.monotonic(), 0, ""

    def on_batch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        self.steps += 1
        if self.bar and time.monotonic() - self.shown >= SECONDS:
            self.draw(trainer)

    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        numbers = [f"{name} {value:.4f}" for name, value in metrics.items() if name not in UNPRINTED]
        head = f"epoch {trainer.epoch:{len(str(trainer.epochs))}}/{trainer.epochs}"
        if self.bar:
            self.latest = "  ".join([number for number in numbers if number.startswith("val_")] or numbers)
            self.draw(trainer)
        elif not self.quiet:
            ordered = sorted(numbers, key=importance)
            while len(line := "  ".join([head, *(n for n in numbers if n in ordered)])) > WIDTH and len(ordered) > 1:
                ordered.pop()
            say(line[:WIDTH])

    def on_fit_end(self, trainer: TrainerLike) -> None:
        if self.bar:
            write("\r\x1b[K")

    def draw(self, trainer: TrainerLike) -> None:
        """Draw the bar."""
        self.shown = time.monotonic()
        steps = trainer.steps_per_epoch or 0
        total, step = trainer.epochs * steps, (trainer.epoch - 1) * steps + getattr(trainer, "step_of_epoch", 0)
        done = min(1.0, step / max(total, 1))
        seconds = self.shown - self.start
        left = (1 - done) * total * seconds / self.steps if self.steps else 0.0
        head = f"epoch {trainer.epoch}/{trainer.epochs}"
        write("\r" + bar_line(head, done, self.latest, f"{clock(left)} left", terminal_width()) + "\x1b[K")


def bar_line(head: str, done: float, numbers: str, left: str, width: int) -> str:
    """A bar between a head and the time that is left, with as many numbers as there is room for.

    Example:
        >>> from cygrad.runs.console import bar_line
        >>> bar_line("epoch 3/4", 0.5, "val_loss 0.1234", "0:07 left", 60)
        'epoch 3/4 ████████░░░░░░░░ 0:07 left  val_loss 0.1234'
    """
    size = max(LEAST, min(BAR, width - len(head) - len(left) - 3))
    full = round(size * done)
    line = f"{head} {'█' * full}{'░' * (size - full)} {left}"
    for number in filter(None, numbers.split("  ")):
        if len(line) + 2 + len(number) < width:
            line += f"  {number}"
    return line[: width - 1]


def importance(number: str) -> int:
    """The rank of a number in a line: of the validation, of the loss, others, the gradient's norm."""
    if number.startswith("val_"):
        return 0
    return 1 if number.startswith("loss ") else 3 if number.startswith("grad_norm ") else 2


def clock(seconds: float) -> str:
    """A time such as 1:05 or 2:00:00."""
    whole = round(min(seconds, 359_999))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def terminal_width() -> int:
    """The columns of the terminal, at least 40."""
    return max(40, shutil.get_terminal_size((WIDTH, 24)).columns)


def write(text: str) -> None:
    """Write to the terminal, if that is possible."""
    with contextlib.suppress(*UNPRINTABLE):
        encoding = sys.stderr.encoding or "ascii"
        sys.stderr.write(text.replace("█", "#").replace("░", ".") if "utf" not in encoding.lower() else text)
        sys.stderr.flush()
