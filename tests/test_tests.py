"""Every table-driven test of tests/test_ops.py fails for every row on an engine that is broken on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from cygrad import _kernels as kernels
from tests import sabotage, test_double_backward, test_ops
from tests.op_db import ROWS
from tests.test_double_backward import KINKED

with_reference = [row for row in ROWS if row.reference is not None]
with_torch = [row for row in ROWS if row.torch is not None]
with_gradient = [row for row in ROWS if row.differentiable and np.float64 in row.dtypes]
FORWARD, BACKWARD = False, True


copying = [row for row in ROWS if not row.in_place]  # the others never see a layout or an input of the caller


def rows(which):
    return pytest.mark.parametrize("row", which, ids=lambda row: row.name)


def broken_forward(row, how):
    """The code that computes the row, broken: its ops, or the kernels that it calls directly."""
    calls_kernels = row.in_place or row.bare
    return sabotage.broken_kernels(how, FORWARD) if calls_kernels else sabotage.broken_ops(how, FORWARD)


def assert_notices(broken, test, *args):
    with broken, pytest.raises((AssertionError, RuntimeError, IndexError, ValueError)):
        test(*args)


@rows(with_reference)
def test_numpy_comparison_notices(row):
    level = kernels.cpu_level()
    assert_notices(
        broken_forward(row, sabotage.wrong_value),
        test_ops.test_agrees_with_numpy,
        row,
        row.dtypes[0],
        level,
        None,
    )


@rows(with_torch)
def test_pytorch_comparison_notices_a_wrong_value(row):
    pytest.importorskip("torch")
    assert_notices(broken_forward(row, sabotage.wrong_value), test_ops.test_agrees_with_pytorch, row, row.dtypes[0])


@rows([row for row in with_torch if row.differentiable])
def test_pytorch_comparison_notices_a_wrong_gradient(row):
    pytest.importorskip("torch")
    assert_notices(
        sabotage.broken_ops(sabotage.wrong_value, BACKWARD), test_ops.test_agrees_with_pytorch, row, row.dtypes[0]
    )


@rows(with_gradient)
def test_differences_notice_a_wrong_gradient(row):
    assert_notices(
        sabotage.broken_ops(sabotage.wrong_value, BACKWARD), test_ops.test_gradient_agrees_with_differences, row
    )


@rows(test_double_backward.DIFFERENTIABLE)
def test_comparison_with_the_rule_notices_a_wrong_definition(row):
    assert_notices(
        sabotage.broken_field("definition_rule", sabotage.wrong_value),
        test_double_backward.test_a_definition_gives_what_the_gradient_rule_gives,
        row,
        row.dtypes[0],
    )


@rows([row for row in test_double_backward.DIFFERENTIABLE if np.float64 in row.dtypes and row.name not in KINKED])
def test_second_differences_notice_a_wrong_definition(row):
    assert_notices(
        sabotage.broken_field("definition_rule", curved),
        test_double_backward.test_second_derivatives_agree_with_finite_differences,
        row,
    )


def curved(function, *args):
    """The gradients of a definition, with a slope that they do not have: g + ⅒·Σ upstream²."""
    upstream = sum([(value * value).sum() for value in args if value is not None and value.array.dtype.kind == "f"])
    results = function(*args)
    bent = [None if g is None else g + 0.1 * upstream for g in (results if isinstance(results, tuple) else (results,))]
    return tuple(bent) if isinstance(results, tuple) else bent[0]


@rows(copying)
def test_layout_comparison_notices(row):
    assert_notices(
        broken_forward(row, sabotage.wrong_in_other_layouts),
        test_ops.test_any_memory_layout,
        row,
        "every other element",
    )


@rows(ROWS)
def test_thread_comparison_notices(row):
    before = kernels.num_threads()
    try:
        assert_notices(
            broken_forward(row, sabotage.wrong_with_threads),
            test_ops.test_same_bits_at_every_thread_count,
            row,
            row.dtypes[0],
            None,
        )
    finally:
        kernels.set_num_threads(before)


@rows(copying)
def test_input_check_notices(row):
    assert_notices(broken_forward(row, sabotage.writes_its_input), test_ops.test_inputs_are_left_alone, row)


@rows([row for row in with_reference if row.kernels])
def test_numpy_comparison_notices_a_broken_kernel(row):
    """The same with broken wrappers: the compared value comes from a kernel."""
    assert_notices(
        sabotage.broken_kernels(sabotage.wrong_value, FORWARD),
        test_ops.test_agrees_with_numpy,
        row,
        row.dtypes[0],
        kernels.cpu_level(),
        None,
    )


@rows([row for row in with_gradient if row.kernels])
def test_differences_notice_a_broken_kernel(row):
    """A backward kernel wrong by two percent disagrees with finite differences of the forward."""
    backward = any(sabotage.is_backward(name) for name in row.kernels)
    assert_notices(
        sabotage.broken_kernels(sabotage.wrong_value, BACKWARD if backward else FORWARD),
        test_ops.test_gradient_agrees_with_differences,
        row,
    )
