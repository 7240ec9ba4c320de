/* Attention of q[batch, heads, length, size] over k[batch, k_heads, keys, size] and v[batch, k_heads, keys, v_size], for each
 * batch and head: y = softmax(scale·q·kᵀ + mask)·v. A. Vaswani et al. (2017), "Attention is all you need". Query head h reads
 * head h·k_heads/heads of k and v.
 * No matrix of length × keys is kept: the weights of a block of queries are working memory, and backward computes them again
 * from lse, the logarithm of each row's sum of exponentials. T. Dao et al. (2022), "FlashAttention".
 * Where rows are short, weights are kept by keys: a vector then holds those of several queries, all of its lanes are used, and
 * no maximum or sum crosses lanes.
 * Steps of batch, head and row are in elements; the elements of a row are contiguous. With `causal`, query i sees keys
 * 0..i. A query that sees no key gives 0. With p > 0 weights are dropped as dropout does it, each block of queries from a
 * group of its own on: element (i, j) of the block is number i·cg_attention_width(keys) + j. */

/* What a block of queries needs of the arguments, and its rows. Rows of weights are `width` apart; `live` and `wide` are the
 * keys that any of its rows sees, and those in whole vectors. */
typedef struct {
    const real *q, *k, *v;
    const void *mask;
    int64_t q_row, k_row, v_row, mask_row, mask_col, size, v_size, keys, width, first, rows, live, wide;
    int64_t across; /* the distance of two keys, where weights are kept by keys */
    int mask_kind, causal;
    real scale;
} NAME(queries);
#define queries NAME(queries)

#define ATTENTION_QUERIES(a, n_, h_, kh_, at_, rows_)                                                             \
    ((queries){.q = (const real *)(a)->q + (n_) * (a)->q_batch + (h_) * (a)->q_head + (at_) * (a)->q_row,             \
               .k = (const real *)(a)->k + (n_) * (a)->k_batch + (kh_) * (a)->k_head,                               \
               .v = (const real *)(a)->v + (n_) * (a)->v_batch + (kh_) * (a)->v_head,                               \
               .mask = (const char *)(a)->mask + ((n_) * (a)->mask_batch + (h_) * (a)->mask_head) *                  \
                                                     ((a)->mask_kind == CG_ATTENTION_NUMBERS ? (int64_t)sizeof(real) : 1), \
               .q_row = (a)->q_row, .k_row = (a)->k_row, .v_row = (a)->v_row, .mask_row = (a)->mask_row,                  \
               .mask_col = (a)->mask_col, .size = (a)->size, .v_size = (a)->v_size, .keys = (a)->keys,                    \
               .width = cg_attention_width((a)->keys), .first = (at_), .rows = (rows_),                                        \
               .across = cg_ceil_div(rows_, LANES) * LANES,                                                               \
               .live = (a)->causal ? cg_min((a)->keys, (at_) + (rows_)) : (a)->keys,                                       \
               .wide = cg_ceil_div((a)->causal ? cg_min((a)->keys, (at_) + (rows_)) : (a)->keys, LANES) * LANES,          \
               .mask_kind = (int)(a)->mask_kind, .causal = (int)(a)->causal, .scale = R((a)->scale)})

/* Heads whose transposed keys and values fit into the working memory of products are multiplied tile by tile, without what
 * large products need. */
enum { NAME(SMALL_KEYS) = 128, NAME(SMALL_SIZE) = 128 };
INLINE int NAME(attention_small)(const queries *x) {
    return x->keys <= NAME(SMALL_KEYS) && x->size <= NAME(SMALL_SIZE) && x->v_size <= NAME(SMALL_SIZE);
}

/* Whether to keep weights by keys: exponentials of more lanes than there are queries cost less than the maximum, sum, logarithm
 * and division of each row, which take as long as about four vectors of them. */
INLINE int NAME(attention_by_keys)(const queries *x, double p) {
    const int plain = x->mask_kind == CG_ATTENTION_OPEN && p <= 0 && x->scale > 0;
    return plain && NAME(attention_small)(x) && x->keys * x->across <= x->rows * (x->width + 4 * LANES);
}

/* Columns of B whose rows are `row` apart; the last of them, if a part of a vector, are copied to `room`. */
INLINE NAME(gemm_columns) NAME(attention_columns)(const real *b, int64_t row, int64_t inner, int64_t cols, real *room) {
    const int64_t whole = cols / LANES * LANES;
    for (int64_t p = 0; whole < cols && p < inner; p++)
        STORE(room + p * LANES, NAME(load_part)(b + p * row + whole, cols - whole, 0));
    return (NAME(gemm_columns)){b, room, 2 * LANES, row, LANES};
}

/* C[rows, cols] = A·B (+ C), `inner` the dimension that is summed, tile by tile */
static void NAME(attention_tiles)(real *c, int64_t ldc, int64_t rows, int64_t cols, int64_t inner, NAME(gemm_view) a,
                                  NAME(gemm_columns) b, int accumulate) {
    if (!rows || !cols) return;
    const int64_t step = cg_ceil_div(rows, cg_ceil_div(rows, GEMM_ROWS));
    for (int64_t i = 0; i < rows; i += step, a.p += step * a.row)
        NAME(gemm_rows)(cg_min(step, rows - i), cols, inner, a, b, (NAME(gemm_target)){c + i * ldc, ldc, 0, 0, accumulate, 0});
}

/* C[rows, cols] = A·B (+ C) of any size. `small`: B, whose rows are contiguous, is read in place. */
INLINE void NAME(attention_product)(real *c, int64_t ldc, int64_t rows, int64_t cols, int64_t inner, NAME(gemm_view) a,
                                    NAME(gemm_view) b, int accumulate, int small, void *scratch) {
    const cg_gemm_args g = {.k = inner};
    if (!rows || !cols) return;
    if (small) {
        real *room = (real *)scratch + 2 * NAME(SMALL_KEYS) * NAME(SMALL_SIZE);
        const NAME(gemm_columns) columns = NAME(attention_columns)(b.p, b.row, inner, cols, room);
        NAME(attention_tiles)(c, ldc, rows, cols, inner, a, columns, accumulate);
        return;
    }
    const int64_t step = cg_ceil_div(rows, cg_ceil_div(rows, GEMM_ROWS));
    NAME(gemm_region)(&g, a, b, (NAME(gemm_target)){c, ldc, 0, 0, accumulate, 0}, 0, (NAME(gemm_span)){0, rows, step},
                      (NAME(gemm_span)){0, cols, 2 * LANES}, scratch);
}

/* xᵀ[size, width] in `panel`, for x[keys, size]: zeros beyond the keys */
INLINE void NAME(attention_panel)(real *panel, const real *x, int64_t row, int64_t keys, int64_t width, int64_t size) {
    if (!size || !keys) return;
    if (width - keys >= LANES) memset(panel, 0, size * width * sizeof(real));
    NAME(gemm_pack)(panel, width, (NAME(gemm_view)){x, 1, row}, keys, size);
}

/* s[rows, width] = A·panel, or A·xᵀ if the panel is NULL, for the keys that any row sees */
INLINE void NAME(attention_dots)(real *s, const queries *x, const real *a, int64_t a_row, int64_t size, const real *b,
                                 int64_t b_row, const real *panel, void *scratch) {
    const NAME(gemm_view) rows = {a, a_row, 1};
    const NAME(gemm_columns) columns = {panel, panel, 2 * LANES, x->width, x->width};
    if (panel) NAME(attention_tiles)(s, x->width, x->rows, x->wide, size, rows, columns, 0);
    else NAME(attention_product)(s, x->width, x->rows, x->live, size, rows, (NAME(gemm_view)){b, 1, b_row}, 0, 0, scratch);
}

/* Scores s: with a mask, or a scale that is not positive, scale·s + mask; −∞ for keys that are not seen. Returns the factor
 * that is still to be applied. */
INLINE real NAME(attention_masked)(real *s, const queries *x) {
    const int scaled = x->mask_kind != CG_ATTENTION_OPEN || !(x->scale > 0);
    for (int64_t i = 0; i < x->rows; i++) {
        real *restrict row = s + i * x->width;
        const int64_t at = (x->first + i) * x->mask_row, col = x->mask_col;
        const int64_t live = x->causal ? cg_min(x->live, x->first + i + 1) : x->live;
        if (x->mask_kind == CG_ATTENTION_BYTES) {
            const uint8_t *restrict m = (const uint8_t *)x->mask + at;
            for (int64_t j = 0; j < live; j++) row[j] = m[j * col] ? row[j] * x->scale : -INFINITY;
        } else if (x->mask_kind == CG_ATTENTION_NUMBERS && col == 1) {
            const real *restrict m = (const real *)x->mask + at;
            for (int64_t j = 0; j < live; j++) row[j] = row[j] * x->scale + m[j];
        } else if (x->mask_kind == CG_ATTENTION_NUMBERS) {
            const real m = live > 0 ? ((const real *)x->mask)[at] : 0;
            for (int64_t j = 0; j < live; j++) row[j] = row[j] * x->scale + (col ? ((const real *)x->mask)[at + j * col] : m);
        } else if (scaled)
            for (int64_t j = 0; j < live; j++) row[j] *= x->scale;
        for (int64_t j = live; j < x->wide; j++) row[j] = -INFINITY;
    }
    return scaled ? 1 : x->scale;
}

/* x[0..n) times 0 with probability p, else 1/(1 − p), from `offset` on; n is a multiple of 16 */
static void NAME(attention_drop)(real *restrict x, int64_t n, double p, uint64_t seed, uint64_t offset) {
    enum { GROUP = 2 * PHILOX_GROUP };
    const real scale = p < 1 ? R(1 / (1 - p)) : 0;
    const uint32_t limit = (uint32_t)(p * 65536 + 0.5);
    for (int64_t i = 0; i < n; i += GROUP) {
        union { uint32_t words[PHILOX_GROUP]; uint16_t halves[GROUP]; } drawn;
        cg_philox(drawn.words, seed, offset + (uint64_t)(i / 8));
        const int64_t count = cg_min(GROUP, n - i);
        for (int64_t j = 0; j < count; j++) x[i + j] *= drawn.halves[j] < limit ? 0 : scale;
    }
}

/* The first counter of block number `block` */
INLINE uint64_t NAME(attention_offset)(uint64_t offset, int64_t block, int64_t rows, int64_t width) {
    return offset + (uint64_t)(block * cg_ceil_div(rows * width, 64) * 8);
}

/* row = e^(factor·(row − its largest element)), of n elements in whole vectors. Returns 1/Σ, 0 if all are −∞, and lse. */
INLINE real NAME(attention_softmax)(real *row, real *lse, real factor, int64_t n) {
    vec top = (vec){0} - INFINITY, sum = {0};
    for (int64_t j = 0; j < n; j += LANES) top = NAME(larger)(LOAD(row + j), top);
#pragma GCC unroll 4
    for (int64_t lanes = LANES; lanes > 1; lanes /= 2) top = NAME(larger)(ZIP_LOW(top, top), ZIP_HIGH(top, top));
    const real most = top[0] == -INFINITY ? 0 : top[0] * factor; /* all are hidden, or NaN */
    for (int64_t j = 0; j < n; j += LANES) {
        const vec e = NAME(exp_lanes)(LOAD(row + j) * factor, (vec){0} + most);
        STORE(row + j, e);
        sum += e;
    }
    const real total = NAME(lane_sum)(sum);
    *lse = total == 0 ? INFINITY : most + NAME(log)(total);
    return total == 0 ? 0 : 1 / total;
}

/* s[live, across] = a·bᵀ for rows of a that belong to keys, and a panel of bᵀ, whose columns belong to queries */
INLINE void NAME(attention_dots_by_keys)(real *s, const queries *x, const real *a, int64_t a_row, int64_t size, const real *panel) {
    const NAME(gemm_columns) columns = {panel, panel, 2 * LANES, x->across, x->across};
    NAME(attention_tiles)(s, x->across, x->live, x->across, size, (NAME(gemm_view)){a, a_row, 1}, columns, 0);
}

/* Scores by keys, −∞ where a query does not see the key. */
INLINE void NAME(attention_scores_by_keys)(real *s, const queries *x, const real *panel) {
    NAME(attention_dots_by_keys)(s, x, x->k, x->k_row, x->size, panel);
    for (int64_t j = x->first + 1; x->causal && j < x->live; j++)
        for (int64_t i = 0; i < cg_min(j - x->first, x->across); i++) s[j * x->across + i] = -INFINITY;
}

/* The softmax of LANES queries, lane by lane: as attention_softmax, without the division. */
static void NAME(attention_softmax_by_keys)(real *s, const queries *x, real *inverse, real *lse) {
    vec top = (vec){0} - INFINITY, total = {0};
    real most[LANES], sums[LANES];
    for (int64_t j = 0; j < x->live; j++) top = NAME(larger)(LOAD(s + j * x->across), top);
#pragma omp simd
    for (int64_t q = 0; q < LANES; q++) most[q] = top[q] == -INFINITY ? 0 : top[q] * x->scale;
    for (int64_t j = 0; j < x->live; j++) {
        const vec e = NAME(exp_lanes)(LOAD(s + j * x->across) * x->scale, LOAD(most));
        STORE(s + j * x->across, e);
        total += e;
    }
    STORE(sums, total);
#pragma omp simd
    for (int64_t q = 0; q < LANES; q++) {
        const real l = most[q] + NAME(log)(sums[q]);
        lse[q] = sums[q] == 0 ? INFINITY : l;
        inverse[q] = sums[q] == 0 ? 0 : 1 / sums[q];
    }
}

/* y and lse of a block whose weights are kept by keys. */
static void NAME(attention_block_by_keys)(const queries *x, real *y, int64_t y_row, real *lse, real *s, void *scratch) {
    real inverse[CG_ATTENTION_SINGLE + LANES], sums[CG_ATTENTION_SINGLE + LANES], *panel = scratch;
    NAME(attention_panel)(panel, x->q, x->q_row, x->rows, x->across, x->size);
    NAME(attention_scores_by_keys)(s, x, panel);
    for (int64_t i = 0; i < x->rows; i += LANES) NAME(attention_softmax_by_keys)(s + i, x, inverse + i, sums + i);
    memcpy(lse, sums, x->rows * sizeof(real));
    NAME(attention_product)(y, y_row, x->rows, x->v_size, x->live, (NAME(gemm_view)){s, 1, x->across},
                            (NAME(gemm_view)){x->v, x->v_row, 1}, 0, 1, scratch);
    for (int64_t i = 0; i < x->rows; i++)
        for (int64_t j = 0; j < x->v_size; j++) y[i * y_row + j] *= inverse[i];
}

/* Ask for the rows of head `one` of all batches before they are needed: they lie apart, which the processor does not foresee.
 * Results too, for which a store would otherwise wait. */
static void NAME(attention_prefetch)(const void *x, int64_t batch, int64_t head, int64_t row, int64_t rows, int64_t size, int64_t one,
                                     int64_t heads) {
    NAME(gemm_prefetch)((const real *)x + one / heads * batch + one % heads * head, row, rows, size);
}
#define ATTENTION_PREFETCH(x, rows, size, one, heads) \
    NAME(attention_prefetch)(a->x, a->x##_batch, a->x##_head, a->x##_row, rows, size, one, heads)

/* y, and lse[batch, heads, length], ∞ for a query that sees no key; drawn: seed and offset, for backward, unless it is NULL */
KERNEL_BODY(attention) {
    const int64_t most = cg_attention_rows(a->length, a->keys, sizeof(real)), blocks = cg_ceil_div(a->length, most);
    real *s = (real *)((char *)share.scratch + CG_SCRATCH_BYTES - CG_ATTENTION_MEMORY), *panel = share.scratch;
    if (share.index == 0 && a->drawn) ((uint64_t *)a->drawn)[0] = a->seed, ((uint64_t *)a->drawn)[1] = a->offset;
    cg_range r = cg_part(a->batch * a->heads * blocks, 1, share);
    int64_t packed = -1; /* the head whose keys the panel holds */
    for (int64_t block = r.begin; block < r.end; block++) {
        const int64_t one = block / blocks, batch = one / a->heads, head = one % a->heads, first = block % blocks * most;
        const queries x = ATTENTION_QUERIES(a, batch, head, head * a->k_heads / a->heads, first, cg_min(most, a->length - first));
        const int small = NAME(attention_small)(&x);
        real *y = (real *)a->y + batch * a->y_batch + head * a->y_head + first * a->y_row, inverse[CG_ATTENTION_SINGLE];
        real *lse = (real *)a->lse + one * a->length + first;
        if (small && blocks == 1 && block + 1 < r.end) {
            ATTENTION_PREFETCH(q, a->length, a->size, one + 1, a->heads);
            ATTENTION_PREFETCH(k, a->keys, a->size, (one + 1) * a->k_heads / a->heads, a->k_heads);
            ATTENTION_PREFETCH(v, a->keys, a->v_size, (one + 1) * a->k_heads / a->heads, a->k_heads);
            ATTENTION_PREFETCH(y, a->length, a->v_size, one + 1, a->heads);
        }
        if (NAME(attention_by_keys)(&x, a->p)) {
            NAME(attention_block_by_keys)(&x, y, a->y_row, lse, s, share.scratch);
            continue;
        }
        if (small && packed != one) {
            NAME(attention_panel)(panel, x.k, x.k_row, x.keys, x.width, x.size);
            packed = one;
        }
        NAME(attention_dots)(s, &x, x.q, x.q_row, x.size, x.k, x.k_row, small ? panel : 0, share.scratch);
        const real factor = NAME(attention_masked)(s, &x);
        for (int64_t i = 0; i < x.rows; i++)
            inverse[i] = NAME(attention_softmax)(s + i * x.width, lse + i, factor, x.wide);
        if (a->p > 0) {
            for (int64_t i = 0; i < x.rows; i++) memset(s + i * x.width + x.wide, 0, (x.width - x.wide) * sizeof(real));
            NAME(attention_drop)(s, x.rows * x.width, a->p, a->seed, NAME(attention_offset)(a->offset, block, most, x.width));
        }
        NAME(attention_product)(y, a->y_row, x.rows, x.v_size, x.live, (NAME(gemm_view)){s, x.width, 1},
                                (NAME(gemm_view)){x.v, x.v_row, 1}, 0, small, share.scratch);
        for (int64_t i = 0; i < x.rows; i++)
            for (int64_t j = 0; j < x.v_size; j++) y[i * a->y_row + j] *= inverse[i];
    }
}

/* P and dS of a block of backward, with what is dropped. */
static void NAME(attention_slopes)(const cg_attention_backward_args *a, const queries *x, const real *dy, const real *y,
                                   const real *lse, uint64_t offset, real *s, real *ds, void *scratch) {
    const int small = NAME(attention_small)(x);
    const uint64_t seed = a->drawn ? ((const uint64_t *)a->drawn)[0] : 0;
    const real *k_panel = small ? scratch : 0, *v_panel = small ? (real *)scratch + NAME(SMALL_KEYS) * NAME(SMALL_SIZE) : 0;
    NAME(attention_dots)(s, x, x->q, x->q_row, x->size, x->k, x->k_row, k_panel, scratch);
    NAME(attention_dots)(ds, x, dy, a->dy_row, x->v_size, x->v, x->v_row, v_panel, scratch);
    const real factor = NAME(attention_masked)(s, x);
    if (a->p > 0) {
        for (int64_t i = 0; i < x->rows; i++) {
            memset(ds + i * x->width + x->live, 0, (x->width - x->live) * sizeof(real));
            memset(s + i * x->width + x->wide, 0, (x->width - x->wide) * sizeof(real));
        }
        NAME(attention_drop)(ds, x->rows * x->width, a->p, seed, offset);
    }
    for (int64_t i = 0; i < x->rows; i++) {
        const real d = NAME(dot_line)(dy + i * a->dy_row, y + i * a->y_row, x->v_size);
        real *to = ds + i * x->width, *p = s + i * x->width;
        for (int64_t j = 0; j < x->wide; j += LANES) {
            const vec e = NAME(exp_lanes)(LOAD(p + j) * factor, (vec){0} + lse[i]);
            STORE(p + j, e);
            STORE(to + j, e * (LOAD(to + j) - d) * x->scale);
        }
    }
    if (a->p > 0) NAME(attention_drop)(s, x->rows * x->width, a->p, seed, offset);
}

/* P and dS of a block, kept by keys, from panels of qᵀ and dyᵀ: d = Σ P·(dy·vᵀ) over the keys of a query. */
static void NAME(attention_slopes_by_keys)(const queries *x, const real *lse, const real *q_panel, const real *dy_panel, real *s, real *ds) {
    real sums[CG_ATTENTION_SINGLE + LANES] = {0};
    NAME(attention_scores_by_keys)(s, x, q_panel);
    NAME(attention_dots_by_keys)(ds, x, x->v, x->v_row, x->v_size, dy_panel);
    memcpy(sums, lse, x->rows * sizeof(real));
    for (int64_t i = 0; i < x->rows; i += LANES) {
        vec d = {0};
        for (int64_t at = i; at < i + x->live * x->across; at += x->across) {
            const vec e = NAME(exp_lanes)(LOAD(s + at) * x->scale, LOAD(sums + i));
            STORE(s + at, e);
            d += e * LOAD(ds + at);
        }
        for (int64_t at = i; at < i + x->live * x->across; at += x->across)
            STORE(ds + at, LOAD(s + at) * (LOAD(ds + at) - d) * x->scale);
    }
}

/* One block of backward; s and ds have room for its rows. `accumulate`: whether it adds to dk and dv. */
INLINE void NAME(attention_block)(const cg_attention_backward_args *a, const queries *x, real *dq, real *dk, real *dv,
                                  const real *dy, const real *y, const real *lse, int accumulate, uint64_t offset, real *s,
                                  real *ds, void *scratch) {
    const int small = NAME(attention_small)(x);
    NAME(gemm_view) weights = {s, 1, x->width}, slopes = {ds, x->width, 1}, across = {ds, 1, x->width};
    if (NAME(attention_by_keys)(x, a->p)) {
        real *q_panel = scratch, *dy_panel = q_panel + NAME(SMALL_KEYS) * NAME(SMALL_SIZE);
        ds = s + x->live * x->across; /* both fit, of at most CG_ATTENTION_SINGLE queries and SMALL_KEYS keys */
        NAME(attention_panel)(q_panel, x->q, x->q_row, x->rows, x->across, x->size);
        NAME(attention_panel)(dy_panel, dy, a->dy_row, x->rows, x->across, x->v_size);
        NAME(attention_slopes_by_keys)(x, lse, q_panel, dy_panel, s, ds);
        weights = (NAME(gemm_view)){s, x->across, 1}, slopes = (NAME(gemm_view)){ds, 1, x->across};
        across = (NAME(gemm_view)){ds, x->across, 1};
    } else NAME(attention_slopes)(a, x, dy, y, lse, offset, s, ds, scratch);
    NAME(attention_product)(dv, a->dv_row, x->live, x->v_size, x->rows, weights, (NAME(gemm_view)){dy, a->dy_row, 1}, accumulate,
                            small, scratch);
    NAME(attention_product)(dq, a->dq_row, x->rows, x->size, x->live, slopes, (NAME(gemm_view)){x->k, x->k_row, 1}, 0, small,
                            scratch);
    NAME(attention_product)(dk, a->dk_row, x->live, x->size, x->rows, across, (NAME(gemm_view)){x->q, x->q_row, 1}, accumulate,
                            small, scratch);
}

/* With P the weights and d = dy·y: dv = Pᵀ·dy, dS = P·(dy·vᵀ − d), dq = scale·dS·k, dk = scale·dSᵀ·q. A share does all query
 * heads of a head of k and v, one block after the other, in order. */
KERNEL_BODY(attention_backward) {
    const int64_t most = cg_attention_rows(a->length, a->keys, sizeof(real)), blocks = cg_ceil_div(a->length, most);
    const int64_t group = a->heads / cg_max(1, a->k_heads), width = cg_attention_width(a->keys);
    const int once = blocks * group == 1;
    real *s = (real *)((char *)share.scratch + CG_SCRATCH_BYTES - CG_ATTENTION_MEMORY), *ds = s + most * width;
    cg_range r = cg_part(a->batch * a->k_heads, 1, share);
    for (int64_t one = r.begin; one < r.end; one++) {
        const int64_t batch = one / a->k_heads, k_head = one % a->k_heads;
        real *dk = (real *)a->dk + batch * a->dk_batch + k_head * a->dk_head;
        real *dv = (real *)a->dv + batch * a->dv_batch + k_head * a->dv_head;
        const int64_t kept = once ? cg_min(a->keys, a->causal ? a->length : a->keys) : 0; /* rows that the block writes */
        for (int64_t j = kept; j < a->keys; j++) {
            memset(dk + j * a->dk_row, 0, a->size * sizeof(real));
            memset(dv + j * a->dv_row, 0, a->v_size * sizeof(real));
        }
        int packed = 0; /* whether the working memory holds k and v */
        for (int64_t number = 0; number < group * blocks; number++) {
            const int64_t head = k_head * group + number / blocks, first = number % blocks * most;
            const int64_t all = batch * a->heads + head;
            const queries x = ATTENTION_QUERIES(a, batch, head, k_head, first, cg_min(most, a->length - first));
            const int by_keys = NAME(attention_by_keys)(&x, a->p);
            if (once && one + 1 < r.end && NAME(attention_small)(&x)) {
                ATTENTION_PREFETCH(q, a->length, a->size, one + 1, a->heads);
                ATTENTION_PREFETCH(k, a->keys, a->size, one + 1, a->heads);
                ATTENTION_PREFETCH(v, a->keys, a->v_size, one + 1, a->heads);
                ATTENTION_PREFETCH(dy, a->length, a->v_size, one + 1, a->heads);
                ATTENTION_PREFETCH(dq, a->length, a->size, one + 1, a->heads);
                ATTENTION_PREFETCH(dk, a->keys, a->size, one + 1, a->heads);
                ATTENTION_PREFETCH(dv, a->keys, a->v_size, one + 1, a->heads);
            }
            if (!packed && !by_keys && NAME(attention_small)(&x)) {
                real *panel = share.scratch;
                NAME(attention_panel)(panel, x.k, x.k_row, x.keys, x.width, x.size);
                NAME(attention_panel)(panel + NAME(SMALL_KEYS) * NAME(SMALL_SIZE), x.v, x.v_row, x.keys, x.width, x.v_size);
            }
            packed = !by_keys;
            const uint64_t *drawn = a->drawn;
            NAME(attention_block)(a, &x, (real *)a->dq + batch * a->dq_batch + head * a->dq_head + first * a->dq_row, dk, dv,
                                  (const real *)a->dy + batch * a->dy_batch + head * a->dy_head + first * a->dy_row,
                                  (const real *)a->y + batch * a->y_batch + head * a->y_head + first * a->y_row,
                                  (const real *)a->lse + all * a->length + first, !once,
                                  drawn ? NAME(attention_offset)(drawn[1], all * blocks + number % blocks, most, width) : 0, s, ds,
                                  share.scratch);
        }
    }
}

#undef queries
#undef ATTENTION_QUERIES
#undef ATTENTION_PREFETCH
