"""What an update of the weights consists of: functions of tensors and plain numbers, so that they can be recorded."""

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

__all__ = ["RecordedStep", "Step"]


class Step:
    """The gradient of a loss, and the update of the weights by an optimizer."""

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer

    def gradient(
        self, inputs: Any, target: Any, share: float, first: bool, measured: bool, clip: str | None, bound: float
    ) -> tuple[Tensor, Any, Tensor | None]:
        """Adds `share` of a batch's gradient to what is there, nothing if it is the `first`. The loss; the output where
        that is `measured`; and the gradient's norm where it is the last, to be clipped now."""
        if first:
            self.optimizer.zero_grad()
        output = self.model(inputs)
        loss = self.loss(output, target)
        (loss if share == 1.0 else loss * share).backward()
        norm = None if clip is None else self.clip(clip, bound)
        return loss, detached(output) if measured else None, norm

    def clip(self, kind: str, bound: float) -> Tensor:
        """Clips the gradients, and returns the norm of all together before."""
        return clip_gradients([p for group in self.optimizer.param_groups for p in group["params"]], kind, bound)

    def update(self) -> None:
        """Moves the weights."""
        self.optimizer.step()


class RecordedStep:
    """A step whose parts are recorded, where `compile` says so or, where it is None, if that can go unnoticed."""

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer, compile: bool | None) -> None:
        recorded = is_own(model, loss, optimizer) if compile is None else compile
        params = [p for group in optimizer.param_groups for p in group["params"]]
        self.made_of: list[Any] = [model, loss, optimizer, compile, recorded, *params]
        self.step = Step(model, loss, optimizer)
        self.gradient: Any = self.step.gradient
        self.update: Any = self.step.update
        if recorded:
            self.gradient = CompiledFunction(self.gradient, quiet=compile is None)
            self.update = CompiledFunction(self.update, quiet=compile is None)

    def now(self, model: Module, loss: Loss, optimizer: Optimizer, compile: bool | None) -> RecordedStep:
        """This one, or another where it was made of other things, or they have got hooks or parameters since."""
        other = RecordedStep(model, loss, optimizer, compile)
        same = len(self.made_of) == len(other.made_of) and all(map(operator.is_, self.made_of, other.made_of))
        return self if same else other


def detached(output: Any) -> Any:
    return output.detach() if isinstance(output, Tensor) else output


def is_own(model: Module, loss: Loss, optimizer: Optimizer) -> bool:
    """Whether a step runs no Python but this library's, which can be left out where the step is recorded: modules, loss
    and optimizer are its own, and nobody hung a hook on them."""
    if isinstance(loss, functools.partial):
        loss = loss.func
    modules = [*model.modules(), *(loss.modules() if isinstance(loss, Module) else ())]
    return (
        all([is_ours(type(m)) and m._hooks is None and "forward" not in vars(m) for m in modules])
        and all([p.hooks is None for p in model.parameters()])
        and is_ours(type(loss) if isinstance(loss, Module) else loss)
        and is_ours(type(optimizer))
        and not optimizer._hooks
    )


def is_ours(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    return module == "cygrad" or module.startswith("cygrad.")
