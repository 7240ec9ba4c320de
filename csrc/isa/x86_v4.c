#define CG_LEVEL x86_v4
#define CG_WIDE /* has only the kernels that gain from wide vectors */
#include "../kernels/all.h"
