/* Affine maps and blur of images: x is [n, channels, height, width]; each sample has its own parameters.
 * The center of the pixel in column j and row i lies at (j, i). */

#if CG_REAL_BITS == 32
enum { WARP_TILE = 96 };                         /* the most rows and columns of the output computed together */
enum { WARP_CHUNK = 32 };                        /* the most pixels of a row mapped together */
enum { WARP_CONSTANT, WARP_EDGE, WARP_REFLECT }; /* the argument `padding` */
enum { BLUR_ROWS = 128 };                        /* the most rows of the output blurred in one pass */

/* A rectangle of an image. */
typedef struct { int64_t top, left, height, width; } cg_box;

/* The pixels of an axis that coordinates between a and b are interpolated from, and a few more. There are at least two. */
static inline cg_range cg_reach(double a, double b, int64_t size, int64_t padding) {
    const double last = (double)(size - 1), low = fmin(a, b), high = fmax(a, b);
    if (padding == WARP_REFLECT && (low < 0 || high > last)) return (cg_range){0, size};
    const int64_t begin = (int64_t)fmin(fmax(low - 2, 0), last - 1), end = (int64_t)fmin(fmax(high + 3, 1), last) + 1;
    return (cg_range){begin, end};
}
#endif

/* The positions of WARP_CHUNK pixels of an output row along one axis of the input: between the pixels `at` and `at` + 1,
 * with their weights, which are 0 outside. */
typedef struct {
    bits at[WARP_CHUNK];
    real weight[2][WARP_CHUNK];
} NAME(axis);

/* Their positions in the input: row and column of the upper left neighbor, and the weights of the four neighbors: upper
 * left, upper right, lower left, lower right. */
typedef struct {
    bits row[WARP_CHUNK], column[WARP_CHUNK];
    real weight[4][WARP_CHUNK];
} NAME(places);

/* The four channels of one pixel, and of two adjacent pixels. */
typedef real NAME(pixel) __attribute__((vector_size(4 * sizeof(real)), aligned(CG_REAL_BITS / 8), may_alias));
typedef real NAME(pixels) __attribute__((vector_size(8 * sizeof(real)), aligned(CG_REAL_BITS / 8), may_alias));

/* t mirrored at 0 and at `last`, without repeating the edge. */
INLINE real NAME(mirror)(real t, real last) {
    const real period = 2 * last > 1 ? 2 * last : 1;
    t = NAME(select)(t < 0, -t, t);
    t = NAME(select)(t < R(1 << 30), t, R(1 << 30));
    t -= period * (real)(bits)(t / period);
    return NAME(select)(t > last, period - t, t);
}

/* Positions x, x + dx, … on an axis of `size` pixels. The weight of a pixel is 1 less its distance, if that is positive; on
 * an axis of one pixel the second weight is 0. */
INLINE void NAME(find_on_axis)(NAME(axis) *restrict p, real x, real dx, bits size, int64_t padding) {
    const bits last = size - 1, most = last > 1 ? last - 1 : 0;
    const real low = padding == WARP_CONSTANT ? -1 : 0, high = (real)(padding == WARP_CONSTANT ? size : last);
    const real second = last > 0 ? 1 : 0;
    real t[WARP_CHUNK];
    for (bits j = 0; j < WARP_CHUNK; j++) t[j] = x + (real)j * dx;
    for (bits j = 0; padding == WARP_REFLECT && j < WARP_CHUNK; j++) t[j] = NAME(mirror)(t[j], (real)last);
    for (bits j = 0; j < WARP_CHUNK; j++) {
        real u = t[j];
        u = NAME(select)(u > low, u, low), u = NAME(select)(u < high, u, high);
        const bits c = (bits)u, at = c < 0 ? 0 : c > most ? most : c;
        const real right = u - (real)at, left = right - 1;
        const real first = 1 - NAME(select)(right < 0, -right, right), next = second - NAME(select)(left < 0, -left, left);
        p->at[j] = at;
        p->weight[0][j] = NAME(select)(first > 0, first, 0), p->weight[1][j] = NAME(select)(next > 0, next, 0);
    }
}

/* The positions of output row v, starting at column u. */
INLINE void NAME(find_places)(NAME(places) *restrict p, const cg_warp_args *a, const real *m, int64_t v, int64_t u) {
    const double x = (double)m[0] * (double)u + (double)m[1] * (double)v + m[2];
    const double y = (double)m[3] * (double)u + (double)m[4] * (double)v + m[5];
    NAME(axis) across, down;
    NAME(find_on_axis)(&across, R(x), m[0], (bits)a->width, a->padding);
    NAME(find_on_axis)(&down, R(y), m[3], (bits)a->height, a->padding);
    for (bits j = 0; j < WARP_CHUNK; j++) {
        p->row[j] = down.at[j], p->column[j] = across.at[j];
        p->weight[0][j] = down.weight[0][j] * across.weight[0][j];
        p->weight[1][j] = down.weight[0][j] * across.weight[1][j];
        p->weight[2][j] = down.weight[1][j] * across.weight[0][j];
        p->weight[3][j] = down.weight[1][j] * across.weight[1][j];
    }
}

/* Add `fill` by the share of n pixels that is outside the image; weights that differ from 1 by rounding do not count. */
static void NAME(add_outside)(real *restrict to, int64_t plane, int64_t channels, const NAME(places) *restrict p, int64_t n,
                              real fill) {
    real share[WARP_CHUNK];
    for (bits j = 0; j < WARP_CHUNK; j++) {
        const real outside = 1 - (p->weight[0][j] + p->weight[1][j] + p->weight[2][j] + p->weight[3][j]);
        share[j] = outside > 4 * REAL_EPS ? outside * fill : 0;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t j = 0; j < n; j++) to[c * plane + j] += share[j];
}

/* n pixels from a plane of the input with rows of `w` pixels. */
INLINE void NAME(from_plane)(real *restrict to, const real *restrict plane, const NAME(places) *restrict p, int64_t n,
                             int64_t h, int64_t w) {
    real top[WARP_CHUNK][2], bottom[WARP_CHUNK][2]; /* adjacent neighbors: one load for two */
    bits at[WARP_CHUNK];
    const int64_t below = h > 1 ? w : 0;
    for (bits j = 0; j < WARP_CHUNK; j++) at[j] = p->row[j] * (bits)w + p->column[j];
    for (int64_t j = 0; w > 1 && j < n; j++) {
        memcpy(top[j], plane + at[j], sizeof top[j]);
        memcpy(bottom[j], plane + at[j] + below, sizeof bottom[j]);
    }
    for (int64_t j = 0; w == 1 && j < n; j++) {
        top[j][0] = plane[at[j]], bottom[j][0] = plane[at[j] + below];
        top[j][1] = bottom[j][1] = 0;
    }
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        to[j] = p->weight[0][j] * top[j][0] + p->weight[1][j] * top[j][1] + p->weight[2][j] * bottom[j][0] +
                p->weight[3][j] * bottom[j][1];
}

/* to[4·j + k] = element j of n of line k, for four lines, the last of which may be NULL; up to LANES − 1 more groups of
 * four are written. */
INLINE void NAME(interleave)(real *restrict to, const real *const lines[4], int64_t n) {
    for (int64_t j = 0; j < n; j += LANES, to += 4 * LANES) {
        const vec a = NAME(load_some)(lines[0] + j, n - j), b = NAME(load_some)(lines[1] + j, n - j);
        const vec c = NAME(load_some)(lines[2] + j, n - j), d = lines[3] ? NAME(load_some)(lines[3] + j, n - j) : (vec){0};
        const vec low = ZIP_LOW(a, c), low_odd = ZIP_LOW(b, d), high = ZIP_HIGH(a, c), high_odd = ZIP_HIGH(b, d);
        STORE(to, ZIP_LOW(low, low_odd)), STORE(to + LANES, ZIP_HIGH(low, low_odd));
        STORE(to + 2 * LANES, ZIP_LOW(high, high_odd)), STORE(to + 3 * LANES, ZIP_HIGH(high, high_odd));
    }
}

/* Four vectors, deinterleaved: their first, second, third and fourth elements. */
INLINE void NAME(turn)(NAME(pixel) *q) {
    const NAME(pixel) a = __builtin_shufflevector(q[0], q[1], 0, 4, 1, 5), b = __builtin_shufflevector(q[2], q[3], 0, 4, 1, 5);
    const NAME(pixel) c = __builtin_shufflevector(q[0], q[1], 2, 6, 3, 7), d = __builtin_shufflevector(q[2], q[3], 2, 6, 3, 7);
    q[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5), q[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    q[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5), q[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/* n pixels of `count` channels, three or four, from a window of the input in which the four values of a pixel are adjacent;
 * channel k goes to to + k·plane. */
INLINE void NAME(from_window)(real *restrict to, int64_t plane, const real *restrict window, cg_box box,
                              const NAME(places) *restrict p, int64_t n, int64_t count) {
    real weights[WARP_CHUNK][4];
    bits at[WARP_CHUNK];
    const bits width = (bits)box.width, origin = (bits)(box.top * box.width + box.left);
    const bits most = width * (bits)(box.height - 1) - 2;
    for (bits j = 0; j < WARP_CHUNK; j++) {
        const bits place = p->row[j] * width + p->column[j] - origin;
        at[j] = 4 * (place < 0 ? 0 : place > most ? most : place); /* pixels from n on may lie elsewhere */
    }
    const real *const w[] = {p->weight[0], p->weight[1], p->weight[2], p->weight[3]};
    NAME(interleave)(weights[0], w, WARP_CHUNK);
    for (int64_t j = 0; j < n; j += 4) {
        NAME(pixel) lines[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            const NAME(pixel) v = *(const NAME(pixel) *)weights[j + k];
            const real *top = window + at[j + k], *bottom = top + 4 * width;
            const NAME(pixels) sum = __builtin_shufflevector(v, v, 0, 0, 0, 0, 1, 1, 1, 1) * *(const NAME(pixels) *)top +
                                     __builtin_shufflevector(v, v, 2, 2, 2, 2, 3, 3, 3, 3) * *(const NAME(pixels) *)bottom;
            lines[k] = __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
        }
        NAME(turn)(lines);
        if (n - j >= 4) {
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++)
                if (k < count) *(NAME(pixel) *)(to + k * plane + j) = lines[k];
        } else {
            for (int64_t k = 0; k < count; k++)
                for (int64_t r = 0; r < n - j; r++) to[k * plane + j + r] = lines[k][r];
        }
    }
}

/* The window of the input that a tile of the output needs. */
static cg_box NAME(window_of)(const cg_warp_args *a, const real *m, cg_box tile) {
    double low[2], high[2]; /* the coordinates of the corners */
    for (int k = 0; k < 2; k++) {
        const double across = (double)m[3 * k] * (double)(tile.width - 1), down = (double)m[3 * k + 1] * (double)(tile.height - 1);
        const double corner = (double)m[3 * k] * (double)tile.left + (double)m[3 * k + 1] * (double)tile.top + m[3 * k + 2];
        low[k] = corner + fmin(across, 0) + fmin(down, 0), high[k] = corner + fmax(across, 0) + fmax(down, 0);
    }
    const cg_range columns = cg_reach(low[0], high[0], a->width, a->padding);
    const cg_range rows = cg_reach(low[1], high[1], a->height, a->padding);
    return (cg_box){rows.begin, columns.begin, rows.end - rows.begin, columns.end - columns.begin};
}

/* A tile of image i, between pixels. With three or four channels the window is first interleaved, so that two neighbors are one
 * load, unless it is far larger than the tile. */
static void NAME(warp_tile)(const cg_warp_args *a, int64_t i, cg_box tile, real *scratch) {
    const int64_t h = a->height, w = a->width, channels = a->channels, plane = a->out_height * a->out_width;
    const real *m = (const real *)a->maps + 6 * i, *x = (const real *)a->x + i * channels * h * w;
    const cg_box box = NAME(window_of)(a, m, tile);
    const int64_t area = box.height * box.width, window = 4 * (area + LANES), groups = (channels + 1) / 4;
    const int laid = h > 1 && w > 1 && area <= 3 * tile.height * tile.width + 64 &&
                     groups * window <= CG_SCRATCH_BYTES / (int64_t)sizeof(real);
    const int64_t together = laid ? cg_min(4 * groups, channels) : 0;
    for (int64_t c = 0; c < together; c += 4)
        for (int64_t v = 0; v < box.height; v++) {
            const real *line = x + (c * h + box.top + v) * w + box.left;
            const real *const lines[] = {line, line + h * w, line + 2 * h * w, channels - c > 3 ? line + 3 * h * w : 0};
            NAME(interleave)(scratch + c / 4 * window + 4 * v * box.width, lines, box.width);
        }
    for (int64_t v = tile.top; v < tile.top + tile.height; v++)
        for (int64_t u = tile.left; u < tile.left + tile.width; u += WARP_CHUNK) {
            const int64_t n = cg_min(WARP_CHUNK, tile.left + tile.width - u);
            real *to = (real *)a->y + i * channels * plane + v * a->out_width + u;
            NAME(places) places;
            NAME(find_places)(&places, a, m, v, u);
            for (int64_t c = 0; c < together; c += 4)
                NAME(from_window)(to + c * plane, plane, scratch + c / 4 * window, box, &places, n, cg_min(4, channels - c));
            for (int64_t c = together; c < channels; c++) NAME(from_plane)(to + c * plane, x + c * h * w, &places, n, h, w);
            if (a->padding == WARP_CONSTANT && a->fill != 0)
                NAME(add_outside)(to, plane, channels, &places, n, R(a->fill));
        }
}

/* Whether a map takes whole pixels to whole pixels, in order or mirrored. */
INLINE int NAME(is_whole)(const real *m) {
    const int sides = (m[0] == 1 || m[0] == -1) && m[1] == 0 && m[3] == 0 && (m[4] == 1 || m[4] == -1);
    return sides && m[2] == (real)(bits)m[2] && m[5] == (real)(bits)m[5];
}

/* n elements starting at `from`, or ending there, in reverse */
INLINE void NAME(copy_run)(real *restrict to, const real *restrict from, int64_t n, int64_t forward) {
    if (forward) {
        for (int64_t j = 0; j < n; j++) to[j] = from[j];
        return;
    }
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) STORE(to + j, REVERSE(LOAD(from - j - (LANES - 1))));
    for (; j < n; j++) to[j] = from[-j];
}

/* A tile of pixels at integer positions, with `fill` outside. */
static void NAME(copy_tile)(const cg_warp_args *a, int64_t i, cg_box tile) {
    const int64_t h = a->height, w = a->width, ow = a->out_width;
    const real *m = (const real *)a->maps + 6 * i, fill = R(a->fill);
    const int64_t left = (int64_t)m[2], forward = m[0] > 0, right = tile.left + tile.width;
    int64_t begin = forward ? -left : left - (w - 1), end = forward ? w - left : left + 1;
    begin = cg_min(cg_max(begin, tile.left), right), end = cg_min(cg_max(end, begin), right);
    for (int64_t c = 0; c < a->channels; c++)
        for (int64_t v = tile.top; v < tile.top + tile.height; v++) {
            const int64_t row = (int64_t)m[4] * v + (int64_t)m[5], outside = row < 0 || row >= h;
            const int64_t first = outside ? right : begin, last = outside ? right : end;
            real *to = (real *)a->y + ((i * a->channels + c) * a->out_height + v) * ow;
            const real *from = (const real *)a->x + ((i * a->channels + c) * h + row) * w + left;
            for (int64_t u = tile.left; u < first; u++) to[u] = fill;
            if (first < last) NAME(copy_run)(to + first, from + (forward ? first : -first), last - first, forward);
            for (int64_t u = last; u < right; u++) to[u] = fill;
        }
}

/* y[i, c, v, u] = x[i, c] at (m₀u + m₁v + m₂, m₃u + m₄v + m₅), m = maps[i], between pixels by bilinear interpolation.
 * Outside the image it is `fill` (padding 0), the edge (1) or the mirror image (2). A plane has fewer than 2³¹
 * elements, and the maps stay below 2³⁰. */
KERNEL_BODY(warp) {
    const int64_t oh = a->out_height, ow = a->out_width;
    const int64_t down = cg_ceil_div(oh, WARP_TILE), across = cg_ceil_div(ow, WARP_TILE);
    cg_range r = cg_part(a->n * down * across, 1, share);
    for (int64_t k = r.begin; k < r.end; k++) {
        const int64_t i = k / (down * across), row = k / across % down, column = k % across;
        const int64_t top = oh * row / down, left = ow * column / across;
        const cg_box tile = {top, left, oh * (row + 1) / down - top, ow * (column + 1) / across - left};
        if (a->padding == WARP_CONSTANT && NAME(is_whole)((const real *)a->maps + 6 * i)) NAME(copy_tile)(a, i, tile);
        else NAME(warp_tile)(a, i, tile, share.scratch);
    }
}

/* y[j] = Σₖ w[k]·lines[k][j] for n elements */
INLINE void NAME(weigh_lines)(real *restrict y, const real *const *restrict lines, int64_t n, const real *restrict w,
                              int64_t taps) {
    int64_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) {
        vec s = {0}, t = {0};
        for (int64_t k = 0; k < taps; k++) s += w[k] * LOAD(lines[k] + j), t += w[k] * LOAD(lines[k] + j + LANES);
        STORE(y + j, s), STORE(y + j + LANES, t);
    }
    for (; j < n; j += LANES) {
        vec s = {0};
        for (int64_t k = 0; k < taps; k++) s += w[k] * NAME(load_some)(lines[k] + j, n - j);
        NAME(store_some)(y + j, s, n - j);
    }
}

/* k mirrored into 0 … n − 1 */
static inline int64_t NAME(mirrored)(int64_t k, int64_t n) { return k < 0 ? -k : k > n - 1 ? 2 * (n - 1) - k : k; }

/* Rows first … end − 1 of y. A row is convolved down the columns, extended by its mirror image, and convolved along the row
 * once the next one is ready, because a load waits for the stores that it overlaps. */
INLINE void NAME(blur_rows)(real *restrict y, const real *restrict x, int64_t h, int64_t w, int64_t first, int64_t end,
                            const real *restrict weights, int64_t taps, real *restrict scratch) {
    const int64_t radius = taps / 2, margin = cg_ceil_div(radius, LANES) * LANES, width = w + 2 * margin;
    const real **lines = (const real **)(scratch + 2 * cg_ceil_div(width, LANES) * LANES);
    for (int64_t v = first; v <= end; v++) {
        if (v < end) {
            real *restrict row = scratch + v % 2 * width + margin;
            for (int64_t k = 0; k < taps; k++) lines[k] = x + NAME(mirrored)(v + k - radius, h) * w;
            NAME(weigh_lines)(row, lines, w, weights, taps);
            for (int64_t k = 1; k <= radius; k++) row[-k] = row[k], row[w - 1 + k] = row[w - 1 - k];
        }
        if (v > first) {
            const real *before = scratch + (v - 1) % 2 * width + margin;
            for (int64_t k = 0; k < taps; k++) lines[k] = before + k - radius;
            NAME(weigh_lines)(y + (v - 1) * w, lines, w, weights, taps);
        }
    }
}

/* y[i, c] = x[i, c] convolved with w down the columns, then along the rows, w = weights[i] of 2·radius + 1 elements; edges
 * are mirrored. The radius is below height and width; taps·(taps + width) is at most 2⁻⁴ of the scratch's bytes. The
 * common tap counts are unrolled. */
KERNEL_BODY(blur) {
    const int64_t h = a->height, w = a->width, taps = a->taps, strips = cg_ceil_div(h, BLUR_ROWS);
    cg_range r = cg_part(a->n * a->channels * strips, 1, share);
    for (int64_t strip = r.begin; strip < r.end; strip++) {
        const int64_t plane = strip / strips, first = strip % strips * BLUR_ROWS, end = cg_min(first + BLUR_ROWS, h);
        const real *weights = (const real *)a->weights + plane / a->channels * taps, *x = (const real *)a->x + plane * h * w;
        real *y = (real *)a->y + plane * h * w;
        if (taps == 3) NAME(blur_rows)(y, x, h, w, first, end, weights, 3, share.scratch);
        else if (taps == 5) NAME(blur_rows)(y, x, h, w, first, end, weights, 5, share.scratch);
        else NAME(blur_rows)(y, x, h, w, first, end, weights, taps, share.scratch);
    }
}
