"""Functions of functions: gradients, products with Jacobians, Jacobians, Hessians, batches. As ``torch.func``.

Arguments may be nested in tuples, lists and dicts. Results can be differentiated again, so that transforms nest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cygrad import autograd
from cygrad.functions import stack
from cygrad.nn.module import Module
from cygrad.nn.stacking import stack_modules, unstack_modules
from cygrad.tensor import Tensor

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "stack_modules",
    "unstack_modules",
    "vjp",
    "vmap",
]

_depth = 0  # of transforms that run


def leaves_of(tree: Any) -> list[Tensor]:
    """The tensors in nested tuples, lists and dicts."""
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, (tuple, list)) else ()
    return [leaf for part in parts for leaf in leaves_of(part)]


def rebuilt(tree: Any, leaves: Iterator[Any]) -> Any:
    """The tree with other leaves."""
    if isinstance(tree, Tensor):
        return next(leaves)
    if isinstance(tree, Mapping):
        return type(tree)((key, rebuilt(value, leaves)) for key, value in tree.items())  # type: ignore[call-arg]
    if isinstance(tree, (tuple, list)):
        items = [rebuilt(value, leaves) for value in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return tree


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with function(leaf) in place of each leaf."""
    return rebuilt(tree, iter([function(leaf) for leaf in leaves_of(tree)]))


def watched(tree: Any) -> Any:
    """Copies of the tensors, whose gradients are asked for: what else leads to a tensor does not count."""

    def copy(leaf: Tensor) -> Tensor:
        if leaf.array.dtype.kind != "f":
            return leaf
        return leaf.clone() if leaf.requires_grad else leaf.detach().requires_grad_()

    return mapped(copy, tree)


class Level:
    """A transform that runs. Results of the outermost one have no graph, unless its arguments have."""

    def __init__(self, inputs: Any) -> None:
        self.keeps = _depth > 0 or any(leaf.requires_grad for leaf in leaves_of(inputs))

    def __enter__(self) -> Level:
        global _depth
        _depth += 1
        return self

    def __exit__(self, *error: object) -> None:
        global _depth
        _depth -= 1

    def result(self, tree: Any) -> Any:
        """A result, as the caller gets it."""
        return tree if self.keeps else mapped(lambda leaf: leaf.detach(), tree)


def gradients(outputs: Any, inputs: list[Tensor], upstream: Any = None) -> list[Tensor]:
    """The gradient of each input, zeros where there is none; they can be differentiated."""
    pairs = list(
        zip(leaves_of(outputs), leaves_of(upstream) if upstream is not None else [None] * len(leaves_of(outputs)))
    )
    pairs = [(y, dy) for y, dy in pairs if y.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    found: Any = [None] * len(wanted)
    if pairs and wanted:
        ys, dys = zip(*pairs)
        found = autograd.grad(ys, wanted, dys, create_graph=True, allow_unused=True)
    by_input = iter(found)
    results = [next(by_input) if x.requires_grad else None for x in inputs]
    return [x.detach() * 0 if g is None else g for x, g in zip(inputs, results)]


def split(output: Any, has_aux: bool) -> tuple[Any, Any]:
    """(output, what comes beside it)"""
    if not has_aux:
        return output, None
    if not isinstance(output, tuple) or len(output) != 2:
        raise RuntimeError("has_aux: the function must return a tuple (output, aux)")
    return output


def chosen(args: tuple[Any, ...], argnums: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """The numbers of the arguments that count, and all arguments with those watched."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if any(not -len(args) <= n < len(args) for n in numbers):
        raise RuntimeError(f"argnums {argnums} are out of range for {len(args)} arguments")
    numbers = tuple(n % len(args) for n in numbers)
    return numbers, tuple(watched(arg) if i in numbers else arg for i, arg in enumerate(args))


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of func, and its value.

    Args:
        func: returns a tensor with one element; with `has_aux` a tuple of it and anything.
        argnums: the number of the argument, or a tuple of numbers.
        has_aux: whether func returns something beside.

    Returns:
        A function that returns (gradient, value), or (gradient, (value, aux)).
    """

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers, inner = chosen(args, argnums)
        with Level(args) as level, autograd.enable_grad():
            value, aux = split(func(*inner, **kwargs), has_aux)
            if not isinstance(value, Tensor) or value.numel() != 1:
                raise RuntimeError("grad: the function must return a tensor with one element")
            wanted = [inner[n] for n in numbers]
            found = rebuilt(wanted, iter(gradients(value.sum(), leaves_of(wanted))))
            result = found[0] if isinstance(argnums, int) else tuple(found)
            return level.result((result, (value, aux) if has_aux else value))

    return transformed


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of func; see :func:`grad_and_value`.

    >>> cg.func.grad(cg.func.grad(lambda x: x**3))(cg.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return transformed


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return func(*primals), and a function from gradients of the output to those of the primals: products vᵀJ.

    Args:
        func: a function of tensors.
        primals: its arguments.
        has_aux: whether func returns a tuple (output, aux); aux is then the third result.
    """
    inner = watched(primals)
    with Level(primals) as level, autograd.enable_grad():
        output, aux = split(func(*inner), has_aux)

    def pullback(cotangents: Any, *more: Any) -> tuple[Any, ...]:
        upstream = (cotangents, *more) if more else cotangents
        with autograd.enable_grad():
            return tuple(level.result(rebuilt(inner, iter(gradients(output, leaves_of(inner), upstream)))))

    shown = level.result(output)
    return (shown, pullback, aux) if has_aux else (shown, pullback)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Return func(*primals), and the product J·tangents: the derivative in one direction.

    It is computed by two passes backward: vᵀJ is linear in v, and its derivative by v is J.

    Args:
        func: a function of tensors.
        primals: its arguments, a tuple.
        tangents: the direction, of the primals' structure.
        strict: accepted, without effect.
        has_aux: whether func returns a tuple (output, aux).
    """
    inner = watched(tuple(primals))
    with Level((primals, tangents)) as level, autograd.enable_grad():
        output, aux = split(func(*inner), has_aux)
        seeds = mapped(lambda y: (y.detach() * 0).requires_grad_(), output)
        products = gradients(output, leaves_of(inner), seeds)
        found = gradients(products, leaves_of(seeds), tuple(leaves_of(tangents)))
        results = level.result((output, rebuilt(output, iter(found))))
    return (*results, aux) if has_aux else results


def jacrev(
    func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of func, one row after the other.

    Args:
        func: a function of tensors that returns a tensor, or a structure of tensors.
        argnums: the number of the argument, or a tuple of numbers.
        has_aux: whether func returns a tuple (output, aux).
        chunk_size: accepted, without effect.

    Returns:
        A function that returns a tensor of shape output.shape + input.shape for each pair of output and input.
    """

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers, inner = chosen(args, argnums)
        with Level(args) as level, autograd.enable_grad():
            output, aux = split(func(*inner, **kwargs), has_aux)
            wanted = [inner[n] for n in numbers]

            def rows(y: Tensor) -> Any:
                found = [jacobian_of(y, x) for x in leaves_of(wanted)]
                whole = rebuilt(wanted, iter(found))
                return whole[0] if isinstance(argnums, int) else tuple(whole)

            result = level.result(mapped(rows, output))
            return (result, aux) if has_aux else result

    return transformed


def jacfwd(
    func: Callable[..., Any],
    argnums: Any = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable[..., Any]:
    """As :func:`jacrev`, whose results are the same; `randomness` is accepted, without effect."""
    return jacrev(func, argnums, has_aux=has_aux)


def jacobian_of(y: Tensor, x: Tensor) -> Tensor:
    """∂y/∂x, of shape y.shape + x.shape."""
    flat = y.reshape(-1)
    rows = [gradients(flat[i], [x])[0] for i in range(flat.numel())]
    if not rows:
        return x.new_zeros((*y.shape, *x.shape))
    return stack(rows).reshape((*y.shape, *x.shape))


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """Return a function that computes the Hessian of func, the Jacobian of its gradient.

    >>> cg.func.hessian(lambda x: (x**3).sum())(cg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that calls func for each element of a batch, and stacks the results.

    The calls run one after the other: vmap saves code, not time.

    Args:
        func: a function of tensors.
        in_dims: the dimension of each argument to iterate over, None for arguments that all calls share.
        out_dims: the dimension of each result along which they are stacked.
        randomness: accepted: each call draws its own numbers, as with "different".
        chunk_size: accepted, without effect.

    Raises:
        ValueError: the sizes differ, or no argument has a dimension to iterate over.
    """

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        dims = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
        if len(dims) != len(args):
            raise ValueError(f"vmap: in_dims has {len(dims)} entries for {len(args)} arguments")
        pairs = [pair for arg, dim in zip(args, dims) for pair in pairs_of(arg, dim)]
        pairs += [(leaf, 0) for leaf in leaves_of(kwargs)]
        sizes = {leaf.shape[dim] for leaf, dim in pairs if dim is not None}
        if len(sizes) != 1:
            raise ValueError(f"vmap: the batched dimensions must have one size, got {sorted(sizes)}")
        results = []
        for i in range(sizes.pop()):
            parts = iter([leaf if dim is None else leaf.select(dim, i) for leaf, dim in pairs])
            batch = [rebuilt(arg, parts) for arg in args]
            results.append(func(*batch, **rebuilt(kwargs, parts)))
        if not results:
            raise ValueError("vmap: the batch is empty")
        columns = list(zip(*[leaves_of(result) for result in results]))
        outs = out_dims if isinstance(out_dims, (tuple, list)) else (out_dims,) * len(columns)
        return rebuilt(results[0], iter([stack(column, dim) for column, dim in zip(columns, outs)]))

    return transformed


def pairs_of(tree: Any, dims: Any) -> list[tuple[Tensor, int | None]]:
    """The tensors of an argument, each with the dimension to iterate over."""
    if isinstance(tree, Tensor):
        return [(tree, dims)]
    keys = list(tree) if isinstance(tree, Mapping) else range(len(tree)) if isinstance(tree, (tuple, list)) else []
    nested = isinstance(dims, (tuple, list, Mapping))
    return [pair for key in keys for pair in pairs_of(tree[key], dims[key] if nested else dims)]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other parameters and buffers, which afterwards has its own again.

    Args:
        module: the module.
        parameter_and_buffer_dicts: tensors by name, as in a state dict; or a sequence of such dicts.
        args: the argument, or a tuple of arguments.
        kwargs: keyword arguments.
        tie_weights: whether a tensor that the module has under several names is replaced under all of them.
        strict: whether every parameter and buffer must be given.

    Raises:
        RuntimeError: a name is not that of a parameter or buffer, or with `strict` one is missing.
    """
    dicts = parameter_and_buffer_dicts
    given = dict(dicts) if isinstance(dicts, Mapping) else {k: v for part in dicts for k, v in part.items()}
    own = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    unknown, missing = sorted(set(given) - set(own)), sorted(set(own) - set(given))
    if unknown or (strict and missing):
        raise RuntimeError(f"functional_call: unexpected names {unknown}, missing {missing if strict else []}")
    if tie_weights:
        by_tensor = {id(own[name]): value for name, value in given.items()}
        given = {name: by_tensor[id(tensor)] for name, tensor in own.items() if id(tensor) in by_tensor}
    places = [(module.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2], name) for name in given]
    before = [(vars(owner), name, vars(owner)[name]) for owner, name, _ in places]
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    try:
        for owner, name, path in places:
            vars(owner)[name] = given[path]
        return module(*arguments, **(kwargs or {}))
    finally:
        for attributes, name, value in before:
            attributes[name] = value


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the parameters, and the buffers, of several modules of one architecture, stacked along a new first
    dimension.

    Args:
        models: the modules.

    Raises:
        ValueError: there is no module, or their names differ.
    """
    if not models or len({tuple(model.state_dict()) for model in models}) > 1:
        raise ValueError("stack_module_state: expected modules of one architecture")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    return (
        {name: stack([p[name].detach() for p in parameters]).requires_grad_() for name in parameters[0]},
        {name: stack([b[name] for b in buffers]) for name in buffers[0]},
    )
