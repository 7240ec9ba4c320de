/* Batch norm of x[rows, channels, inner]: mean and variance of each channel, over rows and inner.
 *   y = (x − mean)·rstd·weight + bias,  rstd = 1/√(var + eps)
 * S. Ioffe, C. Szegedy (2015), "Batch normalization". weight and bias may be NULL (ones and zeros).
 * Columns (inner = 1) are divided among shares in blocks of CHANNEL_BLOCK, and processed MOST_COLUMNS at a time, so that
 * their statistics stay in the first-level cache. */
#define CHANNEL_BLOCK 256
#define MOST_COLUMNS 2048
#define STATS_ROWS 32
#define TILE_VECS 4
#define NEAR_BYTES (512 << 10)

/* Mean and sum of squared deviations M2 of n elements, updated run by run. T. F. Chan, G. H. Golub, R. J. LeVeque
 * (1983), "Algorithms for computing the sample variance": it never subtracts large sums. The mean is that of x − origin,
 * origin an element or the mean of a few, so that it keeps its digits where x is far from 0. */
typedef struct { real n, mean, m2, origin; } NAME(moments);
#define moments NAME(moments)

/* Merge a run of k elements: shift is near its mean, s and q are Σ(x − shift) and Σ(x − shift)². */
INLINE moments NAME(join)(moments m, real k, real shift, real s, real q) {
    const real run_mean = s / k, run_m2 = q - s * run_mean, n = m.n + k;
    if (m.n == 0) return (moments){k, run_mean, run_m2, shift};
    const real delta = (shift - m.origin) + run_mean - m.mean, share = k / n;
    return (moments){n, m.mean + delta * share, m.m2 + run_m2 + delta * delta * (m.n * share), m.origin};
}

/* origin + mean, rounded, and in `low` what the rounding lost: without it, data of mean 10⁴ would be normalized to 5e-4. */
INLINE real NAME(split_mean)(real *low, real origin, real mean) {
    const real sum = origin + mean;
    *low = mean - (sum - origin);
    return sum;
}

typedef struct { real rstd, m2; } NAME(spread);

/* The spread of x[rows, inner], rows `step` apart, for deviations from the mean whose squares overflow; m2 may be infinite.
 * In double, times 2⁻⁶⁰⁰ for float64. */
static __attribute__((noinline, cold)) NAME(spread) NAME(far_spread)(const real *x, int64_t rows, int64_t step,
                                                                    int64_t inner, double mean, double eps) {
    const double small = CG_REAL_BITS == 32 ? 1 : 0x1p-600;
    double sum = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < inner; j++) {
            const double d = (x[i * step + j] - mean) * small;
            sum += d * d;
        }
    return (NAME(spread)){R(small / sqrt(sum / (double)(rows * inner) + eps * small * small)), R(sum / small / small)};
}

/* Add the moments of one contiguous line to m, in one pass: in each run of k elements, shift is the mean of the first
 * `head`. That is near enough, because k·(shift − mean)² ≤ k/head·M2: squares lose at most log₂(k/head) bits. */
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

/* A pass down the rows walks tiles of some rows and a few vectors: memory is read in order, each cache line is used
 * entirely at once, and the sums of a column are read and written once for all rows of the tile.
 * pass(…, i, j, rows, vecs, n): rows i … of columns j …, n of them in each vector. */
#define EACH_TILE(first, end, tall, cols, pass, ...)                                       \
    for (int64_t i = first; i < end; i += tall) {                                          \
        const int64_t count = cg_min(tall, end - i);                                       \
        int64_t j = 0;                                                                     \
        for (; j + TILE_VECS * LANES <= cols; j += TILE_VECS * LANES)                      \
            pass(__VA_ARGS__, i, j, count, TILE_VECS, LANES);                              \
        for (; j + LANES <= cols; j += LANES) pass(__VA_ARGS__, i, j, count, 1, LANES);    \
        if (j < cols) pass(__VA_ARGS__, i, j, count, 1, cols - j);                         \
    }
#define TILE_ARGS int64_t i, int64_t j, int64_t rows, int vecs, int64_t n
/* for (vector v of row r of the tile) */
#define IN_TILE(r, v)                  \
    _Pragma("GCC unroll 4")            \
    for (int64_t r = 0; r < rows; r++) \
        _Pragma("GCC unroll 4")        \
        for (int v = 0; v < vecs; v++)

/* The rows of a tile: a whole run if x, of this size in bytes, is in a near cache, else few, because rows far apart would
 * evict each other from the first-level cache. */
INLINE int64_t NAME(tile_rows)(int64_t bytes) { return bytes <= NEAR_BYTES ? STATS_ROWS : 4; }

INLINE void NAME(load_tile)(vec *tile, const real *x, int vecs, int64_t n) {
    for (int v = 0; v < vecs; v++) tile[v] = NAME(load_some)(x + v * LANES, n);
}

INLINE void NAME(store_tile)(real *x, const vec *tile, int vecs, int64_t n) {
    for (int v = 0; v < vecs; v++) NAME(store_some)(x + v * LANES, tile[v], n);
}

/* s += Σ d, q += Σ d², d = x − shift */
INLINE void NAME(add_deviations)(real *s, real *q, const real *shift, const real *x, int64_t stride, TILE_ARGS) {
    vec sums[TILE_VECS], squares[TILE_VECS], center[TILE_VECS];
    NAME(load_tile)(sums, s + j, vecs, n);
    NAME(load_tile)(squares, q + j, vecs, n);
    NAME(load_tile)(center, shift + j, vecs, n);
    IN_TILE(r, v) {
        const vec d = NAME(load_some)(x + (i + r) * stride + j + v * LANES, n) - center[v];
        sums[v] += d, squares[v] += d * d;
    }
    NAME(store_tile)(s + j, sums, vecs, n);
    NAME(store_tile)(q + j, squares, vecs, n);
}

/* mean[j] and m2[j] of columns x[·, j], in one pass, the mean as of x − x[0, j]; shift is the first row of each run of
 * rows, for which k·(shift − mean)² ≤ k·M2. s and q are working memory, one element for each column. */
static void NAME(column_moments)(real *restrict mean, real *restrict m2, real *restrict s, real *restrict q,
                                 const real *restrict x, int64_t rows, int64_t stride, int64_t cols, int64_t tall) {
    for (int64_t j = 0; j < cols; j++) mean[j] = m2[j] = s[j] = q[j] = 0;
    for (int64_t first = 0; first < rows; first += STATS_ROWS) {
        const int64_t end = cg_min(first + STATS_ROWS, rows);
        const real k = (real)(end - first), before = (real)first, n = before + k, *restrict shift = x + first * stride;
        EACH_TILE(first, end, tall, cols, NAME(add_deviations), s, q, shift, x, stride);
        for (int64_t j = 0; j < cols; j++) { /* the merge, for lines */
            const real delta = (shift[j] - x[j]) + s[j] / k - mean[j];
            mean[j] += delta * (k / n);
            m2[j] += q[j] - s[j] * s[j] / k + delta * delta * (before * k / n);
            s[j] = q[j] = 0;
        }
    }
}

/* y = (x − mean)·scale + shift */
INLINE void NAME(normal_tile)(real *y, const real *x, const real *mean, const real *scale, const real *shift,
                              int64_t stride, TILE_ARGS) {
    vec m[TILE_VECS], a[TILE_VECS], b[TILE_VECS];
    NAME(load_tile)(m, mean + j, vecs, n);
    NAME(load_tile)(a, scale + j, vecs, n);
    NAME(load_tile)(b, shift + j, vecs, n);
    IN_TILE(r, v) {
        const int64_t at = (i + r) * stride + j + v * LANES;
        NAME(store_some)(y + at, (NAME(load_some)(x + at, n) - m[v]) * a[v] + b[v], n);
    }
}

/* The weight of this batch in the running statistics: 1/n for the n-th batch if batches are counted. */
INLINE double NAME(momentum_of)(const cg_batch_norm_args *a) {
    return a->batches ? 1 / (double)(*a->batches + 1) : a->momentum;
}

/* (1 − momentum)·running + momentum·batch */
INLINE real NAME(updated)(real running, double batch, double momentum) {
    return R((1 - momentum) * running + momentum * batch);
}

/* Columns first..first + cols of a call with inner = 1 */
static void NAME(batch_norm_columns)(const cg_batch_norm_args *a, int64_t first, int64_t cols, real *room) {
    const int64_t tall = NAME(tile_rows)(a->rows * a->channels * (int64_t)sizeof(real));
    const real *x = (const real *)a->x + first, *weight = a->weight, *bias = a->bias;
    real *y = (real *)a->y + first, *mean = (real *)a->mean + first, *rstd = (real *)a->rstd + first;
    real *restrict low = mean + a->channels, *restrict running_mean = a->running_mean, *restrict running_var = a->running_var;
    const double momentum = NAME(momentum_of)(a);
    real *restrict m2 = room, *restrict scale = m2 + cols, *restrict shift = scale + cols;
    NAME(column_moments)(mean, m2, scale, shift, x, a->rows, a->channels, cols, tall);
    const real n = (real)a->rows, rest = (real)(a->rows - 1), eps = R(a->eps);
    int far = 0;
#pragma omp simd reduction(| : far)
    for (int64_t j = 0; j < cols; j++) {
        mean[j] = NAME(split_mean)(low + j, x[j], mean[j]);
        rstd[j] = 1 / NAME(sqrt)(m2[j] / n + eps);
        far |= !(m2[j] <= REAL_MAX);
    }
    for (int64_t j = 0; far && j < cols; j++)
        if (!(m2[j] <= REAL_MAX)) {
            const NAME(spread) s = NAME(far_spread)(x + j, a->rows, a->channels, 1, mean[j], a->eps);
            rstd[j] = s.rstd, m2[j] = s.m2;
        }
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) {
        scale[j] = rstd[j] * (weight ? weight[first + j] : 1);
        shift[j] = (bias ? bias[first + j] : 0) - low[j] * scale[j];
        if (running_mean)
            running_mean[first + j] = NAME(updated)(running_mean[first + j], (double)mean[j] + low[j], momentum);
        if (running_var) running_var[first + j] = NAME(updated)(running_var[first + j], m2[j] / rest, momentum);
    }
    EACH_TILE(0, a->rows, tall, cols, NAME(normal_tile), y, x, mean, scale, shift, a->channels);
}

/* Channel c of a call with inner > 1 */
static void NAME(batch_norm_channel)(const cg_batch_norm_args *a, int64_t c) {
    const int64_t step = a->channels * a->inner, n = a->rows * a->inner;
    const real *restrict x = (const real *)a->x + c * a->inner, *weight = a->weight, *bias = a->bias;
    real *restrict y = (real *)a->y + c * a->inner;
    real *running_mean = a->running_mean, *running_var = a->running_var;
    moments m = {0, 0, 0, 0};
    for (int64_t i = 0; i < a->rows; i++) m = NAME(line_moments)(m, x + i * step, a->inner);
    real low;
    const real mean = NAME(split_mean)(&low, m.origin, m.mean);
    NAME(spread) s = {1 / NAME(sqrt)(m.m2 / (real)n + R(a->eps)), m.m2};
    if (!(m.m2 <= REAL_MAX)) s = NAME(far_spread)(x, a->rows, step, a->inner, mean, a->eps);
    const real rstd = s.rstd, scale = rstd * (weight ? weight[c] : 1), shift = (bias ? bias[c] : 0) - low * scale;
    ((real *)a->mean)[c] = mean, ((real *)a->mean)[a->channels + c] = low, ((real *)a->rstd)[c] = rstd;
    const double momentum = NAME(momentum_of)(a);
    if (running_mean) running_mean[c] = NAME(updated)(running_mean[c], (double)mean + low, momentum);
    if (running_var) running_var[c] = NAME(updated)(running_var[c], s.m2 / (real)(n - 1), momentum);
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < a->inner; j++) y[i * step + j] = (x[i * step + j] - mean) * scale + shift;
}

/* In training: y, the batch's mean[2, channels], rounded and what that lost, its rstd, and updated running statistics (running_mean, running_var may be
 * NULL). rows·inner > 1. */
KERNEL_BODY(batch_norm) {
    if (a->inner == 1) {
        cg_range r = cg_part(a->channels, CHANNEL_BLOCK, share);
        for (int64_t c = r.begin; c < r.end; c += MOST_COLUMNS)
            NAME(batch_norm_columns)(a, c, cg_min(MOST_COLUMNS, r.end - c), share.scratch);
        return;
    }
    cg_range r = cg_part(a->channels, 1, share);
    for (int64_t c = r.begin; c < r.end; c++) NAME(batch_norm_channel)(a, c);
}

/* In evaluation: y from the given statistics; also rstd, which backward needs. */
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

/* b += Σ dy, w += Σ dy·(x − mean) */
INLINE void NAME(add_slopes)(real *w, real *b, const real *dy, const real *x, const real *mean, int64_t stride,
                             TILE_ARGS) {
    vec dots[TILE_VECS], sums[TILE_VECS], center[TILE_VECS];
    NAME(load_tile)(dots, w + j, vecs, n);
    NAME(load_tile)(sums, b + j, vecs, n);
    NAME(load_tile)(center, mean + j, vecs, n);
    IN_TILE(r, v) {
        const int64_t at = (i + r) * stride + j + v * LANES;
        const vec g = NAME(load_some)(dy + at, n);
        sums[v] += g, dots[v] += g * (NAME(load_some)(x + at, n) - center[v]);
    }
    NAME(store_tile)(w + j, dots, vecs, n);
    NAME(store_tile)(b + j, sums, vecs, n);
}

/* db = Σ dy and dw = Σ dy·(x − mean) of columns, by runs of STATS_ROWS rows. w and b are working memory, one element for each column. */
static void NAME(column_slopes)(real *restrict dw, real *restrict db, real *restrict w, real *restrict b, const real *dy,
                                const real *x, const real *mean, int64_t rows, int64_t stride, int64_t cols,
                                int64_t tall) {
    for (int64_t j = 0; j < cols; j++) dw[j] = db[j] = w[j] = b[j] = 0;
    for (int64_t first = 0; first < rows; first += STATS_ROWS) {
        const int64_t end = cg_min(first + STATS_ROWS, rows);
        EACH_TILE(first, end, tall, cols, NAME(add_slopes), w, b, dy, x, mean, stride);
        for (int64_t j = 0; j < cols; j++) dw[j] += w[j], db[j] += b[j], w[j] = b[j] = 0;
    }
}

/* dx = scale·(dy − lift − (x − mean)·tilt) */
INLINE void NAME(normal_tile_backward)(real *dx, const real *dy, const real *x, const real *mean, const real *scale,
                                       const real *lift, const real *tilt, int64_t stride, TILE_ARGS) {
    vec m[TILE_VECS], a[TILE_VECS], l[TILE_VECS], t[TILE_VECS];
    NAME(load_tile)(m, mean + j, vecs, n);
    NAME(load_tile)(a, scale + j, vecs, n);
    NAME(load_tile)(l, lift + j, vecs, n);
    NAME(load_tile)(t, tilt + j, vecs, n);
    IN_TILE(r, v) {
        const int64_t at = (i + r) * stride + j + v * LANES;
        const vec d = NAME(load_some)(x + at, n) - m[v];
        NAME(store_some)(dx + at, a[v] * (NAME(load_some)(dy + at, n) - l[v] - d * t[v]), n);
    }
}

static void NAME(batch_norm_columns_backward)(const cg_batch_norm_backward_args *a, int64_t first, int64_t cols,
                                              real *room) {
    const int64_t tall = NAME(tile_rows)(a->rows * a->channels * (int64_t)sizeof(real));
    const real *x = (const real *)a->x + first, *dy = (const real *)a->dy + first;
    const real *weight = a->weight, *mean = (const real *)a->mean + first, *rstd = (const real *)a->rstd + first;
    const real *low = mean + a->channels;
    real *restrict dw = room, *restrict db = dw + cols, *restrict scale = db + cols, *restrict tilt = scale + cols;
    real *restrict lift = tilt + cols;
    NAME(column_slopes)(dw, db, scale, tilt, dy, x, mean, a->rows, a->channels, cols, tall);
    const real n = (real)a->rows;
    const int training = a->training != 0;
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) {
        if (training) dw[j] -= low[j] * db[j];
        dw[j] *= rstd[j];
        scale[j] = rstd[j] * (weight ? weight[first + j] : 1);
        tilt[j] = training ? rstd[j] * dw[j] / n : 0;
        lift[j] = training ? db[j] / n - low[j] * tilt[j] : 0;
    }
    if (a->dw) memcpy((real *)a->dw + first, dw, cols * sizeof(real));
    if (a->db) memcpy((real *)a->db + first, db, cols * sizeof(real));
    if (!a->dx) return;
    real *dx = (real *)a->dx + first;
    EACH_TILE(0, a->rows, tall, cols, NAME(normal_tile_backward), dx, dy, x, mean, scale, lift, tilt, a->channels);
}

static void NAME(batch_norm_channel_backward)(const cg_batch_norm_backward_args *a, int64_t c) {
    const int64_t step = a->channels * a->inner;
    const real *restrict x = (const real *)a->x + c * a->inner, *restrict dy = (const real *)a->dy + c * a->inner;
    real *restrict dx = a->dx ? (real *)a->dx + c * a->inner : 0;
    const real *weight = a->weight, mean = ((const real *)a->mean)[c], rstd = ((const real *)a->rstd)[c];
    const real n = (real)(a->rows * a->inner), low = a->training ? ((const real *)a->mean)[a->channels + c] : 0;
    real dw = 0, db = 0;
    for (int64_t i = 0; i < a->rows; i++) {
        real sum = NAME(sum_line)(dy + i * step, a->inner);
        db += sum;
        dw += NAME(centered_dot_line)(dy + i * step, x + i * step, mean, a->inner);
    }
    dw = (dw - low * db) * rstd;
    if (a->dw) ((real *)a->dw)[c] = dw;
    if (a->db) ((real *)a->db)[c] = db;
    if (!dx) return;
    const real scale = rstd * (weight ? weight[c] : 1);
    const real tilt = a->training ? rstd * dw / n : 0, lift = a->training ? db / n - low * tilt : 0;
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < a->inner; j++) {
            const int64_t at = i * step + j;
            dx[at] = scale * (dy[at] - lift - (x[at] - mean) * tilt);
        }
}

/* db = Σ dy, dw = Σ dy·x̂, x̂ = (x − mean)·rstd, mean[2, channels] in training; dx = weight·rstd·(dy − (db + x̂·dw)/n) in training,
 * weight·rstd·dy in evaluation. dx, dw, db may be NULL. */
KERNEL_BODY(batch_norm_backward) {
    if (a->inner == 1) {
        cg_range r = cg_part(a->channels, CHANNEL_BLOCK, share);
        for (int64_t c = r.begin; c < r.end; c += MOST_COLUMNS)
            NAME(batch_norm_columns_backward)(a, c, cg_min(MOST_COLUMNS, r.end - c), share.scratch);
        return;
    }
    cg_range r = cg_part(a->channels, 1, share);
    for (int64_t c = r.begin; c < r.end; c++) NAME(batch_norm_channel_backward)(a, c);
}

#undef CHANNEL_BLOCK
#undef MOST_COLUMNS
#undef STATS_ROWS
#undef TILE_VECS
#undef NEAR_BYTES
#undef EACH_TILE
#undef TILE_ARGS
#undef IN_TILE
