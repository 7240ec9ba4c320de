"""Functions on trees: nested dicts, lists and tuples with leaves, under PyTorch's path ``torch.utils._pytree``."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "TreeSpec",
    "register_pytree_node",
    "tree_all",
    "tree_any",
    "tree_flatten",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_structure",
    "tree_unflatten",
]

IsLeaf = Callable[[Any], bool]


class Container(NamedTuple):
    """How a type is taken apart, into children and what else it needs, and put together again."""

    flatten: Callable[[Any], tuple[Any, Any]]
    unflatten: Callable[[Any, Any], Any]


class TreeSpec(NamedTuple):
    """The structure of a tree: the type of its root, what that needs beside its children, and their structures. A leaf
    has the type None."""

    type: type[Any] | None
    context: Any
    children_specs: tuple[TreeSpec, ...]

    @property
    def num_leaves(self) -> int:
        """The number of leaves."""
        return 1 if self.type is None else sum(child.num_leaves for child in self.children_specs)


def mapping(kind: type[Any]) -> Container:
    return Container(lambda tree: (list(tree.values()), list(tree)), lambda items, keys: kind(zip(keys, items)))


CONTAINERS: dict[type[Any], Container] = {
    dict: mapping(dict),
    OrderedDict: mapping(OrderedDict),
    defaultdict: Container(
        lambda tree: (list(tree.values()), (tree.default_factory, list(tree))),
        lambda items, context: defaultdict(context[0], zip(context[1], items)),
    ),
    list: Container(lambda tree: (tree, None), lambda items, _: list(items)),
    tuple: Container(lambda tree: (tree, None), lambda items, _: tuple(items)),
    deque: Container(lambda tree: (tree, tree.maxlen), deque),
    namedtuple: Container(lambda tree: (tree, type(tree)), lambda items, kind: kind(*items)),  # type: ignore[dict-item]
}


def register_pytree_node(
    cls: type[Any],
    flatten_fn: Callable[[Any], tuple[Any, Any]],
    unflatten_fn: Callable[[Any, Any], Any],
    **options: Any,
) -> None:
    """Let the functions of this module look into a class.

    Args:
        cls: the class.
        flatten_fn: takes an object apart: its children, and what else ``unflatten_fn`` needs.
        unflatten_fn: puts both together again.
        options: names for serialization, accepted without effect.
    """
    CONTAINERS[cls] = Container(flatten_fn, unflatten_fn)


def kind_of(tree: Any, is_leaf: IsLeaf | None) -> Any:
    """The key in CONTAINERS of a tree's root; None for a leaf."""
    if is_leaf is not None and is_leaf(tree):
        return None
    if type(tree) in CONTAINERS:
        return type(tree)
    return namedtuple if isinstance(tree, tuple) and hasattr(tree, "_fields") else None


def tree_flatten(tree: Any, is_leaf: IsLeaf | None = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves of a tree, and its structure.

    Args:
        tree: nested dicts, lists, tuples, deques and objects of registered classes.
        is_leaf: says of an object whether it is a leaf although it is a container.

    >>> from cygrad.utils._pytree import tree_flatten, tree_unflatten
    >>> leaves, structure = tree_flatten({"a": [1, 2], "b": 3})
    >>> leaves
    [1, 2, 3]
    >>> tree_unflatten([10, 20, 30], structure)
    {'a': [10, 20], 'b': 30}
    """
    leaves: list[Any] = []
    return leaves, take_apart(tree, is_leaf, leaves)


def take_apart(tree: Any, is_leaf: IsLeaf | None, leaves: list[Any]) -> TreeSpec:
    """Append the leaves of a tree, and return its structure."""
    kind = kind_of(tree, is_leaf)
    if kind is None:
        leaves.append(tree)
        return TreeSpec(None, None, ())
    children, context = CONTAINERS[kind].flatten(tree)
    return TreeSpec(kind, context, tuple([take_apart(child, is_leaf, leaves) for child in children]))


def tree_unflatten(leaves: Any, treespec: TreeSpec) -> Any:
    """Return the tree of a structure with other leaves.

    Raises:
        ValueError: there are more or fewer leaves than the structure has.
    """
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten: the structure has {treespec.num_leaves} leaves, got {len(leaves)}")
    return put_together(iter(leaves), treespec)


def put_together(leaves: Any, spec: TreeSpec) -> Any:
    """The tree of a structure, with the next leaves."""
    if spec.type is None:
        return next(leaves)
    return CONTAINERS[spec.type].unflatten([put_together(leaves, child) for child in spec.children_specs], spec.context)


def tree_leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Return the leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Return an iterator over the leaves of a tree."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: Any, is_leaf: IsLeaf | None = None) -> TreeSpec:
    """Return the structure of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Return a tree of the same structure whose leaves are ``func`` of the leaves.

    Args:
        func: called with a leaf of each tree.
        tree, rests: trees of one structure.
        is_leaf: see :func:`tree_flatten`.

    Raises:
        ValueError: the trees have more or fewer leaves than the first.

    >>> from cygrad.utils._pytree import tree_map
    >>> tree_map(lambda x, y: x + y, {"a": 1, "b": (2,)}, {"a": 10, "b": (20,)})
    {'a': 11, 'b': (22,)}
    """
    leaves, structure = tree_flatten(tree, is_leaf)
    others = [tree_leaves(rest, is_leaf) for rest in rests]
    for other in others:
        if len(other) != len(leaves):
            raise ValueError(f"tree_map: the trees have {len(leaves)} and {len(other)} leaves")
    return tree_unflatten([func(*items) for items in zip(leaves, *others)], structure)


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Call ``func`` with the leaves, for its effects, and return the first tree."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf | None = None) -> Any:
    """``tree_map`` of the leaves that are of a type, or of one of several, or for which a function is true; the others
    stay as they are."""
    chosen = kind if callable(kind) and not isinstance(kind, type) else lambda leaf: isinstance(leaf, kind)
    return tree_map(lambda leaf: func(leaf) if chosen(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``pred`` is true for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``pred`` is true for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))
