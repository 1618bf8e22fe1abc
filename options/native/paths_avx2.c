/* The path kernel for AVX2 with FMA: four lanes. Empty on other architectures. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma,bmi2")
#define SL_ISA 256
#define SL_NAME "avx2"
#define SL_TABLE sl_paths_avx2
#include "paths_build.h"
#else
typedef int sl_not_here;
#endif
