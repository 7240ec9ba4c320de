/* Pooling of planes x[planes, height, width] to y[planes, out_height, out_width]. Along each axis, window i begins at
 * i·stride − padding and has `kernel` elements, `dilation` apart; of these, those in the plane count. With kernel = 0 sizes are
 * adaptive: window i is ⌊i·n/out⌋ ≤ j < ⌈(i + 1)·n/out⌉. Windows that lie in the plane are `stride` apart: loops over them
 * are vectorized. Non-overlapping windows of 2×2 are pairs. */
#ifndef CYGRAD_POOLING
#define CYGRAD_POOLING

typedef struct { int64_t n, out, kernel, stride, padding, dilation; } cg_axis;
typedef struct { int64_t begin, end, count; } cg_window; /* count: its elements, with those in the padding if they count */

#define CG_ROWS(a) \
    ((cg_axis){(a)->height, (a)->out_height, (a)->row_kernel, (a)->row_stride, (a)->row_padding, (a)->row_dilation})
#define CG_COLS(a) \
    ((cg_axis){(a)->width, (a)->out_width, (a)->col_kernel, (a)->col_stride, (a)->col_padding, (a)->col_dilation})

static inline cg_window cg_window_of(cg_axis x, int64_t i, int padded) {
    if (!x.kernel) {
        const int64_t begin = i * x.n / x.out, end = cg_ceil_div((i + 1) * x.n, x.out);
        return (cg_window){begin, end, end - begin};
    }
    int64_t begin = i * x.stride - x.padding;
    const int64_t last = begin + (x.kernel - 1) * x.dilation + 1, whole = cg_min(last, x.n + x.padding) - begin;
    if (begin < 0) begin += cg_ceil_div(-begin, x.dilation) * x.dilation;
    begin = cg_min(begin, x.n);
    const int64_t end = cg_max(begin, cg_min(last, x.n));
    return (cg_window){begin, end, padded ? whole : end - begin};
}

/* The outputs whose windows lie in the plane. */
static inline cg_range cg_inner_windows(cg_axis x) {
    const int64_t room = x.n + x.padding - (x.kernel - 1) * x.dilation - 1;
    const int64_t first = x.kernel ? cg_min(cg_ceil_div(x.padding, x.stride), x.out) : x.out;
    return (cg_range){first, room < 0 || !x.kernel ? first : cg_max(first, cg_min(room / x.stride + 1, x.out))};
}

static inline int cg_in_pairs(cg_axis x) {
    return x.kernel == 2 && x.stride == 2 && x.padding == 0 && x.dilation == 1 && 2 * x.out <= x.n;
}

#endif

/* The plane and the row of a line of outputs, without a division for each. */
#define CG_NEXT_LINE(plane, i, out) (++(i) == (out) ? ((i) = 0, ++(plane)) : 0)

/* Elements x[q·stride], q < n ≤ LANES; further lanes repeat the last. `before` and `after`: whether the elements before the
 * first and after the last are there to be read. */
INLINE vec NAME(strided)(const real *x, int64_t stride, int64_t n, int before, int after) {
    if (n == LANES && stride == 1) return LOAD(x);
    if (n == LANES && stride == 2 && after) return EVEN(LOAD(x), LOAD(x + LANES));
    if (n == LANES && stride == 2 && before) return ODD(LOAD(x - 1), LOAD(x - 1 + LANES));
    real y[LANES];
    for (int64_t q = 0; q < LANES; q++) y[q] = x[cg_min(q, n - 1) * stride];
    return LOAD(y);
}

/* for (vectors of n outputs from j on, of which `count` lanes count): the last one overlaps the one before it. */
#define EACH_VECTOR(j, count, n)                                                 \
    for (int64_t count = cg_min(n, LANES), next_ = 0, j = 0; next_ < (n);        \
         next_ += LANES, j = cg_max(0, cg_min(next_, (n) - LANES)))

/* y = the larger of y and x, NaN included, and at = position where it is x: the first of equal numbers, the last NaN, as
 * PyTorch. */
#define LARGER(y, at, x, position)                                                              \
    do {                                                                                        \
        const vec v_ = x;                                                                       \
        const ivec take_ = (v_ > y) | (v_ != v_);                                               \
        y = (vec)(((ivec)v_ & take_) | ((ivec)y & ~take_)), at = ((position) & take_) | (at & ~take_); \
    } while (0)

/* 0, 1, …, each times `step` */
INLINE ivec NAME(steps)(int64_t step) {
    bits y[LANES];
    for (int64_t q = 0; q < LANES; q++) y[q] = (bits)(q * step);
    return *(const ivec *)y;
}

/* n windows of 2×2 on two rows, the first of which starts at position `from` */
INLINE void NAME(max_pairs)(real *y, bits *at, const real *x, int64_t width, bits from, int64_t n) {
    const ivec steps = NAME(steps)(2);
    EACH_VECTOR(j, count, n) {
        const real *top = x + 2 * j;
        const real *low = top + width;
        vec a = NAME(load_some)(top, 2 * count), b = count * 2 > LANES ? NAME(load_some)(top + LANES, 2 * count - LANES) : a;
        vec c = NAME(load_some)(low, 2 * count), d = count * 2 > LANES ? NAME(load_some)(low + LANES, 2 * count - LANES) : c;
        ivec where = steps + (bits)(from + 2 * j);
        const ivec first = where;
        vec best = EVEN(a, b);
        LARGER(best, where, ODD(a, b), first + 1);
        LARGER(best, where, EVEN(c, d), first + (bits)width);
        LARGER(best, where, ODD(c, d), first + (bits)(width + 1));
        NAME(store_some)(y + j, best, count);
        NAME(store_some)((real *)at + j, (vec)where, count);
    }
}

/* n windows of rows and columns of the plane x, the first of which is (rows, cols), `stride` apart */
INLINE void NAME(max_windows)(real *y, bits *at, const real *x, int64_t width, cg_window rows, cg_window cols,
                              int64_t row_step, int64_t col_step, int64_t stride, int64_t n) {
    const ivec steps = NAME(steps)(stride);
    const int some = rows.begin < rows.end && cols.begin < cols.end;
    EACH_VECTOR(j, count, n) {
        vec best = (vec){0} - INFINITY;
        ivec where = some ? steps + (bits)(rows.begin * width + cols.begin + j * stride) : (ivec){0} - 1;
        for (int64_t r = rows.begin; r < rows.end; r += row_step)
            for (int64_t c = cols.begin; c < cols.end; c += col_step) {
                const int64_t from = r * width + c + j * stride;
                const ivec position = steps + (bits)from;
                const int before = c > cols.begin, after = c + col_step < cols.end;
                LARGER(best, where, NAME(strided)(x + from, stride, count, before, after), position);
            }
        NAME(store_some)(y + j, best, count);
        NAME(store_some)((real *)at + j, (vec)where, count);
    }
}

/* y, and index: the position in the plane of each maximum, of an integer type as wide as real; −1 for an empty window */
KERNEL_BODY(max_pool) {
    const cg_axis rows = CG_ROWS(a), cols = CG_COLS(a);
    const int pairs = cg_in_pairs(rows) && cg_in_pairs(cols);
    const cg_range inner = cg_inner_windows(cols);
    const cg_range lines = cg_part(a->planes * rows.out, cg_max(1, CG_BLOCK / cg_max(1, cols.out)), share);
    const int64_t n = inner.end - inner.begin;
    if (lines.begin >= lines.end || !cols.out) return;
    int64_t plane = lines.begin / rows.out, i = lines.begin % rows.out;
    for (int64_t line = lines.begin; line < lines.end; line++, CG_NEXT_LINE(plane, i, rows.out)) {
        const cg_window r = cg_window_of(rows, i, 0);
        const real *x = (const real *)a->x + plane * rows.n * cols.n;
        real *y = (real *)a->y + line * cols.out;
        bits *at = (bits *)a->index + line * cols.out;
        if (pairs) {
            NAME(max_pairs)(y, at, x + r.begin * cols.n, cols.n, (bits)(r.begin * cols.n), cols.out);
            continue;
        }
        for (int64_t j = 0; j < cols.out; j = j + 1 == inner.begin ? cg_max(inner.end, inner.begin) : j + 1) {
            if (j >= inner.begin && j < inner.end) continue;
            const cg_window c = cg_window_of(cols, j, 0);
            NAME(max_windows)(y + j, at + j, x, cols.n, r, c, rows.dilation, cols.dilation, 0, 1);
        }
        const cg_window c = cg_window_of(cols, inner.begin, 0);
        y += inner.begin, at += inner.begin;
        if (cols.stride == 1) NAME(max_windows)(y, at, x, cols.n, r, c, rows.dilation, cols.dilation, 1, n);
        else if (cols.stride == 2) NAME(max_windows)(y, at, x, cols.n, r, c, rows.dilation, cols.dilation, 2, n);
        else NAME(max_windows)(y, at, x, cols.n, r, c, rows.dilation, cols.dilation, cols.stride, n);
    }
}

/* dx of n windows of 2×2 on two rows */
INLINE void NAME(max_pairs_back)(real *dx, const real *dy, const bits *at, int64_t width, bits from, int64_t n) {
    const ivec steps = NAME(steps)(2);
    EACH_VECTOR(j, count, n) {
        const ivec g = (ivec)NAME(load_some)(dy + j, count);
        const ivec p = (ivec)NAME(load_some)((const real *)at + j, count) - steps - (bits)(from + 2 * j);
        real *to = dx + 2 * j;
#pragma GCC unroll 2
        for (int low = 0; low < 2; low++, to += width) {
            const ivec left = g & (p == (bits)(low ? width : 0)), right = g & (p == (bits)((low ? width : 0) + 1));
            NAME(store_some)(to, ZIP_LOW((vec)left, (vec)right), 2 * count);
            if (2 * count > LANES) NAME(store_some)(to + LANES, ZIP_HIGH((vec)left, (vec)right), 2 * count - LANES);
        }
    }
}

/* dx[index] += dy; an index outside of the plane is skipped. */
KERNEL_BODY(max_pool_backward) {
    const int64_t size = a->height * a->width, out = a->out_height * a->out_width;
    const cg_range planes = cg_part(a->planes, cg_max(1, CG_BLOCK / cg_max(1, size)), share);
    for (int64_t p = planes.begin; p < planes.end; p++) {
        real *dx = (real *)a->dx + p * size;
        const real *dy = (const real *)a->dy + p * out;
        const bits *at = (const bits *)a->index + p * out;
        if (!a->pairs || size != 4 * out) memset(dx, 0, size * sizeof(real));
        for (int64_t i = 0; a->pairs && i < a->out_height; i++)
            NAME(max_pairs_back)(dx + 2 * i * a->width, dy + i * a->out_width, at + i * a->out_width, a->width,
                                 (bits)(2 * i * a->width), a->out_width);
        for (int64_t k = 0; !a->pairs && k < out; k++)
            if (at[k] >= 0 && at[k] < size) dx[at[k]] += dy[k];
    }
}

/* 1 over what the sum of a window is divided by: the divisor, or the product of the counts of its rows and columns */
INLINE real NAME(mean_scale)(double divisor, cg_window rows, cg_window cols) {
    return R(1 / (divisor != 0 ? divisor : (double)(rows.count * cols.count)));
}

/* n means of windows of 2×2 on two rows */
INLINE void NAME(mean_pairs)(real *restrict y, const real *restrict x, int64_t width, real scale, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        y[j] = ((x[2 * j] + x[2 * j + 1]) + (x[width + 2 * j] + x[width + 2 * j + 1])) * scale;
}

/* n sums of elements cols of a line, `stride` apart, times scale */
INLINE void NAME(sum_windows)(real *y, const real *line, cg_window cols, int64_t stride, real scale, int64_t n) {
    EACH_VECTOR(j, count, n) {
        vec sum = {0};
        for (int64_t c = cols.begin; c < cols.end; c++)
            sum += NAME(strided)(line + c + j * stride, stride, count, c > cols.begin, c + 1 < cols.end);
        NAME(store_some)(y + j, sum * scale, count);
    }
}

/* line = Σ of rows of the plane x */
INLINE void NAME(sum_rows)(real *restrict line, const real *restrict x, int64_t width, cg_window rows) {
    memset(line, 0, width * sizeof(real));
    for (int64_t r = rows.begin; r < rows.end; r++)
#pragma omp simd
        for (int64_t j = 0; j < width; j++) line[j] += x[r * width + j];
}

/* y = Σ x/divisor, or over the count of the window. The sum of the rows of a line of windows is working memory; planes are
 * wider than it only where one column is one window. */
KERNEL_BODY(avg_pool) {
    const cg_axis rows = CG_ROWS(a), cols = CG_COLS(a);
    const int pairs = cg_in_pairs(rows) && cg_in_pairs(cols), padded = (int)a->padded;
    const int fits = cols.n <= CG_SCRATCH_BYTES / (int64_t)sizeof(real);
    const cg_range inner = cg_inner_windows(cols);
    const cg_range lines = cg_part(a->planes * rows.out, cg_max(1, CG_BLOCK / cg_max(1, cols.out)), share);
    const int64_t n = inner.end - inner.begin;
    if (lines.begin >= lines.end || !cols.out) return;
    const cg_window c = cg_window_of(cols, cg_min(inner.begin, cols.out - 1), padded);
    const int whole = cols.out == 1 && c.end - c.begin == cols.n;
    int64_t plane = lines.begin / rows.out, i = lines.begin % rows.out;
    for (int64_t at = lines.begin; at < lines.end; at++, CG_NEXT_LINE(plane, i, rows.out)) {
        const cg_window r = cg_window_of(rows, i, padded);
        const real *x = (const real *)a->x + plane * rows.n * cols.n, *line = x + r.begin * cols.n;
        const real scale = NAME(mean_scale)(a->divisor, r, c);
        real *y = (real *)a->y + at * cols.out;
        if (pairs) {
            NAME(mean_pairs)(y, line, cols.n, scale, cols.out);
            continue;
        }
        if (whole) {
            *y = NAME(sum_line)(line, (r.end - r.begin) * cols.n) * scale;
            continue;
        }
        if (fits && r.end - r.begin != 1) NAME(sum_rows)(share.scratch, x, cols.n, r), line = share.scratch;
        for (int64_t j = 0; j < cols.out; j++) {
            if (fits && j >= inner.begin && j < inner.end) continue;
            const cg_window w = cg_window_of(cols, j, padded);
            real sum = 0;
            if (fits) for (int64_t k = w.begin; k < w.end; k++) sum += line[k];
            else for (int64_t k = r.begin; k < r.end; k++) sum += NAME(sum_line)(x + k * cols.n + w.begin, w.end - w.begin);
            y[j] = sum * NAME(mean_scale)(a->divisor, r, w);
        }
        if (!fits) continue;
        y += inner.begin;
        if (cols.stride == 1) NAME(sum_windows)(y, line, c, 1, scale, n);
        else if (cols.stride == 2) NAME(sum_windows)(y, line, c, 2, scale, n);
        else NAME(sum_windows)(y, line, c, cols.stride, scale, n);
    }
}

/* dx = dy·scale in n windows of 2×2 on two rows */
INLINE void NAME(spread_pairs)(real *restrict dx, const real *restrict dy, int64_t width, real scale, int64_t n) {
    real *restrict low = dx + width;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) dx[2 * j] = dx[2 * j + 1] = low[2 * j] = low[2 * j + 1] = dy[j] * scale;
}

/* x += g·scale, `stride` apart */
INLINE void NAME(spread_tap)(real *restrict x, const real *restrict g, real scale, int64_t stride, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) x[j * stride] += g[j] * scale;
}

/* line += dy/divisor in each window of a line of them */
INLINE void NAME(spread_line)(real *line, const real *dy, const cg_avg_pool_backward_args *a, cg_axis cols, cg_range inner,
                              cg_window r) {
    const int64_t n = inner.end - inner.begin;
    for (int64_t j = 0; j < cols.out; j++) {
        if (j >= inner.begin && j < inner.end) continue;
        const cg_window w = cg_window_of(cols, j, (int)a->padded);
        const real d = dy[j] * NAME(mean_scale)(a->divisor, r, w);
        for (int64_t k = w.begin; k < w.end; k++) line[k] += d;
    }
    if (!n) return;
    const cg_window c = cg_window_of(cols, inner.begin, (int)a->padded);
    const real scale = NAME(mean_scale)(a->divisor, r, c);
    for (int64_t k = c.begin; k < c.end; k++) {
        if (cols.stride == 1) NAME(spread_tap)(line + k, dy + inner.begin, scale, 1, n);
        else if (cols.stride == 2) NAME(spread_tap)(line + k, dy + inner.begin, scale, 2, n);
        else NAME(spread_tap)(line + k, dy + inner.begin, scale, cols.stride, n);
    }
}

INLINE void NAME(add_line)(real *restrict y, const real *restrict x, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) y[j] += x[j];
}

/* dx += dy/divisor in each window: what a line of windows adds to each of its rows is working memory, if it fits */
KERNEL_BODY(avg_pool_backward) {
    const cg_axis rows = CG_ROWS(a), cols = CG_COLS(a);
    const int pairs = cg_in_pairs(rows) && cg_in_pairs(cols), fits = cols.n <= CG_SCRATCH_BYTES / (int64_t)sizeof(real);
    const cg_range inner = cg_inner_windows(cols);
    const int64_t size = rows.n * cols.n, out = rows.out * cols.out;
    const cg_range planes = cg_part(a->planes, cg_max(1, CG_BLOCK / cg_max(1, size)), share);
    for (int64_t p = planes.begin; p < planes.end && size; p++) {
        real *dx = (real *)a->dx + p * size, *line = share.scratch;
        const cg_window tall = cg_window_of(rows, 0, (int)a->padded), wide = cg_window_of(cols, 0, (int)a->padded);
        if (out == 1 && (tall.end - tall.begin) * (wide.end - wide.begin) == size) {
            const real d = ((const real *)a->dy)[p] * NAME(mean_scale)(a->divisor, tall, wide);
            for (int64_t k = 0; k < size; k++) dx[k] = d;
            continue;
        }
        if (!pairs || size != 4 * out) memset(dx, 0, size * sizeof(real));
        for (int64_t i = 0; i < rows.out && cols.out; i++) {
            const cg_window r = cg_window_of(rows, i, (int)a->padded);
            const real *dy = (const real *)a->dy + (p * rows.out + i) * cols.out;
            if (pairs) {
                const real scale = NAME(mean_scale)(a->divisor, r, cg_window_of(cols, 0, (int)a->padded));
                NAME(spread_pairs)(dx + r.begin * cols.n, dy, cols.n, scale, cols.out);
                continue;
            }
            const int once = !fits || r.end - r.begin == 1; /* without working memory */
            for (int64_t k = r.begin; once && k < r.end; k++) NAME(spread_line)(dx + k * cols.n, dy, a, cols, inner, r);
            if (once) continue;
            memset(line, 0, cols.n * sizeof(real));
            NAME(spread_line)(line, dy, a, cols, inner, r);
            for (int64_t k = r.begin; k < r.end; k++) NAME(add_line)(dx + k * cols.n, line, cols.n);
        }
    }
}

#undef LARGER
#undef EACH_VECTOR
