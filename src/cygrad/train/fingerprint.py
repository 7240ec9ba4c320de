"""Fingerprints of weights and data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from cygrad.nn.module import Module
from cygrad.tensor import Tensor

__all__ = ["fingerprint"]


def fingerprint(model: Module | Mapping[str, Any]) -> str:
    """Compute the SHA-256 of a model's state; equal fingerprints mean equal bits.

    It covers names, dtypes, shapes and little-endian bytes, in the order of the names.

    Args:
        model: a module, or a state dict of tensors or arrays.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> layer = cg.nn.Linear(2, 1)
        >>> before = cg.train.fingerprint(layer)
        >>> layer.weight.array[0, 0] += 1
        >>> len(before), cg.train.fingerprint(layer) == before
        (64, False)
    """
    state = model.state_dict() if isinstance(model, Module) else model
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name]
        array = np.asarray(value.array if isinstance(value, Tensor) else value)
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        head = f"{name}\0{array.dtype.newbyteorder('=').name}\0{array.shape}\0"
        digest.update(head.encode())
        digest.update(little.tobytes())
    return digest.hexdigest()
