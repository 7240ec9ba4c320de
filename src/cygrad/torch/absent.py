"""Modules of PyTorch that programs import and seldom use. They import here too; what they lack raises when it is used.

A library that can train on several machines imports ``torch.distributed.optim``, whether or not it is asked to; a file
with networks imports ``torch.utils.model_zoo``, whether or not weights are downloaded.
"""

from __future__ import annotations

import importlib
import re
from types import ModuleType
from typing import Any, NoReturn

from cygrad._missing import reason

__all__ = ["IMPORTED", "Absent", "AbsentModule"]

IMPORTED = re.compile(r"torch\.(distributed(\..+)?|fx\..+|fft|hub|utils\.model_zoo|nn\.utils\.prune)")
WITHOUT_NAMES = ("torch.distributed.rpc",)  # empty in builds of PyTorch that leave it out, as libraries know


class Absent(type):
    """The type of names that PyTorch has and cygrad does not: classes without instances, whose call raises."""

    path: str  # the name with its modules

    def __new__(cls, path: str, bases: tuple[type, ...] = (), body: dict[str, Any] | None = None) -> Any:
        inherited = next((base.path for base in bases if isinstance(base, Absent)), path)
        return super().__new__(cls, path.rpartition(".")[2], bases, {"path": inherited, **(body or {})})

    def __init__(cls, path: str, bases: tuple[type, ...] = (), body: dict[str, Any] | None = None) -> None:
        super().__init__(path, bases, body or {})

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise NotImplementedError, which names what is missing and why."""
        raise NotImplementedError(f"{cls.path} is not in cygrad: {reason(cls.path.removeprefix('torch.'))}")

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_") or cls.path in WITHOUT_NAMES:
            raise AttributeError(name)
        return Absent(f"{cls.path}.{name}")

    def __repr__(cls) -> str:
        return f"<{cls.path}, which is not in cygrad>"


class AbsentModule(ModuleType):
    """A module of PyTorch: what cygrad has of it, and an :class:`Absent` for every other public name."""

    def __init__(self, name: str) -> None:
        try:
            own: Any = importlib.import_module(f"cygrad{name[len('torch') :]}")
        except ModuleNotFoundError:
            own = None
        super().__init__(name, getattr(own, "__doc__", None))
        self.__path__: list[str] = []
        self.__dict__.update({key: getattr(own, key) for key in getattr(own, "__all__", ())})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = self.__dict__[name] = Absent(f"{self.__name__}.{name}")
        return value
