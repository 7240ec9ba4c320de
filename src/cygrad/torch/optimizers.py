"""``torch.optim.optimizer``: what optimizers written for PyTorch import beside their base class."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from cygrad.autograd import set_grad_enabled
from cygrad.dtypes import dtype
from cygrad.optim.optimizer import Optimizer, ParamsT, required
from cygrad.tensor import Tensor

__all__ = ["Optimizer", "ParamsT", "StateDict", "required"]

StateDict: TypeAlias = dict[str, Any]
_params_doc = _foreach_doc = _fused_doc = _capturable_doc = _differentiable_doc = _maximize_doc = ""  # of docstrings
_RequiredParameter = type(required)


def _use_grad_for_differentiable(step: Callable[..., Any]) -> Callable[..., Any]:
    """Let a step record gradients only where the optimizer was made with ``differentiable=True``."""

    @wraps(step)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with set_grad_enabled(self.defaults.get("differentiable", False)):
            return step(self, *args, **kwargs)

    return call


def _disable_dynamo_if_unsupported(single_tensor_fn: object = None) -> Callable[[Any], Any]:
    """Return a decorator that changes nothing: no step is compiled by ``torch.compile``."""
    return lambda function: function


def _default_to_fused_or_foreach(
    params: list[Tensor], differentiable: bool, use_fused: bool = False
) -> tuple[bool, bool]:
    """Return whether a step should be fused and whether it should work on lists of tensors: neither."""
    return False, False


def _get_value(x: Any) -> Any:
    """Return a tensor's only element, or a number as it is."""
    return x.item() if isinstance(x, Tensor) else x


def _to_scalar(x: Any) -> Any:
    """Return a tensor of one element without dimensions, or a number as it is."""
    return x.squeeze() if isinstance(x, Tensor) and x.ndim else x


def _stack_if_compiling(x: Any) -> Any:
    """Return the list as it is."""
    return x


def _view_as_real(params: list[Tensor], *state_and_grads: list[Tensor]) -> None:
    """Do nothing: there are no complex parameters."""


def _get_scalar_dtype(is_fused: bool | None = None) -> Any:
    """Return the dtype of step counts."""
    return dtype("float32")
