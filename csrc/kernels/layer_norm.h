/* Layer norm of the rows of x[rows, cols]: y = (x − mean)·rstd·weight + bias, rstd = 1/√(var + eps).
 * J. L. Ba, J. R. Kiros, G. E. Hinton (2016), "Layer normalization". weight and bias may be NULL. */

/* y, and each row's mean and rstd */
KERNEL_BODY(layer_norm) {
    const real *restrict weight = a->weight, *restrict bias = a->bias;
    real *mean = a->mean, *rstd = a->rstd;
    if (!a->cols) return;
    cg_range r = cg_part(a->rows, cg_max(1, CG_BLOCK / a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict x = (const real *)a->x + i * a->cols;
        real *restrict y = (real *)a->y + i * a->cols;
        moments m = NAME(line_moments)((moments){0, 0, 0}, x, a->cols);
        const real centre = m.mean, scale = 1 / NAME(sqrt)(m.m2 / (real)a->cols + R(a->eps));
        mean[i] = centre, rstd[i] = scale;
        if (weight && bias)
            for (int64_t j = 0; j < a->cols; j++) y[j] = (x[j] - centre) * scale * weight[j] + bias[j];
        else if (weight)
            for (int64_t j = 0; j < a->cols; j++) y[j] = (x[j] - centre) * scale * weight[j];
        else
            for (int64_t j = 0; j < a->cols; j++) y[j] = (x[j] - centre) * scale + (bias ? bias[j] : 0);
    }
}

/* Of one row, with g = dy·weight: sum = Σ g and dot = Σ g·(x − mean); and dw += dy·x̂, db += dy, unless they are NULL */
INLINE void NAME(layer_norm_sums)(real *restrict dw, real *restrict db, real *sum, real *dot, const real *restrict dy,
                                  const real *restrict x, const real *restrict weight, real mean, real rstd, int64_t n) {
    vec sums[2] = {{0}, {0}}, dots[2] = {{0}, {0}};
    real sum_rest = 0, dot_rest = 0;
    int64_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            const int64_t at = j + v * LANES;
            const vec d = LOAD(dy + at), t = d * (LOAD(x + at) - mean);
            vec w = (vec){0} + 1;
            if (weight) w = LOAD(weight + at);
            sums[v] += d * w, dots[v] += t * w;
            if (dw) STORE(dw + at, LOAD(dw + at) + t * rstd), STORE(db + at, LOAD(db + at) + d);
        }
    for (; j < n; j++) {
        const real t = dy[j] * (x[j] - mean);
        sum_rest += weight ? dy[j] * weight[j] : dy[j];
        dot_rest += weight ? t * weight[j] : t;
        if (dw) dw[j] += t * rstd, db[j] += dy[j];
    }
    *sum = NAME(lane_sum)(sums[0] + sums[1]) + sum_rest;
    *dot = NAME(lane_sum)(dots[0] + dots[1]) + dot_rest;
}

/* One row: dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n), g = dy·weight, x̂ = (x − mean)·rstd; any of dx and dw with db may be NULL */
INLINE void NAME(layer_norm_row)(real *restrict dx, real *restrict dw, real *restrict db, const real *restrict dy,
                                 const real *restrict x, const real *restrict weight, real mean, real rstd, int64_t n) {
    real sum, dot;
    NAME(layer_norm_sums)(dw, db, &sum, &dot, dy, x, weight, mean, rstd, n);
    if (!dx) return;
    const real lift = sum / (real)n, tilt = dot * rstd * rstd / (real)n;
    for (int64_t j = 0; j < n; j++)
        dx[j] = rstd * ((weight ? dy[j] * weight[j] : dy[j]) - lift - (x[j] - mean) * tilt);
}

/* dx, and sums over blocks of `block` rows for dw = Σ dy·x̂ and db = Σ dy: partial[blocks, 2, cols]. dx and partial may
 * be NULL; sum adds the partials. */
KERNEL_BODY(layer_norm_backward) {
    const int64_t cols = a->cols;
    const real *weight = a->weight;
    cg_range r = cg_part(a->rows, a->block, share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *x = (const real *)a->x + i * cols, *dy = (const real *)a->dy + i * cols;
        const real mean = ((const real *)a->mean)[i], rstd = ((const real *)a->rstd)[i];
        real *dx = a->dx ? (real *)a->dx + i * cols : 0;
        real *dw = a->partial ? (real *)a->partial + i / a->block * 2 * cols : 0, *db = dw + (dw ? cols : 0);
        if (dw && i % a->block == 0) memset(dw, 0, 2 * cols * sizeof(real));
        if (dw && weight) NAME(layer_norm_row)(dx, dw, db, dy, x, weight, mean, rstd, cols);
        else if (dw) NAME(layer_norm_row)(dx, dw, db, dy, x, 0, mean, rstd, cols);
        else if (weight) NAME(layer_norm_row)(dx, 0, 0, dy, x, weight, mean, rstd, cols);
        else NAME(layer_norm_row)(dx, 0, 0, dy, x, 0, mean, rstd, cols);
    }
}

#undef moments
