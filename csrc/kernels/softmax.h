/* Softmax and log-softmax of the rows of x[rows, cols]. */

/* Rows that are dealt to shares as one. */
#define ROW_BLOCK(cols) cg_max(1, CG_BLOCK / cg_max(1, cols))

/* sum += e = e^(x − m) of LANES numbers */
INLINE void NAME(exp_lanes)(real *e, real *sum, const real *x, real m) {
#pragma omp simd
    for (int64_t q = 0; q < LANES; q++) {
        e[q] = NAME(exp)(x[q] - m);
        sum[q] += e[q];
    }
}

/* y = e^(x − m); the last lanes are filled up with −∞, whose power is 0. Returns Σ y; y may be NULL. */
INLINE real NAME(sum_exp)(real *y, const real *x, real m, int64_t n) {
    real sum[LANES], e[LANES], rest[LANES], total = 0;
    int64_t i = 0;
    for (int64_t q = 0; q < LANES; q++) sum[q] = 0;
    for (; i + LANES <= n; i += LANES) NAME(exp_lanes)(y ? y + i : e, sum, x + i, m);
    if (i < n) {
        for (int64_t q = 0; q < LANES; q++) rest[q] = i + q < n ? x[i + q] : -INFINITY;
        NAME(exp_lanes)(e, sum, rest, m);
        for (int64_t q = 0; y && i + q < n; q++) y[i + q] = e[q];
    }
    for (int64_t q = 0; q < LANES; q++) total += sum[q];
    return total;
}

/* y = e^(x − max)/Σ e^(x − max) */
KERNEL_BODY(softmax) {
    const real *x = a->x;
    real *y = a->y;
    if (!a->cols) return;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        real *to = y + i * a->cols;
        real scale = 1 / NAME(sum_exp)(to, x + i * a->cols, NAME(max_line)(x + i * a->cols, a->cols), a->cols);
        for (int64_t j = 0; j < a->cols; j++) to[j] *= scale;
    }
}

/* dx = y·(dy − Σ dy·y) */
KERNEL_BODY(softmax_backward) {
    const real *dy = a->dy, *y = a->y;
    real *dx = a->dx;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *g = dy + i * a->cols, *s = y + i * a->cols;
        real dot = NAME(dot_line)(g, s, a->cols);
        for (int64_t j = 0; j < a->cols; j++) dx[i * a->cols + j] = s[j] * (g[j] - dot);
    }
}

/* y = x − log Σ eˣ */
KERNEL_BODY(log_softmax) {
    const real *x = a->x;
    real *y = a->y;
    if (!a->cols) return;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *from = x + i * a->cols;
        real m = NAME(max_line)(from, a->cols), rest = NAME(log)(NAME(sum_exp)(0, from, m, a->cols));
        for (int64_t j = 0; j < a->cols; j++) y[i * a->cols + j] = (from[j] - m) - rest;
    }
}

/* dx = dy − eʸ·Σ dy */
KERNEL_BODY(log_softmax_backward) {
    const real *dy = a->dy, *y = a->y;
    real *dx = a->dx;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *g = dy + i * a->cols, *l = y + i * a->cols;
        real sum = NAME(sum_line)(g, a->cols);
        for (int64_t j = 0; j < a->cols; j++) dx[i * a->cols + j] = g[j] - NAME(exp)(l[j]) * sum;
    }
}
