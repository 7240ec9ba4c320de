"""One update of the weights, as functions of tensors and plain numbers, so that it can be recorded."""

from __future__ import annotations

import functools
import operator
from typing import Any

from cygrad.compiler import CompiledFunction
from cygrad.nn.module import Module
from cygrad.optim.optimizer import Optimizer
from cygrad.tensor import Tensor
from cygrad.train.clipping import clip_gradients
from cygrad.train.evaluation import Loss

__all__ = ["RecordedStep", "TrainingStep"]


class TrainingStep:
    """The gradient of a loss, and the update of the weights by an optimizer."""

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer

    def gradient(
        self, inputs: Any, target: Any, share: float, first: bool, measured: bool, clip: str | None, bound: float
    ) -> tuple[Tensor, Any, Tensor | None]:
        """Accumulate `share` of a batch's gradient, from zero if the batch is the `first` of its update.

        Returns:
            The loss; the output if it is `measured`; and if `clip` names a kind, the gradient's norm before clipping.
        """
        if first:
            self.optimizer.zero_grad()
        output = self.model(inputs)
        loss = self.loss(output, target)
        (loss if share == 1.0 else loss * share).backward()
        norm = None if clip is None else self.clip(clip, bound)
        return loss, detached(output) if measured else None, norm

    def clip(self, kind: str, bound: float) -> Tensor:
        """Clip the gradients; return their total norm before."""
        return clip_gradients([p for group in self.optimizer.param_groups for p in group["params"]], kind, bound)

    def update(self) -> None:
        """Update the weights."""
        self.optimizer.step()

    def recorded_gradient(self, quiet: bool) -> Any:
        """``gradient``, recorded; `quiet` without a warning if it can't be."""
        return CompiledFunction(self.gradient, quiet=quiet)


class RecordedStep:
    """A step whose parts are recorded: if `compile` is True, or None and recording can change nothing but the speed.
    `eager` is the step itself, by default a :class:`TrainingStep`."""

    def __init__(
        self, model: Module, loss: Loss, optimizer: Optimizer, compile: bool | None, eager: TrainingStep | None = None
    ) -> None:
        recorded = is_transparent(model, loss, optimizer) if compile is None else compile
        params = [p for group in optimizer.param_groups for p in group["params"]]
        self.parts: list[Any] = [model, loss, optimizer, compile, recorded, eager, *params]
        self.eager = TrainingStep(model, loss, optimizer) if eager is None else eager
        self.gradient: Any = self.eager.gradient
        self.update: Any = self.eager.update
        if recorded:
            self.gradient = self.eager.recorded_gradient(compile is None)
            self.update = CompiledFunction(self.update, quiet=compile is None)

    def refreshed(
        self, model: Module, loss: Loss, optimizer: Optimizer, compile: bool | None, eager: TrainingStep | None = None
    ) -> RecordedStep:
        """Return this step, or a new one if a part was replaced, or has new hooks or parameters."""
        other = RecordedStep(model, loss, optimizer, compile, eager)
        same = len(self.parts) == len(other.parts) and all(map(operator.is_, self.parts, other.parts))
        return self if same else other


def detached(output: Any) -> Any:
    return output.detach() if isinstance(output, Tensor) else output


def is_transparent(model: Module, loss: Loss, optimizer: Optimizer) -> bool:
    """Whether a step runs no Python but this library's, so that nobody notices if a recording leaves it out: modules,
    loss and optimizer are classes of the library, without hooks."""
    if isinstance(loss, functools.partial):
        loss = loss.func
    modules = [*model.modules(), *(loss.modules() if isinstance(loss, Module) else ())]
    return (
        all([is_from_library(type(m)) and "forward" not in vars(m) for m in modules])
        and not any([m._hooks is not None and m._hooks.any() for m in modules])
        and all([p.hooks is None for p in model.parameters()])
        and is_from_library(type(loss) if isinstance(loss, Module) else loss)
        and is_from_library(type(optimizer))
        and not optimizer._hooks
    )


def is_from_library(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    return module == "cygrad" or module.startswith("cygrad.")
