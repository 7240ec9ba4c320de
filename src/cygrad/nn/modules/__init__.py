"""The modules, one file for each family, under PyTorch's names."""

from __future__ import annotations

from typing import Any

__all__ = ["FILES"]

# PyTorch's files of modules that cygrad has in others. All names are in cygrad.nn.
FILES = frozenset((
    "adaptive", "batchnorm", "channelshuffle", "flatten", "fold", "instancenorm", "module", "normalization", "padding",
    "pixelshuffle", "rnn", "sparse", "upsampling",
))  # fmt: skip


def __getattr__(name: str) -> Any:
    """Find PyTorch's file of a module, as in ``nn.modules.batchnorm.BatchNorm1d``, or a module itself."""
    import sys

    nn = sys.modules["cygrad.nn"]
    return nn if name in FILES else getattr(nn, name)
