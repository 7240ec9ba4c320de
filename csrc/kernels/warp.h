/* Images moved, turned, cut and blurred: x is [n, channels, height, width], every sample with parameters of its own.
 * The centre of the pixel in column j and row i lies at (j, i). */

#if CG_REAL_BITS == 32
enum { WARP_CHUNK = 64 };
enum { WARP_CONSTANT, WARP_EDGE, WARP_REFLECT }; /* the argument `padding` */
enum { BLUR_STRIP = 16384 };                     /* numbers in a strip, margins included, where it can be so small */
#endif

/* Where a stretch of an output row stands along one axis of the input: between the pixels `at` and `at` + 1, with their
 * weights, which leave out what lies outside. */
typedef struct {
    bits at[WARP_CHUNK];
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

/* n places at x, x + dx, … on an axis of `size` pixels. On an axis of one pixel the second weight is 0. */
INLINE void NAME(find_places)(NAME(axis) *restrict p, int64_t n, real x, real dx, bits size, int64_t padding) {
    const bits last = size - 1, most = last > 1 ? last - 1 : 0;
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
        const real left = NAME(select)((c >= 0) & (c <= last), 1 - rest, 0), right = NAME(select)(c < last, rest, 0);
        const bits at = c < 0 ? 0 : c > most ? most : c;
        p->at[j] = at;
        p->weight[0][j] = NAME(select)(c == at, left, NAME(select)(c < at, right, 0));
        p->weight[1][j] = NAME(select)(c == at, right, NAME(select)(c > at, left, 0));
    }
}

/* Whether a map takes whole pixels to whole pixels, side by side or mirrored. */
INLINE int NAME(is_whole)(const real *m) {
    const int sides = (m[0] == 1 || m[0] == -1) && m[1] == 0 && m[3] == 0 && (m[4] == 1 || m[4] == -1);
    return sides && m[2] == (real)(bits)m[2] && m[5] == (real)(bits)m[5];
}

/* A row of pixels v that come from whole places, with `fill` outside. */
INLINE void NAME(copy_row)(real *restrict to, const real *restrict plane, const real *m, int64_t v, int64_t ow, int64_t h,
                           int64_t w, real fill) {
    const int64_t left = (int64_t)m[2], row = (int64_t)m[4] * v + (int64_t)m[5], forward = m[0] > 0;
    int64_t begin = forward ? -left : left - (w - 1), end = forward ? w - left : left + 1;
    begin = cg_min(cg_max(begin, 0), ow), end = cg_min(cg_max(end, begin), ow);
    if (row < 0 || row >= h) begin = end = ow;
    const real *from = plane + row * w + left;
    for (int64_t u = 0; u < begin; u++) to[u] = fill;
    if (forward && begin < end) memcpy(to + begin, from + begin, (end - begin) * sizeof(real));
    for (int64_t u = begin; !forward && u < end; u++) to[u] = from[-u];
    for (int64_t u = end; u < ow; u++) to[u] = fill;
}

/* y[i, c, v, u] = x[i, c] at (m₀u + m₁v + m₂, m₃u + m₄v + m₅), m = maps[i], between pixels by bilinear interpolation.
 * Outside the image lies `fill` (padding 0), its edge (1) or its mirror (2). A plane has fewer than 2³¹ numbers, and the
 * maps stay below 2³⁰. */
KERNEL_BODY(warp) {
    const int64_t h = a->height, w = a->width, oh = a->out_height, ow = a->out_width;
    const real fill = R(a->fill);
    cg_range r = cg_part(a->n * oh, cg_max(1, CG_BLOCK / cg_max(1, ow * a->channels)), share);
    for (int64_t row = r.begin; row < r.end; row++) {
        const int64_t i = row / oh, v = row % oh;
        const real *m = (const real *)a->maps + 6 * i, *planes = (const real *)a->x + i * a->channels * h * w;
        real *out = (real *)a->y + (i * a->channels * oh + v) * ow;
        if (a->padding == WARP_CONSTANT && NAME(is_whole)(m)) {
            for (int64_t c = 0; c < a->channels; c++)
                NAME(copy_row)(out + c * oh * ow, planes + c * h * w, m, v, ow, h, w, fill);
            continue;
        }
        for (int64_t u = 0; u < ow; u += WARP_CHUNK) {
            const int64_t n = cg_min(WARP_CHUNK, ow - u), below = h > 1 ? w : 0;
            const double x = (double)m[0] * (double)u + (double)m[1] * (double)v + m[2];
            const double y = (double)m[3] * (double)u + (double)m[4] * (double)v + m[5];
            NAME(axis) across, down;
            NAME(find_places)(&across, n, R(x), m[0], (bits)w, a->padding);
            NAME(find_places)(&down, n, R(y), m[3], (bits)h, a->padding);
            for (int64_t j = 0; j < n; j++) across.at[j] += down.at[j] * (bits)w;
            for (int64_t c = 0; c < a->channels; c++) {
                const real *restrict from = planes + c * h * w;
                real *restrict to = out + c * oh * ow + u;
                real top[WARP_CHUNK][2], bottom[WARP_CHUNK][2]; /* neighbours side by side: one load for two */
                for (int64_t j = 0; w > 1 && j < n; j++) {
                    memcpy(top[j], from + across.at[j], sizeof top[j]);
                    memcpy(bottom[j], from + across.at[j] + below, sizeof bottom[j]);
                }
                for (int64_t j = 0; w == 1 && j < n; j++) {
                    top[j][0] = from[across.at[j]], bottom[j][0] = from[across.at[j] + below];
                    top[j][1] = bottom[j][1] = 0;
                }
#pragma omp simd
                for (int64_t j = 0; j < n; j++) {
                    const real s = across.weight[0][j], t = across.weight[1][j];
                    const real inside = (s + t) * (down.weight[0][j] + down.weight[1][j]);
                    to[j] = down.weight[0][j] * (s * top[j][0] + t * top[j][1]) +
                            down.weight[1][j] * (s * bottom[j][0] + t * bottom[j][1]) + (1 - inside) * fill;
                }
            }
        }
    }
}

/* y[j] = Σₖ w[k]·x[j + k·step], for all j < n, and up to a vector more */
INLINE void NAME(correlate)(real *restrict y, const real *restrict x, int64_t n, const real *restrict w, int64_t taps,
                            int64_t step) {
    int64_t j = 0;
    for (; j + 4 * LANES <= n; j += 4 * LANES) {
        vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        for (int64_t k = 0; k < taps; k++) {
            const real *from = x + j + k * step;
            s0 += w[k] * LOAD(from), s1 += w[k] * LOAD(from + LANES);
            s2 += w[k] * LOAD(from + 2 * LANES), s3 += w[k] * LOAD(from + 3 * LANES);
        }
        STORE(y + j, s0), STORE(y + j + LANES, s1), STORE(y + j + 2 * LANES, s2), STORE(y + j + 3 * LANES, s3);
    }
    for (; j < n; j += LANES) {
        vec s = {0};
        for (int64_t k = 0; k < taps; k++) s += w[k] * LOAD(x + j + k * step);
        STORE(y + j, s);
    }
}

/* k mirrored into 0 … n − 1 */
static inline int64_t NAME(mirrored)(int64_t k, int64_t n) { return k < 0 ? -k : k > n - 1 ? 2 * (n - 1) - k : k; }

/* y[i, c] = x[i, c] convolved with w along the rows, then down the columns, w = weights[i] of 2·radius + 1 numbers; beyond
 * the edges lies the mirror. The radius is below height and width. A strip of rows is copied with its margins, so that both
 * passes are over one long line; one of 1 + 2·radius rows takes at most 2⁻⁴ of the scratch's bytes in numbers. */
KERNEL_BODY(blur) {
    const int64_t h = a->height, w = a->width, taps = a->taps, radius = taps / 2, wide = w + 2 * radius;
    const int64_t rows = cg_min(cg_max(1, BLUR_STRIP / wide - 2 * radius), cg_max(1, h));
    const int64_t strips = cg_ceil_div(h, rows), slack = taps + 2 * LANES;
    real *restrict copy = share.scratch, *restrict across = copy + (rows + 2 * radius) * wide + slack;
    cg_range r = cg_part(a->n * a->channels * strips, 1, share);
    for (int64_t strip = r.begin; strip < r.end; strip++) {
        const int64_t plane = strip / strips, first = strip % strips * rows, count = cg_min(rows, h - first);
        const real *weights = (const real *)a->weights + plane / a->channels * taps;
        const real *restrict x = (const real *)a->x + plane * h * w;
        for (int64_t v = 0; v < count + 2 * radius; v++) {
            real *restrict line = copy + v * wide + radius;
            memcpy(line, x + NAME(mirrored)(first + v - radius, h) * w, w * sizeof(real));
            for (int64_t k = 1; k <= radius; k++) line[-k] = line[k], line[w - 1 + k] = line[w - 1 - k];
        }
        memset(copy + (count + 2 * radius) * wide, 0, slack * sizeof(real));
        NAME(correlate)(across, copy, (count + 2 * radius) * wide, weights, taps, 1);
        NAME(correlate)(copy, across, count * wide, weights, taps, wide);
        for (int64_t v = 0; v < count; v++)
            memcpy((real *)a->y + (plane * h + first + v) * w, copy + v * wide, w * sizeof(real));
    }
}
