"""Hooks: functions that run before a module's forward, after it, and after its backward."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from cygrad._typing import Array
from cygrad.autograd import Node, Value, engine, op, recording
from cygrad.autograd.hooks import RemovableHandle, add_hook

__all__ = ["GLOBAL", "HasForward", "HookDict", "Hooks"]

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class HasForward(Protocol[P, R]):
    """A module, as its call and its hooks see it. Its call takes and returns what its forward takes and returns."""

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


class Hooks:
    """The hooks of one module, each kind in the order in which they run."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[..., Any]] = OrderedDict()
        self.after: dict[int, Callable[..., Any]] = OrderedDict()
        self.after_errors: dict[int, Callable[..., Any]] = {}  # those of `after` with always_call
        self.with_keywords: dict[int, bool] = {}  # numbers of those of the three above that take the keywords
        self.backward_pre: dict[int, Callable[..., Any]] = OrderedDict()
        self.backward: dict[int, Callable[..., Any]] = OrderedDict()
        self.state_pre: dict[int, Callable[..., Any]] = OrderedDict()
        self.state_post: dict[int, Callable[..., Any]] = OrderedDict()
        self.load_pre: dict[int, tuple[Callable[..., Any], bool]] = {}  # (hook, whether it takes the module)
        self.load_post: dict[int, Callable[..., Any]] = {}

    def add(self, kind: str, hook: Callable[..., Any], prepend: bool, with_keywords: bool) -> RemovableHandle:
        """Add a hook around forward, which may take the keywords too."""
        handle = add_hook(getattr(self, kind), hook, prepend)
        if with_keywords:
            self.with_keywords[handle.number] = True
            handle.others.append(RemovableHandle(self.with_keywords, handle.number))
        return handle

    def around_forward(self, kind: str) -> list[tuple[Callable[..., Any], bool]]:
        """The hooks of one kind, and whether each takes the keywords."""
        owners = [GLOBAL] if self is GLOBAL else [GLOBAL, self]
        return [(hook, n in owner.with_keywords) for owner in owners for n, hook in getattr(owner, kind).items()]

    def all(self, kind: str) -> list[Any]:
        """The hooks of one kind: those of all modules, then this module's."""
        own = [] if self is GLOBAL else list(getattr(self, kind).values())
        return [*getattr(GLOBAL, kind).values(), *own]

    def any(self) -> bool:
        """Whether there is a hook, of this module or of all modules: those that were added may have been removed."""
        return any([*vars(self).values(), *vars(GLOBAL).values()])

    def call(self, module: HasForward[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the module's forward between its hooks."""
        for hook, with_kwargs in self.around_forward("before"):
            if with_kwargs:
                changed = hook(module, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
            else:
                changed = hook(module, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        before, after = self.all("backward_pre"), self.all("backward")
        watch = Watch(module, tuple(after), tuple(before)) if before or after else None
        if watch is not None:
            args = watch.inputs(args)
        try:
            result = module.forward(*args, **kwargs)
        except Exception:
            for hook, with_kwargs in self.around_forward("after_errors"):
                hook(module, args, kwargs, None) if with_kwargs else hook(module, args, None)
            raise
        for hook, with_kwargs in self.around_forward("after"):
            changed = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
            if changed is not None:
                result = changed
        return result if watch is None else watch.outputs(result)


GLOBAL = Hooks()  # of all modules


class HookDict:
    """The attribute that has the hooks of one kind of a module by number, as PyTorch's private dicts do.

    Args:
        kind: attribute of :class:`Hooks`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __get__(self, module: Any, owner: Any = None) -> Any:
        if module is None:
            return self
        recording.note_change()  # who asks may change them
        return getattr(module._get_hooks(), self.kind)

    def __set__(self, module: Any, hooks: dict[int, Callable[..., Any]]) -> None:
        recording.note_change()
        setattr(module._get_hooks(), self.kind, hooks)


class Watch:
    """One forward call of a module with backward hooks. An identity op on its inputs and one on its outputs see the
    gradients that enter and leave the module."""

    def __init__(
        self,
        module: HasForward[..., Any],
        hooks: tuple[Callable[..., Any], ...],
        before: tuple[Callable[..., Any], ...] = (),
    ) -> None:
        self.module = module
        self.hooks = hooks
        self.before = before
        self.has_inputs = False
        self.grad_output: tuple[Any, ...] = ()

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Pass the tensors among the arguments through the identity op."""
        indices = [i for i, arg in enumerate(args) if isinstance(arg, Value)]
        self.has_inputs = engine.grad_enabled() and any(args[i].requires_grad for i in indices)
        if not self.has_inputs:
            return args
        watched = dict(zip(indices, watch_inputs(*[args[i] for i in indices], watch=self), strict=True))
        return tuple([watched.get(i, arg) for i, arg in enumerate(args)])

    def outputs(self, result: Any) -> Any:
        """Pass the result, a tensor or a tuple or list of tensors, through the identity op."""
        parts = result if isinstance(result, (tuple, list)) else (result,)
        if not all(isinstance(part, Value) for part in parts):
            raise TypeError(
                f"register_full_backward_hook: {type(self.module).__name__} must return tensors, "
                f"got {type(result).__name__}"
            )
        watched = watch_outputs(*parts, watch=self)
        return type(result)(watched) if isinstance(result, (tuple, list)) else watched[0]

    def run(self, grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        """Call each hook, which may replace the gradients of the inputs, and return those."""
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = changed if isinstance(changed, tuple) else (changed,)
        return grad_input

    def arrive(self, grad_output: tuple[Any, ...]) -> tuple[Any, ...]:
        """Call the hooks before backward, which may replace the gradients of the outputs, and keep and return those."""
        for hook in self.before:
            changed = hook(self.module, grad_output)
            if changed is not None:
                grad_output = changed if isinstance(changed, tuple) else (changed,)
        self.grad_output = grad_output
        if not self.has_inputs:
            self.run((None,))
        return grad_output

    def checked(self, results: tuple[Any, ...], inputs: int) -> tuple[Any, ...]:
        """What the hooks returned, one gradient for each input."""
        if len(results) != inputs:
            raise RuntimeError(
                f"register_full_backward_hook: the hook returned {len(results)} gradients for {inputs} inputs"
            )
        return results


@op
def watch_inputs(ctx: Node, *arrays: Array, watch: Watch) -> tuple[Array, ...]:
    """Return the inputs unchanged."""
    ctx.save(watch)
    return arrays


@watch_inputs.gradient
def _(ctx: Node, *upstream: Array) -> tuple[Array | None, ...]:
    (watch,) = ctx.saved
    results = watch.checked(watch.run(tuple([engine.wrap(array) for array in upstream])), len(upstream))
    return tuple([None if result is None else result.array for result in results])


@watch_inputs.definition
def _(ctx: Node, *upstream: Any) -> tuple[Any, ...]:
    (watch,) = ctx.saved
    return watch.checked(watch.run(upstream), len(upstream))


@op
def watch_outputs(ctx: Node, *arrays: Array, watch: Watch) -> tuple[Array, ...]:
    """Return the outputs unchanged."""
    ctx.save(watch)
    return arrays


@watch_outputs.gradient
def _(ctx: Node, *upstream: Array) -> tuple[Array, ...]:
    (watch,) = ctx.saved
    changed = watch.arrive(tuple([engine.wrap(array) for array in upstream]))
    return tuple([gradient.array for gradient in changed])


@watch_outputs.definition
def _(ctx: Node, *upstream: Any) -> tuple[Any, ...]:
    (watch,) = ctx.saved
    return watch.arrive(upstream)
