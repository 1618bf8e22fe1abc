from libc.stddef cimport ptrdiff_t, size_t


cdef extern from "native/kernels.h" nogil:
    enum: SL_PAD
    enum: SL_MAX_INPUTS
    enum: SL_MAX_OUTPUTS
    enum: SL_GREEKS
    enum: SL_SPOT
    enum: SL_FORWARD
    enum: SL_INVERSE
    ctypedef void (*sl_block)(size_t n, const double *const *inputs, double *const *out) noexcept nogil
    enum: SL_GRID_BLOCK
    struct sl_grid:
        const double *input[7]
        size_t step[7]
        size_t options
        size_t scenarios
        const double *factor
        const double *log_factor
        const double *shift
        double *out
    struct sl_kernels:
        const char *name
        int width
        sl_block price[3]
        sl_block call_put[3]
        sl_block greeks[3]
        sl_block call_put_greeks[3]
        void (*scenarios)(const sl_grid *grid, size_t block) noexcept nogil
        sl_block american[2]
        sl_block american_greeks[2]
        sl_block implied_vol
    const sl_kernels *sl_choose_kernels(const char *name)


cdef extern from "native/driver.h" nogil:
    enum: SL_MAX_DIMS
    struct sl_input:
        const char *data
        ptrdiff_t strides[32]
    struct sl_job:
        sl_block block
        int inputs
        int outputs
        int dims
        size_t shape[32]
        size_t count
        size_t chunk
        int exact
        sl_input input[9]
        double *out[12]
    void sl_prepare(sl_job *job)
    void sl_run(const sl_job *job, int threads)
    int sl_thread_count(int requested)
    void sl_parallel(void (*work)(void *, size_t) noexcept nogil, void *context, size_t count, int threads)


cdef extern from "native/blocks.h" nogil:
    enum: SL_BLOCK_LEAST
    void *sl_block_take(size_t bytes)
    void sl_block_give(void *data, size_t bytes)


cdef extern from "native/scheme.h" nogil:
    enum sl_precision:
        SL_FAST
        SL_HIGH
    int sl_build_schemes()


# Runs an element-wise block function over broadcast arguments; returns a list of `outputs` arrays. With a chunk the
# function takes any number of elements, and threads take chunks of that many.
cdef list run_elementwise(sl_block block, tuple names, tuple values, int outputs, object out, int threads,
                          size_t chunk=*)
