#pragma once
#include <oneapi/dnnl/dnnl.h>

// The entry points of the OpenMP runtime that oneDNN itself runs on: our own parallel loops share
// its threads instead of fighting them with a second pool.
void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
int omp_get_num_procs(void);
void omp_set_num_threads(int count);

// oneDNN's mark for a factor that is given with each run: a macro on an unnamed union, which Swift does not see.
static inline float dnnl_runtime_factor(void) { return DNNL_RUNTIME_F32_VAL; }
