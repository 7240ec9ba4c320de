/* Warp, blur, color, noise, erasing, pasting and mixing of images. */
#include "harness.h"

/* n, channels, height, width */
static const int64_t IMAGES[][4] = {{0, 1, 3, 3}, {1, 1, 1, 1}, {3, 1, 5, 4}, {2, 3, 28, 28}, {1, 2, 7, 130}, {1, 7, 9, 30}, {5, 3, 64, 65},
                                    {2, 3, 9, 1}};
static const int64_t MANY_CHANNELS[] = {1, 140, 96, 96}; /* more than fit into the working memory of a warp */
static int64_t volume(const int64_t *s) { return s[0] * s[1] * s[2] * s[3]; }

/* Warp */

/* Maps of whole pixels, in order and mirrored, and those that just miss being so; zooms; the last stands for a random one. */
static const double MAPS[][6] = {
    {1, 0, -1, 0, 1, 0}, {1, 0, 0.5, 0, 1, 0}, {1, 0, 3, 0, -1, 5}, {-1, 0, 8, 0, -1, 30}, {-1, 0, 20, 0, 1, -2},
    {1, 0, 2, 0, 1, 0.25}, {1, 0.5, 0, 0, 1, 0}, {1, 0, 0, -0.5, 1, 0}, {1, 0, 0, 0, 0.5, 0}, {0.5, 0, 0, 0, 1, 0},
    {-1.03, 0, 33, 0, 1.01, 0.1}, {4, 0, -3, 0, 4, -5}, {0}};

static int warp_build(void *args, int variant) {
    enum { EACH = 15, ZOOM = 11 };
    if (variant >= EACH * COUNT(IMAGES) + 2) return 0;
    const int64_t *s = variant < EACH * COUNT(IMAGES) ? IMAGES[variant / EACH] : MANY_CHANNELS, small = variant % EACH == ZOOM;
    const int64_t oh = small ? 5 : variant % 2 ? s[2] : s[2] + 3, ow = small ? 5 : variant % 2 ? s[3] : 2 * s[3];
    void *maps = numbers(6 * s[0], 0, 1);
    for (int64_t i = 0; i < s[0]; i++) {
        const double turn = uniform(-3, 3), scale = uniform(0.3, 2), *chosen = MAPS[(variant % EACH + i) % COUNT(MAPS)];
        const double m[] = {scale * cos(turn), sin(turn), uniform(-9, 9), -sin(turn), scale * cos(turn), uniform(-9, 9)};
        for (int k = 0; k < 6; k++) put(maps, 6 * i + k, chosen[0] == 0 ? m[k] : chosen[k]);
    }
    *(cg_warp_args *)args = (cg_warp_args){output(s[0] * s[1] * oh * ow), numbers(volume(s), -1, 1), maps, s[0], s[1], s[2], s[3],
                                           oh, ow, variant % 3, variant % 2 ? 0.5 : 0};
    return 1;
}
static double mirrored(double t, double last) {
    if (last == 0) return 0;
    t = fmod(fabs(t), 2 * last);
    return t > last ? 2 * last - t : t;
}
static double pixel(const cg_warp_args *a, int64_t plane, int64_t v, int64_t u) {
    if (v < 0 || u < 0 || v >= a->height || u >= a->width) return a->fill;
    return get(a->x, (plane * a->height + v) * a->width + u);
}
static void warp_twin(const void *args) {
    const cg_warp_args *a = args;
    int64_t at = 0;
    for (int64_t plane = 0; plane < a->n * a->channels; plane++)
        for (int64_t v = 0; v < a->out_height; v++)
            for (int64_t u = 0; u < a->out_width; u++) {
                double m[6];
                for (int k = 0; k < 6; k++) m[k] = get(a->maps, plane / a->channels * 6 + k);
                double x = m[0] * (double)u + m[1] * (double)v + m[2], y = m[3] * (double)u + m[4] * (double)v + m[5];
                if (a->padding == 1) {
                    x = fmin(fmax(x, 0), (double)(a->width - 1)), y = fmin(fmax(y, 0), (double)(a->height - 1));
                } else if (a->padding == 2) {
                    x = mirrored(x, (double)(a->width - 1)), y = mirrored(y, (double)(a->height - 1));
                }
                const int64_t c = (int64_t)floor(x), r = (int64_t)floor(y);
                const double s = x - (double)c, t = y - (double)r;
                double sum = (1 - t) * (1 - s) * pixel(a, plane, r, c);
                sum += s > 0 ? (1 - t) * s * pixel(a, plane, r, c + 1) : 0;
                sum += t > 0 ? t * (1 - s) * pixel(a, plane, r + 1, c) : 0;
                sum += s > 0 && t > 0 ? t * s * pixel(a, plane, r + 1, c + 1) : 0;
                put(a->y, at++, sum);
            }
}

/* Blur */

static int blur_build(void *args, int variant) {
    if (variant >= 3 * COUNT(IMAGES)) return 0;
    const int64_t *s = IMAGES[variant / 3], taps = s[2] > 2 && s[3] > 2 ? 2 * (variant % 3) + 1 : 1;
    *(cg_blur_args *)args =
        (cg_blur_args){output(volume(s)), numbers(volume(s), -1, 1), numbers(s[0] * taps, 0, 1), s[0], s[1], s[2], s[3], taps};
    return 1;
}
static int64_t bounced(int64_t k, int64_t n) { return k < 0 ? -k : k >= n ? 2 * (n - 1) - k : k; }
static void blur_twin(const void *args) {
    const cg_blur_args *a = args;
    const int64_t radius = a->taps / 2;
    for (int64_t at = 0; at < a->n * a->channels * a->height * a->width; at++) {
        const int64_t u = at % a->width, v = at / a->width % a->height, plane = at / a->width / a->height;
        double sum = 0;
        for (int64_t i = -radius; i <= radius; i++)
            for (int64_t j = -radius; j <= radius; j++)
                sum += get(a->weights, plane / a->channels * a->taps + i + radius) *
                       get(a->weights, plane / a->channels * a->taps + j + radius) *
                       get(a->x, (plane * a->height + bounced(v + i, a->height)) * a->width + bounced(u + j, a->width));
        put(a->y, at, sum);
    }
}

/* Color */

static int color_build(void *args, int variant) {
    if (variant >= 2 * COUNT(IMAGES)) return 0;
    const int64_t *s = IMAGES[variant / 2];
    void *factors = numbers(3 * s[0], 0, 2);
    for (int64_t i = 0; i < s[0]; i++) /* without contrast, without saturation, with both */
        if ((variant + i) % 3 < 2) put(factors, 3 * i + 1 + (variant + i) % 3, 1);
    *(cg_color_args *)args = (cg_color_args){output(volume(s)), numbers(volume(s), -0.5, 1.5), factors, s[0], s[1],
                                             s[2] * s[3], variant % 2 ? -INFINITY : 0, variant % 2 ? INFINITY : 1};
    return 1;
}
static double clamped(double v, double low, double high) { return v < low ? low : v > high ? high : v; }
static double grey_weight(int64_t k, int64_t channels) {
    const double rgb[] = {0.2989, 0.587, 0.114};
    return channels == 3 ? rgb[k] : 1 / (double)channels;
}
static void color_twin(const void *args) {
    const cg_color_args *a = args;
    for (int64_t i = 0; i < a->n; i++) {
        const double b = get(a->factors, 3 * i), c = get(a->factors, 3 * i + 1), s = get(a->factors, 3 * i + 2);
        const int64_t first = i * a->channels * a->pixels;
        double mean = 0;
        for (int64_t k = 0; k < a->channels; k++)
            for (int64_t j = 0; j < a->pixels; j++)
                mean += grey_weight(k, a->channels) * clamped(b * get(a->x, first + k * a->pixels + j), a->low, a->high) /
                        (double)a->pixels;
        for (int64_t j = 0; j < a->pixels; j++) {
            double grey = 0, v[7];
            for (int64_t k = 0; k < a->channels; k++) {
                v[k] = clamped(b * get(a->x, first + k * a->pixels + j), a->low, a->high);
                v[k] = clamped(c * v[k] + (1 - c) * mean, a->low, a->high);
                grey += grey_weight(k, a->channels) * v[k];
            }
            for (int64_t k = 0; k < a->channels; k++)
                put(a->y, first + k * a->pixels + j, clamped(s * v[k] + (1 - s) * grey, a->low, a->high));
        }
    }
}

/* Noise */

static int gaussian_noise_build(void *args, int variant) {
    if (variant >= COUNT(SIZES)) return 0;
    const int64_t n = variant % 3 + 1, size = SIZES[variant];
    *(cg_gaussian_noise_args *)args =
        (cg_gaussian_noise_args){output(n * size), numbers(n * size, 0, 1), numbers(n, 0, 2), n, size, 0.25,
                                 variant % 2 ? -INFINITY : 0, variant % 2 ? INFINITY : 1, 0x123456789abcdefu, 0xfffffff0u};
    return 1;
}
static void gaussian_noise_twin(const void *args) {
    const cg_gaussian_noise_args *a = args;
    const uint64_t draws = (uint64_t)((a->size + 31) / 32 * 8);
    for (int64_t at = 0; at < a->n * a->size; at++) {
        const int64_t i = at / a->size, j = at % a->size;
        uint32_t words[4];
        philox(a->seed, a->offset + (uint64_t)i * draws + (uint64_t)(j / 32 * 8 + j % 16 / 2), words);
        const double p = words[j % 2], q = words[2 + j % 2];
        /* the quarter turns of the kernel start at −π/4 */
        const double angle = 2 * acos(-1) * (q / 4294967296.0 - 0.125), length = sqrt(-2 * log((floor(p / 2) + 0.25) / 2147483648.0));
        const double z = length * (j % 32 < 16 ? cos(angle) : sin(angle));
        put(a->y, at, clamped(get(a->x, at) + a->mean + get(a->sigmas, i) * z, a->low, a->high));
    }
}

/* Boxes and mixtures */

static int64_t *boxes_in(const int64_t *s) {
    int64_t *boxes = integers(4 * s[0], 0, 1);
    for (int64_t i = 0; i < s[0]; i++) {
        boxes[4 * i] = (int64_t)uniform(0, (double)s[2]), boxes[4 * i + 1] = (int64_t)uniform(0, (double)s[3]);
        boxes[4 * i + 2] = (int64_t)uniform(0, (double)(s[2] - boxes[4 * i] + 1));
        boxes[4 * i + 3] = (int64_t)uniform(0, (double)(s[3] - boxes[4 * i + 1] + 1));
    }
    return boxes;
}
static int inside(const int64_t *box, int64_t v, int64_t u) {
    return v >= box[0] && v < box[0] + box[2] && u >= box[1] && u < box[1] + box[3];
}
static int erase_build(void *args, int variant) {
    if (variant >= COUNT(IMAGES)) return 0;
    const int64_t *s = IMAGES[variant];
    *(cg_erase_args *)args = (cg_erase_args){
        output(volume(s)), numbers(volume(s), -1, 1), numbers(s[1], 2, 3), boxes_in(s), s[0], s[1], s[2], s[3]};
    return 1;
}
static void erase_twin(const void *args) {
    const cg_erase_args *a = args;
    for (int64_t at = 0; at < a->n * a->channels * a->height * a->width; at++) {
        const int64_t u = at % a->width, v = at / a->width % a->height, plane = at / a->width / a->height;
        const int in = inside(a->boxes + plane / a->channels * 4, v, u);
        put(a->y, at, in ? get(a->values, plane % a->channels) : get(a->x, at));
    }
}
static int paste_build(void *args, int variant) {
    if (variant >= COUNT(IMAGES)) return 0;
    const int64_t *s = IMAGES[variant];
    *(cg_paste_args *)args = (cg_paste_args){output(volume(s)), numbers(volume(s), -1, 1), numbers(volume(s), 2, 3),
                                             integers(s[0], 0, s[0]), boxes_in(s), s[0], s[1], s[2], s[3]};
    return 1;
}
static void paste_twin(const void *args) {
    const cg_paste_args *a = args;
    const int64_t size = a->channels * a->height * a->width;
    for (int64_t at = 0; at < a->n * size; at++) {
        const int64_t u = at % a->width, v = at / a->width % a->height, i = at / size;
        put(a->y, at, inside(a->boxes + 4 * i, v, u) ? get(a->other, a->index[i] * size + at % size) : get(a->x, at));
    }
}
static int mix_build(void *args, int variant) {
    if (variant >= COUNT(SIZES)) return 0;
    const int64_t n = variant % 4 + 1, size = SIZES[variant];
    *(cg_mix_args *)args =
        (cg_mix_args){output(n * size), numbers(n * size, -1, 1), numbers(n, 0, 1), integers(n, 0, n), n, size};
    return 1;
}
static void mix_twin(const void *args) {
    const cg_mix_args *a = args;
    for (int64_t at = 0; at < a->n * a->size; at++) {
        const int64_t i = at / a->size;
        const double w = get(a->weights, i);
        put(a->y, at, w * get(a->x, at) + (1 - w) * get(a->x, a->index[i] * a->size + at % a->size));
    }
}

#define TEST(name, tolerance) {CG_##name, name##_build, name##_twin, tolerance}
static const test tests[] = {TEST(warp, 2000), TEST(blur, 16), TEST(color, 16), TEST(gaussian_noise, 32),
                             TEST(erase, 0), TEST(paste, 0), TEST(mix, 4)};
TESTS(image_tests, tests);
