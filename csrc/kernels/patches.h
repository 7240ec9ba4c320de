/* The patches of images that a convolution multiplies by its kernel. Row k = (channel, y, x) of the matrix of patches has a
 * column for each position of the kernel: the pixel under its element (y, x) there. The matrix is never made. A block of
 * images is copied to working memory, padded, once for each x: then each row is contiguous, and rows that differ in y are
 * parts of one copy, so that a table of offsets finds all. Where rows of positions fill whole vectors, or there is one
 * row, those that differ in x are parts of one copy too. */

#ifndef CYGRAD_PATCHES_H
#define CYGRAD_PATCHES_H

/* One axis of a convolution. For position j, its tap i, which is element tap + i·tap_step of the kernel, reads element
 * start + i·start_step + j·step of the source, or 0 outside of it; the sum is element target + j·target_step of the result. */
typedef struct {
    int64_t taps, tap, tap_step, start, start_step, step, size, count, target, target_step;
} cg_taps;

/* The numbers of an axis: elements of the image, of the kernel, and of the convolution's result. */
typedef struct { int64_t size, kernel, out, stride, padding, dilation; } cg_span_of_axis;

/* The axis of a convolution. */
static inline cg_taps cg_forward_axis(cg_span_of_axis s) {
    return (cg_taps){s.kernel, 0, 1, -s.padding, s.dilation, s.stride, s.size, s.out, 0, 1};
}

static inline int64_t cg_distance(int64_t x) { return x < 0 ? -x : x; }

static inline int64_t cg_common_divisor(int64_t a, int64_t b) {
    while (b) {
        const int64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

/* The axis of a transposed convolution, of the pixels phase, phase + stride, …: only each (stride/gcd)-th tap, at most, meets
 * them, at positions one after the other. */
static inline cg_taps cg_transposed_axis(cg_span_of_axis s, int64_t phase) {
    const int64_t divisor = cg_common_divisor(s.stride, s.dilation), tap_step = s.stride / divisor;
    int64_t first = 0;
    while (first < cg_min(tap_step, s.kernel) && (phase + s.padding - first * s.dilation) % s.stride) first++;
    const int64_t taps = first < cg_min(tap_step, s.kernel) ? (s.kernel - 1 - first) / tap_step + 1 : 0;
    return (cg_taps){taps, first, tap_step, (phase + s.padding - first * s.dilation) / s.stride, -(s.dilation / divisor), 1,
                     s.out, cg_ceil_div(s.size - phase, s.stride), phase, s.stride};
}

/* a/b for a ≥ 0, mostly with b = 1: small images need many, and a division takes longer than a vector. */
static inline int64_t cg_quotient(int64_t a, int64_t b) { return b == 1 ? a : a / b; }

/* Taps first … first + taps of an axis, or fewer. */
static inline cg_taps cg_some_taps(cg_taps a, int64_t first, int64_t taps) {
    a.taps = cg_min(taps, a.taps - first);
    a.tap += first * a.tap_step, a.start += first * a.start_step;
    return a;
}

/* The first element that taps first, first + every, … read, for position 0. */
static inline int64_t cg_lowest(cg_taps a, int64_t first, int64_t every) {
    if (a.start_step < 0) first += cg_quotient(a.taps - 1 - first, every) * every;
    return a.start + first * a.start_step;
}

/* How a block of patches lies in working memory: `rows` × `cols` positions of `images` images. Rows of images that are read
 * by taps `classes` apart are shared by them. */
typedef struct {
    int64_t rows, cols, images;
    int64_t classes, height, copies, width; /* rows of a class; copies for x, and elements of their rows */
    int64_t image, copy, channel;           /* elements from one to the next */
} cg_patches;

/* Vectors have `lanes` elements, a line of the cache `line`. Channels are an odd number of lines apart, so that they do not
 * evict each other. */
static inline cg_patches cg_lay_out(cg_taps y, cg_taps x, int64_t rows, int64_t cols, int64_t images, int64_t lanes, int64_t line) {
    cg_patches p = {.rows = rows, .cols = cols, .images = images};
    const int64_t y_step = cg_distance(y.start_step);
    const int64_t period = cg_min(y.step / cg_common_divisor(y.step, y_step), cg_max(1, y.taps));
    const int64_t shared = rows + (cg_max(1, y.taps) - 1) / period * (y_step * period / y.step);
    const int share = period * shared <= cg_max(1, y.taps) * rows;
    p.classes = share ? period : y.taps, p.height = share ? shared : rows;
    const int64_t wide = cols + (x.taps - 1) * cg_distance(x.start_step);
    const int share_x = (rows == 1 || cols % lanes == 0) && x.step == 1 && wide <= x.taps * cols;
    p.copies = share_x ? 1 : x.taps, p.width = share_x ? wide : cols;
    p.image = p.classes * p.height * p.width;
    p.copy = p.image * images;
    p.channel = (cg_ceil_div(p.copies * p.copy, line) + 2) | 1;
    p.channel *= line;
    return p;
}

/* Where row (y, x) of the patches of the first channel begins. */
static inline int64_t cg_patch_offset(const cg_patches *p, cg_taps y, cg_taps x, int64_t i, int64_t j) {
    const int64_t first = i % p->classes;
    const int64_t row = first * p->height + (y.start + i * y.start_step - cg_lowest(y, first, p->classes)) / y.step;
    const int64_t col = p->copies == x.taps ? j * p->copy : x.start + j * x.start_step - cg_lowest(x, 0, 1);
    return row * p->width + col;
}

#endif

/* to[i] = from[i·step] for i < count. May write up to LANES − 1 elements more; reads no element beyond from[room − 1]. */
INLINE void NAME(copy_pixels)(real *to, const real *from, int64_t count, int64_t step, int64_t room) {
    int64_t i = 0;
    if (step == 1) {
        for (; i < count; i += LANES)
            STORE(to + i, i + LANES <= room ? LOAD(from + i) : NAME(load_part)(from + i, cg_min(LANES, count - i), 0));
        return;
    }
    if (step == 2)
        for (; i < count && 2 * (i + LANES) <= room; i += LANES)
            STORE(to + i, EVEN(LOAD(from + 2 * i), LOAD(from + 2 * i + LANES)));
    for (; i < count; i++) to[i] = from[i * step];
}

/* Zeros; may write up to LANES − 1 elements more. */
INLINE void NAME(clear_pixels)(real *to, int64_t count) {
    if (count <= 0) return;
    STORE(to, (vec){0}); /* mostly all: a loop alone would become a call of memset */
    for (int64_t i = LANES; i < count; i += LANES) STORE(to + i, (vec){0});
}

/* `rows` rows of a plane whose rows are as long as those of the patches: one run of pixels, of which the ends of rows, that
 * are outside of the image, are cleared. */
static void NAME(shift_plane)(real *to, const real *from, const real *end, int64_t rows, int64_t width, int64_t low, int64_t high) {
    NAME(copy_pixels)(to + low, from, rows * width - low - (width - high), 1, end - from);
    for (int64_t r = 0; r < rows; r++, to += width) {
        for (int64_t i = 0; i < low; i += LANES) NAME(store_part)(to + i, (vec){0}, cg_min(LANES, low - i));
        for (int64_t i = high; i < width; i += LANES) NAME(store_part)(to + i, (vec){0}, cg_min(LANES, width - i));
    }
}

/* One copy of a plane of an image: rows of one class, of which row `first` of the image is the first. Columns low … high are
 * inside of the image, from `from` on. */
static void NAME(copy_plane)(real *to, const real *from, const real *end, const cg_patches *p, cg_taps y, int64_t first,
                             cg_taps x, int64_t low, int64_t high) {
    int64_t begin = first < 0 ? cg_min(p->height, cg_quotient(-first - 1, y.step) + 1) : 0;
    int64_t stop = first < y.size ? cg_min(p->height, cg_quotient(y.size - 1 - first, y.step) + 1) : 0;
    if (begin >= stop || low >= high) begin = stop = p->height;
    NAME(clear_pixels)(to, begin * p->width);
    to += begin * p->width, from += (first + begin * y.step) * x.size;
    if (begin < stop && p->width == x.size && x.step == 1 && y.step == 1) {
        NAME(shift_plane)(to, from, end, stop - begin, p->width, low, high);
        to += (stop - begin) * p->width;
    } else
        for (int64_t r = begin; r < stop; r++, to += p->width, from += y.step * x.size) {
            NAME(clear_pixels)(to, low);
            NAME(copy_pixels)(to + low, from, high - low, x.step, end - from);
            NAME(clear_pixels)(to + high, p->width - high);
        }
    NAME(clear_pixels)(to, (p->height - stop) * p->width);
}

/* Copy the patches of `channels` channels of `images` images, from position (v, u) on. The source, which ends before `end`,
 * has channels of y.size × x.size and images `image` elements apart. */
static void NAME(copy_patches)(real *to, const real *from, const real *end, int64_t image, int64_t channels, const cg_patches *p,
                               cg_taps y, cg_taps x, int64_t v, int64_t u) {
    for (int64_t c = 0; c < channels; c++, from += y.size * x.size)
        for (int64_t t = 0; t < p->copies; t++) {
            const int64_t first = u * x.step + (p->copies == x.taps ? x.start + t * x.start_step : cg_lowest(x, 0, 1));
            const int64_t low = first < 0 ? cg_min(p->width, cg_quotient(-first - 1, x.step) + 1) : 0;
            const int64_t high = first < x.size ? cg_min(p->width, cg_quotient(x.size - 1 - first, x.step) + 1) : 0;
            real *copy = to + c * p->channel + t * p->copy;
            for (int64_t n = 0; n < p->images; n++)
                for (int64_t q = 0; q < p->classes; q++)
                    NAME(copy_plane)(copy + n * p->image + q * p->height * p->width,
                                     from + n * image + first + low * x.step, end, p, y,
                                     v * y.step + cg_lowest(y, q, p->classes), x, low, high);
        }
}
