"""Recorded steps that write, alias, keep and create: each does what eager mode does, to the bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cygrad as cg


def bits(value):
    """Dtype, shape and bytes of every tensor in a nested value."""
    if isinstance(value, cg.Tensor):
        return value.array.dtype.str, value.shape, value.array.tobytes()
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return [bits(item) for item in value] if isinstance(value, (list, tuple)) else value


def assert_same(make, calls, compiled=cg.compile):
    """make() returns a function and what else it changes; calls(number) its arguments. After every call, the result,
    the arguments and the rest have the bits of eager mode. Returns the compiled function."""
    histories = []
    for wrap in (lambda function: function, compiled):
        cg.manual_seed(0)
        function, *rest = make()
        function = wrap(function)
        history = []
        for number in range(8):
            args = calls(number)
            history.append(bits([function(*args), args, rest]))
        histories.append(history)
    for number, (eager, replayed) in enumerate(zip(*histories)):
        assert replayed == eager, f"call {number}"
    return function


def vector(number, n=3):
    return cg.Tensor(np.random.default_rng(number).standard_normal(n).astype(np.float32))


# Memory that a step uses between its launches

DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.mark.parametrize("op", [cg.add, cg.sub], ids=lambda op: op.name)
@pytest.mark.parametrize(("first", "second"), list(itertools.product(DTYPES, repeat=2)))
def test_a_converted_operand_is_converted_again(op, first, second):
    # The operand is converted in NumPy; the result may then be allocated at the address of the converted operand.
    if "bool" in (first, second) and (op is cg.sub or first == second):
        pytest.skip("booleans are not subtracted, or multiplied by a number")

    def arguments(number):
        rng = np.random.default_rng(number)
        return [cg.Tensor(rng.integers(0, 2, 4).astype(dtype)) for dtype in (first, second)]

    for alpha in (2, 3) if "float" not in first + second else (2, 0.5):
        function = assert_same(lambda alpha=alpha: [lambda a, b: op(a, b, alpha=alpha)], arguments)
        assert function.programs()[0].replay.runs


CREATED = {
    "arange": lambda: cg.arange(3.0), "linspace": lambda: cg.linspace(0, 1, 3), "logspace": lambda: cg.logspace(0, 1, 3),
    "eye": lambda: cg.eye(3), "tensor": lambda: cg.tensor([1.0, 2.0, 3.0]), "new_tensor": lambda: cg.ones(1).new_tensor([1, 2, 3]),
    "zeros": lambda: cg.zeros(3), "full": lambda: cg.full((3,), 2.0), "ones_like": lambda: cg.ones_like(cg.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", CREATED)
def test_a_tensor_that_a_step_creates_begins_anew(name):
    def step(x):
        z = CREATED[name]()
        z += x
        z *= 2
        return z + 1

    assert assert_same(lambda: [step], lambda n: [vector(n)]).programs()[0].replay.runs


def test_a_tensor_is_filled_with_the_number_that_another_one_holds():
    step = assert_same(lambda: [lambda x: cg.full((2,), x.sum())], lambda n: [vector(n)])
    assert step.programs()[0].replay.runs


def test_a_permutation_of_another_dtype_is_drawn_again():
    step = assert_same(lambda: [lambda x: (cg.randperm(9, dtype=np.int32), x * 1)], lambda n: [vector(n)])
    assert step.programs()[0].replay.runs


# Copies inside one array

MOVES = {
    "up": lambda s: s[1:].copy_(s[:-1]), "down": lambda s: s[:-1].copy_(s[1:]), "far": lambda s: s[1000:].copy_(s[:-1000]),
    "itself": lambda s: s.copy_(s), "by index": lambda s: s.__setitem__(slice(1, None), s[:-1]), "fill": lambda s: s[1:].add_(s[:-1]),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
def test_copies_inside_one_array(move):
    threads = cg.get_num_threads()
    cg.set_num_threads(2)  # with which a launch of this size is shared

    def make():
        state = cg.arange(3_000_001).float()

        def step(x):
            MOVES[move](state)
            state[:1].copy_(x)
            return state.sum()

        return step, state

    try:
        step = assert_same(make, lambda n: [vector(n, 1)])
    finally:
        cg.set_num_threads(threads)
    assert step.programs()[0].replay.runs
