"""Evaluation in the middle of a training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from cygrad import nn
from cygrad.autograd import no_grad, recording

__all__ = ["evaluate"]

R = TypeVar("R")


def evaluate(model: nn.Module, function: Callable[[], R]) -> R:
    """function(), which evaluates a network in the middle of its training, without gradients. Only layers that behave
    differently in training switch their mode: a recorded step has to check a changed network again."""
    layers = [module for module in model.modules() if isinstance(module, (nn.Dropout, nn.BatchNorm1d))]

    def switch(training: bool) -> None:
        for layer in layers:
            layer.training = training

    def evaluated() -> R:
        switch(False)
        with no_grad():
            return function()

    return recording.restoring(evaluated, partial(switch, True))
