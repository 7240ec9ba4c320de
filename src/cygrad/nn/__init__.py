"""Neural networks: modules, functional forms, initialisation, utilities."""

from cygrad.nn import functional

__all__ = ["functional"]
