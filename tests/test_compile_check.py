"""``cg.compile(check=True)``: a replay beside eager mode, launch by launch."""

from __future__ import annotations

import warnings
from operator import attrgetter
from types import SimpleNamespace

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from cygrad.compiler.check.snapshot import Snapshot
from cygrad.compiler.passes import chains
from cygrad.compiler.plan.plan import launches_of
from tests.test_compile import (
    ALWAYS_NEW,
    LAYERS,
    LOSSES,
    OPS,
    OPTIMIZERS,
    READERS,
    SCHEDULERS,
    Training,
    run_steps,
    step_of,
)
from tests.test_ops import samples

F = nn.functional
CHECKED = [row for row in OPS if row.name not in READERS and row.name not in ALWAYS_NEW]


@pytest.mark.parametrize("row", CHECKED, ids=lambda row: row.name)
def test_every_op_passes(row):
    for sample in samples(row, row.dtypes[0])[:4]:
        eager = run_steps(*step_of(row, sample))
        step, memory, leaves = step_of(row, sample)
        compiled = cg.compile(step, check=True)
        assert run_steps(compiled, memory, leaves) == eager
        assert compiled.programs()[0].replay.runs == 3


WHOLE = [
    *[{"layer": layer} for layer in LAYERS], *[{"loss": loss} for loss in LOSSES], *[{"optimizer": o} for o in OPTIMIZERS],
    *[{"scheduler": s, "inside": True} for s in SCHEDULERS], {"layer": "dropout", "blocks": True},
]  # fmt: skip


@pytest.mark.parametrize("parts", WHOLE, ids=str)
def test_every_step_passes_and_changes_what_a_step_changes(parts, monkeypatch):
    if parts.get("blocks"):
        monkeypatch.setattr(chains, "CACHE_BYTES", 0)
    parts = {name: part for name, part in parts.items() if name != "blocks"}
    eager = Training(**parts)
    wanted = eager.run(eager.step), eager.state()
    compiled = Training(**parts)
    step = cg.compile(compiled.step, check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (compiled.run(step), compiled.state()) == wanted
    assert step.programs()[0].replay.runs == 3


def test_a_program_beside_the_step_has_its_chains_and_its_merged_launches(monkeypatch):
    monkeypatch.setattr(chains, "CACHE_BYTES", 0)
    model = nn.Sequential(nn.Linear(6, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 2))
    optimizer = cg.optim.AdamW(model.parameters())

    @cg.compile(check=True)
    def step(x):
        optimizer.zero_grad(set_to_none=False)
        loss = F.gelu(model(x)).exp().sum()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        return loss

    for _ in range(5):
        step(cg.randn(90, 6))
    (program,) = step.programs()
    assert program.provenance.moved
    assert any(len(launches_of(event)) > 1 for event in program.events)


def state_of(training):
    return training.state(), training.optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize("kernel", ["gemm", "cross_entropy", "adam"])
def test_the_first_launch_that_differs_is_named(kernel):
    training = Training(optimizer="Adam")
    step = cg.compile(training.step, check=True)
    training.run(step)
    (program,) = step.programs()
    number, launch = next((i, e) for i, e in enumerate(program.launches) if e.name == kernel)
    if kernel == "gemm":
        launch.set_number("k", launch.number("k") - 1)
    else:
        launch.set_scalar({"cross_entropy": "smoothing", "adam": "beta2"}[kernel], 0.5)
    before = state_of(training)
    with pytest.raises(RuntimeError, match=f"compile: Training.step: {kernel}, recorded as event {number}, differs"):
        training.run(step, [7])
    assert state_of(training) == before


def test_python_that_changed_its_mind_is_found():
    state = SimpleNamespace(late=False, shift=1.0)
    late, shift = attrgetter("late"), attrgetter("shift")  # in C, where no guard sees the attribute

    @cg.compile(check=True)
    def step(x):
        y = x * shift(state)
        return y.tanh() if late(state) else y.exp()

    for _ in range(4):
        step(cg.ones(3))
    state.late = True
    with pytest.raises(
        RuntimeError, match=r"compile: .*step has tanh now where exp was recorded, as event 1; it depends on"
    ):
        step(cg.ones(3))
    state.late, state.shift = False, 2.0
    with pytest.raises(RuntimeError, match="mul, recorded as event 0, differs from eager mode in 3 of 3 elements"):
        step(cg.ones(3))
    state.shift = 1.0
    assert step(cg.ones(3)).tolist() == cg.ones(3).exp().tolist()


def test_an_error_of_the_step_itself_leaves_everything():
    training = Training()
    step = cg.compile(training.step, check=True)
    training.run(step)
    before = training.state()
    x, t = training.batch(0)
    t.array[3] = 9
    with pytest.raises(IndexError, match="target 9 at row 3"):
        step(x, t)
    assert training.state() == before


def test_a_snapshot_puts_everything_back():
    layer = nn.BatchNorm1d(3)
    optimizer = cg.optim.Adam(layer.parameters())
    scheduler = cg.optim.lr_scheduler.StepLR(optimizer, 1)
    generator, kept = cg.Generator(), {"list": [1, 2], "array": np.arange(3)}

    def everything():
        return layer, optimizer, scheduler, generator, kept

    def state():
        arrays = [t.tolist() for t in layer.state_dict().values()]
        return str(
            [arrays, layer.training, layer.weight.grad, optimizer.state_dict(), scheduler.last_epoch, kept]
        ), generator.get_state().tolist()

    before, snapshot = state(), Snapshot(everything)
    layer(cg.randn(4, 3, generator=generator)).sum().backward()
    optimizer.step()
    scheduler.step()
    kept["list"].append(3)
    kept["array"][:] = 0
    kept["more"] = 1
    layer.eval()
    assert state() != before
    snapshot.restore()
    assert state() == before


class Whole(dict):
    """A dict that does not let go of its first items."""

    def __delitem__(self, key):
        assert key not in self.whole
        super().__delitem__(key)

    def pop(self, key, default=None):
        raise AssertionError(f"{key} was missing for a moment")

    def clear(self):
        raise AssertionError("it was empty for a moment")


def test_attributes_are_put_back_without_a_moment_in_which_they_are_missing():
    container = Whole(a=1, b=2)
    container.whole = set(container)
    before = Snapshot([container])
    container["a"], container["c"] = 5, 6
    before.restore_containers()
    assert list(container.items()) == [("a", 1), ("b", 2)]


def test_attributes_that_a_step_deletes_are_put_back_in_their_order():
    container = {"a": 1, "b": 2, "c": 3}
    before = Snapshot([container])
    del container["a"], container["c"]
    container["a"] = 4
    before.restore_containers()
    assert list(container.items()) == [("a", 1), ("b", 2), ("c", 3)]


def test_only_arrays_that_changed_are_written_when_they_are_put_back():
    same, changed = np.array([[np.nan, -0.0], [1, 2]], np.float32)[:, ::-1], np.array([0.0, 1.0])
    objects = np.array([None, "text"], object)
    before = Snapshot([same, changed, objects])
    same.flags.writeable = False  # a write would raise; another thread may be reading
    changed[0], objects[0] = -0.0, 1
    before.restore()
    assert not np.signbit(changed[0])
    assert objects[0] is None
