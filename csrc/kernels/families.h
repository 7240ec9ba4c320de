/* Every family once, for the precision that CG_REAL_BITS chooses. No include guard:
 * all.h includes this file twice. */
#include "real.h"

#include "simd.h"
#include "vector.h"
#include "activation.h"
#include "elementwise.h"
#include "reduce.h"
#include "gemm.h"
#include "softmax.h"
#include "loss.h"
#include "batch_norm.h"
#include "layer_norm.h"
#include "dropout.h"
#include "embedding.h"
#include "grad_norm.h"
#include "optim.h"
#include "warp.h"
#include "augment.h"
#include "tokens.h"

#include "real_end.h"
