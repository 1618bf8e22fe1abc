/* The path kernel for AVX-512: eight lanes. Empty on other architectures. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,bmi2")
#define SL_ISA 512
#define SL_NAME "avx512"
#define SL_TABLE sl_paths_avx512
#include "paths_build.h"
#else
typedef int sl_not_here;
#endif
