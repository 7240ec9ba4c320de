"""cygrad: a lightweight training engine for CPUs."""

from cygrad import nn
from cygrad.serialization import load, save
from cygrad.tensor import Tensor, tensor

__version__ = "0.1.0"

__all__ = ["Tensor", "__version__", "load", "nn", "save", "tensor"]
