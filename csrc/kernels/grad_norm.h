/* The norm of many gradients as one vector, and clipping in place. */

/* The contribution of some elements to a p-norm: Σ|x|ᵖ, or, negative, their own norm, where the sum overflows or loses
 * digits below the smallest normal number. */
INLINE int NAME(is_safe)(real sum) { return sum >= REAL_MIN / REAL_EPS && sum <= REAL_MAX; }
INLINE double NAME(root)(double sum, double p) { return p == 2 ? sqrt(sum) : pow(sum, 1 / p); }
INLINE double NAME(norm_of)(double part, double p) { return part < 0 ? -part : NAME(root)(part, p); }
INLINE double NAME(size_at)(const void *x, int64_t i, int parts, double p) {
    return parts ? NAME(norm_of)(((const double *)x)[i], p) : fabs((double)((const real *)x)[i]);
}

/* Such a negative norm of n elements, or of n contributions, relative to their extreme, as BLAS's nrm2; the sum itself
 * where the extreme is 0, infinite or NaN */
static __attribute__((noinline, cold)) double NAME(scaled_norm)(const void *x, int64_t n, int parts, double p) {
    double extreme = p > 0 ? 0 : INFINITY, total = 0;
    for (int64_t i = 0; i < n && extreme == extreme; i++) {
        const double v = NAME(size_at)(x, i, parts, p);
        if (v != v || (p > 0 ? v > extreme : v < extreme)) extreme = v;
    }
    if (!(extreme > 0 && extreme <= 0x1.fffffffffffffp1023)) return p > 0 ? extreme : 1 / extreme;
    for (int64_t i = 0; i < n; i++) {
        const double v = NAME(size_at)(x, i, parts, p) / extreme;
        total += p == 2 ? v * v : pow(v, p);
    }
    return -extreme * NAME(root)(total, p);
}

/* The contribution of a line to its 2-norm */
static double NAME(line_norm)(const real *x, int64_t n) {
    const real sum = NAME(dot_line)(x, x, n);
    return NAME(is_safe)(sum) ? sum : NAME(scaled_norm)(x, n, 0, 2);
}

/* The contribution of one block, or the extreme of |x| */
static double NAME(block_norm)(const real *x, int64_t n, double p) {
    if (p == 2) return NAME(line_norm)(x, n);
    double total = isinf(p) && p < 0 ? INFINITY : 0;
    if (isinf(p)) {
        for (int64_t i = 0; i < n; i++) {
            const double v = fabs((double)x[i]);
            if (v != v || (p > 0 ? v > total : v < total)) total = v;
            if (total != total) break;
        }
        return total;
    }
    real powers[CG_BLOCK];
    const real q = R(p);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const real v = x[i] < 0 ? -x[i] : x[i];
        powers[i] = q == 1 ? v : NAME(exp)(q * NAME(log)(v));
    }
    const real sum = NAME(sum_line)(powers, n);
    return NAME(is_safe)(sum) ? sum : NAME(scaled_norm)(x, n, 0, p);
}

/* partial[b] = the contribution of block b to the p-norm of all arrays; doubles */
KERNEL_BODY(grad_norm_blocks) {
    double *partial = a->partial;
    CG_EACH_SPAN(span, a, share) {
        const real *g = a->g[span.tensor];
        int64_t block = span.block;
        for (int64_t i = span.begin; i < span.end; i += CG_BLOCK)
            partial[block++] = NAME(block_norm)(g + i, cg_min(CG_BLOCK, span.end - i), a->p);
    }
}

/* norm = (Σ partial)^(1/p), or their extreme for p = ±∞, and the factor that rescales it to max_norm:
 * min(1, max_norm/(norm + 1e-6)). R. Pascanu, T. Mikolov, Y. Bengio (2013), "On the difficulty of training recurrent
 * neural networks". */
KERNEL_BODY(grad_norm) {
    if (share.index) return;
    const double *partial = a->partial;
    double total = isinf(a->p) && a->p < 0 && a->blocks ? INFINITY : 0;
    int safe = 1;
    for (int64_t i = 0; i < a->blocks; i++) {
        if (!isinf(a->p)) total += partial[i], safe &= !(partial[i] < 0);
        else if (partial[i] != partial[i] || (a->p > 0 ? partial[i] > total : partial[i] < total)) total = partial[i];
        if (total != total) break;
    }
    if (!isinf(a->p) && !(safe && total <= 0x1.fffffffffffffp1023)) total = NAME(scaled_norm)(partial, a->blocks, 1, a->p);
    const double norm = isinf(a->p) ? total : NAME(norm_of)(total, a->p);
    const double factor = a->max_norm / (norm + 1e-6);
    *(real *)a->norm = R(norm);
    *(real *)a->factor = R(factor > 1 ? 1 : factor);
}

/* g ← g·factor for all arrays; a factor of 1 writes nothing */
KERNEL_BODY(scale_all) {
    const real factor = *(const real *)a->factor;
    if (factor == 1) return;
    CG_EACH_SPAN(span, a, share) {
        real *g = a->g[span.tensor];
        for (int64_t i = span.begin; i < span.end; i++) g[i] *= factor;
    }
}

/* g ← g, but at least −limit and at most limit, for all arrays; NaN stays */
KERNEL_BODY(clip_value) {
    const real limit = R(a->limit);
    CG_EACH_SPAN(span, a, share) {
        real *g = a->g[span.tensor];
        for (int64_t i = span.begin; i < span.end; i++) g[i] = g[i] > limit ? limit : g[i] < -limit ? -limit : g[i];
    }
}

/* Adaptive clipping of units, which are rows of g[t] and w[t] (units[t] rows of unit_sizes[t] elements):
 * where ‖g‖ > clipping·max(‖w‖, floor), g ← g·clipping·max(‖w‖, floor)/‖g‖.
 * A. Brock et al. (2021), "High-performance large-scale image recognition without normalization". */
KERNEL_BODY(clip_adaptive) {
    int64_t number = 0, all = 0;
    for (int64_t t = 0; t < a->tensors; t++) all += a->units[t];
    const cg_range r = cg_part(all, 1, share);
    for (int64_t t = 0; t < a->tensors; t++) {
        const int64_t n = a->unit_sizes[t];
        for (int64_t u = 0; u < a->units[t]; u++, number++) {
            if (number < r.begin || number >= r.end) continue;
            real *g = (real *)a->g[t] + u * n;
            const real *w = (const real *)a->w[t] + u * n;
            const real norm = R(NAME(norm_of)(NAME(line_norm)(g, n), 2)), own = R(NAME(norm_of)(NAME(line_norm)(w, n), 2));
            const real most = R(a->clipping) * (own < R(a->floor) ? R(a->floor) : own);
            if (norm <= most || norm != norm) continue;
            for (int64_t i = 0; i < n; i++) g[i] *= most / norm;
        }
    }
}
