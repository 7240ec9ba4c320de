"""Rows of reading and writing at places, sorting, and choosing."""

from __future__ import annotations

from tests.op_db.row import Bad
from tests.op_db.samples import distinct, drawn, same

X = drawn(((2, 3, 4),), draw=distinct)
XY = drawn(((2, 3, 4), (2, 3, 4)), draw=distinct)
PLACES = [[[0, 1, 2, 0], [1, 1, 1, 1], [2, 0, 1, 2]], [[2, 1, 0, 1], [0, 0, 2, 2], [1, 2, 0, 0]]]
FEWER = [[[0, 1], [2, 2]]]
ONCE = [[[0, 1, 2, 0], [1, 2, 0, 1], [2, 0, 1, 2]], [[2, 1, 0, 1], [0, 0, 2, 2], [1, 2, 1, 0]]]


def written(x, key, value):
    y = x * 1
    y[key] = value
    return y


FORMS = {
    "getitem": lambda library, x: (
        x[1],
        x[:, 1:, ::2],
        x[None, ..., None],
        x[..., 0],
        x[-1, -2],
        x[0, 0, 0],
        x[:0],
        x[1, None, 2],
    ),
    "getitem_places": lambda library, x: (
        x[[1, 0, 1]],
        x[library.tensor([1, 0, 1])],
        x[:, [0, 2], [1, 3]],
        x[0, library.tensor([[0, 2], [1, 1]])],
        x[library.tensor(1)],
        x[[0, 1], :, [1, 1]],
    ),
    "getitem_mask": lambda library, x: (
        x[x > 0],
        x[library.tensor([True, False])],
        x[:, library.tensor([True, False, True])],
    ),
    "setitem": lambda library, x: (
        written(x, 1, 0.0),
        written(x, (slice(None), 1), library.tensor([1.0, 2, 3, 4], dtype=x.dtype)),
        written(x, [1, 0], x[:1] * 2),
        written(x, (0, 0), x[1, 1] * 3),
        written(x, (x > 0).detach(), 0.5),
        written(x, (..., slice(None, None, 2)), x[..., 1:3]),
    ),
    "gather": lambda library, x: (library.gather(x, 1, library.tensor(PLACES)), x.gather(2, library.tensor(FEWER))),
    "scatter": lambda library, x: (x.scatter(1, library.tensor(ONCE), 1.5), x.scatter(2, library.tensor(FEWER), 2.0)),
    "index_select": lambda library, x: (
        library.index_select(x, 0, library.tensor([1])),
        x.index_select(1, library.tensor([2, 0, 2])),
    ),
    "masked_fill": lambda library, x: (
        library.masked_fill(x, x > 0, 3.0),
        x.masked_fill(library.tensor([True, False, False, True]), -1),
    ),
    "masked_select": lambda library, x: (
        library.masked_select(x, x > 0),
        x.masked_select(library.tensor([True, False, True, False])),
    ),
    "sort": lambda library, x: (*x.sort(), *library.sort(x, 1, True), *x.sort(dim=0)),
    "topk": lambda library, x: (*x.topk(2), *library.topk(x, 2, 1, False), *x.topk(0, 0)),
    "take_along_dim": lambda library, x: library.take_along_dim(x, x.argsort(2), 2),
    "in_place": lambda library, x: (
        (x * 1).add_(2),
        (x * 1).mul_(x + 1),
        (x * 1).relu_(),
        (x * 1).clamp_(-0.1, 0.1),
        (x * 1).zero_(),
        (x * 1).fill_(2.0),
        library.zeros(2, 3, 4, dtype=x.dtype).copy_(x),
        (x * 1).masked_fill_(x > 0, 0.0),
        (x * 1).exp_(),
    ),
}


def bad(error, match, *calls):
    return tuple([Bad(call, error, match) for call in calls])


BAD = {
    "getitem": bad(
        IndexError, ".", lambda cg: cg.ones(2)[5], lambda cg: cg.ones(2)[0, 0], lambda cg: cg.ones(2)[cg.ones(2)]
    ),
    "getitem_mask": bad(IndexError, ".", lambda cg: cg.ones(2)[cg.tensor([True, False, True])]),
    "gather": (
        *bad(
            IndexError,
            "gather: index 3 is out of range for dim 0 of size 2",
            lambda cg: cg.gather(cg.ones(2), 0, cg.tensor([3])),
        ),
        *bad(IndexError, "gather: index -1 is out of range", lambda cg: cg.gather(cg.ones(2), 0, cg.tensor([-1]))),
        *bad(
            TypeError,
            "gather: index must be a tensor of integers, got float32",
            lambda cg: cg.gather(cg.ones(2), 0, cg.ones(1)),
        ),
        *bad(RuntimeError, "gather: index of shape", lambda cg: cg.gather(cg.ones(2), 0, cg.tensor([[0]]))),
    ),
    "topk": bad(RuntimeError, "topk: k must lie in 0 to 2", lambda cg: cg.ones(2).topk(3)),
    "index_select": bad(
        IndexError, "index_select: index 2 is out of range", lambda cg: cg.ones(2).index_select(0, cg.tensor([2]))
    ),
    "masked_fill": bad(
        TypeError, "masked_fill: mask must be a tensor of booleans", lambda cg: cg.ones(2).masked_fill(cg.ones(2), 0)
    ),
    "setitem": bad(RuntimeError, "could not broadcast", lambda cg: cg.ones(2, 3).__setitem__(0, cg.ones(2))),
}

ROWS = [
    *[same(name, form, X, bad=BAD.get(name, ())) for name, form in FORMS.items()],
    same("scatter_tensor", lambda library, x, src: x.scatter(1, library.tensor(ONCE)[:, :1], src[:, :1]), XY),
    same("scatter_add", lambda library, x, src: library.scatter_add(x, 1, library.tensor(PLACES), src), XY),
    same("argsort", lambda library, x: (x.argsort(-1), library.argsort(x, 1, True)), X, differentiable=False),
    same("nonzero", lambda library, x: ((x > 0).nonzero(), *(x > 0).nonzero(as_tuple=True)), X, differentiable=False),
    same("one_hot", lambda library, x: library.nn.functional.one_hot(x.argsort(-1), 5), X, differentiable=False),
    same("bincount", lambda library, x: x.argsort(-1).reshape(-1).bincount(minlength=6), X, differentiable=False),
    same("unique", lambda library, x: x.argsort(-1).unique(), X, differentiable=False),
]
