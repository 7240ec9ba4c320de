"""Rows of attention."""

from __future__ import annotations

import numpy as np

from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import Bad, Row, Sample

# Shapes of query and of key and value, and the size of value: heads that share keys, sizes around vectors, single blocks of
# queries and several, few keys and so many that products are cut.
SHAPES = [
    ((2, 3, 5, 4), (2, 3, 7, 4), 4), ((1, 2, 20, 16), (1, 2, 20, 16), 16), ((2, 4, 17, 8), (2, 2, 33, 8), 5),
    ((1, 1, 97, 3), (1, 1, 4, 3), 9), ((1, 2, 64, 32), (1, 2, 64, 32), 32), ((1, 1, 2, 5), (1, 1, 200, 5), 3),
    ((3, 6, 4), (3, 5, 4), 2), ((4, 4), (3, 4), 4), ((2, 2, 2, 3, 4), (2, 2, 2, 5, 4), 4), ((0, 2, 3, 4), (0, 2, 3, 4), 4),
    ((1, 2, 3, 4), (1, 2, 0, 4), 4),
]  # fmt: skip
KINDS = ("open", "causal", "seen", "added", "row", "scaled")


def samples(rng, dtype):
    for number, (query, keys, width) in enumerate(SHAPES):
        for kind in (KINDS[number % 6], KINDS[(number + 3) % 6]):
            q, k = (rng.normal(0, 1, shape).astype(dtype) for shape in (query, keys))
            v = rng.normal(0, 1, (*keys[:-1], width)).astype(dtype)
            length, count = query[-2], keys[-2]
            mask = None
            if kind == "seen":
                mask = rng.random((length, count)) < 0.7
                mask[:1] = False  # a query that sees no key
            if kind in ("added", "row"):
                shape = (*query[:-1], count) if kind == "added" else (count,)
                mask = rng.normal(0, 1, shape).astype(dtype)
            scale = -0.3 if kind == "scaled" else None
            shared = len(query) > 2 and query[-3] != keys[-3]
            yield Sample(q, k, v, mask, 0.0, kind == "causal", scale=scale, enable_gqa=shared)


def meaning(q, k, v, mask, p, causal, scale, enable_gqa):
    return reference.attention(q, k, v, mask, causal, q.shape[-1] ** -0.5 if scale is None else scale)


def bad(error, match, *shapes, **options):
    def call(cg):
        mask = options.get("attn_mask")
        given = {**options, **({"attn_mask": cg.ones(*mask)} if mask else {})}
        return F.scaled_dot_product_attention(*[cg.ones(*shape) for shape in shapes], **given)

    return Bad(call, error, f"scaled_dot_product_attention: {match}")


ROWS = [
    Row(
        "attention",
        F.scaled_dot_product_attention,
        samples,
        torch=lambda torch: torch.nn.functional.scaled_dot_product_attention,
        reference=meaning,
        kernels=("attention", "attention_backward"),
        atol={np.float32: 1e-5, np.float64: 1e-12},
        bad=(
            bad(RuntimeError, "query must have at least 2 dimensions", (4,), (4,), (4,)),
            bad(RuntimeError, "query, key and value have the shapes .* which do not fit", (2, 4), (3, 5), (3, 4)),
            bad(RuntimeError, "query, key and value have the shapes .* which do not fit", (2, 4), (3, 4), (2, 4)),
            bad(RuntimeError, "query, key and value have the shapes .* which do not fit", (2, 3, 4), (3, 3, 4), (3, 3, 4)),
            bad(RuntimeError, "attn_mask and is_causal can't both be given", (2, 4), (2, 4), (2, 4), attn_mask=(2, 2),
                is_causal=True),
            bad(RuntimeError, r"attn_mask has shape \(3, 2\), which does not broadcast to \(2, 2\)", (2, 4), (2, 4), (2, 4),
                attn_mask=(3, 2)),
            bad(ValueError, r"dropout_p must lie in \[0, 1\], got 2", (2, 4), (2, 4), (2, 4), dropout_p=2),
            Bad(lambda cg: F.scaled_dot_product_attention(cg.ones(2, 4), cg.ones(2, 4).double(), cg.ones(2, 4)), RuntimeError,
                "scaled_dot_product_attention: key is float64, but query is float32"),
            Bad(lambda cg: F.scaled_dot_product_attention(cg.ones(1, 3, 2, 4), *[cg.ones(1, 2, 2, 4)] * 2, enable_gqa=True),
                RuntimeError, "attention: 3 heads of query can't share 2 heads of key"),
        ),
    ),
]  # fmt: skip
