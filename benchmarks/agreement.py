"""Checks that peers computed the same, within a stated tolerance, before any of them is timed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.cases import AdamW, Case, ClipGradNorm, Inference, Kernel, Matmul, OpCall, TrainingStep
from benchmarks.inputs import DROPOUT, Array, Arrays, inputs

__all__ = ["STEPS", "Disagreement", "check"]

STEPS = 5  # training steps or updates before results are compared; a compiled step replays from the third on
CLOSE = 1e-5  # relative to the largest element of an array, times √(terms/100) of its float32 sums
LOSS = 1e-4  # relative, for each step
# Under Adam, a gradient of the size of its rounding error may move its weight either way. So parameters are compared by
# the norm of their difference, relative to the norm of their change during the steps.
UPDATE = 0.05


class Disagreement(Exception):
    """Two peers have different results."""


def check(case: Case, results: Mapping[str, Arrays]) -> None:
    """Compare each peer's arrays with those of the first, and dropout's with its definition.

    Raises Disagreement, which names the case, the array and the peers.
    """
    if (isinstance(case, OpCall) and case.op == "dropout") or (isinstance(case, Kernel) and case.kernel == "dropout"):
        for peer, arrays in results.items():
            check_dropout(case, peer, arrays)
        return
    first, *others = results
    for peer in results:
        for name, array in results[peer].items():
            if not np.isfinite(array).all():
                raise Disagreement(f"{case.name}: {name} of {peer} is not finite")
    for other in others:
        if results[other].keys() != results[first].keys():
            raise Disagreement(f"{case.name}: {first} returns {[*results[first]]}, but {other} {[*results[other]]}")
        for name, array in results[first].items():
            difference, allowed = distance(case, name, results[other][name], array)
            if not difference <= allowed:
                raise Disagreement(
                    f"{case.name}: {name} of {other} and {first} differ by {difference:.2g}, more than {allowed:.2g}"
                )


def distance(case: Case, name: str, a: Array, b: Array) -> tuple[float, float]:
    """The difference of two arrays, and the largest difference that is allowed."""
    if a.shape != b.shape:
        return np.inf, 0.0
    if isinstance(case, TrainingStep):
        if name == "losses":
            return float(np.max(np.abs(a - b) / np.abs(b))), LOSS
        if case.norm and name.startswith("bias") and not name.endswith(str(len(case.sizes) - 2)):
            return 0.0, 0.0  # the gradient of a bias before batch norm is rounding error
        initial = inputs(case)[name]
        return float(np.linalg.norm(a - b) / np.linalg.norm(b - initial)), UPDATE
    scale = float(np.max(np.abs(b)))
    return float(np.max(np.abs(a - b))) / scale, CLOSE * max(1.0, (terms(case) / 100) ** 0.5)


def terms(case: Case) -> int:
    """The number of terms of the longest sum; rounding errors grow with its square root."""
    match case:
        case Matmul(_, k, _):
            return k
        case OpCall(_, rows, columns) | Kernel(_, rows, columns):
            return max(rows, columns)
        case ClipGradNorm(_, side):
            return side * side
        case TrainingStep(_, sizes) | Inference(sizes):
            return max(sizes)
        case AdamW():
            return 1


def check_dropout(case: OpCall | Kernel, peer: str, arrays: Arrays) -> None:
    """Each element is zero or scaled, and so is its gradient; the number of zeros is plausible for the rate."""
    given = inputs(case)
    x, dy, scale = given["x"], given["dy"], 1 / (1 - DROPOUT)
    kept = arrays["y"] != 0
    for name, source in (("y", x), ("dx", dy)):
        array = arrays.get(name)
        if array is not None and not np.allclose(array, np.where(kept, source * scale, 0), rtol=1e-5, atol=0):
            raise Disagreement(f"{case.name}: {name} of {peer} is not zero or scaled by {scale:.3f} where it should be")
    share, sigma = float(1 - kept.mean()), (DROPOUT * (1 - DROPOUT) / x.size) ** 0.5
    if abs(share - DROPOUT) > 5 * sigma:
        raise Disagreement(f"{case.name}: {peer} drops {share:.4f} of the elements, not {DROPOUT}")
