"""Derivatives in one direction, as in PyTorch's forward mode."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*jit.script:DeprecationWarning")
TANGENT = [[1.0, -1.0, 2.0], [0.0, 3.0, 0.5]]
FUNCTIONS = {
    "powers": lambda lib, x, y: x**2 + y**3,
    "softmax": lambda lib, x, y: (x * y).softmax(1),
    "products": lambda lib, x, y: (x @ y.T).tanh(),
    "parts": lambda lib, x, y: lib.cat([x[:, :1], y.exp()[:, 1:]], 1).cumsum(1),
    "in place": lambda lib, x, y: (x * 1).mul_(3).sigmoid().sum(),
    "one of two": lambda lib, x, y: x.sin() * 2,
    "copy": lambda lib, x, y: x,
}


def tangents(lib, function):
    x, t = lib.arange(6.0).reshape(2, 3) / 3, lib.tensor(TANGENT)
    fw = lib.autograd.forward_ad
    with fw.dual_level():
        one, two = fw.make_dual(x.clone(), t), fw.make_dual(x.cos(), t.flip(1))
        assert fw.unpack_dual(one * 0 + lib.ones(2, 3)).primal.tolist() == [[1.0] * 3] * 2
        result = fw.unpack_dual(function(lib, one, two))
        return result.primal.tolist(), result.tangent.tolist()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tangents_are_pytorchs(name):
    found, expected = (tangents(lib, FUNCTIONS[name]) for lib in (cg, torch))
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def twice(lib):
    x, v = lib.tensor([1.0, 2.0, 3.0], requires_grad=True), lib.tensor([1.0, 0.0, -1.0])
    fw = lib.autograd.forward_ad
    with fw.dual_level():
        dual = fw.make_dual(x, v)
        y = (dual**3).sum() * dual[0]
        tangent = fw.unpack_dual(y).tangent
        (reverse_over_forward,) = lib.autograd.grad(tangent, x, retain_graph=True)
        (gradient,) = lib.autograd.grad(y, dual, create_graph=True)
        forward_over_reverse = fw.unpack_dual(gradient).tangent
    return [tangent.item(), reverse_over_forward.tolist(), forward_over_reverse.tolist()]


def test_products_with_hessians_in_both_orders():
    found = twice(cg)
    assert found == twice(torch) and found[1] == found[2]


def test_tangents_end_with_their_level():
    fw = cg.autograd.forward_ad
    x = cg.ones(2)
    with fw.dual_level():
        dual = fw.make_dual(x, x)
        y = dual * 2
        assert fw.unpack_dual(x) == (x, None)  # before the level's first dual tensor it would be the same
        with cg.no_grad():
            assert fw.unpack_dual(dual * 2).tangent is None
    assert fw.unpack_dual(y).tangent is None


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda fw: fw.make_dual(cg.ones(2), cg.ones(2)), "no level has been entered"),
        (lambda fw: fw.exit_dual_level(), "there is no level 0"),
        (lambda fw: (fw.enter_dual_level(), fw.enter_dual_level()), "can't be nested"),
        (lambda fw: (fw.enter_dual_level(), fw.make_dual(cg.ones(2), cg.ones(3))), r"has shape \(3,\)"),
        (lambda fw: (fw.enter_dual_level(), fw.make_dual(cg.ones(2), cg.ones(2).double())), "float64"),
        (lambda fw: (fw.enter_dual_level(), fw.make_dual(cg.arange(2), cg.arange(2))), "tensor of floats"),
        (lambda fw: (fw.enter_dual_level(), cg.no_grad()(fw.make_dual)(cg.ones(2), cg.ones(2))), "no_grad"),
    ],
)
def test_wrong_uses_are_named(use, message):
    fw = cg.autograd.forward_ad
    try:
        with pytest.raises(RuntimeError, match=message):
            use(fw)
    finally:
        if "no level" not in message and "there is" not in message:
            fw.exit_dual_level()
    with pytest.raises(TypeError, match="unpack_dual: expected a tensor, got float"):
        fw.unpack_dual(1.0)
    with pytest.raises(TypeError, match="make_dual: tangent must be a tensor, got int"):
        fw.make_dual(cg.ones(1), 1)


def functions_with_jvp(lib):
    class Power(lib.autograd.Function):
        @staticmethod
        def forward(x, exponent, y):
            return x**exponent * y, y * 3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.exponent = inputs[1]
            ctx.save_for_forward(inputs[0], inputs[2])

        @staticmethod
        def jvp(ctx, dx, _, dy):
            x, y = ctx.saved_tensors
            return ctx.exponent * x ** (ctx.exponent - 1) * y * dx + x**ctx.exponent * dy, dy * 3

    return Power


def test_a_function_may_have_a_jvp_alone():
    for wanted in ([True, True], [True, False], [False, True]):
        results = []
        for lib in (cg, torch):
            fw = lib.autograd.forward_ad
            x, y = (lib.tensor(v, dtype=lib.float64) for v in ([1.0, 2.0], [0.5, -1.0]))
            with fw.dual_level():
                a, b = (fw.make_dual(v, lib.ones_like(v)) if wants else v for v, wants in zip((x, y), wanted))
                results.append([fw.unpack_dual(z).tangent.tolist() if fw.unpack_dual(z).tangent is not None else None for z in functions_with_jvp(lib).apply(a, 3, b)])
        ours = [[0.0, 0.0] if t is None else t for t in results[0]]
        assert ours == [[0.0, 0.0] if t is None else t for t in results[1]]


def test_gradcheck_checks_forward_mode():
    x = cg.tensor([0.3, 0.7], dtype=cg.float64, requires_grad=True)
    power = functions_with_jvp(cg)
    assert cg.autograd.gradcheck(lambda x: power.apply(x, 3, x), x, check_forward_ad=True, check_backward_ad=False)
    assert cg.autograd.gradgradcheck(lambda x: (x.sin(), x.sum()), x, check_fwd_over_rev=True)

    class Wrong(cg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def jvp(ctx, dx):
            return dx * 3

    for options, mode in (({}, "backward"), ({"check_forward_ad": True, "check_backward_ad": False}, "forward mode")):
        with pytest.raises(RuntimeError, match=f"{mode} gives 3, differences give 2"):
            cg.autograd.gradcheck(Wrong.apply, x, **options)
