"""Gradient clipping, and parameters as one vector."""

from cygrad.nn.utils.clip_grad import clip_grad_adaptive_, clip_grad_norm_, clip_grad_value_, get_total_norm
from cygrad.nn.utils.vector import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_adaptive_",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]
