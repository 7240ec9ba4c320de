"""What each op is in ONNX, one file a family as in ``cygrad/ops``.

The definitions of ONNX's operators: https://onnx.ai/onnx/operators/.
"""

from cygrad.integrations.onnx.translations import (
    activation,
    arithmetic,
    compare,
    index,
    layers,
    loss,
    pointwise,
    reduce,
    shape,
)
from cygrad.integrations.onnx.translations.table import TRANSLATIONS

__all__ = [
    "TRANSLATIONS",
    "activation",
    "arithmetic",
    "compare",
    "index",
    "layers",
    "loss",
    "pointwise",
    "reduce",
    "shape",
]
