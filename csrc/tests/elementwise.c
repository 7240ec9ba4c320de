/* Activations, arithmetic and elementwise losses. */
#include "harness.h"


/* A function of v = x, and its gradient from g = dy and v, the saved input or output; then values of its parameters, which
 * the expressions read from the argument block `a`. */
#define FUNCTION(name, saved, value, gradient, ...)                                                        \
    static int name##_build(void *args, int variant) {                                                     \
        if (variant >= 2 * COUNT(SIZES)) return 0;                                                         \
        const int64_t n = SIZES[variant / 2];                                                              \
        void *const x = variant % 2 ? rare_numbers(n) : numbers(n, LOW, 8);                                \
        *(cg_##name##_args *)args = (cg_##name##_args){output(n), x, n, __VA_ARGS__};                      \
        return 1;                                                                                          \
    }                                                                                                      \
    static int name##_backward_build(void *args, int variant) {                                            \
        if (variant >= 2 * COUNT(SIZES)) return 0;                                                         \
        const int64_t n = SIZES[variant / 2];                                                              \
        void *const v = variant % 2 ? rare_numbers(n) : numbers(n, LOW, 8);                                \
        *(cg_##name##_backward_args *)args =                                                               \
            (cg_##name##_backward_args){output(n), numbers(n, -2, 2), v, n, __VA_ARGS__};                  \
        return 1;                                                                                          \
    }                                                                                                      \
    static void name##_twin(const void *args) {                                                            \
        const cg_##name##_args *a = args;                                                                  \
        for (int64_t i = 0; i < a->n; i++) {                                                               \
            const double v = get(a->x, i);                                                                 \
            put(a->y, i, value);                                                                           \
        }                                                                                                  \
    }                                                                                                      \
    static void name##_backward_twin(const void *args) {                                                   \
        const cg_##name##_backward_args *a = args;                                                         \
        for (int64_t i = 0; i < a->n; i++) {                                                               \
            const double g = get(a->dy, i), v = get(a->saved, i);                                          \
            put(a->dx, i, gradient);                                                                       \
        }                                                                                                  \
    }

/* A function that also gives its slope. */
#define SLOPED(name, value, derivative)                                                                    \
    static int name##_build(void *args, int variant) {                                                     \
        if (variant >= 3 * COUNT(SIZES)) return 0;                                                         \
        const int64_t n = SIZES[variant / 3];                                                              \
        void *const x = variant % 3 ? numbers(n, -8, 8) : rare_numbers(n);                                 \
        *(cg_##name##_args *)args = (cg_##name##_args){output(n), variant % 3 == 1 ? NULL : output(n), x, n}; \
        return 1;                                                                                          \
    }                                                                                                      \
    static void name##_twin(const void *args) {                                                            \
        const cg_##name##_args *a = args;                                                                  \
        for (int64_t i = 0; i < a->n; i++) {                                                               \
            const double v = get(a->x, i);                                                                 \
            put(a->y, i, value);                                                                           \
            if (a->slope) put(a->slope, i, derivative);                                                    \
        }                                                                                                  \
    }
#define PAIR(name) {CG_##name, name##_build, name##_twin, 16}, {CG_##name##_backward, name##_backward_build, name##_backward_twin, 16}

static double sigma(double v) { return 1 / (1 + exp(-v)); }
static double cdf(double v) { return 0.5 * erfc(-v / sqrt(2)); }
static double gelu_u(double v) { return sqrt(2 / M_PI) * (v + 0.044715 * v * v * v); }
static double gelu_tanh_slope_of(double v) {
    const double t = tanh(gelu_u(v));
    return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * v * v);
}
static double mish_slope_of(double v) {
    const double t = tanh(log1p(exp(v)));
    return t + v * (1 - t * t) * sigma(v);
}

#define LOW -8
FUNCTION(relu, output, v < 0 ? 0 : v, v <= 0 ? 0 : g)
FUNCTION(leaky_relu, input, v > 0 ? v : a->slope * v, v > 0 ? g : a->slope * g, 1.5)
FUNCTION(elu, input, a->scale * (v > 0 ? v : a->alpha * expm1(v)), g * a->scale * (v <= 0 ? a->alpha * exp(v) : 1), 1.5, 2)
SLOPED(gelu, v * cdf(v), cdf(v) + v * exp(-v * v / 2) / sqrt(2 * M_PI))
SLOPED(gelu_tanh, 0.5 * v * (1 + tanh(gelu_u(v))), gelu_tanh_slope_of(v))
SLOPED(silu, v * sigma(v), sigma(v) * (1 + v * (1 - sigma(v))))
SLOPED(mish, v * tanh(log1p(exp(v))), mish_slope_of(v))
FUNCTION(sigmoid, output, sigma(v), g * v * (1 - v))
FUNCTION(tanh, output, tanh(v), g * (1 - v * v))
FUNCTION(softplus, input, a->beta * v > a->threshold ? v : log1p(exp(a->beta * v)) / a->beta,
         a->beta * v > a->threshold ? g : g * sigma(a->beta * v), 1.5, 2)
FUNCTION(exp, output, exp(v), g * v)
FUNCTION(erf, input, erf(v), g * 2 / sqrt(M_PI) * exp(-v * v))
#undef LOW
#define LOW 1e-3
FUNCTION(log, input, log(v), g / v)
#undef LOW

/* The sine and the cosine of numbers near 0, of rare ones and of those far from 0, up to the largest. */
static void *angles(int64_t n, int which) {
    if (which == 0) return numbers(n, -8, 8);
    if (which == 1) return rare_numbers(n);
    void *const x = numbers(n, 0, 1);
    const double most = precision == CG_FLOAT32 ? 127 : 1023;
    for (int64_t i = 0; i < n; i++) put(x, i, (i % 2 ? -1 : 1) * (1 + get(x, i)) * exp2(floor(10 + (most - 9) * uniform(0, 1))));
    return x;
}
static double quarter_turned_sine(double v, int quarters) {
    const double y = quarters % 2 ? cos(v) : sin(v);
    return quarters % 4 < 2 ? y : -y;
}
static int sine_build(void *args, int variant) {
    if (variant >= 6 * COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant / 6];
    *(cg_sine_args *)args = (cg_sine_args){output(n), angles(n, variant % 3), n, variant % 2};
    return 1;
}
static int sine_backward_build(void *args, int variant) {
    if (variant >= 6 * COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant / 6];
    *(cg_sine_backward_args *)args =
        (cg_sine_backward_args){output(n), numbers(n, -2, 2), angles(n, variant % 3), n, variant % 2};
    return 1;
}
static void sine_twin(const void *args) {
    const cg_sine_args *a = args;
    for (int64_t i = 0; i < a->n; i++) put(a->y, i, quarter_turned_sine(get(a->x, i), (int)a->quarters));
}
static void sine_backward_twin(const void *args) {
    const cg_sine_backward_args *a = args;
    for (int64_t i = 0; i < a->n; i++)
        put(a->dx, i, get(a->dy, i) * quarter_turned_sine(get(a->input, i), (int)a->quarters + 1));
}

/* Arithmetic: both operands of full shape, or one of them a scalar, a row or a column. */
static const int64_t GRIDS[][6] = {/* rows, cols, x_row, x_col, y_row, y_col */
    {1, 0, 0, 1, 0, 1}, {1, 1, 0, 0, 0, 0}, {1, 4097, 0, 1, 0, 1}, {1, 4097, 0, 1, 0, 0}, {1, 33, 0, 0, 0, 1},
    {7, 17, 17, 1, 0, 1}, {65, 65, 65, 1, 1, 0}, {9, 1000, 1, 0, 0, 1}, {3, 3, 0, 0, 0, 0}};

static int64_t extent(int64_t rows, int64_t cols, int64_t row, int64_t col) {
    return rows && cols ? (rows - 1) * row + (cols - 1) * col + 1 : 0;
}

#define ARITHMETIC(name, expression)                                                                        \
    static int name##_build(void *args, int variant) {                                                      \
        if (variant >= COUNT(GRIDS)) return 0;                                                              \
        const int64_t *s = GRIDS[variant];                                                                  \
        *(cg_##name##_args *)args = (cg_##name##_args){                                                     \
            output(s[0] * s[1]), numbers(extent(s[0], s[1], s[2], s[3]), -2, 2),                            \
            numbers(extent(s[0], s[1], s[4], s[5]), 1, 2), s[0], s[1], s[2], s[3], s[4], s[5]};             \
        return 1;                                                                                           \
    }                                                                                                       \
    static void name##_twin(const void *args) {                                                             \
        const cg_##name##_args *a = args;                                                                   \
        for (int64_t i = 0; i < a->rows; i++)                                                               \
            for (int64_t j = 0; j < a->cols; j++) {                                                         \
                const double u = get(a->x, i * a->x_row + j * a->x_col), v = get(a->y, i * a->y_row + j * a->y_col); \
                put(a->out, i * a->cols + j, expression);                                                   \
            }                                                                                               \
    }
ARITHMETIC(add, u + v)
ARITHMETIC(sub, u - v)
ARITHMETIC(mul, u * v)
ARITHMETIC(div, u / v)

/* Numbers between low and high, or only those that functions treat apart: the ends and ½. */
static const void *inputs(int64_t n, double low, double high, int edge) {
    void *p = numbers(n, low + 0.01, high - 0.01);
    const double ends[] = {low, high, 0.5};
    for (int64_t i = 0; edge && i < n; i++) put(p, i, ends[i % 3]);
    return p;
}
static const void *targets(int64_t n, int edge) {
    static const double ends[] = {0, 1, 0.5, -0.25};
    void *p = numbers(n, 0.02, 0.98);
    for (int64_t i = 0; edge && i < n; i++) put(p, i, ends[i % 4]);
    return p;
}

/* Losses of inputs between low and high: by elements or blocks, gradients of the input, of both or of the target; every
 * second variant at the edges, with p = 0. */
#define LOSS(name, low, high, value, slope_x, slope_t)                                                      \
    static double name##_value(double u, double v, double p) { return (void)p, value; }                     \
    static int name##_build(void *args, int variant) {                                                      \
        if (variant >= 4 * COUNT(SIZES)) return 0;                                                          \
        const int64_t n = SIZES[variant / 4], blocks = (n + CG_BLOCK - 1) / CG_BLOCK, edge = variant % 2;   \
        *(cg_##name##_args *)args = (cg_##name##_args){                                                     \
            variant % 4 < 2 ? NULL : output(n), variant % 4 < 2 ? output(blocks) : NULL, inputs(n, low, high, edge),\
            targets(n, edge), n, edge ? 0 : 0.3};                                                           \
        return 1;                                                                                           \
    }                                                                                                       \
    static void name##_twin(const void *args) {                                                             \
        const cg_##name##_args *a = args;                                                                   \
        double sum = 0;                                                                                     \
        for (int64_t i = 0; i < a->n; i++) {                                                                \
            const double l = name##_value(get(a->x, i), get(a->t, i), a->p);                                \
            if (a->y) put(a->y, i, l);                                                                      \
            sum = i % CG_BLOCK ? sum + l : l;                                                               \
            if (a->partial) put(a->partial, i / CG_BLOCK, sum);                                             \
        }                                                                                                   \
    }                                                                                                       \
    static int name##_backward_build(void *args, int variant) {                                             \
        if (variant >= 6 * COUNT(SIZES)) return 0;                                                          \
        const int64_t n = SIZES[variant / 6], edge = variant % 2, step = variant / 6 % 2;                   \
        *(cg_##name##_backward_args *)args = (cg_##name##_backward_args){                                   \
            variant % 3 < 2 ? output(n) : NULL, variant % 3 ? output(n) : NULL, numbers(step ? n : 1, 1, 2),\
            inputs(n, low, high, edge), targets(n, edge), n, step, 0.7, edge ? 0 : 0.3};                    \
        return 1;                                                                                           \
    }                                                                                                       \
    static void name##_backward_twin(const void *args) {                                                    \
        const cg_##name##_backward_args *a = args;                                                          \
        for (int64_t i = 0; i < a->n; i++) {                                                                \
            const double u = get(a->x, i), v = get(a->t, i), g = get(a->dy, i * a->dy_step) * a->scale, p = a->p;\
            (void)p;                                                                                        \
            if (a->dx) put(a->dx, i, slope_x);                                                              \
            if (a->dt) put(a->dt, i, slope_t);                                                              \
        }                                                                                                   \
    }
static double bounded(double l) { return l < -100 ? -100 : l; }
#define SIGN(d) ((d) > 0 ? 1.0 : (d) < 0 ? -1.0 : 0.0)
LOSS(mse_loss, 0, 1, (u - v) * (u - v), 2 * (u - v) * g, -2 * (u - v) * g)
LOSS(l1_loss, 0, 1, fabs(u - v), SIGN(u - v) * g, -SIGN(u - v) * g)
LOSS(smooth_l1_loss, 0, 1, fabs(u - v) < p ? 0.5 * (u - v) * (u - v) / p : fabs(u - v) - 0.5 * p,
     (fabs(u - v) < p ? (u - v) / p : SIGN(u - v)) * g, -(fabs(u - v) < p ? (u - v) / p : SIGN(u - v)) * g)
LOSS(huber_loss, 0, 1, fabs(u - v) <= p ? 0.5 * (u - v) * (u - v) : p * (fabs(u - v) - 0.5 * p),
     (fabs(u - v) <= p ? u - v : p * SIGN(u - v)) * g, -(fabs(u - v) <= p ? u - v : p * SIGN(u - v)) * g)
LOSS(bce_loss, 0, 1, -v * bounded(log(u)) - (1 - v) * bounded(log1p(-u)),
     g * (u - v) / fmax(u * (1 - u), 1e-12), g * (bounded(log1p(-u)) - bounded(log(u))))
LOSS(bce_logits_loss, -4, 4, log1p(exp(u)) - u * v, g * (sigma(u) - v), -g * u)
LOSS(kl_div, -4, 0, v > 0 ? v * (log(v) - u) : v == 0 ? 0 : NAN, -v * g, (log(v) + 1 - u) * g)
LOSS(kl_div_log, -4, 0, exp(v) * (v - u), -exp(v) * g, exp(v) * (v + 1 - u) * g)

static int sum_partials_build(void *args, int variant) {
    if (variant >= COUNT(SIZES)) return 0;
    *(cg_sum_partials_args *)args = (cg_sum_partials_args){output(1), numbers(SIZES[variant], 0, 1), SIZES[variant], 0.5};
    return 1;
}
static void sum_partials_twin(const void *args) {
    const cg_sum_partials_args *a = args;
    double sum = 0;
    for (int64_t i = 0; i < a->n; i++) sum += get(a->partial, i);
    put(a->y, 0, sum * a->scale);
}

static int copy_build(void *args, int variant) {
    if (variant >= COUNT(SIZES)) return 0;
    *(cg_copy_args *)args = (cg_copy_args){bytes_output(9 * SIZES[variant]), flags(9 * SIZES[variant]), 9 * SIZES[variant]};
    return 1;
}
static void copy_twin(const void *args) {
    const cg_copy_args *a = args;
    for (int64_t i = 0; i < a->bytes; i++) ((char *)a->y)[i] = ((const char *)a->x)[i];
}
/* Four dimensions with y in C order, or with its rows or all elements apart; x in any order, broadcast, or a part. */
static int strided_build(void *args, int variant) {
    static const int64_t SHAPES[][4] = {
        {1, 1, 1, 1}, {2, 3, 5, 7}, {1, 1, 33, 17}, {1, 2, 16, 16}, {3, 1, 1, CG_BLOCK + 5}, {1, 1, 40, 3}, {2, 2, 0, 3}};
    enum { LAYOUTS = 6 };
    const int layout = variant % LAYOUTS, accumulate = variant / LAYOUTS % 2;
    if (variant >= 2 * LAYOUTS * COUNT(SHAPES)) return 0;
    const int64_t *n = SHAPES[variant / LAYOUTS / 2], all = n[0] * n[1] * n[2] * n[3];
    const int64_t gap = layout == 4 ? 2 : 1, pad = layout == 3 ? 3 : 0, row = (n[3] + pad) * gap;
    cg_strided_args *const a = args;
    *a = (cg_strided_args){.n0 = n[0], .n1 = n[1], .n2 = n[2], .n3 = n[3], .accumulate = accumulate,
                           .y3 = gap, .y2 = row, .y1 = row * n[2], .y0 = row * n[2] * n[1],
                           .x3 = 1, .x2 = n[3], .x1 = n[3] * n[2], .x0 = n[3] * n[2] * n[1]};
    if (layout == 1) a->x2 = 1, a->x3 = n[2];                                     /* transposed */
    if (layout == 2) a->x0 = 1, a->x1 = n[0], a->x2 = n[0] * n[1], a->x3 = n[0] * n[1] * n[2]; /* all axes in reverse */
    if (layout == 5) a->x0 = a->x1 = a->x2 = a->x3 = 0;                           /* a fill */
    a->y = output_from(row * n[2] * n[1] * n[0], -2, 2);
    a->x = numbers(all + 1, -2, 2);
    return 1;
}
static void strided_twin(const void *args) {
    const cg_strided_args *a = args;
    for (int64_t i = 0; i < a->n0; i++)
        for (int64_t j = 0; j < a->n1; j++)
            for (int64_t k = 0; k < a->n2; k++)
                for (int64_t l = 0; l < a->n3; l++) {
                    const int64_t to = i * a->y0 + j * a->y1 + k * a->y2 + l * a->y3;
                    const double x = get(a->x, i * a->x0 + j * a->x1 + k * a->x2 + l * a->x3);
                    put(a->y, to, x + (a->accumulate ? get(a->y, to) : 0));
                }
}
static int count_build(void *args, int variant) {
    *(cg_count_args *)args = (cg_count_args){integers_output(1)};
    return variant < 1;
}
static void count_twin(const void *args) { *(int64_t *)((const cg_count_args *)args)->y += 1; }

/* ReLU with a mask of bits: a group of 512 elements has 64 bytes, and bit k of word w belongs to its element k·words + w. */
static int mask_bit(const void *mask, int64_t i, int set) {
    const int64_t words = precision == CG_FLOAT32 ? 16 : 8, word = i / 512 * words + i % words, bit = i % 512 / words;
    if (precision == CG_FLOAT32) return (((uint32_t *)mask)[word] |= (uint32_t)set << bit) >> bit & 1;
    return (((uint64_t *)mask)[word] |= (uint64_t)set << bit) >> bit & 1;
}
static int64_t mask_bytes(int64_t n) { return (n + 511) / 512 * 64; }
static void *random_bits(int64_t bytes) {
    uint8_t *p = flags(bytes);
    for (int64_t i = 0; i < bytes; i++) p[i] = (uint8_t)uniform(0, 256);
    return p;
}
static int relu_masked_build(void *args, int variant) {
    if (variant >= 2 * COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant / 2];
    void *const x = variant % 2 ? rare_numbers(n) : numbers(n, -8, 8);
    *(cg_relu_masked_args *)args = (cg_relu_masked_args){output(n), bytes_output(mask_bytes(n)), x, n};
    return 1;
}
static void relu_masked_twin(const void *args) {
    const cg_relu_masked_args *a = args;
    memset(a->mask, 0, mask_bytes(a->n));
    for (int64_t i = 0; i < a->n; i++) {
        const double v = get(a->x, i);
        put(a->y, i, v < 0 ? 0 : v);
        mask_bit(a->mask, i, !(v <= 0));
    }
}
static int relu_masked_backward_build(void *args, int variant) {
    if (variant >= COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant];
    *(cg_relu_masked_backward_args *)args =
        (cg_relu_masked_backward_args){output(n), numbers(n, -2, 2), random_bits(mask_bytes(n)), n};
    return 1;
}
static void relu_masked_backward_twin(const void *args) {
    const cg_relu_masked_backward_args *a = args;
    for (int64_t i = 0; i < a->n; i++) put(a->dx, i, mask_bit(a->mask, i, 0) ? get(a->dy, i) : 0);
}

static const test tests[] = {
    {CG_copy, copy_build, copy_twin, 0}, {CG_strided, strided_build, strided_twin, 0}, {CG_count, count_build, count_twin, 0},
    PAIR(relu), PAIR(relu_masked), PAIR(leaky_relu), PAIR(elu), {CG_gelu, gelu_build, gelu_twin, 16},
    {CG_gelu_tanh, gelu_tanh_build, gelu_tanh_twin, 16}, {CG_silu, silu_build, silu_twin, 16}, {CG_mish, mish_build, mish_twin, 16}, PAIR(sigmoid), PAIR(tanh),
    PAIR(softplus), PAIR(exp), PAIR(log), PAIR(erf), {CG_sine, sine_build, sine_twin, 4}, {CG_sine_backward, sine_backward_build, sine_backward_twin, 4},
    {CG_add, add_build, add_twin, 2}, {CG_sub, sub_build, sub_twin, 2}, {CG_mul, mul_build, mul_twin, 2},
    {CG_div, div_build, div_twin, 2},
    PAIR(mse_loss), PAIR(l1_loss), PAIR(smooth_l1_loss), PAIR(huber_loss), PAIR(bce_loss), PAIR(bce_logits_loss),
    PAIR(kl_div), PAIR(kl_div_log), {CG_sum_partials, sum_partials_build, sum_partials_twin, 16},
};
TESTS(elementwise_tests, tests);
