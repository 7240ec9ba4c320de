"""How modules are printed."""

from __future__ import annotations

__all__ = ["indented", "layout"]


def indented(text: str) -> str:
    """Indent all lines but the first by two spaces."""
    return text.replace("\n", "\n  ")


def layout(name: str, extra: list[str], children: list[str]) -> str:
    """Return name(extra), on one line if there are no children, else with one line for each."""
    if not children and len(extra) <= 1:
        return f"{name}({''.join(extra)})"
    lines = "\n  ".join([*extra, *children])
    return f"{name}(\n  {lines}\n)"
