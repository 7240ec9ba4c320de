/* All kernels for one CPU level: each family once for float32, once for float64.
 * Included by isa/<level>.c, which names the level and is compiled with its flags. */
#include "kernel.h"
#include "philox.h"
#include "angle.h"

#define CG_REAL_BITS 32
#include "families.h"
#undef CG_REAL_BITS

#define CG_REAL_BITS 64
#include "families.h"
#undef CG_REAL_BITS

#define CG_TABLE_(level) cg_table_##level
#define CG_TABLE(level) CG_TABLE_(level)
#define CG_STRING_(level) #level
#define CG_STRING(level) CG_STRING_(level)

/* The kernels of the column `wide` of kernels.def; the compiler drops the others. */
#define CG_F32_F64(name) {name##_kernel_f32, name##_kernel_f64}
#ifdef CG_WIDE
#define CG_F32(name) {name##_kernel_f32, 0}
#define CG_NONE(name) {0, 0}
#else
#define CG_F32(name) CG_F32_F64(name)
#define CG_NONE(name) CG_F32_F64(name)
#endif

const cg_table CG_TABLE(CG_LEVEL) = {
    CG_STRING(CG_LEVEL),
    {
#define KERNEL(name, walk, wide, cost, fields) CG_##wide(name),
#include "../kernels.def"
#undef KERNEL
    },
};
