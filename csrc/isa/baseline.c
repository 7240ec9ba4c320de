#define CG_LEVEL baseline
#include "../kernels/all.h"
