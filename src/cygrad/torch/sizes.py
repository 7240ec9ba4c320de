"""``torch.nn.modules.utils`` and ``torch.nn.common_types``: one number or a tuple for several dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from cygrad.tensor import Tensor

T = TypeVar("T")

_size_any_t = _size_1_t = _size_2_t = _size_3_t = _size_4_t = _size_5_t = _size_6_t = int | tuple[int, ...]
_size_any_opt_t = _size_2_opt_t = _size_3_opt_t = int | None | tuple[int | None, ...]
_ratio_any_t = _ratio_2_t = _ratio_3_t = float | tuple[float, ...]
_tensor_list_t = Tensor | list[Tensor]


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple[Any, ...]]:
    """A function that returns what it is given as a tuple, one value as n equal ones."""

    def parse(value: Any) -> tuple[Any, ...]:
        return tuple(value) if isinstance(value, Iterable) else (value,) * n

    parse.__name__ = name
    return parse


_single, _pair, _triple, _quadruple = _ntuple(1, "_single"), _ntuple(2, "_pair"), _ntuple(3, "_triple"), _ntuple(4)


def _reverse_repeat_tuple(values: tuple[T, ...], n: int) -> tuple[T, ...]:
    """The values from last to first, each n times: the order of ``pad``."""
    return tuple(value for value in reversed(values) for _ in range(n))
