"""The graph and what users do with it: accumulation, in-place writes, hooks, modes, Function, gradcheck, drawings."""

from __future__ import annotations

import copy
import gc
import importlib.util
import pickle
import threading
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import autograd
from cygrad.autograd import Node, op


def leaf(*values, dtype=np.float64):
    return cg.tensor(np.array(values, dtype), requires_grad=True)


# backward and grad


def test_gradients_add_up_over_calls():
    x = leaf(1, 2)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5, 7]


def test_gradients_add_up_over_paths():
    x = leaf(2)
    y = x * x
    (y * y + y).sum().backward()  # x⁴ + x²
    assert x.grad.tolist() == [4 * 8 + 4]


def test_the_first_gradient_is_taken_not_copied_and_never_shared():
    x, y = leaf(1, 2), leaf(3, 4)
    (x + y).sum().backward()
    x.grad.array[:] = 9
    assert y.grad.tolist() == [1, 1]


def test_backward_with_a_given_gradient_of_any_shape():
    x = cg.ones(2, 3, requires_grad=True)
    (x * 2).backward(cg.full((2, 3), 5.0))
    assert x.grad.tolist() == [[10.0] * 3] * 2


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: (x * 2).backward(), r"must have exactly one element, but its shape is \(2,\)"),
        (lambda x: cg.ones(1).backward(), "does not require a gradient"),
        (
            lambda x: (x * 2).backward(cg.ones(3, dtype=cg.float64)),
            r"the gradient has shape \(3,\), but the output has shape \(2,\)",
        ),
        (lambda x: (x * 2).sum().backward(inputs=[]), "inputs is empty"),
        (lambda x: (x * 2).sum().backward(inputs=[cg.ones(2)]), "does not require a gradient"),
        (lambda x: autograd.grad((x * 2).sum(), leaf(1)), "no output depends on the input"),
        (lambda x: autograd.grad((x * 2).sum(), cg.ones(2)), "does not require a gradient"),
    ],
)
def test_wrong_calls_raise_one_message(call, match):
    with pytest.raises(RuntimeError, match=match) as caught:
        call(leaf(1, 2))
    assert "\n" not in str(caught.value)


def test_second_backward_needs_retain_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12]
    with pytest.raises(RuntimeError, match="a second time through a graph that the first call freed"):
        y.backward()


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x.float(),
        lambda x: x.t(),
        lambda x: x.reshape(4) + 1,
        lambda x: x[0],
        lambda x: cg.cat([x, -x.clone()]),
        lambda x: x.sum(0),
        lambda x: x.mean(),
        lambda x: cg.stack([x, x], 1).unsqueeze(0).expand(2, 2, 2, 2),
        lambda x: x.tril() - x.flip(0),
    ],
)
def test_what_saved_no_data_goes_backward_again(operation):
    """As in PyTorch, whose programs convert a leaf once and use the result in every step."""
    x = leaf([1, 2], [3, 4])
    y = operation(x)
    y.sum().backward()
    once = x.grad.clone()
    (y * 3).sum().backward()
    (y.exp() * 0).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * once.numpy())


def test_what_saved_data_does_not_go_backward_again():
    x = leaf(3)
    y = x.exp()
    z = y + 1
    z.sum().backward()
    with pytest.raises(RuntimeError, match="exp: backward was called a second time"):
        z.sum().backward()
    assert x.grad.tolist() == pytest.approx([np.exp(3)])


def test_tensors_may_come_from_any_iterable():
    model = cg.nn.Linear(2, 1)
    x = cg.ones(1, 2, requires_grad=True)

    def loss():
        return (model(x) * x).sum()

    want = [g.tolist() for g in autograd.grad(loss(), list(model.parameters()))]
    assert [g.tolist() for g in autograd.grad(loss(), model.parameters())] == want
    assert [g.tolist() for g in autograd.grad((y for y in [loss()]), filter(cg.is_tensor, model.parameters()))] == want
    assert [g.tolist() for g in autograd.grad([loss()], dict(model.named_parameters()).values(), iter([None]))] == want
    loss().backward(inputs=model.parameters())
    autograd.backward(map(cg.sum, [loss()]), inputs=(p for p in model.parameters()))
    assert [(p.grad / 2).tolist() for p in model.parameters()] == want and x.grad is None


def test_create_graph_needs_a_definition():
    double = cg.autograd.Op("double", lambda ctx, x: 2 * x)
    double.gradient(lambda ctx, dy: 2 * dy)
    with pytest.raises(
        NotImplementedError, match=r"double: its gradient can't be differentiated \(create_graph=True\)"
    ):
        double(leaf(1)).sum().backward(create_graph=True)


def test_only_the_nodes_between_outputs_and_inputs_are_visited():
    refusing = cg.autograd.Op("refusing", lambda ctx, x: x.copy())
    refusing.gradient(lambda ctx, dy: pytest.fail("visited"))
    x, w = leaf(2), leaf(3)
    y = x * refusing(w)
    (gradient,) = cg.autograd.grad(y.sum(), x)
    assert gradient.tolist() == [3]


def test_grad_leaves_leaves_alone_and_reaches_inner_tensors():
    x = leaf(2)
    y = x * x
    z = (y * 3).sum()
    dy, dx = autograd.grad(z, (y, x), retain_graph=True)
    assert (dy.tolist(), dx.tolist(), x.grad) == ([3], [12], None)
    assert autograd.grad(z, (x, leaf(1)), allow_unused=True)[1] is None


def test_backward_into_chosen_inputs():
    x, y = leaf(2), leaf(3)
    (x * y).sum().backward(inputs=[y, y])
    assert x.grad is None and y.grad.tolist() == [2]
    with pytest.raises(TypeError, match="an input must be a tensor, got int"):
        (x * y).sum().backward(inputs=[3])


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
def test_a_given_gradient_takes_the_dtype_of_the_output_as_in_pytorch(dtype):
    torch = pytest.importorskip("torch")
    x, y = leaf(1, 2), torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    given = np.array([1, 0], dtype)
    (x * 2).backward(cg.tensor(given))
    (y * 2).backward(torch.tensor(given))
    assert x.grad.dtype == np.float64 and x.grad.tolist() == y.grad.tolist() == [2, 0]


def test_hooks_of_leaves_run_in_grad_and_for_chosen_inputs():
    x = leaf(1, 2)
    x.register_hook(lambda g: g * 10)
    assert autograd.grad((x * x).sum(), x)[0].tolist() == [20, 40]
    (x * x).sum().backward(inputs=[x])
    assert x.grad.tolist() == [20, 40]


def test_nothing_changes_if_backward_raises():
    @op
    def broken(ctx: Node, x):
        return x.copy()

    @broken.gradient
    def _(ctx, dy):
        raise ZeroDivisionError

    x, y = leaf(1), leaf(2)
    (x * 2).sum().backward()
    with pytest.raises(ZeroDivisionError):
        (x * 5 + broken(y) * x).sum().backward()
    assert x.grad.tolist() == [2] and y.grad is None


def test_matches_pytorch_on_a_graph_with_everything():
    torch = pytest.importorskip("torch")
    data = np.random.default_rng(0).standard_normal((4, 5))

    def run(library, x):
        a, b = library.tanh(x), library.sigmoid(x @ x.T)
        c = library.cat([a, b], 1)[:, ::2].clamp(-0.5, 0.7)
        return (c.reshape(-1, 4).softmax(-1) * library.exp(c.mean())).max(1)[0].sum() + a.std() + b[1:3, [0, 2]].prod()

    x, y = cg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    ours, theirs = run(cg, x), run(torch, y)
    ours.backward()
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    np.testing.assert_allclose(x.grad.array, y.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_matches_pytorch_on_graphs_of_any_form(seed):
    """Sums, products and both parts of splits of earlier results: nodes of all depths wait side by side."""
    torch = pytest.importorskip("torch")

    def run(library, leaves):
        random, values = np.random.default_rng(seed), list(leaves)
        for _ in range(40):
            i, j = random.integers(len(values), size=2)
            first, second = (values[i] * values[j]).split(2)
            values.append([values[i] + values[j], library.cat([second, first.tanh()])][random.integers(2)])
        return library.stack(values).tanh().sum()

    data = np.random.default_rng(seed).standard_normal((3, 4))
    ours = [cg.tensor(row, requires_grad=True) for row in data]
    theirs = [torch.tensor(row, requires_grad=True) for row in data]
    run(cg, ours).backward()
    run(torch, theirs).backward()
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.array, y.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_the_gradient_that_backward_begins_with_is_nobodys():
    x = cg.tensor(2.0, requires_grad=True)
    x.backward()
    x.grad.array[...] = 5
    y = cg.tensor(2.0, requires_grad=True)
    (y + 0).backward()
    y.grad.mul_(3)
    (y + 0).backward()
    assert x.grad.item() == 5 and y.grad.item() == 4


def test_the_engine_is_plain_python_too():
    path = Path(autograd.__file__).with_name("engine.py")
    spec = importlib.util.spec_from_file_location("plain_engine", path)
    engine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engine)

    @engine.op
    def scaled(ctx, input, /, by=2.0):
        ctx.save(input, by)
        return input * by

    @scaled.gradient
    def _(ctx, dy):
        return dy * ctx.saved[1]

    x = engine.Value(np.array(3.0), requires_grad=True)
    loss = scaled(scaled(x, 5.0))
    engine.backward((loss,), [engine.seed("backward", loss)], True)
    assert loss.array == 30 and x.grad_value.array == 10
    x.version.value += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        engine.backward((loss,), [engine.seed("backward", loss)], False)


# Copies and pickles


def test_ops_are_copied_as_themselves_and_pickled_by_name():
    for function in (cg.relu, cg.exp, cg.add, cg.amax, cg.eq, cg.nn.functional.linear):
        assert copy.deepcopy(function) is function and copy.copy(function) is function
        assert pickle.loads(pickle.dumps(function)) is function

    @op
    def local(ctx: Node, input):
        return input

    with pytest.raises(TypeError, match="local: only an op that is a name in its module can be pickled"):
        pickle.dumps(local)


# Options of ops


def test_options_may_be_given_by_position_or_name():
    @op
    def scaled(ctx: Node, input, /, by, plus=0.0):
        return input * by + plus

    calls = [
        lambda x: scaled(x, 2, 1),
        lambda x: scaled(x, 2, plus=1),
        lambda x: scaled(x, by=2, plus=1),
        lambda x: scaled(plus=1, by=2, input=x),
    ]
    x = cg.tensor([1.0, 2.0])
    assert [call(x).tolist() for call in calls] == [[3, 5]] * 4
    assert [autograd.trace(call, x)[0].steps[0].options for call in calls] == [{"by": 2, "plus": 1}] * 4
    assert scaled.defaults() == {"plus": 0.0}
    for call, match in (
        (lambda: scaled(x, 2, 1, 0), "at most 3 arguments, got 4"),
        (lambda: scaled(x, 2, by=2), "'by' was given twice"),
        (lambda: scaled(x), "by"),
    ):
        with pytest.raises(TypeError, match=match):
            call()


# Deep graphs

DEPTH = 100_000


def deep(x):
    for _ in range(DEPTH):
        x = x + 1
    return x


def test_deep_graphs_do_not_recurse():
    x = leaf(1)
    deep(x).sum().backward()
    assert x.grad.tolist() == [1]


def test_deep_graphs_that_are_dropped_do_not_recurse():
    y = deep(leaf(1))
    del y


def test_memory_is_freed_as_backward_walks():
    """Without the garbage collector: after backward, the nodes and what they saved are gone."""
    x = cg.ones(1000, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        y = x
        for _ in range(50):
            y = y.exp() * 1e-3
        nodes = weakref.ref(y.node)
        tracemalloc.start()
        loss = y.sum()
        before = tracemalloc.get_traced_memory()[0]
        loss.backward()
        del loss, y
        assert nodes() is None
        assert tracemalloc.get_traced_memory()[0] <= before + 20_000
    finally:
        tracemalloc.stop()
        gc.enable()


# In-place writes


def test_a_write_to_a_saved_tensor_is_noticed():
    x = leaf(1, 2)
    y = x.exp()
    y += 1
    with pytest.raises(RuntimeError, match="exp: a tensor that its backward needs was changed in place"):
        y.sum().backward()


@pytest.mark.parametrize("size", [2, 1 << 18])
def test_a_write_to_what_relu_gave_is_noticed_at_every_size(size):
    """Also where its backward reads a mask and not the output."""
    y = cg.ones(size, requires_grad=True).relu()
    y += 1
    with pytest.raises(RuntimeError, match="relu: a tensor that its backward needs was changed in place"):
        y.sum().backward()


def test_a_write_that_harms_nobody_is_allowed():
    x = leaf(1, 2)
    y = x * 2
    y += 1
    y *= 3
    y.sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_a_leaf_is_not_written_to_while_recording():
    x = leaf(1)
    with pytest.raises(RuntimeError, match="leaf tensor that requires a gradient"):
        x += 1
    with cg.no_grad():
        x += 1
    assert x.tolist() == [2]


def test_writes_through_views():
    x = cg.zeros(4, 3, requires_grad=True)
    y = x * 1
    y[0:2] += 1
    y[1] *= 3
    y[:, 0] = 7
    y.sum().backward()
    assert x.grad.tolist() == [[0, 1, 1], [0, 3, 3], [0, 1, 1], [0, 1, 1]]
    assert y.detach().tolist() == [[7, 1, 1], [7, 3, 3], [7, 0, 0], [7, 0, 0]]


def test_a_base_changed_through_an_alias_outside_the_graph_is_noticed():
    x = leaf(1, 2)
    y = x * 1
    alias = y.detach()
    alias *= leaf(3, 3)
    with pytest.raises(RuntimeError, match="changed in place through another tensor"):
        y.sum()


def test_a_view_follows_writes_to_its_base_and_to_other_views():
    x = leaf(1, 2, 3)
    y = x * 1
    head, first = y[:2], y[0]
    first *= 3
    y[1:] *= leaf(5, 7)
    assert head.tolist() == [3, 10] and head.grad_fn.name() == "view"
    (head.sum() + y.sum()).backward()
    assert x.grad.tolist() == [6, 10, 7]


def test_a_view_of_a_buffer_carries_what_is_learned_into_it():
    gain, buffer = leaf(2), cg.zeros(3)
    buffer[1].copy_(gain[0])
    assert buffer.requires_grad and not buffer.is_leaf
    (buffer * cg.tensor([1.0, 4.0, 9.0])).sum().backward()
    assert gain.grad.tolist() == [4]


def test_a_view_of_a_leaf_is_not_written_to_while_recording():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match="a view of a leaf tensor that requires a gradient"):
        x[0].fill_(9)
    with cg.no_grad():
        view = x[0]
        view.fill_(9)
    with pytest.raises(RuntimeError, match="taken under no_grad"):
        taken_under_no_grad(x * 1).mul_(2)
    assert x.tolist() == [9, 2]


@cg.no_grad()
def taken_under_no_grad(x):
    return x[0]


def test_read_only_memory_is_not_written_to():
    array = np.zeros(2)
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        cg.from_numpy(array)[0] = 1


# Hooks


def test_hooks_see_and_replace_gradients():
    x = leaf(1, 2)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle = y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    y.sum().backward(retain_graph=True)
    assert seen == [[1, 1]] and x.grad.tolist() == [21, 21]
    handle.remove()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_retain_grad_keeps_the_gradient_of_an_inner_tensor():
    x = leaf(3)
    y = x * x
    y.retain_grad()
    (y * 2).sum().backward()
    assert y.grad.tolist() == [2]


# Modes


def test_no_grad_as_block_decorator_and_generator():
    x = leaf(1)
    with cg.no_grad():
        assert not (x * 2).requires_grad
        with cg.enable_grad():
            assert (x * 2).requires_grad
        assert not cg.is_grad_enabled()
    assert cg.is_grad_enabled()

    @cg.no_grad()
    def double(x):
        return x * 2

    @cg.no_grad()
    def twice(x):
        yield x * 2
        yield x * 3

    assert not double(x).requires_grad
    values = twice(x)
    assert not next(values).requires_grad
    assert cg.is_grad_enabled()
    assert not next(values).requires_grad


def test_a_thread_that_ends_without_recording_stops_nobody_else():
    thread = threading.Thread(target=autograd.set_grad_enabled, args=(False,))
    thread.start()
    thread.join()
    assert (leaf(1) * 2).requires_grad
    with cg.no_grad():
        assert not (leaf(1) * 2).requires_grad
    assert (leaf(1) * 2).requires_grad


def test_modes_survive_exceptions_and_belong_to_a_thread():
    with pytest.raises(KeyError), cg.no_grad():
        raise KeyError
    assert cg.is_grad_enabled()
    elsewhere = []
    with cg.no_grad():
        thread = threading.Thread(target=lambda: elsewhere.append(cg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert elsewhere == [True]


def test_set_grad_enabled_at_once_and_as_block():
    cg.set_grad_enabled(False)
    assert not cg.is_grad_enabled()
    cg.set_grad_enabled(True)
    with cg.set_grad_enabled(False):
        assert not cg.is_grad_enabled()
    assert cg.is_grad_enabled()


@pytest.mark.parametrize("make", [cg.no_grad, lambda: cg.set_grad_enabled(False)])
def test_modes_nest_in_themselves(make):
    mode = make()
    with mode:
        with mode:
            assert not cg.is_grad_enabled()
        assert not cg.is_grad_enabled()
    assert cg.is_grad_enabled()


@pytest.mark.parametrize("way", ["bare", "inference_mode(False)", "throw", "close"])
def test_modes_as_in_pytorch(way):
    torch = pytest.importorskip("torch")

    def bare(library):
        return library.no_grad(library.is_grad_enabled)()

    def inside_no_grad(library):
        with library.no_grad(), library.inference_mode(False):
            return library.is_grad_enabled()

    def generator(library):
        log = []

        @library.no_grad()
        def values():
            try:
                yield 1
            except KeyError:
                log.append(("caught", library.is_grad_enabled()))
                yield 2
            finally:
                log.append(("closed", library.is_grad_enabled()))

        running = values()
        next(running)
        log.append(running.throw(KeyError()) if way == "throw" else running.close())
        return *log, library.is_grad_enabled()

    run = {"bare": bare, "inference_mode(False)": inside_no_grad}.get(way, generator)
    assert run(cg) == run(torch)


def test_anomaly_mode_names_the_op():
    x = leaf(0)
    with autograd.detect_anomaly(), pytest.raises(RuntimeError, match="sqrt: its backward returned NaN"):
        (x.sqrt() * 0).sum().backward()


# Function


class Scaled(autograd.Function):
    """x·factor, but the gradient is that of x·(factor + 1): a rule that can be told from the true one."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        ctx.save_for_backward(x)
        return x * factor

    @staticmethod
    def backward(ctx, grad):
        assert ctx.needs_input_grad == (True, False)
        assert ctx.saved_tensors[0].shape == grad.shape
        return grad * (ctx.factor + 1), None


def test_function_has_its_own_rule():
    x = leaf(1, 2)
    y = Scaled.apply(x, 3)
    y.sum().backward()
    assert y.tolist() == [3, 6] and x.grad.tolist() == [4, 4]


def test_function_notices_a_write_to_what_it_saved():
    x = leaf(1) * 1
    y = Scaled.apply(x, 3)
    x += 1
    with pytest.raises(RuntimeError, match="Scaled: a tensor that its backward needs was changed"):
        y.sum().backward()


def test_function_with_several_outputs_and_one_without_gradient():
    class Split(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            rank = x.argsort()
            ctx.mark_non_differentiable(rank)
            return x * 2, rank

        @staticmethod
        def backward(ctx, grad, _):
            return grad * 2

    x = leaf(3, 1)
    y, rank = Split.apply(x)
    assert y.requires_grad and not rank.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize("materialize", [True, False])
def test_function_receives_zeros_or_none_for_outputs_without_a_gradient(materialize):
    received = []

    class Two(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, first, second):
            received.append(second)
            return first, None  # a None too many is let go, as in PyTorch

    x = leaf(1, 2)
    Two.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [1, 1]
    assert received[0].tolist() == [0, 0] if materialize else received == [None]


def test_function_gives_no_gradient_to_what_is_no_tensor():
    class Wrong(Scaled):
        @staticmethod
        def backward(ctx, grad):
            return grad, grad

    with pytest.raises(RuntimeError, match="a gradient for argument 1, which is not a tensor"):
        Wrong.apply(leaf(1), 3).sum().backward()


@pytest.mark.parametrize(
    ("gradient", "match"),
    [
        (lambda g: (g, g), "backward returned 2 gradients for 1 arguments"),
        (lambda g: g[:1], r"a gradient of shape \(1,\) for argument 0 of shape \(2,\)"),
    ],
)
def test_function_checks_what_backward_gives(gradient, match):
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return gradient(grad)

    with pytest.raises(RuntimeError, match=match):
        Wrong.apply(leaf(1, 2)).sum().backward()


# gradcheck


def test_gradcheck_passes_right_rules_and_names_wrong_ones():
    x = leaf(0.3, 0.7)
    assert autograd.gradcheck(lambda x: (x.exp() * x).sum(), x)
    assert autograd.gradcheck(lambda x, y: x * y, (x, leaf(1.0, 2.0)))
    with pytest.raises(
        RuntimeError, match=r"disagree most at element \(\d,\) of the input: backward gives 4, differences"
    ):
        autograd.gradcheck(lambda x: Scaled.apply(x, 3), x)
    assert not autograd.gradcheck(lambda x: Scaled.apply(x, 3), x, raise_exception=False)
    assert x.tolist() == [0.3, 0.7]
    with pytest.raises(ValueError, match="must be float64"):
        autograd.gradcheck(lambda x: x, cg.ones(1, requires_grad=True))


def test_gradcheck_names_output_and_input_by_their_place():
    def func(a, b):
        return a * 1, Scaled.apply(b, 3) * a

    with pytest.raises(RuntimeError, match="output 1 and input 1 disagree"):
        autograd.gradcheck(func, (cg.ones(2, dtype=cg.float64), leaf(1, 2)))


def test_gradcheck_names_nan():
    class Broken(Scaled):
        @staticmethod
        def backward(ctx, grad):
            return grad * float("nan"), None

    with pytest.raises(RuntimeError, match="backward gives nan, differences give 3"):
        autograd.gradcheck(lambda x: Broken.apply(x, 3), leaf(1, 2))


@pytest.mark.parametrize("shape", [(), (1,), (1, 3), (2, 1), (1, 1), (2, 3)])
def test_a_gradient_of_a_wider_shape_is_summed(shape):
    class Wide(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * cg.arange(6.0).reshape(2, 3)

        @staticmethod
        def backward(ctx, grad):
            return grad * cg.arange(6.0).reshape(2, 3) * (ctx.saved_tensors[0] * 0 + 1)

    x = cg.ones(shape, requires_grad=True)
    weight = cg.arange(6.0).reshape(2, 3)
    Wide.apply(x).sum().backward()
    assert x.grad.shape == shape and x.grad.tolist() == weight.sum_to_size(shape).tolist()
    (slope,) = autograd.grad(Wide.apply(x).square().sum() / 2, x, create_graph=True)
    (second,) = autograd.grad(slope.sum(), x)
    assert second.tolist() == weight.square().sum_to_size(shape).tolist()


def test_a_gradient_of_a_narrower_shape_is_refused():
    class Narrow(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad.sum(0)

    with pytest.raises(RuntimeError, match=r"Narrow: backward returned a gradient of shape \(3,\) for argument 0 of shape \(2, 3\)"):
        Narrow.apply(cg.ones(2, 3, requires_grad=True)).sum().backward()


def test_gradgradcheck_passes_right_rules_and_names_wrong_ones():
    class Forgetful(autograd.Function):  # whose backward uses numbers that know nothing of x
        @staticmethod
        def forward(ctx, x):
            ctx.factor = x.exp()
            return x.exp()

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.factor

    x, y = leaf(0.3, 0.7), leaf(1.0, 2.0)
    for func, inputs in (
        (lambda x: x**3, x),
        (lambda x: 2 * x, x),
        (lambda x, y: (x * y, x.sin(), y.detach()), (x, y)),
        (lambda x, y: (x * y).sum(), (x, cg.ones(2, dtype=cg.float64))),
    ):
        assert autograd.gradgradcheck(func, inputs)
    assert autograd.gradgradcheck(cg.sin, x, y) and autograd.gradcheck(Forgetful.apply, x)
    with pytest.raises(RuntimeError, match="output 0 and input 0 disagree"):
        autograd.gradgradcheck(Forgetful.apply, x)
    assert not autograd.gradgradcheck(Forgetful.apply, x, raise_exception=False)


@pytest.mark.parametrize("check", ["gradcheck", "gradgradcheck"])
def test_options_of_gradcheck(check):
    function = getattr(autograd, check)
    assert function(cg.sin, leaf(0.3), fast_mode=True, check_undefined_grad=False, nondet_tol=1e-6, masked=None)
    with pytest.raises(TypeError, match=f"{check}: unknown option 'fast', expected one of check_backward_ad, "):
        function(cg.sin, leaf(0.3), fast=True)


def test_gradcheck_of_outputs_without_a_gradient():
    assert autograd.gradcheck(lambda x: x.detach() * 0, leaf(1, 2))
    with pytest.raises(RuntimeError, match="backward gives 0, differences give 2"):
        autograd.gradcheck(lambda x: x.detach() * 2, leaf(1, 2))


# Drawings


def test_graph_draws_each_node_once():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * w
    text = autograd.graph((y + y.exp()).sum(), names={"x": x, "w": w})
    assert text.count('label="mul"') == 1 and text.count("->") == 7
    assert 'label="x\\n(2,) float64"' in text


def test_graph_of_a_leaf_and_of_a_freed_graph():
    with pytest.raises(RuntimeError, match="is a leaf"):
        autograd.graph(leaf(1))
    y = (leaf(1) * 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="backward has freed it"):
        autograd.graph(y)


def test_deep_graphs_are_drawn_without_recursion():
    assert autograd.graph(deep(leaf(1))).count("add") == DEPTH


def test_graph_as_svg_needs_no_graphviz(monkeypatch):
    monkeypatch.setenv("PATH", "")
    y = leaf(1) * 2
    assert autograd.graph(y, "svg") == y.graph().svg and y.graph().svg.startswith("<svg ")
    with pytest.raises(ValueError, match="format must be dot or svg, got 'png'"):
        autograd.graph(y, "png")


def test_next_functions_end_at_leaves():
    x, y = cg.ones(2, requires_grad=True), cg.ones(2)
    (scaled, first), (constant, _) = (x * 3 + y).grad_fn.next_functions
    assert scaled.name() == "mul" and first == 0 and constant is None
    (leaf, index), other = scaled.next_functions
    assert leaf.variable is x and index == 0 and other == (None, 0) and leaf.next_functions == ()
    assert leaf == x.exp().grad_fn.next_functions[0][0] and leaf.name() == "torch::autograd::AccumulateGrad"
    assert len({leaf, x.exp().grad_fn.next_functions[0][0]}) == 1 and repr(leaf).startswith(
        "<AccumulateGrad object at 0x"
    )


def test_a_tensor_as_an_instance_of_a_subclass():
    class Named(cg.Tensor):
        def double(self):
            return self * 2

    x = cg.ones(3, requires_grad=True)
    named = (x * 2).as_subclass(Named)
    named.double().sum().backward()
    assert x.grad.tolist() == [4, 4, 4] and isinstance(named, Named)
    part = cg.zeros(3)
    part.as_subclass(Named)[1] = 5
    assert part.tolist() == [0, 5, 0]
    with pytest.raises(TypeError, match="as_subclass: cls must be a subclass of Tensor, got <class 'int'>"):
        x.as_subclass(int)
