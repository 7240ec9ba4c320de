"""``install()``, and the finder that answers imports of torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from cygrad import config
from cygrad._version import __version__
from cygrad.dtypes import bfloat16, float32
from cygrad.torch.absent import IMPORTED, AbsentModule
from cygrad.torch.modules import FUNCTIONS, RENAMED, left_out, opened, torch_module
from cygrad.torch.overloads import accept_old_calls
from cygrad.torch.types import answer_as_torch

__all__ = ["install"]


class Finder(MetaPathFinder, Loader):
    """Answers every import of ``torch`` and what lies in it: with a module of cygrad, or with one message."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module of this name; None for other packages' modules."""
        if name.partition(".")[0] not in ("torch", "functorch"):
            return None
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make one, which ``exec_module`` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of cygrad in the place of this one."""
        name = module.__name__
        own = sys.modules[name] = torch_module() if name == "torch" else found(name)
        if getattr(own, "__spec__", None) is None:
            own.__spec__ = module.__spec__  # which importlib.util.find_spec returns
        if not hasattr(own, "__path__"):
            own.__path__ = []  # such as cygrad.cuda, for torch.cuda.amp


def found(name: str) -> ModuleType:
    """The module that stands for torch.….

    Raises:
        ModuleNotFoundError: there is none.
    """
    if IMPORTED.fullmatch(name):
        return AbsentModule(name)
    if name in FUNCTIONS:
        return function_as_module(name)
    own = RENAMED.get(name, name.replace("torch", "cygrad", 1))
    try:
        return opened(name, importlib.import_module(own))
    except ModuleNotFoundError as error:
        if error.name is None or not own.startswith(error.name):
            raise  # something that the module itself imports
    raise ModuleNotFoundError(f"{name} is not in cygrad{left_out(name)}", name=name) from None


def function_as_module(name: str) -> Any:
    """The function that has the name of its module, with the module's names as attributes.

    The import system puts a module into its package: ``import torch.nn.utils.weight_norm`` would take the place of the
    function ``torch.nn.utils.weight_norm``, were it not the function itself.
    """
    package, _, own = name.rpartition(".")
    function = getattr(importlib.import_module(package), own)
    for key in FUNCTIONS[name]:
        setattr(function, key, getattr(importlib.import_module(package), key))
    return function


def install(quiet: bool = False) -> None:
    """Let ``import torch`` give cygrad in this process, whether or not PyTorch is installed.

    What cygrad refuses although PyTorch accepts it with a warning is accepted too: losses of shapes that differ, and
    ``softmax`` without ``dim``.

    Args:
        quiet: do not say so on stderr.

    Raises:
        RuntimeError: PyTorch has been imported already.
    """
    module = sys.modules.get("torch")
    if module is not None and not getattr(module, "__cygrad__", False):
        raise RuntimeError("cygrad.torch.install: PyTorch has been imported already; install() must come before")
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Finder())
    config.follow_torch(True)
    answer_as_torch()
    accept_old_calls()
    bfloat16.instead = float32
    importlib.import_module("torch.autograd.graph")  # a function whose attributes PyTorch's programs use
    if not quiet:
        print(f"cygrad.torch: torch is cygrad {__version__} in this process", file=sys.stderr)
