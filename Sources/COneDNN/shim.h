#pragma once
#include <oneapi/dnnl/dnnl.h>

// oneDNN's mark for a factor that is given with each run: a macro on an unnamed union, which Swift does not see.
static inline float dnnl_runtime_factor(void) { return DNNL_RUNTIME_F32_VAL; }
