/* Sums, maxima and minima over the middle axis of x[outer, count, inner]. */

/* Elements in a running sum. The sums of runs are added in order, so that the error grows with the length of a run and the
 * number of runs, not with their product. */
#define SUM_RUN 64

/* Σ x[i], i < n: 4 vectors of running sums. */
INLINE real NAME(sum_line)(const real *x, int64_t n) {
    int64_t i = 0;
    vec sums[4] = {{0}, {0}, {0}, {0}};
    while (i + 4 * LANES <= n) {
        vec run[4] = {{0}, {0}, {0}, {0}};
        for (const int64_t end = cg_min(i + SUM_RUN * 4 * LANES, n - n % (4 * LANES)); i < end; i += 4 * LANES)
#pragma GCC unroll 4
            for (int64_t v = 0; v < 4; v++) run[v] += LOAD(x + i + v * LANES);
        for (int v = 0; v < 4; v++) sums[v] += run[v];
    }
    for (; i + LANES <= n; i += LANES) sums[1] += LOAD(x + i);
    if (i < n) sums[2] += NAME(load_part)(x + i, n - i, 0);
    return NAME(lane_sum)((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/* Σ x[i]·(y[i] − center), i < n: sums of runs, as above. */
INLINE real NAME(centered_dot_line)(const real *x, const real *y, real center, int64_t n) {
    int64_t i = 0;
    vec sums[2] = {{0}, {0}};
    while (i + 2 * LANES <= n) {
        vec run[2] = {{0}, {0}};
        for (const int64_t end = cg_min(i + SUM_RUN * 2 * LANES, n - n % (2 * LANES)); i < end; i += 2 * LANES)
#pragma GCC unroll 2
            for (int64_t v = 0; v < 2; v++) run[v] += LOAD(x + i + v * LANES) * (LOAD(y + i + v * LANES) - center);
        for (int v = 0; v < 2; v++) sums[v] += run[v];
    }
    for (; i + LANES <= n; i += LANES) sums[0] += LOAD(x + i) * (LOAD(y + i) - center);
    if (i < n) sums[1] += NAME(load_part)(x + i, n - i, 0) * (NAME(load_part)(y + i, n - i, 0) - center);
    return NAME(lane_sum)(sums[0] + sums[1]);
}

INLINE real NAME(dot_line)(const real *x, const real *y, int64_t n) { return NAME(centered_dot_line)(x, y, 0, n); }

/* The sums of up to `vecs`·LANES columns of x, `lanes` of them in the last vector, times scale: in registers. */
INLINE void NAME(sum_vectors)(real *y, const real *x, int64_t count, int64_t stride, int vecs, int64_t lanes, real scale) {
    vec total[4] = {{0}, {0}, {0}, {0}};
    for (int64_t i = 0; i < count;) {
        vec run[4] = {{0}, {0}, {0}, {0}};
        for (const int64_t end = cg_min(i + SUM_RUN, count); i < end; i++)
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) run[v] += NAME(load_some)(x + i * stride + v * LANES, lanes);
        for (int v = 0; v < vecs; v++) total[v] += run[v];
    }
    for (int v = 0; v < vecs; v++) NAME(store_some)(y + v * LANES, total[v] * scale, lanes);
}

/* Columns 0..cols of Σ over i < count of x[i·stride + j], times scale. */
INLINE void NAME(sum_columns)(real *y, const real *x, int64_t count, int64_t stride, int64_t cols, real scale) {
    int64_t j = 0;
    for (; j + 4 * LANES <= cols; j += 4 * LANES) NAME(sum_vectors)(y + j, x + j, count, stride, 4, LANES, scale);
    for (; j + LANES <= cols; j += LANES) NAME(sum_vectors)(y + j, x + j, count, stride, 1, LANES, scale);
    if (j < cols) NAME(sum_vectors)(y + j, x + j, count, stride, 1, cols - j, scale);
}

/* y[outer, inner] = scale·Σ x[outer, count, inner]. A long line (outer, inner = 1) is first summed block by
 * block, by sum_blocks. */
KERNEL_BODY(sum) {
    const real *x = a->x;
    real *y = a->y, scale = R(a->scale);
    if (a->inner == 1) {
        cg_range r = cg_part(a->outer, cg_max(1, CG_BLOCK / cg_max(1, a->count)), share);
        for (int64_t i = r.begin; i < r.end; i++) y[i] = NAME(sum_line)(x + i * a->count, a->count) * scale;
        return;
    }
    const int64_t block = 256, blocks = cg_ceil_div(a->inner, block);
    cg_range r = cg_part(a->outer * blocks, 1, share);
    for (int64_t i = r.begin; i < r.end; i++) {
        int64_t o = i / blocks, j = i % blocks * block;
        NAME(sum_columns)(y + o * a->inner + j, x + o * a->count * a->inner + j, a->count, a->inner,
                          cg_min(block, a->inner - j), scale);
    }
}

/* partial[b] = Σ of block b of x[n] */
KERNEL_BODY(sum_blocks) {
    const real *x = a->x;
    real *partial = a->partial;
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i += CG_BLOCK)
        partial[i / CG_BLOCK] = NAME(sum_line)(x + i, cg_min(CG_BLOCK, r.end - i));
}

/* y[outer, inner] = the largest (or smallest) of x[outer, count, inner]; NaN if there is one. count > 0. */
#define EXTREME(name, better)                                                                    \
    KERNEL_BODY(name) {                                                                          \
        const real *x = a->x;                                                                    \
        real *y = a->y;                                                                          \
        const int64_t block = a->inner == 1 ? 1 : 256, blocks = cg_ceil_div(a->inner, block);    \
        cg_range r = cg_part(a->outer * blocks, a->inner == 1 ? cg_max(1, CG_BLOCK / a->count) : 1, share); \
        for (int64_t i = r.begin; i < r.end; i++) {                                              \
            int64_t o = i / blocks, j = i % blocks * block, n = cg_min(block, a->inner - j);     \
            const real *from = x + o * a->count * a->inner + j;                                  \
            real *to = y + o * a->inner + j;                                                     \
            if (a->inner == 1) {                                                                 \
                *to = NAME(name##_line)(from, a->count);                                         \
                continue;                                                                        \
            }                                                                                    \
            for (int64_t q = 0; q < n; q++) to[q] = from[q];                                     \
            for (int64_t k = 1; k < a->count; k++)                                               \
                for (int64_t q = 0; q < n; q++) {                                                \
                    real v = from[k * a->inner + q];                                             \
                    to[q] = v better to[q] || v != v ? v : to[q];                                \
                }                                                                                \
        }                                                                                        \
    }
#define EXTREME_LINE(name, better)                                                               \
    INLINE real NAME(name##_line)(const real *x, int64_t n) {                                    \
        enum { WIDTH = 64 };                                                                     \
        real best[WIDTH];                                                                        \
        int64_t i = 0;                                                                           \
        real y = x[0];                                                                           \
        for (int64_t q = 0; n >= WIDTH && q < WIDTH; q++) best[q] = x[q];                        \
        for (; i + WIDTH <= n; i += WIDTH)                                                       \
            for (int64_t q = 0; q < WIDTH; q++) {                                                \
                real v = x[i + q];                                                               \
                best[q] = v better best[q] || v != v ? v : best[q];                              \
            }                                                                                    \
        for (int64_t q = 0; i > 0 && q < WIDTH; q++) y = best[q] better y || best[q] != best[q] ? best[q] : y; \
        for (; i < n; i++) y = x[i] better y || x[i] != x[i] ? x[i] : y;                         \
        return y;                                                                                \
    }

EXTREME_LINE(max, >)
EXTREME(max, >)
EXTREME_LINE(min, <)
EXTREME(min, <)

#undef EXTREME
#undef EXTREME_LINE
