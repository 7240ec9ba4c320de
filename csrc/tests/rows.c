/* Softmax, and losses of rows of scores. */
#include "harness.h"

static const int64_t ROWS[][2] = {{0, 3}, {3, 0}, {1, 1}, {3, 5}, {33, 10}, {9, 16}, {7, 65}, {2, 4097}, {500, 17}}; /* rows, cols */

static double largest(const void *x, int64_t begin, int64_t n) {
    double m = -INFINITY;
    for (int64_t j = 0; j < n; j++) m = fmax(m, get(x, begin + j));
    return m;
}
static double lse(const void *x, int64_t begin, int64_t n) {
    double m = largest(x, begin, n), sum = 0;
    for (int64_t j = 0; j < n; j++) sum += exp(get(x, begin + j) - m);
    return m + log(sum);
}
static void put_stats(void *stats, int64_t i, const void *x, int64_t n) {
    const double top = largest(x, i * n, n);
    put(stats, 2 * i, top), put(stats, 2 * i + 1, n ? exp(lse(x, i * n, n) - top) : 0);
}

#define SOFTMAX(name, value, weight)                                                                          \
    static int name##_build(void *args, int variant) {                                                        \
        if (variant >= COUNT(ROWS)) return 0;                                                                 \
        const int64_t r = ROWS[variant][0], c = ROWS[variant][1];                                             \
        *(cg_##name##_args *)args = (cg_##name##_args){output(r * c), numbers(r * c, -9, 9), r, c};           \
        return 1;                                                                                             \
    }                                                                                                         \
    static void name##_twin(const void *args) {                                                               \
        const cg_##name##_args *a = args;                                                                     \
        for (int64_t i = 0; i < a->rows; i++)                                                                 \
            for (int64_t j = 0; j < a->cols; j++) {                                                           \
                const double l = get(a->x, i * a->cols + j) - lse(a->x, i * a->cols, a->cols);                \
                put(a->y, i * a->cols + j, value);                                                            \
            }                                                                                                 \
    }                                                                                                         \
    static int name##_backward_build(void *args, int variant) {                                               \
        if (variant >= COUNT(ROWS)) return 0;                                                                 \
        const int64_t r = ROWS[variant][0], c = ROWS[variant][1];                                             \
        *(cg_##name##_backward_args *)args =                                                                  \
            (cg_##name##_backward_args){output(r * c), numbers(r * c, -1, 1), numbers(r * c, -3, 0), r, c};   \
        return 1;                                                                                             \
    }                                                                                                         \
    static void name##_backward_twin(const void *args) {                                                      \
        const cg_##name##_backward_args *a = args;                                                            \
        for (int64_t i = 0; i < a->rows; i++) {                                                               \
            double sum = 0;                                                                                   \
            for (int64_t j = 0; j < a->cols; j++) {                                                           \
                const double y = get(a->y, i * a->cols + j);                                                  \
                sum += get(a->dy, i * a->cols + j) * ((void)y, weight);                                       \
            }                                                                                                 \
            for (int64_t j = 0; j < a->cols; j++) {                                                           \
                const double g = get(a->dy, i * a->cols + j), y = get(a->y, i * a->cols + j);                 \
                put(a->dx, i * a->cols + j, name##_slope(g, y, sum));                                         \
            }                                                                                                 \
        }                                                                                                     \
    }
static double softmax_slope(double g, double y, double sum) { return y * (g - sum); }
static double log_softmax_slope(double g, double y, double sum) { return g - exp(y) * sum; }
SOFTMAX(softmax, exp(l), y)
SOFTMAX(log_softmax, l, 1)

static double weight_of(const void *weight, int64_t c) { return weight ? get(weight, c) : 1; }

/* Variants: with and without weights, smoothing and an upstream gradient of each row. */
static void *weights_for(int variant, int64_t n) { return variant % 2 ? numbers(n, 0.5, 2) : NULL; }
static double smoothing_of(int variant) { return variant % 4 < 2 ? 0 : 0.1; }

static int cross_entropy_build(void *args, int variant) {
    if (variant >= 4 * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / 4][0], c = ROWS[variant / 4][1];
    *(cg_cross_entropy_args *)args = (cg_cross_entropy_args){
        output(r), output(2 * r), numbers(r * c, -5, 5), integers(r, -1, c), weights_for(variant, c), r, c,
        smoothing_of(variant)};
    return 1;
}
static void cross_entropy_twin(const void *args) {
    const cg_cross_entropy_args *a = args;
    for (int64_t i = 0; i < a->rows; i++) {
        const double l = lse(a->x, i * a->cols, a->cols), s = a->smoothing;
        const int64_t t = a->target[i];
        double loss = t < 0 ? 0 : (1 - s) * weight_of(a->weight, t) * (l - get(a->x, i * a->cols + t));
        for (int64_t j = 0; t >= 0 && j < a->cols; j++)
            loss += s / (double)a->cols * weight_of(a->weight, j) * (l - get(a->x, i * a->cols + j));
        put_stats(a->stats, i, a->x, a->cols), put(a->loss, i, loss);
    }
}
static double sum_of(const void *total) { return total ? get(total, 0) : 1; }
static int cross_entropy_backward_build(void *args, int variant) {
    if (variant >= 4 * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / 4][0], c = ROWS[variant / 4][1], step = variant % 2;
    *(cg_cross_entropy_backward_args *)args = (cg_cross_entropy_backward_args){
        output(r * c), numbers(step ? r : 1, 1, 2), numbers(r * c, -5, 5), integers(r, -1, c),
        weights_for(variant, c), numbers(2 * r, 5, 6), step ? NULL : numbers(1, 2, 3), r, c, step, smoothing_of(variant)};
    return 1;
}
static void cross_entropy_backward_twin(const void *args) {
    const cg_cross_entropy_backward_args *a = args;
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < a->cols; j++) {
            const int64_t t = a->target[i];
            double total = 0, q = 0;
            for (int64_t c = 0; c < a->cols; c++) {
                const double share = (c == t ? 1 - a->smoothing : 0) + a->smoothing / (double)a->cols;
                total += share * weight_of(a->weight, c);
                if (c == j) q = share * weight_of(a->weight, c);
            }
            const double p = exp(get(a->x, i * a->cols + j) - get(a->stats, 2 * i)) / get(a->stats, 2 * i + 1);
            put(a->dx, i * a->cols + j, t < 0 ? 0 : get(a->dy, i * a->dy_step) / sum_of(a->total) * (p * total - q));
        }
}

static int soft_cross_entropy_build(void *args, int variant) {
    if (variant >= 4 * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / 4][0], c = ROWS[variant / 4][1];
    *(cg_soft_cross_entropy_args *)args = (cg_soft_cross_entropy_args){
        output(r), output(2 * r), numbers(r * c, -5, 5), numbers(r * c, 0, 1), weights_for(variant, c), r, c,
        smoothing_of(variant)};
    return 1;
}
static void soft_cross_entropy_twin(const void *args) {
    const cg_soft_cross_entropy_args *a = args;
    for (int64_t i = 0; i < a->rows; i++) {
        const double l = lse(a->x, i * a->cols, a->cols), s = a->smoothing;
        double loss = 0;
        for (int64_t j = 0; j < a->cols; j++)
            loss += ((1 - s) * get(a->target, i * a->cols + j) + s / (double)a->cols) * weight_of(a->weight, j) *
                    (l - get(a->x, i * a->cols + j));
        put_stats(a->stats, i, a->x, a->cols), put(a->loss, i, loss);
    }
}
static int soft_cross_entropy_backward_build(void *args, int variant) {
    if (variant >= 6 * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / 6][0], c = ROWS[variant / 6][1], step = variant % 2; /* dx, dx and dt, dt */
    *(cg_soft_cross_entropy_backward_args *)args = (cg_soft_cross_entropy_backward_args){
        variant % 3 < 2 ? output(r * c) : NULL, variant % 3 ? output(r * c) : NULL, numbers(step ? r : 1, 1, 2), numbers(r * c, -5, 5), numbers(r * c, 0, 1),
        weights_for(variant, c), numbers(2 * r, 5, 6), r, c, step, 0.5, smoothing_of(variant)};
    return 1;
}
static void soft_cross_entropy_backward_twin(const void *args) {
    const cg_soft_cross_entropy_backward_args *a = args;
    const double s = a->smoothing;
    for (int64_t i = 0; i < a->rows; i++) {
        const double g = get(a->dy, i * a->dy_step) * a->scale, l = get(a->stats, 2 * i) + log(get(a->stats, 2 * i + 1));
        double total = 0;
        for (int64_t j = 0; j < a->cols; j++)
            total += ((1 - s) * get(a->target, i * a->cols + j) + s / (double)a->cols) * weight_of(a->weight, j);
        for (int64_t j = 0; j < a->cols; j++) {
            const int64_t at = i * a->cols + j;
            const double q = ((1 - s) * get(a->target, at) + s / (double)a->cols) * weight_of(a->weight, j);
            if (a->dx) put(a->dx, at, g * (exp(get(a->x, at) - l) * total - q));
            if (a->dt) put(a->dt, at, g * (1 - s) * weight_of(a->weight, j) * (l - get(a->x, at)));
        }
    }
}

static int nll_loss_build(void *args, int variant) {
    if (variant >= 2 * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / 2][0], c = ROWS[variant / 2][1];
    *(cg_nll_loss_args *)args = (cg_nll_loss_args){output(r), numbers(r * c, -5, 0), integers(r, -1, c),
                                                   variant % 2 ? numbers(c, 0.5, 2) : NULL, r, c};
    return 1;
}
static void nll_loss_twin(const void *args) {
    const cg_nll_loss_args *a = args;
    for (int64_t i = 0; i < a->rows; i++) {
        const int64_t t = a->target[i];
        put(a->loss, i, t < 0 ? 0 : -weight_of(a->weight, t) * get(a->x, i * a->cols + t));
    }
}
static int nll_loss_backward_build(void *args, int variant) {
    if (variant >= 2 * COUNT(ROWS)) return 0;
    const int64_t r = ROWS[variant / 2][0], c = ROWS[variant / 2][1], step = variant % 2;
    *(cg_nll_loss_backward_args *)args = (cg_nll_loss_backward_args){
        output(r * c), numbers(step ? r : 1, 1, 2), integers(r, -1, c), step ? numbers(c, 0.5, 2) : NULL, step ? NULL : numbers(1, 2, 3), r, c, step};
    return 1;
}
static void nll_loss_backward_twin(const void *args) {
    const cg_nll_loss_backward_args *a = args;
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < a->cols; j++)
            put(a->dx, i * a->cols + j,
                j == a->target[i] ? -weight_of(a->weight, j) * get(a->dy, i * a->dy_step) / sum_of(a->total) : 0);
}

#define PAIR(name) {CG_##name, name##_build, name##_twin, 64}, {CG_##name##_backward, name##_backward_build, name##_backward_twin, 64}
static int classes_build(void *args, int variant) {
    if (variant >= 3 * COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant / 3], bad = variant % 3 == 2; /* the last variant has invalid targets */
    *(cg_classes_args *)args = (cg_classes_args){integers_output(n), integers_output(1), variant % 3 ? output(1) : NULL,
        integers(n, bad ? -1 : 0, bad ? 8 : 7), variant % 3 == 1 ? numbers(7, 0.5, 2) : NULL, n, 7, variant % 3 > 0, bad ? -1 : 2};
    return 1;
}
static void classes_twin(const void *args) {
    const cg_classes_args *a = args;
    int64_t *y = a->y, *fault = a->fault;
    double total = 0;
    *fault = -1;
    for (int64_t i = a->n - 1; i >= 0; i--) {
        const int64_t t = a->target[i];
        const int ignored = a->ignores && t == a->ignored;
        y[i] = ignored || t < 0 || t >= a->limit ? -1 : t;
        if (!ignored && y[i] < 0) *fault = i;
        if (y[i] >= 0) total += weight_of(a->weight, t);
    }
    if (a->total) put(a->total, 0, total);
}
static int divide_build(void *args, int variant) {
    *(cg_divide_args *)args = (cg_divide_args){output(1), numbers(1, 2, 3)};
    return variant < 1;
}
static void divide_twin(const void *args) {
    const cg_divide_args *a = args;
    put(a->y, 0, get(a->y, 0) / get(a->total, 0));
}

static const test tests[] = {{CG_classes, classes_build, classes_twin, 16}, {CG_divide, divide_build, divide_twin, 1}, PAIR(softmax), PAIR(log_softmax), PAIR(cross_entropy), PAIR(soft_cross_entropy), PAIR(nll_loss)};
TESTS(row_tests, tests);
