/* Convolution, its transpose, and the gradient of the weight, as matrix products with the patches of images (patches.h).
 *
 * y = W·P: the rows of a tile are filters, its columns positions, and P is read in place. A transposed convolution, which is
 * also the gradient of the input, is one such product for each phase of the stride: the pixels of a phase meet the same taps.
 * dW = dy·Pᵀ: rows of both are contiguous, so that a tile keeps a vector of sums for each element of dW.
 * One dimension is two with a height of 1. */

#ifndef CYGRAD_CONV_H
#define CYGRAD_CONV_H

/* The largest k of a block; the most positions of a block; bytes of a packed block of weights and of a block of patches. */
enum { CONV_K = 1024, CONV_POSITIONS = 8192, CONV_A_BYTES = 512 << 10, CONV_PATCH_BYTES = 320 << 10 };

/* Positions whose products are summed in registers for the gradient of a weight, if images are that large. */
enum { CONV_RUN = 1024, CONV_RUN_BYTES = 1 << 20 };

/* In place of the elements of a vector: copy an image for each x, so that its positions are contiguous. */
#define CONV_APART INT64_MAX

/* Rows and columns of a tile of that gradient: its sums, a vector of each row and one of the patches fill the registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define CONV_ROWS 4
#else
#define CONV_ROWS 2
#endif
#define CONV_COLS 6

/* A block of k: `channels` channels from `channel` on, and some taps of both axes. */
typedef struct {
    int64_t channel, channels;
    cg_taps y, x;
} cg_block_of_k;

/* How k is cut into blocks. */
typedef struct { int64_t channels, y, x, blocks, y_blocks, x_blocks; } cg_cut;

/* Whole channels, as many as fit into a block; parts of a kernel if it alone is larger. */
static inline cg_cut cg_cut_k(int64_t channels, int64_t y_taps, int64_t x_taps) {
    cg_cut c = {.x = cg_min(x_taps, CONV_K)};
    c.y = cg_min(y_taps, CONV_K / cg_max(1, c.x));
    const int64_t most = CONV_K / cg_max(1, c.x * c.y);
    c.channels = cg_ceil_div(channels, cg_max(1, cg_ceil_div(channels, most)));
    c.x_blocks = cg_ceil_div(x_taps, cg_max(1, c.x)), c.y_blocks = cg_ceil_div(y_taps, cg_max(1, c.y));
    c.blocks = c.x_blocks * c.y_blocks * cg_ceil_div(channels, cg_max(1, c.channels));
    return c;
}

static inline cg_block_of_k cg_cut_at(const cg_cut *c, int64_t block, int64_t channels, cg_taps y, cg_taps x) {
    const int64_t i = block / c->x_blocks % c->y_blocks, channel = block / c->x_blocks / c->y_blocks * c->channels;
    return (cg_block_of_k){channel, cg_min(c->channels, channels - channel), cg_some_taps(y, i * c->y, c->y),
                           cg_some_taps(x, block % c->x_blocks * c->x, c->x)};
}

/* For each k of a block, where its row of patches begins, and where its weight is from that of the first channel and tap. */
typedef struct {
    int64_t k, weight[CONV_K];
    int32_t patch[CONV_K];
} cg_k_table;

static inline void cg_fill_k(cg_k_table *t, const cg_block_of_k *b, const cg_patches *p, int64_t channel_step, int64_t width) {
    t->k = 0;
    for (int64_t i = 0; i < b->y.taps; i++)
        for (int64_t j = 0; j < b->x.taps; j++, t->k++) {
            t->patch[t->k] = (int32_t)cg_patch_offset(p, b->y, b->x, i, j);
            t->weight[t->k] = b->channel * channel_step + (b->y.tap + i * b->y.tap_step) * width + b->x.tap + j * b->x.tap_step;
        }
    const int64_t taps = t->k;
    for (; taps && t->k < taps * b->channels; t->k++) {
        t->patch[t->k] = t->patch[t->k - taps] + (int32_t)p->channel;
        t->weight[t->k] = t->weight[t->k - taps] + channel_step;
    }
}

/* Positions of blocks: rows of positions, or parts of one row, whose patches fit into `bytes`. */
static inline void cg_cut_positions(const cg_cut *cut, cg_taps y, cg_taps x, int64_t most, int64_t bytes, int64_t size,
                                    int64_t lanes, int64_t *rows, int64_t *cols) {
    const int64_t line = 64 / size;
    y = cg_some_taps(y, 0, cut->y), x = cg_some_taps(x, 0, cut->x);
    *rows = y.count, *cols = x.count;
    for (int64_t parts = 1;; parts += 1 + parts / 4) {
        const cg_patches p = cg_lay_out(y, x, *rows, *cols, 1, lanes, line);
        if (*rows * *cols <= most && (cut->channels * p.channel * size <= bytes || (*rows == 1 && *cols <= 2 * line))) return;
        if (*rows == 1 && parts > y.count) *cols = cg_max(1, cg_ceil_div(x.count, parts / y.count));
        else *rows = cg_ceil_div(y.count, parts);
    }
}

#endif

#define CONV_LINE ((int64_t)(64 / sizeof(real)))

/* The destination of a tile: C = sum (+ C) (+ bias of the row). */
typedef struct { real *c; int64_t ldc; const real *bias; int accumulate; } NAME(conv_target);
#define conv_target NAME(conv_target)

/* One tile of `rows` × `vecs`·LANES: vector j of row p of the patches is at patches[j][offset[p]]. */
INLINE void NAME(conv_tile)(int rows, int vecs, int64_t lanes, int64_t k, const real *a, const real *const *patches,
                            const int32_t *offset, conv_target to) {
    vec sum[GEMM_ROWS][2];
#define EACH_SUM(statement)            \
    _Pragma("GCC unroll 16")           \
    for (int i = 0; i < rows; i++)     \
        _Pragma("GCC unroll 2")        \
        for (int j = 0; j < vecs; j++) { statement; }
    EACH_SUM(sum[i][j] = (vec){0})
    for (int64_t p = 0; p < k; p++, a += rows) {
        vec b_p[2];
#pragma GCC unroll 2
        for (int j = 0; j < vecs; j++) b_p[j] = LOAD(patches[j] + offset[p]);
        EACH_SUM(sum[i][j] += a[i] * b_p[j])
    }
    if (to.bias) EACH_SUM(sum[i][j] += to.bias[i])
    if (lanes < LANES) {
#pragma GCC unroll 1
        for (int64_t i = 0; i < rows; i++) {
            real *c = to.c + i * to.ldc;
            vec y = sum[i][0];
            if (to.accumulate) y += NAME(load_part)(c, lanes, 0);
            NAME(store_part)(c, y, lanes);
        }
        return;
    }
    if (to.accumulate) EACH_SUM(sum[i][j] += LOAD(to.c + i * to.ldc + j * LANES))
    EACH_SUM(STORE(to.c + i * to.ldc + j * LANES, sum[i][j]))
#undef EACH_SUM
}

/* Positions in working memory, vector by vector: rows of `vectors`, `gap` elements apart. */
typedef struct { const real *at; int64_t vectors, left, gap; } NAME(conv_positions);
#define conv_positions NAME(conv_positions)

INLINE const real *NAME(next_vector)(conv_positions *p) {
    const real *at = p->at;
    p->at += LANES;
    if (--p->left == 0) p->left = p->vectors, p->at += p->gap;
    return at;
}

INLINE void NAME(conv_strip)(int rows, int64_t cols, const cg_k_table *k, const real *a, conv_positions p, conv_target to) {
    int64_t col = 0;
    for (; col + 2 * LANES <= cols; col += 2 * LANES, to.c += 2 * LANES) {
        const real *first = NAME(next_vector)(&p), *both[] = {first, NAME(next_vector)(&p)};
        NAME(conv_tile)(rows, 2, LANES, k->k, a, both, k->patch, to);
    }
    for (; col < cols; col += LANES, to.c += LANES) {
        const real *one = NAME(next_vector)(&p);
        NAME(conv_tile)(rows, 1, cg_min(LANES, cols - col), k->k, a, &one, k->patch, to);
    }
}

/* `rows` ≤ GEMM_ROWS rows of C, tile by tile. */
static void NAME(conv_rows)(int64_t rows, int64_t cols, const cg_k_table *k, const real *a, conv_positions p, conv_target to) {
    switch (rows) { /* untested: no case for more rows, of which there are none */
#define CONV_CASE(r) case r: NAME(conv_strip)(r, cols, k, a, p, to); break;
    GEMM_EACH_ROWS(CONV_CASE)
#undef CONV_CASE
    }
}

/* Products: for each of `groups` groups, `rows` rows of weights `row` apart with the patches of images of `depth` channels. */
typedef struct {
    const real *weight, *source, *end, *bias;
    real *result;
    int64_t row, channel, width;                  /* steps of the weight: of rows, channels, and rows of the kernel */
    int64_t source_image, result_image, result_row, result_width;
    int64_t groups, group, rows, depth;           /* `group` elements of the weight from one group to the next */
    cg_taps y, x;
} NAME(conv_product);
#define conv_product NAME(conv_product)

/* All positions of an image. */
static conv_positions NAME(positions_of)(const cg_patches *p, const real *patches) {
    const int whole = p->rows == 1 || p->width == p->cols;
    const int64_t vectors = whole ? INT64_MAX : p->cols / LANES;
    return (conv_positions){patches, vectors, vectors, p->width - p->cols};
}

/* Every second element of a line, from its first (phase 0) or second on. Phase 0 is the first, and clears the others. */
INLINE void NAME(scatter_pairs)(real *line, const real *sums, int64_t cols, int64_t phase, int64_t room, int accumulate) {
    int64_t j = 0;
    for (; j + LANES <= cols && 2 * (j + LANES) <= room; j += LANES) {
        real *to = line + 2 * j;
        const vec x = LOAD(to), y = LOAD(to + LANES), old = phase ? ODD(x, y) : EVEN(x, y);
        vec sum = LOAD(sums + j), even = EVEN(x, y), zero = {0};
        if (accumulate) sum += old;
        if (!phase) even = sum, sum = zero;
        STORE(to, ZIP_LOW(even, sum));
        STORE(to + LANES, ZIP_HIGH(even, sum));
    }
    for (; j < cols; j++) {
        real *to = line + 2 * j + phase;
        *to = sums[j] + (accumulate ? *to : 0);
        if (!phase && 2 * j + 1 < room) to[1] = 0;
    }
}

/* Copy the sums of a block into the result, whose positions are not contiguous. */
static void NAME(conv_scatter)(const conv_product *c, const real *from, int64_t ldc, int64_t rows, const cg_patches *p, int64_t v,
                               int64_t u, real *to, int accumulate) {
    const int64_t y_step = c->y.target_step, x_step = c->x.target_step;
    for (int64_t i = 0; i < rows; i++, from += ldc, to += c->result_row)
        for (int64_t r = 0; r < p->rows; r++) {
            const real *sums = from + r * p->cols;
            real *line = to + (c->y.target + (v + r) * y_step) * c->result_width + c->x.target + u * x_step;
            if (x_step == 2)
                NAME(scatter_pairs)(line - c->x.target, sums, p->cols, c->x.target, c->result_width - 2 * u, accumulate);
            else if (accumulate) for (int64_t j = 0; j < p->cols; j++) line[j * x_step] += sums[j];
            else for (int64_t j = 0; j < p->cols; j++) line[j * x_step] = sums[j];
        }
}

/* Zeros in the lines of a block. */
static void NAME(clear_lines)(const conv_product *c, real *to, int64_t v, int64_t u, int64_t height, int64_t width) {
    const int64_t count = cg_min(2 * width, c->result_width - 2 * u);
    for (int64_t r = v; r < v + height; r++)
        memset(to + (c->y.target + r * c->y.target_step) * c->result_width + 2 * u, 0, (size_t)count * sizeof(real));
}

/* Pack the weights of rows i … i + rows of a group: those of each k next to each other. */
static void NAME(conv_pack)(real *to, const conv_product *c, const cg_k_table *k, int64_t group, int64_t i, int64_t rows) {
    const real *weight = c->weight + group * c->group + i * c->row;
    for (int64_t p = 0; p < k->k; p++)
        for (int64_t q = 0; q < rows; q++) *to++ = weight[q * c->row + k->weight[p]];
}

/* The memory of a product within that of a share. */
typedef struct {
    cg_k_table *k;
    real *weights, *patches, *sums;
} NAME(conv_memory);
#define conv_memory NAME(conv_memory)

static conv_memory NAME(conv_memory_in)(void *scratch) {
    char *p = scratch;
    conv_memory m = {(cg_k_table *)p, 0, 0, 0};
    p += (sizeof(cg_k_table) + 63) / 64 * 64;
    m.weights = (real *)p, p += CONV_A_BYTES;
    m.sums = (real *)p, p += GEMM_ROWS * CONV_POSITIONS * sizeof(real) + 1024;
    m.patches = (real *)p;
    return m;
}

/* The rows of weights in blocks that fit, all in strips of about equal size. */
static int64_t NAME(conv_strip_rows)(int64_t rows) { return cg_ceil_div(rows, cg_ceil_div(rows, GEMM_ROWS)); }

/* The same for one block of k and of rows of weights. */
static void NAME(conv_blocks)(const conv_product *c, const cg_block_of_k *b, conv_memory m, int64_t row, int64_t rows,
                              int64_t band_rows, int64_t band_cols, cg_range r, int first) {
    const int64_t strip = NAME(conv_strip_rows)(c->rows);
    const int64_t y_bands = cg_ceil_div(c->y.count, band_rows), x_bands = cg_ceil_div(c->x.count, band_cols);
    const int direct = c->y.target_step == 1 && c->x.target_step == 1;
    cg_patches made = {0};
    for (int64_t item = r.begin; item < r.end; item++) {
        const int64_t line = cg_quotient(item, x_bands), image = cg_quotient(line, y_bands), n = cg_quotient(image, c->groups);
        const int64_t v = (line - image * y_bands) * band_rows, u = (item - line * x_bands) * band_cols;
        const int64_t group = image - n * c->groups;
        const int64_t height = cg_min(band_rows, c->y.count - v), width = cg_min(band_cols, c->x.count - u);
        if (made.rows != height || made.cols != width) {
            made = cg_lay_out(b->y, b->x, height, width, 1, LANES, CONV_LINE);
            cg_fill_k(m.k, b, &made, c->channel, c->width);
            for (int64_t g = 0; item == r.begin && g < c->groups; g++)
                for (int64_t i = 0; i < rows; i += strip)
                    NAME(conv_pack)(m.weights + (g * c->rows + i) * m.k->k, c, m.k, g, row + i, cg_min(strip, rows - i));
        }
        const real *weights = m.weights + group * c->rows * m.k->k;
        real *results = c->result + n * c->result_image + (group * c->rows + row) * c->result_row;
        if (!m.k->k && !c->bias && c->x.target_step == 2) { /* no tap meets this phase: zeros, if it is the first of a line */
            for (int64_t i = 0; i < rows && !c->x.target; i++)
                NAME(clear_lines)(c, results + i * c->result_row, v, u, height, width);
            continue;
        }
        if (m.k->k)
            NAME(copy_patches)(m.patches, c->source + n * c->source_image + (group * c->depth + b->channel) * c->y.size * c->x.size,
                               c->end, c->source_image, b->channels, &made, b->y, b->x, v, u);
        for (int64_t i = 0; i < rows; i += strip) {
            const int64_t count = cg_min(strip, rows - i), cols = height * width;
            real *result = results + i * c->result_row;
            conv_target to = {result + v * c->result_width + u, c->result_row, 0, direct && !first};
            if (!direct) to.c = m.sums, to.ldc = cols;
            if (c->bias && first) to.bias = c->bias + group * c->rows + row + i;
            NAME(conv_rows)(count, cols, m.k, weights + i * m.k->k, NAME(positions_of)(&made, m.patches), to);
            if (!direct) NAME(conv_scatter)(c, m.sums, cols, count, &made, v, u, result, !first);
        }
    }
}

/* Items r of images × groups × bands. */
static void NAME(conv_run)(const conv_product *c, conv_memory m, const cg_cut *cut, int64_t band_rows, int64_t band_cols,
                           cg_range r) {
    const int64_t strip = NAME(conv_strip_rows)(c->rows);
    const int64_t most = cg_max(1, CONV_A_BYTES / (int64_t)sizeof(real) / CONV_K / strip) * strip;
    for (int64_t block = 0; block < cg_max(1, cut->blocks); block++) {
        cg_block_of_k b = {0, 0, cg_some_taps(c->y, 0, 0), c->x};
        if (cut->blocks) b = cg_cut_at(cut, block, c->depth, c->y, c->x);
        for (int64_t row = 0; row < c->rows; row += most)
            NAME(conv_blocks)(c, &b, m, row, cg_min(most, c->rows - row), band_rows, band_cols, r, block == 0);
    }
}

static inline cg_span_of_axis NAME(conv_y)(const cg_conv_args *a) {
    return (cg_span_of_axis){a->height, a->kernel_height, a->out_height, a->stride_y, a->padding_y, a->dilation_y};
}
static inline cg_span_of_axis NAME(conv_x)(const cg_conv_args *a) {
    return (cg_span_of_axis){a->width, a->kernel_width, a->out_width, a->stride_x, a->padding_x, a->dilation_x};
}

/* The share's part of one phase: of all images of all groups, cut into bands. */
static void NAME(conv_phase)(const cg_conv_args *a, int transposed, cg_taps y, cg_taps x, cg_share share) {
    const int64_t taps = a->kernel_height * a->kernel_width, sources = a->height * a->width, outs = a->out_height * a->out_width;
    const conv_memory m = NAME(conv_memory_in)(share.scratch);
    conv_product c = {.y = y, .x = x, .width = a->kernel_width};
    c.rows = transposed ? a->channels : a->filters, c.depth = transposed ? a->filters : a->channels;
    c.row = transposed ? taps : taps * a->channels, c.channel = transposed ? taps * a->channels : taps;
    const int64_t from = transposed ? outs : sources, to = transposed ? sources : outs;
    c.source_image = a->groups * c.depth * from, c.result_image = a->groups * c.rows * to;
    c.end = (const real *)a->x + a->n * c.source_image;
    c.result_row = to, c.result_width = transposed ? a->width : a->out_width;
    if (!c.rows || y.count <= 0 || x.count <= 0) return;
    const cg_cut cut = cg_cut_k(c.depth, y.taps, x.taps);
    int64_t band_rows, band_cols;
    cg_cut_positions(&cut, y, x, CONV_POSITIONS, CONV_PATCH_BYTES, sizeof(real), LANES, &band_rows, &band_cols);
    const int64_t bands = cg_ceil_div(y.count, band_rows) * cg_ceil_div(x.count, band_cols), items = a->n * bands;
    cg_range r = cg_part(a->groups * items, x.target_step == 2 ? bands : 1, share); /* whole images: phases share lines */
    c.group = a->filters * a->channels * taps;
    /* image by image where the weights of all groups fit: in every phase or in none */
    const int together = c.depth * taps <= CONV_K && a->groups * c.group * (int64_t)sizeof(real) <= CONV_A_BYTES;
    c.groups = together ? a->groups : 1;
    while (r.begin < r.end) {
        int64_t group = r.begin / items, first = r.begin % items, last = cg_min(items, first + r.end - r.begin);
        if (together) group = 0, first = r.begin, last = r.end;
        c.weight = (const real *)a->weight + group * c.group;
        c.source = (const real *)a->x + group * c.depth * from, c.result = (real *)a->y + group * c.rows * to;
        c.bias = a->bias ? (const real *)a->bias + group * c.rows : 0;
        NAME(conv_run)(&c, m, &cut, band_rows, band_cols, (cg_range){first, last});
        r.begin += last - first;
    }
}

/* y[n, f, v, u] = Σ over c, i, j of weight[f, c, i, j]·x[n, c, v·stride_y + i·dilation_y − padding_y, …] (+ bias[f]), where x
 * is 0 outside of the image; f and c run through one group. x[n, groups·channels, height, width], weight[groups·filters,
 * channels, kernel_height, kernel_width], y[n, groups·filters, out_height, out_width]. */
KERNEL_BODY(conv) {
    NAME(conv_phase)(a, 0, cg_forward_axis(NAME(conv_y)(a)), cg_forward_axis(NAME(conv_x)(a)), share);
}

/* The transpose of that map, from x[n, groups·filters, out_height, out_width] to y[n, groups·channels, height, width], plus
 * bias[groups·channels]: the gradient of conv's input is that of dy. */
KERNEL_BODY(conv_transpose) {
    const cg_conv_args *g = (const cg_conv_args *)a;
    for (int64_t i = 0; i < cg_min(a->stride_y, a->height); i++)
        for (int64_t j = 0; j < cg_min(a->stride_x, a->width); j++)
            NAME(conv_phase)(g, 1, cg_transposed_axis(NAME(conv_y)(g), i), cg_transposed_axis(NAME(conv_x)(g), j), share);
}

/* A block of images and positions, for the gradient of a weight. */
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

/* Channels and filters of one group, of which the share computes the gradient. */
static void NAME(weight_group)(const cg_conv_weight_args *a, int64_t group, cg_range channels, cg_range filters, conv_memory m) {
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
    if (!a->n || !a->out_height || !a->out_width) {
        const cg_range r = cg_part(a->groups * a->filters * a->channels * a->kernel_height * a->kernel_width, 1, share);
        if (r.begin < r.end) memset((real *)a->dw + r.begin, 0, (size_t)(r.end - r.begin) * sizeof(real));
        return;
    }
    const conv_memory m = NAME(conv_memory_in)(share.scratch);
    cg_range r = cg_part(a->groups * each, 1, share);
    while (r.begin < r.end) {
        const int64_t group = r.begin / each, first = r.begin % each, last = cg_min(each, first + r.end - r.begin);
        const cg_range some = {first, last}, channels = {0, a->channels}, filters = {0, a->filters};
        NAME(weight_group)(a, group, by_channels ? some : channels, by_channels ? filters : some, m);
        r.begin += last - first;
    }
}

#undef CONV_LINE
#undef conv_target
#undef conv_positions
#undef conv_product
#undef conv_memory
#undef conv_outer
