"""Automatic differentiation: the engine (``engine``), and what users call."""

from cygrad.autograd.engine import Node, Op, Value, gradients, op, use_value_type

__all__ = ["Node", "Op", "Value", "gradients", "op", "use_value_type"]
