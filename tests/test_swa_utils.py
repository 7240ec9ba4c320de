"""Weight averaging agrees with PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn, optim
from cygrad.optim import swa_utils
from tests.test_trainer import assert_same, state


def models(torch):
    """The same model on both sides."""
    layers = lambda library: (library.Linear(3, 4), library.BatchNorm1d(4), library.Linear(4, 2))  # noqa: E731
    model, other = nn.Sequential(*layers(nn)), torch.nn.Sequential(*layers(torch.nn))
    model.load_state_dict({name: value.numpy() for name, value in other.state_dict().items()})
    return model, other


AVERAGES = {
    "mean": {},
    "mean of buffers too": {"use_buffers": True},
    "exponential": {"multi_avg_fn": ("get_ema_multi_avg_fn", 0.9)},
    "exponential of buffers too": {"multi_avg_fn": ("get_ema_multi_avg_fn", 0.9), "use_buffers": True},
    "mean, many": {"multi_avg_fn": ("get_swa_multi_avg_fn",)},
    "exponential, one by one": {"avg_fn": ("get_ema_avg_fn", 0.8)},
    "mean, one by one": {"avg_fn": ("get_swa_avg_fn",)},
}


def options_of(library, name):
    """The options, with the functions of one library."""
    made = lambda value: getattr(library, value[0])(*value[1:]) if isinstance(value, tuple) else value  # noqa: E731
    return {key: made(value) for key, value in AVERAGES[name].items()}


@pytest.mark.parametrize("name", AVERAGES)
def test_averages_agree_with_pytorch(name):
    torch = pytest.importorskip("torch")
    model, other = models(torch)
    averaged = swa_utils.AveragedModel(model, **options_of(swa_utils, name))
    wanted = torch.optim.swa_utils.AveragedModel(other, **options_of(torch.optim.swa_utils, name))
    assert list(averaged.state_dict()) == list(wanted.state_dict())
    rng = np.random.default_rng(0)
    for _ in range(4):
        x = rng.standard_normal((5, 3)).astype(np.float32)
        model(cg.tensor(x))
        with torch.no_grad():
            other(torch.from_numpy(x))
            for p, q in zip(model.parameters(), other.parameters(), strict=True):
                p.array[...] += 0.25
                q += 0.25
        averaged.update_parameters(model)
        wanted.update_parameters(other)
    for key, value in wanted.state_dict().items():
        np.testing.assert_allclose(averaged.state_dict()[key].array, value.numpy(), rtol=1e-5, atol=1e-6, err_msg=key)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    expected = wanted.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(averaged.eval()(cg.tensor(x)).array, expected, rtol=1e-4, atol=1e-5)


def test_recomputed_statistics_agree_with_pytorch_and_leave_the_rest_alone():
    torch = pytest.importorskip("torch")
    model, other = models(torch)
    model.eval()
    before = state(model)
    batches = np.random.default_rng(0).standard_normal((4, 6, 3)).astype(np.float32)
    swa_utils.update_bn([(cg.tensor(x), None) for x in batches[:2]] + [cg.tensor(x) for x in batches[2:]], model)
    torch.optim.swa_utils.update_bn([torch.from_numpy(x) for x in batches], other)
    for key, value in other.state_dict().items():
        np.testing.assert_allclose(state(model)[key], value.numpy(), rtol=1e-5, atol=1e-6, err_msg=key)
    assert model[1].momentum == 0.1 and not model.training and not model[1].training
    assert_same(
        {k: v for k, v in state(model).items() if "weight" in k}, {k: v for k, v in before.items() if "weight" in k}
    )
    plain = nn.Linear(2, 2)
    swa_utils.update_bn([], plain)  # nothing to do


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 4])
def test_the_schedule_agrees_with_pytorch(strategy, epochs):
    torch = pytest.importorskip("torch")
    rates = []
    for library, parameters in (optim, nn.Linear(2, 2).parameters()), (torch.optim, torch.nn.Linear(2, 2).parameters()):
        made = library.SGD([{"params": [p], "lr": lr} for p, lr in zip(parameters, (0.5, 0.1), strict=True)], lr=1.0)
        schedule = library.swa_utils.SWALR(made, [0.05, 0.2], anneal_epochs=epochs, anneal_strategy=strategy)
        rates.append([schedule.get_last_lr()])
        for _ in range(6):
            made.step()
            schedule.step()
            rates[-1].append(schedule.get_last_lr())
    np.testing.assert_allclose(*rates, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: swa_utils.AveragedModel(nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max), "AveragedModel: got both avg_fn"),
        (lambda o: swa_utils.get_ema_multi_avg_fn(1.5), "get_ema_multi_avg_fn: decay must lie in [0, 1], got 1.5"),
        (lambda o: swa_utils.get_ema_avg_fn(-1.0), "get_ema_avg_fn: decay must lie in [0, 1], got -1.0"),
        (lambda o: swa_utils.SWALR(o, 0.1, anneal_strategy="log"), "SWALR: anneal_strategy must be cos or linear, got 'log'"),
        (lambda o: swa_utils.SWALR(o, 0.1, anneal_epochs=-1), "SWALR: anneal_epochs must be an integer of at least 0"),
        (lambda o: swa_utils.SWALR(o, [0.1, 0.2]), "SWALR: swa_lr has 2 values for 1 parameter groups"),
    ],
)  # fmt: skip
def test_invalid_arguments_are_named(call, message):
    with pytest.raises(ValueError) as caught:
        call(optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0))
    assert str(caught.value).startswith(message)
