"""Rows of the optimizers: ten steps of copies of the parameters, some of which have no gradient in some steps."""

from __future__ import annotations

import numpy as np

from cygrad import optim
from tests import reference
from tests.op_db.row import Bad, Row, Sample

SHAPES = [(3, 5), (1,), (0,), (4095,), (), (4097,), (2, 3, 4)]
STEPS = 10
# Which parameters have a gradient in which step: all, all but a few, none, one from the third step on.
PRESENT = [
    [(step + i) % 4 != 3 and not (i == 4 and step < 2) and step != 6 for i in range(len(SHAPES))]
    for step in range(STEPS)
]


def ten_steps(optimizer_of, parameter):
    """What an optimizer makes of the parameters; gradients come step by step, one a parameter."""

    def call(params, gradients, options):
        own = [parameter(p) for p in params]
        optimizer = optimizer_of(own, **options)
        for step in range(STEPS):
            for i, p in enumerate(own):
                p.grad = gradients[step * len(own) + i].detach() if PRESENT[step][i] else None
            optimizer.step()
        return [p.detach() for p in own]

    return call


def row(name, reference_step, state, *choices, kernel=None, bad=()):
    """The rows of one optimizer; state names what its reference remembers, from the options, in the order of arguments."""

    def samples(rng, dtype):
        for options in choices:
            params = [np.asarray(rng.standard_normal(s), dtype) for s in SHAPES]
            gradients = [np.asarray(rng.standard_normal(s), dtype) for _ in range(STEPS) for s in SHAPES]
            yield Sample(params, gradients, options)

    def meaning(params, gradients, options):
        own = [p.copy() for p in params]
        states = [state(p, **options) for p in own]
        counts = [0] * len(own)
        for step in range(STEPS):
            for i, p in enumerate(own):
                if PRESENT[step][i]:
                    counts[i] += 1
                    lists = [None if s is None else [s] for s in states[i]]
                    reference_step([p], [gradients[step * len(own) + i]], *lists, step=counts[i], **options)
        return own

    function = getattr(optim, name)
    return Row(
        name.lower(),
        ten_steps(function, lambda p: p.detach().clone().requires_grad_()),
        samples,
        torch=lambda torch: ten_steps(getattr(torch.optim, name), lambda p: p.detach().clone().requires_grad_()),
        reference=meaning,
        kernels=(kernel or name.lower(),),
        differentiable=False,
        in_place=True,
        bad=tuple(Bad(lambda cg, o=o: function([cg.ones(2, requires_grad=True)], **o), ValueError, m) for o, m in bad),
        rtol={np.float32: 1e-4, np.float64: 1e-10},
        atol={np.float32: 1e-5, np.float64: 1e-10},
    )


def sgd(p, g, b, *, step, lr, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False):
    reference.sgd(p, g, b, step, lr, momentum, dampening, weight_decay, nesterov, maximize)


def adam(decoupled, decay):
    def call(
        p,
        g,
        m,
        v,
        largest,
        *,
        step,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=decay,
        amsgrad=False,
        maximize=False,
    ):
        reference.adam(p, g, m, v, largest, step, lr, *betas, eps, weight_decay, decoupled, maximize)

    return call


def rmsprop(
    p, g, s, c, b, *, step, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, maximize=False
):
    reference.rmsprop(p, g, s, c, b, lr, alpha, eps, weight_decay, momentum, maximize)


def adagrad(
    p, g, s, *, step, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, maximize=False
):
    reference.adagrad(p, g, s, step, lr, lr_decay, eps, weight_decay, maximize)


def zeros(p, *wanted):
    return [np.zeros_like(p) if w else None for w in wanted]


ADAM = (
    {}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}, {"lr": 0.1, "amsgrad": True, "betas": (0.9, 0.5)}, {"maximize": True},
    {"weight_decay": 0.1, "lr": 0.1}, {"weight_decay": 0.0}, {"amsgrad": True, "maximize": True, "weight_decay": 0.3},
)  # fmt: skip
BAD_ADAM = (
    ({"lr": -1.0}, "lr must not be negative, got -1"),
    ({"betas": (1.0, 0.9)}, r"betas must lie in \[0, 1\), got \(1.0, 0.9\)"),
    ({"eps": -1e-8}, "eps must not be negative"),
    ({"weight_decay": -1.0}, "weight_decay must not be negative"),
)

ROWS = [
    row("SGD", sgd, lambda p, momentum=0, **options: zeros(p, momentum),
        {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True}, {"lr": 0.1, "weight_decay": 0.2}, {"lr": 0.1, "maximize": True},
        {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2, "maximize": True, "nesterov": True},
        bad=(({"lr": -1.0}, "SGD: lr must not be negative, got -1"), ({"momentum": -1.0}, "SGD: momentum must not be"),
             ({"nesterov": True}, "SGD: nesterov needs momentum above 0 and dampening 0"),
             ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "SGD: nesterov needs momentum above 0 and dampening 0"),
             ({"weight_decay": -1.0}, "SGD: weight_decay must not be negative"))),
    row("Adam", adam(False, 0), lambda p, amsgrad=False, **options: zeros(p, 1, 1, amsgrad), *ADAM, bad=BAD_ADAM),
    row("AdamW", adam(True, 1e-2), lambda p, amsgrad=False, **options: zeros(p, 1, 1, amsgrad), *ADAM, kernel="adam",
        bad=BAD_ADAM),
    row("RMSprop", rmsprop, lambda p, centered=False, momentum=0, **options: zeros(p, 1, centered, momentum),
        {}, {"lr": 0.1, "alpha": 0.9, "eps": 1e-3}, {"centered": True}, {"momentum": 0.9}, {"momentum": 0.9, "centered": True},
        {"weight_decay": 0.3}, {"maximize": True, "weight_decay": 0.1},
        bad=(({"alpha": -1.0}, "RMSprop: alpha must not be negative"), ({"momentum": -1.0}, "RMSprop: momentum must not"))),
    row("Adagrad", adagrad,
        lambda p, initial_accumulator_value=0, **options: [np.full_like(p, initial_accumulator_value)],
        {}, {"lr": 0.1, "lr_decay": 0.3}, {"weight_decay": 0.2}, {"initial_accumulator_value": 0.5}, {"eps": 1e-2},
        {"maximize": True, "weight_decay": 0.1},
        bad=(({"lr_decay": -1.0}, "Adagrad: lr_decay must not be negative"),
             ({"initial_accumulator_value": -1.0}, "Adagrad: initial_accumulator_value must not be negative"))),
]  # fmt: skip
