/* Losses. Elementwise ones, f(x, t) of an input and a target, give either every element (y) or the sums of blocks
 * (partial), which sum_partials adds; the other of the two is NULL. */

INLINE void NAME(finish)(real *y, real *partial, const real *values, int64_t begin, int64_t n) {
    if (y) memcpy(y + begin, values, n * sizeof(real));
    else partial[begin / CG_BLOCK] = NAME(sum_line)(values, n);
}

/* value = f(u = x, v = t); slopes: g·∂f/∂x and g·∂f/∂t, where g = dy·scale and dy has a step of 0 or 1.
 * dx and dt may be NULL. p is the parameter of the loss. */
#define LOSS(name, value, slope_x, slope_t)                                                      \
    KERNEL_BODY(name) {                                                                          \
        const real *restrict x = a->x, *restrict t = a->t;                                       \
        const real p = R(a->p);                                                                  \
        (void)p;                                                                                 \
        real *values = share.scratch;                                                            \
        cg_range r = cg_part(a->n, CG_BLOCK, share);                                             \
        for (int64_t b = r.begin; b < r.end; b += CG_BLOCK) {                                    \
            int64_t n = cg_min(CG_BLOCK, r.end - b);                                             \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++) {                                \
                const real u = x[b + i], v = t[b + i];                                           \
                values[i] = value;                                                               \
            }                                                                                    \
            NAME(finish)(a->y, a->partial, values, b, n);                                        \
        }                                                                                        \
    }                                                                                            \
    INLINE void NAME(name##_slopes)(const cg_##name##_backward_args *a, cg_range r, int64_t step, int want_x,  \
                                    int want_t) {                                                \
        const real *restrict dy = a->dy, *restrict x = a->x, *restrict t = a->t;                 \
        real *restrict dx = a->dx, *restrict dt = a->dt;                                         \
        const real p = R(a->p), scale = R(a->scale);                                             \
        (void)p;                                                                                 \
        _Pragma("omp simd") for (int64_t i = r.begin; i < r.end; i++) {                          \
            const real u = x[i], v = t[i], g = dy[i * step] * scale;                             \
            if (want_x) dx[i] = slope_x;                                                         \
            if (want_t) dt[i] = slope_t;                                                         \
        }                                                                                        \
    }                                                                                            \
    KERNEL_BODY(name##_backward) {                                                               \
        cg_range r = cg_part(a->n, CG_BLOCK, share);                                             \
        if (a->dx && !a->dt && !a->dy_step) NAME(name##_slopes)(a, r, 0, 1, 0);                  \
        else if (a->dx) NAME(name##_slopes)(a, r, a->dy_step, 1, 0);                             \
        if (a->dt) NAME(name##_slopes)(a, r, a->dy_step, 0, 1);                                  \
    }

/* −1, 0 or 1; 0 for NaN */
#define SIGN(d) ((d) > 0 ? R(1) : (d) < 0 ? R(-1) : 0)
#define ABS(d) NAME(abs)(d)

/* (x − t)² */
LOSS(mse_loss, (u - v) * (u - v), 2 * (u - v) * g, -2 * (u - v) * g)

/* |x − t| */
LOSS(l1_loss, ABS(u - v), SIGN(u - v) * g, -SIGN(u - v) * g)

/* ½d²/p where |d| < p, else |d| − ½p; d = x − t */
#define SMOOTH_L1_SLOPE(d) (ABS(d) >= p ? SIGN(d) : (d) / p)
LOSS(smooth_l1_loss, ABS(u - v) < p ? R(0.5) * (u - v) * (u - v) / p : ABS(u - v) - R(0.5) * p,
     SMOOTH_L1_SLOPE(u - v) * g, -SMOOTH_L1_SLOPE(u - v) * g)

/* ½d² where |d| ≤ p, else p·(|d| − ½p); d = x − t */
#define HUBER_SLOPE(d) (ABS(d) >= p ? p * SIGN(d) : (d))
LOSS(huber_loss, ABS(u - v) <= p ? R(0.5) * (u - v) * (u - v) : p * (ABS(u - v) - R(0.5) * p),
     HUBER_SLOPE(u - v) * g, -HUBER_SLOPE(u - v) * g)

/* −t·log x − (1 − t)·log(1 − x), logarithms at least −100 as in PyTorch's binary_cross_entropy; the gradient of x
 * divides by at least 1e-12 */
#define LOG_BOUNDED(l) ((l) < -100 ? R(-100) : (l))
LOSS(bce_loss, -v * LOG_BOUNDED(NAME(log)(u)) - (1 - v) * LOG_BOUNDED(NAME(log1p)(-u)),
     g * (u - v) / ((1 - u) * u < R(1e-12) ? R(1e-12) : (1 - u) * u),
     g * (LOG_BOUNDED(NAME(log1p)(-u)) - LOG_BOUNDED(NAME(log)(u))))

/* −t·log σ(x) − (1 − t)·log(1 − σ(x)) = log(1 + e^−|x|) + w·|x|, w = t where x < 0, else 1 − t, and 0·∞ = 0.
 * The slope (1 − t)·σ(x) − t·σ(−x) keeps its digits where σ(x) is nearly t. */
INLINE real NAME(bce_far)(real x, real t) {
    const real w = x < 0 ? t : 1 - t;
    return w == 0 ? 0 : w * NAME(abs)(x);
}
INLINE real NAME(bce_slope)(real x, real t) {
    const real e = NAME(exp)(-NAME(abs)(x)), up = x < 0 ? e : 1, down = x < 0 ? 1 : e; /* σ(±x)·(1 + e) */
    return ((1 - t) * up - t * down) / (1 + e);
}
LOSS(bce_logits_loss, NAME(softplus_tail)(u) + NAME(bce_far)(u, v), g * NAME(bce_slope)(u, v), -g * u)

/* t·(log t − x), with 0·log 0 = 0 */
LOSS(kl_div, v > 0 ? v * (NAME(log)(v) - u) : v * (v == 0 ? -u : NAN), -v * g, (NAME(log)(v) + 1 - u) * g)

/* eᵗ·(t − x): the target is a logarithm too */
LOSS(kl_div_log, NAME(exp)(v) * (v - u), -NAME(exp)(v) * g, NAME(exp)(v) * (v + 1 - u) * g)

/* y = scale·Σ partial */
KERNEL_BODY(sum_partials) {
    if (share.index == 0) *(real *)a->y = NAME(sum_line)(a->partial, a->n) * R(a->scale);
}

/* Checked class indices: y = target, or −1 if `ignores` is set and it is `ignored`. fault = the first row whose target is
 * not in 0..limit − 1, −1 if all are. total = Σ w[target], unless it is NULL; weight may be NULL, for ones. */
KERNEL_BODY(classes) {
    if (share.index) return;
    const real *weight = a->weight;
    int64_t *y = a->y, fault = -1;
    double total = 0;
    for (int64_t i = 0; i < a->n; i++) {
        const int64_t t = a->target[i], valid = t >= 0 && t < a->limit, ignored = a->ignores && t == a->ignored;
        y[i] = valid && !ignored ? t : -1;
        if (!valid && !ignored && fault < 0) fault = i;
        if (y[i] >= 0) total += weight ? weight[t] : 1;
    }
    *(int64_t *)a->fault = fault;
    if (a->total) *(real *)a->total = R(total);
}

/* y ← y/total, one element */
KERNEL_BODY(divide) {
    if (!share.index) *(real *)a->y /= *(const real *)a->total;
}

/* Cross entropy of the rows of x[rows, cols] with one class for each row (−1: ignored), label smoothing s:
 *   loss[i] = −(1 − s)·w[t]·log p[t] − s/cols·Σ w[c]·log p[c],  log p = (x − top) − log Σ e^(x − top)
 * stats[rows, 2] are top, the largest x, and Σ e^(x − top): their rounded log Σ eˣ would cost p its digits where x is large.
 * weight is NULL for ones. C. Szegedy et al. (2016), "Rethinking the inception architecture", §7. */
KERNEL_BODY(cross_entropy) {
    const real *x = a->x, *weight = a->weight;
    const real smooth = R(a->smoothing), each = smooth / R(cg_max(1, a->cols));
    real *loss = a->loss, *stats = a->stats;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t begin = r.begin; begin < r.end; begin += LANES) {
        const int64_t rows = cg_min(LANES, r.end - begin);
        real top[LANES], sum[LANES], rest[LANES];
        NAME(sum_exp_rows)(top, sum, x + begin * a->cols, rows, a->cols);
#pragma omp simd
        for (int64_t q = 0; q < LANES; q++) rest[q] = NAME(log)(sum[q]);
        for (int64_t q = 0; q < rows; q++) {
            const real *from = x + (begin + q) * a->cols;
            const int64_t t = a->target[begin + q];
            real all = 0;
            stats[2 * (begin + q)] = top[q], stats[2 * (begin + q) + 1] = sum[q];
            if (t < 0) {
                loss[begin + q] = 0;
                continue;
            }
            for (int64_t j = 0; smooth > 0 && j < a->cols; j++)
                all += (weight ? weight[j] : 1) * ((top[q] - from[j]) + rest[q]);
            loss[begin + q] = (1 - smooth) * (weight ? weight[t] : 1) * ((top[q] - from[t]) + rest[q]) + each * all;
        }
    }
}

/* y = x − shift for n elements: by vectors, for lines that may be short. */
INLINE void NAME(shift_line)(real *y, const real *x, real shift, int64_t n) {
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) STORE(y + j, LOAD(x + j) - shift);
    if (j < n) NAME(store_part)(y + j, NAME(load_part)(x + j, n - j, 0) - shift, n - j);
}

/* dx = g[i]·((1 − s)·w[t]·(p − onehot) + s/cols·(Σw·p − w)), p = e^(x − top)/Σ e^(x − top), g = dy/total; zero if the class is
 * ignored. dy has a step of 0 or 1; total may be NULL, for 1. */
KERNEL_BODY(cross_entropy_backward) {
    const real *x = a->x, *weight = a->weight, *stats = a->stats, *dy = a->dy;
    const real smooth = R(a->smoothing), each = smooth / R(cg_max(1, a->cols));
    const real scale = a->total ? 1 / *(const real *)a->total : 1;
    real *dx = a->dx, all = 0;
    for (int64_t j = 0; smooth > 0 && j < a->cols; j++) all += weight ? weight[j] : 1;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    const int is_short = a->cols <= 3 * LANES;
    for (int64_t begin = r.begin; begin < r.end; begin += LANES) {
        const int64_t end = cg_min(begin + LANES, r.end), n = (end - begin) * a->cols;
        if (is_short) { /* LANES rows side by side are whole vectors */
            real *block = dx + begin * a->cols;
            for (int64_t i = begin; i < end; i++)
                NAME(shift_line)(dx + i * a->cols, x + i * a->cols, stats[2 * i], a->cols);
#pragma omp simd
            for (int64_t j = 0; j < n; j++) block[j] = NAME(exp_negative)(block[j]);
        }
        for (int64_t i = begin; i < end; i++) {
            const real *from = x + i * a->cols, top = stats[2 * i], sum = stats[2 * i + 1];
            real *restrict to = dx + i * a->cols;
            const int64_t t = a->target[i];
            if (t < 0) {
                memset(to, 0, a->cols * sizeof(real));
                continue;
            }
            const real g = dy[i * a->dy_step] * scale, chosen = (1 - smooth) * (weight ? weight[t] : 1);
            const real factor = g * (chosen + each * all) / sum;
            if (is_short)
                for (int64_t j = 0; j < a->cols; j++) to[j] *= factor;
            else
                for (int64_t j = 0; j < a->cols; j++) to[j] = NAME(exp_negative)(from[j] - top) * factor;
            for (int64_t j = 0; smooth > 0 && j < a->cols; j++) to[j] -= g * each * (weight ? weight[j] : 1);
            to[t] -= g * chosen;
        }
    }
}

/* The same with a distribution t[rows, cols] over the classes:
 *   loss[i] = −Σ q·w·log p,  q = (1 − s)·t + s/cols */
KERNEL_BODY(soft_cross_entropy) {
    const real *x = a->x, *target = a->target, *weight = a->weight;
    const real smooth = R(a->smoothing), each = smooth / R(cg_max(1, a->cols));
    real *loss = a->loss, *stats = a->stats;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *from = x + i * a->cols, *t = target + i * a->cols;
        real m = NAME(top_of_line)(from, a->cols);
        real total = NAME(sum_exp)(0, from, m, a->cols), rest = NAME(log)(total), sum = 0;
        for (int64_t j = 0; j < a->cols; j++)
            sum += ((1 - smooth) * t[j] + each) * (weight ? weight[j] : 1) * ((m - from[j]) + rest);
        stats[2 * i] = m, stats[2 * i + 1] = total;
        loss[i] = sum;
    }
}

/* dx = g·(p·Σ q·w − q·w), dt = −g·(1 − s)·w·log p, g = dy·scale; dx and dt may be NULL */
KERNEL_BODY(soft_cross_entropy_backward) {
    const real *x = a->x, *target = a->target, *weight = a->weight, *stats = a->stats, *dy = a->dy;
    const real smooth = R(a->smoothing), each = smooth / R(cg_max(1, a->cols));
    real *restrict dx = a->dx, *restrict dt = a->dt;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *from = x + i * a->cols, *t = target + i * a->cols;
        const real g = dy[i * a->dy_step] * R(a->scale), top = stats[2 * i], sum = stats[2 * i + 1];
        const real rest = dt ? NAME(log)(sum) : 0;
        real total = 0;
        for (int64_t j = 0; j < a->cols; j++) total += ((1 - smooth) * t[j] + each) * (weight ? weight[j] : 1);
        for (int64_t j = 0; dx && j < a->cols; j++)
            dx[i * a->cols + j] = g * (NAME(exp_negative)(from[j] - top) * (total / sum) -
                                       ((1 - smooth) * t[j] + each) * (weight ? weight[j] : 1));
        for (int64_t j = 0; dt && j < a->cols; j++)
            dt[i * a->cols + j] = g * (1 - smooth) * (weight ? weight[j] : 1) * ((top - from[j]) + rest);
    }
}

/* loss[i] = −w[t]·x[i, t] for one class t for each row, 0 if it is ignored (t < 0) */
KERNEL_BODY(nll_loss) {
    const real *x = a->x, *weight = a->weight;
    real *loss = a->loss;
    cg_range r = cg_part(a->rows, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const int64_t t = a->target[i];
        loss[i] = t < 0 ? 0 : -(weight ? weight[t] : 1) * x[i * a->cols + t];
    }
}

/* dx[i, t] = −w[t]·dy/total, zero elsewhere; total may be NULL, for 1 */
KERNEL_BODY(nll_loss_backward) {
    const real *weight = a->weight, *dy = a->dy, scale = a->total ? 1 / *(const real *)a->total : 1;
    real *dx = a->dx;
    cg_range r = cg_part(a->rows, ROW_BLOCK(a->cols), share);
    memset(dx + r.begin * a->cols, 0, (r.end - r.begin) * a->cols * sizeof(real));
    for (int64_t i = r.begin; i < r.end; i++) {
        const int64_t t = a->target[i];
        if (t >= 0) dx[i * a->cols + t] = -(weight ? weight[t] : 1) * dy[i * a->dy_step] * scale;
    }
}

#undef LOSS
#undef SIGN
#undef ABS
#undef SMOOTH_L1_SLOPE
#undef HUBER_SLOPE
#undef LOG_BOUNDED
#undef ROW_BLOCK
