"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad import _kernels as kernels
from cygrad.autograd import engine, recording
from cygrad.generator import Generator, current_generator
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops.dropout import dropout_at

if TYPE_CHECKING:
    from cygrad.tensor import Tensor


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """In training: each element is 0 with probability p, else x/(1 − p); otherwise x. N. Srivastava et al. (2014).

    The mask is a function of the generator's seed and offset, the same on any machine and any number of threads.

    Raises ValueError unless 0 ≤ p ≤ 1.

    >>> cg.nn.functional.dropout(cg.ones(3), p=1.0)
    tensor([0., 0., 0.])
    """
    check_tensor("dropout", "input", input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must lie in [0, 1], got {p}")
    if not training or p == 0:
        return input
    source = current_generator() if generator is None else generator
    seed, offset = source.advance(kernels.dropout_draws(input.array))
    result = dropout_at(input, p, seed, offset)
    recorder = recording.recorder()
    if recorder is not None:
        recorder.drew(generator, kernels.dropout_draws(input.array))
    return engine.rewrite(input, result) if inplace else result
