/* Gathering and scattering of rows. Every index has been checked to be in range. */

/* y[i] = x[index[i]], rows of row_bytes bytes of any dtype */
KERNEL_BODY(gather_rows) {
    const char *x = a->x;
    char *y = a->y;
    cg_range r = cg_part(a->count, cg_max(1, CG_BLOCK / cg_max(1, a->row_bytes)), share);
    for (int64_t i = r.begin; i < r.end; i++)
        memcpy(y + i * a->row_bytes, x + a->index[i] * a->row_bytes, a->row_bytes);
}

/* dx[index[i]] += dy[i] from zeros, in the order of i; row `padding` stays zero (−1: none). Each share has its own
 * columns. */
KERNEL_BODY(scatter_rows) {
    const real *dy = a->dy;
    real *dx = a->dx;
    cg_range r = cg_part(a->cols, 64, share);
    const int64_t n = r.end - r.begin;
    for (int64_t i = 0; i < a->rows; i++) memset(dx + i * a->cols + r.begin, 0, n * sizeof(real));
    for (int64_t i = 0; i < a->count; i++) {
        const real *restrict from = dy + i * a->cols + r.begin;
        real *restrict to = dx + a->index[i] * a->cols + r.begin;
        if (a->index[i] == a->padding) continue;
        for (int64_t j = 0; j < n; j++) to[j] += from[j];
    }
}
