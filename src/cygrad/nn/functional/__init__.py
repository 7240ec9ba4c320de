"""The functions behind the modules, under PyTorch's names."""

from cygrad.nn.functional.activation import relu

__all__ = ["relu"]
