"""Gradients of gradients: each op's definition against its gradient rule, against finite differences and PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cygrad as cg
from tests import sabotage
from tests.op_db import ROWS, Sample
from tests.test_compile import READERS, bits, changing, inputs_of
from tests.test_ops import call, cg_tensor, flatten, samples, upstream_of

DIFFERENTIABLE = [row for row in ROWS if row.differentiable and not row.bare]
KINKED = {"maximum", "minimum"}  # ties
each_row = pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)


def gradients(row, sample, create_graph, seeds=None):
    """The inputs of one call, the upstream gradients, and the inputs' gradients as tensors."""
    cg.manual_seed(3)
    outputs, inputs = call(row.op, sample, cg_tensor)
    seeds = upstream_of([output.array for output in outputs]) if seeds is None else seeds
    pairs = [(o, cg.Tensor(s, requires_grad=True)) for o, s in zip(outputs, seeds) if s is not None and o.requires_grad]
    upstream = [s for _, s in pairs]
    found = cg.autograd.grad([o for o, _ in pairs], inputs, upstream, create_graph=create_graph, allow_unused=True)
    return inputs, upstream, found


@each_row
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_a_definition_gives_what_the_gradient_rule_gives(row, dtype):
    for sample in samples(row, dtype):
        _, _, by_rule = gradients(row, sample, False)
        _, _, by_definition = gradients(row, sample, True)
        for want, got in zip(by_rule, by_definition, strict=True):
            assert (got is None) == (want is None), f"{row.name}: {sample}"
            if got is not None:
                assert got.dtype == want.dtype and got.shape == want.shape, f"{row.name}: {sample}"
                scale = np.abs(want.array[np.isfinite(want.array)]).max(initial=0)
                np.testing.assert_allclose(
                    got.array, want.array, rtol=10 * row.rtol[dtype], atol=10 * row.rtol[dtype] * scale + row.atol[dtype],
                    err_msg=f"{row.name}: {sample}",
                )  # fmt: skip


@each_row
def test_second_derivatives_agree_with_finite_differences(row):
    """The derivative of Σ w·gradient, along one random direction in all inputs and upstream gradients."""
    if np.float64 not in row.dtypes:
        pytest.skip(f"{row.name} has no float64 samples")
    if row.name in KINKED:
        pytest.skip(f"{row.name} has samples at its kinks")
    rng, eps = np.random.default_rng(11), 1e-6
    for sample in map(writable, samples(row, np.float64)):
        outputs, _ = call(row.op, sample, cg_tensor)
        seeds = upstream_of([output.array for output in outputs])
        inputs, upstream, found = gradients(row, sample, True, seeds)
        weights = [rng.uniform(-1, 1, tuple(x.shape)) for x in inputs]
        terms = [(cg.Tensor(w) * g).sum() for w, g in zip(weights, found) if g is not None and g.requires_grad]
        variables = [*inputs, *upstream]
        direction = [rng.choice([-1.0, 1.0], tuple(x.shape)) for x in variables]
        analytic = 0.0
        if terms:
            second = cg.autograd.grad(terms, variables, allow_unused=True)
            analytic = sum(float(np.sum(d * s.array)) for d, s in zip(direction, second) if s is not None)
        arrays = [a for a in [*flat_arrays(sample), *seeds] if a is not None and a.dtype.kind == "f"]
        before, sides = [a.copy() for a in arrays], []
        for sign in (1, -1):
            for array, start, d in zip(arrays, before, direction, strict=True):
                array[...] = start + sign * eps * d
            moved = gradients(row, sample, False, seeds)[2]
            sides.append(sum(float(np.sum(w * g.array)) for w, g in zip(weights, moved) if g is not None))
        numeric = (sides[0] - sides[1]) / (2 * eps)
        size = max([1.0, *[np.abs(g.array).max(initial=0) for g in found if g is not None]])
        count = max(sum(a.size for a in before), 1)
        tolerance = 1e-5 * size * count**0.5
        assert analytic == pytest.approx(numeric, rel=1e-4, abs=tolerance), f"{row.name}: {sample}"


def writable(sample):
    """The sample over copies of its arrays."""

    def copied(value):
        if isinstance(value, np.ndarray):
            return value.copy(order="K")
        return type(value)(map(copied, value)) if isinstance(value, (list, tuple)) else value

    return Sample(*map(copied, sample.args), **{name: copied(value) for name, value in sample.kwargs.items()})


def flat_arrays(sample):
    """The arrays of a sample, in the order in which `call` makes inputs of them."""

    def flatten(value):
        if isinstance(value, np.ndarray):
            return [value]
        return [part for v in value for part in flatten(v)] if isinstance(value, (list, tuple)) else []

    return flatten([*sample.args, *sample.kwargs.values()])


def test_every_op_with_a_rule_has_a_definition():
    assert [op.name for op in sabotage.all_ops() if op.rule is not None and op.definition_rule is None] == []


# The engine


def leaf(*values):
    return cg.tensor(values, dtype=cg.float64, requires_grad=True)


def test_any_number_of_derivatives():
    x = leaf(0.5, 2.0)
    y, want = x.sin(), [np.cos, lambda v: -np.sin(v), lambda v: -np.cos(v), np.sin, np.cos]
    for derivative in want:
        (y,) = cg.autograd.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.array, derivative(x.array), rtol=1e-12)


def test_backward_accumulates_gradients_with_a_history():
    x = leaf(3.0)
    (x**3).backward(gradient=cg.ones(1, dtype=cg.float64), create_graph=True)
    (x * x).sum().backward(create_graph=True)
    assert x.grad.tolist() == [33.0] and x.grad.requires_grad
    (second,) = cg.autograd.grad(x.grad.sum(), x)
    assert second.tolist() == [20.0]


def test_upstream_gradients_have_gradients():
    x, v = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (product,) = cg.autograd.grad(x * x, x, v, create_graph=True)
    assert [g.tolist() for g in cg.autograd.grad(product.sum(), [x, v])] == [[6.0, 8.0], [2.0, 4.0]]


def test_hooks_see_gradients_with_a_history_and_may_replace_them():
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda gradient: gradient * 3)
    (slope,) = cg.autograd.grad(y.sum(), x, create_graph=True)
    assert slope.tolist() == [12.0]
    assert cg.autograd.grad(slope.sum(), x)[0].tolist() == [6.0]


def test_mixed_dtypes_get_gradients_of_their_own_dtype():
    x = cg.tensor([1.5, 2.0], requires_grad=True)
    y = leaf(3.0, 5.0)
    first = cg.autograd.grad(((x * 1) * y * y).sum(), [x, y], create_graph=True)
    second = cg.autograd.grad([g.sum() for g in first], [x, y])
    assert [g.dtype for g in (*first, *second)] == [cg.float32, cg.float64] * 2
    np.testing.assert_allclose(second[0].array, [6 * 1 + 0, 10], rtol=1e-6)
    np.testing.assert_allclose(second[1].array, [6 + 3, 10 + 4], rtol=1e-12)


def test_views_and_writes_through_them():
    x = leaf(1.0, 2.0, 3.0)
    base = x * 1
    base[1:] *= base[:2].detach() + x[0]
    (slope,) = cg.autograd.grad((base * base).sum(), x, create_graph=True)
    (second,) = cg.autograd.grad(slope.sum(), x)
    torch = pytest.importorskip("torch")
    t = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    b = t * 1
    b[1:] *= b[:2].detach() + t[0]
    (want,) = torch.autograd.grad((b * b).sum(), t, create_graph=True)
    np.testing.assert_allclose(slope.array, want.detach().numpy())
    np.testing.assert_allclose(second.array, torch.autograd.grad(want.sum(), t)[0].numpy())


def test_a_write_to_what_was_saved_is_noticed_by_the_second_backward():
    x = leaf(2.0)
    y = (x * 1).relu() * 1
    z = y.exp()
    (slope,) = cg.autograd.grad(z.sum(), y, create_graph=True)
    z.mul_(2)
    with pytest.raises(RuntimeError, match="was changed in place"):
        slope.sum().backward()


def test_memory_that_was_replaced_is_noticed():
    x = leaf(2.0)
    y = (x * x).sum()
    x.data = cg.tensor([5.0], dtype=cg.float64)
    with pytest.raises(RuntimeError, match="mul: the memory of input 1 was replaced between forward and backward"):
        cg.autograd.grad(y, x, create_graph=True)


class Cube(cg.autograd.Function):
    @staticmethod
    def forward(x):
        return x * x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, gradient):
        x, _ = ctx.saved_tensors
        return 3 * x * x * gradient


class OnceCube(Cube):
    @staticmethod
    @cg.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return Cube.backward(ctx, gradient)


@pytest.mark.parametrize("inner", [False, True], ids=["of a leaf", "of a result"])
def test_functions_of_the_user(inner):
    x = leaf(2.0)
    (slope,) = cg.autograd.grad(Cube.apply(x * 1 if inner else x).sum(), x, create_graph=True)
    assert slope.tolist() == [12.0] and cg.autograd.grad(slope.sum(), x)[0].tolist() == [12.0]
    (slope,) = cg.autograd.grad(OnceCube.apply(x * 1 if inner else x).sum(), x, create_graph=True)
    assert slope.tolist() == [12.0]
    with pytest.raises(RuntimeError, match="OnceCube: its backward is once_differentiable"):
        slope.sum().backward()


# Recorded steps


def physics_informed_step(sizes=(2, 8, 8, 1)):
    """A step whose loss has the residual of Burgers' equation, u_t + u·u_x = ν·u_xx."""
    cg.manual_seed(0)
    layers = [m for a, b in itertools.pairwise(sizes) for m in (cg.nn.Linear(a, b), cg.nn.Tanh())][:-1]
    net = cg.nn.Sequential(*layers)
    optimizer = cg.optim.Adam(net.parameters(), lr=1e-2)

    def step(points):
        x, t = (points[:, i : i + 1].clone().requires_grad_() for i in (0, 1))
        optimizer.zero_grad()
        u = net(cg.cat([x, t], 1))
        u_x, u_t = cg.autograd.grad(u.sum(), (x, t), create_graph=True)
        (u_xx,) = cg.autograd.grad(u_x.sum(), x, create_graph=True)
        loss = ((u_t + u * u_x - 0.01 * u_xx) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_recorded_step_with_second_derivatives_has_the_bits_of_eager_mode():
    rng = np.random.default_rng(0)
    batches = [cg.Tensor(rng.uniform(-1, 1, (33, 2)).astype(np.float32)) for _ in range(8)]
    eager = physics_informed_step()
    want = [eager(points).item() for points in batches]
    compiled = cg.compile(physics_informed_step(), fullgraph=True)
    assert [compiled(points).item() for points in batches] == want
    assert len(compiled.programs()) == 1


def second_step_of(row, sample):
    """A step that returns one op's first and second gradients, and the arrays of its inputs."""
    args, kwargs, memory, leaves = inputs_of(row, sample)
    outputs = flatten(row.op(*args, **kwargs))
    seeds = [s if s is None else cg.Tensor(s) for s in upstream_of([o.array for o in outputs])]

    def step():
        outputs = flatten(row.op(*args, **kwargs))
        pairs = [(o, s) for o, s in zip(outputs, seeds) if s is not None and o.requires_grad]
        sources, upstream = [o for o, _ in pairs], [s for _, s in pairs]
        found = cg.autograd.grad(sources, leaves, upstream, create_graph=True, allow_unused=True)
        terms = [(g * g).sum() for g in found if g is not None and g.requires_grad]
        second = cg.autograd.grad(terms, leaves, allow_unused=True) if terms else ()
        return [g for g in (*found, *second) if g is not None]

    return step, memory


@each_row
def test_every_definition_is_recorded(row):
    """A recorded call of an op's definition, with other numbers in each call, has the bits of eager mode."""
    if row.name in READERS:
        pytest.skip(READERS[row.name])
    for sample in samples(row, row.dtypes[0])[:4]:
        results = []
        for compiled in (False, True):
            step, memory = second_step_of(row, sample)
            step = cg.compile(step, fullgraph=True) if compiled else step
            cg.manual_seed(0)
            results.append([])
            for number in range(4):
                for own, first in memory:
                    own[...] = changing(first, number)
                results[-1].append(bits([g.array for g in step()]))
        assert results[0] == results[1], f"{row.name}: {sample}"


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "silu", "softplus", "exp"])
def test_derivatives_up_to_the_fifth(name):
    """Of a rule that is an op of its own, as those of tanh and sigmoid are, each derivative is that of the last."""
    torch = pytest.importorskip("torch")
    columns = []
    for lib in (cg, torch):
        x = lib.linspace(-2.0, 2.0, 9, dtype=lib.float64).requires_grad_()
        y = getattr(lib.nn.functional, name, None) or getattr(lib, name)
        y = y(x)
        orders = []
        for _ in range(5):
            (y,) = lib.autograd.grad(y.sum(), x, create_graph=True)
            orders.append(y.detach().numpy())
        columns.append(orders)
    np.testing.assert_allclose(*columns, rtol=1e-9, atol=1e-9)


def test_prod_in_the_dtype_of_its_input_has_second_derivatives():
    x = cg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (first,) = cg.autograd.grad(x.prod(dtype=cg.float32), x, create_graph=True)
    (second,) = cg.autograd.grad(first.sum(), x)
    assert second.tolist() == [5.0, 4.0, 3.0]
    assert cg.tensor([True, False]).prod(dtype=cg.bool).dtype == cg.bool


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ["pow", "ldexp", "float_power", "maximum", "minimum", "fmax", "atan2", "hypot", "xlogy"])
def test_second_derivatives_of_tensors_without_dimensions(name, dtype):
    """NumPy gives scalars in place of arrays without dimensions."""
    found = []
    for shape in ((), (1,)):
        inputs = [cg.Tensor(np.full(shape, v, dtype), requires_grad=True) for v in (1.5, 0.7)]
        first = cg.autograd.grad(getattr(cg, name)(*inputs).sum(), inputs, create_graph=True)
        slopes = [g.sum() for g in first if g.requires_grad]
        second = cg.autograd.grad(slopes, inputs, allow_unused=True) if slopes else []
        found.append([None if g is None else g.item() for g in second])
    assert found[0] == found[1]


@pytest.mark.parametrize("library", ["cygrad", "torch"])
def test_saved_tensors_have_their_position_in_the_graph(library):
    """So that a backward may differentiate again from them."""
    T, seen = pytest.importorskip(library), []

    class Product(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, c):
            y = x * w * c
            ctx.save_for_backward(x, w, c, y)
            return y

        @staticmethod
        def backward(ctx, grad):
            x, w, c, y = ctx.saved_tensors
            with T.enable_grad():
                dx, dw = T.autograd.grad(x * w * c, [x, w], grad)
            seen.extend((t.requires_grad, t.is_leaf) for t in (x, w, c, y))
            return dx, dw, None

    leaf, w = T.ones(2, requires_grad=True), T.full((2,), 3.0, requires_grad=True)
    Product.apply(leaf * 3, w, T.ones(2)).sum().backward()
    assert seen == [(True, False), (True, True), (False, True), (True, False)]
    assert leaf.grad.tolist() == [9, 9] and w.grad.tolist() == [3, 3]
