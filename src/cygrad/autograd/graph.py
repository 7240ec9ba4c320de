"""The computation graph as a drawing: leaves are boxes, operations circles, and data flows downwards."""

from __future__ import annotations

from typing import Any

from cygrad.autograd.engine import Node

__all__ = ["graph"]


def graph(output: Any, format: str = "dot", names: dict[str, Any] | None = None) -> str:
    """The graph that made `output`, as DOT text, or with ``format="svg"`` as SVG, which Graphviz draws.

    `names` gives leaves a name: ``dict(model.named_parameters())`` fits. Raises RuntimeError where there is no graph,
    it was freed by backward, or Graphviz is not installed.

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
    text = "\n".join(["digraph {", '  node [fontname="sans-serif", fontsize=11];', *lines(output, names or {}), "}"])
    return text if format == "dot" else drawn(text)


def lines(output: Any, names: dict[str, Any]) -> list[str]:
    """A line for each box, circle and arrow, from the output on; a loop, for graphs of any depth."""
    if output.node is None:
        raise RuntimeError("graph: the tensor is a leaf; no operation made it")
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
    label = title.replace("\\", "\\\\").replace('"', '\\"')
    return f'  n{number} [label="{label}\\n{value.array.shape} {value.array.dtype}", shape=box{style}];'


def drawn(text: str) -> str:
    """DOT as SVG."""
    import subprocess

    try:
        done = subprocess.run(
            ["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True, encoding="utf-8"
        )
    except FileNotFoundError:
        raise RuntimeError('graph: format="svg" needs Graphviz, whose program dot is not installed') from None
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"graph: Graphviz failed with {error.stderr.strip()!r}") from None
    return done.stdout
