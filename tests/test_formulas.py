"""The formulas of the lecture from which this library grew, each on a case worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn, optim
from cygrad.nn import functional as F
from cygrad.nn import init, utils


def parameter(values, grad=None):
    p = cg.tensor(values, dtype=cg.float64).requires_grad_()
    if grad is not None:
        p.grad = cg.tensor(grad, dtype=cg.float64)
    return p


def values(t):
    return t.detach().numpy()


def test_half_squared_error():
    """L = ½(y − ŷ)² has ∂L/∂ŷ = ŷ − y: not y − ŷ, and without a factor of 2."""
    y, prediction = cg.tensor([1.0, 5.0]), cg.tensor([3.0, 4.0], requires_grad=True)
    (0.5 * F.mse_loss(prediction, y, reduction="sum")).backward()
    assert prediction.grad.tolist() == [2.0, -1.0]


def test_chain_rule_of_one_neuron():
    """ŷ = σ(wx + b), L = ½(y − ŷ)²: ∂L/∂w = (ŷ − y)·ŷ(1 − ŷ)·x and ∂L/∂b the same without x."""
    w, b = parameter(0.5), parameter(-1.0)
    x, y = 2.0, 1.0
    prediction = (w * x + b).sigmoid()
    (0.5 * (y - prediction) ** 2).backward()
    assert prediction.item() == 0.5
    assert b.grad.item() == (0.5 - 1) * 0.25
    assert w.grad.item() == (0.5 - 1) * 0.25 * 2


def test_l2_adds_lambda_w_to_the_gradient():
    """½λ‖W‖² adds λW: as a term of the loss and as weight_decay the step is the same."""
    rate, decay = 0.1, 0.5
    as_loss, as_option = parameter([[2.0, -4.0]]), parameter([[2.0, -4.0]])
    (as_loss.sum() + decay / 2 * (as_loss * as_loss).sum()).backward()
    as_option.sum().backward()
    assert as_loss.grad.tolist() == [[1 + decay * 2, 1 - decay * 4]]
    optim.SGD([as_loss], lr=rate).step()
    optim.SGD([as_option], lr=rate, weight_decay=decay).step()
    np.testing.assert_allclose(values(as_loss), [[2 - 0.1 * 2, -4 + 0.1 * 1]])
    np.testing.assert_allclose(values(as_option), values(as_loss))


def test_decoupled_decay_shrinks_the_weight_before_the_step():
    """AdamW: w ← w·(1 − lr·λ) − lr·m̂/(√v̂ + eps), and m̂/√v̂ is the gradient's sign in the first step."""
    p = parameter([2.0], [5.0])
    optim.AdamW([p], lr=0.1, weight_decay=0.5, eps=0).step()
    np.testing.assert_allclose(values(p), [2 * (1 - 0.05) - 0.1])


def test_only_weights_decay():
    """Weight decay exempts biases and the parameters of norms."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LayerNorm(3))
    for p in model.parameters():
        init.constant_(p, 1.0)
        p.grad = cg.zeros_like(p.detach())
    optim.SGD(optim.decay_groups(model, 0.5), lr=1.0).step()
    assert {name: p.detach().numpy().max() for name, p in model.named_parameters()} == {
        "0.weight": 0.5, "0.bias": 1, "1.weight": 1, "1.bias": 1, "2.weight": 1, "2.bias": 1,
    }  # fmt: skip


def test_clipping_by_norm():
    """Where ‖g‖ ≥ λ, g ← λ·g/‖g‖, all gradients as one vector; smaller ones stay as they are."""
    p, q = parameter([0.0, 0.0], [3.0, 0.0]), parameter([0.0], [4.0])
    assert utils.clip_grad_norm_([p, q], 10.0).item() == 5
    assert (p.grad.tolist(), q.grad.tolist()) == ([3, 0], [4])
    assert utils.clip_grad_norm_([p, q], 1.0).item() == 5
    np.testing.assert_allclose(values(p.grad), [0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(values(q.grad), [0.8], rtol=1e-6)


def test_clipping_by_value():
    p = parameter([0.0, 0, 0], [3.0, -0.5, -7])
    utils.clip_grad_value_(p, 1.0)
    assert p.grad.tolist() == [1, -0.5, -1]


def test_adaptive_clipping_of_a_tensor():
    """‖g‖ = 5 against λ‖w‖ = 0.1·10: g ← g·1/5."""
    p = parameter([[6.0], [8.0]], [[3.0], [4.0]])
    assert utils.clip_grad_adaptive_(p, 0.1, unitwise=False).item() == 5
    np.testing.assert_allclose(values(p.grad), [[0.6], [0.8]])


def test_adaptive_clipping_of_units_has_a_floor():
    """Each row by its own norm: ‖g₀‖ = 5 against 0.1·10, ‖g₁‖ = 0.05 against 0.1·1 stays, and a row of zeros counts as
    of norm eps."""
    p = parameter([[6.0, 8], [0, 1], [0, 0]], [[3.0, 4], [0, 0.05], [0, 2]])
    utils.clip_grad_adaptive_(p, 0.1, eps=0.001)
    np.testing.assert_allclose(values(p.grad), [[0.6, 0.8], [0, 0.05], [0, 0.0001]], rtol=1e-12)


def test_adaptive_clipping_of_a_bias_is_one_number_a_unit():
    p = parameter([10.0, 1.0], [5.0, 0.05])
    utils.clip_grad_adaptive_(p, 0.1)
    np.testing.assert_allclose(values(p.grad), [1.0, 0.05])


FAN_IN, FAN_OUT = 300, 500


@pytest.mark.parametrize(
    ("start", "bound"),
    [
        (init.xavier_uniform_, math.sqrt(6 / (FAN_IN + FAN_OUT))),
        (lambda t: init.kaiming_uniform_(t, nonlinearity="relu"), math.sqrt(6 / FAN_IN)),
    ],
    ids=["xavier", "he"],
)
def test_uniform_start_fills_its_bounds(start, bound):
    """U(±√6/√(fan_in + fan_out)) by Xavier, U(±√(6/fan_in)) by He; the variance is bound²/3."""
    w = start(cg.empty(FAN_OUT, FAN_IN, dtype=cg.float64)).numpy()
    assert np.abs(w).max() <= bound
    assert np.abs(w).max() > 0.999 * bound
    np.testing.assert_allclose(w.var(), bound**2 / 3, rtol=0.02)
    assert abs(w.mean()) < 5 * bound / math.sqrt(3 * w.size)


@pytest.mark.parametrize(
    ("start", "variance"),
    [
        (init.xavier_normal_, 2 / (FAN_IN + FAN_OUT)),
        (lambda t: init.kaiming_normal_(t, nonlinearity="relu"), 2 / FAN_IN),
    ],
    ids=["xavier", "he"],
)
def test_normal_start_has_its_variance(start, variance):
    """N(0, 2/(fan_in + fan_out)) by Xavier, N(0, 2/fan_in) by He: variances, not deviations."""
    w = start(cg.empty(FAN_OUT, FAN_IN, dtype=cg.float64)).numpy()
    np.testing.assert_allclose(w.var(), variance, rtol=0.02)
    assert abs(w.mean()) < 5 * math.sqrt(variance / w.size)
    np.testing.assert_allclose((w**4).mean(), 3 * variance**2, rtol=0.05)  # a normal distribution's fourth moment


def test_dropout_rescales_in_training_and_is_off_in_prediction():
    layer, x = nn.Dropout(0.75), cg.ones(1000)
    assert set(layer(x).tolist()) == {0.0, 4.0}
    assert layer.eval()(x).tolist() == x.tolist()


def test_batch_norm_by_hand():
    """Columns (1, 3) and (2, 6): means 2 and 4, variances 1 and 4, so ±1; the running variance divides by n − 1."""
    layer = nn.BatchNorm1d(2, eps=0, dtype=cg.float64)
    y = layer(cg.tensor([[1.0, 2.0], [3.0, 6.0]], dtype=cg.float64))
    assert y.tolist() == [[-1, -1], [1, 1]]
    np.testing.assert_allclose(layer.running_mean.numpy(), [0.2, 0.4])
    np.testing.assert_allclose(layer.running_var.numpy(), [0.9 + 0.2, 0.9 + 0.8])


def test_cross_entropy_by_hand():
    """Scores 0 and log 3 give p = (¼, ¾): loss −log p[t], gradient p − onehot(t)."""
    x = parameter([[0.0, math.log(3)]])
    loss = F.cross_entropy(x, cg.tensor([0]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), math.log(4))
    np.testing.assert_allclose(values(x.grad), [[-0.75, 0.75]])


def test_momentum_by_hand():
    """b ← 0.9·b + g from b = g: steps of lr·(1, 1.9, 2.71) for g = 1."""
    p = parameter([0.0])
    optimizer = optim.SGD([p], lr=1.0, momentum=0.9)
    moved = []
    for _ in range(3):
        before = p.item()
        p.grad = cg.ones(1, dtype=cg.float64)
        optimizer.step()
        moved.append(before - p.item())
    np.testing.assert_allclose(moved, [1, 1.9, 2.71])
