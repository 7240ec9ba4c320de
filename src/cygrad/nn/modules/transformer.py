"""Transformers. A. Vaswani et al. (2017), "Attention is all you need"."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.config import default_float
from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.activation import GELU, ReLU
from cygrad.nn.modules.attention import MultiheadAttention
from cygrad.nn.modules.container import ModuleList
from cygrad.nn.modules.dropout import Dropout
from cygrad.nn.modules.factory import checked_size, spend
from cygrad.nn.modules.layer_norm import LayerNorm
from cygrad.nn.modules.linear import Linear
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Tensor], Tensor]


def activation_of(name: str, activation: Activation) -> Callable[[Tensor], Tensor]:
    """The function of an activation's name."""
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"{name}: activation must be relu, gelu or a function, got {activation!r}")
    return F.relu if activation == "relu" else F.gelu


def _get_activation_fn(activation: str) -> Callable[[Tensor], Tensor]:
    return activation_of("_get_activation_fn", activation)


def _get_clones(module: Module, N: int) -> ModuleList:
    return clones("_get_clones", module, N)


def name_of(layer: Module, activation: Any) -> str:
    """The name of an activation, for a description."""
    if activation is F.relu or isinstance(activation, ReLU):
        return "relu"
    if activation is F.gelu or (isinstance(activation, GELU) and activation.approximate == "none"):
        return "gelu"
    raise TypeError(f"describe: {type(layer).__name__} has a function for its option activation, wanted relu or gelu")


def clones(owner: str, module: Module, count: int) -> ModuleList:
    """Copies of a module, all with parameters of their own."""
    number = checked_size(owner, "num_layers", count)
    if not isinstance(module, Module):
        raise TypeError(f"{owner}: a layer must be a module, got {type(module).__name__}")
    for parameter in module.parameters():
        spend(owner, (number, *parameter.shape))
    return ModuleList([copy.deepcopy(module) for _ in range(number)])


class _Layer(Module):
    """What the layers of encoder and decoder share."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self._add_attention(lambda: MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
        ))  # fmt: skip
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        for number in range(1, self._parts + 1):
            self.add_module(f"norm{number}", LayerNorm(d_model, layer_norm_eps, True, bias, device, dtype))
        for number in range(1, self._parts + 1):
            self.add_module(f"dropout{number}", Dropout(dropout))
        self.activation = activation_of(type(self).__name__, activation)

    _parts: int
    self_attn: MultiheadAttention
    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout

    def _add_attention(self, make: Callable[[], MultiheadAttention]) -> None:
        self.self_attn = make()

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _described(self) -> dict[str, Any]:
        return {
            "d_model": self.self_attn.embed_dim,
            "nhead": self.self_attn.num_heads,
            "dim_feedforward": self.linear1.out_features,
            "dropout": self.dropout.p,
            "activation": name_of(self, self.activation),
            "layer_norm_eps": self.norm1.eps,
            "batch_first": self.self_attn.batch_first,
            "norm_first": self.norm_first,
            "bias": self.linear1.bias is not None,
            "dtype": str(self.linear1.weight.array.dtype),
        }


class TransformerEncoderLayer(_Layer):
    """Self-attention and a network of two linear layers, each with a residual connection and layer norm:
    x ← norm(x + attention(x)), x ← norm(x + W₂·activation(W₁·x)). As ``torch.nn.TransformerEncoderLayer``.

    Args:
        d_model: width of the sequence.
        nhead: number of heads.
        dim_feedforward: width between the linear layers, default 2048.
        dropout: probability of dropout, default 0.1.
        activation: "relu" (default), "gelu", or a function of tensors.
        layer_norm_eps: of the layer norms, default 10⁻⁵.
        batch_first: whether sequences are (N, L, E), not (L, N, E), default False.
        norm_first: whether norms come before attention and linear layers, x ← x + attention(norm(x)), default False.
        bias: whether layers have biases, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> layer = cg.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(cg.zeros(1, 5, 8)).shape
    (1, 5, 8)
    """

    _parts = 2

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        x = src
        masks = (src_mask, src_key_padding_mask, is_causal)
        if self.norm_first:
            x = x + self._attend(self.norm1(x), *masks)
            return x + self.dropout2(self._feed_forward(self.norm2(x)))
        x = self.norm1(x + self._attend(x, *masks))
        return self.norm2(x + self.dropout2(self._feed_forward(x)))

    def _attend(self, x: Tensor, mask: Tensor | None, padding: Tensor | None, causal: bool) -> Tensor:
        y, _ = self.self_attn(x, x, x, padding, False, mask, True, causal and mask is not None)
        return self.dropout1(y)


class TransformerDecoderLayer(_Layer):
    """:class:`TransformerEncoderLayer` with attention to a second sequence, the memory, after self-attention. As
    ``torch.nn.TransformerDecoderLayer``.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation: as there.
        layer_norm_eps, batch_first, norm_first, bias, device, dtype: as there.

    >>> layer = cg.nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> layer(cg.zeros(1, 5, 8), cg.zeros(1, 7, 8)).shape
    (1, 5, 8)
    """

    _parts = 3
    multihead_attn: MultiheadAttention
    norm3: LayerNorm
    dropout3: Dropout

    def _add_attention(self, make: Callable[[], MultiheadAttention]) -> None:
        self.self_attn, self.multihead_attn = make(), make()

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        x = tgt
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        if self.norm_first:
            x = x + self._attend(self.norm1(x), *own)
            x = x + self._attend_memory(self.norm2(x), *other)
            return x + self.dropout3(self._feed_forward(self.norm3(x)))
        x = self.norm1(x + self._attend(x, *own))
        x = self.norm2(x + self._attend_memory(x, *other))
        return self.norm3(x + self.dropout3(self._feed_forward(x)))

    def _attend(self, x: Tensor, mask: Tensor | None, padding: Tensor | None, causal: bool) -> Tensor:
        y, _ = self.self_attn(x, x, x, padding, False, mask, True, causal and mask is not None)
        return self.dropout1(y)

    def _attend_memory(
        self, x: Tensor, memory: Tensor, mask: Tensor | None, padding: Tensor | None, causal: bool
    ) -> Tensor:
        y, _ = self.multihead_attn(x, memory, memory, padding, False, mask, True, causal and mask is not None)
        return self.dropout2(y)


class TransformerEncoder(Module):
    """A stack of encoder layers. As ``torch.nn.TransformerEncoder``.

    Args:
        encoder_layer: the layer that is copied.
        num_layers: number of copies.
        norm: module after the last layer, default None.
        enable_nested_tensor, mask_check: taken for PyTorch's sake; there are no nested tensors.

    >>> layer = cg.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> cg.nn.TransformerEncoder(layer, 2)(cg.zeros(1, 5, 8)).shape
    (1, 5, 8)
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = clones("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def _described(self) -> dict[str, Any]:
        if not len(self.layers):
            raise TypeError("describe: a TransformerEncoder without layers can't be described")
        return {"encoder_layer": self.layers[0], "num_layers": self.num_layers, "norm": self.norm}

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        output = src
        for layer in self.layers:
            output = layer(output, mask, src_key_padding_mask, bool(is_causal))
        return output if self.norm is None else self.norm(output)


class TransformerDecoder(Module):
    """A stack of decoder layers. As ``torch.nn.TransformerDecoder``.

    Args:
        decoder_layer: the layer that is copied.
        num_layers: number of copies.
        norm: module after the last layer, default None.
    """

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = clones("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def _described(self) -> dict[str, Any]:
        if not len(self.layers):
            raise TypeError("describe: a TransformerDecoder without layers can't be described")
        return {"decoder_layer": self.layers[0], "num_layers": self.num_layers, "norm": self.norm}

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        output = tgt
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                bool(tgt_is_causal),
                memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """An encoder of one sequence and a decoder of another that attends to it. As ``torch.nn.Transformer``. A. Vaswani
    et al. (2017), "Attention is all you need".

    Args:
        d_model: width of both sequences, default 512.
        nhead: number of heads, default 8.
        num_encoder_layers: default 6.
        num_decoder_layers: default 6.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype: as in
            :class:`TransformerEncoderLayer`.
        custom_encoder: module in place of the encoder, default None.
        custom_decoder: module in place of the decoder, default None.

    Raises:
        RuntimeError: in forward, if batches or widths do not fit.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        given = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, True, bias, device, dtype)

        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            layer = TransformerEncoderLayer(*given, device, dtype)
            self.encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            other = TransformerDecoderLayer(*given, device, dtype)
            self.decoder = TransformerDecoder(other, num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self) -> None:
        """Initialize all matrices by Xavier's uniform distribution."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def _described(self) -> dict[str, Any]:
        if type(self.encoder) is not TransformerEncoder or type(self.decoder) is not TransformerDecoder:
            raise TypeError("describe: a Transformer with a custom encoder or decoder can't be described")
        if not len(self.encoder.layers):
            raise TypeError("describe: a Transformer without encoder layers can't be described")
        counts = {"num_encoder_layers": self.encoder.num_layers, "num_decoder_layers": self.decoder.num_layers}
        layer: Any = self.encoder.layers[0]
        return {**layer._described(), **counts}

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        axis = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[axis] != tgt.shape[axis]:
            raise RuntimeError(f"Transformer: src has {src.shape[axis]} sequences, but tgt {tgt.shape[axis]}")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                f"Transformer: src and tgt have widths {src.shape[-1]} and {tgt.shape[-1]}, wanted {self.d_model}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: DTypeLike | None = None) -> Tensor:
        """Return the mask (sz, sz) that hides later positions: −∞ above the diagonal, else 0."""
        return Tensor(np.triu(np.full((sz, sz), -np.inf, np.dtype(dtype or default_float())), 1))
