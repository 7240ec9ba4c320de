/* Convolution and its transpose as matrix products with the patches of images (patches.h).
 *
 * y = W·P: the rows of a tile are filters, its columns positions, and P is read in place. A transposed convolution, which is
 * also the gradient of the input, is one such product for each phase of the stride: the pixels of a phase meet the same taps.
 * One dimension is two with a height of 1. */

#ifndef CYGRAD_CONV_H
#define CYGRAD_CONV_H

/* The largest k of a block; the most positions of a block; bytes of a packed block of weights and of a block of patches. */
enum { CONV_K = 1024, CONV_POSITIONS = 8192, CONV_A_BYTES = 512 << 10, CONV_PATCH_BYTES = 320 << 10 };

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
    GEMM_EACH_SUM(sum[i][j] = (vec){0})
    for (int64_t p = 0; p < k; p++, a += rows) {
        vec b_p[2];
#pragma GCC unroll 2
        for (int j = 0; j < vecs; j++) b_p[j] = LOAD(patches[j] + offset[p]);
        GEMM_EACH_SUM(sum[i][j] += a[i] * b_p[j])
    }
    if (to.bias) GEMM_EACH_SUM(sum[i][j] += to.bias[i])
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
    if (to.accumulate) GEMM_EACH_SUM(sum[i][j] += LOAD(to.c + i * to.ldc + j * LANES))
    GEMM_EACH_SUM(STORE(to.c + i * to.ldc + j * LANES, sum[i][j]))
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

#undef conv_target
#undef conv_positions
#undef conv_product
