/* The path kernel for any processor: two lanes. */
#define SL_ISA 0
#define SL_NAME "baseline"
#define SL_TABLE sl_paths_baseline
#include "paths_build.h"
