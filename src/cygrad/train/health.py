"""Gradient health: statistics of each layer's gradients and updates, and warnings when they go wrong."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.nn.module import Module
from cygrad.nn.parameter import Parameter
from cygrad.train.callbacks import Callback
from cygrad.train.protocols import TrainerLike

__all__ = [
    "ExplodingGradientWarning",
    "GradientHealth",
    "GradientWarning",
    "LayerHealth",
    "NanGradientWarning",
    "VanishingGradientWarning",
]


class GradientWarning(UserWarning):
    """The gradient of a layer is unhealthy."""


class VanishingGradientWarning(GradientWarning):
    """The gradient of a layer is far smaller than that of others."""


class ExplodingGradientWarning(GradientWarning):
    """The gradient of a layer is too large."""


class NanGradientWarning(GradientWarning):
    """The gradient of a layer contains NaN or an infinity."""


class LayerHealth(NamedTuple):
    """Statistics of all parameters of a layer.

    Args:
        norm: 2-norm of the gradient before clipping.
        zeros: fraction of zeros in the gradient.
        rms: root mean square of the gradient.
        update_ratio: ‖update‖/‖weights‖, NaN until the update.
    """

    norm: float
    zeros: float
    rms: float
    update_ratio: float = math.nan


class GradientHealth(Callback):
    """Measure the gradients of every layer, and warn when they vanish, explode or are not finite.

    A layer is a module that has parameters itself. ``layers`` maps the names of layers to the latest ``LayerHealth``;
    ``records`` lists it for each epoch. Each layer is warned about once per training and kind:

    - ``NanGradientWarning`` if the gradient is not finite, before the trainer raises its error;
    - ``ExplodingGradientWarning`` if its norm is above `exploding`;
    - ``VanishingGradientWarning`` if its root mean square is below `vanishing` times the largest of all layers.

    In a healthy training the update ratio is about 1e-3.

    Args:
        every: steps between two measurements.
        vanishing: smallest healthy root mean square, as a fraction of the largest.
        exploding: largest healthy norm.

    Raises:
        ValueError: if an argument is out of range.

    X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks".

    Example:
        >>> health = cg.train.GradientHealth(every=1)
        >>> model = cg.nn.Linear(2, 1)
        >>> trainer = cg.train.Trainer(
        ...     model, cg.nn.functional.mse_loss, cg.optim.SGD([model.weight, model.bias], lr=0.1),
        ...     callbacks=[health], progress=False,
        ... )
        >>> _ = trainer.fit([(cg.ones(4, 2), cg.ones(4, 1))])
        >>> list(health.layers), health.layers["Linear"].zeros
        (['Linear'], 0.0)
    """

    def __init__(self, every: int = 10, vanishing: float = 1e-5, exploding: float = 1e3) -> None:
        if not every >= 1 or not 0 <= vanishing < 1 or not exploding > 0:
            raise ValueError(
                "GradientHealth: every must be at least 1, vanishing in [0, 1) and exploding above 0, "
                f"got {every}, {vanishing} and {exploding}"
            )
        self.every = every
        self.vanishing = vanishing
        self.exploding = exploding
        self.layers: dict[str, LayerHealth] = {}
        self.records: list[dict[str, LayerHealth]] = []
        self._weights: dict[str, list[Array]] = {}  # before the update, in a step that is measured
        self._warned: set[tuple[type[GradientWarning], str]] = set()

    def on_fit_begin(self, trainer: TrainerLike) -> None:
        self._warned.clear()

    def on_backward_end(self, trainer: TrainerLike) -> None:
        self._weights = {}
        if trainer.step % self.every:
            return
        layers = layers_of(trainer.model)
        self.layers = {name: measure([p.grad.array for p in params if p.grad is not None]) for name, params in layers}
        self._weights = {name: [p.array.copy() for p in params] for name, params in layers}
        self._warn(trainer)

    def on_batch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        for name, params in layers_of(trainer.model) if self._weights else []:
            before = self._weights[name]
            change = norm_of([p.array - old for p, old in zip(params, before, strict=True)])
            size = norm_of(before)
            self.layers[name] = self.layers[name]._replace(update_ratio=change / size if size else math.nan)
        self._weights = {}

    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        self.records.append(dict(self.layers))

    def _warn(self, trainer: TrainerLike) -> None:
        largest = max((layer.rms for layer in self.layers.values() if math.isfinite(layer.rms)), default=0.0)
        for name, layer in self.layers.items():
            subject = f"epoch {trainer.epoch}, step {trainer.step + 1}: the gradient of layer {name}"
            if not math.isfinite(layer.norm):
                self._warn_once(NanGradientWarning, name, f"{subject} is not finite, its norm is {layer.norm}")
            elif layer.norm > self.exploding:
                text = f"{subject} explodes: its norm is {layer.norm:.3g}, above {self.exploding:g}"
                self._warn_once(ExplodingGradientWarning, name, text)
            elif layer.rms < self.vanishing * largest:
                text = f"{subject} vanishes: its root mean square is {layer.rms:.3g}, the largest is {largest:.3g}"
                self._warn_once(VanishingGradientWarning, name, text)

    def _warn_once(self, kind: type[GradientWarning], name: str, message: str) -> None:
        if (kind, name) not in self._warned:
            self._warned.add((kind, name))
            warnings.warn(message, kind, stacklevel=2)


def layers_of(model: Module) -> list[tuple[str, list[Parameter]]]:
    """The modules that have learnable parameters themselves, by dotted name; the model goes by the name of its type."""
    layers = []
    for name, module in model.named_modules():
        params = [p for p in module.parameters(recurse=False) if p.requires_grad]
        if params:
            layers.append((name or type(module).__name__, params))
    return layers


def measure(gradients: list[Array]) -> LayerHealth:
    """The statistics of a layer's gradients."""
    count = sum(g.size for g in gradients)
    norm = norm_of(gradients)
    zeros = sum(g.size - int(np.count_nonzero(g)) for g in gradients)
    return LayerHealth(norm, zeros / count if count else 1.0, norm / math.sqrt(count) if count else 0.0)


def norm_of(arrays: list[Any]) -> float:
    """The 2-norm of all arrays together."""
    return float(kernels.grad_norm(arrays, 2.0)) if arrays else 0.0
