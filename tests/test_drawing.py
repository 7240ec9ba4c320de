"""Drawings of graphs: which vertices and wires they have, with which values and gradients, and where they lie."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from cygrad.autograd.layout import Edge, lay_out
from cygrad.nn import functional as F

SVG = "{http://www.w3.org/2000/svg}"


def leaf(*values):
    return cg.tensor(values if len(values) > 1 else values[0], dtype=cg.float64, requires_grad=True)


def rows(drawing):
    """The drawing as text: {name: (operation, value, gradient)}, with None for an empty cell."""
    head, *lines = str(drawing).splitlines()
    value, gradient = head.index("value"), head.index("gradient")
    result = {}
    for line in lines:
        name, *operation = line[:value].split(None, 1)
        cells = ["".join(operation), line[value:gradient], line[gradient:]]
        result[name] = tuple([cell.strip() or None for cell in cells])
    return result


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]


def boxes(svg):
    """(left, top, right, bottom) of each vertex."""
    frames = [e for e in ET.fromstring(svg).iter(f"{SVG}rect") if e.get("class") != "cg-page"]
    numbers = [[float(e.get(name)) for name in ("x", "y", "width", "height")] for e in frames]
    return [(x, y, x + width, y + height) for x, y, width, height in numbers]


def test_the_first_example_of_the_lecture():
    x, y = cg.tensor(1.0), cg.tensor(2.0)
    w1 = cg.tensor(2.0, requires_grad=True)
    w2 = cg.tensor(0.5, requires_grad=True)
    u = x + w1
    y_hat = u * w2
    loss = 0.5 * (y - y_hat) ** 2
    drawing = loss.graph(names={"x": x, "w1": w1, "w2": w2, "y": y, "u": u, "y_hat": y_hat, "loss": loss})
    assert rows(drawing) == {
        "x": (None, "1", None),
        "w1": (None, "2", "-0.25"),
        "u": ("add(x, w1)", "3", "-0.25"),
        "w2": (None, "0.5", "-1.5"),
        "y_hat": ("mul(u, w2)", "1.5", "-0.5"),
        "y": (None, "2", None),
        "%3": ("sub(y, y_hat)", "0.5", "0.5"),
        "%4": ("pow(%3, 2)", "0.25", "0.5"),
        "loss": ("mul(0.5, %4)", "0.125", "1"),
    }
    assert drawing.operations == 5
    shown = texts(drawing.svg)
    # Each value and gradient stands on its vertex and on its wire; the result has no wire.
    for text, times in {"3": 2, "∂ -1.5": 2, "1.5": 2, "∂ -0.25": 4, "0.125": 1, "∂ 1": 1}.items():
        assert shown.count(text) == times, (text, shown)
    assert "u = add" in shown and "loss = mul" in shown


def test_a_value_used_twice_shows_each_share_of_its_gradient():
    x = leaf(2.0, 3.0)
    y = (x * x + 5 * x).sum()
    drawing = y.graph(names={"x": x})
    assert rows(drawing)["x"] == (None, "[2, 3]", "[9, 11]")
    shown = texts(drawing.svg)
    assert shown.count("∂ [2, 3]") == 2 and shown.count("∂ [5, 5]") == 1 and shown.count("∂ [9, 11]") == 1


def test_gradients_are_those_of_backward():
    cg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2))
    names = dict(model.named_parameters())
    loss = F.cross_entropy(model(cg.randn(2, 3)), cg.tensor([0, 1]))
    tooltips = [e.text for e in ET.fromstring(loss.graph(names=names).svg).iter(f"{SVG}title")]
    loss.backward()
    for name, parameter in names.items():
        (text,) = [t for t in tooltips if t.startswith(f"{name}\n")]
        got = np.array(eval(text.rpartition("gradient ")[2]))
        np.testing.assert_allclose(got, parameter.grad.numpy(), rtol=1e-3, atol=1e-6)


def test_drawing_changes_nothing():
    x = leaf(1.0, 2.0)
    calls = []
    y = x * 3
    y.register_hook(lambda gradient: calls.append(gradient))
    loss = (y * y).sum()
    first = loss.graph().svg
    assert x.grad is None and not calls
    assert loss.graph().svg == first
    loss.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [18, 36])
    assert len(calls) == 1


def test_a_retained_graph_can_be_drawn_after_backward():
    x = leaf(2.0)
    y = (x * 3).sum()
    before = y.graph().svg
    y.backward(retain_graph=True)
    assert y.graph().svg == before
    np.testing.assert_array_equal(x.grad.numpy(), 3)


def test_a_compiled_step_cannot_draw():
    x = leaf(2.0)

    @cg.compile(fullgraph=True)
    def step():
        y = (x * 3).sum()
        y.graph()
        return y.detach()

    step()
    with pytest.raises(RuntimeError, match="graph"):
        step()


def test_what_has_no_graph_is_named():
    with pytest.raises(RuntimeError, match="graph: the tensor is a leaf; no operation computed it"):
        leaf(1.0).graph()
    with pytest.raises(RuntimeError, match="graph: the tensor is a leaf"):
        cg.ones(2).sum().graph()
    y = (leaf(1.0) * 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="graph: backward has freed it; draw it before"):
        y.graph()
    with pytest.raises(ValueError, match=r"gradient must have the output's shape \(2,\), got \(3,\)"):
        (leaf(1.0, 2.0) * 2).graph(gradient=cg.ones(3))


def test_several_elements_have_gradients_only_if_one_is_given():
    x = leaf(1.0, 2.0)
    y = x * 3
    assert rows(y.graph(names={"x": x}))["x"] == (None, "[1, 2]", None)
    given = y.graph(names={"x": x}, gradient=cg.tensor([1.0, 10.0], dtype=cg.float64))
    assert rows(given)["x"] == (None, "[1, 2]", "[3, 30]")


def test_large_arrays_are_shown_by_shape_and_dtype():
    x, w = cg.randn(20, 30), cg.randn(7, 30, requires_grad=True)
    drawing = F.linear(x, w).relu().sum().graph(names={"w": w})
    assert rows(drawing)["w"] == (None, "(7, 30) float32", "(7, 30) float32")
    assert "∂ (20, 7) float32" in texts(drawing.svg)


def test_each_output_of_an_op_has_its_own_wire():
    x = leaf([3.0, 1.0, 2.0])
    values, _ = cg.topk(x, 2)
    drawing = (values * cg.tensor([1.0, 10.0], dtype=cg.float64)).sum().graph(names={"x": x})
    assert rows(drawing)["x"] == (None, "[3, 1, 2]", "[1, 0, 10]")
    assert "[3, 2]" in texts(drawing.svg)


def test_names_are_escaped_and_shortened():
    x = leaf(2.0)
    name = "<&\"'>" + "a" * 20 + "last"
    drawing = (x * 3).graph(names={name: x})
    (title,) = [text for text in texts(drawing.svg) if text.startswith("<")]
    assert title.startswith("<&\"'>") and title.endswith("last") and "…" in title and len(title) < len(name)
    assert any([e.text.startswith(f"{name}\n") for e in ET.fromstring(drawing.svg).iter(f"{SVG}title")])


def test_a_graph_of_300_nodes_is_drawn_in_a_second_of_processor_time():
    w, h = leaf(1.0, 2.0), leaf(0.1, 0.2)
    for _ in range(100):
        h = (h * w + w).tanh()
    loss = h.sum()
    times = []
    for _ in range(3):
        begin = time.process_time()
        drawing = loss.graph()
        times.append(time.process_time() - begin)
    assert drawing.operations == 301 and min(times) < 1
    ET.fromstring(drawing.svg)


def test_graphs_that_are_too_large_are_refused():
    x = leaf(1.0)
    for _ in range(2001):
        x = x + 1
    with pytest.raises(RuntimeError, match="graph: more than 2,000 operations are too many to draw"):
        x.graph()


def test_a_drawing_is_saved_and_shown(tmp_path):
    drawing = (leaf(1.0) * 2).graph()
    drawing.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == drawing.svg == drawing._repr_svg_()
    assert repr(drawing) == "<drawing of 1 operation: print it, or save it with .save('graph.svg')>"
    with pytest.raises(ValueError, match=r"must end in \.svg, got 'graph\.png'"):
        drawing.save("graph.png")


# Layout


def chain(count):
    return [(60.0, 40.0)] * count, [Edge(i, i + 1, 0, 30.0, True) for i in range(count - 1)]


def test_a_chain_is_level_and_flows_to_the_right():
    layout = lay_out(*chain(6))
    xs, ys = zip(*layout.centers)
    assert len(set(ys)) == 1 and list(xs) == sorted(xs) and layout.height == 40
    for route in layout.routes:
        assert route[0][1] == route[-1][1] and route[0][0] < route[-1][0]


@pytest.mark.parametrize("seed", range(20))
def test_vertices_do_not_overlap_and_routes_avoid_their_layers(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 40))
    sizes = [(float(rng.integers(20, 90)), float(rng.integers(20, 90))) for _ in range(count)]
    edges, ports = [], [0] * count
    for target in range(1, count):
        for source in rng.choice(target, size=min(target, int(rng.integers(1, 4))), replace=False):
            edges.append(Edge(int(source), target, ports[target], 20.0, False))
            ports[target] += 1
    layout = lay_out(sizes, edges)
    frames = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y), (w, h) in zip(layout.centers, sizes)]
    for i, (left, top, right, bottom) in enumerate(frames):
        assert left > -1e-6 and top > -1e-6 and right < layout.width + 1e-6 and bottom < layout.height + 1e-6
        for other_left, other_top, other_right, other_bottom in frames[:i]:
            assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
    for edge, route in zip(edges, layout.routes):
        assert [x for x, _ in route] == sorted([x for x, _ in route]), "a route never turns back"
        for x, y in route[1:-1]:
            for vertex, (left, top, right, bottom) in enumerate(frames):
                inside = left < x < right and top < y < bottom
                assert not inside or vertex in (edge.source, edge.target)


def test_crossings_that_can_be_avoided_are():
    # Two chains whose vertices are listed in opposite orders.
    sizes = [(40.0, 30.0)] * 6
    edges = [Edge(0, 3, 0, 0.0, True), Edge(1, 2, 0, 0.0, True), Edge(2, 5, 0, 0.0, True), Edge(3, 4, 0, 0.0, True)]
    layout = lay_out(sizes, edges)
    above = [layout.centers[v][1] < layout.centers[w][1] for v, w in ((0, 1), (3, 2), (4, 5))]
    assert len(set(above)) == 1


def test_frames_of_a_real_graph_do_not_overlap():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
    x = cg.randn(5, 4)
    loss = F.cross_entropy(model(x) + x[:, :2], cg.tensor([0, 1, 0, 1, 1]))
    frames = boxes(loss.graph(names=dict(model.named_parameters())).svg)
    assert len(frames) > 10
    for i, (left, top, right, bottom) in enumerate(frames):
        for other_left, other_top, other_right, other_bottom in frames[:i]:
            assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
