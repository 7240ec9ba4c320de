"""Automatic differentiation: the engine (``engine``), and what users call."""

from typing import TYPE_CHECKING

from cygrad.autograd.engine import Node, Op, Value, gradients, op, use_value_type
from cygrad.autograd.function import Function
from cygrad.autograd.functional import backward, grad
from cygrad.autograd.grad_mode import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
from cygrad.autograd.gradcheck import gradcheck, gradgradcheck
from cygrad.autograd.graph import graph

__all__ = [
    "Function",
    "Node",
    "Op",
    "Trace",
    "Value",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "gradients",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "op",
    "set_detect_anomaly",
    "set_grad_enabled",
    "trace",
    "use_value_type",
]

if TYPE_CHECKING:
    from cygrad.autograd.tracing import Trace, trace
else:

    def __getattr__(name):
        """Import tracing on first use: training does without it."""
        import importlib

        if name in ("Trace", "trace"):
            return getattr(importlib.import_module("cygrad.autograd.tracing"), name)
        if name in ("forward_ad", "several"):
            return importlib.import_module(f"cygrad.autograd.{name}")
        if name == "profiler":
            return importlib.import_module("cygrad.profiler")
        if name == "Variable":
            return importlib.import_module("cygrad.variable").Variable
        several = importlib.import_module("cygrad.autograd.several")
        if name in several.__all__:
            return getattr(several, name)
        raise AttributeError(f"module 'cygrad.autograd' has no attribute {name!r}")
