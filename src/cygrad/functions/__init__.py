"""The functions of ``cygrad``: ops, and what is built from ops. Positional and keyword arguments are those of PyTorch.

A function is named once, in the ``__all__`` of its module. Modules that few programs need are imported by
``seldom.py``, and found there when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from cygrad.functions.comparisons import *
from cygrad.functions.indexing import *
from cygrad.functions.ordering import *
from cygrad.functions.products import *
from cygrad.functions.shapes import *
from cygrad.functions.statistics import *
from cygrad.ops.activation import relu as relu
from cygrad.ops.activation import sigmoid as sigmoid
from cygrad.ops.activation import tanh as tanh
from cygrad.ops.arithmetic import *
from cygrad.ops.compare import *
from cygrad.ops.einsum import *
from cygrad.ops.index import *
from cygrad.ops.linear import *
from cygrad.ops.pointwise import *
from cygrad.ops.reduce import *
from cygrad.ops.shape import *
from cygrad.ops.softmax import *

if TYPE_CHECKING:
    from cygrad.functions.seldom import *
else:
    __all__ = [n for n, v in globals().items() if n[0] != "_" and callable(v) and v is not import_module]

    def __getattr__(name):
        """Find a function that few programs need."""
        if not name.startswith("_"):
            seldom = import_module("cygrad.functions.seldom")
            if name in seldom.__all__:
                globals()[name] = function = getattr(seldom, name)
                return function
        raise AttributeError(f"module 'cygrad.functions' has no attribute {name!r}")
