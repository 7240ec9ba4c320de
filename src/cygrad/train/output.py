"""Lines that a training prints. Output that fails, such as into a closed pipe or onto a full disk, never ends it."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["is_broken", "say"]


def say(text: str) -> None:
    """Print a line to the standard output, if that is possible; characters that it can't encode are replaced.

    Args:
        text: the line.

    Example:
        >>> cg.train.output.say("epoch 1")
        epoch 1
    """
    try:
        print(text, flush=True)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        with contextlib.suppress(OSError, ValueError):
            print(text.encode(encoding, "replace").decode(encoding), flush=True)
    except (OSError, ValueError):
        pass


def is_broken() -> bool:
    """Whether nothing can be written to the standard output or the standard error."""
    for stream in sys.stdout, sys.stderr:
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            return True
    return False
