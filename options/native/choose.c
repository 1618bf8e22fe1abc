/* Picks a build of the kernel for this processor. */
#include "kernels.h"

#include <string.h>

#if defined(__x86_64__)
static int has_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
static int has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
#endif

const struct sl_kernels *sl_choose_kernels(const char *name) {
    int any = strcmp(name, "auto") == 0;
#if defined(__x86_64__)
    if ((any || strcmp(name, "avx512") == 0) && has_avx512()) return &sl_kernels_avx512;
    if ((any || strcmp(name, "avx2") == 0) && has_avx2()) return &sl_kernels_avx2;
#endif
    if (any || strcmp(name, "baseline") == 0) return &sl_kernels_baseline;
    return NULL;
}
