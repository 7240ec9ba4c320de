#include "layout.h"

#include <stddef.h>

#define FIELD(type, name, traits) {#name, traits, offsetof(block, name)},
#define KERNEL(name, walk, wide, cost, fields_)                                                         \
    case CG_##name: {                                                                                   \
        typedef cg_##name##_args block;                                                                 \
        static const cg_field fields[] = {fields_};                                                     \
        static const cg_layout layout = {sizeof(block), sizeof fields / sizeof *fields, fields, #walk}; \
        return &layout;                                                                                 \
    }

const cg_layout *cg_layout_of(int kernel) {
    switch (kernel) {
#include "kernels.def"
    }
    return 0;
}

#undef KERNEL
#undef FIELD

/* Σ u[i]·v[i] */
static double cg_dot(const int64_t *u, const int64_t *v, int64_t n) {
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += (double)u[i] * (double)v[i];
    return total;
}

/* Σ u[i] */
static double cg_total(const int64_t *u, int64_t n) {
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += (double)u[i];
    return total;
}

/* A convolution of n images of one group. */
static double cg_conv_cost(int dtype, int64_t n, int64_t channels, int64_t filters, int64_t taps, int64_t pixels) {
    const double products = (double)channels * (double)filters * (double)taps + (double)channels + (double)filters;
    return (dtype == CG_FLOAT32 ? 0.015 : 0.03) * (double)n * (double)pixels * products;
}

#define KERNEL(name, walk, wide, cost, fields) \
    case CG_##name: {                          \
        const cg_##name##_args *a = args;      \
        (void)a;                               \
        return cost;                           \
    }

double cg_cost(int kernel, int dtype, const void *args) {
    switch (kernel) {
#include "kernels.def"
    }
    return 0;
}
