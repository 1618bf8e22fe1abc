# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The binding of the path kernel (options/native/paths.h). Its twin is options/montecarlo/twin.py."""

import numpy as np

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t

from options.errors import KernelUnavailableError


cdef extern from "native/paths.h" nogil:
    enum:
        SL_PATH_BLOCK
        SL_SUMS
        SL_SUMMARIES

    struct sl_walk:
        uint64_t seed
        uint32_t stream
        uint32_t steps
        double drift
        double scale

    struct sl_asian:
        sl_walk walk
        double sign
        double spot
        double strike

    struct sl_path_kernels:
        pass

    void sl_philox(uint32_t *c, const uint32_t *k)
    const sl_path_kernels *sl_paths_build(const char *name)
    const char *sl_paths_name(const sl_path_kernels *build)
    void sl_asian_sums(const sl_path_kernels *build, const sl_asian *asian, uint64_t first, size_t paths, int threads,
                       double *out)
    void sl_summaries(const sl_path_kernels *build, const sl_walk *walk, uint64_t first, size_t paths, int threads,
                      double *out)
    void sl_trails(const sl_path_kernels *build, const sl_walk *walk, uint64_t first, size_t paths, int threads,
                   double *out)
    void sl_normal(const sl_path_kernels *build, size_t n, const double *x, double *out)
    void sl_tilted_normal(const sl_path_kernels *build, size_t n, const double *weight, const double *tail,
                          const double *x, double *out)


def kernel_names():
    """Kernels this processor runs, best first."""
    return tuple(n for n in ("avx512", "avx2", "baseline") if sl_paths_build(n.encode()) != NULL)


cdef const sl_path_kernels *find(str kernel) except NULL:
    cdef const sl_path_kernels *build = sl_paths_build(kernel.encode())
    if build == NULL:
        raise KernelUnavailableError(kernel, (*kernel_names(), "python"))
    return build


cdef size_t padded(size_t paths) noexcept:
    return (paths + 7) // 8 * 8


def kernel_name(str kernel not None):
    """The build that a name ("auto" too) stands for here."""
    return sl_paths_name(find(kernel)).decode()


def philox(counter, key):
    """Philox4x32-10 of four words under a key of two."""
    cdef uint32_t[4] c = [counter[0], counter[1], counter[2], counter[3]]
    cdef uint32_t[2] k = [key[0], key[1]]
    sl_philox(c, k)
    return c[0], c[1], c[2], c[3]


def asian_sums(str kernel not None, uint64_t seed, uint32_t stream, uint32_t steps, double drift, double scale,
               double sign, double spot, double strike, uint64_t first, size_t paths, int threads):
    """Sums per block of paths, shape (blocks, 5): d, d^2, d y, y, y^2."""
    cdef const sl_path_kernels *build = find(kernel)
    cdef sl_asian asian
    asian.walk = sl_walk(seed, stream, steps, drift, scale)
    asian.sign, asian.spot, asian.strike = sign, spot, strike
    result = np.empty(((paths + SL_PATH_BLOCK - 1) // SL_PATH_BLOCK, SL_SUMS))
    if not paths:
        return result
    cdef double[:, ::1] out = result
    with nogil:
        sl_asian_sums(build, &asian, first, paths, threads, &out[0, 0])
    return result


def summaries(str kernel not None, uint64_t seed, uint32_t stream, uint32_t steps, double drift, double scale,
              uint64_t first, size_t paths, int threads):
    """Per path, shape (5, paths): last logarithm, its mean, least and greatest, mean price over spot."""
    cdef const sl_path_kernels *build = find(kernel)
    cdef sl_walk walk = sl_walk(seed, stream, steps, drift, scale)
    result = np.empty((SL_SUMMARIES, padded(paths)))
    if not paths:
        return result
    cdef double[:, ::1] out = result
    with nogil:
        sl_summaries(build, &walk, first, paths, threads, &out[0, 0])
    return result[:, :paths]


def trails(str kernel not None, uint64_t seed, uint32_t stream, uint32_t steps, double drift, double scale,
           uint64_t first, size_t paths, int threads):
    """The logarithm of price over spot after each step, shape (steps, paths)."""
    cdef const sl_path_kernels *build = find(kernel)
    cdef sl_walk walk = sl_walk(seed, stream, steps, drift, scale)
    result = np.empty((steps, padded(paths)))
    if not paths or not steps:
        return result[:, :paths]
    cdef double[:, ::1] out = result
    with nogil:
        sl_trails(build, &walk, first, paths, threads, &out[0, 0])
    return result[:, :paths]


def normal(str kernel not None, x):
    """The normal distribution function of an array."""
    cdef const sl_path_kernels *build = find(kernel)
    x = np.ascontiguousarray(x)
    result = np.empty(x.shape)
    cdef const double[::1] given = x.reshape(-1)
    cdef double[::1] out = result.reshape(-1)
    cdef size_t n = given.shape[0]
    if n:
        with nogil:
            sl_normal(build, n, &given[0], &out[0])
    return result


def tilted_normal(str kernel not None, weight, tail, x):
    """exp(weight) times the normal distribution function of x, where tail = weight - x^2 / 2; arrays broadcast."""
    cdef const sl_path_kernels *build = find(kernel)
    weight, tail, x = (np.ascontiguousarray(a) for a in np.broadcast_arrays(weight, tail, x))
    result = np.empty(x.shape)
    cdef const double[::1] w = weight.reshape(-1)
    cdef const double[::1] e = tail.reshape(-1)
    cdef const double[::1] given = x.reshape(-1)
    cdef double[::1] out = result.reshape(-1)
    cdef size_t n = given.shape[0]
    if n:
        with nogil:
            sl_tilted_normal(build, n, &w[0], &e[0], &given[0], &out[0])
    return result
