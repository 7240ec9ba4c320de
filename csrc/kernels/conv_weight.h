/* The gradient of a convolution's weight, dW = dy·Pᵀ, with the patches P of patches.h: a sum over positions, whose terms are few
 * where channels are.
 *
 * By pixels: images are copied pixel by pixel, the channels of each next to each other. Then the elements of P for one position
 * are contiguous, as those of a packed matrix are, and positions follow each other at one distance: a tile of filters × elements
 * of the kernel is summed in registers. By runs, where a pixel has too few channels to fill vectors: rows of dy and of P are
 * contiguous, so that a tile keeps a vector of sums for each element of dW. */

#ifndef CYGRAD_CONV_WEIGHT_H
#define CYGRAD_CONV_WEIGHT_H

/* Positions whose products are summed in registers, if images are that large; the most memory of their patches, and of their
 * pixels. */
enum { CONV_RUN = 1024, CONV_RUN_BYTES = 1 << 20, CONV_PIXEL_BYTES = 256 << 10 };

/* In place of the elements of a vector: copy an image for each x, so that its positions are contiguous. */
#define CONV_APART INT64_MAX

/* Rows and columns of a tile of runs: its sums, a vector of each row and one of the patches fill the registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define CONV_ROWS 4
#else
#define CONV_ROWS 2
#endif
#define CONV_COLS 6

/* How images are cut for a sum by pixels: at most so many channels, and a band of so many images and positions, whose taps read
 * `height` × `width` pixels of each. */
typedef struct { int64_t channels, images, rows, cols, height, width; } cg_pixel_cut;

static inline cg_pixel_cut cg_pixels_of(cg_pixel_cut c, cg_span_of_axis y, cg_span_of_axis x) {
    c.height = (c.rows - 1) * y.stride + (y.kernel - 1) * y.dilation + 1;
    c.width = (c.cols - 1) * x.stride + (x.kernel - 1) * x.dilation + 1;
    return c;
}

/* Images together if they are small, else rows of positions, or parts of a row. */
static inline cg_pixel_cut cg_cut_pixels(int64_t n, int64_t channels, cg_span_of_axis y, cg_span_of_axis x, int64_t size) {
    cg_pixel_cut c = {.channels = cg_ceil_div(channels, cg_ceil_div(channels * y.kernel * x.kernel, CONV_K))};
    c.cols = cg_ceil_div(x.out, cg_ceil_div(x.out, CONV_RUN));
    c.rows = cg_ceil_div(y.out, cg_ceil_div(y.out, cg_max(1, CONV_RUN / c.cols)));
    c.images = c.rows * c.cols == y.out * x.out ? cg_min(n, CONV_RUN / (c.rows * c.cols)) : 1;
    for (;;) {
        c = cg_pixels_of(c, y, x);
        const int64_t image = c.height * c.width * c.channels * size;
        if (c.images * image <= CONV_PIXEL_BYTES || c.images * c.rows * c.cols <= CONV_RUN / 16) return c;
        if (c.images > 1) c.images = cg_max(1, cg_min(c.images - 1, CONV_PIXEL_BYTES / image));
        else if (c.rows > 1) c.rows = cg_min(c.rows - 1, cg_ceil_div(y.out, cg_ceil_div(y.out, c.rows) + 1));
        else c.cols = cg_min(c.cols - 1, cg_ceil_div(x.out, cg_ceil_div(x.out, c.cols) + 1));
    }
}

/* Vectors of elements of the kernel, in the order of rows, columns and channels: where the pixels of each begin, how many of its
 * lanes are elements, and where these are in the weight. */
typedef struct {
    int64_t vectors;
    int32_t pixel[2 * CONV_K], lanes[2 * CONV_K], weight[2 * CONV_K];
} cg_pixel_table;

/* The elements that are contiguous for each position: of a row of the kernel, or of one tap if taps are apart. */
static inline int64_t cg_pixel_run(cg_span_of_axis x, int64_t channels) { return (x.dilation == 1 ? x.kernel : 1) * channels; }

static inline void cg_fill_pixels(cg_pixel_table *t, const cg_pixel_cut *c, cg_span_of_axis y, cg_span_of_axis x, int64_t lanes) {
    const int64_t run = cg_pixel_run(x, c->channels), together = x.dilation == 1 ? x.kernel : 1;
    t->vectors = 0;
    for (int64_t i = 0; i < y.kernel; i++)
        for (int64_t j = 0; j < x.kernel; j += together)
            for (int64_t first = 0; first < run; first += lanes, t->vectors++) {
                const int64_t count = cg_min(lanes, run - first), at = t->vectors * lanes;
                t->pixel[t->vectors] = (int32_t)((i * y.dilation * c->width + j * x.dilation) * c->channels + first);
                t->lanes[t->vectors] = (int32_t)count;
                int64_t tap = first / c->channels, channel = first % c->channels;
                for (int64_t q = 0; q < count; q++) {
                    t->weight[at + q] = (int32_t)((channel * y.kernel + i) * x.kernel + j + tap);
                    if (++channel == c->channels) channel = 0, tap++;
                }
            }
}

/* Whether a sum by pixels is faster: three quarters of the lanes are used, and the memory suffices. */
static inline int cg_pixels_pay(const cg_pixel_cut *c, int64_t filters, cg_span_of_axis y, cg_span_of_axis x, int64_t size, int64_t lanes) {
    const int64_t run = cg_pixel_run(x, c->channels), padded = cg_ceil_div(run, lanes) * lanes;
    const int64_t runs = y.kernel * (x.dilation == 1 ? 1 : x.kernel);
    return filters >= 4 && 4 * run >= 3 * padded && runs * padded <= 2 * CONV_K &&
           c->images * c->height * c->width * c->channels * size <= CONV_RUN_BYTES;
}

#endif

/* A band of positions: dy of some filters, position by position, and the pixels of its images. */
typedef struct {
    const real *dy, *pixels;
    int64_t images, rows, cols, image, line, pixel; /* elements of the pixels from one image, row and position to the next */
} NAME(pixel_band);
#define pixel_band NAME(pixel_band)

/* sums[i, j] = Σ dy[p, i]·P[p, vector j] over the positions of a band. */
INLINE void NAME(pixel_tile)(int rows, int vecs, pixel_band b, const int32_t *pixel, real *sums) {
    vec sum[GEMM_ROWS][2];
    GEMM_EACH_SUM(sum[i][j] = (vec){0})
    const real *dy = b.dy;
    for (int64_t n = 0; n < b.images; n++)
        for (int64_t r = 0; r < b.rows; r++) {
            const real *x[2];
#pragma GCC unroll 2
            for (int j = 0; j < vecs; j++) x[j] = b.pixels + n * b.image + r * b.line + pixel[j];
            for (int64_t p = 0; p < b.cols; p++, dy += rows) {
                vec x_p[2];
#pragma GCC unroll 2
                for (int j = 0; j < vecs; j++) x_p[j] = LOAD(x[j] + p * b.pixel);
                GEMM_EACH_SUM(sum[i][j] += dy[i] * x_p[j])
            }
        }
    GEMM_EACH_SUM(STORE(sums + (i * vecs + j) * LANES, sum[i][j]))
}

/* dw[i, weight[j]] (+)= the sums of `rows` filters and all elements of the kernel. */
INLINE void NAME(pixel_strip)(int rows, pixel_band b, const cg_pixel_table *t, real *dw, int64_t dw_row, int accumulate) {
    real sums[GEMM_ROWS * 2 * LANES];
    for (int64_t v = 0; v < t->vectors; v += 2) {
        const int64_t vecs = cg_min(2, t->vectors - v);
        if (vecs == 2) NAME(pixel_tile)(rows, 2, b, t->pixel + v, sums);
        else NAME(pixel_tile)(rows, 1, b, t->pixel + v, sums);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < vecs; j++) {
                const real *from = sums + (i * vecs + j) * LANES;
                const int32_t *weight = t->weight + (v + j) * LANES;
                real *to = dw + i * dw_row;
                for (int64_t q = 0; q < t->lanes[v + j]; q++) to[weight[q]] = from[q] + (accumulate ? to[weight[q]] : 0);
            }
    }
}

static void NAME(pixel_rows)(int64_t rows, pixel_band b, const cg_pixel_table *t, real *dw, int64_t dw_row, int accumulate) {
    switch (rows) { /* untested: no case for more rows, of which there are none */
#define PIXEL_CASE(r) case r: NAME(pixel_strip)(r, b, t, dw, dw_row, accumulate); break;
    GEMM_EACH_ROWS(PIXEL_CASE)
#undef PIXEL_CASE
    }
}

/* One image's part of a band, from row `row` and column `col` of the image on, both of which may be outside of it, where pixels
 * are 0. */
static void NAME(copy_by_pixels)(real *to, const real *from, const cg_pixel_cut *c, cg_span_of_axis y, cg_span_of_axis x,
                                 int64_t row, int64_t col) {
    const int64_t low = cg_min(c->width, cg_max(0, -col)), high = cg_max(low, cg_min(c->width, x.size - col));
    const int whole = high - low == x.size && c->width == x.size; /* rows follow each other in both */
    for (int64_t r = 0, rows; r < c->height; r += rows) {
        rows = 1;
        real *line = to + r * c->width * c->channels;
        const int64_t at = row + r;
        if (at < 0 || at >= y.size) {
            NAME(clear_pixels)(line, c->width * c->channels);
            continue;
        }
        if (whole) rows = cg_min(c->height - r, y.size - at);
        NAME(gemm_view) image = {from + at * x.size + col + low, 1, y.size * x.size};
        NAME(clear_pixels)(line, low * c->channels);
        NAME(gemm_pack)(line + low * c->channels, c->channels, image, c->channels, rows * (high - low));
        if (!whole) NAME(clear_pixels)(line + high * c->channels, (c->width - high) * c->channels);
    }
}

/* The memory of a sum by pixels within that of a share. */
typedef struct {
    cg_pixel_table *table;
    real *dy, *pixels;
} NAME(pixel_memory);
#define pixel_memory NAME(pixel_memory)

static pixel_memory NAME(pixel_memory_in)(void *scratch) {
    char *p = scratch;
    pixel_memory m = {(cg_pixel_table *)p, 0, 0};
    p += (sizeof(cg_pixel_table) + 63) / 64 * 64;
    m.dy = (real *)p, p += (GEMM_ROWS * CONV_RUN + 64) * sizeof(real);
    m.pixels = (real *)p;
    return m;
}

/* Channels and filters of one group, of which the share computes the gradient by pixels. */
static void NAME(weight_by_pixels)(const cg_conv_weight_args *a, cg_pixel_cut largest, int64_t group, cg_range channels,
                                   cg_range filters, pixel_memory m) {
    const cg_conv_args *g = (const cg_conv_args *)a;
    const cg_span_of_axis y = NAME(conv_y)(g), x = NAME(conv_x)(g);
    const int64_t plane = y.size * x.size, outs = y.out * x.out, taps = y.kernel * x.kernel;
    const int64_t strip = NAME(conv_strip_rows)(a->filters), dw_row = a->channels * taps;
    cg_pixel_cut made = {0}; /* what the table is filled for */
    for (int64_t first = channels.begin; first < channels.end; first += largest.channels)
        for (int64_t n = 0; n < a->n; n += largest.images)
            for (int64_t v = 0; v < y.out; v += largest.rows)
                for (int64_t u = 0; u < x.out; u += largest.cols) {
                    cg_pixel_cut c = {cg_min(largest.channels, channels.end - first), cg_min(largest.images, a->n - n),
                                      cg_min(largest.rows, y.out - v), cg_min(largest.cols, x.out - u), 0, 0};
                    c = cg_pixels_of(c, y, x);
                    if (made.channels != c.channels || made.width != c.width) cg_fill_pixels(m.table, &c, y, x, LANES);
                    made = c;
                    const int64_t image = c.height * c.width * c.channels, positions = c.rows * c.cols;
                    for (int64_t i = 0; i < c.images; i++) {
                        const int64_t at = ((n + i) * a->groups + group) * a->channels + first;
                        NAME(copy_by_pixels)(m.pixels + i * image, (const real *)a->x + at * plane, &c, y, x,
                                             v * y.stride - y.padding, u * x.stride - x.padding);
                    }
                    pixel_band b = {m.dy, m.pixels, c.images, c.rows, c.cols, image, y.stride * c.width * c.channels, x.stride * c.channels};
                    for (int64_t f = filters.begin; f < filters.end; f += strip) {
                        const int64_t rows = cg_min(strip, filters.end - f);
                        for (int64_t i = 0; i < c.images; i++) {
                            const int64_t at = ((n + i) * a->groups + group) * a->filters + f;
                            const real *dy = (const real *)a->dy + at * outs + v * x.out + u;
                            NAME(gemm_pack)(m.dy + i * positions * rows, rows, (NAME(gemm_view)){dy, 1, outs}, rows, positions);
                        }
                        real *dw = (real *)a->dw + (group * a->filters + f) * dw_row + first * taps;
                        NAME(pixel_rows)(rows, b, m.table, dw, dw_row, n || v || u);
                    }
                }
}

/* A block of images and positions, for a sum by runs. */
typedef struct {
    const real *dy, *patches;
    int64_t dy_row, dy_image, patch_image; /* elements from one to the next */
    int64_t images, count;                 /* images, and positions of each */
    real *dw;
    int64_t dw_row;
    int accumulate, contiguous; /* whether to add to dw; whether its elements are in the order of k */
} NAME(conv_outer);
#define conv_outer NAME(conv_outer)

/* dw[i, weight[j]] (+)= Σ dy[i]·P[patch[j]] for i < rows, j < cols; at most r rows and c columns. */
INLINE void NAME(weight_tile)(int r, int c, int64_t rows, int64_t cols, conv_outer o, const int32_t *patch, const int64_t *weight) {
    enum { MOST = (CONV_ROWS * CONV_COLS + 15) / 16 * 16 };
    vec sum[MOST];
    const real *dy[CONV_ROWS], *x[CONV_COLS];
#define EACH_SUM(statement)         \
    _Pragma("GCC unroll 4")         \
    for (int i = 0; i < r; i++)     \
        _Pragma("GCC unroll 6")     \
        for (int j = 0; j < c; j++) { statement; }
#pragma GCC unroll 4
    for (int i = 0; i < r; i++) dy[i] = o.dy + cg_min(i, rows - 1) * o.dy_row;
#pragma GCC unroll 6
    for (int j = 0; j < c; j++) x[j] = o.patches + patch[cg_min(j, cols - 1)];
    EACH_SUM(sum[i * c + j] = (vec){0})
    for (int64_t n = 0, at = 0, from = 0; n < o.images; n++, at += o.dy_image, from += o.patch_image) {
        int64_t p = 0;
        for (; p + LANES <= o.count; p += LANES) {
            vec u[CONV_ROWS];
#pragma GCC unroll 4
            for (int i = 0; i < r; i++) u[i] = LOAD(dy[i] + at + p);
#pragma GCC unroll 6
            for (int j = 0; j < c; j++) {
                const vec v = LOAD(x[j] + from + p);
#pragma GCC unroll 4
                for (int i = 0; i < r; i++) sum[i * c + j] += u[i] * v;
            }
        }
        if (p < o.count) {
            const int64_t rest = o.count - p;
            vec u[CONV_ROWS];
#pragma GCC unroll 4
            for (int i = 0; i < r; i++) u[i] = NAME(load_part)(dy[i] + at + p, rest, 0);
#pragma GCC unroll 6
            for (int j = 0; j < c; j++) {
                const vec v = NAME(load_part)(x[j] + from + p, rest, 0);
#pragma GCC unroll 4
                for (int i = 0; i < r; i++) sum[i * c + j] += u[i] * v;
            }
        }
    }
    real sums[MOST + 16]; /* more than its vectors, which may begin anywhere */
#pragma GCC unroll 16
    for (int q = r * c; q < MOST; q++) sum[q] = (vec){0};
#pragma GCC unroll 16
    for (int q = 0; q < r * c; q += LANES) STORE(sums + q, NAME(lane_sums)(sum + q));
    for (int64_t i = 0; i < cg_min(r, rows); i++) {
        real *dw = o.dw + i * o.dw_row;
        if (o.contiguous)
            for (int64_t j = 0; j < cg_min(c, cols); j += LANES) {
                const int64_t n = cg_min(cols - j, LANES);
                vec y = LOAD(sums + i * c + j);
                if (o.accumulate) y += NAME(load_part)(dw + weight[0] + j, n, 0);
                NAME(store_part)(dw + weight[0] + j, y, n);
            }
        else
            for (int64_t j = 0; j < cg_min(c, cols); j++)
                dw[weight[j]] = sums[i * c + j] + (o.accumulate ? dw[weight[j]] : 0);
    }
#undef EACH_SUM
}

/* Rows of dy with all rows of patches. */
INLINE void NAME(weight_strip)(int r, int64_t rows, conv_outer o, const cg_k_table *k) {
    int64_t j = 0;
    for (; j + 3 < k->k; j += CONV_COLS)
        NAME(weight_tile)(r, CONV_COLS, rows, cg_min(CONV_COLS, k->k - j), o, k->patch + j, k->weight + j);
    if (j + 1 < k->k) NAME(weight_tile)(r, 3, rows, k->k - j, o, k->patch + j, k->weight + j);
    else if (j < k->k) NAME(weight_tile)(r, 1, rows, 1, o, k->patch + j, k->weight + j);
}

static void NAME(weight_rows)(int64_t rows, conv_outer o, const cg_k_table *k) {
    int64_t i = 0;
    for (; i + CONV_ROWS / 2 < rows; i += CONV_ROWS, o.dy += CONV_ROWS * o.dy_row, o.dw += CONV_ROWS * o.dw_row)
        NAME(weight_strip)(CONV_ROWS, cg_min(CONV_ROWS, rows - i), o, k);
    if (CONV_ROWS > 2 && i + 1 < rows) NAME(weight_strip)(CONV_ROWS / 2, rows - i, o, k);
    else if (i < rows) NAME(weight_strip)(1, 1, o, k);
}

/* Channels and filters of one group, of which the share computes the gradient by runs. */
static void NAME(weight_by_runs)(const cg_conv_weight_args *a, int64_t group, cg_range channels, cg_range filters, conv_memory m) {
    const cg_conv_args *g = (const cg_conv_args *)a;
    const cg_taps y = cg_forward_axis(NAME(conv_y)(g)), x = cg_forward_axis(NAME(conv_x)(g));
    const int64_t pixels = a->height * a->width, outs = a->out_height * a->out_width, taps = a->kernel_height * a->kernel_width;
    const int64_t image = a->groups * a->channels * pixels;
    conv_outer o = {.dy_row = outs, .dy_image = a->groups * a->filters * outs, .dw_row = a->channels * taps};
    cg_cut cut = cg_cut_k(1, y.taps, x.taps);
    int64_t band_rows, band_cols;
    cg_cut_positions(&cut, y, x, 2 * CONV_RUN, CONV_PATCH_BYTES / 8, sizeof(real), CONV_APART, &band_rows, &band_cols);
    cg_patches largest = cg_lay_out(cg_some_taps(y, 0, cut.y), cg_some_taps(x, 0, cut.x), band_rows, band_cols, 1, CONV_APART, CONV_LINE);
    const int64_t room = CONV_RUN_BYTES / (int64_t)sizeof(real) / largest.channel;
    const int64_t images = cg_max(1, cg_min(cg_min(a->n, room), CONV_RUN / outs));
    largest.channel *= images;
    cut.channels = cg_max(1, cg_min(CONV_K / (cut.x * cut.y), CONV_PATCH_BYTES / (int64_t)sizeof(real) / largest.channel));
    cut.channels = cg_min(cut.channels, channels.end - channels.begin);
    cut.blocks = cut.x_blocks * cut.y_blocks * cg_ceil_div(channels.end - channels.begin, cut.channels);
    o.contiguous = cut.blocks == 1 || cut.y * cut.x == taps;
    for (int64_t block = 0; block < cut.blocks; block++) {
        cg_block_of_k b = cg_cut_at(&cut, block, channels.end - channels.begin, y, x);
        b.channel += channels.begin;
        o.accumulate = 0;
        cg_patches made = {0};
        for (int64_t n = 0; n < a->n; n += images)
            for (int64_t v = 0; v < y.count; v += band_rows)
                for (int64_t u = 0; u < x.count; u += band_cols) {
                    const int64_t height = cg_min(band_rows, y.count - v), width = cg_min(band_cols, x.count - u);
                    o.images = cg_min(images, a->n - n), o.count = height * width;
                    if (made.rows != height || made.cols != width || made.images != o.images) {
                        made = cg_lay_out(b.y, b.x, height, width, o.images, CONV_APART, CONV_LINE);
                        cg_fill_k(m.k, &b, &made, taps, a->kernel_width);
                    }
                    const real *source = (const real *)a->x + n * image + (group * a->channels + b.channel) * pixels;
                    NAME(copy_patches)(m.patches, source, (const real *)a->x + a->n * image, image, b.channels, &made, b.y, b.x, v, u);
                    o.patches = m.patches, o.patch_image = made.image;
                    o.dy = (const real *)a->dy + n * o.dy_image + (group * a->filters + filters.begin) * outs + v * x.count + u;
                    o.dw = (real *)a->dw + (group * a->filters + filters.begin) * o.dw_row;
                    NAME(weight_rows)(filters.end - filters.begin, o, m.k);
                    o.accumulate = 1;
                }
    }
}

/* Σ dy over images and positions, of the share's filters. */
static void NAME(conv_bias)(const cg_conv_weight_args *a, cg_share share) {
    const int64_t filters = a->groups * a->filters, outs = a->out_height * a->out_width;
    const cg_range r = cg_part(filters, 1, share);
    for (int64_t f = r.begin; f < r.end; f++) {
        double total = 0;
        for (int64_t n = 0; n < a->n; n++) {
            const real *dy = (const real *)a->dy + (n * filters + f) * outs;
            vec sum[4] = {{0}, {0}, {0}, {0}};
            int64_t p = 0;
            for (; p + 4 * LANES <= outs; p += 4 * LANES)
#pragma GCC unroll 4
                for (int q = 0; q < 4; q++) sum[q] += LOAD(dy + p + q * LANES);
            for (; p < outs; p += LANES) sum[0] += NAME(load_some)(dy + p, outs - p);
            total += (double)NAME(lane_sum)((sum[0] + sum[1]) + (sum[2] + sum[3]));
        }
        ((real *)a->db)[f] = (real)total;
    }
}

/* dw[f, c, i, j] = Σ over n, v, u of dy[n, f, v, u]·x[n, c, v·stride_y + i·dilation_y − padding_y, …], and db = Σ dy unless
 * db is NULL; nothing is written to dw if it is NULL. Shares have different channels, or filters where channels are few: the
 * order of sums is the same. */
KERNEL_BODY(conv_weight) {
    if (a->db) NAME(conv_bias)(a, share);
    if (!a->dw) return;
    const int by_channels = a->groups * a->channels >= cg_min(8, a->groups * a->filters);
    const int64_t each = by_channels ? a->channels : a->filters;
    const int64_t weights = a->groups * a->filters * a->channels * a->kernel_height * a->kernel_width;
    if (!weights || !a->n || !a->out_height || !a->out_width) {
        const cg_range r = cg_part(weights, 1, share);
        if (r.begin < r.end) memset((real *)a->dw + r.begin, 0, (size_t)(r.end - r.begin) * sizeof(real));
        return;
    }
    const cg_conv_args *g = (const cg_conv_args *)a;
    const cg_pixel_cut cut = cg_cut_pixels(a->n, a->channels, NAME(conv_y)(g), NAME(conv_x)(g), sizeof(real));
    const int by_pixels = cg_pixels_pay(&cut, a->filters, NAME(conv_y)(g), NAME(conv_x)(g), sizeof(real), LANES);
    cg_range r = cg_part(a->groups * each, 1, share);
    while (r.begin < r.end) {
        const int64_t group = r.begin / each, first = r.begin % each, last = cg_min(each, first + r.end - r.begin);
        const cg_range some = {first, last}, channels = {0, a->channels}, filters = {0, a->filters};
        const cg_range c = by_channels ? some : channels, f = by_channels ? filters : some;
        if (by_pixels) NAME(weight_by_pixels)(a, cut, group, c, f, NAME(pixel_memory_in)(share.scratch));
        else NAME(weight_by_runs)(a, group, c, f, NAME(conv_memory_in)(share.scratch));
        r.begin += last - first;
    }
}

#undef CONV_LINE
#undef pixel_band
#undef pixel_memory
#undef conv_memory
#undef conv_outer
