"""cygrad: a lightweight training engine for CPUs."""

from cygrad import nn
from cygrad.tensor import Tensor, tensor

__version__ = "0.1.0"

__all__ = ["Tensor", "__version__", "nn", "tensor"]
