"""Muon: orthogonal updates, the same bits in recorded steps and at every thread count. PyTorch's options of it are in
test_optimizer_info.py."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad.optim.muon import orthogonal

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 20), (20, 33), (64, 64)])
def test_updates_have_the_singular_vectors_of_the_momentum(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonal(matrix, COEFFICIENTS, 5, 1e-7) @ right.T
    np.testing.assert_allclose(found - np.diag(np.diag(found)), 0, atol=1e-6)
    large = values > values.max() / 30  # five iterations leave smaller ones below 1
    assert ((np.diag(found)[large] > 0.6) & (np.diag(found)[large] < 1.3)).all()


def trained(step_of=lambda step: step, threads=1, steps=4):
    """The bytes of weights after some steps of a network, whose biases AdamW trains."""
    before = cg.get_num_threads()
    cg.set_num_threads(threads)
    try:
        cg.manual_seed(0)
        model = cg.nn.Sequential(cg.nn.Linear(90, 200), cg.nn.ReLU(), cg.nn.Linear(200, 50))
        muon = cg.optim.Muon([p for p in model.parameters() if p.ndim == 2], lr=0.02)
        adamw = cg.optim.AdamW([p for p in model.parameters() if p.ndim == 1])
        x, y = cg.randn(128, 90), cg.randn(128, 50)

        def step(x, y):
            for optimizer in (muon, adamw):
                optimizer.zero_grad()
            loss = cg.nn.functional.mse_loss(model(x), y)
            loss.backward()
            for optimizer in (muon, adamw):
                optimizer.step()
            return loss

        step = step_of(step)
        losses = [step(x, y).item() for _ in range(steps)]
        assert losses[-1] < losses[0]
        muon.param_groups[0]["lr"] = 0.01  # read again at every step
        step(x, y)
        return step, [p.detach().numpy().tobytes() for p in model.parameters()]
    finally:
        cg.set_num_threads(before)


def test_recorded_steps_and_all_thread_counts_give_the_same_bits():
    _, eager = trained()
    compiled, recorded = trained(cg.compile)
    assert recorded == eager and trained(threads=2)[1] == eager
    assert len(compiled.programs()) == 1 and "1 calls" in repr(compiled.programs()[0])


def test_state_dicts_resume():
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(4, 5, 3)).astype(np.float32)

    def optimizer_of(start):
        p = cg.tensor(start.copy(), requires_grad=True)
        return p, cg.optim.Muon([p], lr=0.1)

    def run(p, optimizer, some):
        for g in some:
            p.grad = cg.tensor(g)
            optimizer.step()

    whole = optimizer_of(np.ones((5, 3), np.float32))
    run(*whole, gradients)
    first = optimizer_of(np.ones((5, 3), np.float32))
    run(*first, gradients[:2])
    second = optimizer_of(first[0].detach().numpy())
    second[1].load_state_dict(first[1].state_dict())
    run(*second, gradients[2:])
    assert second[0].detach().numpy().tobytes() == whole[0].detach().numpy().tobytes()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_matrices_without_elements_stay(shape):
    p = cg.zeros(shape, requires_grad=True)
    p.grad = cg.zeros(shape)
    cg.optim.Muon([p]).step()
    assert p.shape == shape


def test_without_a_gradient_only_the_decay_is_left():
    p = cg.ones(2, 3, requires_grad=True)
    p.grad = cg.zeros(2, 3)
    cg.optim.Muon([p], lr=0.5, weight_decay=0.5).step()
    np.testing.assert_array_equal(p.detach().numpy(), np.full((2, 3), 0.75, np.float32))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3,), {}, "a parameter must be a matrix, got shape"),
        ((3, 3), {"adjust_lr_fn": "square"}, "adjust_lr_fn must be one of original, match_rms_adamw"),
        ((3, 3), {"ns_steps": 100}, "ns_steps must be below 100"),
        ((3, 3), {"ns_coefficients": (1.0, 2.0)}, "ns_coefficients must be three numbers"),
    ],
)
def test_refusals_name_the_option(shape, options, message):
    with pytest.raises(ValueError, match=f"Muon: {message}"):
        cg.optim.Muon([cg.zeros(shape, requires_grad=True)], **options)
