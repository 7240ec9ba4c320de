"""Losses as modules. Each calls the function of ``cygrad.nn.functional`` that has the formula.

``reduction`` is the same for all: "mean" (the default) averages the losses of all elements or samples, "sum" adds them
up, "none" returns them one by one. ``size_average`` and ``reduce`` are its old form: flags, both True by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cygrad.nn import functional as F
from cygrad.nn.functional.loss import legacy
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Configured):
    """A loss of an input and a target, reduced to one number unless ``reduction="none"``."""

    reduction: str
    _reductions: ClassVar[tuple[str, ...]] = ("mean", "sum", "none")
    _passed = ("size_average", "reduce")

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction
        _Loss.__post_init__(self, size_average, reduce)

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        self.reduction = legacy(type(self).__name__, size_average, reduce, self.reduction)
        if self.reduction not in self._reductions:
            wanted = f"{', '.join(self._reductions[:-1])} or {self._reductions[-1]}"
            raise ValueError(f"{type(self).__name__}: reduction must be {wanted}, got {self.reduction!r}")

    def extra_repr(self) -> str:
        return ""


@stores_options
class MSELoss(_Loss):
    """Squared error (x − y)². As ``torch.nn.MSELoss``.

    Args:
        size_average, reduce: see above.
        reduction: "mean" (default), "sum" or "none".

    >>> cg.nn.MSELoss()(cg.tensor([1.0, 2.0]), cg.tensor([1.0, 4.0]))
    tensor(2.)
    """

    size_average: bool | None = None
    reduce: bool | None = None
    reduction: str = "mean"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


@stores_options
class L1Loss(_Loss):
    """Absolute error |x − y|. As ``torch.nn.L1Loss``.

    Args:
        size_average, reduce: see above.
        reduction: "mean" (default), "sum" or "none".
    """

    size_average: bool | None = None
    reduce: bool | None = None
    reduction: str = "mean"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


@stores_options
class SmoothL1Loss(_Loss):
    """½(x − y)²/beta where |x − y| < beta, else |x − y| − ½beta. As ``torch.nn.SmoothL1Loss``. R. Girshick (2015),
    "Fast R-CNN".

    Args:
        size_average, reduce: see above.
        reduction: "mean" (default), "sum" or "none".
        beta: error at which the parabola becomes a line, default 1.
    """

    size_average: bool | None = None
    reduce: bool | None = None
    reduction: str = "mean"
    beta: float = 1.0

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


@stores_options
class HuberLoss(_Loss):
    """½(x − y)² where |x − y| ≤ delta, else delta·(|x − y| − ½delta). As ``torch.nn.HuberLoss``. P. J. Huber (1964),
    "Robust estimation of a location parameter".

    Args:
        reduction: "mean" (default), "sum" or "none".
        delta: error at which the parabola becomes a line, default 1.
    """

    reduction: str = "mean"
    delta: float = 1.0

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


@stores_options
class KLDivLoss(_Loss):
    """Kullback-Leibler divergence y·(log y − x), for log-probabilities x. As ``torch.nn.KLDivLoss``.

    Args:
        size_average, reduce: see above.
        reduction: "mean" (default), "sum", "none", or "batchmean", which divides the sum by the batch size and is the
            divergence by its definition.
        log_target: whether y is given as log-probabilities too, default False.
    """

    _reductions = ("mean", "sum", "none", "batchmean")

    size_average: bool | None = None
    reduce: bool | None = None
    reduction: str = "mean"
    log_target: bool = False

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class _WeightedLoss(_Loss):
    """A loss with weights, which are a buffer and so part of its state."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class BCELoss(_WeightedLoss):
    """Binary cross entropy −weight·(y·log p + (1 − y)·log(1 − p)) of probabilities p. As ``torch.nn.BCELoss``.

    Args:
        size_average, reduce: see above.
        weight: factor of each loss, of a shape that broadcasts to the input's, default None for 1.
        reduction: "mean" (default), "sum" or "none".
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of σ(x), computed from the logits x without overflow. As ``torch.nn.BCEWithLogitsLoss``.

    Args:
        size_average, reduce: see above.
        weight: factor of each loss, of a shape that broadcasts to the input's, default None for 1.
        reduction: "mean" (default), "sum" or "none".
        pos_weight: factor of the term of the positive class (y = 1), of a shape that broadcasts to the input's, default
            None for 1.
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, weight=self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood −weight[y]·x[y], for log-probabilities x and class indices y. As ``torch.nn.NLLLoss``.

    Args:
        size_average, reduce: see above.
        weight: weight of each class, shape (C,), default None for 1. The mean is divided by Σ weight[y].
        ignore_index: class index whose samples do not count, default −100.
        reduction: "mean" (default), "sum" or "none".
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(_WeightedLoss):
    """Cross entropy of logits x: −weight[y]·log softmax(x)[y] for class indices y, −Σ weight·y·log softmax(x) for
    probabilities y. As ``torch.nn.CrossEntropyLoss``.

    Args:
        size_average, reduce: see above.
        weight: weight of each class, shape (C,), default None for 1. With class indices, the mean is divided by
            Σ weight[y].
        ignore_index: class index whose samples do not count, default −100.
        reduction: "mean" (default), "sum" or "none".
        label_smoothing: s in (1 − s)·y + s/C, which replaces the probabilities y, default 0.

    Raises:
        ValueError: label_smoothing does not lie in [0, 1].

    >>> cg.nn.CrossEntropyLoss()(cg.zeros(1, 4), cg.tensor([2])).item() - 1.3862943 < 1e-6
    True
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"CrossEntropyLoss: label_smoothing must lie in [0, 1], got {label_smoothing}")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
