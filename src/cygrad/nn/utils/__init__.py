"""Gradient clipping, parameters as one vector, and what is found when it is first used: parametrizations, weight norm,
spectral norm, padded sequences, calls with other parameters."""

from typing import TYPE_CHECKING, Any

from cygrad.nn.utils.clip_grad import (
    clip_grad_adaptive_,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from cygrad.nn.utils.vector import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_adaptive_",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "stateless",
    "vector_to_parameters",
    "weight_norm",
]


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Return ``module_cls(*args, **kwargs)``: initialization is quick. As ``torch.nn.utils.skip_init``."""
    return module_cls(*args, **kwargs)


def clip_grad_norm(*args: Any, **kwargs: Any) -> Any:
    """The old name of ``clip_grad_norm_``, which warns as PyTorch's does."""
    import warnings

    text = "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`."
    warnings.warn(text, FutureWarning, stacklevel=2)
    return clip_grad_norm_(*args, **kwargs)


if TYPE_CHECKING:
    from cygrad.nn.utils import parametrizations, parametrize, rnn, stateless
    from cygrad.nn.utils.norms import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm
else:

    def __getattr__(name):
        """Find what few programs need."""
        import importlib

        if name in ("parametrizations", "parametrize", "rnn", "stateless"):
            return importlib.import_module(f"cygrad.nn.utils.{name}")
        if name == "convert_parameters":  # PyTorch's file
            return importlib.import_module("cygrad.nn.utils.vector")
        norms = "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"
        if name in norms:
            return getattr(importlib.import_module("cygrad.nn.utils.norms"), name)
        from cygrad._missing import attribute_error

        raise attribute_error("cygrad.nn.utils", name)
