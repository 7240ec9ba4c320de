"""The graph as PyTorch shows it: the names of its nodes, and a node at each leaf."""

from __future__ import annotations

from typing import Any

from cygrad.config import follows_torch

__all__ = ["AccumulateGrad", "next_functions", "node_name"]

NAMES = {  # of ops whose nodes have other names in PyTorch
    "batch_norm": "NativeBatchNorm", "cat_all": "Cat", "cross_entropy": "NllLoss", "getitem": "Index",
    "layer_norm": "NativeLayerNorm", "linear": "Addmm", "matmul": "Mm", "reshape": "View", "whole_max": "Max",
    "whole_min": "Min",
}  # fmt: skip


class AccumulateGrad:
    """Where the gradients of a leaf arrive, as an edge of the graph; equal for the same leaf.

    Args:
        variable: the leaf, whose ``grad`` they are added to.

    >>> x = cg.ones(2, requires_grad=True)
    >>> (x * 2).grad_fn.next_functions[0][0].variable is x
    True
    """

    __slots__ = ("variable",)
    next_functions: tuple[()] = ()

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def name(self) -> str:
        """Return the name that PyTorch gives such nodes."""
        return "torch::autograd::AccumulateGrad"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and self.variable is other.variable

    def __hash__(self) -> int:
        return hash((AccumulateGrad, id(self.variable)))

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self.variable):#x}>"


def next_functions(sources: tuple[tuple[Any, int], ...]) -> tuple[tuple[Any, int], ...]:
    """The sources of a node with leaves as nodes."""
    return tuple([(AccumulateGrad(s) if hasattr(s, "requires_grad") else s, index) for s, index in sources])


def node_name(node: Any) -> str:
    """The op's name; under ``cygrad.torch`` the node's in PyTorch, such as ``MulBackward0``."""
    name: str = node.op.name
    if not follows_torch():
        return name
    if node.op.opaque:
        return f"{name}Backward"
    return f"{NAMES.get(name) or ''.join(part.capitalize() for part in name.split('_'))}Backward0"
