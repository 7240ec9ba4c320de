"""Devices: the CPU is the only one that computes. Others have a name, and no tensor goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CPU", "Place", "check_device", "check_place", "device", "is_device"]

TYPES = ("cpu", "cuda", "mps", "xpu", "meta", "xla", "hpu", "mtia", "privateuseone", "vulkan", "ipu", "ve", "maia")


class device:
    """A kind of processor and its number. As ``torch.device``; also a context that checks the device.

    Args:
        type: such as "cpu" or "cuda:0"; or a device.
        index: the number, if `type` has none.

    Raises:
        RuntimeError: there is no such kind of device.

    >>> cg.device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, int):
            raise RuntimeError(f"device: {type} numbers an accelerator, and there is none; the device is 'cpu'")
        kind, _, number = str(type).partition(":")
        if kind not in TYPES or (number and not number.isdigit()) or (number and index is not None):
            raise RuntimeError(f"device: expected one of {', '.join(TYPES)}, with a number at most, got {str(type)!r}")
        object.__setattr__(self, "type", kind)
        object.__setattr__(self, "index", int(number) if number else index)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"device: {name} can't be changed")

    def __repr__(self) -> str:
        return f"device(type={self.type!r}{'' if self.index is None else f', index={self.index}'})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):  # x.device == "cpu", which PyTorch's devices are not equal to
            return str(self) == other
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> Any:
        return device, (self.type, self.index)

    def __enter__(self) -> Self:
        check_device("device", self)
        return self

    def __exit__(self, *error: object) -> None:
        pass


CPU = device("cpu")


def is_device(value: Any) -> bool:
    """Whether a value names a device."""
    return isinstance(value, device) or (isinstance(value, str) and value.partition(":")[0] in TYPES)


def check_device(op: str, device: object) -> None:
    """Raise ValueError unless `device` is None or the CPU."""
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise ValueError(f"{op}: cygrad computes on the CPU only, got device {str(device)!r}")


class Place(TypedDict, total=False):
    """Keywords of PyTorch that say where a tensor lies. All but the device are accepted and have no effect."""

    device: object
    layout: object
    memory_format: object
    pin_memory: bool


def check_place(op: str, place: Place) -> None:
    """Raise TypeError for another keyword, ValueError for another device."""
    for name in place:
        if name not in Place.__annotations__:
            raise TypeError(f"{op}() got an unexpected keyword argument {name!r}")
    check_device(op, place.get("device"))
