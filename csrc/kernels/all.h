/* All kernels for one CPU level: each family once for float32, once for float64.
 * Included by isa/<level>.c, which names the level and is compiled with its flags. */
#include "kernel.h"
#include "philox.h"

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

const cg_table CG_TABLE(CG_LEVEL) = {
    CG_STRING(CG_LEVEL),
    {
#define KERNEL(name, walk, cost, fields) {name##_kernel_f32, name##_kernel_f64},
#include "../kernels.def"
#undef KERNEL
    },
};
