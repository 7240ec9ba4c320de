"""Rows of shapes: what moves numbers and leaves them as they are."""

from __future__ import annotations

import numpy as np

from tests.op_db.row import Bad, Sample
from tests.op_db.samples import drawn, same, signed

X = drawn(((2, 3, 4),))
XY = drawn(((2, 3, 4), (2, 1, 4)))
M = drawn(((3, 4),), ((4, 3),), ((1, 1),))


def bad(error, match, *calls):
    return tuple([Bad(call, error, match) for call in calls])


FORMS = {
    "reshape": lambda library, x: (x.reshape(4, -1), library.reshape(x, (6, 4)), x.reshape(-1)),
    "view": lambda library, x: ((x * 1).contiguous().view(-1), (x * 1).contiguous().view(3, 8), x.view_as(x)),
    "flatten": lambda library, x: (x.flatten(), library.flatten(x, 1), x.flatten(0, 1)),
    "unflatten": lambda library, x: x.unflatten(2, (2, -1)),
    "permute": lambda library, x: (x.permute(2, 0, 1), library.permute(x, (1, 2, 0)), x.permute(-1, 0, 1)),
    "transpose": lambda library, x: (
        x.transpose(0, -1),
        library.transpose(x, 0, 1),
        x.swapaxes(1, 2),
        x.mT,
        x[0].T,
        x[0].t(),
    ),
    "movedim": lambda library, x: (library.movedim(x, 0, -1), x.movedim((0, 1), (1, 2))),
    "expand": lambda library, x: (
        x[:, :1].expand(-1, 5, -1),
        x.expand(7, 2, 3, 4),
        library.broadcast_to(x, (2, 2, 3, 4)),
    ),
    "unsqueeze": lambda library, x: (x.unsqueeze(-2), library.unsqueeze(x, 0), x.unsqueeze(3)),
    "squeeze": lambda library, x: (x[:, :1].squeeze(), x[:, :1].squeeze(1), x.squeeze(0)),
    "flip": lambda library, x: (x.flip(0, 2), library.flip(x, (1,))),
    "roll": lambda library, x: (library.roll(x, 1, 0), library.roll(x, (1, -2), (0, 2)), x.roll(3)),
    "repeat": lambda library, x: (x.repeat(2, 1, 3), x.repeat(2, 1, 1, 3)),
    "tile": lambda library, x: (x.tile(2, 2), library.tile(x, (2, 1, 1, 2))),
    "repeat_interleave": lambda library, x: (x.repeat_interleave(2, 1), library.repeat_interleave(x, 3)),
    "split": lambda library, x: (*x.split(2, 2), *library.split(x, [1, 2], 1), *x.split(3, -1)),
    "chunk": lambda library, x: (*x.chunk(3, 2), *library.chunk(x, 2, -1)),
    "narrow": lambda library, x: (x.narrow(2, 1, 2), x.select(1, 2), *x.unbind(1)),
    "diagonal": lambda library, x: (x.diagonal(0, 1, 2), x.diagonal(1, 0, 1), x[0].diag(), x[0].diag(-1)),
    "diag": lambda library, x: (library.diag(x[0, 0]), library.diag(x[0, 0], 1), library.diag(x[0, 0], -2)),
    "clone": lambda library, x: (x.clone(), x.permute(2, 1, 0).contiguous()),
    "stack": lambda library, x: (library.stack([x, x + 1], -1), library.stack((x, x))),
    "meshgrid": lambda library, x: library.meshgrid(x[0, 0], x[1, 0], indexing="ij"),
    "to": lambda library, x: (x.double().sum().to(x.dtype), x.to(library.float64).to(x.dtype)),
}

BAD = {
    "reshape": bad(
        RuntimeError, "reshape: shape", lambda cg: cg.ones(2, 3).reshape(5), lambda cg: cg.ones(2, 3).reshape(-1, -1)
    ),
    "permute": bad(RuntimeError, "permute: dims", lambda cg: cg.ones(2, 3).permute(0, 0)),
    "expand": bad(
        RuntimeError,
        "expand: a tensor of shape",
        lambda cg: cg.ones(2, 3).expand(3, 3),
        lambda cg: cg.ones(2).expand(()),
    ),
    "split": bad(RuntimeError, "split: ", lambda cg: cg.ones(5).split([2, 2]), lambda cg: cg.ones(5).split(0)),
    "stack": (
        *bad(
            RuntimeError, "stack: the tensors must have the same shape", lambda cg: cg.stack([cg.ones(2), cg.ones(3)])
        ),
        *bad(ValueError, "stack: expected at least one tensor", lambda cg: cg.stack([])),
    ),
    "narrow": bad(
        RuntimeError, "narrow: 3 slices from index 1 exceed dim 0 of size 2", lambda cg: cg.ones(2).narrow(0, 1, 3)
    ),
    "view": bad(RuntimeError, r"view: no view of shape \(6,\) exists for shape", lambda cg: cg.ones(2, 3).T.view(6)),
    "chunk": bad(RuntimeError, "chunk: chunks must be at least 1", lambda cg: cg.ones(2).chunk(0)),
    "repeat": bad(RuntimeError, "repeat: sizes", lambda cg: cg.ones(2, 3).repeat(2)),
    "flatten": bad(RuntimeError, "flatten: start_dim 1 comes after", lambda cg: cg.ones(2, 3).flatten(1, 0)),
}

CAT_BAD = (
    *bad(
        RuntimeError,
        r"cat: shapes \(2, 2\) and \(3, 3\) differ in another dimension than 0",
        lambda cg: cg.cat([cg.ones(2, 2), cg.ones(3, 3)]),
    ),
    *bad(ValueError, "cat: expected at least one tensor", lambda cg: cg.cat([])),
)


def with_nothing(rng, dtype):
    yield Sample(signed(rng, (2, 3), dtype), signed(rng, (0,), dtype))
    yield Sample(signed(rng, (2, 3), dtype), signed(rng, (0, 3), dtype))


ROWS = [
    *[
        same(
            name,
            form,
            X,
            bad=BAD.get(name, ()),
            dtypes=(np.float32, np.float64),
            kernels=("copy",) if name == "clone" else (),
        )
        for name, form in FORMS.items()
    ],
    same(
        "cat",
        lambda library, x, y: (library.cat([x, y], 1), library.cat((y, x), -2), library.concat([x, x])),
        XY,
        bad=CAT_BAD,
        kernels=("strided",),
    ),
    same("cat_with_nothing", lambda library, x, y: library.cat([x, y]), with_nothing),
    same("tril", lambda library, x: (library.tril(x), x.tril(1), x.tril(-1)), M),
    same("triu", lambda library, x: (library.triu(x), x.triu(1), x.triu(-1)), M),
]
