"""``torch.utils._foreach_utils``: what optimizers of others ask before they update many tensors at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__: list[str] = []


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Sequence[Sequence[Any]], with_indices: bool = False
) -> dict[tuple[Any, Any], tuple[list[list[Any]], list[int]]]:
    """Lists of corresponding tensors, such as parameters and gradients, as one such group for each dtype of the first
    list's tensors, with the positions that they had, if these are wanted."""
    groups: dict[tuple[Any, Any], tuple[list[list[Any]], list[int]]] = {}
    for place, row in enumerate(zip(*tensorlistlist)):
        key = (row[0].device, row[0].dtype)
        lists, places = groups.setdefault(key, ([[] for _ in row], []))
        for column, tensor in zip(lists, row):
            column.append(tensor)
        if with_indices:
            places.append(place)
    return groups


def _has_foreach_support(tensors: Sequence[Any], device: Any) -> bool:
    """Return False: there are no functions of lists of tensors."""
    return False


def _get_foreach_kernels_supported_devices() -> list[str]:
    """Return the types of no devices."""
    return []
