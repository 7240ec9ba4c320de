/* Layer norm of the rows of x[rows, cols]: y = (x − mean)·rstd·weight + bias, rstd = 1/√(var + eps).
 * J. L. Ba, J. R. Kiros, G. E. Hinton (2016), "Layer normalization". weight and bias may be NULL. */

/* y = (x − mean − low)·rstd·weight + bias of one row */
INLINE void NAME(layer_norm_line)(real *restrict y, const real *restrict x, const real *restrict weight,
                                  const real *restrict bias, real mean, real low, real rstd, int64_t n) {
    const real lift = low * rstd;
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        vec v = (LOAD(x + j) - mean) * rstd - lift;
        if (weight) v *= LOAD(weight + j);
        if (bias) v += LOAD(bias + j);
        STORE(y + j, v);
    }
    for (; j < n; j++) y[j] = ((x[j] - mean) * rstd - lift) * (weight ? weight[j] : 1) + (bias ? bias[j] : 0);
}

/* y, and each row's mean[2, rows], rounded and what that lost, and rstd */
KERNEL_BODY(layer_norm) {
    const real *restrict weight = a->weight, *restrict bias = a->bias;
    real *mean = a->mean, *rstd = a->rstd;
    if (!a->cols) return;
    cg_range r = cg_part(a->rows, cg_max(1, CG_BLOCK / a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict x = (const real *)a->x + i * a->cols;
        real *restrict y = (real *)a->y + i * a->cols;
        moments m = NAME(line_moments)((moments){0, 0, 0, 0}, x, a->cols);
        real low, scale = 1 / NAME(sqrt)(m.m2 / (real)a->cols + R(a->eps));
        const real center = NAME(split_mean)(&low, m.origin, m.mean);
        if (!(m.m2 <= REAL_MAX)) scale = NAME(far_spread)(x, 1, 0, a->cols, center, a->eps).rstd;
        mean[i] = center, mean[a->rows + i] = low, rstd[i] = scale;
        if (weight && bias) NAME(layer_norm_line)(y, x, weight, bias, center, low, scale, a->cols);
        else if (weight) NAME(layer_norm_line)(y, x, weight, 0, center, low, scale, a->cols);
        else NAME(layer_norm_line)(y, x, 0, bias, center, low, scale, a->cols);
    }
}

/* Rows whose gradients are computed together, so that each column's sum is read and written once for all of them. */
#define NORM_ROWS 4

/* tilt = Σ g·(x − mean − low)·rstd²·each and lift = Σg·each − low·tilt of one row, g = dy·weight, each = 1/n. rstd² alone
 * could underflow. */
INLINE void NAME(layer_norm_sums)(real *lift, real *tilt, const real *dy, const real *x, const real *weight, real mean,
                                  real low, real rstd, real each, int64_t n) {
    vec sums[2] = {{0}, {0}}, dots[2] = {{0}, {0}};
    real sum = 0, dot = 0;
    int64_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            const int64_t at = j + v * LANES;
            vec g = LOAD(dy + at);
            if (weight) g *= LOAD(weight + at);
            sums[v] += g, dots[v] += g * (LOAD(x + at) - mean);
        }
    for (; j < n; j++) {
        const real g = weight ? dy[j] * weight[j] : dy[j];
        sum += g, dot += g * (x[j] - mean);
    }
    sum += NAME(lane_sum)(sums[0] + sums[1]);
    *tilt = (NAME(lane_sum)(dots[0] + dots[1]) + dot - low * sum) * rstd * (each * rstd);
    *lift = sum * each - low * *tilt;
}

/* For `rows` rows of `all`: dx = rstd·(g − lift − (x − mean)·tilt), dw += dy·x̂, db += dy. dx, or dw and db, may be NULL. */
INLINE void NAME(layer_norm_rows)(int rows, real *dx, real *dw, real *db, const real *dy, const real *x,
                                  const real *weight, const real *mean, const real *rstd, int64_t all, int64_t n) {
    real lift[NORM_ROWS] = {0}, tilt[NORM_ROWS] = {0}, shift[NORM_ROWS] = {0};
    const real *low = mean + all, each = 1 / (real)n;
    for (int i = 0; i < rows; i++) shift[i] = low[i] * rstd[i];
    for (int i = 0; dx && i < rows; i++)
        NAME(layer_norm_sums)(lift + i, tilt + i, dy + i * n, x + i * n, weight, mean[i], low[i], rstd[i], each, n);
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        vec w_sum = {0}, b_sum = {0}, w = (vec){0} + 1;
        if (weight) w = LOAD(weight + j);
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            const vec g = LOAD(dy + i * n + j), centered = LOAD(x + i * n + j) - mean[i];
            if (dx) STORE(dx + i * n + j, rstd[i] * (g * w - lift[i] - centered * tilt[i]));
            w_sum += g * (centered * rstd[i] - shift[i]), b_sum += g;
        }
        if (dw) STORE(dw + j, LOAD(dw + j) + w_sum), STORE(db + j, LOAD(db + j) + b_sum);
    }
    for (; j < n; j++) {
        real w_sum = 0, b_sum = 0;
        for (int i = 0; i < rows; i++) {
            const real g = dy[i * n + j], centered = x[i * n + j] - mean[i];
            if (dx) dx[i * n + j] = rstd[i] * ((weight ? g * weight[j] : g) - lift[i] - centered * tilt[i]);
            w_sum += g * (centered * rstd[i] - shift[i]), b_sum += g;
        }
        if (dw) dw[j] += w_sum, db[j] += b_sum;
    }
}

/* dx, and for dw = Σ dy·x̂ and db = Σ dy the sums of each block of `block` rows: dw[blocks, cols], db[blocks, cols].
 * dx, or dw and db, may be NULL. */
KERNEL_BODY(layer_norm_backward) {
    const int64_t cols = a->cols;
    const real *weight = a->weight;
    cg_range r = cg_part(a->rows, a->block, share);
    for (int64_t i = r.begin; i < r.end;) {
        const real *x = (const real *)a->x + i * cols, *dy = (const real *)a->dy + i * cols;
        const real *mean = (const real *)a->mean + i, *rstd = (const real *)a->rstd + i;
        const int64_t block = i / a->block, end = cg_min((block + 1) * a->block, a->rows);
        real *dx = a->dx ? (real *)a->dx + i * cols : 0;
        real *dw = a->dw ? (real *)a->dw + block * cols : 0, *db = a->dw ? (real *)a->db + block * cols : 0;
        if (dw && i % a->block == 0) {
            memset(dw, 0, cols * sizeof(real));
            memset(db, 0, cols * sizeof(real));
        }
        const int many = dw && end - i >= NORM_ROWS;
        if (many && weight) NAME(layer_norm_rows)(NORM_ROWS, dx, dw, db, dy, x, weight, mean, rstd, a->rows, cols);
        else if (many) NAME(layer_norm_rows)(NORM_ROWS, dx, dw, db, dy, x, 0, mean, rstd, a->rows, cols);
        else NAME(layer_norm_rows)(1, dx, dw, db, dy, x, weight, mean, rstd, a->rows, cols);
        i += many ? NORM_ROWS : 1;
    }
}

#undef NORM_ROWS
#undef moments
