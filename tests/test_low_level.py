"""Functions that PyTorch has beside its layers: under its own names, gradients of convolutions, draws, projections."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import cygrad as cg
import cygrad.nn.grad
from cygrad.nn.functional import native

torch = pytest.importorskip("torch")


def data(lib, *shape, seed=0):
    return lib.tensor(np.random.default_rng(seed).normal(size=shape), dtype=lib.float32)


NATIVE = {
    "batch_norm": lambda lib: lib.batch_norm(data(lib, 4, 3), data(lib, 3), None, lib.zeros(3), lib.ones(3), True, 0.1, 1e-5, False),
    "instance_norm": lambda lib: lib.instance_norm(data(lib, 2, 3, 5), data(lib, 3), data(lib, 3), None, None, True, 0.1, 1e-5, False),
    "layer_norm": lambda lib: lib.layer_norm(data(lib, 4, 3), (3,), data(lib, 3), None, 1e-3, False),
    "group_norm": lambda lib: lib.group_norm(data(lib, 2, 4, 3), 2, data(lib, 4), None, 1e-5, False),
    "rms_norm": lambda lib: lib.rms_norm(data(lib, 4, 3), (3,), data(lib, 3)),
    "embedding": lambda lib: lib.embedding(data(lib, 4, 3), lib.tensor([3, 0, 1]), -1, False, False),
    "embedding_bag": lambda lib: lib.embedding_bag(data(lib, 4, 3), lib.tensor([3, 0, 1]), lib.tensor([0, 2]), False, 1)[0],
    "embedding_renorm_": lambda lib: lib.embedding_renorm_(data(lib, 4, 3), lib.tensor([3, 0]), 0.5, 2.0),
    "constant_pad_nd": lambda lib: lib.constant_pad_nd(data(lib, 2, 3), [1, 2], 7.0),
    "kl_div": lambda lib: lib.kl_div(data(lib, 4), data(lib, 4).sigmoid(), 2, log_target=False),
    "binary_cross_entropy_with_logits": lambda lib: lib.binary_cross_entropy_with_logits(data(lib, 4), data(lib, 4).sigmoid(), None, lib.tensor(2.0), 0),
    "poisson_nll_loss": lambda lib: lib.poisson_nll_loss(data(lib, 4), data(lib, 4).exp(), True, False, 1e-8, 1),
    "hinge_embedding_loss": lambda lib: lib.hinge_embedding_loss(data(lib, 4), data(lib, 4).sign(), 0.5, 2),
    "cosine_embedding_loss": lambda lib: lib.cosine_embedding_loss(data(lib, 4, 3), data(lib, 4, 3, seed=1), data(lib, 4).sign(), 0.5, 1),
    "margin_ranking_loss": lambda lib: lib.margin_ranking_loss(data(lib, 4), data(lib, 4, seed=1), data(lib, 4, seed=2).sign(), 0.5, 0),
    "triplet_margin_loss": lambda lib: lib.triplet_margin_loss(data(lib, 4, 3), data(lib, 4, 3, seed=1), data(lib, 4, 3, seed=2), 1.0, 2.0, 1e-6, False, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", NATIVE)
def test_functions_under_torchs_own_names(name):
    np.testing.assert_allclose(NATIVE[name](cg).numpy(), NATIVE[name](torch).numpy(), rtol=1e-5, atol=1e-6)


def test_dropout_under_torchs_own_names():
    names = [name for name in native.__all__ if "dropout" in name]
    assert {*NATIVE, *names} == set(native.__all__)
    x = cg.ones(4, 3, 5) + 1
    for name in names:
        function = getattr(cg, name)
        assert list(inspect.signature(function).parameters) == ["input", "p", "train"]
        assert function(x.clone(), 0.5, False).tolist() == x.tolist()
        y = x.clone()
        result = function(y, 0.5, True)
        assert (result is y) == name.endswith("_") and result.tolist() != x.tolist()
        whole = [len(set(row)) == 1 for image in result.tolist() for row in image]
        assert all(whole) == ("feature" in name)
    for wrong in (True, 3, "mean"):
        with pytest.raises(ValueError, match=r"kl_div: reduction must be 0 \(none\), 1 \(mean\) or 2 \(sum\)"):
            cg.kl_div(x, x, wrong)
    with pytest.raises(ValueError, match="embedding_bag: mode must be 0"):
        cg.embedding_bag(cg.ones(2, 2), cg.tensor([0]), cg.tensor([0]), False, 3)
    with pytest.raises(RuntimeError, match="feature_dropout: input must have at least 2 dimensions"):
        cg.feature_dropout(cg.ones(3), 0.5, True)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2, "padding": 1}], ids=str)
def test_gradients_of_convolutions(options):
    for dims in (1, 2):
        sizes = [6, 5][:dims]
        groups = options.get("groups", 1)
        shapes = ((2, 4, *sizes), (6, 4 // groups, *[3, 2][:dims]))
        out = getattr(torch.nn.functional, f"conv{dims}d")(torch.zeros(shapes[0]), torch.zeros(shapes[1]), **options).shape
        results = []
        for lib in (cg, torch):
            x, w, g = (data(lib, *shape, seed=i) for i, shape in enumerate((*shapes, out)))
            w.requires_grad_()
            rooms = lib.nn.grad
            dx = getattr(rooms, f"conv{dims}d_input")(shapes[0], w, g, **options)
            dw = getattr(rooms, f"conv{dims}d_weight")(x, shapes[1], g, **options)
            (second,) = lib.autograd.grad(dx.square().sum(), w)
            results.append([v.detach().numpy() for v in (dx, dw, second)])
        for found, expected in zip(*results):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_counts_are_drawn():
    cg.manual_seed(0)
    rates = cg.tensor([[0.0, 2.0, 50.0]]).expand(20000, 3)
    counts = cg.poisson(rates)
    assert counts.dtype == cg.float32 and counts.shape == rates.shape and (counts == counts.round()).all()
    np.testing.assert_allclose([counts.mean(0).tolist(), counts.var(0).tolist()], [[0, 2, 50]] * 2, rtol=0.05)
    count, prob = cg.tensor([0.0, 10.0, 40.0]).expand(20000, 3), cg.tensor([0.5, 0.25, 0.5])
    draws = cg.binomial(count, prob, generator=cg.Generator().manual_seed(1))
    assert draws.tolist() == cg.binomial(count, prob, cg.Generator().manual_seed(1)).tolist()
    np.testing.assert_allclose([draws.mean(0).tolist(), draws.var(0).tolist()], [[0, 2.5, 20], [0, 1.875, 10]], rtol=0.05)
    for use, message in (
        (lambda: cg.poisson(cg.tensor([-1.0])), "rates must lie between 0"),
        (lambda: cg.poisson(cg.tensor([np.nan])), "rates must lie between 0"),
        (lambda: cg.poisson(cg.tensor([np.inf])), "rates must lie between 0"),
        (lambda: cg.poisson(cg.ones(1).int()), "rates must be floats, got int32"),
        (lambda: cg.binomial(cg.ones(1), cg.tensor([1.5])), r"prob must lie in \[0, 1\]"),
        (lambda: cg.binomial(cg.tensor([np.nan]), cg.ones(1)), "counts must lie between 0"),
        (lambda: cg.binomial(cg.ones(1), cg.ones(1).double()), "expected floats of one dtype"),
    ):
        with pytest.raises(RuntimeError, match=message):
            use()
    parameter = cg.ones(3, requires_grad=True)
    cg.poisson(parameter).sum().backward()
    assert parameter.grad.tolist() == [0.0] * 3


def test_matrices_of_low_rank_are_found_from_projections():
    cg.manual_seed(0)
    x, y = data(cg, 2, 20, 3).double(), data(cg, 2, 3, 9, seed=1).double()
    A = (x @ y).requires_grad_()
    U, S, V = cg.svd_lowrank(A, q=4)
    assert (U.shape, S.shape, V.shape) == ((2, 20, 4), (2, 4), (2, 9, 4))
    np.testing.assert_allclose((U * S[:, None]).matmul(V.mT).tolist(), A.tolist(), atol=1e-10)
    np.testing.assert_allclose(S[:, :3].tolist(), cg.linalg.svdvals(A)[:, :3].tolist(), rtol=1e-9)
    (found,), (expected,) = (cg.autograd.grad(s[:, :3].sum(), A) for s in (S, cg.linalg.svdvals(A)))
    np.testing.assert_allclose(found.tolist(), expected.tolist(), atol=1e-7)
    _, S, V = cg.pca_lowrank(A.detach(), q=3)
    centered = A.detach() - A.detach().mean(1, keepdim=True)
    np.testing.assert_allclose(S.tolist(), cg.linalg.svdvals(centered)[:, :3].tolist(), rtol=1e-9)
    assert cg.pca_lowrank(A, center=False)[1].shape == (2, 6) and cg.svd_lowrank(A, 2, M=A).S.abs().max() < 1e-12
    for wrong in ({"q": 10}, {"q": -1}, {"niter": -1}):
        with pytest.raises(ValueError, match="svd_lowrank: expected q between 0 and 9 and niter of at least 0"):
            cg.svd_lowrank(A, **wrong)
    for function in (cg.svd_lowrank, cg.pca_lowrank):
        with pytest.raises(ValueError, match="expected matrices"):
            function(cg.ones(3))


def test_an_array_of_another_dtype_may_be_a_factor():
    x = cg.ones(2, 3, requires_grad=True)
    for other in (np.eye(3), np.arange(3), np.ones((3, 2), np.float16), np.ones(3, bool)):
        expected = x.detach().numpy() @ other
        found = x @ other
        assert found.requires_grad and str(found.numpy(force=True).dtype) == str(expected.dtype)
        np.testing.assert_allclose(found.tolist(), expected)
    (x @ np.full((3, 1), 2.0)).sum().backward()
    assert x.grad.dtype == cg.float32 and x.grad.tolist() == [[2.0] * 3] * 2
    assert (np.ones((1, 2)) @ x).dtype == cg.float64
    with pytest.raises(RuntimeError, match="matmul: input is float32, but other is float64"):
        x @ cg.ones(3).double()
    with pytest.raises(TypeError):
        x @ "a"


def test_a_tensor_of_one_element_in_a_list_is_a_number():
    def made(lib):
        one, row, matrix = lib.tensor(1.0), lib.tensor([2.0]), lib.tensor([[3.0]])
        lists = ([one, row, matrix], [[row], [matrix]], [row, 4.0], [5.0, row], [(row, one)], [lib.tensor([True]), lib.tensor([[False]])])
        results = [lib.tensor(data) for data in lists]
        results += [lib.tensor([lib.tensor([3])], dtype=lib.float64), lib.as_tensor([row, row]), lib.FloatTensor([row, row])]
        results += [lib.Tensor([row, row]), one.new_tensor([[row], [row]])]
        return [(tuple(x.shape), x.tolist(), str(x.dtype).rpartition(".")[2]) for x in results]

    assert made(cg) == made(torch)
    assert cg.tensor([cg.ones(2), cg.zeros(2)]).tolist() == [[1.0, 1.0], [0.0, 0.0]]
