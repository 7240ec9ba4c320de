"""Operations under way, which recorded steps repeat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cygrad._typing import Array
from cygrad.autograd import recording, rehearsal
from cygrad.distributed.process_group import ProcessGroup

__all__ = ["Work"]


class Work:
    """A collective operation under way. As ``torch.distributed.Work``.

    Args:
        name: of the operation, for messages.
        group: whose ranks take part.
        arrays: that it reads or writes; those of tensors may not be used before ``wait()``.
        start: begins the operation and returns MPI's requests.
        finish: called when they are complete.
        tensors: that it writes to.
    """

    def __init__(
        self,
        name: str,
        group: ProcessGroup,
        arrays: Sequence[Array],
        start: Callable[[], list[Any]],
        finish: Callable[[], None] | None = None,
        tensors: Sequence[Any] = (),
    ) -> None:
        self.name = name
        self.group = group
        self.arrays = list(arrays)
        self.versions = [tensor.version for tensor in tensors]  # not the tensors: a program keeps this object
        self.start = start
        self.finish = finish
        self.requests: list[Any] | None = None

    def launch(self) -> Work:
        """Begin, as a call that a recorded step repeats."""
        active = recording.recorder()
        if active is not None:
            for array in self.arrays:
                active.before_write(array)
        recording.call_again(self.begin, self.arrays)
        return self

    def begin(self, arrays: Sequence[Array]) -> None:
        """Begin the operation on its arrays, which are an argument so that a recorder sees them. Where a program is
        compared with eager mode, complete it too, so that both see the same elements."""
        if rehearsal.is_on():
            rehearsal.communicate(self.run, self.arrays)
        else:
            self.send()

    def send(self) -> None:
        """Begin the operation."""
        self.group.count_operation()
        self.requests = self.start()

    def run(self) -> None:
        """Begin and complete the operation."""
        self.send()
        self.receive()

    def wait(self, timeout: object = None) -> bool:
        """Wait until the operation is complete.

        Args:
            timeout: accepted as in PyTorch; ``init_process_group`` sets the time.

        Returns:
            True.

        Raises:
            RuntimeError: another rank has ended its program, or has not joined the operation in time.
        """
        recording.call_again(self.complete, self.arrays)
        for version in self.versions:
            version.value += 1
        return True

    def complete(self, arrays: Sequence[Array]) -> None:
        """Wait for the requests; see ``begin``."""
        self.receive()

    def receive(self) -> None:
        """Complete the operation, the first time that it is called."""
        if self.requests is not None:
            self.group.wait(self.name, self.requests)
            self.requests = None
            if self.finish is not None:
                self.finish()

    def is_completed(self) -> bool:
        """Whether ``wait()`` would return at once."""
        recording.reading("is_completed")
        return not self.requests or all([request.Test() for request in self.requests])
