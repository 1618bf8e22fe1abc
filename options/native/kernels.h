/* What the three builds of the kernel offer to the binding: tables of functions over contiguous blocks.
 * A block function sees n elements, n a multiple of SL_PAD, and never reads an address outside its inputs. */
#ifndef STRIKELOCK_KERNELS_H
#define STRIKELOCK_KERNELS_H

#include <stddef.h>

#define SL_PAD 8        /* the widest vector, in doubles */
#define SL_MAX_INPUTS 9
#define SL_MAX_OUTPUTS 12

typedef void (*sl_block)(size_t n, const double *const *in, double *const *out);

enum sl_model { SL_SPOT, SL_FORWARD, SL_INVERSE, SL_MODELS };

/* Order of a Greek block's outputs; the block for both kinds has the call's and the put's price first. */
enum sl_greek {
    SL_PRICE, SL_DELTA, SL_GAMMA, SL_VEGA, SL_THETA, SL_RHO, SL_VANNA, SL_VOLGA, SL_CHARM, SL_GREEKS
};

struct sl_kernels {
    const char *name;
    int width;
    /* in: spot, strike, years, vol, rate, dividend and, where the kind varies, the sign (+1 call, -1 put) */
    sl_block price[SL_MODELS];
    sl_block call_put[SL_MODELS];
    sl_block greeks[SL_MODELS];
    sl_block call_put_greeks[SL_MODELS];
    sl_block implied_vol; /* in: price, forward, strike, years, rate, sign; out: vol */
};

extern const struct sl_kernels sl_kernels_baseline;
#if defined(__x86_64__)
extern const struct sl_kernels sl_kernels_avx2;
extern const struct sl_kernels sl_kernels_avx512;
#endif

/* The best table this processor runs, or the named one; NULL if it is unknown or the processor lacks it. */
const struct sl_kernels *sl_choose_kernels(const char *name);

/* Everything of one European option at the edges of the model: the limits at zero time, volatility, price or
 * strike, and inputs so small or so large that the vector code's intermediate values would leave the range.
 * sign is +1 or -1; out takes SL_GREEKS values, all NaN when the input is outside the model. */
void sl_european_edge(enum sl_model model, double sign, double s, double k, double t, double vol, double r,
                      double q, double *out);

#endif
