/* Dropout. N. Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting". */

/* y = x·mask/(1 − p), mask[i] = 0 with probability p: where word i of Philox at (seed, offset) is below p·2³², else 1. The
 * mask, one byte a number, is written for backward unless it is NULL. */
KERNEL_BODY(dropout) {
    const real *restrict x = a->x;
    real *restrict y = a->y;
    uint8_t *restrict mask = a->mask;
    const real scale = a->p < 1 ? R(1 / (1 - a->p)) : 0;
    const uint32_t limit = a->p < 1 ? (uint32_t)(a->p * 4294967296.0) : UINT32_MAX;
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i += PHILOX_GROUP) {
        uint32_t words[PHILOX_GROUP];
        cg_philox(words, a->seed, a->offset + (uint64_t)(i / 4));
        const int64_t n = cg_min(PHILOX_GROUP, r.end - i);
        if (n == PHILOX_GROUP) {
            for (int64_t j = 0; j < PHILOX_GROUP; j++) y[i + j] = x[i + j] * (words[j] < limit ? 0 : scale);
            for (int64_t j = 0; mask && j < PHILOX_GROUP; j++) mask[i + j] = words[j] >= limit;
        } else
            for (int64_t j = 0; j < n; j++) {
                y[i + j] = x[i + j] * (words[j] < limit ? 0 : scale);
                if (mask) mask[i + j] = words[j] >= limit;
            }
    }
}

/* dx = dy·mask/(1 − p) */
KERNEL_BODY(dropout_backward) {
    const real *restrict dy = a->dy, scale = a->p < 1 ? R(1 / (1 - a->p)) : 0;
    const uint8_t *restrict mask = a->mask;
    real *restrict dx = a->dx;
    cg_range r = cg_part(a->n, CG_BLOCK, share);
#pragma omp simd
    for (int64_t i = r.begin; i < r.end; i++) dx[i] = dy[i] * (mask[i] ? scale : 0);
}
