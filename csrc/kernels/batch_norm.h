/* Batch norm of x[rows, channels, inner]: one mean and variance a channel, over rows and inner.
 *   y = (x − mean)·rstd·weight + bias,  rstd = 1/√(var + eps)
 * S. Ioffe, C. Szegedy (2015), "Batch normalization". weight and bias may be NULL (ones and zeros).
 * Columns (inner = 1) are taken CHANNEL_BLOCK at a time, so that a pass down the rows reads whole runs. */
#define CHANNEL_BLOCK 256
#define STATS_ROWS 32

/* Mean and sum of squared deviations M2 of n numbers, grown run by run. T. F. Chan, G. H. Golub, R. J. LeVeque
 * (1983), "Algorithms for computing the sample variance": no difference of large sums is ever taken. */
typedef struct { real n, mean, m2; } NAME(moments);
#define moments NAME(moments)

/* Joins a run of k numbers: shift is near its mean, s and q are Σ(x − shift) and Σ(x − shift)². */
INLINE moments NAME(join)(moments m, real k, real shift, real s, real q) {
    const real run_mean = shift + s / k, run_m2 = q - s * s / k, n = m.n + k, delta = run_mean - m.mean;
    return (moments){n, m.mean + delta * (k / n), m.m2 + run_m2 + delta * delta * (m.n * k / n)};
}

/* The moments of one contiguous line, added to m. */
static moments NAME(line_moments)(moments m, const real *x, int64_t n) {
    for (int64_t i = 0; i < n; i += CG_BLOCK) {
        const int64_t k = cg_min(CG_BLOCK, n - i);
        const real shift = NAME(sum_line)(x + i, k) / (real)k;
        enum { WIDTH = 32 };
        real s[WIDTH] = {0}, q[WIDTH] = {0}, s_all = 0, q_all = 0;
        int64_t j = 0;
        for (; j + WIDTH <= k; j += WIDTH)
            for (int64_t l = 0; l < WIDTH; l++) {
                real d = x[i + j + l] - shift;
                s[l] += d, q[l] += d * d;
            }
        for (int64_t l = 0; j < k; l++, j++) {
            real d = x[i + j] - shift;
            s[l] += d, q[l] += d * d;
        }
        for (int64_t l = 0; l < WIDTH; l++) s_all += s[l], q_all += q[l];
        m = NAME(join)(m, (real)k, shift, s_all, q_all);
    }
    return m;
}

/* mean[j] and m2[j] of the columns x[·, j], j < cols ≤ CHANNEL_BLOCK */
static void NAME(column_moments)(real *restrict mean, real *restrict m2, const real *restrict x, int64_t rows,
                                 int64_t stride, int64_t cols) {
    real shift[CHANNEL_BLOCK], s[CHANNEL_BLOCK], q[CHANNEL_BLOCK];
    memset(mean, 0, cols * sizeof(real));
    memset(m2, 0, cols * sizeof(real));
    for (int64_t i = 0; i < rows; i += STATS_ROWS) {
        const int64_t end = cg_min(i + STATS_ROWS, rows);
        const real k = (real)(end - i), before = (real)i;
        memset(shift, 0, sizeof shift), memset(s, 0, sizeof s), memset(q, 0, sizeof q);
        for (int64_t r = i; r < end; r++)
            for (int64_t j = 0; j < cols; j++) shift[j] += x[r * stride + j];
        for (int64_t j = 0; j < cols; j++) shift[j] /= k;
        for (int64_t r = i; r < end; r++)
            for (int64_t j = 0; j < cols; j++) {
                real d = x[r * stride + j] - shift[j];
                s[j] += d, q[j] += d * d;
            }
        for (int64_t j = 0; j < cols; j++) {
            moments m = NAME(join)((moments){before, mean[j], m2[j]}, k, shift[j], s[j], q[j]);
            mean[j] = m.mean, m2[j] = m.m2;
        }
    }
}

/* running ← (1 − momentum)·running + momentum·batch, the variance with Bessel's correction */
INLINE void NAME(update_running)(real *running_mean, real *running_var, real mean, real m2, int64_t n, double momentum) {
    if (running_mean) *running_mean = R((1 - momentum) * *running_mean + momentum * mean);
    if (running_var) *running_var = R((1 - momentum) * *running_var + momentum * (m2 / (real)(n - 1)));
}

/* Columns first..first + cols of a call with inner = 1 */
static void NAME(batch_norm_columns)(const cg_batch_norm_args *a, int64_t first, int64_t cols) {
    const real *x = (const real *)a->x + first, *weight = a->weight, *bias = a->bias;
    real *restrict y = (real *)a->y + first, *mean = (real *)a->mean + first, *rstd = (real *)a->rstd + first;
    real *running_mean = a->running_mean, *running_var = a->running_var;
    real m2[CHANNEL_BLOCK], scale[CHANNEL_BLOCK], shift[CHANNEL_BLOCK];
    NAME(column_moments)(mean, m2, x, a->rows, a->channels, cols);
    for (int64_t j = 0; j < cols; j++) {
        rstd[j] = 1 / NAME(sqrt)(m2[j] / (real)a->rows + R(a->eps));
        scale[j] = rstd[j] * (weight ? weight[first + j] : 1);
        shift[j] = bias ? bias[first + j] : 0;
    }
    for (int64_t j = 0; j < cols; j++)
        NAME(update_running)(running_mean ? running_mean + first + j : 0, running_var ? running_var + first + j : 0,
                             mean[j], m2[j], a->rows, a->momentum);
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[i * a->channels + j] = (x[i * a->channels + j] - mean[j]) * scale[j] + shift[j];
}

/* Channel c of a call with inner > 1 */
static void NAME(batch_norm_channel)(const cg_batch_norm_args *a, int64_t c) {
    const int64_t step = a->channels * a->inner, n = a->rows * a->inner;
    const real *restrict x = (const real *)a->x + c * a->inner, *weight = a->weight, *bias = a->bias;
    real *restrict y = (real *)a->y + c * a->inner;
    real *running_mean = a->running_mean, *running_var = a->running_var;
    moments m = {0, 0, 0};
    for (int64_t i = 0; i < a->rows; i++) m = NAME(line_moments)(m, x + i * step, a->inner);
    const real rstd = 1 / NAME(sqrt)(m.m2 / (real)n + R(a->eps)), mean = m.mean;
    const real scale = rstd * (weight ? weight[c] : 1), shift = bias ? bias[c] : 0;
    ((real *)a->mean)[c] = mean, ((real *)a->rstd)[c] = rstd;
    NAME(update_running)(running_mean ? running_mean + c : 0, running_var ? running_var + c : 0, mean, m.m2, n,
                         a->momentum);
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < a->inner; j++) y[i * step + j] = (x[i * step + j] - mean) * scale + shift;
}

/* In training: y, mean and rstd of the batch, and the running statistics moved (running_mean, running_var may be
 * NULL). rows·inner > 1. */
KERNEL_BODY(batch_norm) {
    if (a->inner == 1) {
        cg_range r = cg_part(a->channels, CHANNEL_BLOCK, share);
        for (int64_t c = r.begin; c < r.end; c += CHANNEL_BLOCK)
            NAME(batch_norm_columns)(a, c, cg_min(CHANNEL_BLOCK, r.end - c));
        return;
    }
    cg_range r = cg_part(a->channels, 1, share);
    for (int64_t c = r.begin; c < r.end; c++) NAME(batch_norm_channel)(a, c);
}

/* In evaluation: y from the statistics given; writes rstd, which backward needs. */
KERNEL_BODY(batch_norm_eval) {
    const real *restrict x = a->x, *mean = a->mean, *var = a->var, *weight = a->weight, *bias = a->bias;
    real *restrict y = a->y, *rstd = a->rstd;
    const int64_t block = a->inner == 1 ? CHANNEL_BLOCK : 1;
    cg_range r = cg_part(a->channels, block, share);
    for (int64_t c = r.begin; c < r.end; c++) rstd[c] = 1 / NAME(sqrt)(var[c] + R(a->eps));
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t c = r.begin; c < r.end; c += block) {
            const int64_t end = cg_min(c + block, r.end), at = (i * a->channels + c) * a->inner;
            if (a->inner == 1) {
                for (int64_t j = c; j < end; j++)
                    y[at + j - c] = (x[at + j - c] - mean[j]) * (rstd[j] * (weight ? weight[j] : 1)) +
                                    (bias ? bias[j] : 0);
                continue;
            }
            const real m = mean[c], scale = rstd[c] * (weight ? weight[c] : 1), shift = bias ? bias[c] : 0;
            for (int64_t j = 0; j < a->inner; j++) y[at + j] = (x[at + j] - m) * scale + shift;
        }
}

/* Columns of db = Σ dy and dw = Σ dy·(x − mean)·rstd, in runs of STATS_ROWS rows */
static void NAME(column_slopes)(real *restrict dw, real *restrict db, const real *restrict dy, const real *restrict x,
                                const real *restrict mean, int64_t rows, int64_t stride, int64_t cols) {
    real w_run[CHANNEL_BLOCK], b_run[CHANNEL_BLOCK];
    memset(dw, 0, cols * sizeof(real));
    memset(db, 0, cols * sizeof(real));
    for (int64_t i = 0; i < rows; i += STATS_ROWS) {
        const int64_t end = cg_min(i + STATS_ROWS, rows);
        memset(w_run, 0, sizeof w_run), memset(b_run, 0, sizeof b_run);
        for (int64_t r = i; r < end; r++)
            for (int64_t j = 0; j < cols; j++) {
                const real g = dy[r * stride + j];
                b_run[j] += g;
                w_run[j] += g * (x[r * stride + j] - mean[j]);
            }
        for (int64_t j = 0; j < cols; j++) dw[j] += w_run[j], db[j] += b_run[j];
    }
}

static void NAME(batch_norm_columns_backward)(const cg_batch_norm_backward_args *a, int64_t first, int64_t cols) {
    const real *restrict x = (const real *)a->x + first, *restrict dy = (const real *)a->dy + first;
    const real *weight = a->weight, *mean = (const real *)a->mean + first, *rstd = (const real *)a->rstd + first;
    real *restrict dx = (real *)a->dx + first;
    real dw[CHANNEL_BLOCK], db[CHANNEL_BLOCK], scale[CHANNEL_BLOCK], tilt[CHANNEL_BLOCK], lift[CHANNEL_BLOCK];
    NAME(column_slopes)(dw, db, dy, x, mean, a->rows, a->channels, cols);
    for (int64_t j = 0; j < cols; j++) {
        dw[j] *= rstd[j];
        scale[j] = rstd[j] * (weight ? weight[first + j] : 1);
        tilt[j] = a->training ? rstd[j] * dw[j] / (real)a->rows : 0;
        lift[j] = a->training ? db[j] / (real)a->rows : 0;
    }
    if (a->dw) memcpy((real *)a->dw + first, dw, cols * sizeof(real));
    if (a->db) memcpy((real *)a->db + first, db, cols * sizeof(real));
    if (!a->dx) return;
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            const int64_t at = i * a->channels + j;
            dx[at] = scale[j] * (dy[at] - lift[j] - (x[at] - mean[j]) * tilt[j]);
        }
}

static void NAME(batch_norm_channel_backward)(const cg_batch_norm_backward_args *a, int64_t c) {
    const int64_t step = a->channels * a->inner;
    const real *restrict x = (const real *)a->x + c * a->inner, *restrict dy = (const real *)a->dy + c * a->inner;
    real *restrict dx = a->dx ? (real *)a->dx + c * a->inner : 0;
    const real *weight = a->weight, mean = ((const real *)a->mean)[c], rstd = ((const real *)a->rstd)[c];
    const real n = (real)(a->rows * a->inner);
    real dw = 0, db = 0;
    for (int64_t i = 0; i < a->rows; i++) {
        real sum = NAME(sum_line)(dy + i * step, a->inner);
        db += sum;
        dw += NAME(centred_dot_line)(dy + i * step, x + i * step, mean, a->inner);
    }
    dw *= rstd;
    if (a->dw) ((real *)a->dw)[c] = dw;
    if (a->db) ((real *)a->db)[c] = db;
    if (!dx) return;
    const real scale = rstd * (weight ? weight[c] : 1);
    const real tilt = a->training ? rstd * dw / n : 0, lift = a->training ? db / n : 0;
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < a->inner; j++) {
            const int64_t at = i * step + j;
            dx[at] = scale * (dy[at] - lift - (x[at] - mean) * tilt);
        }
}

/* db = Σ dy, dw = Σ dy·x̂, x̂ = (x − mean)·rstd; dx = weight·rstd·(dy − (db + x̂·dw)/n) in training,
 * weight·rstd·dy in evaluation. dx, dw, db may be NULL. */
KERNEL_BODY(batch_norm_backward) {
    if (a->inner == 1) {
        cg_range r = cg_part(a->channels, CHANNEL_BLOCK, share);
        for (int64_t c = r.begin; c < r.end; c += CHANNEL_BLOCK)
            NAME(batch_norm_columns_backward)(a, c, cg_min(CHANNEL_BLOCK, r.end - c));
        return;
    }
    cg_range r = cg_part(a->channels, 1, share);
    for (int64_t c = r.begin; c < r.end; c++) NAME(batch_norm_channel_backward)(a, c);
}

#undef CHANNEL_BLOCK
#undef STATS_ROWS
