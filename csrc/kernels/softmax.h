/* Softmax and log-softmax of the rows of x[rows, cols]. */

/* Rows that are dealt to shares as one. */
#define ROW_BLOCK(cols) cg_max(1, CG_BLOCK / cg_max(1, cols))

/* e[0..LANES) = e^(x − m) */
INLINE vec NAME(exp_lanes)(const real *x, real m) {
    real e[LANES];
#pragma omp simd
    for (int64_t q = 0; q < LANES; q++) e[q] = NAME(exp_negative)(x[q] - m, 0);
    return LOAD(e);
}

/* y = e^(x − m), m the largest x; returns Σ y. y may be NULL. Lanes behind the end hold −∞, whose power is 0. */
INLINE real NAME(sum_exp)(real *y, const real *x, real m, int64_t n) {
    vec sum = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vec e = NAME(exp_lanes)(x + i, m);
        if (y) STORE(y + i, e);
        sum += e;
    }
    if (i < n) {
        const vec rest = NAME(load_part)(x + i, n - i, -INFINITY), e = NAME(exp_lanes)((const real *)&rest, m);
        if (y) memcpy(y + i, &e, (n - i) * sizeof(real));
        sum += e;
    }
    return NAME(lane_sum)(sum);
}

/* y = e^(x − max)/Σ e^(x − max) */
KERNEL_BODY(softmax) {
    if (!a->cols) return;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict x = (const real *)a->x + i * a->cols;
        real *restrict y = (real *)a->y + i * a->cols;
        const real scale = 1 / NAME(sum_exp)(y, x, NAME(max_line)(x, a->cols), a->cols);
        for (int64_t j = 0; j < a->cols; j++) y[j] *= scale;
    }
}

/* dx = y·(dy − Σ dy·y) */
KERNEL_BODY(softmax_backward) {
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict dy = (const real *)a->dy + i * a->cols, *restrict y = (const real *)a->y + i * a->cols;
        real *restrict dx = (real *)a->dx + i * a->cols;
        const real dot = NAME(dot_line)(dy, y, a->cols);
        for (int64_t j = 0; j < a->cols; j++) dx[j] = y[j] * (dy[j] - dot);
    }
}

/* y = x − log Σ eˣ */
KERNEL_BODY(log_softmax) {
    if (!a->cols) return;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict x = (const real *)a->x + i * a->cols;
        real *restrict y = (real *)a->y + i * a->cols;
        const real m = NAME(max_line)(x, a->cols), rest = NAME(log)(NAME(sum_exp)(0, x, m, a->cols));
        for (int64_t j = 0; j < a->cols; j++) y[j] = (x[j] - m) - rest;
    }
}

/* dx = dy − eʸ·Σ dy */
KERNEL_BODY(log_softmax_backward) {
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict dy = (const real *)a->dy + i * a->cols, *restrict y = (const real *)a->y + i * a->cols;
        real *restrict dx = (real *)a->dx + i * a->cols;
        const real sum = NAME(sum_line)(dy, a->cols);
#pragma omp simd
        for (int64_t j = 0; j < a->cols; j++) dx[j] = dy[j] - NAME(exp_negative)(y[j], 0) * sum;
    }
}
