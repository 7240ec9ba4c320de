"""Parametrizations, weight norm, spectral norm, padded sequences, functional calls and clipping, as in PyTorch."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def plain(value):
    if isinstance(value, (cg.Tensor, torch.Tensor)):
        return np.round(value.detach().numpy(), 4).tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def layer(lib):
    result = lib.nn.Linear(3, 2)
    result.weight.data.copy_(lib.arange(6.0).reshape(2, 3) / 3 - 0.7)
    result.bias.data.copy_(lib.tensor([0.5, -0.5]))
    return result


def trained(lib, module, log, steps=2):
    optimizer = lib.optim.SGD(module.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (module(lib.tensor([[1.0, -2.0, 0.5]])) ** 2).sum()
        loss.backward()
        optimizer.step()
        log.append(loss)
    log.append(sorted(module.state_dict()))


@case
def old_weight_norm(lib, log):
    for dim in (0, 1, None):
        module = lib.nn.utils.weight_norm(layer(lib), dim=dim)
        trained(lib, module, log)
        log += [dict(module.named_parameters()), module.weight]
        lib.nn.utils.remove_weight_norm(module)
        log += [list(module.state_dict()), isinstance(module.weight, lib.nn.Parameter), module(lib.ones(1, 3))]


@case
def weight_norm_as_parametrization(lib, log):
    module = lib.nn.utils.parametrizations.weight_norm(layer(lib))
    trained(lib, module, log)
    log += [dict(module.named_parameters()), module.weight, type(module).__name__]
    lib.nn.utils.parametrize.remove_parametrizations(module, "weight")
    log += [type(module).__name__, sorted(module.state_dict()), module.weight]


@case
def spectral_norms(lib, log):
    for make in (lib.nn.utils.spectral_norm, lib.nn.utils.parametrizations.spectral_norm):
        module = make(layer(lib), n_power_iterations=30)
        trained(lib, module, log)
        log.append(round(float(np.linalg.norm(module.eval().weight.detach().numpy(), 2)), 3))
        log.append(module(lib.ones(1, 3)))


@case
def own_parametrization(lib, log):
    P = lib.nn.utils.parametrize

    class Symmetric(lib.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, x):
            return x.triu()

    class Twice(lib.nn.Module):
        def forward(self, x):
            return 2 * x

    module = lib.nn.Linear(2, 2)
    module.weight.data.copy_(lib.arange(4.0).reshape(2, 2))
    P.register_parametrization(module, "weight", Symmetric())
    log += [P.is_parametrized(module), P.is_parametrized(module, "bias"), module.weight, sorted(module.state_dict())]
    module.weight = lib.tensor([[1.0, 5.0], [5.0, 2.0]])
    log += [module.weight, module.parametrizations.weight.original]
    P.register_parametrization(module, "weight", Twice())
    P.register_parametrization(module, "bias", Twice())
    with P.cached():
        log += [module.weight is module.weight, module.weight]
    log.append(copy.deepcopy(module).weight)
    P.remove_parametrizations(module, "bias")
    P.remove_parametrizations(module, "weight", leave_parametrized=False)
    log += [type(module).__name__, dict(module.named_parameters())["weight"]]


@case
def sequences(lib, log):
    rnn = lib.nn.utils.rnn
    xs = [lib.arange(float(2 * n)).reshape(n, 2) for n in (3, 1, 2)]
    for first in (True, False):
        padded = rnn.pad_sequence(xs, batch_first=first, padding_value=-1.0)
        log += [plain(padded), rnn.unpad_sequence(padded, lib.tensor([3, 1, 2]), batch_first=first)]
    log.append(rnn.pad_sequence(xs, True, padding_side="left"))


@case
def functional_calls(lib, log):
    module = lib.nn.Sequential(layer(lib), lib.nn.BatchNorm1d(2))
    weight = lib.ones(2, 3).requires_grad_()
    x = lib.arange(12.0).reshape(4, 3)
    call = lib.nn.utils.stateless.functional_call
    out = call(module, {"0.weight": weight, "1.running_mean": lib.zeros(2)}, x)
    out[0].sum().backward()
    log += [out, weight.grad, module[0].weight.grad, dict(module.state_dict())]


@case
def clipping(lib, log):
    p = lib.zeros(2).requires_grad_()
    for norm in (10.0, 1.0):
        p.grad = lib.tensor([3.0, 4.0])
        total = lib.nn.utils.get_total_norm([p.grad])
        lib.nn.utils.clip_grads_with_norm_(p, norm, total)
        log += [total, p.grad, lib.nn.utils.clip_grad_norm_(p, 0.5, foreach=False), p.grad]


@case
def embeddings_of_limited_norm(lib, log):
    for options in ({"max_norm": 1.0}, {"scale_grad_by_freq": True}, {"max_norm": 2.0, "norm_type": 1.0}):
        table = lib.arange(8.0).reshape(4, 2) / 3
        module = lib.nn.Embedding.from_pretrained(table, freeze=False, **options)
        bag = lib.nn.EmbeddingBag.from_pretrained(table.clone(), freeze=False, mode="sum", **options)
        index = lib.tensor([[0, 1], [1, 3]])
        out = module(index), bag(index)
        (out[0] * 2).sum().backward(), out[1].sum().backward()
        log += [out, module.weight, module.weight.grad]
        if "max_norm" in options:  # PyTorch's bags count rows by frequency in another way than its embeddings
            log.append(bag.weight.grad)


@case
def initialization(lib, log):
    I = lib.nn.init
    log += [I._calculate_fan_in_and_fan_out(lib.ones(3, 4, 2)), I._calculate_correct_fan(lib.ones(3, 4), "fan_out")]
    log.append([I.calculate_gain(n) for n in ("linear", "conv_transpose2d", "tanh", "relu", "selu", "leaky_relu")])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        log.append(I.constant(lib.ones(2), 3.0))
    log.append([w.category.__name__ for w in caught])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*weight_norm")
def test_pytorch_does_the_same(name):
    logs = []
    for lib in (torch, cg):
        log = []
        CASES[name](lib, log)
        logs.append(plain(log))
    for ours, theirs in zip(logs[1], logs[0], strict=True):
        np.testing.assert_equal(ours, theirs) if not isinstance(ours, list) else compare(ours, theirs)


def compare(ours, theirs):
    try:
        np.testing.assert_allclose(np.array(ours, float), np.array(theirs, float), atol=2e-3)
    except (TypeError, ValueError):
        assert ours == theirs


def test_a_normed_layer_compiles():
    layers = [cg.nn.utils.parametrizations.spectral_norm(layer(cg)) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    x = cg.tensor([[1.0, -2.0, 0.5]])
    compiled = cg.compile(lambda x: layers[0](x).sum().detach())
    for _ in range(5):
        np.testing.assert_allclose(compiled(x).item(), layers[1](x).sum().item(), rtol=1e-6)
