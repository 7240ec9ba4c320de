/* Dropout. N. Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting". */

/* One group: y = x·scale and mask = 1 where the word reaches the limit, else 0 */
INLINE void NAME(dropout_group)(real *restrict y, uint8_t *restrict mask, const real *restrict x,
                                const uint32_t *restrict words, uint32_t limit, real scale) {
    for (int64_t j = 0; j < PHILOX_GROUP; j++) y[j] = x[j] * (words[j] < limit ? 0 : scale);
    for (int64_t j = 0; mask && j < PHILOX_GROUP; j++) mask[j] = words[j] >= limit;
}

/* y = x·mask/(1 − p), mask[i] = 0 with probability p: where word i of Philox at (seed, offset) is below p·2³², else 1. The
 * mask, one byte a number, is written for backward unless it is NULL. */
KERNEL_BODY(dropout) {
    const real *restrict x = a->x, scale = a->p < 1 ? R(1 / (1 - a->p)) : 0;
    real *restrict y = a->y;
    uint8_t *restrict mask = a->mask;
    const uint32_t limit = a->p < 1 ? (uint32_t)(a->p * 4294967296.0) : UINT32_MAX;
    const uint64_t seed = a->seed, offset = a->offset;
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i += PHILOX_GROUP) {
        uint32_t words[PHILOX_GROUP];
        cg_philox(words, seed, offset + (uint64_t)(i / 4));
        const int64_t n = r.end - i;
        if (n >= PHILOX_GROUP) {
            if (mask) NAME(dropout_group)(y + i, mask + i, x + i, words, limit, scale);
            else NAME(dropout_group)(y + i, 0, x + i, words, limit, scale);
        } else { /* the last group is made in full beside the arrays */
            real in[PHILOX_GROUP] = {0}, out[PHILOX_GROUP];
            uint8_t kept[PHILOX_GROUP];
            memcpy(in, x + i, n * sizeof(real));
            NAME(dropout_group)(out, kept, in, words, limit, scale);
            memcpy(y + i, out, n * sizeof(real));
            if (mask) memcpy(mask + i, kept, n);
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
