"""The translations of ops to ONNX, one file per family as in ``cygrad/ops``.

ONNX's operators are defined at https://onnx.ai/onnx/operators/.
"""

from cygrad.integrations.onnx.translations import (
    activation,
    arithmetic,
    attention,
    compare,
    index,
    layers,
    loss,
    pointwise,
    pooling,
    recurrent,
    reduce,
    shape,
)
from cygrad.integrations.onnx.translations.registry import TRANSLATIONS

__all__ = [
    "TRANSLATIONS",
    "activation",
    "arithmetic",
    "attention",
    "compare",
    "index",
    "layers",
    "loss",
    "pointwise",
    "pooling",
    "recurrent",
    "reduce",
    "shape",
]
