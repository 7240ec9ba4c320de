#define CG_LEVEL x86_v4
#include "../kernels/all.h"
