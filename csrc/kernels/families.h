/* Every family once, for the precision that CG_REAL_BITS chooses. No include guard:
 * all.h includes this file twice. */
#include "real.h"

#include "activation.h"

#include "real_end.h"
