"""Learning rate schedules, compared with PyTorch's over 60 steps, and their states."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import cygrad as cg
from cygrad.optim import lr_scheduler as ours

torch = pytest.importorskip("torch")
theirs = torch.optim.lr_scheduler

STEPS = 60


class Groups:
    """An optimizer, as a scheduler sees it."""

    def __init__(self, *groups):
        self.param_groups = [dict(group) for group in groups]


def optimizers(kind="sgd", rates=(0.1, 0.02)):
    """The same two parameter groups, with and without PyTorch."""
    options = {"momentum": 0.9} if kind == "sgd" else {"betas": (0.9, 0.999)}
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    cls = torch.optim.SGD if kind == "sgd" else torch.optim.AdamW
    return Groups(*({"lr": rate, **options} for rate in rates)), cls(groups, lr=1.0, **options)


def sequence(*parts, milestones):
    """A function that builds a SequentialLR of parts, each a name and its arguments."""

    def build(library, optimizer):
        schedulers = [getattr(library, name)(optimizer, **options) for name, options in parts]
        return library.SequentialLR(optimizer, schedulers, milestones)

    return build


def single(name, **options):
    return lambda library, optimizer: getattr(library, name)(optimizer, **options)


def chain(*builds):
    """Schedulers that step together: the rates of the last one are those of all."""
    return lambda library, optimizer: [build(library, optimizer) for build in builds]


CONFIGURATIONS = {
    "step": single("StepLR", step_size=7),
    "step, gamma": single("StepLR", step_size=1, gamma=0.97),
    "milestones": single("MultiStepLR", milestones=[5, 20, 21]),
    "milestones, twice": single("MultiStepLR", milestones=[30, 3, 3], gamma=0.5),
    "milestone at 0": single("MultiStepLR", milestones=[0, 4], gamma=0.5),
    "no milestone": single("MultiStepLR", milestones=[]),
    "exponential": single("ExponentialLR", gamma=0.9),
    "cosine": single("CosineAnnealingLR", T_max=50),
    "cosine, waves": single("CosineAnnealingLR", T_max=7, eta_min=0.01),
    "cosine, shortest": single("CosineAnnealingLR", T_max=1),
    "cosine, up": single("CosineAnnealingLR", T_max=10, eta_min=0.5),
    "linear": single("LinearLR"),
    "linear, down": single("LinearLR", start_factor=1.0, end_factor=0.0, total_iters=30),
    "linear, none": single("LinearLR", start_factor=0.5, total_iters=0),
    "lambda": single("LambdaLR", lr_lambda=lambda t: 0.95**t),
    "lambdas": single("LambdaLR", lr_lambda=[lambda t: 1 / (1 + t), lambda t: math.sin(t) + 2]),
    "one cycle": single("OneCycleLR", max_lr=0.3, total_steps=61),
    "one cycle, linear": single("OneCycleLR", max_lr=[0.3, 0.5], total_steps=70, anneal_strategy="linear"),
    "one cycle, three": single("OneCycleLR", max_lr=0.3, epochs=10, steps_per_epoch=7, three_phase=True),
    "one cycle, options": single(
        "OneCycleLR",
        max_lr=0.3,
        total_steps=60,
        pct_start=0.45,
        base_momentum=[0.5, 0.6],
        max_momentum=0.99,
        div_factor=5.0,
        final_div_factor=7.0,
    ),
    "one cycle, momentum kept": single("OneCycleLR", max_lr=0.3, total_steps=80, cycle_momentum=False),
    "one cycle, no way up": single("OneCycleLR", max_lr=0.3, total_steps=61, pct_start=0.0),
    "warm up, cosine": sequence(
        ("LinearLR", {"start_factor": 0.01, "total_iters": 10}),
        ("CosineAnnealingLR", {"T_max": 50}),
        milestones=[10],
    ),
    "three in sequence": sequence(
        ("LambdaLR", {"lr_lambda": lambda t: 1 / (1 + t)}),
        ("StepLR", {"step_size": 4, "gamma": 0.5}),
        ("ExponentialLR", {"gamma": 0.9}),
        milestones=[6, 25],
    ),
    "sequence of milestones": sequence(
        ("LinearLR", {"total_iters": 3}),
        ("MultiStepLR", {"milestones": [0, 4]}),
        ("LinearLR", {"start_factor": 0.3, "total_iters": 4}),
        milestones=[9, 19],
    ),
    "sequence, one skipped": sequence(
        ("ExponentialLR", {"gamma": 0.5}),
        ("ExponentialLR", {"gamma": 0.9}),
        ("LinearLR", {}),
        milestones=[20, 20],
    ),
    "sequence, first skipped": sequence(("LinearLR", {}), ("ExponentialLR", {"gamma": 0.9}), milestones=[0]),
    "sequence, cycle": sequence(
        ("OneCycleLR", {"max_lr": 0.2, "total_steps": 20}),
        ("ExponentialLR", {"gamma": 0.9}),
        milestones=[19],
    ),
    "chain": chain(single("ExponentialLR", gamma=0.98), single("StepLR", step_size=9, gamma=0.5)),
    "multiplicative": single("MultiplicativeLR", lr_lambda=lambda t: 0.9 + 0.01 * (t % 3)),
    "constant": single("ConstantLR"),
    "constant, options": single("ConstantLR", factor=0.5, total_iters=20),
    "constant, none": single("ConstantLR", factor=0.5, total_iters=0),
    "polynomial": single("PolynomialLR"),
    "polynomial, square": single("PolynomialLR", total_iters=40, power=2.0),
    "restarts": single("CosineAnnealingWarmRestarts", T_0=7),
    "restarts, longer": single("CosineAnnealingWarmRestarts", T_0=5, T_mult=2, eta_min=0.001),
    "cyclic": single("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=7),
    "cyclic, halved": single("CyclicLR", base_lr=[0.01, 0.02], max_lr=0.1, step_size_up=4, step_size_down=9, mode="triangular2"),
    "cyclic, range": single("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=5, mode="exp_range", gamma=0.97, cycle_momentum=False),
    "cyclic, scale": single("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=5, scale_fn=lambda x: 1 / x, base_momentum=0.5, max_momentum=0.8),
    "chained": lambda library, optimizer: library.ChainedScheduler(
        [library.ConstantLR(optimizer, 0.1, 4), library.ExponentialLR(optimizer, 0.9)]
    ),
    "restarts after warm up": sequence(
        ("LinearLR", {"total_iters": 4}), ("CosineAnnealingWarmRestarts", {"T_0": 6, "T_mult": 2}), milestones=[5]
    ),
    "chain of three": chain(
        single("LinearLR", total_iters=10),
        single("CosineAnnealingLR", T_max=100),
        single("MultiStepLR", milestones=[20, 40]),
    ),
}
ENTRIES = ("lr", "initial_lr", "momentum", "betas", "max_lr", "min_lr", "max_momentum", "base_momentum")


def entries(optimizer):
    """The options of the parameter groups, in one flat list."""
    values = [group[name] for group in optimizer.param_groups for name in ENTRIES if name in group]
    return np.concatenate([np.atleast_1d(np.asarray(value, np.float64)) for value in values])


def as_list(schedulers):
    return schedulers if isinstance(schedulers, list) else [schedulers]


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("build", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_rates_are_those_of_torch(build, kind):
    mine, reference = optimizers(kind)
    schedulers, references = as_list(build(ours, mine)), as_list(build(theirs, reference))
    for step in range(STEPS + 1):
        np.testing.assert_allclose(entries(mine), entries(reference), 1e-9, 1e-15, err_msg=f"step {step}")
        for scheduler, other in zip(schedulers, references, strict=True):
            np.testing.assert_allclose(scheduler.get_last_lr(), other.get_last_lr(), rtol=1e-9, atol=1e-15)
            assert getattr(scheduler, "last_epoch", None) == getattr(other, "last_epoch", None)
        if step < STEPS:
            for scheduler in (*schedulers, *references):
                scheduler.step()


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "LinearLR"])
@pytest.mark.parametrize("last_epoch", [0, 3, 10])
def test_resuming_after_an_epoch(name, last_epoch):
    options = {
        "StepLR": {"step_size": 4},
        "MultiStepLR": {"milestones": [2, 12]},
        "ExponentialLR": {"gamma": 0.9},
        "CosineAnnealingLR": {"T_max": 20},
        "LinearLR": {"total_iters": 15},
    }[name]
    mine, reference = optimizers()
    for group in (*mine.param_groups, *reference.param_groups):
        group["initial_lr"] = 2 * group["lr"]
    scheduler = getattr(ours, name)(mine, last_epoch=last_epoch, **options)
    other = getattr(theirs, name)(reference, last_epoch=last_epoch, **options)
    for _ in range(20):
        np.testing.assert_allclose(scheduler.get_last_lr(), other.get_last_lr(), rtol=1e-9)
        scheduler.step()
        other.step()


def test_resuming_needs_the_initial_rate():
    with pytest.raises(KeyError, match="initial_lr"):
        ours.StepLR(Groups({"lr": 0.1}), 3, last_epoch=4)


PLATEAUS = {
    "default": {},
    "patience": {"patience": 2, "factor": 0.5},
    "no patience": {"patience": 0, "factor": 0.9, "threshold": 0.0},
    "max": {"mode": "max", "patience": 1},
    "max, abs": {"mode": "max", "patience": 1, "threshold_mode": "abs", "threshold": 0.1, "factor": 0.7},
    "min, abs": {"patience": 1, "threshold_mode": "abs", "threshold": 0.1, "factor": 0.7},
    "cooldown": {"patience": 1, "cooldown": 4, "factor": 0.5},
    "least": {"patience": 0, "factor": 0.5, "min_lr": [0.01, 0.001]},
    "eps": {"patience": 0, "factor": 0.9, "eps": 0.005},
}


@pytest.mark.parametrize("options", PLATEAUS.values(), ids=PLATEAUS)
@pytest.mark.parametrize("course", ["noise", "falling", "rising", "negative", "nan"])
def test_plateaus_are_those_of_torch(options, course):
    rng = np.random.default_rng(0)
    metrics = {
        "noise": rng.normal(size=STEPS),
        "falling": np.exp(-np.arange(STEPS) / 10),
        "rising": np.log1p(np.arange(STEPS)),
        "negative": -np.sqrt(np.arange(STEPS)),
        "nan": np.where(np.arange(STEPS) % 3 == 0, rng.random(STEPS), np.nan),
    }[course]
    mine, reference = optimizers()
    scheduler, other = ours.ReduceLROnPlateau(mine, **options), theirs.ReduceLROnPlateau(reference, **options)
    for metric in metrics:
        scheduler.step(metric)
        other.step(metric)
        np.testing.assert_allclose(scheduler.get_last_lr(), other.get_last_lr(), rtol=1e-12)
        assert scheduler.num_bad_epochs == other.num_bad_epochs
        assert scheduler.best == other.best


def test_a_metric_may_be_an_array_with_one_element():
    scheduler = ours.ReduceLROnPlateau(Groups({"lr": 1.0}))
    scheduler.step(np.full((1, 1), 0.25, np.float32))
    assert scheduler.best == 0.25


@pytest.mark.parametrize("build", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_state_restores_the_schedule(build):
    first, _ = optimizers()
    schedulers = as_list(build(ours, first))
    for _ in range(17):
        for scheduler in schedulers:
            scheduler.step()
    states = json.loads(json.dumps([scheduler.state_dict() for scheduler in schedulers]))
    second, _ = optimizers()
    others = as_list(build(ours, second))
    for other, state in zip(others, states, strict=True):
        other.load_state_dict(state)
    for group, saved in zip(second.param_groups, first.param_groups, strict=True):
        group.update(saved)
    for _ in range(30):
        for one in (*schedulers, *others):
            one.step()
        assert (entries(first) == entries(second)).all()
    assert [s.state_dict() for s in schedulers] == [s.state_dict() for s in others]


def test_a_state_restores_a_plateau():
    schedulers = [ours.ReduceLROnPlateau(Groups({"lr": 1.0}), patience=3) for _ in range(2)]
    for loss in (3.0, 2.0, 2.5, 2.5):
        schedulers[0].step(loss)
    schedulers[1].load_state_dict(schedulers[0].state_dict())
    for scheduler in schedulers:
        for _ in range(2):
            scheduler.step(2.5)
    assert schedulers[0].get_last_lr() == schedulers[1].get_last_lr() == [0.1]


def test_a_state_does_not_change_later():
    scheduler = CONFIGURATIONS["warm up, cosine"](ours, Groups({"lr": 0.1}))
    state = scheduler.state_dict()
    before = json.dumps(state)
    for _ in range(20):
        scheduler.step()
    assert json.dumps(state) == before != json.dumps(scheduler.state_dict())


def test_a_wrong_state_changes_nothing():
    scheduler = CONFIGURATIONS["warm up, cosine"](ours, Groups({"lr": 0.1}))
    before = scheduler.state_dict()
    other = CONFIGURATIONS["sequence, first skipped"](ours, Groups({"lr": 0.1}))
    for _ in range(3):
        other.step()
    with pytest.raises(ValueError, match="CosineAnnealingLR: the state has the keys"):
        scheduler.load_state_dict(other.state_dict())
    three = CONFIGURATIONS["three in sequence"](ours, Groups({"lr": 0.1}))
    with pytest.raises(ValueError, match="3 schedulers, wanted 2"):
        scheduler.load_state_dict(three.state_dict())
    assert scheduler.state_dict() == before


def test_sequences_nest():
    """A sequence inside a sequence is the sequence of all their parts."""

    def parts(optimizer):
        return (
            ours.LinearLR(optimizer, 0.1, total_iters=4),
            ours.ExponentialLR(optimizer, 0.9),
            ours.CosineAnnealingLR(optimizer, 20),
        )

    flat, nested = Groups({"lr": 0.1}), Groups({"lr": 0.1})
    one = ours.SequentialLR(flat, parts(flat), [4, 9])
    warm, decay, cosine = parts(nested)
    inner = ours.SequentialLR(nested, [warm, decay], [4])
    two = ours.SequentialLR(nested, [inner, cosine], [9])
    for _ in range(30):
        assert one.get_last_lr() == two.get_last_lr() == [nested.param_groups[0]["lr"]]
        one.step()
        two.step()


def test_a_nested_sequence_restarts():
    optimizer = Groups({"lr": 1.0})
    first = ours.ExponentialLR(optimizer, 0.5)
    inner = ours.SequentialLR(
        optimizer, [ours.LinearLR(optimizer, 0.5, total_iters=2), ours.ExponentialLR(optimizer, 0.1)], [2]
    )
    scheduler = ours.SequentialLR(optimizer, [first, inner], [2])
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(5):
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    assert rates == pytest.approx([1.0, 0.5, 0.5, 0.75, 1.0, 0.1])


def test_a_step_too_many_changes_nothing():
    optimizer = Groups({"lr": 1.0, "momentum": 0.9})
    scheduler = ours.OneCycleLR(optimizer, 1.0, total_steps=3)
    for _ in range(3):
        scheduler.step()
    before = dict(optimizer.param_groups[0]), scheduler.state_dict()
    with pytest.raises(ValueError, match="step 4 is after the last one, there are 3 steps"):
        scheduler.step()
    assert (optimizer.param_groups[0], scheduler.state_dict()) == before


ERRORS = [
    (lambda o: ours.StepLR(o, 0), "step_size must be at least 1, got 0"),
    (lambda o: ours.CosineAnnealingLR(o, 0), "T_max must be above 0, got 0"),
    (lambda o: ours.LinearLR(o, 0.0), "start_factor must be above 0"),
    (lambda o: ours.LinearLR(o, 1.0, 1.5), "end_factor must lie in"),
    (lambda o: ours.LambdaLR(o, [abs, abs]), "got 2 functions for 1 parameter groups"),
    (lambda o: ours.OneCycleLR(o, 1.0), "either total_steps, or both"),
    (lambda o: ours.OneCycleLR(o, 1.0, total_steps=0), "total_steps must be an integer of at least 1, got 0"),
    (lambda o: ours.OneCycleLR(o, 1.0, epochs=2, steps_per_epoch=1.5), "steps_per_epoch must be an integer"),
    (lambda o: ours.OneCycleLR(o, 1.0, total_steps=9, pct_start=1.5), "pct_start must lie in"),
    (lambda o: ours.OneCycleLR(o, 1.0, total_steps=9, anneal_strategy="x"), "must be cos or linear, got 'x'"),
    (lambda o: ours.OneCycleLR(o, [1.0, 2.0], total_steps=9), "max_lr has 2 values for 1 parameter groups"),
    (lambda o: ours.OneCycleLR(Groups({"lr": 1.0}), 1.0, total_steps=9), "neither momentum nor betas"),
    (lambda o: ours.SequentialLR(o, [], []), "the list of schedulers is empty"),
    (lambda o: ours.SequentialLR(o, [ours.StepLR(o, 1)], [1]), "1 schedulers need 0 milestones, got 1"),
    (lambda o: ours.SequentialLR(o, [ours.StepLR(o, 1)] * 3, [5, 2]), "milestones must increase"),
    (lambda o: ours.SequentialLR(o, [ours.ReduceLROnPlateau(o)], []), "scheduler 0 is a ReduceLROnPlateau"),
    (lambda o: ours.SequentialLR(o, [ours.StepLR(Groups({"lr": 1.0}), 1)], []), "belongs to a different optimizer"),
    (lambda o: ours.ReduceLROnPlateau(o, "low"), "mode must be min or max, got 'low'"),
    (lambda o: ours.ReduceLROnPlateau(o, threshold_mode="x"), "must be rel or abs, got 'x'"),
    (lambda o: ours.ReduceLROnPlateau(o, factor=1.0), "factor must be below 1"),
    (lambda o: ours.ReduceLROnPlateau(o, min_lr=[0, 0]), "min_lr has 2 values for 1"),
]


@pytest.mark.parametrize(("make", "message"), ERRORS, ids=[message for _, message in ERRORS])
def test_errors(make, message):
    optimizer = Groups({"lr": 1.0, "momentum": 0.9})
    with pytest.raises(ValueError, match=message):
        make(optimizer)
    assert "max_lr" not in optimizer.param_groups[0]


def test_a_scheduler_must_have_rates():
    with pytest.raises(NotImplementedError, match="must define get_lr"):
        ours.LRScheduler(Groups({"lr": 1.0}))


STATEFUL = {
    "StepLR": lambda o: cg.optim.lr_scheduler.StepLR(o, 2),
    "ExponentialLR": lambda o: cg.optim.lr_scheduler.ExponentialLR(o, 0.5),
    "ReduceLROnPlateau": lambda o: cg.optim.lr_scheduler.ReduceLROnPlateau(o),
    "OneCycleLR": lambda o: cg.optim.lr_scheduler.OneCycleLR(o, 1.0, 10),
    "SequentialLR": lambda o: cg.optim.lr_scheduler.SequentialLR(
        o, [cg.optim.lr_scheduler.StepLR(o, 2), cg.optim.lr_scheduler.ExponentialLR(o, 0.5)], [2]
    ),
}


@pytest.mark.parametrize("value", [None, "1", [], {}, True, [0.1, 0.1]])
@pytest.mark.parametrize("key", ["last_epoch", "_last_lr"])
@pytest.mark.parametrize("name", STATEFUL)
def test_a_state_with_values_of_another_kind_changes_nothing(name, key, value):
    scheduler = STATEFUL[name](cg.optim.SGD([cg.ones(1, requires_grad=True)], 0.1, momentum=0.5))
    state = scheduler.state_dict()
    state[key] = value
    if name != "SequentialLR":
        for other in state:  # of values that come before, none is taken
            if isinstance(state[other], float):
                state[other] = 123.0
    before = repr(scheduler.state_dict())
    with pytest.raises(ValueError, match=f"{name}: the state's {key} must be"):
        scheduler.load_state_dict(state)
    assert repr(scheduler.state_dict()) == before


@pytest.mark.parametrize(
    ("value", "mine", "alike"),
    [
        (True, False, True), (1, False, False), (False, 1.0, False), ("max", "min", True), (1, "min", False), (None, "min", False),
        (1, 0.5, True), (np.float32(1), 0.5, True), (cg.tensor(0.5), 0.5, True), (float("nan"), 0.5, False), (float("inf"), 0.5, True),
        ([0.9, 0.99], (0.9, 0.999), True), ((0.9,), (0.9, 0.999), False), ((0.9, "a"), (0.9, 0.999), False),
        ([30], [10, 20], True), ([], [10], True), (["a"], [10], False), ([float("nan")], [0.1], False), (3, [10], False),
        ("anything", None, True),
    ],
)  # fmt: skip
def test_saved_values_of_optimizers_and_schedulers_are_compared_by_one_rule(value, mine, alike):
    from cygrad.optim.state import is_alike

    assert is_alike(value, mine) is alike


def test_a_rate_that_is_no_number_is_refused():
    scheduler = cg.optim.lr_scheduler.StepLR(cg.optim.SGD([cg.nn.Parameter(cg.ones(1))], lr=0.1), 3)
    state = scheduler.state_dict()
    with pytest.raises(ValueError, match="base_lrs must be"):
        scheduler.load_state_dict({**state, "base_lrs": [float("nan")]})
    assert scheduler.state_dict() == state


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("epoch", [0, 4, 11])
@pytest.mark.parametrize("name", ["step", "exponential", "cosine, waves", "linear", "lambda", "restarts, longer", "polynomial, square"])
def test_a_step_to_an_epoch(name, epoch):
    mine, reference = optimizers()
    scheduler, other = CONFIGURATIONS[name](ours, mine), CONFIGURATIONS[name](theirs, reference)
    for one in (scheduler, other):
        one.step()
        one.step(epoch)
        one.step()
    np.testing.assert_allclose(scheduler.get_last_lr(), other.get_last_lr(), rtol=1e-9)


def test_chained_schedules_may_come_from_a_generator():
    optimizer = cg.optim.SGD([cg.nn.Parameter(cg.ones(1))], lr=1.0)
    cg.optim.lr_scheduler.ChainedScheduler(cg.optim.lr_scheduler.ConstantLR(optimizer, 0.5, n) for n in (3, 5))
    assert optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_a_schedule_of_ones_own_counts_steps():
    rates = []
    for library, optimizer in zip((ours, theirs), optimizers(rates=(0.1,))):

        class Noam(library.LRScheduler):
            def get_lr(self):
                return [base * min(self._step_count**-0.5, self._step_count * 4**-1.5) for base in self.base_lrs]

        scheduler = Noam(optimizer)
        for _ in range(6):
            rates.append(scheduler.get_last_lr())
            scheduler.step()
    np.testing.assert_allclose(rates[:6], rates[6:], rtol=1e-12)


def test_pytorchs_state_continues_a_schedule():
    mine, reference = optimizers()
    scheduler, other = ours.StepLR(mine, 4), theirs.StepLR(reference, 4)
    reference.step()  # PyTorch warns of schedulers that step first
    for _ in range(6):
        other.step()
    scheduler.load_state_dict(other.state_dict())
    assert scheduler.last_epoch == 6


def test_a_constant_factor_of_0_ends():
    optimizer = cg.optim.SGD([cg.nn.Parameter(cg.ones(1))], 0.5)
    scheduler = ours.ConstantLR(optimizer, factor=0, total_iters=2)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(3):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0, 0, 0.5, 0.5]


def schedulers_with_steps_of_their_own(lib):
    class Restarts(lib.optim.lr_scheduler.LRScheduler):
        """Counts in a step of its own, which PyTorch's constructor calls too."""

        def __init__(self, optimizer):
            self.at = -1
            super().__init__(optimizer, -1)
            for group in optimizer.param_groups:
                group["lr"] = 0.001

        def get_lr(self):
            return [0.1 * self.at + 0.01 * self._step_count for _ in self.base_lrs]

        def step(self, epoch=None):
            self.at = (self.at + 1) % 4
            self.last_epoch += 1
            self._step_count += 1
            for group, rate in zip(self.optimizer.param_groups, self.get_lr()):
                group["lr"] = rate
            self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    class Started(lib.optim.lr_scheduler.StepLR):
        def _initial_step(self):
            self.started = True
            super()._initial_step()

    class Counted(lib.optim.lr_scheduler.ExponentialLR):
        def step(self):
            self.calls = getattr(self, "calls", 0) + 1
            super().step()

    return Restarts, lambda optimizer: Started(optimizer, 2), lambda optimizer: Counted(optimizer, 0.5)


def test_the_constructor_calls_a_step_of_a_subclass_as_pytorchs_does():
    torch = pytest.importorskip("torch")
    results = []
    for lib in (cg, torch):
        rates = []
        for make in schedulers_with_steps_of_their_own(lib):
            optimizer = lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=1.0)
            scheduler = make(optimizer)
            rates += [optimizer.param_groups[0]["lr"], getattr(scheduler, "at", None), getattr(scheduler, "calls", None)]
            for _ in range(6):
                optimizer.step()
                scheduler.step()
                rates += [scheduler.get_last_lr(), optimizer.param_groups[0]["lr"], scheduler.last_epoch, scheduler._step_count]
        results.append(rates)
    assert str(results[0]) == str(results[1])
