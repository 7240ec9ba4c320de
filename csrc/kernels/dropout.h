/* Dropout. N. Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting". */

#define DROPOUT_GROUP (2 * PHILOX_GROUP) /* two elements for each word */

/* One group: y = x·scale and mask = 1 if the half word reaches the limit, else 0 */
INLINE void NAME(dropout_group)(real *restrict y, uint8_t *restrict mask, const real *restrict x,
                                const uint16_t *restrict halves, uint32_t limit, real scale) {
    for (int64_t j = 0; j < DROPOUT_GROUP; j++) y[j] = x[j] * (halves[j] < limit ? 0 : scale);
    for (int64_t j = 0; mask && j < DROPOUT_GROUP; j++) mask[j] = halves[j] >= limit;
}

/* y = x·mask/(1 − p), mask[i] = 0 with probability p: if 16 bits of Philox at (seed, offset), the low half of word i/2 for
 * even i and the high half for odd i, are below p·2¹⁶, rounded. That is p to within 2⁻¹⁷, at half the cost of one word for
 * each element. The mask, one byte for each element, is written for backward unless it is NULL. */
KERNEL_BODY(dropout) {
    const real *restrict x = a->x, scale = a->p < 1 ? R(1 / (1 - a->p)) : 0;
    real *restrict y = a->y;
    uint8_t *restrict mask = a->mask;
    const uint32_t limit = (uint32_t)(a->p * 65536 + 0.5);
    const uint64_t seed = a->seed, offset = a->offset;
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i += DROPOUT_GROUP) {
        union { uint32_t words[PHILOX_GROUP]; uint16_t halves[DROPOUT_GROUP]; } drawn;
        cg_philox(drawn.words, seed, offset + (uint64_t)(i / 8));
        const int64_t n = r.end - i;
        if (n >= DROPOUT_GROUP) {
            if (mask) NAME(dropout_group)(y + i, mask + i, x + i, drawn.halves, limit, scale);
            else NAME(dropout_group)(y + i, 0, x + i, drawn.halves, limit, scale);
        } else { /* the last group is computed in full in a buffer */
            real in[DROPOUT_GROUP] = {0}, out[DROPOUT_GROUP];
            uint8_t kept[DROPOUT_GROUP];
            memcpy(in, x + i, n * sizeof(real));
            NAME(dropout_group)(out, kept, in, drawn.halves, limit, scale);
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

#undef DROPOUT_GROUP
