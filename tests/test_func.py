"""Functions of functions against PyTorch's, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
A, B, W = RNG.standard_normal(3), RNG.standard_normal(3), RNG.standard_normal((3, 2))


def plain(tree):
    """Nested arrays of nested tensors."""
    if isinstance(tree, (cg.Tensor, torch.Tensor)):
        return tree.detach().numpy()
    if isinstance(tree, dict):
        return {k: plain(v) for k, v in tree.items()}
    return tuple(map(plain, tree)) if isinstance(tree, (tuple, list)) else tree


def same(ours, theirs):
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key in theirs:
            same(ours[key], theirs[key])
    elif isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            same(one, other)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


CASES = {  # T: the library, f: its func, a and b: vectors, w: a matrix
    "grad": "f.grad(lambda x: (x.sin() * x).sum())(a)",
    "grad of the second": "f.grad(lambda x, y: (x * y * y).sum(), argnums=1)(a, b)",
    "grad of both": "f.grad(lambda x, y: (x * y * y).sum(), argnums=(0, 1))(a, b)",
    "grad of the last": "f.grad(lambda x, y: (x * y * y).sum(), argnums=-1)(a, b)",
    "grad and value": "f.grad_and_value(lambda x: (x ** 3).sum())(a)",
    "aux": "f.grad(lambda x: ((x ** 3).sum(), x * 2), has_aux=True)(a)",
    "aux and value": "f.grad_and_value(lambda x: ((x ** 3).sum(), x * 2), has_aux=True)(a)",
    "third": "f.grad(f.grad(f.grad(lambda x: x ** 4)))(a[0])",
    "of a dict": "f.grad(lambda p, x: ((x @ p['w'] + p['b']) ** 2).sum())({'w': w, 'b': a[:2]}, b)",
    "of a list": "f.grad(lambda p: (p[0] * p[1]).sum())([a, b])",
    "unused": "f.grad(lambda x, y: x.sum(), argnums=1)(a, b)",
    "closure": "(lambda x: f.grad(lambda y: (y * x.detach()).sum())(x))(a)",
    "vjp": "(lambda r: (r[0], r[1](T.ones_like(r[0]))))(f.vjp(lambda x, y: x @ w * y[:2], a, b))",
    "vjp of several outputs": "(lambda r: (r[0], r[1]((a, b))))(f.vjp(lambda x: (x.exp(), x * 2), a))",
    "jvp": "f.jvp(lambda x: (x @ w).tanh(), (a,), (b,))",
    "jvp of two": "f.jvp(lambda x, y: x * y.exp(), (a, b), (b, a))",
    "jacrev": "f.jacrev(lambda x: (x @ w).tanh())(a)",
    "jacfwd": "f.jacfwd(lambda x, y: x * y, argnums=(0, 1))(a, b)",
    "jacobian of a dict": "f.jacrev(lambda x: {'s': x.sum(), 'e': x.exp()})(a)",
    "hessian": "f.hessian(lambda x: (x.sin() * x[0]).sum())(a)",
    "hessian of two": "f.hessian(lambda x, y: (x * y * y).sum(), argnums=(0, 1))(a, b)",
    "vmap": "f.vmap(lambda x, y: x.dot(y))(w, w)",
    "vmap dims": "f.vmap(lambda x, y: x * y, in_dims=(1, None), out_dims=1)(w, a)",
    "vmap of grad": "f.vmap(f.grad(lambda x, y: (x * y).sin().sum()), in_dims=(0, None))(w, a[:2])",
    "vmap of a dict": "f.vmap(lambda p: p['w'].sum() * p['b'])({'w': w, 'b': a})",
    "vmap of two results": "f.vmap(lambda x: (x.sum(), x * 2))(w)",
    "grad of vmap": "f.grad(lambda x: f.vmap(lambda r: (r * r).sum())(x).prod())(w)",
    "nested vmap": "f.vmap(f.vmap(lambda x: x * 2))(w)",
    "jacobian of a gradient by another": "f.jacrev(f.grad(lambda x, y: (x * x * y).sum()), argnums=1)(a, b)",
}


def run(text, T, F=None):
    names = {"T": T, "f": T.func, "F": F, **{n: T.from_numpy(v.copy()) for n, v in (("a", A), ("b", B), ("w", W))}}
    return eval(text, names), names


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("name", CASES)
def test_transforms_are_pytorchs(name):
    ours, _ = run(CASES[name], cg)
    same(plain(ours), plain(run(CASES[name], torch)[0]))
    if isinstance(ours, cg.Tensor):
        assert not ours.requires_grad


FUNCTIONAL = {
    "jacobian": "F.jacobian(lambda x: (x @ w).tanh(), a)", "jacobian of two": "F.jacobian(lambda x, y: x * y, (a, b))", "hessian": "F.hessian(lambda x: (x ** 3).sum(), a)",
    "hessian of two": "F.hessian(lambda x, y: (x * y * y).sum(), (a, b))", "vjp": "F.vjp(lambda x: x.exp(), a, b)", "vjp of two": "F.vjp(lambda x, y: x * y, (a, b), b)",
    "jvp": "F.jvp(lambda x: x.exp(), a, b)", "vhp": "F.vhp(lambda x: (x ** 3).sum(), a, b)", "hvp": "F.hvp(lambda x, y: (x * y * y).sum(), (a, b), (b, a))",
    "vjp of a number": "F.vjp(lambda x: (x ** 2).sum(), a)",
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_autograd_functional_is_pytorchs(name):
    ours, _ = run(FUNCTIONAL[name], cg, cg.autograd.functional)
    same(plain(ours), plain(run(FUNCTIONAL[name], torch, torch.autograd.functional)[0]))


@pytest.mark.parametrize("name", ["jacobian", "hessian"])
def test_results_can_be_differentiated(name):
    grads = []
    for T, F in ((cg, cg.autograd.functional), (torch, torch.autograd.functional)):
        x = T.from_numpy(A.copy()).requires_grad_()
        result = getattr(F, name)(lambda x: (x**3).sum() if name == "hessian" else x**3, x, create_graph=True)
        (result**2).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_allclose(*grads, rtol=1e-10)


def test_a_gradient_of_an_argument_in_a_graph_is_part_of_it():
    x = cg.from_numpy(A.copy()).requires_grad_()
    inner = cg.func.grad(lambda y: (y**3).sum())(x)
    inner.sum().backward()
    np.testing.assert_allclose(x.grad.array, 6 * A)


def test_functional_call_and_stacked_modules():
    net = cg.nn.Sequential(cg.nn.Linear(2, 3), cg.nn.BatchNorm1d(3), cg.nn.Linear(3, 1))
    before = {k: v.array.copy() for k, v in net.state_dict().items()}
    x, other = cg.randn(4, 2), {k: v * 2 for k, v in net.state_dict().items() if v.array.dtype.kind == "f"}
    twin = cg.nn.Sequential(cg.nn.Linear(2, 3), cg.nn.BatchNorm1d(3), cg.nn.Linear(3, 1))
    twin.load_state_dict({**net.state_dict(), **other})
    net.eval(), twin.eval()
    assert np.array_equal(cg.func.functional_call(net, other, (x,)).array, twin(x).array)
    assert all(np.array_equal(before[k], v.array) for k, v in net.state_dict().items()) and isinstance(net[0].weight, cg.nn.Parameter)
    with pytest.raises(RuntimeError, match="unexpected names"):
        cg.func.functional_call(net, {"nowhere": x}, x)
    with pytest.raises(RuntimeError, match="missing"):
        cg.func.functional_call(net, {}, x, strict=True)
    with pytest.raises(ZeroDivisionError):
        cg.func.functional_call(net, other, x, {"wrong": 1 / 0})
    nets = [cg.nn.Linear(2, 1) for _ in range(3)]
    parameters, buffers = cg.func.stack_module_state(nets)
    assert parameters["weight"].shape == (3, 1, 2) and parameters["weight"].is_leaf and buffers == {}
    results = cg.func.vmap(lambda p: cg.func.functional_call(nets[0], p, (x,)))(parameters)
    np.testing.assert_allclose(results.detach().array, np.stack([n(x).detach().array for n in nets]), rtol=1e-6)
    results.sum().backward()
    assert parameters["weight"].grad.shape == (3, 1, 2)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda f, x: f.grad(lambda y: y)(x), RuntimeError, "one element"), (lambda f, x: f.grad(lambda y: y.sum(), argnums=2)(x), RuntimeError, "out of range"),
        (lambda f, x: f.grad(lambda y: y.sum(), has_aux=True)(x), RuntimeError, "has_aux"), (lambda f, x: f.vmap(lambda y: y, in_dims=None)(x), ValueError, "one size"),
        (lambda f, x: f.vmap(lambda y, z: y)(x, x[:2]), ValueError, r"one size, got \[2, 3\]"), (lambda f, x: f.vmap(lambda y: y, in_dims=(0, 0))(x), ValueError, "2 entries for 1"),
        (lambda f, x: f.vmap(lambda y: y)(x[:0]), ValueError, "empty"), (lambda f, x: f.stack_module_state([]), ValueError, "one architecture"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call(cg.func, cg.from_numpy(A.copy()))
    assert cg.func._depth == 0


class Residual(cg.nn.Module):
    """A module of the user's, with layers and a computation between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = cg.nn.Sequential(cg.nn.Linear(width, width), cg.nn.Tanh(), cg.nn.Linear(width, width, bias=False))

    def forward(self, x):
        return x + self.inner(x)


def member(seed: int) -> cg.nn.Module:
    cg.manual_seed(seed)
    return cg.nn.Sequential(cg.nn.Linear(3, 8), cg.nn.ReLU(), Residual(8), cg.nn.Dropout(0.5), cg.nn.Linear(8, 2)).eval()


@pytest.mark.parametrize("shared", [True, False])
def test_stacked_modules_compute_what_their_members_do(shared):
    models = [member(seed) for seed in range(4)]
    stacked = cg.func.stack_modules(models)
    x = cg.randn(5, 3) if shared else cg.randn(4, 5, 3)
    x.requires_grad_()
    y = stacked(x)
    expected = cg.stack([model(x if shared else x[k]) for k, model in enumerate(models)])
    np.testing.assert_allclose(y.detach(), expected.detach(), rtol=1e-5, atol=1e-6)
    (dx,), (wanted,) = (cg.autograd.grad((z * z).sum(), [x]) for z in (y, expected))
    np.testing.assert_allclose(dx, wanted, rtol=1e-4, atol=1e-5)


def test_stacked_modules_train_as_their_members_do():
    models, x, t = [member(seed).eval() for seed in range(3)], cg.randn(20, 3), cg.randint(2, (20,))
    stacked = cg.func.stack_modules(models)

    @cg.compile
    def step(x, t):
        optimizer.zero_grad()
        loss = cg.nn.functional.cross_entropy(stacked(x).reshape(60, 2), t) * 3
        loss.backward()
        optimizer.step()

    optimizer = cg.optim.Adam(stacked.parameters(), lr=0.01)
    for _ in range(5):
        step(x, t.repeat(3))
    for model, trained in zip(models, cg.func.unstack_modules(stacked)):
        own = cg.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(5):
            own.zero_grad()
            cg.nn.functional.cross_entropy(model(x), t).backward()
            own.step()
        assert repr(model) == repr(trained) and not trained.training
        for p, q in zip(model.parameters(), trained.parameters()):
            np.testing.assert_allclose(p.detach(), q.detach(), rtol=1e-3, atol=1e-4)


def test_stacking_refuses_what_it_cannot_stack():
    linear = cg.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="there is no module"):
        cg.func.stack_modules([])
    for other in (cg.nn.Linear(2, 3), cg.nn.Linear(2, 2, bias=False), cg.nn.Linear(2, 2, dtype=np.float64), cg.nn.ReLU()):
        with pytest.raises(ValueError, match="module 1 has another architecture than module 0"):
            cg.func.stack_modules([linear, other])
    with pytest.raises(ValueError, match="module 1 has another"):
        cg.func.stack_modules([cg.nn.Dropout(0.1), cg.nn.Dropout(0.2)])
    for layer in (cg.nn.Conv1d(2, 2, 1), cg.nn.BatchNorm1d(3), cg.nn.Softmax(1), cg.nn.PReLU()):
        with pytest.raises(TypeError, match=f"stack_modules: {type(layer).__name__} at 1 has no form for members"):
            cg.func.stack_modules([cg.nn.Sequential(linear, layer)])
    own = Residual(2)
    own.scale = cg.nn.Parameter(cg.ones(2))
    with pytest.raises(TypeError, match="Residual has parameters of its own"):
        cg.func.stack_modules([own, own])
    with pytest.raises(ValueError, match=r"one number of members, got \[\]"):
        cg.func.unstack_modules(linear)
    with pytest.raises(TypeError, match="EnsembleScale has no form for one member"):
        cg.func.unstack_modules(cg.nn.Sequential(cg.nn.EnsembleScale(2, 3), cg.nn.EnsembleLinear(2, 3, 1)))
    with pytest.raises(TypeError, match="EnsembleSharedLinear has no form for one member"):
        cg.func.unstack_modules(cg.nn.Sequential(cg.nn.EnsembleSharedLinear(2, 3, 3), cg.nn.EnsembleLinear(2, 3, 1)))


@pytest.mark.parametrize("bias", [True, False])
def test_members_with_a_shared_weight_are_linear_layers(bias):
    """Forward and gradients are those of K layers with the weights sₖᵢ·Wᵢⱼ·rₖⱼ."""
    cg.manual_seed(0)
    layer = cg.nn.EnsembleSharedLinear(3, 5, 4, bias, dtype="float64")
    for p in (layer.input_scale, layer.output_scale):
        p.array[...] = np.random.default_rng(1).normal(size=p.shape)

    def separate(x):
        weight = layer.output_scale.unsqueeze(2) * layer.weight * layer.input_scale.unsqueeze(1)
        return cg.nn.functional.ensemble_linear(x, weight, layer.bias)

    for shape in ((3, 7, 5), (7, 5), (3, 1, 5), (0, 5)):
        x = cg.randn(*shape, dtype=cg.float64)
        np.testing.assert_allclose(layer(x).detach().array, separate(x).detach().array, atol=1e-12)
    x, parameters = cg.randn(7, 5, dtype=cg.float64), list(layer.parameters())
    grads = [cg.autograd.grad((network(x) ** 2).sum(), parameters) for network in (layer, separate)]
    for one, other in zip(*grads, strict=True):
        np.testing.assert_allclose(one.array, other.array, atol=1e-10)


def test_the_mean_of_members_is_that_of_their_outputs_or_probabilities():
    scores = np.random.default_rng(0).normal(0, 30, (4, 5, 3)).astype(np.float32)
    x = cg.tensor(scores)
    np.testing.assert_allclose(cg.nn.EnsembleMean()(x).array, scores.mean(0), rtol=1e-5, atol=1e-5)
    powers = np.exp(scores.astype(np.float64) - scores.max(2, keepdims=True))
    mean = (powers / powers.sum(2, keepdims=True)).mean(0)
    logarithms = cg.nn.EnsembleMean("probabilities")(x)
    np.testing.assert_allclose(logarithms.array, np.log(mean), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logarithms.softmax(-1).array, mean, atol=1e-6)
    assert np.isfinite(cg.nn.EnsembleMean("probabilities")(x * 1e6).array).all()
    with pytest.raises(ValueError, match="of must be outputs or probabilities, got 'scores'"):
        cg.nn.EnsembleMean("scores")
    with pytest.raises(ValueError, match=r"must have shape \(K, N, C\), got \(4, 3\)"):
        cg.nn.EnsembleMean()(cg.zeros(4, 3))


def test_a_blend_is_that_of_outputs_or_probabilities():
    first, second = cg.nn.EnsembleLinear(3, 4, 5), cg.nn.EnsembleLinear(3, 4, 5)
    x = cg.tensor(np.random.default_rng(0).normal(0, 3, (3, 6, 4)).astype(np.float32))
    f, g = first(x).array.astype(np.float64), second(x).array.astype(np.float64)
    np.testing.assert_allclose(cg.nn.EnsembleBlend(first, second, 0.25)(x).array, 0.75 * f + 0.25 * g, rtol=1e-5, atol=1e-6)
    for share, sought in (0.0, f), (1.0, g):
        np.testing.assert_allclose(cg.nn.EnsembleBlend(first, second, share)(x).array, sought, rtol=1e-5, atol=1e-6)
    blended = cg.nn.EnsembleBlend(first, second, 0.25, "probabilities")(x).exp()
    p, q = (np.exp(z) / np.exp(z).sum(-1, keepdims=True) for z in (f, g))
    np.testing.assert_allclose(blended.array, 0.75 * p + 0.25 * q, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="EnsembleBlend: of must be outputs or probabilities, got 'scores'"):
        cg.nn.EnsembleBlend(first, second, 0.5, "scores")
    for share in (-0.1, 1.5, float("nan"), True, "half"):
        with pytest.raises(ValueError, match="EnsembleBlend: share must be a number from 0 to 1, got"):
            cg.nn.EnsembleBlend(first, second, share)


def test_a_recorded_step_of_a_periodic_embedding_calls_no_python():
    model = cg.nn.Sequential(cg.nn.EnsemblePeriodicEmbedding(2, [3, 0, 1]), cg.nn.EnsembleLinear(2, 4 + 12, 1))
    optimizer = cg.optim.AdamW(model.parameters())

    @cg.compile
    def step(x):
        optimizer.zero_grad()
        loss = cg.nn.functional.mse_loss(model(x), cg.ones(2, 7, 1))
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(cg.ones(7, 4))
    assert "0 calls" in repr(step.programs()[0])


def test_a_periodic_embedding_is_sums_of_cosines_behind_the_features():
    layer = cg.nn.EnsemblePeriodicEmbedding(2, [0, 2], size=3, frequencies=5, dtype=cg.float64)
    x = np.random.default_rng(0).standard_normal((2, 7, 3))
    y = layer(cg.tensor(x)).array
    assert y.shape == (2, 7, 3 + 2 * 3)
    np.testing.assert_array_equal(y[..., :3], x)
    for k in range(2):
        for j, column in enumerate([0, 2]):
            waves = np.cos(x[k, :, column, None] * layer.frequency.array[k, j] + layer.phase.array[k, j])
            sought = waves @ layer.weight.array[k, j].T + layer.bias.array[k, j]
            np.testing.assert_allclose(y[k, :, 3 + 3 * j : 6 + 3 * j], sought, rtol=1e-12)
    shared = layer(cg.tensor(x[0])).array
    np.testing.assert_allclose(shared[0], y[0], rtol=1e-12)
    with pytest.raises(IndexError, match="EnsemblePeriodicEmbedding: column 2 is out of range of 2 features"):
        layer(cg.zeros(7, 2))
    assert layer(cg.tensor(x[:, :0])).shape == (2, 0, 9)
    deviation = cg.nn.EnsemblePeriodicEmbedding(50, range(20), sigma=(0.5, 2)).frequency.array.std((0, 1)) / (2 * np.pi)
    np.testing.assert_allclose(deviation, np.geomspace(0.5, 2, 16), rtol=0.15)
    for wrong in ([], [1, 1], [-1], [0.5]):
        with pytest.raises(ValueError, match=r"EnsemblePeriodicEmbedding: (columns must be|each of columns)"):
            cg.nn.EnsemblePeriodicEmbedding(2, wrong)
    for sigma in ((0, 1), (2, 1), (1,), (1, float("inf"))):
        with pytest.raises(ValueError, match="sigma must be two positive numbers in ascending order"):
            cg.nn.EnsemblePeriodicEmbedding(2, [0], sigma=sigma)
