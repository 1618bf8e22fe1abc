/* Grids of the American solver: Chebyshev nodes in sqrt(time), Gauss-Legendre points, and the matrices that
 * carry values from the one to the other. They depend on no option and are computed once. */
#ifndef STRIKELOCK_SCHEME_H
#define STRIKELOCK_SCHEME_H

#define SL_MAX_NODES 64

/* Node i is z_i = sqrt(T) share[i], i = 0 (the whole life) to nodes - 1; the boundary at z = 0 is known. */
struct sl_scheme {
    int gathered; /* nodes are Chebyshev's in sqrt(z): where h^2 has a logarithm in z, this tames it */
    int nodes;  /* unknown boundary values: a multiple of 8 */
    int points; /* quadrature points for each node: a multiple of 8 */
    int price_points;
    int steps; /* at most this many fixed-point steps */
    int depth; /* Anderson acceleration over this many differences */
    double tolerance;
    double *share; /* [nodes] */
    /* time split at angle psi: sqrt(T - u) = sqrt(T) sin psi, sqrt(u) = sqrt(T) cos psi */
    double *sine, *cosine, *weight;                   /* [points], weight of d psi */
    double *matrix;                                   /* [nodes][nodes * points]: node j's part at point (i, k) */
    double *price_sine, *price_cosine, *price_weight; /* [price_points] */
    double *price_matrix;                             /* [nodes][price_points] */
};

enum sl_precision { SL_FAST, SL_HIGH, SL_MIDDLE, SL_PRECISIONS }; /* SL_MIDDLE: for harder terms in a fast run */
enum sl_layout_of_nodes { SL_EVEN, SL_GATHERED, SL_DOUBLE, SL_LAYOUTS }; /* SL_DOUBLE: for two boundaries */

extern struct sl_scheme sl_schemes[SL_PRECISIONS][SL_LAYOUTS];
/* Builds the schemes at their first use; 0 if memory is out. Call it under a lock. */
int sl_build_schemes(void);

#endif
