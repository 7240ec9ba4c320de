"""The functions behind the modules, under the names of ``torch.nn.functional``."""

from typing import TYPE_CHECKING

from cygrad._missing import files_of, found
from cygrad.nn.functional import activation
from cygrad.nn.functional.activation import *
from cygrad.nn.functional.dropout import dropout
from cygrad.nn.functional.linear import embedding, ensemble_linear, linear, one_hot
from cygrad.ops import activation as activation_ops
from cygrad.ops.activation import *

if TYPE_CHECKING:
    from cygrad.nn.functional.attention import *
    from cygrad.nn.functional.conv import *
    from cygrad.nn.functional.loss import *
    from cygrad.nn.functional.norm import *
    from cygrad.nn.functional.pooling import *
    from cygrad.nn.functional.seldom import *

FILES = files_of({
    "attention": "multi_head_attention_forward scaled_dot_product_attention",
    "conv": "conv1d conv2d conv_transpose1d conv_transpose2d",
    "loss": "binary_cross_entropy binary_cross_entropy_with_logits cross_entropy huber_loss kl_div l1_loss mse_loss "
    "nll_loss smooth_l1_loss",
    "norm": "batch_norm layer_norm normalize",
    "pooling": "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool1d_with_indices "
    "adaptive_max_pool2d adaptive_max_pool2d_with_indices avg_pool1d avg_pool2d lp_pool1d lp_pool2d max_pool1d "
    "max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_unpool1d max_unpool2d",
})  # fmt: skip

__all__ = ["dropout", "embedding", "ensemble_linear", "linear", "one_hot"]
__all__ += activation.__all__
__all__ += activation_ops.__all__
__all__ += FILES


if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a function when it is first used, or say why it is missing."""
        return found(name, "cygrad.nn.functional", "cygrad.nn.functional", FILES, globals(), rest="seldom")

    def __dir__():
        from cygrad.nn.functional import seldom

        return sorted({*globals(), *FILES, *seldom.__all__})
