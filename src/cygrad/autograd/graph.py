"""The computation graph as text in DOT, the language of Graphviz: leaves are boxes, and data flows downwards."""

from __future__ import annotations

from typing import Any

from cygrad.autograd.engine import Node

__all__ = ["graph"]


def graph(output: Any, format: str = "dot", names: dict[str, Any] | None = None) -> str:
    """Return the graph that computed `output` as text: DOT, or SVG with values and gradients.

    Args:
        output: a tensor that has a graph.
        format: ``"dot"``, for Graphviz and other programs, or ``"svg"``, the picture of ``output.graph()``.
        names: names of leaves; ``dict(model.named_parameters())`` fits.

    Raises:
        RuntimeError: if `output` is a leaf, or ``backward`` has freed its graph.
        ValueError: for another format.

    Example:

    >>> x = cg.ones(2, requires_grad=True)
    >>> print(cg.autograd.graph((x * 3).sum(), names={"x": x}))
    digraph {
      node [fontname="sans-serif", fontsize=11];
      n0 [label="result\\n() float32", shape=box, style=bold];
      n1 [label="sum", shape=ellipse];
      n1 -> n0;
      n2 [label="mul", shape=ellipse];
      n2 -> n1;
      n3 [label="x\\n(2,) float32", shape=box];
      n3 -> n2;
    }
    """
    if format not in ("dot", "svg"):
        raise ValueError(f"graph: format must be dot or svg, got {format!r}")
    if format == "svg":
        from cygrad.autograd.drawing import draw  # seldom needed, and as long to import as the rest of autograd

        return draw(output, names).svg
    return "\n".join(["digraph {", '  node [fontname="sans-serif", fontsize=11];', *lines(output, names or {}), "}"])


def lines(output: Any, names: dict[str, Any]) -> list[str]:
    """A line for each box, ellipse and arrow, from the output backward; a loop, for graphs of any depth."""
    if output.node is None:
        raise RuntimeError("graph: the tensor is a leaf; no operation computed it")
    titles = {id(value): name for name, value in names.items()}
    numbers: dict[Any, int] = {}
    result = [box(0, "result", output, ", style=bold")]
    waiting: list[tuple[Any, int]] = [(output.node, 0)]
    while waiting:
        source, target = waiting.pop()
        number = numbers.get(source)
        if number is None:
            number = numbers[source] = len(numbers) + 1
            if isinstance(source, Node):
                if source.freed:
                    raise RuntimeError(
                        "graph: backward has freed it; draw it before, or call backward with retain_graph=True"
                    )
                result.append(f'  n{number} [label="{source.op.name}", shape=ellipse];')
                waiting += [(edge, number) for edge in reversed(source.edges) if edge is not None]
            else:
                result.append(box(number, titles.get(id(source), "leaf"), source))
        result.append(f"  n{number} -> n{target};")
    return result


def box(number: int, title: str, value: Any, style: str = "") -> str:
    """A box for a value, with its title, shape and dtype."""
    label = title.replace("\\", "\\\\").replace('"', '\\"')
    return f'  n{number} [label="{label}\\n{value.array.shape} {value.array.dtype}", shape=box{style}];'
