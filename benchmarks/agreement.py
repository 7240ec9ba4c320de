"""Whether peers computed the same, to within a stated tolerance, before any of them is timed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.cases import AdamW, Case, ClipGradNorm, Inference, Matmul, Op, Step
from benchmarks.inputs import DROPOUT, Array, Arrays, inputs

__all__ = ["STEPS", "Disagreement", "check"]

STEPS = 5  # training steps, or updates, before results are compared: more than a recorder needs to replay
CLOSE = 1e-5  # of the largest number in an array, for each √100 rounded terms in a sum of float32
LOSS = 1e-4  # relative, in each of the steps
# A gradient of about the size of its rounding error may move its weight either way under Adam, so of all that a
# parameter has moved in the steps, this share may differ in norm.
MOVED = 0.05


class Disagreement(Exception):
    """Two peers that computed different things."""


def check(case: Case, results: Mapping[str, Arrays]) -> None:
    """Compares each peer's arrays with those of the first; dropout's with what dropout means.

    Raises Disagreement, naming the case, the array and the peers.
    """
    if isinstance(case, Op) and case.op == "dropout":
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
            raise Disagreement(f"{case.name}: {first} gives {[*results[first]]}, but {other} {[*results[other]]}")
        for name, array in results[first].items():
            difference, allowed = distance(case, name, results[other][name], array)
            if not difference <= allowed:
                raise Disagreement(
                    f"{case.name}: {name} of {other} and {first} differ by {difference:.2g}, allowed are {allowed:.2g}"
                )


def distance(case: Case, name: str, a: Array, b: Array) -> tuple[float, float]:
    """How much two arrays differ, and how much they may."""
    if a.shape != b.shape:
        return np.inf, 0.0
    if isinstance(case, Step):
        if name == "losses":
            return float(np.max(np.abs(a - b) / np.abs(b))), LOSS
        if case.norm and name.startswith("bias") and not name.endswith(str(len(case.sizes) - 2)):
            return 0.0, 0.0  # a bias before batch norm has no gradient but rounding errors
        begin = inputs(case)[name]
        return float(np.linalg.norm(a - b) / np.linalg.norm(b - begin)), MOVED
    scale = float(np.max(np.abs(b)))
    return float(np.max(np.abs(a - b))) / scale, CLOSE * max(1.0, (terms(case) / 100) ** 0.5)


def terms(case: Case) -> int:
    """How many terms the longest sum of a case has, whose rounding errors grow with the root of it."""
    match case:
        case Matmul(_, k, _):
            return k
        case Op(_, rows, columns):
            return max(rows, columns)
        case ClipGradNorm(_, side):
            return side * side
        case Step(_, sizes) | Inference(sizes):
            return max(sizes)
        case AdamW():
            return 1


def check_dropout(case: Op, peer: str, arrays: Arrays) -> None:
    """Each number is zero or scaled, its gradient is too, and as many are zero as chance allows."""
    given = inputs(case)
    x, dy, scale = given["x"], given["dy"], 1 / (1 - DROPOUT)
    kept = arrays["y"] != 0
    for name, array, source in (("y", arrays["y"], x), ("dx", arrays["dx"], dy)):
        if not np.allclose(array, np.where(kept, source * scale, 0), rtol=1e-5, atol=0):
            raise Disagreement(f"{case.name}: {name} of {peer} is not zero or scaled by {scale:.3f} where it should be")
    share, sigma = float(1 - kept.mean()), (DROPOUT * (1 - DROPOUT) / x.size) ** 0.5
    if abs(share - DROPOUT) > 5 * sigma:
        raise Disagreement(f"{case.name}: {peer} drops {share:.4f} of the numbers, not {DROPOUT}")
