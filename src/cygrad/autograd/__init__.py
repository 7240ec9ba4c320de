"""Automatic differentiation: the engine (``engine``), and what users call."""

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
from cygrad.autograd.gradcheck import gradcheck
from cygrad.autograd.graph import graph
from cygrad.autograd.tracing import Trace, trace

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
