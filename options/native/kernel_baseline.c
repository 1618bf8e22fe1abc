/* The kernel for any processor the compiler targets by default (SSE2 on x86-64): two lanes. */
#define SL_ISA 0
#define SL_NAME "baseline"
#define SL_TABLE sl_kernels_baseline
#include "kernel_build.h"
