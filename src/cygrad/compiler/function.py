"""``cg.compile``: functions that are recorded once and then replayed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from cygrad.compiler.cache import ProgramCache
from cygrad.compiler.epoch import Epochs
from cygrad.compiler.program import Program
from cygrad.compiler.replay.replay import Dispatcher

__all__ = ["CompiledFunction", "compile"]


P = ParamSpec("P")
R = TypeVar("R")


class CompiledFunction(Dispatcher, Generic[P, R]):
    """What :func:`compile` returns.

    Args:
        function: a function or module
        fullgraph: whether a call that can't be recorded raises an error, default False
        check: which replays are compared with eager mode: "first", the default, True for every or False for none
        quiet: whether the function calls only this library, and runs eagerly without a warning if it can't be recorded,
            default False
        warmup_calls: number of calls of a kind that run eagerly before one is recorded, default 1
    """

    def __init__(
        self,
        function: Callable[P, R],
        fullgraph: bool = False,
        check: bool | str = "first",
        *,
        quiet: bool = False,
        warmup_calls: int = 1,
    ) -> None:
        self.function = function
        self.cache = ProgramCache(function, fullgraph, check, quiet, warmup_calls)
        super().__init__(self.cache.replays, self.cache.run)
        functools.update_wrapper(self, function, updated=())

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<compiled {self.cache.name}: {len(self.cache.programs)} programs>"

    def __reduce__(self) -> Any:
        # A copy records programs of its own.
        make = functools.partial(CompiledFunction, quiet=self.cache.quiet, warmup_calls=self.cache.warmup_calls)
        return make, (self.function, self.cache.fullgraph, self.cache.check)

    def programs(self) -> list[Program]:
        """The programs recorded so far, the latest last."""
        return list(self.cache.programs)

    def epoch(self, *args: Any, batch_size: int, order: Any = None, drop_last: bool = False, **kwargs: Any) -> Any:
        """Call the function for one batch of rows after another, and stack the results.

        Results and state are those of as many calls. Once a batch has a program, all batches of its kind run in one
        call into C, without the GIL; a step that calls Python runs batch by batch. Learning rates are those at the
        start of the epoch.

        Args:
            *args, **kwargs: arguments of the function. Every tensor among them is data of the same length n in its
                first dimension, of which each call gets some rows; all others are passed unchanged.
            batch_size: rows per batch; the last batch may be smaller
            order: int, shape (m,), indices of the rows in the order of use, default 0..n − 1
            drop_last: whether a smaller last batch is left out, default False

        Returns:
            What the function returns, each tensor with a new first dimension of one entry per batch; values other
            than tensors are those of the last batch.

        Raises:
            ValueError: lengths differ, there is no batch, or the results of a smaller last batch differ in shape
            IndexError: `order` has an index outside 0..n − 1
            TypeError: `order` is not a list of integers, or no argument is a tensor

        Example:
            >>> total = cg.compile(lambda x: x.sum())
            >>> total.epoch(cg.arange(10), batch_size=4)
            tensor([ 6, 22, 17])
        """
        return Epochs(self, args, kwargs, batch_size).run(order, drop_last)


@overload
def compile(
    function: Callable[P, R], *, fullgraph: bool = False, check: bool | str = "first"
) -> CompiledFunction[P, R]: ...
@overload
def compile(
    function: None = None, *, fullgraph: bool = False, check: bool | str = "first"
) -> Callable[[Callable[P, R]], CompiledFunction[P, R]]: ...
def compile(function: Callable[..., Any] | None = None, *, fullgraph: bool = False, check: bool | str = "first") -> Any:
    """Compile a function or module: record one call, and from then on replay it as one program in C.

    It may be a forward pass, loss and backward, or a whole training step. Results are those of eager mode, bit for
    bit. The first call of a kind runs eagerly, so that what happens only once is over; the second is recorded; later
    ones are replayed. Calls are of one kind if these are the same: shapes, dtypes and strides of the tensors among the
    arguments, at any depth of tuples, lists and dicts; the values of all other arguments; the attributes and hooks of
    the modules that are called; the tensors that they and the optimizers hold; the numbers and other objects that the
    functions of the step read from globals, closures, attributes and items; and the grad mode. Learning rates,
    step counts and random offsets are read at every call. An op that NumPy computes is called again in Python.

    Only what goes through this library is replayed: a ``print`` of your own is not. Gradients are in the
    program's memory, which the next call overwrites; results are new tensors. A module in evaluation mode runs without
    gradients.

    Calls that read values into Python (``item()``, ``bool()``, ``x.array``, printing, copying), that change a number
    which they also read, or whose result still has a graph for backward, run eagerly, with a RuntimeWarning.

    Args:
        function: a function or module; without it, ``compile`` is a decorator
        fullgraph: raise RuntimeError instead of running eagerly, default False
        check: which replays are compared with eager mode. "first", the default: the first one of each program. If it
            differs, a RuntimeWarning names the first launch with other results, and such calls run eagerly from then
            on; the step counts as run once, by eager mode. True, to find errors: every replay; RuntimeError names
            the launch, and everything is then as it was before the call; other threads must not draw from the default
            generator meanwhile. False: none.

    Returns:
        A CompiledFunction, with ``programs()``, of which there are at most 16, and ``epoch()``.

    Raises:
        TypeError: `function` is not callable
        ValueError: `check` is neither "first" nor a bool

    Example:
        >>> layer = cg.nn.Linear(2, 1)
        >>> optimizer = cg.optim.SGD(layer.parameters(), lr=0.1)
        >>> @cg.compile
        ... def step(x, y):
        ...     optimizer.zero_grad()
        ...     loss = cg.nn.functional.mse_loss(layer(x), y)
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> losses = [step(cg.ones(4, 2), cg.ones(4, 1)).item() for _ in range(20)]
        >>> losses[-1] < losses[0]
        True
        >>> len(step.programs())
        1

    Reference: after ``torch.compile``.
    """
    if function is None:
        return functools.partial(compile, fullgraph=fullgraph, check=check)
    if not callable(function):
        raise TypeError(f"compile: function must be callable, got {type(function).__name__}")
    if not isinstance(check, bool) and check != "first":
        raise ValueError(f'compile: check must be "first", True or False, got {check!r}')
    return CompiledFunction(function, fullgraph, check)
