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
    struct sl_kernels:
        const char *name
        int width
        sl_block price[3]
        sl_block call_put[3]
        sl_block greeks[3]
        sl_block call_put_greeks[3]
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
        sl_input input[9]
        double *out[12]
    void sl_prepare(sl_job *job)
    void sl_run(const sl_job *job, int threads)
    int sl_thread_count(int requested)


# Runs an element-wise block function over broadcast arguments; returns a list of `outputs` arrays.
cdef list run_elementwise(sl_block block, tuple names, tuple values, int outputs, object out, int threads)
