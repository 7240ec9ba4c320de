"""A figure of matplotlib that a notebook shows as the last line of a cell, whichever backend is in use."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["NotebookFigure"]


class NotebookFigure(Figure):
    """A figure that belongs to no window."""

    def _repr_png_(self) -> bytes:
        """The picture."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
