/* Images moved, turned, cut and blurred: x is [n, channels, height, width], every sample with parameters of its own.
 * The centre of the pixel in column j and row i lies at (j, i). */

#if CG_REAL_BITS == 32
enum { WARP_CHUNK = 64 };
enum { WARP_CONSTANT, WARP_EDGE, WARP_REFLECT }; /* the argument `padding` */
#endif

/* Where a stretch of an output row stands along one axis of the input: two neighbours, held inside the axis, and their
 * weights, 0 for what lies outside. */
typedef struct {
    bits at[2][WARP_CHUNK];
    real weight[2][WARP_CHUNK];
} NAME(axis);

/* t mirrored at 0 and at `last`, without repeating what lies there. */
INLINE real NAME(mirror)(real t, real last) {
    const real period = 2 * last > 1 ? 2 * last : 1;
    t = NAME(select)(t < 0, -t, t);
    t = NAME(select)(t < R(1 << 30), t, R(1 << 30));
    t -= period * (real)(bits)(t / period);
    return NAME(select)(t > last, period - t, t);
}

/* n places at x, x + dx, … on an axis of `size` pixels. */
INLINE void NAME(find_places)(NAME(axis) *restrict p, int64_t n, real x, real dx, bits size, int64_t padding) {
    const bits last = size - 1;
    const real low = padding == WARP_CONSTANT ? -1 : 0, high = (real)(padding == WARP_CONSTANT ? size : last);
    real t[WARP_CHUNK];
    for (int64_t j = 0; j < n; j++) t[j] = x + (real)(bits)j * dx;
    for (int64_t j = 0; padding == WARP_REFLECT && j < n; j++) t[j] = NAME(mirror)(t[j], (real)last);
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        real u = t[j];
        u = NAME(select)(u > low, u, low), u = NAME(select)(u < high, u, high);
        const bits c = (bits)(u + 1) - 1; /* the floor: u is at least −1 */
        const real rest = u - (real)c;
        p->at[0][j] = c < 0 ? 0 : c > last ? last : c;
        p->at[1][j] = c < last ? c + 1 : last;
        p->weight[0][j] = NAME(select)((c >= 0) & (c <= last), 1 - rest, 0);
        p->weight[1][j] = NAME(select)(c < last, rest, 0);
    }
}

/* y[i, c, v, u] = x[i, c] at (m₀u + m₁v + m₂, m₃u + m₄v + m₅), m = maps[i], between pixels by bilinear interpolation.
 * Outside the image lies `fill` (padding 0), its edge (1) or its mirror (2). A plane has fewer than 2³¹ numbers. */
KERNEL_BODY(warp) {
    const int64_t h = a->height, w = a->width, oh = a->out_height, ow = a->out_width;
    const real fill = R(a->fill);
    cg_range r = cg_part(a->n * oh, cg_max(1, CG_BLOCK / cg_max(1, ow * a->channels)), share);
    for (int64_t row = r.begin; row < r.end; row++) {
        const int64_t i = row / oh, v = row % oh;
        const real *m = (const real *)a->maps + 6 * i;
        for (int64_t u = 0; u < ow; u += WARP_CHUNK) {
            const int64_t n = cg_min(WARP_CHUNK, ow - u);
            const double x = (double)m[0] * (double)u + (double)m[1] * (double)v + m[2];
            const double y = (double)m[3] * (double)u + (double)m[4] * (double)v + m[5];
            NAME(axis) across, down;
            NAME(find_places)(&across, n, R(x), m[0], (bits)w, a->padding);
            NAME(find_places)(&down, n, R(y), m[3], (bits)h, a->padding);
            for (int64_t j = 0; j < n; j++) down.at[0][j] *= (bits)w, down.at[1][j] *= (bits)w;
            for (int64_t c = 0; c < a->channels; c++) {
                const real *restrict from = (const real *)a->x + (i * a->channels + c) * h * w;
                real *restrict to = (real *)a->y + ((i * a->channels + c) * oh + v) * ow + u;
#pragma omp simd
                for (int64_t j = 0; j < n; j++) {
                    const bits left = across.at[0][j], right = across.at[1][j], upper = down.at[0][j], lower = down.at[1][j];
                    const real s = across.weight[0][j], t = across.weight[1][j];
                    const real top = s * from[upper + left] + t * from[upper + right];
                    const real bottom = s * from[lower + left] + t * from[lower + right];
                    const real inside = (s + t) * (down.weight[0][j] + down.weight[1][j]);
                    to[j] = down.weight[0][j] * top + down.weight[1][j] * bottom + (1 - inside) * fill;
                }
            }
        }
    }
}

/* y[i, c] = x[i, c] convolved with w down the columns, then along the rows, w = weights[i] of 2·radius + 1 numbers; beyond
 * the edges lies the mirror. The radius is below height and width, and a row with its margins fits into the scratch. */
KERNEL_BODY(blur) {
    const int64_t h = a->height, w = a->width, radius = a->taps / 2;
    real *restrict line = share.scratch;
    cg_range r = cg_part(a->n * a->channels * h, cg_max(1, CG_BLOCK / cg_max(1, w)), share);
    for (int64_t row = r.begin; row < r.end; row++) {
        const int64_t plane = row / h, v = row % h;
        const real *restrict weights = (const real *)a->weights + plane / a->channels * a->taps;
        const real *restrict x = (const real *)a->x + plane * h * w;
        real *restrict y = (real *)a->y + row * w, *restrict middle = line + radius;
        memset(middle, 0, w * sizeof(real));
        for (int64_t k = 0; k < a->taps; k++) {
            int64_t source = v + k - radius;
            source = source < 0 ? -source : source > h - 1 ? 2 * (h - 1) - source : source;
            const real *restrict from = x + source * w, weight = weights[k];
            for (int64_t j = 0; j < w; j++) middle[j] += weight * from[j];
        }
        for (int64_t k = 1; k <= radius; k++) middle[-k] = middle[k], middle[w - 1 + k] = middle[w - 1 - k];
        memset(y, 0, w * sizeof(real));
        for (int64_t k = 0; k < a->taps; k++) {
            const real weight = weights[k];
            for (int64_t j = 0; j < w; j++) y[j] += weight * line[j + k];
        }
    }
}
