"""Batch norm over the batches of all ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.autograd.grad_mode import no_grad
from cygrad.distributed.lockstep import Shard, current_shard
from cygrad.distributed.nn import gathered
from cygrad.distributed.process_group import is_initialized, world_of
from cygrad.nn.module import Module
from cygrad.nn.modules.batch_norm import _BatchNorm
from cygrad.ops.shape import concatenate
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.distributed.process_group import ProcessGroup

__all__ = ["SyncBatchNorm"]


class SyncBatchNorm(_BatchNorm):
    """Normalize each channel by the mean and variance of the batches of all ranks together. As
    ``torch.nn.SyncBatchNorm``.

    In evaluation mode, and without a process group of several ranks, it computes what :class:`BatchNorm1d` does.

    Args:
        num_features: C, the number of channels of an input of shape (N, C, …).
        eps, momentum, affine, track_running_stats, device, dtype, bias: as for :class:`BatchNorm1d`.
        process_group: the ranks, default all.

    Raises:
        ValueError: an argument is out of its range, or all batches together have one value for each channel.

    >>> cg.nn.SyncBatchNorm(2)(cg.tensor([[1.0, 0.0], [3.0, 2.0]])).tolist()
    [[-0.9999949932098389, -0.9999949932098389], [0.9999949932098389, 0.9999949932098389]]
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: object = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"SyncBatchNorm: input has shape {input.shape}, wanted (N, C, …)")

    def forward(self, input: Tensor) -> Tensor:
        members = self._sharing()
        if members is None:
            return super().forward(input)
        self._check_input_dim(input)
        if input.shape[1] != self.num_features:
            raise ValueError(f"SyncBatchNorm: input has {input.shape[1]} channels, wanted {self.num_features}")
        return self._normalized(input, members)

    def _sharing(self) -> ProcessGroup | Shard | None:
        """Whose batches are one: all ranks', or those of all shards that run in lockstep; None for this one alone."""
        if not self.training and self.running_mean is not None:
            return None
        shard = current_shard()
        if shard is not None or not is_initialized():
            return shard
        members = world_of("SyncBatchNorm", self.process_group)
        return members if members.size() > 1 else None

    def _normalized(self, input: Tensor, members: ProcessGroup | Shard) -> Tensor:
        """The input, normalized over the batches of all members.

        With nᵣ values of mean μᵣ and squared deviations mᵣ on rank r: μ = Σ nᵣμᵣ/n and σ² = Σ (mᵣ + nᵣ(μᵣ − μ)²)/n.
        T. Chan, G. Golub, R. LeVeque (1983), "Algorithms for computing the sample variance".
        """
        shape = (1, self.num_features) + (1,) * (input.ndim - 2)
        others = tuple([i for i in range(input.ndim) if i != 1])
        count = input.numel() // self.num_features
        own_mean = input.sum(others) / max(count, 1)
        own_deviations = (input - own_mean.reshape(shape)).square().sum(others)
        counts = Tensor(np.full(1, count, input.dtype))
        everything = gathered(concatenate([counts, own_mean, own_deviations]), members)
        n, means, deviations = everything.split([1, self.num_features, self.num_features], 1)
        total = n.sum()
        mean = (n * means).sum(0) / total
        squares = (deviations + n * (means - mean).square()).sum(0)
        if self.training and self.track_running_stats and (not isinstance(members, Shard) or members.is_first):
            self._track(mean.detach(), squares.detach() / (total - 1))
        scale = (squares / total + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        y = (input - mean.reshape(shape)) * scale.reshape(shape)
        return y if self.bias is None else y + self.bias.reshape(shape)

    def _track(self, mean: Tensor, var: Tensor) -> None:
        """Update the running statistics."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        kernels.count(self.num_batches_tracked.array)
        share: Any = self.momentum
        if share is None:
            share = 1 / self.num_batches_tracked.to(mean.dtype)
        with no_grad():
            self.running_mean += share * (mean - self.running_mean)
            self.running_var += share * (var - self.running_var)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Return the module with a SyncBatchNorm, of the same parameters and buffers, in the place of each BatchNorm.

        Args:
            module: changed in place, unless it is a BatchNorm itself.
            process_group: the ranks, default all.

        >>> model = cg.nn.Sequential(cg.nn.Linear(4, 3), cg.nn.BatchNorm1d(3))
        >>> type(cg.nn.SyncBatchNorm.convert_sync_batchnorm(model)[1]).__name__
        'SyncBatchNorm'
        """
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            options = (module.eps, module.momentum, module.affine, module.track_running_stats)
            converted = cls(module.num_features, *options, process_group)
            for name in "weight", "bias", "running_mean", "running_var", "num_batches_tracked":
                setattr(converted, name, getattr(module, name))
            converted.training = module.training
            return converted
        for name, child in module.named_children():
            changed = cls.convert_sync_batchnorm(child, process_group)
            if changed is not child:
                setattr(module, name, changed)
        return module
