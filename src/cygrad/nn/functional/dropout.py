"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad import _kernels as kernels
from cygrad.autograd import engine, recording
from cygrad.generator import Generator, source_of
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
    """In training, return 0 with probability p and x/(1 − p) otherwise, elementwise. As
    ``torch.nn.functional.dropout``. N. Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from
    overfitting".

    The mask depends on the generator's seed and offset only: it is the same on any machine and for any thread count.

    Args:
        input: floating-point tensor of any shape.
        p: probability that an element is dropped, in [0, 1], default 0.5.
        training: whether to drop anything, default True. If False, the input itself is returned.
        inplace: whether to write the result into the input, default False.
        generator: source of randomness, default the global generator.

    Raises:
        ValueError: p does not lie in [0, 1].

    >>> cg.nn.functional.dropout(cg.ones(3), p=1.0)
    tensor([0., 0., 0.])
    """
    check_tensor("dropout", "input", input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must lie in [0, 1], got {p}")
    if not training or p == 0:
        return input
    source = source_of("dropout", generator)
    seed, offset = source.advance(kernels.dropout_draws(input.array))
    result = dropout_at(input, p, seed, offset)
    recorder = recording.recorder()
    if recorder is not None:
        recorder.drew(generator, kernels.dropout_draws(input.array))
    return engine.rewrite(input, result) if inplace else result
