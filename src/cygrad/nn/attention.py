"""``torch.nn.attention`` for programs that choose a kernel: there is one way to compute attention."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ContextDecorator
from enum import IntEnum

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(IntEnum):
    """The kernels of PyTorch's ``scaled_dot_product_attention``."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


class sdpa_kernel(ContextDecorator):
    """A block, or a function, in which PyTorch would use these kernels. Here the results are the same with all of them.

    Args:
        backends: one or several kernels.
        set_priority: accepted, without effect.

    >>> from cygrad.nn.attention import SDPBackend, sdpa_kernel
    >>> x = cg.ones(1, 2, 3)
    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     cg.nn.functional.scaled_dot_product_attention(x, x, x).shape
    (1, 2, 3)
    """

    def __init__(self, backends: SDPBackend | Sequence[SDPBackend], set_priority: bool = False) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass
