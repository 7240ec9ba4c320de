"""The kinds of gradient clipping that a ``Trainer`` knows by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cygrad.nn.utils import clip_grad_adaptive_, clip_grad_norm_, clip_grad_value_, get_total_norm
from cygrad.tensor import Tensor

__all__ = ["CLIPS", "Clip", "clip_gradients", "describe_clip", "kind_and_bound"]

Clip = float | tuple[str, float]
CLIPS: dict[str, Callable[[list[Tensor], float], Any]] = {
    "norm": clip_grad_norm_,
    "value": clip_grad_value_,
    "adaptive": clip_grad_adaptive_,
}


def kind_and_bound(clip: Clip | None, op: str = "Trainer") -> tuple[str, float]:
    """Return the kind and the bound of a clipping; a number bounds the norm, None has an infinite bound.

    Raises:
        ValueError: in the name of `op`, if the kind is unknown or the bound is not above 0.
    """
    if clip is None:
        return "norm", math.inf
    kind, bound = clip if isinstance(clip, (tuple, list)) and len(clip) == 2 else ("norm", clip)
    if kind not in CLIPS or isinstance(bound, (tuple, list, str)):
        raise ValueError(f"{op}: clip must be a number, or a pair of a kind ({', '.join(CLIPS)}) and one, got {clip!r}")
    if not bound > 0:
        raise ValueError(f"{op}: clip must be above 0, got {bound}")
    return kind, bound


def describe_clip(kind: str, bound: float) -> str | None:
    """Describe a clipping, such as "norm 1.0"; None if nothing is clipped."""
    return f"{kind} {bound}" if math.isfinite(bound) else None


def clip_gradients(params: list[Tensor], kind: str, bound: float) -> Tensor:
    """Clip the gradients in place; return their total norm before."""
    if kind != "value":
        norm: Tensor = CLIPS[kind](params, bound)
        return norm
    norm = get_total_norm([p.grad for p in params if p.grad is not None])
    clip_grad_value_(params, bound)
    return norm
