"""Weight norm and spectral norm: the formulas, the parametrizations, and the old form with hooks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from cygrad import functions as f
from cygrad._arguments import checked
from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.generator import normal_array
from cygrad.nn.module import Module
from cygrad.nn.parameter import Parameter
from cygrad.nn.utils.parametrize import register_parametrization
from cygrad.tensor import Tensor

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The norm over all dimensions but dim, over all for None or −1."""
    dims = [i for i in range(v.ndim) if dim in (None, -1) or i != dim % v.ndim]
    return f.sqrt(f.square(v).sum(tuple(dims), dim not in (None, -1)))


class WeightNorm(Module):
    """w = g·v/‖v‖, as a parametrization."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return v * (g / norm_except(v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """g = ‖w‖ and v = w"""
        return norm_except(weight, self.dim), weight


class SpectralNorm(Module):
    """w/σ, σ the largest singular value of w as a matrix, by power iteration, as a parametrization."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if n_power_iterations < 1:
            raise ValueError(f"spectral_norm: n_power_iterations must be at least 1, got {n_power_iterations}")
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps
        if weight.ndim > 1:
            matrix = self._matrix(weight.detach()).array
            for name, size in zip(("_u", "_v"), matrix.shape):
                self.register_buffer(name, Tensor(unit(normal_array((size,), matrix.dtype, None), eps)))
            iterate(matrix, self._u.array, self._v.array, 15, eps)

    def _matrix(self, weight: Tensor) -> Tensor:
        moved = f.movedim(weight, self.dim, 0) if self.dim else weight
        return moved.reshape(moved.shape[0], -1)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return weight / f.clamp(f.norm(weight), self.eps)
        matrix = self._matrix(weight)
        if self.training:
            args = matrix.detach().array, self._u.array, self._v.array, self.n_power_iterations, self.eps
            recording.call_again(iterate, *args)
        u, v = self._u.clone(), self._v.clone()
        return weight / f.dot(u, f.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself: its norm is all that is lost."""
        return value


def unit(x: Array, eps: float) -> Array:
    return np.asarray(x / max(float(np.linalg.norm(x)), eps), x.dtype)


def iterate(matrix: Array, u: Array, v: Array, times: int, eps: float) -> None:
    """v ← Wᵀu/‖Wᵀu‖, u ← Wv/‖Wv‖"""
    for _ in range(times):
        v[...] = unit(matrix.T @ u, eps)
        u[...] = unit(matrix @ v, eps)


class Hook:
    """The old form: a hook before forward that sets the weight from tensors that the module has in its place."""

    def __init__(self, name: str, formula: Module, tensors: list[str]) -> None:
        self.name, self.formula, self.tensors = name, formula, tensors

    def compute(self, module: Module) -> Tensor:
        """The weight."""
        self.formula.training = module.training
        weight: Tensor = self.formula(*[getattr(module, tensor) for tensor in self.tensors])
        return weight

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute(module))


def replace(module: Module, name: str, formula: Module, parts: dict[str, Tensor]) -> None:
    """Put parameters in the place of a module's weight, which a hook computes before each forward."""
    weight = weight_of(module, name)
    delattr(module, name)
    for part, value in parts.items():
        module.register_parameter(part, Parameter(value.detach(), weight.requires_grad))
    hook = Hook(name, formula, list(parts))
    hook.handle = module.register_forward_pre_hook(hook)  # type: ignore[attr-defined]
    module.__dict__.setdefault("_weight_hooks", {})[name] = hook
    setattr(module, name, hook.compute(module))


def restore(operation: str, module: Module, name: str, kind: type[Module]) -> Module:
    """Undo ``replace``."""
    hook = module.__dict__.get("_weight_hooks", {}).get(name)
    if hook is None or not isinstance(hook.formula, kind):
        raise ValueError(f"{operation}: {name!r} has none in {type(module).__name__}")
    weight = hook.compute(module).detach()
    requires_grad = getattr(module, hook.tensors[0]).requires_grad
    hook.handle.remove()
    for part in {name, *hook.tensors, *[f"{name}{end}" for end in ("_u", "_v") if hasattr(module, f"{name}{end}")]}:
        delattr(module, part)
    del module.__dict__["_weight_hooks"][name]
    module.register_parameter(name, Parameter(weight, requires_grad))
    return module


def weight_of(module: Module, name: str) -> Tensor:
    """A weight of a module; raise RuntimeError if there is none of this name."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise RuntimeError(f"{type(module).__name__} has no weight {name!r}")
    return weight


@checked
def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight as g·v/‖v‖: parameters ``weight_g`` and ``weight_v``. As ``torch.nn.utils.weight_norm``, with its
    warning. T. Salimans, D. P. Kingma (2016), "Weight normalization".

    Args:
        module: the module, which is changed and returned.
        name: name of the weight, default "weight".
        dim: dimension that has its own norms, default 0; None for one norm of all.
    """
    text = "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`."
    warnings.warn(text, FutureWarning, stacklevel=2)
    weight = weight_of(module, name)
    replace(module, name, WeightNorm(dim), {f"{name}_g": norm_except(weight, dim), f"{name}_v": weight})
    return module


@checked
def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo ``weight_norm``. As ``torch.nn.utils.remove_weight_norm``."""
    return restore("remove_weight_norm", module, name, WeightNorm)


def axis(module: Module, dim: int | None) -> int:
    """The dimension of the outputs, which is the second in transposed convolutions."""
    return int("Transpose" in type(module).__name__) if dim is None else dim


@checked
def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value: parameter ``weight_orig``, buffers ``weight_u`` and ``weight_v``.
    As ``torch.nn.utils.spectral_norm``. T. Miyato et al. (2018), "Spectral normalization for generative adversarial
    networks".

    Args:
        module: the module, which is changed and returned.
        name: name of the weight, default "weight".
        n_power_iterations: iterations in each training forward, default 1.
        eps: floor under norms, default 10⁻¹².
        dim: dimension of the outputs, default None for 0.
    """
    weight = weight_of(module, name)
    formula = SpectralNorm(weight, n_power_iterations, axis(module, dim), eps)
    replace(module, name, formula, {f"{name}_orig": weight})
    if weight.ndim > 1:
        module.register_buffer(f"{name}_u", formula._u)
        module.register_buffer(f"{name}_v", formula._v)
    return module


@checked
def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo ``spectral_norm``. As ``torch.nn.utils.remove_spectral_norm``."""
    return restore("remove_spectral_norm", module, name, SpectralNorm)


def parametrized_weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    return register_parametrization(module, name, WeightNorm(dim), unsafe=True)


def parametrized_spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    formula = SpectralNorm(weight_of(module, name), n_power_iterations, axis(module, dim), eps)
    return register_parametrization(module, name, formula)
