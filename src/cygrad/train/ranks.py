"""A training on several ranks, as a ``Trainer`` sees it: whose turn it is to write, and who computes which rows."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cygrad._typing import Array
from cygrad.compiler import CompiledFunction
from cygrad.distributed.launch import launched_size
from cygrad.nn.module import Module
from cygrad.optim.optimizer import Optimizer
from cygrad.tensor import Tensor
from cygrad.train.evaluation import Loss, array_of, samples_of
from cygrad.train.step import TrainingStep

if TYPE_CHECKING:
    from cygrad.distributed.process_group import ProcessGroup
    from cygrad.distributed.sharded import SharedBatch

__all__ = ["Ranks", "SharedStep", "checksum", "joined"]

T = TypeVar("T")


def joined() -> Ranks:
    """The ranks that ``mpiexec`` started, connected; this process alone if there are none."""
    if launched_size() is None:
        return Ranks(None)
    from cygrad.distributed import process_group

    if not process_group.is_initialized():
        process_group.init_process_group()
    world = process_group.world_of("Trainer", None)
    return Ranks(world if world.size() > 1 else None)


class Ranks:
    """The ranks of a training.

    Args:
        members: the ranks, None for this process alone.
    """

    def __init__(self, members: ProcessGroup | None) -> None:
        self.members = members
        self.is_main = members is None or members.rank() == 0

    @property
    def size(self) -> int:
        """The number of ranks."""
        return 1 if self.members is None else self.members.size()

    def of_main(self, function: Callable[[], T]) -> T:
        """The result of function() on rank 0, which alone calls it."""
        if self.members is None:
            return function()
        from cygrad.distributed.objects import sent_to_all

        return sent_to_all("Trainer", self.members, function() if self.is_main else None, 0)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on a rank."""
        return flag if self.members is None else any(self.of_each(flag))

    def of_each(self, value: Any) -> list[Any]:
        """The value of each rank."""
        return [value] if self.members is None else self.members.gathered("Trainer", value)

    def check_same(self, what: str, value: Any) -> None:
        """Raise RuntimeError, naming the rank, unless a value is that of rank 0 everywhere."""
        values = self.of_each(value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise RuntimeError(f"fit: {what} of rank {rank} is not that of rank 0: {other} instead of {values[0]}")

    def copy_model(self, model: Module) -> None:
        """Give all ranks the parameters and buffers of rank 0, after a check that they have the same ones."""
        if self.members is not None:
            from cygrad.distributed.replicas import check_equal, copy_from

            tensors: dict[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
            check_equal("fit", self.members, tensors)
            copy_from(0, "fit", self.members, list(tensors.values()))

    def copy_buffers(self, model: Module) -> None:
        """Give all ranks the buffers of rank 0, such as running statistics of its shards."""
        if self.members is not None:
            from cygrad.distributed.replicas import copy_from

            copy_from(0, "fit", self.members, list(model.buffers()))

    def shared_batch(self, model: Module, count: int | None) -> SharedBatch | None:
        """How the ranks share a batch; None if one process computes it in one piece.

        Args:
            model: to train. An ensemble for batches with rows of all members in turn has their number as ``members``.
            count: the number of logical shards, None for one of each rank.

        Raises:
            ValueError: with `count`, a module keeps statistics of its own for each shard.
        """
        if self.members is None and count is None:
            return None
        from cygrad.distributed.sharded import SharedBatch

        synchronized = has_synchronized_norms(model, count)
        in_turn = int(getattr(model, "members", 1))
        return SharedBatch(dict(model.named_parameters()), self.members, count, synchronized, in_turn)


def has_synchronized_norms(model: Module, count: int | None) -> bool:
    """Whether shards exchange statistics; raise ValueError if they keep them apart, which depends on who has which."""
    if count is None:
        return False
    kinds = [type(module) for module in model.modules()]
    for module in model.modules():
        name = type(module).__name__
        if getattr(module, "track_running_stats", False) and name != "SyncBatchNorm":
            raise ValueError(
                f"fit: deterministic_shards needs statistics of whole batches, but the model has a {name}; use "
                "nn.SyncBatchNorm.convert_sync_batchnorm(model)"
            )
    return any([kind.__name__ == "SyncBatchNorm" for kind in kinds])


class SharedStep(TrainingStep):
    """A step on batches that the ranks share: each computes its rows."""

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer, shared: SharedBatch) -> None:
        super().__init__(model, loss, optimizer)
        self.shared = shared
        self.part: Any = self.gradient_of_part

    def gradient(
        self, inputs: Any, target: Any, share: float, first: bool, measured: bool, clip: str | None, bound: float
    ) -> tuple[Tensor, Any, Tensor | None]:
        """As the gradient of a whole batch, which all ranks have."""
        rows = samples_of(inputs)
        mine = [self.local(value, rows) for value in (inputs, target)]
        loss, outputs, norm = self.part(*mine, rows, share, first, measured, clip, bound)
        return loss, self.whole(outputs) if measured else None, norm

    def gradient_of_part(
        self, inputs: Any, target: Any, rows: int, share: float, first: bool, measured: bool, clip: str | None,
        bound: float,
    ) -> tuple[Tensor, list[Any], Tensor | None]:  # fmt: skip
        """From the rows of this rank: the mean loss of all ranks, the outputs of each shard, and the norm."""
        if first:
            self.optimizer.zero_grad()

        def compute(inputs: Any, target: Any) -> tuple[Any, Any]:
            output = self.model(inputs)
            return self.loss(output, target), output.detach() if measured else None

        loss, extras = self.shared.backward(compute, (inputs, target), rows, share)
        norm = None if clip is None else self.clip(clip, bound)
        return loss, [output for _, output in extras], norm

    def recorded_gradient(self, quiet: bool) -> Any:
        """``gradient``, whose part of this rank is recorded, unless shards wait for each other in it."""
        if not self.shared.synchronized:
            self.part = CompiledFunction(self.gradient_of_part, quiet=quiet)
        return self.gradient

    def local(self, value: Any, rows: int) -> Any:
        """The rows of this rank."""
        from cygrad.distributed.sharded import rows_between

        return rows_between(value, *self.shared.local_rows(rows), self.shared.in_turn)

    def whole(self, outputs: list[Any]) -> Array:
        """The outputs of all ranks, in the order of the rows."""
        arrays = [array_of(output) for output in outputs]
        if self.shared.members is not None and self.shared.size > 1:
            arrays = [array for of_rank in self.shared.members.gathered("Trainer", arrays) for array in of_rank]
        if self.shared.in_turn == 1:
            return np.concatenate(arrays)
        parts = [array.reshape(self.shared.in_turn, -1, *array.shape[1:]) for array in arrays]
        return np.concatenate(parts, 1).reshape(-1, *arrays[0].shape[1:])


def checksum(batches: list[Any]) -> int:
    """A number that differs where batches do."""
    result = 0
    for batch in batches:
        for part in batch:
            result = zlib.crc32(np.ascontiguousarray(array_of(part)).tobytes(), result)
    return result
