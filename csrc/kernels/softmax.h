/* Softmax and log-softmax of the rows of x[rows, cols]. */

/* Rows in a block of work. */
#define ROW_BLOCK(cols) cg_max(1, CG_BLOCK / cg_max(1, cols))

/* The largest of x[0..n), ignoring NaN, which makes the sum of exponentials NaN anyway. */
INLINE real NAME(top_of_line)(const real *x, int64_t n) {
    vec top[4];
    for (int v = 0; v < 4; v++) top[v] = (vec){0} - INFINITY;
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) top[v] = NAME(larger)(LOAD(x + i + v * LANES), top[v]);
    for (; i < n; i += LANES)
        top[0] = NAME(larger)(i + LANES <= n ? LOAD(x + i) : NAME(load_part)(x + i, n - i, -INFINITY), top[0]);
    vec all = NAME(larger)(NAME(larger)(top[0], top[1]), NAME(larger)(top[2], top[3]));
#pragma GCC unroll 4
    for (int64_t lanes = LANES; lanes > 1; lanes /= 2) all = NAME(larger)(ZIP_LOW(all, all), ZIP_HIGH(all, all));
    return all[0];
}

/* e^(x − m), lane by lane */
INLINE vec NAME(exp_lanes)(vec x, vec m) {
    real e[LANES];
#pragma omp simd
    for (int64_t q = 0; q < LANES; q++) e[q] = NAME(exp_negative)(x[q] - m[q]);
    return LOAD(e);
}

/* y = e^(x − m), m the largest x; returns Σ y. y may be NULL. Lanes past the end hold −∞, whose exponential is 0. The
 * next line is prefetched meanwhile. */
INLINE real NAME(sum_exp)(real *y, const real *x, real largest, int64_t n) {
    vec sums[2] = {{0}, {0}};
    const vec m = (vec){0} + largest;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            __builtin_prefetch(x + n + i + v * LANES);
            const vec e = NAME(exp_lanes)(LOAD(x + i + v * LANES), m);
            if (y) STORE(y + i + v * LANES, e);
            sums[v] += e;
        }
    for (; i < n; i += LANES) {
        const int64_t count = cg_min(LANES, n - i);
        const vec e = NAME(exp_lanes)(count == LANES ? LOAD(x + i) : NAME(load_part)(x + i, count, -INFINITY), m);
        if (y) NAME(store_part)(y + i, e, count);
        sums[0] += e;
    }
    return NAME(lane_sum)(sums[0] + sums[1]);
}

/* top[i] = the largest of row i of x, as top_of_line, and sum[i] = Σ e^(x − top), as sum_exp, of `rows` ≤ LANES rows. Rows of
 * at most two vectors are transposed: a vector then holds one element of each row, all lanes are used, and no sum crosses
 * lanes. The sums have the same order as those of lane_sum. */
INLINE void NAME(sum_exp_rows)(real *top, real *sum, const real *x, int64_t rows, int64_t cols) {
    if (cols > 2 * LANES || !cols) {
        for (int64_t i = 0; i < rows; i++, x += cols) {
            top[i] = NAME(top_of_line)(x, cols);
            sum[i] = NAME(sum_exp)(0, x, top[i], cols);
        }
        for (int64_t i = rows; i < LANES; i++) top[i] = sum[i] = 1;
        return;
    }
    vec e[2 * LANES], largest = (vec){0} - INFINITY;
    for (int64_t j = 0; j < cols; j += LANES) {
#pragma GCC unroll 16
        for (int64_t i = 0; i < LANES; i++) {
            const real *from = x + cg_min(i, rows - 1) * cols + j;
            e[j + i] = NAME(load_some)(from, cols - j);
        }
        NAME(transpose)(e + j);
    }
    for (int64_t j = 0; j < cols; j++) largest = NAME(larger)(e[j], largest);
    for (int64_t j = 0; j < cols; j++) e[j] = NAME(exp_lanes)(e[j], largest);
    for (int64_t n = LANES; n > 0; n /= 2)
        for (int64_t j = n; j < cg_min(2 * n, cols); j++) e[j - n] += e[j];
    STORE(top, largest);
    STORE(sum, e[0]);
}

/* y = e^(x − max)/Σ e^(x − max) */
KERNEL_BODY(softmax) {
    if (!a->cols) return;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict x = (const real *)a->x + i * a->cols;
        real *restrict y = (real *)a->y + i * a->cols;
        const real scale = 1 / NAME(sum_exp)(y, x, NAME(top_of_line)(x, a->cols), a->cols);
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
        const real m = NAME(top_of_line)(x, a->cols), rest = NAME(log)(NAME(sum_exp)(0, x, m, a->cols));
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
        for (int64_t j = 0; j < a->cols; j++) dx[j] = dy[j] - NAME(exp_negative)(y[j]) * sum;
    }
}
