"""The functions behind the modules, under the names of ``torch.nn.functional``."""

from typing import TYPE_CHECKING

from cygrad._missing import found
from cygrad.nn.functional import activation
from cygrad.nn.functional.activation import *
from cygrad.nn.functional.dropout import dropout
from cygrad.nn.functional.linear import embedding, linear, one_hot
from cygrad.nn.functional.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from cygrad.nn.functional.norm import batch_norm, layer_norm, normalize
from cygrad.ops import activation as activation_ops
from cygrad.ops.activation import *

__all__ = [
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "embedding",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "linear",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "smooth_l1_loss",
]
__all__ += activation.__all__
__all__ += activation_ops.__all__


if TYPE_CHECKING:
    from cygrad.nn.functional.seldom import *
else:

    def __getattr__(name):
        """Find a function that few networks need, or say why it is missing."""
        return found(name, "cygrad.nn.functional", "cygrad.nn.functional.seldom", globals())

    def __dir__():
        from cygrad.nn.functional import seldom

        return sorted({*globals(), *seldom.__all__})
