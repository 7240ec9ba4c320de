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

/* dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n), g = dy·weight, x̂ = (x − mean)·rstd, for one row */
INLINE void NAME(layer_norm_row)(real *restrict dx, const real *restrict dy, const real *restrict x,
                                 const real *restrict weight, real mean, real rstd, int64_t n) {
    enum { WIDTH = 32 };
    real sums[WIDTH] = {0}, dots[WIDTH] = {0}, sum = 0, dot = 0;
    int64_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH)
        for (int64_t q = 0; q < WIDTH; q++) {
            const real g = weight ? dy[j + q] * weight[j + q] : dy[j + q];
            sums[q] += g, dots[q] += g * (x[j + q] - mean);
        }
    for (int64_t q = 0; j < n; q++, j++) {
        const real g = weight ? dy[j] * weight[j] : dy[j];
        sums[q] += g, dots[q] += g * (x[j] - mean);
    }
    for (int64_t q = 0; q < WIDTH; q++) sum += sums[q], dot += dots[q];
    const real lift = sum / (real)n, tilt = dot * rstd * rstd / (real)n;
    for (j = 0; j < n; j++) {
        const real g = weight ? dy[j] * weight[j] : dy[j];
        dx[j] = rstd * (g - lift - (x[j] - mean) * tilt);
    }
}

/* dx, and sums over blocks of `block` rows for dw = Σ dy·x̂ and db = Σ dy: partial[blocks, 2, cols]. dx and partial may
 * be NULL; sum adds the partials. */
KERNEL_BODY(layer_norm_backward) {
    const real *mean = a->mean, *rstd = a->rstd;
    const int64_t cols = a->cols;
    cg_range r = cg_part(a->rows, a->block, share);
    for (int64_t first = r.begin; first < r.end; first += a->block) {
        real *restrict dw = a->partial ? (real *)a->partial + first / a->block * 2 * cols : 0;
        real *restrict db = dw + (dw ? cols : 0);
        if (dw) memset(dw, 0, 2 * cols * sizeof(real));
        for (int64_t i = first; i < cg_min(first + a->block, r.end); i++) {
            const real *restrict x = (const real *)a->x + i * cols, *restrict dy = (const real *)a->dy + i * cols;
            const real m = mean[i], s = rstd[i];
            if (a->dx) {
                if (a->weight) NAME(layer_norm_row)((real *)a->dx + i * cols, dy, x, a->weight, m, s, cols);
                else NAME(layer_norm_row)((real *)a->dx + i * cols, dy, x, 0, m, s, cols);
            }
            for (int64_t j = 0; dw && j < cols; j++) {
                dw[j] += dy[j] * ((x[j] - m) * s);
                db[j] += dy[j];
            }
        }
    }
}

#undef moments
