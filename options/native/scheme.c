#include "scheme.h"

#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846

/* Gauss-Legendre on (0, pi/2): points by Newton's method on the Legendre polynomial. */
static void quadrature(int n, double *sine, double *cosine, double *weight) {
    for (int i = 0; i < n; i++) {
        double y = cos(PI * (i + 0.75) / (n + 0.5)), slope = 1.0;
        for (int step = 0; step < 100; step++) {
            double before = 1.0, now = y;
            for (int k = 2; k <= n; k++) {
                double next = ((2 * k - 1) * y * now - (k - 1) * before) / k;
                before = now;
                now = next;
            }
            slope = n * (y * now - before) / (y * y - 1.0);
            double move = now / slope;
            y -= move;
            if (fabs(move) < 1e-16) break;
        }
        double angle = (y + 1.0) * PI / 4.0;
        sine[i] = sin(angle);
        cosine[i] = cos(angle);
        weight[i] = PI / 4.0 * 2.0 / ((1.0 - y * y) * slope * slope);
    }
}

/* Row of Chebyshev-Lobatto interpolation at z = share of the whole, by the barycentric formula. The value at the
 * last node, z = 0, is nought and left out. column[j * stride] takes node j's coefficient. */
static void interpolate(int nodes, int gathered, double z, double *column, long stride) {
    double x = 2.0 * (gathered ? sqrt(z) : z) - 1.0, total = 0.0;
    for (int j = 0; j <= nodes; j++) {
        double w = (j & 1 ? -1.0 : 1.0) * (j == 0 || j == nodes ? 0.5 : 1.0);
        double distance = x - cos(PI * j / nodes);
        if (distance == 0.0) {
            for (int k = 0; k < nodes; k++) column[k * stride] = k == j ? 1.0 : 0.0;
            return;
        }
        total += w / distance;
        if (j < nodes) column[j * stride] = w / distance;
    }
    for (int j = 0; j < nodes; j++) column[j * stride] /= total;
}

static int build(struct sl_scheme *s) {
    long points = (long)s->nodes * s->points;
    double *memory = malloc(sizeof(double) * (size_t)(s->nodes + 3 * s->points + s->nodes * points +
                                                      3 * s->price_points + s->nodes * s->price_points));
    if (!memory) return 0;
    s->share = memory;
    s->sine = s->share + s->nodes;
    s->cosine = s->sine + s->points;
    s->weight = s->cosine + s->points;
    s->price_sine = s->weight + s->points;
    s->price_cosine = s->price_sine + s->price_points;
    s->price_weight = s->price_cosine + s->price_points;
    s->price_matrix = s->price_weight + s->price_points;
    s->matrix = s->price_matrix + s->nodes * s->price_points;
    quadrature(s->points, s->sine, s->cosine, s->weight);
    quadrature(s->price_points, s->price_sine, s->price_cosine, s->price_weight);
    for (int i = 0; i < s->nodes; i++) {
        double half = 0.5 * (1.0 + cos(PI * i / s->nodes));
        s->share[i] = s->gathered ? half * half : half;
        for (int k = 0; k < s->points; k++)
            interpolate(s->nodes, s->gathered, s->share[i] * s->cosine[k], s->matrix + i * s->points + k, points);
    }
    for (int k = 0; k < s->price_points; k++)
        interpolate(s->nodes, s->gathered, s->price_cosine[k], s->price_matrix + k, s->price_points);
    return 1;
}

#define FAST .steps = 30, .depth = 2, .tolerance = 1e-5
#define MIDDLE .nodes = 16, .points = 24, .price_points = 96, .steps = 40, .depth = 3, .tolerance = 1e-8
#define HIGH .nodes = 32, .points = 48, .price_points = 128, .steps = 60, .depth = 3, .tolerance = 1e-13

struct sl_scheme sl_schemes[SL_PRECISIONS][SL_LAYOUTS] = {
    [SL_FAST][SL_EVEN] = {.nodes = 8, .points = 8, .price_points = 32, FAST},
    [SL_FAST][SL_GATHERED] = {.gathered = 1, .nodes = 8, .points = 8, .price_points = 32, FAST},
    [SL_FAST][SL_DOUBLE] = {.nodes = 16, .points = 16, .price_points = 64, .steps = 60, .depth = 3, .tolerance = 1e-10},
    [SL_MIDDLE][SL_EVEN] = {MIDDLE},
    [SL_MIDDLE][SL_GATHERED] = {.gathered = 1, MIDDLE},
    [SL_MIDDLE][SL_DOUBLE] = {MIDDLE},
    [SL_HIGH][SL_EVEN] = {.nodes = 64, .points = 48, .price_points = 128, .steps = 60, .depth = 3, .tolerance = 1e-13},
    [SL_HIGH][SL_GATHERED] = {.gathered = 1, HIGH},
    [SL_HIGH][SL_DOUBLE] = {HIGH},
};

int sl_build_schemes(void) {
    static int built;
    for (int i = 0; !built && i < SL_PRECISIONS * SL_LAYOUTS; i++)
        if (!build(&sl_schemes[i / SL_LAYOUTS][i % SL_LAYOUTS])) return 0;
    return built = 1;
}
