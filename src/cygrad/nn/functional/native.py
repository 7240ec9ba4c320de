"""Layers' functions as ``torch`` itself has them: ``torch.dropout``, ``torch.batch_norm``.

They are those of :mod:`cygrad.nn.functional` with other parameters: the flags are required, the order differs, and a
reduction is a number. Code written after PyTorch's internals calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cygrad._arguments import checked
from cygrad.autograd import engine, no_grad
from cygrad.nn import functional

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "alpha_dropout", "alpha_dropout_", "batch_norm", "binary_cross_entropy_with_logits", "constant_pad_nd",
    "cosine_embedding_loss", "dropout", "dropout_", "embedding", "embedding_bag", "embedding_renorm_",
    "feature_alpha_dropout", "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "group_norm",
    "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "margin_ranking_loss", "poisson_nll_loss",
    "rms_norm", "triplet_margin_loss",
]  # fmt: skip

REDUCTIONS = ("none", "mean", "sum")
MODES = ("sum", "mean", "max")  # of a bag


def reduced(op: str, reduction: int) -> str:
    """The name of a reduction that is given as a number.

    Raises:
        ValueError: it is none of 0 (none), 1 (mean) and 2 (sum).
    """
    if isinstance(reduction, bool) or reduction not in (0, 1, 2):
        raise ValueError(f"{op}: reduction must be 0 (none), 1 (mean) or 2 (sum), got {reduction!r}")
    return REDUCTIONS[reduction]


def in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function as one that writes its result into the input."""

    @checked
    def write(input: Tensor, p: float, train: bool) -> Tensor:
        result: Tensor = engine.rewrite(input, function(input, p, train))
        return result

    write.__name__ = write.__qualname__ = f"{function.__name__}_"
    write.__doc__ = f"In-place ``{function.__name__}``: writes the result into the input and returns it."
    return write


@checked
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Drop elements with probability p when `train` is true; see :func:`cygrad.nn.functional.dropout`."""
    return functional.dropout(input, p, train)


@checked
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Drop elements and keep mean and variance; see :func:`cygrad.nn.functional.alpha_dropout`."""
    return functional.alpha_dropout(input, p, train)


@checked
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Drop channels and keep mean and variance; see :func:`cygrad.nn.functional.feature_alpha_dropout`."""
    return functional.feature_alpha_dropout(input, p, train)


@checked
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Drop channels, which are whole planes of the input (N, C, …), with probability p when `train` is true.

    Raises:
        RuntimeError: the input has fewer than two dimensions.
    """
    if input.ndim < 2:
        raise RuntimeError(f"feature_dropout: input must have at least 2 dimensions, got shape {input.shape}")
    if not train or p == 0:
        return functional.dropout(input, p, train)
    mask = input.new_ones(*input.shape[:2], *[1] * (input.ndim - 2))
    return input * functional.dropout(mask, p, train)


dropout_, alpha_dropout_ = in_place(dropout), in_place(alpha_dropout)
feature_dropout_, feature_alpha_dropout_ = in_place(feature_dropout), in_place(feature_alpha_dropout)


@checked
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Normalize each channel over the batch; see :func:`cygrad.nn.functional.batch_norm`."""
    return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@checked
def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Normalize each channel of each sample; see :func:`cygrad.nn.functional.instance_norm`."""
    return functional.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


@checked
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Normalize over the last dimensions; see :func:`cygrad.nn.functional.layer_norm`."""
    return functional.layer_norm(input, normalized_shape, weight, bias, eps)


@checked
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Normalize groups of channels; see :func:`cygrad.nn.functional.group_norm`."""
    return functional.group_norm(input, num_groups, weight, bias, eps)


@checked
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Divide by the root of the mean square; see :func:`cygrad.nn.functional.rms_norm`."""
    return functional.rms_norm(input, normalized_shape, weight, eps)


@checked
def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """Return rows of `weight`; see :func:`cygrad.nn.functional.embedding`. A `padding_idx` of −1 means none."""
    padding = None if padding_idx == -1 else padding_idx
    return functional.embedding(indices, weight, padding, None, 2.0, scale_grad_by_freq, sparse)


@checked
def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor]:
    """Return a tuple with the sum, mean or maximum (`mode` 0, 1, 2) of rows of `weight`, for each bag of indices; see
    :func:`cygrad.nn.functional.embedding_bag`."""
    if isinstance(mode, bool) or mode not in (0, 1, 2):
        raise ValueError(f"embedding_bag: mode must be 0 (sum), 1 (mean) or 2 (max), got {mode!r}")
    options = (scale_grad_by_freq, MODES[mode], sparse, per_sample_weights, include_last_offset, padding_idx)
    return (functional.embedding_bag(indices, weight, offsets, None, 2, *options),)


@checked
def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale the rows of `input` that `indices` name so that none has a norm above `max_norm`, in place."""
    with no_grad():
        functional.embedding(indices, input, None, max_norm, norm_type)
    return input


@checked
def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """Add elements of one value at the ends of dimensions; see :func:`cygrad.nn.functional.pad`."""
    return functional.pad(input, pad, "constant", value)


@checked
def kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Tensor:
    """Return the Kullback-Leibler divergence, for a reduction that is a number; see
    :func:`cygrad.nn.functional.kl_div`."""
    return functional.kl_div(input, target, reduction=reduced("kl_div", reduction), log_target=log_target)


@checked
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 1
) -> Tensor:
    """Return the binary cross entropy of logits, for a reduction that is a number; see
    :func:`cygrad.nn.functional.binary_cross_entropy_with_logits`."""
    name = reduced("binary_cross_entropy_with_logits", reduction)
    return functional.binary_cross_entropy_with_logits(input, target, weight, reduction=name, pos_weight=pos_weight)


@checked
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """Return the loss of Poisson counts, for a reduction that is a number; see
    :func:`cygrad.nn.functional.poisson_nll_loss`."""
    name = reduced("poisson_nll_loss", reduction)
    return functional.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=name)


@checked
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Tensor:
    """Return the hinge loss of distances; see :func:`cygrad.nn.functional.hinge_embedding_loss`."""
    return functional.hinge_embedding_loss(
        input, target, margin, reduction=reduced("hinge_embedding_loss", reduction)
    )


@checked
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """Return the loss of cosine similarities; see :func:`cygrad.nn.functional.cosine_embedding_loss`."""
    name = reduced("cosine_embedding_loss", reduction)
    return functional.cosine_embedding_loss(input1, input2, target, margin, reduction=name)


@checked
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """Return the ranking loss of pairs; see :func:`cygrad.nn.functional.margin_ranking_loss`."""
    name = reduced("margin_ranking_loss", reduction)
    return functional.margin_ranking_loss(input1, input2, target, margin, reduction=name)


@checked
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Tensor:
    """Return the loss of triplets; see :func:`cygrad.nn.functional.triplet_margin_loss`."""
    name = reduced("triplet_margin_loss", reduction)
    return functional.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=name)
