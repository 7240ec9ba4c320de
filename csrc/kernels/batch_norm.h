/* Batch norm of x[rows, channels, inner]: one mean and variance a channel, over rows and inner.
 *   y = (x − mean)·rstd·weight + bias,  rstd = 1/√(var + eps)
 * S. Ioffe, C. Szegedy (2015), "Batch normalization". weight and bias may be NULL (ones and zeros).
 * Columns (inner = 1) are taken CHANNEL_BLOCK at a time, so that a pass down the rows reads whole runs. */
#define CHANNEL_BLOCK 256
#define STATS_ROWS 32
#define COLUMN_VECS 4

/* Mean and sum of squared deviations M2 of n numbers, grown run by run. T. F. Chan, G. H. Golub, R. J. LeVeque
 * (1983), "Algorithms for computing the sample variance": no difference of large sums is ever taken. */
typedef struct { real n, mean, m2; } NAME(moments);
#define moments NAME(moments)

/* Joins a run of k numbers: shift is near its mean, s and q are Σ(x − shift) and Σ(x − shift)². */
INLINE moments NAME(join)(moments m, real k, real shift, real s, real q) {
    const real run_mean = shift + s / k, run_m2 = q - s * s / k, n = m.n + k, delta = run_mean - m.mean;
    return (moments){n, m.mean + delta * (k / n), m.m2 + run_m2 + delta * delta * (m.n * k / n)};
}

/* The moments of one contiguous line, added to m, in one pass: in each run of k numbers, shift is the mean of the first
 * `head`, which is near enough, for k·(shift − mean)² ≤ k/head·M2: squares lose at most log₂(k/head) bits. */
static moments NAME(line_moments)(moments m, const real *x, int64_t n) {
    for (int64_t i = 0; i < n; i += CG_BLOCK) {
        const int64_t k = cg_min(CG_BLOCK, n - i), head = cg_min(2 * LANES, k);
        const real shift = NAME(sum_line)(x + i, head) / (real)head, *run = x + i;
        vec s[4] = {{0}, {0}, {0}, {0}}, q[4] = {{0}, {0}, {0}, {0}};
        int64_t j = 0;
        for (; j + 4 * LANES <= k; j += 4 * LANES)
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++) {
                const vec d = LOAD(run + j + v * LANES) - shift;
                s[v] += d, q[v] += d * d;
            }
        for (; j < k; j += LANES) {
            const vec d = (j + LANES <= k ? LOAD(run + j) : NAME(load_part)(run + j, k - j, shift)) - shift;
            s[0] += d, q[0] += d * d;
        }
        m = NAME(join)(m, (real)k, shift, NAME(lane_sum)((s[0] + s[1]) + (s[2] + s[3])),
                       NAME(lane_sum)((q[0] + q[1]) + (q[2] + q[3])));
    }
    return m;
}

/* A pass down the rows takes `vecs` vectors of columns at once, the last of which may be a part; what it needs of each
 * column stays in registers. It asks for rows ahead of itself, which lie too far apart for the CPU to guess. */
#define FETCH(x, row, stride, v) __builtin_prefetch((x) + ((row) + 8) * (stride) + (v) * LANES)

/* pass(…, vecs, cols) of columns j, j + …, `count` in all */
#define EACH_FEW_COLUMNS(j, count, pass, ...)                                                     \
    do {                                                                                          \
        int64_t j = 0;                                                                            \
        for (; j + COLUMN_VECS * LANES <= count; j += COLUMN_VECS * LANES)                        \
            pass(__VA_ARGS__, COLUMN_VECS, COLUMN_VECS * LANES);                                  \
        for (; j + LANES <= count; j += LANES) pass(__VA_ARGS__, 1, LANES);                       \
        if (j < count) pass(__VA_ARGS__, 1, count - j);                                           \
    } while (0)

INLINE vec NAME(load_columns)(const real *x, int v, int64_t cols) {
    return (v + 1) * LANES <= cols ? LOAD(x + v * LANES) : NAME(load_part)(x + v * LANES, cols - v * LANES, 0);
}

INLINE void NAME(store_columns)(real *x, vec y, int v, int64_t cols) {
    if ((v + 1) * LANES <= cols) STORE(x + v * LANES, y);
    else NAME(store_part)(x + v * LANES, y, cols - v * LANES);
}

/* mean[j] and m2[j] of a few columns x[·, j], in one pass; shift is the first row of each run of rows, for which
 * k·(shift − mean)² ≤ k·M2 */
INLINE void NAME(few_columns_moments)(real *mean, real *m2, const real *x, int64_t rows, int64_t stride, int vecs,
                                     int64_t cols) {
    vec total_mean[COLUMN_VECS], total_m2[COLUMN_VECS];
    for (int v = 0; v < vecs; v++) total_mean[v] = total_m2[v] = (vec){0};
    for (int64_t i = 0; i < rows; i += STATS_ROWS) {
        const int64_t end = cg_min(i + STATS_ROWS, rows);
        const real k = (real)(end - i), before = (real)i, n = before + k;
        vec shift[COLUMN_VECS], s[COLUMN_VECS], q[COLUMN_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            shift[v] = NAME(load_columns)(x + i * stride, v, cols), s[v] = q[v] = (vec){0};
        for (int64_t r = i + 1; r < end; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) {
                FETCH(x, r, stride, v);
                const vec d = NAME(load_columns)(x + r * stride, v, cols) - shift[v];
                s[v] += d, q[v] += d * d;
            }
        for (int v = 0; v < vecs; v++) { /* join, of vectors */
            const vec delta = shift[v] + s[v] / k - total_mean[v];
            total_mean[v] += delta * (k / n);
            total_m2[v] += q[v] - s[v] * s[v] / k + delta * delta * (before * k / n);
        }
    }
    for (int v = 0; v < vecs; v++)
        NAME(store_columns)(mean, total_mean[v], v, cols), NAME(store_columns)(m2, total_m2[v], v, cols);
}

/* y = (x − mean)·scale + shift, one row of some columns */
static void NAME(normal_row)(real *restrict y, const real *restrict x, const real *restrict mean,
                             const real *restrict scale, const real *restrict shift, int64_t cols) {
    for (int64_t j = 0; j < cols; j++) y[j] = (x[j] - mean[j]) * scale[j] + shift[j];
}

/* The weight of this batch in the running statistics: 1/n for batch number n where batches are counted. */
INLINE double NAME(momentum_of)(const cg_batch_norm_args *a) {
    return a->batches ? 1 / (double)(*a->batches + 1) : a->momentum;
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
    const double momentum = NAME(momentum_of)(a);
    real m2[CHANNEL_BLOCK], scale[CHANNEL_BLOCK], shift[CHANNEL_BLOCK];
    EACH_FEW_COLUMNS(j, cols, NAME(few_columns_moments), mean + j, m2 + j, x + j, a->rows, a->channels);
    for (int64_t j = 0; j < cols; j++) {
        rstd[j] = 1 / NAME(sqrt)(m2[j] / (real)a->rows + R(a->eps));
        scale[j] = rstd[j] * (weight ? weight[first + j] : 1);
        shift[j] = bias ? bias[first + j] : 0;
    }
    for (int64_t j = 0; j < cols; j++)
        NAME(update_running)(running_mean ? running_mean + first + j : 0, running_var ? running_var + first + j : 0,
                             mean[j], m2[j], a->rows, momentum);
    for (int64_t i = 0; i < a->rows * a->channels; i += a->channels)
        NAME(normal_row)(y + i, x + i, mean, scale, shift, cols);
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
                         NAME(momentum_of)(a));
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

/* db = Σ dy and dw = Σ dy·(x − mean) of a few columns, in runs of STATS_ROWS rows */
INLINE void NAME(few_columns_slopes)(real *dw, real *db, const real *dy, const real *x, const real *mean, int64_t rows,
                                    int64_t stride, int vecs, int64_t cols) {
    vec w[COLUMN_VECS], b[COLUMN_VECS], centre[COLUMN_VECS];
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) w[v] = b[v] = (vec){0}, centre[v] = NAME(load_columns)(mean, v, cols);
    for (int64_t i = 0; i < rows; i += STATS_ROWS) {
        const int64_t end = cg_min(i + STATS_ROWS, rows);
        vec w_run[COLUMN_VECS], b_run[COLUMN_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) w_run[v] = b_run[v] = (vec){0};
        for (int64_t r = i; r < end; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) {
                FETCH(dy, r, stride, v);
                FETCH(x, r, stride, v);
                const vec g = NAME(load_columns)(dy + r * stride, v, cols);
                b_run[v] += g;
                w_run[v] += g * (NAME(load_columns)(x + r * stride, v, cols) - centre[v]);
            }
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) w[v] += w_run[v], b[v] += b_run[v];
    }
    for (int v = 0; v < vecs; v++) NAME(store_columns)(dw, w[v], v, cols), NAME(store_columns)(db, b[v], v, cols);
}

/* dx = scale·(dy − lift − (x − mean)·tilt), one row of some columns */
static void NAME(normal_row_backward)(real *restrict dx, const real *restrict dy, const real *restrict x,
                                      const real *restrict mean, const real *restrict scale, const real *restrict lift,
                                      const real *restrict tilt, int64_t cols) {
    for (int64_t j = 0; j < cols; j++) dx[j] = scale[j] * (dy[j] - lift[j] - (x[j] - mean[j]) * tilt[j]);
}

static void NAME(batch_norm_columns_backward)(const cg_batch_norm_backward_args *a, int64_t first, int64_t cols) {
    const real *restrict x = (const real *)a->x + first, *restrict dy = (const real *)a->dy + first;
    const real *weight = a->weight, *mean = (const real *)a->mean + first, *rstd = (const real *)a->rstd + first;
    real *restrict dx = (real *)a->dx + first;
    real dw[CHANNEL_BLOCK], db[CHANNEL_BLOCK], scale[CHANNEL_BLOCK], tilt[CHANNEL_BLOCK], lift[CHANNEL_BLOCK];
    EACH_FEW_COLUMNS(j, cols, NAME(few_columns_slopes), dw + j, db + j, dy + j, x + j, mean + j, a->rows, a->channels);
    for (int64_t j = 0; j < cols; j++) {
        dw[j] *= rstd[j];
        scale[j] = rstd[j] * (weight ? weight[first + j] : 1);
        tilt[j] = a->training ? rstd[j] * dw[j] / (real)a->rows : 0;
        lift[j] = a->training ? db[j] / (real)a->rows : 0;
    }
    if (a->dw) memcpy((real *)a->dw + first, dw, cols * sizeof(real));
    if (a->db) memcpy((real *)a->db + first, db, cols * sizeof(real));
    if (!a->dx) return;
    for (int64_t i = 0; i < a->rows * a->channels; i += a->channels)
        NAME(normal_row_backward)(dx + i, dy + i, x + i, mean, scale, lift, tilt, cols);
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
#undef COLUMN_VECS
#undef FETCH
#undef EACH_FEW_COLUMNS
