/* Batch norm, layer norm, dropout. */
#include "harness.h"

static const int64_t IMAGES[][3] = {{2, 1, 1}, {3, 5, 1}, {33, 17, 1}, {65, 257, 1}, {100, 300, 1}, {2, 3, 4},
                                    {5, 7, 65}, {1, 2, 4097}, {500, 300, 1}}; /* rows, channels, inner */

static double at(const void *x, const int64_t *s, int64_t r, int64_t c, int64_t i) {
    return get(x, (r * s[1] + c) * s[2] + i);
}
/* The mean number i of n, rounded, and what that lost. */
static void put_mean(void *means, int64_t i, int64_t n, double mean) {
    put(means, i, mean), put(means, n + i, mean - get(means, i));
}
static double get_mean(const void *means, int64_t i, int64_t n, int split) {
    return get(means, i) + (split ? get(means, n + i) : 0);
}
/* Squares are summed times SMALL², so that they stay finite and normal. */
#define SMALL (precision == CG_FLOAT32 ? 1 : 0x1p-500)
static double rstd_of(double scaled, int64_t n, double eps) {
    return SMALL / sqrt(scaled / (double)n + eps * SMALL * SMALL);
}
static double affine(const void *p, int64_t c, double otherwise) { return p ? get(p, c) : otherwise; }

/* Data near 0, of mean 100, and so large that its squares overflow, with both affine parameters, neither, or one. */
enum { ORDINARY, PLAIN, FAR, BIASED, KINDS };
static void *data_of(int kind, int64_t n) {
    const double far = precision == CG_FLOAT32 ? 1e30 : 1e300;
    return kind == PLAIN ? numbers(n, 99, 101) : kind == FAR ? numbers(n, -far, far) : numbers(n, -1, 1);
}
static void *weight_for(int kind, int64_t n) { return kind == PLAIN || kind == BIASED ? NULL : numbers(n, 0.5, 2); }
static void *bias_for(int kind, int64_t n) { return kind == PLAIN || kind == FAR ? NULL : numbers(n, -1, 1); }

static int batch_norm_build(void *args, int variant) {
    if (variant >= KINDS * COUNT(IMAGES)) return 0;
    const int64_t *s = IMAGES[variant / KINDS], n = s[0] * s[1] * s[2], c = s[1];
    const int kind = variant % KINDS;
    void *x = data_of(kind, n);
    for (int64_t i = 0; s[2] == 1 && i < n; i += c) put(x, i, uniform(-1, 1)); /* a column that needs no care */
    *(cg_batch_norm_args *)args = (cg_batch_norm_args){
        output(n), output(2 * c), output(c), kind == PLAIN ? NULL : output_from(c, 0, 1),
        kind == PLAIN ? NULL : output_from(c, 1, 2), x, weight_for(kind, c), bias_for(kind, c),
        kind == BIASED ? integers(1, 4, 5) : NULL, s[0], c, s[2], 0.1, 1e-5};
    return 1;
}
static void batch_norm_twin(const void *args) {
    const cg_batch_norm_args *a = args;
    const int64_t s[] = {a->rows, a->channels, a->inner}, n = a->rows * a->inner;
    const double momentum = a->batches ? 0.2 : 0.1;
    for (int64_t c = 0; c < a->channels; c++) {
        double mean = 0, scaled = 0;
        for (int64_t r = 0; r < a->rows; r++)
            for (int64_t i = 0; i < a->inner; i++) mean += at(a->x, s, r, c, i) / (double)n;
        for (int64_t r = 0; r < a->rows; r++)
            for (int64_t i = 0; i < a->inner; i++) scaled += pow((at(a->x, s, r, c, i) - mean) * SMALL, 2);
        const double m2 = scaled / SMALL / SMALL, rstd = rstd_of(scaled, n, a->eps);
        put_mean(a->mean, c, a->channels, mean), put(a->rstd, c, rstd);
        if (a->running_mean) put(a->running_mean, c, (1 - momentum) * get(a->running_mean, c) + momentum * mean);
        if (a->running_var) put(a->running_var, c, (1 - momentum) * get(a->running_var, c) + momentum * m2 / (double)(n - 1));
        for (int64_t r = 0; r < a->rows; r++)
            for (int64_t i = 0; i < a->inner; i++)
                put(a->y, (r * s[1] + c) * s[2] + i,
                    (at(a->x, s, r, c, i) - mean) * rstd * affine(a->weight, c, 1) + affine(a->bias, c, 0));
    }
}
static int batch_norm_eval_build(void *args, int variant) {
    if (variant >= KINDS * COUNT(IMAGES)) return 0;
    const int64_t *s = IMAGES[variant / KINDS], n = s[0] * s[1] * s[2], c = s[1];
    const int kind = variant % KINDS;
    *(cg_batch_norm_eval_args *)args = (cg_batch_norm_eval_args){
        output(n), output(c), numbers(n, -1, 1), numbers(c, -1, 1), numbers(c, 0.5, 2), weight_for(kind, c),
        bias_for(kind, c), s[0], c, s[2], 1e-5};
    return 1;
}
static void batch_norm_eval_twin(const void *args) {
    const cg_batch_norm_eval_args *a = args;
    for (int64_t c = 0; c < a->channels; c++) put(a->rstd, c, 1 / sqrt(get(a->var, c) + a->eps));
    for (int64_t k = 0; k < a->rows * a->channels * a->inner; k++) {
        const int64_t c = k / a->inner % a->channels;
        const double scale = affine(a->weight, c, 1) / sqrt(get(a->var, c) + a->eps);
        put(a->y, k, (get(a->x, k) - get(a->mean, c)) * scale + affine(a->bias, c, 0));
    }
}
static int batch_norm_backward_build(void *args, int variant) {
    if (variant >= KINDS * COUNT(IMAGES)) return 0;
    const int64_t *s = IMAGES[variant / KINDS], n = s[0] * s[1] * s[2], c = s[1];
    const int kind = variant % KINDS; /* FAR: without dx; BIASED: only dx */
    *(cg_batch_norm_backward_args *)args = (cg_batch_norm_backward_args){
        kind == FAR ? NULL : output(n), kind == BIASED ? NULL : output(c), kind == BIASED ? NULL : output(c),
        numbers(n, -1, 1), numbers(n, -1, 1), weight_for(kind, c), numbers(2 * c, -0.1, 0.1), numbers(c, 1, 2), s[0], c,
        s[2], kind != PLAIN};
    return 1;
}
static void batch_norm_backward_twin(const void *args) {
    const cg_batch_norm_backward_args *a = args;
    const int64_t s[] = {a->rows, a->channels, a->inner};
    const double n = (double)(a->rows * a->inner);
    for (int64_t c = 0; c < a->channels; c++) {
        const double mean = get_mean(a->mean, c, a->channels, a->training), rstd = get(a->rstd, c), weight = affine(a->weight, c, 1);
        double dw = 0, db = 0;
        for (int64_t r = 0; r < a->rows; r++)
            for (int64_t i = 0; i < a->inner; i++) {
                db += at(a->dy, s, r, c, i);
                dw += at(a->dy, s, r, c, i) * (at(a->x, s, r, c, i) - mean) * rstd;
            }
        if (a->dw) put(a->dw, c, dw), put(a->db, c, db);
        for (int64_t r = 0; a->dx && r < a->rows; r++)
            for (int64_t i = 0; i < a->inner; i++) {
                const double xhat = (at(a->x, s, r, c, i) - mean) * rstd;
                put(a->dx, (r * s[1] + c) * s[2] + i,
                    weight * rstd * (at(a->dy, s, r, c, i) - (a->training ? (db + xhat * dw) / n : 0)));
            }
    }
}

static const int64_t ROWS[][2] = {{0, 3}, {3, 0}, {1, 1}, {3, 5}, {33, 65}, {70, 100}, {2, 4097}}; /* rows, cols */
static int layer_norm_build(void *args, int variant) {
    if (variant >= KINDS * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / KINDS][0], c = ROWS[variant / KINDS][1];
    const int kind = variant % KINDS;
    *(cg_layer_norm_args *)args = (cg_layer_norm_args){output(r * c), output(2 * r), output(r), data_of(kind, r * c),
                                                       weight_for(kind, c), bias_for(kind, c), r, c, 1e-5};
    return 1;
}
static void layer_norm_twin(const void *args) {
    const cg_layer_norm_args *a = args;
    for (int64_t i = 0; a->cols && i < a->rows; i++) {
        double mean = 0, scaled = 0;
        for (int64_t j = 0; j < a->cols; j++) mean += get(a->x, i * a->cols + j) / (double)a->cols;
        for (int64_t j = 0; j < a->cols; j++) scaled += pow((get(a->x, i * a->cols + j) - mean) * SMALL, 2);
        const double rstd = rstd_of(scaled, a->cols, a->eps);
        put_mean(a->mean, i, a->rows, mean), put(a->rstd, i, rstd);
        for (int64_t j = 0; j < a->cols; j++)
            put(a->y, i * a->cols + j,
                (get(a->x, i * a->cols + j) - mean) * rstd * affine(a->weight, j, 1) + affine(a->bias, j, 0));
    }
}
static int layer_norm_backward_build(void *args, int variant) {
    if (variant >= KINDS * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / KINDS][0], c = ROWS[variant / KINDS][1], block = 32, sums = (r + block - 1) / block * c;
    const int kind = variant % KINDS; /* PLAIN: only dx; FAR: without dx */
    *(cg_layer_norm_backward_args *)args = (cg_layer_norm_backward_args){
        kind == FAR ? NULL : output(r * c), kind == PLAIN ? NULL : output(sums), kind == PLAIN ? NULL : output(sums),
        numbers(r * c, -1, 1), numbers(r * c, -1, 1), weight_for(kind, c), numbers(2 * r, -0.1, 0.1), numbers(r, 1, 2), r, c,
        block};
    return 1;
}
static void layer_norm_backward_twin(const void *args) {
    const cg_layer_norm_backward_args *a = args;
    const int64_t n = a->cols;
    for (int64_t k = 0; a->dw && k < (a->rows + a->block - 1) / a->block * n; k++) put(a->dw, k, 0), put(a->db, k, 0);
    for (int64_t i = 0; i < a->rows; i++) {
        const double mean = get_mean(a->mean, i, a->rows, 1), rstd = get(a->rstd, i);
        double sum = 0, dot = 0;
        for (int64_t j = 0; j < n; j++) {
            const double dy = get(a->dy, i * n + j), xhat = (get(a->x, i * n + j) - mean) * rstd;
            sum += dy * affine(a->weight, j, 1), dot += dy * affine(a->weight, j, 1) * xhat;
            if (!a->dw) continue;
            const int64_t k = i / a->block * n + j;
            put(a->dw, k, get(a->dw, k) + dy * xhat);
            put(a->db, k, get(a->db, k) + dy);
        }
        for (int64_t j = 0; a->dx && j < n; j++) {
            const double g = get(a->dy, i * n + j) * affine(a->weight, j, 1);
            const double xhat = (get(a->x, i * n + j) - mean) * rstd;
            put(a->dx, i * n + j, rstd * (g - sum / (double)n - xhat * dot / (double)n));
        }
    }
}

static int dropout_build(void *args, int variant) {
    const double rates[] = {0, 0.3, 1};
    if (variant >= 3 * COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant / 3];
    *(cg_dropout_args *)args = (cg_dropout_args){output(n), variant % 2 ? bytes_output(n) : NULL, numbers(n, -1, 1), n, rates[variant % 3],
                                                 0x123456789abcdefu, 0xfffffff0u};
    return 1;
}
static void dropout_twin(const void *args) {
    const cg_dropout_args *a = args;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t words[4];
        const int64_t word = i / 2;
        philox(a->seed, a->offset + (uint64_t)(word / 32 * 8 + word % 16 / 2), words);
        const uint32_t half = words[word % 32 / 16 * 2 + word % 2] >> (i % 2 ? 16 : 0) & 0xffff;
        const int dropped = half < (uint32_t)(a->p * 65536 + 0.5);
        put(a->y, i, dropped ? 0 : get(a->x, i) / (1 - a->p));
        if (a->mask) ((uint8_t *)a->mask)[i] = !dropped;
    }
}
static int dropout_backward_build(void *args, int variant) {
    if (variant >= 2 * COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant / 2]; /* with p = 1 nothing is kept */
    *(cg_dropout_backward_args *)args =
        (cg_dropout_backward_args){output(n), numbers(n, -1, 1), variant % 2 ? memset(flags(n), 0, n) : flags(n), n,
                                   variant % 2 ? 1 : 0.3};
    return 1;
}
static void dropout_backward_twin(const void *args) {
    const cg_dropout_backward_args *a = args;
    for (int64_t i = 0; i < a->n; i++) put(a->dx, i, ((const uint8_t *)a->mask)[i] ? get(a->dy, i) / (1 - a->p) : 0);
}

static const test tests[] = {
    {CG_batch_norm, batch_norm_build, batch_norm_twin, 200}, {CG_batch_norm_eval, batch_norm_eval_build, batch_norm_eval_twin, 8},
    {CG_batch_norm_backward, batch_norm_backward_build, batch_norm_backward_twin, 64},
    {CG_layer_norm, layer_norm_build, layer_norm_twin, 200},
    {CG_layer_norm_backward, layer_norm_backward_build, layer_norm_backward_twin, 64},
    {CG_dropout, dropout_build, dropout_twin, 2}, {CG_dropout_backward, dropout_backward_build, dropout_backward_twin, 2},
};
TESTS(norm_tests, tests);
