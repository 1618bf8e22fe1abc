/* The body of one build of the kernel: included by kernel_<isa>.c after it has set SL_ISA and its target. */
#include "european.h"
#include "implied.h"

const struct sl_kernels SL_TABLE = {
    .name = SL_NAME,
    .width = SL_W,
    .price = SL_EUROPEAN_TABLE(price),
    .call_put = SL_EUROPEAN_TABLE(call_put),
    .greeks = SL_EUROPEAN_TABLE(greeks),
    .call_put_greeks = SL_EUROPEAN_TABLE(call_put_greeks),
    .implied_vol = implied_block,
};
