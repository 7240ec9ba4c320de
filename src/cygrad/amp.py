"""Mixed precision as PyTorch names it. Everything here is computed in float32, which is at least as exact."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from cygrad.optim.optimizer import Optimizer
from cygrad.tensor import Tensor

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

F = TypeVar("F", bound=Callable[..., Any])


class autocast(contextlib.ContextDecorator):
    """A block, or a decorator, in which PyTorch may compute in half precision; here without effect.

    Args:
        device_type, dtype, enabled, cache_enabled: accepted, without effect.
    """

    def __init__(
        self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device_type, self.dtype, self.enabled = device_type, dtype, False

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class GradScaler:
    """The scaler of losses in half precision, disabled: nothing is scaled, and every step is taken.

    Args:
        device, init_scale, growth_factor, backoff_factor, growth_interval, enabled: accepted, without effect.
    """

    def __init__(
        self,
        device: str = "cpu",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        pass

    def scale(self, outputs: Any) -> Any:
        """Return the losses as they are."""
        return outputs

    def unscale_(self, optimizer: Optimizer) -> None:
        """Do nothing."""

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Tensor | float | None:
        """Call ``optimizer.step``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Do nothing."""

    def get_scale(self) -> float:
        """Return 1."""
        return 1.0

    def is_enabled(self) -> bool:
        """Return False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return an empty dict."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing."""


def custom_fwd(fwd: F | None = None, **options: Any) -> Any:
    """Return the forward of an autograd function as it is."""
    return fwd if fwd is not None else lambda function: function


custom_bwd = custom_fwd
