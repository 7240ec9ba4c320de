/* Convolutions, their transposes, and gradients of weights. */
#include "harness.h"

/* n, groups, channels, filters, height, width, kernel, stride, padding, dilation of both axes */
static const int64_t CONVOLUTIONS[][14] = {
    {2, 1, 3, 4, 7, 6, 3, 3, 1, 1, 1, 1, 1, 1},     {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1},
    {3, 1, 2, 15, 1, 40, 1, 3, 1, 1, 0, 2, 1, 2},   {2, 3, 2, 1, 5, 9, 3, 2, 2, 2, 1, 0, 1, 1},
    {2, 5, 1, 1, 9, 8, 3, 3, 1, 1, 1, 1, 1, 1},     {1, 1, 5, 29, 6, 7, 1, 1, 2, 2, 0, 0, 1, 1},
    {2, 1, 3, 5, 9, 8, 4, 3, 3, 2, 2, 1, 1, 2},     {1, 1, 2, 2, 5, 4, 5, 4, 1, 1, 0, 0, 1, 1},
    {0, 1, 2, 4, 5, 5, 3, 3, 1, 1, 1, 1, 1, 1},     {3, 1, 4, 16, 5, 33, 2, 5, 1, 2, 0, 0, 2, 1},
    {1, 1, 2, 1, 3, 40, 2, 3, 1, 1, 1, 9, 1, 5},    {40, 1, 2, 3, 1, 2, 1, 2, 1, 1, 0, 1, 1, 1},
    {1, 1, 2, 3, 4, 3, 2, 2, 3, 3, 4, 4, 1, 1},     {2, 1, 17, 31, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1},
    /* results that are empty; fewer filters than shares; a stride that meets no tap */
    {2, 1, 2, 3, 2, 2, 3, 3, 1, 1, 0, 0, 1, 1},     {2, 1, 1, 2, 6, 6, 3, 3, 1, 1, 1, 1, 1, 1},
    {1, 1, 2, 2, 7, 7, 1, 2, 3, 3, 0, 0, 1, 2},
    /* more than one block of k: of channels, of a kernel; rows far apart; one tap far beyond the image */
    {1, 1, 130, 9, 4, 5, 3, 3, 1, 1, 1, 1, 1, 1},   {1, 1, 1, 2, 40, 34, 33, 34, 1, 1, 3, 2, 1, 1},
    {1, 1, 1, 2, 1, 1300, 1, 1100, 1, 1, 0, 3, 1, 1}, {1, 1, 2, 2, 9, 9, 3, 3, 1, 1, 50, 50, 50, 50},
    /* more than one band: of rows, of columns */
    {1, 1, 24, 3, 70, 60, 3, 3, 1, 1, 1, 1, 1, 1},  {1, 1, 40, 2, 2, 2500, 2, 3, 1, 1, 1, 1, 1, 1},
    {1, 1, 3, 2, 1, 9000, 1, 3, 1, 1, 0, 1, 1, 1},  {2, 1, 2, 3, 100, 100, 2, 2, 2, 2, 0, 0, 1, 1},
    /* rows that fill vectors, and bands of them; strides of 2, with lines of whole vectors and odd ends, phases without taps, more
     * than one block of k, bands of a line; a stride in one axis; images that are cropped */
    {2, 1, 3, 5, 6, 32, 3, 3, 1, 1, 1, 1, 1, 1},    {2, 3, 2, 3, 5, 64, 3, 2, 1, 1, 0, 1, 1, 1},
    {1, 1, 30, 3, 80, 32, 3, 3, 1, 1, 1, 1, 1, 1},  {2, 1, 3, 4, 9, 71, 3, 3, 2, 2, 1, 1, 1, 1},
    {2, 2, 3, 2, 6, 70, 1, 1, 2, 2, 0, 0, 1, 1},    {1, 1, 2, 3, 5, 67, 2, 2, 2, 2, 1, 1, 1, 1},
    {1, 1, 2, 300, 4, 40, 3, 3, 2, 2, 1, 1, 1, 1},  {1, 1, 2, 2, 1, 20000, 1, 3, 1, 2, 0, 1, 1, 1},
    {2, 1, 2, 3, 5, 90, 2, 3, 3, 2, 0, 1, 1, 1},    {1, 1, 2, 2, 6, 36, 2, 2, 1, 1, -1, -2, 1, 1},
    /* more than one block of weights */
    {1, 1, 115, 150, 2, 3, 3, 3, 1, 1, 1, 1, 1, 1},
    /* gradients by pixels: bands of images, rows and columns; blocks of channels; taps apart; strides; groups; whole planes */
    {40, 1, 16, 5, 6, 7, 3, 3, 1, 1, 1, 1, 1, 1},   {2, 1, 16, 7, 50, 37, 2, 3, 1, 1, 0, 1, 1, 1},
    {1, 1, 32, 4, 2, 2300, 1, 1, 1, 1, 0, 0, 1, 1}, {2, 1, 256, 4, 9, 9, 3, 3, 1, 1, 1, 1, 1, 1},
    {3, 1, 16, 19, 12, 30, 3, 3, 2, 1, 2, 3, 1, 4}, {2, 2, 32, 6, 11, 12, 1, 1, 2, 2, 0, 0, 1, 1},
    {2, 1, 5, 17, 13, 9, 5, 7, 1, 2, 2, 3, 2, 1},   {3, 2, 48, 8, 9, 10, 4, 1, 1, 1, 0, 0, 3, 1},
    {1, 1, 16, 4, 4, 5, 3, 3, 1, 1, 9, 9, 1, 1},    {2, 1, 130, 6, 40, 40, 2, 2, 1, 1, 0, 0, 9, 9},
    /* no filters; no channels; results without columns; a phase of columns that no tap meets, without bias */
    {2, 1, 2, 0, 4, 5, 3, 3, 1, 1, 1, 1, 1, 1},     {2, 1, 0, 3, 4, 5, 3, 3, 1, 1, 1, 1, 1, 1},
    {2, 1, 2, 3, 5, 2, 3, 3, 1, 1, 0, 0, 1, 1},     {0, 1, 2, 0, 4, 5, 3, 3, 1, 1, 1, 1, 1, 1},
    {2, 2, 3, 2, 6, 70, 1, 1, 2, 2, 0, 0, 1, 1},
    /* a stride of 3 with more than one block of k; groups whose weights do not fit together; one row of a large kernel */
    {1, 1, 2, 1100, 4, 7, 3, 3, 3, 3, 1, 1, 1, 1},  {1, 2, 64, 150, 2, 3, 3, 3, 1, 1, 1, 1, 1, 1},
    {1, 1, 1, 2, 64, 415, 32, 32, 1, 1, 0, 0, 2, 13},
    /* copies as wide as the image, with a stride of either axis; by runs, a last block of fewer images */
    {1, 1, 2, 3, 6, 9, 3, 3, 1, 2, 1, 5, 1, 1},     {1, 1, 2, 3, 6, 9, 3, 3, 2, 1, 1, 1, 1, 1},
    {17, 1, 2, 3, 8, 8, 1, 1, 1, 1, 0, 0, 1, 1},
    /* by pixels, small images that do not all fit; too many elements of the kernel, or too large a band, for it */
    {256, 1, 100, 4, 2, 2, 1, 1, 1, 1, 0, 0, 1, 1}, {1, 1, 1, 4, 70, 33, 70, 32, 1, 1, 0, 0, 1, 1},
    {1, 1, 16, 4, 145, 145, 3, 3, 1, 1, 0, 0, 70, 70},
};
static int64_t positions(int64_t n, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    const int64_t room = n + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

/* The sizes of a variant, of arrays x[source], y[result] and a weight, and without the arrays. */
static int geometry(cg_conv_args *a, int variant, int64_t *source, int64_t *result, int64_t *weight) {
    if (variant >= COUNT(CONVOLUTIONS)) return 0;
    const int64_t *s = CONVOLUTIONS[variant];
    const int64_t oh = positions(s[4], s[6], s[8], s[10], s[12]), ow = positions(s[5], s[7], s[9], s[11], s[13]);
    *a = (cg_conv_args){NULL, NULL, NULL, NULL, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], oh, ow, s[8], s[9], s[10], s[11], s[12], s[13]};
    *source = s[0] * s[1] * s[2] * s[4] * s[5], *result = s[0] * s[1] * s[3] * oh * ow;
    *weight = s[1] * s[3] * s[2] * s[6] * s[7];
    return 1;
}

/* Calls each(x's index, weight's index, y's index) for all products of a convolution. */
#define EACH_PRODUCT(a, statement)                                                                                          \
    for (int64_t n = 0; n < a->n; n++)                                                                                      \
        for (int64_t g = 0; g < a->groups; g++)                                                                             \
            for (int64_t f = 0; f < a->filters; f++)                                                                        \
                for (int64_t c = 0; c < a->channels; c++)                                                                   \
                    for (int64_t i = 0; i < a->kernel_height; i++)                                                          \
                        for (int64_t j = 0; j < a->kernel_width; j++)                                                       \
                            for (int64_t v = 0; v < a->out_height; v++)                                                     \
                                for (int64_t u = 0; u < a->out_width; u++) {                                                \
                                    const int64_t row = v * a->stride_y + i * a->dilation_y - a->padding_y;                 \
                                    const int64_t col = u * a->stride_x + j * a->dilation_x - a->padding_x;                 \
                                    if (row < 0 || col < 0 || row >= a->height || col >= a->width) continue;                \
                                    const int64_t x = (((n * a->groups + g) * a->channels + c) * a->height + row) * a->width + col; \
                                    const int64_t w = (((g * a->filters + f) * a->channels + c) * a->kernel_height + i) *   \
                                                      a->kernel_width + j;                                                  \
                                    const int64_t y = (((n * a->groups + g) * a->filters + f) * a->out_height + v) *        \
                                                      a->out_width + u;                                                     \
                                    statement;                                                                              \
                                }

static int conv_build(void *args, int variant) {
    int64_t source, result, weight;
    cg_conv_args *a = args;
    if (!geometry(a, variant, &source, &result, &weight)) return 0;
    a->y = output(result), a->x = numbers(source, -1, 1), a->weight = numbers(weight, -1, 1);
    a->bias = variant % 2 ? numbers(a->groups * a->filters, -1, 1) : NULL;
    return 1;
}
static double *sums_of(int64_t n) { return calloc((size_t)(n + 1), sizeof(double)); }

static void conv_twin(const void *args) {
    const cg_conv_args *a = args;
    const int64_t pixels = a->out_height * a->out_width, count = a->n * a->groups * a->filters * pixels;
    double *sums = sums_of(count);
    EACH_PRODUCT(a, sums[y] += get(a->x, x) * get(a->weight, w))
    for (int64_t at = 0; at < count; at++)
        put(a->y, at, sums[at] + (a->bias ? get(a->bias, at / pixels % (a->groups * a->filters)) : 0));
    free(sums);
}
static int conv_transpose_build(void *args, int variant) {
    int64_t source, result, weight;
    cg_conv_args *a = args;
    if (!geometry(a, variant, &source, &result, &weight)) return 0;
    a->y = output(source), a->x = numbers(result, -1, 1), a->weight = numbers(weight, -1, 1);
    a->bias = variant % 2 ? numbers(a->groups * a->channels, -1, 1) : NULL;
    return 1;
}
static void conv_transpose_twin(const void *args) {
    const cg_conv_args *a = args;
    const int64_t pixels = a->height * a->width, count = a->n * a->groups * a->channels * pixels;
    double *sums = sums_of(count);
    EACH_PRODUCT(a, sums[x] += get(a->x, y) * get(a->weight, w))
    for (int64_t at = 0; at < count; at++)
        put(a->y, at, sums[at] + (a->bias ? get(a->bias, at / pixels % (a->groups * a->channels)) : 0));
    free(sums);
}
static int conv_weight_build(void *args, int variant) {
    int64_t source, result, weight;
    cg_conv_args a;
    if (!geometry(&a, variant % COUNT(CONVOLUTIONS), &source, &result, &weight) || variant >= 2 * COUNT(CONVOLUTIONS)) return 0;
    const int only_bias = variant >= COUNT(CONVOLUTIONS) && variant % 3 == 0, no_bias = variant >= COUNT(CONVOLUTIONS) && !only_bias;
    a.y = only_bias ? NULL : output(weight), a.x = no_bias ? NULL : output(a.groups * a.filters);
    a.weight = numbers(result, -0.5, 1), a.bias = numbers(source, -1, 1);
    memcpy(args, &a, sizeof a);
    return 1;
}
static void conv_weight_twin(const void *args) {
    const cg_conv_weight_args *a = args;
    const int64_t filters = a->groups * a->filters, taps = a->channels * a->kernel_height * a->kernel_width, pixels = a->out_height * a->out_width;
    double *sums = sums_of(filters * taps), *biases = sums_of(filters);
    EACH_PRODUCT(a, sums[w] += get(a->dy, y) * get(a->x, x))
    for (int64_t at = 0; a->dw && at < filters * taps; at++) put(a->dw, at, sums[at]);
    for (int64_t at = 0; at < a->n * filters * pixels; at++) biases[at / pixels % filters] += get(a->dy, at);
    for (int64_t f = 0; a->db && f < filters; f++) put(a->db, f, biases[f]);
    free(sums), free(biases);
}

static const test tests[] = {
    {CG_conv, conv_build, conv_twin, 64},
    {CG_conv_transpose, conv_transpose_build, conv_transpose_twin, 64},
    {CG_conv_weight, conv_weight_build, conv_weight_twin, 64},
};
TESTS(conv_tests, tests);
