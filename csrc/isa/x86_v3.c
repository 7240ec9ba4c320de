#define CG_LEVEL x86_v3
#include "../kernels/all.h"
