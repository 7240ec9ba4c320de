"""Multi-head attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cygrad._attributes import AssertedError
from cygrad.nn import init
from cygrad.nn.functional import attention
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import checked_size, empty_parameter
from cygrad.nn.modules.linear import Linear

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.nn.parameter import Parameter
    from cygrad.tensor import Tensor

__all__ = ["MultiheadAttention"]


class NonDynamicallyQuantizableLinear(Linear):
    """The last layer of :class:`MultiheadAttention`, under PyTorch's name."""


class MultiheadAttention(Module):
    """Attend to a sequence with several heads: y = concat(softmax(qᵢ·kᵢᵀ/√d)·vᵢ)·Wᵀ + b, where qᵢ, kᵢ and vᵢ are
    linear functions of query, key and value, and d = embed_dim/num_heads. As ``torch.nn.MultiheadAttention``.
    A. Vaswani et al. (2017), "Attention is all you need".

    Args:
        embed_dim: E, width of query and result.
        num_heads: number of heads, which divides E.
        dropout: probability that a weight is dropped in training, default 0.
        bias: whether the linear layers have a bias, default True.
        add_bias_kv: whether a learned row is added to key and value, default False.
        add_zero_attn: whether a row of zeros is added to key and value, default False.
        kdim: width of key, default None for E.
        vdim: width of value, default None for E.
        batch_first: whether sequences are (N, L, E), not (L, N, E), default False.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    The forward takes query (L, N, E), key (S, N, kdim) and value (S, N, vdim), or such without N; ``key_padding_mask``
    (N, S) and ``attn_mask`` (L, S) or (N·num_heads, L, S), of bool, True for hidden keys, or numbers to add;
    ``need_weights``, ``average_attn_weights`` and the hint ``is_causal`` that attn_mask is causal. It returns
    (y, weights): weights (N, L, S), or (N, num_heads, L, S) unless they are averaged, and None with
    ``need_weights=False``, which is faster.

    Raises:
        ValueError: a size is not positive.
        AssertionError: num_heads does not divide embed_dim.

    >>> attention = cg.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = cg.zeros(1, 5, 8)
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    ((1, 5, 8), (1, 5, 5))
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        name = "MultiheadAttention"
        self.embed_dim = checked_size(name, "embed_dim", embed_dim, 1)
        self.num_heads = checked_size(name, "num_heads", num_heads, 1)
        self.kdim = checked_size(name, "kdim", embed_dim if kdim is None else kdim)
        self.vdim = checked_size(name, "vdim", embed_dim if vdim is None else vdim)
        if not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout must lie in [0, 1], got {dropout}")
        if embed_dim % num_heads:
            raise AssertedError(f"{name}: embed_dim {embed_dim} is not divisible by num_heads {num_heads}")
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self.head_dim = embed_dim // num_heads
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim

        def parameter(wanted: bool, *shape: int) -> Any:
            return empty_parameter(name, shape, device, dtype) if wanted else None

        separate = not self._qkv_same_embed_dim
        self.q_proj_weight = parameter(separate, embed_dim, embed_dim)
        self.k_proj_weight = parameter(separate, embed_dim, self.kdim)
        self.v_proj_weight = parameter(separate, embed_dim, self.vdim)
        self.in_proj_weight = parameter(not separate, 3 * embed_dim, embed_dim)
        self.in_proj_bias = parameter(bias, 3 * embed_dim)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        self.bias_k, self.bias_v = parameter(add_bias_kv, 1, 1, embed_dim), parameter(add_bias_kv, 1, 1, embed_dim)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Initialize as PyTorch does: Xavier's uniform distribution, biases 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            assert self.out_proj.bias is not None
            init.zeros_(self.out_proj.bias)
        for row in (self.bias_k, self.bias_v):
            if row is not None:
                init.xavier_normal_(row)

    def _described(self) -> dict[str, Any]:
        names = ("embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim", "batch_first")
        flags: dict[str, Any] = {"bias": self.in_proj_bias is not None, "add_bias_kv": self.bias_k is not None}
        flags["dtype"] = str(self.out_proj.weight.array.dtype)
        return {**{name: getattr(self, name) for name in names}, **flags}

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        batched = attention.check_sequences(query, key, value, key_padding_mask, attn_mask, self.num_heads)
        if query.shape[-1] != self.embed_dim:
            raise AssertedError(f"MultiheadAttention: query has width {query.shape[-1]}, wanted {self.embed_dim}")
        causal = attention.causal_of(is_causal, attn_mask, key_padding_mask, need_weights)
        inputs: Any = (query, key, value)
        if not batched:
            inputs = attention.with_batch(inputs, 1)
            key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        y, weights = attention.attend(
            inputs,
            self.num_heads,
            (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight),
            (self.in_proj_bias, self.bias_k, self.bias_v),
            (self.out_proj.weight, self.out_proj.bias),
            self.dropout if self.training else 0.0,
            (key_padding_mask, None if causal else attn_mask, causal),
            (self.batch_first and batched, self.add_zero_attn, need_weights, average_attn_weights),
        )
        if not batched:
            y, weights = y.squeeze(1), None if weights is None else weights.squeeze(0)
        return y, weights
