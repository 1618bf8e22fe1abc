/* American options whose value needs no boundary: nothing is uncertain, or one side is worth nothing. Values too large
 * or too small for the solver come here as well, and are brought into its range by a common factor where they can. */
#include "kernels.h"

#include <math.h>

static double discounted(double sign, double s, double k, double r, double q, double t) {
    return sign * ((s > 0.0 ? s * exp(-q * t) : 0.0) - (k > 0.0 ? k * exp(-r * t) : 0.0));
}

void sl_american_edge(double sign, double s, double k, double t, double vol, double r, double q, double *out) {
    double best, at = 0.0, ratio, turn, growth;
    for (int i = 0; i < SL_GREEKS; i++) out[i] = NAN;
    if (!(isfinite(s) && isfinite(k) && isfinite(t) && isfinite(vol) && isfinite(r) && isfinite(q) && s >= 0.0 &&
          k >= 0.0 && t >= 0.0 && vol >= 0.0 && fabs(sign) == 1.0))
        return;
    if (s > 0.0 && k > 0.0 && vol > 0.0 && t > 0.0) return; /* beyond the solver's range */
    /* the best time to exercise, known now; at expiry if there is none before and waiting does not lose */
    best = discounted(sign, s, k, r, q, 0.0);
    growth = sign * (r * k - q * s); /* how the payoff grows from now on */
    if (discounted(sign, s, k, r, q, t) > best || (t == 0.0 && growth > 0.0)) {
        at = t;
        best = discounted(sign, s, k, r, q, t);
    }
    ratio = r * k / (q * s);
    if (ratio > 0.0 && isfinite(ratio) && r != q) {
        turn = log(ratio) / (r - q);
        if (turn > 0.0 && turn < t && discounted(sign, s, k, r, q, turn) > best) {
            at = turn;
            best = discounted(sign, s, k, r, q, turn);
        }
    }
    if (!isfinite(best)) return;
    out[SL_PRICE] = fmax(best, 0.0);
    if (best == 0.0 && s > 0.0 && k > 0.0) return; /* the kink: no Greeks */
    for (int i = 1; i < SL_GREEKS; i++) out[i] = 0.0;
    if (best <= 0.0) return;
    out[SL_DELTA] = sign * exp(-q * at);
    out[SL_RHO] = sign * at * k * exp(-r * at);
    if (at == t && growth != 0.0 && sign * (r * k * exp(-r * t) - q * s * exp(-q * t)) > 0.0) {
        out[SL_THETA] = -sign * (r * k * exp(-r * t) - q * s * exp(-q * t));
        out[SL_CHARM] = q * out[SL_DELTA];
    } else if (at > 0.0 && at < t) {
        out[SL_GAMMA] = sign * q * exp(-q * at) / (s * (r - q));
    }
}
