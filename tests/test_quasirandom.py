"""Sobol' sequences, as in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad.quasirandom import SobolEngine

pytest.importorskip("scipy")


def test_unscrambled_points_are_pytorchs():
    torch = pytest.importorskip("torch")
    for dimension in (1, 3, 40):
        ours, theirs = SobolEngine(dimension), torch.quasirandom.SobolEngine(dimension)
        np.testing.assert_array_equal(ours.draw(5).numpy(), theirs.draw(5).numpy())
        ours.fast_forward(7), theirs.fast_forward(7)
        np.testing.assert_array_equal(ours.draw(3, dtype=cg.float64).numpy(), theirs.draw(3, dtype=torch.float64).numpy())
        assert ours.num_generated == theirs.num_generated == 15
        assert ours.reset().draw(1).tolist() == [[0.0] * dimension]
        assert repr(ours) == repr(theirs)


def test_scrambled_points_follow_their_seed():
    one, two, three = (SobolEngine(2, scramble=True, seed=s).draw(64) for s in (1, 1, 2))
    assert one.tolist() == two.tolist() != three.tolist() and ((one >= 0) & (one < 1)).all()
    np.testing.assert_array_equal(np.bincount((one[:, 0] * 64).int().numpy()), np.ones(64))
    cg.manual_seed(3)
    first = SobolEngine(2, scramble=True).draw(4).tolist()
    cg.manual_seed(3)
    assert SobolEngine(2, scramble=True).draw(4).tolist() == first
    out = cg.zeros(1)
    assert SobolEngine(3).draw_base2(2, out=out) is out and out.shape == (4, 3)


def test_wrong_arguments_are_named():
    for dimension in (0, 21202):
        with pytest.raises(ValueError, match=f"dimension must lie between 1 and 21201, got {dimension}"):
            SobolEngine(dimension)
    engine = SobolEngine(1)
    engine.draw(3)
    with pytest.raises(ValueError, match=r"draw_base2: 3 and 2\*\*2 more points are not a power of 2"):
        engine.draw_base2(2)
