"""Losses that few networks use, as modules. Each calls the function of ``cygrad.nn.functional`` that has the formula.

``size_average`` and ``reduce`` are PyTorch's old form of ``reduction``: "mean" (default), "sum" or "none".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cygrad.nn.functional import margins as M
from cygrad.nn.modules.loss import NLLLoss, _Loss, _WeightedLoss
from cygrad.nn.options import KW_ONLY, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "CosineEmbeddingLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss2d",
    "PoissonNLLLoss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]

Flag = bool | None


class NLLLoss2d(NLLLoss):
    """The old name of :class:`NLLLoss`. As ``torch.nn.NLLLoss2d``.

    Args:
        weight, size_average, ignore_index, reduce, reduction: as there.
    """


@stores_options
class PoissonNLLLoss(_Loss):
    """Poisson negative log-likelihood of a rate, or of its logarithm. As ``torch.nn.PoissonNLLLoss``.

    Args:
        log_input: whether the input is the logarithm of the rate, default True.
        full: whether to add Stirling's approximation, default False.
        eps: added to the rate under the logarithm, default 10⁻⁸.
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    log_input: bool = True
    full: bool = False
    size_average: Flag = None
    eps: float = 1e-8
    reduce: Flag = None
    reduction: str = "mean"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return M.poisson_nll_loss(
            input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


@stores_options
class GaussianNLLLoss(_Loss):
    """Gaussian negative log-likelihood of a mean and a variance. As ``torch.nn.GaussianNLLLoss``.

    Args:
        full: whether to add ½·log 2π, default False.
        eps: floor under the variance, default 10⁻⁶.
        reduction: "mean" (default), "sum" or "none".
    """

    _: KW_ONLY
    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"

    def forward(self, input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        return M.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


@stores_options
class SoftMarginLoss(_Loss):
    """log(1 + e^(−t·x)), t = ±1. As ``torch.nn.SoftMarginLoss``.

    Args:
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    size_average: Flag = None
    reduce: Flag = None
    reduction: str = "mean"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return M.soft_margin_loss(input, target, reduction=self.reduction)


@stores_options
class HingeEmbeddingLoss(_Loss):
    """x where t = 1, max(0, margin − x) where t = −1. As ``torch.nn.HingeEmbeddingLoss``.

    Args:
        margin: default 1.
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    margin: float = 1.0
    size_average: Flag = None
    reduce: Flag = None
    reduction: str = "mean"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return M.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


@stores_options
class CosineEmbeddingLoss(_Loss):
    """1 − cos where t = 1, max(0, cos − margin) where t = −1. As ``torch.nn.CosineEmbeddingLoss``.

    Args:
        margin: default 0.
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    margin: float = 0.0
    size_average: Flag = None
    reduce: Flag = None
    reduction: str = "mean"

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return M.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


@stores_options
class MarginRankingLoss(_Loss):
    """max(0, −t·(x₁ − x₂) + margin). As ``torch.nn.MarginRankingLoss``.

    Args:
        margin: default 0.
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    margin: float = 0.0
    size_average: Flag = None
    reduce: Flag = None
    reduction: str = "mean"

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return M.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


@stores_options
class MultiLabelMarginLoss(_Loss):
    """Hinge loss of several classes against all others. As ``torch.nn.MultiLabelMarginLoss``.

    Args:
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    size_average: Flag = None
    reduce: Flag = None
    reduction: str = "mean"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return M.multilabel_margin_loss(input, target, reduction=self.reduction)


@stores_options
class TripletMarginLoss(_Loss):
    """max(0, d(anchor, positive) − d(anchor, negative) + margin). As ``torch.nn.TripletMarginLoss``.

    Args:
        margin: default 1.
        p: order of the distance, default 2.
        eps: added to the difference, default 10⁻⁶.
        swap: whether d(positive, negative) counts where it is less, default False.
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    size_average: Flag = None
    reduce: Flag = None
    reduction: str = "mean"

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return M.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


@stores_options
class TripletMarginWithDistanceLoss(_Loss):
    """max(0, d(anchor, positive) − d(anchor, negative) + margin). As ``torch.nn.TripletMarginWithDistanceLoss``.

    Args:
        distance_function: d, default None for ``pairwise_distance``.
        margin: default 1.
        swap: whether d(positive, negative) counts where it is less, default False.
        reduction: "mean" (default), "sum" or "none".
    """

    _: KW_ONLY
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None
    margin: float = 1.0
    swap: bool = False
    reduction: str = "mean"

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return M.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Mean over the classes of the binary cross entropy of logits. As ``torch.nn.MultiLabelSoftMarginLoss``.

    Args:
        weight: weight of each class, default None for 1.
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Flag = None,
        reduce: Flag = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return M.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """Σ max(0, weight[t]·(margin − x[t] + x[i])ᵖ)/C over the classes i ≠ t. As ``torch.nn.MultiMarginLoss``.

    Args:
        p: 1 (default) or 2.
        margin: default 1.
        weight: weight of each class, default None for 1.
        reduction: "mean" (default), "sum" or "none".
        size_average, reduce: see above.

    Raises:
        ValueError: p is neither 1 nor 2.
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: Flag = None,
        reduce: Flag = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p must be 1 or 2, got {p}")
        if weight is not None and weight.ndim != 1:
            raise ValueError(f"MultiMarginLoss: weight must have one dimension, got shape {tuple(weight.shape)}")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return M.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)
