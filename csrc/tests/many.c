/* Kernels of many arrays: norms, clipping, optimizers. */
#include "harness.h"

#include <float.h>

enum { TENSORS = 5 };
static const int64_t LENGTHS[TENSORS] = {17, 0, 4097, 1, 9000};
enum { BLOCKS = 1 + 0 + 2 + 1 + 3 };

static void **inputs(double low, double high) {
    void *arrays[TENSORS];
    for (int t = 0; t < TENSORS; t++) arrays[t] = numbers(LENGTHS[t], low, high);
    return list(TENSORS, arrays);
}
static void **results(double low, double high) {
    void *arrays[TENSORS];
    for (int t = 0; t < TENSORS; t++) arrays[t] = output_from(LENGTHS[t], low, high);
    return list(TENSORS, arrays);
}
static const int64_t *lengths(void) { return listed(TENSORS, LENGTHS); }

static const double ORDERS[] = {2, 1, 3, INFINITY, -INFINITY, -2};
static long double joined(long double total, double v, double p) {
    if (total != total || v != v) return NAN;
    return isinf(p) ? (p > 0 ? fmaxl(total, v) : fminl(total, v)) : total + powl(v, p);
}
/* Whether a sum of this precision neither overflows nor loses digits below the smallest normal number. */
static int in_range(long double sum) {
    return precision == CG_FLOAT32 ? sum >= FLT_MIN / FLT_EPSILON && sum <= FLT_MAX : sum >= DBL_MIN / DBL_EPSILON && sum <= DBL_MAX;
}
static double start(double p) { return isinf(p) && p < 0 ? INFINITY : 0; }

static int grad_norm_blocks_build(void *args, int variant) {
    const double far = precision == CG_FLOAT32 ? 1e25 : 1e200, largest[] = {2, 1 / far, far, 2, 2, 2}; /* powers out of range; NaN, ∞, 0 */
    if (variant >= COUNT(largest) * COUNT(ORDERS)) return 0;
    const int kind = variant / COUNT(ORDERS);
    void **arrays = inputs(-largest[kind], largest[kind]);
    if (kind > 2) put(arrays[2], 7, kind == 3 ? NAN : kind == 4 ? INFINITY : 0);
    *(cg_grad_norm_blocks_args *)args = (cg_grad_norm_blocks_args){
        doubles_output(BLOCKS), (const void *const *)arrays, lengths(), TENSORS, BLOCKS, ORDERS[variant % COUNT(ORDERS)]};
    return 1;
}
static void grad_norm_blocks_twin(const void *args) {
    const cg_grad_norm_blocks_args *a = args;
    int64_t block = 0;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t begin = 0; begin < LENGTHS[t]; begin += CG_BLOCK, block++) {
            long double total = start(a->p);
            for (int64_t i = begin; i < begin + CG_BLOCK && i < LENGTHS[t]; i++) total = joined(total, fabs(get(a->g[t], i)), a->p);
            const int far = !isinf(a->p) && !isinf(total) && !in_range(total); /* then it is the block's own norm, negative */
            ((double *)a->partial)[block] = (double)(far ? -powl(total, 1 / (long double)a->p) : total);
        }
}
static int grad_norm_build(void *args, int variant) {
    if (variant >= 4 * COUNT(ORDERS)) return 0;
    const int saved = precision, kind = variant / COUNT(ORDERS); /* ordinary, NaN, no blocks, norms among the sums */
    precision = CG_FLOAT64;
    void *partial = numbers(BLOCKS, 0.1, 3);
    if (kind == 1) put(partial, 3, NAN);
    for (int i = 0; kind == 3 && !isinf(ORDERS[variant % COUNT(ORDERS)]) && i < BLOCKS; i += 2) put(partial, i, -get(partial, i));
    precision = saved;
    *(cg_grad_norm_args *)args = (cg_grad_norm_args){output(1), output(1), partial, kind == 2 ? 0 : BLOCKS,
                                                     ORDERS[variant % COUNT(ORDERS)], 1.5};
    return 1;
}
static void grad_norm_twin(const void *args) {
    const cg_grad_norm_args *a = args;
    const double *partial = a->partial;
    double total = a->blocks ? start(a->p) : 0;
    for (int64_t i = 0; i < a->blocks; i++) total = isinf(a->p) ? joined(total, partial[i], a->p) : total + (partial[i] < 0 ? pow(-partial[i], a->p) : partial[i]);
    const double norm = isinf(a->p) ? total : pow(total, 1 / a->p);
    const double factor = a->max_norm / (norm + 1e-6);
    put(a->norm, 0, norm), put(a->factor, 0, factor > 1 ? 1 : factor);
}
static int scale_all_build(void *args, int variant) {
    if (variant >= 2) return 0;
    *(cg_scale_all_args *)args = (cg_scale_all_args){results(-2, 2), numbers(1, variant ? 1 : 0.3, variant ? 1 : 0.4), lengths(),
                                                     TENSORS, BLOCKS};
    return 1;
}
static void scale_all_twin(const void *args) {
    const cg_scale_all_args *a = args;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < LENGTHS[t]; i++) put(a->g[t], i, get(a->g[t], i) * get(a->factor, 0));
}
static int clip_value_build(void *args, int variant) {
    if (variant >= 1) return 0;
    *(cg_clip_value_args *)args = (cg_clip_value_args){results(-2, 2), lengths(), TENSORS, BLOCKS, 0.5};
    return 1;
}
static void clip_value_twin(const void *args) {
    const cg_clip_value_args *a = args;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < LENGTHS[t]; i++) put(a->g[t], i, fmax(-0.5, fmin(0.5, get(a->g[t], i))));
}
static const int64_t UNITS[TENSORS] = {17, 0, 1, 1, 90};
static int clip_adaptive_build(void *args, int variant) {
    if (variant >= 2) return 0;
    int64_t unit_sizes[TENSORS];
    for (int t = 0; t < TENSORS; t++) unit_sizes[t] = UNITS[t] ? LENGTHS[t] / UNITS[t] : 0;
    void **gradients = results(-2, 2);
    if (variant) put_first(gradients[4], 123, NAN);
    *(cg_clip_adaptive_args *)args = (cg_clip_adaptive_args){gradients, (const void *const *)inputs(-1, 1),
        listed(TENSORS, UNITS), listed(TENSORS, unit_sizes), TENSORS, 0.7, 0.9};
    return 1;
}
static void clip_adaptive_twin(const void *args) {
    const cg_clip_adaptive_args *a = args;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t u = 0; u < UNITS[t]; u++) {
            const int64_t n = LENGTHS[t] / UNITS[t];
            double g = 0, w = 0;
            for (int64_t i = u * n; i < (u + 1) * n; i++) g += pow(get(a->g[t], i), 2), w += pow(get(a->w[t], i), 2);
            const double most = 0.7 * fmax(sqrt(w), 0.9);
            for (int64_t i = u * n; sqrt(g) > most && i < (u + 1) * n; i++) put(a->g[t], i, get(a->g[t], i) * most / sqrt(g));
        }
}

static int sgd_build(void *args, int variant) {
    if (variant >= 6) return 0;
    const double momentum = variant ? 0.9 : 0;
    *(cg_sgd_args *)args = (cg_sgd_args){results(-1, 1), momentum != 0 ? results(-1, 1) : NULL,
        (const void *const *)inputs(-1, 1), lengths(), TENSORS, BLOCKS, 1 + (variant != 2), variant == 3, 0.1, momentum,
        variant == 4 ? 0.2 : 0, 0.01, variant == 5 ? -1 : 1};
    return 1;
}
static void sgd_twin(const void *args) {
    const cg_sgd_args *a = args;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < LENGTHS[t]; i++) {
            const double p = get(a->p[t], i);
            double d = a->sign * get(a->g[t], i) + a->weight_decay * p;
            if (a->momentum != 0) {
                const double b = a->step == 1 ? d : a->momentum * get(a->b[t], i) + (1 - a->dampening) * d;
                put(a->b[t], i, b);
                d = a->nesterov ? d + a->momentum * b : b;
            }
            put(a->p[t], i, p - a->lr * d);
        }
}
static int adam_build(void *args, int variant) {
    if (variant >= 4) return 0;
    *(cg_adam_args *)args = (cg_adam_args){results(-1, 1), results(-1, 1), results(0, 1), variant % 2 ? results(0, 1) : NULL,
        (const void *const *)inputs(-1, 1), lengths(), TENSORS, BLOCKS, 1 + 5 * variant, variant % 2, variant / 2, 0.1, 0.9, 0.999, 1e-8, 0.05,
        variant == 3 ? -1 : 1};
    return 1;
}
static void adam_twin(const void *args) {
    const cg_adam_args *a = args;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < LENGTHS[t]; i++) {
            double p = get(a->p[t], i), d = a->sign * get(a->g[t], i) + (a->decoupled ? 0 : a->weight_decay * p);
            if (a->decoupled) p *= 1 - a->lr * a->weight_decay;
            const double m = a->beta1 * get(a->m[t], i) + (1 - a->beta1) * d;
            const double v = a->beta2 * get(a->v[t], i) + (1 - a->beta2) * d * d;
            const double u = a->amsgrad ? fmax(v, get(a->largest[t], i)) : v;
            put(a->m[t], i, m), put(a->v[t], i, v);
            if (a->amsgrad) put(a->largest[t], i, u);
            const double first = 1 - pow(a->beta1, (double)a->step), second = 1 - pow(a->beta2, (double)a->step);
            put(a->p[t], i, p - a->lr / first * m / (sqrt(u / second) + a->eps));
        }
}
static int rmsprop_build(void *args, int variant) {
    if (variant >= 4) return 0;
    const double momentum = variant / 2 ? 0.9 : 0;
    *(cg_rmsprop_args *)args = (cg_rmsprop_args){results(-1, 1), results(1, 2), variant % 2 ? results(-0.1, 0.1) : NULL,
        momentum != 0 ? results(-1, 1) : NULL, (const void *const *)inputs(-1, 1), lengths(), TENSORS, BLOCKS, variant % 2, 0.1,
        0.99, 1e-8, 0.05, momentum, 1};
    return 1;
}
static void rmsprop_twin(const void *args) {
    const cg_rmsprop_args *a = args;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < LENGTHS[t]; i++) {
            const double p = get(a->p[t], i), d = a->sign * get(a->g[t], i) + a->weight_decay * p;
            double s = a->alpha * get(a->s[t], i) + (1 - a->alpha) * d * d;
            put(a->s[t], i, s);
            if (a->centered) {
                const double c = a->alpha * get(a->c[t], i) + (1 - a->alpha) * d;
                put(a->c[t], i, c);
                s -= c * c;
            }
            double step = d / (sqrt(s) + a->eps);
            if (a->momentum != 0) put(a->b[t], i, step += a->momentum * get(a->b[t], i));
            put(a->p[t], i, p - a->lr * step);
        }
}
static int adagrad_build(void *args, int variant) {
    if (variant >= 2) return 0;
    *(cg_adagrad_args *)args = (cg_adagrad_args){results(-1, 1), results(1, 2), (const void *const *)inputs(-1, 1), lengths(),
                                                 TENSORS, BLOCKS, 1 + 3 * variant, 0.1, 0.5, 1e-10, 0.05, 1};
    return 1;
}
static void adagrad_twin(const void *args) {
    const cg_adagrad_args *a = args;
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < LENGTHS[t]; i++) {
            const double p = get(a->p[t], i), d = a->sign * get(a->g[t], i) + a->weight_decay * p;
            const double s = get(a->s[t], i) + d * d;
            const double lr = a->lr / (1 + (double)(a->step - 1) * a->lr_decay);
            put(a->s[t], i, s), put(a->p[t], i, p - lr * d / (sqrt(s) + a->eps));
        }
}

#define TEST(name, tolerance) {CG_##name, name##_build, name##_twin, tolerance}
static const test tests[] = {
    {CG_grad_norm_blocks, grad_norm_blocks_build, grad_norm_blocks_twin, 64}, TEST(grad_norm, 16), TEST(scale_all, 2),
    TEST(clip_value, 0), TEST(clip_adaptive, 64), TEST(sgd, 8), TEST(adam, 16), TEST(rmsprop, 32), TEST(adagrad, 8),
};
TESTS(many_tests, tests);
