/* The names that kernels are written in, for float32 or float64:
 *   real            float or double
 *   bits, ubits     the signed and the unsigned integer of its width
 *   NAME(f)         f_f32 or f_f64
 *   KERNEL_BODY(f)  begins the definition of kernel f: its block is `a`, its share `share`
 *   vec, LANES      a SIMD register of reals (the level's width), unaligned loads allowed */
#if CG_REAL_BITS == 32
#define real float
#define bits int32_t
#define ubits uint32_t
#define NAME(name) name##_f32
#define REAL_MAX FLT_MAX
#define REAL_MIN FLT_MIN
#define REAL_EPS FLT_EPSILON
#else
#define real double
#define bits int64_t
#define ubits uint64_t
#define NAME(name) name##_f64
#define REAL_MAX DBL_MAX
#define REAL_MIN DBL_MIN
#define REAL_EPS DBL_EPSILON
#endif

#define LANES ((int64_t)(CG_VECTOR_BYTES / sizeof(real)))

typedef real NAME(vec) __attribute__((vector_size(CG_VECTOR_BYTES), aligned(CG_REAL_BITS / 8), may_alias));
typedef bits NAME(ivec) __attribute__((vector_size(CG_VECTOR_BYTES), aligned(CG_REAL_BITS / 8), may_alias));
#define vec NAME(vec)
#define ivec NAME(ivec)

#define KERNEL_BODY(name)                                                                       \
    static void NAME(name##_body)(const cg_##name##_args *a, cg_share share);                   \
    static __attribute__((unused)) void NAME(name##_kernel)(const void *args, cg_share share) { \
        NAME(name##_body)(args, share);                                                         \
    }                                                                                           \
    static void NAME(name##_body)(const cg_##name##_args *a, cg_share share)
