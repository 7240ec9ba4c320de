"""``torch.nn.parallel``: one model on several ranks, and names for several GPUs, of which there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cygrad._arguments import integer
from cygrad.autograd import engine
from cygrad.distributed.join import Join
from cygrad.distributed.process_group import world_of
from cygrad.distributed.reducer import Reducer
from cygrad.distributed.replicas import check_equal, copy_from
from cygrad.distributed.sharded import SharedBatch, rows_between
from cygrad.nn.module import Module
from cygrad.nn.modules.data_parallel import DataParallel
from cygrad.nn.modules.sync_batch_norm import SyncBatchNorm
from cygrad.tensor import Tensor

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]

BUCKET_MB = 4.0


class DistributedDataParallel(Module):
    """Train one model on several ranks, each on batches of its own, with the mean of all ranks' gradients. As
    ``torch.nn.parallel.DistributedDataParallel``.

    The model starts as that of rank 0. Gradients are reduced in buckets while backward goes on. ``p.grad`` is a part of
    a bucket. Names in the state dict begin with "module.".

    Args:
        module: of the same class, with the same parameters, on all ranks.
        device_ids: the GPUs to use: None or empty.
        output_device, dim: accepted, without effect.
        broadcast_buffers: whether each forward in training mode starts with the buffers of rank 0, such as running
            statistics, default True.
        init_sync: whether to check and copy the model of rank 0, default True.
        process_group: the ranks, default all.
        bucket_cap_mb: largest bucket of small gradients, in 10⁶ bytes, default 4; gradients of a quarter of it are sent
            from where they are.
        find_unused_parameters: whether a rank may leave out parameters in a backward pass; their gradients count as 0
            there. Otherwise this raises RuntimeError, which names the parameter and the rank.
        check_reduction, gradient_as_bucket_view, static_graph: accepted as in PyTorch, without effect.
        deterministic_shards: number of logical shards into which :meth:`backward` cuts each batch, so that all bits are
            the same at any number of ranks; None, the default, for steps as in PyTorch.

    Raises:
        RuntimeError: there is no process group, no parameter requires a gradient, or the models differ in names, shapes
            or dtypes.
        TypeError: a parameter is neither float32 nor float64.

    >>> cg.distributed.init_process_group()
    >>> model = cg.nn.parallel.DistributedDataParallel(cg.nn.Linear(3, 1))
    >>> model(cg.ones(2, 3)).sum().backward()
    >>> list(model.state_dict()), model.module.weight.grad.tolist()
    (['module.weight', 'module.bias'], [[2.0, 2.0, 2.0]])
    >>> cg.distributed.destroy_process_group()
    """

    module: Module

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        *,
        deterministic_shards: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise TypeError(f"DistributedDataParallel: module must be a Module, got {type(module).__name__}")
        if device_ids:
            raise RuntimeError(
                f"DistributedDataParallel: cygrad computes on the CPU only, got device_ids {list(device_ids)}"
            )
        cap = BUCKET_MB if bucket_cap_mb is None else bucket_cap_mb
        if not cap > 0:
            raise ValueError(f"DistributedDataParallel: bucket_cap_mb must be positive, got {bucket_cap_mb}")
        self.process_group = members = world_of("DistributedDataParallel", process_group)
        self.module = module
        self.broadcast_buffers = broadcast_buffers
        self.joining: Join | None = None
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not trained:
            raise RuntimeError("DistributedDataParallel: no parameter of the module requires a gradient")
        for name, p in trained.items():
            if p.dtype not in (np.float32, np.float64):
                raise TypeError(f"DistributedDataParallel: {name} is {p.dtype}, wanted float32 or float64")
        if init_sync and members.size() > 1:
            check_equal("DistributedDataParallel", members, self.all_tensors())
            copy_from(0, "DistributedDataParallel", members, list(self.all_tensors().values()))
        self.reducer: Reducer | None = None
        self.shared: SharedBatch | None = None
        if deterministic_shards is not None:
            shards = positive("DistributedDataParallel", "deterministic_shards", deterministic_shards)
            synchronized = any([isinstance(part, SyncBatchNorm) for part in module.modules()])
            self.shared = SharedBatch(trained, members, shards, synchronized)
        elif members.size() > 1:
            self.reducer = Reducer(trained, members, cap * 1e6, find_unused_parameters)

    def all_tensors(self) -> dict[str, Tensor]:
        """Return parameters and buffers by name."""
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Call the module; see the class."""
        if self.reducer is not None and self.training and engine.grad_enabled() and self.reducer.is_on:
            self.reducer.clear()
            if self.joining is not None:
                self.joining.round(True)
            self.copy_buffers()
        return self.module(*inputs, **kwargs)

    def backward(self, function: Callable[..., Tensor], *batch: Tensor) -> Tensor:
        """Add the gradient of a batch to that of the parameters, with ``deterministic_shards``: the mean of the shards'
        gradients, weighted by their rows and added in a fixed order. Each shard draws from a generator of its own.

        Args:
            function: from rows of the batch to their mean loss; it calls this module.
            batch: the whole batch, the same on all ranks, which compute some of its rows.

        Returns:
            The mean loss over the batch, on all ranks.

        Raises:
            RuntimeError: ``deterministic_shards`` is None.

        >>> cg.distributed.init_process_group()
        >>> model = cg.nn.parallel.DistributedDataParallel(cg.nn.Linear(2, 1), deterministic_shards=4)
        >>> loss = model.backward(lambda x: model(x).square().mean(), cg.ones(8, 2))
        >>> loss.shape, model.module.weight.grad.shape
        ((), (1, 2))
        >>> cg.distributed.destroy_process_group()
        """
        if self.shared is None:
            raise RuntimeError("DistributedDataParallel: backward(function, *batch) needs deterministic_shards")
        rows = int(batch[0].shape[0])
        first, last = self.shared.local_rows(rows)
        mine = [rows_between(each, first, last, 1) for each in batch]
        return self.shared.backward(lambda *part: (function(*part), None), mine, rows)[0]

    def copy_buffers(self) -> None:
        """Give the buffers the elements that they have on rank 0, or in :meth:`join` on the first rank with a batch."""
        if self.broadcast_buffers:
            root = 0 if self.joining is None else self.joining.root
            copy_from(root, "forward", self.process_group, list(self.module.buffers()))

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A block in which gradients are added up on each rank alone; the next backward outside of it reduces the sums.

        >>> cg.distributed.init_process_group()
        >>> model = cg.nn.parallel.DistributedDataParallel(cg.nn.Linear(3, 1))
        >>> with model.no_sync():
        ...     model(cg.ones(2, 3)).sum().backward()
        >>> model(cg.ones(2, 3)).sum().backward()
        >>> model.module.bias.grad
        tensor([4.])
        >>> cg.distributed.destroy_process_group()
        """
        reducer = self.reducer
        before = reducer is None or reducer.is_on
        try:
            if reducer is not None:
                reducer.is_on = False
            yield
        finally:
            if reducer is not None:
                reducer.is_on = before

    @contextmanager
    def join(
        self, divide_by_initial_world_size: bool = True, enable: bool = True, throw_on_early_termination: bool = False
    ) -> Iterator[None]:
        """A block in which ranks may have different numbers of batches. A rank that has no more takes part in the
        reductions of the others, with zeros; at the end all ranks have the model of one that had the most batches.

        Args:
            divide_by_initial_world_size: whether gradients are divided by the number of all ranks, default True, or of
                those that still have batches.
            enable: whether the block does anything, default True.
            throw_on_early_termination: whether to raise RuntimeError on all ranks when the first has no more batches.

        Raises:
            ValueError: the module has a SyncBatchNorm, which needs a batch on each rank.
        """
        if not enable or self.reducer is None:
            yield
            return
        if any([isinstance(part, SyncBatchNorm) for part in self.module.modules()]):
            raise ValueError("join: SyncBatchNorm needs a batch on each rank")
        with Join(self, divide_by_initial_world_size, throw_on_early_termination):
            yield


def positive(name: str, argument: str, value: Any) -> int:
    """An integer of at least 1."""
    if integer(name, argument, value) < 1:
        raise ValueError(f"{name}: {argument} must be at least 1, got {value}")
    return integer(name, argument, value)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Return module(inputs), or module(*inputs) for a tuple; see :class:`DataParallel`.

    Args:
        module: the module.
        inputs: its input, or a tuple of all.
        device_ids, output_device, dim: as for :class:`DataParallel`.
        module_kwargs: arguments by name.

    >>> from cygrad.nn.parallel import data_parallel
    >>> data_parallel(cg.nn.ReLU(), cg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    positional = inputs if isinstance(inputs, tuple) else (inputs,)
    return DataParallel(module, device_ids, output_device, dim)(*positional, **(module_kwargs or {}))
