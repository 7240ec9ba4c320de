"""Random small steps, recorded and in eager mode: results, arguments and state have the same bits after every call.

``programs()`` draws a step as a list of instructions, ``run`` interprets it, ``histories`` compares; other suites may use all
three.
"""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad as cg
from tests.test_recorded_effects import bits

COLUMNS = 3
LAYOUTS = [
    lambda a: a, lambda a: np.asfortranarray(a), lambda a: np.repeat(a, 2, 1)[:, ::2], lambda a: a[::-1].copy()[::-1],
    lambda a: np.asfortranarray(np.vstack([a, a]))[: len(a)],
]  # fmt: skip

# What an instruction computes from two of the tensors so far; all have rows of COLUMNS elements.
COMPUTES = {
    "add": lambda a, b: a + b, "mul": lambda a, b: a * b.mean(), "scaled": lambda a, b: cg.add(a, b, alpha=2), "exp": lambda a, b: a.tanh().exp(),
    "product": lambda a, b: a @ (b.T @ b) * 0.01, "sum": lambda a, b: a - b.sum(0), "flip": lambda a, b: a.flip(0), "view": lambda a, b: a[:],
    "rows": lambda a, b: a.reshape(-1)[:].reshape(-1, COLUMNS), "detach": lambda a, b: a.detach(), "noise": lambda a, b: a + cg.rand(1),
    "new": lambda a, b: cg.zeros_like(a).add_(b.sum()), "int": lambda a, b: (a * 10).to(np.int32) + a,
}  # fmt: skip

# What an instruction writes to the first of two tensors.
WRITES = {
    "copy_": lambda a, b: a.copy_(b * 0.5), "mul_": lambda a, b: a.mul_(0.5), "add_": lambda a, b: a.add_(b.sum(0)), "row": lambda a, b: a[0].copy_(b[-1]),
    "column": lambda a, b: a[:, 1].mul_(2), "setitem": lambda a, b: a.__setitem__(slice(1, None), b[1:]), "shift": lambda a, b: a[1:].copy_(a[:-1]),
    "number": lambda a, b: a.__setitem__((slice(None), 0), 0.25), "clamp_": lambda a, b: a.clamp_(-2, 2), "fill": lambda a, b: a[:1].fill_(1.5),
}  # fmt: skip

INSTRUCTIONS = st.tuples(
    st.sampled_from([*COMPUTES, *WRITES]), st.integers(0, 9), st.integers(0, 9), st.sampled_from(["", "", "", "attribute", "item", "list"])
)  # fmt: skip
ARGUMENTS = st.tuples(
    st.sampled_from(["apart", "same", "view", "shifted", "dict"]),
    st.sampled_from(range(len(LAYOUTS))),
    st.sampled_from("fd"),
)


class Step:
    """An interpreter of instructions with a state of its own: a weight that it trains, and what it keeps."""

    def __init__(self, instructions, trains):
        self.instructions, self.trains = instructions, trains
        self.weight = cg.ones(COLUMNS, requires_grad=True)
        self.optimizer = cg.optim.SGD([self.weight], lr=0.01, momentum=0.9)
        self.buffer = cg.Tensor(np.linspace(-1, 1, COLUMNS).astype(np.float32))
        self.last, self.items, self.history = None, {}, [0]

    def __call__(self, x, y):
        other = y["y"] if isinstance(y, dict) else y
        with cg.no_grad():
            tensors = [x, other, x + self.buffer]
            for name, first, second, kept in self.instructions:
                a, b = tensors[first % len(tensors)], tensors[second % len(tensors)]
                if name in WRITES:
                    WRITES[name](a, b)
                    result = a
                else:
                    result = COMPUTES[name](a, b)
                    tensors.append(result)
                if kept == "attribute":
                    self.last = result
                elif kept == "item":
                    self.items["kept"] = (result, 1)
                elif kept == "list":
                    self.history[0] = result
            self.buffer.mul_(0.9).add_(tensors[-1].mean())
        loss = (self.weight * tensors[-1].to(np.float32)).square().mean()
        if self.trains:
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return loss.detach(), tensors[-1]

    def state(self):
        return [self.weight, self.weight.grad, self.buffer, self.last, self.items, self.history]


def arguments(number, rows, way, layout, dtype):
    """The arguments of call `number`."""
    rng = np.random.default_rng(number)
    x, y = [cg.Tensor(LAYOUTS[layout](rng.standard_normal((rows, COLUMNS)).astype(dtype))) for _ in range(2)]
    return {
        "apart": lambda: (x, y), "same": lambda: (x, x), "view": lambda: (x, x[:]), "dict": lambda: (x, {"y": y}),
        "shifted": lambda: (x[:-1], x[1:]) if rows > 2 else (x, y),
    }[way]()  # fmt: skip


def histories(instructions, trains, calls):
    """What eager mode and a recorded step do, call by call, as bits; an error ends a history."""
    result = []
    for wrap in (lambda step: step, cg.compile):
        cg.manual_seed(1)
        step, history = Step(instructions, trains), []
        function = wrap(step)
        for number, (rows, way, layout, dtype) in enumerate(calls):
            args = arguments(number, rows, way, layout, dtype)
            try:
                history.append(bits([function(*args), args, step.state(), cg.get_rng_state()]))
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                history.append(str(error))
                break
        result.append(history)
    return result


@settings(max_examples=60, deadline=None)
@given(
    st.lists(INSTRUCTIONS, min_size=1, max_size=5), st.booleans(), st.lists(st.tuples(st.integers(2, 4), ARGUMENTS), min_size=1, max_size=3)
)  # fmt: skip
def test_a_recorded_step_does_what_eager_mode_does(instructions, trains, kinds):
    calls = [(rows, *kind) for rows, kind in kinds for _ in range(4)] + [(rows, *kind) for rows, kind in kinds] * 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "compile: .* runs eagerly: (it|an argument|there are)", RuntimeWarning)
        eager, recorded = histories(instructions, trains, calls)
    assert recorded == eager
