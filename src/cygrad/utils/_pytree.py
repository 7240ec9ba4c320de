"""Functions on trees: nested dicts, lists and tuples with leaves, under PyTorch's path ``torch.utils._pytree``."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "SUPPORTED_NODES",
    "GetAttrKey",
    "LeafSpec",
    "MappingKey",
    "SequenceKey",
    "TreeSpec",
    "keystr",
    "register_pytree_node",
    "tree_all",
    "tree_all_only",
    "tree_any",
    "tree_any_only",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_only_",
    "tree_map_with_path",
    "tree_structure",
    "tree_unflatten",
]

PyTree = Context = KeyEntry = Any
KeyPath = tuple[Any, ...]
IsLeaf = Callable[[Any], bool]


class Container(NamedTuple):
    """How a type is taken apart, into children and what else it needs, and put together again."""

    flatten_fn: Callable[[Any], tuple[Any, Any]]
    unflatten_fn: Callable[[Any, Any], Any]


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

    @property
    def num_nodes(self) -> int:
        """The number of leaves and containers."""
        return 1 + sum(child.num_nodes for child in self.children_specs)

    @property
    def num_children(self) -> int:
        """The number of children of the root."""
        return len(self.children_specs)

    def is_leaf(self) -> bool:
        """Return whether the tree is a leaf."""
        return self.type is None

    def children(self) -> list[TreeSpec]:
        """Return the structures of the root's children."""
        return list(self.children_specs)

    def child(self, index: int) -> TreeSpec:
        """Return the structure of one of the root's children."""
        return self.children_specs[index]

    def unflatten(self, leaves: Any) -> Any:
        """Return the tree with these leaves; see :func:`tree_unflatten`."""
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """Return what another tree has where this structure has leaves.

        Raises:
            ValueError: the tree does not begin with this structure.
        """
        if self.type is None:
            return [tree]
        kind = kind_of(tree, None)
        children, context = SUPPORTED_NODES[kind].flatten_fn(tree) if kind is self.type else ((), None)
        if kind is not self.type or len(children) != len(self.children_specs) or context != self.context:
            raise ValueError(f"flatten_up_to: the tree does not fit: wanted {self.type.__name__}, got {tree!r}")
        return [part for spec, child in zip(self.children_specs, children) for part in spec.flatten_up_to(child)]


def mapping(kind: type[Any]) -> Container:
    """A dict, taken apart into its values."""
    return Container(lambda tree: (list(tree.values()), list(tree)), lambda items, keys: kind(zip(keys, items)))


SUPPORTED_NODES: dict[type[Any], Container] = {
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
    SUPPORTED_NODES[cls] = Container(flatten_fn, unflatten_fn)


def kind_of(tree: Any, is_leaf: IsLeaf | None) -> Any:
    """The key in SUPPORTED_NODES of a tree's root; None for a leaf."""
    if is_leaf is not None and is_leaf(tree):
        return None
    if type(tree) in SUPPORTED_NODES:
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
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
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
    children = [put_together(leaves, child) for child in spec.children_specs]
    return SUPPORTED_NODES[spec.type].unflatten_fn(children, spec.context)


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


def tree_map_only_(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Call ``func`` with the leaves of a type, for its effects, and return the tree."""
    tree_map_only(kind, func, tree, is_leaf)
    return tree


def tree_all_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``pred`` is true for all leaves of a type."""
    return all([pred(leaf) for leaf in tree_leaves(tree, is_leaf) if isinstance(leaf, kind)])


def tree_any_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``pred`` is true for a leaf of a type."""
    return any([pred(leaf) for leaf in tree_leaves(tree, is_leaf) if isinstance(leaf, kind)])


def tree_is_leaf(tree: Any, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether a tree is a leaf."""
    return kind_of(tree, is_leaf) is None


# Paths


class SequenceKey(NamedTuple):
    """The step from a list or tuple to one of its items."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, parent: Any) -> Any:
        """Return the item."""
        return parent[self.idx]


class MappingKey(NamedTuple):
    """The step from a dict to one of its values."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, parent: Any) -> Any:
        """Return the value."""
        return parent[self.key]


class GetAttrKey(NamedTuple):
    """The step from a named tuple to one of its fields."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, parent: Any) -> Any:
        """Return the field."""
        return getattr(parent, self.name)


def keystr(kp: KeyPath) -> str:
    """Return a path as it would be written after the name of the tree.

    >>> from cygrad.utils._pytree import keystr, tree_leaves_with_path
    >>> [keystr(path) for path, leaf in tree_leaves_with_path({"a": [1, 2]})]
    ["['a'][0]", "['a'][1]"]
    """
    return "".join(map(str, kp))


def tree_leaves_with_path(tree: Any, is_leaf: IsLeaf | None = None) -> list[tuple[KeyPath, Any]]:
    """Return pairs of the path to a leaf and the leaf."""
    kind = kind_of(tree, is_leaf)
    if kind is None:
        return [((), tree)]
    children, _ = SUPPORTED_NODES[kind].flatten_fn(tree)
    keys: list[Any] = [SequenceKey(i) for i in range(len(children))]
    if kind is namedtuple:
        keys = [GetAttrKey(name) for name in tree._fields]
    elif isinstance(tree, dict):
        keys = [MappingKey(key) for key in tree]
    pairs = zip(keys, children)
    return [((key, *path), leaf) for key, child in pairs for path, leaf in tree_leaves_with_path(child, is_leaf)]


def tree_flatten_with_path(tree: Any, is_leaf: IsLeaf | None = None) -> tuple[list[tuple[KeyPath, Any]], TreeSpec]:
    """Return pairs of the path to a leaf and the leaf, and the structure of the tree."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf | None = None) -> Any:
    """:func:`tree_map` of a function that is called with the path to a leaf before the leaf."""
    paths = [path for path, _ in tree_leaves_with_path(tree, is_leaf)]
    leaves, structure = tree_flatten(tree, is_leaf)
    others = [tree_leaves(rest, is_leaf) for rest in rests]
    for other in others:
        if len(other) != len(leaves):
            raise ValueError(f"tree_map_with_path: the trees have {len(leaves)} and {len(other)} leaves")
    return tree_unflatten([func(*items) for items in zip(paths, leaves, *others)], structure)


# Private names that public libraries import


def LeafSpec() -> TreeSpec:
    """Return the structure of a leaf."""
    return TreeSpec(None, None, ())


_register_pytree_node = register_pytree_node


def _get_node_type(tree: Any) -> Any:
    """The type by which a tree is taken apart."""
    kind = kind_of(tree, None)
    return type(tree) if kind is None else kind


_is_leaf = tree_is_leaf


_dict_flatten, _dict_unflatten = SUPPORTED_NODES[dict]


def _dict_flatten_with_keys(tree: dict[Any, Any]) -> tuple[list[tuple[MappingKey, Any]], list[Any]]:
    """The items of a dict, and its keys."""
    return [(MappingKey(key), value) for key, value in tree.items()], list(tree)
